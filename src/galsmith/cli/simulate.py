"""``galsmith simulate KIND``: make a store of simulated galaxies or fields; the verbs are made from the simulators."""

from collections.abc import Callable, Iterator
from inspect import Parameter as Argument
from inspect import Signature
from typing import Annotated, Any

from cyclopts import Parameter

from galsmith.cli.options import (
    HERE_OR_LOCAL,
    KEEP_ALL,
    NO_SETTINGS,
    SHOWN_ALL,
    First,
    Output,
    Overwrite,
    Seed,
    SetFlags,
    Sets,
    Shown,
    WorkFlags,
)
from galsmith.cli.outcome import Outcome
from galsmith.cli.premises import check_counts, check_folder, check_overrides, check_places
from galsmith.data.simulate import Simulator, prior_names, priors_named, simulate

MOSAIC_EXAMPLE = "galsmith simulate sky-mosaic sky_pictures -o sky -n 8 --side 4000"


def simulate_command(simulator: Simulator) -> Callable[..., Outcome]:
    """Make the command of one simulator: how many, a recipe with its settings, and what all have in common."""

    def command(
        *,
        n: int,
        output: Any,
        first: int = 0,
        recipe: str = simulator.name,
        negatives: str | None = None,
        seed: int = 0,
        overrides: Sets = NO_SETTINGS,
        flags: SetFlags = KEEP_ALL,
        work: WorkFlags = HERE_OR_LOCAL,
        overwrite: bool = False,
        shown: Shown = SHOWN_ALL,
    ) -> Outcome:
        check_places([recipe, *([] if negatives is None else [negatives])], [], far_outputs=[output])
        check_counts({"n": n})
        work.check()
        flags.check()
        priors_named(recipe, simulator.name)
        check_overrides(overrides, priors_named(simulator.name, simulator.name))
        from galsmith.cli.summaries import outcome_of_store

        with shown.progress() as progress, work.engine(makes_store=True) as engine:
            images = simulate(
                simulator.name,
                output,
                n=n,
                first=first,
                seed=seed,
                recipe=recipe,
                overrides=overrides,
                negatives=negatives,
                options=flags.to_options(),
                overwrite=overwrite,
                workers=engine.workers,
                executor=engine.executor,
                progress=progress,
            )
        return outcome_of_store(f"simulate {simulator.name}", images, output)

    command.__name__ = f"simulate_{simulator.name}"
    command.__doc__ = simulator.summary
    command.__signature__ = Signature(list(_arguments(simulator)))  # type: ignore[attr-defined]
    command.__annotations__ = {}
    return command


def _arguments(simulator: Simulator) -> Iterator[Argument]:
    """Give the parameters of a simulator's command."""
    how_many = f"How many {simulator.images}."
    yield _flag("n", Annotated[int, Parameter(name=["-n", "--number"], help=how_many)])
    yield _flag("first", First, 0)
    yield _flag("output", Output)
    help_text = f"The law of {simulator.makes}: a shipped recipe by name, or a TOML file."
    yield _flag("recipe", Annotated[str, Parameter(help=help_text)], simulator.name)
    if simulator.negatives is not None:
        yield _flag("negatives", Annotated[str | None, Parameter(help=simulator.negatives)], None)
    yield _flag("seed", Seed, 0)
    yield _flag("overrides", Sets, NO_SETTINGS)
    yield _flag("flags", SetFlags, KEEP_ALL)
    yield _flag("work", WorkFlags, HERE_OR_LOCAL)
    yield _flag("overwrite", Overwrite, default=False)
    yield _flag("shown", Shown, SHOWN_ALL)


def _flag(name: str, kind: Any, default: Any = Argument.empty) -> Argument:
    """Make a keyword of a command."""
    return Argument(name, Argument.KEYWORD_ONLY, annotation=kind, default=default)


def recipes_text(simulator: Simulator) -> str:
    """Name the shipped recipes of a simulator."""
    return f"Shipped recipes: {', '.join(prior_names(simulator.name))}."


def simulate_sky_mosaic(
    pictures: Annotated[str, Parameter(help="Folder of PNG or JPEG pictures, or a store of them.")],
    /,
    *,
    output: Output,
    n: Annotated[int, Parameter(name=["-n", "--number"], help="How many mosaics.")] = 1,
    side_pix: Annotated[int, Parameter(name="--side", help="Side of each, in pixels.")] = 4000,
    seed: Seed = 0,
    work: WorkFlags = HERE_OR_LOCAL,
    overwrite: Overwrite = False,
    shown: Shown = SHOWN_ALL,
) -> Outcome:
    """Join pictures of the sky to large gray mosaics, of which train takes fresh crops; goes on when repeated."""
    check_places([pictures], [], far_outputs=[output])
    check_counts({"n": n, "side_pix": side_pix})
    work.check()
    check_folder(pictures, "there is no such folder or store of pictures")
    from galsmith.cli.summaries import outcome_of_store
    from galsmith.data.simulate import sky_mosaic

    with shown.progress() as progress, work.engine(makes_store=True) as engine:
        images = sky_mosaic(
            pictures,
            output,
            n=n,
            side_pix=side_pix,
            seed=seed,
            overwrite=overwrite,
            workers=engine.workers,
            executor=engine.executor,
            progress=progress,
        )
    return outcome_of_store("simulate sky-mosaic", images, output)
