"""The task of predicting a number from an image: ridge regression on pixel features."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from sklearn.linear_model import Ridge

from galsmith.errors import InputError
from galsmith.images import ImageSet
from galsmith.settings import Settings
from galsmith.study.pixel_features import PixelFeatures
from galsmith.study.task import Floats, labels_of

THIRDS = (1 / 3, 2 / 3)


@dataclass(frozen=True)
class Regression:
    """What was learned: features, coefficients, and the mean of the training values."""

    features: PixelFeatures
    ridge: Ridge


class Regressor(Settings):
    """Any column of numbers.

    Attributes
    ----------
    label : str
        The column.
    is_log : bool
        Learn its logarithm.
    size_pix, n_components, n_centers : int
        Of the pixel features.
    strength : float
        Weight of the mean squared error against the squared coefficients.
    """

    title: ClassVar[str] = "a number of an image"
    loss: ClassVar[str] = "squared error in variances of the test images"
    label: str = "r_half_pix"
    is_log: bool = False
    size_pix: int = Field(default=24, ge=4, le=256)
    n_components: int = Field(default=40, ge=1)
    n_centers: int = Field(default=400, ge=2)
    strength: float = Field(default=10_000.0, gt=0)

    def described(self) -> Mapping[str, Any]:
        """Give all settings."""
        return {"task": "regressor", **self.model_dump(mode="json")}

    def check(self, images: ImageSet, name: str) -> None:
        """Refuse images without labels, and labels that are all the same."""
        if np.ptp(self._values(images, name)) == 0:
            raise InputError(
                f"{name}: {self.label} is the same for all images, so that there is nothing to learn"
            )

    def groups(self, images: ImageSet) -> NDArray[np.str_]:
        """Name the third of the test images' values."""
        values = self._values(images, "the test images")
        ends = np.quantile(values, THIRDS)
        return np.array(["lowest third", "middle third", "highest third"])[np.digitize(values, ends)]

    def fit(self, images: ImageSet, seed: int) -> Regression:
        """Learn; copies of all images change nothing but the draw of the kernel's centers."""
        features = PixelFeatures.fitted(
            images,
            size_pix=self.size_pix,
            n_components=self.n_components,
            n_centers=self.n_centers,
            seed=seed,
        )
        ridge = Ridge(alpha=len(images) / self.strength)
        return Regression(
            features, ridge.fit(features.of(images), self._values(images, "the training images"))
        )

    def score(self, model: Regression, test: ImageSet) -> Floats:
        """Squared error of each image, in the variance of the test images' values: 1 is what their mean would have."""
        values = self._values(test, "the test images")
        predicted = model.ridge.predict(model.features.of(test))
        return np.asarray((predicted - values) ** 2 / np.var(values))

    def _values(self, images: ImageSet, name: str) -> Floats:
        """Read the column."""
        values = labels_of(images, self.label, name)
        if self.is_log and np.any(values <= 0):
            raise InputError(
                f"{name}: {self.label} is not above 0 for all images, so that it has no logarithm"
            )
        return np.log(values) if self.is_log else values
