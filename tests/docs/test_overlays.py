"""The worked examples done inside the package: the files that a page says it touches are all that it takes, three at most.

A copy of the package, its pages and its table of rooms gets the page's first block of Python as a new file and the hunks
of its block of changes; then the example runs in it, in a process of its own, and the house's checks of completeness too.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = REPOSITORY / "docs" / "how-to"
MOST_FILES = 3
CHECKS = (
    "tests/test_census.py::test_the_tree_names_every_file_and_no_other",
    "tests/test_house.py::test_every_property_is_documented",
    "tests/docs/test_families_named.py::test_all_families_have_advice_and_a_recipe",
    "tests/docs/test_families_named.py::test_the_page_names_each_family_and_recipe",
)

FAMILY = """
import numpy as np
from galsmith.data.store.writer import write_store
from galsmith.images import ImageHeader, image_set_from_arrays
from galsmith.models.families import FAMILIES
from galsmith.sampling import sample
from galsmith.training import train

rng = np.random.default_rng(3)
images = list(rng.gamma(2.0, 1.0, (40, 1, 16, 16)))
write_store("galaxies", image_set_from_arrays(images, ImageHeader(("r",), "nJy", pixel_scale_arcsec=0.2)))
small = ("model.channels=8", "model.steps=4", "training.batch_size=16", "training.sample_grids=0")
train("small_flow", "galaxies", "run", images=32, overrides=small)
assert FAMILIES["small_flow"].given_by == "galsmith"
assert sample("run", "drawn", n=2, seed=1).stacked().shape == (2, 1, 16, 16)
"""

PROPERTY = """
import numpy as np
from galsmith.measure import PROPERTIES, morphology

y, x = np.mgrid[:48, :48] - 24.0
noise = np.random.default_rng(1).normal(0, 0.3, (48, 48))
disc = (100 * np.exp(-np.hypot(x, y / 0.7) / 4) + noise).astype(np.float32)
table = morphology([disc], sersic="none")
assert "brightest_share" in [entry.name for entry in PROPERTIES]
# 100 of 2 pi 0.7 4^2 100 in the segment, which loses the outermost light
assert 1 < float(table["brightest_share"][0]) * 2 * np.pi * 0.7 * 16 < 1.3
"""

READER = """
import numpy as np
from pathlib import Path
from galsmith.cli import main
from galsmith.data.store.reader import open_store

Path("galaxies").mkdir()
pixels = np.random.default_rng(0).normal(size=(3, 2, 12, 12)).astype(np.float32)
for number, image in enumerate(pixels):
    np.savez(f"galaxies/g{number}.npz", image=image, redshift=0.1 * number)
assert main(["ingest", "npz", "galaxies", "-o", "store", "--bands", "u,v"]) == 0
store = open_store("store")
np.testing.assert_array_equal(store.stacked(), pixels)
assert store.header.bands == ("u", "v")
"""

JOINT = """
import numpy as np
from astropy.table import QTable
from galsmith.compare import JOINT, judge_tables
from galsmith.provenance import Provenance

def table(case, shift):
    rng = np.random.default_rng(case)
    found = QTable({"object_id": np.array([f"{row:03d}" for row in range(120)])})
    for name in ("asymmetry", "concentration", "gini"):
        found[name] = rng.normal(size=120) + shift
    found["flag"], found["flags"] = np.zeros(120, dtype=np.int64), np.array([""] * 120)
    found.meta = {"content_hash": str(case) * 64, "bands": ["r"], "pixel_scale_arcsec": 0.03, "flux_unit": "nJy",
                  "provenance": Provenance("measure", {"gain": 1.0}, versions={}).to_dict()}
    return found

