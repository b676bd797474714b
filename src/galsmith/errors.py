"""The few exceptions of galsmith; each message is one line that names the thing, what came and the way out.

Which one for which fault:

- a setting, an option or an argument is wrong: `SettingsError` (exit code 2);
- an output is already there, or was made by other settings: `OutputExistsError` (exit code 2);
- a file or its content cannot be used: `InputError` (exit code 1);
- an output cannot be written, such as on a full disk: `OutputError` (exit code 1);
- training produced numbers that are not finite: `DivergedError` (exit code 1);
- the user stopped a run that can go on later: `InterruptedRunError` (exit code 130).

Pure functions on arrays raise `ValueError` as every Python library does.
"""


class GalsmithError(Exception):
    """Base of every error that a user can mend; carries the exit code of the command line."""

    exit_code = 1


class SettingsError(GalsmithError, ValueError):
    """A setting, option or argument is unknown or out of range."""

    exit_code = 2


class OutputExistsError(SettingsError):
    """The output is already there and may not be replaced silently."""


class InputError(GalsmithError, ValueError):
    """A file, or what it holds, cannot be used."""


class OutputError(GalsmithError, OSError):
    """An output cannot be written."""


class DivergedError(GalsmithError, ArithmeticError):
    """Training gave losses or weights that are not finite, again and again."""


class InterruptedRunError(GalsmithError):
    """The user stopped a run; what was done is kept and the message says how to go on."""

    exit_code = 130
