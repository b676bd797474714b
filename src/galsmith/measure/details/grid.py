"""Windowed spectra of a galaxy's bands, and what in them hangs on the pixel grid: stripes, checkerboards, axes.

Generators that enlarge images in steps leave single modes and their harmonics in the spectrum (Odena et al. 2016; Zhang et
al. 2019; Durall et al. 2020), of which means over rings know little.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import fft

Floats = NDArray[np.float64]

# Rings by the period of their waves, pixels: those of the axes, and those of the coherence of bands.
AXES_PERIODS = {"fine": (2.0, 4.0), "middle": (4.0, 8.0), "coarse": (8.0, 16.0)}
COHERENCE_PERIODS = {"fine": (4.0, 8.0), "middle": (8.0, 16.0), "coarse": (16.0, 32.0)}
PERIODS = (2, 3, 4, 8)
LINES = ("x", "y", "diagonal")
# The spectra of a small image have no ring of 4 px; those of a large one are as good in its middle.
LEAST_SIDE, MOST_SIDE, STEP = 16, 256, 8
LONGEST_LINE_PERIOD = 8.0
NOISE_FREQUENCY = 0.5  # beyond it, in the corners of the plane, a point spread function leaves noise alone
SKY_CELLS = 2.5  # the window spreads the sky's level over the first two cells
# Amplitudes below this share of all light are rounding of float32, not image.
ROUNDING = 1e-6
ACROSS = (-1, 0, 1)
BESIDE = (
    -6,
    -5,
    -4,
    -3,
    3,
    4,
    5,
    6,
)  # farther than the window's lobe of two cells, and a galaxy's width about a spike


class Waves(NamedTuple):
    """Cells of a half spectrum whose waves tell where a band lies, ring by ring of `COHERENCE_PERIODS` from coarse to fine.

    Attributes
    ----------
    cells : ndarray [cell], int64
        Places in the flattened half spectrum.
    row, column : ndarray [cell], int64
        Their rows and columns in it.
    weight : ndarray [cell], float64
        How many cells of the whole spectrum each stands for.
    ends : ndarray [ring], int64
        So many cells are of this ring and coarser ones.
    rows, columns : ndarray, float64
        Frequency of each row and column, a pixel.
    """

    cells: NDArray[np.int64]
    row: NDArray[np.int64]
    column: NDArray[np.int64]
    weight: Floats
    ends: NDArray[np.int64]
    rows: Floats
    columns: Floats

    @property
    def side(self) -> int:
        """The shorter side of the image, pixels."""
        return min(len(self.rows), 2 * len(self.columns) - 2)


@dataclass(frozen=True)
class Plane:
    """Which cells of a half spectrum belong to which ring, sector and line, for images of one size.

    Attributes
    ----------
    axes : ndarray [cell, ring and sector], float32
        Weights of means near the axes and near the diagonals, ring by ring of `AXES_PERIODS`.
    rings : ndarray [cell, ring], float32
        Weights of means over the rings of `COHERENCE_PERIODS`, and over the corners; NaN where there is no cell.
    waves : Waves
        The cells of these rings alone.
    lines : ndarray [line, across, k], int64
        Cells along x, along y, and along both diagonals, three abreast.
    near, beside : ndarray [step, k], int64
        Places on a line: the three about k, and those that it is compared with.
    places : tuple of int
        Of `PERIODS` on a line.
    first : int
        Place of the longest period that is looked at.
    """

    axes: NDArray[np.float32]
    rings: NDArray[np.float32]
    waves: Waves
    lines: NDArray[np.int64]
    near: NDArray[np.int64]
    beside: NDArray[np.int64]
    places: tuple[int, ...]
    first: int


@dataclass(frozen=True)
class Spectra:
    """Spectra of the bands of one galaxy.

    Attributes
    ----------
    waves : ndarray [band, cell], complex64
        Half spectra of the windowed images, each over the sum of its absolute pixels.
    power : ndarray [band, cell], float32
        Their squares.
    plane : Plane
        What the cells are.
    """

    waves: NDArray[np.complex64]
    power: NDArray[np.float32]
    plane: Plane


def windowed_spectra(images: Sequence[NDArray[Any]]) -> Spectra | None:
    """Transform the middle of all bands under Hann's window, which takes the jump from one side to the other away.

    Parameters
    ----------
    images : sequence of ndarray [y, x], float
        Flux per pixel, one a band, of one shape. Of sides over 256 px, and of those that are no multiple of 8 px, the
        middle is taken.

    Returns
    -------
    Spectra or None
        None where the image is smaller than 16 px, a pixel is not finite, or a band has no light at all.
    """
    sides = [_side(length) for length in images[0].shape]
    if min(sides) < LEAST_SIDE:
        return None
    middle = tuple(
        slice((length - side) // 2, (length + side) // 2)
        for length, side in zip(images[0].shape, sides, strict=True)
    )
    stack = np.array([image[middle] for image in images], dtype=np.float64) * _window(*sides)
    sums = np.abs(stack).sum(axis=(1, 2))
    if not (np.isfinite(sums) & (sums > 0)).all():
        return None
    scaled = (stack / sums[:, np.newaxis, np.newaxis]).astype(np.float32)
    # band by band, since sums of float32 would hang in their last digits on how many bands there are
    waves = np.stack([fft.rfft2(band).ravel() for band in scaled])
    return Spectra(waves, waves.real**2 + waves.imag**2, plane_of(*sides))


def axes_excess(spectra: Spectra) -> Floats:
    """Amplitudes within 22.5 degrees of the axes over those within 22.5 degrees of the diagonals, ring by ring.

    Returns
    -------
    ndarray [band, ring], float64
        log10 of the ratio of means, dex; rings of `AXES_PERIODS`.
    """
    means = np.stack([np.sqrt(power) @ spectra.plane.axes for power in spectra.power])
    return np.asarray(np.log10(means[:, 0::2] / means[:, 1::2]), dtype=np.float64)


def lines_excess(spectra: Spectra) -> tuple[Floats, Floats]:
    """How far single modes stand out of their neighbors on the lines where stripes and checkerboards have theirs.

    Along each line, the mean power of 3 x 3 cells about a mode is compared with the mean of the logarithms of modes three
    to six cells away on the same line, which a galaxy that lies along it lifts as well.

    Returns
    -------
    periods : ndarray [band, period], float64
        Excess of the period, the largest of those along x, y and the diagonals, dex of amplitude.
    largest : ndarray [band, line], float64
        Largest excess along x, y and the diagonals of all periods up to 8 px, dex of amplitude.
    """
    plane = spectra.plane
    power = spectra.power[:, plane.lines].mean(axis=2, dtype=np.float64) + ROUNDING**2
    about = np.log10(power[:, :, plane.near].mean(axis=2))
    excess = 0.5 * (about - np.log10(power)[:, :, plane.beside].mean(axis=2))
    excess = np.concatenate([excess[:, :2], excess[:, 2:].max(axis=1, keepdims=True)], axis=1)
    return excess[:, :, plane.places].max(axis=1), excess[:, :, plane.first :].max(axis=2)


@lru_cache(maxsize=64)
def plane_of(height: int, width: int) -> Plane:
    """Sort the cells of the half spectrum of an image of this size, pixels."""
    across = np.abs(fft.fftfreq(height))[:, np.newaxis]
    along = fft.rfftfreq(width)[np.newaxis, :]
    frequency = np.hypot(across, along)
    # a cell off the edges of the half plane stands for two
    weight = np.full(frequency.shape, 2.0)
    weight[:, 0] = 1.0
    if width % 2 == 0:
        weight[:, -1] = 1.0
    near_axis = np.minimum(across, along) < math.tan(math.pi / 8) * np.maximum(across, along)
    least = SKY_CELLS / min(height, width)

    def ring(shortest: float, longest: float) -> NDArray[np.bool_]:
        return (frequency <= 1 / shortest) & (frequency > 1 / longest) & (frequency >= least)

    sectors = [ring(*ends) & part for ends in AXES_PERIODS.values() for part in (near_axis, ~near_axis)]
    rings = [*(ring(*ends) for ends in COHERENCE_PERIODS.values()), frequency > NOISE_FREQUENCY]
    short = min(height, width)
    last = short // 2
    steps = np.arange(last + 1)
    near, beside = (_reflected(steps + np.array(shifts)[:, np.newaxis], short) for shifts in (ACROSS, BESIDE))
    return Plane(
        _means(sectors, weight),
        _means(rings, weight),
        _waves(rings[-2::-1], weight, height, width),
        _line_cells(height, width, steps / short),
        near,
        np.maximum(beside, math.ceil(SKY_CELLS)),
        tuple(min(round(short / period), last) for period in PERIODS),
        math.ceil(short / LONGEST_LINE_PERIOD),
    )


def _side(length: int) -> int:
    """Side that is transformed: of few sizes, and even or odd as the image's, so that its middle is the image's."""
    odd = length % 2
    return min((length - odd) // STEP * STEP, MOST_SIDE) + odd


@lru_cache(maxsize=64)
def _window(height: int, width: int) -> Floats:
    """Hann's window, which is the same from either side."""
    profiles = [np.sin(np.pi * (np.arange(side) + 0.5) / side) ** 2 for side in (height, width)]
    return np.outer(*profiles)


