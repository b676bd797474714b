"""Train every family on the same galaxies for the same time, draw the same number, judge them in one call.

    nohup python benchmarks/race/benchmark_race.py --data sersic --minutes 8 -o runs/race-sersic &
    python benchmarks/race/benchmark_race.py -o runs/race-sersic --status
    python benchmarks/race/benchmark_race.py -o runs/race-sersic --publish docs/results/race-sersic

Every step that is done is skipped, and trainings go on from their last checkpoint: repeat the command after a kill.
`race.log` has one line a step, `table.md` and `table.ecsv` the result, `report/index.html` the page.
"""

import argparse
import contextlib
import fcntl
import json
import os
import platform
import shlex
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import IO, Any

from race_data import make_sets
from race_judging import draw_all, judge_all, measure_all, trained_families
from race_plan import (
    CONTESTANTS,
    DATA,
    Plan,
    RaceFolder,
    chosen_recipes,
    claim_folder,
    estimated_minutes,
)
from race_results import publish
from race_status import status_lines
from race_table import rows_of, winner_sentence, write_table
from race_training import Trainings, core_slots, said_of_training, train_all, training_of

from galsmith.errors import GalsmithError, SettingsError

SECONDS_TO_WAIT_FOR_LOCK = 20.0
PACKAGES = ("galsmith", "torch", "numpy", "scipy", "numba", "scikit-learn", "astropy")
N_REFERENCE = {"sersic": 2000, "efigi": 1000}


def main() -> int:
    """Race, or say how far a race is, or publish it."""
    arguments = parsed_arguments()
    folder = RaceFolder(arguments.output)
    try:
        if arguments.status:
            print("\n".join(status_lines(folder)))
        elif arguments.publish is not None:
            publish(folder, arguments.publish)
        else:
            with race_lock(folder) as lock:
                race(arguments, folder, lock)
    except GalsmithError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print(f"stopped; {folder.path} keeps all, repeat the command to go on", file=sys.stderr)
        return 130
    return 0


def parsed_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", choices=DATA, default="sersic")
    parser.add_argument("--images", type=Path, help="folder of EFIGI's pictures, for --data efigi")
    parser.add_argument("--families", nargs="+", metavar="FAMILY", help=f"of {', '.join(CONTESTANTS)}; all")
    parser.add_argument(
        "--recipe", action="append", default=[], metavar="FAMILY=RECIPE", help="instead of the shipped one"
    )
    parser.add_argument("--minutes", type=float, default=8.0, help="budget of each training")
    parser.add_argument("--threads", type=int, default=1, help="of each training")
    parser.add_argument(
        "--side-by-side", type=int, default=2, help="trainings at a time, each on cores of its own"
    )
    parser.add_argument("-n", "--drawn", type=int, default=2000, help="galaxies drawn from each family")
    parser.add_argument("--measured", type=int, help="galaxies measured of each set; 2000, of EFIGI 1000")
    parser.add_argument("--training", type=int, default=20_000, help="training images, at most")
    parser.add_argument("--reference", type=int, help="held-out images; 2000, of EFIGI 1000")
    parser.add_argument("--features", default="", help="such as efficientnet-lite0; none otherwise")
    parser.add_argument("--features-images", type=int, default=1000, help="images of each set for features")
    parser.add_argument(
        "--no-memorization", action="store_true", help="do not look for copies of training images"
    )
    parser.add_argument("--precision", choices=["auto", "float32", "bfloat16"], default="auto")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/race"), help="folder for everything")
    parser.add_argument("--status", action="store_true", help="only say how far the race in -o is")
    parser.add_argument(
        "--publish", type=Path, metavar="FOLDER", help="only write the result's page and figures there"
    )
    return parser.parse_args()


def race(arguments: argparse.Namespace, folder: RaceFolder, lock: IO[str]) -> None:
    """Go through all steps."""
    cores = sorted(os.sched_getaffinity(0))
    plan = planned(arguments)
    replaced = dict(entry.split("=", 1) for entry in arguments.recipe)
    recipes = chosen_recipes(arguments.families, plan.data, replaced)
    slots = core_slots(cores, side_by_side=arguments.side_by_side, threads=plan.threads)
    claim_folder(folder, plan)
    log = log_to(folder.log_file)
    note_start(folder, arguments, recipes, cores)
    say_estimate(plan, list(recipes), side_by_side=len(slots), cores=len(cores), log=log)
    left_out = sorted(set(arguments.families or CONTESTANTS) - set(recipes))
    if left_out:
        log(f"left out, as there is no recipe: {', '.join(left_out)}")
    make_sets(plan, folder, arguments.images, log)
    train_all(Trainings(plan, folder, slots, lock), recipes, log)
    for name in recipes:
        log(f"trained {name}: {said_of_training(folder.family(name), 0)}")
    names = draw_all(plan, folder, trained_families(folder, list(recipes)), cores=len(cores), log=log)
    if not names:
        raise SettingsError(
            f"{folder.path}: no family could be trained and drawn from; see {folder.log_file.name}"
        )
    measure_all(plan, folder, names, cores=len(cores), log=log)
    judge_all(plan, folder, names, memorization=not arguments.no_memorization, cores=len(cores), log=log)
    log(conclude(folder, plan))


