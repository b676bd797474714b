"""`cnn`: the paper's plain convolutional network (appendix D; 1,098,737 parameters at 1000 px)."""

import itertools
from collections.abc import Mapping
from typing import Any

import torch
from numpy.typing import NDArray

from galsmith.images.image_set import PixelSequence
from galsmith.models.layers.chance import generator_from_seed
from galsmith.models.layers.same_padding import GlorotLinear, glorot_kernel
from galsmith.score.method import Floats, Learning, Method
from galsmith.score.regression import RegressionSettings, ScoreNetwork, Stage, fit_network, restored
from galsmith.seeds import derive_seed

CHANNELS = (1, 4, 8, 16, 32, 64, 128, 256)  # appendix 6
KERNEL, SMALLEST_LAST_SIDE = 5, 4
SLOPE = 0.3  # Keras' LeakyReLU
EPSILON, MOMENTUM = 1e-3, 0.01  # Keras' BatchNormalization; it counts the old share, torch the new one


class CnnSettings(RegressionSettings):
    """As published: Adam 1e-3, a rate that falls when validation stagnates.

    Attributes
    ----------
    rate : float
        Adam's.
    factor : float
        By which it falls.
    patience : int
        After so many epochs without a better validation.
    """

    rate: float = 1e-3
    factor: float = 0.5
    patience: int = 6


def strides_of(size_pix: int) -> tuple[int, ...]:
    """Say which of the seven convolutions halve the side: the first ones.

    As published all do, from 1000 px to 4 px. Smaller fields keep every layer, and the last ones do not halve: as many
    halve as leave 4 px or more; 500 px also end at 4 px, 250 px at 12 px.

    Raises
    ------
    ValueError
        If none is left even where none halves.
    """
    for count in range(len(CHANNELS) - 1, -1, -1):
        strides = tuple(2 if position < count else 1 for position in range(len(CHANNELS) - 1))
        if last_side(size_pix, strides) >= SMALLEST_LAST_SIDE:
            return strides
    raise ValueError(f"fields of {size_pix} px are too small for seven convolutions; wanted 32 px or more")


def last_side(size_pix: int, strides: tuple[int, ...]) -> int:
    """Side that is left by convolutions without padding."""
    side = size_pix
    for stride in strides:
        side = (side - KERNEL) // stride + 1 if side >= KERNEL else 0
    return side


class PlainNetwork(torch.nn.Module):
    """Seven convolutions, each with normalization and LeakyReLU, and a dense layer (appendix 6).

    Parameters
    ----------
    size_pix : int
        Side of the fields.
    chance : torch.Generator
        Draws the first weights.
    """

    def __init__(self, size_pix: int, *, chance: torch.Generator) -> None:
        super().__init__()
        strides = strides_of(size_pix)
        layers: list[torch.nn.Module] = []
        for (n_in, n_out), stride in zip(itertools.pairwise(CHANNELS), strides, strict=True):
            layers += [keras_conv(n_in, n_out, KERNEL, stride=stride, chance=chance), *normalized(n_out)]
        self.layers = torch.nn.Sequential(*layers)
        self.leave = GlorotLinear(CHANNELS[-1] * last_side(size_pix, strides) ** 2, 1, chance=chance)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Map [field, 1, y, x] in 0 to 1 to [field, 1]."""
        values: torch.Tensor = self.leave(self.layers(pixels).flatten(1))
        return values


def keras_conv(
    n_in: int, n_out: int, kernel: int, *, stride: int = 1, chance: torch.Generator
) -> torch.nn.Conv2d:
    """Make a convolution without padding, with Keras' first weights."""
    made = torch.nn.Conv2d(n_in, n_out, kernel, stride)
    made.weight = glorot_kernel((n_out, n_in, kernel, kernel), chance)
    torch.nn.init.zeros_(made.bias) if made.bias is not None else None
    return made


def normalized(n_channels: int, *, is_flat: bool = False) -> list[torch.nn.Module]:
    """Give what follows each layer: batch normalization as Keras has it, and LeakyReLU."""
    kind = torch.nn.BatchNorm1d if is_flat else torch.nn.BatchNorm2d
    return [kind(n_channels, eps=EPSILON, momentum=MOMENTUM), torch.nn.LeakyReLU(SLOPE)]


def fit(seen: PixelSequence, scores: Floats, settings: CnnSettings, learning: Learning) -> ScoreNetwork:
    """Fit the network in one stage."""
    chance = generator_from_seed(derive_seed(learning.seed, "score.weights"))
    network = PlainNetwork(learning.side_pix, chance=chance)
    stage = Stage("all layers", settings.rate, settings.factor, settings.patience)
    facts = {"side_pix": learning.side_pix}
    return fit_network(
        network, seen, scores, stages=[stage], settings=settings, learning=learning, facts=facts
    )


def restore(page: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> ScoreNetwork:
    """Build the network anew and fill it."""
    network = PlainNetwork(int(page["facts"]["side_pix"]), chance=generator_from_seed(0))
    return restored(network, page, arrays)


METHOD = Method("cnn", CnnSettings, fit, restore)
