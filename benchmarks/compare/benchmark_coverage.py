"""How often intervals of distances hold the distance of the populations: rows, their mean, joint statistics.

    python benchmarks/compare/benchmark_coverage.py rows --count 400 --cards 400
    python benchmarks/compare/benchmark_coverage.py mean --count 2000 --cards 200
    python benchmarks/compare/benchmark_coverage.py joint --count 400 --cards 200

Both sets are normal with one common spread; the second differs in its mean (`shift`), in its spread (`scale`), in a share
of galaxies that lie elsewhere (`mixture`), or, for the mean, in one property in four (`some`) or along the strongest
common direction (`common`). Truths are closed forms, but for joint statistics those of 100,000 galaxies of either kind.
"""

import argparse
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from galsmith.compare.features.frechet import frechet_statistic
from galsmith.compare.features.kernel import kernel_statistic
from galsmith.compare.joint.correlations import correlation_difference
from galsmith.compare.joint.energy import energy_statistic
from galsmith.compare.joint.sliced import sliced_wasserstein
from galsmith.compare.marginal.empirical_process import bootstrap_processes
from galsmith.compare.marginal.wasserstein import pool_values
from galsmith.compare.normalization import influence_of
from galsmith.compare.records import Statistic
from galsmith.compare.resampling import Chance
from galsmith.seeds import random_stream

Floats = NDArray[np.float64]
Sets = tuple[Floats, Floats]
TRUTHS = (0.0, 0.03, 0.1, 0.3, 1.0)
N_PROPERTIES, N_COMMON, SHARE_COMMON = 28, 5, 0.7
CONFIDENCE = 0.95


def one_column(kind: str, truth: float, count: int, case: int) -> Sets:
    """Draw two sets of one property whose populations are `truth` apart."""
    rng = random_stream(case, f"benchmark.coverage.{kind}.{truth}")
    first, second = rng.normal(size=(2, count, 1))
    if kind == "shift":
        second += truth
    elif kind == "scale":  # E|x| = sqrt(2/pi) for a standard normal
        second *= 1 + truth / np.sqrt(2 / np.pi)
    elif kind == "mixture":  # a share of truth/3 lies 3 standard deviations away
        second += 3.0 * (rng.random((count, 1)) < truth / 3)
    elif kind == "skewed":  # the unit is uncertain, and both sets have long tails
        first, second = (np.exp(side) / np.sqrt(np.exp(2) - np.exp(1)) for side in (first, second))
        second += truth
    return first, second


def loadings() -> Floats:
    """How the properties depend on the common directions, the first of which is the strongest."""
    table = random_stream(0, "benchmark.coverage.loadings").normal(size=(N_PROPERTIES, N_COMMON))
    table[:, 0] *= 2.0
    return np.sqrt(SHARE_COMMON) * table / np.linalg.norm(table, axis=1, keepdims=True)


