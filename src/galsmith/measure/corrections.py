"""What noise and blur took from asymmetry, concentration, Gini and M20, estimated from what the image tells.

Polynomials of second degree, fitted to galaxies of known truth that were blurred, binned and made noisy, after the plan of
Sazonova et al. (2025, arXiv:2511.09644). ``benchmarks/measure/corrections.py`` makes ``corrections.json`` anew.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from galsmith.measure.engine.batch import GalaxyInput
from galsmith.measure.flags import CATASTROPHIC, CORRECTION_OUTSIDE_GRID, CORRECTION_UNDEFINED
from galsmith.measure.properties.morphology import CORRECTED_QUANTITIES, corrected_column, correction_column
from galsmith.measure.row import Measured
from galsmith.measure.settings import MeasureSettings

FEATURES = (
    "one over sn_per_pixel",
    "width of the point spread over r_half",
    *("asymmetry", "concentration", "gini", "m20"),
    "signed root of rms_asymmetry_squared",
)
FILE = "corrections.json"
_PER_FWHM = 2 * math.sqrt(2 * math.log(2))
# variance of a pixel of side 1
_OF_PIXEL = 1 / 12
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Correction:
    """The correction of one quantity.

    Attributes
    ----------
    coefficients : ndarray [term], float64
        Of `terms_of` the features less `middle`, over `scale`.
    middle, scale, low, high : ndarray [feature], float64
        Mean and deviation on the grid, and where it ends.
    scatter : float
        Of the corrected quantity about the truth, root mean square, on galaxies held out of the fit.
    """

    coefficients: Floats
    middle: Floats
    scale: Floats
    low: Floats
    high: Floats
    scatter: float

    def is_known(self, features: Floats) -> bool:
        """Whether the features lie within the grid."""
        return bool(((features >= self.low) & (features <= self.high)).all())

    def size(self, features: Floats) -> float:
        """Give what is to be added."""
        return float(terms_of((features - self.middle) / self.scale) @ self.coefficients)


def terms_of(scaled: Floats) -> Floats:
    """Give one, all features, and all their products by twos, [..., term]."""
    first, second = np.triu_indices(scaled.shape[-1])
    ones = np.ones((*scaled.shape[:-1], 1))
    return np.concatenate([ones, scaled, scaled[..., first] * scaled[..., second]], axis=-1)


def features_of(values: Mapping[str, float], psf_fwhm_pix: float) -> Floats:
    """Give `FEATURES` of one galaxy, [feature] float64; NaN for what is not known."""
    squared = values["rms_asymmetry_squared"]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.array(
            [
                np.divide(1.0, values["sn_per_pixel"]),
                np.divide(psf_fwhm_pix, values["r_half_pix"]),
                *(values[name] for name in CORRECTED_QUANTITIES),
                math.copysign(math.sqrt(abs(squared)), squared),
            ]
        )


def width_of(psf: NDArray[np.float64], *, kind: str) -> float:
    """Width (FWHM) of the Gaussian of as many noise pixels as a point spread function, in pixels.

    Parameters
    ----------
    psf : ndarray [y, x], float64
        As it was given.
    kind : {"effective", "optical"}
        Whether the pixel is in it, which is then taken off.
    """
    # of a Gaussian the squared sum over the sum of squares is 4 pi sigma^2 (King 1983)
    variance = psf.sum() ** 2 / (psf**2).sum() / (4 * math.pi)
    return _PER_FWHM * math.sqrt(max(variance - (_OF_PIXEL if kind == "effective" else 0.0), 0.0))


@cache
def corrections() -> dict[str, Correction]:
    """Read the corrections that were fitted."""
    stored = json.loads((files("galsmith.measure") / FILE).read_text("utf-8"))
    return {
        name: Correction(
            **{part: np.array(values) for part, values in one.items() if part != "scatter"},
            scatter=one["scatter"],
        )
        for name, one in stored["quantities"].items()
    }


def add_corrections(result: Measured, galaxy: GalaxyInput, settings: MeasureSettings) -> None:
    """Add corrected quantities, and how large the corrections are; NaN and a flag where they are not known.

    Parameters
    ----------
    result : Measured
        Of the galaxy; gets values ``<name>_corrected`` and ``<name>_correction``.
    galaxy : GalaxyInput
        Whose point spread function counts, or else that of the settings.
    settings : MeasureSettings
        As `resolved_settings` gave them.
    """
    columns = [(corrected_column(name), correction_column(name)) for name in CORRECTED_QUANTITIES]
    result.values.update(dict.fromkeys((column for pair in columns for column in pair), math.nan))
    if result.flag == CATASTROPHIC:
        return
    fwhm = settings.psf_fwhm_pix if galaxy.psf is None else None
    if galaxy.psf is not None:
        fwhm = width_of(np.asarray(galaxy.psf, dtype=np.float64), kind=galaxy.psf_kind or settings.psf_kind)
    features = features_of(result.values, math.nan if fwhm is None else fwhm)
    if not np.isfinite(features).all():
        result.flags.append(CORRECTION_UNDEFINED.name)
        return
    for name, correction in corrections().items():
        if not correction.is_known(features):
            if CORRECTION_OUTSIDE_GRID.name not in result.flags:
                result.flags.append(CORRECTION_OUTSIDE_GRID.name)
            continue
        size = correction.size(features)
        result.values[correction_column(name)] = size
        result.values[corrected_column(name)] = result.values[name] + size
