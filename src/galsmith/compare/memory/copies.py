"""Altered copies: whether generated images are images of another set, whatever their gain, gamma, turn, zoom or crop."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from galsmith.compare.memory.log_polar import (
    RINGS_MOVED,
    SIDE_PIX,
    Likest,
    Spectra,
    likest_rows,
    log_polar_spectra,
    pose_of,
    whitening_of,
)
from galsmith.compare.memory.memorization import (
    C_T,
    CLOSE_SHARE,
    CLOSER,
    QUANTILES,
    Yard,
    closeness,
    quantiles,
)
from galsmith.compare.memory.nearest import stretch_of
from galsmith.compare.memory.repeats import (
    Repeats,
    Twins,
    identity_labels,
    repeated,
    repeats_within,
    twins_of,
)
from galsmith.compare.records import Statistic
from galsmith.compare.resampling import Chance, GalaxyGroups
from galsmith.errors import InputError
from galsmith.execution import ProgressCallback, ignore_progress
from galsmith.images import ImageSet
from galsmith.seeds import random_stream

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

TRAINING, REFERENCE = "training images", "reference"
MINIMUM_IMAGES = 50
# The nearest of so many; a galaxy may be in the other set this often less one.
RANKS = 5
LEAST_UNEXPLAINED = 1e-5  # What is left of an identical image in single precision.
# Pairs of images that a search of the training set looks at, and images of either side at least and at most.
PAIRS, AT_LEAST, AT_MOST = 4_000_000, 400, 1000
# Images of each part in what is looked for in every comparison: 5 s on one core.
ALWAYS = 600
# Of a set that repeats its galaxies so many are compared pair by pair, to know which are of one: 3 s at 88 px.
MOST_REPEATED = 2000
N_PAIRS = 12

DEFINITIONS = {
    C_T: (
        "Standardized Mann-Whitney statistic of how little the likest image leaves unexplained in units of the next, "
        "generated against held-out (Meehan et al. 2020; the ratio is Lowe's, 2004); far below 0 for copies, p is of no "
        "smaller a ratio (normal, one-sided)."
    ),
    CLOSER: (
        "Share of generated images for which one image stands out more than for the {rank} of {held_out} held-out ones, "
        "{expected:.2%} where nothing differs; p is of no larger a share (beta-binomial, one-sided)."
    ),
}


@dataclass(frozen=True)
class LikePair:
    """A generated image and the image it is most like.

    Attributes
    ----------
    generated, other : int
        Rows of the generated set, and of the set that was searched.
    unexplained : float
        Share of the generated image's power that the other does not explain; 0 for a copy.
    ratio : float
        That share over the next image's; near 1 where no image stands out.
    turn_deg, zoom, is_mirrored : float, float, bool
        How the generated image lies to the other; see `galsmith.compare.memory.log_polar.Pose`.
    yardstick_quantile : float
        Share of the held-out images whose ratio is smaller.
    """

    generated: int
    other: int
    unexplained: float
    ratio: float
    turn_deg: float
    zoom: float
    is_mirrored: bool
    yardstick_quantile: float


@dataclass(frozen=True)
class CopySearch:
    """Whether generated images are altered images of another set: of other gain, gamma, turn, zoom, crop, or blended.

    Attributes
    ----------
    searched : str
        ``"training images"`` or ``"reference"``.
    share_closer : Statistic
        Share of generated images whose ratio is below that of all but 1 % of the held-out ones.
    c_t : Statistic
        Standardized Mann-Whitney statistic of the ratios, generated against held-out; far below 0 for copies.
    quantiles : tuple of float
        At which the next two are given.
    ratios_generated, ratios_held_out : tuple of float
        Quantiles of the ratio.
    pairs : tuple of LikePair
        The most prominent first.
    n_searched, n_held_out, n_generated : int
        Images of each set that were used.
    """

    searched: str
    share_closer: Statistic
    c_t: Statistic
    quantiles: tuple[float, ...]
    ratios_generated: tuple[float, ...]
    ratios_held_out: tuple[float, ...]
    pairs: tuple[LikePair, ...]
    n_searched: int
    n_held_out: int
    n_generated: int


@dataclass(frozen=True)
class Copies:
    """All that was found out about images that are there already.

    Attributes
    ----------
    searches : tuple of CopySearch
        Altered images of the training set, where it is known, and of the reference.
    twins : tuple of Twins
        The same, pixel by pixel.
    repeats : Repeats
        Within the generated set.
    reference_repeats, generated_repeats : tuple of tuple of str
        Names (``object_id``) of the images of each galaxy that is there more than once: in the reference identical ones.
    """

    searches: tuple[CopySearch, ...]
    twins: tuple[Twins, ...]
    repeats: Repeats
    reference_repeats: tuple[tuple[str, ...], ...] = ()
    generated_repeats: tuple[tuple[str, ...], ...] = ()

    @property
    def shares_effective(self) -> tuple[float, float]:
        """Galaxies in effect over images, of the reference and of the generated set."""
        n_reference = next(item.share.n_reference for item in self.twins if item.searched == REFERENCE)
        # n^2 over the sum of squares, of which all that are there once give n.
        more = sum(len(names) * (len(names) - 1) for names in self.reference_repeats)
        return n_reference / (n_reference + more), self.repeats.n_effective / self.repeats.n_generated

    def without(self, searched: str) -> "Copies":
        """Leave out what was looked for in one set."""
        searches = tuple(item for item in self.searches if item.searched != searched)
        return replace(
            self, searches=searches, twins=tuple(item for item in self.twins if item.searched != searched)
        )


def find_copies(
    generated: ImageSet,
    reference: ImageSet,
    *,
    training: ImageSet | None = None,
    held_out: ImageSet | None = None,
    seed: int = 0,
    replicates: int = 200,
    splits: int = 100,
    workers: int = 1,
    progress: ProgressCallback = ignore_progress,
) -> Copies:
    """Look for images that are there already: of the training set, of the reference, and within the generated set.

    Parameters
    ----------
    generated, reference : ImageSet
        The two sides of a comparison. Images that are not finite are left out of the searches.
    training : ImageSet, optional
        What the generator was trained on.
    held_out : ImageSet, optional
        Images of the training set's origin that were not trained on, the yardstick; the reference where left out.
    seed, replicates, splits
        As `galsmith.compare.memorization` takes them.
    workers : int
        Threads of the searches; no number depends on how many.
    progress : callable
        Told of the searches.

    Returns
    -------
    Copies
        Searches need 50 images of every part; what is too small is searched for identical images alone.

    Raises
    ------
    InputError
        If 1 % or more of the held-out images are training images.
    """
    chance = Chance(seed, replicates, splits)
    sets = [generated, reference] if training is None else [generated, reference, training]
    ours, theirs, *trained = identity_labels(*sets, *([] if held_out is None else [held_out]))
    first, second, drawn = halves(
        described(reference, (reference, 2 * ALWAYS), (generated, ALWAYS), seed=seed, workers=workers)
    )
    repeats, galaxies = repeats_within(
        (theirs, ours),
        *_equally_many(first, second, drawn),
        partial(_more_spectra, generated, reference, seed, workers),
        workers=workers,
        progress=progress,
    )
    twins: list[Twins] = []
    searches: list[CopySearch | None] = []
    if training is not None:
        yard = theirs if held_out is None else trained[1]
        overlap = int(np.isin(yard, trained[0]).sum())
        if is_too_much(overlap, len(yard)):
            raise InputError(
                f"{overlap} of {len(yard)} images are also in the training set",
                argument="held_out",
                wanted="images that were not trained on",
                way_out="leave these out",
            )
        twins.append(
            twins_of(ours, trained[0], n_others=len(yard), n_others_identical=overlap, searched=TRAINING)
        )
        yardstick = reference if held_out is None else held_out
        trained_on = _described_training(training, yardstick, generated, seed=seed, workers=workers)
        searches.append(_searched(TRAINING, trained_on, galaxies, chance, workers=workers, progress=progress))
    twin_count = int(repeated(theirs).sum())
    twins.append(
        twins_of(ours, theirs, n_others=len(theirs), n_others_identical=twin_count, searched=REFERENCE)
    )
    sides = first, second, drawn
    searches.append(
        _searched(REFERENCE, sides, galaxies, chance, workers=workers, rings_moved=(0,), progress=progress)
    )
    return Copies(
        tuple(item for item in searches if item is not None),
        tuple(twins),
        repeats,
        _repeated_names(reference, theirs),
        _repeated_names(generated, galaxies),
    )


def _described_training(
    training: ImageSet, yardstick: ImageSet, generated: ImageSet, *, seed: int, workers: int
) -> "list[Described]":
    """Describe all training images, and as many of the others as can be held against them."""
    most = int(np.clip(PAIRS // max(len(training), 1), AT_LEAST, AT_MOST))
    sets = (training, len(training)), (yardstick, most), (generated, most)
    return described(training, *sets, seed=seed, workers=workers)


def _more_spectra(generated: ImageSet, reference: ImageSet, seed: int, workers: int) -> tuple[Spectra, Rows]:
    """Describe more generated images, as `MOST_REPEATED` says, and say which they are."""
    sets = (reference, 2 * ALWAYS), (generated, MOST_REPEATED)
    found = described(reference, *sets, seed=seed, workers=workers)[1]
    return found.spectra, found.rows


def _repeated_names(images: ImageSet, galaxies: Rows) -> tuple[tuple[str, ...], ...]:
    """Names of the images of each galaxy [image] that is there more than once."""
    names = np.asarray(images.catalog["object_id"]).astype(str)
    order = np.argsort(galaxies, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(galaxies[order])) + 1)
    return tuple(tuple(names[part].tolist()) for part in parts if len(part) > 1)


def groups_of(copies: Copies | None, tables: tuple[QTable, QTable]) -> GalaxyGroups:
    """Find which rows of two tables are of one galaxy, by the names of their images.

    Parameters
    ----------
    copies : Copies or None
        What was found out about the images; without it each row is a galaxy of its own.
    tables : tuple of QTable
        Reference and generated rows, with ``object_id``.
    """
    sides = []
    groups = ((), ()) if copies is None else (copies.reference_repeats, copies.generated_repeats)
    for names, table in zip(groups, tables, strict=True):
        labels = np.arange(len(table))
        if names and "object_id" in table.colnames:
            first = {name: group[0] for group in names for name in group}
            rows = [first.get(str(name), "") for name in table["object_id"]]
            known = np.flatnonzero([bool(name) for name in rows])
            number = np.unique([rows[row] for row in known], return_inverse=True)[1]
            # Numbers beyond all rows, for others keep theirs.
            labels[known] = len(table) + number
        sides.append(labels)
    return GalaxyGroups(sides[0], sides[1])


def distinct_shares(copies: Copies | None) -> tuple[float, float]:
    """How many galaxies of equal share either side has, for each of its images: 1 where none repeats, or none is known.

    Parameters
    ----------
    copies : Copies or None
        What was found out about the images; of the reference its groups, of the generated set `Repeats.n_effective`.
    """
    if copies is None:
        return 1.0, 1.0
    sizes = np.array([len(group) for group in copies.reference_repeats], dtype=np.float64)
    n_reference = next(item.share.n_reference for item in copies.twins if item.searched == REFERENCE)
    # sum m^2 over galaxies, of which all others have m = 1
    of_reference = n_reference / (n_reference - sizes.sum() + (sizes**2).sum())
    return float(of_reference), copies.repeats.n_effective / copies.repeats.n_generated


def is_too_much(n_trained_on: int, n_held_out: int) -> bool:
    """Whether so many images of a yardstick were trained on that it is none; surveys have a few twins."""
    return n_trained_on > 0 and n_trained_on >= CLOSE_SHARE * n_held_out


@dataclass(frozen=True)
class Described:
    """Some images of a set.

    Attributes
    ----------
    rows : ndarray [image], int64
        Of the set.
    spectra : ndarray [image, band, ring, mode], complex64
        Whitened.
    """

    rows: Rows
    spectra: Spectra

    def __len__(self) -> int:
        return len(self.rows)

    def part(self, chosen: slice) -> "Described":
        """Take some of these."""
        return Described(self.rows[chosen], self.spectra[chosen])


def described(like: ImageSet, *sets: tuple[ImageSet, int], seed: int, workers: int = 1) -> list[Described]:
    """Describe images of several sets, at most so many of each by chance, in the stretch of one set.

    The first set's modes are made equally strong in all.

    Parameters
    ----------
    like : ImageSet
        Whose stretch all have.
    *sets : tuple of ImageSet and int
        Each with how many of it are wanted; those that are not finite are left out.
    seed : int
        Of the choice.
    workers : int
        Threads; no number depends on how many.
    """
    stretch = stretch_of(like, side_pix=SIDE_PIX)
    found = []
    for images, most in sets:
        order = random_stream(seed, "compare.copies").permutation(len(images))[:most]
        # Read in the order of the file, which is fast, and kept in that of the draw.
        in_file = log_polar_spectra(images.select(np.sort(order)), stretch, workers=workers)
        spectra = in_file[np.argsort(np.argsort(order))]
        is_finite = np.isfinite(spectra).all(axis=(1, 2, 3))
        found.append(Described(order[is_finite], spectra[is_finite]))
    weights = whitening_of(found[0].spectra)
    return [Described(item.rows, item.spectra * weights) for item in found]


def halves(described: list[Described]) -> tuple[Described, Described, Described]:
    """Split what is described of the reference: one half is searched, the other is the yardstick.

    Parameters
    ----------
    described : list of Described
        The reference, and the set whose images are looked for; the third of what is returned.
    """
    reference, generated = described
    half = len(reference) // 2
    return reference.part(slice(0, half)), reference.part(slice(half, None)), generated


def _equally_many(
    first: Described, second: Described, generated: Described
) -> tuple[tuple[Spectra, Spectra], Rows]:
    """Take as many images of the reference as of the generated set, and say which generated ones."""
    both = np.concatenate([first.spectra, second.spectra])
    n = min(len(both), len(generated))
    return (both[:n], generated.spectra[:n]), generated.rows[:n]


def _searched(
    searched: str,
    sides: Sequence[Described],
    galaxies: Rows,
    chance: Chance,
    *,
    workers: int,
    rings_moved: tuple[int, ...] = RINGS_MOVED,
    progress: ProgressCallback,
) -> CopySearch | None:
    """Search a set for the likest image of held-out and of generated images; None where there are too few."""
    points, held_out, generated = sides
    if min(len(side) for side in sides) < MINIMUM_IMAGES:
        return None
    yard, found = (
        likest_rows(
            side.spectra,
            points.spectra,
            ranks=RANKS,
            rings_moved=rings_moved,
            workers=workers,
            progress=progress,
        )
        for side in (held_out, generated)
    )
    ratios = [ratios_of(yard), ratios_of(found)]
    once = np.unique(galaxies[generated.rows], return_index=True)[1]
    statistics = closeness(Yard(ratios[1]), Yard(ratios[0]), DEFINITIONS, once, chance=chance)
    return CopySearch(
        searched=searched,
        share_closer=statistics[CLOSER],
        c_t=statistics[C_T],
        quantiles=QUANTILES,
        ratios_generated=quantiles(ratios[1]),
        ratios_held_out=quantiles(ratios[0]),
        pairs=_pairs(found, ratios, generated, points),
        n_searched=len(points),
        n_held_out=len(held_out),
        n_generated=len(generated),
    )


def ratios_of(likest: Likest) -> Floats:
    """How little the likest image leaves unexplained in units of the next: Lowe (2004), sec. 7.1.

    A galaxy that is in the searched set more than once is as like as its next, so the largest step among the first counts.

    Parameters
    ----------
    likest : Likest
        `RANKS` of each image.

    Returns
    -------
    ndarray [image], float64
    """
    left = np.maximum(likest.unexplained, LEAST_UNEXPLAINED)
    ratios: Floats = (left[:, :-1] / left[:, 1:]).min(axis=1)
    return ratios


def _pairs(
    found: Likest, ratios: list[Floats], generated: Described, points: Described
) -> tuple[LikePair, ...]:
    """List the generated images for which one image stands out most."""
    ordered, ours = np.sort(ratios[0]), ratios[1]
    pairs = []
    for place in np.argsort(ours, kind="stable")[:N_PAIRS]:
        row = int(found.rows[place, 0])
        pose = pose_of(generated.spectra[place], points.spectra[row])
        pairs.append(
            LikePair(
                generated=int(generated.rows[place]),
                other=int(points.rows[row]),
                unexplained=float(found.unexplained[place, 0]),
                ratio=float(ours[place]),
                turn_deg=pose.turn_deg,
                zoom=pose.zoom,
                is_mirrored=pose.is_mirrored,
                yardstick_quantile=float(np.searchsorted(ordered, ours[place]) / len(ordered)),
            )
        )
    return tuple(pairs)
