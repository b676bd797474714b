"""The task of telling early from late types: logistic regression on pixel features."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from sklearn.linear_model import LogisticRegression

from galsmith.errors import InputError
from galsmith.images import ImageSet
from galsmith.settings import Settings
from galsmith.study.pixel_features import PixelFeatures
from galsmith.study.task import Floats, labels_of

LEAST_PROBABILITY = 1e-6  # of a class, so that one image cannot carry a mean
LEAST_OF_A_CLASS = 2


class Classifier(Settings):
    """Early or late type.

    Attributes
    ----------
    label : str
        Column of types.
    boundary : float
        What is below is early; Hubble types T of lenticulars are below 0 (Baillard et al. 2011, table 1).
    size_pix, n_components, n_centers : int
        Of the pixel features.
    strength : float
        Weight of the mean loss against the squared coefficients.
    """

    title: ClassVar[str] = "early or late type"
    loss: ClassVar[str] = "log loss"
    label: str = "T"
    boundary: float = 0.0
    size_pix: int = Field(default=24, ge=4, le=256)
    n_components: int = Field(default=40, ge=1)
    n_centers: int = Field(default=400, ge=2)
    strength: float = Field(default=10_000.0, gt=0)

    def described(self) -> Mapping[str, Any]:
        """Give all settings."""
        return {"task": "classifier", **self.model_dump(mode="json")}

    def check(self, images: ImageSet, name: str) -> None:
        """Refuse images without labels, and a set of one class."""
        is_early = self._is_early(images, name)
        fewest = min(int(is_early.sum()), int((~is_early).sum()))
        if fewest < LEAST_OF_A_CLASS:
            raise InputError(
                f"{name}: {fewest} images of one of the two classes ({self.label} below {self.boundary:g} or not); wanted "
                f"{LEAST_OF_A_CLASS} or more of each"
            )

    def groups(self, images: ImageSet) -> NDArray[np.str_]:
        """Name the class."""
        return np.where(self._is_early(images, "the test images"), "early", "late")

    def fit(self, images: ImageSet, seed: int) -> tuple[PixelFeatures, LogisticRegression]:
        """Learn; copies of all images change nothing but the draw of the kernel's centers."""
        features = PixelFeatures.fitted(
            images,
            size_pix=self.size_pix,
            n_components=self.n_components,
            n_centers=self.n_centers,
            seed=seed,
        )
        # C multiplies the sum of losses, so this weighs their mean.
        regression = LogisticRegression(C=self.strength / len(images), max_iter=2000)
        return features, regression.fit(features.of(images), self._is_early(images, "the training images"))

    def score(self, model: tuple[PixelFeatures, LogisticRegression], test: ImageSet) -> Floats:
        """Log loss of each image, in nats."""
        features, regression = model
        early = regression.predict_proba(features.of(test))[:, 1]
        right = np.where(self._is_early(test, "the test images"), early, 1 - early)
        return np.asarray(-np.log(np.clip(right, LEAST_PROBABILITY, 1)))

    def _is_early(self, images: ImageSet, name: str) -> NDArray[np.bool_]:
        """Which images are of early type."""
        return labels_of(images, self.label, name) < self.boundary
