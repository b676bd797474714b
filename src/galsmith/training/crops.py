"""Fresh crops of larger images in place of a training set: as many as wanted in a pass, and others in the next.

Blatter et al. (2020, sec. II-C) pretrain on crops of joined sky pictures, 80,000 new ones an epoch.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from galsmith.errors import InputError
from galsmith.images import ImageSet
from galsmith.images.image_set import PixelSequence, completed_catalog
from galsmith.provenance import hash_json
from galsmith.seeds import random_stream

Pixels = NDArray[np.float32]
CROPS_PER_PASS = 80_000
PURPOSE = "train.crops"
BYTES_KEPT = 1e9  # of images that were read, so that not every crop reads one


def fresh_crops(images: ImageSet, *, crop_pix: int, crops_per_pass: int, seed: int) -> ImageSet:
    """Make a set of crops out of larger images; its pixels may be read beyond its length, and never repeat.

    Parameters
    ----------
    images : ImageSet
        Sizes may differ.
    crop_pix : int
        Side of the crops.
    crops_per_pass : int
        Length of the set.
    seed : int
        Fixes all crops.

    Returns
    -------
    ImageSet
        Of the same header.

    Raises
    ------
    InputError
        If no image is as large as a crop.
    """
    pixels = FreshCrops(images.pixels, crop_pix=crop_pix, count=crops_per_pass, seed=seed)
    return replace(
        images,
        pixels=pixels,
        catalog=completed_catalog(None, [crop_pix] * crops_per_pass),
        content_hash=hash_json([images.content_hash, crop_pix, crops_per_pass, seed]),
    )


class FreshCrops:
    """Crops of larger images, each at a place, and turned and flipped, by its own number; one for every number from 0.

    All places of all images are as likely; images smaller than a crop have none.

    Parameters
    ----------
    images : PixelSequence
        What is cropped.
    crop_pix : int
        Side of the crops.
    count : int
        How many a pass has.
    seed : int
        The run's seed.

    Raises
    ------
    InputError
        If no image is as large as a crop.
    """

    def __init__(self, images: PixelSequence, *, crop_pix: int, count: int, seed: int) -> None:
        self._images, self._crop_pix, self._count, self._seed = images, crop_pix, count, seed
        places = np.maximum(images.shapes - crop_pix + 1, 0).prod(axis=1).astype(np.float64)
        if not places.sum() > 0:
            height, width = images.shapes.max(axis=0) if len(images) else (0, 0)
            raise InputError(
                f"no training image is as large as a crop of {crop_pix} px, the largest has {height}x{width} px; "
                "lower training.crop_pix, or join images with galsmith simulate sky-mosaic"
            )
        self._upto = np.cumsum(places / places.sum())
        self._kept: OrderedDict[int, Pixels] = OrderedDict()

    def __len__(self) -> int:
        """Return how many crops a pass has."""
        return self._count

    def __getitem__(self, index: int) -> Pixels:
        """Make one crop, [band, y, x] float32."""
        return self.read([index])[0]

    @property
    def shapes(self) -> NDArray[np.int64]:
        """Height and width of the crops of a pass, [crop, 2] int64, in pixels."""
        return np.full((self._count, 2), self._crop_pix, dtype=np.int64)

    def read(self, indices: Sequence[int] | NDArray[np.int64]) -> list[Pixels]:
        """Make several crops, in the order of `indices`, which may be any numbers from 0."""
        return [self._cropped(int(index)) for index in indices]

    def __getstate__(self) -> dict[str, Any]:
        """Leave behind what was read."""
        return {**self.__dict__, "_kept": OrderedDict()}

    def _cropped(self, index: int) -> Pixels:
        """Draw a place, and cut the crop out of its image."""
        rng = random_stream(self._seed, PURPOSE, index)
        row = int(np.searchsorted(self._upto, rng.random(), side="right"))
        image = self._read_whole(min(row, len(self._upto) - 1))
        bottom, left = (int(rng.integers(0, side - self._crop_pix + 1)) for side in image.shape[-2:])
        crop = image[:, bottom : bottom + self._crop_pix, left : left + self._crop_pix]
        turned = np.rot90(crop, int(rng.integers(4)), axes=(-2, -1))
        return np.ascontiguousarray(turned[..., ::-1] if rng.integers(2) else turned)

    def _read_whole(self, row: int) -> Pixels:
        """Read an image, or take it from those that were read last."""
        if row not in self._kept:
            self._kept[row] = self._images[row]
            while len(self._kept) > 1 and sum(image.nbytes for image in self._kept.values()) > BYTES_KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(row)
        return self._kept[row]
