"""`galsmith sample --where` from the command line, and what `galsmith info` says can be asked."""

import json
from pathlib import Path

import numpy as np
import pytest
from astropy.table import QTable

from galsmith.cli import main
from galsmith.data.store import open_store
from galsmith.images import ImageHeader, image_set_from_arrays
from galsmith.training import train


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(3)
    table = QTable({"width_pix": rng.uniform(2, 8, 120), "stage": np.arange(120) % 5})
    galaxies = image_set_from_arrays(
        rng.uniform(1, 2, (120, 1, 16, 16)), ImageHeader(("r",), "nJy"), catalog=table
    )
    model = {"family": "diffusion", "channels": [8], "patch_pix": 4, "embedding_width": 8, "sampler_steps": 3}
    recipe = {
        "transform": {"conditions": ["width_pix", "stage"]},
        "model": {**model, "scalar_width": 8, "scalar_depth": 1},
        "training": {"images": 320, "batch_size": 32, "sample_grids": 0},
    }
    return train(recipe, galaxies, tmp_path_factory.mktemp("run") / "run")


def test_several_questions_are_asked_at_once(run, tmp_path, capsys):
    words = ["sample", run, "-n", 5, "-o", tmp_path / "drawn", "--device", "cpu", "--quiet", "--json"]
    words += ["--where", "width_pix=3..6", "--where", "stage=-2..2", "--guidance", 1.5, "--steps", 2]
    assert main([str(word) for word in words]) == 0
    assert json.loads(capsys.readouterr().out)["numbers"]["n_images"] == 5
    drawn = open_store(tmp_path / "drawn")
    assert np.all((drawn.catalog["width_pix"] >= 3) & (drawn.catalog["width_pix"] <= 6))
    assert set(drawn.catalog["stage"]) <= {0.0, 1.0, 2.0}
    asked = {"where": "width_pix=3..6, stage=-2..2", "guidance": 1.5, "steps": 2}
    assert drawn.provenance.settings == {"n": 5, **asked}


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--where", "widht_pix=3..6"], "did you mean 'width_pix'?"),
        (["--where", "width_pix=6..3"], "wanted the lower number first"),
        (["--steps", "0"], "--steps 0: wanted 1 or more"),
        (["--solver", "hoin"], "Choose from"),
    ],
)
def test_what_cannot_be_asked_is_one_line_and_exit_code_2(flags, said, run, tmp_path, capsys):
    words = ["sample", run, "-n", 5, "-o", tmp_path / "drawn", "--device", "cpu", *flags]
    assert main([str(word) for word in words]) == 2
    error = capsys.readouterr().err.rstrip()
    assert said in error
    assert "\n" not in error
    assert not (tmp_path / "drawn").exists()


def test_info_says_what_can_be_asked(run, capsys):
    assert main(["info", str(run)]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "can be asked for" in line]
    assert "stage 0 to 4" in line
    assert "width_pix 2." in line
    assert "flux_r" in line
    assert "nJy" in line
