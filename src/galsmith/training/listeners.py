"""What happens beside the steps: checkpoints, averages for later, and pictures of drawn galaxies."""

from galsmith.training.averages.kept import remove_averages_after, write_averages
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


class AverageKeeper:
    """Keeps averages to make others from, evenly over the budget; a loop listener.

    Files of a time that the run has not reached are of steps that a killed run lost; they are removed.
    """

    def __init__(self, run: TrainingRun) -> None:
        self._run = run
        remove_averages_after(run.folder.averages_folder, run.state.images_seen)

    def __call__(self, report: StepReport) -> None:
        """Write a file when it is time and the step was good."""
        run, state = self._run, self._run.state
        count, budget = run.settings.training.posthoc_averages, run.settings.budget
        if not run.kept_averages or not count or not report.is_good:
            return
        if budget.is_mark_passed(state, since=state.averaged_at, marks=count):
            write_averages(run.folder.averages_folder, run.kept_averages, images_seen=state.images_seen)
            state.averaged_at = budget.done(state)


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
