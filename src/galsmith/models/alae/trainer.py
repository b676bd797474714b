"""The trainer of `alae`: each batch plays adversarially twice, then makes encoder and synthesis reciprocal."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar, cast

import torch
from torch.nn import functional

from galsmith.errors import SettingsError
from galsmith.models.alae.config import AlaeConfig
from galsmith.models.alae.networks import (
    Encoder,
    GrowingSynthesis,
    LatentDiscriminator,
    Stage,
)
from galsmith.models.family import Blueprint, Family, refuse_other_sides
from galsmith.models.layers.adversarial import (
    adversarial_adam,
    discriminator_loss,
    energy_distance,
    generator_loss,
    squared_gradients,
)
from galsmith.models.layers.chance import drawn_rows, step_chance
from galsmith.models.layers.d4 import randomly_turned
from galsmith.models.layers.marginals import fit_scalar_laws
from galsmith.models.layers.optimization import Part, fill_parts, states_of, step_all_or_none
from galsmith.models.protocols import (
    NetworkBatch,
    TrainingProgress,
)
from galsmith.models.shares import Ranks
from galsmith.models.style_based.generator import (
    StyleGenerator,
    plane_units,
    style_network,
    with_scalar_planes,
)
from galsmith.models.style_based.mapping import mixed_styles

Value = TypeVar("Value", int, float)


def stage_at(budget_used: float, *, n_levels: int, growing_share: float) -> Stage:
    """Levels in use and fade, from the share of the budget that is used."""
    if growing_share == 0:
        return Stage(n_levels - 1, 1.0)
    position = budget_used / growing_share * (n_levels - 1)
    level = min(int(position), n_levels - 1)
    # faded in over the first half of its part
    return Stage(level, 1.0 if level == 0 else min(1.0, 2 * (position - level)))


def value_at(side_pix: int, values: Sequence[tuple[int, Value]]) -> Value:
    """Give what is for images of a side; see `AlaeConfig.learning_rates` and `AlaeConfig.level_batches`."""
    return next((value for largest, value in values if side_pix <= largest), values[-1][1])


def shrunk(pixels: torch.Tensor, stage: Stage) -> torch.Tensor:
    """Real images [galaxy, band, y, x] as a stage sees them: averaged to its side, less sharp while it fades in."""
    pixels = functional.avg_pool2d(pixels, pixels.shape[-1] // stage.side)  # flux a pixel is kept, not flux
    if stage.level == 0 or stage.fade == 1:
        return pixels
    coarse = functional.interpolate(functional.avg_pool2d(pixels, 2), scale_factor=2.0, mode="nearest")
    return torch.lerp(coarse, pixels, stage.fade)


def reciprocity_loss(encoded: torch.Tensor, drawn: torch.Tensor, *, kind: str) -> torch.Tensor:
    """How far w [galaxy, latent] comes back from synthesis and encoder (Holzschuh et al. 2022, eq. 7).

    Parameters
    ----------
    encoded, drawn : Tensor [galaxy, latent], float32
        E(G(w)) and w.
    kind : {"l1", "l2"}
        Mean absolute or mean squared difference.
    """
    return functional.l1_loss(encoded, drawn) if kind == "l1" else functional.mse_loss(encoded, drawn)


@dataclass(frozen=True)
class Round:
    """What the three updates of one step share: levels in use, rate, chance, the losses that they note, and who steps."""

    stage: Stage
    rate: float
    chance: torch.Generator
    losses: dict[str, float]
    ranks: Ranks


class AlaeTrainer:
    """Takes three updates a batch (Pidhorskyi et al. 2020, algorithm 1); see `Trainer` for the methods.

    Encoder and discriminator come first, and see both the real and the drawn images: what is not finite shows
    there, and then nothing changes. A later update that is not finite is left out, with those after it.

    """

    def __init__(self, generator: StyleGenerator, blueprint: Blueprint) -> None:
        description, chance = blueprint.description, blueprint.chance
        config: AlaeConfig = blueprint.config
        n_planes = len(description.bands) + len(description.scalar_names)
        widths, latent = config.level_widths(description.size_pix), config.latent_width
        encoder = Encoder(n_planes, widths, latent=latent, chance=chance).to(blueprint.device)
        discriminator = LatentDiscriminator(latent, n_layers=config.discriminator_layers, chance=chance)
        self.generator, self._encoder = generator, encoder
        self._discriminator = discriminator.to(blueprint.device)
        self._synthesis, self._config = cast(GrowingSynthesis, generator.synthesis), config
        self.compacted = generator.marginals.compacted
        self._turned = partial(randomly_turned, symmetric=config.symmetric)
        self._generating = adversarial_adam(generator)
        self._encoding = adversarial_adam(encoder, self._discriminator)
        self._parts: dict[str, Part] = {
            "generator": generator,
            "encoder": encoder,
            "discriminator": self._discriminator,
            "generating": self._generating,
            "encoding": self._encoding,
        }
        self._reached = Stage(0, 0.0)
        self._units = plane_units(description).to(blueprint.device)

    def step(self, batch: NetworkBatch, progress: TrainingProgress) -> Mapping[str, float]:
        """Take the three updates, on one batch of the present level after the other.

        Returns
        -------
        dict of str to float
            ``loss`` is the energy distance between the real and the drawn images of this step, which is not trained
            on; then the three losses, the squared gradient of R1 (0 where it was not taken), and the images' side.
        """
        # a bad image that one process sees is one for all
        is_finite = torch.isfinite(batch.pixels).all() and torch.isfinite(batch.scalars).all()
        if not progress.ranks.all_agree(is_finite):
            return {"loss": math.nan}  # before any of its batches is taken
        stage, batches, n_images = self._stage(progress), self._config.level_batches, len(batch.pixels)
        size = n_images if batches is None else value_at(stage.side, batches) // progress.share.of
        losses: dict[str, float] = {}
        for start in range(0, n_images, size):
            part = NetworkBatch(batch.pixels[start : start + size], batch.scalars[start : start + size])
            seen = replace(progress, images_seen=progress.images_seen + progress.share.whole(start))
            losses = self._round(part, seen, stage)
            if not math.isfinite(losses["loss"]):
                break
        return losses

    def _round(self, batch: NetworkBatch, progress: TrainingProgress, stage: Stage) -> dict[str, float]:
        """Take the three updates on one batch."""
        chance = step_chance(progress, batch.pixels.device)
        real = with_scalar_planes(shrunk(self._turned(batch.pixels, chance), stage), batch.scalars)
        losses = {"side_pix": float(stage.side)}
        rate, ranks = value_at(stage.side, self._config.learning_rates), progress.ranks
        shared = Round(stage, rate, chance, losses, ranks)
        # steps are counted in whole batches
        number = progress.images_seen // progress.share.whole(len(real))
        has_penalty = number % self._config.r1_every == 0
        is_good = (
            self._encode_better(real, shared, has_penalty=has_penalty)
            and self._draw_better(len(real), shared)
            and self._agree_better(len(real), shared)
        )
        losses = ranks.means(losses)
        if not is_good:
            return {**losses, "loss": math.nan}
        # a buffer: averages and snapshots draw at this stage
        self._synthesis.grown.copy_(torch.tensor([float(stage.level), stage.fade]))
        self._reached = stage
        return losses

    def state_dict(self) -> dict[str, Any]:
        """Networks and optimizers."""
        return states_of(self._parts)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        fill_parts(self._parts, state)
        level, fade = self._synthesis.grown.tolist()
        self._reached = Stage(int(level), fade)

    def _encode_better(self, real: torch.Tensor, shared: Round, *, has_penalty: bool) -> bool:
        """Update encoder and discriminator; notes their loss, and the distance of the images."""
        stage, losses = shared.stage, shared.losses
        with torch.no_grad():
            # fixed images: this update is not the generator's
            drawn = self._draw(len(real), shared.chance, stage=stage)
        shown = real.requires_grad_(has_penalty)
        real_logits = self._logits(shown, stage, dtype=torch.float32 if has_penalty else None)
        # Pidhorskyi+20, algorithm 1, step I
        loss = discriminator_loss(real_logits, self._logits(drawn, stage))
        losses["loss"] = energy_distance(real, drawn, ranks=shared.ranks)
        losses["discriminator_loss"] = float(loss.detach())
        losses["squared_gradient"] = 0.0
        if has_penalty:
            squared = squared_gradients(real_logits, shown, units=self._units).mean()
            losses["squared_gradient"] = float(squared.detach())
            # Mescheder+18, eq. 9, taken now and then
            loss = loss + squared * (self._config.r1_weight / 2 * self._config.r1_every)
        return _updated([self._encoding], loss, [self._encoder, self._discriminator], shared)

    def _draw_better(self, n_images: int, shared: Round) -> bool:
        """Update mapping, synthesis and scalar network; notes their loss."""
        # algorithm 1, step II
        drawn = self._draw(n_images, shared.chance, stage=shared.stage)
        loss = generator_loss(self._logits(drawn, shared.stage))
        shared.losses["generator_loss"] = float(loss.detach())
        return _updated([self._generating], loss, [self.generator], shared)

    def _agree_better(self, n_images: int, shared: Round) -> bool:
        """Update encoder and synthesis so that w comes back from its image; notes the loss."""
        stage, chance = shared.stage, shared.chance
        z = drawn_rows(torch.randn, [n_images, self._config.latent_width], chance)
        with torch.no_grad():
            w = self.generator.mapping(z)  # fixed too: the synthesis and the encoder must agree on it
        styles = w[:, None].expand(-1, self._synthesis.n_styles, -1)
        drawn = self._planes(styles, w, chance, stage=stage)
        encoded = self._encoder(drawn, stage=stage, trunk_dtype=self.generator.trunk_dtype)
        # algorithm 1, step III; Holzschuh+22, eq. 7
        loss = reciprocity_loss(encoded, w, kind=self._config.reciprocity)
        shared.losses["reciprocity_loss"] = float(loss.detach())
        return _updated(
            [self._encoding, self._generating],
            loss * self._config.reciprocity_weight,
            [self._encoder, self.generator],
            shared,
        )

    def _logits(self, planes: torch.Tensor, stage: Stage, dtype: torch.dtype | None = None) -> torch.Tensor:
        """Logits of images, [galaxy, 1], in the trunk's precision or another."""
        trunk_dtype = self.generator.trunk_dtype if dtype is None else dtype
        logits: torch.Tensor = self._discriminator(
            self._encoder(planes, stage=stage, trunk_dtype=trunk_dtype)
        )
        return logits

    def _draw(self, n_images: int, chance: torch.Generator, *, stage: Stage) -> torch.Tensor:
        """Draw images as the encoder sees them, with mixed styles, turned, [galaxy, plane, y, x]."""
        w, styles = mixed_styles(
            self.generator.mapping,
            n_images,
            n_styles=2 * (stage.level + 1),
            share=self._config.style_mixing,
            chance=chance,
        )
        return self._turned(self._planes(styles, w, chance, stage=stage), chance)

    def _planes(
        self, styles: torch.Tensor, w: torch.Tensor, chance: torch.Generator, *, stage: Stage
    ) -> torch.Tensor:
        """Make images and scalars of styles and w, with noise drawn from `chance`."""
        synthesis = self._synthesis
        noise = [
            drawn_rows(torch.randn, [len(w), 1, side, side], chance)
            for side in synthesis.noise_sides[: 2 * (stage.level + 1)]
        ]
        pixels = synthesis.at_stage(styles, noise, stage=stage, trunk_dtype=self.generator.trunk_dtype)
        return with_scalar_planes(pixels, self.generator.scalars(w))

    def _stage(self, progress: TrainingProgress) -> Stage:
        """Levels in use now; none is taken away again when a run is extended."""
        n_levels = len(self._synthesis.levels)
        planned = stage_at(progress.budget_used, n_levels=n_levels, growing_share=self._config.growing_share)
        return max(planned, self._reached, key=lambda stage: (stage.level, stage.fade))


