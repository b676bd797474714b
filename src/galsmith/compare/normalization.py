"""Units of a distance: raw, or the reference set's own spread."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from galsmith.errors import SettingsError
from galsmith.measure.properties.registry import declared_properties
from galsmith.settings import near_miss

Floats = NDArray[np.float64]
Normalization = str | Mapping[str, str]

# An interquartile range over this is the standard deviation of a Gaussian.
# Pixels are float32, whose last place is 1.2e-7: what spreads less than some of these is one value and its rounding.
ROUNDING = 1e-6
GAUSSIAN_IQR = 1.3489795003921634


def _one(reference: Floats) -> float:
    """Return 1: values stay in their unit."""
    return 1.0


def _standard_deviation(reference: Floats) -> float:
    """Return the standard deviation of the reference set about its mean (dividing by n)."""
    # By n - 1, a set of 100 would have a unit half a percent larger.
    return float(reference.std())


def _interquartile_sigma(reference: Floats) -> float:
    """Return the interquartile range over 1.349, which outliers do not widen."""
    low, high = np.percentile(reference, [25, 75])
    return float(high - low) / GAUSSIAN_IQR


def _no_influence(reference: Floats) -> Floats:
    """Return 0: a unit that is given has no error."""
    return np.zeros(len(reference))


def _influence_on_standard_deviation(reference: Floats) -> Floats:
    """Return (z^2 - 1) / 2 of each standardized value z: half the relative error of the variance."""
    return 0.5 * (((reference - reference.mean()) / reference.std()) ** 2 - 1)


def _influence_on_interquartile_range(reference: Floats) -> Floats:
    """Return what each value adds to the relative error of the interquartile range.

    A quantile moves by (p - 1[x <= q]) / f(q) (Serfling 1980, sec. 2.5.1), with the density f from the quantiles p -+ h
    beside it, h = n^(-1/3) / 4.
    """
    step = 0.25 * len(reference) ** (-1 / 3)
    ends = []
    for share in (0.25, 0.75):
        low, middle, high = np.percentile(
            reference, [100 * (share - step), 100 * share, 100 * (share + step)]
        )
        ends.append(((share - (reference <= middle)) * (high - low) / (2 * step), middle))
    (first, low), (second, high) = ends
    return (second - first) / (high - low)


INFLUENCES: dict[str, Callable[[Floats], Floats]] = {
    "none": _no_influence,
    "reference-zscore": _influence_on_standard_deviation,
    "reference-iqr": _influence_on_interquartile_range,
}
NORMALIZATIONS: dict[str, Callable[[Floats], float]] = {
    "none": _one,
    "reference-zscore": _standard_deviation,
    "reference-iqr": _interquartile_sigma,
}


def scale_of(reference: Floats, normalization: str) -> float:
    """Find what differences are divided by; 0 where the reference set does not vary.

    A distance does not change when both sets are shifted alike, so that dividing by the reference's
    standard deviation is the same as standardizing both sets by its mean and standard deviation.

    Parameters
    ----------
    reference : ndarray [value], float64
        Finite values of the reference set.
    normalization : str
        A key of `NORMALIZATIONS`.
    """
    scale = NORMALIZATIONS[normalization](reference)
    return scale if scale > ROUNDING * float(np.abs(reference).max()) else 0.0


def influence_of(reference: Floats, normalization: str) -> Floats:
    """Find what each value adds to the relative error of the unit: their mean over drawn values is its error.

    Parameters
    ----------
    reference : ndarray [value], float64
        Values of the reference set, which vary; NaN where not measured.
    normalization : str
        A key of `NORMALIZATIONS`.

    Returns
    -------
    ndarray [value], float64
        NaN where `reference` is. The infinitesimal jackknife (Efron 1982, chap. 6).
    """
    found = np.full(len(reference), np.nan)
    is_measured = np.isfinite(reference)
    found[is_measured] = INFLUENCES[normalization](reference[is_measured])
    return found


def resolve_normalization(normalization: Normalization, groups: list[str]) -> dict[str, str]:
    """Give each group of properties its normalization.

    Parameters
    ----------
    normalization : str or mapping of group to str
        One for all, or one a group; groups not named get ``"reference-zscore"``, those that the tables lack are
        passed over.
    groups : list of str
        Groups there are.

    Raises
    ------
    SettingsError
        If a normalization or a group is unknown; the near miss is named.
    """
    if isinstance(normalization, str):
        return dict.fromkeys(groups, _known(normalization, ""))
    declared = list(dict.fromkeys([*groups, *(entry.group for entry in declared_properties())]))
    for group in normalization:
        if group not in declared:
            raise SettingsError(
                f"there is no such group of properties{near_miss(group, declared)}",
                argument="normalization",
                came=group,
                wanted=f"groups out of {', '.join(declared)}",
            )
    chosen = {group: _known(name, f" (of group {group})") for group, name in normalization.items()}
    return {group: chosen.get(group, "reference-zscore") for group in groups}


def _known(name: str, where: str) -> str:
    """Check the name of a normalization."""
    if name not in NORMALIZATIONS:
        raise SettingsError(
            f"there is no such normalization{where}{near_miss(str(name), list(NORMALIZATIONS))}",
            argument="normalization",
            came=name,
            wanted=f"one of {', '.join(NORMALIZATIONS)}",
        )
    return name
