"""The paper's Sérsic set on one GPU: 50,000 images of 256 px rendered there, every family for the same share of its time.

    PYTHONPATH=src:site python benchmarks/gpu/benchmark_gpu.py train --minutes 3 --slice-minutes 9 --out "$OUT"
    PYTHONPATH=src:site python benchmarks/gpu/benchmark_gpu.py judge --out "$OUT"
    PYTHONPATH=src:site python benchmarks/gpu/benchmark_gpu.py speed --out "$OUT"

`train` ends when its slice is over, with every state in --work, and goes on when it is called again; what is worth
carrying home (snapshots of at most 16 MiB, results) is copied to --out. README.md says what has to be importable.
"""

import argparse
import json
import os
import shutil
import sys
import time
from pathlib import Path

import torch
from device_judging import judge_families
from device_set import DeviceSet, rendered_set
from device_speed import measure_speeds
from device_training import FamilyPlan, SliceEnd, family_plan, read_standing, train_slice

from galsmith.cli.device import choose_device, choose_precision
from galsmith.errors import GalsmithError
from galsmith.models.snapshot import WEIGHTS_FILE

FAMILIES = ("pca_diffusion", "diffusion", "flow", "relay_diffusion", "vae", "alae", "stylegan", "stylegan2")
SECONDS_TO_KEEP = 20.0


def main() -> int:
    """Run one of the three steps."""
    arguments = parsed_arguments()
    device = torch.device(choose_device(arguments.device))
    arguments.out.mkdir(parents=True, exist_ok=True)
    if device.type == "cuda":
        torch.backends.cudnn.benchmark = True
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    steps = {"train": train, "judge": judge, "speed": speed}
    try:
        steps[arguments.step](arguments, device)
    except GalsmithError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def parsed_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("step", choices=["train", "judge", "speed"])
    parser.add_argument("--families", nargs="+", choices=FAMILIES, default=list(FAMILIES))
    parser.add_argument("--minutes", type=float, default=3.0, help="of training for each family")
    parser.add_argument("--slice-minutes", type=float, default=9.0, help="end after this, with all kept")
    parser.add_argument("--training", type=int, default=50_000, help="images to learn from")
    parser.add_argument("--size", type=int, default=256, help="side, pixels")
    parser.add_argument("-n", "--drawn", type=int, default=2000, help="judge: galaxies of each set")
    parser.add_argument("--steps", type=int, default=32, help="speed: steps that are timed")
    parser.add_argument("--precision", choices=["auto", "float32", "bfloat16"], default="auto")
    parser.add_argument("--set", action="append", default=[], help="FAMILY.key=JSON, a setting of one model")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--work", type=Path, default=Path("runs/gpu"), help="states, stores and tables")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path(os.environ.get("OUT", "runs/gpu-out")),
        help="what to carry home; or $OUT",
    )
    return parser.parse_args()


def train(arguments: argparse.Namespace, device: torch.device) -> None:
    """Train one family after the other until the slice is over."""
    ends_at = time.monotonic() + 60 * arguments.slice_minutes
    device_set: DeviceSet | None = None
    for plan in plans_of(arguments, device):
        if read_standing(arguments.work, plan.name).get("is_finished"):
            continue
        if ends_at - time.monotonic() < SECONDS_TO_KEEP:
            print(f"{plan.name}: waits for the next slice", flush=True)
            continue
        if device_set is None:
            started = time.monotonic()
            device_set = rendered_set(arguments.training, size_pix=arguments.size, device=device)
            rate = arguments.training / (time.monotonic() - started)
            print(
                f"rendered {arguments.training:,} images of {arguments.size} px: {rate:,.0f} a second",
                flush=True,
            )
        standing = train_slice(
            plan, device_set, arguments.work, device=device, slice_end=SliceEnd(ends_at - SECONDS_TO_KEEP)
        )
        print(json.dumps(standing), flush=True)
        carry_snapshot(arguments, plan.name)
    carry_results(arguments)


def judge(arguments: argparse.Namespace, device: torch.device) -> None:
    """Draw, measure and compare all families that have a snapshot."""
    names = [
        name for name in arguments.families if (arguments.work / name / "snapshot" / WEIGHTS_FILE).exists()
    ]
    if not names:
        raise GalsmithError(f"{arguments.work}: no family was trained there; run the step train first")
    standings = {name: read_standing(arguments.work, name) for name in names}
    text = judge_families(
        standings, arguments.work, n=arguments.drawn, size_pix=arguments.size, device=device
    )
    print(text)
    for name in ("card.json", "table.md", "table.ecsv"):
        shutil.copy(arguments.work / name, arguments.out / name)


def speed(arguments: argparse.Namespace, device: torch.device) -> None:
    """Time every family's steps, the style-based ones also at the widths of NVIDIA's table."""
    with (arguments.out / "speeds.jsonl").open("w", encoding="utf-8") as stream:
        plans = plans_of(arguments, device)
        for measured in measure_speeds(plans, size_pix=arguments.size, steps=arguments.steps, device=device):
            print(json.dumps(measured), flush=True)
            stream.write(json.dumps(measured) + "\n")


def plans_of(arguments: argparse.Namespace, device: torch.device) -> list[FamilyPlan]:
    """Read the recipes of all families asked for, with the settings given beside."""
    changes: dict[str, dict[str, object]] = {}
    for entry in arguments.set:
        place, _, value = entry.partition("=")
        name, _, key = place.partition(".")
        changes.setdefault(name, {})[key] = json.loads(value)
    precision = choose_precision(arguments.precision, device=str(device))
    return [
        family_plan(
            name,
            size_pix=arguments.size,
            minutes=arguments.minutes,
            seed=arguments.seed,
            precision=precision,
            overrides=changes.get(name, {}),
        )
        for name in arguments.families
    ]


def carry_snapshot(arguments: argparse.Namespace, name: str) -> None:
    """Copy a snapshot to what is carried home: one file, which holds its own card."""
    source = arguments.work / name / "snapshot" / WEIGHTS_FILE
    shutil.copy(source, arguments.out / f"{name}.safetensors")


def carry_results(arguments: argparse.Namespace) -> None:
    """Write where all families stand."""
    standings = [read_standing(arguments.work, name) for name in arguments.families]
    text = "".join(json.dumps(item) + "\n" for item in standings if item)
    (arguments.out / "standings.jsonl").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
