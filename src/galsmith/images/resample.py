"""Cropping and resizing of [band, y, x] images, and of what lies beside them: variances, masks, PSFs."""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from galsmith.images.units import is_per_area

Pixels = NDArray[np.float32]
Kind = TypeVar("Kind", bound=np.generic)


def crop_center(image: NDArray[Kind], size_pix: int) -> NDArray[Kind]:
    """Cut the central square out of an image, or out of a map of it.

    Parameters
    ----------
    image : ndarray [band, y, x]
        At least `size_pix` on both sides.
    size_pix : int
        Side of the result. The pixel ``n // 2`` of the input becomes pixel ``size_pix // 2``.

    Raises
    ------
    ValueError
        If the image is smaller than the crop.
    """
    rows, columns = middle_of(image.shape[-2:], size_pix)
    return image[..., rows, columns]


def middle_of(shape: Sequence[int], size_pix: int) -> tuple[slice, slice]:
    """Rows and columns that `crop_center` leaves of an image.

    Parameters
    ----------
    shape : sequence of int
        Height and width of the image.
    size_pix : int
        Side of the result.

    Raises
    ------
    ValueError
        If the image is smaller than the crop.
    """
    height, width = shape
    if size_pix < 1 or size_pix > min(height, width):
        raise ValueError(
            f"crop is {size_pix} px for an image of {height}x{width} px; wanted 1 to {min(height, width)}"
        )
    top, left = height // 2 - size_pix // 2, width // 2 - size_pix // 2
    return slice(top, top + size_pix), slice(left, left + size_pix)


def resize_linear(image: Pixels, size_pix: int) -> Pixels:
    """Resample to a square by linear interpolation of the surface brightness.

    When shrinking, the interpolating triangle is as wide as an output pixel, so no input pixel is
    skipped; constant images stay constant.

    Parameters
    ----------
    image : ndarray [band, y, x], float32
        Any height and width.
    size_pix : int
        Side of the result.
    """
    vertical = _triangle_weights(image.shape[-2], size_pix)
    horizontal = _triangle_weights(image.shape[-1], size_pix)
    result: Pixels = (vertical @ image.astype(np.float64) @ horizontal.T).astype(np.float32)
    return result


def resize_conserving_flux(image: Pixels, size_pix: int) -> Pixels:
    """Resample to a square by the overlap of pixel areas, which keeps each band's summed flux.

    Parameters
    ----------
    image : ndarray [band, y, x], float32
        Flux per pixel; any height and width.
    size_pix : int
        Side of the result.
    """
    vertical = _overlap_weights(image.shape[-2], size_pix)
    horizontal = _overlap_weights(image.shape[-1], size_pix)
    result: Pixels = (vertical @ image.astype(np.float64) @ horizontal.T).astype(np.float32)
    return result


def resize_keeping_level(image: Pixels, size_pix: int) -> Pixels:
    """Resample to a square by the mean over pixel areas, which keeps a surface brightness.

    Parameters
    ----------
    image : ndarray [band, y, x], float32
        Flux per solid angle or per beam; any height and width.
    size_pix : int
        Side of the result.
    """
    height, width = image.shape[-2:]
    return resize_conserving_flux(image, size_pix) * np.float32(size_pix**2 / (height * width))


def resize_in_unit(image: Pixels, size_pix: int, flux_unit: str) -> Pixels:
    """Resample to a square as the unit of the image asks for: display units keep their level, fluxes their sum.

    Parameters
    ----------
    image : ndarray [band, y, x], float32
        Any height and width.
    size_pix : int
        Side of the result.
    flux_unit : str
        Of a pixel's value.
    """
    if flux_unit == "display":
        return resize_linear(image, size_pix)
    resize = resize_keeping_level if is_per_area(flux_unit) else resize_conserving_flux
    return resize(image, size_pix)


