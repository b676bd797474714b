"""Who judges the snapshots of a training run that keeps its best: the held-out galaxies of its own store."""

from collections.abc import Callable, Mapping
from pathlib import Path

from galsmith.compare import HeldOutJudge
from galsmith.compare.held_out import MEASURED_AT_LEAST
from galsmith.errors import SettingsError
from galsmith.execution import ProgressCallback, available_cores, ignore_progress
from galsmith.images import ImageSet

SnapshotJudge = Callable[[ImageSet], Mapping[str, float]]


def snapshot_judge(
    data: str | Path,
    *,
    by: str | None = None,
    n_drawn: int,
    device: str = "cpu",
    progress: ProgressCallback = ignore_progress,
) -> SnapshotJudge:
    """Make a judge of drawn galaxies from the images of a store that are held out of training.

    Parameters
    ----------
    data : path
        The store; its split ``"validation"`` is judged against.
    by : {"properties", "features"}, optional
        Measured properties (`galsmith.compare.HeldOutJudge`, where left out) or learned features
        (`galsmith.judging.feature_judge.FeatureJudge`, which needs torch).
    n_drawn : int
        How many galaxies are going to be drawn each time.
    device : str
        Where features are extracted, as torch names it.
    progress : callable
        Told how far the held-out images are.

    Returns
    -------
    callable
        Given an `ImageSet`, says its ``"distance"``; what `galsmith.training.train` takes as `evaluate`.

    Raises
    ------
    SettingsError
        If fewer galaxies are to be drawn than can be judged.
    InputError
        If the store has no images in its split ``"validation"``, or too few.
    """
    if by == "features":
        from galsmith.judging.feature_judge import FeatureJudge

        return FeatureJudge(Path(data), device=device, progress=progress)
    if n_drawn < MEASURED_AT_LEAST:
        raise SettingsError(
            f"training.evaluation_galaxies is {n_drawn}; wanted {MEASURED_AT_LEAST} or more to "
            "choose the best snapshot by (300 are usual)"
        )
    return HeldOutJudge(data, workers=available_cores(), progress=progress)
