"""The verb `denoise study`: a recipe, clean and generated images in, a folder of cells and the answers out; resumable."""

import json
import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from galsmith.counts import counted
from galsmith.data.store import open_store
from galsmith.data.store.layout import STORE
from galsmith.denoise.fitting import DENOISER
from galsmith.denoise.material import to_mix_in
from galsmith.denoise.studies.answers import Answers, answers_of
from galsmith.denoise.studies.blur import write_deblurred
from galsmith.denoise.studies.cells import (
    Cell,
    CellResult,
    CellTask,
    built_method,
    cell_file,
    cells_of,
    failure_file,
    images_for_tests,
    observations_of,
    run_cell,
)
from galsmith.denoise.studies.settings import TRAINING_SETS, StudySettings, read_study_settings
from galsmith.errors import GalsmithError, InputError, InterruptedRunError, OutputExistsError, SettingsError
from galsmith.execution import ProgressCallback, ProgressEvent, ignore_progress, listening, map_tasks
from galsmith.files import (
    Kind,
    grown_folder,
    is_empty_tree,
    read_json,
    refuse_existing,
    refuse_harm,
    said_in_json,
    write_json,
    written_atomically,
)
from galsmith.images import ImageSet
from galsmith.provenance import Provenance, hash_json
from galsmith.settings import recipe_file

logger = logging.getLogger("galsmith")
STUDY_FORMAT, STUDY_FILE = "galsmith denoising study", "study.json"
ANSWERS_FILE, TABLES_FILE = "answers.json", "answers.md"
# Empty: whether a command is a study's own is told by comparing its images and the settings of its cells.
STUDY = Kind(
    "study of denoising",
    said_in_json(STUDY_FORMAT, lambda _: ""),
    STUDY_FILE,
    (STUDY_FILE, ANSWERS_FILE, TABLES_FILE, "cells/*.json", "failed/*.json"),
    {"models/*": DENOISER, "sets/*": STORE},
)


@dataclass(frozen=True)
class StudyResult:
    """What a call of `study` did.

    Attributes
    ----------
    folder : Path
        Of the study.
    n_cells : int
        Of the recipe.
    n_before : int
        How many were done before.
    failures : mapping of str to str
        Cells that failed, with the reason.
    answers : Answers or None
        What the cells that are done say; None where there is none.
    """

    folder: Path
    n_cells: int
    n_before: int
    failures: Mapping[str, str]
    answers: Answers | None


@dataclass(frozen=True)
class StudyData:
    """Stores of a study.

    Attributes
    ----------
    clean : ImageSet
        With splits.
    generated : ImageSet or None
        What is mixed in.
    """

    clean: ImageSet
    generated: ImageSet | None

    @property
    def content_hash(self) -> str:
        """Of both."""
        return hash_json(
            [self.clean.content_hash, None if self.generated is None else self.generated.content_hash]
        )


