"""Noise whose pixels are alike: its correlation from a power spectrum or from blank sky, and fields drawn of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from scipy import ndimage

from galsmith.errors import InputError

Floats = NDArray[np.float64]
REACH_PIX = 8
# of noise beside sources: how near pixels have to be, how sources are found, and how much sky there has to be
NEAR_PIX, SOURCE_SIGMA_PIX, SOURCE_GROWTH_PIX, LEVEL_SIGMA_PIX, OUTLIER_SIGMA = 2, 2.0, 4, 6.0, 5.0
LEAST_SKY_PIX, TOLD_SIGMA = 1000, 4.0


def correlation_of_spectrum(spectrum: Floats) -> Floats:
    """Bring a power spectrum to the correlation of two pixels by their distance.

    Parameters
    ----------
    spectrum : ndarray [y, x], float64
        Power at each frequency of a discrete Fourier transform, frequency 0 first; of any normalization.

    Returns
    -------
    ndarray [y, x], float64
        Of odd sides, 1 in the middle.

    Raises
    ------
    InputError
        If power is negative, not finite or nowhere.
    """
    if not np.isfinite(spectrum).all() or spectrum.min() < 0 or not spectrum.max() > 0:
        raise InputError(
            f"has values from {spectrum.min():g} to {spectrum.max():g}; wanted finite powers of 0 and more",
            argument="noise.spectrum",
        )
    # Wiener-Khinchin; real parts make it symmetric, as the correlation of real noise is
    cyclic = np.real(scipy.fft.ifft2(spectrum))
    cyclic = (cyclic + np.roll(cyclic[::-1, ::-1], (1, 1), axis=(0, 1))) / 2
    middle = [side // 2 for side in cyclic.shape]
    centered = np.roll(cyclic, middle, axis=(0, 1)) / cyclic[0, 0]
    # of an even side the row at half of it has no partner on the other side
    return centered[1 - cyclic.shape[0] % 2 :, 1 - cyclic.shape[1] % 2 :]


def correlation_of_blank_sky(skies: Sequence[Floats], reach_pix: int = REACH_PIX) -> tuple[float, Floats]:
    """Measure the noise of images without sources.

    Parameters
    ----------
    skies : sequence of ndarray [y, x], float64
        Each more than twice as large as the reach.
    reach_pix : int
        Largest distance along each axis.

    Returns
    -------
    sigma : float
        Standard deviation of a pixel about the mean of its image.
    correlation : ndarray [2 reach + 1, 2 reach + 1], float64
        1 in the middle.

    Raises
    ------
    InputError
        If an image is too small, or constant.
    """
    products = np.zeros((2 * reach_pix + 1, 2 * reach_pix + 1))
    pairs = np.zeros_like(products)
    lags = np.arange(-reach_pix, reach_pix + 1)
    for sky in skies:
        height, width = sky.shape
        if min(height, width) <= 2 * reach_pix:
            raise InputError(
                f"an image of {height}x{width} px; wanted more than {2 * reach_pix} on each side",
                argument="noise.blank_sky",
                way_out="give larger ones, or a smaller `noise.reach_pix`",
            )
        padded = [scipy.fft.next_fast_len(side + reach_pix, real=True) for side in sky.shape]
        transformed = scipy.fft.rfft2(sky - sky.mean(), s=padded)
        summed = scipy.fft.irfft2(np.abs(transformed) ** 2, s=padded)
        products += summed[np.ix_(lags, lags)]
        pairs += np.outer(height - np.abs(lags), width - np.abs(lags))
    covariance = products / pairs
    variance = float(covariance[reach_pix, reach_pix])
    if not variance > 0:
        raise InputError("all pixels are the same; wanted images of noise", argument="noise.blank_sky")
    return float(np.sqrt(variance)), covariance / variance


def correlation_beside_sources(pull: Floats, good: NDArray[np.bool_]) -> Floats | None:
    """Measure how alike neighboring pixels of noise are in an image with sources.

    Parameters
    ----------
    pull : ndarray [y, x], float64
        The image less its sky over its noise.
    good : ndarray [y, x], bool
        Where it can be used. Sources are left out: what stands out of the smoothed image by 3 sigma, and what is near it.

    Returns
    -------
    ndarray [5, 5], float64, or None
        1 in the middle; None where nothing differs from independent pixels by 4 sigma, or there is too little sky.
    """
    filled = np.where(good, pull, 0.0)
    smooth = ndimage.gaussian_filter(filled, SOURCE_SIGMA_PIX)
    # of independent noise smoothing by a Gaussian leaves 1 / (2 sqrt(pi) sigma), of shared noise about twice that
    is_source = smooth > 3 * 2 / (2 * np.sqrt(np.pi) * SOURCE_SIGMA_PIX)
    sky = good & ~ndimage.binary_dilation(is_source, iterations=SOURCE_GROWTH_PIX)
    sky &= np.abs(filled) < OUTLIER_SIGMA
    if np.count_nonzero(sky) < LEAST_SKY_PIX:
        return None
    # the outskirts of sources are slower than noise: means of the sky around are taken off
    around = ndimage.gaussian_filter(np.where(sky, filled, 0.0), LEVEL_SIGMA_PIX)
    share = ndimage.gaussian_filter(sky.astype(np.float64), LEVEL_SIGMA_PIX)
    noise = np.where(sky, filled - around / np.maximum(share, 1e-3), 0.0)
    padded = [scipy.fft.next_fast_len(side + NEAR_PIX, real=True) for side in pull.shape]
    lags = np.ix_(*[np.arange(-NEAR_PIX, NEAR_PIX + 1)] * 2)
    products, pairs = (
        scipy.fft.irfft2(np.abs(scipy.fft.rfft2(values, s=padded)) ** 2, s=padded)[lags]
        for values in (noise, sky.astype(np.float64))
    )
    covariance = products / np.maximum(pairs, 1.0)
    # with the means a share of the sum of all covariances was taken off each: 2 g(0) - (g * g)(0) of their Gaussian g
    taken = 3 / (4 * np.pi * LEVEL_SIGMA_PIX**2)
    covariance += taken * covariance.sum() / (1 - taken * covariance.size)
    correlation = covariance / covariance[NEAR_PIX, NEAR_PIX]
    # of independent pixels a correlation scatters by 1 / sqrt(pairs)
    told = np.abs(correlation) > TOLD_SIGMA / np.sqrt(np.maximum(pairs, 1.0))
    told[NEAR_PIX, NEAR_PIX] = False
    if not told.any():
        return None
    told[NEAR_PIX, NEAR_PIX] = True
    return np.where(told, correlation, 0.0)


@dataclass(frozen=True)
class CorrelatedField:
    """Draws noise of unit variance with a given correlation, in frames of one size.

    Attributes
    ----------
    amplitude : ndarray [frequency y, frequency x], float64
        Root of the power spectrum, of a real transform.
    padded : tuple of int
        Sides of the frame that is drawn, in which opposite edges are neighbors.
    shape : tuple of int
        Sides of the frame that is kept, in which they are not.
    """

    amplitude: Floats
    padded: tuple[int, int]
    shape: tuple[int, int]

    @classmethod
    def of(cls, correlation: Floats, shape: tuple[int, ...]) -> Self:
        """Prepare to draw frames; prepared ones are kept."""
        field = _prepared(correlation.tobytes(), correlation.shape, shape)
        return cls(*field)

    def drawn(self, count: int, chance: np.random.Generator) -> Floats:
        """Draw some frames, [frame, y, x] float64."""
        white = chance.standard_normal((count, *self.padded))
        colored = scipy.fft.irfft2(scipy.fft.rfft2(white) * self.amplitude, s=self.padded)
        return colored[:, : self.shape[0], : self.shape[1]]


@lru_cache(maxsize=64)
def _prepared(
    values: bytes, sides: tuple[int, int], shape: tuple[int, int]
) -> tuple[Floats, tuple[int, int], tuple[int, int]]:
    """Bring a correlation to the root of its spectrum in a frame with room for it beside the one that is kept."""
    correlation = np.frombuffer(values).reshape(sides)
    reach = [side // 2 for side in sides]
    padded = tuple(
        int(scipy.fft.next_fast_len(side + length, real=True))
        for side, length in zip(shape, reach, strict=True)
    )
    lags = [np.arange(-length, length + 1) for length in reach]
    placed = np.zeros(padded)
    np.add.at(placed, np.ix_(lags[0] % padded[0], lags[1] % padded[1]), correlation)
    # a correlation that was cut off is none of any noise: its spectrum has small negative powers, which become none, and
    # the variance is brought back to 1
    power = np.clip(scipy.fft.fft2(placed).real, 0, None)
    power /= power.mean()
    return np.sqrt(power[:, : padded[1] // 2 + 1]), (padded[0], padded[1]), shape
