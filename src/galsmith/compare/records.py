"""What a comparison states: one record a property, one a mean, one for the whole; frozen."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from galsmith.provenance import Provenance


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
class Summary:
    """One property on one side, in the property's own unit.

    Attributes
    ----------
    median, low, high : float
        50th, 16th and 84th percentile.
    mean, sigma : float
        Mean and standard deviation.
    """

    median: float
    low: float
    high: float
    mean: float
    sigma: float


@dataclass(frozen=True)
class Estimate:
    """A distance, how sure it is and what it would be if nothing differed.

    Attributes
    ----------
    value : float
        The Wasserstein-1 distance, in units of the normalization; NaN where it cannot be had.
    corrected : float
        Twice `value` minus the mean of the bootstrap: less biased upward; not below 0.
    uncertainty : float
        Standard deviation of the bootstrap.
    interval : tuple of float
        Around `corrected`, as wide as the bootstrap's percentiles at the stated confidence.
    floor, floor_sigma : float
        Mean and standard deviation of the same distance between two parts of the reference set.
    """

    value: float
    corrected: float
    uncertainty: float
    interval: tuple[float, float]
    floor: float
    floor_sigma: float

    @property
    def excess(self) -> float:
        """How far the distance lies above its floor."""
        return self.value - self.floor

    @property
    def in_floors(self) -> float:
        """The distance in units of its floor; 1 is what sampling alone makes."""
        return self.value / self.floor if self.floor > 0 else float("nan")

    @property
    def z(self) -> float:
        """The excess in units of the floor's own spread."""
        return self.excess / self.floor_sigma if self.floor_sigma > 0 else float("nan")


@dataclass(frozen=True)
class Distance(Estimate):
    """The distance between two sets in one property.

    Attributes
    ----------
    name : str
        The property's name; with ``_circular`` appended where the angle is compared on its circle.
    column : str
        The column of the measurement tables.
    symbol, unit, group, definition : str
        As declared in `galsmith.measure.PROPERTIES`.
    in_means : bool
        Whether it enters the means.
    metric : str
        ``"linear"`` or ``"circular"``.
    normalization : str
        ``"none"``, ``"reference-zscore"`` or ``"reference-iqr"``.
    scale : float
        What a difference was divided by, in the property's unit.
    floor_scale : float
        The factor that brought the floor to the comparison's size; 1 where the reference was large enough.
    n_reference, n_generated : int
        Galaxies with a value.
    lost_reference, lost_generated : Losses
        Galaxies without one, and why.
    reference, generated : Summary
        What each side looks like.
    core : tuple of float
        Range where the bulk of both sides lies, in the property's unit.
    tail_share : float
        Share of the distance that is made beyond `core`: near 1 where a few wild values decide.
    p_value : float
        Share of random rearrangements of the two sets, taken as one, whose distance is as large.
    p_holm : float
        The same, corrected for the number of properties that are tested together (Holm 1979).
    reason : str
        Why there is no distance; empty where there is one.
    """

    name: str
    column: str
    symbol: str
    unit: str
    group: str
    definition: str
    in_means: bool
    metric: str
    normalization: str
    scale: float
    floor_scale: float
    n_reference: int
    n_generated: int
    lost_reference: Losses
    lost_generated: Losses
    reference: Summary
    generated: Summary
    core: tuple[float, float]
    tail_share: float
    p_value: float = float("nan")
    p_holm: float = float("nan")
    reason: str = ""


@dataclass(frozen=True)
class Mean(Estimate):
    """A mean of distances, with the interval and floor of the mean itself.

    Attributes
    ----------
    name : str
        A group's name, ``"all properties"`` or ``"headline"`` (the mean of the group means).
    n_properties : int
        How many distances are in it.
    """

    name: str
    n_properties: int


@dataclass(frozen=True)
class CutCount:
    """What one cut removed: the galaxies whose value lies outside of [low, high].

    A galaxy outside of several cuts is counted in each.
    """

    column: str
    low: float
    high: float
    removed_reference: int
    removed_generated: int


@dataclass(frozen=True)
class Side:
    """One of the two measurement tables.

    Attributes
    ----------
    path : str
        The table, relative to the comparison's file where there is one; a hint.
    content_hash : str
        Of the table.
    n_measured : int
        Rows of the table.
    n_compared : int
        Rows after the cuts.
    images_path, images_hash : str
        The store that was measured, as a hint and by content.
    bands : tuple of str
        Of the images.
    pixel_scale_arcsec : float or None
        Of the images.
    flux_unit : str
        Of the images.
    flags : mapping of str to int
        Name of each flag and how many rows carry it.
    provenance : mapping
        Of the table, as plain values.
    """

    path: str
    content_hash: str
    n_measured: int
    n_compared: int
    images_path: str
    images_hash: str
    bands: tuple[str, ...]
    pixel_scale_arcsec: float | None
    flux_unit: str
    flags: Mapping[str, int] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Comparison:
    """All that `galsmith.compare.compare` finds out about two sets.

    Attributes
    ----------
    distances : tuple of Distance
        One a property, in the order of `galsmith.measure.PROPERTIES`.
    means : tuple of Mean
        One a group, then ``"all properties"``, then ``"headline"``.
    reference, generated : Side
        The two tables.
    left_out : mapping of str to str
        Properties that only one side has, and why they were left out.
    cuts : tuple of CutCount
        What the cuts removed.
    settings : mapping
        Normalization by group, confidence, replicates, splits, floor_n and the rest.
    seed : int
        Of the bootstrap and the floor.
    provenance : Provenance
        What made this comparison.
    """

    distances: tuple[Distance, ...]
    means: tuple[Mean, ...]
    reference: Side
    generated: Side
    left_out: Mapping[str, str]
    cuts: tuple[CutCount, ...]
    settings: Mapping[str, Any]
    seed: int
    provenance: Provenance

    def distance(self, name: str) -> Distance:
        """Find a distance by name; `KeyError` lists the names when there is none."""
        for distance in self.distances:
            if distance.name == name:
                return distance
        raise KeyError(f"no distance {name!r}; there are {', '.join(item.name for item in self.distances)}")

    def mean(self, name: str) -> Mean:
        """Find a mean by name: a group, ``"all properties"`` or ``"headline"``."""
        for mean in self.means:
            if mean.name == name:
                return mean
        raise KeyError(f"no mean {name!r}; there are {', '.join(item.name for item in self.means)}")

    @property
    def headline(self) -> Mean:
        """The mean of the group means."""
        return self.mean("headline")

    @property
    def counted(self) -> tuple[Distance, ...]:
        """The distances that enter the means."""
        return tuple(item for item in self.distances if item.in_means and not item.reason)
