"""Judging the averaged generator on the way by galaxies drawn from it, and choosing the best snapshot."""

import logging
import math
import time
from collections.abc import Callable, Mapping

import torch

from galsmith.errors import GalsmithError, InputError, SettingsError
from galsmith.execution import ProgressCallback, ProgressEvent, ignore_progress
from galsmith.images import ImageSet
from galsmith.models.devices import is_out_of_memory
from galsmith.training.averages.folder import average_of_width
from galsmith.training.listeners import TrainingLog
from galsmith.training.loop import StepReport
from galsmith.training.run import TrainingRun
from galsmith.training.settings import TrainingSettings

logger = logging.getLogger("galsmith")

Evaluate = Callable[[ImageSet], Mapping[str, float]]
"""Judges drawn galaxies by their images alone; the least ``"distance"`` of what it returns is the best."""

DISTANCE = "distance"
JUDGED_WIDTHS = (0.03, 0.05, 0.08, 0.10, 0.15)


class Evaluation:
    """Asks a caller's judge at evenly spaced times, logs its numbers and keeps the best; a loop listener.

    Parameters
    ----------
    run : TrainingRun
        What is judged.
    evaluate : callable or None
        The judge; without one nothing happens.
    log : TrainingLog
        Gets a line for each evaluation.
    progress : callable
        Told before each.
    """

    def __init__(
        self,
        run: TrainingRun,
        evaluate: Evaluate | None,
        log: TrainingLog,
        *,
        progress: ProgressCallback = ignore_progress,
    ) -> None:
        self._run, self._evaluate, self._log, self._progress = run, evaluate, log, progress
        self._distance: float | None = None

    def __call__(self, report: StepReport) -> None:
        """Evaluate after a step, when it is time."""
        self.evaluate_if_due()

    @property
    def fields(self) -> dict[str, str]:
        """Distances for whoever watches: the last one, and the least."""
        choice = self._run.kept_choice
        shown = {} if self._distance is None else {DISTANCE: f"{self._distance:.3g}"}
        return shown if choice is None else {**shown, "best": f"{choice.distance:.3g}"}

    def evaluate_if_due(self) -> None:
        """Evaluate when it is time; also what an earlier call of the run could not do.

        Raises
        ------
        GalsmithError
            If the judge fails; the run is kept as it is, and evaluates first of all when it goes on.
        """
        state, settings = self._run.state, self._run.settings
        budget, count = settings.budget, settings.training.evaluations
        if self._evaluate is None or not budget.is_evaluation_due(state, evaluations=count):
            return
        self._evaluate_now(None, ema_width=None)

    def _evaluate_now(self, generator: torch.nn.Module | None, *, ema_width: float | None) -> None:
        """Ask the judge about the averaged generator or one of another width, log its numbers, keep the best."""
        state = self._run.state
        if self._evaluate is None:
            return
        started = time.perf_counter()
        try:
            numbers = self._numbers(self._evaluate, generator)
        except Exception as error:
            self._run.save(is_finished=False)
            raise _explained(self._run, error) from error
        seconds = time.perf_counter() - started
        state.evaluated_at = self._run.settings.budget.done(state)
        state.n_evaluations += 1
        state.evaluation_seconds += seconds
        plain = {name: value if math.isfinite(value) else None for name, value in numbers.items()}
        what = {"images_seen": state.images_seen, **({} if ema_width is None else {"ema_width": ema_width})}
        self._log.write({**plain, **what, "evaluation_seconds": round(seconds, 3)})
        self._distance = numbers.get(DISTANCE)
        if self._run.settings.training.choose_snapshot == "best":
            self._choose(numbers[DISTANCE], generator, ema_width=ema_width)

    def judge_widths(self) -> None:
        """Once training is over, evaluate averages of other widths too, where they were kept and the best is wanted.

        Raises
        ------
        GalsmithError
            If the judge fails; the run is kept as it is, and evaluates them when it goes on.
        """
        run, state = self._run, self._run.state
        is_wanted = run.settings.training.choose_snapshot == "best" and self._evaluate is not None
        if not is_wanted or not run.kept_averages or state.widths_judged_at == state.images_seen:
            return
        run.save(is_finished=False)  # whatever ends the judging, training need not be done again
        for width in JUDGED_WIDTHS:
            if width != run.ema.width:  # which was judged as the last snapshot
                self._judge_width(width)
        state.widths_judged_at = state.images_seen

    def _judge_width(self, width: float) -> None:
        """Make the average of one width and evaluate it; not where the last step was bad and nothing was kept after it."""
        run = self._run
        try:
            generator, making = average_of_width(run.folder.averages_folder, run.ema.average, width=width)
        except InputError as error:
            logger.warning("%s: the width %g is not judged: %s", run.folder.path, width, error)
            return
        if making.images_seen == run.state.images_seen:
            self._evaluate_now(generator, ema_width=width)

    def _numbers(self, evaluate: Evaluate, generator: torch.nn.Module | None) -> dict[str, float]:
        """Draw galaxies and ask the judge."""
        training = self._run.settings.training
        count, shown = training.evaluation_galaxies, self._run.image_set.header.images_name
        self._progress(ProgressEvent(f"judging drawn {shown}", 0, count, shown, self.fields))
        numbers = {
            name: float(value) for name, value in evaluate(self._run.draw_for_judge(generator)).items()
        }
        if DISTANCE not in numbers and training.choose_snapshot == "best":
            raise SettingsError(
                f"evaluate returned {', '.join(numbers) or 'nothing'}; wanted the number {DISTANCE!r}, by which the "
                "best snapshot is chosen"
            )
        return numbers

    def _choose(self, distance: float, generator: torch.nn.Module | None, *, ema_width: float | None) -> None:
        """Take the snapshot if it is the best so far, and keep it and the run's state at once."""
        best = self._run.state.choice
        if not math.isfinite(distance) or (best is not None and best.distance <= distance):
            return
        self._run.choose(distance, generator, ema_width=ema_width)
        is_end = self._run.settings.budget.is_spent(self._run.state)
        if not is_end:  # which is kept by whoever runs the loop
            self._run.save(is_finished=False)


def refuse_choice_without_judge(training: TrainingSettings, evaluate: Evaluate | None) -> None:
    """Raise `SettingsError` if the best snapshot is wanted and nobody says which it is."""
    if training.choose_snapshot == "best" and evaluate is None:
        raise SettingsError(
            "there is no judge to choose by",
            argument="training.choose_snapshot",
            came="best",
            way_out="give train a callable, such as evaluate=galsmith.compare.HeldOutJudge(data), or set it to last",
        )


def _explained(run: TrainingRun, error: Exception) -> GalsmithError:
    """Name the cause, and the ways to go on."""
    text = str(error).splitlines()[0] if str(error) else "no detail"
    training = run.settings.training
    way = (
        f"lower training.evaluation_galaxies (now {training.evaluation_galaxies})"
        if is_out_of_memory(error)
        else "mend that"
    )
    cause = text if isinstance(error, GalsmithError) else f"{type(error).__name__}: {text}"
    return GalsmithError(
        f"{run.folder.path}: judging the galaxies drawn at {run.state.images_seen:,} images seen failed ({cause}); "
        f"the state is kept; {way} and repeat the command, or set training.choose_snapshot to 'last' and go on "
        "without a judge"
    )
