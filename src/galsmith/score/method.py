"""`Method`: one way to predict galaxyness, as a record; `ScoreModel`: all that is known of what a method learned."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from galsmith.execution import ProgressCallback, ProgressEvent, ignore_progress
from galsmith.images.image_set import PixelSequence, SelectedPixels
from galsmith.settings import Settings

Floats = NDArray[np.float64]
IMAGES_AT_ONCE = 16


class ScoreModel(Protocol):
    """What a method learned: scores of images, and its whole state as plain values and arrays."""

    def predict(self, seen: Any, *, progress: ProgressCallback = ignore_progress) -> Floats:
        """Predict the score of every image from what `Method.look` gives of it, [field] float64; nothing is clipped."""

    def to_page(self) -> dict[str, Any]:
        """Return what of it is plain JSON."""

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return what of it is arrays, by name."""


@dataclass(frozen=True)
class Learning:
    """What a method may use besides images and scores.

    Attributes
    ----------
    side_pix : int
        Of the images.
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

    side_pix: int
    seed: int = 0
    base: Path | None = None
    minutes: float | None = None
    device: str = "cpu"
    progress: ProgressCallback = ignore_progress


def pixels_themselves(
    images: PixelSequence, *, progress: ProgressCallback = ignore_progress
) -> PixelSequence:
    """Look at images as they are: read when they are needed."""
    return images


def each_image(
    function: Callable[[NDArray[np.float32]], NDArray[Any]],
    images: PixelSequence,
    *,
    stage: str,
    progress: ProgressCallback,
) -> NDArray[Any]:
    """Map a function over images of one band and stack what it gives.

    Parameters
    ----------
    function : callable
        Takes [y, x] float32, gives as many features of each.
    images : PixelSequence
        One or more.
    stage : str
        For progress.
    progress : callable
        Told after each chunk.

    Returns
    -------
    ndarray [field, feature]
    """
    found = []
    for start in range(0, len(images), IMAGES_AT_ONCE):
        rows = np.arange(start, min(start + IMAGES_AT_ONCE, len(images)))
        found += [function(image[0]) for image in images.read(rows)]
        progress(ProgressEvent(stage, len(found), len(images), "fields"))
    return np.stack(found)


def rows_of(seen: Any, rows: NDArray[np.int64]) -> Any:
    """Keep some images of what `Method.look` gave."""
    return seen[rows] if isinstance(seen, np.ndarray) else SelectedPixels(seen, rows)


def hash_of(arrays: Mapping[str, NDArray[Any]]) -> str:
    """SHA-256 of names, types, shapes and bytes, in the order of names."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        value = arrays[name]
        digest.update(json.dumps([name, str(value.dtype), list(value.shape)]).encode())
        digest.update(np.ascontiguousarray(value).tobytes())
    return digest.hexdigest()


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
        ``(seen, scores [field] float64, settings, learning) -> ScoreModel``.
    restore : callable
        ``(page, arrays) -> ScoreModel``: what `ScoreModel.to_page` and `ScoreModel.to_arrays` gave.
    look : callable
        ``(images, progress=...) -> seen``: what the method sees of images, such as an array [field, feature]; may be
        found once and be used in several fits. The pixels themselves where it is left out.
    explain : callable, optional
        ``(model, seen, scores, seed=...) -> list of dict``: says of held-out fields what the score is read from.
    wants_base : callable, optional
        ``(settings) -> bool``: whether `fit` starts from a trained network, which `Learning.base` names; it never does
        where this is left out.
    hash_base : callable, optional
        ``(base, side_pix) -> str``: the hash of what is learned from; refuses a base that cannot be used.
    """

    name: str
    settings: type[Settings]
    fit: Callable[[Any, Floats, Any, Learning], ScoreModel]
    restore: Callable[[Mapping[str, Any], Mapping[str, NDArray[Any]]], ScoreModel]
    look: Callable[..., Any] = pixels_themselves
    explain: Callable[..., list[dict[str, Any]]] | None = None
    wants_base: Callable[[Any], bool] | None = None
    hash_base: Callable[[Path, int], str] | None = None
