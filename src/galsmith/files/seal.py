"""Seals: a file that holds the hash of its own bytes, by which it is seen that one of them has changed.

The seal is the text ``galsmith-sha256:`` and 64 hexadecimal digits, the SHA-256 of the whole file with zeros in the place
of these digits. It stands where its format keeps text: under the key ``checksum`` of a JSON page, or of the metadata of a
table or of safetensors, and in the comment at the end of a zip file. It tells what changed by chance, not who wrote it.
"""

import hashlib
import mmap
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from galsmith.errors import InputError
from galsmith.files.remote import at_hand

KEY = "checksum"
MARK = "galsmith-sha256:"
N_DIGITS = 64
BLANK = MARK + "0" * N_DIGITS

Bytes = bytes | bytearray | mmap.mmap
Found = Literal["whole", "changed", "absent"]


def sealed(content: bytes) -> bytes:
    """Fill in the digits of content that has a blank seal."""
    filled = bytearray(content)
    _fill(filled)
    return bytes(filled)


def seal(path: Path) -> None:
    """Fill in the digits of a file that has a blank seal.

    Raises
    ------
    ValueError
        If there is no blank seal in it.
    """
    with path.open("r+b") as stream, mmap.mmap(stream.fileno(), 0) as content:
        _fill(content)


def state_of(content: Bytes) -> Found:
    """Tell whether content is as it was sealed; ``"absent"`` where there is no seal in it."""
    start = _start_of(content)
    if start is None:
        return "absent"
    said = bytes(content[start : start + N_DIGITS]).decode("ascii", errors="replace")
    return "whole" if said == _digits(content, start) else "changed"


def state_of_file(path: Path) -> Found:
    """Tell whether a file is as it was sealed."""
    with at_hand(path) as local, local.open("rb") as stream:
        if not local.stat().st_size:
            return "absent"
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return state_of(content)


def refuse_changed(path: Path, *, way_out: str) -> None:
    """Raise `InputError` for a file that changed after it was sealed; one without a seal passes.

    Parameters
    ----------
    path : Path
        The file.
    way_out : str
        What to do.
    """
    if state_of_file(path) == "changed":
        raise changed(path, way_out=way_out)


def unsealed(files: Iterable[Path]) -> list[str]:
    """Say of files that should be sealed which are not as they were written: a line each, empty when all are."""
    words = {
        "changed": "was changed or damaged after it was written: its checksum does not fit",
        "absent": "has no checksum, so nothing can be said of it: an earlier galsmith wrote it, or it is damaged",
    }
    states = {file: state_of_file(file) if file.is_file() else "missing" for file in files}
    return [f"{file}: {words.get(state, 'is missing')}" for file, state in states.items() if state != "whole"]


def changed(path: Path, *, way_out: str) -> InputError:
    """Say that a file changed after it was sealed."""
    return InputError(
        f"{path}: was changed or damaged after it was written (its checksum does not fit); {way_out}"
    )


def _fill(content: bytearray | mmap.mmap) -> None:
    """Put the digits where zeros are."""
    start = _start_of(content)
    if start is None or content[start : start + N_DIGITS] != b"0" * N_DIGITS:
        raise ValueError("has no blank seal")
    content[start : start + N_DIGITS] = _digits(content, start).encode()


def _start_of(content: Bytes) -> int | None:
    """Where the digits of the last seal begin: one before it may belong to a text that is quoted."""
    found = content.rfind(MARK.encode())
    return None if found < 0 else found + len(MARK)


def _digits(content: Bytes, start: int) -> str:
    """Hash content with zeros from `start` on in the place of digits."""
    digest = hashlib.sha256()
    with memoryview(content) as view:
        digest.update(view[:start])
        digest.update(b"0" * N_DIGITS)
        digest.update(view[start + N_DIGITS :])
    return digest.hexdigest()
