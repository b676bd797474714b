"""Where the galaxies of a big image are to be cut out: around labels of a map, or around positions of a catalog."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from galsmith.data.galaxies.positions import Positions
from galsmith.data.readers.fits import FitsHead
from galsmith.data.readers.maps import LABELS_NAMED, MapHead, read_label_map
from galsmith.errors import InputError

STAMP_EXTENT = 2.5
SMALLEST_STAMP_PIX = 48
MARGIN_PIX = 2
ROWS_PER_STRIP = 512
OFF_IMAGE = "position_off_image"
NOT_A_POSITION = "position_not_finite"
NO_LABEL = "label_missing"


class Window(NamedTuple):
    """A part of an image; it may reach beyond it.

    Attributes
    ----------
    y_start, y_stop, x_start, x_stop : int
        Rows and columns, the stops not included.
    """

    y_start: int
    y_stop: int
    x_start: int
    x_stop: int

    def clipped(self, height_pix: int, width_pix: int) -> "Window":
        """Take the part that lies on an image."""
        return Window(
            max(0, self.y_start),
            min(height_pix, self.y_stop),
            max(0, self.x_start),
            min(width_pix, self.x_stop),
        )

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns."""
        return slice(self.y_start, self.y_stop), slice(self.x_start, self.x_stop)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.y_stop - self.y_start, self.x_stop - self.x_start


class LabelBoxes(NamedTuple):
    """Bounding boxes of the labels of a map.

    Attributes
    ----------
    labels : ndarray [label], int64
        Ascending.
    boxes : ndarray [label, 4], int64
        y_start, y_stop, x_start, x_stop.
    """

    labels: NDArray[np.int64]
    boxes: NDArray[np.int64]

    @classmethod
    def empty(cls) -> "LabelBoxes":
        """No label."""
        return cls(np.empty(0, dtype=np.int64), np.empty((0, 4), dtype=np.int64))

    def joined(self, other: "LabelBoxes") -> "LabelBoxes":
        """Boxes that hold those of both, label by label."""
        labels, inverse = np.unique(np.concatenate([self.labels, other.labels]), return_inverse=True)
        boxes = np.concatenate([self.boxes, other.boxes])
        low = np.full((len(labels), 2), np.iinfo(np.int64).max)
        high = np.zeros((len(labels), 2), dtype=np.int64)
        np.minimum.at(low, inverse, boxes[:, ::2])
        np.maximum.at(high, inverse, boxes[:, 1::2])
        return LabelBoxes(labels, np.stack([low[:, 0], high[:, 0], low[:, 1], high[:, 1]], axis=1))


def label_boxes(strip: NDArray[np.integer], first_row: int) -> LabelBoxes:
    """Bounding boxes of the labels of some rows of a map, in the rows of the whole map.

    Parameters
    ----------
    strip : ndarray [y, x], integer
        Rows of the map; 0 is background.
    first_row : int
        Their place in the map.
    """
    y, x = np.nonzero(strip)
    if len(y) == 0:
        return LabelBoxes.empty()
    values = strip[y, x].astype(np.int64)
    order = np.argsort(values, kind="stable")
    labels, starts = np.unique(values[order], return_index=True)
    y, x = y[order], x[order]
    extremes = [
        np.minimum.reduceat(y, starts) + first_row,
        np.maximum.reduceat(y, starts) + first_row + 1,
        np.minimum.reduceat(x, starts),
        np.maximum.reduceat(x, starts) + 1,
    ]
    return LabelBoxes(labels, np.stack(extremes, axis=1))


