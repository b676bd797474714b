"""Sources of a field of 8-bit pixels: found as peaks, parted, and each fitted by one elliptical profile; compiled.

The field is smoothed by (1, 2, 1) along both axes, which is kept as whole numbers, so that its level and noise are those of
a clipped histogram. Pixels above the threshold are taken from the brightest down; each joins the peak that it hangs on, and
where two peaks meet the lower one is given up unless it stands out. A source is then fitted by a Moffat profile of given
exponent by Levenberg and Marquardt's steps, on pixels that are its own and not saturated: position, brightness and shape
come from all its light, and do not stop at an isophote.
"""

import math
from dataclasses import dataclass, fields
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Levels = NDArray[np.uint8]
BRIGHTEST_LEVEL = 255
MOFFAT_EXPONENT = 2.5
N_PARAMETERS = 6
_LEAST_NOISE = 0.29  # 1 / sqrt(12), of rounding to whole levels
_SMOOTHED_NOISE = 0.375  # of white noise after (1, 2, 1) / 4 along both axes
_LARGEST_HALF_PIX, _MOST_STEPS = 15, 12
_LEAST_SIZE_PIX, _LARGEST_SIZE_PIX, _LEAST_AXIS_RATIO = 0.35, 12.0, 0.12


@dataclass(frozen=True)
class FieldSources:
    """Sources of one field, all arrays [source] float64; pixel centers on integers, x right, y up.

    Attributes
    ----------
    x_pix, y_pix : ndarray
        Center of the fitted profile.
    flux : ndarray
        Of the whole fitted profile, in gray levels.
    size_pix : ndarray
        Geometric mean of the two widths of the profile's core, each the sigma of a Gaussian of the same curvature.
    axis_ratio, orientation_rad : ndarray
        Of the profile; counter-clockwise from +x, in (-pi/2, pi/2].
    peak : ndarray
        Brightest pixel above the blank sky's mean.
    """

    x_pix: Values
    y_pix: Values
    flux: Values
    size_pix: Values
    axis_ratio: Values
    orientation_rad: Values
    peak: Values

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.x_pix)

    def of(self, which: NDArray[Any]) -> "FieldSources":
        """Keep some, by mask or index."""
        return FieldSources(*(getattr(self, field.name)[which] for field in fields(self)))


@dataclass(frozen=True)
class DetectedField:
    """What was found in one field.

    Attributes
    ----------
    sources : FieldSources
        Sorted from the brightest peak down.
    labels : ndarray [y, x], int32
        0 for blank sky, k + 1 for pixels of source k above the threshold.
    blank_counts : ndarray [level], int64
        How many pixels of blank sky have each of the 256 levels.
    is_blank : ndarray [y, x], bool
        Pixels of blank sky: four or more from any of a source.
    """

    sources: FieldSources
    labels: NDArray[np.int32]
    blank_counts: NDArray[np.int64]
    is_blank: NDArray[np.bool_]


def detect_field(
    field: Levels, *, threshold_sigma: float = 5.0, exponent: float = MOFFAT_EXPONENT
) -> DetectedField:
    """Find the sources of a field and fit each.

    Parameters
    ----------
    field : ndarray [y, x], uint8
        Gray levels.
    threshold_sigma : float
        Of the smoothed field's own noise.
    exponent : float
        Of the Moffat profile that is fitted, above 1; large ones are Gaussian.

    Raises
    ------
    ValueError
        If `field` is not two-dimensional uint8.
    """
    if field.ndim != 2 or field.dtype != np.uint8:
        raise ValueError(f"field is {field.dtype} {field.shape}; wanted gray levels [y, x] of uint8")
    smoothed = _smoothed(field)
    level, noise = _clipped_level(np.bincount(smoothed.ravel(), minlength=16 * BRIGHTEST_LEVEL + 1))
    least = 16 * _SMOOTHED_NOISE * _LEAST_NOISE
    threshold = level + threshold_sigma * max(noise, least)
    labels, n_sources = _labelled(smoothed, threshold, max(noise, least))
    is_blank = _blank(labels)
    blank = np.bincount(field[is_blank], minlength=256)
    mean = float(blank @ np.arange(256) / blank.sum()) if blank.any() else level / 16
    found = _fitted(field, labels, n_sources, mean, exponent)
    return DetectedField(FieldSources(*np.ascontiguousarray(found.T)), labels, blank, is_blank)


