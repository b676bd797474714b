"""Pixels of galaxies of several components, compiled: Sérsic laws, arms and waves that move a disk's light, clumps, dust.

The smooth components are integrated over every pixel as `galsmith.data.sersic.render` does; what arms, waves and dust do to
them is taken at its middle, or at nine points of it where arms are narrow.
"""

import math
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.special import gammainccinv

from galsmith.data.sersic.profile import b_n, central_brightness
from galsmith.data.sersic.render import mean_over_pixel

Values = NDArray[np.float64]
Arrays = NDArray[Any]
BULGE, DISK = 0, 1  # rows of profiles; the bar is the third
FLUX = 7  # where brightnesses begin in one
WAVES, SPIRAL, DEPTH, BEHIND = 0, 1, 2, 3
CLUMP_REACH = 5.0  # standard deviations beyond which a clump is dark: 3e-6 of its light
SMALLEST_RADIUS, SMALLEST_DEPTH = 1e-3, 1e-9
# Where the phase of arms turns by more than so many radians over a pixel, they are taken at 3 x 3 points of it.
COARSEST_TURN, FINE = 1.0, 3
DARK_SHARE = 1e-6  # of a component's light that is left out, where it is faintest
# Depth of a bulge at a point, in that point's distance from the center: that of a sphere's is of this order.
BULGE_DEPTH = 0.7


class Plane(NamedTuple):
    """The plane of a disk, and what is in it.

    Attributes
    ----------
    frame : ndarray [8], float64
        Center x and y in pixels; cosine and sine of the orientation; the disk's and the dust's apparent axis ratio;
        effective radius; tangent of the inclination with the sign of the near side.
    arms : ndarray [10], float64
        Count (0: none), cotangent of the pitch angle with the sense, phase, sharpness, 1 / I0(sharpness), inner and outer
        radius, inequality, its phase, shift of the dust.
    contrasts : ndarray [band], float64
        Of arms.
    waves : ndarray [wave, 4], float64
        Amplitude, m, radial number in ln r, phase.
    clumps : ndarray [clump, 3 + band], float64
        x, y and standard deviation in pixels, fluxes.
    dust : ndarray [5], float64
        Optical depth at the center along the line of sight, scale length in pixels, contrast of lanes, depth of the bulge's
        middle in pixels, share of the disk's light that lies in the layer.
    extinction : ndarray [band], float64
        Optical depth of each band in that at 0.55 um.
    """

    frame: Values
    arms: Values
    contrasts: Values
    waves: Values
    clumps: Values
    dust: Values
    extinction: Values


def profile_row(
    conic: tuple[float, float, float], *, sersic_index: float, fluxes: Values, shrinkage: Values
) -> Values:
    """Row of a Sérsic component, whose ellipse of effective radius is A x^2 + 2 B x y + C y^2 = 1, for `render_galaxy`.

    Parameters
    ----------
    conic : tuple of float
        A, B and C in inverse square pixels.
    sersic_index : float
        n.
    fluxes : ndarray [band], float64
        Total flux to infinity.
    shrinkage : ndarray [band], float64
        Effective radius in each band in that of the ellipse.

    Returns
    -------
    ndarray [7 + 2 band], float64
        A, B, C; the larger eigenvalue; b; n; Z beyond which it is dark; brightness at the center in every band; and what Z
        is multiplied by in every band.
    """
    A, B, C = conic
    radius = (A * C - B * B) ** -0.25
    steepest = (A + C) / 2 + math.hypot((A - C) / 2, B)
    b = float(b_n(sersic_index))
    dark = float(gammainccinv(2 * sersic_index, DARK_SHARE))
    brightness = central_brightness(fluxes, sersic_index, radius * shrinkage, np.asarray(b))
    stretch = shrinkage ** (-1 / sersic_index)
    return np.array([A, B, C, steepest, b, sersic_index, dark, *brightness, *stretch])


def turned_conic(
    semi_major_pix: float,
    axis_ratio: float,
    angle_rad: float,
    *,
    squeezed: float = 1.0,
    turn_rad: float = 0.0,
) -> tuple[float, float, float]:
    """Conic of an ellipse in a plane that is seen at an angle.

    Parameters
    ----------
    semi_major_pix, axis_ratio, angle_rad : float
        In the plane; the angle from the line of nodes.
    squeezed : float
        By what the plane's y axis is shortened on the sky.
    turn_rad : float
        Of the line of nodes on the sky, counter-clockwise from +x.
    """
    major, minor = semi_major_pix**-2, (semi_major_pix * axis_ratio) ** -2
    cosine, sine = math.cos(angle_rad), math.sin(angle_rad)
    A = major * cosine**2 + minor * sine**2
    B = (major - minor) * cosine * sine / squeezed
    C = (major * sine**2 + minor * cosine**2) / squeezed**2
    cosine, sine = math.cos(turn_rad), math.sin(turn_rad)
    return (
        A * cosine**2 - 2 * B * cosine * sine + C * sine**2,
        (A - C) * cosine * sine + B * (cosine**2 - sine**2),
        A * sine**2 + 2 * B * cosine * sine + C * cosine**2,
    )


