"""Sixteen copies of every field: turned by quarters, moved against a black frame and cut back, and flipped.

After Blatter et al. (2020, sec. II-B 3): 4 rotations, 2 crops of 1000 px out of the image in a black frame of 1100 px, and
all of these flipped. A pass over the set shows every copy once; where the crops lie is drawn anew each time.
"""

import numpy as np
import torch
from numpy.typing import NDArray

from galsmith.seeds import random_stream

ROTATIONS, CROPS, FLIPS = 4, 2, 2
FIELD_COPIES = ROTATIONS * CROPS * FLIPS
PURPOSE = "train.augmentation"


def frame_pix(side_pix: int) -> int:
    """Width of the black frame: that of the paper, 50 px around 1000, in proportion."""
    return round(side_pix * 50 / 1000)


def field_copies(pixels: torch.Tensor, copies: NDArray[np.int64], offsets: NDArray[np.int64]) -> torch.Tensor:
    """Make one copy of every field.

    Parameters
    ----------
    pixels : Tensor [field, band, y, x], float32
        Square; black is 0.
    copies : ndarray [field], int64
        Which of the 16 copies: quarter turns, crop and flip, ``(flip * 4 + turns) * 2 + crop``. The two crops differ in
        their offsets alone.
    offsets : ndarray [field, 2], int64
        Lower corner (y, x) of the crop in the framed image, from 0 to 2 `frame_pix`; `frame_pix` moves nothing.

    Returns
    -------
    Tensor [field, band, y, x], float32
        A new tensor of the same shape; what the frame brought in is 0.
    """
    made = torch.zeros_like(pixels)
    side = pixels.shape[-1]
    moves = offsets - frame_pix(side)
    for place, (copy, (down, left)) in enumerate(zip(copies.tolist(), moves.tolist(), strict=True)):
        turns, is_flipped = copy // CROPS % ROTATIONS, copy // (CROPS * ROTATIONS) == 1
        turned = torch.rot90(pixels[place], turns, dims=(-2, -1))
        # the row y of the crop is row y + down of the image, where there is one
        rows, columns = (slice(max(0, -by), min(side, side - by)) for by in (down, left))
        from_rows, from_columns = (slice(max(0, by), min(side, side + by)) for by in (down, left))
        made[place, :, rows, columns] = turned[:, from_rows, from_columns]
        if is_flipped:
            made[place] = made[place].flip(-1)
    return made


def drawn_offsets(count: int, *, side_pix: int, seed: int, images_seen: int) -> NDArray[np.int64]:
    """Draw where the crops of the images that come after `images_seen` others lie, [field, 2] int64.

    Parameters
    ----------
    count : int
        How many.
    side_pix : int
        Of the fields.
    seed : int
        The run's seed.
    images_seen : int
        Images shown before.
    """
    largest = 2 * frame_pix(side_pix)
    streams = (random_stream(seed, PURPOSE, images_seen + place) for place in range(count))
    return np.array([stream.integers(0, largest + 1, 2) for stream in streams], dtype=np.int64).reshape(-1, 2)
