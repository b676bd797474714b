"""Measuring arrays directly: `morphology` turns images in memory, or a store, into a table of morphology."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from astropy.table import QTable
from numpy.typing import ArrayLike

from galsmith.errors import SettingsError
from galsmith.execution import ProgressCallback, ProgressEvent, ignore_progress
from galsmith.images import ImageSet
from galsmith.measure.compiled_engine import engine_versions, load_kernels, recipe_of, sky_level
from galsmith.measure.engine.batch import GalaxyInput, measure_batch
from galsmith.measure.given_images import GivenImages, given_images
from galsmith.measure.given_maps import GivenMaps, given_maps, map_of_band
from galsmith.measure.row import Measured, columns_of_rows
from galsmith.measure.segmentation import GIVEN_MAPS, recipe_text
from galsmith.measure.settings import MeasureSettings, resolved_settings
from galsmith.measure.table import add_measured_columns, counted_flags, described_columns
from galsmith.settings import typed_settings

TOLD_EVERY = 16


def morphology(
    images: ArrayLike | Sequence[ArrayLike] | ImageSet | str | Path,
    *,
    labels: ArrayLike | Sequence[ArrayLike] | None = None,
    label: int | Sequence[int] | None = None,
    segmentation: str = "paper",
    masks: ArrayLike | Sequence[ArrayLike] | None = None,
    sigma_maps: ArrayLike | Sequence[ArrayLike] | None = None,
    psf: ArrayLike | Sequence[ArrayLike] | None = None,
    gain: float = 1.0,
    sky: str | None = None,
    sersic: str = "optimum",
    double_sersic: bool = False,
    bands: Sequence[str] | None = None,
    workers: int = 1,
    progress: ProgressCallback = ignore_progress,
) -> QTable:
    """Measure the morphology of galaxies, one row a galaxy and band.

    Parameters
    ----------
    images : array_like, sequence of array_like, ImageSet, str or Path
        Background-subtracted flux per pixel, one galaxy an image: one array ``[y, x]``, ``[galaxy, y, x]`` or
        ``[galaxy, band, y, x]``; a sequence of ``[y, x]`` or ``[band, y, x]`` of different sizes; an image set,
        or the path of a store, which is read a few images at a time. Pixels that are not finite are masked.
    labels : array_like or sequence of array_like, optional
        Segmentation maps, integer or bool, of the images' form; one without a band axis holds for all bands.
        0 is the background, other labels than the galaxy's are masked. Found by `segmentation` where left out.
    label : int or sequence of int, optional
        Which label is the galaxy; by default the one at the center of the map, or the only one.
    segmentation : {"paper", "survey"}
        How galaxies are found where there are no `labels`; see `MeasureSettings`.
    masks : array_like or sequence of array_like, optional
        bool, True where a pixel is to be ignored; of the images' form.
    sigma_maps : array_like or sequence of array_like, optional
        Standard deviation of each pixel in flux units, of the images' form; used in place of `gain`.
    psf : array_like or sequence of array_like, optional
        Point spread function that the Sérsic fits take into account, ``[y, x]``, its center at the central
        pixel; one for all, or one an image.
    gain : float
        Electrons per flux unit.
    sky : {"box", "annulus"}, optional
        The sky from statmorph's first empty square, or from all of the background; by default the box, but all
        of the background with the survey's segmentation.
    sersic : {"optimum", "parity", "none"}
        The Sérsic fit at its minimum, as statmorph stops, or not at all.
    double_sersic : bool
        Fit two Sérsic laws of one center too.
    bands : sequence of str, optional
        Names of the band axis; of an image set or store, the bands to measure.
    workers : int
        Threads; the table does not depend on their number.
    progress : callable
        Called with a `ProgressEvent` now and then.

    Returns
    -------
    QTable
        ``image`` (position), ``object_id`` of image sets, ``band`` where there are several, the quantities of
        `galsmith.measure.PROPERTIES`, ``flag`` (0 good, 1 suspect, 2 bad, 4 not measured), ``flag_sersic`` and
        ``flags`` (names). What could not be measured is NaN.

    Raises
    ------
    SettingsError
        If an argument is out of range, or of another form than the images; nothing was measured then.
    InputError
        If the images cannot be used.
    """
    if workers < 1:
        raise SettingsError(f"workers is {workers}; wanted 1 or more")
    given = given_images(images, bands)
    maps = given_maps(given, labels=labels, label=label, masks=masks, sigma_maps=sigma_maps, psf=psf)
    settings = typed_settings(
        MeasureSettings,
        {
            "quantities": ("morphology",),
            "segmentation": segmentation,
            "sky": sky,
            "sersic": sersic,
            "double_sersic": double_sersic,
            "gain": gain,
            "colors": (),  # a row has one band
        },
        source="morphology",
    )
    settings = resolved_settings(settings, bands=given.bands, flux_unit=given.flux_unit)
    load_kernels(progress)
    rows = _measured_rows(given, maps, settings, workers=workers, progress=progress)
    return _table(rows, given, settings, has_maps=maps.labels is not None)


def _inputs(given: GivenImages, maps: GivenMaps, settings: MeasureSettings) -> Iterator[GalaxyInput]:
    """Read the images, and give one input an image and band."""
    for position, image in enumerate(given.read()):
        for place, band in enumerate(image):
            yield GalaxyInput(
                band,
                labels=map_of_band(maps.labels, position, place),
                label=None if maps.label is None else maps.label[position],
                mask=map_of_band(maps.masks, position, place),
                sigma_map=map_of_band(maps.sigma_maps, position, place),
                psf=None if maps.psfs is None else maps.psfs[position],
                level=sky_level(band, settings),
            )


def _measured_rows(
    given: GivenImages,
    maps: GivenMaps,
    settings: MeasureSettings,
    *,
    workers: int,
    progress: ProgressCallback,
) -> list[Measured]:
    """Measure all images, and tell of it."""
    rows: list[Measured] = []
    total = len(given) * len(given.bands)
    for row in measure_batch(_inputs(given, maps, settings), recipe_of(settings), workers=workers):
        if len(rows) % TOLD_EVERY == 0:
            progress(ProgressEvent("measuring", len(rows), total, "galaxies"))
        rows.append(row)
    progress(ProgressEvent("measuring", total, total, "galaxies"))
    return rows


def _table(rows: list[Measured], given: GivenImages, settings: MeasureSettings, *, has_maps: bool) -> QTable:
    """Build the table, which says how it was made."""
    columns = columns_of_rows(rows)
    del columns["message"]  # a compiled engine has no errors to tell
    n_bands = len(given.bands)
    table = QTable()
    table["image"] = np.repeat(np.arange(len(given)), n_bands)
    if given.image_set is not None:
        table["object_id"] = np.repeat(np.asarray(given.image_set.catalog["object_id"]), n_bands)
    if n_bands > 1:
        table["band"] = np.tile(np.array(given.bands, dtype=str), len(given))
    add_measured_columns(table, columns, flux_unit=given.flux_unit)
    table.meta = {
        "engine": engine_versions(),
        "segmentation": GIVEN_MAPS if has_maps else recipe_text(settings),
        "settings": settings.model_dump(
            mode="json", exclude={"band", "quantities", "psf_fwhm_pix", "colors", "color_apertures"}
        ),
        "bands": [band for band in given.bands if band],
        "n_flagged": counted_flags(table),
        "properties": described_columns(columns, flux_unit=given.flux_unit),
    }
    return table
