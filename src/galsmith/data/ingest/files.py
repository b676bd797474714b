"""Images that lie in anybody's files: pictures, FITS cutouts, an array in a file, or another store."""

from collections.abc import Sequence
from pathlib import Path

from galsmith.data.options import SetOptions
from galsmith.data.readers import ArraySource, FitsSource, PictureSource, StoreSource
from galsmith.data.readers.arrays import BandAxis
from galsmith.data.readers.to_store import write_source
from galsmith.execution import ProgressCallback, ignore_progress
from galsmith.files import check_output
from galsmith.images import ImageSet


def folder(
    source: str | Path,
    output: str | Path,
    *,
    labels: str | Path | None = None,
    options: SetOptions | None = None,
    seed: int = 0,
    overwrite: bool = False,
    progress: ProgressCallback = ignore_progress,
) -> ImageSet:
    """Make a store from a folder of PNG and JPEG pictures.

    Parameters
    ----------
    source : str or Path
        Pictures of one kind (gray or RGB, 8 or 16 bit), taken in the order of their stems, which become
        ``object_id``. Numbers stay as they are; the bottom row becomes row 0.
    output : str or Path
        The folder to become the store.
    labels : str or Path, optional
        A table (CSV, or columns between spaces) with a column of stems; the other columns go to the catalog,
        with NaN where a picture has no row.
    options : SetOptions, optional
        Crop, resize, leave out, split.
    seed : int
        Of the split.
    overwrite : bool
        Replace what is there.
    progress : callable
        Told how far it is.

    Returns
    -------
    ImageSet
        Pixels in ``"display"`` units.

    Raises
    ------
    InputError
        If the folder, a picture or the table cannot be used; the message names it.
    OutputExistsError
        If the output is there already.
    """
    check_output(output, inputs=[source, labels], overwrite=overwrite)
    pictures = PictureSource(Path(source), labels=None if labels is None else Path(labels), progress=progress)
    return write_source(
        pictures,
        Path(output),
        verb="ingest folder",
        seed=seed,
        options=SetOptions() if options is None else options,
        overwrite=overwrite,
        progress=progress,
    )


def fits(
    source: str | Path,
    output: str | Path,
    *,
    hdu: int | str = 0,
    bands: Sequence[str] | None = None,
    pixel_scale_arcsec: float | None = None,
    flux_unit: str | None = None,
    options: SetOptions | None = None,
    seed: int = 0,
    overwrite: bool = False,
    progress: ProgressCallback = ignore_progress,
) -> ImageSet:
    """Make a store from a folder of FITS cutouts, one galaxy a file.

    Parameters
    ----------
    source : str or Path
        ``.fits``, ``.fit`` and ``.fits.gz`` files, [y, x] or [band, y, x], taken in the order of their stems,
        which become ``object_id``; keywords with one value go to the catalog.
    output : str or Path
        The folder to become the store.
    hdu : int or str
        Which header-data unit holds the image.
    bands : sequence of str, optional
        Filter names; else the keyword FILTER.
    pixel_scale_arcsec : float, optional
        Angle per pixel side; else from the world coordinates.
    flux_unit : str, optional
        Unit of a pixel's value; else the keyword BUNIT, else ``"unknown"``.
    options : SetOptions, optional
        Crop, resize, leave out, split.
    seed : int
        Of the split.
    overwrite : bool
        Replace what is there.
    progress : callable
        Told how far it is.

    Raises
    ------
    InputError
        If the folder or a file cannot be used; the message names it.
    SettingsError
        If `bands` or `pixel_scale_arcsec` contradict the files.
    OutputExistsError
        If the output is there already.
    """
    check_output(output, inputs=[source], overwrite=overwrite)
    cutouts = FitsSource(
        Path(source),
        hdu=hdu,
        bands=bands,
        pixel_scale_arcsec=pixel_scale_arcsec,
        flux_unit=flux_unit,
        progress=progress,
    )
    return write_source(
        cutouts,
        Path(output),
        verb="ingest fits",
        seed=seed,
        options=SetOptions() if options is None else options,
        overwrite=overwrite,
        progress=progress,
    )


def arrays(
    source: str | Path,
    output: str | Path,
    *,
    bands: Sequence[str] | None = None,
    band_axis: BandAxis | None = None,
    pixel_scale_arcsec: float | None = None,
    flux_unit: str | None = None,
    options: SetOptions | None = None,
    seed: int = 0,
    overwrite: bool = False,
    progress: ProgressCallback = ignore_progress,
) -> ImageSet:
    """Make a store from one array of images in an HDF5, NPY or NPZ file.

    Parameters
    ----------
    source : str or Path
        The file, or one array of it as ``set.h5:/images``, [galaxy, y, x], [galaxy, band, y, x] or
        [galaxy, y, x, band]; arrays beside it with one value an image go to the catalog.
    output : str or Path
        The folder to become the store.
    bands : sequence of str, optional
        Filter names; else the attribute ``bands``.
    band_axis : {"first", "last"}, optional
        Where the band axis of an image is; the shortest of the first and the last where left out.
    pixel_scale_arcsec : float, optional
        Angle per pixel side; else the attribute of that name.
    flux_unit : str, optional
        Unit of a pixel's value; else the attribute, else ``"display"`` for 8 bits and ``"unknown"``.
    options : SetOptions, optional
        Crop, resize, leave out, split.
    seed : int
        Of the split.
    overwrite : bool
        Replace what is there.
    progress : callable
        Told how far it is.

    Raises
    ------
    InputError
        If the file cannot be used; the message lists what it holds.
    SettingsError
        If `bands`, `band_axis` or `pixel_scale_arcsec` contradict the file.
    OutputExistsError
        If the output is there already.
    """
    check_output(output, inputs=[source], overwrite=overwrite)
    images = ArraySource(
        source,
        bands=bands,
        band_axis=band_axis,
        pixel_scale_arcsec=pixel_scale_arcsec,
        flux_unit=flux_unit,
    )
    return write_source(
        images,
        Path(output),
        verb="ingest arrays",
        seed=seed,
        options=SetOptions() if options is None else options,
        overwrite=overwrite,
        progress=progress,
    )


def store(
    source: str | Path,
    output: str | Path,
    *,
    properties: str | Path | None = None,
    options: SetOptions | None = None,
    seed: int = 0,
    overwrite: bool = False,
    progress: ProgressCallback = ignore_progress,
) -> ImageSet:
    """Make a store from another: some of its galaxies, cropped, resized, or with properties in its catalog.

    Parameters
    ----------
    source : str or Path
        The store; units, zero points, point spread functions and splits stay as they are.
    output : str or Path
        The folder to become the store.
    properties : str or Path, optional
        A table with a column ``object_id`` (Parquet, ECSV, FITS, CSV), such as `galsmith measure` writes; its other
        columns go to the catalog, with their units, and NaN where a galaxy has no row.
    options : SetOptions, optional
        Crop, resize, leave out; galaxies are dealt to splits anew where its split is not the default.
    seed : int
        Of the split.
    overwrite : bool
        Replace what is there.
    progress : callable
        Told how far it is.

    Raises
    ------
    InputError
        If the store or the table cannot be used; the message names it.
    OutputExistsError
        If the output is there already.
    """
    check_output(output, inputs=[source, properties], overwrite=overwrite)
    return write_source(
        StoreSource(source, properties=properties),
        Path(output),
        verb="ingest store",
        seed=seed,
        options=SetOptions() if options is None else options,
        overwrite=overwrite,
        progress=progress,
    )
