"""The how-to on a store in anybody's DataLoader: its code runs, and what it gives is what is stored."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from galsmith.data.store import open_store
from galsmith.data.store.writer import write_store
from galsmith.images import ImageHeader, ImageSet, image_set_from_arrays

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "use-a-store-in-torch.md"


@pytest.fixture
def stored(tmp_path: Path) -> ImageSet:
    """150 images of noise in two bands, with a label that is the mean of each."""
    pixels = np.random.default_rng(2).normal(5, 1, size=(150, 2, 6, 6)).astype(np.float32)
    images = image_set_from_arrays(list(pixels), ImageHeader(bands=("g", "r"), flux_unit="nJy"))
    images.catalog["mean"] = pixels.mean(axis=(1, 2, 3))
    write_store(tmp_path / "galaxies", images)
    return open_store(tmp_path / "galaxies")


def test_the_code_of_the_page_gives_each_galaxy_once_as_float32(
    stored: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for code in re.findall(
        r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    ):
        exec(compile(code.replace("native_size_pix", "mean"), "torch how-to", "exec"), names)
    batches = list(names["labelled"])
    pixels, labels = (torch.cat([batch[part] for batch in batches]) for part in (0, 1))
    assert pixels.dtype == labels.dtype == torch.float32
    assert pixels.shape == (150, 2, 6, 6)
    torch.testing.assert_close(pixels.mean(dim=(1, 2, 3)), labels)
    assert not torch.equal(labels, labels.sort().values)
    np.testing.assert_array_equal(
        np.sort(labels), np.sort(np.asarray(stored.catalog["mean"], dtype=np.float32))
    )


@pytest.mark.parametrize("workers", [0, 2])
def test_the_order_depends_on_the_seed_and_not_on_the_workers(stored: ImageSet, workers: int) -> None:
    def drawn(seed: int) -> torch.Tensor:
        chance = torch.Generator().manual_seed(seed)
        loader = DataLoader(stored, batch_size=40, shuffle=True, generator=chance, num_workers=workers)
        return torch.cat(list(loader))

    whole = stored.stacked()
    first, again, other = drawn(1), drawn(1), drawn(2)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    np.testing.assert_array_equal(np.sort(first, axis=0), np.sort(whole, axis=0))
    alone = DataLoader(stored, batch_size=40, shuffle=True, generator=torch.Generator().manual_seed(1))
    assert torch.equal(first, torch.cat(list(alone)))
