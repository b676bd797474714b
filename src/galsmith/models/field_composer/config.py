"""Settings of the family `field_composer`."""

import itertools
from typing import Literal

from pydantic import Field, field_validator

from galsmith.settings import Settings


class FieldComposerConfig(Settings):
    """Fields composed of sources and sky.

    Attributes
    ----------
    fields_for_fit : int
        Training fields that the shared laws are fitted on, at most; evenly spread over the set.
    threshold_sigma : float
        Sources are detected above this many deviations of the smoothed sky.
    sky_components, flux_components : int
        Numbers in which the sky's noise and the law of flux differ from field to field.
    stamp_components : int
        Directions in which the light of sources differs from an elliptical profile.
    pair_edges_pix : tuple of float
        Radii, from 0 on, between which pairs of sources are counted and drawn anew.
    width, depth : int
        Of the network, which learns the joint law of a field's numbers.
    learning_rate, weight_decay : float
        Of Adam; the rate is reached after `warmup_images` and falls to zero over the last `decay_share` of the budget.
    noise_level_mean, noise_level_std : float
        Of ln(noise level) in training.
    sampler_steps : int
        Heun steps a drawn field.
    lowest_noise_level, highest_noise_level : float
        Where sampling ends and starts, in units of the numbers' deviation, which is one.
    """

    family: Literal["field_composer"] = "field_composer"
    fields_for_fit: int = Field(default=1024, ge=2)
    threshold_sigma: float = Field(default=5.0, gt=0)
    sky_components: int = Field(default=3, ge=1)
    flux_components: int = Field(default=3, ge=1)
    stamp_components: int = Field(default=8, ge=0)
    pair_edges_pix: tuple[float, ...] = (0.0, 4.0, 10.0, 25.0, 50.0, 100.0)
    width: int = Field(default=128, ge=8)
    depth: int = Field(default=3, ge=1)
    learning_rate: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=1e-2, ge=0)
    warmup_images: int = Field(default=20_000, ge=0)
    decay_share: float = Field(default=0.7, gt=0, le=1)
    noise_level_mean: float = -0.5
    noise_level_std: float = Field(default=1.4, gt=0)
    sampler_steps: int = Field(default=18, ge=1)
    lowest_noise_level: float = Field(default=0.01, gt=0)
    highest_noise_level: float = Field(default=20.0, gt=0)

    @field_validator("pair_edges_pix")
    @classmethod
    def _rising_from_zero(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        """Refuse radii that part no distances."""
        if len(value) < 2 or value[0] != 0 or any(b <= a for a, b in itertools.pairwise(value)):
            raise ValueError("pair_edges_pix rises from 0, with one radius more at least")
        return value
