"""Recipes in TOML to typed, frozen settings, and conditions as they are written; near misses of unknown keys are named."""

import difflib
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from galsmith.errors import SettingsError

RECIPE_FOLDER = Path(__file__).parent / "recipes"


class Settings(BaseModel):
    """Base of every settings record: frozen, unknown keys refused, no silent conversion of numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


SettingsType = TypeVar("SettingsType", bound=BaseModel)


def recipe_names() -> list[str]:
    """Names of the recipes that come with the package."""
    return sorted(path.stem for path in RECIPE_FOLDER.glob("*.toml"))


def recipe_file(recipe: str | Path | Mapping[str, Any]) -> Path | None:
    """Return the file that a recipe is read from; None for values, and for a name, whatever lies under that name."""
    return Path(recipe) if not isinstance(recipe, Mapping) and Path(recipe).suffix == ".toml" else None


def side_of_recipe(recipe: str | Path | Mapping[str, Any]) -> int | None:
    """Side of the images that a shipped recipe is for, in pixels, where its name ends in it; else None."""
    last = str(recipe).rpartition("-")[2]
    return int(last) if recipe in recipe_names() and last.isdecimal() else None


def read_recipe(name: str | Path) -> dict[str, Any]:
    """Read a recipe: a shipped one by name, or any TOML file by path.

    Raises
    ------
    SettingsError
        If there is no such recipe (the near miss is named) or the file is not TOML.
    """
    path = recipe_file(name) or RECIPE_FOLDER / f"{name}.toml"
    if not path.is_file():
        raise SettingsError(
            f"recipe {str(name)!r}: not found{near_miss(str(name), recipe_names())}; "
            f"the shipped recipes are {', '.join(recipe_names())}, or give the path of a .toml file"
        )
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"{path}: not valid TOML ({error})") from error


def apply_overrides(values: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """Return a copy of `values` with ``section.key=value`` entries put in; values are read as TOML.

    Text that is not a TOML value is taken as a string, so ``transform.kind=asinh`` needs no quotes.
    """
    result = _copied(values)
    for entry in overrides:
        dotted, separator, text = entry.partition("=")
        if not separator or not dotted.strip():
            raise SettingsError(
                argument="overrides", came=entry, wanted="key=value, such as training.batch_size=256"
            )
        *sections, key = dotted.strip().split(".")
        target = result
        for section in sections:
            target = target.setdefault(section, {})
            if not isinstance(target, dict):
                raise SettingsError(f"{section} is a value, not a section", argument="overrides", came=entry)
        target[key] = _toml_value(text.strip())
    return result


def typed_settings(kind: type[SettingsType], values: Mapping[str, Any], *, source: str) -> SettingsType:
    """Check plain values against a settings record.

    Raises
    ------
    SettingsError
        One line that names `source`, the key, what came and what was wanted.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise SettingsError(f"{source}: {_explained(kind, error)}") from error


def near_miss(word: str, known: Sequence[str]) -> str:
    """Return ``" (did you mean 'x'?)"`` for the closest known word, or nothing."""
    close = near_words(word, known)
    return f" (did you mean {close[0]!r}?)" if close else ""


def near_words(word: str, known: Sequence[str]) -> list[str]:
    """Return the closest known word, or none."""
    return difflib.get_close_matches(word, known, n=1, cutoff=0.5)


def check_name(name: str, known: Iterable[str], *, kind: str, argument: str) -> None:
    """Refuse a name that a table does not have.

    Parameters
    ----------
    name : str
        As asked for.
    known : iterable of str
        Names of the table.
    kind : str
        What the table holds, such as ``"denoiser"``.
    argument : str
        Where the name was given.

    Raises
    ------
    SettingsError
        If there is none of that name; the near miss is named.
    """
    names = list(known)
    if name not in names:
        raise SettingsError(
            f"there is no such {kind}{near_miss(name, names)}",
            argument=argument,
            came=name,
            wanted=f"one of {', '.join(names)}",
        )


