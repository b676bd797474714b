"""`Method`: one way to predict galaxyness, as a record; `ScoreModel`: all that is known of what a method learned."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from galsmith.execution import ProgressCallback, ignore_progress
from galsmith.images.image_set import PixelSequence
from galsmith.settings import Settings

Floats = NDArray[np.float64]


class ScoreModel(Protocol):
    """What a method learned: scores of images, and its whole state as plain values and arrays."""

    def predict(self, images: PixelSequence, *, progress: ProgressCallback = ignore_progress) -> Floats:
        """Predict the score of every image, [field] float64; nothing is clipped here."""

    def to_page(self) -> dict[str, Any]:
        """Return what of it is plain JSON."""

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return what of it is arrays, by name."""


@dataclass(frozen=True)
class Learning:
    """What a method may use besides images and scores.

    Attributes
    ----------
    seed : int
        Fixes all chance.
    base : Path or None
        A run or snapshot whose network is learned from, for methods that have one (`Method.wants_base`).
    minutes : float or None
        Time budget of one fit, for methods that train in epochs.
    device : str
        As torch knows it.
    progress : callable
        Told how far it is.
    """

    seed: int = 0
    base: Path | None = None
    minutes: float | None = None
    device: str = "cpu"
    progress: ProgressCallback = ignore_progress


@dataclass(frozen=True)
class Method:
    """One way to learn scores from images.

    Attributes
    ----------
    name : str
        Its key in `METHODS`.
    settings : type of Settings
        What may be chosen, with the paper's values as defaults.
    fit : callable
        ``(images, scores [field] float64, settings, learning) -> ScoreModel``.
    restore : callable
        ``(page, arrays) -> ScoreModel``: what `ScoreModel.to_page` and `ScoreModel.to_arrays` gave.
    wants_base : bool
        Whether `fit` starts from a trained network, which `Learning.base` names.
    check_base : callable, optional
        ``(base, side_pix) -> None``: refuses a base that cannot be used, before anything long starts.
    """

    name: str
    settings: type[Settings]
    fit: Callable[[PixelSequence, Floats, Any, Learning], ScoreModel]
    restore: Callable[[Mapping[str, Any], Mapping[str, NDArray[Any]]], ScoreModel]
    wants_base: bool = False
    check_base: Callable[[Path, int], None] | None = None
