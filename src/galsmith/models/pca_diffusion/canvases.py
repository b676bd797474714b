"""Galaxies moved to the middle by whole pixels, so that few components hold them wherever they lie.

The move loses nothing: an image is laid on a larger canvas with its brightest place in the middle, and a canvas is cut
back at the very same place. What the canvas has beyond the image is the galaxy's own other side, turned by half a turn
about its center, as most galaxies nearly repeat themselves there; nothing of it is left after the cut.
"""

import torch
from torch.nn import functional

from galsmith.models.layers.chance import drawn_rows
from galsmith.models.layers.d4 import FLIP_X, FLIP_Y, TRANSPOSE
from galsmith.models.layers.marginals import NormalMarginals, fit_marginals
from galsmith.models.protocols import NetworkBatch

SPREAD = (-0.375, -0.125, 0.125, 0.375)  # a whole pixel stands for the interval about it


class Centering(torch.nn.Module):
    """Images <-> canvases and shifts, and shifts <-> standard normal numbers.

    Parameters
    ----------
    size_pix : int
        Side of the images, even.
    largest_shift_pix : int
        Farthest move along each axis.

    Attributes
    ----------
    law : NormalMarginals
        Of the shift along either axis, its sign and the two axes taken as equally likely.
    """

    def __init__(self, *, size_pix: int, largest_shift_pix: int) -> None:
        super().__init__()
        self.size_pix, self.largest_shift_pix = size_pix, largest_shift_pix
        self.law = NormalMarginals(1)

    @property
    def canvas_pix(self) -> int:
        """Side of a canvas."""
        return self.size_pix + 2 * self.largest_shift_pix

    def shifts(self, pixels: torch.Tensor) -> torch.Tensor:
        """Whole pixels from the middle of each image to its brightest place, [galaxy, (y, x)] int64.

        The place is the centroid of the nine pixels about the maximum of the light of all bands, smoothed by
        (1, 2, 1) along both axes; a place farther off than the largest shift is met halfway.
        """
        light = _smoothed(pixels.sum(dim=1, keepdim=True))[:, 0]
        size = light.shape[-1]
        place = light.flatten(1).argmax(dim=1)
        row, column = place // size, place % size
        around = torch.arange(-1, 2, device=pixels.device)
        rows = (row[:, None] + around).clamp(0, size - 1)
        columns = (column[:, None] + around).clamp(0, size - 1)
        patch = light[
            torch.arange(len(light), device=light.device)[:, None, None], rows[:, :, None], columns[:, None]
        ]
        patch = patch - patch.amin(dim=(1, 2), keepdim=True)  # weights of the centroid are not negative
        total = patch.sum(dim=(1, 2)).clamp_min(torch.finfo(patch.dtype).tiny)
        offsets = torch.stack(
            [patch.sum(dim=2) @ around.to(patch), patch.sum(dim=1) @ around.to(patch)], dim=1
        )
        middle = (size - 1) / 2  # pixel centers lie on integers
        center = torch.stack([row - middle, column - middle], dim=1) + offsets / total[:, None]
        return center.round().long().clamp(-self.largest_shift_pix, self.largest_shift_pix)

    def laid_out(self, pixels: torch.Tensor, shifts: torch.Tensor) -> torch.Tensor:
        """Lay images [galaxy, band, y, x] on canvases so that what lies at their shift comes to the middle."""
        rows, mirrored_rows = self._sources(shifts[:, 0])
        columns, mirrored_columns = self._sources(shifts[:, 1])
        inside = _inside(rows, self.size_pix)[:, :, None] & _inside(columns, self.size_pix)[:, None]
        other = (
            _inside(mirrored_rows, self.size_pix)[:, :, None]
            & _inside(mirrored_columns, self.size_pix)[:, None]
        )
        is_mirrored = ~inside & other  # beyond the image, where its point reflection lies inside
        row = torch.where(is_mirrored, mirrored_rows[:, :, None], rows[:, :, None]).clamp(
            0, self.size_pix - 1
        )
        column = torch.where(is_mirrored, mirrored_columns[:, None], columns[:, None]).clamp(
            0, self.size_pix - 1
        )
        source = (row * self.size_pix + column).flatten(1)[:, None].expand(-1, pixels.shape[1], -1)
        return (
            pixels.flatten(2).gather(2, source).reshape(*pixels.shape[:2], self.canvas_pix, self.canvas_pix)
        )

    def cut_back(self, canvases: torch.Tensor, shifts: torch.Tensor) -> torch.Tensor:
        """Cut images [galaxy, band, y, x] out of canvases; undoes `laid_out` exactly."""
        first = self.largest_shift_pix - shifts
        along = torch.arange(self.size_pix, device=canvases.device)
        rows, columns = first[:, :1] + along, first[:, 1:] + along
        source = (rows[:, :, None] * self.canvas_pix + columns[:, None]).flatten(1)
        source = source[:, None].expand(-1, canvases.shape[1], -1)
        return (
            canvases.flatten(2).gather(2, source).reshape(*canvases.shape[:2], self.size_pix, self.size_pix)
        )

    def fit(self, shifts: torch.Tensor) -> None:
        """Fit the law of the shifts on those of training images, [galaxy, (y, x)] int64."""
        spread = (
            shifts.cpu().double().flatten()[:, None] + torch.tensor(SPREAD, dtype=torch.float64)
        ).flatten()
        both = torch.cat([spread, -spread])[:, None]  # either sign is taken as equally likely
        self.law = fit_marginals(lambda: iter([NetworkBatch(both, both)]), 1)

    def to_normal(self, shifts: torch.Tensor, chance: torch.Generator) -> torch.Tensor:
        """Map shifts [galaxy, (y, x)] to normal numbers, spread evenly over their pixel by `chance`."""
        spread = drawn_rows(torch.rand, shifts.shape, chance) - 0.5
        return self.law.to_normal((shifts + spread).flatten()[:, None]).reshape(shifts.shape)

    def from_normal(self, normal: torch.Tensor) -> torch.Tensor:
        """Map normal numbers [galaxy, (y, x)] to shifts, int64."""
        shifts = self.law.from_normal(normal.flatten()[:, None]).reshape(normal.shape)
        return shifts.round().long().clamp(-self.largest_shift_pix, self.largest_shift_pix)

    def _sources(self, shift: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Where in the image each row of the canvas comes from, [galaxy, canvas_pix], and where its mirror does."""
        along = torch.arange(self.canvas_pix, device=shift.device)
        moved = shift[:, None] - self.largest_shift_pix
        return along + moved, along.flip(0) + moved


def turned_shifts(shifts: torch.Tensor, elements: torch.Tensor) -> torch.Tensor:
    """Shifts [galaxy, (y, x)] of images turned and mirrored by `elements` [galaxy]; see `d4.apply_d4`."""
    y = torch.where((elements & FLIP_Y) > 0, -shifts[:, 0], shifts[:, 0])
    x = torch.where((elements & FLIP_X) > 0, -shifts[:, 1], shifts[:, 1])
    is_swapped = (elements & TRANSPOSE) > 0
    return torch.stack([torch.where(is_swapped, x, y), torch.where(is_swapped, y, x)], dim=1)


def _smoothed(light: torch.Tensor) -> torch.Tensor:
    """Smooth [galaxy, 1, y, x] by (1, 2, 1) along both axes, edges repeated."""
    line = torch.tensor([0.25, 0.5, 0.25], dtype=light.dtype, device=light.device)
    kernel = (line[:, None] * line[None])[None, None]
    return functional.conv2d(functional.pad(light, (1, 1, 1, 1), mode="replicate"), kernel)


def _inside(positions: torch.Tensor, size: int) -> torch.Tensor:
    """Whether positions lie in [0, size)."""
    return (positions >= 0) & (positions < size)
