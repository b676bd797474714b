"""`Source`: what a store can be made from, whatever the format; new formats are added by a new file here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from galsmith.data.store import Companions
from galsmith.images import ImageHeader
from galsmith.provenance import Parent

Pixels = NDArray[np.float32]


@dataclass(frozen=True)
class UnusableImage:
    """An image that cannot be used.

    Attributes
    ----------
    reason : str
        The kind of fault, by which such images are counted.
    message : str
        One line that names the file and says what is wrong with it.
    """

    reason: str
    message: str


class Source(Protocol):
    """Images with a catalog that is known before any pixel is read.

    Attributes
    ----------
    stage : str
        What reading is called in progress events.
    rows_per_read : int or None
        How many images to ask for at once; None for as many as a chunk has.
    header : ImageHeader
        What is true of every image.
    settings : mapping
        All that decides the content, as plain JSON values.
    parents : tuple of Parent
        What is read.
    notes : mapping
        What is worth telling about the input, as plain JSON values; goes to the catalog's metadata.
    catalog : QTable
        One row an image, with ``object_id``.
    shapes : ndarray [galaxy, 2], int64
        Height and width in pixels; 0 where a file's head cannot be read.
    faults : mapping of row to UnusableImage
        Images known to be unusable without reading their pixels.
    left_out : mapping of row to str
        Images that the source's own rules leave out, each with the rule; they are counted, and never read.
    """

    stage: str
    rows_per_read: int | None
    header: ImageHeader
    settings: Mapping[str, Any]
    parents: tuple[Parent, ...]
    notes: Mapping[str, Any]
    catalog: QTable
    shapes: NDArray[np.int64]
    faults: Mapping[int, UnusableImage]
    left_out: Mapping[int, str]

    def name_of(self, row: int) -> str:
        """Name an image in messages: its file, or its number."""

    def read(self, rows: NDArray[np.int64]) -> Sequence[Pixels | UnusableImage]:
        """Read images, each [band, y, x] float32, or say why one cannot be read."""

    def describe(self, rows: NDArray[np.int64], fluxes: NDArray[np.float64]) -> QTable:
        """Give the catalog rows of images, whose summed fluxes as read, [galaxy, band], are at hand."""


@runtime_checkable
class SourceWithCompanions(Protocol):
    """A source that knows more arrays of each image, such as its point spread function."""

    def companions(self, rows: NDArray[np.int64]) -> Companions | None:
        """Read what lies beside images, in the order of `rows`; None where there is nothing."""


@runtime_checkable
class SourceWithSplits(Protocol):
    """A source whose images were dealt to splits before.

    Attributes
    ----------
    splits : ndarray [galaxy], str
        The split that each image is in, and stays in unless other shares are asked for.
    """

    splits: NDArray[np.str_]
