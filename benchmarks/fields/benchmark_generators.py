"""Train every generator of fields for the same time on the same fields, draw the same number of each, write down what came.

    OMP_NUM_THREADS=2 nohup python benchmarks/fields/benchmark_generators.py --data FIELDS --minutes 30 -o runs/fields &
    python benchmarks/fields/benchmark_generators.py -o runs/fields --table

FIELDS is a store of fields with the columns `score` and `label` (`galsmith simulate fields`, `galsmith ingest cosmology`);
those of a score of 1.0 or more and those labeled real are learned, as in the paper. With --mosaic, a store of larger
images (`galsmith simulate sky-mosaic`), StyleGAN2 is trained once more from weights that were pretrained on fresh crops of
them for the same time. Every step that is done is skipped and trainings go on from their last checkpoint: repeat the
command after a kill. With --processor-time the machine need not be idle. `drawn/NAME` are stores for `galsmith score
judge`, `galsmith compare` and `galsmith look`; `results/NAME.json` says how they were made.
"""

import argparse
import json
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch

from galsmith.data.store import open_store
from galsmith.files import read_json, write_json
from galsmith.images import ImageSet
from galsmith.models.snapshot import load_snapshot
from galsmith.provenance import hash_json
from galsmith.sampling import sample
from galsmith.training import train

LEAST_SCORE = 1.0  # ETHZ CIL 2020, sec. II-B
FIELDS_AT_ONCE = 16


@dataclass(frozen=True)
class Contestant:
    """A recipe with its overrides.

    Attributes
    ----------
    recipe : str
        A shipped one.
    overrides : tuple of str
        ``table.key=value`` entries.
    is_pretrained : bool
        Whether it starts from a run of its own on the mosaic.
    """

    recipe: str
    overrides: tuple[str, ...] = ()
    is_pretrained: bool = False


CONTESTANTS = {
    "wgan": Contestant("wgan-fields-250"),
    "wgan-clipped": Contestant("wgan-fields-250", ("model.gradient_penalty=0", "model.weight_clipping=0.01")),
    "cvae": Contestant("cvae-fields-250"),
    "cvae-as-published": Contestant("cvae-fields-250", ("model.as_published=true",)),
    "dcgan": Contestant("dcgan-fields-250"),
    "dcgan-as-published": Contestant("dcgan-fields-250", ("model.as_published=true",)),
    "stylegan2": Contestant("stylegan2-fields-250"),
    "stylegan2-pretrained": Contestant("stylegan2-fields-250", is_pretrained=True),
    "field_composer": Contestant("field_composer"),
}


def main() -> None:
    """Run what is missing, or print the table of what is there."""
    arguments = parsed_arguments()
    folder: Path = arguments.output
    if arguments.table:
        print(table(folder))
        return
    torch.set_num_threads(arguments.threads)
    fields = learned_fields(open_store(arguments.data))
    print(f"{len(fields):,} fields of {fields.sizes_text}", flush=True)
    for name in arguments.names:
        contestant = CONTESTANTS[name]
        if contestant.is_pretrained and arguments.mosaic is None:
            print(f"{name}: left out, no --mosaic", flush=True)
            continue
        result = one_result(name, contestant, fields, arguments)
        print(json.dumps(result), flush=True)


def parsed_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="store of fields to learn")
    parser.add_argument("--mosaic", type=Path, help="store of larger images, to pretrain on crops of")
    parser.add_argument("--minutes", type=float, default=30.0, help="of training, each")
    parser.add_argument(
        "--processor-time",
        action="store_true",
        help="count the minutes of this process on the processor, not those on the clock, so that work beside it costs "
        "no training; for one thread",
    )
    parser.add_argument("--draw", type=int, default=1000, help="fields to draw of each")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=int(os.environ.get("OMP_NUM_THREADS", "2")))
    parser.add_argument("--names", nargs="+", choices=CONTESTANTS, default=list(CONTESTANTS))
    parser.add_argument("--table", action="store_true", help="print the results so far")
    parser.add_argument("-o", "--output", type=Path, required=True)
    arguments = parser.parse_args()
    if arguments.data is None and not arguments.table:
        parser.error("give --data, or --table")
    if arguments.processor_time and arguments.threads != 1:
        parser.error("--processor-time counts the seconds of all threads: give --threads 1")
    return arguments


def learned_fields(fields: ImageSet) -> ImageSet:
    """Keep fields of a good score and those labeled real; all of a set that has neither."""
    catalog = fields.catalog
    is_good = np.zeros(len(fields), dtype=bool)
    if "score" not in catalog.colnames and "label" not in catalog.colnames:
        return fields
    if "score" in catalog.colnames:
        is_good |= np.asarray(catalog["score"], dtype=float) >= LEAST_SCORE
    if "label" in catalog.colnames:
        is_good |= np.asarray(catalog["label"], dtype=float) == 1
    return fields.select(is_good)


