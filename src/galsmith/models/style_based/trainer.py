"""Adversarial steps of a style-based generator against the residual discriminator, all or nothing."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch

from galsmith.errors import SettingsError
from galsmith.models.family import Blueprint, Family
from galsmith.models.layers.adversarial import (
    GAMES,
    LARGEST_GROUP,
    adversarial_adam,
    energy_distance,
    group_size,
    path_lengths,
    played,
    squared_gradients,
)
from galsmith.models.layers.chance import drawn_rows, step_chance
from galsmith.models.layers.d4 import randomly_turned
from galsmith.models.layers.marginals import fit_scalar_laws
from galsmith.models.layers.optimization import Part, fill_parts, states_of, step_all_or_none
from galsmith.models.protocols import (
    DataDescription,
    NetworkBatch,
    TrainingProgress,
)
from galsmith.models.shares import Ranks
from galsmith.models.style_based.discriminator import ResidualDiscriminator
from galsmith.models.style_based.generator import (
    StyleGenerator,
    framed,
    plane_units,
    style_network,
    with_scalar_planes,
)
from galsmith.models.style_based.mapping import mixed_styles
from galsmith.models.style_based.settings import StyleSettings, auto_r1_weight
from galsmith.models.style_based.sides import network_side, refuse_sides_not_framed

PATH_LENGTH_MEMORY = 0.99  # Karras+20, app. B: decay of the running mean a


class StyleTrainer:
    """Takes adversarial steps; see `Trainer` for the methods.

    Both networks' gradients are taken at the same weights and with the same drawn images, then both step: the
    discriminator sees drawn images once a step, and a step can be refused as a whole.

    """

    def __init__(self, generator: StyleGenerator, blueprint: Blueprint) -> None:
        description, config = blueprint.description, blueprint.config
        discriminator = ResidualDiscriminator(
            len(description.bands) + len(description.scalar_names),
            config.level_widths(network_side(description)),
            chance=blueprint.chance,
        ).to(blueprint.device)
        self.generator, self._discriminator, self._config = generator, discriminator, config
        self.compacted = generator.marginals.compacted
        self._turned = partial(randomly_turned, symmetric=config.symmetric)
        self._networks: dict[str, Part] = {"generator": generator, "discriminator": discriminator}
        self._optimizers = {
            name: adversarial_adam(network, rate=config.learning_rate, betas=(0.0, config.adam_beta2))
            for name, network in (("generator", generator), ("discriminator", discriminator))
        }
        self._side_pix = network_side(description)
        self._units = plane_units(description).to(blueprint.device)
        self._mean_path_length, self._mean_squared_gradient = 0.0, 0.0

    def step(self, batch: NetworkBatch, progress: TrainingProgress) -> Mapping[str, float]:
        """Take one step of both networks, regularized when it is time.

        Returns
        -------
        dict of str to float
            ``loss`` is the energy distance between the real and the drawn images of this step: it is not
            trained on, and unlike the networks' own losses it falls as the generator learns. Then these, and
            the two regularizers as they were last measured.
        """
        device = batch.pixels.device
        chance = step_chance(progress, device)
        n_whole = progress.share.whole(len(batch.pixels))
        number = progress.images_seen // n_whole  # the step's number, also after a resume
        turned = self._turned(framed(batch.pixels, self._side_pix), chance)
        real = with_scalar_planes(turned, batch.scalars)
        for optimizer in self._optimizers.values():
            optimizer.zero_grad(set_to_none=True)
        drawn, losses = self._play(real, chance)
        measured = {
            "squared_gradient": self._mean_squared_gradient,
            "path_length": self._mean_path_length,
        }
        if self._config.r1_weight != 0 and number % self._config.r1_every == 0:
            measured["squared_gradient"] = self._flatten_discriminator(real, n_whole=n_whole)
        if self._config.path_length_weight > 0 and number % self._config.path_length_every == 0:
            measured["path_length"] = self._even_path_lengths(len(real), chance, progress.ranks)
        losses = progress.ranks.means({**losses, **measured})
        losses = {"loss": energy_distance(real, drawn, ranks=progress.ranks), **losses}
        return self._finish(losses, progress.ranks)

    def state_dict(self) -> dict[str, Any]:
        """Networks, optimizers, and the regularizers' running means."""
        return {
            **states_of(self._networks),
            "optimizers": states_of(self._optimizers),
            "mean_path_length": self._mean_path_length,
            "mean_squared_gradient": self._mean_squared_gradient,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        fill_parts(self._networks, state)
        fill_parts(self._optimizers, state["optimizers"])
        self._mean_path_length = state["mean_path_length"]
        self._mean_squared_gradient = state["mean_squared_gradient"]

    def _play(self, real: torch.Tensor, chance: torch.Generator) -> tuple[torch.Tensor, dict[str, float]]:
        """Leave both networks' gradients of what they play for; returns drawn planes and the losses."""
        logits_of = partial(self._discriminator, trunk_dtype=self.generator.trunk_dtype)
        drawn = self._draw(len(real), chance)
        return played(GAMES[self._config.game], self._discriminator, logits_of, real=real, drawn=drawn)

    def _flatten_discriminator(self, real: torch.Tensor, *, n_whole: int) -> float:
        """Add the gradient of R1, in float32, in steps of `n_whole` images; returns the mean squared gradient."""
        shown = real.detach().requires_grad_()
        squared = squared_gradients(self._discriminator(shown), shown, units=self._units).mean()
        weight = self._config.r1_weight
        if weight is None:
            weight = auto_r1_weight(real.shape[-1], n_whole)
        torch.autograd.backward(
            # Mescheder+18, eq. 9
            squared * (weight / 2 * self._config.r1_every),
            inputs=list(self._discriminator.parameters()),
        )
        return float(squared.detach())

    def _even_path_lengths(self, n_images: int, chance: torch.Generator, ranks: Ranks) -> float:
        """Add the gradient of the path-length regularization, in float32; returns the new running mean."""
        # Karras+20, app. B: on half a batch
        styles, noise = self._styles_and_noise(max(n_images // 2, 1), chance)[1:]
        pixels = self.generator.pixels(styles, noise, trunk_dtype=torch.float32)
        lengths = path_lengths(pixels, styles, chance=chance) / self.generator.description.pixel_unit
        # a is of the whole batch: the target of every process is the same
        newest = float(ranks.mean(lengths.detach().mean()))
        mean = PATH_LENGTH_MEMORY * self._mean_path_length + (1 - PATH_LENGTH_MEMORY) * newest
        # Karras+20, app. B: lazy, so each counts as often
        weight = self._config.path_length_weight * self._config.path_length_every
        torch.autograd.backward((lengths - mean).square().mean() * weight)  # Karras+20, eq. 4
        return mean

    def _finish(self, losses: dict[str, float], ranks: Ranks) -> dict[str, float]:
        """Step both networks, or none; the running means follow."""
        is_good = step_all_or_none(
            list(self._optimizers.values()), losses.values(), rate=self._config.learning_rate, ranks=ranks
        )
        if not is_good:
            return {**losses, "loss": float("nan")}
        self._mean_squared_gradient = losses["squared_gradient"]
        self._mean_path_length = losses["path_length"]
        return losses

    def _draw(self, n_images: int, chance: torch.Generator) -> torch.Tensor:
        """Draw planes as the discriminator sees them, [galaxy, plane, y, x], with their graph."""
        w, styles, noise = self._styles_and_noise(n_images, chance)
        pixels = self.generator.pixels(styles, noise, trunk_dtype=self.generator.trunk_dtype)
        return with_scalar_planes(self._turned(pixels, chance), self.generator.scalars(w))

    def _styles_and_noise(
        self, n_images: int, chance: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Draw w [galaxy, latent], styles [galaxy, style, latent] with mixed fine levels, and noise."""
        network = self.generator
        w, styles = mixed_styles(
            network.mapping,
            n_images,
            n_styles=network.synthesis.n_styles,
            share=self._config.style_mixing,
            chance=chance,
        )
        noise = drawn_rows(torch.randn, [n_images, network.n_noise], chance)
        return w, styles, noise


def style_family(name: str, config: type[StyleSettings], synthesis: Callable[..., Any]) -> Family:
    """Make the record of a style-based family of its synthesis network; all else is the same for each of them.

    Parameters
    ----------
    name : str
        Of the family.
    config : type of StyleSettings
        Its settings.
    synthesis : callable
        Builds its `Synthesis`.
    """
    return Family(
        name=name,
        config=config,
        network=style_network(synthesis),
        trainer=StyleTrainer,
        fit=fit_scalar_laws,
        check=_check,
        check_ranks=_check_ranks,
        widths=("channel_base",),
        beside_generator=("discriminator",),
    )


def _check_ranks(config: StyleSettings, batch_size: int, n_ranks: int) -> None:
    """Refuse shares of a batch whose groups, or whose halves for path lengths, are not those of the batch."""
    mine = batch_size // n_ranks
    # equal sizes are the same groups: a share has every n-th place
    are_groups_kept = group_size(mine) == group_size(batch_size)
    are_halves_kept = config.path_length_weight == 0 or max(batch_size // 2, 1) == n_ranks * max(mine // 2, 1)
    if not (are_groups_kept and are_halves_kept):
        raise SettingsError(
            f"leaves {mine} images to each of {n_ranks} processes, and {config.family} looks at groups of "
            f"{group_size(batch_size)} of them",
            argument="training.batch_size",
            came=batch_size,
            wanted=f"a multiple of {LARGEST_GROUP * n_ranks}",
            way_out="set it, or start fewer processes",
        )


def _check(config: StyleSettings, description: DataDescription) -> None:
    """Refuse sides that cannot be halved to 4, or that leave a level without channels."""
    refuse_sides_not_framed(config, description)
    config.level_widths(network_side(description))
