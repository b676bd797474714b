"""galsmith: learn galaxies from a survey, draw new ones, and prove how far they can be trusted.

The verbs of the command line are one call each: ``galsmith.simulate.sersic``, ``galsmith.ingest.folder``,
``galsmith.observe.observe``, ``galsmith.training.train``, ``galsmith.sampling.sample``, ``galsmith.measure.measure``,
``galsmith.judging.judge``, ``galsmith.report.write_report`` and ``galsmith.score.fit``. Rooms are imported when
first used, so a user who only measures never loads torch.
"""

import importlib
from importlib import metadata
from typing import Any

_ROOMS = {
    "simulate": "galsmith.data.simulate",
    "ingest": "galsmith.data.ingest",
    "images": "galsmith.images",
    "training": "galsmith.training",
    "sampling": "galsmith.sampling",
    "observe": "galsmith.observe",
    "measure": "galsmith.measure",
    "compare": "galsmith.compare",
    "judging": "galsmith.judging",
    "report": "galsmith.report",
    "score": "galsmith.score",
    "study": "galsmith.study",
    "denoise": "galsmith.denoise",
}

__all__ = list(_ROOMS)


def __getattr__(name: str) -> Any:
    """Import a room when it is first named; the version is looked up when it is asked for."""
    if name == "__version__":
        return metadata.version("galsmith")
    if name not in _ROOMS:
        raise AttributeError(f"module 'galsmith' has no attribute {name!r}")
    return importlib.import_module(_ROOMS[name])


def __dir__() -> list[str]:
    """Names that a user may ask for."""
    return sorted([*globals(), *_ROOMS, "__version__"])
