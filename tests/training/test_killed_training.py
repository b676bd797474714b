"""A training that is killed again and again ends with the weights of one that never was."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from galsmith.data.store import write_store
from galsmith.images import ImageSet
from galsmith.models.snapshot import read_snapshot_page

PROGRAM = """
import json, sys
from galsmith.training import train
recipe, data, output = sys.argv[1:]
train(json.loads(recipe), data, output)
"""


def start(recipe: dict[str, Any], data: Path, output: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, json.dumps(recipe), str(data), str(output)], env=environment
    )


def kill_after_a_new_checkpoint(process: subprocess.Popen[bytes], checkpoint: Path, delay_s: float) -> bool:
    """Wait until this process has written a checkpoint, wait a little more, kill it; False if it ended before."""
    before = checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
    while process.poll() is None and (not checkpoint.exists() or checkpoint.stat().st_mtime_ns == before):
        time.sleep(0.005)
    time.sleep(delay_s)
    process.kill()
    return process.wait() == -signal.SIGKILL


@pytest.mark.slow
@pytest.mark.parametrize(("family", "images"), [("pca_diffusion", 24_000), ("diffusion", 5_000)])
def test_killed_and_resumed_equals_undisturbed(
    family: str, images: int, discs: ImageSet, tiny_recipe: Callable[..., Any], tmp_path: Path
) -> None:
    write_store(tmp_path / "discs", discs)
    recipe = tiny_recipe(family, images=images, checkpoint_seconds=0.05)
    assert start(recipe, tmp_path / "discs", tmp_path / "whole").wait() == 0
    rng = np.random.default_rng()  # any moment will do: the result may not depend on it
    kills = 0
    for _ in range(3):
        process = start(recipe, tmp_path / "discs", tmp_path / "killed")
        checkpoint = tmp_path / "killed/checkpoint/checkpoint.pt"
        kills += kill_after_a_new_checkpoint(process, checkpoint, rng.uniform(0.0, 0.4))
    assert kills >= 2
    assert start(recipe, tmp_path / "discs", tmp_path / "killed").wait() == 0
    hashes = [
        read_snapshot_page(tmp_path / name / "snapshot")["tensors_sha256"] for name in ("whole", "killed")
    ]
    assert hashes[0] == hashes[1]
