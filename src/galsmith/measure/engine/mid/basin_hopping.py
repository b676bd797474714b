"""The threshold at which a galaxy's second clump is largest: basin hopping with Nelder-Mead, as SciPy walks it.

Repeats, step by step, ``scipy.optimize.basinhopping(..., niter=5, interval=2.5, seed=0)`` in one dimension, its local
minimizer ``minimize(method="Nelder-Mead")`` with default tolerances (SciPy 1.17): the function has steps, so that
another walk would end at another quantile.
"""

import math
from typing import NamedTuple

from galsmith.measure.engine.compiled import compiled
from galsmith.measure.engine.mid.clumps import ClumpAreas

N_HOPS = 5
MOST_CALLS = 200
QUANTILE_TOLERANCE = 1e-4
ENERGY_TOLERANCE = 1e-4
STEP_FACTOR = 0.9
# The first numbers of NumPy's RandomState(0), the generator that SciPy makes of seed=0: one for each hop's step
# and one for its acceptance, in turn.
CHANCE = (
    0.5488135039273248,
    0.7151893663724195,
    0.6027633760716439,
    0.5448831829968969,
    0.4236547993389047,
    0.6458941130666561,
    0.4375872112626925,
    0.8917730007820798,
    0.9636627605010293,
    0.3834415188257777,
)


class Valley(NamedTuple):
    """The two points that Nelder-Mead keeps in one dimension, the lower one first.

    Attributes
    ----------
    low, high : float
        Quantiles.
    low_energy, high_energy : float
        The function there.
    n_calls : int
        How often the function was called so far.
    """

    low: float
    high: float
    low_energy: float
    high_energy: float
    n_calls: int


@compiled
def energy(quantile: float, clumps: ClumpAreas) -> float:
    """Minus A2^2 / A1 of the clumps at a quantile; the galaxy's flux where there is one clump, or no quantile."""
    if not 0.0 <= quantile <= 1.0:
        return clumps.total
    # the same lower neighbor as the MID map's threshold
    index = int(quantile * (clumps.n_zero + len(clumps.largest) - 1)) - clumps.n_zero
    if index < 0 or clumps.second[index] == 0:
        return clumps.total
    # Freeman et al. (2013): A2^2 / A1, to be maximized
    return -(float(clumps.second[index]) ** 2) / float(clumps.largest[index])


@compiled
def _replaced(valley: Valley, quantile: float, new_energy: float, n_calls: int) -> Valley:
    """Put another point in the place of the higher one."""
    if new_energy < valley.low_energy:
        return Valley(quantile, valley.low, new_energy, valley.low_energy, n_calls)
    return Valley(valley.low, quantile, valley.low_energy, new_energy, n_calls)


@compiled
def _expanded(valley: Valley, mirrored: float, mirrored_energy: float, clumps: ClumpAreas) -> Valley:
    """Go twice as far in a direction that goes down."""
    n_calls = valley.n_calls
    if n_calls >= MOST_CALLS:
        return valley
    # SciPy's chi of 2, beyond the better point, which in one dimension is the centroid
    quantile = 3.0 * valley.low - 2.0 * valley.high
    new_energy = energy(quantile, clumps)
    if new_energy < mirrored_energy:
        return _replaced(valley, quantile, new_energy, n_calls + 1)
    return _replaced(valley, mirrored, mirrored_energy, n_calls + 1)


@compiled
def _contracted(valley: Valley, mirrored_energy: float, clumps: ClumpAreas) -> Valley:
    """Go half as far, on the better side; else halve the distance towards the lower point."""
    n_calls = valley.n_calls
    if n_calls >= MOST_CALLS:
        return valley
    if mirrored_energy < valley.high_energy:
        # outside, with SciPy's psi of one half
        quantile = 1.5 * valley.low - 0.5 * valley.high
        new_energy = energy(quantile, clumps)
        is_better = new_energy <= mirrored_energy
    else:
        # inside, with the same factor
        quantile = 0.5 * valley.low + 0.5 * valley.high
        new_energy = energy(quantile, clumps)
        is_better = new_energy < valley.high_energy
    n_calls += 1
    if is_better:
        return _replaced(valley, quantile, new_energy, n_calls)
    # shrinking by half, towards the better point
    quantile = valley.low + 0.5 * (valley.high - valley.low)
    if n_calls >= MOST_CALLS:  # the point has moved, its value is the old one's: so SciPy stops
        return _replaced(valley, quantile, valley.high_energy, n_calls)
    return _replaced(valley, quantile, energy(quantile, clumps), n_calls + 1)


@compiled
def descend(start: float, clumps: ClumpAreas) -> tuple[float, float, bool]:
    """Walk down from a quantile by Nelder-Mead: where it ends, the energy there, and whether it came to rest."""
    # SciPy's nonzdelt and zdelt
    other = 1.05 * start if start != 0.0 else 0.00025
    first = Valley(start, start, energy(start, clumps), math.inf, 2)
    valley = _replaced(first, other, energy(other, clumps), 2)
    while valley.n_calls < MOST_CALLS:
        if (
            abs(valley.high - valley.low) <= QUANTILE_TOLERANCE
            and abs(valley.low_energy - valley.high_energy) <= ENERGY_TOLERANCE
        ):
            break
        # SciPy's rho of 1
        mirrored = 2.0 * valley.low - valley.high
        mirrored_energy = energy(mirrored, clumps)
        valley = Valley(valley.low, valley.high, valley.low_energy, valley.high_energy, valley.n_calls + 1)
        if mirrored_energy < valley.low_energy:
            valley = _expanded(valley, mirrored, mirrored_energy, clumps)
        else:
            valley = _contracted(valley, mirrored_energy, clumps)
    return valley.low, valley.low_energy, valley.n_calls < MOST_CALLS


@compiled
def hop(start: float, step: float, temperature: float, clumps: ClumpAreas) -> float:
    """Find the quantile of the lowest energy by basin hopping.

    Parameters
    ----------
    start : float
        Quantile to begin at.
    step : float
        Greatest step of a hop, in quantiles.
    temperature : float
        Of the Metropolis test, in units of the energy; above 0.
    clumps : ClumpAreas
        What `energy` is read from.

    Returns
    -------
    float
        The best quantile met.
    """
    here, here_energy, is_here_at_rest = descend(start, clumps)
    best, best_energy, is_best_at_rest = here, here_energy, is_here_at_rest
    n_accepted = 0
    for number in range(N_HOPS):
        if number == N_HOPS - 1:  # SciPy's interval of 2.5 divides only the fifth
            step = step / STEP_FACTOR if n_accepted / N_HOPS > 0.5 else step * STEP_FACTOR
        # RandomDisplacement: uniform in -step to step, as low + (high - low) u
        there, there_energy, is_at_rest = descend(here + (-step + (step + step) * CHANCE[2 * number]), clumps)
        # SciPy: min(0, x), which is 0 also for NaN
        odds = math.exp(min(0.0, -(there_energy - here_energy) * (1.0 / temperature)))
        # Metropolis, with SciPy's preference for minimizations that came to rest
        if odds >= CHANCE[2 * number + 1] and (is_at_rest or not is_here_at_rest):
            n_accepted += 1
            here, here_energy, is_here_at_rest = there, there_energy, is_at_rest
            if is_at_rest and (there_energy < best_energy or not is_best_at_rest):
                best, best_energy, is_best_at_rest = there, there_energy, is_at_rest
    return best
