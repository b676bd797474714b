"""``galsmith ingest KIND SRC``: make a store of galaxy images that lie in files; the verbs are made from the readers."""

from collections.abc import Callable, Iterator
from dataclasses import MISSING, Field, fields
from inspect import Parameter as Argument
from inspect import Signature
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from galsmith.cli.options import KEEP_ALL, SHOWN_ALL, Output, Overwrite, Seed, SetFlags, Shown
from galsmith.cli.outcome import Outcome
from galsmith.cli.premises import check_folder, check_places
from galsmith.data.readers.registry import Reader

# what a reader reads, in the words of its own refusal
NEEDED = {
    "folder": "folder",
    "fits": "folder",
    "skirt": "folder",
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
        for one in places:
            check_folder(one, f"there is no such {NEEDED.get(reader.name, 'folder or file')}")
        reading = reader.options(**{name: _parsed(reader, name, value) for name, value in given.items()})
        from galsmith.cli.summaries import outcome_of_store
        from galsmith.data.ingest import ingest

        options = flags.to_options()
        with shown.progress() as progress:
            images = ingest(
                reader.name,
                place,
                output,
                reading=reading,
                options=options,
                seed=seed,
                overwrite=overwrite,
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
    yield _flag("output", Output)
    for entry in fields(reader.options):
        kind: Any = Annotated[
            _kind(entry), Parameter(name=f"--{_flag_name(entry)}", help=entry.metadata["help"])
        ]
        yield _flag(entry.name, kind, _shown_default(entry))
    yield _flag("flags", SetFlags, KEEP_ALL)
    yield _flag("seed", Seed, 0)
    yield _flag("overwrite", Overwrite, default=False)
    yield _flag("shown", Shown, SHOWN_ALL)


def _flag(name: str, kind: Any, default: Any = Argument.empty) -> Argument:
    """Make a keyword of a command."""
    return Argument(name, Argument.KEYWORD_ONLY, annotation=kind, default=default)


def _flag_name(entry: Field[Any]) -> str:
    """Name the flag of a field."""
    return str(entry.metadata["flag"] or entry.name.replace("_", "-"))


def _kind(entry: Field[Any]) -> Any:
    """Type of what is typed: text where it is parsed."""
    if entry.metadata["parse"] is None:
        return entry.metadata["kind"] | None if entry.metadata["kind"] is not None else entry.type
    return str | None if entry.default is None else str


def _shown_default(entry: Field[Any]) -> Any:
    """Give the default as it would be typed."""
    if entry.default is MISSING or entry.default is None or entry.metadata["parse"] is None:
        return entry.default
    return ",".join(entry.default) if isinstance(entry.default, tuple) else str(entry.default)


def _parsed(reader: Reader, name: str, value: Any) -> Any:
    """Bring what was typed to the field's own type."""
    parse = next(entry.metadata["parse"] for entry in fields(reader.options) if entry.name == name)
    return value if parse is None or value is None else parse(value)
