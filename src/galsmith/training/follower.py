"""What all processes of a run but the first do: they take steps with it, keep nothing, and end as it does."""

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from galsmith.data.store import open_store
from galsmith.data.transforms import PixelTransform
from galsmith.errors import DivergedError, FollowedError, InputError
from galsmith.execution.torchrun import INTERRUPTED, after_first
from galsmith.images import ImageSet
from galsmith.models.protocols import Precision, Trainer
from galsmith.provenance import hash_json
from galsmith.training.batches import TrainingSet, make_batches
from galsmith.training.budget import RunState
from galsmith.training.crew import EXIT_CODE, Crew
from galsmith.training.endings import memory_explained
from galsmith.training.folder import RunFolder
from galsmith.training.loop import interrupts_noted, run_loop
from galsmith.training.run import TrainingRun, describe, learned_images, training_split
from galsmith.training.settings import RunSettings


def said_to_followers(run: TrainingRun) -> dict[str, Any]:
    """Give all that the other processes need to take the same steps, as tensors and plain values."""
    return {
        "trainer": run.trainer.state_dict(),
        "transform": run.training_set.transform.to_dict(),
        "state": {**dataclasses.asdict(run.state), "choice": None},
        "settings_hash": _decisive(run.settings, str(run.tables["run"]["precision"])),
        "data_hash": run.image_set.content_hash,
    }


@contextlib.contextmanager
def _interrupted_as_first() -> Iterator[None]:
    """Leave it to the first process to say that all were asked to stop."""
    try:
        yield
    except KeyboardInterrupt as error:
        raise FollowedError(INTERRUPTED) from error


@_interrupted_as_first()
def follow(
    crew: Crew,
    settings: RunSettings,
    data: str | Path | ImageSet,
    *,
    output: str | Path,
    device: torch.device,
    precision: Precision,
) -> None:
    """Take this process' share of every step, until the first process says that the run has ended.

    Raises
    ------
    FollowedError
        If the first process failed, or all are asked to stop; it says why.
    InputError
        If this process was started with other settings or data.
    EngineLostError
        If another process ended.
    """
    said = crew.told()
    if EXIT_CODE in said:
        _end_as_first(said)
        return
    image_set = data if isinstance(data, ImageSet) else open_store(data)
    if (said["settings_hash"], said["data_hash"]) != (
        _decisive(settings, precision),
        image_set.content_hash,
    ):
        raise InputError(
            f"process {crew.place.rank} was started with other settings, precision or data than the first; start all "
            "with the same command"
        )
    with memory_explained(RunFolder(Path(output)), settings, is_preparing=False):
        _step_along(crew, settings, image_set, said, device=device, precision=precision)
    _end_as_first(crew.told())


def _step_along(
    crew: Crew,
    settings: RunSettings,
    image_set: ImageSet,
    said: Mapping[str, Any],
    *,
    device: torch.device,
    precision: Precision,
) -> None:
    """Build what the first process has, and take steps until all stop."""
    training = settings.training
    images = learned_images(training_split(image_set, training.where), settings)
    training_set = TrainingSet(images, PixelTransform.from_dict(said["transform"]))
    trainer: Trainer = settings.family.build_trainer(
        settings.model,
        describe(training_set),
        training_set.chunks,
        seed=training.seed,
        device=device,
        precision=precision,
        state=said["trainer"],
    )
    batches = make_batches(
        training_set,
        trainer.compacted,
        batch_size=training.batch_size,
        seed=training.seed,
        memory_gb=training.memory_gb,
        device=device,
        augmentation=training.augmentation,
        share=crew.share,
    )
    # that losses are not finite all processes know, and the first one says
    with contextlib.closing(batches), contextlib.suppress(DivergedError), interrupts_noted() as note:
        run_loop(
            trainer,
            batches,
            averages=(),
            state=RunState(**said["state"]),
            budget=settings.budget,
            seed=training.seed,
            batch_size=training.batch_size,
            listeners=(),
            note=note,
            crew=crew,
            parts=training.accumulate or 1,
        )


def _decisive(settings: RunSettings, precision: str) -> str:
    """Hash of what all processes find out by themselves."""
    tables = settings.to_dict()
    return hash_json([tables["model"], tables["training"], precision])


def _end_as_first(said: Mapping[str, Any]) -> None:
    """End well where the first process did."""
    if said[EXIT_CODE]:
        raise after_first(int(said[EXIT_CODE]))
