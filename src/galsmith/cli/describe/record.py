"""The record of a description, and how provenance reads."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from galsmith.provenance import Provenance

LONGEST_VALUE = 200


@dataclass(frozen=True)
class Description:
    """What is known of one artifact.

    Attributes
    ----------
    kind : str
        Such as ``"store"``.
    rows : sequence of (label, text)
        In the order to be shown; rows without text are left out.
    content_hash : str
        What the artifact states itself; empty where it has none.
    numbers : mapping
        Key numbers, as plain JSON values.
    """

    kind: str
    rows: Sequence[tuple[str, str]]
    content_hash: str = ""
    numbers: Mapping[str, Any] = field(default_factory=dict)

    def to_lines(self, more_rows: Sequence[tuple[str, str]] = ()) -> list[str]:
        """Lines with aligned labels."""
        rows = [("what", self.kind), *self.rows, *more_rows]
        if self.content_hash:
            rows.append(("content hash", self.content_hash))
        width = max(len(label) for label, _ in rows)
        return [f"{label:<{width}}  {text}" for label, text in rows if text]


def provenance_rows(provenance: Provenance | None) -> Iterator[tuple[str, str]]:
    """Say what made an artifact, from what, and with which software."""
    if provenance is None:
        yield "made by", "not stated"
        return
    yield "made by", f"galsmith {provenance.verb}"
    if provenance.seed is not None:
        yield "seed", str(provenance.seed)
    for parent in provenance.parents:
        place = f", was at {parent.path}" if parent.path else ""
        yield parent.role, f"{parent.content_hash[:16]}{place}"
    for name, value in flat_settings(provenance.settings):
        yield f"  {name}", value
    yield "versions", ", ".join(f"{name} {version}" for name, version in provenance.versions.items())


def flat_settings(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Write settings as dotted names and short texts."""
    for name, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from flat_settings(value, f"{prefix}{name}.")
        else:
            text = value if isinstance(value, str) else json.dumps(value, default=str)
            yield f"{prefix}{name}", text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}..."


def counts_text(counts: Mapping[str, int]) -> str:
    """Names and how many of each."""
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())
