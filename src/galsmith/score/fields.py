"""Fields with scores: which rows of a store a method may learn from, and how they are split."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from galsmith.counts import counted
from galsmith.errors import InputError, SettingsError
from galsmith.images import ImageSet
from galsmith.score.method import Floats
from galsmith.seeds import random_stream

LOWEST_SCORE, HIGHEST_SCORE = 0.0, 8.0  # of galaxyness (paper, II-A)
FIRST_FEW = 10  # of what is wrong, are listed
REAL_FIELDS_AT_LEAST = FEWEST_FIELDS = 10  # from which anything is learned


@dataclass(frozen=True)
class ScoredFields:
    """Fields whose scores are known.

    Attributes
    ----------
    images : ImageSet
        Of one size and one band.
    scores : ndarray [field], float64
        Galaxyness, in [0, 8].
    is_real : ndarray [field], bool, or None
        Whether it shows cosmology, uncorrupted, where the catalog's ``label`` says so of every one.
    kinds : ndarray [field], str
        What each shows, as the catalog's ``kind`` has it; empty where it has none.
    """

    images: ImageSet
    scores: Floats
    is_real: NDArray[np.bool_] | None
    kinds: NDArray[np.str_]

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.scores)

    @property
    def side_pix(self) -> int:
        """Side of the images."""
        return side_of(self.images)

    def select(self, rows: NDArray[np.int64]) -> "ScoredFields":
        """Keep some, in their order."""
        is_real = None if self.is_real is None else self.is_real[rows]
        return ScoredFields(self.images.select(rows), self.scores[rows], is_real, self.kinds[rows])


def side_of(images: ImageSet) -> int:
    """Return the side of square fields of one size and one band, in pixels.

    Raises
    ------
    InputError
        If there are none, or they are not that, or show a galaxy each.
    """
    name = images.path if images.path else "images"
    if not len(images):
        raise InputError(f"{name}: holds no images; wanted fields with scores")
    if not images.header.shows_fields:
        raise InputError(
            f"{name}: each image shows a galaxy; scores are those of whole fields: where its header is wrong, make the "
            "store again with `shows=field` (galsmith ingest)"
        )
    smallest, largest = images.shape_range
    if smallest != largest or smallest[0] != smallest[1]:
        raise InputError(
            f"{name}: has images of {images.sizes_text}; wanted squares of one size: crop or resize the store "
            "(galsmith ingest store)"
        )
    if len(images.header.bands) != 1:
        raise InputError(
            f"{name}: has {images.bands_text}; wanted fields in one band, such as those of galsmith ingest cosmology"
        )
    return smallest[0]


def scored_fields(images: ImageSet) -> ScoredFields:
    """Take the fields of a store that have a score.

    Parameters
    ----------
    images : ImageSet
        With a catalog column ``score``; NaN where there is none.

    Raises
    ------
    InputError
        If there is no such column, too few have a score, a score lies outside of [0, 8], or the images cannot be used.
    """
    side_of(images)
    name = images.path if images.path else "images"
    if "score" not in images.catalog.colnames:
        raise InputError(
            f"{name}: its catalog has no column 'score'; wanted a store of galsmith ingest cosmology or simulate fields"
        )
    scores = np.asarray(images.catalog["score"], dtype=np.float64)
    is_wrong = (scores < LOWEST_SCORE) | (scores > HIGHEST_SCORE)
    if is_wrong.any():
        rows = np.flatnonzero(is_wrong)
        said = listed([f"{images.catalog['object_id'][row]} ({scores[row]:g})" for row in rows])
        raise InputError(
            f"{name}: {len(rows)} scores lie outside of [0, 8]: {said}; mend the catalog, or leave those fields out"
        )
    rows = np.flatnonzero(np.isfinite(scores))
    if len(rows) < FEWEST_FIELDS:
        raise InputError(
            f"{name}: {counted(len(rows), 'fields')} have a score; wanted {FEWEST_FIELDS} or more"
        )
    if scores[rows].min() == scores[rows].max():
        raise InputError(
            f"{name}: all {len(rows)} scores are {scores[rows[0]]:g}; wanted fields of several scores"
        )
    kinds = np.full(len(images), "")
    if "kind" in images.catalog.colnames:
        kinds = np.asarray(images.catalog["kind"], dtype=str)
    return ScoredFields(images.select(rows), scores[rows], _is_real(images, rows), kinds[rows])


def listed(names: Sequence[str]) -> str:
    """Join the first few names, and say that there are more."""
    return ", ".join(names[:FIRST_FEW]) + (", ..." if len(names) > FIRST_FEW else "")


def held_out_parts(
    n_fields: int, *, splits: int, held_out: float, seed: int
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Deal fields into training rows and held-out rows, several times; no field is held out twice.

    Parameters
    ----------
    n_fields : int
        How many there are.
    splits : int
        How many parts to hold out, one after the other.
    held_out : float
        Share of each part.
    seed : int
        Fixes the deal.

    Returns
    -------
    list of (ndarray, ndarray), int64
        Training rows and held-out rows of each split, ascending.

    Raises
    ------
    SettingsError
        If there are not so many parts.
    """
    if not 0.0 < held_out < 1.0:
        raise SettingsError(argument="held_out", came=held_out, wanted="a share between 0 and 1, such as 0.1")
    each = round(held_out * n_fields)
    if each < 1 or splits * each > n_fields or n_fields - each < FEWEST_FIELDS:
        raise SettingsError(
            f"{splits} parts of {held_out:g} cannot be held out of {n_fields} fields",
            argument="splits",
            came=splits,
            wanted=f"at most {int(1 / held_out)}, of more fields",
        )
    order = random_stream(seed, "score.split").permutation(n_fields)
    parts = [order[number * each : (number + 1) * each] for number in range(splits)]
    every = np.arange(n_fields)
    return [(np.setdiff1d(every, part), np.sort(part)) for part in parts]


def _is_real(images: ImageSet, rows: NDArray[np.int64]) -> NDArray[np.bool_] | None:
    """Read whether fields show cosmology, where it is known of all."""
    if "label" not in images.catalog.colnames:
        return None
    labels = np.asarray(images.catalog["label"], dtype=np.float64)[rows]
    return labels == 1.0 if np.isfinite(labels).all() else None
