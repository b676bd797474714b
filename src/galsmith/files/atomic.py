"""Single files: written so that a killed program leaves the old one, the new one or nothing; read; hashed."""

import contextlib
import errno
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from galsmith.errors import InputError, OutputError
from galsmith.files.seal import BLANK, KEY, MARK, changed, sealed, state_of

TEMPORARY_SUFFIX = ".writing"


@contextlib.contextmanager
def written_atomically(path: Path) -> Iterator[Path]:
    """Give a temporary path to write to, then move it to `path` in one step.

    For the files of a folder that this process has claimed (`Partial`, `Claim`): whoever claims it next removes
    what a killed process left.

    Parameters
    ----------
    path : Path
        The file to appear; its folder is made when missing.

    Yields
    ------
    Path
        Beside `path`, of this process alone, ending in ``.writing``; removed if the block fails.

    Raises
    ------
    OutputError
        If the disk is full or the folder cannot be written; nothing half-written stays.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}{TEMPORARY_SUFFIX}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        mode = _mode_of_new_file(temporary)
        yield temporary
        temporary.chmod(mode)  # safetensors makes files that nobody else may read
        flush_to_disk(temporary)
        os.replace(temporary, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise_if_unwritable(error, path)
        raise


def remove_temporaries(folder: Path) -> None:
    """Remove the half-written files of killed processes, in a folder that this process has claimed."""
    for file in folder.rglob(f".*{TEMPORARY_SUFFIX}"):
        file.unlink(missing_ok=True)


def _mode_of_new_file(temporary: Path) -> int:
    """Permissions that a new file gets in a folder, by its umask and its access lists; the file is removed again."""
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        return os.fstat(descriptor).st_mode & 0o777
    finally:
        os.close(descriptor)
        temporary.unlink()


def raise_if_unwritable(error: BaseException, path: Path) -> None:
    """Turn a system's write failure into an `OutputError` that names `path`; other errors pass.

    HDF5 and safetensors report a full disk as errors of their own with the reason in the text.
    """
    if not isinstance(error, Exception) or isinstance(error, OutputError):
        return
    code = getattr(error, "errno", None)
    if code in (errno.ENOSPC, errno.EDQUOT) or "No space left" in str(error) or "errno = 28" in str(error):
        raise OutputError(
            f"{path}: the disk is full; free some space or choose another `output`. "
            "Finished parts are kept, nothing half-written is"
        ) from error
    if code in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST):
        raise OutputError(
            f"{path}: cannot be written ({os.strerror(code)}); choose another `output`"
        ) from error


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write `value` as indented JSON, atomically, with a seal under the key ``checksum``."""
    text = json.dumps({**value, KEY: BLANK}, indent=2, allow_nan=False) + "\n"
    with written_atomically(path) as temporary:
        temporary.write_bytes(sealed(text.encode()))


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object without its seal; `InputError` names the file when it is missing, changed or not JSON."""
    content, value = _parsed(path)
    if state_of(content) == "changed":
        raise changed(path, way_out="make it again with the verb that writes it")
    return value


def said_in_page(path: Path) -> dict[str, Any]:
    """Read what a JSON object says, changed or not, by which its owner is known; raises as `read_json`."""
    return _parsed(path)[1]


def _parsed(path: Path) -> tuple[bytes, dict[str, Any]]:
    """Read a JSON object, and its bytes."""
    try:
        content = path.read_bytes()
        value = json.loads(content.decode("utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputError(f"{path}: there is no such file") from error
    except IsADirectoryError as error:
        raise InputError(f"{path}: a folder; wanted a JSON file that galsmith wrote") from error
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{path}: not a JSON file ({error}); make it again with the verb that writes it"
        ) from error
    if not isinstance(value, dict):
        raise InputError(f"{path}: holds a JSON {type(value).__name__}, wanted an object")
    if str(value.get(KEY, "")).startswith(MARK):
        del value[KEY]
    return content, value


def sha256_of_file(path: Path) -> str:
    """SHA-256 of a file's bytes, as 64 hexadecimal digits, read in blocks."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def flush_to_disk(path: Path) -> None:
    """Ask the system to write a file's bytes, or a folder's names, before a name appears that leads to them."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
