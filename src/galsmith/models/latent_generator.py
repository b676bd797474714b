"""Drawing pictures from a latent alone: for families that learn pixels between black and white and nothing beside them."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch

from galsmith.errors import SettingsError
from galsmith.models.family import Blueprint
from galsmith.models.layers.chance import drawn_in_calls, drawn_rows, refuse_conditions
from galsmith.models.layers.d4 import apply_d4, elements_from_normal
from galsmith.models.protocols import DataDescription, NetworkBatch

PIXELS_PER_CALL, GALAXIES_AT_MOST = 2**22, 64

LatentLaw = Literal["normal", "uniform"]


class LatentGenerator(torch.nn.Module):
    """Draws z, and pixels of it.

    Parameters
    ----------
    decoder : torch.nn.Module
        z [galaxy, latent] -> pixels [galaxy, band, y, x], float32.
    blueprint : Blueprint
        Whose config has `latent_size` and `symmetric`.
    law : {"normal", "uniform"}
        Of each number of z: standard normal, or even in -1 to 1.

    Attributes
    ----------
    galaxies_per_call : int
        At most 64, fewer of large images.
    """

    def __init__(self, decoder: torch.nn.Module, blueprint: Blueprint, *, law: LatentLaw) -> None:
        super().__init__()
        self.config, self.description, self.law = blueprint.config, blueprint.description, law
        self.decoder = decoder
        # about a hundred MB of the widest activations
        per_call = PIXELS_PER_CALL // blueprint.description.size_pix**2
        self.galaxies_per_call = min(GALAXIES_AT_MOST, max(1, per_call))

    def latents(self, n: int, chance: torch.Generator) -> torch.Tensor:
        """Draw z for training, [galaxy, latent]."""
        return self._of_law(drawn_rows(torch.randn, [n, self.config.latent_size], chance))

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """Map z [galaxy, latent] to pixels [galaxy, band, y, x], float32."""
        pixels: torch.Tensor = self.decoder(z)
        return pixels

    @torch.inference_mode()
    def sample(self, seeds: Sequence[int], conditions: torch.Tensor | None = None) -> NetworkBatch:
        """Draw one galaxy for each seed; see `Generator`."""
        refuse_conditions(conditions, self.config.family)
        return drawn_in_calls(
            self._drawn,
            seeds,
            n_numbers=self.config.latent_size + 1,
            per_call=self.galaxies_per_call,
            description=self.description,
            device=next(self.parameters()).device,
        )

    def _drawn(self, chance: torch.Tensor) -> NetworkBatch:
        """Draw one call's galaxies from normal numbers: z and the orientation."""
        pixels = self(self._of_law(chance[:, :-1]))
        if self.config.symmetric:
            pixels = apply_d4(pixels, elements_from_normal(chance[:, -1]))
        return NetworkBatch(pixels, pixels.new_empty((len(pixels), 0)))

    def _of_law(self, normal: torch.Tensor) -> torch.Tensor:
        """Bring standard normal numbers to the law of z."""
        # twice the normal law's own quantile less one
        return normal if self.law == "normal" else torch.erf(normal / 2**0.5)


def pictures_of_sides(
    refuse_sides: Callable[[str, int], None],
) -> Callable[[Any, DataDescription], None]:
    """Make the check of a family that learns pictures alone, of sides that it reaches.

    Parameters
    ----------
    refuse_sides : callable
        Given the family's name and a side in pixels, raises `SettingsError` where it does not reach it.
    """

    def check(config: Any, description: DataDescription) -> None:
        refuse_all_but_pictures(config, description)
        refuse_sides(config.family, description.size_pix)

    return check


def refuse_all_but_pictures(config: Any, description: DataDescription) -> None:
    """Refuse sets whose pixels have no black and white, or something beside them.

    Raises
    ------
    SettingsError
        With the transform to set.
    """
    if description.pixel_range != (0.0, 1.0) or description.scalar_names:
        raise SettingsError(
            f"{config.family} learns pictures alone, pixels between black and white with nothing beside them: set "
            "transform.kind=display, for images in unit 'display'"
        )
