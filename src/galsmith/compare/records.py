"""What a comparison states: one record a property, one a mean, one for the whole; frozen."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from galsmith.compare.conditions import Condition
from galsmith.compare.losses import Losses, UsualValues
from galsmith.compare.sides import CutCount, Side
from galsmith.measure.properties.field import FIELD_GROUP
from galsmith.provenance import Provenance


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
        The distance or statistic; NaN where it cannot be had.
    corrected : float
        Median-unbiased estimate of the true distance; not below 0.
    uncertainty : float
        Standard deviation of the bootstrap.
    interval : tuple of float
        Where the distance of the populations lies, at the stated confidence (`galsmith.compare.intervals`).
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
        # Below 0 about as often as above where nothing differs.
        return self.value - self.floor

    @property
    def in_floors(self) -> float:
        """The distance in units of its floor; 1 is what sampling alone makes."""
        # Nothing to count in where the parts of the reference never differ: NaN, which passes no limit.
        return self.value / self.floor if self.floor > 0 else float("nan")

    @property
    def z(self) -> float:
        """The excess in units of the floor's own spread."""
        # The splits share galaxies, so that their spread understates that of independent sets a little.
        return self.excess / self.floor_sigma if self.floor_sigma > 0 else float("nan")


class Estimated:
    """What an estimate is of: its numbers can be asked for by name, such as ``distance.in_floors``."""

    estimate: Estimate

    @property
    def value(self) -> float:
        """The distance or statistic itself."""
        return self.estimate.value

    @property
    def interval(self) -> tuple[float, float]:
        """Its interval."""
        return self.estimate.interval

    @property
    def floor(self) -> float:
        """What it is if nothing differs."""
        return self.estimate.floor

    @property
    def in_floors(self) -> float:
        """The value in units of its floor."""
        return self.estimate.in_floors


@dataclass(frozen=True)
class Distance(Estimated):
    """The distance between two sets in one property.

    Attributes
    ----------
    name : str
        The property's name; with ``_circular`` appended where the angle is compared on its circle.
    column : str
        The column of the measurement tables.
    symbol, unit, group, definition : str
        As declared in `galsmith.measure.PROPERTIES`.
    estimate : Estimate
        Of the Wasserstein-1 distance, in units of the normalization.
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
    p_family : float
        The same, corrected for all properties of its family (those of the means, or the others) by their joint deals.
    p_near, p_near_family : float
        Share of rearrangements whose distance is as small; corrected for all properties.
    told_from : float
        From where on the distance is told in its family; see `galsmith.compare.correction.FAMILY_LEVEL`.
    reason : str
        Why there is no distance; empty where there is one.
    usual : UsualValues or None
        How many galaxies have values as the reference, where a distance would have no unit.
    note : str
        What the reference cannot tell in this property, whatever the distance; empty where there is nothing to say.
    beside : mapping of str to Statistic
        Other distances of the same values, by their names in `PER_PROPERTY`; none unless one was registered.
    """

    name: str
    column: str
    symbol: str
    unit: str
    group: str
    definition: str
    estimate: Estimate
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
    p_family: float = float("nan")
    p_near: float = float("nan")
    p_near_family: float = float("nan")
    told_from: float = float("nan")
    reason: str = ""
    usual: UsualValues | None = None
    note: str = ""
    beside: Mapping[str, "Statistic"] = field(default_factory=dict)


