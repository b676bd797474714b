"""Processes that torchrun starts: they train as one does, go on as any number of them, and end together."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from galsmith.data.store import write_store
from galsmith.errors import FollowedError, SettingsError
from galsmith.execution.torchrun import NAMES, Place, ended_as_first, place_of
from galsmith.images import ImageSet
from galsmith.models.snapshot import load_snapshot, read_snapshot_page
from galsmith.training import RunSettings, read_log, read_run_settings, train
from galsmith.training.checkpoint import load_checkpoint
from galsmith.training.crew import device_of
from galsmith.training.settings import check_division

PROGRAM = """
import json, os, sys
recipe, data, output, twist = sys.argv[1:]
from galsmith.models.layers import optimization
if twist == "own gradients":
    optimization.averaged_gradients = lambda optimizers, losses, ranks: losses
if twist == "own seed" and os.environ["RANK"] == "1":
    recipe = recipe.replace('"seed": 0', '"seed": 1')
from galsmith.training import train
train(json.loads(recipe), data, output)
if twist == "twice":
    train(json.loads(recipe), data, output + "-again")
"""
NEAR = {"rtol": 0.0, "atol": 2e-4}
"""Weights are of order one and rates 3e-3; measured: 2e-6 to 2e-5."""
AFTER_MANY_STEPS = {"rtol": 0.0, "atol": 2e-2}
"""Roundings grow from step to step."""


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as some:
        some.bind(("127.0.0.1", 0))
        return int(some.getsockname()[1])


def launch(words: list[str], environment: dict[str, str]) -> subprocess.Popen[str]:
    """Start Python in a session of its own."""
    return subprocess.Popen(
        [sys.executable, *words],
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def start(recipe: Any, data: Path, output: Path, *, count: int, twist: str = "") -> subprocess.Popen[str]:
    """Start a training by torchrun."""
    program = data.parent / "program.py"
    program.write_text(PROGRAM, encoding="utf-8")
    torchrun = ["-m", "torch.distributed.run", f"--nproc-per-node={count}", f"--master-port={free_port()}"]
    return launch([*torchrun, str(program), json.dumps(recipe), str(data), str(output), twist], {})


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Wait for a training; gives its exit code and what was said."""
    try:
        said, _ = process.communicate(timeout=240)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    return process.returncode, said


def trained(recipe: Any, data: Path, output: Path, *, count: int, twist: str = "") -> Path:
    """Train to the end."""
    code, said = ended(start(recipe, data, output, count=count, twist=twist))
    assert code == 0, said
    return output


def weights(run: Path) -> torch.Tensor:
    """All weights of a run's last state, in one row."""
    state = load_checkpoint(run / "checkpoint/checkpoint.pt").trainer["generator"]
    return torch.cat([value.reshape(-1).double() for value in state.values()])


def wait_for_log(run: Path, *, images: int) -> None:
    """Wait until a run has written a line beyond some images."""
    for _ in range(2400):
        if any(line["images_seen"] >= images for line in read_log(run / "log.jsonl")):
            return
        time.sleep(0.05)
    pytest.fail("no line of the log came")


def workers_of(process: subprocess.Popen[str]) -> dict[int, int]:
    """Process ids of a launcher's processes, by their rank."""
    found = {}
    for folder in Path("/proc").iterdir():
        try:
            parent = (folder / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1]
            if int(parent) == process.pid:
                said = (folder / "environ").read_bytes().split(b"\0")
                found.update({int(word[5:]): int(folder.name) for word in said if word.startswith(b"RANK=")})
        except (OSError, IndexError, ValueError):
            continue
    return found


@pytest.fixture
def data(discs: ImageSet, tmp_path: Path) -> Path:
    write_store(tmp_path / "discs", discs)
    return tmp_path / "discs"


@pytest.fixture
def recipe(tiny_recipe: Callable[..., Any]) -> Callable[..., Any]:
    """Makes recipes that log every step."""
    return lambda family="pca_diffusion", **training: tiny_recipe(
        family, **{"log_seconds": 0, "seed": 0, **training}
    )


def assert_same_run(run: Path, wanted: Path) -> None:
    """Hold a run's log and weights against those of another."""
    logs = [read_log(path / "log.jsonl") for path in (run, wanted)]
    assert [line["images_seen"] for line in logs[0]] == [line["images_seen"] for line in logs[1]]
    losses = [[line["loss"] for line in log] for log in logs]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4, abs=2e-5)
    torch.testing.assert_close(weights(run), weights(wanted), **NEAR)


