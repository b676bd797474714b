"""The right of one process to make an output: a locked file in the folder beside it, which a dead process loses."""

import contextlib
import errno
import fcntl
import json
import os
import socket
import time
import weakref
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from galsmith.errors import OutputExistsError
from galsmith.files.atomic import TEMPORARY_SUFFIX, raise_if_unwritable, remove_temporaries

PARTIAL_SUFFIX = ".partial"
MARK_FILE, LOCK_FILE = "settings.json", "lock"
WITHOUT_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)
ATTEMPTS = 1000  # to open a lock that its holder is just removing
# whoever only looks, or settles, holds a lock for some milliseconds
PATIENCE_SECONDS, PAUSE_SECONDS = 0.5, 0.02

_held: set[int] = set()


def partial_folder(output: str | Path) -> Path:
    """Folder beside an output in which it is made."""
    path = Path(output)
    if path.name in ("", ".."):
        path = Path(os.path.realpath(path))
    return path.with_name(path.name + PARTIAL_SUFFIX)


class Claim:
    """The right of one process to make an output; it ends with `release`, or with the process.

    Parameters
    ----------
    output : str or Path
        What is to be made.
    patience_seconds : float
        How long to wait for another process to let it go.

    Raises
    ------
    OutputExistsError
        If another process is making it; the message says which.
    OutputError
        If the folder cannot be written.
    """

    def __init__(self, output: str | Path, *, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self.folder = partial_folder(output)
        _refuse_foreign_folder(self.folder)
        try:
            self._descriptor = _taken_lock(self.folder / LOCK_FILE, Path(output), patience_seconds)
        except OSError as error:
            raise_if_unwritable(error, Path(output))
            raise
        self._lose = weakref.finalize(self, _close, self._descriptor)

    def release(self) -> None:
        """Let others make the output; a folder that holds nothing to go on with goes."""
        if self._descriptor not in _held or not self._lose.alive:
            return
        with contextlib.suppress(OSError):
            if not (self.folder / MARK_FILE).exists():
                remove_temporaries(self.folder)
            (self.folder / LOCK_FILE).unlink(missing_ok=True)
            self.folder.rmdir()
        self._lose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


@contextlib.contextmanager
def claimed_folder(folder: str | Path) -> Iterator[None]:
    """Claim a folder for a while, unless nothing may be written in it nor beside it, and nobody can harm what is there.

    Parameters
    ----------
    folder : str or Path
        There or not.

    Raises
    ------
    OutputExistsError, OutputError
        As `Claim` does.
    """
    if is_only_read(Path(folder)):
        yield
        return
    with Claim(folder):
        yield


def is_only_read(folder: Path) -> bool:
    """Whether nothing may be written in a folder, there or not, nor beside it."""
    above = folder.absolute().parent
    is_closed = above.is_dir() and not any(
        os.access(place, os.W_OK) for place in (above, folder) if place.is_dir()
    )
    return is_closed and not partial_folder(folder).exists()


def _refuse_foreign_folder(folder: Path) -> None:
    """Refuse a folder, or a file, that has the name of a partial output and is none."""
    try:
        names = {entry.name for entry in folder.iterdir() if not entry.name.endswith(TEMPORARY_SUFFIX)}
    except FileNotFoundError:
        return
    except NotADirectoryError:
        if not os.path.lexists(folder):  # a file is where its parent should be
            return
        names = {folder.name}
    if MARK_FILE in names or names <= {LOCK_FILE}:
        return
    way_out = "move it elsewhere, or choose another `output`"
    raise OutputExistsError(f"{folder}: is in the way, and nothing that galsmith was making", way_out=way_out)


def _taken_lock(file: Path, output: Path, patience_seconds: float) -> int:
    """Open and lock a file that is still there when it is locked, and write who holds it."""
    until = time.monotonic() + patience_seconds
    for _ in range(ATTEMPTS):
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except (FileExistsError, FileNotFoundError):  # the one before removes the folder at this moment
            if os.path.lexists(file.parent) and not file.parent.is_dir():
                raise
            continue
        try:
            _lock(descriptor, output, until)
            if _is_open_at(descriptor, file):
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, json.dumps(_this_process()).encode(), 0)
                _held.add(descriptor)
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
    raise OutputExistsError(
        "other processes claim it again and again",
        argument="output",
        came=output,
        way_out="choose another `output`",
    )


def _lock(descriptor: int, output: Path, until: float) -> None:
    """Lock a file, or say who holds it; where the file system has no locks, believe what the file says of a process."""
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > until:
                raise _busy(output, _read_holder(descriptor)) from error
            time.sleep(PAUSE_SECONDS)
        except OSError as error:
            if error.errno not in WITHOUT_LOCKS:
                raise
            holder = _read_holder(descriptor)
            if holder and not _is_dead(holder):
                raise _busy(output, holder) from error
            return None


def _is_open_at(descriptor: int, file: Path) -> bool:
    """Whether a path still leads to an open file, which its holder may have removed in between."""
    try:
        return os.path.samestat(os.fstat(descriptor), file.stat())
    except FileNotFoundError:
        return False


def _busy(output: Path, holder: Mapping[str, Any]) -> OutputExistsError:
    """Say who is making an output."""
    who = (
        f"process {holder['pid']} on {holder['host']}, since {holder['since']}"
        if holder
        else "another process"
    )
    return OutputExistsError(
        f"is being made by {who}",
        argument="output",
        came=output,
        way_out="wait until that ends, or choose another `output`",
    )


def _this_process() -> dict[str, Any]:
    """Who holds a claim from now on."""
    since = datetime.now(UTC).astimezone().isoformat(sep=" ", timespec="seconds")
    return {"pid": os.getpid(), "host": socket.gethostname(), "since": since}


def _read_holder(descriptor: int) -> dict[str, Any]:
    """Read who holds a claim; empty where it has not written that yet."""
    try:
        holder: dict[str, Any] = json.loads(os.pread(descriptor, 4096, 0))
    except ValueError:
        return {}
    return holder


def _is_dead(holder: Mapping[str, Any]) -> bool:
    """Whether a holder is a process of this machine that has ended."""
    if holder["host"] != socket.gethostname():
        return False
    try:
        os.kill(int(holder["pid"]), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _close(descriptor: int) -> None:
    """Close a lock, which loses it."""
    if descriptor in _held:
        _held.discard(descriptor)
        os.close(descriptor)


def _close_in_child() -> None:
    """Leave the claims of a process to it alone: a forked child that outlives it holds none."""
    for descriptor in _held:
        os.close(descriptor)
    _held.clear()


os.register_at_fork(after_in_child=_close_in_child)
