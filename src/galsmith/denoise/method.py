"""`Denoiser`: from an observation to the scene before PSF and noise; `Method`: one way to do it, as a record."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from galsmith.observe.observed import Observed
from galsmith.settings import Settings

Pixels = NDArray[np.float32]


@dataclass(frozen=True)
class Denoised:
    """What a denoiser makes of one observation.

    Attributes
    ----------
    image : ndarray [band, y, x], float32
        The scene without PSF and noise, in the observation's unit and at its pixel scale.
    sigma : ndarray [band, y, x], float32, or None
        Stated standard deviation of each pixel of `image` about the truth; None where a method states none.
    """

    image: Pixels
    sigma: Pixels | None = None


class Denoiser(Protocol):
    """Takes PSF and noise off; classical methods and trained networks alike."""

    def denoise(self, observed: Observed) -> Denoised:
        """Estimate the scene of one observation; an observation is never written into."""


@dataclass(frozen=True)
class Method:
    """One way to denoise.

    Attributes
    ----------
    title : str
        One line for whoever must choose.
    settings : type of Settings
        What may be chosen.
    build : callable
        ``(settings) -> Denoiser``; where it needs training ``(settings, n_bands) -> DenoisingNetwork``, with first weights.
    needs_training : bool
        Whether `galsmith.denoise.fit` has to fill weights in before anything is denoised.
    source : str
        Paper or program that it is from.
    """

    title: str
    settings: type[Settings]
    build: Callable[..., Any]
    needs_training: bool
    source: str