assert list(JOINT) == ["sliced", "energy", "mahalanobis", "correlation"]
card = judge_tables(table(1, 0.0), {"moved": table(2, 1.0)}, replicates=20, splits=20, permutations=40)
found = card.judgment("moved").beyond.statistics["mahalanobis"]
assert abs(found.value - 3**0.5) < 0.5  # three independent columns, each one standard deviation off
assert card.judgment("moved").evidence("mahalanobis").status == "told"
"""

EXAMPLES = {
    "add-a-family": FAMILY,
    "add-a-property": PROPERTY,
    "add-a-reader": READER,
    "add-a-joint-distance": JOINT,
}


def files_touched(page: str) -> list[str]:
    """Give the files of the line `Touches:`."""
    (line,) = re.findall(r"^Touches: (.*?)\.$", page, re.MULTILINE | re.DOTALL)
    return re.findall(r"`([^`]+)`", line)


def changes_of(page: str) -> dict[str, list[str]]:
    """Give the hunks of the block of changes, by file."""
    (block,) = re.findall(r"^```diff\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    parts = re.split(r"^\+\+\+ (\S+)\n", block, flags=re.MULTILINE)
    return {name: text.split("@@\n") for name, text in zip(parts[1::2], parts[2::2], strict=True)}


def changed(text: str, hunk: str) -> str:
    """Apply one hunk, whose old lines stand in one place."""
    lines = [line or " " for line in hunk.splitlines()]
    old, new = ("".join(f"{line[1:]}\n" for line in lines if line[0] in kept) for kept in (" -", " +"))
    places = [found.start() for found in re.finditer(rf"^(?={re.escape(old)})", text, re.MULTILINE)]
    assert len(places) == 1, f"not in one place:\n{old}"
    return text[: places[0]] + new + text[places[0] + len(old) :]


def copied(overlay: Path) -> None:
    """Copy what a change may touch, and what checks that it is complete."""
    for name in ("src", "docs"):
        shutil.copytree(REPOSITORY / name, overlay / name)
    for name in ("tests", "benchmarks"):
        shutil.copytree(
            REPOSITORY / name,
            overlay / name,
            ignore=lambda folder, names: [
                name for name in names if not name.endswith(".py") and (Path(folder) / name).is_file()
            ],
        )
    for name in ("README.md", "CONTRIBUTING.md", "pyproject.toml", "Makefile"):
        shutil.copy2(REPOSITORY / name, overlay / name)


def applied(page: str, overlay: Path) -> set[str]:
    """Apply a page to a copy; returns the files that it changed."""
    touched, changes = files_touched(page), changes_of(page)
    own = overlay / touched[0]
    assert not own.exists()
    (code,) = re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)[:1]
    own.write_text(code, encoding="utf-8")
    for name, hunks in changes.items():
        path = overlay / name
        text = path.read_text(encoding="utf-8")
        for hunk in hunks:
            text = changed(text, hunk)
        path.write_text(text, encoding="utf-8")
    return {touched[0], *changes}


def run(overlay: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(overlay / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("name", EXAMPLES)
def test_three_files_are_all_that_it_takes(name: str, tmp_path: Path) -> None:
    page = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    overlay, place = tmp_path / "overlay", tmp_path / "place"
    copied(overlay)
    place.mkdir()
    touched = applied(page, overlay)
    assert touched == set(files_touched(page))
    assert len(touched) <= MOST_FILES
    where = "import galsmith; print(galsmith.__file__)"
    assert run(overlay, "-c", where, cwd=place).stdout.startswith(str(overlay))
    ended = run(overlay, "-c", EXAMPLES[name], cwd=place)
    assert ended.returncode == 0, ended.stderr
    checked = run(
        overlay,
        "-m",
        "pytest",
        "-q",
        "-x",
        "-p",
        "no:randomly",
        "-p",
        "no:cacheprovider",
        *CHECKS,
        cwd=overlay,
    )
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("name", EXAMPLES)
def test_without_the_files_the_example_fails(name: str, tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", EXAMPLES[name]], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ended.returncode != 0


def test_a_hunk_that_stands_nowhere_or_twice_is_refused() -> None:
    hunk = " a\n+b\n"
    assert changed("a\nc\n", hunk) == "a\nb\nc\n"
    for text in ("c\n", "a\na\n", "ca\n"):
        with pytest.raises(AssertionError, match="not in one place"):
            changed(text, hunk)
