"""One galaxy as its figure shows it: the pixels around it, what was measured, the maps, and the model."""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, signal

from galsmith.measure.compiled_engine import above_sky, measure_morphology, options_of
from galsmith.measure.engine import flags
from galsmith.measure.engine.batch import GalaxyInput, Options, chosen_label, find_galaxy
from galsmith.measure.engine.galaxy import (
    cut_galaxy,
    ellipses_about_centroid,
    find_place,
    find_sky,
    is_hopeless,
    tell_radii,
)
from galsmith.measure.engine.light.shape import shape_map
from galsmith.measure.engine.light.statistics import gini_map
from galsmith.measure.engine.mid.statistics import mid_map
from galsmith.measure.engine.row import N_COLUMNS
from galsmith.measure.engine.segmentation.methods import FOUND
from galsmith.measure.engine.sersic.special_functions import half_light_scale
from galsmith.measure.flags import BAD
from galsmith.measure.galaxies import WHOLE_IMAGE, Cutout, noted
from galsmith.measure.row import Measured
from galsmith.measure.settings import MeasureSettings

Floats = NDArray[np.float64]
Map = NDArray[np.bool_]
# points along a pixel's side, and pixels about the cusp that have more: its mean is then known to some 1e-4
SAMPLES, SAMPLES_AT_CUSP, CUSP_PIX = 5, 101, 2


class SersicLaw(NamedTuple):
    """Parameters of one component.

    Attributes
    ----------
    x, y : float
        Center, pixels of the image.
    amplitude : float
        Flux per pixel at the effective radius.
    r_eff : float
        That radius, along the major axis, pixels.
    sersic_index, ellipticity, orientation : float
        n, 1 - b/a, radians from +x.
    """

    x: float
    y: float
    amplitude: float
    r_eff: float
    sersic_index: float
    ellipticity: float
    orientation: float


@dataclass(frozen=True)
class GalaxyView:
    """What is shown of one galaxy.

    Attributes
    ----------
    pixels : ndarray [y, x], float64
        Flux of the stamp, or of the whole image where there is no stamp; as it came, masked pixels too.
    x_min, y_min : int
        Its first column and row in the image.
    mask : ndarray [y, x], bool
        Pixels that were not measured.
    measured : Measured
        Values, in the image's coordinates, and flags.
    maps : dict of str to ndarray [y, x], bool
        ``segmentation``, ``Gini``, ``MID`` and ``shape``; fewer where nothing was measured.
    turned : ndarray [y, x], float64, or None
        Pixels turned by 180 degrees about the point of least asymmetry.
    model : ndarray [y, x], float64, or None
        Sérsic fit with the point spread function, at pixel centers.
    model_name : str
        Of one component or two.
    cutout : Cutout
        Whether the image was cut from a larger one, whose coordinates are then told.
    """

    pixels: Floats
    x_min: int
    y_min: int
    mask: Map
    measured: Measured
    maps: dict[str, Map]
    turned: Floats | None = None
    model: Floats | None = None
    model_name: str = "Sérsic model"
    cutout: Cutout = WHOLE_IMAGE


def view_of(galaxy: GalaxyInput, settings: MeasureSettings, cutout: Cutout = WHOLE_IMAGE) -> GalaxyView:
    """Measure one galaxy as tables are measured, and keep what a figure shows.

    Parameters
    ----------
    galaxy : GalaxyInput
        Image and what goes with it; as for the engine.
    settings : MeasureSettings
        How to measure it.
    cutout : Cutout
        Where the image was cut from.
    """
    options = options_of(settings)
    measured = noted(measure_morphology(galaxy, settings), cutout)
    image = np.ascontiguousarray(above_sky(galaxy.image, settings))
    mask = np.zeros(image.shape, dtype=bool) if galaxy.mask is None else np.ascontiguousarray(galaxy.mask)
    given = replace(galaxy, image=image, mask=mask)
    labels, label, failure = _labels(image, mask, galaxy, options)
    if failure != FOUND:
        corner = cutout.x_offset_pix, cutout.y_offset_pix
        return GalaxyView(image, *corner, mask | ~np.isfinite(image), measured, {}, cutout=cutout)
    return _view_of_maps(replace(given, label=label), labels, options, measured=measured, cutout=cutout)


