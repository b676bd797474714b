"""Clean images that a denoiser is made of: training, validation, generated ones to mix in."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from galsmith.denoise.settings import FitSettings
from galsmith.errors import InputError, SettingsError
from galsmith.images import ImageSet
from galsmith.training.batches import refuse_equal_images

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
