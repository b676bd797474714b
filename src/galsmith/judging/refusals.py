"""What a refused judgment leaves beside a card that was never made: the next one takes or replaces it."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from galsmith.errors import InputError, OutputExistsError, SettingsError
from galsmith.files import PARTIAL_SUFFIX, read_json, write_json

REFUSED_FILE = "refused.json"
FORMAT_NAME = "galsmith refused judgment"

Made = TypeVar("Made")


@contextmanager
def noted_refusal(folder: Path, given: Iterable[Any]) -> Iterator[frozenset[str]]:
    """Note what a judgment made on its way if it is refused, in the folder beside its card.

    Who corrects a command wants other stores and tables under the same names. What an interrupted call made is another
    matter: it may have taken hours, and its own command goes on with it.

    Parameters
    ----------
    folder : Path
        Of stores, tables and features; there or not.
    given : iterable
        What is judged: none of it is ever left by a refused call.

    Yields
    ------
    frozenset of str
        Names, in the folder, of what refused calls left.
    """
    there, left = _names(folder), _left_by_refused(folder)
    try:
        yield left - {Path(item).name for item in given if isinstance(item, str | Path)}
    except (SettingsError, InputError):
        made = (_names(folder) - there) | (left & _names(folder))
        if made:
            write_json(folder / REFUSED_FILE, {"format": FORMAT_NAME, "made": sorted(made)})
        raise
    (folder / REFUSED_FILE).unlink(missing_ok=True)


def in_place_of_refused(make: Callable[[bool], Made], *, overwrite: bool, is_left: bool) -> Made:
    """Make an output, or take one made of the same; one made of others gives way where a refused call left it.

    Parameters
    ----------
    make : callable
        Given whether to replace what is there.
    overwrite : bool
        Whether to replace it in any case.
    is_left : bool
        Whether a refused call left what is there, as `noted_refusal` says.

    Raises
    ------
    OutputExistsError
        If another is there that no refused call left.
    """
    try:
        return make(overwrite)
    except OutputExistsError:
        if not is_left:
            raise
        return make(True)  # noqa: FBT003


def _names(folder: Path) -> set[str]:
    """Names of outputs in a folder, finished or not."""
    if not folder.is_dir():
        return set()
    return {path.name.removesuffix(PARTIAL_SUFFIX) for path in folder.iterdir()} - {REFUSED_FILE}


def _left_by_refused(folder: Path) -> frozenset[str]:
    """Read the names that refused calls noted."""
    if not (folder / REFUSED_FILE).is_file():
        return frozenset()
    said = read_json(folder / REFUSED_FILE)
    return frozenset(said["made"]) if said.get("format") == FORMAT_NAME else frozenset()
