"""Whether a generator gives back its training images: nearest training images with held-out ones as the yardstick."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from galsmith.compare.estimates import share_statistics
from galsmith.compare.memory.nearest import Nearest, nearest_rows
from galsmith.compare.records import ClosestPair, Memorization, Statistic
from galsmith.compare.resampling import Chance
from galsmith.counts import counted
from galsmith.errors import InputError, SettingsError
from galsmith.execution import ProgressCallback, ignore_progress
from galsmith.seeds import random_stream

Floats = NDArray[np.float64]
Features = NDArray[np.float32]

logger = logging.getLogger(__name__)

PIXELS = "pixels"
CLOSE_SHARE = 0.01
QUANTILES = (0.0, 0.001, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)
AUTHENTIC, C_T, CLOSER = "AuthPct", "C_T", "share closer"
MINIMUM_IMAGES = 50
SAME = 1e-5
ROWS_PER_CHECK = 4096

DEFINITIONS = {
    AUTHENTIC: (
        "Share of generated images farther from their nearest training image than that is from its own nearest "
        "training image (Alaa et al. 2022); the floor is that of the held-out images, p is of no smaller a share "
        "(Fisher's exact test)."
    ),
    C_T: (
        "Standardized Mann-Whitney statistic of the distances to the training set, generated against held-out, over "
        "the whole space (Meehan et al. 2020); far below 0 for copies, p is of no nearer (normal, one-sided)."
    ),
    CLOSER: (
        "Share of generated images nearer to the training set than the {rank} of {held_out} held-out ones, "
        "{expected:.2%} where nothing differs; p is of no larger a share (beta-binomial, one-sided)."
    ),
}


@dataclass(frozen=True)
class Yard:
    """What one set of images shows against the third set.

    Attributes
    ----------
    distance : ndarray [image], float64
        To the nearest image of the third set, in any measure that is small for copies.
    is_authentic : ndarray [image], bool, optional
        Whether that is farther than it is from its own nearest image.
    """

    distance: Floats
    is_authentic: NDArray[np.bool_] | None = None

    def drawn(self, rows: NDArray[np.int64]) -> "Yard":
        """Take some images, some of them more than once."""
        return Yard(self.distance[rows], None if self.is_authentic is None else self.is_authentic[rows])


def memorization(
    generated: ArrayLike,
    training: ArrayLike,
    held_out: ArrayLike,
    *,
    galaxies: NDArray[np.int64] | None = None,
    space: str = PIXELS,
    seed: int = 0,
    replicates: int = 200,
    splits: int = 100,
    confidence: float = 0.95,
    n_pairs: int = 12,
    progress: ProgressCallback = ignore_progress,
) -> Memorization:
    """Say whether generated images are nearer to training images than images that nobody trained on.

    Distances are Euclidean and exact. In pixels the nearest training image is sought over its eight turns.

    Parameters
    ----------
    generated, training, held_out : array_like, float32
        In pixels [galaxy, band, y, x] from `galsmith.compare.memory.nearest.pixels_of`, all with the stretch of the
        training set; else features [galaxy, feature] of one extractor. `held_out` are images of the same origin as
        the training set that were not trained on.
    galaxies : ndarray [image], int64, optional
        One number for generated images of one galaxy: each galaxy is tested once.
    space : str
        ``"pixels"``, or the id of a feature extractor.
    seed : int
        Fixes the draws.
    replicates, splits : int
        Draws of the bootstrap over generated and held-out images; splits of the held-out images for the floors.
    confidence : float
        Of the intervals, which hold for this training set.
    n_pairs : int
        How many of the closest pairs are listed.
    progress : callable
        Told of the search.

    Returns
    -------
    Memorization

    Raises
    ------
    SettingsError
        If an argument is out of range.
    InputError
        If a set has too few images, another shape or values that are not finite, or if 1 % or more of the held-out
        images are training images.
    """
    chance = Chance(seed, replicates, splits, confidence)
    if n_pairs < 0:
        raise SettingsError(argument="n_pairs", came=n_pairs, wanted="0 or more (12 is usual)")
    sets = _checked_sets(generated, training, held_out, space)
    found = nearest_rows(sets["generated"], sets["training"], progress=progress)
    yard = nearest_rows(sets["held_out"], sets["training"], progress=progress)
    _refuse_overlap(yard)
    own = _own_distances(sets["training"], (found, yard), progress)
    # Alaa et al. (2022): authentic is farther from its nearest training image than that is from another.
    sides = tuple(Yard(item.distance, item.distance > own[item.row]) for item in (found, yard))
    once = None if galaxies is None else np.unique(galaxies, return_index=True)[1]
    statistics = closeness(sides[0], sides[1], DEFINITIONS, once, chance=chance)
    authenticity = replace(statistics[AUTHENTIC], n_reference=len(sets["training"]))
    return Memorization(
        space=space,
        authenticity=authenticity,
        c_t=statistics[C_T],
        share_closer=statistics[CLOSER],
        quantiles=QUANTILES,
        distances_generated=quantiles(found.distance),
        distances_held_out=quantiles(yard.distance),
        pairs=_closest_pairs(found, yard.distance, n_pairs),
        n_training=len(sets["training"]),
        n_held_out=len(sets["held_out"]),
        n_generated=len(sets["generated"]),
    )


def closeness(
    generated: Yard,
    held_out: Yard,
    definitions: Mapping[str, str],
    once: NDArray[np.int64] | None = None,
    *,
    chance: Chance,
) -> dict[str, Statistic]:
    """Compare two sets by their distances to a third.

    Parameters
    ----------
    generated, held_out : Yard
        The set that is judged, and images of the third set's origin.
    definitions : mapping of str to str
        Of ``"AuthPct"`` (where it is known), ``"C_T"`` and ``"share closer"``, in this order; they may name ``{rank}``,
        ``{held_out}`` and ``{expected}``.
    once : ndarray [galaxy], int64, optional
        Generated images that are tested, where others are of the same galaxies; all where left out.
    chance : Chance
        Draws of bootstrap and floor.

    Returns
    -------
    dict of str to Statistic
        By the names of the definitions; p is of no greater nearness where the sets are alike.
    """
    n, m = len(generated.distance), len(held_out.distance)
    rank = rank_of(m)
    told = {
        "rank": "nearest" if rank == 1 else f"{rank}th nearest",
        "held_out": m,
        "expected": rank / (m + 1),
    }
    values = _values(generated, held_out)
    return share_statistics(
        {name: text.format(**told) for name, text in definitions.items()},
        values,
        drawn=_bootstrap(generated, held_out, chance),
        floors=_floors(held_out, chance),
        p_values=_p_values(generated if once is None else generated.drawn(once), held_out),
        confidence=chance.confidence,
        sizes=(m, n),
        trials={AUTHENTIC: n, CLOSER: n},
    )


def c_t(generated: Floats, held_out: Floats) -> float:
    """Standardize the Mann-Whitney statistic of two samples of distances; Meehan et al. (2020), sec. 3.1.

    Parameters
    ----------
    generated, held_out : ndarray [image], float64
        Distances to the nearest training image.

    Returns
    -------
    float
        Standard normal where both are of one distribution, negative where the generated are nearer.
    """
    ordered = np.sort(held_out)
    below, up_to = (np.searchsorted(ordered, generated, side=side) for side in ("left", "right"))
    n, m = len(generated), len(held_out)
    pairs_farther = 0.5 * float(below.sum() + up_to.sum())  # Ties count half to either side.
    # Meehan et al. (2020), section 3.1: mean n m / 2 and variance n m (n + m + 1) / 12 of Mann-Whitney's U.
    return float((pairs_farther - 0.5 * n * m) / np.sqrt(n * m * (n + m + 1) / 12))


def quantiles(distances: Floats) -> tuple[float, ...]:
    """Distances at `QUANTILES`."""
    return tuple(float(value) for value in np.quantile(distances, QUANTILES))


def _checked_sets(
    generated: ArrayLike, training: ArrayLike, held_out: ArrayLike, space: str
) -> dict[str, Features]:
    """All sets as float32."""
    wanted = "[galaxy, band, y, x] with square images" if space == PIXELS else "[galaxy, feature]"
    given = {
        name: np.asarray(values, dtype=np.float32)
        for name, values in (("training", training), ("generated", generated), ("held_out", held_out))
    }
    shape = given["training"].shape[1:]
    for name, values in given.items():
        is_right = values.ndim == 4 and shape[1:2] == shape[2:] if space == PIXELS else values.ndim == 2
        if not is_right or 0 in values.shape[1:]:
            raise InputError(
                f"it has shape {values.shape}", argument=name, wanted=f"{wanted} for the space {space!r}"
            )
        if values.shape[1:] != shape:
            raise InputError(
                f"it has images of shape {values.shape[1:]}, `training` of {shape}",
                argument=name,
                wanted="the same bands and pixels, or features of one extractor",
            )
        if len(values) < MINIMUM_IMAGES:
            raise InputError(
                f"it has {counted(len(values), 'images')}", argument=name, wanted=f"{MINIMUM_IMAGES} or more"
            )
    for name, values in given.items():
        _refuse_not_finite(name, values.reshape(len(values), -1))
    return given


def _refuse_not_finite(name: str, values: Features) -> None:
    """Refuse NaN and infinity."""
    blocks = range(0, len(values), ROWS_PER_CHECK)
    bad = sum(int((~np.isfinite(values[at : at + ROWS_PER_CHECK]).all(axis=1)).sum()) for at in blocks)
    if bad:
        raise InputError(
            f"it is not finite in {bad} of {len(values)} images",
            argument=name,
            way_out="leave these out or mend their pixels",
        )


def _refuse_overlap(yard: Nearest) -> None:
    """Refuse a yardstick that was trained on; a few twins, as surveys have them, are only told."""
    # The same image turned differs by rounding where pictures were resampled.
    # In units of the usual distance, whatever the space.
    same = int((yard.distance <= SAME * np.median(yard.distance)).sum())
    if not same:
        return
    count = len(yard.distance)
    told = f"{same} of {counted(count, 'images')} are also in the training set"
    if same >= CLOSE_SHARE * count:
        raise InputError(
            told, argument="held_out", wanted="images that were not trained on", way_out="leave these out"
        )
    logger.warning("`held_out`: %s; with them copies are harder to see: leave these out", told)


def _own_distances(training: Features, found: tuple[Nearest, ...], progress: ProgressCallback) -> Floats:
    """Distance [training image] to its own nearest other one; NaN for those that are nobody's nearest."""
    rows = np.unique(np.concatenate([item.row for item in found]))
    distances = np.full(len(training), np.nan)
    for at in range(0, len(rows), ROWS_PER_CHECK):
        some = rows[at : at + ROWS_PER_CHECK]
        distances[some] = nearest_rows(training[some], training, leave_out=some, progress=progress).distance
    return distances


