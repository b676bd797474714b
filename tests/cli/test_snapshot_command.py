"""`galsmith snapshot`: another averaging width or half precision from the command line, and galaxies drawn from it."""

import json

import numpy as np
import pytest

from galsmith.cli import main
from galsmith.data.store import open_store

SETTINGS = ("model.width=16", "model.depth=1", "model.n_components=8", "training.batch_size=32")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run that kept averages, and one that did not."""
    place = tmp_path_factory.mktemp("widths")
    words = ["simulate", "sersic", "-n", "100", "--recipe", "sersic-32", "--quiet"]
    assert main([*words, "-o", str(place / "galaxies")]) == 0
    for name, count in (("kept", 4), ("none", 0)):
        settings = (*SETTINGS, f"training.posthoc_averages={count}", "training.sample_grids=0")
        words = [
            "train",
            "pca_diffusion",
            "--data",
            str(place / "galaxies"),
            "-o",
            str(place / name),
            "--quiet",
        ]
        more = [word for setting in settings for word in ("--set", setting)]
        assert main([*words, "--images", "512", "--device", "cpu", *more]) == 0
    return place


def test_a_width_is_made_and_drawn_from(runs, tmp_path, capsys):
    made = tmp_path / "made"
    assert main(["snapshot", str(runs / "kept"), "--ema-width", "0.08", "-o", str(made)]) == 0
    assert "snapshot: 512 images seen, averaged with width 0.08 in " in capsys.readouterr().out
    assert main(["info", str(made)]) == 0
    said = capsys.readouterr().out
    assert "training.made_from.profile_error" in said
    words = ["sample", str(made), "-n", "4", "-o", str(tmp_path / "drawn"), "--device", "cpu", "--json"]
    assert main(words) == 0
    assert json.loads(capsys.readouterr().out)["exit_code"] == 0


def test_half_precision_makes_the_file_smaller_and_draws_nearly_the_same(runs, tmp_path, capsys):
    made = tmp_path / "made"
    assert main(["snapshot", str(runs / "none"), "--half", "-o", str(made)]) == 0
    assert "snapshot: 512 images seen, in half precision in " in capsys.readouterr().out
    whole = runs / "none" / "snapshot" / "snapshot.safetensors"
    assert (made / "snapshot.safetensors").stat().st_size < 0.8 * whole.stat().st_size
    drawn = []
    for run in (runs / "none", made):
        output = tmp_path / f"drawn-{run.name}"
        assert main(["sample", str(run), "-n", "8", "-o", str(output), "--device", "cpu", "--quiet"]) == 0
        drawn.append(np.stack(list(open_store(output).pixels.read(np.arange(8)))))
    assert np.median(np.abs(drawn[1] - drawn[0])) < 0.01 * np.std(drawn[0])
    assert not np.array_equal(drawn[1], drawn[0])


def test_nothing_to_change_is_said(runs, tmp_path, capsys):
    assert main(["snapshot", str(runs / "kept"), "-o", str(tmp_path / "made")]) == 2
    assert "nothing to change; wanted --ema-width for another average, --half" in capsys.readouterr().err
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    "case",
    [
        ("none", "0.08", 1, "no averages were kept on the way; train with training.posthoc_averages=8"),
        ("kept", "0.5", 2, "--ema-width 0.5: wanted a share of the training's length between 0 and 0.28"),
        ("galaxies", "0.08", 1, "not a run; give the run folder"),
    ],
)
def test_what_cannot_be_made_is_one_line(runs, case, tmp_path, capsys):
    run, width, exit_code, said = case
    words = ["snapshot", str(runs / run), "--ema-width", width, "-o", str(tmp_path / "made")]
    assert main(words) == exit_code
    assert said in capsys.readouterr().err
    assert not (tmp_path / "made").exists()
