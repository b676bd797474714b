"""Compiled code that is older than its sources: dropped when the engine is imported.

numba keeps a compiled function as long as that function's own file stays the same, although the code of the functions
that it calls, and the integers that it reads, from other files are compiled into it. So a changed file makes the kept
code of every file that imports it, directly or not, worthless.
"""

import json
import os
import re
from pathlib import Path

FOLDER = Path(__file__).parent
STAMP_FILE = "kernels.json"
_IMPORT = re.compile(r"^from galsmith\.measure\S* import .*", re.MULTILINE)
_WORD = re.compile(r"\w+")


def drop_stale_kernels(folder: Path = FOLDER) -> list[str]:
    """Remove the compiled code beside the sources whose own file, or one that it imports, changed since it was made.

    Parameters
    ----------
    folder : Path
        Of the sources; the code lies in its ``__pycache__``.

    Returns
    -------
    list of str
        Names of the files whose code was, or may have been, removed. An installation that cannot be written to
        is left alone: a new release replaces all of its files, which numba notices.
    """
    cache = folder / "__pycache__"
    stamps = _stamps_of(folder)
    known = _known_stamps(cache / STAMP_FILE)
    stale = sorted(name for name, stamp in stamps.items() if known.get(name) != stamp)
    if not stale:
        return []
    try:
        for name in stale:
            for index in cache.glob(f"{name}.*.nbi"):
                index.unlink(missing_ok=True)
        writing = cache / f"{STAMP_FILE}.{os.getpid()}"
        writing.write_text(json.dumps(stamps), encoding="utf-8")
        writing.replace(cache / STAMP_FILE)
    except OSError:
        return []
    return stale


def _known_stamps(file: Path) -> dict[str, str]:
    """Read the stamps at which the kept code was made."""
    try:
        stamps = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamps if isinstance(stamps, dict) else {}


def _stamps_of(folder: Path) -> dict[str, str]:
    """Time and size of each source and of all that it imports, from this folder and the properties above it."""
    sources = {path.stem: path for path in (*folder.parent.glob("*propert*.py"), *folder.glob("*.py"))}
    states = {
        name: f"{name} {path.stat().st_mtime_ns} {path.stat().st_size}" for name, path in sources.items()
    }
    imports = {name: _imported(path) & sources.keys() for name, path in sources.items()}
    stamps = {}
    for name in sources:
        reached, left = {name}, [name]
        while left:
            new = imports[left.pop()] - reached
            reached |= new
            left += new
        stamps[name] = "; ".join(states[one] for one in sorted(reached))
    return stamps


def _imported(source: Path) -> set[str]:
    """Words of a file's import lines, the modules of this package among them."""
    return set(_WORD.findall(" ".join(_IMPORT.findall(source.read_text(encoding="utf-8")))))