def _means(members: Sequence[NDArray[np.bool_]], weight: Floats) -> NDArray[np.float32]:
    """Weights that make means over sets of cells, [cell, set]; NaN where a set is empty."""
    weights = np.stack([(weight * inside).ravel() for inside in members], axis=1)
    with np.errstate(invalid="ignore"):
        return np.asarray(weights / weights.sum(axis=0), dtype=np.float32)


def _waves(rings: Sequence[NDArray[np.bool_]], weight: Floats, height: int, width: int) -> Waves:
    """List the cells of rings, one ring after another."""
    cells = [np.flatnonzero(ring) for ring in rings]
    joined = np.concatenate(cells)
    row, column = np.divmod(joined, width // 2 + 1)
    return Waves(
        joined,
        row,
        column,
        weight.ravel()[joined],
        np.cumsum([len(one) for one in cells]),
        fft.fftfreq(height),
        fft.rfftfreq(width),
    )


def _reflected(places: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    """Bring places on a line back to its half: the spectrum of a real image is the same on both sides."""
    folded = np.abs(places)
    return np.where(folded > length // 2, length - folded, folded)


def _line_cells(height: int, width: int, frequency: Floats) -> NDArray[np.int64]:
    """Cells of the half spectrum along x, y and the two diagonals, three abreast, [line, across, k]."""
    none = np.zeros_like(frequency)

    def cells(x: Floats, y: Floats, *steps: tuple[int, int]) -> NDArray[np.int64]:
        columns = np.rint(x * width).astype(np.int64)
        rows = np.rint(y * height).astype(np.int64)
        return np.stack([_cell(columns + right, rows + up, height, width) for right, up in steps])

    return np.stack(
        [
            cells(frequency, none, (0, -1), (0, 0), (0, 1)),
            cells(none, frequency, (-1, 0), (0, 0), (1, 0)),
            cells(frequency, frequency, (1, -1), (0, 0), (-1, 1)),
            cells(frequency, -frequency, (1, 1), (0, 0), (-1, -1)),
        ]
    )


def _cell(column: NDArray[np.int64], row: NDArray[np.int64], height: int, width: int) -> NDArray[np.int64]:
    """Place in the flattened half spectrum; the other half is its mirror image through the origin."""
    column = (column + width // 2) % width - width // 2
    column, row = np.where(column < 0, -column, column), np.where(column < 0, -row, row)
    return np.asarray((row % height) * (width // 2 + 1) + column, dtype=np.int64)
