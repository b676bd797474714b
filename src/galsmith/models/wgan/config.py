"""Settings of the family `wgan`."""

from typing import Literal, Self

from pydantic import Field, model_validator

from galsmith.settings import Settings


class WganConfig(Settings):
    """Wasserstein GAN; the defaults are the networks and the training of ETHZ CIL 2020, appendix C.

    Attributes
    ----------
    latent_size : int
        Length of z, each number even in -1 to 1.
    width : int
        Channels of the generator's last level and of the critic's first; all others are multiples of it.
    gradient_penalty : float
        Weight lambda of the penalty on the critic's slope (Gulrajani et al. 2017, eq. 3); 0 leaves it out.
    weight_clipping : float or None
        Bound of the critic's weights after each of its steps (Arjovsky et al. 2017, algorithm 1: 0.01), in place of the
        penalty; None leaves them free.
    critic_steps : int
        Steps of the critic for one of the generator: 4 in the published code, 5 in the text.
    symmetric : bool
        Train on all eight rotations and reflections, and draw them evenly.
    learning_rate : float
        Of Adam in both networks, constant.
    """

    family: Literal["wgan"] = "wgan"
    latent_size: int = Field(default=200, ge=1)
    width: int = Field(default=8, ge=1)
    gradient_penalty: float = Field(default=10.0, ge=0)
    weight_clipping: float | None = Field(default=None, gt=0)
    critic_steps: int = Field(default=4, ge=1)
    symmetric: bool = True
    learning_rate: float = Field(default=1e-4, gt=0)

    @model_validator(mode="after")
    def _bounded_slope(self) -> Self:
        """Refuse a critic whose slope nothing bounds, and two ways to bound it."""
        if (self.gradient_penalty > 0) == (self.weight_clipping is not None):
            raise ValueError(
                "the critic's slope wants one bound: gradient_penalty above 0, or weight_clipping with gradient_penalty=0"
            )
        return self
