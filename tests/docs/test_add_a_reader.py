"""The example of docs/how-to/add-a-reader.md, run as it stands: registered, ingested, judged by its pixels."""

import importlib
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from galsmith.cli.ingest import ingest_command
from galsmith.data.galaxies import FileRequest, open_galaxies
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
    in_files = open_galaxies(FileRequest(("galaxies",)))
    np.testing.assert_array_equal([galaxy.image for galaxy in in_files.read(range(5))], page[0])
    with pytest.raises(SettingsError, match=r"`hdu=1`: has no meaning for \.npz files"):
        open_galaxies(FileRequest(("galaxies",), hdu=1))
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


@pytest.fixture
def installed(page, tmp_path, monkeypatch):
    """Write what pip writes of a package whose module is the page's file, with one reader that is not there."""
    site = tmp_path / "site"
    info = site / "galaxy_readers-1.2.dist-info"
    info.mkdir(parents=True)
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.S)
    module = blocks[0].replace("register_reader(NPZ)", "")
    (site / "galaxy_readers.py").write_text(module, encoding="utf-8")
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: galaxy-readers\nVersion: 1.2\n", encoding="utf-8"
    )
    points = "npz = galaxy_readers:NPZ\nbroken = galaxy_readers.missing:X\n"
    (info / "entry_points.txt").write_text(f"[galsmith.readers]\n{points}", encoding="utf-8")
    monkeypatch.syspath_prepend(site)
    monkeypatch.setattr(registry, "_REGISTERED", {})
    importlib.invalidate_caches()
    registry._installed.cache_clear()
    yield
    registry._installed.cache_clear()
    sys.modules.pop("galaxy_readers", None)


def test_an_installed_package_gives_a_reader_and_a_broken_one_is_left_alone(page, installed, caplog):
    pixels, found = page
    assert registry.readers()["npz"].options.__module__ == "galaxy_readers"
    store = found["ingest"]("npz", "galaxies", "installed")
    np.testing.assert_array_equal(store.stacked(), pixels)
    assert "broken" not in registry.readers()
    assert "the reader broken (galaxy_readers.missing:X) cannot be loaded" in caplog.text


def test_without_the_package_its_reader_is_not_there(page, monkeypatch):
    monkeypatch.setattr(registry, "_REGISTERED", {})
    with pytest.raises(SettingsError, match="kind is 'npz'; there is no such reader"):
        page[1]["ingest"]("npz", "galaxies", "installed")
