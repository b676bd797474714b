"""`starlet`: thresholds on isotropic undecimated wavelets (Starck, Murtagh & Bertero 2015), with propagated noise."""

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy import ndimage, signal

from galsmith.denoise.bands import Band, Floats, restored
from galsmith.denoise.method import Denoised, Method
from galsmith.observe.observed import Observed
from galsmith.settings import Settings

SPLINE = np.array([1.0, 4.0, 6.0, 4.0, 1.0]) / 16.0  # the cubic B-spline


class StarletSettings(Settings):
    """How starlets are thresholded.

    Attributes
    ----------
    scales : int
        Of details; images that are too small for so many have fewer.
    threshold_sigma : float
        Coefficients below so many standard deviations of their noise are dropped.
    finest_threshold_sigma : float
        The same at the finest scale, which has the most coefficients and the least signal.
    """

    scales: int = Field(default=4, ge=1)
    threshold_sigma: float = Field(default=3.0, ge=0)
    finest_threshold_sigma: float = Field(default=4.0, ge=0)


class Starlet:
    """Drop the coefficients that noise explains; the PSF stays on.

    Parameters
    ----------
    settings : StarletSettings
        How high the thresholds are.
    """

    def __init__(self, settings: StarletSettings) -> None:
        self._settings = settings

    def denoise(self, observed: Observed) -> Denoised:
        """Denoise each band."""
        return restored(observed, self._restore)

    def _restore(self, band: Band) -> tuple[Floats, Floats | None]:
        settings = self._settings
        scales = fitting_scales(band.image.shape, settings.scales)
        details, smooth = starlet_transform(band.image, scales)
        for scale, (detail, sigma) in enumerate(
            zip(details, detail_sigmas(band.variance, scales), strict=True)
        ):
            factor = settings.finest_threshold_sigma if scale == 0 else settings.threshold_sigma
            detail[np.abs(detail) < factor * sigma] = 0.0
        return starlet_inverse(details, smooth), None


def fitting_scales(shape: tuple[int, ...], wanted: int) -> int:
    """Say how many scales an image has room for, at least 1: the filter of the last is no wider than the image."""
    return max(1, min(wanted, int(np.log2(max(min(shape) / 4, 2)))))


def smoothed(image: Floats, scale: int) -> Floats:
    """Smooth with the spline whose taps lie 2^scale pixels apart, mirrored at the edges."""
    taps = np.zeros(4 * 2**scale + 1)
    taps[:: 2**scale] = SPLINE
    return ndimage.convolve1d(ndimage.convolve1d(image, taps, axis=0), taps, axis=1)


def starlet_transform(image: Floats, scales: int) -> tuple[list[Floats], Floats]:
    """Transform an image to starlets of the second generation.

    Parameters
    ----------
    image : ndarray [y, x], float64
        Any values.
    scales : int
        Of details.

    Returns
    -------
    details : list of ndarray [y, x]
        From the finest scale on.
    smooth : ndarray [y, x]
        What is left.
    """
    details, current = [], image
    for scale in range(scales):
        following = smoothed(current, scale)
        # second generation: w = c - h h c, so that the inverse filters are positive (Starck et al. 2007, sec. III)
        details.append(current - smoothed(following, scale))
        current = following
    return details, current


def starlet_inverse(details: list[Floats], smooth: Floats) -> Floats:
    """Undo `starlet_transform`."""
    current = smooth
    for scale in reversed(range(len(details))):
        current = smoothed(current, scale) + details[scale]
    return current


def detail_sigmas(variance: Floats, scales: int) -> list[Floats]:
    """Propagate independent noise to the details of a transform.

    Parameters
    ----------
    variance : ndarray [y, x], float64
        Of each pixel.
    scales : int
        Of the transform.

    Returns
    -------
    list of ndarray [y, x]
        Standard deviation of each coefficient, as if the noise were mirrored beyond the edges.
    """
    side = 8 * 2**scales + 1  # room for twice the reach of all filters
    impulse = np.zeros((side, side))
    impulse[side // 2, side // 2] = 1.0
    sigmas = []
    for kernel in starlet_transform(impulse, scales)[0]:
        sigmas.append(np.sqrt(_spread(variance, kernel**2)))
    return sigmas


def _spread(variance: Floats, weights: NDArray[np.float64]) -> Floats:
    """Convolve variances with squared weights, mirrored at the edges."""
    if np.ptp(variance) == 0.0:
        return np.full(variance.shape, variance.flat[0] * weights.sum())
    reach = weights.shape[0] // 2
    wide = np.pad(variance, reach, mode="symmetric")
    return np.maximum(signal.fftconvolve(wide, weights, mode="valid"), 0.0)


METHOD = Method(
    title="starlet thresholds; denoises alone, the PSF stays on",
    settings=StarletSettings,
    build=Starlet,
    needs_training=False,
    source="Starck, Murtagh & Bertero 2015",
)
