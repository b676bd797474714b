"""Who judges the snapshots of a training run that keeps its best: the held-out galaxies of its own store."""

from pathlib import Path
from typing import TYPE_CHECKING

from galsmith.errors import SettingsError

if TYPE_CHECKING:
    from galsmith.execution import ProgressCallback
    from galsmith.training import TrainingSettings
    from galsmith.training.evaluation import Evaluate


def judge_for(
    training: "TrainingSettings", data: Path, *, device: str, progress: "ProgressCallback"
) -> "Evaluate | None":
    """Measure the held-out galaxies of a store, or take their features, where the best snapshot is chosen by them.

    Raises
    ------
    SettingsError
        If fewer galaxies are to be drawn than can be judged.
    InputError
        If the store has no images in its split ``"validation"``, or too few.
    """
    if training.choose_snapshot != "best":
        return None
    if training.choose_by == "features":
        from galsmith.cli.feature_judge import FeatureJudge

        return FeatureJudge(data, device=device, progress=progress)
    from galsmith.compare import HeldOutJudge
    from galsmith.compare.held_out import MEASURED_AT_LEAST
    from galsmith.execution import available_cores

    if training.evaluation_galaxies < MEASURED_AT_LEAST:
        raise SettingsError(
            f"training.evaluation_galaxies is {training.evaluation_galaxies}; wanted {MEASURED_AT_LEAST} or more to "
            "choose the best snapshot by (300 are usual)"
        )
    return HeldOutJudge(data, workers=available_cores(), progress=progress)