@dataclass(frozen=True)
class Mean(Estimated):
    """A mean of distances, with the interval and floor of the mean itself.

    Attributes
    ----------
    name : str
        A group's name, ``"all properties"`` or ``"headline"`` (the mean of the group means).
    n_properties : int
        How many distances are in it.
    estimate : Estimate
        Of the mean.
    p_value, p_family, p_near, p_near_family : float
        As of a `Distance`; the family is that of all means.
    """

    name: str
    n_properties: int
    estimate: Estimate
    p_value: float = float("nan")
    p_family: float = float("nan")
    p_near: float = float("nan")
    p_near_family: float = float("nan")


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
    conditions : tuple of Condition
        Where the two sets were not taken alike.
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
    conditions: tuple[Condition, ...] = ()

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
        known = ", ".join(item.name for item in self.means)
        raise KeyError(f"no mean {name!r}; {f'there are {known}' if known else 'nothing was compared'}")

    @property
    def is_of_fields(self) -> bool:
        """Whether each image is a field of many sources, not one galaxy."""
        return any(item.group == FIELD_GROUP for item in self.distances)

    @property
    def images_name(self) -> str:
        """What the images are called in words: galaxies or fields."""
        return "fields" if self.is_of_fields else "galaxies"

    @property
    def headline(self) -> Mean:
        """The mean of the group means."""
        return self.mean("headline")

    @property
    def headline_text(self) -> str:
        """The headline distance, the one at the top of a report, in words beside what sampling alone makes."""
        mean = next((item for item in self.means if item.name == "headline"), None)
        if mean is None or not mean.n_properties:
            return "no property could be compared"
        return (
            f"W1 {mean.value:.3f} standard deviations of the reference on average over {mean.n_properties} properties, "
            f"{mean.in_floors:.1f} times the {mean.floor:.3f} that sampling alone makes"
        )

    @property
    def counted(self) -> tuple[Distance, ...]:
        """The distances that enter the means."""
        # What could not be compared is no distance of 0: it is left out, and its reason stays on the card.
        return tuple(item for item in self.distances if item.in_means and not item.reason)


@dataclass(frozen=True)
class Statistic(Estimated):
    """One number about two sets, how sure it is, what it would be if nothing differed, and how likely that is.

    Attributes
    ----------
    name : str
        As figures and tables have it, such as ``"sliced W1"``.
    definition : str
        One sentence with its source.
    estimate : Estimate
        The number itself.
    p_value : float
        Share of rearrangements of the two sets, taken as one, that give as much; NaN where there is no test.
    n_reference, n_generated : int
        Galaxies of each set in it.
    """

    name: str
    definition: str
    estimate: Estimate
    p_value: float
    n_reference: int
    n_generated: int


@dataclass(frozen=True)
class Giveaway:
    """How much a column tells a classifier.

    Attributes
    ----------
    column : str
        A property, or a product of two such as ``"gini * m20"``.
    importance, importance_sigma : float
        Mean and standard deviation of the loss of area under the curve when the column is shuffled.
    """

    column: str
    importance: float
    importance_sigma: float


@dataclass(frozen=True)
class ClassifierTest:
    """A classifier that was trained to tell the two sets apart, judged on galaxies it has not seen.

    Attributes
    ----------
    head : {"trees", "pairs"}
        Gradient-boosted trees; logistic regression on all columns and their products of two.
    on : str
        ``"properties"`` or the id of a feature extractor.
    auc : Statistic
        Area under the receiver operating characteristic: 0.5 where the sets cannot be told apart.
    accuracy : Statistic
        Share of galaxies that are told right, both sets counting the same.
    giveaways : tuple of Giveaway
        What gives the set away, the most telling first.
    told_reference, told_generated : tuple of int
        Rows of each set that are told most surely, the surest first.
    """

    head: str
    on: str
    auc: Statistic
    accuracy: Statistic
    giveaways: tuple[Giveaway, ...]
    told_reference: tuple[int, ...]
    told_generated: tuple[int, ...]


@dataclass(frozen=True)
class CorrelationPair:
    """Two properties whose correlation differs.

    Attributes
    ----------
    first, second : str
        Columns.
    reference, generated : float
        Spearman's correlation in each set.
    difference : float
        Generated less reference.
    p_value, p_family : float
        Of no difference, two-sided, by dealing ranks; corrected for all pairs by their joint deals.
    """

    first: str
    second: str
    reference: float
    generated: float
    difference: float
    p_value: float
    p_family: float


class JointFinding(NamedTuple):
    """What a statistic of all properties together finds: itself, and the pairs of properties that make it."""

    statistic: Statistic
    pairs: tuple[CorrelationPair, ...] = ()


@dataclass(frozen=True)
class BeyondMarginals:
    """What all properties together tell.

    Attributes
    ----------
    statistics : mapping of str to Statistic
        By their names in `galsmith.compare.JOINT`: ``"sliced"``, ``"energy"``, ``"correlation"``, and what was registered.
    correlation_pairs : tuple of CorrelationPair
        All of them, the largest differences first.
    classifiers : tuple of ClassifierTest
        On the properties.
    columns : tuple of str
        The properties, in order.
    n_reference, n_generated : int
        Galaxies of which all of them were measured.
    shown_only : tuple of str
        Names of statistics that are no evidence.
    """

    statistics: Mapping[str, Statistic]
    correlation_pairs: tuple[CorrelationPair, ...]
    classifiers: tuple[ClassifierTest, ...]
    columns: tuple[str, ...]
    n_reference: int
    n_generated: int
    shown_only: tuple[str, ...] = ()


