"""statmorph's own measurement with the same values, several times faster: import it only where it is used.

A private copy of the module `statmorph.statmorph` is given apertures that keep their weights and a half
turn that skips what it need not do; statmorph itself, as others import it, is left as it is.
Rodriguez-Gomez et al. (2019), BSD-3-Clause.
"""

import importlib.util
import math
from types import ModuleType, SimpleNamespace
from typing import Any

import numba
import numpy as np
import skimage
import skimage.feature
import skimage.measure
import skimage.segmentation
import skimage.transform
from astropy.utils import lazyproperty
from numpy.typing import NDArray
from photutils.aperture import CircularAnnulus as PhotutilsAnnulus
from photutils.geometry import circular_overlap_grid, elliptical_overlap_grid
from scipy import ndimage

Array = NDArray[np.float64]
Edges = tuple[float, float, float, float, int, int]


class Aperture:
    """A region with exact pixel weights; `outer` and `inner` are what `_grid` takes.

    Parameters
    ----------
    center_pix : sequence of float
        (x, y), pixel centers on integers.
    outer, inner : float or tuple
        Shape of the region and of its hole, None where there is none.
    area : float
        Geometric area in pixels.
    half_size_pix : tuple of float
        Half width and half height of the smallest box around it.
    """

    def __init__(
        self, center_pix: Any, outer: Any, inner: Any, *, area: float, half_size_pix: tuple[float, float]
    ) -> None:
        self.area = area
        self._center = (float(center_pix[0]), float(center_pix[1]))
        self._outer, self._inner = outer, inner
        self._half_size = half_size_pix
        self._known: tuple[tuple[int, ...], tuple[slice, slice] | None, Array] | None = None

    def area_overlap(
        self, data: Array, *, mask: NDArray[np.bool_] | None = None, method: str = "exact"
    ) -> np.float64:
        """Area on the image and off the mask, in pixels; NaN where they do not meet."""
        box, weights = self._weights(data.shape)
        if box is None:
            return np.float64(np.nan)
        if mask is not None and mask[box].any():
            weights = np.where(mask[box], 0.0, weights)
        return np.float64(np.sum(weights))

    def do_photometry(self, data: Array, *, method: str = "exact") -> tuple[list[np.float64], list[float]]:
        """Weighted sum of the pixels in photutils' form, a list of sums and an empty one of errors."""
        box, weights = self._weights(data.shape)
        if box is None:
            return [np.float64(np.nan)], []
        return [np.float64((data[box] * weights)[weights > 0].sum())], []

    def _grid(self, edges: Edges, shape: Any) -> Array:
        """Overlap of each pixel with a region about the origin; a kind of aperture says how."""
        raise TypeError("Aperture is an interface; use CircularAperture or EllipticalAperture")

    def _weights(self, shape: tuple[int, ...]) -> tuple[tuple[slice, slice] | None, Array]:
        """Box on the image that holds the aperture, and the weights of its pixels."""
        if self._known is None or self._known[0] != shape:
            self._known = (shape, *self._new_weights(shape))
        return self._known[1], self._known[2]

    def _new_weights(self, shape: tuple[int, ...]) -> tuple[tuple[slice, slice] | None, Array]:
        """Compute what `_weights` keeps."""
        (x, y), (half_width, half_height) = self._center, self._half_size
        columns = _clipped_range(x, half_width, shape[1])
        rows = _clipped_range(y, half_height, shape[0])
        if columns is None or rows is None:
            return None, np.empty((0, 0))
        edges = (*columns[1], *rows[1], columns[0].stop - columns[0].start, rows[0].stop - rows[0].start)
        weights = self._grid(edges, self._outer)
        if self._inner is not None:
            weights = weights - self._grid(edges, self._inner)
        return (rows[0], columns[0]), weights


class CircularAperture(Aperture):
    """A circle of radius `r`, in pixels."""

    def __init__(self, center_pix: Any, r: float) -> None:
        super().__init__(center_pix, r, None, area=math.pi * r**2, half_size_pix=(r, r))

    def _grid(self, edges: Edges, shape: float) -> Array:
        return np.asarray(circular_overlap_grid(*edges, shape, 1, 1))


class CircularAnnulus(Aperture):
    """The ring between `r_in` and `r_out`, in pixels."""

    def __init__(self, center_pix: Any, r_in: float, r_out: float) -> None:
        area = math.pi * (r_out**2 - r_in**2)
        super().__init__(center_pix, r_out, r_in, area=area, half_size_pix=(r_out, r_out))

    def _grid(self, edges: Edges, shape: float) -> Array:
        return np.asarray(circular_overlap_grid(*edges, shape, 1, 1))

    def to_mask(self, *, method: str) -> Any:
        """Give photutils' mask of this ring."""
        return PhotutilsAnnulus(self._center, self._inner, self._outer).to_mask(method=method)


