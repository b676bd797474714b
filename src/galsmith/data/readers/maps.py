"""Reading what is given beside an image: segmentation map, mask, noise image, point spread function."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from galsmith.data.readers.array_files import ArrayHead, arrays_in, listed_arrays, read_rows
from galsmith.data.readers.fits import FitsHead, FitsPlace, read_head, read_part
from galsmith.data.readers.listing import ArrayPlace
from galsmith.data.readers.surveys import NoiseKind
from galsmith.data.store import Companions as StoredCompanions
from galsmith.errors import InputError, argument_text

LARGEST_LABEL = np.iinfo(np.int32).max
UNDEFINED_LABEL = -1
EVERYTHING = slice(None)
LABELS_NAMED = 6
PSFS_KEPT = 4


@dataclass(frozen=True)
class MapPlace:
    """A map in a FITS file or in an array of a file, and the image whose it is where an array holds one an image."""

    place: FitsPlace | ArrayPlace
    row: int | None = None

    def __str__(self) -> str:
        """Write it as the user does."""
        return str(self.place)


class MapOwner(NamedTuple):
    """What an image asks of its maps."""

    name: str
    size: tuple[int, int]
    n_planes: int = 1


@dataclass(frozen=True, eq=False)
class ArrayMap:
    """Head of a map that is an array of a file, [y, x] or [plane, y, x], or that of one image where `row` says which."""

    place: ArrayPlace
    head: ArrayHead
    row: int | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of its axes, without that of the images."""
        shape = self.head.shape if self.head.shape is not None else ()
        return shape if self.row is None else shape[1:]

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.shape[-2], self.shape[-1]

    @property
    def n_planes(self) -> int:
        """How many maps lie on one another."""
        return self.shape[0] if len(self.shape) > 2 else 1

    def part(self, planes: Sequence[int], rows: slice, columns: slice) -> NDArray[Any]:
        """Read a part, [plane, y, x]."""
        if self.row is not None:
            values = read_rows(self.place.path, self.head, self.row, self.row + 1)[0]
        elif len(self.shape) > 2:
            values = read_rows(self.place.path, self.head, 0, self.shape[0])
        else:
            first, last, _ = rows.indices(self.shape[0])
            values, rows = read_rows(self.place.path, self.head, first, last), EVERYTHING
        cube = values if values.ndim > 2 else values[np.newaxis]
        return np.asarray(cube[list(planes), rows, columns])


MapHead = FitsHead | ArrayMap


class MaskMap(NamedTuple):
    """A mask, and the sum of its bits that count; None for all that is not 0."""

    head: MapHead
    bits: int | None = None


class NoiseMap(NamedTuple):
    """A map of noise, and what it holds."""

    head: MapHead
    kind: NoiseKind


@dataclass(frozen=True)
class Companions:
    """Heads of the files that belong to one image; None where none was given.

    Attributes
    ----------
    label_map : FitsHead, ArrayMap or None
        Of the image's height and width.
    mask : MaskMap or None
        Of the image's height and width.
    noise : NoiseMap or None
        Of the image's height and width.
    psf : FitsHead, ArrayMap or None
        Smaller than the image.
    """

    label_map: MapHead | None = None
    mask: MaskMap | None = None
    noise: NoiseMap | None = None
    psf: MapHead | None = None

    def read(self, rows: slice = EVERYTHING, columns: slice = EVERYTHING) -> "Maps":
        """Read all that there is of a part of the image."""
        labels = mask = None
        if self.mask is not None:
            mask = read_mask(self.mask, rows=rows, columns=columns)
        if self.label_map is not None:
            labels = read_label_map(self.label_map, rows=rows, columns=columns)
            undefined = labels == UNDEFINED_LABEL
            if undefined.any():
                labels, mask = np.where(undefined, 0, labels), undefined if mask is None else mask | undefined
        return Maps(
            labels,
            mask,
            None if self.noise is None else read_sigma_map(self.noise, rows=rows, columns=columns),
            None if self.psf is None else read_psf(self.psf),
        )


