"""From normal numbers z to the latent w of a galaxy, and from w to its scalars."""

import itertools
from functools import partial

import torch

from galsmith.models.layers.chance import drawn_rows
from galsmith.models.style_based.equalized import EqualizedLinear, leaky

RATE_MULTIPLIER = 0.01  # Karras+19, app. C
SCALAR_WIDTH = 64
SMALLEST_MEAN_SQUARE = 1e-8


class MappingNetwork(torch.nn.Module):
    """Maps z to w through equal layers that learn at a hundredth of the rate (Karras et al. 2019, app. C).

    Parameters
    ----------
    width : int
        Of w.
    n_layers : int
        Each a linear layer and a leaky ReLU.
    z_width : int, optional
        Of z, where it is another than that of w.
    chance : torch.Generator
        Draws the first weights.
    """

    def __init__(
        self, width: int, *, n_layers: int, z_width: int | None = None, chance: torch.Generator
    ) -> None:
        super().__init__()
        self.z_width = width if z_width is None else z_width
        widths = (self.z_width, *[width] * n_layers)
        self.layers = torch.nn.ModuleList(
            EqualizedLinear(n_in, n_out, rate_multiplier=RATE_MULTIPLIER, chance=chance)
            for n_in, n_out in itertools.pairwise(widths)
        )

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """Map [galaxy, z_width] to [galaxy, width]; z is brought to unit mean square first."""
        # Karras+18, sec. 4.2, on z
        values = z * (z.square().mean(dim=1, keepdim=True) + SMALLEST_MEAN_SQUARE).rsqrt()
        for layer in self.layers:
            values = leaky(layer(values))
        return values


class ScalarNetwork(torch.nn.Module):
    """Predicts a galaxy's scalars from its w (Holzschuh et al. 2022, app. A2, where it is the native size).

    Parameters
    ----------
    width, n_scalars : int
        Of w, and columns to predict.
    chance : torch.Generator
        Draws the first weights.
    """

    def __init__(self, width: int, n_scalars: int, *, chance: torch.Generator) -> None:
        super().__init__()
        self.enter = EqualizedLinear(width, SCALAR_WIDTH, chance=chance)
        self.leave = EqualizedLinear(SCALAR_WIDTH, n_scalars, chance=chance)

    def forward(self, w: torch.Tensor) -> torch.Tensor:
        """Map [galaxy, width] to scalars as normal numbers, [galaxy, scalar]."""
        scalars: torch.Tensor = self.leave(leaky(self.enter(w)))
        return scalars


def mixed_styles(
    mapping: MappingNetwork, n_images: int, *, n_styles: int, share: float, chance: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw styles for training, some of whose fine levels follow another galaxy (Karras et al. 2019, sec. 3.1).

    Parameters
    ----------
    n_images, n_styles : int
        How many, and of how many levels; 2 styles or more.
    share : float
        Of the images that are mixed, each from a level of its own.
    chance : torch.Generator
        Draws all of it, on the device of the weights.

    Returns
    -------
    Tensor [galaxy, width]
        The w of the coarsest style.
    Tensor [galaxy, style, width]
        The w of each.
    """
    z = drawn_rows(torch.randn, [2 * n_images, mapping.z_width], chance)
    w, other = mapping(z).chunk(2)
    first_other = drawn_rows(partial(torch.randint, 1, n_styles), [n_images, 1], chance)
    is_mixed = drawn_rows(torch.rand, [n_images, 1], chance) < share
    # from a random level on (Karras+19, sec. 3.1)
    takes_other = is_mixed & (torch.arange(n_styles, device=chance.device) >= first_other)
    return w, torch.where(takes_other[:, :, None], other[:, None], w[:, None])
