"""The Python block of the how-to of studies runs as it stands."""

import re
from pathlib import Path

import numpy as np
from astropy.table import QTable

from galsmith.data.store import write_store
from galsmith.images import ImageHeader, image_set_from_arrays
from galsmith.study.tasks import TASKS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "study.md"


def labelled(n, split):
    """Noise with types."""
    rng = np.random.default_rng(n)
    catalog = QTable(
        {"T": rng.integers(-5, 6, n).astype(float), "split": np.repeat(list(split), n // len(split))}
    )
    return image_set_from_arrays(rng.random((n, 1, 8, 8)), ImageHeader(("g",), "nJy"), catalog=catalog)


def test_a_task_of_ones_own_runs_as_the_page_has_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_store(tmp_path / "galaxies", labelled(90, ("train", "validation", "test")))
    write_store(tmp_path / "drawn", labelled(40, ("generated",)))
    (block,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    said = {}
    try:
        exec(compile(block, str(PAGE), "exec"), said)
    finally:
        TASKS.pop("mean", None)
    rows = {row["mix"]: row for row in said["card"]["rows"]}
    assert rows["augmented"]["mean_loss"] > 0
    assert rows["real"]["title"] == "30 real"
    assert (tmp_path / "mean-study" / "index.html").is_file()
