"""Compiled code that is older than its sources: dropped when the engine is imported.

numba keeps a compiled function as long as that function's own file stays the same, although the code of the functions
that it calls, and the integers that it reads, from other files are compiled into it. So a changed file makes the kept
code of every file that imports it, directly or not, worthless.
"""

import json
import logging
import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path

import numba

LOGGER = logging.getLogger("galsmith")
FOLDER = Path(__file__).parent
STAMP_FILE = "kernels.json"
_IMPORT = re.compile(r"^from galsmith\.measure\S* import .*", re.MULTILINE)
_WORD = re.compile(r"\w+")


def drop_stale_kernels(folder: Path = FOLDER, cache: Path | None = None) -> list[str]:
    """Remove the compiled code of sources that changed since it was made, or that import one that did.

    Parameters
    ----------
    folder : Path
        Of the sources.
    cache : Path, optional
        Where their code is kept; by default where numba keeps it.

    Returns
    -------
    list of str
        Names of the files whose code was, or may have been, removed.
    """
    kept = place_of_kept_code() if cache is None else cache
    stamps = _stamps_of(folder)
    known = _known_stamps(kept / STAMP_FILE)
    stale = sorted(name for name, stamp in stamps.items() if known.get(name) != stamp)
    if not stale:
        return []
    try:
        kept.mkdir(parents=True, exist_ok=True)
        for name in stale:
            for index in kept.glob(f"{name}.*.nbi"):
                index.unlink(missing_ok=True)
        writing = kept / f"{STAMP_FILE}.{os.getpid()}"
        writing.write_text(json.dumps(stamps), encoding="utf-8")
        writing.replace(kept / STAMP_FILE)
    except OSError:
        return []
    return stale


def place_of_kept_code() -> Path:
    """Folder in which numba keeps the code of this folder's kernels.

    Beside the sources, in the user's cache or in NUMBA_CACHE_DIR; where none of these can be written to, a
    new temporary folder, so that kernels are compiled again in every process.
    """
    try:
        return _place_of(_nothing)
    except RuntimeError:
        vars(numba.config)["CACHE_DIR"] = tempfile.mkdtemp(prefix="galsmith-kernels-")
        LOGGER.warning(
            "compiled code cannot be kept beside %s nor in the user's cache; set NUMBA_CACHE_DIR to a folder that can "
            "be written to, or it is compiled in every run, about a minute",
            FOLDER,
        )
        return _place_of(_nothing)


def _nothing() -> None:
    """Stand for any kernel of this folder."""


def _place_of(function: Callable[[], None]) -> Path:
    """Folder in which numba would keep a function's code; `RuntimeError` where there is none."""
    return Path(str(numba.njit(cache=True)(function).stats.cache_path))


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
