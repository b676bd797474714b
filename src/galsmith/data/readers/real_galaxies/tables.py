"""The tables of a ``RealGalaxyCatalog``, and which galaxies are suspect by ``galsim.COSMOSCatalog``'s exclusion levels."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from galsmith.data.readers.fits import READ_ERRORS, opened_fits
from galsmith.data.readers.registry import ExclusionLevel
from galsmith.errors import InputError

NEEDED = ("IDENT", "GAL_FILENAME", "PSF_FILENAME", "GAL_HDU", "PSF_HDU", "PIXEL_SCALE", "NOISE_VARIANCE")
FITS_SUFFIX, FITS_ENDING, SELECTION_ENDING = ".fits", "_fits.fits", "_selection.fits"
Columns = Mapping[str, NDArray[Any]]
EXCLUSION_LEVELS: tuple[ExclusionLevel, ...] = get_args(ExclusionLevel)
MOST_DEVIANT_FLUX_MAG = 0.8
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class RealGalaxyTables:
    """What the tables of one catalog say, a row a galaxy.

    Attributes
    ----------
    path : Path
        Of the catalog; images lie beside it.
    main, fits, selection : mapping of str to ndarray
        Columns by their name in capitals; `fits` and `selection` are empty where there is no such file.
    """

    path: Path
    main: Columns
    fits: Columns
    selection: Columns

    def __len__(self) -> int:
        """Return how many galaxies the catalog has."""
        return len(self.main["IDENT"])

    @property
    def files(self) -> list[Path]:
        """All tables that there are."""
        beside = [_beside(self.path, FITS_ENDING), _beside(self.path, SELECTION_ENDING)]
        return [self.path, *(path for path in beside if path.is_file())]


def find_catalog(place: Path) -> Path | None:
    """Find the catalog of a directory.

    Parameters
    ----------
    place : Path
        A directory, or the catalog's own file.

    Returns
    -------
    Path or None
        None where a directory has no file ``*catalog*.fits`` besides tables of fits and selections.

    Raises
    ------
    InputError
        If there are several.
    """
    if place.is_file():
        return place if place.name.lower().endswith(FITS_SUFFIX) else None
    found = [
        path
        for path in sorted(place.glob(f"*catalog*{FITS_SUFFIX}"))
        if not path.name.endswith((FITS_ENDING, SELECTION_ENDING))
    ]
    if len(found) > 1:
        raise InputError(
            f"{place}: holds {len(found)} catalogs ({', '.join(path.name for path in found)}); give the file "
            f"that is meant, such as {found[-1]}"
        )
    return found[0] if found else None


def read_tables(path: Path) -> RealGalaxyTables:
    """Read a catalog, and its tables ``_fits.fits`` and ``_selection.fits`` where they are.

    Raises
    ------
    InputError
        If a table cannot be read, lacks a column, or is of other galaxies than the catalog.
    """
    main = _columns(path)
    missing = [name for name in NEEDED if name not in main]
    if missing:
        raise InputError(
            f"{path}: lacks {', '.join(missing)}, so it is no catalog of galsim.RealGalaxyCatalog; give the file "
            "real_galaxy_catalog_*.fits"
        )
    if not len(main["IDENT"]):
        raise InputError(f"{path}: has no rows; give a catalog with galaxies")
    fits, selection = (_joined(_beside(path, end), path, main) for end in (FITS_ENDING, SELECTION_ENDING))
    return RealGalaxyTables(path, main, fits, selection)


def _beside(path: Path, ending: str) -> Path:
    """Name the table of a catalog that has some ending."""
    return path.with_name(path.name[: -len(FITS_SUFFIX)] + ending)


def _joined(path: Path, main_path: Path, main: Columns) -> Columns:
    """Read a table beside the catalog in the catalog's order; empty where there is none."""
    if not path.is_file():
        return {}
    columns = _columns(path)
    if "IDENT" not in columns:
        raise InputError(f"{path}: lacks IDENT, which names the galaxies of {main_path.name}")
    row_of = {str(ident): row for row, ident in enumerate(columns["IDENT"])}
    unknown = [str(ident) for ident in main["IDENT"] if str(ident) not in row_of]
    if unknown:
        raise InputError(
            f"{path}: has no rows for {len(unknown)} galaxies of {main_path.name}, first IDENT {unknown[0]}; give "
            "tables of one sample, or remove this one"
        )
    rows = np.array([row_of[str(ident)] for ident in main["IDENT"]], dtype=np.int64)
    return {name: values[rows] for name, values in columns.items()}


