"""Draw from snapshots in several step counts, and hold what comes beside galaxies that nobody learned from.

    galsmith simulate sersic -n 2000 --seed 12 --recipe sersic-64 --split 0/0/1 -o held
    python benchmarks/few_steps/benchmark_few_steps.py --held held -n 500 RUN:1 RUN:2 RUN:4 SNAPSHOT:18

One row each: mean W1 (morphology and power, as `HeldOutJudge` has it), its floor and the excess; the power of the finest
octave of the galaxies as networks see them, over that of the held-out ones; galaxies a CPU second, one thread.
"""

import argparse
import time
from pathlib import Path

import torch

from galsmith.compare import HeldOutJudge
from galsmith.data.store import open_store
from galsmith.images import ImageSet
from galsmith.measure import MeasureSettings
from galsmith.models.draws import draw_images
from galsmith.models.protocols import SamplerChoice
from galsmith.models.snapshot import Snapshot, find_snapshot, load_snapshot
from galsmith.sampling.steps_cost import fine_power
from galsmith.seeds import derive_seed

COLUMNS = ("steps", "mean W1", "floor", "excess", "fine-scale power, drawn over held out", "galaxies a CPU s")
CPU_S_AT_LEAST = 2.0  # of drawing for the rate


def main() -> None:
    """Print one row a snapshot and step count."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("drawn", nargs="+", help="RUN:STEPS")
    parser.add_argument("--held", type=Path, required=True, help="store of held-out galaxies")
    parser.add_argument("-n", type=int, default=500, help="galaxies to draw, and to hold out at most")
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument(
        "--quantities",
        nargs="+",
        choices=("morphology", "power"),
        default=("morphology", "power"),
        help="what the distance is the mean of; power alone takes little time",
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    held = open_store(arguments.held)
    settings = MeasureSettings(quantities=tuple(arguments.quantities))
    judge = HeldOutJudge(held, split=None, settings=settings, limit=arguments.n)
    print("| " + " | ".join(COLUMNS) + " |\n" + "|---" * len(COLUMNS) + "|", flush=True)
    for entry in arguments.drawn:
        place, steps = entry.rsplit(":", 1)
        snapshot = load_snapshot(find_snapshot(place))
        snapshot.generator.sampler_choice = SamplerChoice(n_steps=int(steps))  # type: ignore[assignment]
        print(row(snapshot, int(steps), held, judge, n=arguments.n, seed=arguments.seed), flush=True)


def row(snapshot: Snapshot, steps: int, held: ImageSet, judge: HeldOutJudge, *, n: int, seed: int) -> str:
    """Draw and judge."""
    seeds = [derive_seed(seed, "sample", position) for position in range(n)]
    found = judge(draw_images(snapshot.generator, seeds, snapshot.transform, header=held.header))
    ours = fine_power(snapshot.generator.sample(seeds).pixels)
    theirs = fine_power(network_pixels(snapshot, held, n))
    cells = (
        str(steps),
        *(f"{found[name]:.4f}" for name in ("mean_w1", "floor", "distance")),
        f"{float(ours / theirs):.3f}",
        f"{rate(snapshot, seeds):,.0f}",
    )
    return "| " + " | ".join(cells) + " |"


def network_pixels(snapshot: Snapshot, held: ImageSet, n: int) -> torch.Tensor:
    """Give held-out galaxies as networks see them."""
    images = [held.pixels[position] for position in range(min(n, len(held)))]
    return torch.from_numpy(snapshot.transform.forward(images).pixels)


def rate(snapshot: Snapshot, seeds: list[int]) -> float:
    """Galaxies a second of processor time, network and composing of images, without inverting the transform."""
    began, count = time.process_time(), 0
    while (spent := time.process_time() - began) < CPU_S_AT_LEAST:
        snapshot.generator.sample(seeds[: snapshot.generator.galaxies_per_call])
        count += min(len(seeds), snapshot.generator.galaxies_per_call)
    return count / spent


if __name__ == "__main__":
    main()
