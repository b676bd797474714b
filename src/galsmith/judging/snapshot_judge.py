"""Who judges the snapshots of a training run that keeps its best, by properties or by features: `snapshot_judge`."""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from galsmith.compare import HeldOutJudge
from galsmith.compare.features.frechet import distance_of_gaussians, gaussian_of
from galsmith.compare.held_out import MEASURED_AT_LEAST
from galsmith.data.store import open_store
from galsmith.errors import InputError, SettingsError
from galsmith.execution import ProgressCallback, available_cores, ignore_progress
from galsmith.features import extract
from galsmith.features.extractors import build_extractor
from galsmith.images import ImageSet
from galsmith.seeds import random_stream

logger = logging.getLogger("galsmith")

EXTRACTORS_OF_JUDGES = {
    "features": "efficientnet-lite0",  # its weights come with a package: nothing is fetched
    "inception": "inception-2015-12-05",  # the papers' own; its weights must be there
}
HELD_OUT_AT_MOST, HELD_OUT_AT_LEAST = 5000, 100
Features = NDArray[np.float32]
SnapshotJudge = Callable[[ImageSet], Mapping[str, float]]


def snapshot_judge(
    data: str | Path,
    *,
    by: str | None = None,
    n_drawn: int,
    device: str = "cpu",
    progress: ProgressCallback = ignore_progress,
) -> SnapshotJudge:
    """Make a judge of drawn galaxies from the images of a store that are held out of training.

    Parameters
    ----------
    data : path
        The store; its split ``"validation"`` is judged against.
    by : {"properties", "features", "inception"}, optional
        Measured properties (`galsmith.compare.HeldOutJudge`, where left out), or learned features
        (`FeatureJudge`, which needs torch) of efficientnet-lite0 or of Inception, whose distance is FID.
    n_drawn : int
        How many galaxies are going to be drawn each time.
    device : str
        Where features are extracted, as torch names it.
    progress : callable
        Told how far the held-out images are.

    Returns
    -------
    callable
        Given an `ImageSet`, says its ``"distance"``; what `galsmith.training.train` takes as `evaluate`.

    Raises
    ------
    SettingsError
        If fewer galaxies are to be drawn than can be judged.
    InputError
        If the store has no images in its split ``"validation"``, or too few; or the weights of Inception are not on this
        machine, with the way to have them.
    """
    if by in EXTRACTORS_OF_JUDGES:
        return FeatureJudge(Path(data), extractor=EXTRACTORS_OF_JUDGES[by], device=device, progress=progress)
    if n_drawn < MEASURED_AT_LEAST:
        raise SettingsError(
            f"training.evaluation_galaxies is {n_drawn}",
            wanted=f"{MEASURED_AT_LEAST} or more to choose the best snapshot by (300 are usual)",
        )
    return HeldOutJudge(data, workers=available_cores(), progress=progress)


class FeatureJudge:
    """Called with an `ImageSet`, says FD to the held-out images of a store by the features of one network.

    It is biased upward, the more so the fewer galaxies are drawn, and equally at every call: good for choosing
    between snapshots of one run, not for a report. No floor is taken off.

    Parameters
    ----------
    data : Path
        The store; its split ``"validation"`` is judged against, of more than 5000 images 5000 at random.
    extractor : str
        The network; with ``"inception-2015-12-05"`` the distance is FID.
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
        self,
        data: Path,
        *,
        extractor: str = EXTRACTORS_OF_JUDGES["features"],
        device: str = "cpu",
        progress: ProgressCallback = ignore_progress,
    ) -> None:
        self._extractor = build_extractor(extractor, device=device)
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
