"""A process that reads mutants of one format until its time is over, and says after each how it went.

``python fuzzer.py FORMAT FIRST SECONDS FOLDER`` reads case FIRST and those after it. It prints a line a block of cases, so
that who started it sees that it lives; the case at hand lies in FOLDER, and stays there where it ends the process.
"""

import json
import shutil
import sys
import time
import warnings
from pathlib import Path

from mutations import mutated
from targets import TARGETS

from galsmith.cli.faults import explain
from galsmith.errors import GalsmithError

CASES_A_BLOCK = 20
CONSTANT_MB = 200  # the limit of the test, and what libraries keep
LONGEST_S = 10.0


def memory_mb():
    """Memory of this process, which is its peak from here on: one that it, or who started it, had before hides no other."""
    Path("/proc/self/clear_refs").write_text("5")  # proc(5): VmHWM becomes what is held now
    return peak_mb()


def peak_mb():
    """Most memory that this process held since `memory_mb`."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def fault_of(read, content, folder):
    """Read one mutant; say what is wrong with how it went, nothing where that was refused or read."""
    # of the processor, as a busy machine makes all else wait; who waits for ever is ended from outside
    started, before = time.process_time(), memory_mb()
    fault = ""
    try:
        read(content, folder)
    except GalsmithError:
        pass
    except (Exception, MemoryError) as error:
        words = explain(error, resumes=False)[0]
        if "fault of galsmith" in words or isinstance(error, MemoryError):
            fault = words
    seconds = time.process_time() - started
    grown_mb = peak_mb() - before
    if seconds > LONGEST_S:
        fault = f"took {seconds:.0f} s"
    if grown_mb > CONSTANT_MB + 10 * len(content) / 1e6:
        fault = f"took {grown_mb:.0f} MB for {len(content)} bytes"
    return fault


def say(state):
    """Write a line at once."""
    sys.stdout.write(f"{json.dumps(state)}\n")
    sys.stdout.flush()


def main(name, first, seconds, folder):
    """Read mutants, and print the number of the next case and the faults after each block."""
    files, read = TARGETS[name]
    corpus, place = files(), Path(folder)
    warnings.simplefilter("ignore")
    number, end = int(first), time.monotonic() + float(seconds)
    say({"next": number, "faults": []})
    while time.monotonic() < end:
        faults = []
        for _ in range(CASES_A_BLOCK):
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir(parents=True)
            fault = fault_of(read, mutated(corpus, name, number), place)
            if fault:
                faults.append([number, fault])
            number += 1
        say({"next": number, "faults": faults})


if __name__ == "__main__":
    main(*sys.argv[1:])