def _clipped_level(counts: NDArray[np.int64]) -> tuple[float, float]:
    """Level and noise of a histogram of whole numbers, clipped at three deviations above and below."""
    places = np.arange(len(counts))
    level = float(np.searchsorted(np.cumsum(counts), 0.5 * counts.sum()))
    noise = math.inf
    for _ in range(8):
        inside = np.abs(places - level) <= 3 * noise
        total = counts[inside].sum()
        level = float(counts[inside] @ places[inside] / total)
        spread = float(np.sqrt(counts[inside] @ (places[inside] - level) ** 2 / total))
        if spread >= noise:
            break
        noise = max(spread, 1.0)
    return level, noise


@numba.njit(cache=True, nogil=True)
def _smoothed(field: Any) -> Any:
    """Smooth by (1, 2, 1) along both axes, edges repeated, [y, x] in 1/16 of a level."""
    height, width = field.shape
    rows = np.empty((height, width), dtype=np.int32)
    for y in range(height):
        for x in range(1, width - 1):
            rows[y, x] = np.int32(field[y, x - 1]) + 2 * np.int32(field[y, x]) + np.int32(field[y, x + 1])
        rows[y, 0] = 3 * np.int32(field[y, 0]) + np.int32(field[y, min(1, width - 1)])
        rows[y, width - 1] = 3 * np.int32(field[y, width - 1]) + np.int32(field[y, max(width - 2, 0)])
    smoothed = np.empty((height, width), dtype=np.int32)
    for y in range(height):
        below, above = max(y - 1, 0), min(y + 1, height - 1)
        for x in range(width):
            smoothed[y, x] = rows[below, x] + 2 * rows[y, x] + rows[above, x]
    return smoothed


@numba.njit(cache=True, nogil=True)
def _root(parents: Any, label: int) -> int:
    """Follow a label to the one that it was given up for."""
    while parents[label] != label:
        label = parents[label]
    return label


@numba.njit(cache=True, nogil=True)
def _joined(labels: Any, y: int, x: int, parents: Any, tops: Any, noise: float, value: int) -> int:
    """Give the label of the peak that a pixel hangs on, 0 where it is one; of two that meet in it, one may be given up."""
    height, width = labels.shape
    best = 0
    for v in range(max(y - 1, 0), min(y + 2, height)):
        for u in range(max(x - 1, 0), min(x + 2, width)):
            if labels[v, u] == 0:
                continue
            other = _root(parents, labels[v, u])
            if best == 0:
                best = other
            elif other != best:
                high, low = (best, other) if tops[best] >= tops[other] else (other, best)
                # a peak stands out by four deviations of the noise and by a tenth of where it is cut off
                if tops[low] - value < max(4 * noise, 0.1 * value):
                    parents[low] = high
                best = high
    return best


@numba.njit(cache=True, nogil=True)
def _labelled(smoothed: Any, threshold: float, noise: float) -> Any:
    """Part what is above the threshold by its peaks; labels [y, x] from the brightest peak down, and how many."""
    height, width = smoothed.shape
    labels, flat = np.zeros((height, width), dtype=np.int32), smoothed.reshape(-1)
    places = np.flatnonzero(flat > threshold)
    places = places[np.argsort(-flat[places], kind="mergesort")]
    parents, tops = np.zeros(len(places) + 1, np.int64), np.zeros(len(places) + 1, np.int64)
    n_labels = 0
    for place in places:
        y, x, value = place // width, place % width, flat[place]
        best = _joined(labels, y, x, parents, tops, noise, value)
        if best == 0:
            n_labels += 1
            best = n_labels
            parents[best], tops[best] = best, value
        labels[y, x] = best
    return labels, _number(labels.reshape(-1), parents, n_labels)


