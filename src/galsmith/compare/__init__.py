"""Distances between two sets of measured galaxies, each with its uncertainty and its floor."""

from galsmith.compare.compare import compare
from galsmith.compare.cuts import NAMED_CUTS
from galsmith.compare.files import read_comparison, write_comparison
from galsmith.compare.records import Comparison, CutCount, Distance, Estimate, Losses, Mean, Side, Summary
from galsmith.compare.wasserstein import circular_wasserstein_distance, wasserstein_distance

__all__ = [
    "NAMED_CUTS",
    "Comparison",
    "CutCount",
    "Distance",
    "Estimate",
    "Losses",
    "Mean",
    "Side",
    "Summary",
    "circular_wasserstein_distance",
    "compare",
    "read_comparison",
    "wasserstein_distance",
    "write_comparison",
]
