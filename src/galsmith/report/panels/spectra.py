"""The power spectrum of both sides: median and 16-84 % band of each mode against wavelength."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from galsmith.compare import Comparison, Distance
from galsmith.compare.marginal.columns import band_of, mode_of
from galsmith.measure.power.spectrum import WAVELENGTH_EDGE_UNIT, WAVELENGTH_EDGES
from galsmith.report.panels.axes import Axis, Tick, band_path, line_path

WIDTH, HEIGHT = 460, 400
LEFT, RIGHT, TOP = 68, 448, 12
MIDDLE_BOTTOM, LOWER_TOP, BOTTOM = 262, 284, 350
GROUP = "power_wavelength"

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Spectrum:
    """The modes of one band.

    Attributes
    ----------
    band : str
        Empty where there is only one.
    wavelength : ndarray [mode], float64
        Geometric middle of each mode from 1 on, in `unit`.
    unit : str
        ``"arcsec"`` or ``"pixels"``.
    reference, generated : ndarray [3, mode], float64
        16th, 50th and 84th percentile of log10 power.
    floor : ndarray [mode], float64
        Floor of each mode's distance, in dex.
    """

    band: str
    wavelength: Floats
    unit: str
    reference: Floats
    generated: Floats
    floor: Floats


@dataclass(frozen=True)
class SpectrumPanel:
    """What the page draws of one band; paths are for the attribute ``d``."""

    spectrum: Spectrum
    reference_band: str
    reference_line: str
    generated_band: str
    generated_line: str
    difference_line: str
    difference_points: list[tuple[float, float]]
    floor_band: str
    zero: float
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    lower_ticks: list[Tick]


def mode_wavelengths_pix() -> Floats:
    """Wavelengths of modes 1 to 14 in pixels, [mode]: the geometric middle of each mode's frequency range.

    The edges are f/f_max = r/181 with f_max = 1/(sqrt(2) pixel) (Holzschuh et al. 2022, Table 2). Mode 1
    starts at frequency 0; half its upper edge stands for its lower one.
    """
    edges = np.array([WAVELENGTH_EDGES[0] / 2, *WAVELENGTH_EDGES], dtype=np.float64)
    frequency = np.sqrt(edges[:-1] * edges[1:]) / WAVELENGTH_EDGE_UNIT
    return np.sqrt(2) / frequency


def spectra_of(comparison: Comparison) -> list[Spectrum]:
    """Collect the modes of every band; a band with fewer than three modes is left out."""
    by_band: dict[str, list[Distance]] = {}
    for distance in comparison.distances:
        if distance.group == GROUP and not distance.reason and mode_of(distance.column):
            by_band.setdefault(band_of(distance.column), []).append(distance)
    return [_spectrum(band, modes, comparison) for band, modes in by_band.items() if len(modes) > 2]


def spectrum_panel(spectrum: Spectrum) -> SpectrumPanel:
    """Draw one band: spectra above, difference of the medians below."""
    x_axis = across_wavelengths(spectrum, LEFT, RIGHT)
    both = np.concatenate([spectrum.reference, spectrum.generated])
    margin = 0.05 * float(np.ptp(both)) + 1e-6
    y_axis = Axis(float(both.min()) - margin, float(both.max()) + margin, MIDDLE_BOTTOM, TOP)
    difference = spectrum.generated[1] - spectrum.reference[1]
    reach = 1.15 * max(float(np.abs(difference).max()), float(2 * spectrum.floor.max()), 1e-3)
    lower = Axis(-reach, reach, BOTTOM, LOWER_TOP)
    x = x_axis.at(spectrum.wavelength)
    return SpectrumPanel(
        spectrum=spectrum,
        reference_band=band_path(x, y_axis.at(spectrum.reference[0]), y_axis.at(spectrum.reference[2])),
        reference_line=line_path(x, y_axis.at(spectrum.reference[1])),
        generated_band=band_path(x, y_axis.at(spectrum.generated[0]), y_axis.at(spectrum.generated[2])),
        generated_line=line_path(x, y_axis.at(spectrum.generated[1])),
        difference_line=line_path(x, lower.at(difference)),
        difference_points=list(zip(x.tolist(), lower.at(difference).tolist(), strict=True)),
        floor_band=band_path(x, lower.at(-spectrum.floor), lower.at(spectrum.floor)),
        zero=float(lower.at(0.0)),
        x_ticks=x_axis.ticks(),
        y_ticks=y_axis.ticks(5),
        lower_ticks=lower.ticks(3),
    )


def across_wavelengths(spectrum: Spectrum, start: float, end: float) -> Axis:
    """Axis of wavelength from `start` to `end` in pixels of the drawing, long waves at the left."""
    longest, shortest = spectrum.wavelength.max(), spectrum.wavelength.min()
    return Axis(float(longest) * 1.1, float(shortest) / 1.1, start, end, is_log=True)


def _spectrum(band: str, modes: list[Distance], comparison: Comparison) -> Spectrum:
    """Collect the percentiles of one band's modes."""
    scale = comparison.reference.pixel_scale_arcsec
    places = np.array([mode_of(item.column) for item in modes], dtype=np.int64) - 1
    return Spectrum(
        band=band,
        wavelength=mode_wavelengths_pix()[places] * (1.0 if scale is None else scale),
        unit="pixels" if scale is None else "arcsec",
        reference=np.array([(m.reference.low, m.reference.median, m.reference.high) for m in modes]).T,
        generated=np.array([(m.generated.low, m.generated.median, m.generated.high) for m in modes]).T,
        floor=np.array([item.floor * item.scale for item in modes]),
    )
