import io
import pickle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from galsmith.errors import InputError, OutputError
from galsmith.files.seal import MARK, unsealed
from galsmith.seeds import random_stream
from galsmith.training import checkpoint as module
from galsmith.training.budget import RunState
from galsmith.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint


def make(images_seen: int) -> Checkpoint:
    return Checkpoint(
        trainer={"weights": torch.arange(1000.0), "optimizer": {"state": {0: {"step": torch.tensor(3.0)}}}},
        ema={"weights": torch.ones(3)},
        transform={"kind": "asinh", "mean": (0.5,), "native_size": None},
        state=RunState(images_seen=images_seen, seconds=1.25, bad_steps=2),
        settings_hash="s",
        data_hash="d",
    )


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint" / "checkpoint.pt"
    save_checkpoint(path, make(64))
    read = load_checkpoint(path)
    assert torch.equal(read.trainer["weights"], torch.arange(1000.0))
    assert read.state == RunState(images_seen=64, seconds=1.25, bad_steps=2)
    assert (read.settings_hash, read.data_hash, dict(read.transform)) == ("s", "d", make(64).transform)


def test_a_write_that_fails_leaves_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, make(64))

    def fail(content: Any, stream: Any) -> None:
        stream.write(b"half")
        raise RuntimeError("killed")

    monkeypatch.setattr(module.torch, "save", fail)
    with pytest.raises(RuntimeError, match="killed"):
        save_checkpoint(path, make(128))
    assert load_checkpoint(path).state.images_seen == 64
    assert [file.name for file in tmp_path.iterdir()] == ["checkpoint.pt"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the device of a full disk is Linux's")
def test_a_full_disk_is_said_and_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, make(64))
    full = SimpleNamespace(FileIO=lambda *_: io.FileIO("/dev/full", "w"))
    monkeypatch.setattr("galsmith.training.checkpoint.io", full)
    with pytest.raises(OutputError, match=r"checkpoint.pt: the disk is full; free some space"):
        save_checkpoint(path, make(128))
    assert load_checkpoint(path).state.images_seen == 64
    assert list(tmp_path.iterdir()) == [path]


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, make(64))
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(InputError, match=r"not a readable checkpoint .*overwrite"):
        load_checkpoint(path)


@pytest.mark.parametrize("version", [1, 2, 99])
def test_another_format_version_is_refused_with_what_to_do(tmp_path: Path, version: int) -> None:
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, make(64))
    content = torch.load(path, weights_only=True)
    torch.save({**content, "format_version": version}, path)
    with pytest.raises(
        InputError,
        match=rf"format version {version}, this galsmith reads version 3; "
        "finish the run with the galsmith that made it, or start anew with `overwrite`",
    ):
        load_checkpoint(path)


def test_a_file_with_code_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    torch.save({"format_version": 3, "trainer": Path("/")}, path)
    with pytest.raises(InputError, match=r"not a readable checkpoint"):
        load_checkpoint(path)


class Opener:
    """What a pickle would call when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[Path]]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_pickle_is_refused_before_anything_reads_it(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(pickle.dumps(Opener(tmp_path / "called"), protocol=protocol))
    with pytest.raises(InputError, match=r"not a readable checkpoint \(no zip archive"):
        load_checkpoint(path)
    torch.save({"format_version": 3, "state": Opener(tmp_path / "called")}, path)
    with pytest.raises(InputError, match="not a readable checkpoint"):
        load_checkpoint(path)
    assert not (tmp_path / "called").exists()


def test_every_flipped_byte_is_told(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, make(64))
    content = path.read_bytes()
    mark = content.rindex(MARK.encode())
    rng = random_stream(1, "flips")
    for place in rng.integers(len(content), size=100):
        changed = bytearray(content)
        changed[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(changed)
        if mark <= place < mark + len(MARK):
            assert unsealed([path])
        else:
            with pytest.raises(InputError, match=r"checkpoint\.pt"):
                load_checkpoint(path)
