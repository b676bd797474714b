"""From resampled numbers to one `Statistic`."""

import numpy as np
from numpy.typing import NDArray

from galsmith.compare.estimates import Replicates, estimate
from galsmith.compare.evidence import Statistic
from galsmith.compare.holm import permutation_p

Floats = NDArray[np.float64]


def distance_statistic(
    value: float,
    *,
    drawn: Floats,
    floor: Floats,
    dealt: Floats,
    confidence: float,
    name: str,
    definition: str,
    sizes: tuple[int, int],
) -> Statistic:
    """Summarize one distance between two sets.

    Parameters
    ----------
    value : float
        The distance.
    drawn, floor, dealt : ndarray [draw], float64
        The distance with both sets drawn anew, between parts of the reference, and with all rows dealt anew.
    confidence : float
        Of the interval.
    name, definition : str
        As in the record.
    sizes : tuple of int
        Galaxies of the reference and the generated set.
    """
    replicates = Replicates(np.array([value]), drawn[:, None], floor[:, None])
    numbers = estimate(replicates, 0, confidence=confidence)
    p_value = permutation_p(replicates.values, dealt[:, None])
    return Statistic(
        **vars(numbers),
        name=name,
        definition=definition,
        p_value=float(p_value[0]),
        n_reference=sizes[0],
        n_generated=sizes[1],
    )


def missing_statistic(name: str, definition: str, sizes: tuple[int, int]) -> Statistic:
    """State that there is no such number."""
    nan = float("nan")
    return Statistic(nan, nan, nan, (nan, nan), nan, nan, name, definition, nan, *sizes)
