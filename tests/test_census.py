"""The house is counted: sizes of functions, what a contract covers, what the page of rooms names."""

import re
import statistics
from pathlib import Path

import pytest
from census import (
    MOST_FILES,
    PACKAGE,
    array_packages,
    census_of,
    comments_and_code,
    flags_in_strings,
    modules_of,
)

REPOSITORY = Path(__file__).resolve().parents[1]

COUNTED = '''"""A module.

Two lines more.
"""

import os  # where it runs


NAME = "x"
"""A name."""


def outer(value):
    """Say it."""
    # Lotz et al. 2004, eq. 6
    for one in value:
        if one:
            return one
        elif not one:  # noqa: RET505
            while one:
                one -= 1
        else:
            text = """two
lines"""

    def inner():
        with os:
            pass

    return inner
'''


def test_what_is_counted_is_what_stands_there(tmp_path):
    path = tmp_path / "module.py"
    path.write_text(COUNTED, encoding="utf-8")
    (tmp_path / "__init__.py").write_text('"""Nothing."""\n', encoding="utf-8")
    counted = census_of(sorted(tmp_path.glob("*.py")))
    assert (counted.files, counted.lines) == (1, len(COUNTED.splitlines()) + 1)
    assert counted.lengths == (15, 2)
    assert counted.nesting == 3
    assert comments_and_code(COUNTED) == (2, 16)
    assert counted.comments_per_100 == 100 * 2 / 16


def test_a_flag_is_found_in_strings_and_docstrings_but_not_in_comments():
    text = '"""Set --pixel-scale."""\nwarn(f"{name}: give --gain {x}")  # not --here\nline = "a -- b, x--y, ---"\n'
    assert flags_in_strings(text) == ["--pixel-scale", "--gain"]
    assert flags_in_strings('error("set pixel_scale_arcsec")') == []


def test_arrays_are_found_where_they_are_imported():
    assert array_packages("def f():\n    import numpy.linalg as la\nfrom scipy.ndimage import label\n") == {
        "numpy",
        "scipy",
    }
    assert array_packages("from galsmith.numpy import x\nimport json\n") == set()


def test_the_command_line_holds_no_function_over_arrays():
    found = {path.name: array_packages(path.read_text(encoding="utf-8")) for path in modules_of("cli")}
    assert len(found) > 20
    assert {name: packages for name, packages in found.items() if packages} == {}


def test_functions_are_small_and_flat():
    counted = census_of(modules_of())
    assert len(counted.lengths) > 1000
    assert statistics.median(counted.lengths) < 10
    assert counted.nesting < 5


def test_files_are_few():
    assert census_of(modules_of()).files <= MOST_FILES


@pytest.mark.parametrize("room", ["measure/engine", "models", "compare"])
def test_comments_name_steps_and_equations_but_do_not_retell(room):
    assert 5 <= census_of(modules_of(room)).comments_per_100 <= 8


def test_the_page_of_rooms_names_every_room_and_no_other():
    page = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = page.partition("|---|---|---|\n")[2].partition("\n\n")[0]
    named = re.findall(r"`(\w+)/?`", " ".join(line.split("|")[1] for line in table.splitlines()))
    standing = {
        path.stem
        for path in PACKAGE.iterdir()
        if (path.suffix == ".py" and not path.stem.startswith("__")) or (path / "__init__.py").exists()
    }
    assert sorted(named) == sorted(standing)


def tree_of(page):
    """Folders and modules that the tree of a page names, as paths below the package; and the tables in it, with a star."""
    lines = page.partition("## The tree")[2].split("```")[1].strip().splitlines()[1:]
    folders, modules, tables, above = set(), set(), set(), []
    for line in lines:
        depth, words = (len(line) - len(line.lstrip())) // 2 - 1, line.split()
        if words[0].endswith("/"):
            above = [*above[:depth], words.pop(0).rstrip("/")]
            folders.add("/".join(above))
        modules |= {"/".join([*above, word.rstrip("*")]) for word in words}
        tables |= {"/".join([*above, word[:-1]]) for word in words if word.endswith("*")}
    return folders, modules, tables


def named_in_table(table, package):
    """Modules of a table's folder that its file names, as imports or as "module:name"."""
    text = (package / f"{table}.py").read_text(encoding="utf-8")
    folder = (package / table).parent
    return {
        path.relative_to(package).with_suffix("").as_posix()
        for path in folder.glob("*.py")
        if re.search(rf"\b{path.stem}(:|\b[^\n]* import | *[,\n)])", text)
    }


def missing_and_gone(page, package):
    """What stands in the package and not in the tree, and the other way round."""
    folders, modules, tables = tree_of(page)
    files = [path.relative_to(package) for path in package.rglob("*") if "__pycache__" not in path.parts]
    standing = {
        path.as_posix() for path in files if (package / path).is_dir() and any((package / path).iterdir())
    }
    standing |= {
        path.with_suffix("").as_posix() for path in files if path.suffix == ".py" and path.stem != "__init__"
    }
    open_to = {module for table in tables for module in named_in_table(table, package)}
    named = folders | modules
    return sorted(standing - named - open_to), sorted(named - standing)


def test_the_tree_names_every_file_and_no_other():
    page = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert missing_and_gone(page, PACKAGE) == ([], [])


def test_a_file_that_is_missing_in_the_tree_or_gone_from_the_package_is_found(tmp_path):
    for name in (
        "room/table.py",
        "room/listed.py",
        "room/forgotten.py",
        "room/folder/deep.py",
        "__init__.py",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("", encoding="utf-8")
    (tmp_path / "room" / "table.py").write_text('ALL = {"a": "package.room.listed:A"}\n', encoding="utf-8")
    page = "## The tree\n\n```\npackage/\n  room/   table*\n          gone\n    folder/ deep\n```\n"
    assert missing_and_gone(page, tmp_path) == (["room/forgotten"], ["room/gone"])
