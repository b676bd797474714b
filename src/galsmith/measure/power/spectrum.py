"""Power spectrum of a galaxy in 15 modes, in two binnings (Holzschuh et al. 2022, section 4.1.2)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from galsmith.measure.power.kernels import LEFT_OUT, ModeRuns, amplitude_sums, runs_of
from galsmith.measure.properties.registry import N_POWER_MODES

GRID_PIX = 256
WAVELENGTH_EDGES = (2, 5, 9, 16, 24, 34, 46, 60, 76, 93, 113, 134, 157, 181)
WAVELENGTH_EDGE_UNIT = 181
IMAGES_AT_ONCE = 8
ORDINARY_EXPONENT = (
    20  # of the largest pixel, base 2: amplitudes of 4096 px squared stay far from float32's ends
)

Array = NDArray[np.float64]
Binning = Literal["wavelength", "rings"]
Precision = Literal["float32", "float64"]
BINNINGS: tuple[Binning, ...] = ("wavelength", "rings")


@dataclass(frozen=True)
class PowerBinning:
    """Which mode each cell of a half spectrum belongs to.

    Attributes
    ----------
    mode_of_cell : ndarray [frequency_y, frequency_x], int64
        0 to 14, or -1 for cells that are left out.
    weight_of_cell : ndarray [frequency_y, frequency_x], float64
        2 for cells that stand for two of the full spectrum, else 1.
    cells_of_mode : ndarray [mode], float64
        Cells of the full spectrum in each mode; 0 where a small grid has none.
    n_columns : int
        So many frequencies along x, from 0 up, hold all cells that are not left out.
    runs : ModeRuns
        The cells of these columns in runs of one mode, for the compiled sums.
    """

    mode_of_cell: NDArray[np.int64]
    weight_of_cell: Array
    cells_of_mode: Array
    n_columns: int
    runs: ModeRuns


def log_power(
    images: Sequence[NDArray[Any]] | NDArray[Any],
    *,
    binning: Binning = "wavelength",
    precision: Precision = "float32",
) -> Array:
    """Power of many images, which may differ in size.

    Parameters
    ----------
    images : sequence of ndarray [y, x], or ndarray [image, y, x], float
        Flux per pixel.
    binning : {"wavelength", "rings"}
        As `log_power_wavelength` and `log_power_rings`.
    precision : {"float32", "float64"}
        Of the Fourier transform; sums are float64. A mode differs by less than 1e-5 dex between the two.

    Returns
    -------
    ndarray [image, mode], float64
        In dex; NaN where the mean is 0, the grid has no such cell, or a pixel is not finite.
    """
    modes = np.full((len(images), N_POWER_MODES), np.nan)
    by_shape: dict[tuple[int, ...], list[int]] = {}
    for place, image in enumerate(images):
        by_shape.setdefault(image.shape, []).append(place)
    for shape, places in by_shape.items():
        for start in range(0, len(places), IMAGES_AT_ONCE):
            some = places[start : start + IMAGES_AT_ONCE]
            stack = np.stack([np.asarray(images[place]) for place in some])
            modes[some] = _log_means(stack, binning, shape, precision)
    return modes


def power_columns(images: Sequence[NDArray[Any]], binning: Binning, *, suffix: str) -> dict[str, Array]:
    """Modes of one binning by the names of their columns, which end in the band where there are several.

    Parameters
    ----------
    images : sequence of ndarray [y, x]
        Flux per pixel of one band; what is no float is made one.
    binning : {"wavelength", "rings"}
        As `log_power` takes it.
    suffix : str
        Such as ``"_g"``, or nothing.

    Returns
    -------
    dict of column to ndarray [image], float64
        In dex.
    """
    pixels = [image if image.dtype.kind == "f" else image.astype(np.float64) for image in images]
    modes = log_power(pixels, binning=binning)
    return {f"power_{binning}_{mode:02d}{suffix}": modes[:, mode] for mode in range(N_POWER_MODES)}


def log_power_wavelength(stamp: Array) -> Array:
    """Power by wavelength: the definition in the paper's text; all image sizes share the frequencies.

    Parameters
    ----------
    stamp : ndarray [y, x], float64
        Flux per pixel. It is padded by zeros to 256 px, or to its longer side where that is more.

    Returns
    -------
    ndarray [mode], float64
        log10 of the mean |F|/N^2 over the mode's cells, N^2 the number of pixels of the stamp, in dex.
        Mode 0 is the frequency 0 alone; mode k has f/f_max in (edge k-1, edge k] with f_max the corner of
        the Fourier plane, 1/(sqrt(2) pixel). NaN where the mean is 0.
    """
    return log_power([stamp], binning="wavelength", precision="float64")[0]


def log_power_rings(stamp: Array) -> Array:
    """Power by rings of integer radius on the stamp's own grid: the binning behind the paper's tables.

    Parameters
    ----------
    stamp : ndarray [y, x], float64
        Flux per pixel.

    Returns
    -------
    ndarray [mode], float64
        log10 of the mean |F|/N^2 over the cells with floor(radius) = mode about the frequency 0, in dex.
        NaN where the mean is 0 or the grid has no such cell.
    """
    return log_power([stamp], binning="rings", precision="float64")[0]


@lru_cache(maxsize=8)
def wavelength_binning(side_pix: int) -> PowerBinning:
    """Cells of the 15 wavelength modes on a square grid of `side_pix`."""
    radius = np.hypot(fft.fftfreq(side_pix)[:, np.newaxis], fft.rfftfreq(side_pix)) * np.sqrt(2)
    edges = np.array(WAVELENGTH_EDGES) / WAVELENGTH_EDGE_UNIT
    mode = np.searchsorted(edges, radius - 1e-12) + 1
    mode[0, 0] = 0
    return _binning(np.minimum(mode, N_POWER_MODES - 1), side_pix)


@lru_cache(maxsize=256)
def rings_binning(height_pix: int, width_pix: int) -> PowerBinning:
    """Cells of the 15 ring modes on a grid of the given size."""
    rows = fft.fftfreq(height_pix) * height_pix
    columns = fft.rfftfreq(width_pix) * width_pix
    mode = np.floor(np.hypot(np.round(rows)[:, np.newaxis], np.round(columns))).astype(np.int64)
    return _binning(np.where(mode < N_POWER_MODES, mode, LEFT_OUT), width_pix)


def average_spectrum_db(stamps: Iterable[Array], *, side_pix: int = GRID_PIX) -> Array:
    """Average two-dimensional spectrum of many galaxies, in decibels.

    Parameters
    ----------
    stamps : iterable of ndarray [y, x], float64
        Flux per pixel, padded by zeros to `side_pix`; those with pixels that are not finite are left out.
    side_pix : int
        Side of the result.

    Returns
    -------
    ndarray [frequency_y, frequency_x], float64
        20 log10 of the mean |F|/N^2, frequency 0 at ``side_pix // 2``; NaN where it is 0.

    Raises
    ------
    ValueError
        If a stamp is larger than the grid or none is left.
    """
    total = np.zeros((side_pix, side_pix))
    count = 0
    for stamp in stamps:
        if max(stamp.shape) > side_pix:
            raise ValueError(
                f"stamp has shape {stamp.shape} for a grid of {side_pix} px; wanted side_pix as large"
            )
        if np.isfinite(stamp).all():
            total += np.abs(fft.fft2(stamp, (side_pix, side_pix))) / stamp.size
            count += 1
    if count == 0:
        raise ValueError("stamps has none whose pixels are all finite; wanted one or more")
    mean = fft.fftshift(total / count)
    return 20 * np.log10(np.where(mean > 0, mean, np.nan))


def _half_spectra(stack: NDArray[Any], shape: tuple[int, ...], n_columns: int) -> NDArray[Any]:
    """Fourier transforms padded to `shape`, of the first x frequencies; rows of padding are never transformed."""
    along_x = np.ascontiguousarray(fft.rfft(stack, n=shape[1], axis=2)[:, :, :n_columns])
    return np.ascontiguousarray(fft.fft(along_x, n=shape[0], axis=1, overwrite_x=True))


def _binning(mode: NDArray[np.int64], width_pix: int) -> PowerBinning:
    """Weigh and count the cells of each mode."""
    weight = np.full(mode.shape, 2.0)
    weight[:, 0] = 1.0
    if width_pix % 2 == 0:
        weight[:, -1] = 1.0
    kept = mode != LEFT_OUT
    cells = np.asarray(np.bincount(mode[kept], weight[kept], N_POWER_MODES), dtype=np.float64)
    for array in (mode, weight, cells):
        array.setflags(write=False)
    n_columns = int(np.flatnonzero(kept.any(axis=0))[-1]) + 1
    return PowerBinning(mode, weight, cells, n_columns, runs_of(mode[:, :n_columns], weight[:, :n_columns]))


def _log_means(stack: NDArray[Any], binning: Binning, shape: tuple[int, ...], precision: Precision) -> Array:
    """log10 of the mean amplitude of each mode over the number of pixels, of images of one shape."""
    side = max(GRID_PIX, *shape)
    cells = wavelength_binning(side) if binning == "wavelength" else rings_binning(*shape)
    grid = (side, side) if binning == "wavelength" else shape
    with np.errstate(all="ignore"):
        scaled, exponent, usable = _scaled(stack, precision)
        sums = amplitude_sums(_half_spectra(scaled, grid, cells.n_columns), cells.runs, N_POWER_MODES)
        counted = np.where(cells.cells_of_mode > 0, cells.cells_of_mode, np.nan)
        means = np.ldexp(sums / counted, exponent[:, np.newaxis]) / (shape[0] * shape[1])
        return np.log10(np.where(usable[:, np.newaxis] & (means > 0), means, np.nan))


def _scaled(
    stack: NDArray[Any], precision: Precision
) -> tuple[NDArray[Any], NDArray[np.int64], NDArray[np.bool_]]:
    """Bring images of very faint or bright units to about 1 by a power of 2, so that no float32 over- or underflows.

    Returns the images, zero where one has a pixel that is not finite or nothing but zeros; the exponents, 0
    where the unit is an ordinary one; and which images are usable.
    """
    largest = np.maximum(stack.max(axis=(1, 2)), -stack.min(axis=(1, 2)))
    usable = np.isfinite(largest) & (largest > 0)
    exponent = np.frexp(np.where(usable, largest, 1.0))[1].astype(np.int64)
    exponent[np.abs(exponent) <= ORDINARY_EXPONENT] = 0
    if not usable.all():
        stack = np.where(usable[:, np.newaxis, np.newaxis], stack, 0)
    if exponent.any():
        stack = np.ldexp(stack, -exponent[:, np.newaxis, np.newaxis])
    return stack.astype(precision, copy=False), exponent, usable
