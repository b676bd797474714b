"""How well each method predicts the galaxyness of simulated fields: every method on the same five splits, resumable.

    galsmith simulate fields -n 2500 -o fields-250 --recipe fields-250 --seed 14
    python benchmarks/scores/benchmark_scores.py run fields-250 -o scores --methods average wavelets spectrum
    python benchmarks/scores/benchmark_scores.py run fields-250 -o scores --methods cnn critic --base run
    python benchmarks/scores/benchmark_scores.py table scores -o docs/results/scores

Each split holds out a fifth of the fields. What a method predicts for them, and the CPU seconds that it took, is one JSON
file a method and split; what is there already is not made again. The random twin of the critic is ``critic-random``.
"""

import argparse
import itertools
import json
import resource
import time
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pandas as pd

from galsmith.data.store import open_store
from galsmith.files import write_json
from galsmith.score import METHODS, Learning, accuracy_differences, accuracy_of, method_named, scored_fields
from galsmith.score.fields import held_out_parts
from galsmith.score.method import rows_of
from galsmith.score.scorer import in_range

SPLITS, HELD_OUT, SEED = 5, 0.2, 14
VARIANTS = {"critic-random": ("critic", {"start": "random"})}
# of one command, for the table
ORDER = ("average", "cnn", "wavelets", "critic-random", "critic", "ensemble", "spectrum")


