"""The training loop for any family: budget, average, log, checkpoint and snapshot."""

from galsmith.training.averages.snapshot import remade_snapshot
from galsmith.training.listeners import read_log
from galsmith.training.settings import RunSettings, TrainingSettings, read_run_settings
from galsmith.training.start import train

__all__ = ["RunSettings", "TrainingSettings", "read_log", "read_run_settings", "remade_snapshot", "train"]