@numba.njit(cache=True, nogil=True)
def _number(flat: Any, parents: Any, n_labels: int) -> int:
    """Count the labels of three pixels or more, and number them from 1 in place; others become 0."""
    areas = np.zeros(n_labels + 1, np.int64)
    for place in range(len(flat)):
        if flat[place]:
            flat[place] = _root(parents, flat[place])
            areas[flat[place]] += 1
    numbers, kept = np.zeros(n_labels + 1, np.int32), 0
    for label in range(1, n_labels + 1):
        if areas[label] >= 3:
            kept += 1
            numbers[label] = kept
    for place in range(len(flat)):
        flat[place] = numbers[flat[place]]
    return kept


@numba.njit(cache=True, nogil=True)
def _blank(labels: Any) -> Any:
    """Say which pixels are no source's and have none within three pixels along both axes."""
    height, width = labels.shape
    blank = np.ones((height, width), dtype=np.bool_)
    for y in range(height):
        for x in range(width):
            if labels[y, x]:
                blank[max(y - 3, 0) : y + 4, max(x - 3, 0) : x + 4] = False
    return blank


@numba.njit(cache=True, nogil=True)
def _moments(field: Any, labels: Any, n_sources: int, mean: float) -> Any:
    """Sum over each source's own pixels: light, x, y, xx, xy, yy weighted by it; and its brightest pixel."""
    sums = np.zeros((n_sources, 7))
    height, width = labels.shape
    for y in range(height):
        for x in range(width):
            if labels[y, x]:
                light = field[y, x] - mean
                row = sums[labels[y, x] - 1]
                row[6] = max(row[6], light)
                light = max(light, 1e-3)
                row[0] += light
                row[1] += light * x
                row[2] += light * y
                row[3] += light * x * x
                row[4] += light * x * y
                row[5] += light * y * y
    return sums


@numba.njit(cache=True, nogil=True)
def _fitted(field: Any, labels: Any, n_sources: int, mean: float, exponent: float) -> Any:
    """Fit every source, [source, field of `FieldSources`]."""
    sums = _moments(field, labels, n_sources, mean)
    found = np.empty((n_sources, 7))
    for number in range(n_sources):
        row = sums[number]
        x, y = row[1] / row[0], row[2] / row[0]
        xx, yy = row[3] / row[0] - x * x + 1 / 12, row[5] / row[0] - y * y + 1 / 12
        variance = min(max(0.5 * (xx + yy), 0.5), 0.25 * _LARGEST_HALF_PIX**2)
        start = np.array([row[6], x, y, 1 / variance, 0.0, 1 / variance])
        half = min(int(3.5 * math.sqrt(variance)) + 2, _LARGEST_HALF_PIX)
        best = _fit_profile(field, labels, number + 1, start, half, mean, exponent)
        _write_shape(found[number], best, exponent)
        found[number, 6] = row[6]
    return found


@numba.njit(cache=True, nogil=True)
def _write_shape(found: Any, best: Any, exponent: float) -> None:
    """Turn brightness, center and quadratic form of a profile into what `FieldSources` has."""
    a, b, c = best[3], best[4], best[5]
    middle, half = 0.5 * (a + c), math.sqrt(0.25 * (a - c) ** 2 + b * b)
    # the widths are one over the roots of the form's eigenvalues
    long_side, short_side = 1 / math.sqrt(middle - half), 1 / math.sqrt(middle + half)
    angle = 0.5 * math.atan2(-2 * b, c - a)
    found[0], found[1] = best[1], best[2]
    # integral of a Moffat profile (1 + r^2 / 2 beta s^2)^-beta over the plane
    found[2] = best[0] * 2 * math.pi * long_side * short_side * exponent / (exponent - 1)
    found[3], found[4] = math.sqrt(long_side * short_side), short_side / long_side
    found[5] = angle if angle > -0.5 * math.pi else angle + math.pi