def study(
    recipe: str | Path | Mapping[str, Any],
    data: str | Path,
    output: str | Path,
    *,
    generated: str | Path | None = None,
    overrides: Sequence[str] = (),
    workers: int = 1,
    executor: Executor | None = None,
    device: str = "cpu",
    overwrite: bool = False,
    progress: ProgressCallback = ignore_progress,
) -> StudyResult:
    """Train networks on several sets and with several seeds, test all on the same shifted observations, and answer.

    Each training is a cell, done once: the same call goes on after an interruption, and a call with more seeds, sets,
    networks or shifts adds to what is there. A cell that fails is set aside with its reason, and tried again by the next
    call.

    Parameters
    ----------
    recipe : str, Path or mapping
        A shipped recipe by name, a TOML file, or the tables themselves.
    data : path
        Store of clean images, with the splits ``"train"`` and ``"test"``.
    output : path
        The folder: ``study.json``, ``cells/`` with a file a cell, ``models/``, ``answers.json`` and ``answers.md``.
    generated : path, optional
        Store of generated images, of the same bands, unit and pixel scale; needed where a set has some.
    overrides : sequence of str
        ``table.key=value`` entries, such as ``"study.seeds=2"``.
    workers : int
        Local processes, one cell and one thread each.
    executor : concurrent.futures.Executor, optional
        Used instead of local processes.
    device : str
        As torch knows it.
    overwrite : bool
        Start anew, whatever study is there.
    progress : callable
        Told how far it is.

    Raises
    ------
    SettingsError, InputError
        If the recipe or the stores cannot be used: before anything is trained.
    OutputExistsError
        If something else is there, or a study of other images or other settings of a cell.
    InterruptedRunError
        After Ctrl-C or SIGTERM; all that is done is kept.
    """
    inputs = [recipe_file(recipe), data, generated]
    refuse_harm(Path(output), inputs)
    settings = read_study_settings(recipe, overrides=overrides)
    stores = checked_data(settings, open_store(data), None if generated is None else open_store(generated))
    made_from = hash_json([stores.content_hash, settings.to_dict()])
    with grown_folder(output, STUDY, made_from, inputs=inputs, overwrite=overwrite) as folder:
        _check_folder(folder, stores)
        tasks = [_task(settings, stores, cell, folder, device) for cell in cells_of(settings)]
        left = [task for task in tasks if not _is_done(task)]
        _try_methods(settings, stores, left)
        is_new = _write_page(folder, settings, stores)
        if not left and not is_new and (folder / TABLES_FILE).exists():
            logger.warning("%s: is already there, with all its %d cells", folder, len(tasks))
            answers: Answers | None = answers_of(settings, finished_cells(folder, settings))
        else:
            _write_sets(settings, stores, left)
            _run(left, len(tasks), workers=workers, executor=executor, progress=progress)
            answers = _answered(folder, settings, progress)
    return StudyResult(Path(output), len(tasks), len(tasks) - len(left), _failures(tasks, folder), answers)


def checked_data(settings: StudySettings, clean: ImageSet, generated: ImageSet | None) -> StudyData:
    """Refuse stores that the recipe cannot be run on.

    Raises
    ------
    SettingsError, InputError
        It says what is missing, and the way out.
    """
    factors = settings.factors
    counts = {name: len(clean.in_split(name)) for name in ("train", "test")}
    name = clean.path or "the clean set"
    if counts["test"] < factors.n_test:
        raise SettingsError(
            f"{name} has {counted(counts['test'], 'images')} of the split 'test'",
            argument="study.n_test",
            came=factors.n_test,
            way_out="give more images, a larger split, or a smaller number by `overrides`",
        )
    if counts["train"] < factors.n_small:
        raise SettingsError(
            f"{name} has {counted(counts['train'], 'images')} of the split 'train'",
            argument="study.n_small",
            came=factors.n_small,
            way_out="give more images, or a smaller number by `overrides`",
        )
    for shift, observation in settings.shifts.items():
        try:
            observation.scene(clean[0], clean.header)
        except SettingsError as error:
            raise SettingsError(f"shift {shift}: {error}") from error
    mixes = any(cell.group.mixing > 0 for cell in cells_of(settings))
    if mixes and generated is None:
        raise SettingsError(
            "the recipe mixes generated images in and there are none",
            argument="generated",
            wanted="a store",
            way_out="or choose `study.sets` without any by `overrides`",
        )
    if mixes and generated is not None:
        _refuse_other_kind(factors.n_small, clean, generated)
    return StudyData(clean, generated if mixes else None)