class EllipticalAperture(Aperture):
    """An ellipse with semi-axes `a` and `b` in pixels, `theta` radians counter-clockwise from +x."""

    def __init__(self, center_pix: Any, a: float, b: float, *, theta: float) -> None:
        self._theta = float(theta)
        super().__init__(
            center_pix, (a, b), None, area=math.pi * a * b, half_size_pix=_half_size(a, b, self._theta)
        )

    def _grid(self, edges: Edges, shape: tuple[float, float]) -> Array:
        return np.asarray(elliptical_overlap_grid(*edges, *shape, self._theta, 1, 1))


class EllipticalAnnulus(Aperture):
    """The ring between two ellipses of one shape, semi-major axes `a_in` and `a_out` in pixels."""

    def __init__(self, center_pix: Any, a_in: float, a_out: float, b_out: float, *, theta: float) -> None:
        b_in = b_out * a_in / a_out
        self._theta = float(theta)
        super().__init__(
            center_pix,
            (a_out, b_out),
            (a_in, b_in),
            area=math.pi * (a_out * b_out - a_in * b_in),
            half_size_pix=_half_size(a_out, b_out, self._theta),
        )

    def _grid(self, edges: Edges, shape: tuple[float, float]) -> Array:
        return np.asarray(elliptical_overlap_grid(*edges, *shape, self._theta, 1, 1))


def _clipped_range(
    center: float, half_size: float, n_pixels: int
) -> tuple[slice, tuple[float, float]] | None:
    """Pixels of the image along one axis that an aperture may touch, and their edges about its center.

    The edges are counted from the aperture's first pixel, on the image or not, which rounds as photutils
    does.
    """
    first = math.floor(center - half_size + 0.5)
    start, stop = max(first, 0), min(math.ceil(center + half_size + 0.5), n_pixels)
    if start >= stop:
        return None
    edge = first - 0.5 - center
    return slice(start, stop), (edge + (start - first), edge + (stop - first))


def _half_size(a: float, b: float, theta: float) -> tuple[float, float]:
    """Half width and half height of the box around an ellipse."""
    cosine, sine = math.cos(theta), math.sin(theta)
    return (
        math.sqrt((a * cosine) ** 2 + (b * sine) ** 2),
        math.sqrt((a * sine) ** 2 + (b * cosine) ** 2),
    )


def ellipse_overlap_grid(
    edges: tuple[float, float, float, float, int, int], axes: tuple[float, float], *, theta: float
) -> NDArray[np.float64]:
    """Fraction of each pixel inside an ellipse about the origin.

    The ellipse becomes the unit circle and a pixel a parallelogram; its overlap with the circle is a sum
    over its four sides (Green's theorem). Only the pixels that the outline may cross are worked out.

    Parameters
    ----------
    edges : tuple
        x_min, x_max, y_min, y_max of the grid in pixels, then its number of pixels along x and y; pixels
        are squares of side 1.
    axes : tuple of float
        Semi-axes in pixels; the first lies along the angle `theta`.
    theta : float
        Angle in radians, counter-clockwise from +x.

    Returns
    -------
    ndarray [y, x], float64
        In [0, 1]; 0 everywhere for an ellipse without area.
    """
    x_min, _, y_min, _, n_x, n_y = edges
    weights = np.zeros((n_y, n_x))
    if min(axes) > 0:
        _fill_weights(weights, (x_min, y_min), axes, (math.cos(theta), math.sin(theta)))
    return weights


