"""Work on chunks of galaxies, here, on local processes or on somebody's executor, and progress of whatever takes long."""

from galsmith.execution.briefing import Briefing
from galsmith.execution.clusters import DaskExecutor, read_cluster
from galsmith.execution.engine import Engine, map_tasks
from galsmith.execution.progress import (
    ProgressCallback,
    ProgressEvent,
    available_cores,
    ignore_progress,
    listening,
    one_thread,
)

__all__ = [
    "Briefing",
    "DaskExecutor",
    "Engine",
    "ProgressCallback",
    "ProgressEvent",
    "available_cores",
    "ignore_progress",
    "listening",
    "map_tasks",
    "one_thread",
    "read_cluster",
]
