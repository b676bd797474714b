"""The verb `train`: recipe and data in, a run folder out; the same call goes on after an interruption."""

import logging
import os
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from galsmith.data.store import open_store
from galsmith.errors import DivergedError, InputError, InterruptedRunError
from galsmith.execution import ProgressCallback, ProgressEvent, ignore_progress
from galsmith.execution.torchrun import ended_as_first, place_of
from galsmith.files import grown_folder, refuse_harm
from galsmith.images import ImageSet
from galsmith.models.devices import check_precision, usable_device
from galsmith.models.protocols import Precision
from galsmith.models.snapshot import read_snapshot_page
from galsmith.provenance import hash_json
from galsmith.settings import recipe_file, side_of_recipe
from galsmith.training.batches import make_batches
from galsmith.training.budget import RunState
from galsmith.training.checkpoint import Checkpoint, load_checkpoint
from galsmith.training.crew import Crew, device_of, joined_crew
from galsmith.training.endings import explained_divergence, how_to_go_on, memory_explained
from galsmith.training.evaluation import Evaluate, Evaluation, refuse_choice_without_judge
from galsmith.training.folder import RUN, RunFolder, goes_on, write_run_settings
from galsmith.training.follower import follow, said_to_followers
from galsmith.training.listeners import AverageKeeper, GridPainter, Keeper, LiveProgress, TrainingLog
from galsmith.training.loop import interrupts_noted, run_loop
from galsmith.training.parent import StartingPoint, find_parent, with_transform_of
from galsmith.training.run import TrainingRun, kept_choice, kept_width, settings_hash, start_run
from galsmith.training.settings import RunSettings, check_division, read_run_settings

logger = logging.getLogger("galsmith")


def train(
    recipe: str | Path | Mapping[str, Any],
    data: str | Path | ImageSet,
    output: str | Path,
    *,
    minutes: float | None = None,
    images: int | None = None,
    overrides: Sequence[str] = (),
    seed: int | None = None,
    device: str = "cpu",
    precision: str = "float32",
    overwrite: bool = False,
    init_from: str | Path | None = None,
    evaluate: Evaluate | None = None,
    progress: ProgressCallback = ignore_progress,
) -> Path:
    """Learn the galaxies of a set; the same call goes on with an interrupted run.

    The learning rate is a function of the budget used, so a run is as long as planned from its start. A finished
    run returns at once; with a larger budget of the same kind it is extended, which raises the learning rate again.

    Called by several processes that torchrun started, with the same arguments, they train one model together: each takes
    its share of every batch, the first keeps the run.

    Parameters
    ----------
    recipe : str, Path or mapping
        A shipped recipe by name, a TOML file (also a run's ``settings.toml``), or the tables themselves.
    data : str, Path or ImageSet
        A store, or a set in memory; the images of its split ``"train"`` are learned.
    output : str or Path
        The run folder: ``settings.toml``, ``log.jsonl``, ``checkpoint/``, ``snapshot/``, ``samples/``.
    minutes, images : float or int, optional
        Budget of wall-clock training time or of images shown; replaces the recipe's.
    overrides : sequence of str
        ``table.key=value`` entries, such as ``"training.batch_size=128"``.
    seed : int, optional
        Replaces the recipe's.
    device : str
        Name that torch knows, such as ``"cpu"`` or ``"cuda"``; with torchrun the latter is a GPU for each process.
    precision : {"float32", "bfloat16"}
        Of the network's trunk.
    overwrite : bool
        Replace what is there.
    init_from : str or Path, optional
        A run or snapshot of the same family, bands and size, whose weights and pixel transform a new run starts
        from; the optimizer, the budget and the laws of the scalars are new. A run that goes on needs it no more.
    evaluate : callable
        A judge: called ``training.evaluations`` times with galaxies drawn from the averaged generator, an
        `ImageSet` as the training set is one. The numbers it returns go to the log; with
        ``training.choose_snapshot="best"`` the snapshot of the least ``"distance"`` is kept, and a distance that
        is not finite is never chosen.
    progress : callable
        Told how far the run is, twice a second.

    Returns
    -------
    Path
        The run folder.

    Raises
    ------
    SettingsError
        If a setting, the device or the precision cannot be used, or the best snapshot is wanted without
        `evaluate`.
    OutputExistsError
        If `output` holds something else, or a run of other settings, data or beginnings.
    InputError
        If the training split is empty, its images cannot be learned from, or `init_from` does not fit them.
    DivergedError
        If the loss was not finite ten times in a row, or a weight is not at the end; the last good state is kept.
    GalsmithError
        If `evaluate` raises, or memory runs out; the state is kept.
    InterruptedRunError
        After Ctrl-C or SIGTERM; the state is kept.
    OutputError
        If the disk is full.
    EngineLostError
        If another process of the run ended; the last checkpoint is kept.
    FollowedError
        In all processes but the first, where that one failed.
    """
    place = place_of(os.environ)
    with ended_as_first(place):
        asked = read_run_settings(recipe, minutes=minutes, images=images, seed=seed, overrides=overrides)
        check_division(asked, place.count)
        own_device = device_of(place, device)
    used = usable_device(own_device)
    trunk = check_precision(precision, used)
    crew = joined_crew(place, used)
    if not crew.is_first:
        follow(crew, asked, data, output=output, device=used, precision=trunk)
        return Path(output)
    with crew.led():
        _lead(
            crew,
            asked,
            data,
            output,
            recipe=recipe,
            device=used,
            precision=trunk,
            overwrite=overwrite,
            init_from=init_from,
            evaluate=evaluate,
            progress=progress,
        )
    return Path(output)