@dataclass(frozen=True)
class Support:
    """How well the ground of two sets overlaps (Kynkäänniemi et al. 2019; Naeem et al. 2020).

    Attributes
    ----------
    precision, recall, density, coverage : Statistic
        Of the generated set against the reference.
    p_together : mapping of str to float
        The p value of each, corrected for the four by their joint deals.
    """

    precision: Statistic
    recall: Statistic
    density: Statistic
    coverage: Statistic
    p_together: Mapping[str, float]

    @property
    def statistics(self) -> dict[str, Statistic]:
        """The four, by name."""
        return {
            "precision": self.precision,
            "recall": self.recall,
            "density": self.density,
            "coverage": self.coverage,
        }


@dataclass(frozen=True)
class FeatureComparison:
    """Two sets in the features of one network.

    Attributes
    ----------
    extractor_id : str
        Network, hash of its weights, layer, resizing and rendering; only equal ids can be compared.
    label : str
        ``"FID"`` for the standard network alone, else ``"FD[name]"``.
    frechet : Statistic
        Fréchet distance of the two Gaussians (Heusel et al. 2017).
    kernel : Statistic
        Squared maximum mean discrepancy with the cubic kernel, unbiased, of all features (Bińkowski et al. 2018).
    kernel_subsets : tuple of float
        Mean and standard deviation over 100 subsets of 1,000, as papers have it.
    support : Support
        Precision, recall, density and coverage.
    classifiers : tuple of ClassifierTest
        On the features.
    """

    extractor_id: str
    label: str
    frechet: Statistic
    kernel: Statistic
    kernel_subsets: tuple[float, float]
    support: Support
    classifiers: tuple[ClassifierTest, ...]


@dataclass(frozen=True)
class ClosestPair:
    """A generated image and its nearest training image.

    Attributes
    ----------
    generated, training : int
        Rows of the two sets.
    distance : float
        In the space's own unit.
    turn : int
        Which of the eight quarter turns and flips of the training image is nearest; see `galsmith.data`.
    yardstick_quantile : float
        Share of held-out images that are nearer to their nearest training image.
    """

    generated: int
    training: int
    distance: float
    turn: int
    yardstick_quantile: float


@dataclass(frozen=True)
class Memorization:
    """Whether generated images are nearer to training images than images that nobody trained on.

    Attributes
    ----------
    space : str
        ``"pixels"`` or the id of a feature extractor.
    authenticity : Statistic
        AuthPct: share of generated images that are farther from their nearest training image than that is
        from its own nearest training image (Alaa et al. 2022).
    c_t : Statistic
        Standardized Mann-Whitney statistic of the distances of generated against held-out images to the
        training set; far below 0 for copies (Meehan et al. 2020).
    share_closer : Statistic
        Share of generated images nearer to the training set than all but 1 % of the held-out ones.
    quantiles : tuple of float
        At which the next two are given.
    distances_generated, distances_held_out : tuple of float
        Quantiles of the distance to the nearest training image.
    pairs : tuple of ClosestPair
        The closest first.
    n_training, n_held_out, n_generated : int
        Images of each set.
    """

    space: str
    authenticity: Statistic
    c_t: Statistic
    share_closer: Statistic
    quantiles: tuple[float, ...]
    distances_generated: tuple[float, ...]
    distances_held_out: tuple[float, ...]
    pairs: tuple[ClosestPair, ...]
    n_training: int
    n_held_out: int
    n_generated: int


@dataclass(frozen=True)
class PairedDifference:
    """How much nearer one generated set is than another, both against the same draws of the reference.

    Attributes
    ----------
    name : str
        A property's, a group's, ``"all properties"`` or ``"headline"``.
    first, second : str
        Names of the generated sets.
    value : float
        Distance of `first` less that of `second`; below 0 where `first` is nearer.
    uncertainty : float
        Standard deviation over the joint bootstrap.
    interval : tuple of float
        At the stated confidence.
    p_value : float
        Two-sided, of no difference.
    """

    name: str
    first: str
    second: str
    value: float
    uncertainty: float
    interval: tuple[float, float]
    p_value: float
