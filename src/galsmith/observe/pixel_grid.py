"""Bringing images to larger or smaller pixels: by the overlap of areas, or as the galaxies paper did it."""

from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

Resampling = Literal["area", "linear"]
Weights = NDArray[np.float64]


def resampled_side(side_pix: int, factor: float) -> int:
    """Pixels along a side once each is `factor` times as large; what is left over at the edges is cut."""
    return int(side_pix / factor + 1e-9)


def resampled(image: NDArray[np.floating], factor: float, kind: Resampling, *, keeps_level: bool) -> Weights:
    """Bring an image to pixels of `factor` times the side; its middle stays in the middle.

    Parameters
    ----------
    image : ndarray [..., y, x]
        Flux per pixel, or per solid angle.
    factor : float
        Above 1 makes pixels larger.
    kind : {"area", "linear"}
        ``"area"`` by the overlap of pixel areas. ``"linear"`` as the code of Holzschuh et al. (2022) does: a Gaussian of
        (factor - 1) / 2 pixels, then linear interpolation between pixel centers of the whole frame. It averages, so an
        image in flux units has factor^2 times less flux.
    keeps_level : bool
        Whether values are per solid angle, so that areas are averaged and not summed.

    Returns
    -------
    ndarray [..., y, x], float64
    """
    height, width = image.shape[-2:]
    values = np.asarray(image, dtype=np.float64)
    if kind == "linear":
        values = _smoothed(_smoothed(values, height, factor, -2), width, factor, -1)
        return _linear_weights(height, factor) @ values @ _linear_weights(width, factor).T
    result = _overlap_weights(height, factor) @ values @ _overlap_weights(width, factor).T
    return result / factor**2 if keeps_level else result


def touched(mask: NDArray[np.bool_], factor: float, kind: Resampling) -> NDArray[np.bool_]:
    """Say which of the new pixels [..., y, x] have anything of the masked ones in them."""
    weights = _overlap_weights if kind == "area" else _linear_weights
    height, width = mask.shape[-2:]
    shares = weights(height, factor) @ mask.astype(np.float64) @ weights(width, factor).T
    return np.asarray(shares > 1e-12)


def _smoothed(values: Weights, side_pix: int, factor: float, axis: int) -> Weights:
    """Smooth along an axis as skimage.transform.resize does before it shrinks, mirrored at the edge pixel's middle."""
    sigma = max(0.0, (side_pix / resampled_side(side_pix, factor) - 1) / 2)
    return gaussian_filter1d(values, sigma, axis=axis, mode="mirror") if sigma > 0 else values


@lru_cache(maxsize=64)
def _linear_weights(n_in: int, factor: float) -> Weights:
    """Weights [n_out, n_in] of linear interpolation at the centers of the new pixels of the whole frame."""
    n_out = resampled_side(n_in, factor)
    centers = np.clip((np.arange(n_out) + 0.5) * (n_in / n_out) - 0.5, 0, n_in - 1)
    distance = np.abs(np.arange(n_in)[np.newaxis, :] - centers[:, np.newaxis])
    return np.clip(1.0 - distance, 0.0, None)


@lru_cache(maxsize=64)
def _overlap_weights(n_in: int, factor: float) -> Weights:
    """Share [n_out, n_in] of each pixel that falls into each of the new ones, which lie around the middle."""
    n_out = resampled_side(n_in, factor)
    first = (n_in - n_out * factor) / 2
    low = first + np.arange(n_out)[:, np.newaxis] * factor
    left = np.arange(n_in)[np.newaxis, :]
    return np.clip(np.minimum(low + factor, left + 1) - np.maximum(low, left), 0.0, None)
