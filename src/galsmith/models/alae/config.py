"""Settings of the family `alae`."""

from typing import Annotated, Literal

from pydantic import Field

from galsmith.models.style_based.settings import DrawingSettings, doubling_widths

Side = Annotated[int, Field(ge=4)]
Rate = Annotated[float, Field(gt=0)]
BatchSize = Annotated[int, Field(ge=1)]


class AlaeConfig(DrawingSettings):
    """Adversarial latent autoencoder (Pidhorskyi et al. 2020) as Holzschuh et al. (2022, app. A3) train it.

    Those of `DrawingSettings`, and these.

    Attributes
    ----------
    start_width, max_width : int
        A level of side s has ``min(start_width * size_pix // s, max_width)`` channels, in both directions.
    discriminator_layers : int
        From w to a logit.
    growing_share : float
        Share of the budget in which levels are added, from 4 px to all but the last, each for an equal part; a
        new one is faded in over the first half of such a part. 0 starts with all levels. A run that is extended
        keeps the levels it has.
    learning_rates : tuple of (int, float)
        Largest side that a rate of Adam is for, in pixels, and the rate; sides rise, the last rate is for all
        larger ones.
    level_batches : tuple of (int, int) or None
        Largest side that a batch is for, in pixels, and the batch; sides rise, the last is for all larger ones. A step's
        images (`training.batch_size`) are taken in such batches one after the other. None takes them at once.
    r1_weight : float
        Weight gamma of the gradient penalty on real images, in the paper's units: of pixels of unit deviation.
    r1_every : int
        Steps between penalties; each counts that many times.
    reciprocity : {"l1", "l2"}
        How far the encoder's w may be from the one drawn: mean absolute difference, as the paper prints it, or
        mean square, as the reference implementation has it.
    reciprocity_weight : float
        Of that loss.
    """

    family: Literal["alae"] = "alae"
    mapping_layers: int = Field(default=8, ge=1)
    start_width: int = Field(default=64, ge=1)
    max_width: int = Field(default=256, ge=1)
    discriminator_layers: int = Field(default=3, ge=1)
    growing_share: float = Field(default=0.5, ge=0, le=1)
    learning_rates: tuple[tuple[Side, Rate], ...] = Field(
        default=((16, 1.5e-3), (32, 1e-3), (256, 5e-4)), min_length=1
    )
    level_batches: tuple[tuple[Side, BatchSize], ...] | None = Field(default=None, min_length=1)
    r1_weight: float = Field(default=10.0, ge=0)
    r1_every: int = Field(default=1, ge=1)
    reciprocity: Literal["l1", "l2"] = "l2"
    reciprocity_weight: float = Field(default=1.0, ge=0)

    def level_widths(self, size_pix: int) -> dict[int, int]:
        """Channels of each level by its side, from 4 pixels to `size_pix`."""
        return doubling_widths(size_pix, base=self.start_width * size_pix, largest=self.max_width)
