"""How long must a model of Sérsic galaxies learn before its galaxies are within 1.5 floors of ones that it never saw?

    make speedrun                                                          # the record, three seeds
    python benchmarks/speedrun/speedrun.py --minutes 6 --set training.batch_size=1024 --note "larger batches"

20,000 galaxies of `sersic-64` are learned, 2,000 are drawn and held against 2,000 others by `HeldOutJudge`: the mean
over groups of the mean W1 of their properties, over the floor of the same sizes. A run counts when the mean over its
seeds is at most 1.5 floors. `--minutes` is the budget of the steps in minutes of one core, this process's own on the
processor, so that work beside it changes nothing; the table has those with all fits before the first step, which is
what counts. Two idle cores take half of them at the least. Rates fall over the budget, so that a time is tried whole,
never read off a longer run. Simulating, drawing and judging are not counted. Whatever is done is skipped when the
command is repeated.
"""

import argparse
import json
import time
from pathlib import Path
from statistics import mean
from typing import Any
from unittest.mock import patch

import torch

import galsmith
from galsmith.cli.device import choose_precision
from galsmith.compare import HeldOutJudge
from galsmith.data.options import SetOptions
from galsmith.data.store import is_store, open_store
from galsmith.files import read_json, write_json
from galsmith.models.draws import draw_images
from galsmith.models.snapshot import load_snapshot
from galsmith.provenance import hash_json
from galsmith.seeds import derive_seed

N_TRAINING, N_JUDGED, TRAINING_SEED, HELD_OUT_SEED, DRAWING_SEED = 20_000, 2_000, 1, 2, 5
BAR_FLOORS = 1.5
# The record: what `make speedrun` runs. Its line in docs/results/speedrun.md says when and by how much.
RECIPE, MINUTES = "pca_diffusion-64", 1.0
OVERRIDES = (
    "model.learning_rate=5e-3",
    "model.n_components=128",
    "model.width=384",
    "training.batch_size=256",
)
COLUMNS = (
    "minutes of one core, fits included",
    "floors, each seed",
    "mean",
    "images seen",
    "counts",
    "what changed",
)


def main() -> None:
    """Train every seed, judge it, and print the line of the table."""
    arguments = parsed_arguments()
    torch.set_num_threads(1)
    folder = arguments.output
    make_sets(folder)
    judge = HeldOutJudge(folder / "held", split=None, limit=N_JUDGED, workers=arguments.workers)
    results = [one_seed(seed, arguments, judge) for seed in arguments.seeds]
    print("| " + " | ".join(COLUMNS) + " |\n" + "|---" * len(COLUMNS) + "|")
    print(table_line(results, arguments))


def parsed_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recipe", default=RECIPE)
    parser.add_argument("--minutes", type=float, default=MINUTES, help="of one core, for the steps")
    parser.add_argument(
        "--set", nargs="*", default=list(OVERRIDES), metavar="KEY=VALUE", help="overrides of the recipe"
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--workers", type=int, default=1, help="threads that measure")
    parser.add_argument("--note", default="", help="what changed, for the table")
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/speedrun"))
    return parser.parse_args()


def make_sets(folder: Path) -> None:
    """Simulate the galaxies that are learned and those that are held out."""
    for name, n, seed in (("training", N_TRAINING, TRAINING_SEED), ("held", N_JUDGED, HELD_OUT_SEED)):
        if not is_store(folder / name):
            split = (1.0, 0.0, 0.0) if name == "training" else (0.0, 0.0, 1.0)
            galsmith.simulate.sersic(
                folder / name, n=n, seed=seed, recipe="sersic-64", options=SetOptions(split=split)
            )


def one_seed(seed: int, arguments: argparse.Namespace, judge: HeldOutJudge) -> dict[str, Any]:
    """Train one seed and judge it, or read what was found."""
    asked = {"recipe": arguments.recipe, "minutes": arguments.minutes, "set": arguments.set, "seed": seed}
    place = arguments.output / "tries" / hash_json(asked)[:16]
    file = place / "result.json"
    if file.is_file():
        return dict(read_json(file))
    run = place / "run"
    images_seen, cpu_s = trained(run, seed, arguments)
    snapshot = load_snapshot(run / "snapshot")
    held = open_store(arguments.output / "held")
    seeds = [derive_seed(DRAWING_SEED, "sample", position) for position in range(N_JUDGED)]
    found = judge(draw_images(snapshot.generator, seeds, snapshot.transform, header=held.header))
    result = {
        **asked,
        **found,
        "floors": found["mean_w1"] / found["floor"],
        "images_seen": images_seen,
        "cpu_s": cpu_s,
    }
    write_json(file, result)
    print(json.dumps(result), flush=True)
    return result


def trained(run: Path, seed: int, arguments: argparse.Namespace) -> tuple[int, float]:
    """Train until the processor time is spent; gives images seen and processor seconds, fits included."""
    before = time.process_time()
    with patch("time.perf_counter", time.process_time):  # what the loop's budget is counted by
        galsmith.training.train(
            arguments.recipe,
            arguments.output / "training",
            run,
            minutes=arguments.minutes,
            overrides=("training.sample_grids=0", "training.checkpoint_seconds=600", *arguments.set),
            seed=seed,
            precision=choose_precision("auto", device="cpu"),
        )
    told = load_snapshot(run / "snapshot").card["training"]
    return int(told["images_seen"]), time.process_time() - before


def table_line(results: list[dict[str, Any]], arguments: argparse.Namespace) -> str:
    """One line of the page's table."""
    floors = [float(result["floors"]) for result in results]
    cells = (
        f"{mean(result['cpu_s'] for result in results) / 60:.1f}",
        ", ".join(f"{value:.2f}" for value in floors),
        f"{mean(floors):.2f}",
        f"{mean(result['images_seen'] for result in results):,.0f}",
        "yes" if mean(floors) <= BAR_FLOORS else "no",
        arguments.note or " ".join([arguments.recipe, *arguments.set]),
    )
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
