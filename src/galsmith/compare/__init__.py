"""Distances between two sets of measured galaxies, each with its uncertainty and its floor."""

from galsmith.compare.card import Judgment, PublishedColumn, ReportCard
from galsmith.compare.cuts import NAMED_CUTS
from galsmith.compare.evidence.families import evidence_of
from galsmith.compare.evidence.records import Evidence
from galsmith.compare.features.comparison import compare_features
from galsmith.compare.files import read_card, read_comparison, write_card
from galsmith.compare.held_out import HeldOutJudge
from galsmith.compare.joint.statistics import JOINT, JointStatistic, joint_distance, register_joint
from galsmith.compare.judge import Extras, judge_tables
from galsmith.compare.losses import Losses
from galsmith.compare.marginal.per_property import PER_PROPERTY, PropertyDistance, register_per_property
from galsmith.compare.marginal.wasserstein import circular_wasserstein_distance, wasserstein_distance
from galsmith.compare.memory.copies import find_copies
from galsmith.compare.memory.memorization import memorization
from galsmith.compare.memory.nearest import pixels_of, stretch_of
from galsmith.compare.papers import PAPERS, Paper
from galsmith.compare.records import (
    Comparison,
    Distance,
    Estimate,
    Mean,
    PairedDifference,
    Summary,
)
from galsmith.compare.resampling import Chance
from galsmith.compare.sides import CutCount, Side
from galsmith.compare.verdict import Power, Rule, Verdict, verdict_of

__all__ = [
    "JOINT",
    "NAMED_CUTS",
    "PAPERS",
    "PER_PROPERTY",
    "Chance",
    "Comparison",
    "CutCount",
    "Distance",
    "Estimate",
    "Evidence",
    "Extras",
    "HeldOutJudge",
    "JointStatistic",
    "Judgment",
    "Losses",
    "Mean",
    "PairedDifference",
    "Paper",
    "Power",
    "PropertyDistance",
    "PublishedColumn",
    "ReportCard",
    "Rule",
    "Side",
    "Summary",
    "Verdict",
    "circular_wasserstein_distance",
    "compare_features",
    "evidence_of",
    "find_copies",
    "joint_distance",
    "judge_tables",
    "memorization",
    "pixels_of",
    "read_card",
    "read_comparison",
    "register_joint",
    "register_per_property",
    "stretch_of",
    "verdict_of",
    "wasserstein_distance",
    "write_card",
]
