"""Count the house: files, lines, functions, nesting and comments, room by room.

    python benchmarks/house/census.py

`tests/test_census.py` asserts what this prints.
"""

import ast
import io
import re
import statistics
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2] / "src" / "galsmith"
EXPLAINED = ("measure/engine", "models", "compare")
"""Rooms of kernels, networks and statistics, whose comments name equations and steps."""

# The second plan had 300 files, for the features of 22 November. Since then each kind of evidence, each search and each
# layout of a survey came with the one file of its own that the plan wants for a new thing, and the rooms of the
# cosmology fields (data/fields, four families, score), of mock observations and denoising (observe, denoise with its
# study and the page of it), and of studies of other tasks (study), with one file a task; rows of catalogs that are
# drawn, and checks of both and of a set before it is learned, and the fit of a transform apart from it; addresses
# (files/remote), one file a kind of place and one a step between it and a path; HATS
# in and out, and exports; what a user meets in the first hours (names of rooms, counts, previews, next steps); clusters,
# and trainings of several processes.
MOST_FILES, MOST_LINES = 537, 54_730
_BLOCKS = (ast.If, ast.For, ast.While, ast.With, ast.Try, ast.Match, ast.AsyncFor, ast.AsyncWith)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_NO_CODE = {
    *(tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT),
    *(tokenize.ENCODING, tokenize.ENDMARKER),
}
_FLAG = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
_ARRAYS = {"numpy", "scipy", "pandas"}
_FOR_TOOLS = ("# noqa", "# type:", "# pragma", "# fmt:", "# mypy:")


@dataclass(frozen=True)
class Census:
    """What a folder of modules has.

    Attributes
    ----------
    files : int
        Modules besides ``__init__``.
    lines : int
        Of all modules, ``__init__`` with them.
    lengths : tuple of int
        Lines of each function, without its docstring.
    nesting : int
        Blocks within blocks of one function, at most; an ``elif`` is no deeper than its ``if``.
    comments, code : int
        Comments, without those for linters; lines that hold code, docstrings left out.
    """

    files: int
    lines: int
    lengths: tuple[int, ...]
    nesting: int
    comments: int
    code: int

    @property
    def comments_per_100(self) -> float:
        """Comments on 100 lines of code."""
        return 100 * self.comments / max(1, self.code)


def census_of(paths: Iterable[Path]) -> Census:
    """Count modules."""
    files = lines = nesting = comments = code = 0
    lengths: list[int] = []
    for path in paths:
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text)
        files += path.name != "__init__.py"
        lines += len(text.splitlines())
        for function in (node for node in ast.walk(tree) if isinstance(node, _FUNCTIONS)):
            lengths.append(length_of(function))
            nesting = max(nesting, nesting_of(function))
        new_comments, new_code = comments_and_code(text)
        comments += new_comments
        code += new_code
    return Census(files, lines, tuple(lengths), nesting, comments, code)


def modules_of(room: str = "") -> list[Path]:
    """Modules of a room such as ``measure/engine``, or of the package."""
    return sorted((PACKAGE / room).rglob("*.py"))


def length_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function from the first after its docstring."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return (function.end_lineno or 0) - body[0].lineno + 1 if body else 0


def nesting_of(function: ast.AST) -> int:
    """How deep blocks lie within blocks; a function within a function counts for itself."""
    deepest = 0
    for child in ast.iter_child_nodes(function):
        if isinstance(child, (*_FUNCTIONS, ast.ClassDef, ast.Lambda)):
            continue
        below = nesting_of(child)
        is_elif = isinstance(function, ast.If) and function.orelse == [child] and isinstance(child, ast.If)
        deepest = max(deepest, below + (isinstance(child, _BLOCKS) and not is_elif))
    return deepest


def comments_and_code(text: str) -> tuple[int, int]:
    """Comments that are not for linters, and lines that hold code."""
    inside = {line for start, end in _docstrings(ast.parse(text)) for line in range(start, end + 1)}
    comments, code = 0, set[int]()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            comments += not token.string.startswith(_FOR_TOOLS)
        elif token.type not in _NO_CODE:
            code |= set(range(token.start[0], token.end[0] + 1))
    return comments, len(code - inside)


def _docstrings(tree: ast.AST) -> Iterator[tuple[int, int]]:
    """First and last lines of strings that stand alone: docstrings of modules, classes, functions and names."""
    for node in ast.walk(tree):
        is_string = (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        )
        if is_string:
            yield node.lineno, node.end_lineno or node.lineno


def flags_in_strings(text: str) -> list[str]:
    """Flags of a command line that strings of a module name, docstrings and parts of f-strings with them."""
    nodes = ast.walk(ast.parse(text))
    strings = (node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))
    return [flag for string in strings for flag in _FLAG.findall(string)]


def array_packages(text: str) -> set[str]:
    """Packages of arrays that a module imports, on top or within functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found & _ARRAYS


def rooms() -> list[str]:
    """Folders of the package, and what is explained equation by equation within one."""
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir() and any(path.glob("*.py"))}
    return sorted(folders | set(EXPLAINED))


def main() -> None:
    """Print one line a room, and one for all."""
    print(
        f"{'room':<16}{'files':>6}{'lines':>8}{'median':>8}{'90 %':>6}{'longest':>9}{'nesting':>9}{'comments':>10}"
    )
    for room in [*rooms(), ""]:
        counted = census_of(modules_of(room))
        lengths = sorted(counted.lengths)
        print(
            f"{room or 'galsmith':<16}{counted.files:>6}{counted.lines:>8}{statistics.median(lengths):>8g}"
            f"{lengths[int(0.9 * len(lengths))]:>6}{lengths[-1]:>9}{counted.nesting:>9}"
            f"{counted.comments_per_100:>10.1f}"
        )


if __name__ == "__main__":
    main()
