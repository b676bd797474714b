"""Settings of the family `dcgan`."""

from typing import Literal

from pydantic import Field

from galsmith.settings import Settings


class DcganConfig(Settings):
    """Deep convolutional GAN; the defaults are the baseline of ETHZ CIL 2020, sec. II-D.

    Attributes
    ----------
    latent_size : int
        Length of z, standard normal numbers.
    width : int
        Channels of the generator's first convolution; all others are multiples of it.
    dropout : float
        Share of the discriminator's activations that a training step leaves out, layer by layer.
    as_published : bool
        Draw with a hyperbolic tangent, from -1 to 1, against training images from 0 to 1, as the published code did: half
        of its range is told from real images at once. False draws from 0 to 1.
    symmetric : bool
        Train on all eight rotations and reflections, and draw them evenly.
    learning_rate : float
        Of Adam in both networks, constant.
    """

    family: Literal["dcgan"] = "dcgan"
    latent_size: int = Field(default=100, ge=1)
    width: int = Field(default=4, ge=1)
    dropout: float = Field(default=0.3, ge=0, lt=1)
    as_published: bool = False
    symmetric: bool = True
    learning_rate: float = Field(default=1e-4, gt=0)
