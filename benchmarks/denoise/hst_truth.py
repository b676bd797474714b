"""Noise-free truth from galaxies that were fitted as a bulge and a disk: both added, cut out, in a store with splits.

    python benchmarks/denoise/hst_truth.py FOLDER -o hst --side 128

FOLDER has ``bulge_f8/f814w_bulgeN.fits.gz`` and ``disk_f8/f814w_diskN.fits.gz`` of 150 galaxies of HST/ACS in F814W.
What has a half-light radius below 2 pixels is a star and left out, and of 80 and 131, which are one galaxy, the second:
it must not be in the training set and in the test.
"""

import argparse
import re
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import QTable

from galsmith.data.store import write_store
from galsmith.images import ImageHeader
from galsmith.images.image_set import image_set_from_arrays
from galsmith.seeds import random_stream

STAR_RADIUS_PIX = 2.0
REPEATED = 131  # the galaxy of number 80
HEADER = ImageHeader(("F814W",), "electron / s", 0.06, zero_points_mag={"F814W": 26.782})
SHARES = (0.6, 0.1, 0.3)  # of training, validation, test


def truths(folder: Path, side_pix: int) -> dict[str, np.ndarray]:
    """Give the sum of bulge and disk of every galaxy, [1, y, x] float32, cut out about the middle of the frame."""
    found = {}
    for bulge in sorted((folder / "bulge_f8").glob("f814w_bulge*.fits.gz")):
        number = int(re.findall(r"bulge(\d+)", bulge.name)[0])
        disk = folder / "disk_f8" / f"f814w_disk{number}.fits.gz"
        with fits.open(bulge) as first, fits.open(disk) as second:
            radius = first[0].header.get("RADIUS", second[0].header.get("RADIUS"))
            if number == REPEATED or (radius is not None and radius < STAR_RADIUS_PIX):
                continue
            image = np.asarray(first[0].data, dtype=np.float64) + second[0].data
        middle = [side // 2 - side_pix // 2 for side in image.shape]
        cut = image[middle[0] : middle[0] + side_pix, middle[1] : middle[1] + side_pix]
        found[f"{number:03d}"] = cut.astype(np.float32)[np.newaxis]
    return found


def main() -> None:
    """Write the store."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--side", type=int, default=128)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    images = truths(given.folder, given.side)
    names = np.repeat(
        ("train", "validation", "test"), np.diff(np.rint(np.cumsum((0, *SHARES)) * len(images)).astype(int))
    )
    split = random_stream(given.seed, "split").permutation(names)
    catalog = QTable({"object_id": list(images), "split": split})
    found = write_store(
        given.output, image_set_from_arrays(list(images.values()), header=HEADER, catalog=catalog)
    )
    print(f"{len(found)} galaxies: {found.n_by_split}")


if __name__ == "__main__":
    main()
