"""How near a trained family comes to held-out Sérsic galaxies: simulate, train, sample, measure, compare.

Every step skips what is done, so the command may be stopped and repeated. Run from anywhere:

    python benchmarks/generate/benchmark_generate.py pca_diffusion --size 32 --minutes 20 -o runs/generate

prints one JSON line with the mean W1 over all properties, its floor and the sizes of both sets.
"""

import argparse
import json
import time
from pathlib import Path

import galsmith
from galsmith.compare import read_comparison
from galsmith.data.options import SetOptions
from galsmith.data.store import is_store, open_store
from galsmith.errors import InputError
from galsmith.execution import available_cores

REFERENCE_SEED, TRAINING_SEED, SAMPLING_SEED = 2, 1, 0


def main() -> None:
    """Run one family at one size."""
    arguments = parsed_arguments()
    folder = arguments.output / f"{arguments.size}px"
    recipe = f"sersic-{arguments.size}"
    training_set = simulated(
        folder / "training", recipe, n=arguments.train, seed=TRAINING_SEED, split=(1.0, 0.0, 0.0)
    )
    reference = simulated(
        folder / "reference", recipe, n=arguments.images, seed=REFERENCE_SEED, split=(0.0, 0.0, 1.0)
    )
    tag = f"{arguments.family}-{arguments.minutes:g}min{arguments.tag}"
    suffix = "-64" if arguments.size == 64 else ""
    started = time.perf_counter()
    galsmith.training.train(
        f"{arguments.family}{suffix}",
        training_set,
        folder / tag / "run",
        minutes=arguments.minutes,
        overrides=tuple(arguments.set),
        precision=arguments.precision,
    )
    trained_seconds = time.perf_counter() - started
    generated = folder / tag / "generated"
    if not finished(generated):
        galsmith.sampling.sample(folder / tag / "run", generated, n=arguments.images, seed=SAMPLING_SEED)
    tables = [
        measured(store, store.parent / f"{store.name}-{arguments.measured}.parquet", arguments.measured)
        for store in (reference, generated)
    ]
    comparison_file = folder / tag / "comparison.json"
    galsmith.compare.judge_tables(*tables, comparison_file, beyond=False, overwrite=True)
    report(arguments, comparison_file, trained_seconds)


def parsed_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("family", choices=["pca_diffusion", "diffusion"])
    parser.add_argument("--size", type=int, choices=[32, 64], default=32, help="side of the images, pixels")
    parser.add_argument("--minutes", type=float, default=20.0, help="training budget")
    parser.add_argument("--train", type=int, default=20_000, help="training images")
    parser.add_argument(
        "--images", type=int, default=5_000, help="images of the reference and of the generated set"
    )
    parser.add_argument("--measured", type=int, default=2_000, help="galaxies measured of each set")
    parser.add_argument("--set", action="append", default=[], help="recipe setting, key=value")
    parser.add_argument("--precision", default="bfloat16", help="of the network's trunk")
    parser.add_argument("--tag", default="", help="added to the folder's name")
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("runs/generate"), help="folder for everything"
    )
    return parser.parse_args()


def simulated(store: Path, recipe: str, *, n: int, seed: int, split: tuple[float, float, float]) -> Path:
    """Simulate a store unless it is there."""
    if not finished(store):
        galsmith.simulate.sersic(store, n=n, seed=seed, recipe=recipe, options=SetOptions(split=split))
    return store


def finished(store: Path) -> bool:
    """Whether a store is there and complete."""
    if not is_store(store):
        return False
    try:
        open_store(store)
    except InputError:
        return False
    return True


def measured(store: Path, table: Path, limit: int) -> Path:
    """Measure a store unless its table is there."""
    if not table.exists():
        galsmith.measure.measure(store, table, workers=available_cores(), limit=limit)
    return table


def report(arguments: argparse.Namespace, comparison_file: Path, trained_seconds: float) -> None:
    """Print the result as one JSON line."""
    comparison = read_comparison(comparison_file)
    values = {
        distance.name: [round(distance.value, 4), round(distance.floor, 4)]
        for distance in comparison.distances
    }
    print(
        json.dumps(
            {
                "family": arguments.family,
                "size_pix": arguments.size,
                "minutes": arguments.minutes,
                "mean": round(comparison.mean("all properties").value, 4),
                "mean_floor": round(comparison.mean("all properties").floor, 4),
                "headline": round(comparison.mean("headline").value, 4),
                "headline_floor": round(comparison.mean("headline").floor, 4),
                "training_call_seconds": round(trained_seconds),
                "properties": values,
            }
        )
    )


if __name__ == "__main__":
    main()