def test_two_processes_train_as_one(data, recipe, tmp_path):
    """Started as torchrun starts them, without waiting for it."""
    port = str(free_port())
    words = ["-c", PROGRAM, json.dumps(recipe(images=128)), str(data), str(tmp_path / "together"), ""]
    both = []
    for rank in "01":
        said = dict(zip(NAMES, (rank, "2", rank, "2", "127.0.0.1", port), strict=True))
        both.append(launch(words, said))
    alone = train(recipe(images=128), data, tmp_path / "alone")
    for process in both:
        code, said = ended(process)
        assert code == 0, said
    assert_same_run(tmp_path / "together", alone)
    drawn = [
        load_snapshot(run / "snapshot").generator.sample([1, 2]).pixels
        for run in (alone, tmp_path / "together")
    ]
    torch.testing.assert_close(drawn[0], drawn[1], rtol=0.0, atol=5e-3)


@pytest.mark.slow
@pytest.mark.parametrize(
    "asked",
    [
        ("pca_diffusion", 4, 256),
        ("diffusion", 2, 256),
        ("stylegan2", 2, 256),
        (
            "alae",
            2,
            96,
        ),  # later steps magnify roundings: so do they in one process whose weights are moved by 1e-7
    ],
)
def test_several_processes_train_as_one(asked, data, recipe, tmp_path):
    family, count, images = asked
    alone = train(recipe(family, images=images), data, tmp_path / "alone")
    together = trained(recipe(family, images=images), data, tmp_path / "together", count=count)
    assert_same_run(together, alone)


@pytest.mark.slow
def test_with_gradients_of_their_own_they_do_not(data, recipe, tmp_path):
    alone = train(recipe(), data, tmp_path / "alone")
    apart = trained(recipe(), data, tmp_path / "apart", count=2, twist="own gradients")
    with pytest.raises(AssertionError, match="not close"):
        torch.testing.assert_close(weights(apart), weights(alone), **NEAR)


@pytest.mark.slow
@pytest.mark.parametrize(("first", "then"), [(2, 1), (1, 2)])
def test_a_run_goes_on_with_another_number_of_processes(first, then, data, recipe, tmp_path):
    for images, count in ((320, first), (640, then)):
        trained(recipe(images=images), data, tmp_path / "changed", count=count)
        train(recipe(images=images), data, tmp_path / "alone")
    assert_same_run(tmp_path / "changed", tmp_path / "alone")


@pytest.mark.slow
def test_a_budget_of_time_ends_for_all_at_one_step(data, recipe, tmp_path):
    timed = recipe(minutes=0.05, choose_snapshot="last")
    del timed["training"]["images"]
    run = trained(timed, data, tmp_path / "run", count=2)
    page = read_snapshot_page(run / "snapshot")["card"]["training"]
    assert page["is_finished"]
    assert page["seconds"] >= 3.0


@pytest.mark.slow
def test_two_trainings_one_after_the_other(data, recipe, tmp_path):
    run = trained(recipe(), data, tmp_path / "run", count=2, twist="twice")
    assert torch.equal(weights(run), weights(tmp_path / "run-again"))


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_request_to_stop_stops_all_and_keeps_the_run(number, data, recipe, tmp_path):
    wanted = recipe(images=8_000, checkpoint_seconds=1e9)
    process = start(wanted, data, tmp_path / "run", count=2)
    wait_for_log(tmp_path / "run", images=320)
    process.send_signal(number)
    code, said = ended(process)
    assert code == 1
    assert said.count("all is kept, repeat the command to go on") == 1
    kept = load_checkpoint(tmp_path / "run/checkpoint/checkpoint.pt").state.images_seen
    assert kept == read_log(tmp_path / "run/log.jsonl")[-1]["images_seen"] < 8_000
    train(wanted, data, tmp_path / "run")
    alone = train(wanted, data, tmp_path / "alone")
    torch.testing.assert_close(weights(tmp_path / "run"), weights(alone), **AFTER_MANY_STEPS)


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_a_process_that_is_killed_ends_the_run_and_the_checkpoint_is_of_use(rank, data, recipe, tmp_path):
    wanted = recipe(images=8_000, checkpoint_seconds=0.05, log_seconds=0.05)
    process = start(wanted, data, tmp_path / "run", count=2)
    wait_for_log(tmp_path / "run", images=640)
    os.kill(workers_of(process)[rank], signal.SIGKILL)
    code, said = ended(process)
    assert code == 1
    assert rank == 1 or "lost another one" in said
    kept = load_checkpoint(tmp_path / "run/checkpoint/checkpoint.pt").state.images_seen
    assert 0 < kept < 8_000
    trained(wanted, data, tmp_path / "run", count=2)
    alone = train(wanted, data, tmp_path / "alone")
    torch.testing.assert_close(weights(tmp_path / "run"), weights(alone), **AFTER_MANY_STEPS)


