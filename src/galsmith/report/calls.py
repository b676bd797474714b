"""Calls that the page advises, or names as what made something, and how they are spelled: in Python, or otherwise."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

NAMED = re.compile(r"`([^`]*)`")
# Functions of verbs of one word; those of two are in `galsmith.data`, as "ingest fits" is `galsmith.data.ingest.fits`.
FUNCTIONS = {
    "compare": "galsmith.judging.judge",
    "measure": "galsmith.measure.measure",
    "sample": "galsmith.sampling.sample",
    "snapshot": "galsmith.training.remade_snapshot",
    "train": "galsmith.training.train",
}
RECORDS = {"options": "SetOptions"}


@dataclass(frozen=True)
class Call:
    """One call of the library.

    Attributes
    ----------
    verb : str
        As provenance has it, such as ``"measure"`` or ``"ingest fits"``.
    given : tuple of str or mapping of name to str
        Arguments without names: paths, or paths of named sets.
    arguments : mapping of str to object
        Arguments by name, in order: numbers, texts, lists of these, and mappings for records of options.
    output : str
        What it writes.
    """

    verb: str
    given: tuple[str | Mapping[str, str], ...]
    arguments: Mapping[str, Any] = field(default_factory=dict)
    output: str = ""


@dataclass(frozen=True)
class Spelling:
    """How calls and sentences are written for who reads the page.

    Attributes
    ----------
    call : callable
        Writes a `Call`.
    text : callable
        Writes a sentence that names arguments in backticks, as `galsmith.errors` does: ``"`beyond=False`"``.
    """

    call: Callable[[Call], str]
    text: Callable[[str], str]


def in_python(call: Call) -> str:
    """Write a call as Python has it."""
    group, _, kind = call.verb.rpartition(" ")
    function = FUNCTIONS.get(call.verb, f"galsmith.data.{group}.{kind}" if group else call.verb)
    named = {**call.arguments, "output": call.output}
    words = [*map(repr, call.given), *(f"{name}={_value(name, value)}" for name, value in named.items())]
    return f"{function}({', '.join(words)})"


def _value(name: str, value: Any) -> str:
    """Write the value of an argument."""
    if name not in RECORDS:
        return repr(value)
    return f"{RECORDS[name]}({', '.join(f'{key}={item!r}' for key, item in value.items())})"


def _plain(text: str) -> str:
    """Write a sentence without its backticks."""
    return NAMED.sub(r"\1", text)


IN_PYTHON = Spelling(in_python, _plain)
