"""Does generated data help? A downstream task, fitted on real and on generated images, and judged on held-out real ones."""

import importlib
from typing import Any

_HOMES = {
    "MIXES": "mixes",
    "Mix": "mixes",
    "PairedDifference": "intervals",
    "TASKS": "tasks",
    "Task": "task",
    "labels_of": "task",
    "paired_difference": "intervals",
    "register_task": "tasks",
    "study": "run",
    "task_named": "tasks",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    """Import what is named from the file that it lives in, so that the names of tasks cost nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'galsmith.study' has no attribute {name!r}")
    return getattr(importlib.import_module(f"galsmith.study.{_HOMES[name]}"), name)
