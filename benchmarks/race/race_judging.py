"""After the trainings: draw from every family, measure all sets, and judge them in one call."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from race_data import is_complete
from race_plan import FamilyFolder, Plan, RaceFolder

import galsmith
from galsmith.compare import ReportCard, read_card
from galsmith.errors import GalsmithError
from galsmith.files import write_json
from galsmith.judging import judge
from galsmith.models.devices import usable_device
from galsmith.models.snapshot import find_snapshot
from galsmith.sampling.source import GalaxySource

DRAWING_SEED = 0
Log = Callable[[str], None]


def draw_all(plan: Plan, folder: RaceFolder, names: Sequence[str], *, cores: int, log: Log) -> list[str]:
    """Draw from every family that has a snapshot, one after another on all cores; give those that could.

    A family whose galaxies cannot be drawn, as pixels are not finite, is left out, and the log says why.
    """
    import torch

    torch.set_num_threads(cores)
    drawn = []
    for name in names:
        family = folder.family(name)
        if not is_complete(family.drawn_store) or not family.speed_file.exists():
            try:
                speed = draw_one(plan, family)
            except GalsmithError as error:
                log(f"draw {name}: left out, {error}")
                continue
            write_json(family.speed_file, {"galaxies_per_s": speed, "threads": cores})
            log(f"draw {name}: {plan.n_drawn:,} galaxies, {speed:.3g} a second")
        drawn.append(name)
    return drawn


def draw_one(plan: Plan, family: FamilyFolder) -> float:
    """Draw from one family and give its galaxies a second.

    The drawing itself is timed; one that goes on after a kill is not, so a batch is drawn for the clock.
    """
    is_undisturbed = not family.drawn_store.exists()
    started = time.perf_counter()
    if not is_complete(family.drawn_store):
        galsmith.sampling.sample(family.run, family.drawn_store, n=plan.n_drawn, seed=DRAWING_SEED)
    elapsed = time.perf_counter() - started
    return plan.n_drawn / elapsed if is_undisturbed else speed_of_a_batch(family.run)


def speed_of_a_batch(run: Path) -> float:
    """Galaxies a second, with their way back to flux units."""
    source = GalaxySource(find_snapshot(run), seed=DRAWING_SEED, device=usable_device("cpu"))
    started = time.perf_counter()
    source.batch(0)
    return source.batch_size / (time.perf_counter() - started)


def measure_all(plan: Plan, folder: RaceFolder, names: Sequence[str], *, cores: int, log: Log) -> None:
    """Measure the reference and every drawn set."""
    sets = {"reference": (folder.reference_store, folder.reference_table)}
    sets |= {name: (folder.family(name).drawn_store, folder.family(name).table) for name in names}
    for name, (store, table) in sets.items():
        if not table.exists():
            started = time.perf_counter()
            measured = galsmith.measure.measure(store, table, workers=cores, limit=plan.n_measured)
            good = int(np.sum(np.asarray(measured["flag"]) == 0))
            log(
                f"measure {name}: {len(measured):,} galaxies ({good:,} without a flag) in {seconds_since(started)}"
            )


def judge_all(
    plan: Plan, folder: RaceFolder, names: Sequence[str], *, memorization: bool, cores: int, log: Log
) -> ReportCard:
    """Judge all families against the one reference, and write the page; nothing if both are there for them."""
    if folder.card_file.exists():
        card = read_card(folder.card_file)
        if [item.name for item in card.judgments] == list(names) and folder.report_folder.exists():
            return card
    started = time.perf_counter()
    tables = {name: folder.family(name).table for name in names}
    card = judge(
        folder.reference_table,
        tables,
        folder.card_file,
        training=folder.training_store if memorization else None,
        features=[plan.features] if plan.features else [],
        seed=plan.seed,
        limit=plan.n_features,
        workers=cores,
        overwrite=True,
    )
    log(f"judge: {len(names)} sets in {seconds_since(started)}")
    galsmith.report.write_report(folder.card_file, folder.report_folder, overwrite=True)
    log("report: report/index.html")
    return card


def trained_families(folder: RaceFolder, names: Sequence[str]) -> list[str]:
    """Families whose training ended with a snapshot, also one that diverged on the way."""
    return [name for name in names if _has_snapshot(folder.family(name))]


def _has_snapshot(family: FamilyFolder) -> bool:
    """Whether a training ended and left something to draw from."""
    return family.training_file.exists() and (family.run / "snapshot").is_dir()


def seconds_since(started: float) -> str:
    """Wall-clock time since then, for the log."""
    return f"{time.perf_counter() - started:.0f} s"
