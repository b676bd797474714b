"""The smallest dose of a fault that a card would have seen, `VisibleDose`, and its words."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class VisibleDose:
    """The smallest dose of a fault that a card of these sizes tells apart.

    Attributes
    ----------
    name, words : str
        As in `galsmith.compare.power.doses.Fault`.
    smallest : float
        Interpolated between `between`; NaN where no dose is seen often enough, or none was tried.
    between : tuple of float
        The largest dose that was tried and is seen too seldom, 0 where there is none, and the smallest that is seen.
    tried : tuple of tuple of float
        Each dose that was tried with the share of cards that tell it apart.
    by : str
        Title of the family of evidence that sees the smallest seen dose most often.
    reason : str
        Why it was not tried; empty where it was.
    """

    name: str
    words: str
    smallest: float
    between: tuple[float, float]
    tried: tuple[tuple[float, float], ...]
    by: str = ""
    reason: str = ""


def dose_text(item: VisibleDose, value: float) -> str:
    """Write a dose as a person would: shares in percent."""
    return f"{100 * value:.2g} %" if "{dose} of the galaxies" in item.words else f"{value:.2g}"


def sentence(item: VisibleDose) -> str:
    """Name a fault with the smallest dose that is seen, or the largest that was tried."""
    if not np.isfinite(item.smallest):
        return item.words.format(dose=dose_text(item, max(dose for dose, _ in item.tried)))
    least = "" if item.between[0] > 0 else ", or less"
    return item.words.format(dose=dose_text(item, item.smallest)) + least
