"""Noise-free frames that a denoiser of real surveys learns from: galaxies of several scales, with neighbors and stars.

    python benchmarks/denoise/hst_truth.py FOLDER -o hst --side 192
    galsmith simulate components -n 900 -o components --seed 31
    galsmith simulate components -n 300 -o large --seed 32 --set frame.low_pix=96 --set frame.high_pix=192 \
        --set physical_pixel_kpc=0.15
    python benchmarks/denoise/survey_truth.py hst components large -o frames
    python benchmarks/denoise/psf_table.py PSF.fits ... -o psfs.fits
    galsmith denoise fit filter_bank-survey --data frames --set range.psf_images_path=psfs.fits -o denoiser

Frames of one band, 96 px. Each has a galaxy near its middle, of which one band is drawn, in pixels 1 to 4 times as large
as they were; two of five have one to three neighbors, galaxies or stars (all light in one place). Frames of the splits
train and validation are made of galaxies of these splits alone; nothing is made of the split test.
"""

import argparse
import math
from pathlib import Path

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from galsmith.data.store import open_store, write_store
from galsmith.images import ImageHeader
from galsmith.images.image_set import image_set_from_arrays
from galsmith.observe.pixel_grid import resampled
from galsmith.seeds import random_stream

SIDE_PIX = 96
CROWDED_SHARE, MOST_NEIGHBORS, STAR_SHARE = 0.4, 3, 0.5
FACTORS = (1.0, 1.0, 2.0, 10 / 3)  # of the size of a pixel; the last brings those of HST to LSST's
LEAST_SIDE_PIX = 16
Plane = NDArray[np.float64]


class Pool:
    """Galaxies of one split of several stores, each store drawn as often as the others.

    Parameters
    ----------
    stores : list of ImageSet
        Noise-free.
    split : str
        Of which galaxies are taken.
    """

    def __init__(self, stores: list, split: str) -> None:
        self._sets = [store.in_split(split) for store in stores]

    def drawn(self, chance: np.random.Generator) -> Plane:
        """Draw one band of a galaxy, [y, x], turned, in pixels of a drawn size, with the sum 1."""
        images = self._sets[int(chance.integers(len(self._sets)))]
        image = np.asarray(images.pixels[int(chance.integers(len(images)))], dtype=np.float64)
        plane = image[int(chance.integers(len(image)))]
        factor = FACTORS[int(chance.integers(len(FACTORS)))]
        if factor > 1 and min(plane.shape) / factor >= LEAST_SIDE_PIX:
            plane = resampled(plane[np.newaxis], factor, "area", keeps_level=False)[0]
        plane = np.rot90(plane, int(chance.integers(4)))
        total = plane.sum()
        return plane / total if total > 0 else plane


def frame(pool: Pool, chance: np.random.Generator) -> NDArray[np.float32]:
    """Compose a frame, [1, y, x], with about the sum 1."""
    found = np.zeros((SIDE_PIX, SIDE_PIX))
    middle = SIDE_PIX / 2 + chance.uniform(-6, 6, 2)
    lay(found, pool.drawn(chance), middle)
    n_neighbors = int(chance.integers(1, MOST_NEIGHBORS + 1)) if chance.random() < CROWDED_SHARE else 0
    for _ in range(n_neighbors):
        place = chance.uniform(4, SIDE_PIX - 4, 2)
        if chance.random() < STAR_SHARE:
            lay_star(found, place, math.exp(chance.uniform(math.log(0.003), math.log(0.3))))
        else:
            lay(found, math.exp(chance.uniform(math.log(0.02), 0.0)) * pool.drawn(chance), place)
    return found.astype(np.float32)[np.newaxis]


def lay(onto: Plane, plane: Plane, place: NDArray[np.float64]) -> None:
    """Add a plane with its middle at the pixel next to a place (y, x); what is outside is lost."""
    top, left = (round(p - side / 2) for p, side in zip(place, plane.shape, strict=True))
    rows, columns = (
        slice(max(0, start), min(SIDE_PIX, start + side))
        for start, side in zip((top, left), plane.shape, strict=True)
    )
    onto[rows, columns] += plane[
        rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
    ]


def lay_star(onto: Plane, place: NDArray[np.float64], flux: float) -> None:
    """Add light of one place (y, x), parted between the four pixels about it."""
    (y, x), (dy, dx) = np.floor(place).astype(int), place % 1
    onto[y : y + 2, x : x + 2] += flux * np.outer((1 - dy, dy), (1 - dx, dx))


def main() -> None:
    """Write the store."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("stores", nargs="+", help="noise-free galaxies")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--frames", type=int, default=4000)
    parser.add_argument("--validation", type=int, default=128, help="how many of them choose the weights")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    stores = [open_store(place) for place in given.stores]
    pools = {split: Pool(stores, split) for split in ("train", "validation")}
    splits = ["validation"] * given.validation + ["train"] * (given.frames - given.validation)
    frames = [
        frame(pools[split], random_stream(given.seed, "survey.frame", position))
        for position, split in enumerate(splits)
    ]
    catalog = QTable({"object_id": [f"{position:05d}" for position in range(len(frames))], "split": splits})
    header = ImageHeader(("clear",), "electron")
    found = write_store(given.output, image_set_from_arrays(frames, header=header, catalog=catalog))
    print(f"{len(found)} frames: {found.n_by_split}")


if __name__ == "__main__":
    main()
