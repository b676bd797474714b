"""Images as a caller gives them: arrays of any form, an image set or a store, read a few at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from galsmith.data.store import open_store
from galsmith.errors import InputError, SettingsError
from galsmith.images import ImageSet
from galsmith.settings import near_miss

PIXELS_READ_AT_ONCE = 4_000_000
WANTED_FORMS = (
    "one array [y, x], [galaxy, y, x] or [galaxy, band, y, x], a sequence of [y, x] or [band, y, x]"
)


@dataclass(frozen=True)
class GivenImages:
    """Images to measure.

    Attributes
    ----------
    arrays : list of ndarray [band, y, x], or None
        Those in memory; None where `image_set` holds them.
    image_set : ImageSet or None
        The set that was given.
    shapes : ndarray [image, 2], int64
        Height and width.
    bands : tuple of str
        Of those to measure; one empty name where the caller named none.
    places : tuple of int
        Where those bands lie on the band axis.
    """

    arrays: list[NDArray[Any]] | None
    image_set: ImageSet | None
    shapes: NDArray[np.int64]
    bands: tuple[str, ...]
    places: tuple[int, ...]

    def __len__(self) -> int:
        """Return how many images there are."""
        return len(self.shapes)

    @property
    def flux_unit(self) -> str:
        """Unit of a pixel's value, empty where unknown."""
        return "" if self.image_set is None else self.image_set.header.flux_unit

    def read(self) -> Iterator[NDArray[Any]]:
        """Read the images in order, [band, y, x] each, the bands to measure."""
        if self.arrays is not None:
            yield from (image[list(self.places)] for image in self.arrays)
        elif self.image_set is not None:
            largest = int(np.prod(self.shapes, axis=1).max()) * len(self.image_set.header.bands)
            for _, images in self.image_set.chunks(max(1, PIXELS_READ_AT_ONCE // max(1, largest))):
                yield from (image[list(self.places)] for image in images)


def given_images(images: Any, bands: Sequence[str] | None) -> GivenImages:
    """Bring what a caller gave to one form, and check it.

    Raises
    ------
    SettingsError
        If `bands` does not fit.
    InputError
        If the images cannot be used; the message names which.
    """
    if isinstance(images, str | Path):
        images = open_store(images)
    if isinstance(images, ImageSet):
        if len(images) == 0:
            raise InputError(f"{images.path or 'images'}: an empty set, there is nothing to measure")
        names = images.header.bands if bands is None else tuple(bands)
        return GivenImages(None, images, images.shapes, names, _places(names, images.header.bands))
    arrays = [_cube(image, position) for position, image in enumerate(_separate(images))]
    if not arrays:
        raise InputError("images: none given, there is nothing to measure")
    names = _names_of_axis(arrays, bands)
    shapes = np.array([array.shape[1:] for array in arrays], dtype=np.int64)
    return GivenImages(arrays, None, shapes, names, tuple(range(len(names))))


def plain_array(array: ArrayLike) -> NDArray[Any]:
    """Bring to a plain array; masked entries of numbers become NaN."""
    if isinstance(array, np.ma.MaskedArray) and array.dtype.kind in "fiu":
        return np.asarray(np.ma.filled(array.astype(np.float64), np.nan))
    return np.asarray(array)


def _separate(images: Any) -> list[Any]:
    """Split one array into images; a sequence of arrays stays as it is."""
    if isinstance(images, list | tuple):
        return list(images)
    array = plain_array(images)
    if array.ndim not in (2, 3, 4):
        raise InputError(
            f"images: has shape {array.shape}; wanted {WANTED_FORMS}, an ImageSet or a store's path"
        )
    return [array] if array.ndim == 2 else list(array)


def _cube(image: Any, position: int) -> NDArray[Any]:
    """Bring one image to [band, y, x]."""
    array = plain_array(image)
    if array.dtype.kind not in "fiub":
        raise InputError(f"images: image {position} has dtype {array.dtype}; wanted real numbers")
    if array.ndim not in (2, 3) or array.size == 0:
        raise InputError(f"images: image {position} has shape {array.shape}; wanted [y, x] or [band, y, x]")
    return array[np.newaxis] if array.ndim == 2 else array


def _names_of_axis(arrays: list[NDArray[Any]], bands: Sequence[str] | None) -> tuple[str, ...]:
    """Name the band axis of arrays, which has to be the same in all."""
    count = len(arrays[0])
    for position, array in enumerate(arrays):
        if len(array) != count:
            raise InputError(
                f"images: image {position} has {len(array)} bands, image 0 has {count}; measure them apart"
            )
    if bands is None:
        return ("",) if count == 1 else tuple(str(place) for place in range(count))
    names = (bands,) if isinstance(bands, str) else tuple(bands)
    if len(names) != count or len(set(names)) != count:
        raise SettingsError(
            f"bands: has {len(names)} names ({', '.join(names)}) for {count} bands; wanted one each, all different"
        )
    return names


def _places(names: tuple[str, ...], known: tuple[str, ...]) -> tuple[int, ...]:
    """Find bands on the axis of an image set."""
    for name in names:
        if name not in known:
            raise SettingsError(
                f"band {name!r}: the images have no such band{near_miss(name, known)}; they have {', '.join(known)}"
            )
    return tuple(known.index(name) for name in names)
