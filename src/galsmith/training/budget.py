"""How long a run may train: minutes of wall-clock time or a number of images."""

from dataclasses import dataclass


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
    """

    images_seen: int = 0
    seconds: float = 0.0
    bad_steps: int = 0
    bad_steps_in_a_row: int = 0


@dataclass(frozen=True)
class Budget:
    """Either minutes or images; the other is None.

    Attributes
    ----------
    minutes : float or None
        Wall-clock training time, summed over all resumes.
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
