"""A remote place as a path: all that reads paths reads it, and nothing can be written through it by mistake."""

import errno
import fnmatch
import io
import os
import time
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Self

from galsmith.errors import InputError
from galsmith.files.remote.address import HTTP, plain_address, refuse_unknown_address, scheme_of
from galsmith.files.remote.download import copy_at
from galsmith.files.remote.ranges import RangeReader
from galsmith.files.remote.system import RemoteStat, System, WholeAnswerError

WORTH_SECONDS, MOST_REMEMBERED = 30.0, 200_000
BUFFER = 64 * 2**10
PACKED = (".gz", ".bz2", ".xz")

_seen: OrderedDict[str, tuple[float, RemoteStat]] = OrderedDict()
_listed: dict[str, bool] = {}  # what a listing named, and whether as a folder
_without_ranges: set[str] = set()


def place_of(given: str | os.PathLike[str]) -> Path:
    """Give the path that a user means: of a file system, or a `RemotePath` where it is an address.

    Raises
    ------
    InputError
        If it is an address of a scheme that is not read.
    """
    address = plain_address(given)
    if address is None:
        return Path(given)
    refuse_unknown_address(address)
    return RemotePath(address)


def is_remote(path: str | os.PathLike[str]) -> bool:
    """Whether a path is an address."""
    return isinstance(path, RemotePath) or plain_address(path) is not None


def system_of(address: str) -> System:
    """Give what reads an address."""
    if scheme_of(address) in HTTP:  # imported late: who reads no address needs neither
        from galsmith.files.remote.http import HttpSystem

        return HttpSystem()
    from galsmith.files.remote.object_store import ObjectStore

    return ObjectStore()


class RemotePath(type(Path())):  # type: ignore[misc]
    """An address in the place of a path: looked at, listed and read as one; whatever would write is refused.

    What opens files by name alone, as HDF5 and Parquet libraries do, is given the open file, or a copy
    (`galsmith.files.remote.at_hand`).
    """

    __slots__ = ()

    def __str__(self) -> str:
        """Write the address as it is usual."""
        scheme, separator, rest = super().__str__().partition(":/")
        return f"{scheme}://{rest.lstrip('/')}" if separator else f"{scheme}//"

    def __fspath__(self) -> str:
        """Give the address, which no file system has."""
        return str(self)

    def stat(self, *, follow_symlinks: bool = True) -> Any:
        """Look at what is there, as `RemoteStat`; remembered for half a minute."""
        del follow_symlinks
        address = str(self)
        moment, found = _seen.get(address, (-WORTH_SECONDS, None))
        if found is None or time.monotonic() - moment > WORTH_SECONDS:
            found = system_of(address).stat(address)
            _remember(address, found)
        return found

    def lstat(self) -> Any:
        """Look at what is there: there are no links."""
        return self.stat()

    def exists(self, *, follow_symlinks: bool = True) -> bool:
        """Whether anything is there."""
        del follow_symlinks
        return self.is_file() or self.is_dir()

    def is_file(self) -> bool:
        """Whether a file is there."""
        if str(self) in _listed:
            return not _listed[str(self)]
        try:
            return not self.stat().is_folder
        except FileNotFoundError:
            return False

    def is_dir(self) -> bool:
        """Whether a folder is there; of a web server one with an index page."""
        address = str(self)
        if address in _listed:
            return _listed[address]
        if scheme_of(address) in HTTP:
            try:
                system_of(address).entries(address)
            except OSError:
                return False
            return True
        try:
            return bool(self.stat().is_folder)
        except FileNotFoundError:
            return False

    def is_symlink(self) -> bool:
        """Whether it is a link: never."""
        return False

    def iterdir(self) -> Iterator[Self]:
        """List a folder."""
        address = str(self)
        for name, found in sorted(system_of(address).entries(address).items()):
            entry = self / name
            _listed[str(entry)] = found.is_folder
            if found.st_size or found.is_folder:
                _remember(str(entry), found)
            yield entry

    def rglob(self, pattern: str, **_: Any) -> Iterator[Self]:
        """List all below a folder whose names fit a pattern."""
        for entry in self.iterdir():
            if fnmatch.fnmatchcase(entry.name, pattern):
                yield entry
            if entry._is_listed_folder():
                yield from entry.rglob(pattern)

    def open(self, mode: str = "r", buffering: int = -1, *arguments: Any, **how: Any) -> IO[Any]:
        """Open a file for reading, bytes (``"rb"``) or text."""
        del buffering
        if mode not in ("r", "rb", "rt"):
            raise OSError(errno.EROFS, "is read alone here", str(self))
        reader: Any = self._reader()
        if mode == "rb":
            return reader
        return io.TextIOWrapper(io.BufferedReader(reader, BUFFER), *arguments, **how)

    def resolve(self, strict: bool = False) -> Self:  # noqa: FBT001, FBT002 - as pathlib has it
        """Take ``..`` out of the address."""
        del strict
        address = str(self)
        start, rest = address.partition("://")[0], address.partition("://")[2]
        return type(self)(f"{start}://{os.path.normpath('/' + rest).lstrip('/')}")

    def absolute(self) -> Self:
        """Give itself: an address is whole."""
        return self

    def refuse(self, *_: Any, **__: Any) -> Any:
        """Raise: a remote place is written by uploading alone."""
        raise OSError(errno.EROFS, "is read alone here", str(self))

    mkdir = touch = unlink = rmdir = rename = replace = chmod = write_bytes = write_text = refuse
    symlink_to = hardlink_to = refuse

    def _is_listed_folder(self) -> bool:
        """Whether a listing said that it is a folder."""
        return _listed.get(str(self), False)

    def _reader(self) -> io.RawIOBase:
        """Open the bytes: by ranges, or, where a server knows none, as a copy."""
        address, found = str(self), self.stat()
        if found.is_folder:
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), address)
        system = system_of(address)
        server = "/".join(address.split("/")[:3])
        # what is packed as a whole is read from its start, by libraries that ask for a file
        if server in _without_ranges or address.lower().endswith(PACKED):
            return io.FileIO(copy_at(address, found, system))
        reader = RangeReader(address, found.st_size, lambda start, stop: system.read(address, start, stop))
        try:
            reader.read(1)
        except WholeAnswerError:
            _without_ranges.add(server)
            return io.FileIO(copy_at(address, found, system))
        reader.seek(0)
        return reader


def matching(pattern: str) -> list[Path]:
    """Files of a remote folder whose names fit a pattern such as ``s3://bucket/cut/*.fits``, sorted.

    Raises
    ------
    InputError
        If a folder of it is a pattern too.
    """
    place = RemotePath(plain_address(pattern) or pattern)
    if any(character in str(place.parent) for character in "*?["):
        raise InputError(f"{place}: only the name of the file may be a pattern there; name the folder")
    return [entry for entry in place.parent.iterdir() if fnmatch.fnmatchcase(entry.name, place.name)]


def forget(address: str) -> None:
    """Forget what was seen at an address and below it, which has changed."""
    below = address.rstrip("/") + "/"
    for known in [known for known in (*_seen, *_listed) if known == address or known.startswith(below)]:
        _seen.pop(known, None)
        _listed.pop(known, None)


def _remember(address: str, found: RemoteStat) -> None:
    """Remember what was seen, and forget what was seen longest ago."""
    _seen[address] = (time.monotonic(), found)
    _seen.move_to_end(address)
    if len(_seen) > MOST_REMEMBERED:
        _seen.popitem(last=False)
