"""Arguments of the library as the flags of the command line, from the records of the verbs' own parameters."""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache, partial, reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cyclopts import App

from galsmith.cli.app import VERBS, build_app
from galsmith.cli.premises import MEASURE_SETTINGS

if TYPE_CHECKING:
    from galsmith.report.calls import Call, Spelling

ARGUMENT = re.compile(r"`([a-z][a-z0-9_]*)(?:=([^`]*))?`")
UNITS = ("_arcsec", "_kpc", "_mag", "_pix", "_sigma")
YES, NO = ("True", "true"), ("False", "false")
# the verbs that take settings of a measurement without a flag of their own as --set
MEASURING = ("measure", "compare")


def in_flags(message: str, verb: str = "") -> str:
    """Write the arguments that a message names as flags; those that no verb has lose their backticks.

    Parameters
    ----------
    message : str
        With arguments in backticks, as `galsmith.errors` writes them: ``"`overwrite`"``, ``"`band=r`"``.
    verb : str
        Whose flags come first where several verbs have one.
    """
    flags = {**_flags_of_all(), **flags_of(verb)}

    def in_words(match: re.Match[str]) -> str:
        name, value = match.group(1), match.group(2)
        if name in MEASURE_SETTINGS and value is not None and _is_set_alone(name, verb):
            return f"--set {name}={value}"
        names = next((flags[key] for key in _keys(name) if key in flags), None)
        if names is None:
            return name if value is None else f"{name} {value}"
        if value in NO:
            return _negative(names)
        return names[0] if value in (None, *YES) else f"{names[0]} {value}"

    return ARGUMENT.sub(in_words, message)


def _is_set_alone(name: str, verb: str) -> bool:
    """Whether a verb that measures has no flag for a setting of the measurement; `measure` where no verb is named."""
    own = flags_of(verb if verb else MEASURING[0])
    return verb in ("", *MEASURING) and not any(key in own for key in _keys(name))


def in_shell(call: "Call") -> str:
    """Write a call as its command line."""
    flags = {**_flags_of_all(), **flags_of(call.verb)}
    words = ["galsmith", call.verb]
    for given in call.given:
        words += [given] if isinstance(given, str) else [_named(*one) for one in given.items()]
    for name, value in {**call.arguments, "output": call.output}.items():
        inner = value if isinstance(value, Mapping) else {name: value}
        words += [word for key, item in inner.items() for word in _flag(flags[key], item)]
    return " ".join(words)


def shell_spelling() -> "Spelling":
    """Return how a page is spelled whose reader types commands."""
    from galsmith.report.calls import Spelling

    return Spelling(in_shell, partial(in_flags, verb="compare"))


def _named(name: str, path: str) -> str:
    """Write a generated set, with its name where the file has another."""
    return path if name == Path(path).stem else f"{name}={path}"


def _flag(names: tuple[str, ...], value: Any) -> list[str]:
    """Write one flag, the shortest of its names; a list repeats it."""
    if value is False:
        return [_negative(names)]
    values = value if isinstance(value, list) else [value]
    shown = ("/".join(f"{one:g}" for one in item) if isinstance(item, tuple) else item for item in values)
    return [f"{min(names, key=len)} {one}" for one in shown]


def _negative(names: tuple[str, ...]) -> str:
    """Find the name of a flag that says no."""
    return next((name for name in names if name.startswith("--no-")), names[0])


def flags_of(verb: str) -> Mapping[str, tuple[str, ...]]:
    """Give the flags of a verb, by the parameter that they fill; those of all verbs where it is none."""
    return _flags_by_verb().get(verb) or _flags_of_all()


def _keys(name: str) -> Iterator[str]:
    """Give the names that a flag for an argument may have: its own, and that without its unit."""
    yield name
    yield from (name.removesuffix(unit) for unit in UNITS if name.endswith(unit))


@lru_cache(maxsize=1)
def _flags_of_all() -> Mapping[str, tuple[str, ...]]:
    """Gather flags of every verb, the first verb that has one."""
    found: dict[str, tuple[str, ...]] = {}
    for flags in _flags_by_verb().values():
        found = {**flags, **found}
    return found


@lru_cache(maxsize=1)
def _flags_by_verb() -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    """Gather flags of each verb, by the name of the parameter that they fill."""
    app = build_app()
    return {verb.name: dict(_flags_in(reduce(App.__getitem__, verb.name.split(), app))) for verb in VERBS}


def _flags_in(command: App) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Give the parameters of one command that are flags."""
    for argument in command.assemble_argument_collection():
        names = tuple(name for name in argument.names if name.startswith("-"))
        if names:
            yield argument.field_info.name, names