def cpu_seconds() -> float:
    """CPU seconds of this process so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def run(options: argparse.Namespace) -> None:
    """Fit every method on every split that is not there yet."""
    images = open_store(options.store)
    fields = scored_fields(images)
    clock = time.process_time if options.processor_time else time.monotonic
    parts = held_out_parts(len(fields), splits=SPLITS, held_out=HELD_OUT, seed=SEED)
    for name in options.methods:
        key, settings = VARIANTS.get(name, (name, {}))
        method = method_named(key)
        files = [options.output / f"{fields.side_pix}" / f"{name}-{number}.json" for number in range(SPLITS)]
        if all(file.exists() for file in files):
            continue
        started = cpu_seconds()
        seen = method.look(fields.images.pixels)
        look_seconds = (cpu_seconds() - started) / len(fields)
        for number, (file, (training, kept)) in enumerate(zip(files, parts, strict=True)):
            if file.exists():
                continue
            learning = Learning(fields.side_pix, SEED, options.base, options.minutes, options.device)
            started = cpu_seconds()
            with patch("time.monotonic", clock):  # what the stages of a fit are timed by
                model = method.fit(
                    rows_of(seen, training), fields.scores[training], method.settings(**settings), learning
                )
            fitted = cpu_seconds()
            predicted = in_range(model.predict(rows_of(seen, kept)), "clip")
            done = cpu_seconds()
            explain = method.explain
            others = rows_of(seen, kept)
            explained = [] if explain is None else explain(model, others, fields.scores[kept], seed=SEED)
            ids = np.asarray(fields.images.catalog["object_id"], dtype=str)[kept]
            real = np.ones(len(kept)) if fields.is_real is None else fields.is_real[kept].astype(int)
            write_json(
                file,
                {
                    "store": images.content_hash,
                    "n_training": len(training),
                    "look_cpu_seconds_per_field": look_seconds,
                    "fit_cpu_seconds": fitted - started,
                    "predict_cpu_seconds": done - fitted,
                    "explained": explained,
                    "held_out": {
                        "Id": ids.tolist(),
                        "Actual": fields.scores[kept].tolist(),
                        "Predicted": predicted.tolist(),
                        "is_real": real.tolist(),
                        "kind": fields.kinds[kept].tolist(),
                        "split": [number] * len(kept),
                    },
                },
            )
            error = np.abs(predicted - fields.scores[kept]).mean()
            print(
                f"{fields.side_pix} px, {name}, split {number}: MAE {error:.4f}, fit {fitted - started:.1f} CPU s"
            )


def stored(folder: Path) -> dict[int, dict[str, list[dict]]]:
    """Read all that was run: side -> method -> one record a split."""
    found: dict[int, dict[str, list[dict]]] = {}
    for of_side in sorted(folder.iterdir(), key=lambda path: int(path.name)):
        for name in ORDER:
            files = sorted(of_side.glob(f"{name}-[0-9].json"))
            if files:
                found.setdefault(int(of_side.name), {})[name] = [
                    json.loads(file.read_text(encoding="utf-8")) for file in files
                ]
    return found


def tables_of(records: dict[str, list[dict]]) -> dict[str, pd.DataFrame]:
    """Held-out predictions of every method."""
    return {name: pd.concat([pd.DataFrame(one["held_out"]) for one in of]) for name, of in records.items()}


def lines_of_side(side: int, records: dict[str, list[dict]]) -> list[str]:
    """Tables of one side as Markdown: errors, deciles, differences, what carries the score."""
    held_out = tables_of(records)
    accuracies = {name: accuracy_of(table) for name, table in held_out.items()}
    n_training = next(iter(records.values()))[0]["n_training"]
    n_held = next(iter(accuracies.values())).n_fields
    lines = [
        f"## {side} px, {n_training:,} training fields, {SPLITS} splits of {n_held // SPLITS} held-out fields",
        "",
        "| method | MAE | splits | on cosmology alone | over wavelets | paper, real | fit, CPU s | a field, CPU ms |",
        "|---|---|---|---|---|---|---|---|",
    ]
    wavelets = accuracies["wavelets"].mae
    for name, found in accuracies.items():
        paper = METHODS[VARIANTS.get(name, (name, {}))[0]].paper_mae if name not in VARIANTS else None
        fit = np.mean([one["fit_cpu_seconds"] for one in records[name]])
        look = 1000 * np.mean([one["look_cpu_seconds_per_field"] for one in records[name]])
        errors = f"{found.mae:.3f} ± {found.standard_error:.3f} | {len(found.by_split)}"
        cosmology = f"{found.cosmology_mae:.3f} ± {found.cosmology_error:.3f}"
        beside = f"{found.mae / wavelets:.2f} | {paper if paper else '–'}"
        lines.append(f"| `{name}` | {errors} | {cosmology} | {beside} | {fit:.1f} | {look:.1f} |")
    lines += [
        "",
        "Differences of the mean absolute error on the same held-out fields, with 95 % intervals:",
        "",
    ]
    lines += ["| first | second | first less second | interval | first / second |", "|---|---|---|---|---|"]
    lines += [
        f"| `{one.first}` | `{one.second}` | {one.difference:+.3f} | {one.interval[0]:+.3f} to {one.interval[1]:+.3f} | "
        f"{one.ratio:.2f} |"
        for one in accuracy_differences(held_out)
    ]
    ends = next(iter(accuracies.values())).deciles
    lines += ["", "By decile of the actual score:", ""]
    lines.append("| method | " + " | ".join(f"{a:.2f}–{b:.2f}" for a, b in itertools.pairwise(ends)) + " |")
    lines.append("|---|" + "---|" * (len(ends) - 1))
    lines += [
        f"| `{name}` | " + " | ".join(f"{value:.3f}" for value in found.decile_mae) + " |"
        for name, found in accuracies.items()
    ]
    lines += _lines_of_frequencies(records)
    return [*lines, ""]


def _lines_of_frequencies(records: dict[str, list[dict]]) -> list[str]:
    """Which frequencies carry the score, where a method says it."""
    lines = []
    for name, of_splits in records.items():
        rows = pd.concat([pd.DataFrame(one["explained"]) for one in of_splits])
        if not len(rows):
            continue
        by_band = rows.groupby("name", sort=False)["increase"].agg(["mean", "sem"])
        lines += [
            "",
            f"What `{name}` reads the score from: increase of the held-out MAE where the features of a band are dealt anew",
            "among the held-out fields (mean of the splits ± standard error):",
            "",
            "| band | increase |",
            "|---|---|",
            *(f"| {band} | {row['mean']:.3f} ± {row['sem']:.3f} |" for band, row in by_band.iterrows()),
        ]
    return lines


def write_page(options: argparse.Namespace) -> None:
    """Write the tables of all sides."""
    options.output.mkdir(parents=True, exist_ok=True)
    found = stored(options.scores)
    lines = [line for side, records in found.items() for line in lines_of_side(side, records)]
    text = "\n".join(["# Scores of simulated fields: tables", "", *lines])
    (options.output / "tables.md").write_text(text, encoding="utf-8")
    print(options.output / "tables.md")


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(required=True)
    one = verbs.add_parser("run")
    one.add_argument("store", type=Path)
    one.add_argument("-o", "--output", type=Path, required=True)
    one.add_argument("--methods", nargs="+", choices=ORDER, default=["average", "wavelets", "spectrum"])
    one.add_argument("--base", type=Path)
    one.add_argument("--minutes", type=float)
    one.add_argument(
        "--processor-time",
        action="store_true",
        help="count the minutes of this process on the processor, so that work beside it costs no fitting; one thread",
    )
    one.add_argument("--device", default="cpu")
    one.set_defaults(call=run)
    two = verbs.add_parser("table")
    two.add_argument("scores", type=Path)
    two.add_argument("-o", "--output", type=Path, required=True)
    two.set_defaults(call=write_page)
    options = parser.parse_args()
    options.call(options)


if __name__ == "__main__":
    main()