def _columns(path: Path) -> dict[str, NDArray[Any]]:
    """Read the first table of a FITS file: columns by name in capitals, text without trailing spaces."""
    try:
        with opened_fits(path) as units:
            table = Table(units[1].data)
            table.convert_bytestring_to_unicode()
    except (*READ_ERRORS, AttributeError) as error:
        raise InputError(f"{path}: is not a FITS table that can be read ({error})") from error
    return {name.upper(): _plain(np.asarray(table[name])) for name in table.colnames}


def _plain(values: NDArray[Any]) -> NDArray[Any]:
    """Give values in this machine's byte order."""
    if values.dtype.kind in "US":
        return np.char.strip(values)
    return values.astype(values.dtype.newbyteorder("="))


def strictest_level(tables: RealGalaxyTables) -> ExclusionLevel:
    """Give the strictest level that the tables allow: ``"marginal"``, GalSim's default, or ``"none"``."""
    has_fits = {"FIT_STATUS", "HLR", "SERSICFIT"} <= set(tables.fits)
    return "marginal" if tables.selection and has_fits else "none"


def is_excluded(tables: RealGalaxyTables, level: ExclusionLevel) -> Flags:
    """Tell which galaxies a level excludes, [galaxy] bool.

    The cuts of `galsim.COSMOSCatalog`, which were those of the GREAT3 challenge (Mandelbaum et al. 2014): stamps
    with faint or badly masked galaxies or without flux (``"bad_stamp"``); galaxies where both parametric fits
    failed (``"bad_fits"``); and for ``"marginal"`` all of these, galaxies where one of the fits failed, fits
    with a large index and radius, and those whose fitted flux disagrees with the catalog's.

    Raises
    ------
    InputError
        If the level needs a table that is not there.
    """
    excluded = np.zeros(len(tables), dtype=bool)
    if level in ("bad_stamp", "marginal"):
        excluded |= _has_bad_stamp(tables)
    if level in ("bad_fits", "marginal"):
        sersic, bulge = _fit_succeeded(_needed(tables, "fits", level))
        excluded |= ~(sersic & bulge) if level == "marginal" else ~(sersic | bulge)
    if level == "marginal":
        fits, selection = tables.fits, tables.selection
        excluded |= ~((fits["SERSICFIT"][:, 2] < 5) | (fits["HLR"][:, 0] < 1))
        excluded |= ~(np.abs(selection["DMAG"]) < MOST_DEVIANT_FLUX_MAG)
    return excluded


def _has_bad_stamp(tables: RealGalaxyTables) -> Flags:
    """Tell which galaxies are faint, or close to a mask that is bright beside their own peak."""
    selection = _needed(tables, "selection", "bad_stamp")
    is_bright_sample = "23.5" in tables.path.name
    faintest, largest_ratio = (20.0, 0.2) if is_bright_sample else (12.0, 0.8)
    peak = np.where(selection["PEAK_IMAGE_PIXEL_COUNT"] == 0, 1e-5, selection["PEAK_IMAGE_PIXEL_COUNT"])
    is_free = (selection["MIN_MASK_DIST_PIXELS"] > 11) | (
        selection["AVERAGE_MASK_ADJACENT_PIXEL_COUNT"] / peak < largest_ratio
    )
    is_bright = selection["SN_ELLIP_GAUSS"] >= faintest
    has_flux = tables.main.get("STAMP_FLUX", np.ones(len(tables))) > 0
    return np.asarray(~(is_bright & is_free & has_flux), dtype=bool)


def _fit_succeeded(fits: Columns) -> tuple[Flags, Flags]:
    """Tell of which galaxies the Sérsic fit, and that of bulge and disk, converged."""
    status = fits["FIT_STATUS"]
    sersic, bulge = status[:, 4], status[:, 0]
    return (sersic > 0) & (sersic < 5), (bulge > 0) & (bulge < 5)


def _needed(tables: RealGalaxyTables, which: Literal["fits", "selection"], level: ExclusionLevel) -> Columns:
    """Give a table, or say that it is not there."""
    columns = tables.fits if which == "fits" else tables.selection
    if not columns or (which == "fits" and "FIT_STATUS" not in columns):
        stem = tables.path.name.removesuffix(".fits")
        raise InputError(
            f"{tables.path}: `exclude={level}` needs {stem}_{which}.fits with GalSim's columns beside it; "
            "get it with the sample, or keep all galaxies with `exclude=none`"
        )
    return columns
