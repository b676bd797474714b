"""The page of a study, ``study.json``, and reading it."""

from pathlib import Path
from typing import Any

from galsmith.errors import InputError
from galsmith.files import read_json
from galsmith.files.pages import Page, checked_page
from galsmith.provenance import Provenance

CARD_FILE, FORMAT_NAME, FORMAT_VERSION = "study.json", "galsmith study", 1
WAY_OUT = "make it again with galsmith study"


class RowPage(Page):
    """One training set; the four last keys compare it with real images alone."""

    mix: str
    title: str
    mean_loss: float
    relative: float
    difference: float | None = None
    interval: tuple[float, float] | None = None
    family_interval: tuple[float, float] | None = None
    verdict: str | None = None


class GroupPage(Page):
    """The same for some of the test images."""

    name: str
    n_test: int
    rows: tuple[RowPage, ...]


class StudyPage(Page):
    """All of it."""

    format: str
    format_version: int
    task: dict[str, Any]
    title: str
    loss: str
    n: int
    k: int
    seeds: int
    n_test: int
    rows: tuple[RowPage, ...]
    groups: tuple[GroupPage, ...]
    losses: dict[str, list[list[float]]]
    provenance: Provenance


def read_card(folder: str | Path) -> dict[str, Any]:
    """Read the card of a study.

    Raises
    ------
    InputError
        If there is none, it is damaged, or of another version.
    """
    file = Path(folder) / CARD_FILE
    card = read_json(file)
    if card.get("format") != FORMAT_NAME or card.get("format_version") != FORMAT_VERSION:
        raise InputError(f"{file}: not a study that this galsmith reads; {WAY_OUT}")
    checked_page(StudyPage, card, file, way_out=WAY_OUT)
    return card
