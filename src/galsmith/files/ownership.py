"""What galsmith made: each room that writes an output declares its kind, and nothing but that may be replaced."""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

from galsmith.errors import GalsmithError, OutputExistsError
from galsmith.files.atomic import TEMPORARY_SUFFIX, said_in_page


@dataclass(frozen=True)
class Kind:
    """One kind of output: how one that galsmith made is told from anything else, and which files belong to it.

    Attributes
    ----------
    name : str
        In words, such as ``"store"``.
    made_from : callable
        Given the file, or the page of a folder, what it says it was made from: the fingerprint of all that decided its
        content, empty where it says that galsmith made it and not from what. None, or an error, where another made it.
    page : str
        Of a folder: the file in it that says what it is.
    holds : tuple of str
        Of a folder: patterns of the paths of its files, ``*`` also for several folders.
    travels : bool
        Whether it may be written to an address, such as ``s3://bucket/name``.
    parts : mapping of str to Kind
        Of a folder: outputs of other kinds that lie in it, by patterns of their paths.
    """

    name: str
    made_from: Callable[[Path], str | None]
    page: str = ""
    holds: tuple[str, ...] = ()
    parts: Mapping[str, "Kind"] = field(default_factory=dict)
    travels: bool = False

    def fingerprint_of(self, path: Path) -> str | None:
        """Read of what is at a path what decided its content; None where galsmith did not make it, or no such thing."""
        file = path / self.page if self.page else path
        try:
            return self.made_from(file) if file.is_file() else None
        except (GalsmithError, OSError, LookupError, TypeError, ValueError, ArithmeticError):
            return None

    def owns(self, path: Path, name: str) -> bool:
        """Whether a file below a folder of this kind was made with it, or is the half-written rest of one."""
        if _is_half_written(name) or any(fnmatchcase(name, pattern) for pattern in self.holds):
            return True
        places = (PurePosixPath(name), *PurePosixPath(name).parents)
        return any(
            fnmatchcase(str(place), pattern)
            and part.fingerprint_of(path / place) is not None
            and (str(place) == name or part.owns(path / place, str(PurePosixPath(name).relative_to(place))))
            for pattern, part in self.parts.items()
            for place in places
        )


def said_in_json(
    format_name: str, fingerprint: Callable[[dict[str, Any]], str]
) -> Callable[[Path], str | None]:
    """Give a `Kind.made_from` of JSON files that name their format; `fingerprint` is given their content."""

    def made_from(file: Path) -> str | None:
        said = said_in_page(file)
        return fingerprint(said) if said.get("format") == format_name else None

    return made_from


def is_empty_tree(path: Path) -> bool:
    """Whether a path is a folder in which no file lies, at any depth, but half-written ones: nothing is lost with it."""
    if path.is_symlink() or not path.is_dir():
        return False
    return all(_is_half_written(name) for name in files_below(path))


def refuse_existing(path: Path, kind: Kind, *, overwrite: bool) -> None:
    """Raise if something is at a path that may not be replaced; removes nothing.

    A folder without files is nothing. With `overwrite`, what galsmith made of the same kind may be replaced, and nothing
    else: one file that does not belong saves a whole folder.

    Raises
    ------
    OutputExistsError
        It names what is in the way.
    """
    if not os.path.lexists(path) or is_empty_tree(path):
        return
    if not overwrite:
        way_out = "choose another `output`, or replace it with `overwrite`"
        raise OutputExistsError("already exists", argument="output", came=path, way_out=way_out)
    if path.is_symlink() and not path.exists():
        return  # a link that leads nowhere
    if kind.fingerprint_of(path) is None:
        raise OutputExistsError(
            f"does not say that it is a {kind.name} that was made by galsmith, so `overwrite` leaves it",
            argument="output",
            came=path,
            way_out="choose another `output`, or remove it yourself",
        )
    names = files_below(path) if kind.page and not path.is_symlink() else iter(())
    foreign = next((name for name in names if not kind.owns(path, name)), None)
    if foreign is not None:
        raise OutputExistsError(
            f"a {kind.name}, in which {foreign} was not made with it, so `overwrite` leaves both",
            argument="output",
            came=path,
            way_out="move that file elsewhere, or choose another `output`",
        )


def files_below(folder: Path) -> Iterator[str]:
    """Paths of all that is no folder below one, relative to it; a link to a folder counts as a file."""
    for found, folders, files in os.walk(folder):
        links = [name for name in folders if Path(found, name).is_symlink()]
        for name in sorted((*files, *links)):
            yield Path(found, name).relative_to(folder).as_posix()


def _is_half_written(name: str) -> bool:
    """Whether a file has the name that `written_atomically` gives while it writes."""
    last = name.rpartition("/")[2]
    return last.startswith(".") and last.endswith(TEMPORARY_SUFFIX)
