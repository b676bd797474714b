"""Arrays beside the images of a store: inverse variances, masks, point spread functions, correlations, true sources."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from galsmith.data.store.layout import CATALOG_FILE, CHECKED, compression_of, read_catalog, storage_of
from galsmith.data.store.reader import PIXEL_BYTES, StorePixels, open_store
from galsmith.errors import InputError
from galsmith.files import place_of
from galsmith.files.hdf5 import own_dataset, refuse_claim
from galsmith.images import ImageSet, crop_center, middle_of, resampled_ivar, resampled_mask, resampled_psf
from galsmith.images.image_set import SelectedPixels

Stamp = NDArray[np.float32]
Flags = NDArray[np.bool_]
Values = NDArray[np.float64]
PsfKind = Literal["effective", "optical"]
IVAR, MASK = "image_ivar", "image_mask"
PSF, PSF_SHAPE, CORRELATION = "psf", "psf_shape", "noise_correlation"
CORRELATION_COLUMN = "noise_correlation"
SOURCES, SOURCE_START = "sources", "source_start"
# of the sources of a field, with their units
SOURCE_COLUMNS = ("x_pix", "y_pix", "flux", "r_half_pix", "axis_ratio", "orientation_rad")
# what there is one of for each image
OF_EACH = ("psfs", "sources", "ivars", "masks")


@dataclass(frozen=True)
class Companions:
    """What lies beside some images.

    Attributes
    ----------
    psfs : sequence of ndarray [y, x] or [band, y, x], float32
        The point spread function of each image, or of each of its bands, at the pixel scale that its file has; sizes may
        differ; its center is that of its array, (n - 1) / 2.
    psf_pixel_scale_arcsec : float or None
        Angle per pixel side of the PSFs; None where that is the pixel of each image, whatever its angle.
    noise_correlations : mapping of str to ndarray [y, x], float32
        Correlation of the noise of two pixels by their distance, 1 in the middle. The catalog's column
        ``noise_correlation`` names which belongs to an image.
    sources : sequence of ndarray [source, column], float64
        The true sources of each image, columns as `SOURCE_COLUMNS`: pixel centers on integers, flux in the image's unit
        summed over all pixels, half-light radius of the circle with the ellipse's area, orientation counter-clockwise
        from +x.
    ivars : sequence of ndarray [band, y, x], float32
        Inverse variance of the noise of each pixel, in one over the square of the image's unit; 0 where nothing is known.
    masks : sequence of ndarray [band, y, x], bool
        True where a pixel is not to be used.
    psf_kind : {"effective", "optical"} or None
        Whether the pixel is in the PSFs, as in an image of a star, or they are what images that have pixels already were
        convolved with; None where nobody says it, and whoever measures does.
    """

    psfs: Sequence[Stamp] = ()
    psf_pixel_scale_arcsec: float | None = None
    noise_correlations: Mapping[str, Stamp] = field(default_factory=dict)
    sources: Sequence[Values] = ()
    ivars: Sequence[Stamp] = ()
    masks: Sequence[Flags] = ()
    psf_kind: PsfKind | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Names of what each image has, such as ``("psfs", "masks")``."""
        return tuple(name for name in OF_EACH if len(getattr(self, name)))

    def of(self, positions: Sequence[int]) -> "Companions":
        """Keep those of some of the images."""
        kept: dict[str, Any] = {
            name: [getattr(self, name)[position] for position in positions] for name in self.names
        }
        return replace(self, **kept)

    def shaped(
        self, shapes: NDArray[np.int64], *, crop_pix: int | None, resize_pix: int | None, flux_unit: str
    ) -> "Companions":
        """Crop and resample all as their images were; sources out of the frame go.

        The variance of a resampled pixel is the sum of the variances of those it is made of, each times the square of its
        weight: exact where their noise is independent. That it is then correlated between neighbors is not kept. What was
        made of a masked pixel is masked, and of one without a variance has none. A PSF is brought to the new pixels.

        Parameters
        ----------
        shapes : ndarray [image, 2], int64
            Height and width before.
        crop_pix, resize_pix : int or None
            As `galsmith.data.options.SetOptions` has them.
        flux_unit : str
            Of the images; it decides how they are resampled.
        """
        if crop_pix is None and resize_pix is None:
            return self
        found: dict[str, Any] = {
            "sources": [
                _moved(sources, shape, crop_pix, resize_pix)
                for sources, shape in zip(self.sources, shapes, strict=False)
            ],
            "ivars": [_shaped_ivar(ivar, crop_pix, resize_pix, flux_unit) for ivar in self.ivars],
            "masks": [_shaped_mask(mask, crop_pix, resize_pix, flux_unit) for mask in self.masks],
        }
        if resize_pix is not None and len(self.psfs):
            before = shapes[:, 1] if crop_pix is None else np.full(len(shapes), crop_pix)
            factors = before / resize_pix
            found["psfs"] = [
                resampled_psf(psf, float(factor)) for psf, factor in zip(self.psfs, factors, strict=True)
            ]
            is_one = self.psf_pixel_scale_arcsec is not None and np.ptp(factors) == 0
            found["psf_pixel_scale_arcsec"] = (
                (self.psf_pixel_scale_arcsec or 0.0) * float(factors[0]) if is_one else None
            )
        return replace(self, **found)

    def check(self, images: Sequence[Stamp]) -> None:
        """Refuse what does not belong to images.

        Raises
        ------
        ValueError
            If there are more or fewer than images, shapes differ, or inverse variances are negative or not finite.
        """
        for name in self.names:
            if len(getattr(self, name)) != len(images):
                raise ValueError(
                    f"{len(getattr(self, name))} {name} for {len(images)} images; wanted one each"
                )
        for name in ("ivars", "masks"):
            for position, (one, image) in enumerate(zip(getattr(self, name), images, strict=False)):
                if one.shape != image.shape:
                    raise ValueError(
                        f"{name}[{position}] has shape {one.shape}; wanted that of its image, {image.shape}"
                    )
        for position, ivar in enumerate(self.ivars):
            if not (np.isfinite(ivar).all() and (ivar >= 0).all()):
                raise ValueError(
                    f"ivars[{position}] has values that are negative or not finite; wanted 0 where nothing is known"
                )

    def write(self, part: h5py.File) -> None:
        """Write what there is into a part."""
        for name, arrays, kind in ((IVAR, self.ivars, np.float32), (MASK, self.masks, np.bool_)):
            if len(arrays):
                stacked = np.stack([np.asarray(array, dtype=kind) for array in arrays])
                part.create_dataset(name, data=stacked, **storage_of(stacked), **compression_of(stacked))
        if len(self.psfs):
            self._write_psfs(part)
        for name, correlation in self.noise_correlations.items():
            values = np.asarray(correlation, dtype=np.float32)
            part.create_dataset(f"{CORRELATION}/{name}", data=values, chunks=values.shape, **CHECKED)
        if len(self.sources):
            rows = np.concatenate([np.reshape(one, (-1, len(SOURCE_COLUMNS))) for one in self.sources])
            stored = np.asarray(rows, dtype=np.float64)
            data = part.create_dataset(SOURCES, data=stored, **_in_one_chunk(stored))
            data.attrs["columns"] = list(SOURCE_COLUMNS)
            starts = np.cumsum([0, *map(len, self.sources)])
            part.create_dataset(SOURCE_START, data=starts.astype(np.int64), chunks=starts.shape, **CHECKED)

    def _write_psfs(self, part: h5py.File) -> None:
        """Write PSFs, smaller ones filled up with zeros, their own shapes beside them."""
        shapes = np.array([psf.shape[-2:] for psf in self.psfs], dtype=np.int32).reshape(-1, 2)
        bands = {psf.shape[:-2] for psf in self.psfs}
        if len(bands) > 1:
            raise ValueError(f"PSFs of shapes {', '.join(map(str, bands))} and [y, x]; wanted one kind")
        filled = np.zeros((len(shapes), *bands.pop(), *shapes.max(axis=0, initial=1)), dtype=np.float32)
        for row, psf in enumerate(self.psfs):
            filled[row, ..., : psf.shape[-2], : psf.shape[-1]] = psf
        data = part.create_dataset(PSF, data=filled, **storage_of(filled))
        if self.psf_pixel_scale_arcsec is not None:
            data.attrs["image_scale"] = self.psf_pixel_scale_arcsec
        if self.psf_kind is not None:
            data.attrs["kind"] = self.psf_kind
        part.create_dataset(PSF_SHAPE, data=shapes, chunks=shapes.shape, **CHECKED)


