"""One family's training on a device, in slices: state kept in a work folder, a small snapshot for whoever samples."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from device_set import FLUX_UNIT, DeviceBatches, DeviceSet

from galsmith.errors import DivergedError, GalsmithError
from galsmith.files import write_json
from galsmith.files.seal import KEY
from galsmith.models.families import family_named, model_settings
from galsmith.models.snapshot import WEIGHTS_FILE, load_snapshot, save_snapshot
from galsmith.provenance import Provenance, hash_json
from galsmith.settings import Settings, read_recipe, recipe_names
from galsmith.training.averages.power_function import PowerFunctionEma
from galsmith.training.budget import Budget, RunState
from galsmith.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from galsmith.training.loop import StepReport, run_loop

LARGEST_SNAPSHOT_BYTES = 16 * 2**20
SMALL_TENSOR = 4096
LARGEST_HALF = 6e4
WARM_SECONDS = 15.0


@dataclass(frozen=True)
class FamilyPlan:
    """What one family trains with.

    Attributes
    ----------
    name : str
        As it races; its shipped recipes are named NAME-SIDE.
    config : Settings
        Of the family.
    batch_size, ema_width : int, float
        Of the loop.
    minutes : float
        Budget.
    seed : int
        Fixes chance.
    precision : str
        Of the trunk.
    """

    name: str
    config: Settings
    batch_size: int
    ema_width: float
    minutes: float
    seed: int
    precision: str

    @property
    def settings_hash(self) -> str:
        """Of what decides the numbers, the budget left out."""
        return hash_json([self.config.model_dump(mode="json"), self.batch_size, self.ema_width, self.seed])


class SliceEnd:
    """Asks the loop to stop when the slice is over; stands where an interrupt's note stands.

    Parameters
    ----------
    at : float
        In seconds of `time.monotonic`.
    """

    def __init__(self, at: float) -> None:
        self._at = at

    @property
    def is_asked(self) -> bool:
        """Whether the slice is over."""
        return time.monotonic() >= self._at


class SpeedMeter:
    """Images a second after the first ones, which compile and choose kernels; a loop listener."""

    def __init__(self) -> None:
        self._first: StepReport | None = None
        self._warm: StepReport | None = None
        self._last: StepReport | None = None

    def __call__(self, report: StepReport) -> None:
        """Take in a step."""
        self._first = self._first or report
        if self._warm is None and report.seconds - self._first.seconds >= WARM_SECONDS:
            self._warm = report
        self._last = report

    @property
    def images_per_s(self) -> float | None:
        """None where the slice was too short to tell."""
        if self._warm is None or self._last is None or self._last.seconds == self._warm.seconds:
            return None
        return (self._last.images_seen - self._warm.images_seen) / (self._last.seconds - self._warm.seconds)


def family_plan(
    name: str, *, size_pix: int, minutes: float, seed: int, precision: str, overrides: Mapping[str, Any]
) -> FamilyPlan:
    """Take the shipped recipe of a family for images of `size_pix`; nothing of it is kept here."""
    shipped = recipe_of(name, size_pix)
    recipe = read_recipe(shipped)
    _, config = model_settings({**recipe["model"], **overrides}, source=f"recipe {shipped}")
    training = recipe["training"]
    return FamilyPlan(name, config, training["batch_size"], training["ema_width"], minutes, seed, precision)


def recipe_of(name: str, size_pix: int) -> str:
    """Name the shipped recipe of a family for a side; that of 32 px where a side has none of its own."""
    wanted = [f"{name}-{size_pix}", f"{name}-32", name]
    return next(recipe for recipe in wanted if recipe in recipe_names())


def read_parameters(folder: Path) -> int:
    """Count the parameters that a snapshot draws with."""
    return sum(parameter.numel() for parameter in load_snapshot(folder).generator.parameters())


def family_of(plan: FamilyPlan) -> str:
    """Name of the model family."""
    return str(plan.config.model_dump()["family"])


def train_slice(
    plan: FamilyPlan, device_set: DeviceSet, work: Path, *, device: torch.device, slice_end: SliceEnd
) -> dict[str, Any]:
    """Train until the budget is spent or the slice is over, and keep checkpoint and snapshot.

    Returns
    -------
    dict
        Where the run stands: plain JSON values.

    Raises
    ------
    GalsmithError
        If the work folder holds another run.
    """
    checkpoint = _found_checkpoint(plan, work)
    state = RunState() if checkpoint is None else checkpoint.state
    budget = Budget(plan.minutes, None)
    if checkpoint is not None and budget.is_spent(state):
        return _standing(plan, state, None, "", work)
    trainer = family_named(family_of(plan)).build_trainer(
        plan.config,
        device_set.description,
        device_set.chunks,
        seed=plan.seed,
        device=device,
        precision=plan.precision,
        state=None if checkpoint is None else checkpoint.trainer,
    )
    ema = PowerFunctionEma(trainer.generator, width=plan.ema_width)
    if checkpoint is not None:
        ema.load_state_dict(checkpoint.ema)
    batches = DeviceBatches(device_set, trainer.compacted, batch_size=plan.batch_size, seed=plan.seed)
    meter, error = SpeedMeter(), ""
    try:
        run_loop(
            trainer,
            batches,
            averages=[ema],
            state=state,
            budget=budget,
            seed=plan.seed,
            batch_size=plan.batch_size,
            listeners=[meter],
            note=slice_end,
        )
    except DivergedError as diverged:
        error = str(diverged)
    _keep(
        plan,
        device_set,
        work,
        Checkpoint(
            trainer=trainer.state_dict(),
            ema=ema.state_dict(),
            transform=device_set.transform.to_dict(),
            state=state,
            settings_hash=plan.settings_hash,
            data_hash=_data_hash(device_set),
        ),
        ema.average,
    )
    return _standing(plan, state, meter.images_per_s, error, work)


def copy_small(weights: torch.nn.Module) -> torch.nn.Module:
    """Give a module whose large tensors are float16 where they fit, as a snapshot of half the size.

    What is drawn changes by less than bfloat16 trunks do: float16 has three more digits of two.
    """
    tensors = {
        name: value.half() if _fits_half(value) else value for name, value in weights.state_dict().items()
    }
    return _Tensors(tensors)


class _Tensors(torch.nn.Module):
    """Stands for a network where only its tensors are asked for."""

    def __init__(self, tensors: Mapping[str, torch.Tensor]) -> None:
        super().__init__()
        self._tensors = dict(tensors)

    def state_dict(self, *_: Any, **__: Any) -> dict[str, torch.Tensor]:
        """Return the tensors as they are."""
        return self._tensors


def _fits_half(value: torch.Tensor) -> bool:
    """Whether a tensor is large enough to matter and small enough for float16."""
    if value.dtype != torch.float32 or value.numel() < SMALL_TENSOR:
        return False
    return bool(value.abs().max() < LARGEST_HALF)


def _keep(
    plan: FamilyPlan, device_set: DeviceSet, work: Path, checkpoint: Checkpoint, average: torch.nn.Module
) -> None:
    """Write checkpoint and snapshot; a snapshot that is too large is an error, as nothing could carry it."""
    save_checkpoint(work / plan.name / "checkpoint.pt", checkpoint)
    folder = work / plan.name / "snapshot"
    save_snapshot(
        folder,
        copy_small(average),
        config=plan.config,
        description=device_set.description,
        transform=device_set.transform,
        card=_card(plan, device_set, checkpoint.state),
    )
    size = (folder / WEIGHTS_FILE).stat().st_size
    if size > LARGEST_SNAPSHOT_BYTES:
        raise GalsmithError(
            f"{folder / WEIGHTS_FILE}: has {size:,} bytes, wanted {LARGEST_SNAPSHOT_BYTES:,} at most; narrow the recipe "
            f"{plan.name}.toml"
        )


def _found_checkpoint(plan: FamilyPlan, work: Path) -> Checkpoint | None:
    """Read the state of an earlier slice, or None; refuse one of other settings."""
    path = work / plan.name / "checkpoint.pt"
    if not path.exists():
        return None
    checkpoint = load_checkpoint(path)
    if checkpoint.settings_hash != plan.settings_hash:
        raise GalsmithError(f"{path}: is of other settings; name another --work, or remove it")
    return checkpoint


def _standing(
    plan: FamilyPlan, state: RunState, images_per_s: float | None, error: str, work: Path
) -> dict[str, Any]:
    """Say how far a run is, and write it beside the checkpoint; the speed of an earlier slice stays."""
    path = work / plan.name / "standing.json"
    folder = work / plan.name / "snapshot"
    before = read_standing(work, plan.name)
    standing = {
        "family": plan.name,
        "images_seen": state.images_seen,
        "seconds": round(state.seconds, 1),
        "budget_s": 60 * plan.minutes,
        "is_finished": Budget(plan.minutes, None).is_spent(state) or bool(error),
        "images_per_s": images_per_s if images_per_s is not None else before.get("images_per_s"),
        "parameters": read_parameters(folder),
        "bad_steps": state.bad_steps,
        "error": error or before.get("error", ""),
        "snapshot_bytes": (folder / WEIGHTS_FILE).stat().st_size,
    }
    write_json(path, standing)
    return standing


def read_standing(work: Path, name: str) -> dict[str, Any]:
    """Read how far a family is; empty before its first slice."""
    path = work / name / "standing.json"
    page = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return {key: value for key, value in page.items() if key != KEY}  # its seal is none of what was said


def _data_hash(device_set: DeviceSet) -> str:
    """Of what was rendered."""
    return hash_json([device_set.settings.model_dump(mode="json"), len(device_set)])


def _card(plan: FamilyPlan, device_set: DeviceSet, state: RunState) -> dict[str, Any]:
    """Say what the snapshot is and what made it."""
    settings = device_set.settings
    return {
        "bands": [settings.band],
        "pixel_scale_arcsec": settings.pixel_scale_arcsec,
        "physical_pixel_kpc": None,
        "flux_unit": FLUX_UNIT,
        "zero_points_mag": {settings.band: settings.zero_point_mag},
        "psf": {},
        "data_license": "simulated",
        "training": {
            "is_finished": Budget(plan.minutes, None).is_spent(state),
            "images_seen": state.images_seen,
            "seconds": round(state.seconds, 3),
            "budget": f"{plan.minutes:g} minutes",
            "n_training_images": len(device_set),
            "bad_steps": state.bad_steps,
            "ema_width": plan.ema_width,
            "device": str(device_set.batch.pixels.device),
        },
        "provenance": Provenance("train", {"recipe": plan.name}, plan.seed, ()).to_dict(),
    }
