"""The same galaxy more than once, in a set or in two: pixel by pixel or nearly, and how many there are in effect."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse, stats
from scipy.sparse.csgraph import connected_components

from galsmith.compare.memory.log_polar import Likest, Spectra, likest_rows
from galsmith.compare.memory.memorization import CLOSE_SHARE
from galsmith.compare.memory.nearest import N_TURNS, turned
from galsmith.compare.records import Estimate, Statistic
from galsmith.execution import ProgressCallback, ignore_progress
from galsmith.images import ImageSet

Floats = NDArray[np.float64]
Pixels = NDArray[np.float32]
Rows = NDArray[np.int64]
Key = tuple[object, ...]

# The likeness of a pair counts against that of the image to the likest quarter of its set: smooth images, which are all
# alike, do not look repeated.
QUARTER = 4
CLOSEST_PAIRS = 20  # 16 or more of them in one set have a chance of 0.6 %.
CERTAIN = 0.01
FEWEST_IMAGES = 50  # As everywhere in this room.
N_LISTED = 12

IMAGES_AT_ONCE = 256
IDENTICAL = (
    "Share of generated images that are images of the {searched}, pixel by pixel up to quarter turns and flips; the "
    "interval is Clopper and Pearson's (1934), the floor the share of {others} with a twin there, p is of no larger a "
    "share (Fisher's exact test, or against 1 %)."
)
REDUNDANT = (
    "Share of generated images that are there already, pixel by pixel up to quarter turns and flips; the floor is the "
    "reference's own share, p is of no larger a share (Fisher's exact test, or against 1 %)."
)
CLOSEST = (
    "Share, of the {count} closest pairs of images within the generated set or within as many of the reference, that are "
    "in the generated set; 0.5 where nothing differs, p is of no larger a share (binomial)."
)


# Reading the pixels of a set takes most of the time that its keys take; a card has four sets.
SETS_KEPT = 8
_kept_keys: dict[str, list[Key]] = {}


@dataclass(frozen=True)
class Twins:
    """Generated images that are images of another set, pixel by pixel, whatever their quarter turn or flip.

    Attributes
    ----------
    searched : str
        ``"training images"`` or ``"reference"``.
    n_identical : int
        Generated images that are there.
    share : Statistic
        Their share with its Clopper-Pearson interval; its floor is the share of other images with a twin there, p is of
        no larger a share (Fisher's exact test, or against 1 %).
    pairs : tuple of (int, int)
        Some rows: of the generated set, of the other.
    """

    searched: str
    n_identical: int
    share: Statistic
    pairs: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Repeats:
    """The same galaxy more than once in the generated set.

    Attributes
    ----------
    n_generated, n_distinct : int
        Images, and how many of them differ by more than quarter turns and flips.
    redundant : Statistic
        Share of images that are there already; its floor is the reference's own, p is of no larger a share.
    closest_pairs : Statistic or None
        Share of the closest pairs of images within either set that are in the generated set, one half where nothing
        differs; None where a set has too few images.
    n_effective : float
        How many galaxies of equal share would repeat as often: 1 / sum p_i^2 over groups of the same galaxy.
    largest_groups : tuple of int
        How often the most repeated galaxies are there, among the images that were compared.
    n_compared : int
        Images that were compared pair by pair.
    pairs : tuple of (int, int)
        Rows of the closest pairs.
    """

    n_generated: int
    n_distinct: int
    redundant: Statistic
    closest_pairs: Statistic | None
    n_effective: float
    largest_groups: tuple[int, ...]
    n_compared: int
    pairs: tuple[tuple[int, int], ...]


def identity_labels(*sets: ImageSet) -> list[Rows]:
    """Give the images of several sets numbers, one and the same to those that are the same.

    Images of one value everywhere are no galaxy, and are the same as nothing.

    Parameters
    ----------
    *sets : ImageSet
        Sizes may differ.

    Returns
    -------
    list of ndarray [image], int64
        One array a set.
    """
    places = [(number, row) for number, images in enumerate(sets) for row in range(len(images))]
    by_key: dict[Key, list[int]] = {}
    for place, key in enumerate(key for images in sets for key in _keys(images)):
        by_key.setdefault((*key, place) if key[0] == 0 else key, []).append(place)
    labels = np.arange(len(places), dtype=np.int64)
    for group in by_key.values():
        firsts: list[tuple[int, Pixels]] = []
        for place in group if len(group) > 1 else ():
            number, row = places[place]
            image = sets[number][row]
            first = next((known for known, other in firsts if is_same_image(image, other)), None)
            if first is None:
                firsts.append((place, image))
            else:
                labels[place] = first
    return [labels[start : start + len(images)] for start, images in zip(_starts(sets), sets, strict=True)]


def is_same_image(first: Pixels, second: Pixels) -> bool:
    """Whether two images [band, y, x] are equal in one of the eight turns."""
    return any(np.array_equal(turned(first, turn), second) for turn in range(N_TURNS))


def twins_of(generated: Rows, other: Rows, *, n_others: int, n_others_identical: int, searched: str) -> Twins:
    """Count the generated images that are also in another set, with the same of other images as the yardstick.

    Parameters
    ----------
    generated, other : ndarray [image], int64
        Labels of `identity_labels`.
    n_others, n_others_identical : int
        Real images that nobody generated, and how many of these have a twin in the other set.
    searched : str
        What the other set is: ``"training images"`` or ``"reference"``.
    """
    known = {int(label): row for row, label in reversed(list(enumerate(other)))}
    rows = [row for row, label in enumerate(generated) if int(label) in known]
    others = "the reference's own images" if searched == "reference" else "held-out images"
    share = share_against(
        "identical",
        IDENTICAL.format(searched=searched, others=others),
        (len(rows), len(generated)),
        (n_others_identical, n_others),
    )
    return Twins(searched, len(rows), share, tuple((row, known[int(generated[row])]) for row in rows[:12]))


def repeated(labels: Rows) -> NDArray[np.bool_]:
    """Whether each image is in its set more than once."""
    _, inverse, counts = np.unique(labels, return_inverse=True, return_counts=True)
    is_repeated: NDArray[np.bool_] = counts[inverse] > 1
    return is_repeated


def share_against(
    name: str, definition: str, ours: tuple[int, int], theirs: tuple[int, int], *, confidence: float = 0.95
) -> Statistic:
    """State a share of images beside the share among others, with its chance of being no larger.

    Parameters
    ----------
    name, definition : str
        As in the record.
    ours, theirs : tuple of int
        How many of how many, of the generated set and of the yardstick.
    confidence : float
        Of the interval of Clopper and Pearson (1934).
    """
    (k, n), (y, m) = ours, theirs
    tail = (1 - confidence) / 2
    low = float(stats.beta.ppf(tail, k, n - k + 1)) if k else 0.0
    high = float(stats.beta.ppf(1 - tail, k + 1, n - k)) if k < n else 1.0
    value, floor = k / n, y / m if m else float("nan")
    # Fisher's exact test, one-sided: as many or more of the k + y fall to the generated images.
    p_value = float(stats.hypergeom.sf(k - 1, n + m, k + y, n)) if m else 1.0
    if y <= CLOSE_SHARE * m:
        # A small yardstick cannot tell that twins are rare; but surveys have fewer than 1 %. Two tests, hence twice.
        p_value = 2 * min(p_value, float(stats.binom.sf(k - 1, n, CLOSE_SHARE)))
    estimate = Estimate(
        value, value, (value * (1 - value) / n) ** 0.5, (low, high), floor, (floor * (1 - floor) / n) ** 0.5
    )
    return Statistic(name, definition, estimate, min(p_value, 1.0), m, n)


def repeats_within(
    labels: tuple[Rows, Rows],
    spectra: tuple[Spectra, Spectra],
    rows: Rows,
    more: Callable[[], tuple[Spectra, Rows]] | None = None,
    *,
    workers: int = 1,
    progress: ProgressCallback = ignore_progress,
) -> tuple[Repeats, Rows]:
    """Look for galaxies that a generated set has more than once, as the reference has not.

    Parameters
    ----------
    labels : tuple of ndarray [image], int64
        Of `identity_labels`, of the reference and of the generated set.
    spectra : tuple of ndarray [image, band, ring, mode], complex64
        Whitened, of as many images of either set, in this order.
    rows : ndarray [image], int64
        Which generated images these are.
    more : callable, optional
        Gives spectra of more generated images and which they are, where there are more: asked for if galaxies repeat.
    workers : int
        Threads of the search.
    progress : callable
        Told of the search.

    Returns
    -------
    repeats : Repeats
        What was found.
    galaxies : ndarray [image], int64
        One number for generated images of one galaxy.
    """
    reference, generated = labels
    extra = [len(side) - len(np.unique(side)) for side in labels]
    redundant = share_against("redundant", REDUNDANT, (extra[1], len(generated)), (extra[0], len(reference)))
    galaxies = np.unique(generated, return_inverse=True)[1]
    closest, pairs = None, np.empty((0, 2), dtype=np.int64)
    if len(rows) >= FEWEST_IMAGES and len(spectra[0]) == len(rows):
        theirs, ours = (_edges(_likest_within(side, workers, progress)) for side in spectra)
        closest = _closest_statistic(*(_disjoint(*side)[1] for side in (theirs, ours)))
        pairs = _disjoint(*ours)[0]
        if closest.p_value < CERTAIN:
            # What is closer than the reference's second closest pair is the same galaxy: one pair may be twins.
            limit = _disjoint(*theirs)[1][1]
            if more is not None and len(rows) < len(generated):
                everything, rows_of_all = more()
                edges = _edges(_likest_within(everything, workers, progress))
                galaxies = _joined(galaxies, rows_of_all[edges[0][edges[1] < limit]])
            else:
                galaxies = _joined(galaxies, rows[ours[0][ours[1] < limit]])
    counts = np.unique(galaxies[rows], return_counts=True)[1]
    shares = [_repeated_share(counts), _repeated_share(np.unique(generated, return_counts=True)[1])]
    found = Repeats(
        n_generated=len(generated),
        n_distinct=len(generated) - extra[1],
        redundant=redundant,
        closest_pairs=closest,
        # sum p_i^2 over galaxies is 1 / n and what pairs of different images of one galaxy add.
        n_effective=len(generated) / (1 + (len(generated) - 1) * max(shares)),
        largest_groups=tuple(int(count) for count in np.sort(counts)[::-1][:N_LISTED] if count > 1),
        n_compared=len(rows),
        pairs=tuple((int(low), int(high)) for low, high in np.sort(rows[pairs[:N_LISTED]], axis=1)),
    )
    return found, galaxies


def closest_ratios(spectra: Spectra) -> Floats:
    """Ratios of the closest pairs within a set, no image in two of them.

    Parameters
    ----------
    spectra : ndarray [image, band, ring, mode], complex64
        Whitened.

    Returns
    -------
    ndarray [pair], float64
        `CLOSEST_PAIRS` at most, the closest first.
    """
    return _disjoint(*_edges(_likest_within(spectra, 1, ignore_progress)))[1]


def ratios_to(queries: Spectra, spectra: Spectra, places: Rows) -> Floats:
    """Ratios of images to one image of a set each, as those of `closest_ratios`.

    Parameters
    ----------
    queries, spectra : ndarray [image, band, ring, mode], complex64
        Whitened, of the images and of the set.
    places : ndarray [query], int64
        The image of the set that each is held against.

    Returns
    -------
    ndarray [query], float64
        Infinite where that image is not among the likest quarter.
    """
    likest = likest_rows(queries, spectra, ranks=len(spectra) // QUARTER, rings_moved=(0,))
    ratios = likest.unexplained / likest.unexplained[:, -1:]
    return np.where(likest.rows == places[:, np.newaxis], ratios, np.inf).min(axis=1)


def _likest_within(spectra: Spectra, workers: int, progress: ProgressCallback) -> Likest:
    """Find the likest quarter of its own set for every image, at any turn."""
    return likest_rows(
        spectra,
        spectra,
        ranks=len(spectra) // QUARTER,
        rings_moved=(0,),
        is_same_set=True,
        workers=workers,
        progress=progress,
    )


def _edges(likest: Likest) -> tuple[Rows, Floats]:
    """All pairs [pair, 2] that are found, and their ratios, the closest first; ties in the order of rows."""
    first = np.repeat(np.arange(len(likest.rows)), likest.rows.shape[1])
    pairs = np.sort(np.stack([first, likest.rows.ravel()], axis=1), axis=1)
    ratios = (likest.unexplained / likest.unexplained[:, -1:]).ravel()
    order = np.lexsort((pairs[:, 1], pairs[:, 0], ratios))
    return pairs[order], ratios[order]


def _disjoint(pairs: Rows, ratios: Floats) -> tuple[Rows, Floats]:
    """Take the closest pairs so that no image is in two of them: these are nearly independent of one another."""
    taken: set[int] = set()
    kept = []
    for place, (first, second) in enumerate(zip(*pairs.T, strict=True)):  # Ends after a few.
        if first not in taken and second not in taken:
            kept.append(place)
            taken.update((first, second))
        if len(kept) == CLOSEST_PAIRS:
            break
    return pairs[kept], ratios[kept]


def _closest_statistic(reference: Floats, generated: Floats) -> Statistic:
    """Test that the closest pairs of two sets of one size fall to either with the same chance (a sign test)."""
    ratios = np.concatenate([reference, generated])
    is_ours = np.arange(len(ratios)) >= len(reference)
    count = min(CLOSEST_PAIRS, len(ratios))
    ours = int(is_ours[np.argsort(ratios, kind="stable")[:count]].sum())
    test = stats.binomtest(ours, count, 0.5, alternative="greater")
    low, high = stats.binomtest(ours, count, 0.5).proportion_ci(0.95)  # Clopper and Pearson (1934).
    share = ours / count
    estimate = Estimate(
        share, share, (share * (1 - share) / count) ** 0.5, (low, high), 0.5, 0.5 / count**0.5
    )
    return Statistic(
        "closest pairs",
        CLOSEST.format(count=count),
        estimate,
        float(test.pvalue),
        len(reference),
        len(generated),
    )


def _joined(groups: Rows, pairs: Rows) -> Rows:
    """Join groups of images [image] that pairs connect."""
    n = len(groups)
    links = np.concatenate([groups[pairs], np.stack([groups, groups], axis=1)])
    graph = sparse.coo_matrix((np.ones(len(links), dtype=bool), (links[:, 0], links[:, 1])), shape=(n, n))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)[groups]


def _repeated_share(counts: Rows) -> float:
    """Share of pairs of images that are of one galaxy."""
    n = int(counts.sum())
    return float((counts * (counts - 1)).sum() / (n * (n - 1))) if n > 1 else 0.0


def _starts(sets: Sequence[ImageSet]) -> list[int]:
    """Where each set begins among all images."""
    return [sum(len(images) for images in sets[:number]) for number in range(len(sets))]


def _keys(images: ImageSet) -> list[Key]:
    """Keys of all images; those of a set that says what it holds are kept, for a card asks for them more than once."""
    known = _kept_keys.pop(images.content_hash, None) if images.content_hash else None
    keys = _keys_of_pixels(images) if known is None else known
    if images.content_hash:
        _kept_keys[images.content_hash] = keys  # the last one used is the last one to go
        while len(_kept_keys) > SETS_KEPT:
            del _kept_keys[next(iter(_kept_keys))]
    return keys


def _keys_of_pixels(images: ImageSet) -> list[Key]:
    """Keys that no turn changes: sums of the pixels' bits, and of their squares, band by band, and the sides."""
    keys: list[Key] = []
    for _, chunk in images.chunks(IMAGES_AT_ONCE):
        for image in chunk:
            # Plus zero, for minus zero is the same brightness. Sums of integers do not depend on their order.
            bits = (np.ascontiguousarray(image) + np.float32(0)).view(np.uint32).astype(np.uint64)
            is_flat = bool((image == image[:, :1, :1]).all())
            sums = (bits.sum(axis=(1, 2)), (bits * bits).sum(axis=(1, 2)))  # Modulo 2^64.
            keys.append(
                (int(not is_flat), *sorted(image.shape[1:]), *(int(value) for one in sums for value in one))
            )
    return keys
