"""The residual network of Holzschuh et al. (2022, sec. 6), as their code has it and as their text describes it."""

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import nn
from torch.nn.functional import leaky_relu

from galsmith.denoise.method import Method
from galsmith.denoise.network import ObservedBatch, Restored, in_trunk, masked_mean
from galsmith.models.layers.chance import generator_from_seed
from galsmith.models.protocols import Precision
from galsmith.seeds import derive_seed
from galsmith.settings import Settings

KERNEL_PIX = 5  # sec. 6; all convolutions
SLOPE = 0.3  # of the leaky rectifier: sec. 6, and what Keras takes by default


class PaperResnetSettings(Settings):
    """Of the paper's network.

    Attributes
    ----------
    variant : {"code", "text"}
        Order inside a residual block. ``"code"``: convolution, rectifier, convolution, sum, rectifier (what was run);
        ``"text"``: rectifier, convolution, rectifier, convolution, sum. Both have the same weights.
    width, blocks, bottleneck : int
        Channels, residual blocks a half, channels in the middle; 32, 5 and 2 in the paper.
    """

    variant: Literal["code", "text"] = "code"
    width: Annotated[int, Field(ge=1)] = 32
    blocks: Annotated[int, Field(ge=0)] = 5
    bottleneck: Annotated[int, Field(ge=1)] = 2


class PaperResnet(nn.Module):
    """Encoder and decoder of residual blocks, all 5 x 5, which work on images in physical units.

    Parameters
    ----------
    settings : PaperResnetSettings
        Widths and variant.
    n_bands : int
        Of the images.
    """

    is_equivariant = False  # to the noise level: it knows the one that it was trained at
    reads_psf = False
    precision: Precision = "float32"

    def __init__(self, settings: PaperResnetSettings, n_bands: int) -> None:
        super().__init__()
        self.settings, width = settings, settings.width
        n_convolutions = 2 * settings.blocks
        self.encoder = nn.ModuleList([_convolution(n_bands, width)])
        self.encoder.extend(_convolution(width, width) for _ in range(n_convolutions))
        self.bottleneck = _convolution(width, settings.bottleneck)
        # with unit stride a transposed convolution is one with its kernel turned; Keras counts and starts them alike
        self.decoder = nn.ModuleList([_transposed(settings.bottleneck, width)])
        self.decoder.extend(_transposed(width, width) for _ in range(n_convolutions))
        self.output = _transposed(width, n_bands)

    @property
    def margin_pix(self) -> int:
        """How far a pixel of the output sees: 2 px a convolution."""
        return (KERNEL_PIX // 2) * (4 * self.settings.blocks + 4)

    def start(self, seed: int) -> None:
        """Draw first weights as their code does, by the defaults of Keras: Glorot's uniform law, biases 0."""
        with torch.no_grad():
            for position, module in enumerate(self.modules()):
                if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                    chance = generator_from_seed(derive_seed(seed, "denoise.weights", position))
                    nn.init.xavier_uniform_(module.weight, generator=chance)
                    nn.init.zeros_(_bias(module))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Map observed images [galaxy, band, y, x] to denoised ones."""
        seen = self.encoder[0](image)
        with in_trunk(self.precision, seen) as trunk:
            encoded = self.bottleneck(self._half(self.encoder, trunk))
            decoded = self._half(self.decoder, self.decoder[0](encoded))
        restored: torch.Tensor = self.output(decoded.float())
        return restored

    def restored(self, batch: ObservedBatch) -> Restored:
        """Denoise a batch; no uncertainty is stated."""
        return Restored(self(batch.image), None)

    def loss(self, batch: ObservedBatch) -> dict[str, torch.Tensor]:
        """Mean squared error in physical units (sec. 6), over the pixels that count."""
        mean_square = masked_mean((self(batch.image) - batch.truth) ** 2, batch.weight).mean()
        return {"loss": mean_square}

    def _half(self, layers: nn.ModuleList, seen: torch.Tensor) -> torch.Tensor:
        """Residual blocks of two convolutions on what the first of a half gave."""
        others = list(layers)[1:]
        is_code = self.settings.variant == "code"
        seen = leaky_relu(seen, SLOPE) if is_code else seen
        for one, two in zip(others[::2], others[1::2], strict=True):
            if is_code:
                seen = leaky_relu(seen + two(leaky_relu(one(seen), SLOPE)), SLOPE)
            else:
                seen = seen + two(leaky_relu(one(leaky_relu(seen, SLOPE)), SLOPE))
        return seen if is_code else leaky_relu(seen, SLOPE)


def _convolution(n_in: int, n_out: int) -> nn.Conv2d:
    """Convolve with zeros beyond the frame, as Keras pads with 'same'."""
    return nn.Conv2d(n_in, n_out, KERNEL_PIX, padding=KERNEL_PIX // 2)


def _transposed(n_in: int, n_out: int) -> nn.ConvTranspose2d:
    """Convolve transposed, to the same size."""
    return nn.ConvTranspose2d(n_in, n_out, KERNEL_PIX, padding=KERNEL_PIX // 2)


def _bias(module: nn.Conv2d | nn.ConvTranspose2d) -> torch.Tensor:
    """Give the bias of a convolution, which all of these have."""
    return next(value for name, value in module.named_parameters() if name == "bias")


METHOD = Method(
    title="the residual network of Holzschuh et al. (2022): one noise level, one PSF",
    settings=PaperResnetSettings,
    build=PaperResnet,
    needs_training=True,
    source="Holzschuh et al. 2022, MNRAS 515, 652, sec. 6",
)
