"""Bad input through the command line: one line that names the thing, the right exit code, nothing half-written."""

import json

import numpy as np
import pytest
from astropy.io import fits
from PIL import Image

from galsmith.cli import main
from galsmith.data.store import write_store
from galsmith.files import read_json, write_json
from galsmith.images import ImageHeader, image_set_from_arrays


@pytest.fixture
def pictures(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    rng = np.random.default_rng(1)
    for name in "abc":
        Image.fromarray(rng.integers(0, 255, (16, 16, 3), dtype=np.uint8)).save(folder / f"{name}.png")
    return folder


@pytest.fixture
def cutouts(tmp_path):
    folder = tmp_path / "cutouts"
    folder.mkdir()
    rng = np.random.default_rng(1)
    for name in "abc":
        header = fits.Header({"FILTER": "F814W", "BUNIT": "electron / s"})
        fits.PrimaryHDU(rng.normal(size=(16, 16)).astype(np.float32), header=header).writeto(
            folder / f"{name}.fits"
        )
    return folder


@pytest.fixture
def store(tmp_path):
    images = image_set_from_arrays(np.ones((3, 1, 8, 8)), ImageHeader(("r",), "nJy"))
    return write_store(tmp_path / "store", images)


def refused(capsys, code, said, *words):
    """Run a command that must fail; it says one line with no traceback, and leaves nothing that looks finished."""
    output = words[words.index("-o") + 1] if "-o" in words else None
    assert main([str(word) for word in words]) == code
    error = capsys.readouterr().err
    lines = [line for line in error.splitlines() if line.startswith("galsmith: ")]
    assert said in error
    assert len(lines) == 1
    assert "Traceback" not in error
    assert output is None or not (output.is_file() or (output / "dataset.json").exists())


def test_an_empty_folder(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    refused(capsys, 1, "empty: holds no", "ingest", "folder", tmp_path / "empty", "-o", tmp_path / "out")
    refused(capsys, 1, "empty: holds no", "ingest", "fits", tmp_path / "empty", "-o", tmp_path / "out")


def test_a_folder_that_is_not_there(tmp_path, capsys):
    refused(
        capsys, 1, "there is no such folder", "ingest", "folder", tmp_path / "gone", "-o", tmp_path / "out"
    )


def test_a_truncated_picture(pictures, tmp_path, capsys):
    content = (pictures / "b.png").read_bytes()
    (pictures / "b.png").write_bytes(content[: len(content) // 2])
    refused(capsys, 1, "b.png", "ingest", "folder", pictures, "-o", tmp_path / "out")


def test_a_truncated_cutout(cutouts, tmp_path, capsys):
    content = (cutouts / "b.fits").read_bytes()
    (cutouts / "b.fits").write_bytes(content[:3000])
    refused(capsys, 1, "b.fits", "ingest", "fits", cutouts, "-o", tmp_path / "out")


def test_two_files_of_one_stem(pictures, tmp_path, capsys):
    Image.open(pictures / "a.png").save(pictures / "a.jpg")
    refused(capsys, 1, "has the stem of", "ingest", "folder", pictures, "-o", tmp_path / "out")


def test_pixels_that_are_not_finite(cutouts, tmp_path, capsys):
    fits.PrimaryHDU(np.full((16, 16), np.nan, dtype=np.float32)).writeto(cutouts / "b.fits", overwrite=True)
    refused(capsys, 1, "b.fits", "ingest", "fits", cutouts, "-o", tmp_path / "out")


def test_skipping_what_is_bad(pictures, tmp_path, capsys):
    (pictures / "b.png").write_bytes(b"not a picture")
    words = ["ingest", "folder", pictures, "-o", tmp_path / "out", "--on-bad", "skip", "--json"]
    assert main([str(word) for word in words]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["numbers"]["n_images"] == 2


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("magnitud.low=20", "did you mean 'magnitude'"),
        ("magnitude", "wanted key=value"),
        ("sersic_index.high=-4", "sersic_index"),
    ],
)
def test_a_setting_that_cannot_be(tmp_path, setting, said, capsys):
    refused(capsys, 2, said, "simulate", "sersic", "-n", 4, "--set", setting, "-o", tmp_path / "out")


def test_an_unknown_setting_of_a_model(store, tmp_path, capsys):
    words = ["train", "pca_diffusion", "--data", store.path, "--images", 64, "--device", "cpu"]
    refused(capsys, 2, "did you mean", *words, "--set", "model.widht=8", "-o", tmp_path / "run")


def test_a_recipe_that_is_not_there(store, tmp_path, capsys):
    words = [
        "train",
        "pca_difusion",
        "--data",
        store.path,
        "--images",
        64,
        "--device",
        "cpu",
        "-o",
        tmp_path / "run",
    ]
    refused(capsys, 2, "did you mean 'pca_diffusion'", *words)


def test_a_store_of_another_format_version(store, tmp_path, capsys):
    page_file = tmp_path / "store" / "dataset.json"
    write_json(page_file, {**read_json(page_file), "format_version": 99})
    refused(capsys, 1, "store format version 99", "measure", store.path, "-o", tmp_path / "t.parquet")
    refused(capsys, 1, "store format version 99", "info", store.path)


def test_a_store_that_is_not_there(tmp_path, capsys):
    words = ["train", "pca_diffusion", "--data", tmp_path / "gone", "--images", 64, "--device", "cpu"]
    refused(capsys, 1, "there is no such store", *words, "-o", tmp_path / "run")


def test_a_run_that_is_not_there(tmp_path, capsys):
    words = ["sample", tmp_path / "gone", "-n", 4, "--device", "cpu", "-o", tmp_path / "out"]
    refused(capsys, 1, "gone", *words)


def test_a_table_that_is_not_there(store, tmp_path, capsys):
    words = ["compare", tmp_path / "gone.parquet", tmp_path / "gone.parquet", "-o", tmp_path / "c.json"]
    refused(capsys, 1, "gone.parquet", *words)


def test_a_comparison_that_is_none(tmp_path, capsys):
    (tmp_path / "mine.json").write_text("{}")
    refused(capsys, 1, "not a comparison", "report", tmp_path / "mine.json", "-o", tmp_path / "report")


def test_a_condition_on_a_column_that_is_not_there(tmp_path, capsys):
    words = ["simulate", "sersic", "-n", 4, "--recipe", "sersic-32", "--where", "magnitud=20..22"]
    refused(capsys, 2, "did you mean 'magnitude'", *words, "-o", tmp_path / "out")


def test_a_split_that_does_not_sum_to_one(tmp_path, capsys):
    words = ["simulate", "sersic", "-n", 4, "--split", "0.8/0.3/0.1", "-o", tmp_path / "out"]
    refused(capsys, 2, "sum to 1", *words)


def test_no_workers(store, tmp_path, capsys):
    refused(
        capsys,
        2,
        "--workers 0: wanted 1 or more",
        "measure",
        store.path,
        "--workers",
        0,
        "-o",
        tmp_path / "t.parquet",
    )


def test_a_place_that_cannot_be_written(tmp_path, capsys):
    (tmp_path / "file").write_text("not a folder")
    words = ["simulate", "sersic", "-n", 4, "--recipe", "sersic-32", "-o", tmp_path / "file" / "out"]
    refused(capsys, 1, "cannot be written", *words)


def test_a_full_disk_is_named(tmp_path, capsys, monkeypatch):
    def full(path, rows):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr("galsmith.data.store.writer.write_catalog", full)
    words = ["simulate", "sersic", "-n", "4", "--recipe", "sersic-32", "-o", str(tmp_path / "out")]
    assert main(words) == 1
    assert "the disk is full" in capsys.readouterr().err
