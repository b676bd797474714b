"""What the command line says of a table of measurements."""

from pathlib import Path

import numpy as np
from astropy.table import QTable

from galsmith.cli.outcome import Outcome


def outcome_of_table(table: QTable, output: Path) -> Outcome:
    """Say how many galaxies were measured, and which flags they got."""
    flags = flag_counts(table)
    without = int(np.count_nonzero(np.asarray(table["flag"]) == 0))
    said = ", ".join(f"{name} {count:,}" for name, count in flags.items()) or "none"
    return Outcome(
        verb="measure",
        summary=f"{len(table):,} galaxies (flags: {said})",
        output=output,
        content_hash=str(table.meta.get("content_hash", "")),
        numbers={"n_galaxies": len(table), "n_without_flag": without, "flags": flags},
    )


def flag_counts(table: QTable) -> dict[str, int]:
    """How many galaxies carry each named flag, the most frequent first."""
    names = [name.strip() for text in np.asarray(table["flags"], dtype=str) for name in text.split(",")]
    found, counts = np.unique([name for name in names if name], return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return {str(found[position]): int(counts[position]) for position in order}
