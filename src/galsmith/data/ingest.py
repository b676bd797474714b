"""Bringing images into a store: `ingest` by the name of a reader, and a typed call for each of galsmith's own."""

from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, TypedDict, Unpack

import numpy as np

from galsmith.data.identifiers import refuse_repeated
from galsmith.data.options import SetOptions
from galsmith.data.readers.options import CosmologyOptions, FieldOptions, GivenZeroPoints, Hdu
from galsmith.data.readers.registry import (
    ArrayOptions,
    CosmosOptions,
    ExclusionLevel,
    FitsOptions,
    FolderOptions,
    Place,
    SkirtOptions,
    StoreOptions,
    find_reader,
)
from galsmith.data.readers.to_store import write_source
from galsmith.data.store.layout import STORE
from galsmith.errors import SettingsError
from galsmith.execution import ProgressCallback, ignore_progress
from galsmith.files import check_output, place_of
from galsmith.images import ImageSet


class Making(TypedDict, total=False):
    """What all ways into a store have in common, as `ingest` has it."""

    options: SetOptions | None
    seed: int
    overwrite: bool
    workers: int
    executor: Executor | None
    progress: ProgressCallback


def ingest(
    kind: str,
    source: Place,
    output: str | Path,
    *,
    reading: Any = None,
    options: SetOptions | None = None,
    seed: int = 0,
    overwrite: bool = False,
    workers: int = 1,
    executor: Executor | None = None,
    progress: ProgressCallback = ignore_progress,
) -> ImageSet:
    """Make a store with the reader of a name; an interrupted call goes on when it is repeated.

    Parameters
    ----------
    kind : str
        Name of a reader: one of `galsmith.data.readers.registry.READERS`, or one that was registered.
    source : str, Path or sequence of them
        What the reader takes.
    output : str or Path
        The folder to become the store.
    reading : object, optional
        The reader's own record of options; their defaults when left out.
    options : SetOptions, optional
        Crop, resize, leave out, split.
    seed : int
        Of the split.
    overwrite : bool
        Replace what is there.
    workers : int
        Local processes that read and write chunks; the store does not depend on their number.
    executor : concurrent.futures.Executor, optional
        Used in place of them, such as that of a Dask client.
    progress : callable
        Told how far it is.

    Returns
    -------
    ImageSet
        The finished store, opened. The metadata of its catalog count what was left out, by reason.

    Raises
    ------
    InputError
        If a file cannot be used, or two images have one ``object_id``; the message names it.
    SettingsError
        If there is no such reader (the near miss is named), or an option does not fit the files.
    OutputExistsError
        If the output is there already.
    """
    reader, chosen = find_reader(kind), SetOptions() if options is None else options
    reader.refuse_addresses(source)
    check_output(output, STORE, inputs=reader.inputs(source, reading), overwrite=overwrite)
    if reader.leaves_out_small and chosen.crop_pix is not None and chosen.minimum_size_pix is None:
        chosen = replace(chosen, minimum_size_pix=chosen.crop_pix)
    opened = reader.open(source, reading, progress=progress)
    refuse_repeated(np.asarray(opened.catalog["object_id"]), place=source)
    if opened.listing.splits is not None and chosen.split == SetOptions().split and seed != 0:
        raise SettingsError(
            "a seed deals splits, and those of the images are kept; give `split` as well, or leave it out",
            argument="seed",
            came=seed,
        )
    return write_source(
        opened,
        place_of(output),
        verb=f"ingest {kind}",
        seed=seed,
        options=chosen,
        overwrite=overwrite,
        workers=workers,
        executor=executor,
        progress=progress,
    )


