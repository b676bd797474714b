"""One galaxy, with all that was given beside its image, and a sequence of such: what can be measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from galsmith.data.store.companions import PsfKind
from galsmith.images import ImageHeader
from galsmith.provenance import Parent, hash_json


@dataclass(frozen=True)
class Galaxy:
    """What is needed to measure one galaxy.

    Attributes
    ----------
    image : ndarray [band, y, x], real numbers
        Flux per pixel; NaN beyond the image it was cut from. Empty where `reason` says why there is none.
    label_map : ndarray [y, x] or [band, y, x], integer, or None
        Segmentation map, of all bands or of each.
    label : int or None
        The galaxy's label in it; None takes the one at the center, or the only one.
    mask : ndarray [y, x] or [band, y, x], bool, or None
        True where a pixel is not to be used.
    sigma_map : ndarray [y, x] or [band, y, x], or None
        Standard deviation of every pixel, in flux.
    psf : ndarray [y, x] or [band, y, x], float64, or None
        Point spread function, in pixels of the image.
    psf_kind : {"effective", "optical"} or None
        Whether the pixel is in it; None where nobody but the settings says it.
    gain : float, ndarray [band] or None
        Electrons per flux unit where the image's header tells it, of all bands or of each (NaN where not known).
    x_offset_pix, y_offset_pix : int
        The first column and row of `image` in the image it was cut from.
    reason : str
        Name of a flag: why the galaxy is not measured; empty where it is.
    message : str
        More on `reason`.
    noticed : tuple of str
        Names of flags that do not keep it from being measured.
    """

    image: NDArray[Any]
    label_map: NDArray[Any] | None = None
    label: int | None = None
    mask: NDArray[np.bool_] | None = None
    sigma_map: NDArray[Any] | None = None
    psf: NDArray[np.float64] | None = None
    psf_kind: PsfKind | None = None
    gain: float | NDArray[np.float64] | None = None
    x_offset_pix: int = 0
    y_offset_pix: int = 0
    reason: str = ""
    message: str = ""
    noticed: tuple[str, ...] = ()


def missing_galaxy(reason: str, message: str = "") -> Galaxy:
    """Make a galaxy that has no pixels to measure; its row says why."""
    return Galaxy(np.empty((0, 0, 0)), reason=reason, message=message)


@dataclass(frozen=True)
class GalaxyOrigin:
    """Where galaxies come from.

    Attributes
    ----------
    path : str
        Where they lie, in words.
    parents : tuple of Parent
        The store, or the files.
    settings : mapping
        What made galaxies of the files, as plain JSON values; empty for a store.
    inputs : tuple of str
        What is read, as a user writes it, which no output may harm: the store, or files, folders and globs.
    beside : tuple of str
        What is given beside every image: ``"label_map"``, ``"mask"``, ``"noise"``, ``"psf"``; ``"psf_kind"`` where it
        is said what point spread functions hold, and ``"gain"`` where electrons per flux unit are known of some.
    has_maps : bool
        Whether segmentation maps were given, so that nothing has to be found.
    is_central : bool
        Whether they were cut out around positions, so that each is the source in the middle.
    has_named_bands : bool
        Whether somebody named the bands; else nobody knows which plane is the one to measure.
    given : mapping
        How many images there were before those were left out that cannot be used, and how many these are by reason,
        as the metadata of a store's catalog have it; empty where nobody counted.
    """

    path: str
    parents: tuple[Parent, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    inputs: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    has_maps: bool = False
    is_central: bool = False
    has_named_bands: bool = True
    given: Mapping[str, Any] = field(default_factory=dict)

    @property
    def content_hash(self) -> str:
        """What names them: the store's own hash, or one of all files and settings."""
        hashes = [parent.content_hash for parent in self.parents]
        return hash_json([hashes, dict(self.settings)]) if self.settings else hashes[0]


class Galaxies(Protocol):
    """Galaxies that stay where they are until they are read."""

    @property
    def header(self) -> ImageHeader:
        """Bands, flux unit, pixel scale and zero points of all images."""

    @property
    def catalog(self) -> QTable:
        """One row a galaxy, with ``object_id`` first."""

    @property
    def shapes(self) -> NDArray[np.int64]:
        """Height and width of every image in pixels, [galaxy, 2]."""

    @property
    def origin(self) -> GalaxyOrigin:
        """Where they come from."""

    def __len__(self) -> int:
        """Return how many galaxies there are."""

    def read(self, rows: Sequence[int]) -> list[Galaxy]:
        """Read some galaxies with all bands; one whose file is damaged comes without pixels and with the reason."""