class Maps(NamedTuple):
    """What `Companions` read, as `Galaxy` has it."""

    label_map: NDArray[np.int32] | None
    mask: NDArray[np.bool_] | None
    sigma_map: NDArray[np.float64] | None
    psf: NDArray[np.float64] | None


def map_head(place: MapPlace, *, option: str) -> MapHead:
    """Read the head of a map in a FITS file, or in an array of an HDF5, NPY or NPZ file.

    Raises
    ------
    InputError
        If it cannot be read, or a file of arrays does not tell which is meant.
    """
    if isinstance(place.place, FitsPlace):
        return read_head(place.place, is_map=True)
    path, dataset = place.place
    heads = [
        head for head in arrays_in(path) if head.dtype.kind in "biuf" and head.shape and len(head.shape) > 1
    ]
    found = [head for head in heads if dataset is None or head.name.strip("/") == dataset.strip("/")]
    least = 2 if place.row is None else 3
    if len(found) != 1 or len(found[0].shape or ()) < least:
        raise InputError(
            f"{argument_text(option, str(place))}: {len(found)} arrays could be meant of {listed_arrays(heads)}; "
            f"wanted one {'[y, x]' if place.row is None else 'map an image, [galaxy, y, x]'}, named as FILE:NAME where "
            "there are several"
        )
    if place.row is not None and place.row >= (found[0].shape or (0,))[0]:
        raise InputError(f"{argument_text(option, str(place))}: has {found[0]}, fewer than there are images")
    return ArrayMap(place.place, found[0], place.row)


def companion_head(place: MapPlace, image: MapOwner, *, option: str, planes: int = 1) -> MapHead:
    """Read the head of a map and check that it has the image's height and width.

    Parameters
    ----------
    place : MapPlace
        The map.
    image : MapOwner
        The image it belongs to.
    option : str
        What the user gave it as, for messages.
    planes : int
        A cube of so many planes is taken too.

    Raises
    ------
    InputError
        If it cannot be read or has another shape.
    """
    head = map_head(place, option=option)
    if head.size != image.size:
        raise InputError(
            f"{argument_text(option, str(place))}: has {_pixels(head.size)} pixels, its image {image.name} has "
            f"{_pixels(image.size)} (width x height); wanted a map of the same pixels"
        )
    if head.n_planes not in (1, planes):
        raise InputError(
            f"{argument_text(option, str(place))}: a cube of {head.n_planes} planes; wanted one map of [y, x] pixels"
        )
    return head


def psf_head(place: MapPlace, image: MapOwner) -> MapHead:
    """Read the head of a point spread function and check that it is smaller than the image.

    Raises
    ------
    InputError
        If it cannot be read, is a cube, or is larger than the image.
    """
    head = map_head(place, option="psf")
    if head.n_planes != 1:
        raise InputError(
            f"a cube of {head.n_planes} planes; wanted one image of [y, x] pixels",
            argument="psf",
            came=str(place),
        )
    if head.size[0] > image.size[0] or head.size[1] > image.size[1]:
        raise InputError(
            f"{_pixels(head.size)} pixels are more than the image {image.name} has "
            f"({_pixels(image.size)}, width x height); cut the PSF to its core",
            argument="psf",
            came=str(place),
        )
    return head


def _part_of(
    head: MapHead, *, planes: Sequence[int] = (0,), rows: slice = EVERYTHING, columns: slice = EVERYTHING
) -> NDArray[Any]:
    """Read a part of a map, [plane, y, x]."""
    if isinstance(head, ArrayMap):
        return head.part(planes, rows, columns)
    return read_part(head, planes=planes, rows=rows, columns=columns)


