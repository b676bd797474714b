"""Galaxies that are as asked: the first of each galaxy's own candidates that fits, or the nearest, brought in."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from galsmith.data.transforms import NetworkArrays, with_values
from galsmith.errors import GalsmithError
from galsmith.sampling.wanted_ranges import Asked, misfit, where_text
from galsmith.seeds import derive_seed

Scalars = NDArray[np.float32]
DrawScalars = Callable[[list[int]], Scalars]
DrawGalaxies = Callable[[list[int]], NetworkArrays]

CANDIDATES_FOR_RANGE = 1024
CANDIDATES_FOR_VALUE = 128
CANDIDATES_AT_ONCE = 256
GALAXIES_BEFORE_GIVING_UP = 2048
SMALLEST_ACCEPTANCE = 0.005


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
