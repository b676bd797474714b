import json
import math
from pathlib import Path

import pytest
import torch

from galsmith.training.listeners import TrainingLog, read_log
from galsmith.training.loop import StepReport

CPU = torch.device("cpu")


def report(images_seen: int, seconds: float, loss: float) -> StepReport:
    return StepReport(images_seen, seconds, 0.0, 0.5, {"loss": loss}, math.isfinite(loss))


def test_a_line_averages_the_good_steps_since_the_last_one(tmp_path: Path) -> None:
    log = TrainingLog(tmp_path / "log.jsonl", images_seen=0, log_seconds=10.0, device=CPU)
    for step, loss in enumerate([1.0, 3.0, math.nan, 5.0, 7.0]):
        log(report(100 * (step + 1), 5.0 * (step + 1), loss))
    log.close()
    lines = read_log(tmp_path / "log.jsonl")
    assert [line["images_seen"] for line in lines] == [300, 500]
    assert [line["loss"] for line in lines] == [2.0, 6.0]
    assert [line["bad_steps"] for line in lines] == [1, 0]
    assert [line["images_per_s"] for line in lines] == [20.0, 20.0]


def test_lines_of_steps_that_a_killed_run_lost_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text('{"images_seen": 100}\n{"images_seen": 200}\n{"images_seen": 300}\n{"images_se')
    TrainingLog(path, images_seen=200, log_seconds=1.0, device=CPU).close()
    assert [json.loads(text)["images_seen"] for text in path.read_text().splitlines()] == [100, 200]


def test_steps_that_were_all_bad_have_a_line_without_a_loss(tmp_path: Path) -> None:
    log = TrainingLog(tmp_path / "log.jsonl", images_seen=0, log_seconds=0.0, device=CPU)
    log(report(100, 1.0, math.nan))
    log.close()
    (line,) = read_log(tmp_path / "log.jsonl")
    assert "loss" not in line
    assert line["bad_steps"] == 1


def test_tensorboard_files_are_written_where_it_is_installed(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="TensorBoard is an extra")
    log = TrainingLog(
        tmp_path / "log.jsonl", images_seen=0, log_seconds=0.0, device=CPU, tensorboard=tmp_path / "board"
    )
    log(report(100, 1.0, 2.0))
    log.close()
    assert [file.name.split(".")[0] for file in (tmp_path / "board").iterdir()] == ["events"]


def test_tensorboard_missing_is_said_and_training_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    TrainingLog(
        tmp_path / "log.jsonl", images_seen=0, log_seconds=0.0, device=CPU, tensorboard=tmp_path / "board"
    ).close()
    assert "TensorBoard is not installed" in caplog.text
    assert not (tmp_path / "board").exists()
