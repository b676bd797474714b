"""The networks of `vae`: a residual encoder, a small decoder, and drawing."""

import math
from collections.abc import Iterator, Sequence

import torch
from torch.nn import functional

from galsmith.models.family import Blueprint
from galsmith.models.layers.batch_normalization import BatchNormalization
from galsmith.models.layers.chance import drawn_in_calls, refuse_conditions
from galsmith.models.layers.d4 import apply_d4, elements_from_normal
from galsmith.models.layers.dense import Dense
from galsmith.models.layers.marginals import NormalMarginals
from galsmith.models.protocols import NetworkBatch
from galsmith.models.vae.config import VaeConfig

WIDENING = 4  # He+16, fig. 5: a block ends four times as wide
START_SIDE, START_CHANNELS = 4, 32
SLOPE = 0.3  # the slope that Keras has
LAST_KERNEL = 9
FIRST_SPREAD = 0.1
LARGEST_LOG_VARIANCE = 20.0
PIXELS_PER_CALL, GALAXIES_AT_MOST = 2**18, 64


class Convolution(torch.nn.Module):
    """Convolution whose first weights are He's (2015) times `gain`, drawn from a given stream.

    The side is divided by `stride`.
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        *,
        kernel: int,
        chance: torch.Generator,
        stride: int = 1,
        has_bias: bool = False,
        gain: float = 1.0,
    ) -> None:
        super().__init__()
        self.stride = stride
        spread = gain * (2 / (n_in * kernel**2)) ** 0.5  # He+15, eq. 10
        first = torch.randn(n_out, n_in, kernel, kernel, generator=chance) * spread
        self.weight = torch.nn.Parameter(first.contiguous(memory_format=torch.channels_last))
        self.bias = torch.nn.Parameter(torch.zeros(n_out)) if has_bias else None

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Map [galaxy, n_in, y, x] to [galaxy, n_out, y', x']."""
        padding = self.weight.shape[-1] // 2
        return functional.conv2d(values, self.weight, self.bias, stride=self.stride, padding=padding)


class Bottleneck(torch.nn.Module):
    """Residual block of ResNet50 (He et al. 2016, fig. 5): 1x1, 3x3 and 1x1 convolutions, the first with the stride."""

    def __init__(self, n_in: int, width: int, *, stride: int, chance: torch.Generator) -> None:
        super().__init__()
        n_out = WIDENING * width
        self.first = Convolution(n_in, width, kernel=1, stride=stride, chance=chance)
        self.first_norm = BatchNormalization(width)
        self.second = Convolution(width, width, kernel=3, chance=chance)
        self.second_norm = BatchNormalization(width)
        self.third = Convolution(width, n_out, kernel=1, chance=chance)
        self.third_norm = BatchNormalization(n_out)
        keeps_shape = n_in == n_out and stride == 1
        self.skip = (
            None
            if keeps_shape
            else torch.nn.Sequential(
                Convolution(n_in, n_out, kernel=1, stride=stride, chance=chance), BatchNormalization(n_out)
            )
        )

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Map [galaxy, n_in, y, x] to [galaxy, 4 width, y', x']."""
        branch = functional.relu(self.first_norm(self.first(values)))
        branch = functional.relu(self.second_norm(self.second(branch)))
        branch = self.third_norm(self.third(branch))  # no ReLU before the sum (He+16, fig. 5)
        return functional.relu(branch + (values if self.skip is None else self.skip(values)))


class Encoder(torch.nn.Module):
    """Images and scalars -> mean and log variance of z, by a residual network without its head.

    Each scalar is one more channel, constant over the image; bfloat16 runs all but the last layer in it.
    """

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__()
        config, description, chance = blueprint.config, blueprint.description, blueprint.chance
        self.trunk_dtype = blueprint.trunk_dtype
        n_channels = len(description.bands) + len(description.scalar_names)
        width = config.encoder_width
        self.stem = Convolution(n_channels, width, kernel=7, stride=2, chance=chance)
        self.stem_norm = BatchNormalization(width)
        self.blocks = torch.nn.Sequential(*_stages(config, chance))
        n_last = WIDENING * width * 2 ** (len(config.encoder_blocks) - 1)
        self.features = Convolution(n_last, config.encoder_features, kernel=1, has_bias=True, chance=chance)
        side = math.ceil(description.size_pix / 2 ** (len(config.encoder_blocks) + 1))
        n_flat = config.encoder_features * side**2
        self.leave = Dense(n_flat, 2 * config.latent_size, gain=FIRST_SPREAD, chance=chance)

    def forward(self, pixels: torch.Tensor, scalars: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Map [galaxy, band, y, x] and normal scalars [galaxy, scalar] to two [galaxy, latent], float32."""
        planes = scalars[:, :, None, None].expand(-1, -1, *pixels.shape[-2:])
        values = torch.cat([pixels, planes], dim=1).contiguous(memory_format=torch.channels_last)
        half = self.trunk_dtype != torch.float32
        with torch.autocast(values.device.type, dtype=torch.bfloat16, enabled=half):
            values = functional.relu(self.stem_norm(self.stem(values)))
            values = functional.max_pool2d(values, 3, stride=2, padding=1)  # stem of ResNet (He+16, table 1)
            values = self.features(self.blocks(values))
        mean, log_variance = self.leave(values.float().flatten(1)).chunk(2, dim=1)
        return mean, log_variance.clamp(-LARGEST_LOG_VARIANCE, LARGEST_LOG_VARIANCE)  # exp of it stays finite


