"""Sets that others published in layouts of their own: COSMOS galaxies, and SKIRT images of IllustrisTNG."""

from dataclasses import replace
from pathlib import Path

from galsmith.data.options import SetOptions
from galsmith.data.readers import Source, write_source
from galsmith.data.readers.cosmos_stamps import STAMP_SUFFIXES, cosmos_stamps, find_stamps
from galsmith.data.readers.real_galaxies import ExclusionLevel, RealGalaxySource, find_catalog
from galsmith.data.readers.skirt import SkirtOptions, SkirtSource
from galsmith.errors import InputError, SettingsError
from galsmith.execution import ProgressCallback, ignore_progress
from galsmith.files import check_output
from galsmith.images import ImageSet


def cosmos(
    source: str | Path,
    output: str | Path,
    *,
    exclude: ExclusionLevel | None = None,
    options: SetOptions | None = None,
    seed: int = 0,
    overwrite: bool = False,
    progress: ProgressCallback = ignore_progress,
) -> ImageSet:
    """Make a store from COSMOS galaxies (HST, F814W, 0.03 arcsec a pixel), in either of the published layouts.

    Parameters
    ----------
    source : str or Path
        The postage stamps ``*_processed.fits.gz`` in a folder, or in a tar archive, which is not unpacked; or a
        directory of ``galsim.RealGalaxyCatalog`` and ``COSMOSCatalog``, or its file
        ``real_galaxy_catalog_*.fits``.
    output : str or Path
        The folder to become the store.
    exclude : {"none", "bad_stamp", "bad_fits", "marginal"}, optional
        Which suspect galaxies of a GalSim catalog to leave out; ``"marginal"`` where it has the tables for it.
    options : SetOptions, optional
        Crop, resize, leave out, split. With a crop, smaller images are left out.
    seed : int
        Of the split.
    overwrite : bool
        Replace what is there.
    progress : callable
        Told how far it is.

    Returns
    -------
    ImageSet
        In electrons per second. Of a GalSim catalog the store keeps the PSFs and the correlation of the noise
        (`galsmith.data.store.read_psfs`, `read_noise_correlation`), the catalog its standard deviation and all
        columns of all tables.

    Raises
    ------
    InputError
        If nothing of either layout is there, or a file cannot be used; the message names it.
    SettingsError
        If `exclude` is given for postage stamps.
    OutputExistsError
        If the output is there already.
    """
    check_output(output, inputs=[source], overwrite=overwrite)
    return write_source(
        _open_cosmos(Path(source), exclude, progress),
        Path(output),
        verb="ingest cosmos",
        seed=seed,
        options=_no_smaller_than_crop(SetOptions() if options is None else options),
        overwrite=overwrite,
        progress=progress,
    )


def skirt(
    source: str | Path,
    output: str | Path,
    *,
    reading: SkirtOptions | None = None,
    options: SetOptions | None = None,
    seed: int = 0,
    overwrite: bool = False,
    progress: ProgressCallback = ignore_progress,
) -> ImageSet:
    """Make a store from SKIRT images of IllustrisTNG galaxies, in the layout ``skirt_images_sdss``.

    Parameters
    ----------
    source : str or Path
        The folder ``snapnum_099``, with ``data/broadband_<subfind id>.fits``, ``subfind_ids.txt``,
        ``morphs_g.hdf5`` and ``morphs_i.hdf5``; or the folder above.
    output : str or Path
        The folder to become the store.
    reading : SkirtOptions, optional
        Bands, the share cut off at each edge, the smallest size before that; those of the galaxies paper when
        left out.
    options : SetOptions, optional
        Crop, resize, leave out, split, after that.
    seed : int
        Of the split.
    overwrite : bool
        Replace what is there.
    progress : callable
        Told how far it is.

    Returns
    -------
    ImageSet
        In electrons per second; sizes differ. The catalog has ``subfind_id``, ``full_size_pix`` (before the
        crop) and all columns of the morphologies, such as ``gini_g``.

    Raises
    ------
    InputError
        If the layout is not there, or a file cannot be used; the message names it.
    SettingsError
        If a zero point is of no band.
    OutputExistsError
        If the output is there already.
    """
    check_output(output, inputs=[source], overwrite=overwrite)
    reading = SkirtOptions() if reading is None else reading
    return write_source(
        SkirtSource(Path(source), options=reading, progress=progress),
        Path(output),
        verb="ingest skirt",
        seed=seed,
        options=SetOptions() if options is None else options,
        overwrite=overwrite,
        progress=progress,
    )


def _open_cosmos(place: Path, exclude: ExclusionLevel | None, progress: ProgressCallback) -> Source:
    """Tell the layout by what is there."""
    if not place.exists():
        raise InputError(f"{place}: there is no such folder or file")
    stamps = find_stamps(place)
    if stamps is not None:
        if exclude is not None:
            raise SettingsError(
                f"--exclude {exclude}: is for GalSim's catalogs; {place} has postage stamps, leave it out"
            )
        return cosmos_stamps(place, stamps, progress=progress)
    catalog = find_catalog(place)
    if catalog is None:
        raise InputError(
            f"{place}: holds neither {' or '.join(f'*{end}' for end in STAMP_SUFFIXES)} files nor a "
            "real_galaxy_catalog*.fits of GalSim; give the folder that does, or ingest other FITS files with "
            "galsmith ingest fits"
        )
    return RealGalaxySource(catalog, exclude=exclude, progress=progress)


def _no_smaller_than_crop(options: SetOptions) -> SetOptions:
    """Leave out images that are smaller than the crop, as the galaxies paper does (sec. 3.2)."""
    if options.crop_pix is None or options.minimum_size_pix is not None:
        return options
    return replace(options, minimum_size_pix=options.crop_pix)