@numba.njit(cache=True, nogil=True)
def _is_allowed(trial: Any, start: Any) -> bool:
    """Whether a profile is brighter than the sky, near its peak, and neither too small, too large nor too flat."""
    a, b, c = trial[3], trial[4], trial[5]
    determinant = a * c - b * b
    if not (trial[0] > 0 and a > 0 and c > 0 and determinant > 0):
        return False
    size = determinant**-0.25
    half = math.sqrt(0.25 * (a - c) ** 2 + b * b)
    ratio = math.sqrt(max(0.5 * (a + c) - half, 0.0) / (0.5 * (a + c) + half))
    near = (trial[1] - start[1]) ** 2 + (trial[2] - start[2]) ** 2 <= 9.0
    return near and _LEAST_SIZE_PIX < size < _LARGEST_SIZE_PIX and ratio > _LEAST_AXIS_RATIO


@numba.njit(cache=True, nogil=True)
def _fit_profile(
    field: Any, labels: Any, label: int, start: Any, half: int, mean: float, exponent: float
) -> Any:
    """Fit one profile by damped Gauss-Newton steps (Levenberg 1944, Marquardt 1963) on its own pixels and blank ones."""
    best, damping = start.copy(), 1e-2
    normal, slope = np.zeros((N_PARAMETERS, N_PARAMETERS)), np.zeros(N_PARAMETERS)
    chi2, n_used = _equations(field, labels, label, best, half, mean, exponent, normal, slope)
    if n_used < N_PARAMETERS + 2:
        return best
    for _ in range(_MOST_STEPS):
        damped = normal.copy()
        for k in range(N_PARAMETERS):
            damped[k, k] = normal[k, k] * (1 + damping) + 1e-12
        trial = best + np.linalg.solve(damped, slope)
        if not _is_allowed(trial, start):
            damping *= 8
        else:
            new_normal, new_slope = np.zeros_like(normal), np.zeros_like(slope)
            new_chi2, _ = _equations(field, labels, label, trial, half, mean, exponent, new_normal, new_slope)
            if new_chi2 < chi2:
                is_done = chi2 - new_chi2 < 1e-4 * chi2
                best, chi2, normal, slope, damping = trial, new_chi2, new_normal, new_slope, damping * 0.2
                if is_done:
                    break
            else:
                damping *= 8
        if damping > 1e8:
            break
    return best


@numba.njit(cache=True, nogil=True)
def _equations(
    field: Any,
    labels: Any,
    label: int,
    profile: Any,
    half: int,
    mean: float,
    exponent: float,
    normal: Any,
    slope: Any,
) -> Any:
    """Sum the normal equations of a profile into `normal` and `slope`; gives chi2 and the number of pixels."""
    height, width = labels.shape
    light, x0, y0, a, b, c = profile
    middle_x, middle_y = round(x0), round(y0)
    chi2, n_used, grad = 0.0, 0, np.empty(N_PARAMETERS)
    for y in range(max(middle_y - half, 0), min(middle_y + half + 1, height)):
        for x in range(max(middle_x - half, 0), min(middle_x + half + 1, width)):
            if labels[y, x] not in (0, label) or field[y, x] == BRIGHTEST_LEVEL:
                continue
            dx, dy = x - x0, y - y0
            base = 1 + (a * dx * dx + 2 * b * dx * dy + c * dy * dy) / (2 * exponent)
            shape = base**-exponent
            # d shape / d form = -1/2 base^-(beta + 1)
            inner = -0.5 * light * shape / base
            grad[0] = shape
            grad[1], grad[2] = -2 * inner * (a * dx + b * dy), -2 * inner * (b * dx + c * dy)
            grad[3], grad[4], grad[5] = inner * dx * dx, 2 * inner * dx * dy, inner * dy * dy
            left = field[y, x] - mean - light * shape
            chi2 += left * left
            n_used += 1
            for k in range(N_PARAMETERS):
                slope[k] += grad[k] * left
                for m in range(N_PARAMETERS):
                    normal[k, m] += grad[k] * grad[m]
    return chi2, n_used