def _in_one_chunk(stored: Values) -> dict[str, Any]:
    """Say how rows are stored that are read together; HDF5 has no chunks of nothing."""
    return {"chunks": stored.shape, **CHECKED} if stored.size else {}


def joined(several: Sequence[Companions]) -> Companions:
    """Put what lies beside several groups of images together, in their order.

    Raises
    ------
    ValueError
        If some have what others lack, or PSFs are of several pixel scales.
    """
    first = several[0]
    for one in several:
        if one.names != first.names or _of_psfs(one) != _of_psfs(first):
            raise ValueError(
                f"some images have {', '.join(first.names) or 'nothing'} beside them, others "
                f"{', '.join(one.names) or 'nothing'}, or PSFs of another kind or pixel scale; wanted the same of all"
            )
    merged: dict[str, Any] = {
        name: [item for one in several for item in getattr(one, name)] for name in first.names
    }
    correlations = {name: value for one in several for name, value in one.noise_correlations.items()}
    return replace(first, noise_correlations=correlations, **merged)


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
    found = read_companions(store, rows)
    if found is None or not len(found.psfs):
        raise InputError(f"{store}: has no PSFs; galsmith ingest cosmos keeps those of a RealGalaxyCatalog")
    return list(found.psfs)


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
        If there is no such store, or some of the images have what others lack.
    """
    return companions_of(open_store(store), rows)


def companions_of(
    images: ImageSet, rows: Sequence[int] | NDArray[np.int64] | None = None
) -> Companions | None:
    """Read all that lies beside images of a set; None where it lies in no store, or that keeps nothing.

    Parameters
    ----------
    images : ImageSet
        A store as it was opened, or some images of one.
    rows : sequence of int, optional
        Rows of its catalog; all when left out.

    Raises
    ------
    InputError
        If some of the images have what others lack, or a file is damaged.
    """
    pixels = images.pixels
    wanted = np.arange(len(images)) if rows is None else np.asarray(rows, dtype=np.int64)
    while isinstance(pixels, SelectedPixels):
        wanted = pixels.rows[wanted]
        pixels = pixels.base
    return _of_store(pixels, wanted) if isinstance(pixels, StorePixels) else None


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
    folder = place_of(store)
    names = read_catalog(folder / CATALOG_FILE)["object_id"]
    chosen = np.arange(len(names)) if rows is None else np.asarray(rows, dtype=np.int64)
    found = read_companions(folder, chosen)
    sources = () if found is None else found.sources
    if not len(sources) and len(chosen):
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
    folder = place_of(store)
    known: set[str] = set()
    pixels = open_store(folder).pixels
    every = np.arange(len(pixels))
    for _, found in pixels.read_parts(every, _correlations) if isinstance(pixels, StorePixels) else ():
        if name in found:
            return found[name]
        known.update(found)
    stated = f"it has {', '.join(sorted(known))}" if known else "it has none"
    raise InputError(f"{folder}: has no noise correlation {name!r}; {stated}")


def names_beside(images: ImageSet) -> tuple[str, ...]:
    """Names of what lies beside each image of a set, as `Companions` has them; it looks at the first."""
    found = companions_of(images, [0]) if len(images) else None
    return () if found is None else found.names


def bytes_beside(images: ImageSet) -> int:
    """How many bytes of maps lie beside each pixel of a set's images."""
    sizes = {"ivars": np.dtype(np.float32).itemsize, "masks": np.dtype(np.bool_).itemsize}
    return len(images.header.bands) * sum(sizes.get(name, 0) for name in names_beside(images))


