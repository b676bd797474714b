"""Correcting p values for being many: Holm's steps, and Westfall and Young's over deals that are the same for all tests."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

ALARMS = 0.05  # The usual 5 %: of fair sets so many are told apart in all.
# What a family of evidence may spend of it where power is stated; `FAMILIES` has no more rows than this.
MOST_FAMILIES = 16
FAMILY_LEVEL = ALARMS / MOST_FAMILIES
# With 1,000 deals the smallest p is 1 / 1001, which 4 blocks of 12 families leave below 5 %.
LEAST_DEALS, LEAST_BLOCKS = 1000, 4
TIED = 1e-9  # Sums in another order differ in the last places; equal sets must not seem unlike themselves.


def deals_of(n_blocks: int) -> int:
    """Say how many deals let a test of one of so many blocks of a family tell two sets apart.

    Parameters
    ----------
    n_blocks : int
        Of the family: tests that are not dealt together.

    Returns
    -------
    int
        `LEAST_DEALS` or more.
    """
    return LEAST_DEALS * max(n_blocks, LEAST_BLOCKS) // LEAST_BLOCKS


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
    # Ties keep the order of the tests.
    ascending = tested[np.argsort(p_values[tested], kind="stable")]
    factors = np.arange(len(ascending), 0, -1)
    corrected[ascending] = np.minimum(np.maximum.accumulate(factors * p_values[ascending]), 1.0)
    return corrected


@dataclass(frozen=True)
class DealtTests:
    """Tests of one tail by the same deals of all rows.

    Attributes
    ----------
    p_values : ndarray [test], float64
        Of each test alone.
    corrected : ndarray [test], float64
        Corrected for all of them, by their joint law.
    told_from : ndarray [test], float64
        From where on a value is told in a family that may spend `FAMILY_LEVEL`, all tests taken together.
    """

    p_values: Floats
    corrected: Floats
    told_from: Floats


def dealt_tests(values: Floats, dealt: Floats, *, is_lower: bool = False) -> DealtTests:
    """Test statistics against the same deals, and correct for how many they are by the deals themselves.

    Westfall & Young (1993), algorithm 4.1 (step-down maxT): a p value is the share of deals in which the largest of
    the statistics not yet passed, each in units of its own spread over the deals, is as large. Tests that say the same
    cost one another nothing, and the smallest p value is that of one test, 1 / (deals + 1), not that times their number.
    It holds the share of any false alarm where the two sets are alike, and, where some statistics differ, if those
    that do not are dealt as they are drawn (subset pivotality, same page).

    Parameters
    ----------
    values : ndarray [test], float64
        What the two sets give.
    dealt : ndarray [deal, test], float64
        What the same rows give, dealt anew; NaN does not count.
    is_lower : bool
        Test whether values are too small, in place of too large.

    Returns
    -------
    DealtTests
        NaN where `values` is.
    """
    # The sets themselves are one of the deals (Phipson & Smyth 2010), so that no p value is 0.
    every = np.vstack([values, dealt])
    # Units of which the sets themselves are a part: rows stay exchangeable, so that ranks are exact.
    with np.errstate(invalid="ignore"):
        center, spread = _center_and_spread(every)
        standardized = (every - center) / spread
    # The lower tail is the upper one of what is turned about.
    signed = -standardized if is_lower else standardized
    tested = np.flatnonzero(np.isfinite(values))
    # A deal that leaves a test without rows says nothing of it.
    signed = np.where(np.isfinite(signed), signed, -np.inf)
    alone, corrected = np.full(len(values), np.nan), np.full(len(values), np.nan)
    counted = np.isfinite(every[:, tested]).sum(axis=0)
    # (b + 1) / (m + 1) of Phipson & Smyth (2010): the sets are counted by their own row.
    alone[tested] = (signed[:, tested] >= signed[0, tested] - TIED).sum(axis=0) / counted
    corrected[tested] = _stepped_down(signed[:, tested])
    told_from = np.full(len(values), np.nan)
    if len(tested):
        told_from[tested] = _limits(dealt[:, tested], -1.0 if is_lower else 1.0)
    return DealtTests(alone, corrected, told_from)


def _center_and_spread(dealt: Floats) -> tuple[Floats, Floats]:
    """Mean and standard deviation [test] over deals; spread 1 where nothing varies."""
    # A deal may leave a property without a measured row on one side.
    is_there = np.isfinite(dealt)
    count = np.maximum(is_there.sum(axis=0), 1)
    filled = np.where(is_there, dealt, 0.0)
    center = filled.sum(axis=0) / count
    spread = np.sqrt((np.where(is_there, dealt - center, 0.0) ** 2).sum(axis=0) / count)
    return center, np.where(spread > TIED * np.abs(center), spread, 1.0)


def _stepped_down(signed: Floats) -> Floats:
    """Corrected p values [test] of the first row among all rows."""
    order = np.argsort(-signed[0], kind="stable")
    # Largest of what is not yet passed: maxima from the least significant test on.
    remaining = np.maximum.accumulate(signed[:, order[::-1]], axis=1)[:, ::-1]
    shares = (remaining >= signed[0, order] - TIED).mean(axis=0)
    corrected = np.empty(len(order))
    # Westfall & Young (1993), algorithm 4.1, step 4: no p value may be smaller than one before it.
    corrected[order] = np.maximum.accumulate(shares)
    return corrected


def _limits(dealt: Floats, sign: float) -> Floats:
    """From where on values [test] are told, at the level of a family."""
    center, spread = _center_and_spread(dealt)
    scaled = sign * (dealt - center) / spread
    # Single-step: the first of the steps, which is the hardest.
    largest = np.where(np.isfinite(scaled), scaled, -np.inf).max(axis=1)
    # The smallest of the largest that no more than the level's share of deals reach.
    return center + sign * spread * np.quantile(largest, 1 - FAMILY_LEVEL, method="higher")
