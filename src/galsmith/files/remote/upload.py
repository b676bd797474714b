"""What is written to an address: made in a folder of this user, uploaded file by file, the page that tells of it last."""

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from galsmith.errors import OutputError, SettingsError
from galsmith.files.remote.address import plain_address, refuse_unwritable_address
from galsmith.files.remote.download import NAME_DIGITS, VARIABLE, remote_folder
from galsmith.files.remote.place import RemotePath, forget, system_of

JOURNAL = "uploaded.json"
PROBE = ".partial/lock"
_probed: set[str] = set()


def staged_place(address: str) -> Path:
    """Where an output is made that is to be uploaded: the same place for the same address, so that a rerun goes on."""
    folder = (
        remote_folder() / "outgoing" / hashlib.sha256(address.rstrip("/").encode()).hexdigest()[:NAME_DIGITS]
    )
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot be written ({os.strerror(error.errno or 0)}), and what is to be uploaded is made there",
            way_out=f"set the environment variable {VARIABLE} to a folder with space",
        ) from error
    return folder / address.rstrip("/").rpartition("/")[2]


def check_writable(address: str, inputs: Iterable[str | Path | None]) -> None:
    """Refuse an address to which nothing can be written, or where an input would be harmed, before anything starts.

    A small object is written beside it and removed again, once a process.

    Raises
    ------
    SettingsError
        If nothing is written to that scheme, a package is missing, or the output is, holds or lies in an input.
    OutputError
        If there is no such bucket, or access is refused.
    """
    refuse_unwritable_address(address)
    if "/" not in address.rstrip("/").partition("://")[2]:
        raise SettingsError(
            "names a bucket and nothing in it",
            argument="output",
            came=address,
            wanted="an address such as s3://bucket/name",
        )
    own = f"{address.rstrip('/')}/"
    for given in inputs:
        other = None if given is None else plain_address(given)
        if other is not None and (
            f"{other.rstrip('/')}/".startswith(own) or own.startswith(f"{other.rstrip('/')}/")
        ):
            raise SettingsError(
                f"is, holds or lies in the input {other}, which would be harmed; choose another `output`",
                argument="output",
                came=address,
            )
    if address not in _probed:
        _probe(address)
        _probed.add(address)


def _probe(address: str) -> None:
    """Write an object beside an output, and remove it."""
    place = remote_folder() / "probe"
    try:
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        place.write_text("galsmith looks whether it may write here\n", encoding="utf-8")
        system_of(address).upload(place, address + PROBE)
        system_of(address).remove(address + PROBE)
    except OSError as error:
        raise OutputError(
            f"{address}: cannot be written ({_reason(error)}); choose another `output`"
        ) from error


def has_upload_begun(address: str) -> bool:
    """Whether an upload to an address was begun here and has not ended."""
    return (staged_place(address).parent / JOURNAL).is_file()


def upload(staged: Path, address: str, *, last: str, owns: Callable[[str], bool]) -> None:
    """Upload a file or a folder; what an earlier call brought there already is left.

    Parameters
    ----------
    staged : Path
        What was made.
    address : str
        Where it goes.
    last : str
        File of a folder that says that it is whole; the old one is removed first.
    owns : callable
        Whether a file that is there, by its path in the folder, may be removed because the new one has none of it.

    Raises
    ------
    OutputError
        If a file cannot be uploaded; what was made is kept, and the next call goes on.
    """
    system, journal = system_of(address), staged.parent / JOURNAL
    names = sorted(_names_of(staged), key=lambda name: (name == last, name))
    done = _read_journal(journal)
    try:
        if not done and last:
            system.remove(f"{address}/{last}")
        _write_journal(journal, done)
        for number, name in enumerate(names):
            file, target = (staged / name, f"{address}/{name}") if name else (staged, address)
            version = [_sha256(file), file.stat().st_size]
            forget(target)
            if done.get(name) == version and _size_at(target) == version[1]:
                continue
            if name == last and last:
                _remove_others(address, set(names), owns)
            _put(file, target, f"{number} of {len(names)} files are there")
            done[name] = version
            _write_journal(journal, done)
    finally:
        forget(address)


def clear_staged(address: str) -> None:
    """Remove what was made for an address."""
    shutil.rmtree(staged_place(address).parent, ignore_errors=True)


def _put(file: Path, target: str, so_far: str) -> None:
    """Upload a file, and look whether all of it is there."""
    try:
        system_of(target).upload(file, target)
        if _size_at(target) != file.stat().st_size:
            raise OSError("it arrived in part")
    except OSError as error:
        raise OutputError(
            f"{target}: cannot be uploaded ({_reason(error)}); {so_far}, what was made lies in {file.parent}, and the same "
            "command goes on"
        ) from error


def _size_at(target: str) -> int | None:
    """Bytes of an object; None where there is none."""
    try:
        return int(system_of(target).stat(target).st_size)
    except FileNotFoundError:
        return None


def _remove_others(address: str, names: set[str], owns: Callable[[str], bool]) -> None:
    """Remove what an earlier output left that the new one has no file of."""
    place = RemotePath(address)
    with contextlib.suppress(FileNotFoundError):
        for entry in list(place.rglob("*")):
            name = str(entry).removeprefix(str(place) + "/")
            if name not in names and owns(name) and entry.is_file():
                system_of(address).remove(str(entry))


def _names_of(staged: Path) -> Iterator[str]:
    """Give the files of a folder by their paths in it, or nothing but the file itself."""
    if staged.is_file():
        yield ""
        return
    yield from (file.relative_to(staged).as_posix() for file in staged.rglob("*") if file.is_file())


def _read_journal(file: Path) -> dict[str, list[Any]]:
    """Read which files are there, each with its hash and size; nothing where none is, or it is damaged."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _write_journal(file: Path, done: dict[str, list[Any]]) -> None:
    """Write which files are there."""
    beside = file.with_name(f".{file.name}.writing")
    beside.write_text(json.dumps(done), encoding="utf-8")
    os.replace(beside, file)


def _sha256(file: Path) -> str:
    """Hash a file's bytes."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _reason(error: OSError) -> str:
    """Say what went wrong, in words."""
    return error.strerror or str(error)
