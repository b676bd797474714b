"""`average`: every field gets the mean of the training scores, which no method may fall behind."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from galsmith.execution import ProgressCallback, ignore_progress
from galsmith.images.image_set import PixelSequence
from galsmith.score.method import Floats, Learning, Method
from galsmith.settings import Settings


class AverageSettings(Settings):
    """Nothing can be chosen."""


@dataclass(frozen=True)
class Average:
    """The mean of the training scores."""

    score: float

    def predict(self, seen: PixelSequence, *, progress: ProgressCallback = ignore_progress) -> Floats:
        """Give every image the same score."""
        return np.full(len(seen), self.score)

    def to_page(self) -> dict[str, Any]:
        """Return the score."""
        return {"score": self.score}

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return nothing."""
        return {}


def fit(seen: PixelSequence, scores: Floats, settings: AverageSettings, learning: Learning) -> Average:
    """Take the mean; the images are not looked at."""
    return Average(float(scores.mean()))


def restore(page: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Average:
    """Make it of its page."""
    return Average(float(page["score"]))


METHOD = Method("average", AverageSettings, fit, restore)
