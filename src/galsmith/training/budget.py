"""How long a run may train: minutes of wall-clock time or a number of images."""

from dataclasses import dataclass

EVALUATION_SHARE = 0.25


@dataclass(frozen=True)
class Choice:
    """The best snapshot so far, by what a judge said of galaxies drawn from it.

    Attributes
    ----------
    images_seen : int
        Training images shown to it.
    seconds : float
        Wall-clock time spent training it.
    distance : float
        What the judge said; finite.
    ema_width : float or None
        Width of the average that was made for it after training; None where it is the run's own.
    """

    images_seen: int
    seconds: float
    distance: float
    ema_width: float | None = None


@dataclass
class RunState:
    """How far a run is; changes with every step and travels in the checkpoint.

    Attributes
    ----------
    images_seen : int
        Training images shown.
    seconds : float
        Wall-clock time spent training, summed over all resumes.
    bad_steps : int
        Steps left out because their loss was not finite.
    bad_steps_in_a_row : int
        How many of them came last, without a good one after.
    evaluated_at : float
        Amount of the budget that was spent at the last evaluation, in the budget's unit.
    n_evaluations : int
        How often a judge was asked.
    evaluation_seconds : float
        Wall-clock time that this took.
    choice : Choice or None
        The best of those snapshots; None where nothing was chosen.
    averaged_at : float
        Amount of the budget that was spent when averages were kept last, in the budget's unit.
    widths_judged_at : int
        Images seen when averages of other widths were judged; 0 where they never were.
    """

    images_seen: int = 0
    seconds: float = 0.0
    bad_steps: int = 0
    bad_steps_in_a_row: int = 0
    evaluated_at: float = 0.0
    n_evaluations: int = 0
    evaluation_seconds: float = 0.0
    choice: Choice | None = None
    averaged_at: float = 0.0
    widths_judged_at: int = 0


@dataclass(frozen=True)
class Budget:
    """Either minutes or images; the other is None.

    Attributes
    ----------
    minutes : float or None
        Wall-clock time of the loop, summed over all resumes; checkpoints, pictures and evaluations on the way
        count, those after the last step do not.
    images : int or None
        Training images shown.
    """

    minutes: float | None
    images: int | None

    def used(self, state: RunState) -> float:
        """Share of the budget that is spent, in [0, 1]."""
        return min(self.done(state) / self.total, 1.0)

    def is_spent(self, state: RunState) -> bool:
        """Whether training is over."""
        return self.done(state) >= self.total

    def is_evaluation_due(self, state: RunState, *, evaluations: int) -> bool:
        """Whether one of so many evenly spaced marks, the last at the end, was passed since the last evaluation.

        On the way of a budget in minutes an evaluation waits until those before it took a quarter of the time
        or less, so that a slow judge leaves time to train.
        """
        waits = (
            self.minutes is not None
            and not self.is_spent(state)
            and state.evaluation_seconds > EVALUATION_SHARE * state.seconds
        )
        return self.is_mark_passed(state, since=state.evaluated_at, marks=evaluations) and not waits

    def is_mark_passed(self, state: RunState, *, since: float, marks: int) -> bool:
        """Whether one of so many evenly spaced marks, the last at the end, was passed since an amount was spent."""
        now, before = (min(int(marks * amount / self.total), marks) for amount in (self.done(state), since))
        return now > before

    def done(self, state: RunState) -> float:
        """Amount spent, in `unit`."""
        return state.seconds if self.minutes is not None else float(state.images_seen)

    @property
    def total(self) -> float:
        """Amount there is, in `unit`."""
        return 60.0 * self.minutes if self.minutes is not None else float(self.images or 0)

    @property
    def unit(self) -> str:
        """``"s"`` or ``"images"``."""
        return "s" if self.minutes is not None else "images"

    @property
    def text(self) -> str:
        """For a reader: ``"4 minutes"`` or ``"20,000 images"``."""
        return f"{self.minutes:g} minutes" if self.minutes is not None else f"{self.images:,} images"