def record_at(place: str) -> Any:
    """Import what a table open to extension names as ``"module:NAME"``, as entry points write it, until it is used."""
    return EntryPoint("record", place, "galsmith").load()


def _copied(values: Mapping[str, Any]) -> dict[str, Any]:
    """Copy nested mappings, so that the caller's stay as they are."""
    return {key: _copied(value) if isinstance(value, Mapping) else value for key, value in values.items()}


def _toml_value(text: str) -> Any:
    """Read one TOML value, or keep the text."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError):
        return text


def _explained(kind: type[BaseModel], error: ValidationError) -> str:
    """First fault of a validation in one line."""
    fault = error.errors()[0]
    # a value that may be of several types has their names in its place
    location = [str(part) for part in fault["loc"] if not re.search(r"\[|float|^int$", str(part))]
    dotted = ".".join(location) or "settings"
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    if fault["type"] == "extra_forbidden":
        known = _known_keys(kind, location[:-1])
        return f"unknown setting {dotted!r}{near_miss(location[-1], known)}; known here: {', '.join(known)}{more}"
    if fault["type"] == "missing":
        return f"setting {dotted!r} is missing{more}"
    return f"setting {dotted!r} is {fault['input']!r}: {fault['msg'].lower()}{more}"


def _known_keys(kind: type[BaseModel], location: Sequence[str]) -> list[str]:
    """Keys that the record at `location` accepts; a union is entered by the literal tag in the path."""
    record: Any = kind
    for part in location:
        fields = getattr(record, "model_fields", {})
        if part in fields:
            choices = list(_records_in(fields[part].annotation))
            record = choices[0] if len(choices) == 1 else fields[part].annotation
            continue
        record = next((choice for choice in _records_in(record) if _tagged(choice, part)), record)
    return sorted(getattr(record, "model_fields", {}))


def _records_in(annotation: Any) -> Iterator[Any]:
    """Find the settings records that an annotation allows, however deep in unions they stand."""
    if hasattr(annotation, "model_fields"):
        yield annotation
        return
    for choice in get_args(annotation):
        yield from _records_in(choice)


def _tagged(choice: Any, tag: str) -> bool:
    """Whether a record of a discriminated union carries `tag` as a literal field."""
    fields = getattr(choice, "model_fields", {}).values()
    return any(tag in get_args(item.annotation) for item in fields)


@dataclass(frozen=True)
class Condition:
    """One column and the values wanted: a closed range, open ended where None, or one text."""

    column: str
    low: float | None = None
    high: float | None = None
    text: str | None = None


def parse_where(expression: str) -> tuple[Condition, ...]:
    """Read ``column=low..high`` (either end may be left out) or ``column=value``, separated by commas.

    Raises
    ------
    SettingsError
        If a part is not of that form.
    """
    return tuple(_parse_condition(part.strip()) for part in expression.split(",") if part.strip())


def parse_alternatives(expression: str) -> tuple[tuple[Condition, ...], ...]:
    """Read what `parse_where` does on each side of ``or``.

    Raises
    ------
    SettingsError
        If a part is not of that form.
    """
    return tuple(parse_where(part) for part in re.split(r"\s+or\s+", expression.strip()))


def _parse_condition(part: str) -> Condition:
    """Read one condition."""
    column, separator, wanted = (piece.strip() for piece in part.partition("="))
    if not separator or not column or not wanted:
        raise SettingsError(
            argument="where", came=repr(part), wanted="column=low..high or column=value, such as mag=22..23"
        )
    if ".." in wanted:
        low, _, high = wanted.partition("..")
        return Condition(column, low=_number(low, part), high=_number(high, part))
    try:
        value = float(wanted)
    except ValueError:
        return Condition(column, text=wanted)
    return Condition(column, low=value, high=value, text=wanted)


def _number(text: str, part: str) -> float | None:
    """Read one end of a range; an empty one is open."""
    if not text.strip():
        return None
    try:
        return float(text)
    except ValueError as error:
        raise SettingsError(f"{text.strip()!r} is not a number", argument="where", came=repr(part)) from error
