"""What the command line says of a table of measurements."""

from pathlib import Path

import numpy as np
from astropy.table import QTable

from galsmith.cli.outcome import Outcome


def outcome_of_table(table: QTable, output: Path) -> Outcome:
    """Say how many galaxies were measured, and which flags they got."""
    flags = dict(table.meta.get("n_flagged", {}))
    without = int(np.count_nonzero(np.asarray(table["flag"]) == 0))
    said = ", ".join(f"{name} {count:,}" for name, count in flags.items()) or "none"
    n_galaxies = int(table.meta.get("n_measured", len(table)))
    rows = "" if len(table) == n_galaxies else f", {len(table):,} rows"
    return Outcome(
        verb="measure",
        summary=f"{n_galaxies:,} galaxies{rows} (flags: {said})",
        output=output,
        content_hash=str(table.meta.get("content_hash", "")),
        numbers={"n_galaxies": n_galaxies, "n_rows": len(table), "n_without_flag": without, "flags": flags},
    )
