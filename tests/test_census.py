"""The house is counted: sizes of functions, what a contract covers, what the page of rooms names."""

import re
import statistics
import tomllib
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


def test_functions_are_small_and_flat():
    counted = census_of(modules_of())
    assert len(counted.lengths) > 1000
    assert statistics.median(counted.lengths) < 10
    assert counted.nesting < 5


def test_files_are_few():
    assert census_of(modules_of()).files <= MOST_FILES


@pytest.mark.parametrize("room", ["measure/engine", "models"])
def test_comments_name_steps_and_equations_but_do_not_retell(room):
    assert 5 <= census_of(modules_of(room)).comments_per_100 <= 8


def test_the_contract_of_independence_covers_every_family():
    from galsmith.models.families import FAMILIES

    configured = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    (covered,) = (
        contract["modules"]
        for contract in configured["tool"]["importlinter"]["contracts"]
        if contract["type"] == "independence"
    )
    assert sorted(covered) == sorted(f"galsmith.models.{family}" for family in FAMILIES)


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
