"""Which chunks failed and how often: what is tried again, what is set aside, and when going on is of no use."""

import logging
from collections import Counter
from collections.abc import Callable

from galsmith.errors import (
    DivergedError,
    GalsmithError,
    InterruptedRunError,
    OutputError,
    SetAsideError,
    SettingsError,
)

logger = logging.getLogger("galsmith")

Faults = tuple[type[Exception], ...]
ATTEMPTS = 3
# As many different chunks fail before any succeeds where the fault lies in what all of them have in common.
HOPELESS = 3
NAMED = 10
# What is wrong for one chunk is wrong for all: a setting, a full disk.
FOR_ALL: Faults = (SettingsError, OutputError, DivergedError, InterruptedRunError)


class KilledWorkerError(Exception):
    """The process that worked on a chunk was killed."""

    def __str__(self) -> str:
        return "its process was killed, mostly for want of memory: use fewer `workers`"


class Tally:
    """Counts what becomes of tasks.

    Parameters
    ----------
    total : int
        How many tasks there are.
    name_of : callable
        Names a task by its position, such as ``"chunk 7"``.
    at_once : tuple of exception types
        Faults that end the run, whatever else is left.
    """

    def __init__(self, total: int, *, name_of: Callable[[int], str], at_once: Faults = FOR_ALL) -> None:
        self._total, self._name_of, self._at_once = total, name_of, at_once
        self._attempts: Counter[int] = Counter()
        self._first: Exception | None = None
        self._set_aside: dict[int, str] = {}
        self._n_done = 0

    def count_done(self) -> None:
        """Count a task that gave its result."""
        self._n_done += 1

    def is_tried_again(self, position: int, error: Exception) -> bool:
        """Note an attempt that failed, and say whether there is another.

        What galsmith itself refuses it would refuse again; anything else may have been a moment of the machine.

        Raises
        ------
        Exception
            The error itself, where it ends the run.
        """
        self._attempts[position] += 1
        self._first = error if self._first is None else self._first
        if isinstance(error, self._at_once):
            raise error
        if not self._n_done and len(self._attempts) >= HOPELESS:
            raise self._first
        is_known = isinstance(error, GalsmithError)
        if not is_known and self._attempts[position] < ATTEMPTS:
            return True
        speaks = is_known or isinstance(error, KilledWorkerError)
        self._set_aside[position] = str(error) if speaks else f"{type(error).__name__}: {error}"
        if self._n_done:
            logger.warning(
                "%s failed and is set aside: %s", self._name_of(position), self._set_aside[position]
            )
        return False

    def finish(self) -> None:
        """Say which tasks are not done.

        Raises
        ------
        Exception
            What failed first, where nothing at all is done.
        SetAsideError
            If some are not.
        """
        if not self._set_aside:
            return
        if self._first is not None and len(self._set_aside) == self._total:
            raise self._first
        named = [f"{self._name_of(place)}: {why}" for place, why in sorted(self._set_aside.items())[:NAMED]]
        more = f"; and {len(self._set_aside) - NAMED} more" if len(self._set_aside) > NAMED else ""
        raise SetAsideError(
            f"{len(self._set_aside)} of {self._total} could not be done ({'; '.join(named)}{more}); all else is done and "
            "kept: mend what is named, and the same command does what is missing"
        )
