"""Hallucinated sources: peaks of a result that the data would show at 5 sigma, where the truth has none."""

import math

import numba
import numpy as np
from numpy.typing import NDArray

from galsmith.denoise.bands import Band, Floats, Grid

DETECTION_SIGMA = 5.0
# A peak of the truth of half of that is one: it is not made up, it is enhanced.
TRUE_PEAK_SHARE = 0.5
LEAST_MATCH_PIX = 2.0
FWHM_OF_SIGMA = 2.0 * math.sqrt(2.0 * math.log(2.0))


def significance_map(band: Band, scene: Floats) -> Floats:
    """Signal to noise at which data of this scene, with this PSF and noise, show a point source at each pixel.

    Parameters
    ----------
    band : Band
        The observation, of which PSF and variance are used.
    scene : ndarray [y, x], float64
        Without PSF: a truth or a result.

    Returns
    -------
    ndarray [y, x], float64
        Of the matched filter of the scene with its PSF put back.
    """
    grid = Grid(band)
    ivar = grid.embedded(np.where(band.good, 1.0 / band.variance, 0.0))
    seen = grid.convolved(grid.embedded(scene))
    squared = np.conj(grid.transformed(grid.centered(band.psf**2)))
    # sum of psf ivar image over the root of sum of psf^2 ivar (Zackay & Ofek 2017, eq. 7)
    noise = np.sqrt(np.maximum(grid.back(grid.transformed(ivar) * squared), 1e-12 * ivar.max()))
    return grid.cut(grid.correlated(ivar * seen) / noise)


def hallucinated_sources(band: Band, result: Floats, truth: Floats) -> NDArray[np.int64]:
    """Find the peaks of a result that stand out by 5 sigma and have no peak of the truth near them.

    A peak stands out by its prominence: how far it lies above the highest saddle to a higher one, in the map of
    `significance_map`. Noise that a result keeps reaches 5 as seldom as noise does; a halo that is too wide has no peak.

    Parameters
    ----------
    band : Band
        The observation.
    result, truth : ndarray [y, x], float64
        Scenes without PSF.

    Returns
    -------
    ndarray [source, 2], int64
        Rows and columns of the peaks.
    """
    made, real = (significance_map(band, scene) for scene in (result, truth))
    found = np.argwhere(peak_prominences(made) >= DETECTION_SIGMA)
    true = np.argwhere(peak_prominences(real) >= TRUE_PEAK_SHARE * DETECTION_SIGMA)
    if not len(found) or not len(true):
        return found
    distance = np.hypot(*(found[:, np.newaxis, :] - true[np.newaxis, :, :]).transpose(2, 0, 1))
    return found[distance.min(axis=1) > match_radius_pix(band.psf)]


def match_radius_pix(psf: Floats) -> float:
    """Full width at half maximum of a Gaussian of the PSF's second moments, 2 pixels at least."""
    y, x = np.mgrid[: psf.shape[0], : psf.shape[1]] - psf.shape[0] // 2
    variance = float((psf * (x**2 + y**2)).sum() / 2)
    return max(FWHM_OF_SIGMA * math.sqrt(max(variance, 0.0)), LEAST_MATCH_PIX)


def peak_prominences(values: Floats) -> Floats:
    """Prominence of each peak above 0 of an image, at its pixel; 0 elsewhere.

    Parameters
    ----------
    values : ndarray [y, x], float64
        The highest peak stands out from 0, any other from the highest saddle to a higher one.
    """
    order = np.argsort(-values, axis=None, kind="stable")
    above = int((values > 0).sum())
    return _prominences(values.ravel(), order[:above], values.shape[0], values.shape[1])


@numba.njit(cache=True, nogil=True)
def _prominences(values: Floats, order: NDArray[np.int64], height: int, width: int) -> Floats:
    """Flood pixels from the brightest down, and note how high a peak stands where its region meets a higher one's."""
    parents = np.full(values.size, -1, dtype=np.int64)  # the root of a region is its peak
    found = np.zeros(values.size)
    for pixel in order:
        parents[pixel] = pixel
        row, column = pixel // width, pixel % width
        for beside in range(9):
            y, x = row + beside // 3 - 1, column + beside % 3 - 1
            if not (0 <= y < height and 0 <= x < width) or parents[y * width + x] < 0:
                continue
            one, other = _root(parents, pixel), _root(parents, y * width + x)
            if one == other:
                continue
            # the lower peak ends here; a pixel alone has no height
            low, high = (one, other) if values[one] <= values[other] else (other, one)
            found[low] = values[low] - values[pixel]
            parents[low] = high
    for pixel in order:
        if parents[pixel] == pixel:
            found[pixel] = values[pixel]
    return found.reshape((height, width))


@numba.njit(cache=True, nogil=True)
def _root(parents: NDArray[np.int64], pixel: int) -> int:
    """Find the peak of a pixel's region."""
    while parents[pixel] != pixel:
        parents[pixel] = parents[parents[pixel]]
        pixel = parents[pixel]
    return pixel
