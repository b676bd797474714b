"""Distances between two sets of measured galaxies, each with its uncertainty and its floor."""

from galsmith.compare.card import Judgment, PairedDifference, PublishedColumn, ReportCard
from galsmith.compare.cuts import NAMED_CUTS
from galsmith.compare.features.comparison import compare_features
from galsmith.compare.files import read_card, read_comparison, write_card
from galsmith.compare.held_out import HeldOutJudge
from galsmith.compare.judge import Extras, judge_tables
from galsmith.compare.marginal.wasserstein import circular_wasserstein_distance, wasserstein_distance
from galsmith.compare.memory.memorization import memorization
from galsmith.compare.memory.pixel_space import pixels_of, stretch_of
from galsmith.compare.papers import PAPERS, Paper
from galsmith.compare.records import Comparison, CutCount, Distance, Estimate, Losses, Mean, Side, Summary
from galsmith.compare.resampling import Chance

__all__ = [
    "NAMED_CUTS",
    "PAPERS",
    "Chance",
    "Comparison",
    "CutCount",
    "Distance",
    "Estimate",
    "Extras",
    "HeldOutJudge",
    "Judgment",
    "Losses",
    "Mean",
    "PairedDifference",
    "Paper",
    "PublishedColumn",
    "ReportCard",
    "Side",
    "Summary",
    "circular_wasserstein_distance",
    "compare_features",
    "judge_tables",
    "memorization",
    "pixels_of",
    "read_card",
    "read_comparison",
    "stretch_of",
    "wasserstein_distance",
    "write_card",
]
