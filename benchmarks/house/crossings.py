"""Count the files of galsmith that one command passes through, and the calls that lead from one file to another.

    python benchmarks/house/crossings.py ingest fits FOLDER -o STORE

Two counts: files of which any code but the module's own body ran (also bodies of classes, and functions called while a
module was imported, as those that make the fields of a record), and those of which a function was called
after all was imported.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import galsmith

PACKAGE = Path(galsmith.__file__).parent


class Crossings:
    """What a profiled call went through.

    Attributes
    ----------
    files : set of str
        Those of which a function, or the body of a class, ran.
    called : set of str
        Those of which a function was called while no module was being imported.
    hops : int
        Calls from a function of one file into a function of another, nearest callers of the package counted.
    """

    def __init__(self) -> None:
        self.files: set[str] = set()
        self.called: set[str] = set()
        self.hops = 0
        self._kept: dict[str, str | None] = {}
        self._importing = 0

    def see(self, frame: FrameType, event: str, _: Any) -> None:
        """Take one event of the interpreter."""
        if frame.f_code.co_name == "<module>":
            self._importing += {"call": 1, "return": -1}.get(event, 0)
            return
        if event != "call":
            return
        here = self._file_of(frame)
        if here is None:
            return
        self.files.add(here)
        if not self._importing:
            self.called.add(here)
        caller = frame.f_back
        while caller is not None and self._file_of(caller) is None:
            caller = caller.f_back
        self.hops += caller is not None and self._file_of(caller) != here

    def _file_of(self, frame: FrameType) -> str | None:
        """File of the package, or None; classes' and modules' bodies are of none."""
        name = frame.f_code.co_filename
        if name not in self._kept:
            path = Path(name)
            inside = path.is_relative_to(PACKAGE)
            self._kept[name] = str(path.relative_to(PACKAGE)) if inside else None
        return self._kept[name]


def crossings_of(call: Callable[[], object]) -> Crossings:
    """Count while something is called."""
    seen = Crossings()
    before = sys.getprofile()
    sys.setprofile(seen.see)
    try:
        call()
    finally:
        sys.setprofile(before)
    return seen


def main() -> None:
    """Run a command of galsmith and print what it passed through."""
    from galsmith.cli import main as run

    arguments = sys.argv[1:]

    def call() -> None:
        try:
            sys.argv = ["galsmith", *arguments]
            run()
        except SystemExit:
            return

    seen = crossings_of(call)
    rooms = [name for name in sorted(seen.files) if not name.startswith("cli")]
    print(*sorted(seen.files), sep="\n")
    print(f"{len(seen.files)} files, {len(rooms)} of them below cli; {seen.hops} calls from file to file")
    print(f"{len(seen.called)} files of which a function was called after imports")


if __name__ == "__main__":
    main()
