"""Drawing from every snapshot on the device, measuring on its host's cores, and judging as the paper does."""

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from device_set import REFERENCE_SEED, paper_settings

import galsmith
from galsmith.compare import PAPERS
from galsmith.data.options import SetOptions
from galsmith.data.store import is_store
from galsmith.execution import available_cores
from galsmith.judging import judge
from galsmith.measure import MeasureSettings

sys.path.append(str(Path(__file__).resolve().parents[1] / "race"))
from race_table import as_markdown, rows_of, winner_sentence, write_table

PAPER = "holzschuh2022-sersic"
PAPER_SIZE_PIX = 256


def judge_families(
    standings: Mapping[str, Mapping[str, Any]], work: Path, *, n: int, size_pix: int, device: torch.device
) -> str:
    """Judge all families against held-out galaxies by the paper's choices, and write card and table to `work`.

    Parameters
    ----------
    standings : mapping
        What `device_training.read_standing` gives, by family.
    work : Path
        Where the snapshots are.
    n : int
        Galaxies of each set.
    size_pix : int
        Side of the images.
    device : torch.device
        Where to draw.

    Returns
    -------
    str
        The table, in Markdown.
    """
    settings = MeasureSettings(**PAPERS[PAPER].measure)
    reference = work / "reference"
    if not is_store(reference):
        galsmith.simulate.sersic(
            reference,
            n=n,
            seed=REFERENCE_SEED,
            recipe=paper_settings(size_pix).model_dump(mode="json"),
            options=SetOptions(split=(0.0, 0.0, 1.0)),
            overwrite=True,
        )
    drawings: dict[str, dict[str, float]] = {}
    for name in standings:
        started = time.perf_counter()
        galsmith.sampling.sample(work / name, work / name / "drawn", n=n, device=str(device), overwrite=True)
        drawings[name] = {"galaxies_per_s": n / (time.perf_counter() - started), "threads": available_cores()}
    tables = {
        name: _measured(work / name / "drawn", work / name / "drawn.parquet", settings) for name in standings
    }
    card = judge(
        _measured(reference, work / "reference.parquet", settings),
        tables,
        work / "card.json",
        paper=PAPER if size_pix == PAPER_SIZE_PIX else None,
        overwrite=True,
        workers=available_cores(),
    )
    trainings = {name: {**standing, "cpu_s": float("nan")} for name, standing in standings.items()}
    rows = rows_of(card, trainings, drawings)
    winner = winner_sentence(rows, card)
    write_table(rows, work / "table.ecsv", winner=winner, meta={"paper": PAPER, "n": n})
    return f"{winner}\n\n{as_markdown(rows)}"


def _measured(store: Path, table: Path, settings: MeasureSettings) -> Path:
    """Measure a store on all cores."""
    galsmith.measure.measure(store, table, workers=available_cores(), settings=settings, overwrite=True)
    return table