def many_columns(kind: str, truth: float, count: int, case: int) -> Sets:
    """Draw two sets of correlated properties whose mean distance is `truth`."""
    rng = random_stream(case, f"benchmark.coverage.{kind}.{truth}")
    table = loadings()
    first, second = (
        rng.normal(size=(count, N_COMMON)) @ table.T
        + np.sqrt(1 - SHARE_COMMON) * rng.normal(size=(count, N_PROPERTIES))
        for _ in range(2)
    )
    shift = np.full(N_PROPERTIES, truth)
    if kind == "shift":
        shift[::2] *= -1
    elif kind == "common":
        shift *= np.sign(table[:, 0])
    elif kind == "some":
        shift[:] = 0.0
        shift[: N_PROPERTIES // 4] = 4 * truth
    return first, second + shift


def interval_of(sets: Sets, seed: int, replicates: int) -> tuple[float, float]:
    """Interval of the mean distance, in standard deviations of the reference."""
    first, second = sets
    scale = first.std(axis=0)
    pooled = [
        pool_values(one, other) for one, other in zip((first / scale).T, (second / scale).T, strict=True)
    ]
    influences = np.stack([influence_of(one, "reference-zscore") for one in first.T], axis=1)
    _, scatter = bootstrap_processes(
        pooled,
        n_reference=len(first),
        n_generated=len(second),
        draws=replicates,
        seed=seed,
        influences=influences,
    )
    ends = scatter.ends(np.full(len(pooled), 1 / len(pooled)), CONFIDENCE)
    return ends.low, ends.high


def covered(
    draw: Callable[[int], Sets], truth: float, cards: int, replicates: int
) -> tuple[float, float, float, float, float]:
    """Share of cards whose interval holds the truth, lies above it, lies below it, and the mean ends."""
    found = np.array([interval_of(draw(case), case, replicates) for case in range(cards)])
    above, below = np.mean(found[:, 0] > truth), np.mean(found[:, 1] < truth)
    return (1 - above - below, above, below, *found.mean(axis=0))


def marginal(which: str, count: int, cards: int, replicates: int) -> Iterator[str]:
    """Coverage of single rows, or of the mean."""
    draw = one_column if which == "rows" else many_columns
    others = ("scale", "mixture", "skewed") if which == "rows" else ("common", "some")
    cases = [("shift", truth) for truth in TRUTHS]
    cases += [(kind, truth) for kind in others for truth in TRUTHS[1:-1]]
    for kind, truth in cases:
        held, above, below, low, high = covered(
            lambda case, kind=kind, truth=truth: draw(kind, truth, count, case), truth, cards, replicates
        )
        yield (
            f"| {which} | {count} | {kind} | {truth:g} | {held:.1%} | {above:.1%} | {below:.1%} | "
            f"{low:.3f} to {high:.3f} |"
        )


def joint(count: int, cards: int, replicates: int) -> Iterator[str]:
    """Coverage of joint statistics."""
    names = [str(number) for number in range(6)]
    kinds: dict[str, Callable[[Sets, Chance], Statistic]] = {
        # The unit is taken as given by these: the columns have a spread of 1.
        "sliced W1": lambda sets, chance: sliced_wasserstein(*sets, chance=chance),
        "energy distance": lambda sets, chance: energy_statistic(*sets, chance=chance),
        "correlation difference": lambda sets, chance: (
            correlation_difference(*sets, names, chance=chance).statistic
        ),
        "Fréchet distance": lambda sets, chance: frechet_statistic(*sets, chance=chance, label="FD"),
        "kernel distance": lambda sets, chance: kernel_statistic(*sets, chance=chance, label="KD")[0],
    }
    few = Chance(replicates=2, splits=2, permutations=2)
    for name, ask in kinds.items():
        for dose in (0.0, 0.1, 0.3, 1.0):
            # What differs is the dose's shift of all columns, or its loss of their correlation.
            made = _correlated if name == "correlation difference" else _shifted
            many = 5_000 if name.startswith(("energy", "kernel")) else 100_000
            truth = 0.0 if dose == 0 else ask(made(dose, many, -1), few).value
            # One seed: the directions of the sliced distance are those of its truth.
            chance = Chance(0, replicates, 2, CONFIDENCE, 2)
            found = np.array([ask(made(dose, count, case), chance).interval for case in range(cards)])
            above, below = np.mean(found[:, 0] > truth), np.mean(found[:, 1] < truth)
            yield (
                f"| {name} | {count} | dose {dose:g} | {truth:.3f} | {1 - above - below:.1%} | {above:.1%} | {below:.1%} | "
                f"{found[:, 0].mean():.3f} to {found[:, 1].mean():.3f} |"
            )


def _shifted(dose: float, count: int, case: int) -> Sets:
    """Draw two sets of six correlated columns, the second shifted."""
    rng = random_stream(case + 1, f"benchmark.coverage.joint.{dose}")
    covariance = 0.6 * np.eye(6) + 0.4
    first, second = (
        rng.multivariate_normal(np.zeros(6), covariance, count, method="cholesky") for _ in range(2)
    )
    return first, second + dose


def _correlated(dose: float, count: int, case: int) -> Sets:
    """Draw two sets of six correlated columns, the second less correlated."""
    rng = random_stream(case + 1, f"benchmark.coverage.correlated.{dose}")
    first, second = (
        rng.multivariate_normal(np.zeros(6), (1 - level) * np.eye(6) + level, count, method="cholesky")
        for level in (0.4, 0.4 * (1 - dose))
    )
    return first, second


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("which", choices=("rows", "mean", "joint"))
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--cards", type=int, default=400)
    parser.add_argument("--replicates", type=int, default=400)
    given = parser.parse_args()
    print("| what | n | differs in | truth | holds it | above it | below it | ends |")
    lines = (
        joint(given.count, given.cards, given.replicates)
        if given.which == "joint"
        else marginal(given.which, given.count, given.cards, given.replicates)
    )
    for line in lines:
        print(line, flush=True)
