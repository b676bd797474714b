"""One galaxy out of somebody's files, with all that was given beside its image, and a sequence of such."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from galsmith.images import ImageHeader
from galsmith.provenance import Parent


@dataclass(frozen=True)
class FileGalaxy:
    """What is needed to measure one galaxy.

    Attributes
    ----------
    image : ndarray [band, y, x], float64
        Flux per pixel; NaN beyond the image it was cut from. Empty where `reason` says why there is none.
    label_map : ndarray [y, x], int32, or None
        Segmentation map.
    label : int
        The galaxy's label in it; 0 where there is no map.
    mask : ndarray [y, x], bool, or None
        True where a pixel is not to be used.
    sigma_map : ndarray [band, y, x], float64, or None
        Standard deviation of every pixel, in flux.
    psf : ndarray [y, x], float64, or None
        Point spread function.
    x_offset_pix, y_offset_pix : int
        The first column and row of `image` in the image it was cut from.
    reason : str
        Name of a flag: why the galaxy is not measured; empty where it is.
    message : str
        More on `reason`.
    noticed : tuple of str
        Names of flags that do not keep it from being measured.
    """

    image: NDArray[np.float64]
    label_map: NDArray[np.int32] | None = None
    label: int = 0
    mask: NDArray[np.bool_] | None = None
    sigma_map: NDArray[np.float64] | None = None
    psf: NDArray[np.float64] | None = None
    x_offset_pix: int = 0
    y_offset_pix: int = 0
    reason: str = ""
    message: str = ""
    noticed: tuple[str, ...] = ()


def missing_galaxy(reason: str, message: str = "") -> FileGalaxy:
    """Make a galaxy that has no pixels to measure; its row says why."""
    return FileGalaxy(np.empty((0, 0, 0)), reason=reason, message=message)


class FileGalaxies(Protocol):
    """Galaxies that stay in their files until they are read; may be sent to another process.

    Attributes
    ----------
    header : ImageHeader
        What is true of all images; zero points and pixel scale where all files state the same; the unit is ``"display"``
        for pictures, ``"unknown"`` where the header has no BUNIT.
    band : str
        Which of them is measured; ``"all"`` where each is. The others are read for colors.
    catalog : QTable
        One row a galaxy, with ``object_id`` first.
    parents : tuple of Parent
        The files.
    settings : mapping
        All that decides the values besides the files and how is measured, as plain JSON values.
    path : str
        Where they lie, in words.
    has_maps : bool
        Whether segmentation maps were given, so that nothing has to be found.
    """

    header: ImageHeader
    band: str
    catalog: QTable
    parents: tuple[Parent, ...]
    settings: Mapping[str, Any]
    path: str
    has_maps: bool

    def __len__(self) -> int:
        """Return how many galaxies there are."""

    def read(self, rows: Sequence[int]) -> list[FileGalaxy]:
        """Read some galaxies; one whose file is damaged comes without pixels and with the reason."""