def one_result(
    name: str, contestant: Contestant, fields: ImageSet, arguments: argparse.Namespace
) -> dict[str, Any]:
    """Train, draw and write down, or read what was written down by the same settings."""
    asked = {
        **asdict(contestant),
        "minutes": arguments.minutes,
        "draw": arguments.draw,
        "seed": arguments.seed,
        "threads": arguments.threads,
        "data": fields.content_hash,
        **({"clock": "processor"} if arguments.processor_time else {}),
    }
    file = arguments.output / "results" / f"{name}.json"
    if file.is_file() and (known := read_json(file))["asked"] == hash_json(asked):
        return known
    file.parent.mkdir(parents=True, exist_ok=True)
    start, pretraining = None, {}
    if contestant.is_pretrained:
        start = arguments.output / "runs" / f"{name}-mosaic"
        mosaics = open_store(arguments.mosaic)
        side = int(fields.shapes[0][-1])
        cropped = replace(contestant, overrides=(*contestant.overrides, f"training.crop_pix={side}"))
        pretraining = trained(start, cropped, mosaics, arguments)
    run = arguments.output / "runs" / name
    training = trained(run, contestant, fields, arguments, start=start)
    drawing = drawn(run, arguments.output / "drawn" / name, arguments)
    result = {
        "asked": hash_json(asked),
        "name": name,
        **asked,
        "training": training,
        "pretraining": pretraining,
        "drawing": drawing,
        "load": os.getloadavg()[0],
    }
    write_json(file, result)
    return result


def trained(
    run: Path,
    contestant: Contestant,
    fields: ImageSet,
    arguments: argparse.Namespace,
    *,
    start: Path | None = None,
) -> dict[str, Any]:
    """Train, or go on, and say how far it came; CPU seconds are those of this process alone."""
    before = time.process_time()
    clock = time.process_time if arguments.processor_time else time.perf_counter
    with patch("time.perf_counter", clock):  # what the loop's budget is counted by
        train(
            contestant.recipe,
            fields,
            run,
            minutes=arguments.minutes,
            overrides=contestant.overrides,
            seed=arguments.seed,
            init_from=start,
        )
    snapshot = load_snapshot(run / "snapshot")
    told = snapshot.card["training"]
    return {
        "cpu_s": round(time.process_time() - before, 1),
        "parameters": sum(value.numel() for value in snapshot.generator.parameters()),
        **{key: told[key] for key in ("images_seen", "seconds", "bad_steps")},
    }


def drawn(run: Path, store: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Draw fields and say how fast, and how much of them is black."""
    wall, cpu, is_new = time.perf_counter(), time.process_time(), not store.is_dir()
    images = sample(run, store, n=arguments.draw, seed=arguments.seed, overwrite=True)
    seconds = {"seconds": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu} if is_new else {}
    black, all_black, total, brightest = 0, 0, 0.0, 0.0
    for _, pixels in images.chunks(FIELDS_AT_ONCE):
        for image in pixels:
            black += int((image == 0).sum())
            all_black += not image.any()
            total += float(image.sum(dtype=np.float64))
            brightest = max(brightest, float(image.max()))
    n_pixels = len(images) * images.pixels[0].size
    return {
        **{name: round(value, 2) for name, value in seconds.items()},
        "black_share": black / n_pixels,
        "all_black_fields": all_black,
        "mean_pixel": total / n_pixels,
        "brightest_pixel": brightest,
    }


COLUMNS = (
    "training images",
    "training min",
    "fields a CPU s",
    "black pixels",
    "all-black fields",
    "mean pixel",
)


def table(folder: Path) -> str:
    """Markdown of all results, in the order of the contestants."""
    lines = [("generator", "parameters", *COLUMNS)]
    for name in CONTESTANTS:
        file = folder / "results" / f"{name}.json"
        if file.is_file():
            lines.append(cells(read_json(file)))
    rule = ["---"] * len(lines[0])
    return "\n".join("| " + " | ".join(line) + " |" for line in (lines[0], rule, *lines[1:]))


def cells(result: dict[str, Any]) -> Sequence[str]:
    """One row."""
    training, drawing = result["training"], result["drawing"]
    rate = f"{result['draw'] / drawing['cpu_s']:.3g}" if drawing.get("cpu_s") else "-"
    return (
        f"`{result['name']}`",
        f"{training['parameters']:,}",
        f"{training['images_seen']:,}",
        f"{training['seconds'] / 60:.1f}",
        rate,
        f"{drawing['black_share']:.2%}",
        f"{drawing['all_black_fields']} of {result['draw']}",
        f"{drawing['mean_pixel']:.3g}",
    )


if __name__ == "__main__":
    main()
