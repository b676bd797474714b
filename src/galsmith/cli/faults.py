"""Every fault of a command as one line for people and an exit code."""

import errno
import os
from concurrent.futures.process import BrokenProcessPool

from galsmith.cli.flags import flags_of, in_flags
from galsmith.errors import GalsmithError
from galsmith.files.remote import is_address

FAILED, INTERRUPTED = 1, 130
GO_ON = "interrupted; what is done is kept: run the same command again to go on"
START_ANEW = "interrupted; nothing was written: run the same command again"

# Flags that a verb has to have, by the parameter that they fill, and what may then be advised.
LESS_MEMORY = (
    (("workers",), "fewer `workers`"),
    (("overrides", "data"), "a smaller batch (--set training.batch_size=...)"),
    (("crop_pix", "resize_pix"), "smaller images (`crop_pix`, `resize_pix`)"),
)


def explain(error: BaseException, *, resumes: bool, verb: str = "") -> tuple[str, int]:
    """Return the line that names a fault with the way out, and the exit code.

    Parameters
    ----------
    error : BaseException
        What a verb raised.
    resumes : bool
        Whether the same command goes on after an interruption.
    verb : str
        Which one, as its flags are named in place of arguments.
    """
    if isinstance(error, KeyboardInterrupt):
        return (GO_ON if resumes else START_ANEW), INTERRUPTED
    if isinstance(error, GalsmithError):
        return in_flags(_one_line(str(error)), verb), error.exit_code
    return in_flags(_explain_system(error, verb), verb), FAILED


def _explain_system(error: BaseException, verb: str) -> str:
    """Explain what the system or a library refused."""
    if isinstance(error, MemoryError) or "out of memory" in str(error).lower():
        return f"out of memory ({_one_line(str(error)) or 'no detail'}); {_less_memory(verb)}"
    if isinstance(error, BrokenProcessPool):
        return (
            f"worker processes were killed again and again, mostly for want of memory; {_less_memory(verb)}. "
            "What is done is kept: run the same command again to go on"
        )
    if isinstance(error, OSError):
        return _explain_os_error(error, "output" in flags_of(verb))
    if isinstance(error, ImportError):
        return _explain_missing_package(error)
    if isinstance(error, ValueError):
        return _one_line(str(error))
    return (
        f"{type(error).__name__}: {_one_line(str(error))} (this is a fault of galsmith: "
        "run again with --debug and report what it shows)"
    )


def _less_memory(verb: str) -> str:
    """Name what a verb has that takes less memory."""
    flags = flags_of(verb)
    ways = [words for names, words in LESS_MEMORY if all(name in flags for name in names)]
    return f"use {' or '.join(ways)}" if ways else "close other programs, or use a machine with more"


def _explain_os_error(error: OSError, has_output: bool) -> str:
    """Name the file and the reason."""
    where = f"{error.filename}: " if error.filename else ""
    if error.filename and error.strerror and is_address(str(error.filename)):
        return f"{where}{_one_line(error.strerror)}"
    reason = os.strerror(error.errno) if error.errno else _one_line(str(error))
    hints = {
        errno.ENOENT: "; check the path",
        errno.EACCES: "; check the permissions",
        errno.ENOSPC: f"; free some space{' or choose another place with -o' if has_output else ''}",
    }
    return f"{where}{reason}{hints.get(error.errno or 0, '')}"


def _explain_missing_package(error: ImportError) -> str:
    """Name the extra that has a missing package."""
    extras = {
        "torch": "train",
        "safetensors": "train",
        "statmorph": "statmorph",
        "photutils": "statmorph",
        "pywt": "score",
    }
    package = (error.name or "").partition(".")[0]
    if package in extras:
        return f"{package} is not installed; install it with pip install 'galsmith[{extras[package]}]'"
    return f"{_one_line(str(error))}; the installation is damaged: make it again (make env)"


def _one_line(text: str) -> str:
    """Join lines."""
    return " ".join(text.split())