def _updated(
    optimizers: Sequence[torch.optim.Optimizer],
    loss: torch.Tensor,
    networks: Sequence[torch.nn.Module],
    shared: Round,
) -> bool:
    """Step on the gradient of a loss in the weights of some networks; whether it was finite and the step taken."""
    for optimizer in optimizers:
        optimizer.zero_grad(set_to_none=True)
    learned = [value for network in networks for value in network.parameters()]
    torch.autograd.backward(loss, inputs=learned)
    value = float(loss.detach())
    return step_all_or_none(optimizers, [value], rate=shared.rate, ranks=shared.ranks)


def _check_ranks(config: AlaeConfig, batch_size: int, n_ranks: int) -> None:
    """Refuse batches of some levels that processes do not divide."""
    sizes = {batch_size} if config.level_batches is None else {size for _, size in config.level_batches}
    # the last of a step's batches has what is left
    taken = {size for whole in sizes for size in (min(whole, batch_size), batch_size % whole)}
    if any(size % n_ranks for size in taken):
        raise SettingsError(
            f"{n_ranks} processes do not divide the batches of every side, out of steps of {batch_size} images",
            argument="model.level_batches",
            came=config.level_batches,
            wanted=f"multiples of {n_ranks}, and a training.batch_size that leaves one",
            way_out="set them, or start fewer processes",
        )


FAMILY = Family(
    name="alae",
    config=AlaeConfig,
    network=style_network(GrowingSynthesis),
    trainer=AlaeTrainer,
    fit=fit_scalar_laws,
    check=refuse_other_sides,
    check_ranks=_check_ranks,
    widths=("max_width",),
    rates=("learning_rates",),
    beside_generator=("encoder", "discriminator"),
    why_not_from_snapshot="a run grows its images from the smallest side again",
)
