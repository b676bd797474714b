"""Flags that several verbs share, as flat records."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from galsmith.cli.premises import check_counts
from galsmith.errors import SettingsError
from galsmith.settings import parse_where

if TYPE_CHECKING:
    from galsmith.data.options import SetOptions
    from galsmith.execution import Engine, ProgressCallback

Output = Annotated[Path, Parameter(name=["--output", "-o"], help="What to write.")]
Seed = Annotated[int, Parameter(help="The integer that fixes all chance.")]
First = Annotated[
    int,
    Parameter(
        help="Number of the first one, as a task of many makes a part; ingest store A B ... joins them."
    ),
]
Overwrite = Annotated[bool, Parameter(help="Replace what is there.", show_default=False)]
Sets = Annotated[
    list[str],
    Parameter(
        name="--set",
        help="Change one setting, as key=value or table.key=value; may be repeated.",
        show_default=False,
    ),
]
Workers = Annotated[
    int | None,
    Parameter(help="Local processes; when left out all cores, or one where a store is made."),
]
Limit = Annotated[int | None, Parameter(help="Take only the first images, this many at most.")]
# From `galsmith.cli.command`: a function that makes a `Spelling`, or of a parameter `spelled` a function of a text.
Spelled = Annotated[Any, Parameter(parse=False)]
Precision = Annotated[
    Literal["auto", "float32", "bfloat16"],
    Parameter(help="auto takes bfloat16 where the device multiplies it itself."),
]
Device = Annotated[Literal["auto", "cpu", "cuda"], Parameter(help="auto takes the GPU where there is one.")]


@Parameter(name="*")
@dataclass(frozen=True)
class Shown:
    """What a command shows."""

    json: Annotated[
        bool, Parameter(help="Print one machine-readable line at the end.", show_default=False)
    ] = False
    quiet: Annotated[bool, Parameter(help="Show no progress and no summary.", show_default=False)] = False
    debug: Annotated[bool, Parameter(help="Show the traceback of an error.", show_default=False)] = False
    log: Annotated[
        Path | None,
        Parameter(help="Append to this file what is said, each line with its time.", show_default=False),
    ] = None

    @contextmanager
    def progress(self) -> Iterator["ProgressCallback"]:
        """Show progress on stderr while the block runs; hand its callback to the library."""
        from galsmith.cli.progress import ProgressDisplay
        from galsmith.execution import ignore_progress

        if not gc.isenabled():  # as `galsmith.cli.main` has it while a verb loads what it works with
            gc.freeze()
            gc.enable()
        if self.quiet:
            yield ignore_progress
            return
        with ProgressDisplay() as display:
            yield display


@Parameter(name="*")
@dataclass(frozen=True)
class SetFlags:
    """How the images of a new store are cut, chosen and split."""

    crop_pix: Annotated[
        int | None,
        Parameter(
            name="--crop",
            help="Cut the central square of this side, in pixels.",
        ),
    ] = None
    resize_pix: Annotated[
        int | None,
        Parameter(
            name="--resize",
            help="Resample to squares of this side, in pixels.",
        ),
    ] = None
    minimum_size_pix: Annotated[
        int | None,
        Parameter(
            name="--min-size",
            help="Leave out images smaller than this, in pixels.",
        ),
    ] = None
    split: Annotated[str, Parameter(help="Shares of training, validation and test images.")] = "0.8/0.1/0.1"
    where: Annotated[
        str | None, Parameter(help="Keep rows of the catalog, such as 'mag=22..23, T=-5..0'.")
    ] = None
    shows: Annotated[
        Literal["galaxy", "field"] | None,
        Parameter(
            help="What an image shows: one galaxy, or a field of many; as the source says when left out."
        ),
    ] = None
    on_bad: Annotated[
        Literal["error", "skip"], Parameter(help="Stop at an image that cannot be used, or leave it out.")
    ] = "error"

    def check(self) -> None:
        """Refuse what cannot be read, before the library's record is loaded."""
        parse_split(self.split)
        parse_where(self.where or "")
        check_counts(
            {
                "crop_pix": self.crop_pix,
                "resize_pix": self.resize_pix,
                "minimum_size_pix": self.minimum_size_pix,
            }
        )

    def to_options(self) -> "SetOptions":
        """Return the library's record of the same."""
        from galsmith.data.options import SetOptions

        return SetOptions(
            crop_pix=self.crop_pix,
            resize_pix=self.resize_pix,
            minimum_size_pix=self.minimum_size_pix,
            split=parse_split(self.split),
            where=self.where,
            shows=self.shows,
            on_bad=self.on_bad,
        )


SHOWN_ALL, KEEP_ALL = Shown(), SetFlags()
NO_SETTINGS: list[str] = []


def parse_split(text: str) -> tuple[float, float, float]:
    """Read three shares written as ``0.8/0.1/0.1``."""
    try:
        first, second, third = (float(part) for part in text.split("/"))
    except ValueError as error:
        raise SettingsError(
            argument="split",
            came=text,
            wanted="three shares for training, validation and test, such as 0.8/0.1/0.1",
        ) from error
    return first, second, third


@Parameter(name="*")
@dataclass(frozen=True)
class WorkFlags:
    """Where the chunks of a verb are worked on."""

    workers: Workers = None
    dask: Annotated[
        str | None,
        Parameter(
            help="Work on a Dask cluster instead: tcp://HOST:PORT of a scheduler, or a .toml file of one to start."
        ),
    ] = None

    def check(self) -> None:
        """Refuse what cannot be read, before anything is loaded or started."""
        check_counts({"workers": self.workers})
        if self.dask is None:
            return
        if self.workers is not None:
            raise SettingsError(
                "counts local processes, and `dask` says where to work; leave one of them out",
                argument="workers",
                came=self.workers,
            )
        from galsmith.execution import read_cluster

        read_cluster(self.dask)

    @contextmanager
    def engine(self, *, makes_store: bool = False) -> Iterator["Engine"]:
        """Give the engine; a cluster is reached or started with the first chunk, and let go of at the end."""
        from galsmith.execution import DaskExecutor, Engine

        if self.dask is None:
            count = store_worker_count if makes_store else worker_count
            yield Engine(count(self.workers))
            return
        with DaskExecutor(self.dask) as executor:
            yield Engine(executor=executor)


HERE_OR_LOCAL = WorkFlags()


def worker_count(workers: int | None) -> int:
    """How many processes to use: as asked, or one for each core."""
    from galsmith.execution import available_cores

    return available_cores() if workers is None else workers


def store_worker_count(workers: int | None) -> int:
    """How many processes make a store: as asked, or this one, as others need seconds to start."""
    return 1 if workers is None else workers
