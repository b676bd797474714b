"""The trainings of a race: some at a time, each a process of its own pinned to cores of its own."""

import json
import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from race_plan import FamilyFolder, Plan, RaceFolder

from galsmith.errors import SettingsError

Log = Callable[[str], None]
CHILD = Path(__file__).with_name("train_one.py")
SECONDS_BETWEEN_LOOKS = 0.5
SECONDS_TO_END = 60.0
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")


def core_slots(cores: list[int], *, side_by_side: int, threads: int) -> list[list[int]]:
    """Deal cores to the trainings that run at a time.

    Raises
    ------
    SettingsError
        If there are too few.
    """
    if side_by_side * threads > len(cores):
        raise SettingsError(
            f"--side-by-side {side_by_side} times --threads {threads} needs {side_by_side * threads} cores, there are "
            f"{len(cores)}; lower one of them"
        )
    return [cores[slot * threads : (slot + 1) * threads] for slot in range(side_by_side)]


@dataclass(frozen=True)
class Trainings:
    """What all trainings of a race have in common.

    Attributes
    ----------
    plan : Plan
        Budget, threads and the rest.
    folder : RaceFolder
        Where they are kept.
    slots : list of list of int
        Cores of each of those that run at a time.
    lock : file
        The race's lock, which they hold as long as they live.
    """

    plan: Plan
    folder: RaceFolder
    slots: list[list[int]]
    lock: IO[str]


def train_all(trainings: Trainings, recipes: Mapping[str, str], log: Log) -> None:
    """Train every family that has not ended yet; one that fails leaves the others alone."""
    folder = trainings.folder
    waiting = deque(name for name in recipes if not folder.family(name).training_file.exists())
    free = deque(trainings.slots)
    running: dict[str, tuple[subprocess.Popen[bytes], list[int]]] = {}
    try:
        while waiting or running:
            while waiting and free:
                name, cores = waiting.popleft(), free.popleft()
                log(f"train {name}: starts on core {','.join(map(str, cores))}")
                running[name] = started(trainings, name, recipes[name], cores), cores
            time.sleep(SECONDS_BETWEEN_LOOKS)
            for name in [name for name, (process, _) in running.items() if process.poll() is not None]:
                process, cores = running.pop(name)
                free.append(cores)
                log(f"train {name}: {said_of_training(folder.family(name), process.returncode)}")
    finally:
        for process, _ in running.values():
            process.terminate()
        for process, _ in running.values():
            process.wait(SECONDS_TO_END)


def started(trainings: Trainings, name: str, recipe: str, cores: list[int]) -> subprocess.Popen[bytes]:
    """Start one training."""
    plan, family = trainings.plan, trainings.folder.family(name)
    family.path.mkdir(parents=True, exist_ok=True)
    command = [
        *(sys.executable, str(CHILD), recipe),
        *("--data", str(trainings.folder.training_store)),
        *("--run", str(family.run)),
        *("--minutes", str(plan.minutes)),
        *("--threads", str(plan.threads)),
        *("--cores", ",".join(map(str, cores))),
        *("--precision", plan.precision),
        *("--seed", str(plan.seed)),
        *("--cpu-log", str(family.cpu_file)),
        *("--result", str(family.training_file)),
    ]
    environment = {**os.environ, **dict.fromkeys(THREAD_VARIABLES, str(plan.threads))}
    with family.output_file.open("ab") as output:
        return subprocess.Popen(
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            pass_fds=(trainings.lock.fileno(),),
            start_new_session=True,  # Ctrl-C reaches the race alone, which then ends its trainings once
        )


def said_of_training(family: FamilyFolder, exit_code: int) -> str:
    """Say how a training ended, in one line."""
    trained = training_of(family)
    if trained is None:
        text = family.output_file.read_text(encoding="utf-8", errors="replace").strip()
        return f"ended with {exit_code}: {text.splitlines()[-1] if text else 'it said nothing'}"
    said = (
        f"{trained['seconds'] / 60:.2f} min, {trained['images_seen']:,} images seen, {trained['cpu_s']:.0f} CPU s "
        f"(and {trained['preparing_cpu_s']:.0f} before)"
    )
    return f"{said}; {trained['error']}" if trained["error"] else said


def training_of(family: FamilyFolder) -> dict[str, Any] | None:
    """Read what came out of a training; None while it has not ended."""
    if not family.training_file.exists():
        return None
    found: dict[str, Any] = json.loads(family.training_file.read_text(encoding="utf-8"))
    return found
