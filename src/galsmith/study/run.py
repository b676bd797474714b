"""A whole study: every mix with every seed, each kept as a JSON file, then the card of differences and its page."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from galsmith.data.store import open_store
from galsmith.errors import InputError, SettingsError
from galsmith.execution import ProgressCallback, ProgressEvent, ignore_progress, map_tasks
from galsmith.files import Kind, Partial, check_output, read_json, said_in_json, write_json
from galsmith.images import ImageSet
from galsmith.provenance import Provenance
from galsmith.report.study_page import PAGE_FILE, write_study_page
from galsmith.study.intervals import paired_difference
from galsmith.study.mixes import MIXES, REAL, Pools, mixed
from galsmith.study.page import CARD_FILE, FORMAT_NAME, FORMAT_VERSION, read_card
from galsmith.study.task import Floats, Task
from galsmith.study.tasks import task_named

STUDY = Kind(
    "study",
    said_in_json(FORMAT_NAME, lambda page: Provenance.from_dict(page["provenance"]).fingerprint()),
    CARD_FILE,
    (CARD_FILE, PAGE_FILE),
)
LEAST_TEST_IMAGES = 20
LEAST_OF_A_GROUP = 20


@dataclass(frozen=True)
class Job:
    """One mix with one seed: what a worker is told."""

    task: Task
    data: str
    generated: str
    mix: str
    seed: int
    n: int
    k: int
    place: Path


def study(
    task: str | Task,
    data: str | Path,
    generated: str | Path,
    output: str | Path,
    *,
    n: int | None = None,
    k: int | None = None,
    seeds: int = 5,
    seed: int = 0,
    overrides: Sequence[str] = (),
    workers: int = 1,
    overwrite: bool = False,
    progress: ProgressCallback = ignore_progress,
) -> dict[str, Any]:
    """Fit a task on real images, on generated ones and on both, and compare its loss on held-out real images.

    Real images are those of the split ``"train"``, which the generator may have seen; "more real" ones are those of the
    split ``"validation"``; losses are of the split ``"test"``. An interrupted study goes on when it is called again.

    Parameters
    ----------
    task : str or Task
        Of `TASKS`, or an object of one's own.
    data : path
        Store of real images, with the labels of the task in its catalog.
    generated : path
        Store of generated ones, with the same labels.
    output : path
        The folder to become the study: ``study.json`` and a page.
    n, k : int, optional
        Real and generated images; as many as there are of each when left out (real ones: as both splits have).
    seeds : int
        How many times everything is done anew.
    seed : int
        Any integer, from which these are made.
    overrides : sequence of str
        Settings of a task that is named, such as ``("label=T",)``.
    workers : int
        Local processes.
    overwrite : bool
        Replace what is there.
    progress : callable
        Told how far it is.

    Returns
    -------
    dict
        The card: ``rows``, one a mix, each with ``mean_loss`` and, but for real images alone, ``difference``, ``interval``,
        ``family_interval`` and ``verdict``; ``groups``, the same by group of test images; ``losses`` by mix, [seed, image].

    Raises
    ------
    SettingsError
        If there is no such task, or a number is below 1 or above what is there.
    InputError
        If bands, units or labels do not fit, or there are too few images.
    OutputExistsError
        If the output is there already.
    """
    chosen = task_named(task, overrides) if isinstance(task, str) else task
    check_output(output, STUDY, inputs=[data, generated], overwrite=overwrite)
    if seeds < 1:
        raise SettingsError(argument="seeds", came=seeds, wanted="1 or more")
    pools, test = _checked(chosen, data, generated, n, k)
    said = {**chosen.described(), "n": pools.n, "k": pools.k, "seeds": seeds, "mixes": list(MIXES)}
    parents = (
        open_store(data).as_parent("real images"),
        open_store(generated).as_parent("generated images"),
    )
    provenance = Provenance("study", said, seed, parents)
    with Partial(
        output, STUDY, provenance.fingerprint(), inputs=[data, generated], overwrite=overwrite
    ) as partial:
        if partial.is_complete:
            return read_card(output)
        jobs = [
            Job(chosen, str(data), str(generated), mix, seed + number, pools.n, pools.k, partial.folder)
            for number in range(seeds)
            for mix in MIXES
        ]
        losses = _all_losses(jobs, workers=workers, progress=progress)
        card = _card(chosen, pools, test, losses, provenance)
        partial.content.mkdir(exist_ok=True)
        write_json(partial.content / CARD_FILE, card)
        write_study_page(card, partial.content)
        partial.finish()
    return card


def _checked(
    task: Task, data: str | Path, generated: str | Path, n: int | None, k: int | None
) -> tuple[Pools, ImageSet]:
    """Open what is there, and refuse what cannot be studied."""
    real, drawn = open_store(data), open_store(generated)
    for name in ("bands", "flux_unit"):
        if getattr(real.header, name) != getattr(drawn.header, name):
            raise InputError(
                f"{generated}: {name} are {getattr(drawn.header, name)}, those of {data} {getattr(real.header, name)}"
            )
    counts = real.n_by_split
    train, more, test = (counts.get(split, 0) for split in ("train", "validation", "test"))
    for name, there in (("n", min(train, more)), ("k", len(drawn))):
        wanted = {"n": n, "k": k}[name]
        if wanted is not None and not 1 <= wanted <= there:
            what = "images of train and of validation" if name == "n" else "generated images"
            raise SettingsError(argument=name, came=wanted, wanted=f"1 to {there}, as there are {what}")
    if test < LEAST_TEST_IMAGES or min(train, more) < 1:
        raise InputError(
            f"{data}: has {train} images of train, {more} of validation, {test} of test; wanted some of each and "
            f"{LEAST_TEST_IMAGES} of test, so ingest or simulate it with a split such as 0.35/0.35/0.3"
        )
    pools = Pools(
        real.in_split("train"),
        real.in_split("validation"),
        drawn,
        min(train, more) if n is None else n,
        len(drawn) if k is None else k,
    )
    held_out = real.in_split("test")
    for images, name in (
        (pools.real, f"{data} (train)"),
        (pools.more, f"{data} (validation)"),
        (held_out, f"{data} (test)"),
        (drawn, str(generated)),
    ):
        task.check(images, name)
    return pools, held_out


def _all_losses(jobs: list[Job], *, workers: int, progress: ProgressCallback) -> dict[str, Floats]:
    """Do what is not done yet, and read everything: [seed, image] of every mix."""
    left = [job for job in jobs if not _file_of(job).exists()]
    done = len(jobs) - len(left)
    progress(ProgressEvent("fitting", done, len(jobs), "fits"))
    for _ in map_tasks(_run, left, workers=workers):
        done += 1
        progress(ProgressEvent("fitting", done, len(jobs), "fits"))
    return {
        mix: np.array([read_json(_file_of(job))["losses"] for job in jobs if job.mix == mix]) for mix in MIXES
    }


def _file_of(job: Job) -> Path:
    """Where the losses of one job are."""
    return job.place / f"{job.mix.replace(' ', '-')}-{job.seed}.json"


def _run(job: Job) -> None:
    """Fit on one mix, score the test images, and keep their losses."""
    real, generated = _opened(job.data), _opened(job.generated)
    pools = Pools(real.in_split("train"), real.in_split("validation"), generated, job.n, job.k)
    model = job.task.fit(mixed(MIXES[job.mix], pools, seed=job.seed), job.seed)
    losses = job.task.score(model, real.in_split("test"))
    if not np.isfinite(losses).all():
        raise InputError(f"the task's losses on {job.data} are not all finite after fitting on {job.mix}")
    write_json(_file_of(job), {"mix": job.mix, "seed": job.seed, "losses": losses.tolist()})


@lru_cache(maxsize=4)
def _opened(place: str) -> ImageSet:
    """Open a store once a process."""
    return open_store(place)


def _card(
    task: Task, pools: Pools, test: ImageSet, losses: dict[str, Floats], provenance: Provenance
) -> dict[str, Any]:
    """Put all together, as plain JSON values."""
    groups = task.groups(test)
    counted = {str(name): int((groups == name).sum()) for name in np.unique(groups)}
    shown = [name for name, count in counted.items() if count >= LEAST_OF_A_GROUP]
    return {
        "format": FORMAT_NAME,
        "format_version": FORMAT_VERSION,
        "task": dict(task.described()),
        "title": task.title,
        "loss": task.loss,
        "n": pools.n,
        "k": pools.k,
        "seeds": len(losses[REAL]),
        "n_test": len(test),
        "rows": _rows(losses, np.ones(len(test), dtype=bool), pools, comparisons=len(MIXES) - 1),
        "groups": [
            {
                "name": name,
                "n_test": counted[name],
                "rows": _rows(losses, groups == name, pools, comparisons=(len(MIXES) - 1) * len(shown)),
            }
            for name in shown
        ],
        "losses": {mix: values.tolist() for mix, values in losses.items()},
        "provenance": provenance.to_dict(),
    }


def _rows(
    losses: dict[str, Floats], kept: NDArray[np.bool_], pools: Pools, *, comparisons: int
) -> list[dict[str, Any]]:
    """One row a mix, over some of the test images."""
    reference, rows = losses[REAL][:, kept], []
    for mix, values in losses.items():
        row: dict[str, Any] = {
            "mix": mix,
            "title": MIXES[mix].title.format(n=pools.n, k=pools.k),
            "mean_loss": float(values[:, kept].mean()),
            "relative": float(values[:, kept].mean() / reference.mean()),
        }
        if mix != REAL:
            found = paired_difference(values[:, kept], reference, seed=0, comparisons=comparisons)
            row |= {
                "difference": found.difference,
                "interval": list(found.interval),
                "family_interval": list(found.family_interval),
                "verdict": found.verdict,
            }
        rows.append(row)
    return rows
