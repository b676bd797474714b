"""One band of an observation in float64, as the classical methods take it: masked pixels filled in, its noise, its PSF."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from scipy import ndimage

from galsmith.denoise.method import Denoised
from galsmith.observe.observed import Observed

Floats = NDArray[np.float64]
# Noise below this share of the image's own spread is taken to be that: float32 holds seven digits.
LEAST_NOISE = 1e-7
# Light that reaches a masked pixel from good ones, at least, before it is filled in from them.
LEAST_WEIGHT = 1e-3


@dataclass(frozen=True)
class Band:
    """One band of an observation.

    Attributes
    ----------
    image : ndarray [y, x], float64
        Flux per pixel; masked pixels are filled in from their surroundings.
    variance : ndarray [y, x], float64
        Of the noise; that of the good pixels' median where masked.
    good : ndarray [y, x], bool
        Where something was observed.
    psf : ndarray [k, k], float64
        Sums to 1.
    noise_correlation : ndarray [y, x], float64, or None
        Of two pixels by their distance, 1 in the middle; None where pixels are independent.
    """

    image: Floats
    variance: Floats
    good: NDArray[np.bool_]
    psf: Floats
    noise_correlation: Floats | None = None

    @cached_property
    def sigma(self) -> float:
        """Standard deviation of the noise of a usual pixel."""
        return float(np.sqrt(np.median(self.variance[self.good])))


Restore = Callable[[Band], tuple[Floats, Floats | None]]
"""Gives the image [y, x] of a band without noise, and its stated uncertainty."""


def restored(observed: Observed, restore: Restore) -> Denoised:
    """Restore each band of an observation by itself; a band of which nothing was observed is NaN."""
    images, sigmas = [], []
    for number in range(len(observed.image)):
        band = band_of(observed, number)
        if not band.good.any():
            image: Floats = np.full(band.image.shape, np.nan)
            sigma: Floats | None = image
        else:
            image, sigma = restore(band)
        images.append(image)
        sigmas.append(sigma)
    stated = [sigma for sigma in sigmas if sigma is not None]
    whole = np.stack(stated).astype(np.float32) if len(stated) == len(sigmas) else None
    return Denoised(np.stack(images).astype(np.float32), whole)


def band_of(observed: Observed, number: int) -> Band:
    """Take one band out of an observation."""
    image, ivar = (np.asarray(of[number], dtype=np.float64) for of in (observed.image, observed.ivar))
    good = (ivar > 0) & np.isfinite(image)
    if observed.mask is not None:
        good &= ~observed.mask[number]
    correlation = observed.noise_correlation
    filled = filled_in(image, good)
    return Band(
        image=filled,
        variance=_variance(filled, ivar, good),
        good=good,
        psf=np.asarray(observed.psf[number], dtype=np.float64),
        noise_correlation=None if correlation is None else np.asarray(correlation, dtype=np.float64),
    )


def _variance(image: Floats, ivar: Floats, good: NDArray[np.bool_]) -> Floats:
    """Give the variance of the noise, never quite 0, so that an observation without noise is one with hardly any."""
    least = (LEAST_NOISE * float(np.std(image))) ** 2 + np.finfo(np.float64).tiny
    variance = np.full(ivar.shape, least)
    variance[good] = np.maximum(1.0 / ivar[good], least)
    if good.any():
        variance[~good] = np.median(variance[good])
    return variance


def filled_in(image: Floats, good: NDArray[np.bool_]) -> Floats:
    """Fill in pixels that are not good with Gaussian means of the good ones, as near ones as there are.

    Parameters
    ----------
    image : ndarray [y, x], float64
        What it has where it is not good is not looked at.
    good : ndarray [y, x], bool
        Where it is.

    Returns
    -------
    ndarray [y, x], float64
        0 throughout where no pixel is good.
    """
    known = np.where(good, image, 0.0)
    missing = ~good
    width = 1.0
    while missing.any() and good.any():
        # normalized convolution (Knutsson & Westin 1993)
        weight = ndimage.gaussian_filter(good.astype(np.float64), width)
        reached = missing & (weight > LEAST_WEIGHT)
        known[reached] = ndimage.gaussian_filter(np.where(good, image, 0.0), width)[reached] / weight[reached]
        missing &= ~reached
        width *= 2.0
    return known


class Grid:
    """A periodic grid that holds an image and empty sky beside it, and the PSF on it.

    Parameters
    ----------
    band : Band
        Whose image and PSF.
    margin : int, optional
        Pixels of sky beside the image, at least; the PSF's radius where left out, 0 for periodic images.
    """

    def __init__(self, band: Band, *, margin: int | None = None) -> None:
        reach = band.psf.shape[0] // 2
        self.image_shape = band.image.shape
        if margin == 0:
            self.shape = band.image.shape
        else:
            beside = reach if margin is None else margin
            self.shape = tuple(
                scipy.fft.next_fast_len(max(side + beside, 2 * reach + 1), real=True)
                for side in band.image.shape
            )
        self.transfer: NDArray[np.complex128] = self.transformed(self.centered(band.psf))

    def centered(self, kernel: Floats) -> Floats:
        """Lay a kernel of odd sides onto the grid, its middle at the first pixel."""
        placed = np.zeros(self.shape)
        rows, columns = (np.arange(side) - side // 2 for side in kernel.shape)
        # a kernel that is larger than the grid goes round it
        np.add.at(placed, (rows[:, np.newaxis] % self.shape[0], columns % self.shape[1]), kernel)
        return placed

    def embedded(self, image: Floats, beside: float = 0.0) -> Floats:
        """Lay an image onto the grid."""
        placed = np.full(self.shape, beside)
        placed[: image.shape[0], : image.shape[1]] = image
        return placed

    def cut(self, values: Floats) -> Floats:
        """Take the image out of the grid again."""
        return values[: self.image_shape[0], : self.image_shape[1]]

    def transformed(self, values: Floats) -> NDArray[np.complex128]:
        """Fourier transform of values on the grid, half of it."""
        return scipy.fft.rfft2(values)

    def back(self, transform: NDArray[np.complex128]) -> Floats:
        """Undo `transformed`."""
        return scipy.fft.irfft2(transform, s=self.shape)

    def convolved(self, values: Floats) -> Floats:
        """Convolve with the PSF."""
        return self.back(self.transformed(values) * self.transfer)

    def correlated(self, values: Floats) -> Floats:
        """Apply the transpose of `convolved`."""
        return self.back(self.transformed(values) * np.conj(self.transfer))

    def frequencies(self) -> tuple[Floats, Floats]:
        """Frequencies of the transform along y and x, cycles per pixel."""
        y, x = np.fft.fftfreq(self.shape[0]), np.fft.rfftfreq(self.shape[1])
        return y.astype(np.float64)[:, np.newaxis], x.astype(np.float64)[np.newaxis, :]

    def noise_power(self, band: Band) -> Floats:
        """Power of the noise at each frequency, per pixel: flat, or that of its correlation."""
        level = band.sigma**2
        if band.noise_correlation is None:
            return np.full(self.transfer.shape, level)
        # Wiener-Khinchin; what rounding leaves below 0 is none
        spectrum = self.transformed(self.centered(band.noise_correlation)).real
        return level * np.maximum(spectrum, 1e-3)

    def mean_power(self, power: Floats) -> float:
        """Mean of a half spectrum over all frequencies: the variance of a pixel of that spectrum."""
        return float((power * self.doubling()).sum() / (self.shape[0] * self.shape[1]))

    def doubling(self) -> Floats:
        """Say how often each frequency of the half transform is in the whole one: 2, but for their own mirrors."""
        weight = np.full(self.transfer.shape[1], 2.0)
        weight[0] = 1.0
        if self.shape[1] % 2 == 0:
            weight[-1] = 1.0
        return weight[np.newaxis, :]