class UpBlock(torch.nn.Module):
    """Doubles the side: normalization, leaky ReLU, nearest neighbors, 3x3 convolution.

    The paper puts the neighbors first. Copies of a value change neither mean nor variance, so the outcome is the
    same at a quarter of the work.
    """

    def __init__(self, width: int, *, chance: torch.Generator) -> None:
        super().__init__()
        self.norm = BatchNormalization(width)
        self.convolution = Convolution(width, width, kernel=3, has_bias=True, chance=chance)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Map [galaxy, width, y, x] to [galaxy, width, 2 y, 2 x]."""
        values = functional.leaky_relu(self.norm(values), SLOPE)
        doubled = functional.interpolate(values, scale_factor=2.0, mode="nearest")
        convolved: torch.Tensor = self.convolution(doubled)
        return convolved


class Decoder(torch.nn.Module):
    """z -> images, and z -> scalars as normal numbers.

    bfloat16 runs all but the first and the last layer of the images in it.

    Attributes
    ----------
    scalar_deviation : Parameter [scalar], float32
        Standard deviation of a scalar about what z says of it; not learned by gradient.
    """

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__()
        config, description, chance = blueprint.config, blueprint.description, blueprint.chance
        self.trunk_dtype = blueprint.trunk_dtype
        width, n_scalars = config.decoder_width, len(description.scalar_names)
        self.enter = Dense(config.latent_size, START_CHANNELS * START_SIDE**2, gain=1.0, chance=chance)
        self.widen = Convolution(START_CHANNELS, width, kernel=1, has_bias=True, chance=chance)
        n_blocks = round(math.log2(description.size_pix / START_SIDE))  # each doubles the side
        self.blocks = torch.nn.Sequential(*(UpBlock(width, chance=chance) for _ in range(n_blocks)))
        self.leave = Convolution(
            width,
            len(description.bands),
            kernel=LAST_KERNEL,
            has_bias=True,
            gain=FIRST_SPREAD,
            chance=chance,
        )
        self.scalar_enter = Dense(config.latent_size, config.scalar_width, gain=1.0, chance=chance)
        self.scalar_leave = Dense(config.scalar_width, n_scalars, gain=FIRST_SPREAD, chance=chance)
        self.scalar_deviation = torch.nn.Parameter(torch.ones(n_scalars), requires_grad=False)

    def forward(self, z: torch.Tensor, scalars_of: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Map z and what scalars are predicted from, both [galaxy, latent], to pixels and scalars, float32."""
        start = self.enter(z).reshape(-1, START_CHANNELS, START_SIDE, START_SIDE)
        half = self.trunk_dtype != torch.float32
        with torch.autocast(z.device.type, dtype=torch.bfloat16, enabled=half):
            values = self.blocks(self.widen(start.contiguous(memory_format=torch.channels_last)))
        pixels = self.leave(values.float())
        scalars = self.scalar_leave(functional.leaky_relu(self.scalar_enter(scalars_of), SLOPE))
        return pixels.contiguous(), scalars


