"""Reading what is given beside an image: segmentation map, mask, noise image, point spread function."""

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from galsmith.data.readers.fits import FitsHead, FitsPlace, read_head, read_part
from galsmith.errors import InputError, argument_text

LARGEST_LABEL = np.iinfo(np.int32).max
EVERYTHING = slice(None)
LABELS_NAMED = 6
PSFS_KEPT = 4


@dataclass(frozen=True)
class Companions:
    """Heads of the files that belong to one image; None where none was given.

    Attributes
    ----------
    label_map, mask, sigma_map : FitsHead or None
        Of the image's height and width.
    psf : FitsHead or None
        Smaller than the image.
    """

    label_map: FitsHead | None = None
    mask: FitsHead | None = None
    sigma_map: FitsHead | None = None
    psf: FitsHead | None = None

    def read(self, rows: slice = EVERYTHING, columns: slice = EVERYTHING) -> "Maps":
        """Read all that there is of a part of the image."""
        return Maps(
            None if self.label_map is None else read_label_map(self.label_map, rows=rows, columns=columns),
            None if self.mask is None else read_mask(self.mask, rows=rows, columns=columns),
            None if self.sigma_map is None else read_sigma_map(self.sigma_map, rows=rows, columns=columns),
            None if self.psf is None else read_psf(self.psf),
        )


class Maps(NamedTuple):
    """What `Companions` read, as `Galaxy` has it."""

    label_map: NDArray[np.int32] | None
    mask: NDArray[np.bool_] | None
    sigma_map: NDArray[np.float64] | None
    psf: NDArray[np.float64] | None


def companion_head(place: FitsPlace, image: FitsHead, *, option: str, planes: int = 1) -> FitsHead:
    """Read the head of a map and check that it has the image's height and width.

    Parameters
    ----------
    place : FitsPlace
        The map.
    image : FitsHead
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
    head = read_head(place)
    if head.size != image.size:
        raise InputError(
            f"{argument_text(option, place)}: has {_pixels(head.size)} pixels, its image {image.place.path.name} has "
            f"{_pixels(image.size)} (width x height); wanted a map of the same pixels"
        )
    if head.n_planes not in (1, planes):
        raise InputError(
            f"{argument_text(option, place)}: a cube of {head.n_planes} planes; wanted one map of [y, x] pixels"
        )
    return head


def psf_head(place: FitsPlace, image: FitsHead) -> FitsHead:
    """Read the head of a point spread function and check that it is smaller than the image.

    Raises
    ------
    InputError
        If it cannot be read, is a cube, or is larger than the image.
    """
    head = read_head(place)
    if head.n_planes != 1:
        raise InputError(
            f"a cube of {head.n_planes} planes; wanted one image of [y, x] pixels", argument="psf", came=place
        )
    if head.size[0] > image.size[0] or head.size[1] > image.size[1]:
        raise InputError(
            f"{_pixels(head.size)} pixels are more than the image {image.place.path.name} has "
            f"({_pixels(image.size)}, width x height); cut the PSF to its core",
            argument="psf",
            came=place,
        )
    return head


def read_label_map(
    head: FitsHead, *, rows: slice = EVERYTHING, columns: slice = EVERYTHING
) -> NDArray[np.int32]:
    """Read a segmentation map or a part of it, [y, x] int32.

    Raises
    ------
    InputError
        If labels are negative, no whole numbers, or beyond 32 bits.
    """
    values = read_part(head, rows=rows, columns=columns)[0]
    if values.dtype.kind == "f":
        whole = np.isfinite(values) & (values == np.round(values))
        if not whole.all():
            raise InputError(
                f"holds {values[~whole][0]:g}, wanted whole numbers: 0 is sky, "
                "each galaxy has a label of its own; is it the right HDU?",
                argument="segmap",
                came=head.place,
            )
    if values.size and (values.min() < 0 or values.max() > LARGEST_LABEL):
        worst = values.min() if values.min() < 0 else values.max()
        raise InputError(
            f"holds the label {worst:g}, wanted 0 for sky and labels of 1 to {LARGEST_LABEL}; "
            "mark what is not to be used with `mask` instead",
            argument="segmap",
            came=head.place,
        )
    return np.ascontiguousarray(values, dtype=np.int32)


def read_mask(head: FitsHead, *, rows: slice = EVERYTHING, columns: slice = EVERYTHING) -> NDArray[np.bool_]:
    """Read a mask or a part of it, [y, x] bool: true where the file is not 0."""
    return np.asarray(read_part(head, rows=rows, columns=columns)[0] != 0)


def read_sigma_map(
    head: FitsHead, *, rows: slice = EVERYTHING, columns: slice = EVERYTHING
) -> NDArray[np.float64]:
    """Read a noise image or a part of it, [plane, y, x] float64; [y, x] if it has one plane, which serves all bands.

    Raises
    ------
    InputError
        If a value is negative: it is then no standard deviation.
    """
    planes = tuple(range(head.n_planes))
    values = read_part(head, planes=planes, rows=rows, columns=columns).astype(np.float64)
    with np.errstate(invalid="ignore"):
        negative = values < 0
    if negative.any():
        raise InputError(
            f"holds {values[negative][0]:g}; wanted the standard deviation of every pixel "
            "(not a variance or inverse variance), 0 or more",
            argument="sigma",
            came=head.place,
        )
    return values[0] if len(values) == 1 else values


@lru_cache(maxsize=PSFS_KEPT)
def read_psf(head: FitsHead) -> NDArray[np.float64]:
    """Read a point spread function, [y, x] float64, in the file's own normalization.

    Raises
    ------
    InputError
        If it has pixels that are not finite or its sum is not positive.
    """
    values = read_part(head)[0].astype(np.float64)
    if not np.isfinite(values).all() or values.sum() <= 0:
        what = "pixels that are not finite" if not np.isfinite(values).all() else f"the sum {values.sum():g}"
        raise InputError(
            f"has {what}; wanted finite pixels with a positive sum", argument="psf", came=head.place
        )
    return values


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
