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


@pytest.mark.parametrize(("native", "chosen"), [(True, "bfloat16"), (False, "float32")])
def test_bfloat16_only_where_it_is_native(monkeypatch, native, chosen):
    monkeypatch.setattr(device, "_multiplies_bfloat16", lambda name: native)
    assert device.choose_precision("auto", device="cpu") == chosen


def test_a_stated_precision_wins():
    assert device.choose_precision("bfloat16", device="cpu") == "bfloat16"
