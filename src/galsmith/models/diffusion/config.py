"""Settings of the family `diffusion`."""

from typing import Literal

from pydantic import Field

from galsmith.settings import Settings


class DiffusionConfig(Settings):
    """Diffusion on pixels by a magnitude-preserving U-Net, given scalars that a small network draws.

    Attributes
    ----------
    channels : tuple of int
        Widths of the levels, the finest first; each level halves the side.
    blocks_per_level : int
        Residual blocks on the way down; one more on the way up.
    patch_pix : int
        The network sees blocks of this side as channels: 2 is about three times faster than 1.
    embedding_width : int
        Of noise level and scalars.
    dropout : float
        Share of activations left out in training; 0.1 helps below 20,000 images.
    symmetric : bool
        Train on all eight rotations and reflections, and draw them evenly.
    learning_rate : float
        Of Adam; reached after `warmup_images`, zero at the end after falling over the last `decay_share` of the budget.
    scalar_width, scalar_depth, scalar_learning_rate : int, int, float
        Of the network that draws the scalars.
    scalar_drop : float
        Share of training images whose scalars are hidden from the network, for guidance.
    noise_level_mean, noise_level_std : float
        Of ln(noise level) in training.
    sampler_steps : int
        Heun steps a drawn galaxy.
    lowest_noise_level, highest_noise_level : float
        Where sampling ends and starts.
    """

    family: Literal["diffusion"] = "diffusion"
    channels: tuple[int, ...] = Field(default=(32, 64, 96), min_length=1)
    blocks_per_level: int = Field(default=1, ge=1)
    patch_pix: Literal[1, 2, 4] = 2
    embedding_width: int = Field(default=128, ge=8)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    symmetric: bool = True
    learning_rate: float = Field(default=1e-2, gt=0)
    warmup_images: int = Field(default=10_000, ge=0)
    decay_share: float = Field(default=0.6, gt=0, le=1)
    scalar_width: int = Field(default=128, ge=8)
    scalar_depth: int = Field(default=2, ge=1)
    scalar_learning_rate: float = Field(default=1e-3, gt=0)
    scalar_drop: float = Field(default=0.1, ge=0, le=1)
    noise_level_mean: float = 0.0
    noise_level_std: float = Field(default=1.4, gt=0)
    sampler_steps: int = Field(default=18, ge=1)
    lowest_noise_level: float = Field(default=0.002, gt=0)
    highest_noise_level: float = Field(default=80.0, gt=0)
