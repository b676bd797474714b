"""Galaxyness: how like the ideal cosmology field an image is; methods that learn it, their errors, and what they say."""

import importlib
from typing import Any

_HOMES = {
    "Accuracy": "accuracy",
    "AccuracyDifference": "accuracy",
    "Learning": "method",
    "METHODS": "methods",
    "Method": "method",
    "ScoreModel": "method",
    "ScoreThreshold": "threshold",
    "ScoredFields": "fields",
    "Scorer": "scorer",
    "accuracy_differences": "accuracy",
    "accuracy_of": "accuracy",
    "count_labels": "threshold",
    "JudgedScores": "judged_sets",
    "fit": "fitting",
    "judge": "judged_sets",
    "load_scorer": "scorer",
    "method_named": "methods",
    "predict": "submission",
    "read_scores": "threshold",
    "register_scorer": "methods",
    "report": "card",
    "score_threshold": "threshold",
    "scored_fields": "fields",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    """Import what is named from the file that it lives in, so that the names of methods cost nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'galsmith.score' has no attribute {name!r}")
    return getattr(importlib.import_module(f"galsmith.score.{_HOMES[name]}"), name)
