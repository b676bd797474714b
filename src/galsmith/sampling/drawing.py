"""Drawing galaxies by index: image k is the same whatever else is drawn, before, beside or after it."""

from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray

from galsmith.data.store import StoreHeader
from galsmith.data.transforms import NetworkArrays
from galsmith.errors import GalsmithError, InputError
from galsmith.models.protocols import Generator
from galsmith.models.snapshot import WEIGHTS_FILE, load_snapshot, read_snapshot_page
from galsmith.provenance import Parent, Provenance, hash_json
from galsmith.seeds import derive_seed

Pixels = NDArray[np.float32]

IMAGES_INVERTED_AT_ONCE = 32
SEEDS_NAMED = 5


class GalaxySource:
    """A snapshot that draws galaxies by their index in a set.

    Arithmetic on a batch may depend in its last bits on the batch's size, so batches have a fixed size and
    fixed members: galaxy k is always drawn beside the galaxies of its own aligned batch.

    Parameters
    ----------
    folder : Path
        A snapshot's folder.
    seed : int
        The user's seed; galaxy k has the seed ``derive_seed(seed, "sample", k)``.
    device : torch.device
        Where to draw.

    Raises
    ------
    InputError
        If the snapshot is missing or damaged.
    """

    def __init__(self, folder: Path, *, seed: int, device: torch.device) -> None:
        self._snapshot = load_snapshot(folder, device=device)
        self._seed = seed
        self._generator = cast(Generator, self._snapshot.generator)
        self.batch_size = self._generator.galaxies_per_call

    def seeds(self, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        """Seeds of galaxies, [galaxy] int64."""
        return np.array([derive_seed(self._seed, "sample", int(index)) for index in indices], dtype=np.int64)

    def batch(self, number: int) -> list[Pixels]:
        """Draw one aligned batch: the galaxies from ``number * batch_size`` on.

        Returns
        -------
        list of ndarray [band, y, x], float32
            In the flux unit of the training set; sizes differ where those of the training set do.
        """
        first = number * self.batch_size
        seeds = self.seeds(np.arange(first, first + self.batch_size))
        with torch.no_grad():
            drawn = self._generator.sample([int(seed) for seed in seeds])
        pixels, scalars = drawn.pixels.float().cpu().numpy(), drawn.scalars.float().cpu().numpy()
        images: list[Pixels] = []
        for start in range(0, len(pixels), IMAGES_INVERTED_AT_ONCE):
            part = slice(start, start + IMAGES_INVERTED_AT_ONCE)
            with np.errstate(all="ignore"):  # what overflows is refused by its result
                images += self._snapshot.transform.inverse(NetworkArrays(pixels[part], scalars[part]))
        return images


def refuse_non_finite(images: list[Pixels], seeds: NDArray[np.int64]) -> None:
    """Raise `GalsmithError` with the number and the seeds of drawn images that have NaN or infinite pixels."""
    bad = [int(seed) for image, seed in zip(images, seeds, strict=True) if not np.all(np.isfinite(image))]
    if bad:
        named = ", ".join(str(seed) for seed in bad[:SEEDS_NAMED]) + (
            ", ..." if len(bad) > SEEDS_NAMED else ""
        )
        raise GalsmithError(
            f"{len(bad)} of {len(images)} drawn galaxies have pixels that are not finite (seeds {named}); the model "
            "is not trained well enough: train longer, or lower model.learning_rate"
        )


def snapshot_folder(run: str | Path) -> Path:
    """Find the snapshot in a run folder, or in a snapshot's own folder.

    Raises
    ------
    InputError
        If there is none.
    """
    path = Path(run)
    for folder in (path / "snapshot", path):
        if (folder / WEIGHTS_FILE).is_file():
            return folder
    reason = "there is no snapshot in it yet" if path.is_dir() else "there is no such folder"
    raise InputError(f"{path}: {reason}; give the run folder that galsmith train wrote")


def header_of_drawn(folder: Path, *, seed: int, n: int) -> StoreHeader:
    """Say what is true of every drawn image: what the training set's header says, and what made them."""
    page = read_snapshot_page(folder)
    card = page["card"]
    decisive = [page["model"], page["description"], page["transform"], page["tensors_sha256"]]
    return StoreHeader(
        bands=tuple(card["bands"]),
        pixel_scale_arcsec=card["pixel_scale_arcsec"],
        flux_unit=card["flux_unit"],
        provenance=Provenance(
            verb="sample",
            settings={"n": n},
            seed=seed,
            parents=(Parent("snapshot", hash_json(decisive), str(folder)),),
        ),
        physical_pixel_kpc=card["physical_pixel_kpc"],
        zero_points_mag=card["zero_points_mag"],
        psf=card["psf"],
    )
