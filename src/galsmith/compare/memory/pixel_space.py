"""Small stretched pictures in which images are compared pixel by pixel, whatever their size and noise."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from galsmith.errors import InputError, SettingsError
from galsmith.images import ImageSet
from galsmith.images.resample import resize_linear

Floats = NDArray[np.float64]
Pixels = NDArray[np.float32]

SIDE_PIX = 32
RIM_PIX = 2
# Brightness where the stretch turns from linear to logarithmic, and light that counts for the center, in noise.
SOFTENING, BRIGHT = 3.0, 3.0
# How far the center may lie from the middle, as a share of the side.
MOST_OFF_CENTER = 0.125
MOST_IMAGES_FOR_NOISE = 2000
TO_SIGMA = 1.4826


@dataclass(frozen=True)
class Stretch:
    """What turns brightness into the value that is compared: arcsinh((brightness - sky) / (3 noise)).

    Attributes
    ----------
    sky, noise : ndarray [band], float64
        Medians over the images of median and scatter (1.4826 MAD) of the two outermost pixels of pictures
        of `side_pix`, in the images' unit.
    side_pix : int
        Of the pictures.
    """

    sky: Floats
    noise: Floats
    side_pix: int


def stretch_of(images: ImageSet, *, side_pix: int = SIDE_PIX) -> Stretch:
    """Find sky and noise of a set, which is the training set, and then serves all sets.

    Parameters
    ----------
    images : ImageSet
        One or more; 2,000 of them are enough.
    side_pix : int
        Of the pictures.

    Raises
    ------
    SettingsError
        If `side_pix` is too small.
    InputError
        If there is no image, or a band is the same everywhere or not finite.
    """
    least = 2 * RIM_PIX + 4
    if side_pix < least:
        raise SettingsError(argument="side_pix", came=side_pix, wanted=f"{least} or more (32 is usual)")
    name = images.path or "training"
    if len(images) == 0:
        raise InputError(f"{name}: holds no image; wanted one or more to find sky and noise")
    step = -(-len(images) // MOST_IMAGES_FOR_NOISE)
    pictures = np.stack(
        [resize_linear(images[row], side_pix) for row in range(0, len(images), step)], dtype=np.float64
    )
    inner = np.zeros((side_pix, side_pix), dtype=bool)
    inner[RIM_PIX:-RIM_PIX, RIM_PIX:-RIM_PIX] = True
    rim = pictures[..., ~inner]
    levels = np.median(rim, axis=-1)
    scatter = TO_SIGMA * np.median(np.abs(rim - levels[..., np.newaxis]), axis=-1)
    sky, noise = np.median(levels, axis=0), np.median(scatter, axis=0)
    # Noiseless simulations have a rim of zeros: there a thousandth of the bright pixels takes its place.
    brightest = np.percentile(np.abs(pictures - sky[:, None, None]), 99, axis=(0, 2, 3))
    noise = np.where(noise > 1e-6 * brightest, noise, 1e-3 * brightest)
    faulty = np.flatnonzero(~((noise > 0) & np.isfinite(noise) & np.isfinite(sky)))
    if len(faulty):
        raise InputError(
            f"{name}: band {images.header.bands[faulty[0]]} is the same in all pixels or not finite; "
            "wanted images with light"
        )
    return Stretch(sky, noise, side_pix)


def pixels_of(images: ImageSet, *, side_pix: int = SIDE_PIX, stretch: Stretch | None = None) -> Pixels:
    """Turn images into small pictures that can be compared pixel by pixel.

    Each image is resampled to a square with the center of its bright light in the middle, so that a copy that was
    moved a little is found too, and stretched. Turning an image turns its picture.

    Parameters
    ----------
    images : ImageSet
        Sizes may differ; all show the same extent of sky.
    side_pix : int
        Of the pictures; taken from `stretch` where that is given.
    stretch : Stretch, optional
        Of the training set, which all sets that are compared must share; else that of these images.

    Returns
    -------
    ndarray [galaxy, band, y, x], float32
        Dimensionless; an image with pixels that are not finite has some here.

    Raises
    ------
    SettingsError, InputError
        As `stretch_of`; and if the stretch is of another number of bands.
    """
    shared = stretch_of(images, side_pix=side_pix) if stretch is None else stretch
    if len(shared.sky) != len(images.header.bands):
        raise InputError(
            f"{images.path or 'images'}: {len(images.header.bands)} bands ({', '.join(images.header.bands)}) for a "
            f"stretch of {len(shared.sky)}; wanted the bands of the training set"
        )
    found = np.empty(
        (len(images), len(images.header.bands), shared.side_pix, shared.side_pix), dtype=np.float32
    )
    for rows, chunk in images.chunks(256):
        found[rows] = [_picture(image, shared) for image in chunk]
    return found


def _picture(image: Pixels, stretch: Stretch) -> Pixels:
    """Resample one image around the center of its light, and stretch it."""
    sky, noise = stretch.sky[:, None, None], stretch.noise[:, None, None]
    side = stretch.side_pix
    plain = (resize_linear(image, side) - sky) / noise
    down, right = _center(plain.sum(axis=0) / np.sqrt(len(plain)))
    vertical, horizontal = (
        _shifted_weights(count, side, shift)
        for count, shift in zip(image.shape[-2:], (down, right), strict=True)
    )
    resampled = vertical @ image.astype(np.float64) @ horizontal.T
    # Lupton et al. (1999): linear in the noise, logarithmic in bright light.
    return np.arcsinh((resampled - sky) / (SOFTENING * noise)).astype(np.float32)


def _center(signal: Floats) -> tuple[float, float]:
    """Offset (y, x) of the bright light's center from the middle, in pixels; 0 where nothing is bright."""
    weights = np.clip(signal - BRIGHT, 0.0, None) ** 2
    offsets = np.arange(len(signal)) - (len(signal) - 1) / 2
    # Light of 3 noise more in one pixel counts as much as the middle itself: faint images stay where they are.
    total = weights.sum() + BRIGHT**2
    most = MOST_OFF_CENTER * len(signal)
    down, right = (
        float(np.clip((weights.sum(axis=axis) * offsets).sum() / total, -most, most)) for axis in (1, 0)
    )
    return down, right


def _shifted_weights(n_in: int, n_out: int, shift: float) -> Floats:
    """Weights [n_out, n_in] of linear interpolation around a middle that is `shift` output pixels off."""
    ratio = n_in / n_out
    centers = np.clip((np.arange(n_out) + 0.5 + shift) * ratio - 0.5, 0.0, n_in - 1.0)
    distance = np.abs(np.arange(n_in)[np.newaxis, :] - centers[:, np.newaxis]) / max(ratio, 1.0)
    weights = np.clip(1.0 - distance, 0.0, None)
    return weights / weights.sum(axis=1, keepdims=True)
