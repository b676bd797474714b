"""Laws of the noise: what it does to an image whose mean is known, and its variance at each pixel."""

from abc import ABC, abstractmethod
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from galsmith.images import ImageHeader
from galsmith.observe.by_band import ByBand, in_bands
from galsmith.settings import Settings

Floats = NDArray[np.float64]
Pixels = NDArray[np.float32]


class Noisy(NamedTuple):
    """An image with noise, and the variance that the law says of each of its pixels."""

    image: Pixels
    variance: NDArray[np.floating]


class NoiseLaw(Settings, ABC):
    """What all laws have: an image with noise, and its variance."""

    @abstractmethod
    def added(self, mean: Floats, sky: Floats, chance: np.random.Generator, header: ImageHeader) -> Noisy:
        """Add noise to an image.

        Parameters
        ----------
        mean : ndarray [band, y, x], float64
            What is there without noise and without sky, in the header's unit per pixel.
        sky : ndarray [band], float64
            Level of the sky below it, in the same unit; it is not in the result.
        chance : Generator
            Of random numbers.
        header : ImageHeader
            Of the observed images.
        """


class GaussianNoise(NoiseLaw):
    """Noise that is the same at every pixel and independent from one to the next.

    Attributes
    ----------
    sigma : float or mapping of band to float
        Standard deviation, in the header's unit per pixel.
    """

    kind: Literal["gaussian"] = "gaussian"
    sigma: ByBand

    def added(self, mean: Floats, sky: Floats, chance: np.random.Generator, header: ImageHeader) -> Noisy:
        """Add noise to an image; see `NoiseLaw.added`."""
        del sky  # the law says its sum with the noise of the sky
        sigma = in_bands(self.sigma, header.bands, argument="noise.sigma")[:, np.newaxis, np.newaxis]
        image = chance.standard_normal(mean.shape, dtype=np.float32)
        image *= sigma.astype(np.float32)
        image += mean
        return Noisy(image, np.broadcast_to(sigma**2, mean.shape))
