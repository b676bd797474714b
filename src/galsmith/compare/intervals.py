"""Where the distance of the populations lies, given that of the sets: intervals by test inversion that hold down to 0."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]

NAN = float("nan")


class Ends(NamedTuple):
    """What is said of the true distance: its median-unbiased estimate, and the two ends of its interval."""

    corrected: float
    low: float
    high: float


@dataclass(frozen=True)
class Law:
    """How the distance of two sets scatters for each of several true distances, one more certain than another.

    Attributes
    ----------
    truths : ndarray [step], float64
        Ascending from the least true distance.
    drawn : ndarray [step, draw], float64
        Distances of the sets where that is true.
    """

    truths: Floats
    drawn: Floats

    def truth_at(self, value: float, quantile: float) -> float:
        """Find the true distance of which `value` is this quantile; the least one where it is lower than all.

        Beyond the last step the law is a line: far from 0 a distance moves with its truth.
        """
        # Weibull's positions k / (B + 1) keep the promise for few draws, as a rank among them does.
        levels = np.nanquantile(self.drawn, quantile, axis=1, method="weibull")
        levels = np.maximum.accumulate(levels)
        if value <= levels[0]:
            return float(self.truths[0])
        if value >= levels[-1]:
            return float(self.truths[-1] + value - levels[-1])
        return float(np.interp(value, levels, self.truths))


def inverted(value: float, law: Law, confidence: float) -> Ends:
    """Invert the tests that the true distance is d: all d of which `value` is no unlikely distance (Neyman 1937).

    Where the truth is 0 the interval holds it with half of the misses of one elsewhere, as nothing lies below.

    Parameters
    ----------
    value : float
        Distance of the sets.
    law : Law
        Of distances, from a truth of 0 on.
    confidence : float
        Of the interval.
    """
    if not np.isfinite(value):
        return Ends(NAN, NAN, NAN)
    tail = (1 - confidence) / 2
    low, middle, high = (law.truth_at(value, quantile) for quantile in (1 - tail, 0.5, tail))
    return Ends(middle, min(low, value), max(high, value))


# In units of the law's own scatter; beyond 6 it is a line.
STEPS = np.linspace(0.0, 6.0, 25)


def norm_law(along: Floats, across: Floats) -> Law:
    """Make the law of the length of a vector t e + z for each true length t, from draws of its noise z.

    A root of a sum of squares is such a length: |t e + z|^2 = t^2 + 2 t (e.z) + z.z, whatever space the vector lies in.
    The direction e is that of the vector as it was found; where that is noise, it is the direction in which the noise
    is largest, which is the least favorable one.

    Parameters
    ----------
    along, across : ndarray [draw], float64
        e.z and z.z of each draw.
    """
    unit = float(np.sqrt(np.nanmean(across)))
    truths = unit * STEPS
    squares = truths[:, None] ** 2 + 2 * truths[:, None] * along + across
    return Law(truths, np.sqrt(np.maximum(squares, 0.0)))


def student_ends(corrected: float, drawn: Floats, confidence: float) -> Ends:
    """Bound the square of a length by Student's t and the spread of a few draws; nothing lies below 0.

    The spread goes as the root of the truth, so that it is too small where the statistic came out too small: the upper end
    takes it at the end itself, as Wilson's does for shares.

    Parameters
    ----------
    corrected : float
        The square less its bias; below 0 it counts as 0, so that the interval is never empty.
    drawn : ndarray [draw], float64
        Draws that scatter as the statistic does, 2 or more.
    confidence : float
        Of the interval.
    """
    kept = drawn[np.isfinite(drawn)]
    reach = float(stats.t.isf((1 - confidence) / 2, len(kept) - 1) * kept.std(ddof=1))
    center = max(corrected, 0.0)
    if not reach > 0:
        return Ends(center, center, center)
    # The end u with u - center = reach sqrt(u / center), from the reach on, below which the spread is that of noise.
    slope = reach / np.sqrt(max(center, reach))
    high = float((0.5 * (slope + np.sqrt(slope**2 + 4 * center))) ** 2)
    return Ends(center, max(corrected - reach, 0.0), high)


def wilson_ends(successes: float, trials: int, confidence: float) -> Ends:
    """Bound a share by the score interval (Wilson 1927), which has a width also where none or all succeed.

    Parameters
    ----------
    successes, trials : float, int
        How many of how many.
    confidence : float
        Of the interval.
    """
    z = float(stats.norm.isf((1 - confidence) / 2))
    share = successes / trials
    center = (share + z**2 / (2 * trials)) / (1 + z**2 / trials)
    reach = z * np.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2)) / (1 + z**2 / trials)
    # Rounding: the ends of no and of all successes are 0 and 1.
    return Ends(
        share, max(min(float(center - reach), share), 0.0), min(max(float(center + reach), share), 1.0)
    )


def plain_ends(value: float, *, drawn: Floats, dealt: Floats, confidence: float) -> Ends:
    """Bound a distance of which nothing is known but its draws: the wider of two intervals at either end.

    Near 0 a distance lies above its truth by what it is where nothing differs, at most (the triangle inequality): the
    lower end allows for the upper tail of the deals. Farther away it scatters as its draws do, about itself at the
    upper end, about itself less the bias of the draws at the lower (Efron & Tibshirani 1993, sec. 10.6).

    Parameters
    ----------
    value : float
        The distance, which is never negative.
    drawn, dealt : ndarray [draw], float64
        The distance with both sets drawn anew, and with all rows dealt anew; no deals where there are none.
    confidence : float
        Of the interval.
    """
    kept = drawn[np.isfinite(drawn)]
    if not (np.isfinite(value) and kept.size):
        return Ends(NAN, NAN, NAN)
    tail = (1 - confidence) / 2
    center = float(kept.mean())
    below, above = center - float(np.quantile(kept, tail)), float(np.quantile(kept, 1 - tail)) - center
    corrected = max(2 * value - center, 0.0)
    low = corrected - above
    if np.isfinite(dealt).any():
        low = min(low, value - float(np.nanquantile(dealt, 1 - tail)))
    return Ends(corrected, max(low, 0.0), float(max(value + below, corrected)))
