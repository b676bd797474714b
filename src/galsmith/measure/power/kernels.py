"""Summing the amplitudes of half spectra by mode, compiled: runs of cells of one mode and one weight in a row."""

import math
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

LEFT_OUT = -1


@dataclass(frozen=True)
class ModeRuns:
    """Cells of a half spectrum in runs, row after row, cells that are left out skipped.

    Attributes
    ----------
    start, stop : ndarray [run], int64
        Flat indices of the half spectrum.
    mode : ndarray [run], int64
        Which mode the run belongs to.
    weight : ndarray [run], float64
        How many cells of the full spectrum each of its cells stands for.
    """

    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    mode: NDArray[np.int64]
    weight: NDArray[np.float64]


def runs_of(mode_of_cell: NDArray[np.int64], weight_of_cell: NDArray[np.float64]) -> ModeRuns:
    """Cut a half spectrum into runs.

    Parameters
    ----------
    mode_of_cell : ndarray [frequency_y, frequency_x], int64
        -1 for cells that are left out.
    weight_of_cell : ndarray [frequency_y, frequency_x], float64
        1 or 2.
    """
    modes, weights = mode_of_cell.ravel(), weight_of_cell.ravel()
    rows = np.repeat(np.arange(mode_of_cell.shape[0]), mode_of_cell.shape[1])
    changes = (np.diff(modes) != 0) | (np.diff(weights) != 0) | (np.diff(rows) != 0)
    edges = np.concatenate([[0], np.flatnonzero(changes) + 1, [modes.size]])
    kept = modes[edges[:-1]] != LEFT_OUT
    start = edges[:-1][kept]
    return ModeRuns(start, edges[1:][kept], modes[start], weights[start])


def amplitude_sums(half_spectra: NDArray[Any], runs: ModeRuns, n_modes: int) -> NDArray[np.float64]:
    """Weighted sum of the amplitudes of each mode.

    Parameters
    ----------
    half_spectra : ndarray [image, frequency_y, frequency_x], complex64 or complex128
        C-contiguous.
    runs : ModeRuns
        Of this grid.
    n_modes : int
        How many modes there are.

    Returns
    -------
    ndarray [image, mode], float64
        Within a run (at most one row) summed in the precision of the spectra, over runs in float64.
    """
    sums = np.zeros((len(half_spectra), n_modes))
    flat = half_spectra.reshape(len(half_spectra), -1)
    _sum_runs(flat, (runs.start, runs.stop, runs.mode), runs.weight, sums)
    return sums


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
def _sum_runs(
    spectra: NDArray[Any],
    cells: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]],
    weight: NDArray[np.float64],
    sums: NDArray[np.float64],
) -> None:
    """Add every run of every spectrum to the sum of its mode; `cells` are starts, stops and modes of the runs."""
    start, stop, mode = cells
    for image in range(spectra.shape[0]):
        spectrum = spectra[image]
        for run in range(start.size):
            total = spectrum[0].real * 0
            for cell in range(start[run], stop[run]):
                value = spectrum[cell]
                total += math.sqrt(value.real * value.real + value.imag * value.imag)
            sums[image, mode[run]] += weight[run] * total
