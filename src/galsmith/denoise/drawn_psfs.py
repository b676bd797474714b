"""Point spread functions that a denoiser is trained on: drawn from laws, or from a table of measured ones."""

import math

import numpy as np
from numpy.typing import NDArray

from galsmith.errors import InputError
from galsmith.observe.psf import brought_to_step
from galsmith.observe.stamps import read_stamp

Pixels = NDArray[np.float32]
Range = tuple[float, float]
PSF_REACH_FWHM, LARGEST_PSF_REACH_PIX = 3.0, 32
MOFFAT_BETA = (2.0, 6.0)  # from bad seeing to nearly a Gaussian (Trujillo et al. 2001)


def drawn_kernels(
    chance: np.random.Generator, fwhm_pix: Range, n_bands: int, *, largest_ellipticity: float
) -> Pixels:
    """Draw a point spread function, [band, k, k] float32 of odd side and sum 1.

    Parameters
    ----------
    chance : Generator
        Of random numbers.
    fwhm_pix : tuple of float
        Least and largest full width at half maximum.
    n_bands : int
        Widths of bands scatter by 5 % about one.
    largest_ellipticity : float
        Of 1 - b/a.
    """
    is_moffat, angle = chance.random() < 0.5, chance.uniform(0, math.pi)
    beta, axis_ratio = chance.uniform(*MOFFAT_BETA), 1 - chance.uniform(0, largest_ellipticity)
    middle = math.exp(chance.uniform(*np.log(fwhm_pix)))
    widths = np.clip(middle * np.exp(0.05 * chance.standard_normal(n_bands)), *fwhm_pix)
    reach = min(LARGEST_PSF_REACH_PIX, math.ceil(PSF_REACH_FWHM * widths.max()))
    # three points a pixel along each side: narrow laws are not their values at pixel centers
    axis = (np.arange(3 * (2 * reach + 1)) - (3 * reach + 1)) / 3
    y, x = axis[:, np.newaxis], axis[np.newaxis]
    major, minor = x * math.cos(angle) + y * math.sin(angle), y * math.cos(angle) - x * math.sin(angle)
    square = (major**2 * axis_ratio + minor**2 / axis_ratio) / (widths[:, np.newaxis, np.newaxis] / 2) ** 2
    # half of the maximum is at square = 1 in both laws
    values = (1 + square * (2 ** (1 / beta) - 1)) ** -beta if is_moffat else np.exp2(-square)
    kernels = values.reshape(n_bands, 2 * reach + 1, 3, 2 * reach + 1, 3).sum(axis=(2, 4))
    return (kernels / kernels.sum(axis=(1, 2), keepdims=True)).astype(np.float32)


def drawn_from_table(chance: np.random.Generator, path: str, n_bands: int, *, stretch: Range) -> Pixels:
    """Draw one of a table of point spread functions, the same in all bands, [band, k, k] float32 of odd side and sum 1.

    Parameters
    ----------
    chance : Generator
        Of random numbers.
    path : str
        FITS image with one plane a PSF, such as images of stars, each about in the middle of its plane.
    n_bands : int
        How often it is given.
    stretch : tuple of float
        Least and largest factor of its width, drawn log-uniformly.

    Raises
    ------
    InputError
        If a plane has no positive sum.
    """
    table = read_stamp(path, argument="range.psf_images_path")[0]
    number = int(chance.integers(len(table)))
    image = table[number]
    if not image.sum() > 0:
        raise InputError(
            f"plane {number} has the sum {image.sum():g}; wanted images of stars, of positive sum",
            argument="range.psf_images_path",
            came=path,
        )
    factor = math.exp(chance.uniform(*np.log(stretch)))
    kernel = _cut(brought_to_step(image, 1 / factor))
    return np.repeat((kernel / kernel.sum()).astype(np.float32)[np.newaxis], n_bands, axis=0)


def _cut(kernel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cut a kernel [k, k] of odd side to the largest reach."""
    beyond = max(0, len(kernel) // 2 - LARGEST_PSF_REACH_PIX)
    return kernel[beyond : len(kernel) - beyond, beyond : len(kernel) - beyond]
