"""The device and the precision are chosen once."""

import pytest
import torch

from galsmith.cli import device
from galsmith.errors import SettingsError


def test_auto_takes_the_gpu_where_there_is_one(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert device.choose_device("auto") == "cuda"


def test_auto_takes_the_cpu_elsewhere(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device.choose_device("auto") == "cpu"


def test_a_gpu_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SettingsError, match="no CUDA device here; use --device cpu"):
        device.choose_device("cuda")


@pytest.mark.parametrize(
    ("native", "family", "chosen"),
    [
        (True, "diffusion", "bfloat16"),
        (True, "pca_diffusion", "float32"),
        (False, "diffusion", "float32"),
    ],
)
def test_bfloat16_only_where_it_is_native_and_helps(monkeypatch, native, family, chosen):
    monkeypatch.setattr(device, "_multiplies_bfloat16", lambda name: native)
    assert device.choose_precision("auto", device="cpu", family=family) == chosen


def test_a_stated_precision_wins():
    assert device.choose_precision("bfloat16", device="cpu", family="pca_diffusion") == "bfloat16"


def test_the_family_is_read_from_the_recipe_and_its_overrides(tmp_path):
    recipe = tmp_path / "mine.toml"
    recipe.write_text('[model]\nfamily = "diffusion"\n')
    assert device.family_of(str(recipe)) == "diffusion"
    assert device.family_of(str(recipe), ["model.family=pca_diffusion"]) == "pca_diffusion"
