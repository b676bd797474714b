"""Many galaxies in one big image: cutouts of labels or of catalog positions, read when they are measured."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from galsmith.data.galaxies.bands import (
    ChosenPlanes,
    common_header,
)
from galsmith.data.galaxies.cutout_files import LABELS_NAMED, NO_LABEL, UNREADABLE, sigma_of
from galsmith.data.galaxies.fits_image import ImageHead, read_part
from galsmith.data.galaxies.galaxy import FileGalaxy, missing_galaxy
from galsmith.data.galaxies.maps import Companions, read_label_map, read_mask, read_psf
from galsmith.data.galaxies.positions import Positions
from galsmith.data.galaxies.windows import (
    ROWS_PER_STRIP,
    LabelBoxes,
    Window,
    label_boxes,
    window_at,
    window_of_box,
)
from galsmith.errors import InputError
from galsmith.provenance import Parent

OFF_IMAGE = "position_off_image"
NOT_A_POSITION = "position_not_finite"
BEYOND_IMAGE = "cutout_beyond_image"
NO_WINDOW = Window(0, 0, 0, 0)


@dataclass(frozen=True)
class Target:
    """One galaxy of a big image: where to cut, which label, or why not."""

    window: Window = NO_WINDOW
    label: int = 0
    reason: str = ""
    message: str = ""


class BigImage:
    """Galaxies of one image.

    Parameters
    ----------
    head : ImageHead
        The image.
    companions : Companions
        Its maps.
    chosen : ChosenPlanes
        Which planes are read, and which is measured.
    targets : sequence of Target
        One a galaxy.
    catalog : QTable
        One row a galaxy.
    parents : tuple of Parent
        The files.
    settings : mapping
        What made the targets.
    """

    def __init__(
        self,
        head: ImageHead,
        companions: Companions,
        *,
        chosen: ChosenPlanes,
        targets: Sequence[Target],
        catalog: QTable,
        parents: tuple[Parent, ...],
        settings: Mapping[str, Any],
    ) -> None:
        self._head, self._companions = head, companions
        self._planes, self._targets = chosen.planes, tuple(targets)
        self.header, self.band = common_header([head], chosen), chosen.band
        self.catalog, self.parents, self.path = catalog, parents, str(head.place)
        self.settings: Mapping[str, Any] = {
            **settings,
            "hdu": [head.place.hdu],
            "planes": list(chosen.planes),
        }
        self.has_maps = companions.label_map is not None
        self._psf = None if companions.psf is None else read_psf(companions.psf)

    def __len__(self) -> int:
        """Return how many galaxies there are."""
        return len(self._targets)

    def read(self, rows: Sequence[int]) -> list[FileGalaxy]:
        """Cut out some galaxies; one that has no pixels comes with the reason."""
        return [self._read_one(self._targets[int(row)]) for row in rows]

    def _read_one(self, target: Target) -> FileGalaxy:
        """Cut out one galaxy and what belongs to it."""
        if target.reason:
            return missing_galaxy(target.reason, target.message)
        on_image = target.window.clipped(*self._head.size)
        # A label needs no pixels beyond the image; a position stays in the middle of its cutout.
        window = on_image if target.label else target.window
        rows, columns = slice(on_image.y_start, on_image.y_stop), slice(on_image.x_start, on_image.x_stop)
        maps = self._companions
        try:
            image = read_part(self._head, planes=self._planes, rows=rows, columns=columns).astype(np.float64)
            sigma_map = sigma_of(maps, self._planes, rows=rows, columns=columns)
            mask = None if maps.mask is None else read_mask(maps.mask, rows=rows, columns=columns)
            labels = (
                None if maps.label_map is None else read_label_map(maps.label_map, rows=rows, columns=columns)
            )
        except InputError as error:
            return missing_galaxy(UNREADABLE, str(error))
        return FileGalaxy(
            image=_widened(image, on_image, window, np.nan),
            label_map=labels,
            label=target.label,
            mask=None if mask is None else _widened(mask, on_image, window, fill=True),
            sigma_map=None if sigma_map is None else _widened(sigma_map, on_image, window, np.nan),
            psf=self._psf,
            x_offset_pix=window.x_start,
            y_offset_pix=window.y_start,
            noticed=(BEYOND_IMAGE,) if window != on_image else (),
        )


def targets_of_labels(
    head: ImageHead, *, wanted: Sequence[int] | None
) -> tuple[NDArray[np.int64], list[Target]]:
    """Find the labels of a segmentation map and where each is to be cut out.

    Parameters
    ----------
    head : ImageHead
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
            f"--segmap {head.place}: has no label, every pixel is 0; there is nothing to measure"
        )
    labels = found.labels if wanted is None else np.asarray(list(wanted), dtype=np.int64)
    missing = labels[~np.isin(labels, found.labels)]
    if len(missing):
        named = ", ".join(map(str, found.labels[:LABELS_NAMED]))
        more = ", ..." if len(found.labels) > LABELS_NAMED else ""
        raise InputError(f"--segmap {head.place}: has no label {missing[0]}; it has {named}{more}")
    boxes = found.boxes[np.searchsorted(found.labels, labels)]
    return labels, [Target(window_of_box(box), int(label)) for label, box in zip(labels, boxes, strict=True)]


def targets_of_positions(
    head: ImageHead, positions: Positions, *, cutout_pix: int, label_map: ImageHead | None
) -> list[Target]:
    """Say for every position where to cut, or why not.

    Parameters
    ----------
    head : ImageHead
        The image.
    positions : Positions
        In its pixels.
    cutout_pix : int
        Side of the cutouts where the catalog has none.
    label_map : ImageHead or None
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


def _pixel_at(head: ImageHead, x: float, y: float) -> tuple[int, int] | Target:
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


def _labels_at(head: ImageHead, pixels: Sequence[tuple[int, int]]) -> dict[tuple[int, int], int]:
    """Labels under some pixels of a map, read by strips."""
    found: dict[tuple[int, int], int] = {}
    for first, strip in _strips(head):
        inside = [pixel for pixel in pixels if first <= pixel[0] < first + len(strip)]
        found.update({(row, column): int(strip[row - first, column]) for row, column in inside})
    return found


def _strips(head: ImageHead) -> Iterator[tuple[int, NDArray[np.int32]]]:
    """Read a map some rows at a time, with the first row's number."""
    for first in range(0, head.size[0], ROWS_PER_STRIP):
        yield first, read_label_map(head, rows=slice(first, min(first + ROWS_PER_STRIP, head.size[0])))


def _boxes_of(head: ImageHead) -> LabelBoxes:
    """Bounding boxes of all labels of a map, read by strips."""
    boxes = LabelBoxes.empty()
    for first, strip in _strips(head):
        boxes = boxes.joined(label_boxes(strip, first))
    return boxes


def _widened(part: NDArray[Any], has: Window, wanted: Window, fill: float | bool) -> NDArray[Any]:  # noqa: FBT001
    """Put a part of an image where it lies in a wider window, the rest filled."""
    if has == wanted:
        return np.ascontiguousarray(part)
    wide = np.full((*part.shape[:-2], *wanted.shape), fill, dtype=part.dtype)
    y, x = has.y_start - wanted.y_start, has.x_start - wanted.x_start
    wide[..., y : y + has.shape[0], x : x + has.shape[1]] = part
    return wide
