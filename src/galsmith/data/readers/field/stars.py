"""Telling galaxies from stars, by the half-light radius that all stars have, and from pieces of larger galaxies."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from galsmith.data.readers.field.detection import Detections

Flags = NDArray[np.bool_]
COMPACT, SATURATED, BESIDE = "as compact as a star", "a saturated star", "beside a saturated star"
WINDOW = 0.1
LEAST_STARS = 8
LEAST_SNR_OF_LOCUS = 50.0
# Where stars are, radii pile up: beyond them, at 1.3 times their radius, are fewer than half as many sources.
BEYOND, LARGEST_SHARE_BEYOND = 1.3, 0.5
LARGEST_SHARE_SMALLER = 0.1
COMPACT_BELOW = 1.25
PEAK_OF_SATURATED, LARGEST_SATURATED = 0.7, 3.0
LARGEST_SHARE_SATURATED = 0.25
SHRED = "a piece of a brighter galaxy"
LARGEST_SHARE_OF_FLUX = 0.25
LARGEST_SHARE_OF_BRIGHTNESS = 0.3


@dataclass(frozen=True)
class Stars:
    """Which sources are stars, or what stars made.

    Attributes
    ----------
    r_half_pix : float or None
        Half-light radius of stars; None where none could be found, then nothing is rejected.
    reasons : dict of int to str
        Why a source is not taken for a galaxy.
    """

    r_half_pix: float | None
    reasons: dict[int, str]


def find_stars(sources: Detections, *, star_r_half_pix: float | None = None) -> Stars:
    """Tell which sources are no galaxies.

    1. The half-light radius of stars is where the radii of bright sources pile up most densely, in windows of
       10 % to either side, among those places that have at most a tenth of all sources below them and, at 1.3 times
       the radius, at most half as many as at it. Where there is no such pile, nothing is rejected.
    2. A source of less than 1.25 times that radius is as compact as a star.
    3. A source up to 3 times as large whose brightest pixel has at least 0.7 times that of the brightest compact
       source is a star with a saturated core: galaxies of that size are fainter in their peaks. Where these would
       be more than a fourth of the compact ones, the field's stars are no brighter than its galaxies, and none is.
    4. Sources parted from a saturated star, its spikes and ghosts, are rejected with it.

    Parameters
    ----------
    sources : Detections
        Of one image.
    star_r_half_pix : float, optional
        Take this radius instead of looking for it.
    """
    radius = _locus(sources) if star_r_half_pix is None else star_r_half_pix
    if radius is None:
        return Stars(None, {})
    is_compact = sources.r_half_pix < COMPACT_BELOW * radius
    is_saturated = _is_saturated(sources, is_compact, radius)
    is_beside = np.isin(sources.parent, sources.parent[is_saturated]) & ~is_saturated
    reasons = {int(row): BESIDE for row in np.flatnonzero(is_beside)}
    reasons.update({int(row): COMPACT for row in np.flatnonzero(is_compact)})
    reasons.update({int(row): SATURATED for row in np.flatnonzero(is_saturated)})
    return Stars(float(radius), reasons)


def _locus(sources: Detections) -> float | None:
    """Half-light radius of stars in pixels; None where radii do not pile up."""
    radii = np.sort(sources.r_half_pix[sources.snr >= LEAST_SNR_OF_LOCUS])
    radii = radii[radii > 0]
    if len(radii) < LEAST_STARS:
        return None
    n_near, n_beyond = _count_near(radii, radii), _count_near(radii, radii * BEYOND)
    n_smaller = np.searchsorted(radii, radii * np.exp(-2 * WINDOW))
    is_pile = (n_near >= LEAST_STARS) & (n_beyond <= LARGEST_SHARE_BEYOND * n_near)
    is_pile &= n_smaller <= LARGEST_SHARE_SMALLER * len(radii)
    if not is_pile.any():
        return None
    best = radii[int(np.argmax(np.where(is_pile, n_near, 0)))]
    return float(np.median(radii[np.abs(np.log(radii / best)) <= WINDOW]))


def _count_near(radii: NDArray[np.float64], centers: NDArray[np.float64]) -> NDArray[np.int64]:
    """Count sorted radii within 10 % of centers."""
    factor = np.exp(WINDOW)
    upper = np.searchsorted(radii, centers * factor, side="right")
    return np.asarray(upper - np.searchsorted(radii, centers / factor), dtype=np.int64)


def _is_saturated(sources: Detections, is_compact: Flags, radius: float) -> Flags:
    """Tell which larger sources have the peak of a bright star."""
    if not is_compact.any():
        return np.zeros(len(sources), dtype=bool)
    brightest = sources.peak[is_compact].max()
    is_small = sources.r_half_pix < LARGEST_SATURATED * radius
    is_saturated = ~is_compact & is_small & (sources.peak >= PEAK_OF_SATURATED * brightest)
    if is_saturated.sum() > LARGEST_SHARE_SATURATED * is_compact.sum():
        return np.zeros(len(sources), dtype=bool)
    return np.asarray(is_saturated, dtype=bool)


def find_shreds(sources: Detections) -> dict[int, str]:
    """Tell which sources are pieces of others.

    A piece is a source that touches a brighter one, has at most a fourth of its flux, and inside its half-light
    radius less than 0.3 times the mean surface brightness that the brighter one has inside its own: an arm, or the
    outskirts. A small companion of its own is brighter there.

    Returns
    -------
    dict of int to str
        The reason, by source.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        brightness = sources.flux / 2 / (np.pi * sources.r_half_pix**2)
    shreds: dict[int, str] = {}
    parents, members = np.unique(sources.parent, return_inverse=True)
    for parent in np.flatnonzero(np.bincount(members, minlength=len(parents)) > 1):
        rows = np.flatnonzero(members == parent)
        brightest = rows[np.argmax(sources.flux[rows])]
        is_piece = sources.flux[rows] <= LARGEST_SHARE_OF_FLUX * sources.flux[brightest]
        is_piece &= brightness[rows] < LARGEST_SHARE_OF_BRIGHTNESS * brightness[brightest]
        shreds.update({int(row): SHRED for row in rows[is_piece]})
    return shreds