def _of_store(pixels: StorePixels, rows: NDArray[np.int64]) -> Companions | None:
    """Read what lies beside images of a store, in the order of `rows`."""
    found: dict[str, dict[int, Any]] = {name: {} for name in OF_EACH}
    correlations: dict[str, Stamp] = {}
    psfs: dict[str, Any] = {}
    for positions, there in pixels.read_parts(rows, _of_part):
        for name in there.names:
            found[name] |= dict(zip(positions.tolist(), getattr(there, name), strict=True))
        correlations |= there.noise_correlations
        if len(there.psfs):
            psfs = {name: getattr(there, name) for name in ("psf_pixel_scale_arcsec", "psf_kind")}
    for name, ones in found.items():
        if ones and len(ones) < len(rows):
            raise InputError(
                f"{pixels.folder}: has {name} of {len(ones)} of these {len(rows)} images only; make the store again"
            )
    each: dict[str, Any] = {
        name: [ones[position] for position in range(len(rows))] for name, ones in found.items() if ones
    }
    if not each and not correlations:
        return None
    return Companions(noise_correlations=correlations, **psfs, **each)


def _of_part(part: h5py.File, rows: NDArray[np.int64]) -> Companions:
    """Read what a part has of some of its images."""
    found: dict[str, Any] = {"noise_correlations": _correlations(part, rows)}
    for name, dataset in (("ivars", IVAR), ("masks", MASK)):
        if dataset in part:
            values = own_dataset(part, dataset)
            refuse_claim(part, dataset, math.prod(values.shape[1:]) * PIXEL_BYTES * len(rows))
            found[name] = [np.array(values[row]) for row in rows]
    if PSF in part:
        psfs, shapes = own_dataset(part, PSF), _whole(part, PSF_SHAPE)[rows]
        refuse_claim(part, PSF, int(shapes.prod(axis=1).sum()) * PIXEL_BYTES)
        found["psfs"] = [
            np.array(psfs[row, ..., :height, :width], dtype=np.float32)
            for row, (height, width) in zip(rows, shapes, strict=True)
        ]
        scale = psfs.attrs.get("image_scale")
        found["psf_pixel_scale_arcsec"] = None if scale is None else float(scale)
        found["psf_kind"] = psfs.attrs.get("kind")
    if SOURCES in part:
        values, starts = _whole(part, SOURCES), _whole(part, SOURCE_START)
        found["sources"] = [values[starts[row] : starts[row + 1]] for row in rows]
    return Companions(**found)


