"""Fetching whole remote files into a folder of this user, once a version."""

import contextlib
import hashlib
import os
import shutil
import tempfile
import time
from pathlib import Path

from galsmith.errors import OutputError
from galsmith.files.remote.system import RemoteStat, System

VARIABLE = "GALSMITH_REMOTE_FOLDER"
DAYS_KEPT = 7
SECONDS_A_DAY = 86_400
NAME_DIGITS = 32


def remote_folder() -> Path:
    """Folder of this user for copies and for what is to be uploaded: ``GALSMITH_REMOTE_FOLDER``, else in the cache."""
    stated = os.environ.get(VARIABLE)
    if stated:
        return Path(stated).absolute()
    caches = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(caches).expanduser() / "galsmith" / "remote"


def copy_at(address: str, found: RemoteStat, system: System) -> Path:
    """Give a local copy of a remote file; one of the same version that is there already is taken.

    Raises
    ------
    OSError
        If the file cannot be read.
    OutputError
        If the copy cannot be written.
    """
    version = f"{address} {found.st_size} {found.tag or time.time_ns()}"
    folder = remote_folder() / "copies" / hashlib.sha256(version.encode()).hexdigest()[:NAME_DIGITS]
    place = folder / address.rstrip("/").rpartition("/")[2]
    if place.is_file() and place.stat().st_size == found.st_size:
        os.utime(folder)
        return place
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor, name = tempfile.mkstemp(dir=folder, suffix=".writing")
        os.close(descriptor)
    except OSError as error:
        raise _unwritable(folder, error) from error
    try:
        system.download(address, Path(name))
        os.replace(name, place)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)  # noqa: PTH108 - a text
        raise
    _remove_old(folder.parent)
    return place


def _unwritable(folder: Path, error: OSError) -> OutputError:
    """Say that no copy can be written."""
    return OutputError(
        f"{folder}: cannot be written ({os.strerror(error.errno or 0)}), and copies of remote files are kept there",
        way_out=f"set the environment variable {VARIABLE} to a folder with space",
    )


def _remove_old(folder: Path) -> None:
    """Remove copies that were not used for a week."""
    oldest = time.time() - DAYS_KEPT * SECONDS_A_DAY
    for entry in folder.iterdir():
        with contextlib.suppress(OSError):
            if entry.stat().st_mtime < oldest:
                shutil.rmtree(entry, ignore_errors=True)
