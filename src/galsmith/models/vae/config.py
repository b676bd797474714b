"""Settings of the family `vae`."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from galsmith.settings import Settings

Positive = Annotated[float, Field(gt=0)]
Depth = Annotated[int, Field(ge=1)]


class VaeConfig(Settings):
    """Variational autoencoder; the defaults are the layers of Holzschuh et al. 2022, appendix A5.

    Attributes
    ----------
    latent_size : int
        Length of z: 512 in the paper, 32 for its Sérsic set.
    encoder_width : int
        Channels of the encoder's stem; 64 and the default blocks are a ResNet50.
    encoder_blocks : tuple of int
        Residual blocks of each stage of the encoder; every stage after the first halves the side and doubles the
        channels.
    encoder_features : int
        Channels that are flattened before z.
    decoder_width : int
        Channels of the decoder.
    reconstruction_weights : tuple of float
        Weights of the log-likelihood against the Kullback-Leibler divergence; they come in turn, each for an
        equal share of the budget (lambda of eq. A1). In the paper's units: of squared errors of pixels of unit deviation.
    held_out_share : float
        Share of the training images that teach nothing: for each weight the decoder with the best evidence lower
        bound on them is kept, and the one of `drawn_weight` is drawn from, without averaging. 0 keeps none
        and draws from the averaged decoder.
    drawn_weight : float or None
        Whose kept decoder is drawn from, one of `reconstruction_weights`; while it has none the averaged decoder is, and
        where it is None the one of the latest weight that has some. It can be chosen after training, as the paper
        does, by a snapshot that is made anew (`galsmith.training.remade_snapshot`).
    scalar_width : int
        Of the dense network from z to the scalars.
    scalar_law : {"gaussian", "mean"}
        ``gaussian``: scalars are predicted from a drawn z and drawn with the deviation that is left. ``mean``:
        predicted from the mean of z and drawn without one, as in the paper, which makes their law too narrow.
    symmetric : bool
        Train on all eight rotations and reflections, and draw them evenly.
    learning_rate : float
        Of Adam; reached after `warmup_images`, and zero at the end of each weight's share of the budget after falling
        over the last `decay_share` of it.
    """

    family: Literal["vae"] = "vae"
    latent_size: int = Field(default=512, ge=1)
    encoder_width: int = Field(default=64, ge=4)
    encoder_blocks: tuple[Depth, ...] = Field(default=(3, 4, 6, 3), min_length=1, max_length=4)
    encoder_features: int = Field(default=32, ge=1)
    decoder_width: int = Field(default=64, ge=1)
    reconstruction_weights: tuple[Positive, ...] = Field(default=(100.0, 1000.0, 10_000.0), min_length=1)
    held_out_share: float = Field(default=0.1, ge=0, le=0.5)
    drawn_weight: Positive | None = None
    scalar_width: int = Field(default=64, ge=1)
    scalar_law: Literal["gaussian", "mean"] = "gaussian"
    symmetric: bool = True
    learning_rate: float = Field(default=1e-3, gt=0)
    warmup_images: int = Field(default=5_000, ge=0)
    decay_share: float = Field(default=0.3, gt=0, le=1)

    @model_validator(mode="after")
    def _drawn_from_one_of_them(self) -> Self:
        """Refuse a weight that there is no decoder of."""
        if self.drawn_weight is None:
            return self
        if self.held_out_share == 0:
            raise ValueError(
                "drawn_weight needs decoders that were kept, and held_out_share is 0; leave it out"
            )
        if self.drawn_weight not in self.reconstruction_weights:
            known = ", ".join(f"{weight:g}" for weight in self.reconstruction_weights)
            raise ValueError(f"drawn_weight is {self.drawn_weight:g}; wanted one of {known}")
        return self
