"""What is found beyond one property at a time: records of statistics, classifiers, features and memorization; frozen."""

from dataclasses import dataclass

from galsmith.compare.records import Estimate


@dataclass(frozen=True)
class Statistic(Estimate):
    """One number about two sets, how sure it is, what it would be if nothing differed, and how likely that is.

    Attributes
    ----------
    name : str
        As figures and tables have it, such as ``"sliced W1"``.
    definition : str
        One sentence with its source.
    p_value : float
        Share of rearrangements of the two sets, taken as one, that give as much; NaN where there is no test.
    n_reference, n_generated : int
        Galaxies of each set in it.
    """

    name: str
    definition: str
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
    p_holm : float
        Of no difference, corrected for the number of pairs (Holm 1979).
    """

    first: str
    second: str
    reference: float
    generated: float
    difference: float
    p_holm: float


@dataclass(frozen=True)
class BeyondMarginals:
    """What all properties together tell.

    Attributes
    ----------
    sliced : Statistic
        Sliced Wasserstein-1 distance of the standardized properties.
    energy : Statistic
        Energy distance of the standardized properties.
    correlation : Statistic
        Root mean square difference of the two matrices of Spearman's correlations.
    correlation_pairs : tuple of CorrelationPair
        The largest differences first.
    classifiers : tuple of ClassifierTest
        On the properties.
    columns : tuple of str
        The properties, in order.
    n_reference, n_generated : int
        Galaxies of which all of them were measured.
    """

    sliced: Statistic
    energy: Statistic
    correlation: Statistic
    correlation_pairs: tuple[CorrelationPair, ...]
    classifiers: tuple[ClassifierTest, ...]
    columns: tuple[str, ...]
    n_reference: int
    n_generated: int


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
    precision, recall, density, coverage : Statistic
        Kynkäänniemi et al. (2019); Naeem et al. (2020).
    classifiers : tuple of ClassifierTest
        On the features.
    """

    extractor_id: str
    label: str
    frechet: Statistic
    kernel: Statistic
    kernel_subsets: tuple[float, float]
    precision: Statistic
    recall: Statistic
    density: Statistic
    coverage: Statistic
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
