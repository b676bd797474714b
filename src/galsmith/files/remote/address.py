"""What an address is, how it is told from a path, and which are refused before anything starts."""

import os
import re

from galsmith.errors import InputError, SettingsError

# also with one slash, as a `Path` has it; a scheme of two letters at least, as C:/ is a disk, and none with a point, as
# set.h5:/images is an array of a file
ADDRESS = re.compile(
    r"(?P<name>[\w.-]+=)?(?P<scheme>[A-Za-z][A-Za-z0-9+-]+):(?P<slashes>/+)(?P<rest>.*)", re.DOTALL
)
HTTP = ("http", "https")
OBJECT_STORES = ("s3", "gs", "abfs", "memory")
READABLE = (*HTTP, *OBJECT_STORES)


def plain_address(given: str | os.PathLike[str]) -> str | None:
    """Write an address as it is usual, without ``NAME=`` before it; None where a text is none.

    ``set:/images``, an array of a file that is there, is none.
    """
    text = os.fspath(given)
    found = ADDRESS.fullmatch(text)
    if found is None:
        return None
    is_known = scheme_of(text) in READABLE and found["name"] is None
    if not is_known and "://" not in text and (os.path.lexists(text) or os.path.lexists(text.split(":/")[0])):
        return None
    return f"{found['scheme'].lower()}://{found['rest']}"


def is_address(given: str | os.PathLike[str]) -> bool:
    """Whether a text is an address, of a scheme that is read or of any other."""
    return plain_address(given) is not None


def scheme_of(address: str) -> str:
    """Scheme of an address, such as ``"s3"``."""
    return address.partition(":")[0].lower()


def refuse_unknown_address(given: str | os.PathLike[str]) -> None:
    """Raise `InputError` if what is to be read is an address of a scheme that is not read."""
    address = plain_address(given)
    if address is None or scheme_of(address) in READABLE:
        return
    if scheme_of(address) == "file":
        raise InputError(f"{address}: is a path in another spelling; give {address.partition('://')[2]}")
    raise InputError(
        f"{address}: is no path, and {scheme_of(address)}:// is not read; wanted a path, "
        f"or an address of {', '.join(READABLE)}; or download it, or mount that place"
    )


def refuse_remote_input(given: str | os.PathLike[str]) -> None:
    """Raise `InputError` if what is to be read is an address, for what is read from file systems alone.

    Parameters
    ----------
    given : str or Path
        As the user wrote it, also ``NAME=ADDRESS``.
    """
    address = plain_address(given)
    if address is not None:
        raise InputError(
            f"{address}: is no path, and galsmith reads this from file systems alone; download it, or mount that place"
        )


def refuse_remote_output(output: str | os.PathLike[str]) -> None:
    """Raise `SettingsError` if an output is an address, for what is written to file systems alone."""
    address = _output_address(output)
    if address is not None:
        raise SettingsError(
            "galsmith writes this to file systems alone",
            argument="output",
            came=address,
            wanted="a path",
            way_out="write to a disk and copy it there, or mount that place",
        )


def refuse_unwritable_address(output: str | os.PathLike[str]) -> None:
    """Raise `SettingsError` if an output is an address of a scheme to which nothing can be written."""
    address = _output_address(output)
    if address is None or scheme_of(address) in OBJECT_STORES:
        return
    raise SettingsError(
        f"nothing can be written to {scheme_of(address)}://",
        argument="output",
        came=address,
        wanted=f"a path, or an address of {', '.join(OBJECT_STORES)}",
    )


def _output_address(output: str | os.PathLike[str]) -> str | None:
    """Write an output's address; a path that happens to be there is taken for an address too, as it is written alike."""
    found = ADDRESS.fullmatch(os.fspath(output))
    return None if found is None else f"{found['scheme'].lower()}://{found['rest']}"
