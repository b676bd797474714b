"""Compiled code that is older than its sources: dropped when the engine is imported.

numba keeps a compiled function as long as that function's own file stays the same, although the code of the functions
that it calls, and the integers that it reads, from other files are compiled into it. So one changed file makes all
kept code of this folder worthless.
"""

import os
from pathlib import Path

FOLDER = Path(__file__).parent
STAMP_FILE = "kernels.stamp"


def drop_stale_kernels(folder: Path = FOLDER) -> bool:
    """Remove the compiled code beside the sources if one of them changed since it was made.

    Parameters
    ----------
    folder : Path
        Of the sources; the code lies in its ``__pycache__``.

    Returns
    -------
    bool
        Whether code was, or may have been, removed. An installation that cannot be written to is left alone: a
        new release replaces all of its files, which numba notices.
    """
    cache = folder / "__pycache__"
    stamp = _stamp_of([*folder.glob("*.py"), *folder.parent.glob("*properties.py")])
    try:
        if (cache / STAMP_FILE).read_text(encoding="utf-8") == stamp:
            return False
    except OSError:
        pass
    try:
        for index in cache.glob("*.nbi"):
            index.unlink(missing_ok=True)
        writing = cache / f"{STAMP_FILE}.{os.getpid()}"
        writing.write_text(stamp, encoding="utf-8")
        writing.replace(cache / STAMP_FILE)
    except OSError:
        return False
    return True


def _stamp_of(sources: list[Path]) -> str:
    """Names, times and sizes of files, one a line."""
    states = [(source.name, source.stat()) for source in sorted(sources)]
    return "\n".join(f"{name} {state.st_mtime_ns} {state.st_size}" for name, state in states)
