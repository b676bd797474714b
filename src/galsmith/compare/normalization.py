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
    # Rounding leaves a constant column a spread of a few units in the last place.
    return scale if scale > 1e-12 * float(np.abs(reference).max()) else 0.0


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