def window_of_box(box: NDArray[np.int64]) -> Window:
    """Part of the image that statmorph measures a label on (its bounding box 2.5 times over), and a margin.

    All that is measured depends on these pixels alone, so a cutout of them gives the values of the whole image.
    """
    y_start, y_stop, x_start, x_stop = (int(edge) for edge in box)
    longer = max(y_stop - y_start, x_stop - x_start)
    reach = max(int(longer * STAMP_EXTENT / 2), SMALLEST_STAMP_PIX // 2) + MARGIN_PIX
    y, x = (y_start + y_stop) // 2, (x_start + x_stop) // 2
    return Window(y - reach, y + reach, x - reach, x + reach)


def window_at(x_pix: float, y_pix: float, size_pix: int) -> Window:
    """Square of `size_pix` whose middle is the pixel at a position."""
    y_start = int(np.floor(y_pix + 0.5)) - size_pix // 2
    x_start = int(np.floor(x_pix + 0.5)) - size_pix // 2
    return Window(y_start, y_start + size_pix, x_start, x_start + size_pix)


NOWHERE = Window(0, 0, 0, 0)


@dataclass(frozen=True)
class Target:
    """One galaxy of a big image: where to cut, which label, or why not."""

    window: Window = NOWHERE
    label: int = 0
    reason: str = ""
    message: str = ""


def targets_of_labels(
    head: MapHead, *, wanted: Sequence[int] | None
) -> tuple[NDArray[np.int64], list[Target]]:
    """Find the labels of a segmentation map and where each is to be cut out.

    Parameters
    ----------
    head : FitsHead or ArrayMap
        The map; it is read by strips.
    wanted : sequence of int or None
        Some labels, or all.

    Raises
    ------
    InputError
        If the map has no label, or lacks a wanted one.
    """
    found = _boxes_of(head)
    if len(found.labels) == 0:
        raise InputError(
            "has no label, every pixel is 0; there is nothing to measure",
            argument="segmap",
            came=str(head.place),
        )
    labels = found.labels if wanted is None else np.asarray(list(wanted), dtype=np.int64)
    missing = labels[~np.isin(labels, found.labels)]
    if len(missing):
        named = ", ".join(map(str, found.labels[:LABELS_NAMED]))
        more = ", ..." if len(found.labels) > LABELS_NAMED else ""
        raise InputError(
            f"has no label {missing[0]}; it has {named}{more}", argument="segmap", came=str(head.place)
        )
    boxes = found.boxes[np.searchsorted(found.labels, labels)]
    return labels, [Target(window_of_box(box), int(label)) for label, box in zip(labels, boxes, strict=True)]


def targets_of_positions(
    head: FitsHead, positions: Positions, *, cutout_pix: int, label_map: MapHead | None
) -> list[Target]:
    """Say for every position where to cut, or why not.

    Parameters
    ----------
    head : FitsHead
        The image.
    positions : Positions
        In its pixels.
    cutout_pix : int
        Side of the cutouts where the catalog has none.
    label_map : FitsHead, ArrayMap or None
        A segmentation map; the label under each position is then measured.
    """
    sizes = positions.sizes_pix
    if sizes is None:
        sizes = np.full(len(positions.x_pix), float(cutout_pix))
    pixels = [_pixel_at(head, x, y) for x, y in zip(positions.x_pix, positions.y_pix, strict=True)]
    if label_map is None:
        at = zip(positions.x_pix, positions.y_pix, sizes, strict=True)
        return [
            pixel if isinstance(pixel, Target) else _target_around(x, y, size)
            for pixel, (x, y, size) in zip(pixels, at, strict=True)
        ]
    labels = _labels_at(label_map, [pixel for pixel in pixels if not isinstance(pixel, Target)])
    boxes = _boxes_of(label_map)
    return [
        pixel if isinstance(pixel, Target) else _target_of_label(pixel, labels[pixel], boxes)
        for pixel in pixels
    ]


def _pixel_at(head: FitsHead, x: float, y: float) -> tuple[int, int] | Target:
    """Row and column of a position, or why it has none on the image."""
    if not (np.isfinite(x) and np.isfinite(y)):
        return Target(reason=NOT_A_POSITION, message="the catalog has no position on this image's pixels")
    height, width = head.size
    row, column = int(np.floor(y + 0.5)), int(np.floor(x + 0.5))
    if 0 <= row < height and 0 <= column < width:
        return row, column
    return Target(
        reason=OFF_IMAGE, message=f"x {x:.1f}, y {y:.1f} is off the image of {width} x {height} pixels"
    )


def _target_around(x: float, y: float, size_pix: float) -> Target:
    """Cut a square around a position."""
    if not (np.isfinite(size_pix) and size_pix >= 1):
        return Target(reason=NOT_A_POSITION, message=f"the cutout's size is {size_pix:g} pixels")
    return Target(window_at(x, y, round(size_pix)))


def _target_of_label(pixel: tuple[int, int], label: int, boxes: LabelBoxes) -> Target:
    """Cut as the label under a position wants it."""
    if label == 0:
        message = f"the segmentation map has no label at x {pixel[1]}, y {pixel[0]}"
        return Target(reason=NO_LABEL, message=message)
    return Target(window_of_box(boxes.boxes[np.searchsorted(boxes.labels, label)]), label)


def _labels_at(head: MapHead, pixels: Sequence[tuple[int, int]]) -> dict[tuple[int, int], int]:
    """Labels under some pixels of a map, read by strips."""
    found: dict[tuple[int, int], int] = {}
    for first, strip in _strips(head):
        inside = [pixel for pixel in pixels if first <= pixel[0] < first + len(strip)]
        found.update({(row, column): int(strip[row - first, column]) for row, column in inside})
    return found


def _strips(head: MapHead) -> Iterator[tuple[int, NDArray[np.int32]]]:
    """Read a map some rows at a time, with the first row's number."""
    for first in range(0, head.size[0], ROWS_PER_STRIP):
        strip = read_label_map(head, rows=slice(first, min(first + ROWS_PER_STRIP, head.size[0])))
        yield first, np.maximum(strip, 0)


def _boxes_of(head: MapHead) -> LabelBoxes:
    """Bounding boxes of all labels of a map, read by strips."""
    boxes = LabelBoxes.empty()
    for first, strip in _strips(head):
        boxes = boxes.joined(label_boxes(strip, first))
    return boxes
