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
FOLDER = Path(__file__).parents[1]
STAMP_FILE = "kernels.json"
# Outside the engine's folder, the files that name the columns of a galaxy's row, and its flags: their places are
# compiled in. A property with a computation of its own is none of these.
PLACES_NAMED_IN = ("properties/morphology.py", "properties/sersic.py", "flags.py")
_IMPORT = re.compile(r"^from galsmith\.measure\.(\S+) import (\([^)]*\)|.*)", re.MULTILINE)
_WORD = re.compile(r"\w+")


def drop_stale_kernels(
    folder: Path = FOLDER, place_of_code: Callable[[Path], Path] | None = None
) -> list[str]:
    """Remove the compiled code of sources that changed since it was made, or that import one that did.

    Parameters
    ----------
    folder : Path
        Of the sources, in folders of their own or not.
    place_of_code : callable, optional
        Gives the folder in which the code of a folder of sources is kept; by default where numba keeps it.

    Returns
    -------
    list of str
        The files whose code was, or may have been, removed, such as ``"engine/light.py"``.
    """
    place_of = place_of_kept_code if place_of_code is None else place_of_code
    known_in = place_of(folder) / STAMP_FILE
    stamps = _stamps_of(folder)
    known = _known_stamps(known_in)
    stale = sorted(name for name, stamp in stamps.items() if known.get(name) != stamp)
    if not stale:
        return []
    try:
        known_in.parent.mkdir(parents=True, exist_ok=True)
        _remove_code([folder.parent / name for name in stale], place_of)
        writing = known_in.with_name(f"{STAMP_FILE}.{os.getpid()}")
        writing.write_text(json.dumps(stamps), encoding="utf-8")
        writing.replace(known_in)
    except OSError:
        return []
    return stale


def place_of_kept_code(folder: Path = FOLDER) -> Path:
    """Folder in which numba keeps the code of the kernels of a folder.

    Beside the sources, in the user's cache or in NUMBA_CACHE_DIR; where none of these can be written to, a
    new temporary folder, so that kernels are compiled again in every process.
    """
    try:
        return _place_of(folder)
    except RuntimeError:
        vars(numba.config)["CACHE_DIR"] = tempfile.mkdtemp(prefix="galsmith-kernels-")
        LOGGER.warning(
            "compiled code cannot be kept beside %s nor in the user's cache; set NUMBA_CACHE_DIR to a folder that can "
            "be written to, or it is compiled in every run, about half a minute",
            FOLDER,
        )
        return _place_of(folder)


def _place_of(folder: Path) -> Path:
    """Folder in which numba would keep the code of a kernel of `folder`; `RuntimeError` where there is none."""
    kernel = compile("def kernel():\n    return None\n", str(folder / "__init__.py"), "exec")
    names: dict[str, Callable[[], None]] = {}
    exec(kernel, names)  # a function whose file lies in that folder: numba asks for no more
    return Path(str(numba.njit(cache=True)(names["kernel"]).stats.cache_path))


def _remove_code(sources: list[Path], place_of: Callable[[Path], Path]) -> None:
    """Remove the indexes of the kept code of some sources, without which numba compiles again."""
    places = {parent: place_of(parent) for parent in {source.parent for source in sources}}
    for source in sources:
        for index in places[source.parent].glob(f"{source.stem}.*.nbi"):
            index.unlink(missing_ok=True)


def _known_stamps(file: Path) -> dict[str, str]:
    """Read the stamps at which the kept code was made."""
    try:
        stamps = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamps if isinstance(stamps, dict) else {}


def _stamps_of(folder: Path) -> dict[str, str]:
    """Time and size of each source of the kernels and of all that it imports of them and of the names outside."""
    room = folder.parent
    files = (*folder.rglob("*.py"), *(room / name for name in PLACES_NAMED_IN))
    sources = {path.relative_to(room).as_posix(): path for path in files}
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
    """Files of this room that a file's import lines may mean: a module, or the modules that they take of a folder."""
    found = set()
    for module, names in _IMPORT.findall(source.read_text(encoding="utf-8")):
        path = module.replace(".", "/")
        found |= {
            f"{path}.py",
            f"{path}/__init__.py",
            *(f"{path}/{name}.py" for name in _WORD.findall(names)),
        }
    return found