def render_galaxy(profiles: Values, plane: Plane, *, side_pix: int) -> NDArray[np.float32]:
    """Render one galaxy in all its bands.

    Parameters
    ----------
    profiles : ndarray [3, 7 + 2 band], float64
        Bulge, disk and bar, each a `profile_row`; zeros where there is none.
    plane : Plane
        The disk's, and what is in it.
    side_pix : int
        Height and width.

    Returns
    -------
    ndarray [band, y, x], float32
        In the unit of the fluxes per pixel.
    """
    image = np.zeros((len(plane.extinction), side_pix, side_pix), dtype=np.float64)
    _render(profiles, plane, image)
    return image.astype(np.float32)


@numba.njit(cache=True)
def _render(profiles: Arrays, plane: Plane, image: Arrays) -> None:
    """Add all that a galaxy is made of to an image."""
    maps = np.zeros((4, *image.shape[1:]))
    if profiles[DISK, FLUX] > 0:
        _fill_maps(plane, maps)
    for part in range(3):
        if profiles[part, FLUX] > 0:
            _add_component(part, profiles[part], plane, maps, image)
    for clump in range(len(plane.clumps)):
        _add_clump(plane.clumps[clump], plane, maps[DEPTH], image)


@numba.njit(cache=True)
def _add_component(part: int, profile: Arrays, plane: Plane, maps: Arrays, image: Arrays) -> None:
    """Add bulge, disk or bar, as much of it as is not dark."""
    A, B, C, steepest, b, n, dark = profile[:FLUX]
    n_bands, side, _ = image.shape
    for row in range(side):
        for column in range(side):
            x, y = column - plane.frame[0], row - plane.frame[1]
            s = A * x * x + 2 * B * x * y + C * y * y
            Z = b * math.exp(0.5 / n * math.log(s)) if s > 0 else 0.0
            if dark < Z:
                continue
            mean = mean_over_pixel((x, y), (A, B, C), steepest, b, n)
            for band in range(n_bands):
                # exp(-Z) of another band's radius, by the ratio at the pixel's middle, which is near 1 where Z is steep
                other = math.exp(-Z * (profile[FLUX + n_bands + band] - 1.0))
                share = _share_seen(part, band, plane, maps[:, row, column])
                image[band, row, column] += profile[FLUX + band] * mean * other * share


@numba.njit(cache=True)
def _share_seen(part: int, band: int, plane: Plane, here: Arrays) -> float:
    """Share of a component's light at a pixel that arms, waves and dust leave there."""
    seen = math.exp(-here[DEPTH] * plane.extinction[band])
    if part == BULGE:
        return 1.0 - here[BEHIND] * (1.0 - seen)
    sandwich = _sandwich_share(here[DEPTH] * plane.extinction[band], plane.dust[4])
    if part == DISK:
        return sandwich * (1.0 + here[WAVES] + plane.contrasts[band] * here[SPIRAL])
    return sandwich


@numba.njit(cache=True)
def _sandwich_share(depth: float, mixed: float) -> float:
    """Light that a layer leaves of a disk, of which the share `mixed` lies in it and the rest on both sides.

    Disney, Davies & Phillipps (1989), the sandwich model.
    """
    if depth < SMALLEST_DEPTH:
        return 1.0
    seen = math.exp(-depth)
    return (1.0 - mixed) * 0.5 * (1.0 + seen) + mixed * (1.0 - seen) / depth


