"""Settings of the family `relay_diffusion`."""

from typing import Literal, Self

from pydantic import Field, model_validator

from galsmith.settings import Settings


class RelayDiffusionConfig(Settings):
    """Diffusion in two legs: dense layers on the strongest frequencies, then a U-Net of patches on all of them.

    Attributes
    ----------
    relay_level : float
        Noise level at which the second network takes over, in units in which every frequency has the square root of its own
        deviation; see `HalfWhitened`.
    n_coarse : int
        Strongest frequencies, of all bands together, that the first network draws with the scalars.
    coarse_width, coarse_depth : int
        Of the first network.
    coarse_learning_rate : float
        Of its Adam.
    coarse_rounds : int
        Steps of the first network for each step of the second, which costs many times as much.
    coarse_draws : int
        Noisy looks at each orientation of a galaxy in one step of the first network.
    coarse_noise_mean, coarse_noise_std : float
        Of ln(noise level) in its training, of which levels far below `relay_level` are left out.
    coarse_steps : int
        Heun steps of the first leg.
    channels : tuple of int
        Widths of the second network's levels, the finest first; each level halves the side.
    blocks : tuple of int
        Residual blocks of each level: on the last one once, on the others on the way down and on the way up.
    attention : bool
        Let all places of the last level see one another.
    patch_pix : int
        The second network sees blocks of this side as channels.
    embedding_width : int
        Of the noise level.
    learning_rate : float
        Of the second network's Adam; reached after `warmup_images`, zero at the end after falling over the last
        `decay_share` of the budget, as the first one's.
    fine_noise_mean, fine_noise_std : float
        Of ln(noise level) in its training, of which levels far above `relay_level` are left out.
    fine_steps : int
        Heun steps of the second leg.
    symmetric : bool
        Train on all eight rotations and reflections, and draw them evenly.
    lowest_noise_level, highest_noise_level : float
        Where sampling ends and starts; the weakest frequencies of EFIGI's pictures have a deviation of 0.04.
    """

    family: Literal["relay_diffusion"] = "relay_diffusion"
    relay_level: float = Field(default=0.7, gt=0)
    n_coarse: int = Field(default=512, ge=1)
    coarse_width: int = Field(default=512, ge=8)
    coarse_depth: int = Field(default=4, ge=1)
    coarse_learning_rate: float = Field(default=3e-3, gt=0)
    coarse_rounds: int = Field(default=4, ge=1)
    coarse_draws: int = Field(default=2, ge=1)
    coarse_noise_mean: float = 0.2
    coarse_noise_std: float = Field(default=0.9, gt=0)
    coarse_steps: int = Field(default=40, ge=1)
    channels: tuple[int, ...] = Field(default=(128, 192), min_length=1)
    blocks: tuple[int, ...] = Field(default=(1, 2), min_length=1)
    attention: bool = True
    patch_pix: Literal[1, 2, 4, 8] = 4
    embedding_width: int = Field(default=256, ge=8)
    learning_rate: float = Field(default=1e-2, gt=0)
    warmup_images: int = Field(default=5_000, ge=0)
    decay_share: float = Field(default=0.6, gt=0, le=1)
    fine_noise_mean: float = -1.1
    fine_noise_std: float = Field(default=0.9, gt=0)
    fine_steps: int = Field(default=10, ge=1)
    symmetric: bool = True
    lowest_noise_level: float = Field(default=0.01, gt=0)
    highest_noise_level: float = Field(default=80.0, gt=0)

    @model_validator(mode="after")
    def _legs_meet(self) -> Self:
        """Refuse levels without blocks, and a relay outside of the noise levels."""
        if len(self.blocks) != len(self.channels):
            raise ValueError(
                f"blocks are {len(self.blocks)} numbers and channels {len(self.channels)}; wanted one a level"
            )
        if not self.lowest_noise_level < self.relay_level < self.highest_noise_level:
            raise ValueError(
                f"relay_level is {self.relay_level}; wanted one between lowest_noise_level {self.lowest_noise_level} and "
                f"highest_noise_level {self.highest_noise_level}"
            )
        return self
