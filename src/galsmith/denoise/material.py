"""Clean images that a denoiser is made of, training, validation, generated ones to mix in; and batches of looks at them."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from galsmith.denoise.looks import SIDE_MULTIPLE, Looks, cropped, turned
from galsmith.denoise.network import ObservedBatch, batch_of
from galsmith.denoise.settings import FitSettings
from galsmith.errors import InputError, SettingsError
from galsmith.images import ImageSet
from galsmith.images.image_set import PixelSequence
from galsmith.observe.observed import Observed
from galsmith.seeds import random_stream
from galsmith.training.batches import refuse_equal_images

Pixels = NDArray[np.float32]
KEPT_GB = 1.0
logger = logging.getLogger("galsmith")


@dataclass(frozen=True)
class Material:
    """Clean images of training and validation."""

    real: ImageSet
    validation: ImageSet
    generated: ImageSet | None

    def to_table(self) -> dict[str, Any]:
        """Name them in the settings."""
        table = {
            "path": self.real.path,
            "content_hash": self.real.content_hash,
            "validation_hash": self.validation.content_hash,
            "bands": list(self.real.header.bands),
            "n_images": len(self.real),
        }
        if self.generated is None:
            return table
        return {**table, "generated_path": self.generated.path, "generated_hash": self.generated.content_hash}


def chosen_material(settings: FitSettings, images: ImageSet, generated: ImageSet | None) -> Material:
    """Choose what is learned from and what the weights are chosen by.

    Raises
    ------
    SettingsError, InputError
        If there are too few images, all are equal, or the generated ones have other bands or units.
    """
    training = settings.training
    real, validation = images.in_split("train"), images.in_split("validation")
    if len(real) == 0:
        raise InputError(
            f"{images.path or 'the set'}: has no images of the split 'train' ({len(images):,} in all)"
        )
    refuse_equal_images(real)
    if len(validation) == 0:
        n_held_out = max(1, round(training.validation_share * len(real)))
        if n_held_out >= len(real):
            raise InputError(f"{images.path or 'the set'}: {len(real)} images are too few to hold one out")
        logger.warning(
            "no image is of the split 'validation'; the last %d of %d training images choose the weights",
            n_held_out,
            len(real),
        )
        validation = real.select(np.arange(len(real) - n_held_out, len(real)))
        real = real.select(np.arange(len(real) - n_held_out))
    if generated is not None:
        generated = to_mix_in(generated)
        _refuse_other_kind(images, generated)
    if training.set_size is not None:
        real = _first(real, training.set_size, "clean images")
        generated = None if generated is None else _first(generated, training.set_size, "generated images")
    return Material(real, validation, generated)


def to_mix_in(generated: ImageSet) -> ImageSet:
    """Give the generated images that may be learned from: all but those of the splits ``"validation"`` and ``"test"``."""
    splits = np.asarray(generated.catalog["split"], dtype=str)
    return generated.select(np.flatnonzero(~np.isin(splits, ("validation", "test"))))


def _first(images: ImageSet, count: int, role: str) -> ImageSet:
    """Keep the first so many images."""
    if len(images) < count:
        raise SettingsError(
            f"there are {len(images):,} {role} to learn from", argument="training.set_size", came=count
        )
    return images.select(np.arange(count))


def _refuse_other_kind(images: ImageSet, generated: ImageSet) -> None:
    """Refuse generated images that cannot be mixed in."""
    if len(generated) == 0:
        raise InputError(f"{generated.path or 'the generated set'}: has no images to learn from")
    for what in ("bands", "flux_unit"):
        wanted, came = getattr(images.header, what), getattr(generated.header, what)
        if wanted != came:
            raise InputError(
                f"{generated.path or 'the generated set'}: {what} is {came}, of the clean images {wanted}; "
                "they cannot be mixed"
            )


def refuse_half_a_mixture(settings: FitSettings, generated: str | Path | ImageSet | None) -> None:
    """Want generated images and their share together, or neither; else `SettingsError`."""
    share = settings.training.mixing
    if generated is None and share > 0:
        raise SettingsError(
            "there is nothing to mix in", argument="mixing", came=share, way_out="give `generated` images"
        )
    if generated is not None and share == 0:
        raise SettingsError(
            "none of them would be looked at", argument="generated", way_out="give `mixing`, such as 0.8"
        )


class CleanImages:
    """Clean images of one or two sets, kept in memory where they are few.

    Parameters
    ----------
    real : ImageSet
        Of the survey.
    generated : ImageSet, optional
        To be mixed in.
    """

    def __init__(self, real: ImageSet, generated: ImageSet | None = None) -> None:
        self.real, self.generated = _kept(real.pixels), None if generated is None else _kept(generated.pixels)
        self.shapes = real.shapes, None if generated is None else generated.shapes


def _kept(pixels: PixelSequence) -> Sequence[Pixels] | PixelSequence:
    """Read all where they fit."""
    n_bytes = sum(4 * int(height) * int(width) for height, width in pixels.shapes)
    n_bands = pixels[0].shape[0] if len(pixels) else 1
    return pixels.read(np.arange(len(pixels))) if n_bytes * n_bands <= KEPT_GB * 1e9 else pixels


@dataclass(frozen=True)
class LookOrder:
    """Which image is looked at when, and what is done to it: a function of seed and position.

    Attributes
    ----------
    seed : int
        Of the run.
    batch_size : int
        Looks a step.
    mixing : float
        Probability that an image is of the generated set.
    crop_pix : int or None
        Side of random crops; None shows whole images.
    buckets : int
        So many batches are ordered by size together, so that images of one batch differ little; 1 leaves them as they come.
    """

    seed: int
    batch_size: int = 1
    mixing: float = 0.0
    crop_pix: int | None = None
    buckets: int = 1


class LookBatches:
    """Gives the looks of any step; `Batches` of the loop.

    Parameters
    ----------
    images : CleanImages
        What is looked at.
    looks : Looks
        How.
    order : LookOrder
        When.
    device : torch.device
        Of training.
    """

    def __init__(self, images: CleanImages, looks: Looks, order: LookOrder, *, device: torch.device) -> None:
        self._images, self._looks, self._order, self._device = images, looks, order, device

    def at(self, images_seen: int) -> ObservedBatch:
        """Give the looks that come after `images_seen` others."""
        observations = [self._look(position) for position in self._positions(images_seen)]
        return batch_of(observations, side_multiple=SIDE_MULTIPLE).to(self._device)

    def close(self) -> None:
        """Let go of nothing."""

    def _positions(self, images_seen: int) -> list[int]:
        """Positions of one batch: the next ones, or those of about one size among the next batches."""
        size, n_batches = self._order.batch_size, self._order.buckets
        if n_batches == 1 or size == 1:
            return list(range(images_seen, images_seen + size))
        window, number = divmod(images_seen // size, n_batches)
        first = window * n_batches * size
        positions = np.arange(first, first + n_batches * size)
        by_size = positions[np.argsort([self._side(int(one)) for one in positions], kind="stable")]
        chance = random_stream(self._order.seed, "denoise.buckets", window)
        return [int(one) for one in by_size.reshape(n_batches, size)[chance.permutation(n_batches)[number]]]

    def _look(self, position: int) -> Observed:
        """Draw an image, observe, turn and crop it."""
        chance = random_stream(self._order.seed, "denoise.look", position)
        is_generated, row = self._drawn(chance)
        generated = self._images.generated
        pixels = generated if is_generated and generated is not None else self._images.real
        observed = turned(self._looks.at(pixels[row], chance), int(chance.integers(8)))
        crop = self._order.crop_pix
        return observed if crop is None else cropped(observed, crop, chance)

    def _drawn(self, chance: np.random.Generator) -> tuple[bool, int]:
        """Draw the set and the image."""
        is_generated = bool(chance.random() < self._order.mixing)
        shapes = self._images.shapes[1] if is_generated else self._images.shapes[0]
        return is_generated, int(chance.integers(len(shapes) if shapes is not None else 0))

    def _side(self, position: int) -> int:
        """Larger side of the image at a position."""
        is_generated, row = self._drawn(random_stream(self._order.seed, "denoise.look", position))
        shapes = self._images.shapes[1] if is_generated else self._images.shapes[0]
        return 0 if shapes is None else int(shapes[row].max())
