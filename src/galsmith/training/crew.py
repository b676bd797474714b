"""The processes that torchrun started for one run: which one this is, what the first tells the others, and how all end."""

import contextlib
import io
import os
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import torch
from torch import distributed

from galsmith.errors import DivergedError, EngineLostError, GalsmithError, SettingsError
from galsmith.execution.torchrun import INTERRUPTED, Place
from galsmith.models.devices import is_out_of_memory
from galsmith.models.shares import ALONE, Ranks, Share

PATIENCE = timedelta(hours=2)
"""For the others: the first may draw, judge and fit meanwhile. Of a process that ended they know at once."""
EXIT_CODE = "exit_code"


def device_of(place: Place, name: str) -> str:
    """Name the device of one process: with several, each takes a GPU of its own.

    Raises
    ------
    SettingsError
        If one GPU is named for several processes, or this machine has fewer than processes.
    """
    if place.count == 1 or not name.startswith("cuda"):
        return name
    if name != "cuda":
        raise SettingsError(
            f"is one GPU, and each of {place.count} processes takes its own",
            argument="device",
            came=name,
            wanted="cuda or cpu",
        )
    there = torch.cuda.device_count()
    if place.local_count > there:
        raise SettingsError(
            f"{place.local_count} processes of this machine want a GPU each, and it has {there}",
            argument="device",
            came=name,
            way_out=f"start {max(there, 1)} on each such machine, or take `device=cpu`",
        )
    return f"cuda:{place.local_rank}"


class Crew:
    """The processes of one run; alone where there is one.

    Parameters
    ----------
    place : Place
        Which one this is.
    """

    def __init__(self, place: Place) -> None:
        self.place = place
        self.ranks = ALONE if place.count == 1 else Ranks(place.rank, place.count, _summed)
        self._is_stepping = False

    @property
    def is_first(self) -> bool:
        """Whether this process keeps the run."""
        return self.place.is_first

    @property
    def share(self) -> Share:
        """What this process computes of every batch."""
        return Share(self.place.rank, self.place.count)

    def agreed(self, seconds: float, *, is_asked: bool) -> tuple[float, bool]:
        """Give the time that the first process counted, and whether any process was asked to stop."""
        if self.place.count == 1:
            return seconds, is_asked
        said = torch.tensor([seconds if self.is_first else 0.0, float(is_asked)], dtype=torch.float64)
        total = _summed(said)
        return float(total[0]), bool(total[1] > 0)

    def tell(self, message: Mapping[str, Any]) -> None:
        """Send tensors and plain values from the first process to all others."""
        if self.place.count == 1:
            return
        stream = io.BytesIO()
        torch.save(dict(message), stream)
        content = torch.frombuffer(bytearray(stream.getvalue()), dtype=torch.uint8)
        _broadcast(torch.tensor([len(content)]))
        _broadcast(content)

    def told(self) -> dict[str, Any]:
        """Wait for what the first process tells; tensors come to the CPU."""
        length = torch.zeros(1, dtype=torch.int64)
        _broadcast(length)
        content = torch.empty(int(length), dtype=torch.uint8)
        _broadcast(content)
        message: dict[str, Any] = torch.load(
            io.BytesIO(content.numpy().tobytes()), map_location="cpu", weights_only=True
        )
        return message

    @contextlib.contextmanager
    def led(self) -> Iterator[None]:
        """Tell all others how the first process ended, where they wait for it."""
        code = 0
        try:
            yield
        except GalsmithError as error:
            code = error.exit_code
            raise
        except BaseException as error:
            code = INTERRUPTED if isinstance(error, KeyboardInterrupt) else 1
            raise
        finally:
            # in the middle of a step they do not listen: they find that it has gone
            if not self._is_stepping:
                with contextlib.suppress(EngineLostError):
                    self.tell({EXIT_CODE: code})

    @contextlib.contextmanager
    def stepping(self) -> Iterator[None]:
        """Take steps together; all come out of it at the same one, unless an error is this process' own."""
        self._is_stepping = True
        try:
            yield
        except DivergedError:  # of losses, which all know
            self._is_stepping = False
            raise
        self._is_stepping = False


SOLO = Crew(Place())


def joined_crew(place: Place, device: torch.device) -> Crew:
    """Meet the other processes of the run, once a process; alone nothing happens.

    Raises
    ------
    EngineLostError
        If they do not come.
    """
    if place.count == 1:
        return SOLO
    if device.type == "cuda":
        torch.cuda.set_device(device)
    if not distributed.is_initialized():
        backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
        try:
            distributed.init_process_group(backend, timeout=PATIENCE)
        except RuntimeError as error:
            raise _lost(error) from error
    return Crew(place)


def _summed(values: torch.Tensor) -> torch.Tensor:
    """Sum a tensor over all processes, in place."""
    try:
        distributed.all_reduce(values)
    except RuntimeError as error:
        if is_out_of_memory(error):
            raise
        raise _lost(error) from error
    return values


def _broadcast(values: torch.Tensor) -> None:
    """Give all processes the first one's values, in place."""
    try:
        distributed.broadcast(values, src=0)
    except RuntimeError as error:
        raise _lost(error) from error


def _lost(error: RuntimeError) -> EngineLostError:
    """Say that there is nobody to go on with."""
    reason = (str(error).splitlines() or [type(error).__name__])[0][:160].rstrip(". ")
    return EngineLostError(
        f"process {os.environ.get('RANK', '0')} of the run lost another one ({reason}); what the last checkpoint has is "
        "kept: repeat the command to go on"
    )
