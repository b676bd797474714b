"""The checkpoint: everything needed to go on with a run, in one file that is replaced in one step."""

import dataclasses
import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from galsmith.errors import InputError
from galsmith.files import written_atomically
from galsmith.files.seal import BLANK, refuse_changed, seal
from galsmith.training.budget import Choice, RunState

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer as Buffer

FORMAT_VERSION = 3


@dataclass(frozen=True)
class Checkpoint:
    """What a run goes on from.

    Attributes
    ----------
    trainer, ema : mapping
        What their ``state_dict`` gave.
    transform : mapping
        The fitted pixel transform, plain.
    state : RunState
        How far the run is.
    settings_hash, data_hash : str
        Of the settings and of the data that it belongs to.
    chosen : mapping or None
        Averaged weights of the snapshot that ``state.choice`` names.
    other_averages : sequence of mapping
        What ``state_dict`` of the averages of other widths gave, in the order of their widths.
    """

    trainer: Mapping[str, Any]
    ema: Mapping[str, Any]
    transform: Mapping[str, Any]
    state: RunState
    settings_hash: str
    data_hash: str
    chosen: Mapping[str, Any] | None = None
    other_averages: Sequence[Mapping[str, Any]] = ()


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint; the one before stays until this one is complete.

    Raises
    ------
    OutputError
        If the disk is full or the folder cannot be written.
    """
    fields = {field.name: getattr(checkpoint, field.name) for field in dataclasses.fields(checkpoint)}
    content = {"format_version": FORMAT_VERSION, **fields, "state": dataclasses.asdict(checkpoint.state)}
    with written_atomically(path) as temporary, _WatchedWriter(io.FileIO(temporary, "w")) as stream:
        try:
            torch.save(content, stream)
        except RuntimeError as error:
            if stream.fault is not None:
                raise stream.fault from error
            raise
        stream.flush()
        # a checkpoint is a zip archive, which has a place for text at its end
        with zipfile.ZipFile(temporary, "a") as archive:
            archive.comment = BLANK.encode()
        seal(temporary)


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint onto the CPU; only tensors and plain values are loaded, no code.

    Raises
    ------
    InputError
        If it is damaged or of another format version.
    """
    way_out = "start anew with `overwrite`"
    try:
        # torch reads archives of tensors and plain values, and would still look into a bare pickle
        if not zipfile.is_zipfile(path):
            raise ValueError("no zip archive, as galsmith writes it")
        refuse_changed(path, way_out=way_out)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except InputError:
        raise
    except Exception as error:  # damaged bytes raise almost anything
        raise InputError(f"{path}: not a readable checkpoint ({_first_line(error)}); {way_out}") from error
    version = content.get("format_version") if isinstance(content, dict) else None
    if version != FORMAT_VERSION:
        raise InputError(
            f"{path}: has checkpoint format version {version}, this galsmith reads version {FORMAT_VERSION}; "
            "finish the run with the galsmith that made it, or start anew with `overwrite`"
        )
    del content["format_version"]
    try:
        choice = content["state"]["choice"]
        state = {**content["state"], "choice": None if choice is None else Choice(**choice)}
        return Checkpoint(**{**content, "state": RunState(**state)})
    except (KeyError, TypeError) as error:
        raise InputError(f"{path}: not what galsmith writes ({_first_line(error)}); {way_out}") from error


class _WatchedWriter(io.BufferedWriter):
    """Remembers why the system refused to write, which `torch.save` replaces by a reason of its own."""

    fault: OSError | None = None

    def write(self, data: "Buffer", /) -> int:
        """Write some bytes."""
        try:
            return super().write(data)
        except OSError as error:
            self.fault = error
            raise


def _first_line(error: Exception) -> str:
    """First line of an error's text, or its kind."""
    return str(error).splitlines()[0] if str(error) else type(error).__name__
