"""``galsmith simulate KIND``: make a store of simulated galaxies or fields."""

from typing import Annotated

from cyclopts import Parameter

from galsmith.cli.options import (
    KEEP_ALL,
    NO_SETTINGS,
    SHOWN_ALL,
    Output,
    Overwrite,
    Seed,
    SetFlags,
    Sets,
    Shown,
)
from galsmith.cli.outcome import Outcome
from galsmith.cli.premises import check_counts, check_folder, check_overrides, check_places
from galsmith.settings import prior_names, priors_named

FIELDS_EXAMPLE = "galsmith simulate fields -n 2000 -o fields --recipe fields-250 --seed 1"
# recipes that have every setting that there is
WHOLE_RECIPE, WHOLE_FIELDS = "sersic", "fields"
MOSAIC_EXAMPLE = "galsmith simulate sky-mosaic sky_pictures -o sky -n 8 --side 4000"
SERSIC_EXAMPLE = "galsmith simulate sersic -n 2000 -o galaxies --recipe sersic-64 --seed 1"


def simulate_sersic(
    *,
    n: Annotated[int, Parameter(name=["-n", "--number"], help="How many galaxies.")],
    output: Output,
    recipe: Annotated[str, Parameter(help="Priors: a shipped recipe by name, or a TOML file.")] = "sersic",
    seed: Seed = 0,
    overrides: Sets = NO_SETTINGS,
    flags: SetFlags = KEEP_ALL,
    overwrite: Overwrite = False,
    shown: Shown = SHOWN_ALL,
) -> Outcome:
    """Simulate galaxies with Sérsic profiles into a store; an interrupted run goes on when repeated."""
    check_places([recipe], [output])
    check_counts({"n": n})
    flags.check()
    priors_named(recipe)
    check_overrides(overrides, priors_named(WHOLE_RECIPE))
    from galsmith.cli.summaries import outcome_of_store
    from galsmith.data.simulate import sersic

    with shown.progress() as progress:
        images = sersic(
            output,
            n=n,
            seed=seed,
            recipe=recipe,
            overrides=overrides,
            options=flags.to_options(),
            overwrite=overwrite,
            progress=progress,
        )
    return outcome_of_store("simulate sersic", images, output)


def simulate_fields(
    *,
    n: Annotated[int, Parameter(name=["-n", "--number"], help="How many fields.")],
    output: Output,
    recipe: Annotated[str, Parameter(help="The law: a shipped recipe by name, or a TOML file.")] = "fields",
    negatives: Annotated[
        str | None,
        Parameter(help="Folder or store of pictures to cut photographs from, which are no fields."),
    ] = None,
    seed: Seed = 0,
    overrides: Sets = NO_SETTINGS,
    flags: SetFlags = KEEP_ALL,
    overwrite: Overwrite = False,
    shown: Shown = SHOWN_ALL,
) -> Outcome:
    """Simulate fields of many sources, with galaxyness scores, into a store; an interrupted run goes on when repeated."""
    check_places([recipe, *([] if negatives is None else [negatives])], [output])
    check_counts({"n": n})
    flags.check()
    priors_named(recipe, "fields")
    check_overrides(overrides, priors_named(WHOLE_FIELDS, "fields"))
    from galsmith.cli.summaries import outcome_of_store
    from galsmith.data.simulate import fields

    with shown.progress() as progress:
        images = fields(
            output,
            n=n,
            seed=seed,
            recipe=recipe,
            overrides=overrides,
            negatives=negatives,
            options=flags.to_options(),
            overwrite=overwrite,
            progress=progress,
        )
    return outcome_of_store("simulate fields", images, output)


def simulate_sky_mosaic(
    pictures: Annotated[str, Parameter(help="Folder of PNG or JPEG pictures, or a store of them.")],
    /,
    *,
    output: Output,
    n: Annotated[int, Parameter(name=["-n", "--number"], help="How many mosaics.")] = 1,
    side_pix: Annotated[int, Parameter(name="--side", help="Side of each, in pixels.")] = 4000,
    seed: Seed = 0,
    overwrite: Overwrite = False,
    shown: Shown = SHOWN_ALL,
) -> Outcome:
    """Join pictures of the sky to large gray mosaics, of which train takes fresh crops; goes on when repeated."""
    check_places([pictures], [output])
    check_counts({"n": n, "side_pix": side_pix})
    check_folder(pictures, "there is no such folder or store of pictures")
    from galsmith.cli.summaries import outcome_of_store
    from galsmith.data.simulate import sky_mosaic

    with shown.progress() as progress:
        images = sky_mosaic(
            pictures, output, n=n, side_pix=side_pix, seed=seed, overwrite=overwrite, progress=progress
        )
    return outcome_of_store("simulate sky-mosaic", images, output)


def priors_text() -> str:
    """Name the shipped priors of galaxies."""
    return f"Shipped priors: {', '.join(prior_names())}."


def laws_text() -> str:
    """Name the shipped laws of fields."""
    return f"Shipped laws: {', '.join(prior_names('fields'))}."