@numba.njit(cache=True)
def _fill_weights(
    weights: NDArray[np.float64],
    corner: tuple[float, float],
    axes: tuple[float, float],
    direction: tuple[float, float],
) -> None:
    """Write the overlap of every pixel; steps of one pixel along x and y are vectors in the circle's plane."""
    (x_min, y_min), (a, b), (cosine, sine) = corner, axes, direction
    step_x_u, step_x_v = cosine / a, -sine / b
    step_y_u, step_y_v = sine / a, cosine / b
    # No point of a pixel is farther from its center than half its longer diagonal, in units of the circle.
    reach = 0.5 * max(
        math.hypot(step_x_u + step_y_u, step_x_v + step_y_v),
        math.hypot(step_x_u - step_y_u, step_x_v - step_y_v),
    )
    n_y, n_x = weights.shape
    for row in range(n_y):
        for column in range(n_x):
            x, y = x_min + column, y_min + row
            u, v = x * step_x_u + y * step_y_u, x * step_x_v + y * step_y_v
            distance = math.hypot(u + 0.5 * (step_x_u + step_y_u), v + 0.5 * (step_x_v + step_y_v))
            if distance - reach >= 1.0:
                continue
            if distance + reach <= 1.0:
                weights[row, column] = 1.0
                continue
            u2, v2 = u + step_x_u, v + step_x_v
            u3, v3 = u2 + step_y_u, v2 + step_y_v
            u4, v4 = u + step_y_u, v + step_y_v
            area = _side_area(u, v, u2, v2) + _side_area(u2, v2, u3, v3)
            area += _side_area(u3, v3, u4, v4) + _side_area(u4, v4, u, v)
            weights[row, column] = min(max(area * a * b, 0.0), 1.0)


@numba.njit(cache=True)
def _side_area(u1: float, v1: float, u2: float, v2: float) -> float:
    """Signed area between the origin and one side, cut off by the unit circle."""
    du, dv = u2 - u1, v2 - v1
    length_squared = du * du + dv * dv
    half_b = u1 * du + v1 * dv
    discriminant = half_b * half_b - length_squared * (u1 * u1 + v1 * v1 - 1.0)
    if discriminant <= 0.0:
        return _sector(u1, v1, u2, v2)
    root = math.sqrt(discriminant)
    enter, leave = (-half_b - root) / length_squared, (-half_b + root) / length_squared
    if enter >= 1.0 or leave <= 0.0:
        return _sector(u1, v1, u2, v2)
    area = 0.0
    start_u, start_v, end_u, end_v = u1, v1, u2, v2
    if enter > 0.0:
        start_u, start_v = u1 + enter * du, v1 + enter * dv
        area += _sector(u1, v1, start_u, start_v)
    if leave < 1.0:
        end_u, end_v = u1 + leave * du, v1 + leave * dv
        area += _sector(end_u, end_v, u2, v2)
    return area + 0.5 * (start_u * end_v - start_v * end_u)


@numba.njit(cache=True)
def _sector(u1: float, v1: float, u2: float, v2: float) -> float:
    """Signed area of the unit circle between two directions."""
    return 0.5 * math.atan2(u1 * v2 - v1 * u2, u1 * u2 + v1 * v2)


_TRANSFORM: Any = skimage.transform  # its functions carry no types


def half_turn(image: NDArray[Any], angle: float, *, center: Any) -> NDArray[Any]:
    """Turn an image by 180 degrees as ``skimage.transform.rotate`` does, bilinear, or a mask, nearest."""
    x, y = center
    cosine, sine = math.cos(np.deg2rad(angle)), math.sin(np.deg2rad(angle))
    there = np.array([[1.0, 0.0, -x], [0.0, 1.0, -y], [0.0, 0.0, 1.0]])
    turn = np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])
    back = np.array([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])
    matrix = back @ (turn @ there)
    matrix[2] = (0.0, 0.0, 1.0)
    if image.dtype == np.bool_:
        return _turned_mask(image, matrix, center=center)
    return np.asarray(_TRANSFORM.warp(image, matrix))


def _turned_mask(mask: NDArray[np.bool_], matrix: NDArray[np.float64], *, center: Any) -> NDArray[np.bool_]:
    """Turn a mask that has few pixels, most often none: only where one of them may land is looked up."""
    rows, columns = np.nonzero(mask)
    if len(rows) == 0:
        return mask
    offset_y, offset_x = (offsets.ravel() for offsets in np.mgrid[-1:2, -1:2])
    x = (np.rint(2 * center[0] - columns)[:, np.newaxis] + offset_x).ravel()
    y = (np.rint(2 * center[1] - rows)[:, np.newaxis] + offset_y).ravel()
    inside = (x >= 0) & (x < mask.shape[1]) & (y >= 0) & (y < mask.shape[0])
    x, y = x[inside], y[inside]
    source = matrix @ np.stack([x, y, np.ones_like(x)])
    turned = np.zeros_like(mask)
    turned[y.astype(int), x.astype(int)] = ndimage.map_coordinates(
        mask, source[1::-1], order=0, mode="grid-constant", cval=0.0, prefilter=False
    )
    return turned