@pytest.mark.slow
def test_a_process_of_other_settings_is_refused(data, recipe, tmp_path):
    code, said = ended(start(recipe(), data, tmp_path / "run", count=2, twist="own seed"))
    assert code == 1
    assert "process 1 was started with other settings, precision or data than" in said


@pytest.mark.slow
def test_a_fault_that_all_have_is_said_once(data, recipe, tmp_path):
    code, said = ended(start(recipe(batch_size=33), data, tmp_path / "run", count=2))
    assert code == 1
    assert said.count("SettingsError: `training.batch_size=33`: is not divided by 2 processes") == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("training", "count", "match"),
    [
        (
            {"batch_size": 32},
            3,
            "batch_size=32`: is not divided by 3 processes; wanted a multiple of 3, such as 30",
        ),
        ({"batch_size": 2}, 3, "wanted a multiple of 3, such as 3"),
        ({"batch_size": 32, "accumulate": 3}, 1, "is not divided by 3 parts; wanted a multiple of 3"),
        ({"batch_size": 32, "accumulate": 3}, 2, "is not divided by 2 processes times 3 parts"),
    ],
)
def test_a_batch_that_is_not_divided_is_refused(training, count, match, recipe):
    settings = read_run_settings(recipe(**training), minutes=None, images=None, seed=None, overrides=())
    with pytest.raises(SettingsError, match=match):
        check_division(settings, count)


def test_families_that_one_process_trains_and_those_without_parts_say_so(recipe):
    def read(**training: Any) -> RunSettings:
        return read_run_settings(
            recipe("vae", **training), minutes=None, images=None, seed=None, overrides=()
        )

    with pytest.raises(SettingsError, match="vae cannot be trained by 2 processes together"):
        check_division(read(), 2)
    with pytest.raises(SettingsError, match="accumulate=4`: vae takes the gradients of a batch at once"):
        check_division(read(accumulate=4), 1)
    check_division(read(accumulate=1), 1)


def test_parts_of_a_batch_are_a_setting_that_may_change(discs, recipe, tmp_path):
    whole = train(recipe(), discs, tmp_path / "whole")
    parts = train(recipe(accumulate=4), discs, tmp_path / "parts")
    assert_same_run(parts, whole)
    for path, accumulate in (("whole", 2), ("parts", None)):
        train(recipe(images=640, accumulate=accumulate), discs, tmp_path / path)
    assert_same_run(tmp_path / "parts", tmp_path / "whole")


def environment(**other: str) -> dict[str, str]:
    """What torchrun sets in the second of two processes."""
    said = ("1", "2", "1", "2", "127.0.0.1", "29500")
    return {**dict(zip(NAMES, said, strict=True)), **other}


def test_torchrun_says_which_process_this_is():
    assert place_of({}) == place_of({"WORLD_SIZE": "1", "RANK": "0"}) == Place()
    assert place_of(environment()) == Place(1, 2, 1, 2)
    assert not place_of(environment()).is_first


def test_what_torchrun_would_not_say_is_refused():
    missing = environment(RANK="")
    with pytest.raises(SettingsError, match="WORLD_SIZE=2 and not RANK; start with torchrun"):
        place_of(missing)
    with pytest.raises(SettingsError, match=r"RANK=one, .*wanted whole numbers"):
        place_of(environment(RANK="one"))
    with pytest.raises(SettingsError, match=r"process 2 of 2 .*wanted numbers from 0 below"):
        place_of(environment(RANK="2"))


def test_each_process_has_a_device_of_its_own(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert device_of(Place(), "cuda:1") == "cuda:1"
    assert device_of(Place(3, 4, 1, 2), "cuda") == "cuda:1"
    assert device_of(Place(3, 4, 1, 2), "cpu") == "cpu"
    with pytest.raises(SettingsError, match="device=cuda:0`: is one GPU, and each of 2 processes"):
        device_of(Place(0, 2, 0, 2), "cuda:0")
    with pytest.raises(SettingsError, match=r"3 processes .* want a GPU each, and it has 2; start 2 on each"):
        device_of(Place(0, 3, 0, 3), "cuda")


def test_only_the_first_process_says_what_all_find_out(monkeypatch):
    monkeypatch.setattr("galsmith.execution.torchrun.SECONDS_TO_SPEAK", 0.0)
    with pytest.raises(SettingsError, match="wrong"), ended_as_first(Place(0, 2, 0, 2)):
        raise SettingsError("wrong")
    with pytest.raises(FollowedError, match="exit code 2") as caught, ended_as_first(Place(1, 2, 1, 2)):
        raise SettingsError("wrong")
    assert caught.value.exit_code == 2
