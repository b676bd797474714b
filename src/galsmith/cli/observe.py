"""``galsmith observe STORE``: clean images as an instrument would have taken them."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from galsmith.cli.options import NO_SETTINGS, SHOWN_ALL, Output, Overwrite, Seed, Sets, Shown
from galsmith.cli.outcome import Outcome
from galsmith.cli.premises import check_folder, check_name, check_places, check_there
from galsmith.errors import SettingsError
from galsmith.settings import apply_overrides

EXAMPLE = "galsmith observe galaxies -o observed --preset hsc-wide --seed 1"
# `galsmith.observe.presets.PRESETS`, which loads what convolves
PRESET_NAMES = (
    *("lsst", "hsc-wide", "hst-acs-f814w", "euclid-vis", "roman"),
    *("holzschuh2022-none", "holzschuh2022-pixel-scale-coded", "holzschuh2022-pixel-scale-text"),
    *("holzschuh2022-noise-16", "holzschuh2022-noise-20", "holzschuh2022-both", "holzschuh2022-both-text"),
)


def observe(
    store: Annotated[Path, Parameter(help="Store of clean images.")],
    /,
    *,
    output: Output,
    preset: Annotated[str | None, Parameter(help="An instrument or a paper's observation by name.")] = None,
    recipe: Annotated[Path | None, Parameter(help="Or a TOML file with a table [observation].")] = None,
    overrides: Sets = NO_SETTINGS,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    shown: Shown = SHOWN_ALL,
) -> Outcome:
    """Spread, pixelate and add noise to clean images as an instrument does; an interrupted run goes on when repeated."""
    check_places([] if recipe is None else [recipe], [], far=[store], far_outputs=[output])
    check_folder(store, "there is no such store; make one with galsmith ingest or simulate")
    check_name(preset, PRESET_NAMES, argument="preset", problem="not found")
    if recipe is not None:
        check_there(recipe)
    apply_overrides({}, overrides)
    if preset is None and recipe is None and not overrides:
        raise SettingsError(
            "no observation; wanted `preset`, `recipe`, or settings as `overrides`, such as psf.fwhm_pix=3"
        )
    from galsmith.cli.summaries import outcome_of_store
    from galsmith.observe import observe as observe_store

    with shown.progress() as progress:
        images = observe_store(
            store,
            output,
            preset=preset,
            recipe=recipe,
            overrides=overrides,
            seed=seed,
            overwrite=overwrite,
            progress=progress,
        )
    return outcome_of_store("observe", images, output)


def presets_text() -> str:
    """Name the presets."""
    return f"Presets: {', '.join(PRESET_NAMES)}."
