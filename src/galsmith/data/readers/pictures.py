"""A folder of PNG and JPEG pictures, 8 or 16 bit, gray or RGB, with labels from a table."""

import contextlib
import io
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import QTable, hstack
from numpy.typing import NDArray
from PIL import Image

from galsmith.data.readers.labels import join_labels, read_labels
from galsmith.data.readers.listing import PICTURE_SUFFIXES, file_as_parent, list_files, listing_as_parent
from galsmith.data.readers.png16 import SIGNATURE, read_png16
from galsmith.data.readers.registry import FolderOptions
from galsmith.data.readers.source import DAMAGED, Listing, Origin, UnusableImage, read_heads
from galsmith.errors import InputError
from galsmith.execution import ProgressCallback, ignore_progress
from galsmith.files import is_remote, place_of
from galsmith.files.bounds import bytes_on_disk, excess
from galsmith.images import ImageHeader

Pixels = NDArray[np.float32]
GRAY, RGB = ("gray",), ("red", "green", "blue")
PNG_COLORS = {0: GRAY, 2: RGB, 3: RGB, 4: GRAY, 6: RGB}
JPEG_MODES = {"L": GRAY, "RGB": RGB}
# EXIF 2.32, tag 274: those above 4 exchange rows and columns first; then rows and columns run backwards where -1.
ORIENTATION, SIDEWAYS = 274, (5, 6, 7, 8)
MOST_BYTES_A_PIXEL = 16  # of four channels as float32
TURNS = {2: (1, -1), 3: (-1, -1), 4: (-1, 1), 5: (1, 1), 6: (1, -1), 7: (-1, -1), 8: (-1, 1)}
HEAD_ERRORS = (OSError, ValueError, KeyError, SyntaxError, struct.error)
READ_ERRORS = (OSError, ValueError, SyntaxError, EOFError)


@dataclass(frozen=True)
class PictureHead:
    """What the first bytes of a picture say; height and width are those of the picture as it is shown.

    The orientation is that of EXIF: 1 to 8, which of the eight turns and flips a program that shows it makes.
    """

    height_pix: int
    width_pix: int
    bands: tuple[str, ...]
    bits: int
    is_png: bool
    orientation: int = 1

    @property
    def kind(self) -> str:
        """What all pictures of a set have in common, in words."""
        return f"{'gray' if self.bands == GRAY else 'RGB'} of {self.bits} bits"


class PictureSource:
    """Pictures of one folder, sorted by stem.

    Pixels keep the picture's own numbers, 0 to 255 or 0 to 65535, as float32. The picture's bottom row is row
    0, so that y runs upward as everywhere in galsmith. An alpha channel is dropped where every pixel is
    opaque; a picture with transparent ones cannot be used.

    Parameters
    ----------
    folder : str or Path
        Where the pictures are.
    options : FolderOptions
        Labels.
    files : mapping of name to Path, optional
        Only these pictures; all of the folder when left out.
    progress : callable
        Told how far reading the heads is.

    Attributes
    ----------
    bits : int
        Of a channel of a pixel: 8 or 16.

    Raises
    ------
    InputError
        If the folder or the table cannot be used, two files share a stem, or pictures differ in kind.
    """

    def __init__(
        self,
        folder: str | Path,
        options: FolderOptions = FolderOptions(),
        *,
        files: Mapping[str, Path] | None = None,
        progress: ProgressCallback = ignore_progress,
    ) -> None:
        folder, labels = place_of(folder), None if options.labels is None else place_of(options.labels)
        files = list_files(folder, PICTURE_SUFFIXES) if files is None else files
        self._paths = list(files.values())
        self._heads, faults = read_heads(
            self._paths, _read_head, errors=HEAD_ERRORS, kind="PNG or JPEG", progress=progress
        )
        self.header = ImageHeader(_common_kind(self._paths, self._heads), "display")
        self.bits = next((head.bits for head in self._heads if head is not None), 8)
        sizes = [(head.height_pix, head.width_pix) if head else (0, 0) for head in self._heads]
        self.listing = Listing(list(map(str, self._paths)), np.array(sizes, dtype=np.int64), faults)
        settings, parents = (
            {"kind": "pictures", "labels": labels is not None},
            [listing_as_parent(folder, self._paths)],
        )
        notes: dict[str, Any] = {}
        self.catalog = QTable({"object_id": np.array(list(files), dtype=str)})
        if labels is not None:
            columns, notes["labels"] = join_labels(read_labels(labels), list(files))
            parents.append(file_as_parent(labels, "labels"))
            self.catalog = hstack([self.catalog, columns])
        self.origin = Origin(settings, tuple(parents), notes)

    def read(self, rows: NDArray[np.int64]) -> Iterator[Pixels | UnusableImage]:
        """Read pictures, each [band, y, x] float32, bottom row first."""
        return (self._read_one(int(row)) for row in rows)

    def _read_one(self, row: int) -> Pixels | UnusableImage:
        """Decode one picture."""
        path, head = self._paths[row], self._heads[row]
        if head is None:
            return self.listing.faults[row]
        try:
            values = read_png16(path) if head.is_png and head.bits == 16 else _decoded(path)
        except READ_ERRORS as error:
            return UnusableImage(DAMAGED, f"{path}: the picture is truncated or damaged ({error})")
        values = _upright(values, head.orientation)
        if values.shape[-1] in (2, 4):
            if np.any(values[..., -1] != values[..., -1].max()) or values[..., -1].max() != 2**head.bits - 1:
                return UnusableImage("transparent", f"{path}: has transparent pixels; flatten the picture")
            values = values[..., :-1]
        return np.ascontiguousarray(np.moveaxis(values[::-1], -1, 0), dtype=np.float32)


