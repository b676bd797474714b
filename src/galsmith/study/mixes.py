"""`MIXES`: the training sets that a study compares, and how one is put together from real and generated images."""

from dataclasses import dataclass

import numpy as np
from astropy.table import QTable, vstack
from numpy.typing import NDArray

from galsmith.images import ImageSet, image_set_from_arrays
from galsmith.seeds import random_stream

Rows = NDArray[np.int64]
REAL = "real"


@dataclass(frozen=True)
class Mix:
    """One training set.

    Attributes
    ----------
    title : str
        In words; ``{n}`` and ``{k}`` are filled in.
    has_real, has_more, has_generated : bool
        n real images, n other real images that no generator has seen, k generated ones.
    is_augmented : bool
        Turned and flipped copies of the real images instead of generated ones, k of them.
    """

    title: str
    has_real: bool = True
    has_more: bool = False
    has_generated: bool = False
    is_augmented: bool = False


MIXES: dict[str, Mix] = {
    REAL: Mix("{n} real"),
    "real and generated": Mix("{n} real and {k} generated", has_generated=True),
    "twice real": Mix("{n} real and {n} more real", has_more=True),
    "generated alone": Mix("{k} generated", has_real=False, has_generated=True),
    "augmented": Mix("{n} real and {k} turned or flipped copies", is_augmented=True),
}


@dataclass(frozen=True)
class Pools:
    """Where the images of all mixes are taken from.

    Attributes
    ----------
    real, more : ImageSet
        Real images; those that the generator may have seen, and others.
    generated : ImageSet
        Drawn ones.
    n, k : int
        How many of each.
    """

    real: ImageSet
    more: ImageSet
    generated: ImageSet
    n: int
    k: int


def mixed(mix: Mix, pools: Pools, *, seed: int) -> ImageSet:
    """Put a training set together; the same seed takes the same real images, the same generated ones, in every mix.

    Parameters
    ----------
    mix : Mix
        Of `MIXES`.
    pools : Pools
        With n or k images each, or more.
    seed : int
        Decides which.
    """
    parts = []
    if mix.has_real:
        parts.append(pools.real.select(_chosen(len(pools.real), pools.n, seed, "real")))
    if mix.is_augmented:
        parts.append(_turned_copies(parts[0], pools.k, seed))
    if mix.has_more:
        parts.append(pools.more.select(_chosen(len(pools.more), pools.n, seed, "more")))
    if mix.has_generated:
        parts.append(pools.generated.select(_chosen(len(pools.generated), pools.k, seed, "generated")))
    return joined(parts)


def joined(parts: list[ImageSet]) -> ImageSet:
    """Join image sets of the same bands and unit; the catalog has the columns that all of them have."""
    columns = [name for name in parts[0].catalog.colnames if all(name in p.catalog.colnames for p in parts)]
    tables = []
    for part in parts:
        # Plain numbers: what is a length in one set may be a bare number in another.
        plain = {
            name: np.asarray(getattr(part.catalog[name], "value", part.catalog[name])) for name in columns
        }
        tables.append(QTable(plain))
    pixels = [image for part in parts for image in part.pixels.read(np.arange(len(part)))]
    return image_set_from_arrays(pixels, parts[0].header, catalog=vstack(tables, metadata_conflicts="silent"))


def _chosen(n_there: int, n_wanted: int, seed: int, purpose: str) -> Rows:
    """Rows by chance, each once."""
    rng = random_stream(seed, f"study.{purpose}")
    return np.sort(rng.permutation(n_there)[:n_wanted]).astype(np.int64)


def _turned_copies(images: ImageSet, count: int, seed: int) -> ImageSet:
    """Turn and flip images by chance, none of them into itself: seven of the eight symmetries of a square."""
    rng = random_stream(seed, "study.turned")
    rows = np.concatenate([rng.permutation(len(images)) for _ in range(-(-count // len(images)))])[:count]
    turns = rng.integers(1, 8, count)
    copies = [
        np.rot90(image, int(turn % 4), axes=(1, 2))[:, :, :: 1 if turn < 4 else -1]
        for image, turn in zip(images.pixels.read(rows), turns, strict=True)
    ]
    return image_set_from_arrays(copies, images.header, catalog=images.catalog[rows])
