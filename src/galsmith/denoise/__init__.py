"""From observations to the scenes before point spread function and noise: networks and classical methods, one interface."""

import importlib
from typing import Any

_HOMES = {
    "DENOISERS": "denoisers",
    "Denoised": "method",
    "Denoiser": "method",
    "LookRange": "looks",
    "Method": "method",
    "TrainedDenoiser": "model",
    "apply": "application",
    "denoiser_named": "denoisers",
    "fit": "fitting",
    "load_denoiser": "model",
    "register_denoiser": "denoisers",
    "report": "studies.card",
    "study": "studies.run",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    """Import what is named from the file that it lives in, so that the names of methods cost nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'galsmith.denoise' has no attribute {name!r}")
    return getattr(importlib.import_module(f"galsmith.denoise.{_HOMES[name]}"), name)
