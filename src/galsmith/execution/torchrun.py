"""Which of several processes this is, where torchrun started them to train one model together."""

import contextlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from galsmith.errors import FollowedError, GalsmithError, SettingsError

NAMES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""Of the variables by which torchrun tells each process who it is."""
SECONDS_TO_SPEAK = 10.0
INTERRUPTED = 130


@dataclass(frozen=True)
class Place:
    """Which process this is, by what torchrun said.

    Attributes
    ----------
    rank, count : int
        Among all processes of the run.
    local_rank, local_count : int
        Among those of this machine.
    """

    rank: int = 0
    count: int = 1
    local_rank: int = 0
    local_count: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process keeps the run and says what is to be said."""
        return self.rank == 0


def place_of(environment: Mapping[str, str]) -> Place:
    """Read which process this is; the only one where torchrun did not start it.

    Raises
    ------
    SettingsError
        If the variables name several processes and not which one this is.
    """
    if environment.get("WORLD_SIZE", "1") == "1":
        return Place()
    missing = [name for name in NAMES if not environment.get(name)]
    if missing:
        raise SettingsError(
            f"the environment says WORLD_SIZE={environment['WORLD_SIZE']} and not {', '.join(missing)}; start with "
            "torchrun, which sets all of them, or unset it to train in one process"
        )
    try:
        rank, count, local_rank, local_count = (int(environment[name]) for name in NAMES[:4])
    except ValueError as error:
        said = ", ".join(f"{name}={environment[name]}" for name in NAMES[:4])
        raise SettingsError(
            f"the environment says {said}; wanted whole numbers, as torchrun sets them"
        ) from error
    if not (0 <= rank < count and 0 <= local_rank < local_count <= count):
        raise SettingsError(
            f"the environment says process {rank} of {count} and {local_rank} of {local_count} on this machine; wanted "
            "numbers from 0 below them, as torchrun sets them"
        )
    return Place(rank, count, local_rank, local_count)


@contextlib.contextmanager
def ended_as_first(place: Place) -> Iterator[None]:
    """Leave to the first process to say what all processes find out alike.

    Raises
    ------
    FollowedError
        In all others, in place of an error of the block.
    """
    try:
        yield
    except (GalsmithError, KeyboardInterrupt) as error:
        if place.is_first:
            raise
        code = INTERRUPTED if isinstance(error, KeyboardInterrupt) else error.exit_code
        raise after_first(code) from error


def after_first(exit_code: int) -> FollowedError:
    """Give the error of a process that ends as the first did, once that one had time to say why.

    When one process has failed, torchrun ends all others.
    """
    with contextlib.suppress(KeyboardInterrupt):
        time.sleep(SECONDS_TO_SPEAK)
    return FollowedError(exit_code)
