"""What the command line says of a table of measurements."""

from pathlib import Path

import numpy as np
from astropy.table import QTable

from galsmith.cli.outcome import Outcome
from galsmith.execution import ProgressCallback


def outcome_of_table(table: QTable, output: Path) -> Outcome:
    """Say how many galaxies were measured, and how many of them without a flag."""
    clean = int(np.count_nonzero(np.asarray(table["flag"]) == 0)) if len(table) else 0
    return Outcome(
        verb="measure",
        summary=f"{len(table):,} galaxies, {clean:,} of them without any flag",
        output=output,
        content_hash=str(table.meta.get("content_hash", "")),
        numbers={"n_measured": len(table), "n_without_flag": clean, "flags": flag_counts(table)},
    )


def flag_counts(table: QTable) -> dict[str, int]:
    """How many galaxies carry each named flag, the most frequent first."""
    names = [name.strip() for text in np.asarray(table["flags"], dtype=str) for name in text.split(",")]
    found, counts = np.unique([name for name in names if name], return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return {str(found[position]): int(counts[position]) for position in order}


def measured_first(
    path: Path, output: Path, *, workers: int, limit: int | None, progress: ProgressCallback
) -> Path:
    """Return the table at `path`; a store is measured first, into `output`, unless that was done before."""
    from galsmith.data.store import is_store
    from galsmith.measure import measure

    if not is_store(path):
        return path
    measure(path, output, workers=workers, limit=limit, overwrite=output.exists(), progress=progress)
    return output
