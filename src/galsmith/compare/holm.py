"""Testing many properties at once: p values by rearrangement, and Holm's correction of them."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def permutation_p(values: Floats, rearranged: Floats) -> Floats:
    """Share of rearrangements that give as much as the sets themselves, which count as one of them.

    Phipson & Smyth (2010), eq. 2: (b + 1) / (m + 1), which is never 0 and keeps its promise for any m.

    Parameters
    ----------
    values : ndarray [property], float64
        What the two sets give.
    rearranged : ndarray [rearrangement, property], float64
        What the rearranged sets give; NaN does not count.

    Returns
    -------
    ndarray [property], float64
        NaN where `values` is.
    """
    counted = np.isfinite(rearranged)
    # Sums in another order differ in the last place; equal sets must not seem smaller than themselves.
    as_large = counted & (rearranged >= values * (1 - 1e-12))
    p_values = (as_large.sum(axis=0) + 1.0) / (counted.sum(axis=0) + 1.0)
    return np.where(np.isfinite(values), p_values, np.nan)


def holm(p_values: Floats) -> Floats:
    """Correct p values for being many: the share of false alarms among all tests stays what it says.

    Holm (1979): the k-th smallest of m is multiplied by m - k + 1, and none may be smaller than one before it.

    Parameters
    ----------
    p_values : ndarray [test], float64
        NaN where there is no test; those do not count.

    Returns
    -------
    ndarray [test], float64
        At most 1; NaN where `p_values` is.
    """
    corrected = np.full(p_values.shape, np.nan)
    tested = np.flatnonzero(np.isfinite(p_values))
    ascending = tested[np.argsort(p_values[tested], kind="stable")]
    factors = np.arange(len(ascending), 0, -1)
    corrected[ascending] = np.minimum(np.maximum.accumulate(factors * p_values[ascending]), 1.0)
    return corrected
