"""A table of measured point spread functions, one plane each, from FITS images of them: for `range.psf_images_path`.

    python benchmarks/denoise/psf_table.py psfs/*.fits -o psfs.fits --side 51 --most 20

Of each HDU, and of each plane of a cube, the square about the middle is taken; `--most` are drawn from each file.
"""

import argparse
from pathlib import Path

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from galsmith.observe.psf import brought_to_step, width_at_half_maximum
from galsmith.seeds import random_stream


def planes_of(path: Path) -> list[NDArray[np.float64]]:
    """Give every image of a file, each with its centroid in the middle of a square of odd side, with the sum 1."""
    found = []
    with fits.open(path) as hdus:
        for hdu in hdus:
            if hdu.data is None or hdu.data.ndim < 2:
                continue
            data = np.asarray(hdu.data, dtype=np.float64)
            for plane in data.reshape(-1, *data.shape[-2:]):
                if np.isfinite(plane).all() and plane.sum() > 0:
                    found.append(centered(plane / plane.sum()))
    return found


def centered(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bring the centroid of what is above a tenth of the peak to the middle pixel."""
    bright = np.where(plane > 0.1 * plane.max(), plane, 0)
    y, x = np.indices(plane.shape)
    middle = float((y * bright).sum() / bright.sum()), float((x * bright).sum() / bright.sum())
    moved = brought_to_step(plane, 1.0, middle=middle)
    return moved / moved.sum()


def framed(plane: NDArray[np.float64], side: int) -> NDArray[np.float64]:
    """Cut or fill up a square of odd side to another."""
    half, wanted = len(plane) // 2, side // 2
    if half > wanted:
        return plane[half - wanted : half + wanted + 1, half - wanted : half + wanted + 1]
    return np.pad(plane, wanted - half)


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--side", type=int, default=51, help="of each plane, odd")
    parser.add_argument("--most", type=int, default=20, help="planes of each file")
    parser.add_argument("--widest", type=float, default=6.5, help="FWHM in px; wider ones are left out")
    given = parser.parse_args()
    table = []
    for number, path in enumerate(given.files):
        planes = planes_of(path)
        rows = random_stream(0, "psf.table", number).permutation(len(planes))[: given.most]
        table += [framed(planes[row], given.side) for row in rows]
    table = [plane for plane in table if width_at_half_maximum(plane) <= given.widest]
    widths = [width_at_half_maximum(plane) for plane in table]
    fits.PrimaryHDU(np.stack(table).astype(np.float32)).writeto(given.output, overwrite=True)
    print(f"{len(table)} point spread functions, {min(widths):.2f} to {max(widths):.2f} px wide (FWHM)")


if __name__ == "__main__":
    main()
