"""Models that come with the package: small, whole, described, and drawn from without anything else."""

import numpy as np
import pytest

from galsmith.cli import main
from galsmith.data.store import open_store
from galsmith.errors import SettingsError
from galsmith.files import read_json
from galsmith.models.snapshot import load_snapshot, read_snapshot_page
from galsmith.sampling import sample
from galsmith.sampling.pretrained import PRETRAINED_FOLDER, pretrained_folder, pretrained_names

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
