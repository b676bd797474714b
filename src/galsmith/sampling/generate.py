"""The verb `sample`: a run and seeds in, a store or a folder of FITS cutouts out."""

from pathlib import Path

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from galsmith.data.store import StoreHeader, StoreWriter
from galsmith.errors import SettingsError
from galsmith.execution import ProgressCallback, ProgressEvent, ignore_progress
from galsmith.images import ImageSet
from galsmith.models.devices import usable_device
from galsmith.sampling.drawing import (
    GalaxySource,
    Pixels,
    header_of_drawn,
    refuse_non_finite,
    snapshot_folder,
)
from galsmith.sampling.fits_cutouts import CutoutFolder
from galsmith.settings import near_miss

KINDS = ("store", "fits")
GALAXIES_PER_CHUNK_AT_LEAST = 256
SPLIT = "generated"


def sample(
    run: str | Path,
    output: str | Path,
    *,
    n: int,
    seed: int = 0,
    kind: str = "store",
    device: str = "cpu",
    overwrite: bool = False,
    progress: ProgressCallback = ignore_progress,
) -> ImageSet:
    """Draw galaxies from a trained model; the same call goes on after an interruption.

    Galaxy k depends on the snapshot, `seed` and k alone: the first hundred of a set of a thousand are those of a
    set of a hundred.

    Parameters
    ----------
    run : str or Path
        A run folder of `galsmith.training.train`, also of an unfinished run, or a snapshot's folder.
    output : str or Path
        The store, or the folder of FITS files.
    n : int
        How many galaxies.
    seed : int
        Fixes all of them; the seed of each is in the catalog's column ``seed``.
    kind : {"store", "fits"}
        ``fits`` writes one file a galaxy with unit, pixel scale, bands and provenance in its header.
    device : str
        Name that torch knows.
    overwrite : bool
        Replace what is there.
    progress : callable
        Told how many are drawn.

    Returns
    -------
    ImageSet
        Read from `output` as it is used; all in the split ``"generated"``.

    Raises
    ------
    SettingsError
        If an argument is out of range.
    OutputExistsError
        If `output` exists and is not an interrupted sampling of the same galaxies.
    InputError
        If there is no usable snapshot.
    GalsmithError
        If drawn pixels are not finite.
    OutputError
        If the disk is full.
    """
    _check(n, kind)
    folder = snapshot_folder(run)
    header = header_of_drawn(folder, seed=seed, n=n)
    source = GalaxySource(folder, seed=seed, device=usable_device(device))
    if kind == "fits":
        return _fill_cutouts(source, header, Path(output), n=n, overwrite=overwrite, progress=progress)
    return _fill_store(source, header, Path(output), n=n, overwrite=overwrite, progress=progress)


def _fill_store(
    source: GalaxySource,
    header: StoreHeader,
    output: Path,
    *,
    n: int,
    overwrite: bool,
    progress: ProgressCallback,
) -> ImageSet:
    """Draw the chunks that a store lacks."""
    per_chunk = source.batch_size * -(-GALAXIES_PER_CHUNK_AT_LEAST // source.batch_size)
    n_chunks = -(-n // per_chunk)
    writer = StoreWriter(output, header, n_chunks=n_chunks, overwrite=overwrite)
    for chunk in range(n_chunks):
        first, end = chunk * per_chunk, min((chunk + 1) * per_chunk, n)
        if not writer.is_done(chunk):
            images: list[Pixels] = []
            for number in range(first // source.batch_size, -(-end // source.batch_size)):
                images += _drawn(source, number, n)
                progress(ProgressEvent("sampling", first + len(images), n, "galaxies"))
            writer.write_chunk(chunk, images, drawn_catalog(source, np.arange(first, end)))
        progress(ProgressEvent("sampling", end, n, "galaxies"))
    return writer.finish()


def _fill_cutouts(
    source: GalaxySource,
    header: StoreHeader,
    output: Path,
    *,
    n: int,
    overwrite: bool,
    progress: ProgressCallback,
) -> ImageSet:
    """Draw the batches of which a folder lacks a file."""
    cutouts = CutoutFolder(output, header, n=n, overwrite=overwrite)
    for number in range(-(-n // source.batch_size)):
        first, end = number * source.batch_size, min((number + 1) * source.batch_size, n)
        if not all(cutouts.has(index) for index in range(first, end)):
            indices = np.arange(first, end)
            for index, drawn_seed, image in zip(
                indices, source.seeds(indices), _drawn(source, number, n), strict=True
            ):
                cutouts.write(int(index), image, seed=int(drawn_seed))
        progress(ProgressEvent("sampling", end, n, "galaxies"))
    return cutouts.finish(drawn_catalog(source, np.arange(n)))


def _drawn(source: GalaxySource, number: int, n: int) -> list[Pixels]:
    """Draw a batch, leave out what lies beyond the last galaxy, and check the rest."""
    first = number * source.batch_size
    images = source.batch(number)[: n - first]
    refuse_non_finite(images, source.seeds(np.arange(first, first + len(images))))
    return images


def drawn_catalog(source: GalaxySource, indices: NDArray[np.int64]) -> QTable:
    """Catalog rows of drawn galaxies: object_id, seed, split."""
    return QTable(
        {
            "object_id": np.array([f"{index:08d}" for index in indices], dtype=str),
            "seed": source.seeds(indices),
            "split": np.full(len(indices), SPLIT, dtype="U10"),
        }
    )


def _check(n: int, kind: str) -> None:
    """Refuse arguments out of range."""
    if n < 1:
        raise SettingsError(f"n is {n}; wanted 1 or more galaxies")
    if kind not in KINDS:
        raise SettingsError(
            f"kind is {kind!r}{near_miss(kind, KINDS)}; wanted {' or '.join(map(repr, KINDS))}"
        )
