"""CPU seconds a galaxy, from pixels: galsmith's engine beside statmorph, in one run on one core.

    python benchmarks/measure/benchmark_measure.py speed --data ../shared/data
    python benchmarks/measure/benchmark_measure.py stages --data ../shared/data
    python benchmarks/measure/benchmark_measure.py many --data ../shared/data --work runs/measure
    python benchmarks/measure/benchmark_measure.py workers --data ../shared/data --work runs/measure --stamps 2000

    python benchmarks/measure/benchmark_measure.py start

`speed` compares on six kinds of images, `stages` tells where the engine spends its time, `many` measures
10,000 Hubble-like stamps with two workers, `workers` the same stamps with one and with two, in turns; `start` states
what one galaxy takes from the start of the program to its row, first and warm. One JSON line ends each.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

from bench_images import BENCH_SETS, BenchImage, first_images
from bench_many import measure_many
from bench_stages import stage_seconds
from bench_start import start_to_row
from threadpoolctl import threadpool_limits

from galsmith.measure.engine.batch import GalaxyInput, Options, Segmenting, measure_galaxy_input

REPEATS = 5  # of the engine; the best counts, as for anything that takes milliseconds
NEEDED_GALAXIES = 8
TURNS = 3


def main() -> None:
    """Run one of them."""
    arguments = parsed_arguments()
    WHAT[arguments.what](arguments)


def parsed_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=list(WHAT))
    parser.add_argument("--data", type=Path, help="folder of real galaxies; start needs none")
    parser.add_argument("--sets", nargs="*", default=list(BENCH_SETS), choices=list(BENCH_SETS))
    parser.add_argument("--galaxies", type=int, default=NEEDED_GALAXIES, help="images of each set")
    parser.add_argument("--core", type=int, default=0, help="processor to stay on, for speed and stages")
    parser.add_argument("--stamps", type=int, default=10_000, help="for many and workers")
    parser.add_argument("--size", type=int, default=256, help="side of a stamp in pixels, for many")
    parser.add_argument("--workers", type=int, default=2, help="for many")
    parser.add_argument("--work", type=Path, default=Path("runs/measure"), help="folder, for many")
    return parser.parse_args()


def speed(arguments: argparse.Namespace) -> None:
    """Compare CPU seconds, image by image, with statmorph plain and tuned."""
    from bench_statmorph import plain, tuned

    stay_on(arguments.core)
    ways = {
        "galsmith": engine_seconds,
        "parity": partial(engine_seconds, sersic="parity"),
        "plain": timed_by(plain),
        "tuned": timed_by(tuned),
    }
    columns = ("galsmith", "parity", "statmorph", "tuned")
    names = " ".join(f"{name:>9}" for name in columns)
    print(f"{'set':20} {'n':>3} {names} {'ratio':>7} {'parity':>7} {'to tuned':>8}")
    summary: dict[str, Any] = {}
    for set_name in arguments.sets:
        images = first_images(set_name, data=arguments.data, n=arguments.galaxies)
        for sersic in ("integrated", "parity"):
            engine_seconds(images[0], sersic=sersic)  # compiled, or read from the cache
        seconds = {way: [take(image) for image in images] for way, take in ways.items()}
        row = speed_row(seconds)
        summary[set_name] = row
        times = " ".join(f"{1e3 * row[f'{name}_s']:6.1f} ms" for name in columns)
        print(
            f"{set_name:20} {len(images):3d} {times} {row['ratio']:7.0f} {row['ratio_of_parity']:7.0f} "
            f"{row['ratio_to_tuned']:8.0f}",
            flush=True,
        )
    print(json.dumps({"speed": summary, "galaxies": arguments.galaxies, "versions": versions()}))


def speed_row(seconds: dict[str, list[float]]) -> dict[str, float]:
    """Medians of the seconds, and of the ratios galaxy by galaxy."""
    ours, parity, theirs, tuned = (seconds[way] for way in ("galsmith", "parity", "plain", "tuned"))
    return {
        "galsmith_s": statistics.median(ours),
        "parity_s": statistics.median(parity),
        "statmorph_s": statistics.median(theirs),
        "tuned_s": statistics.median(tuned),
        "ratio": statistics.median(b / a for a, b in zip(ours, theirs, strict=True)),
        "ratio_of_parity": statistics.median(b / a for a, b in zip(parity, theirs, strict=True)),
        "ratio_to_tuned": statistics.median(b / a for a, b in zip(ours, tuned, strict=True)),
        "ratio_of_sums": sum(theirs) / sum(ours),
    }


def engine_seconds(image: BenchImage, *, sersic: str = "integrated") -> float:
    """CPU seconds of the engine from pixels to named values: the best of a few."""
    options = Options(Segmenting("paper"), gain=image.gain, sersic=sersic)
    galaxy = GalaxyInput(image.pixels)
    return min(cpu_seconds(lambda: measure_galaxy_input(galaxy, options)) for _ in range(REPEATS))


def timed_by(measure: Callable[..., Any]) -> Callable[[BenchImage], float]:
    """Give a function that times another one on an image, once."""
    return lambda image: cpu_seconds(lambda: measure(image.pixels, image.gain))


def cpu_seconds(work: Callable[[], Any]) -> float:
    """CPU seconds of this process that a piece of work takes."""
    started = time.process_time()
    work()
    return time.process_time() - started


def stages(arguments: argparse.Namespace) -> None:
    """Print where the engine spends its time, stage by stage."""
    stay_on(arguments.core)
    summary: dict[str, dict[str, float]] = {}
    for set_name in arguments.sets:
        images = first_images(set_name, data=arguments.data, n=arguments.galaxies)
        rows = [stage_seconds(image) for image in images]
        rows = [row for row in rows if row]
        summary[set_name] = {stage: statistics.median(row[stage] for row in rows) for stage in rows[0]}
    names = list(dict.fromkeys(stage for row in summary.values() for stage in row))
    print(f"{'median ms':24} " + " ".join(f"{set_name:>17}" for set_name in summary))
    for name in names:
        cells = " ".join(f"{1e3 * row.get(name, 0.0):17.2f}" for row in summary.values())
        print(f"{name:24} {cells}")
    limits = {set_name: max(row, key=lambda stage: row[stage]) for set_name, row in summary.items()}
    print(f"{'the part that limits':24} " + " ".join(f"{limit:>17}" for limit in limits.values()))
    print(json.dumps({"stages": summary, "limits": limits, "versions": versions()}))


def many(arguments: argparse.Namespace) -> None:
    """Measure many stamps through the command line, and state time and memory."""
    result = measure_many(
        data=arguments.data,
        work=arguments.work,
        stamps=arguments.stamps,
        size_pix=arguments.size,
        workers=arguments.workers,
    )
    print(json.dumps({"many": result, "versions": versions()}))


def workers(arguments: argparse.Namespace) -> None:
    """Measure the same stamps with one worker and with several, in turns, and state the ratio of the best wall times."""
    best: dict[int, float] = {}
    for _ in range(TURNS):
        for count in (1, arguments.workers):
            result = measure_many(
                data=arguments.data,
                work=arguments.work,
                stamps=arguments.stamps,
                size_pix=arguments.size,
                workers=count,
            )
            best[count] = min(best.get(count, float("inf")), result["wall_s"])
            print(
                f"{count} workers: {result['wall_s']:.1f} s, load average {os.getloadavg()[0]:.1f}",
                flush=True,
            )
    ratio = best[1] / best[arguments.workers]
    print(json.dumps({"workers": best, "times_one": round(ratio, 2), "versions": versions()}))


def start(arguments: argparse.Namespace) -> None:
    """State the time from the start of the program to the row of one galaxy, first and warm."""
    del arguments
    print(json.dumps({"start": start_to_row(), "load": round(os.getloadavg()[0], 1), "versions": versions()}))


def stay_on(core: int) -> None:
    """Keep this process on one core, where the system can, and linear algebra on one thread."""
    threadpool_limits(1)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})


def versions() -> dict[str, str]:
    """Versions that decide the numbers."""
    return {name: metadata.version(name) for name in ("galsmith", "numba", "numpy", "statmorph", "photutils")}


WHAT = {"speed": speed, "stages": stages, "many": many, "workers": workers, "start": start}

if __name__ == "__main__":
    main()
