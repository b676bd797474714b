"""Settings of the family `cvae`."""

from typing import Literal

from pydantic import Field

from galsmith.settings import Settings


class CvaeConfig(Settings):
    """Convolutional variational autoencoder; the defaults are the baseline of ETHZ CIL 2020, sec. II-D.

    Attributes
    ----------
    latent_size : int
        Length of z.
    width : int
        Channels of the encoder's stem and of the decoder's last level, even; all others are multiples of it.
    divergence_weight : float
        Of the Kullback-Leibler divergence against the cross-entropy of the pixels; 1 is the evidence lower bound.
    as_published : bool
        Take the sigmoid's output for the logits of the cross-entropy, as the published code did: whatever is learned, its
        pixels count as at least one half, so that black is the best it can do for nearly all. False takes the logits.
    symmetric : bool
        Train on all eight rotations and reflections, and draw them evenly.
    learning_rate : float
        Of Adam, constant.
    """

    family: Literal["cvae"] = "cvae"
    latent_size: int = Field(default=200, ge=1)
    width: int = Field(default=8, ge=2, multiple_of=2)
    divergence_weight: float = Field(default=1.0, ge=0)
    as_published: bool = False
    symmetric: bool = True
    learning_rate: float = Field(default=1e-4, gt=0)
