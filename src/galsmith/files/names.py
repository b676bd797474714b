"""Names of files that are no text: bytes that are not UTF-8, which no catalog, page or message could repeat."""

import os
from pathlib import Path

from galsmith.errors import InputError


def is_text(name: str) -> bool:
    """Whether a name is text; Python carries other bytes as lone surrogates (PEP 383)."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def refuse_undecodable(path: str | Path) -> None:
    """Raise `InputError` for a path whose name is not UTF-8.

    Parameters
    ----------
    path : str or Path
        As the user or the system gave it.
    """
    text = os.fspath(path)
    if not is_text(text):
        raise InputError(f"{text!a}: is not UTF-8, so nothing can name it; rename it")
