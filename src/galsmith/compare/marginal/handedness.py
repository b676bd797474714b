"""Whether a reference can tell its mirror image: a property that changes its sign there has to lie more on one side."""

import numpy as np

from galsmith.compare.marginal.wasserstein import Floats
from galsmith.seeds import random_stream

SIGNS_DRAWN = 999
ALIKE = 0.05
CANNOT_TELL = "this reference cannot tell handedness: it is like its own mirror image (p = {:.2f})"


def handedness_note(reference: Floats, *, seed: int) -> str:
    """Say where a set mirrored could not be told from this reference; empty where it could.

    Parameters
    ----------
    reference : ndarray [row], float64
        Values that change their sign in a mirror image; NaN where there is none.
    seed : int
        Of the signs that are drawn.
    """
    p_value = mirror_p_value(reference[np.isfinite(reference)], seed=seed)
    return CANNOT_TELL.format(p_value) if p_value > ALIKE else ""


def mirror_p_value(values: Floats, *, seed: int) -> float:
    """Test whether values are distributed as their negatives, by the Wasserstein-1 distance of the two.

    Where they are, the sign of each value is a coin's, whatever its size (Fisher 1935, section 21): the distance is
    compared with those under signs drawn anew.

    Parameters
    ----------
    values : ndarray [value], float64
        Finite.
    seed : int
        Of the signs.

    Returns
    -------
    float
        Share of drawn signs, the values' own among them, whose distance is as large.
    """
    if not values.size:
        return 1.0
    ascending = np.argsort(np.abs(values), kind="stable")
    sizes = np.abs(values)[ascending]
    # |F(t) - F(-t)| between two sizes is the sum of the signs of all that are larger, over n
    gaps = np.diff(sizes, prepend=0.0)

    def distance(signs: Floats) -> float:
        return float(np.abs(np.cumsum(signs[::-1])[::-1]) @ gaps)

    own = distance(np.sign(values)[ascending])
    rng = random_stream(seed, "compare.handedness")
    drawn = [distance(rng.choice([-1.0, 1.0], size=sizes.size)) for _ in range(SIGNS_DRAWN)]
    # as large, but for rounding; never 0 (Phipson & Smyth 2010)
    as_large = sum(one >= own * (1 - 1e-9) for one in drawn)
    return (1 + as_large) / (1 + SIGNS_DRAWN)
