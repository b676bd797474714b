"""The few exceptions of galsmith: each names the argument, what came, what was wanted and the way out, in one line.

Which one for which fault:

- a setting, an option or an argument is wrong: `SettingsError` (exit code 2);
- an output is already there, or was made by other settings: `OutputExistsError` (exit code 2);
- a file or its content cannot be used: `InputError` (exit code 1);
- an output cannot be written, such as on a full disk: `OutputError` (exit code 1);
- some chunks could not be done and the others are: `SetAsideError` (exit code 1);
- workers cannot be reached or went away: `EngineLostError` (exit code 1);
- training produced numbers that are not finite: `DivergedError` (exit code 1);
- this is one process of several, and the first of them says what is wrong: `FollowedError` (that one's exit code);
- the user stopped a run that can go on later: `InterruptedRunError` (exit code 130).

Pure functions on arrays raise `ValueError` as every Python library does.
"""

from typing import Any


class GalsmithError(Exception):
    """Base of every error that a user can mend; carries the exit code of the command line.

    The message is composed here alone, as ``argument=came: problem; wanted ...; way out``. Names of arguments stand in
    backticks, also in `problem`, `wanted` and `way_out`; the command line makes flags of them.

    Parameters
    ----------
    problem : str
        What is wrong; may stand alone where no argument is to blame.
    argument : str, optional
        Name of the argument.
    came : object, optional
        What it was.
    wanted : str, optional
        What it has to be.
    way_out : str, optional
        What to do.
    """

    exit_code = 1

    def __init__(
        self,
        problem: str = "",
        *,
        argument: str = "",
        came: Any = None,
        wanted: str = "",
        way_out: str = "",
    ) -> None:
        self.problem, self.argument, self.came = problem, argument, came
        self.wanted, self.way_out = wanted, way_out
        super().__init__(self._composed())

    def _composed(self) -> str:
        """Join the fields to one line."""
        parts = [self.problem, f"wanted {self.wanted}" if self.wanted else "", self.way_out]
        said = "; ".join(part for part in parts if part)
        return f"{argument_text(self.argument, self.came)}: {said}" if self.argument else said


def argument_text(name: str, value: Any = None) -> str:
    """Write an argument, with what it is or should be, as messages have it: `` `name=value` ``."""
    if value is None:
        return f"`{name}`"
    shown = ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return f"`{name}={shown}`"


class SettingsError(GalsmithError, ValueError):
    """A setting, option or argument is unknown or out of range."""

    exit_code = 2


class OutputExistsError(SettingsError):
    """The output is already there and may not be replaced silently."""


class InputError(GalsmithError, ValueError):
    """A file, or what it holds, cannot be used."""


class OutputError(GalsmithError, OSError):
    """An output cannot be written."""


class SetAsideError(GalsmithError):
    """Some chunks could not be done; the others are, and are kept."""


class EngineLostError(GalsmithError):
    """Workers or their scheduler cannot be reached, or went away; what is done is kept."""


class DivergedError(GalsmithError, ArithmeticError):
    """Training gave losses or weights that are not finite, again and again."""


class InterruptedRunError(GalsmithError):
    """The user stopped a run; what was done is kept and the message says how to go on."""

    exit_code = 130


class FollowedError(GalsmithError):
    """The first process of a run failed and says why; this one ends as it did, and is not to say it again.

    Parameters
    ----------
    exit_code : int
        Of the first process.
    """

    def __init__(self, exit_code: int) -> None:
        super().__init__(f"the first process of the run ended with exit code {exit_code}, and says why")
        self.exit_code = exit_code
