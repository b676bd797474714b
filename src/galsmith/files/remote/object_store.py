"""Object stores (``s3://`` and others) through fsspec, with their faults as those of the file system."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from galsmith.errors import SettingsError
from galsmith.files.remote.address import scheme_of
from galsmith.files.remote.system import RemoteStat, again, not_allowed, not_found, number_of, unreachable

PACKAGES = {"s3": "s3fs", "gs": "gcsfs", "abfs": "adlfs", "memory": "fsspec"}
TAGS, TIMES = (
    ("ETag", "etag", "generation", "version_id"),
    ("LastModified", "last_modified", "mtime", "updated", "created"),
)
# what packages of all stores say of one who may not; their exceptions have nothing in common
REFUSALS = (
    "credential",
    "accessdenied",
    "access denied",
    "forbidden",
    "invalidaccesskey",
    "signaturedoesnotmatch",
    "unauthorized",
    "anonymous caller",
    "expiredtoken",
    "authentication",
)
ABSENCES = ("nosuchbucket", "bucket does not exist", "nosuchkey")


class ObjectStore:
    """Reading from and writing to what fsspec knows."""

    def stat(self, address: str) -> RemoteStat:
        """Look at an object, or at a prefix under which objects lie."""
        return again(address, lambda: self._stat(address))

    def read(self, address: str, start: int, stop: int) -> tuple[bytes, str]:
        """Read a range; stores do not tell of which version it is."""
        with _faults(address):
            content: bytes = _files(address).cat_file(_key(address), start=start, end=stop)
        if len(content) != stop - start:
            raise unreachable(address, f"{len(content)} bytes came where {stop - start} were asked for")
        return content, ""

    def download(self, address: str, place: Path) -> None:
        """Read a whole object."""
        with _faults(address):
            _files(address).get_file(_key(address), str(place))

    def entries(self, address: str) -> dict[str, RemoteStat]:
        """List what lies right under a prefix."""
        with _faults(address):
            found = _files(address).ls(_key(address), detail=True, refresh=True)
        entries = ((str(one["name"]).rstrip("/").rpartition("/")[2], _stat_of(one)) for one in found)
        own = _key(address).rstrip("/").rpartition("/")[2]
        return {name: stat for name, stat in entries if name and (name != own or len(found) > 1)}

    def upload(self, place: Path, address: str) -> None:
        """Write an object."""
        with _faults(address):
            _files(address).put_file(str(place), _key(address))

    def remove(self, address: str) -> None:
        """Remove an object."""
        with _faults(address):
            try:
                _files(address).rm_file(_key(address))
            except FileNotFoundError:
                return

    def _stat(self, address: str) -> RemoteStat:
        """Look once, past what a listing said before."""
        with _faults(address):
            files = _files(address)
            files.invalidate_cache()
            return _stat_of(files.info(_key(address)))


def _files(address: str) -> Any:
    """Give fsspec's file system of an address; it makes one for a process.

    Raises
    ------
    SettingsError
        If a package is missing.
    """
    scheme = scheme_of(address)
    try:
        import fsspec

        return fsspec.filesystem(scheme)
    except ImportError as error:
        raise SettingsError(
            f"{address}: {PACKAGES[scheme]} is not installed; install it with "
            + (
                "pip install 'galsmith[remote]'"
                if scheme in ("s3", "memory")
                else f"pip install {PACKAGES[scheme]}"
            )
        ) from error


def _key(address: str) -> str:
    """Write an address without its scheme."""
    return ("/" if scheme_of(address) == "memory" else "") + address.partition("://")[2].rstrip("/")


@contextmanager
def _faults(address: str) -> Iterator[None]:
    """Turn what a package raises into the exceptions of the file system."""
    try:
        yield
    except SettingsError:
        raise
    except Exception as error:  # of other people's packages, which have no common base
        words = f"{type(error).__name__}: {error}"
        if any(refusal in words.lower() for refusal in REFUSALS) or isinstance(error, PermissionError):
            raise not_allowed(address, " ".join(words.split())) from error
        if isinstance(error, FileNotFoundError) or any(word in words.lower() for word in ABSENCES):
            raise not_found(address) from error
        raise unreachable(address, words) from error


def _stat_of(info: dict[str, Any]) -> RemoteStat:
    """Say what fsspec tells of an object."""
    if info.get("type") == "directory":
        return RemoteStat(0, is_folder=True)
    tag = next((str(info[key]) for key in TAGS if info.get(key)), "")
    said = next((info[key] for key in TIMES if info.get(key) is not None), None)
    stamp = said.timestamp() if isinstance(said, datetime) else None
    time_ns = number_of(f"{tag} {said}") if stamp is None else int(stamp * 10**6) * 10**3
    return RemoteStat(int(info.get("size") or 0), time_ns, tag or str(said or ""))
