"""``galsmith info THING``: what a file or folder is, what is in it, and what made it."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from galsmith.cli.options import SHOWN_ALL, Shown
from galsmith.cli.outcome import Outcome
from galsmith.cli.premises import check_folder, check_places
from galsmith.models.pretrained import is_pretrained, pretrained_folder, pretrained_names
from galsmith.settings import near_miss, recipe_names

EXAMPLE = "galsmith info galaxies --verify"


def info(
    thing: Annotated[
        str,
        Parameter(
            help="Store, run, snapshot, table, comparison, report, or the name of a recipe or a shipped model."
        ),
    ],
    /,
    *,
    verify: Annotated[
        bool, Parameter(help="Compare every file with its checksum.", show_default=False)
    ] = False,
    shown: Shown = SHOWN_ALL,
) -> Outcome:
    """Describe anything that galsmith made; exit code 1 if a checksum does not fit."""
    check_places([], [], far=[thing])
    known = sorted({*recipe_names(), *pretrained_names()})
    if thing not in known:
        problem = f"there is no such file or folder, nor a recipe of that name{near_miss(thing, known)}"
        check_folder(thing, f"{problem}; the recipes are {', '.join(recipe_names())}")
    from galsmith.cli.describe import describe
    from galsmith.cli.describe.verification import verified
    from galsmith.files import place_of

    description = describe(thing)
    place = pretrained_folder(thing) if is_pretrained(thing) else place_of(thing)
    faults: list[str] = []
    rows = []
    if verify:
        with shown.progress() as progress:
            found = verified(place, description.kind, progress=progress)
        faults = found.faults
        rows = [] if faults else [("checksums", found.words)]
    return Outcome(
        verb="info",
        output=Path(thing),
        content_hash=description.content_hash,
        numbers={"kind": description.kind, **description.numbers, **({"faults": faults} if verify else {})},
        details=(*description.to_lines(rows), *faults),
        exit_code=1 if faults else 0,
    )
