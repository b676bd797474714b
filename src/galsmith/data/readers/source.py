"""`Source`: what a store can be made from, whatever the format: a header, a catalog, and pixels when asked for."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from galsmith.data.store import Companions
from galsmith.errors import InputError
from galsmith.execution import ProgressCallback, ProgressEvent
from galsmith.images import ImageHeader
from galsmith.provenance import Parent

Pixels = NDArray[np.float32]
Place = TypeVar("Place")
Head = TypeVar("Head")
FILES_PER_EVENT = 64
DAMAGED = "truncated or damaged"


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


@dataclass(frozen=True)
class Listing:
    """What is known of every image of a source before its pixels are read.

    Attributes
    ----------
    names : sequence of str
        What each is called in messages: its file, or its place in one.
    shapes : ndarray [galaxy, 2], int64
        Height and width in pixels; 0 where a file's head cannot be read.
    faults : mapping of row to UnusableImage
        Images known to be unusable.
    left_out : mapping of row to str
        Images that the source's own rules leave out, each with the rule; they are counted, and never read.
    splits : ndarray [galaxy], str, or None
        The split that each image was dealt to before, and stays in unless other shares are asked for.
    bytes_beside : int
        How many bytes of maps lie beside each pixel; as many fewer images are held in memory at once.
    """

    names: Sequence[str]
    shapes: NDArray[np.int64]
    faults: Mapping[int, UnusableImage] = field(default_factory=dict)
    left_out: Mapping[int, str] = field(default_factory=dict)
    splits: NDArray[np.str_] | None = None
    bytes_beside: int = 0


@dataclass(frozen=True)
class Origin:
    """Where the images of a source come from.

    Attributes
    ----------
    settings : mapping
        All that decides the content, as plain JSON values.
    parents : tuple of Parent
        What is read.
    notes : mapping
        What is worth telling about the input, as plain JSON values; goes to the catalog's metadata.
    stage : str
        What reading is called in progress events.
    lost_before : mapping of str to int
        Images that an earlier step could not use, by reason: they are not in the catalog, and no judge may forget them.
    """

    settings: Mapping[str, Any]
    parents: tuple[Parent, ...] = ()
    notes: Mapping[str, Any] = field(default_factory=dict)
    stage: str = "ingesting"
    lost_before: Mapping[str, int] = field(default_factory=dict)


class Source(Protocol):
    """Images with a catalog that is known before any pixel is read.

    Attributes
    ----------
    header : ImageHeader
        What is true of every image.
    catalog : QTable
        One row an image, with ``object_id``.
    listing : Listing
        What is known of each image.
    origin : Origin
        Settings and parents, for provenance.
    """

    header: ImageHeader
    catalog: QTable
    listing: Listing
    origin: Origin

    def read(self, rows: NDArray[np.int64]) -> Iterable[Pixels | UnusableImage]:
        """Read images in the order of `rows`, each [band, y, x] float32, or say why one cannot be read.

        An iterator that reads when asked has its progress shown image by image; a list that was read as a whole, at once.
        """


@runtime_checkable
class SourceWithCompanions(Protocol):
    """A source that knows more arrays of each image, such as its point spread function."""

    def companions(self, rows: NDArray[np.int64]) -> Companions | None:
        """Read what lies beside images, in the order of `rows`; None where there is nothing."""


@runtime_checkable
class SourceThatCuts(Protocol):
    """A source that can read the middle of a large image without the rest."""

    def read_middle(self, rows: NDArray[np.int64], side_pix: int) -> Iterable[Pixels | UnusableImage]:
        """Read as `Source.read` does, and as `galsmith.images.crop_center` cuts; or the whole where that is no dearer."""


@runtime_checkable
class SourceThatDescribes(Protocol):
    """A source that has more to say of images once they are read than its catalog does."""

    def describe(self, rows: NDArray[np.int64], fluxes: NDArray[np.float64]) -> QTable:
        """Give the catalog rows of images, whose summed fluxes as read, [galaxy, band], are at hand."""


def read_heads(
    places: Sequence[Place],
    read_head: Callable[[Place], Head],
    *,
    errors: tuple[type[Exception], ...],
    kind: str,
    progress: ProgressCallback,
) -> tuple[list[Head | None], dict[int, UnusableImage]]:
    """Read the head of every file, and say which have no readable one.

    Parameters
    ----------
    places : sequence
        One file an image.
    read_head : callable
        Reads one; an `InputError` stops all.
    errors : tuple of exception types
        What it raises at a damaged file.
    kind : str
        What the files should be, such as ``"FITS file"``.
    progress : callable
        Told how far it is.
    """
    heads: list[Head | None] = []
    faults: dict[int, UnusableImage] = {}
    for row, place in enumerate(places):
        try:
            heads.append(read_head(place))
        except InputError:
            raise
        except errors as error:
            heads.append(None)
            faults[row] = UnusableImage(DAMAGED, f"{place}: not a {kind} that can be read ({error})")
        if row % FILES_PER_EVENT == 0 or row == len(places) - 1:
            progress(ProgressEvent("reading headers", row + 1, len(places), "files"))
    return heads, faults


def read_or_fault(
    place: Any, read: Callable[[], Pixels], *, errors: tuple[type[Exception], ...], kind: str
) -> Pixels | UnusableImage:
    """Read one image, or say that its file is damaged."""
    try:
        return read()
    except errors as error:
        return UnusableImage(DAMAGED, f"{place}: the {kind} is truncated or damaged ({error})")
