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
    folder = Path(store)
    parts, place = read_description(folder)["parts"], read_catalog(folder / CATALOG_FILE)
    psfs: list[Stamp] = []
    for row in rows:
        path = folder / parts[int(place[PART_COLUMN][row])]["file"]
        with _opened(path) as part:
            if PSF not in part:
                raise InputError(
                    f"{folder}: has no PSFs; galsmith ingest cosmos keeps those of a RealGalaxyCatalog"
                )
            position = int(place[ROW_COLUMN][row])
            height, width = part[PSF_SHAPE][position]
            psfs.append(np.array(part[PSF][position, :height, :width], dtype=np.float32))
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
    folder = Path(store)
    parts, place = read_description(folder)["parts"], read_catalog(folder / CATALOG_FILE)
    correlations: dict[str, Stamp] = {}
    has_psfs, scale = False, None
    for number in np.unique(np.asarray(place[PART_COLUMN])[np.asarray(rows, dtype=np.int64)]):
        with _opened(folder / parts[int(number)]["file"]) as part:
            if PSF in part:
                has_psfs, scale = True, part[PSF].attrs.get("image_scale")
            group: Any = part.get(CORRELATION, {})
            correlations |= {name: np.array(group[name], dtype=np.float32) for name in group}
    if not has_psfs:
        return None
    return Companions(read_psfs(folder, rows), None if scale is None else float(scale), correlations)


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


def _opened(path: Path) -> h5py.File:
    """Open one part."""
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error}); check the store with galsmith info (`verify`)"
        ) from error