def planned(arguments: argparse.Namespace) -> Plan:
    """Make a plan of the command line."""
    n_reference = arguments.reference if arguments.reference is not None else N_REFERENCE[arguments.data]
    measured = arguments.measured if arguments.measured is not None else N_REFERENCE[arguments.data]
    return Plan(
        data=arguments.data,
        minutes=arguments.minutes,
        threads=arguments.threads,
        n_drawn=arguments.drawn,
        n_measured=min(measured, arguments.drawn, n_reference),
        n_training=arguments.training,
        n_reference=n_reference,
        features=arguments.features,
        n_features=min(arguments.features_images, arguments.drawn, n_reference),
        precision=arguments.precision,
        seed=arguments.seed,
    )


def conclude(folder: RaceFolder, plan: Plan) -> str:
    """Write the table and give the sentence on top of it."""
    from galsmith.compare import read_card

    card = read_card(folder.card_file)
    names = [item.name for item in card.judgments]
    trainings = {name: training_of(folder.family(name)) or {} for name in names}
    drawings = {
        name: json.loads(folder.family(name).speed_file.read_text(encoding="utf-8")) for name in names
    }
    rows = rows_of(card, trainings, drawings)
    sentence = winner_sentence(rows, card)
    write_table(rows, folder.table_file, winner=sentence, meta={"plan": vars(plan), "mean_w1": "headline"})
    return f"table: {sentence}"


def say_estimate(
    plan: Plan, families: list[str], *, side_by_side: int, cores: int, log: Callable[[str], None]
) -> None:
    """Say how long a race takes from its beginning."""
    steps = estimated_minutes(plan, families, side_by_side=side_by_side, cores=cores)
    named = ", ".join(f"{name} {minutes:.0f}" for name, minutes in steps.items())
    log(
        f"race of {len(families)} families on {plan.data}: about {sum(steps.values()):.0f} minutes from nothing ({named})"
    )


def log_to(path: Path) -> Callable[[str], None]:
    """Make a log that appends a line with the time of day, and prints it."""

    def log(text: str) -> None:
        line = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}  {text}"
        print(line, flush=True)
        with path.open("a", encoding="utf-8") as stream:
            stream.write(line + "\n")

    return log


def note_start(
    folder: RaceFolder, arguments: argparse.Namespace, recipes: Mapping[str, str], cores: list[int]
) -> None:
    """Write down the circumstances of this start."""
    note: dict[str, Any] = {
        "time": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "command": command_without_places(sys.argv[1:]),
        "recipes": dict(recipes),
        "side_by_side": arguments.side_by_side,
        "threads": arguments.threads,
        "cores": len(cores),
        "load": [round(value, 2) for value in os.getloadavg()],
        "processor": processor_name(),
        "python": platform.python_version(),
        "versions": {name: metadata.version(name) for name in PACKAGES},
    }
    with folder.starts_file.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(note) + "\n")


def command_without_places(given: list[str]) -> str:
    """Write the command as anybody would repeat it: folders of this machine are named by what they hold."""
    words, named = [], {"--images": "EFIGI", "-o": "RACE", "--output": "RACE"}
    for before, word in zip(["", *given], given, strict=False):
        words.append(named.get(before, word))
    return shlex.join(["python", "benchmarks/race/benchmark_race.py", *words])


def processor_name() -> str:
    """Name the processor, where Linux tells."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def stop(*_: object) -> None:
    """Take a request to end as Ctrl-C, which a shell may have made a job in the background ignore."""
    raise KeyboardInterrupt


@contextlib.contextmanager
def race_lock(folder: RaceFolder) -> Iterator[IO[str]]:
    """Let one race at a time work in a folder; trainings that an earlier one left end within seconds.

    Raises
    ------
    SettingsError
        If another race works there.
    """
    folder.path.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, stop)
    until = time.monotonic() + SECONDS_TO_WAIT_FOR_LOCK
    with folder.lock_file.open("a", encoding="utf-8") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > until:
                    raise SettingsError(
                        f"{folder.path}: another race works here; look at it with --status"
                    ) from error
                time.sleep(0.5)
        yield lock


if __name__ == "__main__":
    sys.exit(main())
