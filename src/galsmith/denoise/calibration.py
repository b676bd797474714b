"""Calibrated uncertainties: factors of stated ones, by signal to noise, so that 68 % of truths lie within."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

SHARE_WITHIN_SIGMA = 0.6827  # of a normal law, whose stated sigma is to be
EDGES = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)  # of |estimate| / stated sigma; the last range is open
FEWEST_PIXELS = 500


class Stated(NamedTuple):
    """What a network said of some pixels, and what was true: estimate, sigma, truth, each of one shape."""

    estimate: NDArray[np.float32]
    sigma: NDArray[np.float32]
    truth: NDArray[np.float32]


@dataclass(frozen=True)
class Temperature:
    """Factors of stated sigmas by the pixel's signal to noise as stated.

    Attributes
    ----------
    factors : tuple of float
        One a range of `EDGES`; factors between the middles of ranges are interpolated.
    """

    factors: tuple[float, ...] = (1.0,) * len(EDGES)

    def calibrated(self, estimate: NDArray[np.float32], sigma: NDArray[np.float32]) -> NDArray[np.float32]:
        """Multiply stated sigmas, of any shape."""
        signal = np.abs(estimate) / np.maximum(sigma, np.finfo(np.float32).tiny)
        # the square root spreads the low ranges, where most pixels are
        factor = np.interp(np.sqrt(signal), np.sqrt(_middles()), self.factors)
        return np.asarray(sigma * factor, dtype=np.float32)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON."""
        return {"edges": list(EDGES), "factors": list(self.factors)}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> "Temperature":
        """Read what `to_dict` wrote."""
        return cls(tuple(float(one) for one in value["factors"]))


def fitted_temperature(stated: Iterable[Stated]) -> Temperature:
    """Fit factors to held-out images: the share of a normal law within one sigma, range by range.

    Parameters
    ----------
    stated : iterable of Stated
        One an image.

    Returns
    -------
    Temperature
        A range with fewer than 500 pixels has the factor of the one below it.
    """
    signals, pulls = [], []
    for one in stated:
        signals.append((np.abs(one.estimate) / one.sigma).ravel())
        pulls.append((np.abs(one.estimate - one.truth) / one.sigma).ravel())
    signal, pull = np.concatenate(signals), np.concatenate(pulls)
    place = np.digitize(signal, EDGES) - 1
    factors: list[float] = []
    for number in range(len(EDGES)):
        inside = pull[place == number]
        known = factors[-1] if factors else 1.0
        factors.append(
            float(np.quantile(inside, SHARE_WITHIN_SIGMA)) if len(inside) >= FEWEST_PIXELS else known
        )
    return Temperature(tuple(factors))


def _middles() -> NDArray[np.float64]:
    """Signal to noise that stands for each range: its middle, and one and a half times the last edge."""
    edges = np.array([*EDGES, 2 * EDGES[-1]])
    return np.asarray((edges[:-1] + edges[1:]) / 2)
