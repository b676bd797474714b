"""How the arms of a galaxy wind: the phase of its azimuthal modes against the logarithm of the radius, with its sign."""

import math
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

N_RADII, N_ANGLES = 24, 64
INNER, OUTER = 0.25, 1.0  # in Petrosian radii: outside of a bulge, within the arms
# Two arms, three or four; one alone is a galaxy off its center.
FIRST_MODE, LAST_MODE = 2, 4
LEAST_PETRO_PIX = 6.0
LEAST_AXIS_RATIO = 0.25  # of a thin disk seen from the side; dividing by less would draw noise apart
LEAST_KNOWN = 0.75  # of the places that are looked at
_TURNS = 2 * np.pi * np.arange(N_ANGLES) / N_ANGLES
COSINES, SINES = np.cos(_TURNS), np.sin(_TURNS)


class Disk(NamedTuple):
    """A disk as it lies on the sky.

    Attributes
    ----------
    x, y : float
        Its center, pixels.
    r_petro_pix : float
        Its Petrosian radius.
    axis_ratio : float
        b/a of its outline, which is that of a circle seen at an angle.
    orientation_rad : float
        Of its major axis, counter-clockwise from +x.
    """

    x: float
    y: float
    r_petro_pix: float
    axis_ratio: float
    orientation_rad: float


class Winding(NamedTuple):
    """How arms wind.

    Attributes
    ----------
    winding : float
        Angle that arms turn while the radius grows by a factor e, radians: the cotangent of the pitch angle; above 0 where
        they turn counter-clockwise outward.
    quality : float
        0 to 1: the share of the modes' light that winds so.
    amplitude : float
        Of the modes, over the mean light.
    """

    winding: float
    quality: float
    amplitude: float


UNKNOWN = Winding(math.nan, math.nan, math.nan)


def find_winding(image: Floats, left_out: NDArray[np.bool_], disk: Disk) -> Winding:
    """Find how the arms of a disk wind, in the plane of the disk.

    The light is taken on ellipses of the outline's shape, at radii of equal ratios (Considere & Athanassoula 1982). The
    phase by which a mode m turns from one radius to the next is that of the sum of products of neighbors, the pulse
    pairs of Miller & Rochwarger (1972); arms that wind by w turn it by -m w d ln r. Modes are taken together by least
    squares, each with the weight of its sum.

    Parameters
    ----------
    image : ndarray [y, x], float64
        Flux per pixel above the sky.
    left_out : ndarray [y, x], bool
        Pixels that are not used.
    disk : Disk
        Where.

    Returns
    -------
    Winding
        All NaN where the Petrosian radius is below 6 px, or over a quarter of the ellipses is not known.
    """
    if not all(map(math.isfinite, disk)) or disk.r_petro_pix < LEAST_PETRO_PIX:
        return UNKNOWN
    means, modes, known = azimuthal_modes(image, left_out, disk)
    return Winding(*_winding_of(means, modes)) if known >= LEAST_KNOWN else UNKNOWN


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _winding_of(means: Floats, modes: NDArray[np.complex128]) -> tuple[float, float, float]:
    """Find winding, quality and amplitude from the modes at all radii."""
    step = math.log(OUTER / INNER) / (N_RADII - 1)
    n_modes = LAST_MODE - FIRST_MODE + 1
    pairs = np.zeros(n_modes, dtype=np.complex128)
    turned = weights = possible = squares = 0.0
    for place in range(n_modes):
        mode = FIRST_MODE + place
        inner = outer = 0.0
        for ring in range(N_RADII - 1):
            one, next_one = modes[ring, place], modes[ring + 1, place]
            pairs[place] += next_one * one.conjugate()
            inner += one.real**2 + one.imag**2
            outer += next_one.real**2 + next_one.imag**2
        first = modes[0, place]
        squares += outer + first.real**2 + first.imag**2
        possible += math.sqrt(inner * outer)
        length = abs(pairs[place])
        turned -= mode * length * math.atan2(pairs[place].imag, pairs[place].real)
        weights += mode * mode * length
    light = np.sum(means**2)
    if not (light > 0 and possible > 0 and weights > 0):
        return math.nan, math.nan, math.nan
    turned /= weights
    along = 0j
    for place in range(n_modes):
        along += pairs[place] * np.exp(1j * (FIRST_MODE + place) * turned)
    # a mode of relative amplitude A has coefficients A / 2
    return turned / step, abs(along) / possible, 2 * math.sqrt(squares / light)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def azimuthal_modes(
    image: Floats, left_out: NDArray[np.bool_], disk: Disk
) -> tuple[Floats, NDArray[np.complex128], float]:
    """Take the light on ellipses and transform it along them.

    Returns
    -------
    means : ndarray [radius], float64
        Mean light on each ellipse.
    modes : ndarray [radius, mode], complex128
        Mean of (light - mean) exp(-i m angle), m from 2 to 4; what is not known counts as the mean.
    known : float
        Share of places of which the light is known.
    """
    means = np.zeros(N_RADII)
    modes = np.zeros((N_RADII, LAST_MODE - FIRST_MODE + 1), dtype=np.complex128)
    light, is_known = np.zeros(N_ANGLES), np.zeros(N_ANGLES, dtype=np.bool_)
    cosine, sine = math.cos(disk.orientation_rad), math.sin(disk.orientation_rad)
    ratio = max(disk.axis_ratio, LEAST_AXIS_RATIO)
    n_known = 0
    for ring in range(N_RADII):
        radius = disk.r_petro_pix * INNER * (OUTER / INNER) ** (ring / (N_RADII - 1))
        total, count = 0.0, 0
        for place in range(N_ANGLES):
            along, across = radius * COSINES[place], ratio * radius * SINES[place]
            value = _light_at(
                image,
                left_out,
                disk.x + cosine * along - sine * across,
                disk.y + sine * along + cosine * across,
            )
            is_known[place] = not math.isnan(value)
            if is_known[place]:
                light[place] = value
                total += value
                count += 1
        if count:
            means[ring] = total / count
        n_known += count
        for place in range(N_ANGLES):
            if is_known[place]:
                beyond = (light[place] - means[ring]) / N_ANGLES
                for mode in range(FIRST_MODE, LAST_MODE + 1):
                    turn = (mode * place) % N_ANGLES
                    modes[ring, mode - FIRST_MODE] += beyond * complex(COSINES[turn], -SINES[turn])
    return means, modes, n_known / (N_RADII * N_ANGLES)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _light_at(image: Floats, left_out: NDArray[np.bool_], x: float, y: float) -> float:
    """Light between four pixels, linear in x and y; NaN off the image or where one of them is left out."""
    column, row = math.floor(x), math.floor(y)
    if column < 0 or row < 0 or column + 1 >= image.shape[1] or row + 1 >= image.shape[0]:
        return math.nan
    if (
        left_out[row, column]
        or left_out[row, column + 1]
        or left_out[row + 1, column]
        or left_out[row + 1, column + 1]
    ):
        return math.nan
    right, up = x - column, y - row
    low = (1 - right) * image[row, column] + right * image[row, column + 1]
    high = (1 - right) * image[row + 1, column] + right * image[row + 1, column + 1]
    return (1 - up) * low + up * high