def _labels(
    image: Floats, mask: Map, galaxy: GalaxyInput, options: Options
) -> tuple[NDArray[np.int32], int, int]:
    """Give the segmentation map, the galaxy's label, and the flag that says why there is none, or `FOUND`."""
    if galaxy.labels is not None:
        labels = np.ascontiguousarray(galaxy.labels, dtype=np.int32)
        return labels, *chosen_label(labels, galaxy.label)
    labels, failure = find_galaxy(np.where(mask, np.nan, image), options.segmenting)
    return labels, 1, failure


def _view_of_maps(
    given: GalaxyInput,
    labels: NDArray[np.int32],
    options: Options,
    *,
    measured: Measured,
    cutout: Cutout,
) -> GalaxyView:
    """Repeat the engine's steps for the maps that it does not keep."""
    label, mask = given.label, given.mask
    row, noticed = np.full(N_COLUMNS, np.nan), np.zeros(flags.N_FLAGS, dtype=np.uint8)
    sigma_map = np.empty((0, 0)) if given.sigma_map is None else np.asarray(given.sigma_map, dtype=np.float64)
    stamp = cut_galaxy(
        given.image,
        labels,
        label,
        mask,
        np.ascontiguousarray(sigma_map),
        options.sky == "annulus",
        row,
        noticed,
    )
    frame = np.s_[
        stamp.y_min : stamp.y_min + stamp.raw.shape[0], stamp.x_min : stamp.x_min + stamp.raw.shape[1]
    ]
    maps = {"segmentation": labels[frame] == label}
    corner = stamp.x_min + cutout.x_offset_pix, stamp.y_min + cutout.y_offset_pix
    if is_hopeless(noticed):
        return GalaxyView(stamp.raw, *corner, stamp.mask, measured, maps, cutout=cutout)
    sky = find_sky(stamp, options.sky == "annulus", row, noticed)
    place = find_place(stamp, sky, row, noticed)
    a_petro = tell_radii(stamp, sky, place, row, noticed).r_petro_ellip
    inside = gini_map(stamp, ellipses_about_centroid(place), a_petro, noticed)
    maps["Gini"] = inside
    maps["MID"] = mid_map(stamp, inside, noticed)
    maps["shape"] = shape_map(stamp, sky, place.x, place.y, a_petro, noticed)
    psf = options.psf if given.psf is None else np.asarray(given.psf, dtype=np.float64)
    model, name = _model(measured, stamp.pixels.shape, corner, psf, is_at_centers=options.sersic == "parity")
    turned = half_turned(stamp.pixels, place.x, place.y)
    return GalaxyView(stamp.raw, *corner, stamp.mask, measured, maps, turned, model, name, cutout)


def half_turned(pixels: Floats, x: float, y: float) -> Floats:
    """Turn an image by 180 degrees about a point, bilinear, 0 beyond its edges."""
    rows, columns = np.mgrid[: pixels.shape[0], : pixels.shape[1]]
    return np.asarray(
        ndimage.map_coordinates(pixels, [2 * y - rows, 2 * x - columns], order=1, mode="grid-constant")
    )


def _model(
    measured: Measured,
    shape: tuple[int, ...],
    corner: tuple[int, int],
    psf: Floats | None,
    *,
    is_at_centers: bool,
) -> tuple[Floats | None, str]:
    """Draw the fit, that of two components where there is a good one, as the fit took the law."""
    double = [f"double_sersic_{{}}_{number}" for number in (1, 2)]
    for prefix, components, name in (
        ("double_sersic", double, "double Sérsic model"),
        ("sersic", ["sersic_{}"], "Sérsic model"),
    ):
        if prefix == "double_sersic" and measured.fit_flags.get("flag_double_sersic", BAD) >= BAD:
            continue
        laws = [_law(measured.values, prefix, component) for component in components]
        if all(np.isfinite(parameter) for law in laws for parameter in law):
            draw = sersic_image if is_at_centers else integrated_image
            model = sum((draw(shape, corner, law) for law in laws), np.zeros(shape))
            return model if psf is None else _convolved(model, psf), name
    return None, "Sérsic model"


