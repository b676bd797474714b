"""Judges drawn galaxies by a Fréchet distance of learned features to those held out of training, as GANs are chosen."""

import logging
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from galsmith.compare.features.frechet import distance_of_gaussians, gaussian_of
from galsmith.data.store import open_store
from galsmith.errors import InputError
from galsmith.execution import ProgressCallback, ignore_progress
from galsmith.features import extract
from galsmith.features.extractors import build_extractor
from galsmith.images import ImageSet
from galsmith.seeds import random_stream

logger = logging.getLogger("galsmith")

EXTRACTOR = "efficientnet-lite0"  # its weights come with a package: nothing is fetched
HELD_OUT_AT_MOST, HELD_OUT_AT_LEAST = 5000, 100
Features = NDArray[np.float32]


class FeatureJudge:
    """Called with an `ImageSet`, says FD[efficientnet-lite0] to the held-out images of a store.

    It is biased upward, the more so the fewer galaxies are drawn, and equally at every call: good for choosing
    between snapshots of one run, not for a report. No floor is taken off.

    Parameters
    ----------
    data : Path
        The store; its split ``"validation"`` is judged against, of more than 5000 images 5000 at random.
    device : str
        As torch names it.
    progress : callable
        Told how far the held-out images are.

    Raises
    ------
    InputError
        If fewer than 100 images are held out or usable, or the extractor is not installed.
    """

    def __init__(
        self, data: Path, *, device: str = "cpu", progress: ProgressCallback = ignore_progress
    ) -> None:
        self._extractor = build_extractor(EXTRACTOR, device=device)
        self._device = device
        held_out = open_store(data).in_split("validation")
        if len(held_out) > HELD_OUT_AT_MOST:
            rng = random_stream(0, "train.feature_judge", 0)
            held_out = held_out.select(
                np.sort(rng.choice(len(held_out), size=HELD_OUT_AT_MOST, replace=False))
            )
        values = self._values(held_out, progress) if len(held_out) else np.empty((0, 1), np.float32)
        if len(values) < HELD_OUT_AT_LEAST:
            raise InputError(
                f"{data}: {len(values)} images of the split 'validation' can be judged against by features; wanted "
                f"{HELD_OUT_AT_LEAST} or more: ingest or simulate more, or with `split=0.8/0.1/0.1`"
            )
        self._held_out = gaussian_of(values)

    def __call__(self, drawn: ImageSet) -> dict[str, float]:
        """Give ``distance``, NaN where fewer than half of the drawn galaxies are finite, and ``measured``, their share."""
        images = drawn.pixels.read(np.arange(len(drawn)))
        finite = [bool(np.isfinite(image).all()) for image in images]
        share = sum(finite) / len(finite)
        if share < 0.5:
            logger.warning("%.0f %% of the drawn galaxies are finite; no distance is taken", 100 * share)
            return {"distance": float("nan"), "measured": share}
        values = self._values(drawn.select(np.flatnonzero(finite)), ignore_progress)
        return {"distance": distance_of_gaussians(self._held_out, gaussian_of(values)), "measured": share}

    def _values(self, images: ImageSet, progress: ProgressCallback) -> Features:
        """Features of the images that have some, [galaxy, feature]."""
        values = extract(images, extractor=self._extractor, device=self._device, progress=progress).values
        kept: Features = values[np.isfinite(values).all(axis=1)]
        return kept
