"""`galsmith info` reads everything that galsmith makes, and says why it cannot read the rest."""

import json

import numpy as np
import pytest

from galsmith.cli import main
from galsmith.cli.describe import describe
from galsmith.data.store import Companions, StoreHeader, StoreWriter, write_store
from galsmith.errors import InputError
from galsmith.images import ImageHeader, image_set_from_arrays
from galsmith.provenance import Parent, Provenance

MADE_BY = Provenance(
    "simulate sersic",
    {"n": 3, "recipe": {"size_pix": 8}},
    seed=5,
    parents=(Parent("labels", "ab" * 32, "x.csv"),),
)


@pytest.fixture
def store(tmp_path):
    images = image_set_from_arrays(
        np.arange(192.0).reshape(3, 1, 8, 8), ImageHeader(("F606W",), "nJy", 0.16), provenance=MADE_BY
    )
    return write_store(tmp_path / "galaxies", images)


def test_a_store_says_what_is_in_it_and_what_made_it(store, capsys):
    assert main(["info", store.path]) == 0
    said = dict(
        line.split("  ", 1)
        for line in capsys.readouterr().out.splitlines()
        if not line.startswith((" ", "next:"))
    )
    said = {label: text.strip() for label, text in said.items()}
    assert said["what"] == "store"
    assert said["images"] == "3 galaxies, 8x8 px, band F606W"
    assert said["unit"] == "nJy"
    assert said["scale"] == "0.16 arcsec per pixel"
    assert said["made by"] == "galsmith simulate sersic"
    assert said["seed"] == "5"
    assert said["labels"] == f"{'ab' * 8}, was at x.csv"
    assert said["content hash"] == store.content_hash


def test_a_store_says_what_lies_beside_its_images(store, tmp_path):
    assert dict(describe(store.path).rows)["beside images"] == ""
    writer = StoreWriter(tmp_path / "maps", StoreHeader(store.header, MADE_BY), n_chunks=1)
    ivars = [np.ones((1, 8, 8), np.float32)] * 3
    images = store.pixels.read(np.arange(3))
    writer.write_chunk(
        0, images, store.catalog, companions=Companions(ivars=ivars, masks=[ivar > 1 for ivar in ivars])
    )
    writer.finish()
    assert dict(describe(str(tmp_path / "maps")).rows)["beside images"] == "inverse variances, masks"


def test_a_sound_store_passes_its_checksums(store, capsys):
    assert main(["info", store.path, "--verify"]) == 0
    assert "all files are as they were written" in capsys.readouterr().out


def test_an_altered_store_fails_its_checksums(store, tmp_path, capsys):
    part = tmp_path / "galaxies" / "images" / "part-00000.h5"
    content = bytearray(part.read_bytes())
    content[-1] ^= 1
    part.write_bytes(content)
    assert main(["info", store.path, "--verify", "--json"]) == 1
    line = json.loads(capsys.readouterr().out)
    assert line["exit_code"] == 1
    assert "part-00000.h5: its bytes differ" in line["numbers"]["faults"][0]


def test_only_stores_have_checksums(capsys):
    assert main(["info", "sersic", "--verify"]) == 2
    assert "a recipe has no checksums" in capsys.readouterr().err


def test_a_partial_store_says_how_far_it_is(tmp_path):
    writer = StoreWriter(tmp_path / "half", StoreHeader(ImageHeader(("r",), "nJy"), MADE_BY), n_chunks=3)
    images = image_set_from_arrays(np.ones((2, 1, 4, 4)), ImageHeader(("r",), "nJy"))
    writer.write_chunk(0, images.pixels.read([0, 1]), images.catalog)
    description = describe(str(tmp_path / "half"))
    assert description.kind == "partial store"
    assert ("chunks", "1 of 3 done") in description.rows


def test_a_recipe_is_described_by_its_name(capsys):
    assert main(["info", "sersic-32"]) == 0
    assert "size_pix" in capsys.readouterr().out


def test_a_run_that_was_killed_says_how_far_it_came(tmp_path):
    (tmp_path / "settings.toml").write_text('[model]\nfamily = "pca_diffusion"\n')
    (tmp_path / "log.jsonl").write_text('{"images_seen": 512, "loss": 0.5}\n{"images_seen": 76')
    description = describe(str(tmp_path))
    assert description.kind == "run without a snapshot yet"
    assert description.numbers == {"images_seen": 512, "loss": 0.5}
    assert ("model.family", "pca_diffusion") in description.rows


def test_a_report_lists_its_files(tmp_path):
    (tmp_path / "index.html").write_text("<html>")
    assert describe(str(tmp_path)).kind == "report"


def test_what_is_not_there_is_named_with_the_near_miss(tmp_path):
    with pytest.raises(
        InputError, match=r"no such file or folder, nor a recipe of that name \(did you mean 'sersic-32'"
    ):
        describe("sersic-3")


def test_a_folder_of_others_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="nothing that galsmith made"):
        describe(str(tmp_path))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("x.json", "{", "not a JSON file"),
        ("x.json", "{}", "not a comparison"),
        ("x.parquet", "PAR1", "cannot be read as a Parquet table"),
    ],
)
def test_damaged_files_are_named(tmp_path, name, content, said):
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=said):
        describe(str(tmp_path / name))


def test_a_store_without_its_catalog_is_damaged(store, tmp_path):
    (tmp_path / "galaxies" / "catalog.parquet").unlink()
    with pytest.raises(InputError, match="the store is damaged"):
        describe(store.path)


def test_a_damaged_partial_mark_is_named(tmp_path):
    (tmp_path / "set.partial").mkdir()
    (tmp_path / "set.partial" / "settings.json").write_text("{")
    with pytest.raises(InputError, match=r"settings.json: damaged"):
        describe(str(tmp_path / "set"))
