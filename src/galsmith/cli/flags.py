"""Arguments of the library as the flags of the command line, from the records of the verbs' own parameters."""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache, reduce

from cyclopts import App

from galsmith.cli.app import VERBS, build_app

ARGUMENT = re.compile(r"`([a-z][a-z0-9_]*)(?:=([^`]*))?`")
UNITS = ("_arcsec", "_kpc", "_mag", "_pix", "_sigma")
YES, NO = "True", "False"


def in_flags(message: str, verb: str = "") -> str:
    """Write the arguments that a message names as flags; those that no verb has stay as they are.

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
        names = next((flags[key] for key in _keys(name) if key in flags), None)
        if names is None:
            return match.group(0) if value is None else f"{name} {value}"
        if value == NO:
            return next((flag for flag in names if flag.startswith("--no-")), names[0])
        return names[0] if value in (None, YES) else f"{names[0]} {value}"

    return ARGUMENT.sub(in_words, message)


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