def first_empty_box(occupied: NDArray[np.bool_], size_pix: int) -> tuple[slice, slice] | None:
    """Find the first all-background square in raster order, its last position along each axis left out.

    Parameters
    ----------
    occupied : ndarray [y, x], bool
        True where there is a source or a masked pixel.
    size_pix : int
        Side of the square; halved until one is found, down to 2.

    Returns
    -------
    tuple of slice, or None
        None where not even a box of 2 pixels is empty.
    """
    height, width = occupied.shape
    sums = np.zeros((height + 1, width + 1), dtype=np.int64)
    sums[1:, 1:] = occupied.cumsum(axis=0).cumsum(axis=1)
    while True:
        size = size_pix
        if height > size and width > size:
            counts = sums[size:, size:] - sums[:-size, size:] - sums[size:, :-size] + sums[:-size, :-size]
            empty = np.flatnonzero(counts[:-1, :-1].ravel() == 0)
            if len(empty):
                row, column = divmod(int(empty[0]), width - size)
                return slice(row, row + size), slice(column, column + size)
        if size <= 2:
            return None
        size_pix //= 2


def ellipse_mean(
    image: NDArray[np.float64],
    good: NDArray[np.float64],
    ellipse: tuple[float, ...],
    *,
    hole_pix: float | None,
) -> float:
    """Absolute mean of an image within an ellipse or elliptical ring, masked pixels left out.

    Parameters
    ----------
    image : ndarray [y, x], float64
        Masked pixels are 0.
    good : ndarray [y, x], float64
        1, or 0 where masked.
    ellipse : tuple of float
        x, y of the center; semi-major axis in pixels; a/b; angle in radians.
    hole_pix : float or None
        Semi-major axis of the hole.

    Returns
    -------
    float
        0 where no pixel is left.
    """
    x, y, axis, elongation, theta = ellipse
    n_y, n_x = image.shape
    edges = (-0.5 - x, n_x - 0.5 - x, -0.5 - y, n_y - 0.5 - y, n_x, n_y)
    weights = ellipse_overlap_grid(edges, (axis, axis / elongation), theta=theta)
    if hole_pix is not None:
        weights -= ellipse_overlap_grid(edges, (hole_pix, hole_pix / elongation), theta=theta)
    area = float(np.sum(weights * good))
    return abs(float(np.sum(weights * image))) / area if area > 0 else 0.0


def _private_statmorph() -> ModuleType:
    """Load a second copy of statmorph's module, with faster parts of the same results."""
    spec = importlib.util.find_spec("statmorph.statmorph")
    if spec is None or spec.loader is None:
        raise ImportError("statmorph has no module statmorph.statmorph")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    parts = {
        "CircularAperture": CircularAperture,
        "CircularAnnulus": CircularAnnulus,
        "EllipticalAperture": EllipticalAperture,
        "EllipticalAnnulus": EllipticalAnnulus,
        "skimage": SimpleNamespace(
            measure=skimage.measure,
            feature=skimage.feature,
            segmentation=skimage.segmentation,
            transform=SimpleNamespace(rotate=half_turn),
        ),
    }
    for name, part in parts.items():
        setattr(module, name, part)
    return module


_STATMORPH = _private_statmorph()


class LeanSourceMorphology(_STATMORPH.SourceMorphology):  # type: ignore[name-defined]  # a class found at run time
    """`statmorph.SourceMorphology` with faster parts; takes the same arguments."""

    @lazyproperty
    def _good_pixels(self) -> NDArray[np.float64]:
        return np.asarray(~self._mask_stamp, dtype=np.float64)

    def _petrosian_function_ellip(self, a: float, center: Any, elongation: float, theta: float) -> float:
        half = 0.5 * self._annulus_width
        image, good = self._cutout_stamp_maskzeroed, self._good_pixels
        ring = (center[0], center[1], a + half, elongation, theta)
        ring_mean = ellipse_mean(image, good, ring, hole_pix=a - half)
        mean = ellipse_mean(image, good, (center[0], center[1], a, elongation, theta), hole_pix=None)
        if mean == 0:
            self.flag = 2
            return float(ring_mean != 0) - self._eta
        return float(ring_mean / mean - self._eta)

    @lazyproperty
    def _slice_skybox(self) -> tuple[slice, slice]:
        occupied = self._segmap.data[self._slice_stamp] != 0
        if self._mask is not None:
            occupied = occupied | self._mask[self._slice_stamp]
        box = first_empty_box(occupied, self._skybox_size)
        if box is None:
            self.flag = 2
            return slice(0, 0), slice(0, 0)
        return box
