"""The pictures of a sheet: three bands as color or one as gray, under one stretch or each under its own."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from galsmith.data.galaxies import Galaxies
from galsmith.errors import SettingsError
from galsmith.execution import ProgressCallback, ProgressEvent
from galsmith.images import ImageHeader
from galsmith.report.panels.galaxies import Bytes, Floats, Stretch, common_stretch, picture_of
from galsmith.settings import near_miss

COMMON, EACH = "common", "each"
NOT_KNOWN = (92, 40, 70)  # a pixel without a value; no galaxy has this color
MESSAGE_CHARACTERS = 60


@dataclass(frozen=True)
class Tile:
    """One picture of a sheet.

    Attributes
    ----------
    name : str
        Written below.
    pixels : ndarray [y, x, 3], uint8, or None
        First row at the top; None where `message` says why there is none.
    value : str
        What else is written below, such as a measured value.
    size : str
        Written at the right of the name, where sizes differ.
    flag : int
        Quality of the measurement, 0 where good or unknown.
    message : str
        In place of the picture.
    """

    name: str
    pixels: Bytes | None
    value: str = ""
    size: str = ""
    flag: int = 0
    message: str = ""

    @property
    def has_holes(self) -> bool:
        """Whether some pixels have no value."""
        return self.pixels is not None and bool((self.pixels == NOT_KNOWN).all(axis=-1).any())


def bands_shown(header: ImageHeader, asked: str | None) -> tuple[int, ...]:
    """Choose the planes that are shown: all of one or two bands, else the first, the middle and the last one.

    Parameters
    ----------
    header : ImageHeader
        Of the images.
    asked : str or None
        One band, or three from blue to red with commas between.

    Raises
    ------
    SettingsError
        If a band is not there (the near miss is named), or another number is asked for.
    """
    count = len(header.bands)
    if asked is None:
        is_picture = header.flux_unit == "display"
        return tuple(range(count))[:3] if count < 3 or is_picture else (0, count // 2, count - 1)
    names = [name.strip() for name in asked.split(",")]
    for name in names:
        if name not in header.bands:
            problem = f"there is no such band{near_miss(name, header.bands)}"
            raise SettingsError(problem, argument="band", came=name, wanted=f"of {', '.join(header.bands)}")
    if len(names) not in (1, 3):
        raise SettingsError(argument="band", came=asked, wanted="one band, or three from blue to red")
    return tuple(header.bands.index(name) for name in names)


def read_shown(
    galaxies: Galaxies,
    rows: Sequence[int],
    planes: Sequence[int],
    *,
    side_pix: int,
    progress: ProgressCallback,
) -> tuple[list[Floats | None], list[str]]:
    """Read galaxies, binned down to about what a tile can show; and why one cannot be read.

    Parameters
    ----------
    galaxies : Galaxies
        Where they are.
    rows : sequence of int
        Which.
    planes : sequence of int
        Which bands.
    side_pix : int
        More than this is of no use.
    progress : callable
        Told after each.
    """
    images: list[Floats | None] = []
    messages = []
    for number, row in enumerate(rows, start=1):
        galaxy = galaxies.read([int(row)])[0]
        messages.append((galaxy.message or galaxy.reason.replace("_", " "))[:MESSAGE_CHARACTERS])
        image = None if galaxy.reason else _in_colors(_binned(galaxy.image[list(planes)], side_pix))
        if image is not None and not np.isfinite(image).any():
            image, messages[-1] = None, "no pixel has a value"
        images.append(image)
        progress(ProgressEvent("reading images", number, len(rows), "images"))
    return images, messages


def stretches_of(images: Sequence[Floats | None], header: ImageHeader, stretch: str) -> Iterator[Stretch]:
    """Give the stretch of each image: that of a report's page for all, its own, or as asked.

    Parameters
    ----------
    images : sequence of ndarray [band, y, x], float64, or None
        All of the sheet.
    header : ImageHeader
        Pictures are shown as they are.
    stretch : str
        ``"common"``, ``"each"``, or the fluxes of black and white as ``"0..5"``.

    Raises
    ------
    SettingsError
        If it is something else.
    """
    usable = [image for image in images if image is not None]
    limits = _limits(stretch)
    if limits is not None:
        fixed = Stretch(limits[0], 0.05 * (limits[1] - limits[0]), limits[1], is_display=False)
        return iter([fixed] * len(images))
    if stretch == EACH and header.flux_unit != "display":
        return (_common([] if image is None else [image], header) for image in images)
    return iter([_common(usable, header)] * len(images))


def picture(image: Floats, stretch: Stretch) -> Bytes:
    """Draw one galaxy, [y, x, 3] uint8, as a report's page does; pixels without a value have a color of their own.

    Parameters
    ----------
    image : ndarray [band, y, x], float64
        One to three bands.
    stretch : Stretch
        How bright.
    """
    drawn = picture_of(image, stretch)
    colors: Bytes = np.array(
        np.broadcast_to(drawn[..., None], (*drawn.shape[:2], 3)) if drawn.ndim == 2 else drawn
    )
    is_known = np.isfinite(image[:, ::-1]).all(axis=0)
    colors[~is_known] = NOT_KNOWN
    return colors


def _common(images: list[Floats], header: ImageHeader) -> Stretch:
    """Find one stretch, as for the rows of a report."""
    if not images:
        return Stretch(0.0, 1.0, 1.0, is_display=False)
    peak = max(float(np.nanmax(image)) for image in images)
    return common_stretch(images, flux_unit=header.flux_unit, reference_peak=peak)


def _limits(stretch: str) -> tuple[float, float] | None:
    """Read the fluxes of black and white; None where a way of choosing them is named."""
    if stretch in (COMMON, EACH):
        return None
    low, separator, high = stretch.partition("..")
    try:
        limits = float(low), float(high)
    except ValueError:
        limits = 0.0, 0.0
    if not separator or not limits[0] < limits[1]:
        raise SettingsError(
            argument="stretch",
            came=stretch,
            wanted=f"{COMMON}, {EACH}, or the fluxes of black and white such as 0..5",
        )
    return limits


def _in_colors(image: Floats) -> Floats:
    """Put the mean of two bands between them, as green."""
    return np.stack([image[0], image.mean(axis=0), image[1]]) if len(image) == 2 else image


def _binned(image: NDArray[np.floating], side_pix: int) -> Floats:
    """Average blocks of pixels where an image has far more than are shown; a block without a value stays without one."""
    factor = max(image.shape[-2:]) // side_pix
    whole = image.astype(np.float64)
    if factor < 2 or min(image.shape[-2:]) < factor:
        return whole
    n_y, n_x = (side // factor for side in image.shape[-2:])
    blocks = whole[:, : n_y * factor, : n_x * factor].reshape(len(whole), n_y, factor, n_x, factor)
    known = np.isfinite(blocks)
    count = known.sum(axis=(2, 4))
    total = np.where(known, blocks, 0.0).sum(axis=(2, 4))
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
