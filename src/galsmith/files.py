"""Writing files so that a killed program leaves the old file, the new file or nothing; hashing them."""

import contextlib
import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from galsmith.errors import InputError, OutputError, OutputExistsError

TEMPORARY_SUFFIX = ".writing"


@contextlib.contextmanager
def written_atomically(path: Path) -> Iterator[Path]:
    """Give a temporary path to write to, then move it to `path` in one step.

    Parameters
    ----------
    path : Path
        The file to appear; its folder is made when missing.

    Yields
    ------
    Path
        Beside `path`, ending in ``.writing``, removed if the block fails.

    Raises
    ------
    OutputError
        If the disk is full or the folder cannot be written; nothing half-written stays.
    """
    temporary = path.with_name(path.name + TEMPORARY_SUFFIX)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        mode = _mode_of_new_file(temporary)
        yield temporary
        if not temporary.is_symlink():
            temporary.chmod(mode)  # safetensors makes files that nobody else may read
        _flush_to_disk(temporary)
        os.replace(temporary, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise_if_unwritable(error, path)
        raise


def _mode_of_new_file(beside: Path) -> int:
    """Permissions that a new file gets in a folder; none is left behind."""
    probe = beside.with_name(f"{beside.name}.{os.getpid()}")
    probe.touch()
    mode = probe.stat().st_mode & 0o777
    probe.unlink()
    return mode


def raise_if_unwritable(error: BaseException, path: Path) -> None:
    """Turn a system's write failure into an `OutputError` that names `path`; other errors pass.

    HDF5 and safetensors report a full disk as errors of their own with the reason in the text.
    """
    if not isinstance(error, Exception) or isinstance(error, OutputError):
        return
    code = getattr(error, "errno", None)
    if code in (errno.ENOSPC, errno.EDQUOT) or "No space left" in str(error) or "errno = 28" in str(error):
        raise OutputError(
            f"{path}: the disk is full; free some space or choose another place with -o. "
            "Finished parts are kept, nothing half-written is"
        ) from error
    if code in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST):
        raise OutputError(
            f"{path}: cannot be written ({os.strerror(code)}); choose another place with -o"
        ) from error


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, atomically."""
    with written_atomically(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object; `InputError` names the file when it is missing or not JSON."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"{path}: there is no such file") from error
    except IsADirectoryError as error:
        raise InputError(f"{path}: a folder; wanted a JSON file that galsmith wrote") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path}: not a JSON file ({error}); make it again with the verb that writes it"
        ) from error
    if not isinstance(value, dict):
        raise InputError(f"{path}: holds a JSON {type(value).__name__}, wanted an object")
    return value


def sha256_of_file(path: Path) -> str:
    """SHA-256 of a file's bytes, as 64 hexadecimal digits, read in blocks."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def refuse_existing(path: Path, *, overwrite: bool) -> None:
    """Raise `OutputExistsError` if `path` is there, or remove it when `overwrite` is set."""
    if not (path.exists() or path.is_symlink()):
        return
    if not overwrite:
        raise OutputExistsError(f"{path}: already exists; choose another -o, or replace it with --overwrite")
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _flush_to_disk(path: Path) -> None:
    """Ask the system to write a file's bytes before its name appears."""
    with path.open("rb") as stream:
        os.fsync(stream.fileno())
