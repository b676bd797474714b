"""Flags that are made of the fields of a record of options, as readers and writers have them."""

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, fields
from inspect import Parameter as Argument
from typing import Annotated, Any

from cyclopts import Parameter


def flag(name: str, kind: Any, default: Any = Argument.empty) -> Argument:
    """Make a keyword of a command."""
    return Argument(name, Argument.KEYWORD_ONLY, annotation=kind, default=default)


def flags_of(record: type[Any]) -> Iterator[Argument]:
    """Make a keyword of each field of a record."""
    for entry in fields(record):
        kind: Any = Annotated[
            _kind(entry), Parameter(name=f"--{_flag_name(entry)}", help=entry.metadata["help"])
        ]
        yield flag(entry.name, kind, _shown_default(entry))


def parsed(record: type[Any], given: Mapping[str, Any]) -> Any:
    """Make a record of what was typed."""
    parse = {entry.name: entry.metadata["parse"] for entry in fields(record)}
    return record(
        **{
            name: value if parse[name] is None or value is None else parse[name](value)
            for name, value in given.items()
        }
    )


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
