"""``galsmith denoise``: train denoisers, take PSF and noise off anybody's images, and study what generated ones add."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from galsmith.cli.measure_flags import FileFlags
from galsmith.cli.options import (
    HERE_OR_LOCAL,
    NO_SETTINGS,
    SHOWN_ALL,
    Device,
    Output,
    Overwrite,
    Precision,
    Sets,
    Shown,
    WorkFlags,
)
from galsmith.cli.outcome import Outcome
from galsmith.cli.premises import check_counts, check_folder, check_places, check_positive, check_there
from galsmith.counts import counted
from galsmith.denoise.denoisers import DENOISERS, STUDY_RECIPE_FOLDER, check_recipe, denoiser_recipes
from galsmith.errors import SettingsError
from galsmith.settings import near_miss

if TYPE_CHECKING:
    from galsmith.data.galaxies import FileRequest

FIT_EXAMPLE = "galsmith denoise fit filter_bank-small --data galaxies -o denoiser"
APPLY_EXAMPLE = "galsmith denoise apply denoiser observed -o denoised"
STUDY_EXAMPLE = "galsmith denoise study study-small --data galaxies --generated drawn -o study"
REPORT_EXAMPLE = "galsmith denoise report study -o page"
NO_FILES = FileFlags()


def recipes_text() -> str:
    """Name the recipes."""
    return "Recipes: " + ", ".join(denoiser_recipes()) + "."


def denoisers_text() -> str:
    """Name the denoisers, trained and not."""
    return (
        "Denoisers: "
        + ", ".join(DENOISERS)
        + "; paper_resnet and filter_bank are trained by galsmith denoise fit."
    )


def denoise_fit(
    recipe: Annotated[str, Parameter(help="A shipped recipe by name, or a TOML file.")],
    /,
    *,
    data: Annotated[Path, Parameter(help="Store of clean images.")],
    output: Output,
    generated: Annotated[Path | None, Parameter(help="Store of generated images to mix in.")] = None,
    mixing: Annotated[
        float | None, Parameter(help="Probability that the next image is a generated one, 0 to 1.")
    ] = None,
    minutes: Annotated[float | None, Parameter(help="Time budget.")] = None,
    images: Annotated[int | None, Parameter(help="Budget in images seen, instead of time.")] = None,
    overrides: Sets = NO_SETTINGS,
    seed: Annotated[int | None, Parameter(help="The integer that fixes all chance.")] = None,
    device: Device = "auto",
    precision: Precision = "auto",
    overwrite: Overwrite = False,
    shown: Shown = SHOWN_ALL,
) -> Outcome:
    """Train a denoiser on clean images, observed anew at every look; the same command goes on after an interruption."""
    check_places([recipe, data, generated or ""], [output])
    check_recipe(recipe)
    check_positive({"minutes": minutes})
    check_counts({"images": images})
    for place in (data, generated):
        if place is not None:
            check_folder(place, "there is no such store; make one with galsmith ingest or simulate")
    from galsmith.cli.device import choose_device, choose_precision
    from galsmith.denoise.fitting import fit

    chosen = choose_device(device)
    with shown.progress() as progress:
        denoiser = fit(
            recipe,
            data,
            output,
            generated=generated,
            mixing=mixing,
            minutes=minutes,
            images=images,
            overrides=overrides,
            seed=seed,
            device=chosen,
            precision=choose_precision(precision, device=chosen),
            overwrite=overwrite,
            progress=progress,
        )
    training = denoiser.card["training"]
    loss = training["validation_loss"]
    kept = (
        ""
        if loss is None
        else f", kept those of {training['chosen_at_images']:,} (validation loss {loss:.4g})"
    )
    return Outcome(
        "denoise fit",
        f"{denoiser.name}, {counted(training['images_seen'], 'images seen')}{kept}",
        output,
        numbers={"denoiser": denoiser.name, **training},
    )


def denoise_apply(
    model: Annotated[
        str,
        Parameter(help="What galsmith denoise fit wrote, or a denoiser that needs no training, by name."),
    ],
    images: Annotated[
        list[str],
        Parameter(help="A store; FITS files, a folder, a glob in quotes, FILE[HDU]; set.h5:/images."),
    ],
    /,
    *,
    output: Output,
    force: Annotated[
        bool, Parameter(help="Denoise also PSFs and noise that it was not trained for.", show_default=False)
    ] = False,
    files: FileFlags = NO_FILES,
    device: Device = "cpu",
    overwrite: Overwrite = False,
    shown: Shown = SHOWN_ALL,
) -> Outcome:
    """Take PSF and noise off a store into a store, or off FITS images into FITS files; headers are kept.

    --psf stars:FIELD.fits measures the PSF from the stars of a field.
    """
    check_places([model, *images], [output])
    if model not in DENOISERS:
        near = near_miss(model, list(DENOISERS))
        check_folder(
            Path(model), f"there is no such denoiser{near}; fit one, or take one of {', '.join(DENOISERS)}"
        )
    files.check(images)
    for image in images:
        check_there(image)
    from galsmith.denoise.application import apply

    request, psf = _request(images, files)
    with shown.progress() as progress:
        apply(
            model,
            request,
            output,
            psf=psf,
            force=force,
            device=_device(device),
            overwrite=overwrite,
            progress=progress,
        )
    return Outcome("denoise apply", f"denoised by {model}", output, numbers={"model": model})


def study_recipes_text() -> str:
    """Name the recipes of studies."""
    return "Recipes: " + ", ".join(denoiser_recipes(STUDY_RECIPE_FOLDER)) + "."


def denoise_study(
    recipe: Annotated[str, Parameter(help="A shipped recipe of a study by name, or a TOML file.")],
    /,
    *,
    data: Annotated[Path, Parameter(help="Store of clean images, with the splits train and test.")],
    output: Output,
    generated: Annotated[Path | None, Parameter(help="Store of generated images to mix in.")] = None,
    overrides: Sets = NO_SETTINGS,
    work: WorkFlags = HERE_OR_LOCAL,
    device: Device = "cpu",
    overwrite: Overwrite = False,
    shown: Shown = SHOWN_ALL,
) -> Outcome:
    """Train networks on real and generated images, test all on the same shifts, and say what generated data add."""
    check_places([recipe, data, generated or ""], [output])
    check_recipe(recipe, STUDY_RECIPE_FOLDER)
    work.check()
    for place in (data, generated):
        if place is not None:
            check_folder(place, "there is no such store; make one with galsmith ingest or simulate")
    from galsmith.denoise.studies import read_study_settings, study

    read_study_settings(recipe, overrides=overrides)
    with shown.progress() as progress, work.engine() as engine:
        found = study(
            recipe,
            data,
            output,
            generated=generated,
            overrides=overrides,
            workers=engine.workers,
            executor=engine.executor,
            device=_device(device),
            overwrite=overwrite,
            progress=progress,
        )
    failed = tuple(f"{name} failed: {reason}" for name, reason in found.failures.items())
    sentences = () if found.answers is None else tuple(found.answers.sentences())
    numbers = {
        "n_cells": found.n_cells,
        "n_before": found.n_before,
        "failures": dict(found.failures),
        "sentences": list(sentences),
    }
    n_new = found.n_cells - found.n_before - len(found.failures)
    summary = f"{counted(found.n_cells, 'cells')}, {n_new} of them now"
    if failed:
        summary += f", {len(failed)} failed and are tried again by the same command"
    exit_code = 1 if failed else 0
    return Outcome(
        "denoise study", summary, output, numbers=numbers, details=(*sentences, *failed), exit_code=exit_code
    )


def denoise_report(
    study: Annotated[Path, Parameter(help="What galsmith denoise study wrote; it need not be complete.")],
    /,
    *,
    output: Output,
    overwrite: Overwrite = False,
    shown: Shown = SHOWN_ALL,
) -> Outcome:
    """Write one page of a study: answers in words, errors against alpha, one galaxy under all shifts, tables."""
    check_places([study], [output])
    check_folder(study, "there is no such study; make one with galsmith denoise study")
    from galsmith.denoise.studies.card import report

    with shown.progress() as progress:
        page = report(study, output, overwrite=overwrite, progress=progress)
    size = page.stat().st_size
    return Outcome("denoise report", f"a page of {size / 1e6:.1f} MB", page, numbers={"bytes": size})


def _request(images: list[str], files: FileFlags) -> "tuple[str | FileRequest, str | None]":
    """Tell a store, with the PSF that may be given beside it, from image files with their maps."""
    from galsmith.data.store import is_store

    stores = [image for image in images if is_store(image)]
    if not stores:
        return files.to_request(images), None
    if len(images) > 1:
        raise SettingsError(f"{stores[0]}: a store among {len(images)} inputs; denoise each store by itself")
    FileFlags(**{**vars(files), "psf": None}).refuse_for_store(stores[0])
    return stores[0], files.psf


def _device(wanted: str) -> str:
    """Choose a device, without loading torch for the CPU."""
    if wanted == "cpu":
        return wanted
    from galsmith.cli.device import choose_device

    return choose_device(wanted)
