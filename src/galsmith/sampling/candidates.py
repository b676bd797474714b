"""Galaxies that are as asked: the first of each galaxy's own candidates that fits, or the nearest, brought in."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from galsmith.data.transforms import NetworkArrays, ScalarColumn, with_values
from galsmith.errors import GalsmithError
from galsmith.sampling.wanted_ranges import Asked, misfit, where_text
from galsmith.seeds import derive_seed

Scalars = NDArray[np.float32]
Values = NDArray[np.float64]
DrawScalars = Callable[[list[int]], Scalars]
DrawGalaxies = Callable[[list[int]], NetworkArrays]

CANDIDATES_FOR_RANGE = 1024
CANDIDATES_FOR_VALUE = 128
CANDIDATES_AT_ONCE = 256
GALAXIES_BEFORE_GIVING_UP = 2048
SMALLEST_ACCEPTANCE = 0.005
CANDIDATES_FOR_SLOPE = 32
UNCHANGED = 1e-6  # of a standard deviation
LEAST_STRENGTH = 1e-3  # of the strongest direction of candidates: weaker ones say nothing of a slope


@dataclass(frozen=True)
class ChosenScalars:
    """Scalars of galaxies as asked.

    Attributes
    ----------
    scalars : ndarray [galaxy, scalar], float32
        Standardized, to draw images for.
    values : tuple of ndarray [galaxy], float64
        Of each asked column, in its unit, all within its range.
    is_brought_in : ndarray [galaxy], bool
        Galaxies of which no candidate was in all ranges (single values apart), so that the nearest was brought in.
    """

    scalars: Scalars
    values: tuple[NDArray[np.float64], ...]
    is_brought_in: NDArray[np.bool_]


def candidate_seed(seed: int, number: int) -> int:
    """Seed of one candidate of a galaxy; the first is the galaxy that is drawn when nothing is asked."""
    return seed if number == 0 else derive_seed(seed, "sample.candidate", number)


def choose_scalars(draw: DrawScalars, seeds: Sequence[int], asked: Sequence[Asked]) -> ChosenScalars:
    """Choose scalars for each galaxy from those that its own seed gives.

    Of up to 1024 candidates the first within all ranges is taken. Where there is none the nearest is, in standard
    deviations, and its asked columns are brought into their ranges; its other scalars stay as they came. A single
    value of a continuous column is never drawn, nor what lies beyond the trained range, so then the nearest of 128 is
    taken and set.

    Parameters
    ----------
    draw : callable
        Scalars of seeds, [galaxy, scalar] float32.
    seeds : sequence of int
        One a galaxy.
    asked : sequence of Asked
        The ranges.
    """
    is_never_drawn = any(one.is_exact or one.is_beyond for one in asked)
    limit = CANDIDATES_FOR_VALUE if is_never_drawn else CANDIDATES_FOR_RANGE
    distance = np.full(len(seeds), np.inf)
    chosen = draw(list(seeds)).copy()
    tried, open_rows = 0, np.arange(len(seeds))
    while tried < limit and len(open_rows):
        count = min(max(CANDIDATES_AT_ONCE // len(open_rows), 1), limit - tried)
        numbers = range(tried, tried + count)
        drawn = draw([candidate_seed(seeds[int(row)], number) for row in open_rows for number in numbers])
        drawn = drawn.reshape(len(open_rows), count, -1)
        away = misfit(asked, drawn)
        best = np.argmin(away, axis=1)  # the first of equals
        nearest = away[np.arange(len(open_rows)), best]
        is_nearer = nearest < distance[open_rows]
        rows = open_rows[is_nearer]
        chosen[rows], distance[rows] = drawn[is_nearer, best[is_nearer]], nearest[is_nearer]
        tried += count
        open_rows = open_rows[distance[open_rows] > 0]
    return _brought_in(chosen, asked)


def choose_galaxies(
    draw: DrawGalaxies, seeds: Sequence[int], asked: Sequence[Asked], *, per_call: int, family: str
) -> NetworkArrays:
    """Choose whole galaxies, for families that draw scalars and pixels together: the first that fits.

    Parameters
    ----------
    draw : callable
        Galaxies of up to `per_call` seeds.
    seeds : sequence of int
        One a galaxy, `per_call` at most.
    asked : sequence of Asked
        The ranges.
    per_call : int
        Galaxies that are computed at once.
    family : str
        Named in the error.

    Raises
    ------
    GalsmithError
        If fewer than one in 200 of 2048 galaxies or more are as asked.
    """
    first = draw(list(seeds))
    pixels, scalars = first.pixels.copy(), first.scalars.copy()
    fits = misfit(asked, scalars) == 0
    n_drawn, n_fitting, tried = len(seeds), int(fits.sum()), 1
    open_rows = np.flatnonzero(~fits)
    while len(open_rows):
        if n_drawn >= GALAXIES_BEFORE_GIVING_UP and n_fitting < SMALLEST_ACCEPTANCE * n_drawn:
            raise GalsmithError(_too_rare(asked, n_drawn=n_drawn, n_fitting=n_fitting, family=family))
        count = per_call // len(open_rows)
        numbers = range(tried, tried + count)
        drawn = draw([candidate_seed(seeds[int(row)], number) for row in open_rows for number in numbers])
        fits = (misfit(asked, drawn.scalars) == 0).reshape(len(open_rows), count)
        found, best = fits.any(axis=1), np.argmax(fits, axis=1)
        taken = np.flatnonzero(found) * count + best[found]
        pixels[open_rows[found]], scalars[open_rows[found]] = drawn.pixels[taken], drawn.scalars[taken]
        n_drawn, n_fitting, tried = n_drawn + fits.size, n_fitting + int(fits.sum()), tried + count
        open_rows = open_rows[~found]
    return NetworkArrays(pixels, scalars)


def scalars_of_rows(
    draw: DrawScalars,
    seeds: Sequence[int],
    columns: Sequence[ScalarColumn],
    values: Values,
    *,
    others: Sequence[ScalarColumn] = (),
) -> Scalars:
    """Give galaxies scalars with the asked values, and others as galaxies of these values have them.

    Of 128 candidates that each galaxy's own seed gives the nearest is taken, in standard deviations of what is asked. Its
    other scalars move with the difference that is left, along the slopes that they have among the nearest 32
    candidates (exact where the law is normal: conditioning by kriging, Matheron's rule), so that a galaxy that
    is asked for its magnitude in one band has a fitting one in the others. Then the asked values are put in.

    Parameters
    ----------
    draw : callable
        Scalars of seeds, [galaxy, scalar] float32.
    seeds : sequence of int
        One a galaxy.
    columns : sequence of ScalarColumn
        What is asked.
    values : ndarray [galaxy, column], float64
        In the columns' units.
    others : sequence of ScalarColumn
        What is not asked: kept within its trained range, and whole where it is whole.
    """
    chosen = draw(list(seeds)).copy()
    if {column.position for column in columns} != set(range(chosen.shape[1])):
        asked = _encoded(columns, values)
        for row, seed in enumerate(seeds):
            candidates = draw([candidate_seed(seed, number) for number in range(CANDIDATES_FOR_VALUE)])
            chosen[row] = _moved(candidates, columns, asked[row])
    for column in others:
        chosen = _as_trained(chosen, column)
    return with_values(columns, chosen, list(values.T))


def _moved(candidates: Scalars, columns: Sequence[ScalarColumn], asked: Values) -> Scalars:
    """Move the nearest of candidates [candidate, scalar] to what is asked [column], all scalars along."""
    have = _encoded(columns, np.stack([column.values(candidates) for column in columns], axis=1))
    order = np.argsort(np.square(have - asked).sum(axis=1), kind="stable")[:CANDIDATES_FOR_SLOPE]
    near, others = have[order] - have[order].mean(axis=0), candidates[order] - candidates[order].mean(axis=0)
    slopes = np.linalg.lstsq(near, others.astype(np.float64), rcond=LEAST_STRENGTH)[0]
    moved: Scalars = (candidates[order[0]] + (asked - have[order[0]]) @ slopes).astype(np.float32)
    return moved


def _as_trained(scalars: Scalars, column: ScalarColumn) -> Scalars:
    """Bring values beyond the trained range, and those between whole numbers, to what the column can have."""
    if column.trained is None:
        return scalars
    # whole values are rounded on their way back
    values = np.clip(column.values(scalars), column.trained.minimum, column.trained.maximum)
    placed = with_values([column], scalars, [values])
    is_as_it_was = np.isclose(placed, scalars, rtol=0, atol=UNCHANGED) & (not column.encoding.is_whole)
    kept: Scalars = np.where(is_as_it_was, scalars, placed)
    return kept


def _encoded(columns: Sequence[ScalarColumn], values: Values) -> Values:
    """Standardize values [galaxy, column]; magnitudes of galaxies without flux are infinite, and far here."""
    with np.errstate(all="ignore"):
        encoded = [column.encoding.forward(one) for column, one in zip(columns, values.T, strict=True)]
    return np.nan_to_num(np.stack(encoded, axis=1))


def _brought_in(scalars: Scalars, asked: Sequence[Asked]) -> ChosenScalars:
    """Bring asked columns into their ranges; those within stay to the bit."""
    columns = [one.column for one in asked]
    before = [column.values(scalars) for column in columns]
    inside = [one.within(values) for one, values in zip(asked, before, strict=True)]
    outside = np.array([after != values for after, values in zip(inside, before, strict=True)])
    is_moved = outside.any(axis=0)
    result = scalars.copy()
    result[is_moved] = with_values(columns, scalars[is_moved], [values[is_moved] for values in inside])
    in_ranges = [row for one, row in zip(asked, outside, strict=True) if not one.is_exact]
    return ChosenScalars(result, tuple(inside), np.any([np.zeros(len(scalars), bool), *in_ranges], axis=0))


def _too_rare(asked: Sequence[Asked], *, n_drawn: int, n_fitting: int, family: str) -> str:
    """One line on an acceptance that is too low."""
    names = ",".join(one.column.name for one in asked)
    return (
        f"`where={where_text(asked)}`: {n_fitting:,} of {n_drawn:,} drawn galaxies are there ({n_fitting / n_drawn:.2%}); "
        f"a {family} model draws scalars and images together, so that all others are drawn in vain: widen the range, or "
        f"train the family diffusion with transform.conditions={names}, which draws images for given values"
    )
