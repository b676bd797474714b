"""Averages of two widths, kept in a run's folder through training, and the averages of other widths made of them."""

import copy
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from galsmith.errors import InputError, SettingsError
from galsmith.files import written_atomically
from galsmith.models.snapshot import opened_tensors, save_sealed
from galsmith.training.averages.power_function import (
    PowerFunctionEma,
    Profile,
    WeightAverage,
    combination,
    profile_error,
)

KEPT_WIDTHS = (0.05, 0.10)  # of Karras et al. 2024
WIDEST = 0.28
FORMAT_NAME, FORMAT_VERSION = "galsmith averages", 1
WAY_OUT = "remove it to do without it, or train again"
PATTERN = "average-*.safetensors"


@dataclass(frozen=True)
class Making:
    """How an average was made of others.

    Attributes
    ----------
    images_seen : int
        Training images up to which it averages.
    n_averages : int
        How many it was made of.
    profile_error : float
        How far its profile is from the one asked for: root of the squared difference integrated over training, as a
        share of the same of the profile.
    """

    images_seen: int
    n_averages: int
    profile_error: float


def started_averages(own: WeightAverage, network: torch.nn.Module) -> tuple[PowerFunctionEma, ...]:
    """Start the averages to keep; where the run's own has one of the widths, it is taken."""
    return tuple(
        own
        if isinstance(own, PowerFunctionEma) and own.width == width
        else PowerFunctionEma(network, width=width)
        for width in KEPT_WIDTHS
    )


def write_averages(folder: Path, averages: Sequence[PowerFunctionEma], *, images_seen: int) -> None:
    """Write the parameters of some averages, float32, as one file that is complete or not there.

    Raises
    ------
    OutputError
        If the disk is full or the folder cannot be written.
    """
    tensors = {
        f"{average.width:g}/{name}": value.detach().to("cpu").contiguous().clone()
        for average in averages
        for name, value in average.average.named_parameters()
    }
    page = {
        "format": FORMAT_NAME,
        "format_version": FORMAT_VERSION,
        "images_seen": images_seen,
        "widths": [average.width for average in averages],
    }
    with written_atomically(folder / f"average-{images_seen:010d}.safetensors") as temporary:
        save_sealed(tensors, temporary, page)


def remove_averages_after(folder: Path, images_seen: int) -> None:
    """Remove files of later times."""
    for file in sorted(folder.glob(PATTERN)):
        if int(file.stem.rpartition("-")[2]) > images_seen:
            file.unlink()


def average_of_width(
    folder: Path, network: torch.nn.Module, *, width: float
) -> tuple[torch.nn.Module, Making]:
    """Make the average of one width, up to the last time that averages were kept at.

    Parameters
    ----------
    folder : Path
        The run's averages.
    network : torch.nn.Module
        Of the same structure; it is copied, and its buffers stay as they are.
    width : float
        Standard deviation of the profile as a share of the training's length, in (0, 0.28).

    Returns
    -------
    network, Making
        In evaluation mode on the device of `network`; and how it was made.

    Raises
    ------
    SettingsError
        If `width` is out of range.
    InputError
        If no averages were kept, or a file is damaged or of another network.
    """
    if not 0.0 < width < WIDEST:
        raise SettingsError(
            argument="ema_width",
            came=f"{width:g}",
            wanted=f"a share of the training's length between 0 and {WIDEST}, such as 0.05",
        )
    kept = [
        (file, Profile(page["images_seen"], float(one)))
        for file in sorted(folder.glob(PATTERN))
        for page in [_read_page(file)]
        for one in page["widths"]
    ]
    if not kept:
        raise InputError(
            f"{folder}: no averages were kept on the way; train with training.posthoc_averages=8 to choose a width "
            "afterwards"
        )
    profiles = [profile for _, profile in kept]
    wanted = Profile(max(profile.end for profile in profiles), width)
    weights = combination(profiles, wanted)
    made = copy.deepcopy(network)
    _fill(made, [file for file, _ in kept], profiles, weights)
    error = profile_error(profiles, weights, wanted)
    return made, Making(int(wanted.end), len(kept), round(error, 6))


@torch.no_grad()
def _fill(
    network: torch.nn.Module,
    files: Sequence[Path],
    profiles: Sequence[Profile],
    weights: np.ndarray[Any, Any],
) -> None:
    """Set parameters to the weighted sum of those in the files, summed in float64 one file after the other."""
    sums = {name: torch.zeros(value.shape, dtype=torch.float64) for name, value in network.named_parameters()}
    for file, profile, weight in zip(files, profiles, weights, strict=True):
        with _opened(file) as (stream, _):
            for name, total in sums.items():
                kept = stream.get_tensor(f"{profile.width:g}/{name}")
                if kept.shape != total.shape:
                    raise InputError(f"{file}: holds averages of another network; {WAY_OUT}")
                total.add_(float(weight) * kept.double())
    for name, parameter in network.named_parameters():
        parameter.copy_(sums[name])


def _read_page(file: Path) -> dict[str, Any]:
    """Read what a file of averages says of itself."""
    with _opened(file) as (_, page):
        return page


def _opened(file: Path) -> AbstractContextManager[tuple[Any, dict[str, Any]]]:
    """Open a file of averages."""
    return opened_tensors(file, "file of averages", written_as=(FORMAT_NAME, FORMAT_VERSION), way_out=WAY_OUT)
