"""Arrays beside the images of a store: their point spread functions, and how their noise is correlated."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from galsmith.data.store.layout import CATALOG_FILE, PART_COLUMN, ROW_COLUMN, read_catalog
from galsmith.data.store.reader import read_description
from galsmith.errors import InputError

Stamp = NDArray[np.float32]
PSF, PSF_SHAPE, CORRELATION = "psf", "psf_shape", "noise_correlation"
CORRELATION_COLUMN = "noise_correlation"


@dataclass(frozen=True)
class Companions:
    """What lies beside some images.

    Attributes
    ----------
    psfs : sequence of ndarray [y, x], float32
        The point spread function of each image, at the pixel scale that its file has; sizes may differ; its
        center is that of its array, (n - 1) / 2.
    psf_pixel_scale_arcsec : float or None
        Angle per pixel side of the PSFs.
    noise_correlations : mapping of str to ndarray [y, x], float32
        Correlation of the noise of two pixels by their distance, 1 in the middle. The catalog's column
        ``noise_correlation`` names which belongs to an image.
    """

    psfs: Sequence[Stamp]
    psf_pixel_scale_arcsec: float | None = None
    noise_correlations: Mapping[str, Stamp] = field(default_factory=dict)

    def of(self, positions: Sequence[int]) -> "Companions":
        """Keep those of some of the images."""
        return replace(self, psfs=[self.psfs[position] for position in positions])

    def write(self, part: h5py.File) -> None:
        """Write them into a part; smaller PSFs are filled up with zeros, their own shapes stand beside them."""
        shapes = np.array([psf.shape for psf in self.psfs], dtype=np.int32).reshape(-1, 2)
        filled = np.zeros((len(shapes), *shapes.max(axis=0, initial=1)), dtype=np.float32)
        for row, psf in enumerate(self.psfs):
            filled[row, : psf.shape[0], : psf.shape[1]] = psf
        data = part.create_dataset(PSF, data=filled, chunks=(1, *filled.shape[1:]))
        if self.psf_pixel_scale_arcsec is not None:
            data.attrs["image_scale"] = self.psf_pixel_scale_arcsec
        part.create_dataset(PSF_SHAPE, data=shapes)
        for name, correlation in self.noise_correlations.items():
            part.create_dataset(f"{CORRELATION}/{name}", data=np.asarray(correlation, dtype=np.float32))


def read_psfs(store: str | Path, rows: Sequence[int] | NDArray[np.int64]) -> list[Stamp]:
    """Read the point spread functions of images.

    Parameters
    ----------
    store : str or Path
        A store's folder.
    rows : sequence of int
        Rows of its catalog.

    Returns
    -------
    list of ndarray [y, x], float32
        One an image, in the order of `rows`.

    Raises
    ------
    InputError
        If there is no such store, or it has no PSFs.
    """
    psfs = _beside(Path(store), rows)[0]
    if psfs is None:
        raise InputError(f"{store}: has no PSFs; galsmith ingest cosmos keeps those of a RealGalaxyCatalog")
    return psfs


def read_companions(store: str | Path, rows: Sequence[int] | NDArray[np.int64]) -> Companions | None:
    """Read all that lies beside images, from the parts that hold them; None where these keep nothing.

    Parameters
    ----------
    store : str or Path
        A store's folder.
    rows : sequence of int
        Rows of its catalog.

    Raises
    ------
    InputError
        If there is no such store.
    """
    psfs, scale, correlations = _beside(Path(store), rows)
    return None if psfs is None else Companions(psfs, scale, correlations)


def read_noise_correlation(store: str | Path, name: str) -> Stamp:
    """Read how the noise of a store's images is correlated.

    Parameters
    ----------
    store : str or Path
        A store's folder.
    name : str
        As the catalog's column ``noise_correlation`` has it.

    Returns
    -------
    ndarray [y, x], float32
        By the distance of two pixels, 1 in the middle.

    Raises
    ------
    InputError
        If there is no such store, or none of that name in it.
    """
    folder = Path(store)
    known: set[str] = set()
    for entry in read_description(folder)["parts"]:
        with _opened(folder / entry["file"]) as part:
            group: Any = part.get(CORRELATION, {})
            if name in group:
                return np.array(group[name], dtype=np.float32)
            known.update(group)
    stated = f"it has {', '.join(sorted(known))}" if known else "it has none"
    raise InputError(f"{folder}: has no noise correlation {name!r}; {stated}")


def _beside(
    folder: Path, rows: Sequence[int] | NDArray[np.int64]
) -> tuple[list[Stamp] | None, float | None, dict[str, Stamp]]:
    """Read PSFs of images, their pixel scale, and the noise correlations of the parts that hold them."""
    parts, place = read_description(folder)["parts"], read_catalog(folder / CATALOG_FILE)
    part_of, row_of = (
        np.asarray(place[name])[np.asarray(rows, dtype=np.int64)] for name in (PART_COLUMN, ROW_COLUMN)
    )
    psfs: dict[int, Stamp] = {}
    correlations: dict[str, Stamp] = {}
    scale: float | None = None
    for number in np.unique(part_of):
        with _opened(folder / parts[int(number)]["file"]) as part:
            for position in np.flatnonzero(part_of == number) if PSF in part else ():
                row = int(row_of[position])
                height, width = part[PSF_SHAPE][row]
                psfs[int(position)] = np.array(part[PSF][row, :height, :width], dtype=np.float32)
                scale = part[PSF].attrs.get("image_scale", scale)
            group: Any = part.get(CORRELATION, {})
            correlations |= {name: np.array(group[name], dtype=np.float32) for name in group}
    if psfs and len(psfs) < len(part_of):
        raise InputError(f"{folder}: has PSFs of some of these images only; make the store again")
    ordered = [psfs[position] for position in range(len(part_of))] if len(psfs) == len(part_of) else None
    return ordered, None if scale is None else float(scale), correlations


def _opened(path: Path) -> h5py.File:
    """Open one part."""
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error}); check the store with galsmith info (`verify`)"
        ) from error