def resampled_ivar(ivar: Pixels, size_pix: int, flux_unit: str) -> Pixels:
    """Inverse variance of the noise of an image that `resize_in_unit` resampled.

    The variance of a sum of independent pixels is that of their variances, each times the square of its weight. Resampled
    pixels that share a pixel have correlated noise, which an inverse variance cannot say.

    Parameters
    ----------
    ivar : ndarray [band, y, x], float32
        Of the image before; 0 where nothing is known, and whatever has a share of that is 0.
    size_pix : int
        Side of the result.
    flux_unit : str
        Of the image.
    """
    vertical, horizontal, factor = _weights_in_unit(ivar.shape[-2:], size_pix, flux_unit)
    known = ivar > 0
    variance = np.where(known, 1.0 / np.where(known, ivar, 1.0).astype(np.float64), 0.0)
    summed = factor**2 * (vertical**2 @ variance @ (horizontal**2).T)
    unknown = resampled_mask(~known, size_pix, flux_unit) | (summed == 0)
    return np.where(unknown, 0.0, 1.0 / np.where(unknown, 1.0, summed)).astype(np.float32)


def resampled_mask(mask: NDArray[np.bool_], size_pix: int, flux_unit: str) -> NDArray[np.bool_]:
    """Mask of an image that `resize_in_unit` resampled: whatever has a share of a masked pixel, [band, y, x] bool."""
    vertical, horizontal, _ = _weights_in_unit(mask.shape[-2:], size_pix, flux_unit)
    # of rounding there may be shares of 1e-16
    return np.asarray(vertical @ mask.astype(np.float64) @ horizontal.T > 1e-12)


def resampled_psf(psf: Pixels, factor: float) -> Pixels:
    """Point spread function in pixels whose side is `factor` times as long, by the overlap of pixel areas.

    It is that of a source in the middle of a pixel of both; its sum stays.

    Parameters
    ----------
    psf : ndarray [..., y, x], float32
        Its center is that of the array.
    factor : float
        Of enlargement.

    Returns
    -------
    ndarray [..., y, x], float32
        Of odd sides.
    """
    if factor == 1:
        return psf
    vertical, horizontal = (_centered_weights(side, factor) for side in psf.shape[-2:])
    return np.asarray(vertical @ psf.astype(np.float64) @ horizontal.T, dtype=np.float32)


def _centered_weights(n_in: int, factor: float) -> NDArray[np.float64]:
    """Share [n_out, n_in] of each pixel that falls into each of the enlarged ones, centers of both arrays on another."""
    half = max(0, math.ceil((n_in / factor - 1) / 2 - 1e-9))
    low = (np.arange(-half, half + 1)[:, np.newaxis] - 0.5) * factor
    left = np.arange(n_in)[np.newaxis, :] - n_in / 2
    return np.clip(np.minimum(low + factor, left + 1) - np.maximum(low, left), 0.0, None)


def _weights_in_unit(
    shape: tuple[int, ...], size_pix: int, flux_unit: str
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Weights of rows and of columns, [n_out, n_in], and a factor, by which `resize_in_unit` makes pixels."""
    is_display = flux_unit == "display"
    vertical, horizontal = (
        (_triangle_weights if is_display else _overlap_weights)(side, size_pix) for side in shape
    )
    keeps_level = not is_display and is_per_area(flux_unit)
    return vertical, horizontal, size_pix**2 / (shape[0] * shape[1]) if keeps_level else 1.0


@lru_cache(maxsize=64)
def _triangle_weights(n_in: int, n_out: int) -> NDArray[np.float64]:
    """Weights [n_out, n_in] of linear interpolation between pixel centers; each row sums to 1."""
    ratio = n_in / n_out
    width = max(ratio, 1.0)
    centers = (np.arange(n_out) + 0.5) * ratio - 0.5
    distance = np.abs(np.arange(n_in)[np.newaxis, :] - centers[:, np.newaxis]) / width
    weights = np.clip(1.0 - distance, 0.0, None)
    return weights / weights.sum(axis=1, keepdims=True)


@lru_cache(maxsize=64)
def _overlap_weights(n_in: int, n_out: int) -> NDArray[np.float64]:
    """Share [n_out, n_in] of each input pixel that falls into each output pixel; each column sums to 1."""
    ratio = n_in / n_out
    low, high = np.arange(n_out)[:, np.newaxis] * ratio, (np.arange(n_out)[:, np.newaxis] + 1) * ratio
    left = np.arange(n_in)[np.newaxis, :]
    return np.clip(np.minimum(high, left + 1) - np.maximum(low, left), 0.0, None)
