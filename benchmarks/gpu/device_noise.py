"""On a device: are the numbers of a seed those of the CPU, how often does a step wait, and does compiling pay?

    python3 benchmarks/gpu/device_noise.py --device cuda        # about two minutes, prints one line of JSON

With ``--device cpu --steps 3`` the whole path runs without one, on which nothing waits and nothing is compared.
"""

import argparse
import json
import time
import warnings
from collections.abc import Callable
from typing import Any

import torch

from galsmith.models.families import model_settings
from galsmith.models.layers.chance import generator_from_seed, normal_per_seed
from galsmith.models.protocols import DataDescription, NetworkBatch, Trainer, TrainingProgress
from galsmith.settings import read_recipe

N_SEEDS, N_NUMBERS = 256, 64 * 64 * 3
RECIPES = ("pca_diffusion-64", "diffusion-64")
SIDE_PIX, BATCH_SIZE, N_IMAGES = 64, 64, 256


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--steps", type=int, default=50)
    given = parser.parse_args()
    device = torch.device(given.device)
    found: dict[str, Any] = {"device": str(device), "numbers": _numbers(device)}
    for recipe in RECIPES:
        trainer, batch = _started(recipe, device)
        found[recipe] = {
            "waits_a_step": _waits(trainer, batch, device),
            "steps_per_s": _steps_per_s(trainer, batch, given.steps, device),
        }
        if recipe.startswith("diffusion") and device.type == "cuda":
            # the U-Net alone; its own attribute, so that the state keeps its names
            generator: Any = trainer.generator
            generator.unet.forward = torch.compile(generator.unet.forward)
            found[recipe]["steps_per_s_compiled"] = _steps_per_s(trainer, batch, given.steps, device)
    print(json.dumps(found))


def _numbers(device: torch.device) -> dict[str, Any]:
    """Compare the numbers of seeds with those of the CPU, to the bit, and time both."""
    seeds = list(range(N_SEEDS))
    on_device = normal_per_seed(seeds, (N_NUMBERS,), device)
    on_cpu = normal_per_seed(seeds, (N_NUMBERS,))
    return {
        "n_different": int((on_device.cpu() != on_cpu).sum()),
        "per_s": _rate(lambda: normal_per_seed(seeds, (N_NUMBERS,), device), N_SEEDS * N_NUMBERS, device),
        "per_s_cpu": _rate(lambda: normal_per_seed(seeds, (N_NUMBERS,)), N_SEEDS * N_NUMBERS, device),
    }


def _rate(call: Callable[[], object], amount: int, device: torch.device) -> float:
    """Amount a second of one call, after one that warms up."""
    call()
    _wait(device)
    started = time.perf_counter()
    call()
    _wait(device)
    return amount / (time.perf_counter() - started)


def _started(recipe: str, device: torch.device) -> tuple[Trainer, NetworkBatch]:
    """Build the trainer of a recipe on random images."""
    family, config = model_settings(read_recipe(recipe)["model"], source=recipe)
    description = DataDescription(("r",), SIDE_PIX, ("log_flux_0",), N_IMAGES)
    chance = generator_from_seed(1)
    images = NetworkBatch(
        0.5 * torch.randn(N_IMAGES, 1, SIDE_PIX, SIDE_PIX, generator=chance),
        torch.randn(N_IMAGES, 1, generator=chance),
    )
    trainer = family.build_trainer(config, description, lambda: iter([images]), seed=1, device=device)
    some = NetworkBatch(images.pixels[:BATCH_SIZE], images.scalars[:BATCH_SIZE]).to(device)
    return trainer, trainer.compacted(some)


def _waits(trainer: Trainer, batch: NetworkBatch, device: torch.device) -> int | None:
    """How often the host waits for the device in one step, as torch counts it."""
    trainer.step(batch, TrainingProgress(1, 0, 0.0))
    if device.type != "cuda":
        return None
    torch.cuda.set_sync_debug_mode("warn")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        trainer.step(batch, TrainingProgress(1, BATCH_SIZE, 0.0))
    torch.cuda.set_sync_debug_mode("default")
    return sum("synchroniz" in str(warning.message) for warning in caught)


def _steps_per_s(trainer: Trainer, batch: NetworkBatch, steps: int, device: torch.device) -> float:
    """Steps a second, after some that warm up."""
    for number in range(3):
        trainer.step(batch, TrainingProgress(1, number * BATCH_SIZE, 0.0))
    _wait(device)
    started = time.perf_counter()
    for number in range(steps):
        trainer.step(batch, TrainingProgress(1, number * BATCH_SIZE, 0.5))
    _wait(device)
    return steps / (time.perf_counter() - started)


def _wait(device: torch.device) -> None:
    """Wait for all that was asked of a device."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


if __name__ == "__main__":
    main()
