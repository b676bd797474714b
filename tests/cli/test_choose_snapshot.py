"""Keeping the best snapshot from the command line: the judge comes from the store's own held-out galaxies."""

import json

import pytest

from galsmith.cli import main
from galsmith.training import read_log

SETTINGS = (
    "model.width=32",
    "model.depth=1",
    "model.n_components=16",
    "training.batch_size=64",
    "training.sample_grids=0",
    "training.evaluations=4",
    "training.evaluation_galaxies=30",
)


@pytest.fixture(scope="module")
def galaxies(tmp_path_factory):
    """100 galaxies, half of them held out."""
    place = tmp_path_factory.mktemp("choose") / "galaxies"
    words = ["simulate", "sersic", "-n", "100", "--recipe", "sersic-32", "--split", "0.5/0.5/0", "--quiet"]
    assert main([*words, "-o", str(place)]) == 0
    return place


def train(galaxies, run, *more, recipe="pca_diffusion"):
    """Train a small model for a moment; give the exit code."""
    settings = [word for setting in SETTINGS for word in ("--set", setting)]
    words = ["train", recipe, "--data", galaxies, "-o", run, "--images", 2048, "--device", "cpu"]
    return main([str(word) for word in (*words, *settings, *more)])


def test_the_best_snapshot_is_chosen_and_said(galaxies, tmp_path, capsys):
    assert train(galaxies, tmp_path / "run", "--choose", "best") == 0
    said = capsys.readouterr().out
    found = {
        line["images_seen"]: line for line in read_log(tmp_path / "run" / "log.jsonl") if "distance" in line
    }
    assert list(found) == [512, 1024, 1536, 2048]
    best = min(found, key=lambda seen: found[seen]["distance"])
    assert (
        f"kept the best of 4 snapshots (at {best:,} images, distance {found[best]['distance']:.3g})" in said
    )
    assert {"mean_w1", "floor", "measured"} <= set(found[best])
    assert main(["info", str(tmp_path / "run"), "--json"]) == 0
    numbers = json.loads(capsys.readouterr().out)["numbers"]
    assert numbers["images_seen"] == best
    assert numbers["chosen"]["distance"] == found[best]["distance"]
    assert main(["info", str(tmp_path / "run")]) == 0
    assert "training.chosen.distance" in capsys.readouterr().out
    assert train(galaxies, tmp_path / "run", "--choose", "best", "--json") == 0
    assert json.loads(capsys.readouterr().out)["numbers"]["chosen"] == numbers["chosen"]


def test_a_recipe_may_ask_for_the_best_and_the_flag_wins(galaxies, tmp_path, capsys):
    assert train(galaxies, tmp_path / "best", "--set", "training.choose_snapshot=best") == 0
    assert "kept the best of 4" in capsys.readouterr().out
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('[model]\nfamily = "pca_diffusion"\n\n[training]\nchoose_snapshot = "best"\n')
    assert train(galaxies, tmp_path / "last", "--choose", "last", recipe=recipe) == 0
    assert "trained on 2,048 images seen in" in capsys.readouterr().out
    assert not any("distance" in line for line in read_log(tmp_path / "last" / "log.jsonl"))


def test_a_store_without_held_out_galaxies_is_refused(galaxies, tmp_path, capsys):
    words = ["simulate", "sersic", "-n", "30", "--recipe", "sersic-32", "--split", "1/0/0", "--quiet"]
    assert main([*words, "-o", str(tmp_path / "all")]) == 0
    capsys.readouterr()
    assert train(tmp_path / "all", tmp_path / "run", "--choose", "best") == 1
    assert "no image is in the split 'validation'" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_too_few_galaxies_to_judge_are_refused(galaxies, tmp_path, capsys):
    more = ("--choose", "best", "--set", "training.evaluation_galaxies=19")
    assert train(galaxies, tmp_path / "run", *more) == 2
    assert "training.evaluation_galaxies is 19; wanted 20 or more" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
