"""Papers' choices by name: how they measured, cut and normalized, and what they found."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from galsmith.compare.card import PublishedColumn
from galsmith.compare.cuts import Cuts
from galsmith.compare.normalization import Normalization
from galsmith.errors import SettingsError
from galsmith.settings import near_miss


@dataclass(frozen=True)
class Recipe:
    """One paper's choices for one data set.

    Attributes
    ----------
    name : str
        Such as ``"holzschuh2022-cosmos"``; empty for this package's own choices.
    description : str
        One sentence with its source.
    measure : mapping
        Settings of `galsmith.measure.MeasureSettings`.
    cuts : mapping, str or None
        As `galsmith.compare.compare` takes them.
    normalization : str or mapping of group to str
        As `galsmith.compare.compare` takes it.
    published : tuple of PublishedColumn
        What the paper found.
    """

    name: str
    description: str
    measure: Mapping[str, Any] = field(default_factory=dict)
    cuts: Cuts | str | None = None
    normalization: Normalization = "reference-zscore"
    published: tuple[PublishedColumn, ...] = ()


OWN = Recipe("", "This package's own choices.")
RECIPES: dict[str, Recipe] = {}


def recipe_named(name: str | None) -> Recipe:
    """Find a recipe.

    Raises
    ------
    SettingsError
        If there is none of that name; the near miss is named.
    """
    if name is None or not name:
        return OWN
    if name not in RECIPES:
        raise SettingsError(
            f"recipe {name!r}: unknown{near_miss(name, list(RECIPES))}; known: {', '.join(RECIPES)}"
        )
    return RECIPES[name]
