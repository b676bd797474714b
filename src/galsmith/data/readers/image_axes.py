"""Which axis of an array of images is the galaxy, the band, y and x."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from galsmith.errors import InputError, SettingsError

BandAxis = Literal["first", "last"]
WANTED_SHAPES = "[galaxy, y, x], [galaxy, band, y, x] or [galaxy, y, x, band]"


@dataclass(frozen=True)
class ImageAxes:
    """Meaning of the axes of an array, the first of which is the galaxy.

    Attributes
    ----------
    band_axis : {"first", "last"} or None
        Where the band axis lies in an image; None where images have none.
    n_bands, height_pix, width_pix : int
        Sizes of an image's axes.
    """

    band_axis: BandAxis | None
    n_bands: int
    height_pix: int
    width_pix: int

    def to_image(self, values: NDArray[np.generic]) -> NDArray[np.float32]:
        """Bring one image of the array to [band, y, x] float32; what is beyond float32 becomes infinite."""
        with np.errstate(over="ignore"):
            image = np.array(values, dtype=np.float32)
        if self.band_axis is None:
            return image[np.newaxis]
        return image if self.band_axis == "first" else np.ascontiguousarray(np.moveaxis(image, -1, 0))


def is_image_like(shape: Sequence[int] | None, kind: str) -> bool:
    """Whether an array may hold images: 3 or 4 axes of integers or floating numbers."""
    return shape is not None and len(shape) in (3, 4) and kind in "iuf"


def image_axes(shape: Sequence[int], *, band_axis: BandAxis | None, name: str) -> ImageAxes:
    """Tell the axes of an array of images.

    With four axes the band axis is the second or the last, whichever is shorter than both others that follow
    the first: images have fewer bands than rows and columns.

    Parameters
    ----------
    shape : sequence of int
        Of an array that `is_image_like`.
    band_axis : {"first", "last"} or None
        What the user says of an image's axes.
    name : str
        The array, for messages.

    Raises
    ------
    SettingsError
        If a band axis is named and there is none.
    InputError
        If the array is empty, or its shape does not tell which axis is the band.
    """
    if 0 in shape:
        raise InputError(f"{name}: has shape {tuple(shape)}, so it holds no image; name another dataset")
    if len(shape) == 3:
        if band_axis is not None:
            raise SettingsError(
                f"--band-axis {band_axis}: {name} has shape {tuple(shape)}, [galaxy, y, x] without bands; leave it out"
            )
        return ImageAxes(None, 1, shape[1], shape[2])
    second, third, last = shape[1:]
    if band_axis is None:
        if second < min(third, last):
            band_axis = "first"
        elif last < min(second, third):
            band_axis = "last"
        else:
            raise InputError(
                f"{name}: its shape {tuple(shape)} does not tell which axis is the band; say it with --band-axis first "
                "([galaxy, band, y, x]) or --band-axis last ([galaxy, y, x, band])"
            )
    return ImageAxes(band_axis, *((second, third, last) if band_axis == "first" else (last, second, third)))
