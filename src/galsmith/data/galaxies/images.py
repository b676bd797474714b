"""Galaxies that stay where they lie: in a store or set, in what a reader opens, in FITS images with their maps."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from astropy.table import QTable, hstack
from numpy.typing import NDArray

from galsmith.data.galaxies.galaxy import Galaxy, GalaxyOrigin, missing_galaxy
from galsmith.data.galaxies.given_columns import given_columns
from galsmith.data.galaxies.targets import NO_LABEL, Target, Window
from galsmith.data.readers.fits import FitsHead, read_part
from galsmith.data.readers.fits_agreement import SCALE_TOLERANCE
from galsmith.data.readers.fits_header import GAIN_COLUMN, gain_columns, gain_of, gains_beyond_unit
from galsmith.data.readers.maps import Companions, chosen_label, read_psf, sigma_of_inverse_variance
from galsmith.data.readers.source import Source, UnusableImage
from galsmith.data.store import companions_of
from galsmith.errors import InputError
from galsmith.images import ImageHeader, ImageSet, resampled_psf
from galsmith.provenance import Parent

UNREADABLE = "unreadable_file"
BEYOND_IMAGE = "cutout_beyond_image"
CATALOG_COLUMNS = ("object_id", "split", "native_size_pix")
SCALE_COLUMN = "pixel_scale_arcsec"


# what is given beside an image, by the names of `galsmith.data.store.Companions`
BESIDE = {"ivars": "noise", "masks": "mask", "psfs": "psf"}


class StoreGalaxies:
    """Images of a store with all that lies beside them there, or those of a set in memory.

    Parameters
    ----------
    images : ImageSet
        What lies there.
    """

    def __init__(self, images: ImageSet) -> None:
        self._images = images
        self.header, self.shapes = images.header, images.shapes
        given = given_columns(images.catalog, without=CATALOG_COLUMNS)
        self.catalog = hstack([images.catalog[list(CATALOG_COLUMNS)], given], metadata_conflicts="silent")
        self.origin = GalaxyOrigin(
            images.path,
            (images.as_parent("measured images"),),
            inputs=(images.path,) if images.path else (),
            beside=(*_names_beside(images), *((GAIN_COLUMN,) if _has_gains(images) else ())),
            given=dict(images.catalog.meta.get("given", {})),
        )

    def __len__(self) -> int:
        """Return how many galaxies there are."""
        return len(self._images)

    def read(self, rows: Sequence[int]) -> list[Galaxy]:
        """Read some galaxies."""
        wanted = np.asarray(rows, dtype=np.int64)
        images = self._images.pixels.read(wanted)
        gains = self._gains(wanted)
        found = companions_of(self._images, wanted) if self.origin.beside else None
        if found is None:
            return [Galaxy(image, gain=gain) for image, gain in zip(images, gains, strict=True)]
        factors = self._factors(wanted, found.psf_pixel_scale_arcsec)
        return [
            Galaxy(
                image,
                mask=found.masks[place] if len(found.masks) else None,
                sigma_map=sigma_of_inverse_variance(found.ivars[place]) if len(found.ivars) else None,
                psf=_psf(found.psfs[place], float(factors[place])) if len(found.psfs) else None,
                psf_kind=found.psf_kind,
                gain=gains[place],
            )
            for place, image in enumerate(images)
        ]

    def _gains(self, rows: NDArray[np.int64]) -> list[float | NDArray[np.float64] | None]:
        """Electrons per flux unit of images, as the catalog has them, or of each band; None where nobody knows."""
        if GAIN_COLUMN not in self.origin.beside:
            return [None] * len(rows)
        catalog = self._images.catalog
        if GAIN_COLUMN in catalog.colnames:
            values = np.asarray(catalog[GAIN_COLUMN], dtype=np.float64)[rows]
            return [float(value) if 0 < value < np.inf else None for value in values]
        unknown = np.full(len(catalog), np.nan)
        names = [f"{GAIN_COLUMN}_{band}" for band in self.header.bands]
        by_band = [catalog[name] if name in catalog.colnames else unknown for name in names]
        found = np.stack([np.asarray(one, dtype=np.float64)[rows] for one in by_band], axis=1)
        return list(np.where((found > 0) & np.isfinite(found), found, np.nan))

    def _factors(self, rows: NDArray[np.int64], psf_pixel_scale_arcsec: float | None) -> NDArray[np.float64]:
        """How often larger pixels of images are than those of their PSFs, [image] float64; 1 where nobody knows."""
        scales = np.full(len(rows), self.header.pixel_scale_arcsec or np.nan)
        if self.header.pixel_scale_arcsec is None and SCALE_COLUMN in self._images.catalog.colnames:
            scales = np.asarray(self._images.catalog[SCALE_COLUMN], dtype=np.float64)[rows]
        factors = scales / (psf_pixel_scale_arcsec or np.nan)
        return np.where(np.abs(factors - 1) > SCALE_TOLERANCE, factors, 1.0)


def _names_beside(images: ImageSet) -> tuple[str, ...]:
    """Name what a store has beside its images that measuring uses."""
    first = companions_of(images, [0]) if len(images) else None
    if first is None:
        return ()
    found = tuple(BESIDE[name] for name in first.names if name in BESIDE)
    return found if first.psf_kind is None else (*found, "psf_kind")


def _has_gains(images: ImageSet) -> bool:
    """Whether a catalog has numbers of electrons per flux unit."""
    names = gain_columns(images.catalog.colnames, images.header.bands)
    return bool(names) and all(images.catalog[name].dtype.kind in "fiu" for name in names)


def _psf(psf: NDArray[np.float32], factor: float) -> NDArray[np.float64]:
    """Bring a point spread function to the pixels of its image."""
    return np.asarray(resampled_psf(psf, factor), dtype=np.float64)


class SourceGalaxies:
    """Images of a source.

    Parameters
    ----------
    source : Source
        What reads them.
    path : str
        Where the images lie, in words.
    inputs : sequence of str
        What is read, as a user writes it.
    """

    def __init__(self, source: Source, *, path: str, inputs: Sequence[str]) -> None:
        self._source = source
        self._companions: Sequence[Companions] | None = None
        self._label: int | None = None
        self.header, self.shapes = source.header, source.listing.shapes
        made_by = {**source.origin.settings, "bands": list(source.header.bands)}
        self.origin = GalaxyOrigin(path, source.origin.parents, made_by, inputs=tuple(inputs))
        self.catalog = QTable(
            {
                "object_id": source.catalog["object_id"],
                "native_size_pix": self.shapes.min(axis=1).astype(np.int32),
                "file": np.array(source.listing.names, dtype=str),
            }
        )

    def __len__(self) -> int:
        """Return how many galaxies there are."""
        return len(self.catalog)

    def with_maps(
        self,
        companions: Sequence[Companions],
        *,
        label: int | None,
        parents: Sequence[Parent],
        beside: Sequence[str],
        taken: Mapping[str, Any],
    ) -> "SourceGalaxies":
        """Give the same galaxies with their maps, one an image, and the label that each has in its map, if one is named.

        Settings say which maps were taken from the files of the images.
        """
        found = copy.copy(self)
        found._companions, found._label = companions, label
        found.origin = replace(
            self.origin,
            parents=(*self.origin.parents, *parents),
            settings={**self.origin.settings, **taken, **({} if label is None else {"label": label})},
            beside=tuple(beside),
            has_maps=bool(companions) and companions[0].label_map is not None,
        )
        return found

    def read(self, rows: Sequence[int]) -> list[Galaxy]:
        """Read some galaxies; one whose image is damaged comes without pixels and with the reason."""
        images = self._source.read(np.asarray(rows, dtype=np.int64))
        return [self._galaxy(int(row), image) for row, image in zip(rows, images, strict=True)]

    def _galaxy(self, row: int, image: Any) -> Galaxy:
        """Put an image and its maps together."""
        if isinstance(image, UnusableImage):
            return missing_galaxy(UNREADABLE, image.message)
        if self._companions is None:
            return Galaxy(image)
        companions = self._companions[row]
        try:
            maps = companions.read()
        except InputError as error:
            return missing_galaxy(UNREADABLE, str(error))
        label, trouble = (None, "") if maps.label_map is None else chosen_label(maps.label_map, self._label)
        if trouble:
            place = companions.label_map and companions.label_map.place
            return missing_galaxy(NO_LABEL, f"`segmap={place}`: {trouble}")
        return Galaxy(image, label=label, **maps._asdict())


class FitsGalaxies:
    """Galaxies of FITS images with their maps: one an image, or many of one image.

    Parameters
    ----------
    heads : sequence of FitsHead
        Of the images.
    companions : sequence of Companions
        One an image.
    header : ImageHeader
        What is true of all galaxies.
    catalog : QTable
        One row a galaxy; gets their shorter side in pixels.
    origin : GalaxyOrigin
        The files, and what made galaxies of them.
    targets : sequence of Target, optional
        Where the galaxies of the only image are; each image is one galaxy when left out.
    label : int, optional
        The galaxy's label in every map of an image of its own; else see `chosen_label`.

    Raises
    ------
    InputError
        If the first point spread function cannot be used.
    """

    def __init__(
        self,
        heads: Sequence[FitsHead],
        companions: Sequence[Companions],
        *,
        header: ImageHeader,
        catalog: QTable,
        origin: GalaxyOrigin,
        targets: Sequence[Target] | None = None,
        label: int | None = None,
    ) -> None:
        self._heads, self._companions, self._targets = tuple(heads), tuple(companions), targets
        self._label, self.header, self.catalog = label, header, catalog
        windows = [self._window(row) for row in range(len(catalog))]
        on_image = [window.clipped(*self._of(row)[0].size) for row, window in enumerate(windows)]
        self.shapes = np.array([window.shape for window in on_image], dtype=np.int64)
        self.catalog.add_column(self.shapes.min(axis=1).astype(np.int32), index=1, name="native_size_pix")
        has_gain = gains_beyond_unit((head.keywords for head in heads), header.flux_unit) is not None
        beside = (*origin.beside, *((GAIN_COLUMN,) if has_gain else ()))
        self.origin = replace(origin, has_maps=companions[0].label_map is not None, beside=beside)
        if companions[0].psf is not None:
            read_psf(companions[0].psf)

    def __len__(self) -> int:
        """Return how many galaxies there are."""
        return len(self.catalog)

    def read(self, rows: Sequence[int]) -> list[Galaxy]:
        """Read some galaxies; one that has no pixels, or whose file is damaged, comes with the reason."""
        return [self._read_one(int(row)) for row in rows]

    def _of(self, row: int) -> tuple[FitsHead, Companions]:
        """Give the image that a galaxy is in, and its maps."""
        number = row if self._targets is None else 0
        return self._heads[number], self._companions[number]

    def _window(self, row: int) -> Window:
        """Part of its image that is cut out for a galaxy."""
        height, width = self._of(row)[0].size
        return Window(0, height, 0, width) if self._targets is None else self._targets[row].window

    def _read_one(self, row: int) -> Galaxy:
        """Read one galaxy and what belongs to it."""
        target = None if self._targets is None else self._targets[row]
        head, companions = self._of(row)
        if target and target.reason:
            return missing_galaxy(target.reason, target.message)
        on_image = self._window(row).clipped(*head.size)
        # A label needs no pixels beyond the image; a position stays in the middle of its cutout.
        window = on_image if target and target.label else self._window(row)
        rows, columns = on_image.slices
        try:
            pixels = read_part(head, planes=range(head.n_planes), rows=rows, columns=columns)
            maps = companions.read(rows, columns)
        except InputError as error:
            return missing_galaxy(UNREADABLE, str(error))
        label, trouble = target.label if target else self._label, ""
        if maps.label_map is None:
            label = None
        elif target is None:
            label, trouble = chosen_label(maps.label_map, self._label)
        if trouble:
            place = companions.label_map and companions.label_map.place
            return missing_galaxy(NO_LABEL, f"`segmap={place}`: {trouble}")
        return Galaxy(
            image=_widened(pixels.astype(np.float64), on_image, window, np.nan),
            label_map=maps.label_map,
            label=label,
            mask=None if maps.mask is None else _widened(maps.mask, on_image, window, fill=True),
            sigma_map=None if maps.sigma_map is None else _widened(maps.sigma_map, on_image, window, np.nan),
            psf=maps.psf,
            gain=gain_of(head.keywords),
            x_offset_pix=window.x_start,
            y_offset_pix=window.y_start,
            noticed=(BEYOND_IMAGE,) if window != on_image else (),
        )


def _widened(part: NDArray[Any], has: Window, wanted: Window, fill: float | bool) -> NDArray[Any]:  # noqa: FBT001
    """Put a part of an image where it lies in a wider window, the rest filled."""
    if has == wanted:
        return np.ascontiguousarray(part)
    wide = np.full((*part.shape[:-2], *wanted.shape), fill, dtype=part.dtype)
    y, x = has.y_start - wanted.y_start, has.x_start - wanted.x_start
    wide[..., y : y + has.shape[0], x : x + has.shape[1]] = part
    return wide
