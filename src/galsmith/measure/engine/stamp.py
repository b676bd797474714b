"""The cutout around one galaxy on which everything is measured."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Stamp(NamedTuple):
    """One galaxy's cutout, made once and read by every later step.

    Attributes
    ----------
    pixels : ndarray [y, x], float64
        Flux per pixel, 0 where masked.
    raw : ndarray [y, x], float64
        The same cutout as it came, masked pixels too.
    galaxy : ndarray [y, x], float64
        `pixels` inside the galaxy's segment, 0 elsewhere.
    segment : ndarray [y, x], bool
        The galaxy's label, masked pixels taken out.
    occupied : ndarray [y, x], bool
        Any label, and the caller's mask (not the bad pixels): where no sky box may lie.
    mask : ndarray [y, x], bool
        Other labels, the caller's mask, pixels that are not finite, bad pixels.
    masked : ndarray [n_masked], int64
        Flat indices of `mask`, ascending.
    row_sums : ndarray [y, x + 1], float64
        Running sums of `pixels` along each row, 0 first.
    row_abs_sums : ndarray [y, x + 1], float64
        Running sums of the absolute pixels.
    row_valid : ndarray [y, x + 1], int64
        Running counts of unmasked pixels.
    turned : ndarray [y + 2 pad, x + 2 pad], float64
        `pixels` turned by 180 degrees, in a border of zeros `pad` wide.
    pad : int
        Width of that border, at least 1.
    x_min, y_min : int
        The stamp's first column and row in the image.
    x_peak, y_peak : int
        Brightest pixel of `galaxy`, the first in raster order, in the stamp.
    """

    pixels: NDArray[np.float64]
    raw: NDArray[np.float64]
    galaxy: NDArray[np.float64]
    segment: NDArray[np.bool_]
    occupied: NDArray[np.bool_]
    mask: NDArray[np.bool_]
    masked: NDArray[np.int64]
    row_sums: NDArray[np.float64]
    row_abs_sums: NDArray[np.float64]
    row_valid: NDArray[np.int64]
    turned: NDArray[np.float64]
    pad: int
    x_min: int
    y_min: int
    x_peak: int
    y_peak: int


class SkyBox(NamedTuple):
    """Statistics of the sky, from statmorph's box or from all of the background.

    Attributes
    ----------
    side_pix : int
        Side of the box, 0 where none was found (or where the sky comes from all of the background).
    x, y : int
        Its first column and row in the stamp.
    is_known : bool
        Whether the numbers below mean anything.
    mean, median, sigma : float
        Of its pixels, flux per pixel.
    asymmetry : float
        Mean of |half-turned - plain| over the box, flux per pixel (Conselice 2003).
    """

    side_pix: int
    x: int
    y: int
    is_known: bool
    mean: float
    median: float
    sigma: float
    asymmetry: float


class Moments(NamedTuple):
    """Shape of the light from second moments about a point (Bertin & Arnouts 1996).

    Attributes
    ----------
    ellipticity, elongation : float
        1 - b/a and a/b.
    orientation_rad : float
        Of the major axis, counter-clockwise from +x, in (-pi/2, pi/2].
    """

    ellipticity: float
    elongation: float
    orientation_rad: float
