"""What a verb made, and how it is said: a line for people or one line of JSON for programs."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from galsmith.files.remote import plain_address


@dataclass(frozen=True)
class Outcome:
    """What a verb made.

    Attributes
    ----------
    verb : str
        Such as ``"simulate sersic"``.
    summary : str
        One sentence for people, without the path and the time.
    output : Path or None
        What was written.
    content_hash : str
        The hash that the artifact itself states; empty where it has none.
    numbers : mapping
        Key numbers, as plain JSON values.
    details : tuple of str
        Lines for people that come before the last one.
    exit_code : int
        0, or 1 where the verb's answer is that something is wrong.
    is_said_elsewhere : bool
        Whether another process of several says it.
    """

    verb: str
    summary: str = ""
    output: Path | None = None
    content_hash: str = ""
    numbers: Mapping[str, Any] = field(default_factory=dict)
    details: tuple[str, ...] = ()
    exit_code: int = 0
    is_said_elsewhere: bool = False

    def to_json(self, seconds: float) -> str:
        """One line of JSON: verb, output, content hash, key numbers and seconds."""
        return json.dumps(
            {
                "verb": self.verb,
                "exit_code": self.exit_code,
                "output": None if self.output is None else shown_place(self.output),
                "content_hash": self.content_hash or None,
                "numbers": dict(self.numbers),
                "seconds": round(seconds, 3),
            },
            default=str,
        )

    def to_lines(self, seconds: float) -> list[str]:
        """Lines for people."""
        lines = list(self.details)
        if self.summary:
            where = "" if self.output is None else f" -> {shown_place(self.output)}"
            lines.append(f"{self.verb}: {self.summary} in {duration_text(seconds)}{where}")
        return lines


def shown_place(output: Path) -> str:
    """Write where an output is: a path, or an address with both its slashes."""
    return plain_address(output) or str(output)


def failure_json(verb: str, message: str, exit_code: int, *, seconds: float) -> str:
    """One line of JSON for a command that did not end well."""
    return json.dumps({"verb": verb, "exit_code": exit_code, "error": message, "seconds": round(seconds, 3)})


def duration_text(seconds: float) -> str:
    """Write a length of time as people say it: ``4.2 s``, ``3 min 20 s``, ``2 h 05 min``."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
