"""Places of the quantities in the row of float64 numbers that the engine fills for one galaxy.

Made from the declared properties, so that a name, its place and its column in a table cannot drift apart.
"""

from collections import namedtuple
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from galsmith.measure.engine.sersic.double_fit import DoubleSersicFit
from galsmith.measure.engine.sersic.fit import SersicFit
from galsmith.measure.engine.stamp import Stamp
from galsmith.measure.properties.morphology import KERNEL_PROPERTIES

ENGINE_COLUMNS: tuple[str, ...] = tuple(entry.name for entry in KERNEL_PROPERTIES)
N_COLUMNS = len(ENGINE_COLUMNS)

# Kernels read ``PLACE.gini``: numba sees a named tuple of constants, and a misspelled name does not compile.
PLACE: Any = namedtuple("Place", ENGINE_COLUMNS)(*range(N_COLUMNS))
# as `uncertainty.KNOWN` orders them
_UNCERTAINTIES = [entry.name for entry in KERNEL_PROPERTIES if entry.group == "sersic_uncertainty"]
_SIGMAS = [ENGINE_COLUMNS.index(name) for name in _UNCERTAINTIES if "_sigma" in name]
_CORRELATIONS = [ENGINE_COLUMNS.index(name) for name in _UNCERTAINTIES if name.endswith("_correlation")]
_PAIRS = np.triu_indices(5, 1)


@cache
def columns_of(*, sersic: str, double_sersic: bool) -> tuple[str, ...]:
    """Columns that a measurement has: those of fits that were not asked for are left out.

    Parameters
    ----------
    sersic : {"integrated", "parity", "none"}
        How one Sérsic law is fitted; statmorph's steps tell no uncertainties.
    double_sersic : bool
        Whether two Sérsic laws of one center are fitted.
    """
    groups = {"sersic": sersic != "none", "sersic_uncertainty": sersic == "integrated"}
    groups["double_sersic"] = double_sersic
    without = {entry.name for entry in KERNEL_PROPERTIES if not groups.get(entry.group, True)}
    if sersic == "none":
        without.add("sersic_index")
    return tuple(name for name in ENGINE_COLUMNS if name not in without)


def tell_sersic(fit: SersicFit, stamp: Stamp, row: NDArray[np.float64]) -> None:
    """Write the fit of one Sérsic law."""
    row[PLACE.sersic_amplitude], row[PLACE.sersic_index] = fit.amplitude, fit.sersic_index
    row[PLACE.sersic_r_eff_pix] = fit.r_eff
    row[PLACE.sersic_ellipticity], row[PLACE.sersic_orientation_rad] = fit.ellipticity, fit.orientation_rad
    row[PLACE.sersic_x_pix], row[PLACE.sersic_y_pix] = fit.x + stamp.x_min, fit.y + stamp.y_min
    row[PLACE.sersic_chi2_dof] = fit.chi2_dof
    row[PLACE.sersic_aic], row[PLACE.sersic_bic] = fit.aic, fit.bic
    row[PLACE.sersic_flux] = fit.flux
    variances = np.diag(fit.covariance)
    # rounding may leave a variance of zero below it
    sigmas = np.sqrt(np.where(variances >= 0.0, variances, np.nan))
    row[_SIGMAS] = sigmas
    with np.errstate(invalid="ignore", divide="ignore"):
        row[_CORRELATIONS] = (fit.covariance / np.outer(sigmas, sigmas))[_PAIRS]


def tell_double_sersic(fit: DoubleSersicFit, stamp: Stamp, row: NDArray[np.float64]) -> None:
    """Write the fit of two Sérsic laws."""
    row[PLACE.double_sersic_x_pix], row[PLACE.double_sersic_y_pix] = fit.x + stamp.x_min, fit.y + stamp.y_min
    row[PLACE.double_sersic_amplitude_1], row[PLACE.double_sersic_amplitude_2] = (
        fit.amplitude_1,
        fit.amplitude_2,
    )
    row[PLACE.double_sersic_r_eff_1_pix], row[PLACE.double_sersic_r_eff_2_pix] = fit.r_eff_1, fit.r_eff_2
    row[PLACE.double_sersic_index_1], row[PLACE.double_sersic_index_2] = fit.index_1, fit.index_2
    row[PLACE.double_sersic_ellipticity_1] = fit.ellipticity_1
    row[PLACE.double_sersic_ellipticity_2] = fit.ellipticity_2
    row[PLACE.double_sersic_orientation_1_rad] = fit.orientation_1_rad
    row[PLACE.double_sersic_orientation_2_rad] = fit.orientation_2_rad
    row[PLACE.double_sersic_chi2_dof] = fit.chi2_dof
    row[PLACE.double_sersic_aic], row[PLACE.double_sersic_bic] = fit.aic, fit.bic