def folder(
    source: str | Path,
    output: str | Path,
    *,
    labels: str | Path | None = None,
    **how: Unpack[Making],
) -> ImageSet:
    """Make a store from a folder of PNG and JPEG pictures, in ``"display"`` units; other arguments as in `ingest`.

    Parameters
    ----------
    source : str or Path
        Pictures of one kind (gray or RGB, 8 or 16 bit), taken in the order of their stems, which become
        ``object_id``. Numbers stay as they are; the bottom row becomes row 0.
    labels : str or Path, optional
        See `FolderOptions`.
    """
    return ingest("folder", source, output, reading=FolderOptions(labels), **how)


def fits(
    source: str | Path,
    output: str | Path,
    *,
    hdu: Hdu | None = None,
    bands: Sequence[str] | None = None,
    pixel_scale_arcsec: float | None = None,
    flux_unit: str | None = None,
    plane: int | None = None,
    zero_points_mag: GivenZeroPoints | None = None,
    mask: str | None = None,
    mask_bits: Sequence[str] | None = None,
    sigma: str | None = None,
    ivar: str | None = None,
    psf: str | None = None,
    **how: Unpack[Making],
) -> ImageSet:
    """Make a store from a folder of FITS cutouts, one galaxy a file; other arguments as in `ingest`.

    Parameters
    ----------
    source : str or Path
        ``.fits``, ``.fit``, ``.fits.gz`` and ``.fits.fz`` files of a folder, of folders in it where it has none, or of a
        glob, [y, x] or [band, y, x], taken in the order of their stems, which become ``object_id``; keywords with one
        value go to the catalog.
    hdu, bands, pixel_scale_arcsec, flux_unit, plane, zero_points_mag
        See `FitsOptions`.
    mask, mask_bits, sigma, ivar, psf
        What lies beside the images and goes into the store with them; where no mask or noise is named, those of surveys'
        own layouts are taken from the files, as `galsmith.measure` does. See `FitsOptions`.
    """
    reading = FitsOptions(
        hdu, bands, pixel_scale_arcsec, flux_unit, plane, zero_points_mag, mask, mask_bits, sigma, ivar, psf
    )
    return ingest("fits", source, output, reading=reading, **how)


def arrays(
    source: Place,
    output: str | Path,
    *,
    bands: Sequence[str] | None = None,
    band_axis: Literal["first", "last"] | None = None,
    pixel_scale_arcsec: float | None = None,
    flux_unit: str | None = None,
    zero_points_mag: GivenZeroPoints | None = None,
    mask: str | None = None,
    sigma: str | None = None,
    ivar: str | None = None,
    psf: str | None = None,
    **how: Unpack[Making],
) -> ImageSet:
    """Make a store from one array of images in an HDF5, NPY, NPZ or FITS file; other arguments as in `ingest`.

    Parameters
    ----------
    source : str, Path or sequence of them
        The file, or one array of it as ``set.h5:/images``, [galaxy, y, x], [galaxy, band, y, x] or
        [galaxy, y, x, band]; arrays beside it with one value an image go to the catalog. Several files have one band each.
    bands, band_axis, pixel_scale_arcsec, flux_unit, zero_points_mag
        See `ArrayOptions`.
    mask, sigma, ivar, psf
        Arrays that go into the store with the images. See `ArrayOptions`.
    """
    reading = ArrayOptions(
        bands, band_axis, pixel_scale_arcsec, flux_unit, zero_points_mag, mask, sigma, ivar, psf
    )
    return ingest("arrays", source, output, reading=reading, **how)


def store(
    source: Place,
    output: str | Path,
    *,
    properties: str | Path | None = None,
    zero_points_mag: GivenZeroPoints | None = None,
    **how: Unpack[Making],
) -> ImageSet:
    """Make a store from others: joined, some of the galaxies, cropped, resized, or with properties in the catalog.

    Parameters
    ----------
    source : str, Path or sequence of them
        The store, or several of one kind, whose galaxies stand one after the other; units, zero points and point spread
        functions stay as they are, and splits where `options` has the default one.
    properties, zero_points_mag
        See `StoreOptions`; other arguments as in `ingest`.
    """
    return ingest("store", source, output, reading=StoreOptions(properties, zero_points_mag), **how)


