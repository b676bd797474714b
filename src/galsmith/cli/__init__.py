"""The command line ``galsmith``: one file a verb, each parses, calls one function of the library and says what it made."""

import gc
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 failed, 2 wrong usage, 130 interrupted.

    Parameters
    ----------
    arguments : sequence of str, optional
        Words after ``galsmith``; those of this process when left out.
    """
    if arguments is None:
        gc.disable()  # modules stay: looking through them again and again takes a quarter of a short command
    from galsmith.cli.command import run

    code = run(sys.argv[1:] if arguments is None else list(arguments))
    if arguments is None:
        gc.freeze()  # the process ends: looking for what its modules no longer need takes half a second
    return code