class VaeGenerator(torch.nn.Module):
    """Draws z, then images and scalars of it.

    Attributes
    ----------
    kept : Tensor [reconstruction weight, parameter], float32
        Decoders that did best on the images held out; see `VaeConfig.held_out_share`.
    kept_loss : Tensor [reconstruction weight], float32
        How well: the negative evidence lower bound, infinite where none is kept.
    galaxies_per_call : int
        At most 64, fewer of large images.
    """

    kept: torch.Tensor
    kept_loss: torch.Tensor

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__()
        config, description = blueprint.config, blueprint.description
        self.config, self.description = config, description
        self.decoder = Decoder(blueprint)
        self.marginals = NormalMarginals(len(description.scalar_names))
        self.galaxies_per_call = min(GALAXIES_AT_MOST, PIXELS_PER_CALL // description.size_pix**2)
        n_weights = len(config.reconstruction_weights) if config.held_out_share > 0 else 0
        n_values = sum(parameter.numel() for parameter in self.decoder.parameters())
        self.register_buffer("kept", torch.zeros(n_weights, n_values))
        self.register_buffer("kept_loss", torch.full((n_weights,), math.inf))

    @torch.no_grad()
    def keep(self, position: int, loss: float) -> None:
        """Keep the decoder as it is for one of the reconstruction weights."""
        self.kept[position] = torch.cat([value.detach().flatten() for value in self.decoder.parameters()])
        self.kept_loss[position] = loss

    @torch.inference_mode()
    def sample(self, seeds: Sequence[int], conditions: torch.Tensor | None = None) -> NetworkBatch:
        """Draw one galaxy for each seed; see `Generator`. Scalars and images are drawn together."""
        refuse_conditions(conditions, self.config.family)
        return drawn_in_calls(
            self._drawn,
            seeds,
            n_numbers=self.config.latent_size + len(self.description.scalar_names) + 1,
            per_call=self.galaxies_per_call,
            description=self.description,
            device=self.marginals.normal.device,
        )

    def _drawn(self, chance: torch.Tensor) -> NetworkBatch:
        """Draw one call's galaxies from normal numbers: z, the scalars' deviations, and the orientation."""
        n_latent, weights = self.config.latent_size, self._drawn_from()
        z = chance[:, :n_latent]
        pixels, scalars = torch.func.functional_call(self.decoder, weights, (z, z))
        if self.config.scalar_law == "gaussian":
            # the decoder's law is Gaussian, not its mean
            scalars = scalars + weights["scalar_deviation"] * chance[:, n_latent:-1]
        if self.config.symmetric:
            pixels = apply_d4(pixels, elements_from_normal(chance[:, -1]))
        return NetworkBatch(pixels, self.marginals.from_normal(scalars))

    def _drawn_from(self) -> dict[str, torch.Tensor]:
        """Weights to draw with: those kept for the wanted or the latest reconstruction weight, else the decoder's."""
        own: dict[str, torch.Tensor] = dict(self.decoder.named_parameters())
        wanted = self.config.drawn_weight
        weights = self.config.reconstruction_weights
        is_kept = torch.isfinite(self.kept_loss).nonzero().flatten().tolist()
        if wanted is not None:
            is_kept = [position for position in is_kept if weights[position] == wanted]
        if not is_kept:
            return own
        parts = torch.split(self.kept[is_kept[-1]], [value.numel() for value in own.values()])
        return {
            name: part.reshape(value.shape) for (name, value), part in zip(own.items(), parts, strict=True)
        }


def _stages(config: VaeConfig, chance: torch.Generator) -> Iterator[Bottleneck]:
    """Residual blocks of all stages."""
    n_now = config.encoder_width
    for stage, n_blocks in enumerate(config.encoder_blocks):
        width = config.encoder_width * 2**stage
        for position in range(n_blocks):
            stride = 2 if stage > 0 and position == 0 else 1
            yield Bottleneck(n_now, width, stride=stride, chance=chance)
            n_now = WIDENING * width
