"""Train one recipe on pictures of galaxies for so many minutes of one core, and judge it by galaxies that it never saw.

    python benchmarks/train/real_galaxies.py relay_diffusion-pictures --pictures EFIGI/images --minutes 40 -o runs/real

Minutes are those of this process on the processor, so that work beside it costs no training: 20 minutes on two cores are
40. 800 pictures are held out by lot, as in the race; the rest, at 64 px, is learned from. 800 galaxies are drawn, measured
and judged with learned features, classifiers and the search for copies. Every step that is done is skipped, and a training
goes on from its checkpoint: repeat the command after a kill. Prints one line of JSON and keeps it in `result.json`.
"""

import argparse
import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import race_data
import torch
from race_plan import RaceFolder
from race_table import rows_of

import galsmith
from galsmith.cli.device import choose_precision
from galsmith.compare import read_card
from galsmith.compare.evidence.families import evidence_of
from galsmith.compare.evidence.records import TOLD
from galsmith.data.store import is_store
from galsmith.files import read_json, write_json
from galsmith.judging import judge
from galsmith.report import write_report
from galsmith.sampling import sample

N_HELD_OUT, N_DRAWN, FEATURES = 800, 800, "efficientnet-lite0"


def main() -> None:
    """Do what is missing."""
    arguments = parsed_arguments()
    torch.set_num_threads(1)
    folder = arguments.output
    folder.mkdir(parents=True, exist_ok=True)
    make_sets(arguments.pictures, folder, n_training=arguments.n_training)
    run, drawn = folder / "run", folder / "drawn"
    training = trained(arguments, run, folder)
    drawing = timed(lambda: sample(run, drawn, n=N_DRAWN, seed=0)) if not is_store(drawn) else {}
    for store in ("reference", "drawn"):
        if not (table := folder / f"{store}.parquet").exists():
            galsmith.measure.measure(folder / store, table, workers=arguments.workers)
    card_file = folder / "card.json"
    if not card_file.exists():
        judge(
            folder / "reference.parquet",
            {"drawn": folder / "drawn.parquet"},
            card_file,
            training=folder / "training",
            features=[FEATURES],
            workers=arguments.workers,
        )
        write_report(card_file, folder / "report", overwrite=True)
    result = {"training": training, "drawing": drawing, **said(card_file)}
    write_json(folder / "result.json", result)
    print(json.dumps(result))


def parsed_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("recipe")
    parser.add_argument("--pictures", type=Path, required=True, help="folder of pictures")
    parser.add_argument("--minutes", type=float, required=True, help="of one core")
    parser.add_argument(
        "--n-training", type=int, default=1_000_000, help="of the pictures that are not held out"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="overrides of the recipe")
    parser.add_argument("--workers", type=int, default=1, help="processes that measure and judge")
    parser.add_argument("-o", "--output", type=Path, required=True)
    return parser.parse_args()


def make_sets(pictures: Path, folder: Path, *, n_training: int) -> None:
    """Ingest the pictures that are learned and those that are held out, dealt as for a race."""
    plan: Any = SimpleNamespace(data="efigi", n_reference=N_HELD_OUT, n_training=n_training, seed=0)
    race_data.make_sets(plan, RaceFolder(folder), pictures, print)


def trained(arguments: argparse.Namespace, run: Path, folder: Path) -> dict[str, Any]:
    """Train, or go on."""
    kept = folder / "training.json"
    if kept.exists():
        return dict(read_json(kept))
    precision = choose_precision("auto", device="cpu")
    with patch("time.perf_counter", time.process_time):  # what the loop's budget is counted by
        galsmith.training.train(
            arguments.recipe,
            folder / "training",
            run,
            minutes=arguments.minutes,
            overrides=tuple(arguments.set),
            seed=arguments.seed,
            precision=precision,
        )
    told = galsmith.models.snapshot.load_snapshot(run / "snapshot").card["training"]
    result = {
        "recipe": arguments.recipe,
        "set": arguments.set,
        "seed": arguments.seed,
        "precision": precision,
    }
    result |= {key: told[key] for key in ("images_seen", "seconds", "bad_steps")}
    write_json(kept, result)
    return result


def timed(work: Any) -> dict[str, float]:
    """Processor seconds of some work."""
    started = time.process_time()
    work()
    return {"cpu_s": round(time.process_time() - started, 1)}


def said(card_file: Path) -> dict[str, Any]:
    """The figures that bars are set for, from the card."""
    card = read_card(card_file)
    judgment = card.judgments[0]
    (row,) = rows_of(card, {}, {})
    return {
        "groups": dict(row.groups),
        "mean_w1": row.mean.value,
        "floor": row.mean.floor,
        "excess": row.mean.excess,
        "excess_interval": row.interval,
        "told_by_properties": dict(row.accuracies),
        "features": row.features,
        "verdict": row.verdict,
        "told_by": {item.name: item.value for item in evidence_of(judgment) if item.status == TOLD},
    }


if __name__ == "__main__":
    main()
