"""The power spectra of several generated sets over that of the reference, one panel a band."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from galsmith.compare import Comparison
from galsmith.report.panels.axes import Axis, Tick, band_path, line_path
from galsmith.report.panels.overlays import line_style
from galsmith.report.panels.spectra import (
    BOTTOM,
    LEFT,
    LOWER_TOP,
    MIDDLE_BOTTOM,
    RIGHT,
    TOP,
    Spectrum,
    across_wavelengths,
    spectra_of,
)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class OverlaidSpectra:
    """The modes of one band of all sets that have the same modes.

    Attributes
    ----------
    names : list of str
        Of the generated sets.
    styles : list of int
        Their line styles, from 1 on.
    spectra : list of Spectrum
        One a set; the reference is in each.
    floor : ndarray [mode], float64
        The largest floor of any set, in dex.
    """

    names: list[str]
    styles: list[int]
    spectra: list[Spectrum]
    floor: Floats

    @property
    def differences(self) -> list[Floats]:
        """Median of each set less that of the reference, [mode], in dex."""
        return [one.generated[1] - one.reference[1] for one in self.spectra]


@dataclass(frozen=True)
class OverlaidSpectraPanel:
    """What the page draws of one band; paths are for the attribute ``d``."""

    data: OverlaidSpectra
    band: str
    unit: str
    reference_band: str
    reference_line: str
    lines: list[str]
    differences: list[str]
    floor_band: str
    zero: float
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    lower_ticks: list[Tick]


def overlaid_spectra(comparisons: dict[str, Comparison]) -> list[OverlaidSpectra]:
    """Put the spectra of all sets together, band by band.

    Parameters
    ----------
    comparisons : dict of str to Comparison
        By name of the generated set, in the order of the card.
    """
    by_band: dict[str, list[tuple[str, int, Spectrum]]] = {}
    for place, (name, comparison) in enumerate(comparisons.items()):
        for spectrum in spectra_of(comparison):
            by_band.setdefault(spectrum.band, []).append((name, line_style(place), spectrum))
    found = []
    for members in by_band.values():
        wavelength = members[0][2].wavelength
        alike = [item for item in members if np.array_equal(item[2].wavelength, wavelength)]
        floor = np.max([spectrum.floor for _, _, spectrum in alike], axis=0)
        names, styles, spectra = (list(column) for column in zip(*alike, strict=True))
        found.append(OverlaidSpectra(names, styles, spectra, floor))
    return found


def overlaid_panel(data: OverlaidSpectra) -> OverlaidSpectraPanel:
    """Draw one band: spectra above, differences of the medians below."""
    first = data.spectra[0]
    across = across_wavelengths(first, LEFT, RIGHT)
    medians = [one.generated[1] for one in data.spectra]
    every = np.concatenate([first.reference.ravel(), *medians])
    margin = 0.05 * float(np.ptp(every)) + 1e-6
    up = Axis(float(every.min()) - margin, float(every.max()) + margin, MIDDLE_BOTTOM, TOP)
    farthest = max(float(np.abs(one).max()) for one in data.differences)
    reach = 1.15 * max(farthest, float(2 * data.floor.max()), 1e-3)
    lower = Axis(-reach, reach, BOTTOM, LOWER_TOP)
    x = across.at(first.wavelength)
    return OverlaidSpectraPanel(
        data,
        first.band,
        first.unit,
        band_path(x, up.at(first.reference[0]), up.at(first.reference[2])),
        line_path(x, up.at(first.reference[1])),
        [line_path(x, up.at(one)) for one in medians],
        [line_path(x, lower.at(one)) for one in data.differences],
        band_path(x, lower.at(-data.floor), lower.at(data.floor)),
        float(lower.at(0.0)),
        across.ticks(),
        up.ticks(5),
        lower.ticks(3),
    )
