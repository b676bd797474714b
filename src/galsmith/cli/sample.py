"""``galsmith sample RUN``: draw new galaxies from a trained model."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from galsmith.cli.options import NO_SETTINGS, SHOWN_ALL, Device, First, Overwrite, Seed, Shown
from galsmith.cli.outcome import Outcome
from galsmith.cli.premises import check_counts, check_places, check_run, check_there
from galsmith.errors import SettingsError
from galsmith.models.pretrained import pretrained_folder, pretrained_names
from galsmith.settings import parse_where

EXAMPLE = "galsmith sample run -n 2000 --seed 1 -o generated"


def sample(
    run: Annotated[
        Path | None,
        Parameter(help="Run folder of galsmith train, a snapshot folder, or the name of a shipped model."),
    ] = None,
    /,
    *,
    n: Annotated[
        int | None,
        Parameter(
            name=["-n", "--number"], help="How many galaxies; left out with --catalog, which has one a row."
        ),
    ] = None,
    first: First = 0,
    output: Annotated[
        Path | None,
        Parameter(
            name=["--output", "-o"],
            help="What to write; a pretrained model's name with -n and --seed when left out.",
        ),
    ] = None,
    pretrained: Annotated[
        str | None, Parameter(help="A model that comes with galsmith, such as sersic-64, instead of a run.")
    ] = None,
    seed: Seed = 0,
    where: Annotated[
        list[str],
        Parameter(
            help="Draw galaxies in ranges or of values of columns that were trained as conditions, of flux or of size, "
            "such as 'r_half_pix=5..8, magnitude=22'; may be repeated.",
            negative=(),
            show_default=False,
        ),
    ] = NO_SETTINGS,
    catalog: Annotated[
        Path | None,
        Parameter(
            help="Draw one galaxy a row of a table (Parquet, ECSV, CSV, FITS): of the magnitudes, fluxes, sizes and "
            "trained conditions that it names.",
        ),
    ] = None,
    columns: Annotated[
        list[str],
        Parameter(
            help="What of the catalog is asked, such as 'magnitude_r=MAG_AUTO, redshift'; all its numbers when left out.",
            negative=(),
            show_default=False,
        ),
    ] = NO_SETTINGS,
    outside: Annotated[
        Literal["refuse", "skip", "draw-and-flag"],
        Parameter(help="What to do with rows that are outside of what the model was trained on."),
    ] = "refuse",
    guidance: Annotated[
        float | None,
        Parameter(help="Above 1, images exaggerate what they are drawn for; 1 is as learned."),
    ] = None,
    steps: Annotated[
        int | None,
        Parameter(
            help="Steps a galaxy; the model's own when left out. Of a count that it was not made for the cost is measured."
        ),
    ] = None,
    solver: Annotated[
        Literal["heun", "multistep"] | None,
        Parameter(help="Heun's method, or one of two steps, which is twice as fast a step."),
    ] = None,
    height_pix: Annotated[
        int | None,
        Parameter(help="Height of fields that are composed (field_composer); as in training when left out."),
    ] = None,
    width_pix: Annotated[int | None, Parameter(help="Their width; a square's when one is given.")] = None,
    kind: Annotated[
        Literal["store", "fits"],
        Parameter(name="--format", help="A store, or a folder of FITS cutouts with full headers."),
    ] = "store",
    device: Device = "auto",
    overwrite: Overwrite = False,
    shown: Shown = SHOWN_ALL,
) -> Outcome:
    """Draw galaxies; image k depends on the seed and on k alone, and an interrupted run goes on when repeated."""
    _check_number(n, catalog, where)
    source, target = _source_and_target(run, pretrained, output, n=n, first=first, seed=seed)
    check_places(
        [] if catalog is None else [catalog],
        [] if kind == "store" else [target],
        far=[source],
        far_outputs=[target] if kind == "store" else [],
    )
    for conditions in where:
        parse_where(conditions)
    check_counts({"n": n, "steps": steps, "height_pix": height_pix, "width_pix": width_pix})
    check_run(source)
    if catalog is not None:
        check_there(catalog)
    from galsmith.cli.device import choose_device
    from galsmith.cli.summaries import outcome_of_store
    from galsmith.sampling import sample as sample_images

    with shown.progress() as progress:
        images = sample_images(
            source,
            target,
            n=n,
            first=first,
            seed=seed,
            where=", ".join(where) if where else None,
            catalog=catalog,
            columns=[name.strip() for text in columns for name in text.split(",") if name.strip()],
            outside=outside,
            guidance=guidance,
            steps=steps,
            solver=solver,
            height_pix=height_pix,
            width_pix=width_pix,
            kind=kind,
            device=choose_device(device),
            overwrite=overwrite,
            progress=progress,
        )
    return outcome_of_store("sample", images, target)


def _check_number(n: int | None, catalog: Path | None, where: list[str]) -> None:
    """Refuse flags at odds, before anything is read."""
    if n is None and catalog is None:
        raise SettingsError("neither `n` nor `catalog`; wanted how many galaxies, or one row each")
    if catalog is not None and (n is not None or where):
        given = "n" if n is not None else "where"
        raise SettingsError(
            f"`catalog` has one galaxy a row, and says what each is to be; leave `{given}` out"
        )


def _source_and_target(
    run: Path | None, pretrained: str | None, output: Path | None, *, n: int | None, first: int, seed: int
) -> tuple[Path, Path]:
    """Say what to draw from and what to write."""
    if (run is None) == (pretrained is None):
        raise SettingsError(
            f"{'neither a run nor' if run is None else 'both a run and'} --pretrained; wanted one of them: the folder "
            f"that galsmith train wrote, or --pretrained with one of {', '.join(pretrained_names())}"
        )
    if pretrained is not None:
        folder = pretrained_folder(pretrained)
        default = Path(
            f"{pretrained}-{'catalog' if n is None else f'n{n}'}{f'-from{first}' if first else ''}-seed{seed}"
        )
        return folder, default if output is None else output
    if run is None or output is None:
        raise SettingsError(
            "--output is missing; wanted the store or the folder to write, such as -o generated"
        )
    return run, output
