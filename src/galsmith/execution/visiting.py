"""A function on its way to workers that somebody else started: the same galsmith, the same files, one thread."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Generic, TypeVar

from galsmith.errors import SettingsError

Task = TypeVar("Task")
Result = TypeVar("Result")


def installed_version() -> str:
    """Version of galsmith in this process."""
    return metadata.version("galsmith")


@dataclass(frozen=True)
class Visiting(Generic[Task, Result]):
    """A function with what has to be true where it is called.

    Attributes
    ----------
    function : callable
        What to call.
    version : str
        Of galsmith, where it was sent from.
    folder : Path
        The folder in which the command was started, to which all relative names belong.
    """

    function: Callable[[Task], Result]
    version: str
    folder: Path

    @classmethod
    def of(cls, function: Callable[[Task], Result]) -> "Visiting[Task, Result]":
        """Send a function from here."""
        return cls(function, installed_version(), Path.cwd())

    def __call__(self, task: Task) -> Result:
        """Call it, where this is the same galsmith and the same files are seen.

        Raises
        ------
        SettingsError
            If the version is another, or the folder is not there.
        """
        found = installed_version()
        if found != self.version:
            raise other_version(found, self.version)
        if Path.cwd() != self.folder:
            try:
                os.chdir(self.folder)
            except OSError as error:
                raise SettingsError(
                    f"a worker does not see the folder {self.folder} ({error.strerror}); wanted one that all workers see "
                    "under the same name: start the command on a shared file system"
                ) from error
        return self.function(task)


def other_version(found: str, wanted: str) -> SettingsError:
    """Refuse a worker by its version of galsmith."""
    return SettingsError(
        f"a worker has galsmith {found}, this command is galsmith {wanted}: they could make different images; install "
        "the same version for both"
    )
