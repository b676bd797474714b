"""Training images a second of adversarial families at widths of stylegan2-ada-pytorch.

    python benchmarks/train/benchmark_train.py

prints one JSON line a family and precision: 64 px, one band, batches of 16, channels min(4096 / side, 128), R1 every 16th
and path length every 4th step as in training. Images a CPU second do not depend on what else runs on the machine as much
as images a second do. With --profile, the operations that take most of the time follow.
"""

import argparse
import json
import time

import torch
from torch.profiler import ProfilerActivity, profile

from galsmith.models.families import family_named
from galsmith.models.layers.chance import generator_from_seed
from galsmith.models.protocols import DataDescription, NetworkBatch, Trainer, TrainingProgress

SIZE_PIX, BATCH_SIZE = 64, 16
WIDTHS = {"channel_base": 4096, "channel_max": 128}
WARM_STEPS, PROFILED_STEPS = 2, 16


def main() -> None:
    """Measure every family asked for, in both precisions."""
    arguments = parsed_arguments()
    torch.set_num_threads(arguments.threads)
    for family in arguments.families:
        for precision in arguments.precisions:
            trainer, batch = started(family, precision, latent=arguments.latent)
            measure(trainer, batch, arguments, {"family": family, "precision": precision})


def parsed_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--families", nargs="+", default=["stylegan", "stylegan2"])
    parser.add_argument("--precisions", nargs="+", default=["bfloat16", "float32"])
    parser.add_argument("--steps", type=int, default=32, help="steps measured, best a multiple of 16")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--latent", type=int, default=512, help="width of z and w")
    parser.add_argument("--profile", action="store_true", help="show the slowest operations of 16 more steps")
    return parser.parse_args()


def started(family: str, precision: str, *, latent: int) -> tuple[Trainer, NetworkBatch]:
    """Build a trainer on noise; what the images show does not change the speed."""
    description = DataDescription(("r",), SIZE_PIX, (), 1000)
    pixels = torch.randn(BATCH_SIZE, 1, SIZE_PIX, SIZE_PIX, generator=generator_from_seed(1))
    batch = NetworkBatch(pixels, torch.zeros(BATCH_SIZE, 0))
    trainer = family_named(family).build_trainer(
        family_named(family).config(latent_width=latent, **WIDTHS),
        description,
        lambda: iter([batch]),
        seed=0,
        device="cpu",
        precision=precision,
    )
    return trainer, trainer.compacted(batch)


def measure(
    trainer: Trainer, batch: NetworkBatch, arguments: argparse.Namespace, labels: dict[str, str]
) -> None:
    """Time the steps and print one line."""
    for number in range(WARM_STEPS):
        step(trainer, batch, number)
    started_at, cpu_at = time.perf_counter(), time.process_time()
    for number in range(arguments.steps):
        step(trainer, batch, number)
    images = arguments.steps * BATCH_SIZE
    wall, cpu = time.perf_counter() - started_at, time.process_time() - cpu_at
    speeds = {"images_per_s": round(images / wall, 2), "images_per_cpu_s": round(images / cpu, 2)}
    print(json.dumps({**labels, "threads": arguments.threads, **speeds}), flush=True)
    if arguments.profile:
        with profile(activities=[ProfilerActivity.CPU]) as profiled:
            for number in range(PROFILED_STEPS):
                step(trainer, batch, number)
        print(profiled.key_averages().table(sort_by="self_cpu_time_total", row_limit=12))


def step(trainer: Trainer, batch: NetworkBatch, number: int) -> None:
    """Take one step."""
    trainer.step(batch, TrainingProgress(0, number * BATCH_SIZE, 0.0))


if __name__ == "__main__":
    main()
