"""``galsmith ingest KIND SRC``: make a store of galaxy images that lie in files."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from galsmith.cli.options import KEEP_ALL, SHOWN_ALL, Output, Overwrite, Seed, SetFlags, Shown, band_names
from galsmith.cli.outcome import Outcome

FOLDER_EXAMPLE = "galsmith ingest folder pictures -o galaxies --labels labels.csv --resize 64"
FITS_EXAMPLE = "galsmith ingest fits cutouts -o galaxies --hdu 0 --crop 128"
STORE_EXAMPLE = "galsmith ingest store galaxies -o measured --properties galaxies.parquet"
ARRAYS_EXAMPLE = "galsmith ingest arrays set.h5:/images -o galaxies --bands g,r,i"


def ingest_folder(
    source: Annotated[Path, Parameter(help="Folder of PNG or JPEG files.")],
    /,
    *,
    output: Output,
    labels: Annotated[Path | None, Parameter(help="CSV whose first column is the file stem.")] = None,
    flags: SetFlags = KEEP_ALL,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    shown: Shown = SHOWN_ALL,
) -> Outcome:
    """Read a folder of PNG or JPEG pictures (8 or 16 bit, gray or RGB) into a store."""
    from galsmith.cli.stores import outcome_of_store
    from galsmith.data.ingest import folder

    with shown.progress() as progress:
        images = folder(
            source,
            output,
            labels=labels,
            options=flags.to_options(),
            seed=seed,
            overwrite=overwrite,
            progress=progress,
        )
    return outcome_of_store("ingest folder", images, output)


def ingest_fits(
    source: Annotated[Path, Parameter(help="Folder of .fits or .fits.gz cutouts.")],
    /,
    *,
    output: Output,
    hdu: Annotated[str, Parameter(help="Number or name of the HDU that has the image.")] = "0",
    bands: Annotated[str | None, Parameter(help="Names of the bands, such as g,r,i.")] = None,
    pixel_scale: Annotated[
        float | None, Parameter(help="Arcsec per pixel, where the header has no WCS.")
    ] = None,
    flux_unit: Annotated[
        str | None, Parameter(help="Unit of a pixel's value, where the header has none.")
    ] = None,
    flags: SetFlags = KEEP_ALL,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    shown: Shown = SHOWN_ALL,
) -> Outcome:
    """Read a folder of FITS cutouts, 2-D or [band, y, x], into a store; header keywords go into the catalog."""
    from galsmith.cli.stores import outcome_of_store
    from galsmith.data.ingest import fits

    with shown.progress() as progress:
        images = fits(
            source,
            output,
            hdu=int(hdu) if hdu.isdecimal() else hdu,
            bands=band_names(bands),
            pixel_scale_arcsec=pixel_scale,
            flux_unit=flux_unit,
            options=flags.to_options(),
            seed=seed,
            overwrite=overwrite,
            progress=progress,
        )
    return outcome_of_store("ingest fits", images, output)


def ingest_arrays(
    source: Annotated[str, Parameter(help="HDF5, NPY or NPZ file; one of its arrays as set.h5:/images.")],
    /,
    *,
    output: Output,
    bands: Annotated[str | None, Parameter(help="Names of the bands, such as g,r,i.")] = None,
    band_axis: Annotated[
        Literal["first", "last"] | None,
        Parameter(help="Where an image's band axis is; the shorter one when left out."),
    ] = None,
    pixel_scale: Annotated[float | None, Parameter(help="Arcsec per pixel.")] = None,
    flux_unit: Annotated[
        str | None, Parameter(help="Unit of a pixel's value, such as nJy; display for pictures.")
    ] = None,
    flags: SetFlags = KEEP_ALL,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    shown: Shown = SHOWN_ALL,
) -> Outcome:
    """Read an array of images, [galaxy, y, x], [galaxy, band, y, x] or [galaxy, y, x, band], into a store."""
    from galsmith.cli.stores import outcome_of_store
    from galsmith.data.ingest import arrays

    with shown.progress() as progress:
        images = arrays(
            source,
            output,
            bands=band_names(bands),
            band_axis=band_axis,
            pixel_scale_arcsec=pixel_scale,
            flux_unit=flux_unit,
            options=flags.to_options(),
            seed=seed,
            overwrite=overwrite,
            progress=progress,
        )
    return outcome_of_store("ingest arrays", images, output)


def ingest_store(
    source: Annotated[Path, Parameter(help="The store.")],
    /,
    *,
    output: Output,
    properties: Annotated[
        Path | None,
        Parameter(
            help="Table with the column object_id, such as galsmith measure writes, to join to the catalog."
        ),
    ] = None,
    flags: SetFlags = KEEP_ALL,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    shown: Shown = SHOWN_ALL,
) -> Outcome:
    """Make a store from another: some galaxies, cropped, resized, or with measured properties in the catalog.

    Galaxies stay in their splits unless --split asks for other shares than the default.
    """
    from galsmith.cli.stores import outcome_of_store
    from galsmith.data.ingest import store

    with shown.progress() as progress:
        images = store(
            source,
            output,
            properties=properties,
            options=flags.to_options(),
            seed=seed,
            overwrite=overwrite,
            progress=progress,
        )
    return outcome_of_store("ingest store", images, output)
