"""Bands against each other: how far one lies from another, how alike their structure is, how a color changes outward."""

import math
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from galsmith.measure.details.grid import Spectra, Waves
from galsmith.measure.engine.light.apertures import Ellipse, ellipse_sum, row_prefix_sums

Floats = NDArray[np.float64]

# A ring tells of a band whose power there is so far above its noise's.
LEAST_SIGNAL = 1.5
# Newton's steps of an offset, and when they are short enough; a longer offset than this share of the side is none.
MOST_STEPS, CLOSE_PIX, LARGEST_SHARE = 20, 1e-4, 0.25
LEAST_AGREEMENT = (
    0.3  # of phases, in the ring that agrees best: waves of noise reach it in rings of a few cells alone
)
ENOUGH_AGREEMENT = 0.7  # of all phases: there is no higher peak elsewhere


class Peak(NamedTuple):
    """Where the cross-correlation of two bands has a peak, and how their waves agree there.

    Attributes
    ----------
    x, y : float
        The offset, pixels.
    height : float
        Sum of the waves' common part over all rings, each by its weight.
    share : float
        The same, without weights, of what it would be if all phases agreed.
    best : float
        That share in the ring where it is largest.
    """

    x: float
    y: float
    height: float
    share: float
    best: float


def find_offset(spectra: Spectra, first: int, second: int) -> tuple[float, float]:
    """Find how far a band lies from another, from the phases of their cross spectrum.

    A band that lies d away has waves turned by -2 pi k d (Kuglin & Hines 1975), so that their cross-correlation has its
    peak there. It is found between the pixels by Newton's steps, from coarse waves to fine ones, since these repeat
    sooner; and once more from no offset at all, of which the higher peak is taken. Waves weigh by the fourth root of
    both powers, between cross-correlation and phase correlation (Knapp & Carter 1976), and rings by how well their
    phases agree, so that waves of noise do not count.

    Parameters
    ----------
    spectra : Spectra
        Of all bands.
    first, second : int
        Which two.

    Returns
    -------
    tuple of float
        x and y of the second less those of the first, pixels; NaN where their waves have nothing in common.
    """
    waves = spectra.plane.waves
    whitened = _whitened_cross(spectra.waves[first], spectra.waves[second], waves)
    peak = _highest_peak(whitened, waves)
    # the comparisons are false for NaN
    if peak.best > LEAST_AGREEMENT and math.hypot(peak.x, peak.y) < LARGEST_SHARE * waves.side:
        return peak.x, peak.y
    return math.nan, math.nan


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _whitened_cross(
    first: NDArray[np.complex64], second: NDArray[np.complex64], waves: Waves
) -> NDArray[np.complex128]:
    """Cross spectrum of two bands over the root of its own size, each cell times how many it stands for."""
    cross = np.zeros(len(waves.cells), dtype=np.complex128)
    for place, cell in enumerate(waves.cells):
        product = complex(first[cell]).conjugate() * complex(second[cell])
        length = abs(product)
        if length > 0:
            cross[place] = waves.weight[place] * product / math.sqrt(length)
    return cross


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _highest_peak(cross: NDArray[np.complex128], waves: Waves) -> Peak:
    """Find the peak next to no offset, and where that is a poor one, the one to which coarse waves lead."""
    near = _climbed(cross, waves, 0.0, 0.0, len(waves.ends))
    if near.share > ENOUGH_AGREEMENT:
        return near
    led = Peak(0.0, 0.0, 0.0, 0.0, 0.0)
    for n_rings in range(1, len(waves.ends) + 1):
        led = _climbed(cross, waves, led.x, led.y, n_rings)
    return led if led.height > near.height else near


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _climbed(cross: NDArray[np.complex128], waves: Waves, x: float, y: float, n_rings: int) -> Peak:
    """Go uphill from a place by the first rings, the coarse ones."""
    peak = Peak(x, y, 0.0, 0.0, 0.0)
    for _ in range(MOST_STEPS):
        peak, step_x, step_y = _agreement(cross, waves, x, y, n_rings)
        if math.hypot(step_x, step_y) < CLOSE_PIX:
            break
        x, y = x + step_x, y + step_y
    return peak


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _agreement(
    cross: NDArray[np.complex128], waves: Waves, x: float, y: float, n_rings: int
) -> tuple[Peak, float, float]:
    """Compare the waves of two bands at an offset; what they have in common, and the step to where it is more."""
    along = np.exp(2j * np.pi * x * waves.columns)
    across = np.exp(2j * np.pi * y * waves.rows)
    height = best = all_common = all_possible = 0.0
    slope_x = slope_y = bend_xx = bend_xy = bend_yy = 0.0
    begin = 0
    for ring in range(n_rings):
        common = possible = ring_x = ring_y = ring_xx = ring_xy = ring_yy = 0.0
        for cell in range(begin, waves.ends[ring]):
            turned = cross[cell] * along[waves.column[cell]] * across[waves.row[cell]]
            kx, ky, length = waves.columns[waves.column[cell]], waves.rows[waves.row[cell]], abs(cross[cell])
            common += turned.real
            possible += length
            ring_x -= kx * turned.imag
            ring_y -= ky * turned.imag
            ring_xx += kx * kx * length
            ring_xy += kx * ky * length
            ring_yy += ky * ky * length
        begin = waves.ends[ring]
        all_possible += possible
        all_common += common
        if possible > 0 and common > 0:
            share = common / possible
            best, weight = max(best, share), share * share
            height += weight * common
            slope_x, slope_y = slope_x + weight * ring_x, slope_y + weight * ring_y
            bend_xx, bend_xy = bend_xx + weight * ring_xx, bend_xy + weight * ring_xy
            bend_yy += weight * ring_yy
    peak = Peak(x, y, height, all_common / all_possible if all_possible > 0 else 0.0, best)
    # Gauss and Newton's step of the sum of cosines: with its curvature where all phases agree, which always leads uphill
    determinant = (bend_xx * bend_yy - bend_xy * bend_xy) * 2 * np.pi
    if not determinant > 0:
        return peak, 0.0, 0.0
    step_x = (bend_yy * slope_x - bend_xy * slope_y) / determinant
    return peak, step_x, (bend_xx * slope_y - bend_xy * slope_x) / determinant