def read_label_map(
    head: MapHead, *, rows: slice = EVERYTHING, columns: slice = EVERYTHING
) -> NDArray[np.int32]:
    """Read a segmentation map or a part of it, [y, x] int32; `UNDEFINED_LABEL` where BLANK says that there is none.

    Raises
    ------
    InputError
        If labels are negative, no whole numbers, or beyond 32 bits.
    """
    values = _part_of(head, rows=rows, columns=columns)[0]
    undefined = np.isnan(values) if values.dtype.kind == "f" else np.zeros(values.shape, dtype=bool)
    values = np.where(undefined, 0, values) if undefined.any() else values
    if values.dtype.kind == "f":
        whole = np.isfinite(values) & (values == np.round(values))
        if not whole.all():
            raise InputError(
                f"holds {values[~whole][0]:g}, wanted whole numbers: 0 is sky, "
                "each galaxy has a label of its own; is it the right HDU?",
                argument="segmap",
                came=str(head.place),
            )
    if values.size and (values.min() < 0 or values.max() > LARGEST_LABEL):
        worst = values.min() if values.min() < 0 else values.max()
        raise InputError(
            f"holds the label {worst:g}, wanted 0 for sky and labels of 1 to {LARGEST_LABEL}; "
            "mark what is not to be used with `mask` instead",
            argument="segmap",
            came=str(head.place),
        )
    labels = np.ascontiguousarray(values, dtype=np.int32)
    labels[undefined] = UNDEFINED_LABEL
    return labels


def read_mask(mask: MaskMap, *, rows: slice = EVERYTHING, columns: slice = EVERYTHING) -> NDArray[np.bool_]:
    """Read a mask or a part of it, [plane, y, x] bool; [y, x] if it has one plane, which serves all bands.

    True where a bit that counts is set, or where the file is not 0; and where it is undefined.

    Raises
    ------
    InputError
        If bits are to be told and a value is no whole number.
    """
    planes = tuple(range(mask.head.n_planes))
    values = _part_of(mask.head, planes=planes, rows=rows, columns=columns)
    undefined = np.isnan(values) if values.dtype.kind == "f" else np.zeros(values.shape, dtype=bool)
    if mask.bits is None:
        found = (values != 0) | undefined
    else:
        whole = np.where(undefined, 0, values)
        if (whole != np.round(whole)).any():
            raise InputError(
                f"holds {whole[whole != np.round(whole)][0]:g}, wanted whole numbers, whose bits say what is wrong; is it "
                "the right HDU?",
                argument="mask",
                came=str(mask.head.place),
            )
        found = ((whole.astype(np.int64) & mask.bits) != 0) | undefined
    return np.asarray(found[0] if len(found) == 1 else found)


def read_sigma_map(
    noise: NoiseMap, *, rows: slice = EVERYTHING, columns: slice = EVERYTHING
) -> NDArray[np.float64]:
    """Read a noise image or a part of it as standard deviations, [plane, y, x] float64; [y, x] if it has one plane.

    Variances and inverse variances of 0 or less stand for nothing observed: infinite, so that the pixel is masked.

    Raises
    ------
    InputError
        If a standard deviation is negative: it is then none.
    """
    planes = tuple(range(noise.head.n_planes))
    values = _part_of(noise.head, planes=planes, rows=rows, columns=columns).astype(np.float64)
    values = values[0] if len(values) == 1 else values
    with np.errstate(invalid="ignore", divide="ignore"):
        if noise.kind != "sigma":
            inverse = values if noise.kind == "ivar" else np.where(values > 0, 1.0 / values, 0.0)
            return sigma_of_inverse_variance(inverse)
        negative = values < 0
    if negative.any():
        raise InputError(
            f"holds {values[negative][0]:g}; wanted the standard deviation of every pixel "
            "(not a variance or inverse variance), 0 or more",
            argument="sigma",
            came=str(noise.head.place),
        )
    return values


