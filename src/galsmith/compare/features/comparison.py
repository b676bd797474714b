"""Two sets in the features of one network: Fréchet and kernel distance with floors, support, classifiers."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from galsmith.compare.classifiers.two_sample import in_rows, two_sample_classifiers
from galsmith.compare.complete_rows import choose_rows
from galsmith.compare.correction import LEAST_DEALS
from galsmith.compare.features.frechet import frechet_statistic
from galsmith.compare.features.kernel import kernel_statistic
from galsmith.compare.features.support import support
from galsmith.compare.records import ClassifierTest, FeatureComparison
from galsmith.compare.resampling import Chance, GalaxyGroups
from galsmith.counts import counted
from galsmith.errors import InputError
from galsmith.execution import ProgressCallback, ignore_progress

Features = NDArray[np.float32]

# What the features of the published weights, seen as the standard FID sees pictures, begin with.
STANDARD_ID = "inception-2015-12-05/6726825d0af5f729/pool3-2048/tf1-bilinear-299"
MINIMUM_ROWS = 50
MOST_ROWS = 10_000
SUPPORT_REPLICATES, SUPPORT_SPLITS = 200, 100


class FeatureTable(Protocol):
    """Features of one set, such as a `galsmith.features.FeatureSet`."""

    @property
    def values(self) -> Features:
        """Features, [galaxy, feature] float32; a row with NaN is of an image that could not be seen."""

    @property
    def extractor_id(self) -> str:
        """What the features depend on besides the images."""


@dataclass(frozen=True)
class NamedFeatures:
    """Features that were made elsewhere.

    Attributes
    ----------
    values : ndarray [galaxy, feature], float32
        A row with NaN is of an image that could not be seen.
    extractor_id : str
        What the features depend on besides the images; begins with the network's name and a slash.
    """

    values: Features
    extractor_id: str


def compare_features(
    reference: FeatureTable,
    generated: FeatureTable,
    groups: GalaxyGroups | None = None,
    *,
    chance: Chance | None = None,
    classifiers: bool = True,
    workers: int = 1,
    progress: ProgressCallback = ignore_progress,
) -> FeatureComparison:
    """Compare two sets in the features of one network.

    Parameters
    ----------
    reference, generated : FeatureTable
        Of the same extractor; rows with NaN are left out.
    groups : GalaxyGroups, optional
        Which rows are of one galaxy: tests, neighbors and classifiers see it once. Each is where left out.
    chance : Chance, optional
        Seed, draws and confidence; the distances take fewer draws than stated where those are dear.
    classifiers : bool
        Also train classifiers on the features.
    workers : int
        Processes that share the classifiers where these are large; no number depends on it.
    progress : callable
        Told of each step.

    Raises
    ------
    InputError
        If the extractors differ, or a set has fewer than 50 rows.
    """
    drawing = Chance() if chance is None else chance
    _check_ids(reference.extractor_id, generated.extractor_id)
    rows = _usable_rows(reference.values, "reference"), _usable_rows(generated.values, "generated")
    first, second = reference.values[rows[0]], generated.values[rows[1]]
    if first.shape[1] != second.shape[1]:
        raise InputError(
            f"features of the reference have {first.shape[1]} columns, of the generated set {second.shape[1]}; "
            "extract both with the same network"
        )
    label, kernel_label = _labels(reference.extractor_id)
    whole = groups or GalaxyGroups.of_sizes(len(reference.values), len(generated.values))
    once = whole.of_rows(*rows).once()
    chosen = (
        _few(rows[0][once[0]], "reference", drawing.seed),
        _few(rows[1][once[1]], "generated", drawing.seed),
    )
    # Distances see all rows; neighbors and classifiers want them in float64, in pairs.
    few = reference.values[chosen[0]], generated.values[chosen[1]]
    kernel, subsets = kernel_statistic(
        first, second, once, chance=drawing, label=kernel_label, progress=progress
    )
    return FeatureComparison(
        extractor_id=reference.extractor_id,
        label=label,
        frechet=frechet_statistic(first, second, chance=drawing, label=label, progress=progress),
        kernel=kernel,
        kernel_subsets=subsets,
        support=support(
            *few,
            seed=drawing.seed,
            replicates=min(drawing.replicates, SUPPORT_REPLICATES),
            splits=min(drawing.splits, SUPPORT_SPLITS),
            permutations=max(drawing.permutations, LEAST_DEALS),
            confidence=drawing.confidence,
            progress=progress,
        ),
        classifiers=_classifiers(
            few, chosen, drawing, reference.extractor_id, workers=workers, progress=progress
        )
        if classifiers
        else (),
    )


def _check_ids(reference: str, generated: str) -> None:
    """Refuse features of different networks, weights, resizings or renderings, and say which differ."""
    if reference == generated:
        return
    # One id may have more parts than the other.
    pairs = zip(reference.split("/"), generated.split("/"), strict=False)
    differing = [f"{one} against {other}" for one, other in pairs if one != other]
    raise InputError(
        f"features of the reference are by {reference}, of the generated set by {generated}; they cannot be compared "
        f"({'; '.join(differing) or 'one id is longer'}): extract both in the same way"
    )


def _usable_rows(values: Features, side: str) -> NDArray[np.intp]:
    """Find the rows without NaN and see that they are enough."""
    # Images with pixels that are not finite have rows of NaN.
    usable = np.flatnonzero(np.isfinite(values).all(axis=1))
    if len(usable) < MINIMUM_ROWS:
        raise InputError(
            f"the {side} set has {counted(len(usable), 'galaxies with')} features; wanted {MINIMUM_ROWS} or more, "
            "since the floor of fewer hides any difference"
        )
    return usable


def _few(rows: NDArray[np.intp], side: str, seed: int) -> NDArray[np.intp]:
    """Draw the rows that neighbors and classifiers look at: as float64, all would not fit into memory."""
    return rows[choose_rows(len(rows), MOST_ROWS, seed=seed, purpose=f"compare.features.{side}")]


def _labels(extractor_id: str) -> tuple[str, str]:
    """Names of the two distances; only those of the standard network may have the known ones."""
    # Results of other networks may not be called FID (Heusel et al. 2017) and KID (Bińkowski et al. 2018).
    if extractor_id == STANDARD_ID or extractor_id.startswith(f"{STANDARD_ID}/"):
        return "FID", "KID"
    network = extractor_id.partition("/")[0]
    return f"FD[{network}]", f"KD[{network}]"


def _classifiers(
    values: tuple[Features, Features],
    rows: tuple[NDArray[np.intp], NDArray[np.intp]],
    chance: Chance,
    extractor_id: str,
    *,
    workers: int,
    progress: ProgressCallback,
) -> tuple[ClassifierTest, ...]:
    """Train classifiers on features; the galaxies that they tell are rows of the whole sets."""
    tests = two_sample_classifiers(
        *values,
        [f"feature_{number:04d}" for number in range(values[0].shape[1])],
        on=extractor_id,
        seed=chance.seed,
        confidence=chance.confidence,
        workers=workers,
        progress=progress,
    )
    return tuple(in_rows(test, *rows) for test in tests)
