"""Which part of a big image each galaxy needs: around a label as statmorph does, or around a position."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

STAMP_EXTENT = 2.5
SMALLEST_STAMP_PIX = 48
MARGIN_PIX = 2
ROWS_PER_STRIP = 512


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