def _law(values: dict[str, float], prefix: str, component: str) -> SersicLaw:
    """Read one component's parameters, NaN where it was not fitted."""
    names = (
        f"{prefix}_x_pix",
        f"{prefix}_y_pix",
        component.format("amplitude"),
        component.format("r_eff") + "_pix",
        component.format("index"),
        component.format("ellipticity"),
        component.format("orientation") + "_rad",
    )
    return SersicLaw(*(values.get(name, np.nan) for name in names))


def sersic_image(shape: tuple[int, ...], corner: tuple[int, int], law: SersicLaw) -> Floats:
    """Draw Sérsic's law at pixel centers (Graham & Driver 2005, eq. 1).

    Parameters
    ----------
    shape : tuple of int
        Rows and columns.
    corner : tuple of int
        x and y of the first pixel.
    law : SersicLaw
        Its parameters.

    Returns
    -------
    ndarray [y, x], float64
        Flux per pixel.
    """
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    right, up = columns + corner[0] - law.x, rows + corner[1] - law.y
    cosine, sine = np.cos(law.orientation), np.sin(law.orientation)
    across = (cosine * up - sine * right) / (1 - law.ellipticity)
    radius = np.hypot(cosine * right + sine * up, across) / law.r_eff
    return np.asarray(
        law.amplitude * np.exp(-half_light_scale(law.sersic_index) * (radius ** (1 / law.sersic_index) - 1))
    )


def integrated_image(shape: tuple[int, ...], corner: tuple[int, int], law: SersicLaw) -> Floats:
    """Draw Sérsic's law as the mean of each pixel, sampled finely about the cusp; arguments as of `sersic_image`."""
    model = _mean_of_samples(shape, corner, law, SAMPLES)
    row, column = round(law.y) - corner[1] - CUSP_PIX, round(law.x) - corner[0] - CUSP_PIX
    rows = slice(max(0, row), max(0, row + 2 * CUSP_PIX + 1))
    columns = slice(max(0, column), max(0, column + 2 * CUSP_PIX + 1))
    middle = model[rows, columns]
    place = (corner[0] + columns.start, corner[1] + rows.start)
    middle[:] = _mean_of_samples(middle.shape, place, law, SAMPLES_AT_CUSP)
    return model


def _mean_of_samples(shape: tuple[int, ...], corner: tuple[int, int], law: SersicLaw, samples: int) -> Floats:
    """Average the law over a grid of points in every pixel."""
    model = np.zeros(shape)
    steps = (np.arange(samples) + 0.5) / samples - 0.5
    for down in steps:
        for right in steps:
            model += sersic_image(shape, corner, law._replace(x=law.x - right, y=law.y - down))
    return model / samples**2


def _convolved(model: Floats, psf: Floats) -> Floats:
    """Blur a model as the fit does."""
    return np.asarray(signal.fftconvolve(model, psf / psf.sum(), mode="same"))


def annular_means(image: Floats, mask: Map, center: tuple[float, float]) -> tuple[Floats, Floats, Floats]:
    """Mean in rings one pixel wide about a point.

    Parameters
    ----------
    image : ndarray [y, x], float64
        Any unit.
    mask : ndarray [y, x], bool
        Pixels to leave out.
    center : tuple of float
        x and y, pixels of this array.

    Returns
    -------
    radius_pix, mean, error : ndarray [ring], float64
        Mean radius of a ring's pixels; mean and standard error of the mean; rings without pixels are left out.
    """
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    radius = np.hypot(columns - center[0], rows - center[1])[~mask]
    values = image[~mask]
    ring = radius.astype(int)
    counts = np.bincount(ring)
    kept = counts > 0

    def mean_of(weights: Any) -> Floats:
        return np.bincount(ring, weights)[kept] / counts[kept]

    mean = mean_of(values)
    spread = np.sqrt(np.maximum(mean_of(values**2) - mean**2, 0.0))
    return mean_of(radius), mean, spread / np.sqrt(counts[kept])
