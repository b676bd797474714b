"""Fluxes of several bands in one aperture, and the colors that follow from them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

from galsmith.images import ImageHeader
from galsmith.images.bands import BandPair, bands_of_pairs, parse_pair
from galsmith.measure.compiled_engine import above_sky
from galsmith.measure.engine.batch import GalaxyInput
from galsmith.measure.engine.light.apertures import Ellipse, ellipse_sum, row_prefix_sums
from galsmith.measure.engine.stamp import bad_pixels
from galsmith.measure.flags import CATASTROPHIC, NO_APERTURE, NO_FLUX
from galsmith.measure.properties.colors import flux_column
from galsmith.measure.row import Measured
from galsmith.measure.settings import MeasureSettings

APERTURE_EXTENT = 2.0  # in Petrosian radii
NOT_FINITE = "not_finite_pixels"

Measure = Callable[[GalaxyInput, MeasureSettings], Measured]


@dataclass(frozen=True)
class Aperture:
    """A circle on an image.

    Attributes
    ----------
    x_pix, y_pix : float
        Its center; the first pixel's center is 0.
    radius_pix : float
        In pixels.
    x_first, y_first, x_last, y_last : int
        First and last column and row of the cutout on which the galaxy was measured; the circle ends there.
    """

    x_pix: float
    y_pix: float
    radius_pix: float
    x_first: int
    y_first: int
    x_last: int
    y_last: int


def color_pairs(settings: MeasureSettings, bands: Sequence[str]) -> tuple[BandPair, ...]:
    """Colors that resolved settings ask for."""
    return tuple(parse_pair(text, bands) for text in settings.colors or ())


def aperture_of(measured: Measured) -> Aperture | None:
    """Find the circle of 2 Petrosian radii about the center of least asymmetry; None where there is none."""
    values = measured.values
    circle = [values[name] for name in ("center_x_pix", "center_y_pix", "r_petro_pix")]
    stamp = [values[f"stamp_{axis}_{end}_pix"] for end in ("min", "max") for axis in ("x", "y")]
    if measured.flag == CATASTROPHIC or not np.isfinite([*circle, *stamp]).all() or circle[2] <= 0:
        return None
    return Aperture(circle[0], circle[1], APERTURE_EXTENT * circle[2], *(int(edge) for edge in stamp))


def aperture_fluxes(
    images: Sequence[NDArray[np.float64]], aperture: Aperture, *, ignored: NDArray[np.bool_] | None = None
) -> NDArray[np.float64]:
    """Sum several bands within one circle, each pixel weighted by the exact share of it that lies inside.

    Pixels that are ignored, not finite, or more than 10 standard deviations of their neighbors away from these
    (Lotz et al. 2004) in any band are left out of all bands, so that all fluxes are of the same area.

    Parameters
    ----------
    images : sequence of ndarray [y, x], float64
        Background-subtracted flux per pixel, one a band.
    aperture : Aperture
        The circle.
    ignored : ndarray [y, x], bool, optional
        True where a pixel is not to be used.

    Returns
    -------
    ndarray [band], float64
        In the unit of the images; below zero where the sky is.
    """
    rows = slice(aperture.y_first, aperture.y_last + 1)
    columns = slice(aperture.x_first, aperture.x_last + 1)
    stamps = [np.ascontiguousarray(image[rows, columns]) for image in images]
    left_out = np.zeros(stamps[0].shape, dtype=np.bool_)
    if ignored is not None:
        left_out |= ignored[rows, columns]
    for stamp in stamps:
        left_out |= ~np.isfinite(stamp) | bad_pixels(stamp)
    x, y = aperture.x_pix - aperture.x_first, aperture.y_pix - aperture.y_first
    radius = aperture.radius_pix
    kept = [np.where(left_out, 0.0, stamp) for stamp in stamps]
    return np.array(
        [ellipse_sum(stamp, row_prefix_sums(stamp), Ellipse(x, y, radius, radius, 0.0)) for stamp in kept]
    )


def add_fluxes(
    result: Measured,
    galaxies: Sequence[GalaxyInput],
    settings: MeasureSettings,
    bands: Sequence[str],
    *,
    measure: Measure,
) -> None:
    """Add the fluxes of all bands that the colors need, with a flag for each that has no color.

    Parameters
    ----------
    result : Measured
        Of the measured band; gets values ``flux_<band>``.
    galaxies : sequence of GalaxyInput
        The same galaxy in each band.
    settings : MeasureSettings
        As `resolved_settings` gave them.
    bands : sequence of str
        Their names.
    measure : callable
        Measures one band, where each has an aperture of its own.
    """
    wanted = bands_of_pairs(color_pairs(settings, bands))
    if not wanted:
        return
    chosen = [galaxies[list(bands).index(band)] for band in wanted]
    if settings.color_apertures == "shared":
        fluxes = _shared_fluxes(result, chosen, settings)
    else:
        plain = settings.model_copy(update={"sersic": "none", "double_sersic": False})
        rows = [
            result if band == settings.band else measure(galaxy, plain)
            for band, galaxy in zip(wanted, chosen, strict=True)
        ]
        alone = [_shared_fluxes(row, [galaxy], settings) for row, galaxy in zip(rows, chosen, strict=True)]
        fluxes = np.concatenate(alone)
    if not all(np.isfinite(galaxy.image).all() for galaxy in chosen) and NOT_FINITE not in result.flags:
        result.flags.append(NOT_FINITE)
    for band, flux in zip(wanted, fluxes, strict=True):
        result.values[flux_column(band)] = float(flux)
        if not flux > 0:
            result.flags.append((NO_FLUX if np.isfinite(flux) else NO_APERTURE).of(band))


def with_colors(
    columns: Mapping[str, NDArray[Any]], pairs: Sequence[BandPair], zero_points_mag: Mapping[str, float]
) -> dict[str, NDArray[Any]]:
    """Put the colors behind the fluxes of their bands.

    Parameters
    ----------
    columns : mapping of column to ndarray [row]
        With ``flux_<band>`` of all bands in `pairs`.
    pairs : sequence of BandPair
        The colors.
    zero_points_mag : mapping of band to float
        AB magnitude of one flux unit, where known; used for a pair that has both.

    Returns
    -------
    dict of column to ndarray [row]
        Colors are float64 in magnitudes, NaN where a flux is not above zero.
    """
    if not pairs:
        return dict(columns)
    last = [name for name in columns if name in {flux_column(band) for band in bands_of_pairs(pairs)}][-1]
    joined: dict[str, NDArray[Any]] = {}
    for name, values in columns.items():
        joined[name] = values
        if name == last:
            joined |= {pair.column: color_mag(columns, pair, zero_points_mag) for pair in pairs}
    return joined


def color_mag(
    columns: Mapping[str, NDArray[Any]], pair: BandPair, zero_points_mag: Mapping[str, float]
) -> NDArray[np.float64]:
    """Color of a pair of bands, -2.5 log10 (F1 / F2) + zp1 - zp2 (Holzschuh et al. 2022, section 4.1.3).

    Returns
    -------
    ndarray [row], float64
        Magnitudes; NaN where a flux is not above zero.
    """
    fluxes = [np.asarray(columns[flux_column(band)], dtype=np.float64) for band in pair]
    is_known = (fluxes[0] > 0) & (fluxes[1] > 0)
    color = np.full(is_known.shape, np.nan)
    # the logarithm of each, since a quotient of two small numbers may not be finite
    color[is_known] = -2.5 * (np.log10(fluxes[0][is_known]) - np.log10(fluxes[1][is_known]))
    if set(pair) <= set(zero_points_mag):
        color += zero_points_mag[pair.first] - zero_points_mag[pair.second]
    return color


def described_colors(settings: MeasureSettings, header: ImageHeader) -> dict[str, Any]:
    """Say for a table's metadata how its colors came about; empty where it has none."""
    pairs = color_pairs(settings, header.bands)
    if not pairs:
        return {}
    used = {band: zero for band, zero in header.zero_points_mag.items() if band in bands_of_pairs(pairs)}
    is_calibrated = all(set(pair) <= set(used) for pair in pairs) or (
        not used and _is_spectral(header.flux_unit)
    )
    return {
        "pairs": {pair.column: list(pair) for pair in pairs},
        "apertures": settings.color_apertures,
        "measured_band": settings.band,
        "magnitudes": "AB" if is_calibrated else "instrumental",
        "zero_points_mag": used,
    }


