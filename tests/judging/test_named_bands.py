"""Bands of arrays that do not say them are named for a comparison, and only there."""

import numpy as np
import pytest

from galsmith.cli import main
from galsmith.data.store import open_store, write_store
from galsmith.errors import SettingsError
from galsmith.images import ImageHeader, image_set_from_arrays
from galsmith.judging import judge
from galsmith.measure import MeasureSettings

BANDS = ("g", "r", "i")
HOW = {
    "replicates": 10,
    "splits": 5,
    "permutations": 10,
    "beyond": False,
    "measure_settings": MeasureSettings(quantities=("power",)),
}


def drawn(seed):
    """Galaxies of 16 px in three bands, [galaxy, band, y, x]."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:16, :16] - 7.5
    widths = rng.uniform(1.5, 3, (24, 3, 1, 1))
    return (10 * np.exp(-np.hypot(x, y) / widths) + rng.normal(0, 0.1, (24, 3, 16, 16))).astype(np.float32)


def columns(card):
    return {item.column.rpartition("_")[2] for item in card.judgment().comparison.distances}


def test_bands_of_npy_and_npz_files_are_named(tmp_path):
    np.savez(tmp_path / "real.npz", images=drawn(1))
    np.save(tmp_path / "theirs.npy", drawn(2))
    output = tmp_path / "card.json"
    card = judge(tmp_path / "real.npz", tmp_path / "theirs.npy", output, bands=BANDS, **HOW)
    assert columns(card) == set(BANDS)
    made = [open_store(tmp_path / "card.measurements" / f"{name}.store") for name in ("reference", "theirs")]
    assert [images.header.bands for images in made] == [BANDS, BANDS]
    unnamed = judge(tmp_path / "real.npz", tmp_path / "theirs.npy", tmp_path / "other.json", **HOW)
    assert columns(unnamed) == {"band0", "band1", "band2"}


def test_bands_of_arrays_are_named_beside_a_store_that_says_its_own(tmp_path):
    images = image_set_from_arrays(drawn(1), ImageHeader(BANDS, "unknown"))
    write_store(tmp_path / "store", images)
    np.save(tmp_path / "theirs.npy", drawn(2))
    card = judge(tmp_path / "store", tmp_path / "theirs.npy", bands=BANDS, **HOW)
    assert columns(card) == set(BANDS)
    assert columns(judge(drawn(1), drawn(2), bands=BANDS, **HOW)) == set(BANDS)


def test_names_that_no_set_takes_or_that_do_not_fit_are_refused(tmp_path, capsys):
    images = image_set_from_arrays(drawn(1), ImageHeader(BANDS, "unknown"))
    write_store(tmp_path / "store", images)
    np.save(tmp_path / "theirs.npy", drawn(2))
    with pytest.raises(SettingsError, match=r"`bands=g,r,i`: no set is of files or arrays whose bands"):
        judge(tmp_path / "store", images, bands=BANDS, **HOW)
    with pytest.raises(SettingsError, match=r"`bands=g,r`: names 2 bands"):
        judge(tmp_path / "theirs.npy", tmp_path / "store", bands=BANDS[:2], **HOW)
    store, card = str(tmp_path / "store"), str(tmp_path / "card.json")
    assert main(["compare", store, store, "-o", card, "--bands", "g,r,i"]) == 2
    assert "--bands g,r,i: no set is of files or arrays" in capsys.readouterr().err
