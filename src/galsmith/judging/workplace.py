"""`Workplace`: where a judgment keeps what it makes on the way, and how."""

from dataclasses import dataclass
from pathlib import Path

from galsmith.execution import ProgressCallback
from galsmith.measure import MeasureSettings


@dataclass(frozen=True)
class Workplace:
    """Where stores, tables and features of a judgment go, and how they are made.

    Attributes
    ----------
    folder : Path
        Beside the card.
    settings : MeasureSettings
        How images are measured.
    seed : int
        Fixes chance.
    workers : int
        Local processes that measure.
    limit : int or None
        Take only the first images of each set.
    overwrite : bool
        Replace what was made of other images or settings.
    progress : callable
        Told of each step.
    bands : tuple of str or None
        Names of the bands of images in files and arrays.
    """

    folder: Path
    settings: MeasureSettings
    seed: int
    workers: int
    limit: int | None
    overwrite: bool
    progress: ProgressCallback
    bands: tuple[str, ...] | None = None