def _of_psfs(companions: Companions) -> tuple[float | None, str | None]:
    """Give what is true of all PSFs."""
    return companions.psf_pixel_scale_arcsec, companions.psf_kind


def _correlations(part: h5py.File, rows: NDArray[np.int64]) -> dict[str, Stamp]:
    """Read how the noise of a part's images is correlated, by name."""
    del rows  # the catalog says which is whose
    group: Any = part.get(CORRELATION, {})
    return {name: _whole(part, f"{CORRELATION}/{name}").astype(np.float32) for name in group}


def _whole(part: h5py.File, name: str) -> NDArray[Any]:
    """Read all of a small array of a part."""
    values = own_dataset(part, name)
    refuse_claim(part, name, values.nbytes)
    return np.array(values)


def _shaped_ivar(ivar: Stamp, crop_pix: int | None, resize_pix: int | None, flux_unit: str) -> Stamp:
    """Crop and resample inverse variances as their image was."""
    cropped = ivar if crop_pix is None else crop_center(ivar, crop_pix)
    if resize_pix is None or cropped.shape[-2:] == (resize_pix, resize_pix):
        return np.ascontiguousarray(cropped)
    return resampled_ivar(cropped, resize_pix, flux_unit)


def _shaped_mask(mask: Flags, crop_pix: int | None, resize_pix: int | None, flux_unit: str) -> Flags:
    """Crop and resample a mask as its image was."""
    cropped = mask if crop_pix is None else crop_center(mask, crop_pix)
    if resize_pix is None or cropped.shape[-2:] == (resize_pix, resize_pix):
        return np.ascontiguousarray(cropped)
    return resampled_mask(cropped, resize_pix, flux_unit)


def _moved(sources: Values, shape: NDArray[np.int64], crop_pix: int | None, resize_pix: int | None) -> Values:
    """Move and scale sources of one image as `galsmith.images.crop_center` and resampling do its pixels."""
    height, width = (int(side) for side in shape)
    moved = sources.copy()
    if crop_pix is not None:
        rows, columns = middle_of((height, width), crop_pix)
        moved[:, 0] -= columns.start
        moved[:, 1] -= rows.start
        height = width = crop_pix
    inside = ((moved[:, :2] >= -0.5) & (moved[:, :2] < np.array([width, height]) - 0.5)).all(axis=1)
    moved = moved[inside]
    if resize_pix is not None:
        factor = resize_pix / width
        moved[:, :2] = (moved[:, :2] + 0.5) * factor - 0.5
        moved[:, 3] *= factor
    return moved
