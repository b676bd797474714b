"""The demo's steps, one function each: what is done is skipped, and each ends with one line."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from galsmith.cli.demo import plan as demo_plan
from galsmith.cli.demo.plan import (
    CARD_FILE,
    GENERATED_SET,
    GENERATED_TABLE,
    REFERENCE_SET,
    REFERENCE_TABLE,
    REPORT_FOLDER,
    RUN_FOLDER,
    TIMING,
    TRAINING_SET,
)
from galsmith.cli.device import choose_device, choose_precision
from galsmith.cli.options import Shown
from galsmith.cli.outcome import Outcome, duration_text
from galsmith.cli.summaries import mean_numbers
from galsmith.data.options import SetOptions
from galsmith.data.store.layout import DESCRIPTION_FILE
from galsmith.execution import ProgressEvent, available_cores
from galsmith.provenance import hash_json

if TYPE_CHECKING:
    from galsmith.report.calls import Spelling


@dataclass(frozen=True)
class Demo:
    """A demo under way.

    Attributes
    ----------
    folder : Path
        Where everything lies.
    plan : dict
        As written in the folder.
    device : str
        Where to train and to draw.
    shown : Shown
        What the user wants to see.
    spelling : Spelling
        How the page writes what it advises.
    numbers : dict
        Key numbers of the steps, for the last line.
    """

    folder: Path
    plan: dict[str, Any]
    device: str
    shown: Shown
    spelling: "Spelling"
    numbers: dict[str, Any]


def run_demo(
    output: Path, *, minutes: float, spelling: "Spelling", device: str, overwrite: bool, shown: Shown
) -> Outcome:
    """Run the steps that are not done yet and say where the page is."""
    from galsmith.files import grown_folder

    fingerprint = hash_json(demo_plan.first_plan(minutes))
    with grown_folder(output, demo_plan.demo_kind(), fingerprint, overwrite=overwrite) as folder:
        plan = demo_plan.plan_for(folder, minutes=minutes)
        demo = Demo(folder, plan, choose_device(device), shown, spelling, {})
        for number, step in enumerate(STEPS, start=1):
            started = time.monotonic()
            line = step(demo)
            if not (shown.quiet or shown.json):
                print(
                    f"[{number}/{len(STEPS)}] {line} ({duration_text(time.monotonic() - started)})",
                    flush=True,
                )
    return Outcome(
        verb="demo",
        summary="open this page in any browser",
        output=output / REPORT_FOLDER / "index.html",
        numbers={"n_measured": plan["n_measured"], **demo.numbers},
    )


def simulate_training_set(demo: Demo) -> str:
    """Simulate the galaxies to learn from."""
    folder = demo.folder / TRAINING_SET
    _simulated(demo, folder, n=demo_plan.N_TRAINING, seed=demo_plan.TRAINING_SEED)
    return f"{demo_plan.N_TRAINING:,} galaxies to learn from: {folder}"


def simulate_reference_set(demo: Demo) -> str:
    """Simulate the galaxies to judge by."""
    folder = demo.folder / REFERENCE_SET
    _simulated(demo, folder, n=demo_plan.N_REFERENCE, seed=demo_plan.REFERENCE_SEED)
    return f"{demo_plan.N_REFERENCE:,} galaxies to judge by, which the model never sees: {folder}"


def train_model(demo: Demo) -> str:
    """Train the demo's recipe within its time."""
    from galsmith.training import train

    recipe, minutes = demo_plan.TRAINING_RECIPE, demo.plan["minutes"]
    with demo.shown.progress() as progress:
        train(
            recipe,
            demo.folder / TRAINING_SET,
            demo.folder / RUN_FOLDER,
            minutes=minutes,
            seed=demo_plan.MODEL_SEED,
            device=demo.device,
            precision=choose_precision("auto", device=demo.device),
            progress=progress,
        )
    return f"a model trained for {minutes:g} minutes on {demo.device}: {demo.folder / RUN_FOLDER}"


def draw_galaxies(demo: Demo) -> str:
    """Draw new galaxies."""
    from galsmith.sampling import sample

    output = demo.folder / GENERATED_SET
    if not (output / DESCRIPTION_FILE).exists():
        with demo.shown.progress() as progress:
            sample(
                demo.folder / RUN_FOLDER,
                output,
                n=demo_plan.N_GENERATED,
                seed=demo_plan.SAMPLING_SEED,
                device=demo.device,
                progress=progress,
            )
    return f"{demo_plan.N_GENERATED:,} galaxies drawn by the model: {output}"


