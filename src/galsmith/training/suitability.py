"""Whether a training set can teach anything: images that are all the same, and sets that are too small."""

import logging

import numpy as np

from galsmith.errors import InputError
from galsmith.images import ImageSet
from galsmith.training.settings import RunSettings

logger = logging.getLogger("galsmith")

FEW_IMAGES = 100
IMAGES_PER_LOOK = 64


def refuse_equal_images(images: ImageSet) -> None:
    """Refuse a training split whose images are all the same, whatever the family.

    It is read up to the first image that differs from the first, which mostly is the second.

    Raises
    ------
    InputError
        If there are two or more images and they are equal pixel by pixel.
    """
    first = images.pixels.read(np.arange(1))[0]
    for start in range(1, len(images), IMAGES_PER_LOOK):
        rows = np.arange(start, min(start + IMAGES_PER_LOOK, len(images)))
        if not all(np.array_equal(first, image) for image in images.pixels.read(rows)):
            return
    if len(images) > 1:
        raise InputError(
            f"all {len(images):,} training images are equal pixel by pixel; nothing can be learned: check what was ingested"
        )


def warn_of_few_images(images: ImageSet, settings: RunSettings) -> None:
    """Tell what to expect of a small set, and what helps."""
    if not 0 < len(images) < FEW_IMAGES:
        return
    ways = ["start from a model of a larger set with --init-from"]
    ways += [f"raise model.{name}" for name in ("augmentation", "dropout") if hasattr(settings.model, name)]
    logger.warning(
        "only %d training images: expect drawn galaxies that repeat them, where some thousands are wanted; %s, and keep "
        "the best snapshot with --choose best",
        len(images),
        ", ".join(ways),
    )
