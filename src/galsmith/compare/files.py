"""Writing a report card as ``comparison.json`` and reading it back."""

import math
import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from galsmith.compare.card import ReportCard
from galsmith.compare.records import Comparison
from galsmith.errors import InputError
from galsmith.files import Kind, Partial, read_json, said_in_json, settle, write_json
from galsmith.provenance import Provenance, hash_json

FORMAT_NAME = "galsmith-comparison"
SCHEMA_VERSION = 4
ASKED = "asked"  # fingerprint of what was judged and how, by which the same call knows its card
Record = TypeVar("Record")


CARD = Kind("comparison", said_in_json(FORMAT_NAME, lambda card: str(card.get(ASKED, ""))))


def write_card(card: ReportCard, path: str | Path) -> None:
    """Write a report card as JSON, in the place of an old one; NaN becomes null."""
    with Partial(path, CARD, hash_json(to_json(card)), overwrite=True, resumes=False) as partial:
        if not partial.is_complete:
            write_json(partial.content, to_json(card))
            partial.finish()


def read_card(path: str | Path) -> ReportCard:
    """Read what `write_card` wrote.

    Raises
    ------
    InputError
        If the file is missing, not JSON, not a comparison, damaged or of an unknown schema version.
    """
    if Path(path).is_dir():
        raise InputError(
            f"{path}: a folder, not a comparison; make one with galsmith compare REFERENCE GENERATED -o FILE.json"
        )
    settle(path)
    value = read_json(Path(path))
    if value.get("format") != FORMAT_NAME:
        raise InputError(
            f"{path}: not a comparison; make one with galsmith compare REFERENCE GENERATED -o FILE.json"
        )
    version = value.get("schema_version")
    if version != SCHEMA_VERSION:
        raise InputError(
            f"{path}: has comparison schema version {version}, this galsmith reads version {SCHEMA_VERSION}; "
            "make it again with galsmith compare"
        )
    fields = {key: item for key, item in value.items() if key not in ("format", "schema_version", ASKED)}
    try:
        card = from_plain(ReportCard, fields)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _damaged(path, error) from error
    if not card.judgments:
        raise _damaged(path, ValueError("it judges no set"))
    return card


def read_comparison(path: str | Path) -> Comparison:
    """Read the comparison of the first generated set of a report card; raises as `read_card`."""
    return read_card(path).judgment().comparison


def to_json(card: ReportCard) -> dict[str, Any]:
    """Turn a card into plain JSON values."""
    return {"format": FORMAT_NAME, "schema_version": SCHEMA_VERSION, **to_plain(card)}


def _damaged(path: str | Path, error: Exception) -> InputError:
    """Say that a file is damaged and what to do."""
    return InputError(
        f"{path}: a damaged comparison ({type(error).__name__}: {error}); make it again with galsmith compare"
    )


def to_plain(value: Any) -> Any:
    """Turn records, tuples and mappings into what JSON has words for; numbers that are not finite become null.

    Infinities become the texts ``"inf"`` and ``"-inf"``, so that the open end of a cut comes back.
    """
    if isinstance(value, Provenance):
        return value.to_dict()
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, float):
        return _plain_number(value)
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(item) for item in value]
    return value


def from_plain(kind: type[Record], value: Any) -> Record:
    """Build a record from plain values, as `to_plain` made them.

    Parameters
    ----------
    kind : type
        A dataclass whose fields are numbers, texts, records, and tuples, mappings and unions of these.
    value : mapping
        Plain values by field; a field with a default may be missing.

    Raises
    ------
    KeyError, TypeError, ValueError
        If a field is missing, unknown, or of another type.
    """
    return cast(Record, _built(kind, value))


def _plain_number(value: float) -> float | str | None:
    """Write a number; null for NaN."""
    # JSON has neither NaN nor infinities (RFC 8259, section 6).
    if math.isfinite(value):
        return value
    return None if math.isnan(value) else ("inf" if value > 0 else "-inf")


def _built(kind: Any, value: Any) -> Any:
    """Build what a field's type asks for."""
    if kind is float:
        return math.nan if value is None else float(value)
    if kind is Provenance:
        return Provenance.from_dict(value)
    if is_dataclass(kind):
        return _built_record(cast(type, kind), value)
    if get_origin(kind) is not None:
        return _built_generic(kind, value)
    if kind is not Any and not isinstance(value, kind):
        raise TypeError(f"{value!r} is no {kind.__name__}")
    return value


def _built_generic(kind: Any, value: Any) -> Any:
    """Build what a union, a tuple or a mapping holds."""
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return _built_union(get_args(kind), value)
    if origin is tuple:
        return _built_tuple(get_args(kind), value)
    return {key: _built(get_args(kind)[1], item) for key, item in value.items()}


def _built_record(kind: type, value: Any) -> Any:
    """Build a record field by field."""
    if not isinstance(value, Mapping):
        raise TypeError(f"{kind.__name__} is {type(value).__name__}; wanted fields by name")
    hints = _hints(kind)
    # Silence would lose what a later schema knows.
    unknown = sorted(set(value) - set(hints))
    if unknown:
        raise ValueError(f"{kind.__name__} has unknown fields {', '.join(unknown)}")
    return kind(**{name: _built(hints[name], item) for name, item in value.items()})


def _built_union(kinds: tuple[Any, ...], value: Any) -> Any:
    """Build an optional value: null, or the other type."""
    if value is None and type(None) in kinds:
        return None
    # Records have no other unions than of one type and None.
    wanted = [kind for kind in kinds if kind is not type(None)]
    return _built(wanted[0], value)


def _built_tuple(kinds: tuple[Any, ...], value: Any) -> tuple[Any, ...]:
    """Build a tuple of one type and any length, or of one type a place."""
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        return tuple(_built(kinds[0], item) for item in value)
    return tuple(_built(kind, item) for kind, item in zip(kinds, value, strict=True))


@lru_cache(maxsize=64)
def _hints(kind: type) -> dict[str, Any]:
    """Types of a record's fields."""
    return get_type_hints(kind)
