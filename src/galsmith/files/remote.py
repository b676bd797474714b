"""Addresses such as ``s3://bucket/set``: no place of the file system, and never taken for the folder ``s3:``."""

import os
import re
from pathlib import Path

from galsmith.errors import InputError, SettingsError

# also with one slash, as a `Path` has it; a scheme of two letters at least, as C:/ is a disk, and none with a point, as
# set.h5:/images is an array of a file
ADDRESS = re.compile(
    r"(?P<name>[\w.-]+=)?(?P<scheme>[A-Za-z][A-Za-z0-9+-]+):(?P<slashes>/+)(?P<rest>.*)", re.DOTALL
)


def refuse_remote_output(output: str | Path) -> None:
    """Raise `SettingsError` if an output is an address: galsmith writes to file systems alone."""
    address = _address(os.fspath(output))
    if address is not None:
        raise SettingsError(
            "galsmith writes to file systems alone",
            argument="output",
            came=address,
            wanted="a path",
            way_out="write to a disk and copy it there, or mount that place",
        )


def refuse_remote_input(given: str | Path) -> None:
    """Raise `InputError` if what is to be read is an address; ``set:/images``, an array of a file that is there, is none.

    Parameters
    ----------
    given : str or Path
        As the user wrote it, also ``NAME=ADDRESS``.
    """
    text = os.fspath(given)
    address = _address(text)
    if address is None or (
        "://" not in text and (os.path.lexists(text) or os.path.lexists(text.split(":/")[0]))
    ):
        return
    raise InputError(
        f"{address}: is no path, and galsmith reads from file systems alone; download it, or mount that place"
    )


def _address(text: str) -> str | None:
    """Write an address as it is usual; None where a text is none."""
    found = ADDRESS.fullmatch(text)
    return None if found is None else f"{found['scheme']}://{found['rest']}"
