"""Looking through an HDF5 file of others in a process of its own, which ends where the library would not.

A damaged file can make the library loop for ever, deaf to Ctrl-C, or allocate what a length in it says. Neither can be seen
from outside. So what is read of a file as a whole (its tree, its attributes, its columns of text) is read once by a process
with limits of processor time and memory; where these end it the file is not opened here.
"""

import subprocess
import sys
from functools import lru_cache
from pathlib import Path

from galsmith.errors import InputError
from galsmith.files.bounds import EXPANSION, bytes_on_disk, read_limit_bytes

PROCESSOR_SECONDS = 10
BYTES_A_SECOND = 10_000_000  # more for large files: a million texts take about a second
SECONDS_OF_WAITING = 600  # on a machine so busy that 10 s of processor time take longer
PROBE = """
import os, resource, sys
import h5py
seconds, n_bytes = map(int, sys.argv[2:4])
resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
if os.path.exists("/proc/self/statm"):  # where the address space in use can be asked for
    n_bytes += int(open("/proc/self/statm").read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (n_bytes, n_bytes))
names = sys.argv[4:]
def look(name, item):
    for key in names:
        if key in item.attrs:
            try:
                item.attrs[key]
            except Exception as error:
                print(error)
    plain = isinstance(item, h5py.Dataset) and not item.is_virtual and not item.external
    if plain and item.shape is not None and len(item.shape) == 1 and item.dtype.hasobject:
        try:
            item[:]
        except MemoryError:
            raise
        except Exception as error:
            print(error)
with h5py.File(sys.argv[1], "r") as file:
    file.visititems(look)
"""


def refuse_hostile(path: Path, attributes: tuple[str, ...]) -> None:
    """Raise `InputError` for an HDF5 file that cannot be looked through within limits; other faults are left to its reader.

    Parameters
    ----------
    path : Path
        The file.
    attributes : tuple of str
        Names of those that will be read.
    """
    stat = path.stat()
    ended = _ended(path.absolute(), stat.st_mtime_ns, stat.st_size, attributes, read_limit_bytes())
    if ended:
        raise InputError(f"{path}: {ended}; it is damaged or made to do harm, so it is not read")


@lru_cache(maxsize=256)
def _ended(path: Path, time_ns: int, size: int, attributes: tuple[str, ...], limit: int) -> str:
    """Say which limit ended the process that looked through a file, empty where none did; once a file."""
    n_bytes = max(limit, EXPANSION * bytes_on_disk(path))
    seconds = PROCESSOR_SECONDS + size // BYTES_A_SECOND
    command = [sys.executable, "-c", PROBE, str(path), str(seconds), str(n_bytes), *attributes]
    try:
        done = subprocess.run(command, capture_output=True, timeout=SECONDS_OF_WAITING, check=False)
    except subprocess.TimeoutExpired:
        return f"cannot be looked through in {SECONDS_OF_WAITING} s"
    if done.returncode < 0:
        return f"cannot be looked through in {seconds} s of processor time, or crashes the library"
    # what Python says where there is none, and what the library does
    has_none = b"MemoryError" in done.stderr or b"allocation failed" in done.stdout
    return "claims more memory than can be believed" if has_none else ""
