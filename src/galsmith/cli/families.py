"""What ``galsmith train --help`` says of the families: when to choose which, and by which recipe."""

import shutil
import textwrap

from galsmith.models.advice import WHEN_TO_CHOOSE
from galsmith.settings import read_recipe, recipe_names

WIDEST = 110


def recipes_by_family() -> dict[str, list[str]]:
    """Names of the shipped recipes that train a model, by the family they train."""
    found: dict[str, list[str]] = {family: [] for family in WHEN_TO_CHOOSE}
    for name in recipe_names():
        family = read_recipe(name).get("model", {}).get("family")
        if family in found:
            found[family].append(name)
    return found


def families_text() -> str:
    """Write a paragraph a family, as wide as the terminal."""
    width = min(shutil.get_terminal_size().columns - 2, WIDEST)
    indent = max(len(family) for family in WHEN_TO_CHOOSE) + 4
    lines = ["Families, when to choose which, and the recipes that train them:"]
    for family, recipes in recipes_by_family().items():
        for first, text in ((family, WHEN_TO_CHOOSE[family]), ("", f"recipes {', '.join(recipes)}")):
            lines += textwrap.wrap(
                text,
                max(width, 2 * indent),
                initial_indent=f"  {first}".ljust(indent),
                subsequent_indent=" " * indent,
                break_on_hyphens=False,
            )
    return "\n".join(lines)