def _refuse_other_kind(n_small: int, clean: ImageSet, generated: ImageSet) -> None:
    """Refuse generated images of another kind, or too few."""
    name = generated.path or "the generated set"
    for what in ("bands", "flux_unit", "pixel_scale_arcsec"):
        wanted, came = getattr(clean.header, what), getattr(generated.header, what)
        if wanted != came and not (what == "pixel_scale_arcsec" and None in (wanted, came)):
            raise InputError(
                f"{name}: {what} is {_said(came)}, that of the clean images {_said(wanted)}; "
                "a study mixes images of one kind: bring them to the same"
            )
    count = len(to_mix_in(generated))
    if count < n_small:
        raise InputError(
            f"{name}: has {counted(count, 'images')} to learn from; wanted {n_small:,}, as many as the small real set has "
            "(`study.n_small`), for the number is the same at any mixing; draw more"
        )


def _said(value: Any) -> str:
    """Write bands or a number."""
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _check_folder(folder: Path, stores: StudyData) -> None:
    """Refuse a folder with something else, or a study of other images."""
    page = folder / STUDY_FILE
    if not page.exists():
        if folder.exists() and not is_empty_tree(folder):
            refuse_existing(folder, STUDY, overwrite=False)
        return
    said = read_json(page)
    if said.get("clean_hash") != stores.clean.content_hash or (
        stores.generated is not None
        and said.get("generated_hash") not in (None, stores.generated.content_hash)
    ):
        raise OutputExistsError(
            "holds a study of other images",
            argument="output",
            came=folder,
            way_out="choose another `output`, or replace it with `overwrite`",
        )


def _write_page(folder: Path, settings: StudySettings, stores: StudyData) -> bool:
    """Write what the study is, which may have grown since the last call; whether it says anything new."""
    page, drawn = folder / STUDY_FILE, stores.generated
    before = read_json(page) if page.exists() else {}
    parents = [stores.clean.as_parent("clean images")]
    if drawn is not None:
        parents.append(drawn.as_parent("generated images"))
    provenance = Provenance("denoise study", settings.to_dict(), settings.factors.test_seed, tuple(parents))
    folder.mkdir(parents=True, exist_ok=True)
    said = {
        "format": STUDY_FORMAT,
        "data_hash": stores.content_hash,
        "clean_hash": stores.clean.content_hash,
        "generated_hash": before.get("generated_hash") if drawn is None else drawn.content_hash,
        "data": stores.clean.path,
        "generated": before.get("generated") if drawn is None else drawn.path,
        "header": stores.clean.header.to_dict(),
        "n_train": len(stores.clean.in_split("train")),
        "settings": settings.to_dict(),
        "cells": [cell.name for cell in cells_of(settings)],
        "provenance": provenance.to_dict(),
    }
    if before == json.loads(json.dumps(said)):
        return False
    (folder / TABLES_FILE).unlink(
        missing_ok=True
    )  # so that a call that dies before new answers is not the last
    write_json(page, said)
    return True


def _task(settings: StudySettings, stores: StudyData, cell: Cell, folder: Path, device: str) -> CellTask:
    """Gather what a process needs for a cell."""
    group, factors = cell.group, settings.factors
    drawn = stores.generated
    place = None if drawn is None or group.mixing == 0 else Path(drawn.path)
    if place is not None and TRAINING_SETS[group.training_set].generated == "deblurred":
        place = folder / "sets" / "generated-deblurred"
    recipe: Any = settings.methods[group.denoiser].settings if not group.is_network else None
    if group.is_network:
        recipe = settings.fit_recipe(group.denoiser, group.training_set, mixing=group.mixing, seed=cell.seed)
    used = None if drawn is None or group.mixing == 0 else drawn.content_hash
    tests = [{name: one.content_hash for name, one in settings.shifts.items()}]
    return CellTask(
        cell=cell,
        settings=settings,
        data=Path(stores.clean.path),
        generated=place,
        folder=folder,
        training_hash=hash_json([cell.to_dict(), recipe, stores.clean.content_hash, used]),
        test_hash=hash_json([*tests, factors.n_test, factors.test_seed, factors.fits_sersic]),
        device=device,
    )


