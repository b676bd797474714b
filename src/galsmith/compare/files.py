"""Writing a report card as ``comparison.json`` and reading it back."""

from pathlib import Path
from typing import Any

from galsmith.compare.card import ReportCard
from galsmith.compare.plain import from_plain, to_plain
from galsmith.compare.records import Comparison
from galsmith.errors import InputError
from galsmith.files import read_json, write_json

FORMAT_NAME = "galsmith-comparison"
SCHEMA_VERSION = 3


def write_card(card: ReportCard, path: str | Path) -> None:
    """Write a report card as JSON, atomically; NaN becomes null."""
    write_json(Path(path), to_json(card))


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
    fields = {key: item for key, item in value.items() if key not in ("format", "schema_version")}
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
