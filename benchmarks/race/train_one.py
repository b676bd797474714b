"""One training of a race, in a process of its own on cores of its own, with its processor time kept."""

import argparse
import itertools
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

SECONDS_BETWEEN_LINES = 5.0
INTERRUPTED = 130


def main() -> int:
    """Train one family; 0 when the budget is spent, 130 when stopped, 1 when it failed."""
    arguments = parsed_arguments()
    os.sched_setaffinity(0, {int(core) for core in arguments.cores.split(",")})
    import torch

    import galsmith
    from galsmith.cli.device import choose_precision
    from galsmith.errors import GalsmithError, InterruptedRunError
    from galsmith.files import write_json

    torch.set_num_threads(arguments.threads)
    precision = choose_precision(arguments.precision, device="cpu")
    error = ""
    with CpuLog(arguments.cpu_log) as log:
        try:
            galsmith.training.train(
                arguments.recipe,
                arguments.data,
                arguments.run,
                minutes=arguments.minutes,
                overrides=("training.sample_grids=0",),
                seed=arguments.seed,
                precision=precision,
                progress=log,
            )
        except InterruptedRunError as stopped:
            print(stopped)
            return INTERRUPTED
        except GalsmithError as failed:
            error = str(failed)
    lines = [json.loads(line) for line in arguments.cpu_log.read_text(encoding="utf-8").splitlines()]
    write_json(
        arguments.result,
        {"error": error, "precision": precision, **outcome(arguments.run), **counted_cpu(lines)},
    )
    print(error or "trained")
    return 1 if error else 0


def parsed_arguments() -> argparse.Namespace:
    """Read the command line, which `benchmark_race.py` writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipe")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cores", required=True, help="numbers of the cores to run on, between commas")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cpu-log", type=Path, required=True)
    parser.add_argument("--result", type=Path, required=True)
    return parser.parse_args()


class CpuLog:
    """Writes down processor seconds against trained seconds, and stops the training when the race is gone.

    Parameters
    ----------
    path : Path
        Gets one JSON object a line; lines of earlier processes stay.
    """

    def __init__(self, path: Path) -> None:
        self._stream = path.open("a", encoding="utf-8")
        self._parent, self._session = os.getppid(), f"{os.getpid()} {time.time():.0f}"
        self._written_at, self._stage, self._is_ending = -SECONDS_BETWEEN_LINES, "", False
        self._last: dict[str, Any] = {}

    def __enter__(self) -> "CpuLog":
        """Return the log."""
        return self

    def __exit__(self, *_: object) -> None:
        """Write the last line and close the file."""
        self._write()
        self._stream.close()

    def __call__(self, event: Any) -> None:
        """Take in a progress event."""
        if event.stage != self._stage:
            self._write()
        self._stage = event.stage
        self._last = {
            "session": self._session,
            "stage": event.stage,
            "trained_s": event.done if event.stage == "training" else None,
            "cpu_s": time.process_time(),
        }
        if time.monotonic() - self._written_at >= SECONDS_BETWEEN_LINES:
            self._write()
        if os.getppid() != self._parent and not self._is_ending:
            self._is_ending = True
            os.kill(os.getpid(), signal.SIGTERM)  # the loop keeps its state and ends

    def _write(self) -> None:
        """Write the last state down."""
        if self._last:
            self._stream.write(json.dumps(self._last) + "\n")
            self._stream.flush()
            self._written_at = time.monotonic()


def counted_cpu(lines: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Processor seconds of the training that counts, over all processes that worked on it.

    A killed process loses what it did after its last checkpoint: what a later one did again is counted once.

    Parameters
    ----------
    lines : sequence of dict
        As `CpuLog` wrote them: ``session``, ``stage``, ``trained_s``, ``cpu_s``.

    Returns
    -------
    dict
        ``cpu_s`` of the training loop; ``preparing_cpu_s`` of the first process before it (imports, fits).
    """
    sessions: dict[str, list[dict[str, Any]]] = {}
    for line in lines:
        sessions.setdefault(line["session"], []).append(line)
    curves, preparing = [], 0.0
    for number, members in enumerate(sessions.values()):
        before = [item["cpu_s"] for item in members if item["stage"] != "training"]
        curve = [(item["trained_s"], item["cpu_s"]) for item in members if item["stage"] == "training"]
        if number == 0 and before:
            preparing = before[-1]
            curve.insert(0, (0.0, preparing))
        if curve:
            curves.append(curve)
    ends = [curve[0][0] for curve in curves[1:]] + [float("inf")]
    return {
        "cpu_s": sum(cpu_until(curve, end) for curve, end in zip(curves, ends, strict=True)),
        "preparing_cpu_s": preparing,
    }


def cpu_until(curve: Sequence[tuple[float, float]], end: float) -> float:
    """Processor seconds from a curve's beginning to a trained second, between its points by a straight line."""
    used = 0.0
    for (before, cpu_before), (after, cpu_after) in itertools.pairwise(curve):
        if before >= end:
            break
        share = 1.0 if after <= end else (end - before) / (after - before)
        used += share * (cpu_after - cpu_before)
    return used


def outcome(run: Path) -> dict[str, Any]:
    """Read how far a run came and how large its generator is."""
    from galsmith.models.snapshot import load_snapshot

    snapshot = load_snapshot(run / "snapshot")
    training = snapshot.card["training"]
    return {
        "family": snapshot.family.name,
        "parameters": sum(parameter.numel() for parameter in snapshot.generator.parameters()),
        "images_seen": training["images_seen"],
        "seconds": training["seconds"],
        "bad_steps": training["bad_steps"],
    }


if __name__ == "__main__":
    sys.exit(main())