def _is_done(task: CellTask) -> bool:
    """Whether a cell has its result; one that was trained by other settings is refused, other tests are made anew.

    Raises
    ------
    OutputExistsError
        If the cell of this name was trained by other settings.
    """
    if not task.file.exists():
        return False
    found = CellResult.read(task.file)
    if found.training_hash != task.training_hash:
        raise OutputExistsError(
            f"its cell {task.cell.name} was trained by other settings",
            argument="output",
            came=task.folder,
            way_out="choose another `output`, give the network another name, or replace all with `overwrite`",
        )
    return found.test_hash == task.test_hash


def _try_methods(settings: StudySettings, stores: StudyData, left: Sequence[CellTask]) -> None:
    """Apply the methods that are left to one galaxy, before hours of training: a package may be missing."""
    images = images_for_tests(Path(stores.clean.path), 1)
    observation = next(iter(settings.shifts.values()))
    for task in left:
        name = task.cell.group.denoiser
        if task.cell.group.is_network:
            continue
        try:
            method = built_method(settings, name, task.data)
            for observed in observations_of(images, observation, settings.factors.test_seed):
                method.denoise(observed)
        except GalsmithError as error:
            raise SettingsError(
                f"it cannot be used: {error}",
                argument="study.methods",
                came=name,
                way_out="or leave it out by `overrides`",
            ) from error


def _write_sets(settings: StudySettings, stores: StudyData, left: Sequence[CellTask]) -> None:
    """Write the deblurred set where a cell that is left needs it."""
    if stores.generated is None or not any(
        TRAINING_SETS[task.cell.group.training_set].generated == "deblurred"
        for task in left
        if task.generated is not None
    ):
        return
    place = next(task.folder for task in left) / "sets" / "generated-deblurred"
    place.parent.mkdir(parents=True, exist_ok=True)
    real = stores.clean.in_split("train")
    write_deblurred(real, stores.generated.path, place, n_measured=settings.factors.n_small)


def _run(
    tasks: Sequence[CellTask],
    total: int,
    *,
    workers: int,
    executor: Executor | None,
    progress: ProgressCallback,
) -> None:
    """Run what is left; with one worker the progress of each training is shown too."""
    done = total - len(tasks)
    progress(ProgressEvent("cells", done, total, "cells"))
    is_here = executor is None and (workers == 1 or len(tasks) < 2)
    try:
        with listening(progress) as told:
            function = partial(run_cell, progress=told) if is_here else run_cell
            for position, reason in map_tasks(function, tasks, workers=workers, executor=executor):
                done += 1
                name = tasks[position].cell.name
                if reason:
                    logger.warning("the cell %s failed and is set aside: %s", name, reason)
                progress(ProgressEvent("cells", done, total, "cells", {"last": name}))
    except InterruptedRunError as error:
        raise InterruptedRunError(
            f"stopped at {done} of {total} cells; all is kept, repeat the command to go on"
        ) from error


def _answered(folder: Path, settings: StudySettings, progress: ProgressCallback) -> Answers | None:
    """Write what the cells that are done say."""
    results = finished_cells(folder, settings)
    if not results:
        return None
    progress(ProgressEvent("answers", 0, 1, "tables"))
    answers = answers_of(settings, results)
    write_json(folder / ANSWERS_FILE, answers.to_dict())
    with written_atomically(folder / TABLES_FILE) as temporary:
        temporary.write_text(answers.to_markdown(), encoding="utf-8")
    return answers


def finished_cells(folder: Path, settings: StudySettings) -> list[CellResult]:
    """Read the results that there are of the cells of a recipe."""
    files = [cell_file(folder, cell) for cell in cells_of(settings)]
    return [CellResult.read(file) for file in files if file.exists()]


def _failures(tasks: Sequence[CellTask], folder: Path) -> dict[str, str]:
    """Read why cells failed."""
    found = {}
    for task in tasks:
        file = failure_file(folder, task.cell)
        if file.exists():
            found[task.cell.name] = str(read_json(file)["reason"])
    return found
