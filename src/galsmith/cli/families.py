"""What ``galsmith train --help`` says of the families: when to choose which, and by which recipe."""

import shutil
import textwrap

from galsmith.models.families import listed_families, recipes_by_family

WIDEST = 110


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
