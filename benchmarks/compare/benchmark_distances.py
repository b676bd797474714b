"""Resampled Wasserstein distances: this package beside SciPy and POT, in one run on one thread.

    OMP_NUM_THREADS=1 python benchmarks/compare/benchmark_distances.py
    OMP_NUM_THREADS=2 python benchmarks/compare/benchmark_distances.py --whole

The first draws 28 properties of 9,000 and 50,000 galaxies anew and times one replicate of the joint bootstrap; SciPy and
POT do the same draws one property at a time. POT is left out where it is not installed. The second times a whole
comparison of 50,000 against 50,000 galaxies with 1,000 replicates, and prints its peak memory.
"""

import argparse
import resource
import time
from collections.abc import Callable

import numpy as np
from astropy.table import QTable
from scipy.stats import wasserstein_distance

from galsmith.compare import judge_tables
from galsmith.compare import wasserstein_distance as own_distance
from galsmith.compare.marginal.per_property import BOOTSTRAP, redrawn_distances
from galsmith.compare.marginal.wasserstein import pool_values
from galsmith.measure import PROPERTIES

N_PROPERTIES, N_REFERENCE, N_GENERATED = 28, 9_000, 50_000


def cpu_seconds(work: Callable[[], object], turns: int) -> float:
    """Median CPU seconds."""
    times = []
    for _ in range(turns):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return float(np.median(times))


def one_by_one(distance: Callable[..., float], reference: np.ndarray, generated: np.ndarray) -> None:
    """One replicate, one property at a time."""
    rng = np.random.default_rng(1)
    rows = rng.integers(0, N_REFERENCE, N_REFERENCE), rng.integers(0, N_GENERATED, N_GENERATED)
    for one, other in zip(reference, generated, strict=True):
        distance(one[rows[0]], other[rows[1]])


def replicates() -> None:
    """Time one replicate."""
    rng = np.random.default_rng(0)
    reference = rng.normal(size=(N_PROPERTIES, N_REFERENCE))
    generated = rng.normal(0.05, 1.05, size=(N_PROPERTIES, N_GENERATED))
    worst = max(
        abs(own_distance(one, other) - wasserstein_distance(one, other))
        for one, other in zip(reference[:3], generated[:3], strict=True)
    )
    print(f"largest difference from SciPy: {worst:.1e}")
    columns = [pool_values(one, other) for one, other in zip(reference, generated, strict=True)]

    def ours(n: int) -> None:
        redrawn_distances(
            columns, BOOTSTRAP, n_reference=N_REFERENCE, n_generated=N_GENERATED, draws=n, seed=0
        )

    ours(2)
    base = cpu_seconds(lambda: ours(64), 3) / 64
    rows = [("galsmith", base)]
    rows.append(("SciPy", cpu_seconds(lambda: one_by_one(wasserstein_distance, reference, generated), 3)))
    try:
        import ot
    except ImportError:
        print("POT is not installed: pip install pot")
    else:
        rows.append(
            (
                "POT emd2_1d",
                cpu_seconds(
                    lambda: one_by_one(
                        lambda a, b: ot.emd2_1d(a, b, metric="euclidean"), reference, generated
                    ),
                    3,
                ),
            )
        )
    sizes = f"{N_PROPERTIES} properties, {N_REFERENCE:,} against {N_GENERATED:,}"
    print(f"| {sizes} | CPU ms a replicate | times galsmith's |\n|---|---|---|")
    for name, seconds in rows:
        print(f"| {name} | {1e3 * seconds:.2f} | {seconds / base:.0f} |")


def whole() -> None:
    """Time a comparison of 50,000 against 50,000."""
    names = [entry.name for entry in PROPERTIES if entry.headline and not entry.is_circular][:N_PROPERTIES]
    names += [entry.name for entry in PROPERTIES if not entry.headline and not entry.is_circular]
    tables = []
    for seed in range(2):
        rng = np.random.default_rng(seed)
        columns = {name: rng.normal(0.01 * seed, 1.0, 50_000) for name in names[:N_PROPERTIES]}
        tables.append(QTable(columns | {"flags": np.full(50_000, "")}))
    start = time.perf_counter()
    judge_tables(*tables, beyond=False, replicates=1000)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(
        f"50,000 against 50,000, {N_PROPERTIES} properties, 1,000 replicates, 2,000 deals, 200 splits: "
        f"{seconds:.0f} s, peak {peak:.2f} GB"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--whole", action="store_true")
    whole() if parser.parse_args().whole else replicates()
