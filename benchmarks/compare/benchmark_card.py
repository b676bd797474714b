"""A whole card of the demo's size: `galsmith compare` idle, and beside two processes that spin.

    python benchmarks/compare/benchmark_card.py FOLDER            # sets are made there the first time
    python benchmarks/compare/benchmark_card.py FOLDER --turns 3

2,000 against 2,000 simulated galaxies of the demo's recipe, 2,000 others as the training set: tables that are measured
already are compared with copies and classifiers, each time in a new process with as many workers as there are cores, like
the demo. Printed are seconds on the clock and CPU seconds, and the load before. The generated set is simulated as is the
reference, so that no model has to be trained; what is computed does not depend on how like the sets are.
"""

import argparse
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

N_GALAXIES = 2000
SEEDS = {"training": 1, "reference": 2, "generated": 3}
SPINNING = 2
SPIN = "while True: pass"


def galsmith(*arguments: str) -> None:
    """Run the command line, as a user does."""
    command = [
        sys.executable,
        "-c",
        "import sys; from galsmith.cli import main; sys.exit(main())",
        *arguments,
        "--quiet",
    ]
    # The number of threads is the command's own to choose.
    own = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    subprocess.run(command, check=True, env=own)


def prepare(folder: Path) -> None:
    """Simulate three sets and measure two of them, unless they are there."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, seed in SEEDS.items():
        store = folder / f"{name}.store"
        if not store.exists():
            galsmith(
                "simulate", "sersic", "-n", str(N_GALAXIES), "--recipe", "sersic-demo", "--split", "1/0/0",
                "--seed", str(seed), "-o", str(store),
            )  # fmt: skip
        table = folder / f"{name}.parquet"
        if name != "training" and not table.exists():
            galsmith("measure", str(store), "-o", str(table))


def timed(folder: Path) -> tuple[float, float]:
    """Seconds on the clock and CPU seconds of one comparison, with those of its workers."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    galsmith(
        "compare", str(folder / "reference.parquet"), str(folder / "generated.parquet"), "--training",
        str(folder / "training.store"), "-o", str(folder / "comparison.json"), "--overwrite",
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.monotonic() - start, cpu


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--turns", type=int, default=2)
    options = parser.parse_args()
    prepare(options.folder)
    print(f"{len(os.sched_getaffinity(0))} cores, load before {os.getloadavg()[0]:.1f}")
    print("| beside | s on the clock | CPU s |\n|---|---|---|")
    for n_beside in (0, SPINNING):
        spinning = [subprocess.Popen([sys.executable, "-c", SPIN]) for _ in range(n_beside)]
        try:
            for _ in range(options.turns):
                wall, cpu = timed(options.folder)
                print(f"| {n_beside or 'no'} spinning processes | {wall:.1f} | {cpu:.1f} |", flush=True)
        finally:
            for process in spinning:
                process.kill()
                process.wait()


if __name__ == "__main__":
    main()