def measure_both_sets(demo: Demo) -> str:
    """Measure as many galaxies of both sets as the time allows."""
    folder, workers = demo.folder, available_cores()
    if "n_measured" not in demo.plan:
        rate = _measuring_rate(demo, workers=workers)
        demo.plan["n_measured"] = demo_plan.number_to_measure(rate)
        demo_plan.remember(folder, demo.plan)
    count = demo.plan["n_measured"]
    tables = folder / REFERENCE_TABLE, folder / GENERATED_TABLE
    for store, table in zip((REFERENCE_SET, GENERATED_SET), tables, strict=True):
        _measured(demo, folder / store, table, limit=count)
    return f"{count} galaxies of each set measured on {workers} cores: {tables[0]} {tables[1]}"


def compare_sets(demo: Demo) -> str:
    """Compare the drawn galaxies with the reference."""
    from galsmith.compare import read_card
    from galsmith.judging import judge

    folder = demo.folder
    if not (folder / CARD_FILE).exists():
        with demo.shown.progress() as progress:
            judge(
                folder / REFERENCE_TABLE,
                {"generated": folder / GENERATED_TABLE},
                folder / CARD_FILE,
                training=folder / TRAINING_SET,
                progress=progress,
            )
    card = read_card(folder / CARD_FILE)
    demo.numbers.update(mean_numbers(card.judgment().comparison))
    return f"{card.summary}: {folder / CARD_FILE}"


def write_page(demo: Demo) -> str:
    """Write the page."""
    from galsmith.report import write_report

    page = demo.folder / REPORT_FOLDER / "index.html"
    if not page.exists():
        with demo.shown.progress() as progress:
            write_report(
                demo.folder / CARD_FILE,
                demo.folder / REPORT_FOLDER,
                spelling=demo.spelling,
                progress=progress,
            )
    return f"a page with pictures, histograms and the table: {page}"


STEPS = (
    simulate_training_set,
    simulate_reference_set,
    train_model,
    draw_galaxies,
    measure_both_sets,
    compare_sets,
    write_page,
)


def _simulated(demo: Demo, output: Path, *, n: int, seed: int) -> None:
    """Simulate a set whose galaxies are all of one split, unless it is there."""
    from galsmith.data.simulate import sersic

    if (output / DESCRIPTION_FILE).exists():
        return
    with demo.shown.progress() as progress:
        sersic(
            output,
            n=n,
            seed=seed,
            recipe=demo_plan.SIMULATION_RECIPE,
            options=SetOptions(split=(1.0, 0.0, 0.0)),
            progress=progress,
        )


def _measured(demo: Demo, store: Path, table: Path, *, limit: int) -> None:
    """Measure a set, unless its table is there."""
    from galsmith.measure import measure

    if table.exists():
        return
    with demo.shown.progress() as progress:
        measure(store, table, workers=available_cores(), limit=limit, progress=progress)


def _measuring_rate(demo: Demo, *, workers: int) -> float:
    """Galaxies a second on all cores, from measuring a few of the reference set."""
    from galsmith.measure import measure

    count = demo_plan.N_TIMED_PER_WORKER * workers
    watch = _Stopwatch(n_warming_up=count // 2)
    measure(
        demo.folder / REFERENCE_SET,
        demo.folder / TIMING,
        workers=workers,
        limit=count,
        overwrite=True,
        progress=watch,
    )
    return watch.rate


class _Stopwatch:
    """Takes the rate after the first galaxies, so that starting the workers does not count.

    Parameters
    ----------
    n_warming_up : int
        How many galaxies are not timed.
    """

    def __init__(self, *, n_warming_up: int) -> None:
        self._n_warming_up = n_warming_up
        self._started = time.monotonic()
        self._marks: list[tuple[float, float]] = []

    def __call__(self, event: ProgressEvent) -> None:
        """Note how far the work is."""
        if event.done > 0:
            self._marks.append((time.monotonic(), event.done))

    @property
    def rate(self) -> float:
        """Galaxies a second."""
        if not self._marks:
            return 0.0
        warm = next((mark for mark in self._marks if mark[1] >= self._n_warming_up), self._marks[-1])
        (first, done_first), (last, done_last) = warm, self._marks[-1]
        if done_last > done_first and last > first:
            return (done_last - done_first) / (last - first)
        return done_last / (last - self._started)
