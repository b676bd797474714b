"""Lets tests import the scripts of `benchmarks/`, which are no package."""

import sys
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
for folder in ("race", "gpu"):
    if str(BENCHMARKS / folder) not in sys.path:
        sys.path.append(str(BENCHMARKS / folder))
