"""Pixels of a clean image that are not to be used: found, filled in so that they do not spread, and grown by the core."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import binary_dilation, gaussian_filter

Mask = NDArray[np.bool_]
FILLING_SIGMA_PIX = 2.0


def mask_of(image: NDArray[np.floating], mask: ArrayLike | None) -> Mask | None:
    """Join a mask with the pixels that are not finite, [band, y, x]; None where all can be used.

    Raises
    ------
    ValueError
        If the mask has another shape, or leaves nothing of a band.
    """
    bad = ~np.isfinite(image)
    if mask is not None:
        given = np.asarray(mask, dtype=bool)
        if given.shape not in (image.shape, image.shape[1:]):
            raise ValueError(
                f"mask has shape {given.shape} for an image of {image.shape}; wanted [y, x] or [band, y, x]"
            )
        bad |= given
    if not bad.any():
        return None
    if bad.all(axis=(-2, -1)).any():
        raise ValueError("no pixel of a band can be used: all are masked or not finite; leave the image out")
    return bad


def filled(image: NDArray[np.floating], bad: Mask) -> NDArray[np.float64]:
    """Give masked pixels the mean of what is around them, [band, y, x], 0 where nothing is near."""
    near = (0, FILLING_SIGMA_PIX, FILLING_SIGMA_PIX)
    known = np.where(bad, 0.0, image)
    weights = gaussian_filter((~bad).astype(np.float64), near, mode="constant")
    means = gaussian_filter(known, near, mode="constant") / np.maximum(weights, 1e-12)
    return np.where(bad, means, known)


def grown(bad: Mask | None, kernels: NDArray[np.float64]) -> Mask | None:
    """Mask also what masked pixels spread over: where the kernel has at least half of its peak around them."""
    if bad is None:
        return None
    cores = kernels >= kernels.max(axis=(-2, -1), keepdims=True) / 2
    return np.stack([binary_dilation(one, core) for one, core in zip(bad, cores, strict=True)])
