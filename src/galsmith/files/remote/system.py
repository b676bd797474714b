"""What galsmith asks of a remote place, and the faults of all schemes as the exceptions of the file system."""

import errno
import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

Answer = TypeVar("Answer")
ATTEMPTS = 5
NUMBER_DIGITS = 15  # hexadecimal, which fit into a whole number of 64 bits
FIRST_PAUSE_SECONDS = 0.2  # doubled after each attempt
WAYS_IN = {
    "s3": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, and AWS_ENDPOINT_URL where it is not Amazon's",
    "gs": "log in with gcloud auth application-default login, or set GOOGLE_APPLICATION_CREDENTIALS",
    "abfs": "set AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
    "http": "put user and password into ~/.netrc, or download it with the program of that place",
}


@dataclass(frozen=True)
class RemoteStat:
    """What is known of a remote file or folder without reading it; fields are named as those of `os.stat_result`.

    Attributes
    ----------
    st_size : int
        Bytes; 0 of a folder.
    st_mtime_ns : int
        Time of the last change; where the place tells none, a number made of its tag.
    tag : str
        By which one version is told from the next; empty where the place tells none.
    is_folder : bool
        Whether it is a folder.
    st_ino : int
        Without meaning.
    """

    st_size: int
    st_mtime_ns: int = 0
    tag: str = ""
    is_folder: bool = False
    st_ino: int = 0


def number_of(tag: str) -> int:
    """Give a number for a version whose time is not told, by which it is told from the next."""
    return int(hashlib.sha256(tag.encode()).hexdigest()[:NUMBER_DIGITS], 16) if tag else 0


class TransientError(OSError):
    """A fault that may be gone at the next attempt."""


class WholeAnswerError(Exception):
    """A server gave a whole file where a range was asked for; it does so always."""


class System(Protocol):
    """A kind of remote place, by its scheme. Faults are `FileNotFoundError`, `PermissionError` or `OSError`."""

    def stat(self, address: str) -> RemoteStat:
        """Look at what is there."""

    def read(self, address: str, start: int, stop: int) -> tuple[bytes, str]:
        """Read a range of bytes, and the tag of the version that they are of, empty where it is not told."""

    def download(self, address: str, place: Path) -> None:
        """Read all bytes into a file."""

    def entries(self, address: str) -> dict[str, RemoteStat]:
        """List what lies in a folder, by name."""

    def upload(self, place: Path, address: str) -> None:
        """Write a file's bytes."""

    def remove(self, address: str) -> None:
        """Remove a file; nothing happens where there is none."""


def not_found(address: str) -> FileNotFoundError:
    """Say that nothing is at an address."""
    return FileNotFoundError(errno.ENOENT, "there is no such file, folder or bucket", address)


def not_allowed(address: str, reason: str) -> PermissionError:
    """Say that a place does not let one in, and how to get there."""
    scheme = address.partition(":")[0]
    way_in = WAYS_IN.get("http" if scheme == "https" else scheme, "check the permissions")
    return PermissionError(errno.EACCES, f"access is refused ({reason}); {way_in}", address)


def unreachable(address: str, reason: object) -> OSError:
    """Say that a place does not answer as it should."""
    words = " ".join(str(reason).split()) or type(reason).__name__
    return OSError(errno.EIO, f"cannot be reached ({words}); run the same command again", address)


def again(address: str, ask: Callable[[], Answer]) -> Answer:
    """Ask, and ask again after transient faults, a few times.

    Raises
    ------
    OSError
        Of the last attempt, naming the address.
    """
    fault: OSError = unreachable(address, "no attempt")
    for pause in pauses():
        try:
            return ask()
        except TransientError as error:
            fault = unreachable(address, error)
        if pause:
            time.sleep(pause)
    raise fault


def pauses() -> Iterator[float]:
    """Seconds to wait after each attempt; none after the last."""
    for attempt in range(ATTEMPTS - 1):
        yield FIRST_PAUSE_SECONDS * 2**attempt
    yield 0.0
