"""Copies of remote files for what reads files by name; messages name the address."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from galsmith.errors import GalsmithError
from galsmith.files.remote.download import copy_at
from galsmith.files.remote.place import is_remote, place_of, system_of


def copy_of(path: Path) -> Path:
    """Give a local copy of a remote file; one of the same version that is there already is taken."""
    found: Any = path.stat()
    return copy_at(str(path), found, system_of(str(path)))


@contextlib.contextmanager
def at_hand(path: str | Path) -> Iterator[Path]:
    """Give a file that can be opened by name: itself, or a local copy of a remote one.

    Parameters
    ----------
    path : str or Path
        A path or an address.

    Yields
    ------
    Path
        Of a file system. Errors of galsmith in the block that name the copy name the address.
    """
    if not is_remote(path):
        yield Path(path)
        return
    remote = place_of(path)
    local = copy_of(remote)
    try:
        yield local
    except GalsmithError as error:
        error.problem = error.problem.replace(str(local), str(remote))
        error.args = tuple(str(said).replace(str(local), str(remote)) for said in error.args)
        raise


@contextlib.contextmanager
def local_copies(folder: str | Path, names: tuple[str, ...]) -> Iterator[Path]:
    """Give a folder that holds some files of a remote one, those that are there; itself where it is not remote."""
    if not is_remote(folder):
        yield Path(folder)
        return
    remote = place_of(folder)
    with tempfile.TemporaryDirectory(prefix="galsmith-") as held:
        for name in names:
            place = remote / name
            if place.is_file():
                target = Path(held, name)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.symlink_to(copy_of(place))
        try:
            yield Path(held)
        except GalsmithError as error:
            error.args = tuple(str(said).replace(held, str(remote)) for said in error.args)
            raise
