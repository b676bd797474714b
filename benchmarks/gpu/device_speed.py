"""Training images a second of every family on a device, with what NVIDIA published for its own code beside."""

import gc
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch
from device_training import FamilyPlan, family_of

from galsmith.models.families import family_named, model_settings
from galsmith.models.layers.chance import generator_from_seed
from galsmith.models.protocols import DataDescription, NetworkBatch, Trainer, TrainingProgress

WARM_STEPS = 17  # R1 every 16th and path length every 4th step have been taken by then
N_IMAGES = 512

# stylegan2-ada-pytorch, README.md at d72cc7d, "Expected training time": 256 x 256 on one Tesla V100, --cfg=auto
# --aug=ada, 21.6 to 24.2 seconds a thousand images; its 'auto' takes batches of 16 there.
PUBLISHED_SIZE_PIX, PUBLISHED_BATCH = 256, 16
PUBLISHED_IMAGES_PER_S = (41.3, 46.3)
PUBLISHED_WIDTHS = {"channel_base": 16384, "channel_max": 512, "latent_width": 512}


def measure_speeds(
    plans: Sequence[FamilyPlan], *, size_pix: int, steps: int, device: torch.device
) -> Iterator[dict[str, Any]]:
    """Time each plan, and the style-based families again at the published widths and batch.

    Yields
    ------
    dict
        ``family``, ``widths`` (``"recipe"`` or ``"auto"``), ``images_per_s``, and for ``"auto"`` what was published.
    """
    for plan in plans:
        yield {
            **_labels(plan, "recipe", device),
            **_timed(plan, size_pix=size_pix, steps=steps, device=device),
        }
        if family_of(plan) in ("stylegan", "stylegan2"):
            wide = as_published(plan)
            measured = _timed(wide, size_pix=size_pix, steps=steps, device=device)
            published = (
                {"published_v100_images_per_s": PUBLISHED_IMAGES_PER_S}
                if size_pix == PUBLISHED_SIZE_PIX
                else {}
            )
            yield {**_labels(wide, "auto", device), **measured, **published}


def as_published(plan: FamilyPlan) -> FamilyPlan:
    """Give a style-based family the widths and the batch of the 'auto' configuration at 256 px."""
    values = {**plan.config.model_dump(), **PUBLISHED_WIDTHS}
    _, config = model_settings(values, source=f"recipe {plan.name}")
    return replace(plan, config=config, batch_size=PUBLISHED_BATCH)


def _labels(plan: FamilyPlan, widths: str, device: torch.device) -> dict[str, Any]:
    """Say what was timed and where."""
    named = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    return {
        "family": plan.name,
        "widths": widths,
        "batch_size": plan.batch_size,
        "precision": plan.precision,
        "device": named,
        "torch": torch.__version__,
    }


def _timed(plan: FamilyPlan, *, size_pix: int, steps: int, device: torch.device) -> dict[str, float]:
    """Time steps on noise; what the images show does not change the speed."""
    trainer, batch = _started(plan, size_pix=size_pix, device=device)
    for number in range(WARM_STEPS):
        _step(trainer, batch, plan, number)
    _wait(device)
    started = time.perf_counter()
    for number in range(WARM_STEPS, WARM_STEPS + steps):
        _step(trainer, batch, plan, number)
    _wait(device)
    speed = steps * plan.batch_size / (time.perf_counter() - started)
    peak = torch.cuda.max_memory_allocated(device) / 1e9 if device.type == "cuda" else float("nan")
    del trainer, batch
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
        return {"images_per_s": round(speed, 2), "peak_gb": round(peak, 2)}
    return {"images_per_s": round(speed, 2)}


def _started(plan: FamilyPlan, *, size_pix: int, device: torch.device) -> tuple[Trainer, NetworkBatch]:
    """Build a trainer and a batch."""
    chance = generator_from_seed(1)
    count = max(N_IMAGES, plan.batch_size)
    pixels = 0.5 * torch.randn(count, 1, size_pix, size_pix, generator=chance)
    noise = NetworkBatch(pixels, torch.randn(count, 1, generator=chance))
    description = DataDescription(("F606W",), size_pix, ("log_flux_0",), count)
    trainer = family_named(family_of(plan)).build_trainer(
        plan.config, description, lambda: iter([noise]), seed=0, device=device, precision=plan.precision
    )
    batch = NetworkBatch(noise.pixels[: plan.batch_size], noise.scalars[: plan.batch_size])
    return trainer, trainer.compacted(batch.to(device))


def _step(trainer: Trainer, batch: NetworkBatch, plan: FamilyPlan, number: int) -> None:
    """Take one step in the middle of the budget, where a growing network has half of its levels or all."""
    trainer.step(batch, TrainingProgress(0, number * plan.batch_size, 0.6))


def _wait(device: torch.device) -> None:
    """Wait until the device has done all that was asked of it."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
