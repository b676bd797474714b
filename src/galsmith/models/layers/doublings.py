"""From 8 pixels to the side of the images by doubling it, with one crop on the way, as 1000 px want it (ETHZ CIL 2020)."""

from dataclasses import dataclass

import torch
from torch.nn import functional

from galsmith.errors import SettingsError

FIRST_SIDE_PIX = 8
MOST_DOUBLINGS = 7
# appendix 2: channels before each doubling, in units of those before the last at 1000 px, which are 8
LEVEL_CHANNELS = (16, 16, 8, 8, 4, 2, 1)
SMALLEST_SIDE_PIX, LARGEST_SIDE_PIX = 2 * FIRST_SIDE_PIX, FIRST_SIDE_PIX * 2**MOST_DOUBLINGS


@dataclass(frozen=True)
class Doublings:
    """How a side is reached: 8 px doubled, cropped, and doubled further.

    1000 px are 8, 16, 32, 64, 128, cropped to 125, then 250, 500, 1000: the crop comes where the side, halved again and
    again, is odd. For a smaller side the last doublings are left out.

    Attributes
    ----------
    count : int
        Doublings in all.
    cropped_after : int
        Number of doublings after which the image is cropped.
    cropped_pix : int
        Side that the crop leaves.
    """

    count: int
    cropped_after: int
    cropped_pix: int

    @classmethod
    def of(cls, size_pix: int) -> "Doublings":
        """Plan the way to a side from 16 to 1024 px."""
        odd_pix, after = size_pix, 0
        while odd_pix % 2 == 0 and odd_pix // 2 >= FIRST_SIDE_PIX:
            odd_pix, after = odd_pix // 2, after + 1
        # doublings until 8 px are no smaller than the odd side
        before = (-(-odd_pix // FIRST_SIDE_PIX) - 1).bit_length()
        return cls(before + after, before, odd_pix)

    def channels(self, width: int) -> list[int]:
        """Channels before each doubling, in order."""
        return [count * width for count in LEVEL_CHANNELS[: self.count]]

    def entered(self, values: torch.Tensor) -> torch.Tensor:
        """Give what a linear layer made of z its first pixels, [galaxy, channel, y, x], without what is below 0."""
        return functional.relu(values).reshape(len(values), -1, FIRST_SIDE_PIX, FIRST_SIDE_PIX)

    def cropped(self, values: torch.Tensor, number: int) -> torch.Tensor:
        """Crop what the doubling `number` gave, counted from 1, where it is time; an odd row or column goes at the end."""
        missing = values.shape[-1] - self.cropped_pix
        if number != self.cropped_after or missing == 0:
            return values
        start = missing // 2  # Cropping2D(((1, 2), (1, 2))) from 128 to 125
        end = start + self.cropped_pix
        return values[:, :, start:end, start:end]


def refuse_sides_out_of_reach(family: str, size_pix: int) -> None:
    """Refuse sides that the doublings do not reach.

    Raises
    ------
    SettingsError
        With the nearest side to resize to.
    """
    if not SMALLEST_SIDE_PIX <= size_pix <= LARGEST_SIDE_PIX:
        nearest = min(max(size_pix, SMALLEST_SIDE_PIX), LARGEST_SIDE_PIX)
        raise SettingsError(
            f"images of {size_pix} px: {family} needs {SMALLEST_SIDE_PIX} to {LARGEST_SIDE_PIX} px; ingest with "
            f"`resize_pix={nearest}`"
        )
