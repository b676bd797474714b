"""The model families, and all that a family of one's own is made of; torch is loaded when a name that needs it is used."""

import importlib
from typing import Any

_HOMES = {
    "Blueprint": "family",
    "DataDescription": "protocols",
    "DescentTrainer": "layers.optimization",
    "Family": "family",
    "NetworkBatch": "protocols",
    "TrainingProgress": "protocols",
    "drawn_in_calls": "layers.chance",
    "register_family": "families",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    """Import what is named from the file that it lives in."""
    if name not in _HOMES:
        raise AttributeError(f"module 'galsmith.models' has no attribute {name!r}")
    return getattr(importlib.import_module(f"galsmith.models.{_HOMES[name]}"), name)