def _lead(
    crew: Crew,
    asked: RunSettings,
    data: str | Path | ImageSet,
    output: str | Path,
    *,
    recipe: str | Path | Mapping[str, Any],
    device: torch.device,
    precision: Precision,
    overwrite: bool,
    init_from: str | Path | None,
    evaluate: Evaluate | None,
    progress: ProgressCallback,
) -> None:
    """Keep a run, and train it with the other processes."""
    inputs = [
        recipe_file(recipe),
        data.path or None if isinstance(data, ImageSet) else data,
        init_from,
    ]
    refuse_harm(Path(output), inputs)
    refuse_choice_without_judge(asked.training, evaluate)
    image_set = data if isinstance(data, ImageSet) else open_store(data)
    fingerprint = hash_json([asked.to_dict(), image_set.content_hash, str(init_from)])
    with grown_folder(output, RUN, fingerprint, inputs=inputs, overwrite=overwrite) as grown:
        folder = RunFolder(grown)
        parent = find_parent(init_from, folder)
        if parent is None:
            asked.family.check_start(asked.model, None)
        settings = with_transform_of(parent, asked)
        tables = _tables(settings, image_set, crew, device, precision=precision, recipe=recipe, parent=parent)
        checkpoint = _usable_checkpoint(folder, tables, image_set) if goes_on(folder, tables) else None
        if checkpoint is not None and _is_complete(folder, settings, checkpoint):
            _say_finished(folder, settings, progress)
            _say_unchosen(folder, settings, checkpoint.state)
            return
        _tell_other_side(recipe, settings, image_set)
        with memory_explained(folder, settings, is_preparing=True):
            run = start_run(
                folder,
                settings,
                tables,
                image_set=image_set,
                device=device,
                precision=precision,
                checkpoint=checkpoint,
                parent=parent,
                asked=asked.transform,
                progress=progress,
            )
        write_run_settings(folder, tables)
        crew.tell(said_to_followers(run))
        with memory_explained(folder, settings, is_preparing=False):
            _train_and_keep(run, crew, evaluate=evaluate, progress=progress)
        _say_unchosen(folder, settings, run.state)


def _tables(
    settings: RunSettings,
    image_set: ImageSet,
    crew: Crew,
    device: torch.device,
    *,
    precision: str,
    recipe: str | Path | Mapping[str, Any],
    parent: StartingPoint | None,
) -> dict[str, dict[str, Any]]:
    """Content of ``settings.toml``."""
    name = "a mapping" if isinstance(recipe, Mapping) else str(recipe)
    return {
        **settings.to_dict(),
        "run": {
            "recipe": name,
            "device": device.type if crew.place.count > 1 else str(device),
            "precision": precision,
            **({"processes": crew.place.count} if crew.place.count > 1 else {}),
            "galsmith_version": metadata.version("galsmith"),
            **({} if parent is None else parent.to_table()),
        },
        "data": {
            "path": image_set.path,
            "content_hash": image_set.content_hash,
            "bands": list(image_set.header.bands),
            "n_images": len(image_set),
        },
    }


def _tell_other_side(
    recipe: str | Path | Mapping[str, Any], settings: RunSettings, image_set: ImageSet
) -> None:
    """Tell that a recipe for small images learns larger ones, before its time is spent on them."""
    wanted, given = side_of_recipe(recipe), settings.training.crop_pix
    side = max(image_set.shape_range[1]) if given is None else given
    if wanted is None or side <= wanted:
        return
    shows_fields = image_set.header.shows_fields
    way_out = "`training.crop_pix={}` learns crops of them" if shows_fields else "ingest with `resize_pix={}`"
    logger.warning(
        "the recipe %s is for images of %d px, these have %d px and are learned as they are, at %.2g times the cost of a "
        "step; %s",
        recipe,
        wanted,
        side,
        (side / wanted) ** 2,
        way_out.format(wanted),
    )