def _closest_pairs(found: Nearest, held_out: Floats, n_pairs: int) -> tuple[ClosestPair, ...]:
    """List the generated images that are nearest to a training image."""
    ordered = np.sort(held_out)
    return tuple(
        ClosestPair(
            generated=int(row),
            training=int(found.row[row]),
            distance=float(found.distance[row]),
            turn=int(found.turn[row]),
            yardstick_quantile=float(np.searchsorted(ordered, found.distance[row]) / len(ordered)),
        )
        for row in np.argsort(found.distance, kind="stable")[:n_pairs]
    )


def _values(generated: Yard, held_out: Yard) -> Floats:
    """AuthPct where it is known, C_T and the share that is closer."""
    threshold = np.partition(held_out.distance, rank_of(len(held_out.distance)) - 1)[
        rank_of(len(held_out.distance)) - 1
    ]
    nearness = [c_t(generated.distance, held_out.distance), (generated.distance < threshold).mean()]
    return np.array([*_authentic_share(generated), *nearness], dtype=np.float64)


def _authentic_share(yard: Yard) -> list[float]:
    """Share of authentic images, where it is known which are."""
    return [] if yard.is_authentic is None else [float(yard.is_authentic.mean())]


def rank_of(n_held_out: int) -> int:
    """Say which of so many held-out distances, counted from the nearest, is their 1 % quantile."""
    return max(int(CLOSE_SHARE * (n_held_out + 1)), 1)  # The k-th of m lies at k / (m + 1) on average.