@numba.njit(cache=True)
def _fill_maps(plane: Plane, maps: Arrays) -> None:
    """Fill what waves and arms do to the disk, the dust's optical depth, and the share of the bulge behind it."""
    center_x, center_y, cosine, sine, disk_ratio, dust_ratio, r_eff, tangent = plane.frame
    dust = plane.dust
    # The phase of arms changes by this over a pixel at a distance of 1 pixel from the center.
    turning = max(1.0, plane.arms[0]) * math.hypot(1.0, plane.arms[1]) / disk_ratio
    for row in range(maps.shape[1]):
        for column in range(maps.shape[2]):
            x, y = column - center_x, row - center_y
            along, across = x * cosine + y * sine, y * cosine - x * sine
            r = math.hypot(along, across / disk_ratio)
            count = FINE if turning > COARSEST_TURN * r and r < 2 * plane.arms[6] else 1
            waves, spiral, lanes = 0.0, 0.0, 0.0
            for place in range(count * count):
                u = along + (place // count + 0.5) / count - 0.5
                v = (across + (place % count + 0.5) / count - 0.5) / disk_ratio
                one, other, lane = _unevenness(u, v, r_eff, plane)
                waves, spiral, lanes = waves + one, spiral + other, lanes + lane
            maps[WAVES, row, column], maps[SPIRAL, row, column] = waves / count**2, spiral / count**2
            if dust[0] > 0:
                layer = math.hypot(along, across / dust_ratio)
                maps[DEPTH, row, column] = dust[0] * math.exp(-layer / dust[1]) * lanes / count**2
                # The bulge's light along a line of sight is Gaussian in depth; the layer crosses it at across * tan i.
                spread = BULGE_DEPTH * math.sqrt(along * along + across * across + dust[3] * dust[3])
                crossing = across * tangent / (math.sqrt(2.0) * spread)
                maps[BEHIND, row, column] = 0.5 * (1.0 + math.erf(crossing))


@numba.njit(cache=True)
def _unevenness(u: float, v: float, r_eff: float, plane: Plane) -> tuple[float, float, float]:
    """Give what waves add to a disk's light at a point of its plane, arms at a contrast of 1, and the factor of dust."""
    count, cotangent, phase, sharpness, mean, inner, outer, unequal, unequal_phase, shift = plane.arms
    r = max(math.hypot(u, v), SMALLEST_RADIUS)
    phi, log_r = math.atan2(v, u), math.log(r / r_eff)
    total = 0.0
    for wave in range(len(plane.waves)):
        amplitude, m, radial, wave_phase = plane.waves[wave]
        total += amplitude * math.cos(m * phi + radial * log_r + wave_phase)
    # Waves and arms begin where angles do not yet meet, and end where the disk does: beyond, they would wind on for ever.
    rise = r**4 / (r**4 + inner**4) * math.exp(-((r / outer) ** 4))
    patches = max(0.0, 1.0 + 2.0 * rise * total)
    if count == 0:
        return rise * total, 0.0, patches
    theta = count * (phi - cotangent * log_r - phase)
    sides = rise * (1.0 + unequal * math.cos(phi - unequal_phase))
    # exp(k cos theta) / I0(k) has the mean 1 on every circle (Abramowitz & Stegun 9.6.16).
    spiral = sides * (math.exp(sharpness * math.cos(theta)) * mean - 1.0)
    lane = math.exp(sharpness * math.cos(theta + shift)) * mean - 1.0
    return rise * total, spiral, patches * max(0.0, 1.0 + plane.dust[2] * rise * lane)


@numba.njit(cache=True)
def _add_clump(clump: Arrays, plane: Plane, depth: Arrays, image: Arrays) -> None:
    """Add a Gaussian spot, integrated over every pixel, and dimmed as the disk is."""
    x, y, sigma = clump[0], clump[1], clump[2]
    side, reach, scale = image.shape[1], CLUMP_REACH * clump[2] + 1, math.sqrt(2.0) * sigma
    low_x, high_x = max(0, math.floor(x - reach)), min(side, math.ceil(x + reach) + 1)
    low_y, high_y = max(0, math.floor(y - reach)), min(side, math.ceil(y + reach) + 1)
    for row in range(low_y, high_y):
        part_y = math.erf((row + 0.5 - y) / scale) - math.erf((row - 0.5 - y) / scale)
        for column in range(low_x, high_x):
            part_x = math.erf((column + 0.5 - x) / scale) - math.erf((column - 0.5 - x) / scale)
            for band in range(image.shape[0]):
                share = _sandwich_share(depth[row, column] * plane.extinction[band], plane.dust[4])
                image[band, row, column] += clump[3 + band] * part_x * part_y * share / 4


def compile_renderer() -> None:
    """Compile the renderer now (some seconds on the first run of an installation, then from its cache)."""
    ones, none = np.ones(8), np.ones(10)
    plane = Plane(ones, none, np.zeros(1), np.zeros((1, 4)), np.ones((1, 4)), np.ones(5), np.ones(1))
    row = profile_row((1.0, 0.0, 1.0), sersic_index=1.0, fluxes=np.ones(1), shrinkage=np.full(1, 0.9))
    render_galaxy(np.tile(row, (3, 1)), plane, side_pix=2)
