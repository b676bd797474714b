"""What happens beside the steps: checkpoints, and pictures of drawn galaxies."""

from galsmith.training.loop import StepReport
from galsmith.training.run import TrainingRun


class Keeper:
    """Writes checkpoint and snapshot every so often; a loop listener."""

    def __init__(self, run: TrainingRun) -> None:
        self._run = run
        self._kept_at = run.state.seconds

    def __call__(self, report: StepReport) -> None:
        """Keep the run when it is time and its last step was good; the end is kept by whoever runs the loop."""
        if report.seconds - self._kept_at < self._run.settings.training.checkpoint_seconds:
            return
        if report.is_good and report.budget_used < 1.0:
            self._run.save(is_finished=False)
        self._kept_at = report.seconds


class GridPainter:
    """Draws a picture of galaxies at a few times, each at twice the budget of the one before; a loop listener."""

    def __init__(self, run: TrainingRun) -> None:
        self._run = run

    def __call__(self, report: StepReport) -> None:
        """Draw when it is time; the last picture is drawn after the loop."""
        if is_picture_time(report, self._run.settings.training.sample_grids):
            self._run.draw_grid()


def is_picture_time(report: StepReport, n_pictures: int) -> bool:
    """Whether a step crossed 1/2, 1/4, ... of the budget, the end not counted among the `n_pictures`."""
    marks = [2.0**-power for power in range(1, n_pictures)]
    return report.budget_used < 1.0 and any(
        report.budget_before < mark <= report.budget_used for mark in marks
    )