def _p_values(generated: Yard, held_out: Yard) -> list[float]:
    """Chance of as much nearness where generated images are like held-out ones, for this third set.

    Given the third set, the distances of fresh images are independent. A fresh image lies below the k-th of m held-out
    distances with a chance that is distributed as Beta(k, m + 1 - k).
    """
    n, m = len(generated.distance), len(held_out.distance)
    values = _values(generated, held_out)
    closer, rank = round(float(values[-1]) * n), rank_of(m)
    nearness = [
        # C_T is standard normal where nothing is copied; copies lie below 0.
        float(stats.norm.cdf(values[-2])),
        # Binomial with the threshold's own chance integrated over.
        min(float(stats.betabinom.sf(closer - 1, n, rank, m + 1 - rank)), 1.0),
    ]
    if generated.is_authentic is None or held_out.is_authentic is None:
        return nearness
    authentic = int(generated.is_authentic.sum()), int(held_out.is_authentic.sum())
    # Fisher's exact test, one-sided: no smaller a share of authentic images.
    return [float(stats.hypergeom.cdf(authentic[0], n + m, sum(authentic), n)), *nearness]


def _bootstrap(generated: Yard, held_out: Yard, chance: Chance) -> Floats:
    """Values [replicate, statistic] with generated and held-out images drawn anew."""
    n, m = len(generated.distance), len(held_out.distance)
    drawn = np.empty((chance.replicates, len(_values(generated, held_out))))
    for replicate in range(chance.replicates):
        rng = random_stream(chance.seed, "compare.memory.bootstrap", replicate)
        drawn[replicate] = _values(
            # The third set stays: intervals hold for it.
            generated.drawn(rng.integers(0, n, n)),
            held_out.drawn(rng.integers(0, m, m)),
        )
    return drawn


def _floors(held_out: Yard, chance: Chance) -> Floats:
    """Values [split, statistic] of one half of the held-out images against the other."""
    count = len(held_out.distance)
    floors = np.empty((chance.splits, len(_values(held_out, held_out))))
    for split in range(chance.splits):
        rows = random_stream(chance.seed, "compare.memory.floor", split).permutation(count)
        # Nobody trained on either half.
        floors[split] = _values(held_out.drawn(rows[: count // 2]), held_out.drawn(rows[count // 2 :]))
    return floors
