"""From the start of `galsmith measure` to the row of one galaxy: with nothing compiled, and with everything kept."""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from astropy.io import fits

from galsmith.seeds import random_stream

SIDE_PIX = 128
WARM_RUNS = 5


def start_to_row() -> dict[str, float]:
    """CPU and wall seconds of the first run, kernels compiled in one process or in several, and medians of warm runs."""
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "one.fits"
        _write_galaxy(image)
        several = _seconds(image, cache=Path(folder) / "several", cores=None)
        first = _seconds(image, cache=Path(folder) / "one", cores={0})
        warm = [_seconds(image, cache=Path(folder) / "one", cores=None) for _ in range(WARM_RUNS)]
    return {
        "first_cpu_s": first[0],
        "first_wall_s": first[1],
        "first_in_processes_cpu_s": several[0],
        "first_in_processes_wall_s": several[1],
        "warm_cpu_s": round(statistics.median(cpu for cpu, _ in warm), 2),
        "warm_wall_s": round(statistics.median(wall for _, wall in warm), 2),
    }


def _write_galaxy(file: Path) -> None:
    """Write an exponential disk with noise."""
    y, x = np.mgrid[:SIDE_PIX, :SIDE_PIX] - (SIDE_PIX - 1) / 2
    noise = random_stream(1, "benchmarks.start").normal(size=x.shape)
    fits.PrimaryHDU(np.float32(100 * np.exp(-np.hypot(x, 1.5 * y) / 6) + noise)).writeto(file)


def _seconds(image: Path, *, cache: Path, cores: set[int] | None) -> tuple[float, float]:
    """CPU seconds of `galsmith measure` and all its processes, and seconds on the clock."""
    program = str(Path(sys.executable).with_name("galsmith"))
    command = [
        program,
        "measure",
        str(image),
        "-o",
        str(image.with_suffix(".parquet")),
        "--overwrite",
        "--quiet",
    ]
    before, started = _cpu_of_children(), time.perf_counter()
    subprocess.run(
        [*command, "--gain", "1"],
        check=True,
        env={**os.environ, "NUMBA_CACHE_DIR": str(cache)},
        preexec_fn=None if cores is None else lambda: os.sched_setaffinity(0, cores),
    )
    wall = time.perf_counter() - started
    return round(_cpu_of_children() - before, 2), round(wall, 2)


def _cpu_of_children() -> float:
    """CPU seconds of all processes that ended under this one."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