def _usable_checkpoint(
    folder: RunFolder, tables: Mapping[str, Mapping[str, Any]], image_set: ImageSet
) -> Checkpoint:
    """Read the checkpoint and make sure that it belongs to the settings beside it."""
    checkpoint = load_checkpoint(folder.checkpoint_file)
    if (checkpoint.settings_hash, checkpoint.data_hash) != (settings_hash(tables), image_set.content_hash):
        raise InputError(
            f"{folder.checkpoint_file}: was made by other settings or data than {folder.settings_file} says; "
            "start anew with `overwrite`, or choose another `output`"
        )
    return checkpoint


def _is_complete(folder: RunFolder, settings: RunSettings, checkpoint: Checkpoint) -> bool:
    """Whether the budget is spent and the last snapshot and picture are there."""
    if not settings.budget.is_spent(checkpoint.state):
        return False
    images_seen = checkpoint.state.images_seen
    if settings.training.sample_grids > 0 and not folder.grid_file(images_seen).exists():
        return False
    kept = read_snapshot_page(folder.snapshot_folder)["card"]["training"]
    choice = kept_choice(settings, checkpoint.state)
    seen = images_seen if choice is None else choice.images_seen
    wanted = (seen, kept_width(settings, checkpoint.state), True)
    return (kept["images_seen"], kept["ema_width"], kept["is_finished"]) == wanted


def _say_finished(folder: RunFolder, settings: RunSettings, progress: ProgressCallback) -> None:
    """Tell that there is nothing to do, and what would make something to do."""
    logger.warning(
        "%s: is already there, finished (%s); give a larger budget to extend it, or `overwrite` to start anew",
        folder.path,
        settings.budget.text,
    )
    budget = settings.budget
    progress(ProgressEvent("training", budget.total, budget.total, budget.unit, {"state": "finished before"}))


def _say_unchosen(folder: RunFolder, settings: RunSettings, state: RunState) -> None:
    """Tell that the snapshot is the last one although the best was wanted."""
    if settings.training.choose_snapshot == "best" and state.choice is None:
        why = "no distance was finite" if state.n_evaluations else "no evaluation was made"
        logger.warning("%s: %s, so that no snapshot was chosen; it is the last", folder.path, why)


def _train_and_keep(
    run: TrainingRun, crew: Crew, *, evaluate: Evaluate | None, progress: ProgressCallback
) -> None:
    """Run the loop with its listeners, and keep what it made however it ends."""
    training = run.settings.training
    with memory_explained(run.folder, run.settings, is_preparing=True):
        batches = make_batches(
            run.training_set,
            run.trainer.compacted,
            batch_size=training.batch_size,
            seed=training.seed,
            memory_gb=training.memory_gb,
            device=run.device,
            augmentation=training.augmentation,
            share=crew.share,
        )
    log = _started_log(run)
    evaluation = Evaluation(run, evaluate, log, progress=progress)
    live = LiveProgress(progress, budget=run.settings.budget, device=run.device, watched=evaluation)
    try:
        with interrupts_noted() as note:
            if run.state.images_seen == 0:
                run.save(is_finished=False)
            evaluation.evaluate_if_due()
            with crew.stepping():
                is_finished = run_loop(
                    run.trainer,
                    batches,
                    averages=run.averages,
                    state=run.state,
                    budget=run.settings.budget,
                    seed=training.seed,
                    batch_size=training.batch_size,
                    listeners=[log, live, GridPainter(run), AverageKeeper(run), evaluation, Keeper(run)],
                    note=note,
                    crew=crew,
                    parts=training.accumulate or 1,
                )
            if is_finished:
                evaluation.judge_widths()
            if not run.save(is_finished=is_finished):
                raise DivergedError(f"a weight is not finite at {run.state.images_seen:,} images seen")
    except DivergedError as error:
        raise explained_divergence(run, error) from error
    finally:
        log.close()
        batches.close()
    if not is_finished:
        raise InterruptedRunError(how_to_go_on(run))
    if training.sample_grids > 0:
        run.draw_grid()


def _started_log(run: TrainingRun) -> TrainingLog:
    """Open the log where the run goes on."""
    training = run.settings.training
    return TrainingLog(
        run.folder.log_file,
        images_seen=run.state.images_seen,
        log_seconds=training.log_seconds,
        device=run.device,
        tensorboard=run.folder.tensorboard_folder if training.tensorboard else None,
    )
