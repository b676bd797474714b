"""What ``galsmith train --help`` says of the families: when to choose which, and by which recipe."""

import shutil
import textwrap

from galsmith.models.families import HOUSE, listed_families
from galsmith.settings import read_recipe, recipe_names

WIDEST = 110


def recipes_by_family() -> dict[str, list[str]]:
    """Names of the recipes that train a model, by the family they train; a family of others is its own recipe."""
    found = {name: [] if listing.given_by == HOUSE else [name] for name, listing in listed_families().items()}
    for name in recipe_names():
        family = read_recipe(name).get("model", {}).get("family")
        if family in found:
            found[family].append(name)
    return found


def families_text() -> str:
    """Write a paragraph a family, as wide as the terminal."""
    width = min(shutil.get_terminal_size().columns - 2, WIDEST)
    listed = listed_families()
    indent = max(len(family) for family in listed) + 4
    lines = ["Families, when to choose which, and the recipes that train them:"]
    for family, recipes in recipes_by_family().items():
        advice = listed[family].when_to_choose
        for first, text in ((family, advice), ("", f"recipes {', '.join(recipes)}")):
            lines += textwrap.wrap(
                text,
                max(width, 2 * indent),
                initial_indent=f"  {first}".ljust(indent),
                subsequent_indent=" " * indent,
                break_on_hyphens=False,
            )
    return "\n".join(lines)