def _decoded(path: Path) -> NDArray[Any]:
    """Pixels of a picture of 8 bits by Pillow, [y, x, channel]."""
    with _opened(path) as picture:
        picture.load()
        mode = {"P": "RGB", "1": "L"}.get(picture.mode, picture.mode)
        if picture.mode == "P" and "transparency" in picture.info:
            mode = "RGBA"
        values = np.asarray(picture if mode == picture.mode else picture.convert(mode))
    return values[..., np.newaxis] if values.ndim == 2 else values


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """Open a picture by Pillow; one that claims too many pixels is a `ValueError`."""
    # our limit, which can be raised, in the place of Pillow's, which is an exception of a kind of its own
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        picture = Image.open(io.BytesIO(path.read_bytes()) if is_remote(path) else path)
    finally:
        Image.MAX_IMAGE_PIXELS = limit
    with picture:
        _refuse_excess(path, picture.width, picture.height)
        yield picture


def _refuse_excess(path: Path, width: int, height: int) -> None:
    """Raise `ValueError` for a picture that claims too many pixels."""
    too_large = excess(width * height * MOST_BYTES_A_PIXEL, bytes_on_disk(path))
    if too_large:
        raise ValueError(f"{width} x {height} px, {too_large}")


def _read_head(path: Path) -> PictureHead:
    """Size and kind of one picture."""
    with path.open("rb") as stream:
        start = stream.read(26)
    if start.startswith(SIGNATURE):
        width, height, depth, color = struct.unpack(">IIBB", start[16:26])
        bands, bits, orientation = PNG_COLORS[color], 16 if depth == 16 else 8, _png_orientation(path)
    else:
        with _opened(path) as picture:
            if picture.format != "JPEG" or picture.mode not in JPEG_MODES:
                raise ValueError(f"{picture.format} of mode {picture.mode}; wanted gray or RGB, PNG or JPEG")
            width, height, bands, bits = picture.width, picture.height, JPEG_MODES[picture.mode], 8
            orientation = picture.getexif().get(ORIENTATION, 1)
    if orientation in SIDEWAYS:
        height, width = width, height
    return PictureHead(height, width, bands, bits, start.startswith(SIGNATURE), orientation)


def _png_orientation(path: Path) -> int:
    """Read the orientation that a PNG states before its pixels, where it does."""
    with _opened(path) as picture:
        exif = picture.info.get("exif")
        return int(picture.getexif().get(ORIENTATION, 1)) if exif else 1


def _upright(values: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Turn a picture [y, x, channel] as EXIF says that it is to be shown; numbers without meaning leave it."""
    if orientation in SIDEWAYS:
        values = np.swapaxes(values, 0, 1)
    rows, columns = TURNS.get(orientation, (1, 1))
    return values[::rows, ::columns]


def _common_kind(paths: Sequence[Path], heads: Sequence[PictureHead | None]) -> tuple[str, ...]:
    """Bands that all pictures have; refuse a mixture."""
    first: tuple[Path, PictureHead] | None = None
    for path, head in zip(paths, heads, strict=True):
        if head is None:
            continue
        if first is None:
            first = (path, head)
        elif head.kind != first[1].kind:
            raise InputError(
                f"{path}: is {head.kind}, {first[0].name} is {first[1].kind}; put pictures of one kind in a folder"
            )
    return first[1].bands if first else RGB
