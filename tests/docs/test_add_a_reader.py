"""The example of docs/how-to/add-a-reader.md, run as it stands: registered, ingested, judged by its pixels."""

import re
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from galsmith.cli.ingest import ingest_command
from galsmith.data.readers import registry
from galsmith.errors import InputError, SettingsError

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "add-a-reader.md"


@pytest.fixture
def page(tmp_path, monkeypatch):
    """Run the blocks of the page beside five galaxies; gives their pixels and what the blocks define."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(registry, "_REGISTERED", {})
    pixels = np.random.default_rng(0).normal(size=(5, 2, 12, 16)).astype(np.float32)
    (tmp_path / "galaxies").mkdir()
    for number, image in enumerate(pixels):
        np.savez(tmp_path / "galaxies" / f"g{number}.npz", image=image, redshift=0.1 * number)
    found = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.S):
        exec(compile(block, str(PAGE), "exec"), found)
    return pixels, found


def test_the_store_has_the_pixels_and_the_catalog(page):
    pixels, found = page
    store = found["galaxies"]
    assert list(store.catalog["object_id"]) == [f"g{number}" for number in range(5)]
    assert list(store.catalog["redshift"]) == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4])
    np.testing.assert_array_equal(store.stacked(), pixels)
    assert (store.header.bands, store.header.flux_unit, store.header.pixel_scale_arcsec) == (
        ("g", "r"),
        "nJy",
        0.2,
    )
    assert (store.provenance.verb, store.provenance.settings["bands"]) == ("ingest npz", ["g", "r"])


def test_other_bands_than_the_files_have_are_refused(page, tmp_path):
    found = page[1]
    with pytest.raises(
        InputError, match=r"g0.npz has shape \(2, 12, 16\); wanted .* with 3 bands \(g, r, i\)"
    ):
        found["ingest"]("npz", "galaxies", "wrong", reading=found["NpzOptions"](bands=("g", "r", "i")))
    (tmp_path / "galaxies" / "g2.npz").write_bytes(b"PK but no archive")
    with pytest.raises(InputError, match=r"g2.npz: not a galaxy in an NPZ file that can be read"):
        found["ingest"]("npz", "galaxies", "damaged")


def test_it_is_recognized_and_a_near_miss_named(page):
    assert type(registry.open_source("galaxies")) is page[1]["NpzSource"]
    with pytest.raises(
        SettingsError, match=r"kind is 'npy'; there is no such reader \(did you mean 'npz'\?\)"
    ):
        page[1]["ingest"]("npy", "galaxies", "other")
    with pytest.raises(SettingsError, match="a reader of that name is there"):
        registry.register_reader(
            registry.Reader("fits", "", "", page[1]["NpzOptions"], page[1]["NpzSource"], "")
        )
    with pytest.raises(
        SettingsError, match="reading is a NpzOptions; wanted FitsOptions for the reader fits"
    ):
        page[1]["ingest"]("fits", "galaxies", "other", reading=page[1]["NpzOptions"]())


def test_its_command_takes_its_options(page, tmp_path):
    pixels, found = page
    ingest_command(found["NPZ"])("galaxies", output=tmp_path / "by command", bands="u,v")
    stored = found["ingest"]("store", tmp_path / "by command", tmp_path / "copy")
    assert stored.header.bands == ("u", "v")
    np.testing.assert_array_equal(stored.stacked(), pixels)


def test_an_entry_point_adds_one_and_a_broken_one_is_left_alone(page, monkeypatch, caplog):
    good = metadata.EntryPoint("npz", "mypackage:NPZ", registry.ENTRY_POINTS)
    broken = metadata.EntryPoint("broken", "no.such.module:X", registry.ENTRY_POINTS)
    monkeypatch.setattr(registry.metadata, "entry_points", lambda group: [good, broken])
    monkeypatch.setattr(
        metadata.EntryPoint, "load", lambda point: page[1]["NPZ"] if point is good else __import__("no.such")
    )
    monkeypatch.setattr(registry, "_REGISTERED", {})
    registry._installed.cache_clear()
    try:
        assert registry.readers()["npz"] is page[1]["NPZ"]
        assert "broken" not in registry.readers()
        assert "the reader broken (no.such.module:X) cannot be loaded" in caplog.text
    finally:
        registry._installed.cache_clear()
