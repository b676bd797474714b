"""The card of a study: its answers, pictures of one test galaxy under all shifts, and the page of both."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from galsmith.data.store import open_store
from galsmith.denoise.method import Denoiser
from galsmith.denoise.model import load_denoiser
from galsmith.denoise.page import check_study_page
from galsmith.denoise.studies.answers import answers_of
from galsmith.denoise.studies.cells import (
    Cell,
    CellResult,
    Group,
    built_method,
    images_for_tests,
    model_folder,
    observations_of,
)
from galsmith.denoise.studies.run import STUDY_FILE, STUDY_FORMAT, finished_cells
from galsmith.denoise.studies.settings import REAL, StudySettings, read_study_settings
from galsmith.errors import GalsmithError, InputError
from galsmith.execution import ProgressCallback, ProgressEvent, ignore_progress
from galsmith.files import Partial, check_output, read_json, write_json
from galsmith.provenance import Parent, Provenance, hash_json
from galsmith.report.denoising.page import CARD_FILE, DENOISING_REPORT, PICTURES_FILE, write_denoising_page

SHOWN_SHARE = 0.75  # of test galaxies that are fainter than the one that is shown


def report(
    study: str | Path,
    output: str | Path,
    *,
    overwrite: bool = False,
    progress: ProgressCallback = ignore_progress,
) -> Path:
    """Write one page of a study: its answers in words, figures 9 and 10 of the paper, tables, settings and provenance.

    Parameters
    ----------
    study : path
        The folder that `galsmith.denoise.study` wrote; it need not be complete.
    output : path
        The folder to become the report: ``index.html``, ``denoising.json`` and ``figures/``.
    overwrite : bool
        Replace a report.
    progress : callable
        Told how far it is.

    Returns
    -------
    Path
        Of ``index.html``.

    Raises
    ------
    InputError
        If there is no study, or nothing of it is done.
    """
    check_output(output, DENOISING_REPORT, inputs=[study], overwrite=overwrite)
    folder = Path(study)
    said, settings = read_study(folder)
    results = finished_cells(folder, settings)
    if not results:
        raise InputError(f"{folder}: no cell of this study is done; finish one with galsmith denoise study")
    answers = answers_of(settings, results).to_dict()  # of what is done by now: a study may be going on
    provenance = Provenance(
        "denoise report", {}, None, (Parent("study", hash_json([answers, said["cells"]]), str(folder)),)
    )
    with Partial(
        output, DENOISING_REPORT, provenance.fingerprint(), inputs=[study], overwrite=overwrite
    ) as partial:
        if not partial.is_complete:
            partial.content.mkdir(parents=True, exist_ok=True)
            pictures = _pictures(folder, said, settings, results, progress)
            pictures.write(partial.content / PICTURES_FILE)
            card = {
                "answers": answers,
                **{name: said[name] for name in ("settings", "header", "n_train", "data", "generated")},
                "shifts": list(settings.shifts),
                "cells": _cells(folder, said, results),
                "shown": {"names": list(pictures.names), "row": pictures.row},
                "provenance": provenance.to_dict(),
                "study_provenance": said["provenance"],
            }
            write_json(partial.content / CARD_FILE, card)
            write_denoising_page(partial.content, progress=progress)
            partial.finish()
    return Path(output) / "index.html"


def read_study(folder: Path) -> tuple[dict[str, Any], StudySettings]:
    """Read what a study says of itself.

    Raises
    ------
    InputError
        If there is none.
    """
    page = folder / STUDY_FILE
    said = read_json(page) if page.is_file() else {}
    if said.get("format") != STUDY_FORMAT:
        raise InputError(f"{folder}: not a study of denoising; make one with galsmith denoise study")
    check_study_page(said, page)
    return said, read_study_settings(said["settings"])


@dataclass(frozen=True)
class Pictures:
    """One test galaxy: its truth, observation and predictions under each shift.

    Attributes
    ----------
    arrays : mapping of str to ndarray [band, y, x], float32
        ``"SHIFT/NUMBER"``: 0 is the truth, 1 the observation, then the predictions.
    names : tuple of str
        What these are.
    row : int
        Which test galaxy.
    """

    arrays: Mapping[str, NDArray[np.float32]]
    names: tuple[str, ...]
    row: int

    def write(self, path: Path) -> None:
        """Write the arrays."""
        named: dict[str, Any] = dict(self.arrays)
        np.savez_compressed(path, **named)


def _pictures(
    folder: Path,
    said: Mapping[str, Any],
    settings: StudySettings,
    results: list[CellResult],
    progress: ProgressCallback,
) -> Pictures:
    """Denoise the galaxy that is shown; without the store or a model it is left out."""
    first = next(iter(settings.shifts))
    table = next(one.errors[first] for one in results)
    brightness = table.groupby("galaxy")["signal_to_noise"].mean()
    row = int(brightness.sort_values().index[int(SHOWN_SHARE * (len(brightness) - 1))])
    try:
        images = images_for_tests(Path(said["data"]), settings.factors.n_test)
        if open_store(said["data"]).content_hash != said["clean_hash"]:
            return Pictures({}, (), row)
    except InputError:
        return Pictures({}, (), row)
    shown = dict(_shown(folder, settings, results, Path(said["data"])))
    arrays = {}
    for number, (shift, observation) in enumerate(settings.shifts.items()):
        progress(ProgressEvent("drawing galaxies", number, len(settings.shifts), "shifts"))
        observed = next(iter(observations_of(images, observation, settings.factors.test_seed, [row])))
        made = [one.denoise(observed).image for one in shown.values()]
        truth = observed.image if observed.truth is None else observed.truth
        for place, image in enumerate((truth, observed.image, *made)):
            arrays[f"{shift}/{place}"] = image
    return Pictures(arrays, ("truth", "observed", *shown), row)


def _shown(
    folder: Path, settings: StudySettings, results: list[CellResult], data: Path
) -> list[tuple[str, Denoiser]]:
    """Choose predictions to show: each network on real data, the first on the most generated, and one method."""
    groups = {one.cell.group for one in results}
    wanted = [Group(network, REAL) for network in settings.networks]
    mixed = sorted(group for group in groups if group.training_set == "generated")
    of_first = [group for group in mixed if group.denoiser == settings.factors.networks[0]]
    wanted[1:1] = of_first[-1:]
    wanted += [Group(name) for name in settings.factors.methods[-1:]]
    found: list[tuple[str, Denoiser]] = []
    for group in wanted:
        cell = next((one.cell for one in results if one.cell.group == group), None)
        if cell is None:
            continue
        try:
            found.append((group.words, _loaded(folder, settings, cell, data)))
        except GalsmithError:
            continue
    return found


def _loaded(folder: Path, settings: StudySettings, cell: Cell, data: Path) -> Denoiser:
    """Load or build what a cell tested."""
    if not cell.group.is_network:
        return built_method(settings, cell.group.denoiser, data)
    return load_denoiser(model_folder(folder, cell), force=True)


def _cells(folder: Path, said: Mapping[str, Any], results: list[CellResult]) -> dict[str, Any]:
    """Say what is done, left and failed, and what each cell cost."""
    files = sorted((folder / "failed").glob("*.json"))
    return {
        "done": len(results),
        "left": sorted(set(said["cells"]) - {one.cell.name for one in results}),
        "failed": {file.stem: read_json(file)["reason"] for file in files},
        "cost": [
            {"name": one.cell.name, "images_seen": one.training.get("images_seen"), **one.seconds}
            for one in results
        ],
    }
