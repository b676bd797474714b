"""Cropping and resizing of [band, y, x] images."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.float32]


def crop_center(image: Pixels, size_pix: int) -> Pixels:
    """Cut the central square out of an image.

    Parameters
    ----------
    image : ndarray [band, y, x], float32
        At least `size_pix` on both sides.
    size_pix : int
        Side of the result. The pixel ``n // 2`` of the input becomes pixel ``size_pix // 2``.

    Raises
    ------
    ValueError
        If the image is smaller than the crop.
    """
    height, width = image.shape[-2:]
    if size_pix < 1 or size_pix > min(height, width):
        raise ValueError(
            f"crop is {size_pix} px for an image of {height}x{width} px; wanted 1 to {min(height, width)}"
        )
    top, left = height // 2 - size_pix // 2, width // 2 - size_pix // 2
    return image[..., top : top + size_pix, left : left + size_pix]


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