def band_coherence(spectra: Spectra, first: int, second: int) -> Floats:
    """How alike the structure of two bands is, ring by ring: the correlation of their waves, without their noise.

    The mean cross power over the root of both mean powers, each less that of white noise, which the corners of the plane
    tell. 1 where one band is the other times a factor; less where structure differs or lies elsewhere.

    Parameters
    ----------
    spectra : Spectra
        Of all bands.
    first, second : int
        Which two.

    Returns
    -------
    ndarray [ring], float64
        Rings of `COHERENCE_PERIODS`; NaN where a band's power is less than half its noise above it, or there is no cell.
    """
    rings = spectra.plane.rings
    cross = (spectra.waves[first].conj() * spectra.waves[second]).real @ rings[:, :-1]
    product, is_bright = np.ones(cross.shape), np.ones(cross.shape, dtype=bool)
    for place in (first, second):
        power = np.asarray(spectra.power[place] @ rings, dtype=np.float64)
        is_bright &= power[:-1] > LEAST_SIGNAL * power[-1]
        product *= power[:-1] - power[-1]
    return np.where(is_bright, cross / np.sqrt(np.where(is_bright, product, np.nan)), np.nan)


def inner_and_outer_flux(
    image: Floats,
    left_out: NDArray[np.bool_],
    center: tuple[float, float],
    r_half_pix: float,
    r_petro_pix: float,
) -> tuple[float, float]:
    """Flux within the half-light radius, and from there to the Petrosian radius, about a center, by exact areas."""
    kept = np.where(left_out, 0.0, image)
    sums = row_prefix_sums(kept)
    inner, whole = (
        float(ellipse_sum(kept, sums, Ellipse(*center, radius, radius, 0.0)))
        for radius in (r_half_pix, r_petro_pix)
    )
    return inner, whole - inner


def gradient_mag(first: tuple[float, float], second: tuple[float, float]) -> float:
    """Color of the inner less that of the outer fluxes of two bands, magnitudes; NaN where a flux is not above zero."""
    if min(*first, *second) <= 0 or not all(map(math.isfinite, (*first, *second))):
        return math.nan
    inner, outer = (math.log10(one) - math.log10(other) for one, other in zip(first, second, strict=True))
    return -2.5 * (inner - outer)
