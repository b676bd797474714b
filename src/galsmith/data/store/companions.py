"""Arrays beside the images of a store: point spread functions, how noise is correlated, the true sources of fields."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from galsmith.data.store.layout import CATALOG_FILE, PART_COLUMN, ROW_COLUMN, read_catalog
from galsmith.data.store.reader import read_description
from galsmith.errors import InputError

Stamp = NDArray[np.float32]
Values = NDArray[np.float64]
PSF, PSF_SHAPE, CORRELATION = "psf", "psf_shape", "noise_correlation"
CORRELATION_COLUMN = "noise_correlation"
SOURCES, SOURCE_START = "sources", "source_start"
# of the sources of a field, with their units
SOURCE_COLUMNS = ("x_pix", "y_pix", "flux", "r_half_pix", "axis_ratio", "orientation_rad")


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
    sources : sequence of ndarray [source, column], float64
        The true sources of each image, columns as `SOURCE_COLUMNS`: pixel centers on integers, flux in the image's unit
        summed over all pixels, half-light radius of the circle with the ellipse's area, orientation counter-clockwise
        from +x.
    """

    psfs: Sequence[Stamp] = ()
    psf_pixel_scale_arcsec: float | None = None
    noise_correlations: Mapping[str, Stamp] = field(default_factory=dict)
    sources: Sequence[Values] = ()

    def of(self, positions: Sequence[int]) -> "Companions":
        """Keep those of some of the images."""
        psfs = [self.psfs[position] for position in positions] if len(self.psfs) else self.psfs
        sources = [self.sources[position] for position in positions] if len(self.sources) else self.sources
        return replace(self, psfs=psfs, sources=sources)

    def shaped(
        self, shapes: NDArray[np.int64], *, crop_pix: int | None, resize_pix: int | None
    ) -> "Companions":
        """Move sources as their images were cropped and resampled; those out of the frame go.

        Parameters
        ----------
        shapes : ndarray [image, 2], int64
            Height and width before.
        crop_pix, resize_pix : int or None
            As `galsmith.data.options.SetOptions` has them.
        """
        if not len(self.sources) or (crop_pix is None and resize_pix is None):
            return self
        moved = [
            _moved(sources, shape, crop_pix, resize_pix)
            for sources, shape in zip(self.sources, shapes, strict=True)
        ]
        return replace(self, sources=moved)

    def write(self, part: h5py.File) -> None:
        """Write what there is into a part."""
        if len(self.psfs):
            self._write_psfs(part)
        if len(self.sources):
            rows = np.concatenate([np.reshape(one, (-1, len(SOURCE_COLUMNS))) for one in self.sources])
            data = part.create_dataset(SOURCES, data=np.asarray(rows, dtype=np.float64))
            data.attrs["columns"] = list(SOURCE_COLUMNS)
            starts = np.cumsum([0, *map(len, self.sources)])
            part.create_dataset(SOURCE_START, data=starts.astype(np.int64))

    def _write_psfs(self, part: h5py.File) -> None:
        """Write PSFs, smaller ones filled up with zeros, their own shapes beside them."""
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
    sources = _sources_of(Path(store), np.asarray(rows, dtype=np.int64))
    if psfs is None and sources is None:
        return None
    return Companions(
        () if psfs is None else psfs, scale, correlations, sources=() if sources is None else sources
    )


def read_sources(store: str | Path, rows: Sequence[int] | NDArray[np.int64] | None = None) -> QTable:
    """Read the true sources of fields, as they were simulated or composed.

    Parameters
    ----------
    store : str or Path
        A store's folder.
    rows : sequence of int, optional
        Rows of its catalog; all when left out.

    Returns
    -------
    QTable
        One row a source: ``row`` (of the catalog), ``object_id`` (of the field), ``x_pix``, ``y_pix`` (pixel centers on
        integers), ``flux`` (summed, in the store's unit), ``r_half_pix``, ``axis_ratio``, ``orientation_rad``.

    Raises
    ------
    InputError
        If there is no such store, or it knows no sources.
    """
    folder = Path(store)
    names = read_catalog(folder / CATALOG_FILE)["object_id"]
    chosen = np.arange(len(names)) if rows is None else np.asarray(rows, dtype=np.int64)
    sources = _sources_of(folder, chosen)
    if sources is None:
        raise InputError(f"{store}: does not know its sources; galsmith simulate fields keeps them")
    counts = [len(one) for one in sources]
    table = QTable()
    table["row"] = np.repeat(chosen, counts)
    table["object_id"] = np.repeat(np.asarray(names, dtype=str)[chosen], counts)
    values = np.concatenate([*sources, np.empty((0, len(SOURCE_COLUMNS)))])
    for column, name in enumerate(SOURCE_COLUMNS):
        table[name] = values[:, column]
    return table


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


def _sources_of(folder: Path, rows: NDArray[np.int64]) -> list[Values] | None:
    """Read the sources of images, in the order of `rows`; None where a part keeps none."""
    parts, place = read_description(folder)["parts"], read_catalog(folder / CATALOG_FILE)
    part_of, row_of = (np.asarray(place[name])[rows] for name in (PART_COLUMN, ROW_COLUMN))
    found: dict[int, Values] = {}
    for number in np.unique(part_of):
        with _opened(folder / parts[int(number)]["file"]) as part:
            if SOURCES not in part:
                return None
            values, starts = np.array(part[SOURCES]), np.array(part[SOURCE_START])
        for position in np.flatnonzero(part_of == number):
            row = int(row_of[position])
            found[int(position)] = values[starts[row] : starts[row + 1]]
    return [found[position] for position in range(len(rows))]


def _moved(sources: Values, shape: NDArray[np.int64], crop_pix: int | None, resize_pix: int | None) -> Values:
    """Move and scale sources of one image as `galsmith.images.crop_center` and resampling do its pixels."""
    height, width = (int(side) for side in shape)
    moved = sources.copy()
    if crop_pix is not None:
        moved[:, 0] -= (width - crop_pix) // 2
        moved[:, 1] -= (height - crop_pix) // 2
        height = width = crop_pix
    inside = ((moved[:, :2] >= -0.5) & (moved[:, :2] < np.array([width, height]) - 0.5)).all(axis=1)
    moved = moved[inside]
    if resize_pix is not None:
        factor = resize_pix / width
        moved[:, :2] = (moved[:, :2] + 0.5) * factor - 0.5
        moved[:, 3] *= factor
    return moved


def _opened(path: Path) -> h5py.File:
    """Open one part."""
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error}); check the store with galsmith info (`verify`)"
        ) from error
