"""A process that runs every verb that makes an output at its smallest, each in a child forked from it.

So nothing is imported or compiled again, and a child may die at any moment. One JSON object a line is asked and answered:
``{"verb", "output", "how", "die_at", "fault", "below"}`` gives a child's number, ``{"wait": number}`` its exit code.
"""

import functools
import importlib.metadata
import json
import os
import signal
import sys
import traceback
from pathlib import Path

import numba
from small_verbs import MORPHOLOGY, make_inputs, verbs

from galsmith.errors import GalsmithError
from galsmith.measure import measured

FAULTY = 70  # exit code of a child that failed in an unforeseen way
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.chmod", "os.truncate"}


class Watch:
    """Counts the changes of files below a folder; before one of them it dies, or it fails; or writes their number down."""

    def __init__(self, below, die_at, fault=0):
        self.below, self.die_at, self.fault, self.count = below, die_at, fault, 0
        self.counter = -1 if die_at else os.open(f"{below}.count", os.O_RDWR | os.O_CREAT)
        self.flush = os.fsync
        os.fsync = self.fsync
        sys.addaudithook(self.hook)

    def hook(self, event, arguments):
        """Take in an event of the interpreter."""
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITING
        if (writes or event in CHANGES) and isinstance(arguments[0], str | bytes | os.PathLike):
            path = Path(os.fsdecode(arguments[0]))
            if not path.is_absolute() or path.is_relative_to(self.below):
                self.changed()

    def fsync(self, descriptor):
        """Count a flush, then flush."""
        self.changed()
        self.flush(descriptor)

    def changed(self):
        """Count a change that is about to come."""
        self.count += 1
        if self.count == self.die_at and self.fault:
            raise OSError(self.fault, os.strerror(self.fault))
        if self.count == self.die_at:
            os.kill(os.getpid(), signal.SIGKILL)
        if self.counter >= 0:
            os.pwrite(self.counter, str(self.count).encode(), 0)


def started(asked, known):
    """Start a child that ends with the exit code of the command line; its number."""
    child = os.fork()
    if child:
        return child
    code = FAULTY
    try:
        os.setpgid(0, 0)  # by which its workers are known
        os.dup2(2, 1)
        if asked.get("below"):
            Watch(asked["below"], asked.get("die_at", 0), asked.get("fault", 0))
        known[asked["verb"]][1](Path(asked["output"]), **asked["how"])
        code = 0
    except GalsmithError as error:
        code = error.exit_code
        sys.stderr.write(f"{error}\n")
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def exit_code(child):
    """Wait for a child; its exit code, or the number of the signal that killed it, negative."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def serve(folder):
    """Answer until the input ends."""
    numba.config.THREADING_LAYER = "workqueue"  # that of GNU's OpenMP ends any child
    # what a child records of versions is what this process saw first, whatever is installed meanwhile
    importlib.metadata.version = functools.cache(importlib.metadata.version)
    make_inputs(folder)
    measured(folder / "store", settings=MORPHOLOGY, limit=1)  # loads the kernels
    known = verbs(folder)
    files = {name: file for name, (file, _) in known.items()}
    sys.stdout.write(f"{json.dumps(files)}\n")
    sys.stdout.flush()
    for line in sys.stdin:
        asked = json.loads(line)
        answer = exit_code(asked["wait"]) if "wait" in asked else started(asked, known)
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
