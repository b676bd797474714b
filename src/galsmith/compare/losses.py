"""What is lost: images before any galaxy is compared, values of a property; and values that all but few galaxies have."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Losses:
    """Galaxies of one side that have no value of a property.

    Attributes
    ----------
    count : int
        How many.
    reasons : mapping of str to int
        Names of the flags that they carry, and how many carry each; one galaxy may carry several.
        ``"unflagged"`` counts those that carry none.
    """

    count: int
    reasons: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class UsualValues:
    """How many galaxies have values as all or nearly all of the reference, where its spread is no unit for a distance.

    Attributes
    ----------
    low, high : float
        From where to where these values lie, in the property's unit.
    n_reference, n_generated : int
        Galaxies of either side with such a value.
    """

    low: float
    high: float
    n_reference: int
    n_generated: int

    @classmethod
    def within(
        cls, low: float, high: float, reference: NDArray[np.float64], generated: NDArray[np.float64]
    ) -> "UsualValues":
        """Count the measured values of both sides in a range, its ends included."""
        counts = (
            int(np.count_nonzero((values >= low) & (values <= high))) for values in (reference, generated)
        )
        return cls(low, high, *counts)


@dataclass(frozen=True)
class ImageLosses:
    """What became of the images of one side before any was compared.

    Attributes
    ----------
    n_given : int
        How many there were.
    n_left_out : int
        Those that could not be used, and were not measured.
    left_out : mapping of str to int
        Why, in the whole store of which this side may be a part.
    is_counted : bool
        Whether anybody counted those: a store does as it is made of files, files that are measured need not be left out.
    n_unmeasured : int
        Galaxies of which nothing was measured.
    unmeasured : mapping of str to int
        Names of the flags that these carry, and how many carry each; ``"unflagged"`` counts those that carry none.
    """

    n_given: int = 0
    n_left_out: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)
    is_counted: bool = False
    n_unmeasured: int = 0
    unmeasured: Mapping[str, int] = field(default_factory=dict)

    @property
    def n_lost(self) -> int:
        """How many are lost to every property."""
        return self.n_left_out + self.n_unmeasured

    @property
    def by_reason(self) -> dict[str, int]:
        """Lost images by reason, most frequent first: why they were left out, or the flags of those not measured."""
        # One image may carry several flags, so that these add up to more than are lost.
        counts = Counter(self.left_out) + Counter(self.unmeasured)
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
