"""The published COSMOS postage stamps (Mandelbaum et al. 2012): ``*_processed.fits.gz`` in a folder or an archive."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.table import QTable

from galsmith.data.readers.fits_cutouts import FitsSource, named_by_stem
from galsmith.data.readers.listing import FilePlace, is_tar, list_files, list_tar
from galsmith.execution import ProgressCallback, ignore_progress
from galsmith.images import ImageHeader

STAMP_SUFFIXES = ("_processed.fits.gz", "_processed.fits")
STAMP_FOLDER = "cosmos_galaxy_postage_stamps"
BAND = "F814W"
# Of the images that GalSim's COSMOS samples are made from, in counts per second; galsim/galaxy_sample.py.
ZERO_POINT_MAG = 25.94
PIXEL_SCALE_ARCSEC = 0.03
FLUX_UNIT = "electron / s"
# Such as 100027.0_150.141258_1.597780: identifier, right ascension and declination.
STEM = re.compile(r"(?P<ident>\d+)(\.0)?_(?P<ra>\d+\.\d+)_(?P<dec>[-+]?\d+\.\d+)")
WHERE_UNSTATED = ImageHeader((BAND,), FLUX_UNIT, PIXEL_SCALE_ARCSEC, zero_points_mag={BAND: ZERO_POINT_MAG})


def find_stamps(place: Path) -> Mapping[str, FilePlace] | None:
    """List the stamps of a folder, of the folder in it that has their usual name, or of an archive.

    Returns
    -------
    mapping of str to FilePlace or None
        By stem without ``_processed``, sorted; None where the place is a folder without stamps.

    Raises
    ------
    InputError
        If an archive cannot be used, or two stamps have one stem.
    """
    if is_tar(place):
        return list_tar(place, STAMP_SUFFIXES)
    for folder in (place, place / STAMP_FOLDER):
        if folder.is_dir() and any(path.name.lower().endswith(STAMP_SUFFIXES) for path in folder.iterdir()):
            return list_files(folder, STAMP_SUFFIXES)
    return None


def cosmos_stamps(
    place: Path, files: Mapping[str, FilePlace], *, progress: ProgressCallback = ignore_progress
) -> FitsSource:
    """Open the published stamps: one square image in the primary HDU of each file.

    Parameters
    ----------
    place : Path
        The folder or the archive.
    files : mapping of str to FilePlace
        What `find_stamps` found there.
    progress : callable
        Told how far reading the headers is.

    Returns
    -------
    FitsSource
        In electrons per second of F814W, 0.03 arcsec a pixel, zero point 25.94, where a header does not say
        otherwise. Names such as ``100027.0_150.141258_1.597780`` become ``object_id``, ``ra`` and ``dec``.
    """
    return FitsSource(place, files=files, identify=identified, otherwise=WHERE_UNSTATED, progress=progress)


def identified(stems: Sequence[str]) -> QTable:
    """Begin the catalog: identifier and position where all names have them and differ, else the names."""
    found = [STEM.fullmatch(stem) for stem in stems]
    read = [match for match in found if match is not None]
    idents = [match["ident"] for match in read]
    if len(read) < len(stems) or len(set(idents)) < len(stems):
        return named_by_stem(stems)
    table = named_by_stem(idents)
    for name in ("ra", "dec"):
        table[name] = np.array([float(match[name]) for match in read]) * u.deg
    return table