def settings_of_colors(settings: MeasureSettings, header: ImageHeader) -> dict[str, Any]:
    """Name the zero points that colors rest on, for the provenance: tables of others cannot be compared."""
    bands = bands_of_pairs(color_pairs(settings, header.bands))
    if not bands:
        return {}
    known = [band for band in bands if band in header.zero_points_mag]
    return {"zero_points_mag": [f"{band} {header.zero_points_mag[band]:.6g}" for band in known] or ["none"]}


def _shared_fluxes(
    measured: Measured, galaxies: Sequence[GalaxyInput], settings: MeasureSettings
) -> NDArray[np.float64]:
    """Fluxes of several bands in the aperture of one measurement; NaN where it has none."""
    aperture = aperture_of(measured)
    if aperture is None:
        return np.full(len(galaxies), np.nan)
    images = [above_sky(galaxy.image, settings) for galaxy in galaxies]
    return aperture_fluxes(images, aperture, ignored=ignored_pixels(galaxies))


def ignored_pixels(galaxies: Sequence[GalaxyInput]) -> NDArray[np.bool_]:
    """Find what was given as not to be used: the mask, other labels, and pixels of unknown noise."""
    left_out = np.zeros(galaxies[0].image.shape, dtype=np.bool_)
    for galaxy in galaxies:
        if galaxy.mask is not None:
            left_out |= galaxy.mask
        if galaxy.labels is not None and galaxy.label is not None:
            left_out |= (galaxy.labels != 0) & (galaxy.labels != galaxy.label)
        if galaxy.sigma_map is not None:
            left_out |= ~np.isfinite(galaxy.sigma_map)
    return left_out


def _is_spectral(flux_unit: str) -> bool:
    """Whether equal fluxes of two bands mean a color of 0 AB: a flux per frequency, such as nJy."""
    unit = u.Unit(flux_unit, parse_strict="silent")
    return not isinstance(unit, u.UnrecognizedUnit) and unit.is_equivalent(u.Jy)
