"""Drawing galaxies with a style-based generator: z to w, w to scalars and pixels, one stream a galaxy."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from torch.nn import functional

from galsmith.models.family import Blueprint
from galsmith.models.layers.chance import drawn_in_calls, refuse_conditions
from galsmith.models.layers.d4 import apply_d4, elements_from_normal
from galsmith.models.layers.marginals import NormalMarginals
from galsmith.models.protocols import DataDescription, NetworkBatch
from galsmith.models.style_based.mapping import MappingNetwork, ScalarNetwork
from galsmith.models.style_based.sides import network_side

GALAXIES_PER_CALL, PIXELS_PER_CALL = 32, 2**21


class Synthesis(Protocol):
    """A network that makes pixels from styles and noise; what a family adds.

    It is built by ``(n_bands, widths, *, latent, chance)``: of the images; channels of each level by its side, from 4
    pixels to that of the images; width of w; and the stream that draws the first weights.
    """

    n_styles: int
    """How many w it takes, the coarsest level's first."""

    noise_sides: tuple[int, ...]
    """Sides of the noise images that it takes, in order."""

    def __call__(
        self, styles: torch.Tensor, noise: Sequence[torch.Tensor], *, trunk_dtype: torch.dtype
    ) -> torch.Tensor:
        """Map styles [galaxy, style, latent] and noise [galaxy, 1, side, side] each to [galaxy, band, y, x]."""


class StyleGenerator(torch.nn.Module):
    """Draws scalars and pixels together.

    Parameters
    ----------
    synthesis : Synthesis
        The family's own network, a `torch.nn.Module`.
    blueprint : Blueprint
        Whose config is of `DrawingSettings`; bfloat16 runs all of the synthesis but its last convolutions in it.

    Attributes
    ----------
    galaxies_per_call : int
        At most 32, fewer of large images.
    """

    synthesis: Synthesis

    def __init__(self, synthesis: Synthesis, blueprint: Blueprint) -> None:
        super().__init__()
        config, description, chance = blueprint.config, blueprint.description, blueprint.chance
        self.config, self.description = config, description
        self.trunk_dtype = blueprint.trunk_dtype
        n_scalars = len(description.scalar_names)
        self.galaxies_per_call = min(GALAXIES_PER_CALL, PIXELS_PER_CALL // network_side(description) ** 2)
        self.mapping = MappingNetwork(
            config.latent_width,
            n_layers=config.mapping_layers,
            z_width=config.z_width,
            chance=chance,
        )
        self.scalar_network = (
            ScalarNetwork(config.latent_width, n_scalars, chance=chance) if n_scalars else None
        )
        self.synthesis = synthesis
        self.marginals = NormalMarginals(n_scalars)

    @property
    def n_noise(self) -> int:
        """Noise values a galaxy."""
        return sum(side**2 for side in self.synthesis.noise_sides)

    def scalars(self, w: torch.Tensor) -> torch.Tensor:
        """Predict scalars [galaxy, scalar], as normal numbers, from w [galaxy, latent]."""
        if self.scalar_network is None:
            return w[:, :0]
        predicted: torch.Tensor = self.scalar_network(w)
        return predicted

    def pixels(self, styles: torch.Tensor, noise: torch.Tensor, *, trunk_dtype: torch.dtype) -> torch.Tensor:
        """Make pixels [galaxy, band, y, x], float32.

        Parameters
        ----------
        styles : Tensor [galaxy, style, latent]
            The w of each style, the coarsest level's first.
        noise : Tensor [galaxy, value]
            Standard normal numbers of all noise images, `n_noise` of them.
        """
        sides = self.synthesis.noise_sides
        parts = torch.split(noise, [side**2 for side in sides], dim=1)
        images = [part.reshape(-1, 1, side, side) for part, side in zip(parts, sides, strict=True)]
        return self.synthesis(styles, images, trunk_dtype=trunk_dtype)

    @torch.inference_mode()
    def sample(self, seeds: Sequence[int], conditions: torch.Tensor | None = None) -> NetworkBatch:
        """Draw one galaxy for each seed; see `Generator`. Scalars and images are drawn together."""
        refuse_conditions(conditions, self.config.family)
        return drawn_in_calls(
            self._drawn,
            seeds,
            n_numbers=self.mapping.z_width + self.n_noise + 1,
            per_call=self.galaxies_per_call,
            description=self.description,
            device=self.marginals.normal.device,
        )

    def _drawn(self, chance: torch.Tensor) -> NetworkBatch:
        """Draw one call's galaxies from normal numbers: z, all noise images, and the orientation."""
        width = self.mapping.z_width
        w = self.mapping(chance[:, :width])  # Karras+19, fig. 1b: f
        styles = w[:, None].expand(-1, self.synthesis.n_styles, -1)
        framed = self.pixels(styles, chance[:, width:-1], trunk_dtype=self.trunk_dtype)
        pixels = unframed(framed, self.description.size_pix)
        if self.config.symmetric:
            pixels = apply_d4(pixels, elements_from_normal(chance[:, -1]))
        return NetworkBatch(pixels, self.marginals.from_normal(self.scalars(w)))


def style_network(synthesis: Callable[..., Any]) -> Callable[[Blueprint], StyleGenerator]:
    """Say how a family builds its generator, of what builds its `Synthesis`."""

    def network(blueprint: Blueprint) -> StyleGenerator:
        config, description = blueprint.config, blueprint.description
        widths = config.level_widths(network_side(description))
        pixels_of = synthesis(
            len(description.bands), widths, latent=config.latent_width, chance=blueprint.chance
        )
        return StyleGenerator(pixels_of, blueprint)

    return network


def with_scalar_planes(pixels: torch.Tensor, scalars: torch.Tensor) -> torch.Tensor:
    """Append each scalar [galaxy, scalar] as a constant plane to pixels [galaxy, band, y, x]."""
    planes = scalars[:, :, None, None].expand(-1, -1, *pixels.shape[2:])
    return torch.cat([pixels, planes], dim=1)


def plane_units(description: DataDescription) -> torch.Tensor:
    """Give the unit of each plane of `with_scalar_planes` that a paper's penalties are meant in, [1, plane, 1, 1]."""
    bands, scalars = len(description.bands), len(description.scalar_names)
    return torch.tensor([description.pixel_unit] * bands + [1.0] * scalars)[None, :, None, None]


def framed(pixels: torch.Tensor, side: int) -> torch.Tensor:
    """Put black around images [galaxy, band, y, x] up to a side: 1000 px lie at 12 to 1012 of 1024 (ETHZ CIL 2020)."""
    missing = side - pixels.shape[-1]
    before, after = missing // 2, missing - missing // 2
    return functional.pad(pixels, (before, after, before, after))


def unframed(pixels: torch.Tensor, side: int) -> torch.Tensor:
    """Undo `framed`: cut the middle out."""
    start = (pixels.shape[-1] - side) // 2
    return pixels[:, :, start : start + side, start : start + side]