def cosmos(
    source: str | Path,
    output: str | Path,
    *,
    exclude: ExclusionLevel | None = None,
    **how: Unpack[Making],
) -> ImageSet:
    """Make a store from COSMOS galaxies (HST, F814W, 0.03 arcsec a pixel), in either of the published layouts.

    It is in electrons per second. Of a GalSim catalog the store keeps the PSFs and the correlation of the noise
    (`galsmith.data.store.read_psfs`, `read_noise_correlation`), the catalog its standard deviation and all columns of all
    tables. With a crop, smaller images are left out.

    Parameters
    ----------
    source : str or Path
        The postage stamps ``*_processed.fits.gz`` in a folder, or in a tar archive, which is not unpacked; or a
        directory of ``galsim.RealGalaxyCatalog`` and ``COSMOSCatalog``, or its file
        ``real_galaxy_catalog_*.fits``.
    exclude : {"none", "bad_stamp", "bad_fits", "marginal"}, optional
        See `CosmosOptions`; not for postage stamps. Other arguments as in `ingest`.
    """
    return ingest("cosmos", source, output, reading=CosmosOptions(exclude), **how)


def skirt(
    source: str | Path,
    output: str | Path,
    *,
    reading: SkirtOptions | None = None,
    **how: Unpack[Making],
) -> ImageSet:
    """Make a store from SKIRT images of IllustrisTNG galaxies, in the layout ``skirt_images_sdss``.

    It is in electrons per second; sizes differ. The catalog has ``subfind_id``, ``full_size_pix`` (before the crop) and all
    columns of the morphologies, such as ``gini_g``.

    Parameters
    ----------
    source : str or Path
        The folder ``snapnum_099``, with ``data/broadband_<subfind id>.fits``, ``subfind_ids.txt``,
        ``morphs_g.hdf5`` and ``morphs_i.hdf5``; or the folder above.
    reading : SkirtOptions, optional
        Those of the galaxies paper when left out; other arguments as in `ingest`.
    """
    return ingest("skirt", source, output, reading=reading, **how)


def field(
    source: Place,
    output: str | Path,
    *,
    reading: FieldOptions | None = None,
    **how: Unpack[Making],
) -> ImageSet:
    """Make a store of the galaxies in one or more aligned survey images.

    Sources are detected in one band, stars are left out (`galsmith.data.readers.field.stars.find_stars` has the
    rule), and what is left is cut out of all bands, in squares as large as each galaxy asks for. It is in nJy, or in the
    files' own unit where `reading` names one. The catalog has positions, and what was measured to find the galaxies.

    Parameters
    ----------
    source : str, Path or sequence of them
        A folder with a FITS file a band, several files, or one file that holds an image or a cube.
    reading : FieldOptions, optional
        Bands, zero points, how sources are found, told from stars and cut out; other arguments as in `ingest`.
    """
    return ingest("field", source, output, reading=reading, **how)


def cosmology(
    source: str | Path,
    output: str | Path,
    *,
    parts: Sequence[str] | None = None,
    **how: Unpack[Making],
) -> ImageSet:
    """Make a store of the published cosmology fields, gray pictures of 8 bits in ``"display"`` units.

    Its header says that it shows fields. The catalog has ``object_id`` (the Id), ``part``, ``label`` (1 for a real field, 0
    for another image) and ``score`` (galaxyness, 0 to 8); NaN where they are not known.

    Parameters
    ----------
    source : str or Path
        Folder with ``labeled/`` and ``labeled.csv``, ``scored/`` and ``scored.csv`` (columns ``Id`` and ``Actual``), and
        ``query/``; any of them.
    parts : sequence of str, optional
        See `CosmologyOptions`; other arguments as in `ingest`.
    """
    reading = CosmologyOptions(None if parts is None else tuple(parts))
    return ingest("cosmology", source, output, reading=reading, **how)