def sigma_of_inverse_variance(inverse_variance: NDArray[np.generic]) -> NDArray[np.float64]:
    """Turn to standard deviations [..., y, x] float64; infinite, so that the pixel is masked, where nothing was seen."""
    values = np.asarray(inverse_variance, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        is_observed = values > 0
    return np.where(is_observed, 1.0 / np.sqrt(np.where(is_observed, values, 1.0)), np.inf)


@lru_cache(maxsize=PSFS_KEPT)
def read_psf(head: MapHead) -> NDArray[np.float64]:
    """Read a point spread function, [y, x] float64, in the file's own normalization.

    Raises
    ------
    InputError
        If it has pixels that are not finite or its sum is not positive.
    """
    values = _part_of(head)[0].astype(np.float64)
    if not np.isfinite(values).all() or values.sum() <= 0:
        what = "pixels that are not finite" if not np.isfinite(values).all() else f"the sum {values.sum():g}"
        raise InputError(
            f"has {what}; wanted finite pixels with a positive sum", argument="psf", came=str(head.place)
        )
    return values


def stored_maps(companions: Companions, shape: tuple[int, ...]) -> StoredCompanions:
    """Read the maps of one image as a store keeps them; a segmentation map goes into no store.

    Parameters
    ----------
    companions : Companions
        Heads of the maps.
    shape : tuple of int
        Of the image, [band, y, x]; a map of [y, x] is that of every band.

    Raises
    ------
    InputError
        If one is damaged, cannot be what it was given as, or is too large a number for a store.
    """
    maps = replace(companions, label_map=None).read()
    found: dict[str, Any] = {}
    if maps.sigma_map is not None:
        name = "noise" if companions.noise is None else str(companions.noise.head.place)
        found["ivars"] = [np.broadcast_to(inverse_variance(maps.sigma_map, name=name), shape)]
    if maps.mask is not None:
        found["masks"] = [np.broadcast_to(maps.mask, shape)]
    if maps.psf is not None:
        found["psfs"] = [(maps.psf / maps.psf.sum()).astype(np.float32)]
    return StoredCompanions(**found)


def without_undefined(image: NDArray[np.float32], beside: StoredCompanions) -> NDArray[np.float32]:
    """Put 0 where an image [band, y, x] is not finite and its maps say that the pixel is not to be used."""
    undefined = ~np.isfinite(image)
    if not undefined.any():
        return image
    unused = np.zeros(image.shape, dtype=bool)
    for mask in beside.masks:
        unused |= mask
    for ivar in beside.ivars:
        unused |= ivar == 0
    return np.where(undefined & unused, np.float32(0), image)


def inverse_variance(sigma_map: NDArray[np.float64], *, name: str) -> NDArray[np.float32]:
    """Turn standard deviations to inverse variances as a store has them; one of 0 stands for no measurement.

    Raises
    ------
    InputError
        If they are beyond float32; `name` says of which map.
    """
    known = np.isfinite(sigma_map) & (sigma_map > 0)
    values = np.where(known, 1.0 / np.where(known, sigma_map, 1.0) ** 2, 0.0)
    if values.max(initial=0.0) > np.finfo(np.float32).max:
        raise InputError(
            f"{name}: inverse variances of {values.max():.3g} are beyond the numbers of a store; "
            "bring images and noise to another unit, in which they are not so small"
        )
    return values.astype(np.float32)


def chosen_label(label_map: NDArray[np.int32], wanted: int | None) -> tuple[int | None, str]:
    """Find the galaxy's label in the map of a cutout: the wanted one, the only one, or the one in the middle.

    Returns
    -------
    label : int or None
        None where there is none.
    trouble : str
        What is wrong then, and the way out.
    """
    labels = np.unique(label_map)
    labels = labels[labels > 0]
    named = ", ".join(map(str, labels[:LABELS_NAMED])) + (", ..." if len(labels) > LABELS_NAMED else "")
    if wanted is not None:
        found = bool(np.isin(wanted, labels))
        return (wanted, "") if found else (None, f"has no label {wanted}; it has {named or 'none'}")
    if len(labels) == 1:
        return int(labels[0]), ""
    if len(labels) == 0:
        return None, "has no label"
    middle = int(label_map[label_map.shape[0] // 2, label_map.shape[1] // 2])
    return (middle, "") if middle else (None, f"has no label in the middle; choose of {named} with `labels`")


def _pixels(size: tuple[int, int]) -> str:
    """Write a size as people do: width x height."""
    return f"{size[1]} x {size[0]}"
