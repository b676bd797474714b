"""``galsmith ingest KIND SRC``: make a store of galaxy images that lie in files; the verbs are made from the readers."""

from collections.abc import Callable, Iterator
from inspect import Parameter as Argument
from inspect import Signature
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from galsmith.cli.options import (
    HERE_OR_LOCAL,
    KEEP_ALL,
    SHOWN_ALL,
    Output,
    Overwrite,
    Seed,
    SetFlags,
    Shown,
    WorkFlags,
)
from galsmith.cli.outcome import Outcome
from galsmith.cli.premises import check_folder, check_places
from galsmith.cli.records import flag, flags_of, parsed
from galsmith.data.readers.registry import Reader

# what a reader reads, in the words of its own refusal
NEEDED = {
    "folder": "folder",
    "fits": "folder",
    "skirt": "folder",
    "hats": "folder of a HATS catalog",
    "cosmology": "folder",
    "store": "store; make one with galsmith ingest or simulate",
}


def ingest_command(reader: Reader) -> Callable[..., Outcome]:
    """Make the command of one reader: a positional place, a flag a field of its options, and what all have in common."""

    def command(
        place: Any,
        /,
        *,
        output: Any,
        flags: SetFlags = KEEP_ALL,
        seed: int = 0,
        work: WorkFlags = HERE_OR_LOCAL,
        overwrite: bool = False,
        shown: Shown = SHOWN_ALL,
        **given: Any,
    ) -> Outcome:
        places = place if reader.takes_several else [place]
        files = [value for value in given.values() if isinstance(value, str | Path)]
        check_places(
            [] if reader.reads_addresses else places, [], far=[*places, *files], far_outputs=[output]
        )
        flags.check()
        work.check()
        for one in places:
            check_folder(one, f"there is no such {NEEDED.get(reader.name, 'folder or file')}")
        reading = parsed(reader.options, given)
        from galsmith.cli.summaries import outcome_of_store
        from galsmith.data.ingest import ingest

        options = flags.to_options()
        with shown.progress() as progress, work.engine(makes_store=True) as engine:
            images = ingest(
                reader.name,
                place,
                output,
                reading=reading,
                options=options,
                seed=seed,
                overwrite=overwrite,
                workers=engine.workers,
                executor=engine.executor,
                progress=progress,
            )
        return outcome_of_store(f"ingest {reader.name}", images, output)

    command.__name__ = f"ingest_{reader.name}"
    command.__doc__ = f"{reader.summary}\n\n{reader.more}".strip()
    command.__signature__ = Signature(list(_arguments(reader)))  # type: ignore[attr-defined]
    command.__annotations__ = {}
    return command


def _arguments(reader: Reader) -> Iterator[Argument]:
    """Give the parameters of a reader's command."""
    several, words = reader.takes_several, Parameter(help=reader.place)
    place: Any = Annotated[list[str], words] if several else Annotated[str, words]
    yield Argument("sources" if several else "source", Argument.POSITIONAL_ONLY, annotation=place)
    yield flag("output", Output)
    yield from flags_of(reader.options)
    yield flag("flags", SetFlags, KEEP_ALL)
    yield flag("seed", Seed, 0)
    yield flag("work", WorkFlags, HERE_OR_LOCAL)
    yield flag("overwrite", Overwrite, default=False)
    yield flag("shown", Shown, SHOWN_ALL)
