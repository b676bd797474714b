"""An output never harms an input: refused where it is one, holds one or lies in one, whatever the paths look like."""

import glob
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from galsmith.errors import SettingsError
from galsmith.files.remote import plain_address, refuse_remote_output, refuse_unknown_address

# FILE[HDU] and set.h5:/images name a place in a file; a glob or g=FILE,r=FILE names several.
PLACE_IN_A_FILE = re.compile(r"(\[[^\]]*\]|:/[^:]*)$")

Identity = tuple[int, int]


def refuse_harm(output: Path, inputs: Iterable[str | Path | None]) -> None:
    """Raise if an output is, holds or lies in an input; symbolic and hard links and ``..`` are followed.

    An address such as ``s3://bucket/set`` is refused as output, and as input where nothing reads its scheme.

    Parameters
    ----------
    output : Path
        What is to be made.
    inputs : iterable of str, Path or None
        What is read, as the user wrote it: files, folders, globs in quotes, ``FILE[HDU]``, ``set.h5:/images``,
        ``NAME=PATH``. What is no path, or leads nowhere, does no harm.

    Raises
    ------
    SettingsError
        It names the output and the input.
    InputError
        If an input is an address of a scheme that is not read.
    """
    refuse_remote_output(output)
    place = _Place(output)
    for given in inputs:
        if given is not None:
            refuse_unknown_address(given)
        is_local = given is not None and plain_address(given) is None
        for source in _paths_of(os.fspath(given or "")) if is_local else ():
            relation = place.relation_to(source)
            if relation:
                raise SettingsError(
                    f"{relation} {source}, which would be harmed; choose another `output`",
                    argument="output",
                    came=output,
                )


class _Place:
    """An output and all folders above it, by name and by what the file system says they are."""

    def __init__(self, output: Path) -> None:
        self.path = Path(os.path.realpath(output))
        self.identity = _identity(self.path)
        by_name = Path(os.path.realpath(output.parent)) / output.name
        above = {*self.path.parents, *by_name.parents}
        self.above = above | {by_name} - {self.path}
        self.identities_above = {found for folder in above if (found := _identity(folder)) is not None}

    def relation_to(self, source: Path) -> str:
        """Say what the output is to an input; empty where they have nothing to do with each other."""
        path, identity = Path(os.path.realpath(source)), _identity(source)
        if path == self.path or (identity is not None and identity == self.identity):
            return "is the input"
        if path in self.above or identity in self.identities_above:
            return "lies in the input"
        by_name = Path(os.path.realpath(source.parent)) / source.name  # a link is harmed with its folder too
        parents = {*path.parents, *by_name.parents}
        if self.path in parents or self.identity in {_identity(folder) for folder in parents} - {None}:
            return "holds the input"
        if self.identity is not None and source.is_dir() and self._is_linked_from(path):
            return "is linked from the input"
        return ""

    def _is_linked_from(self, folder: Path) -> bool:
        """Whether a link below an input folder leads to the output or into it."""
        for found, folders, files in os.walk(folder):
            for name in (*folders, *files):
                entry = Path(found, name)
                if entry.is_symlink():
                    target = Path(os.path.realpath(entry))
                    if target == self.path or self.path in target.parents:
                        return True
        return False


def _identity(path: Path) -> Identity | None:
    """Device and number of a file or folder, whatever its name; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _paths_of(given: str) -> Iterator[Path]:
    """Find the files and folders that one argument names; nothing where it names none."""
    text = PLACE_IN_A_FILE.sub("", given)
    wordings = [given, text, *(part.partition("=")[2] or part for part in text.split(","))]
    for wording in dict.fromkeys(wordings):
        bare = PLACE_IN_A_FILE.sub("", wording)
        if not bare or "\0" in bare:
            continue
        if os.path.lexists(bare):
            yield Path(bare)
        elif glob.has_magic(bare):
            yield from map(Path, glob.iglob(bare, recursive=True))  # noqa: PTH207 - also absolute ones
