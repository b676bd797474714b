"""`Condition`: where two sets were not taken alike, which is said before anything else that tells them apart."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

logger = logging.getLogger("galsmith")
WORDS = {
    "psf": "point spread function",
    "kind": "fields",
    "scale": "pixel scale",
    "neighbors": "neighbors measured",
    "maps": "noise or point spread functions of one set alone used",
}


@dataclass(frozen=True)
class Condition:
    """One thing in which two sets differ before any galaxy does.

    Attributes
    ----------
    name : str
        ``"depth"``, ``"unit"``, ``"size"``, ``"scale"``, ``"psf"``, ``"sharpness"``, ``"kind"``, ``"neighbors"`` or
        ``"maps"``, or what else is known of one side only.
    problem : str
        What differs, in words, with both values.
    way_out : str
        What makes both alike: a command, an argument in backticks, or what is to be done with the pixels.
    """

    name: str
    problem: str
    way_out: str

    @property
    def text(self) -> str:
        """Both, in one line."""
        return f"{self.problem}; {self.way_out}" if self.way_out else self.problem


def unlike_text(conditions: Sequence[Condition]) -> str:
    """Name all in which two sets were not taken alike, in a few words; empty where there is none."""
    named = ", ".join(WORDS.get(item.name, item.name.replace("_", " ")) for item in conditions)
    return f"not taken alike ({named})" if named else ""


def tell_conditions(name: str, conditions: Sequence[Condition]) -> None:
    """Say in the log what is not alike, one line each.

    Parameters
    ----------
    name : str
        Of the generated set.
    conditions : sequence of Condition
        Between it and the reference.
    """
    for condition in conditions:
        logger.warning("%s: %s", name, condition.text)
