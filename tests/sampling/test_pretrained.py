"""Models that come with the package: small, whole, described, and drawn from without anything else."""

import shutil
import tomllib

import numpy as np
import pytest

from galsmith import simulate
from galsmith.cli import main
from galsmith.data.store import open_store
from galsmith.errors import InputError, SettingsError
from galsmith.files import read_json
from galsmith.models import pretrained
from galsmith.models.pretrained import PRETRAINED_FOLDER, pretrained_folder, pretrained_names
from galsmith.models.snapshot import find_snapshot, load_snapshot, read_snapshot_page
from galsmith.sampling import sample
from galsmith.training import train

LARGEST_BYTES = 12_000_000


@pytest.fixture(params=pretrained_names())
def name(request) -> str:
    return request.param


def test_the_promised_model_is_there():
    assert "sersic-64" in pretrained_names()


def test_every_model_is_small_whole_and_described(name):
    folder = pretrained_folder(name)
    assert sum(file.stat().st_size for file in folder.iterdir()) < LARGEST_BYTES
    card = load_snapshot(folder).card  # which checks the weights' hash
    assert read_json(folder / "snapshot.json") == read_snapshot_page(folder)
    assert card["data_license"] != "not stated"
    assert {parent["path"] for parent in card["provenance"]["parents"]} <= {"run", "galaxies"}
    words = (folder / "README.md").read_text(encoding="utf-8")
    assert words.startswith(f"# {name}\n")
    for asked in ("learned from", "license", "How far it can be trusted", "What it is not for", "Made by"):
        assert asked in words


def test_sersic_galaxies_are_drawn_with_the_priors_they_were_learned_with(tmp_path):
    drawn = sample(pretrained_folder("sersic-64"), tmp_path / "drawn", n=256, seed=3)
    images = np.stack(list(drawn.pixels.read(np.arange(256))))
    assert images.shape == (256, 1, 64, 64)
    assert np.isfinite(images).all()
    flux = images.sum(axis=(1, 2, 3), dtype=np.float64)
    magnitude = drawn.header.zero_points_mag["F606W"] - 2.5 * np.log10(flux)
    assert abs(np.median(magnitude) - 22.25) < 0.35  # U(20, 24), less what lies outside of the frame
    place = images[:, 0].reshape(256, -1).argmax(axis=1)
    offset = np.abs(np.stack([place // 64, place % 64]) - 31.5)
    assert offset.max() <= 7.5  # centers within 1 arcsec, 6.25 px
    assert np.mean(offset > 3.2) > 0.35  # anywhere there, not in the middle


def test_the_command_works_at_once(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["sample", "--pretrained", "sersic-64", "-n", "4", "--device", "cpu", "--quiet"]) == 0
    assert len(open_store(tmp_path / "sersic-64-n4-seed0")) == 4
    assert main(["sample", "--pretrained", "sersic-64", "-n", "4", "-o", "there", "--device", "cpu"]) == 0
    assert "-> there" in capsys.readouterr().out


def test_info_describes_the_model_and_the_recipe_of_its_name(capsys):
    assert main(["info", "sersic-64", "--verify"]) == 0
    lines = capsys.readouterr().out.splitlines()
    said = {line.split("  ")[0].strip(): line.split("  ", 1)[-1].strip() for line in lines}
    assert said["what"] == "model that comes with galsmith"
    assert said["to draw"] == "galsmith sample sersic-64 -n 1000 -o generated"
    assert said["to fine-tune"].startswith("galsmith train pca_diffusion-64 --set model.n_components=320 ")
    assert said["to fine-tune"].endswith(" --init-from sersic-64")
    assert said["family"] == "pca_diffusion"
    assert said["magnitude.high"] == "24.0"  # of the recipe
    assert said["checksums"] == "all files that have one are as they were written; without: README.md"


def test_a_damaged_model_is_told_by_its_name(tmp_path, monkeypatch, capsys):
    shutil.copytree(PRETRAINED_FOLDER, tmp_path / "models")
    monkeypatch.setattr(pretrained, "PRETRAINED_FOLDER", tmp_path / "models")
    page = tmp_path / "models" / "sersic-64" / "snapshot.json"
    page.write_text(page.read_text(encoding="utf-8").replace("38 minutes", "39 minutes"), encoding="utf-8")
    assert main(["info", "sersic-64", "--verify"]) == 1
    assert "snapshot.json: was changed or damaged" in capsys.readouterr().err


def test_a_run_or_a_folder_of_that_name_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_snapshot("sersic-64") == PRETRAINED_FOLDER / "sersic-64"
    (tmp_path / "sersic-64").mkdir()
    with pytest.raises(InputError, match="sersic-64: there is no snapshot in it yet"):
        find_snapshot("sersic-64")


def test_a_run_starts_from_a_model_by_its_name_and_knows_it_when_it_goes_on(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    simulate.sersic("galaxies", n=20, seed=1, recipe="sersic-64")
    settings = {"images": 20, "overrides": ["training.sample_grids=0", "training.batch_size=4"]}
    for images in (20, 24):
        run = train(
            "pca_diffusion-64", "galaxies", "run", **{**settings, "images": images}, init_from="sersic-64"
        )
    recorded = tomllib.loads((run / "settings.toml").read_text(encoding="utf-8"))["run"]["init_from"]
    assert recorded == str(PRETRAINED_FOLDER / "sersic-64")


@pytest.mark.parametrize(
    "words",
    [
        ["sample", "sersic-46", "-n", "4", "-o", "new"],
        ["train", "pca_diffusion-64", "--data", "galaxies", "-o", "new", "--init-from", "sersic-46"],
    ],
)
def test_a_model_that_there_is_none_of_is_told_with_those_that_there_are(
    words, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    simulate.sersic("galaxies", n=4, seed=1, recipe="sersic-64")
    assert main(words) == 1
    said = capsys.readouterr().err
    assert "sersic-46: there is no such folder" in said
    assert "a model that comes with galsmith: sersic-64 (did you mean 'sersic-64'?)" in said


def test_an_unknown_model_names_the_near_miss():
    with pytest.raises(SettingsError, match=r"`pretrained=sersic_64`: not found .did you mean 'sersic-64'"):
        pretrained_folder("sersic_64")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-n", "4"], "neither a run nor --pretrained; wanted one of them"),
        (["run", "--pretrained", "sersic-64", "-n", "4"], "both a run and --pretrained; wanted one of them"),
        (["run", "-n", "4"], "--output is missing; wanted the store"),
    ],
)
def test_one_thing_to_draw_from_and_a_place_are_wanted(words, said, capsys):
    assert main(["sample", *words]) == 2
    assert said in capsys.readouterr().err


def test_the_folder_holds_nothing_else():
    for folder in PRETRAINED_FOLDER.iterdir():
        assert sorted(file.name for file in folder.iterdir()) == [
            "README.md", "snapshot.json", "snapshot.safetensors",
        ]  # fmt: skip
