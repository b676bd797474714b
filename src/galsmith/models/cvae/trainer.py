"""The trainer of `cvae`: steps on the evidence lower bound with the cross-entropy of the pixels."""

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import torch

from galsmith.models.cvae.config import CvaeConfig
from galsmith.models.cvae.networks import CvaeEncoder, CvaeGenerator, said_of_pixels
from galsmith.models.family import Blueprint, Family, refuse_ranks
from galsmith.models.latent_generator import pictures_of_sides
from galsmith.models.layers.batch_normalization import keep_statistics
from galsmith.models.layers.chance import step_chance
from galsmith.models.layers.d4 import randomly_turned
from galsmith.models.layers.doublings import refuse_sides_out_of_reach
from galsmith.models.layers.evidence_bound import drawn_latent, excess_cross_entropy, gaussian_divergence
from galsmith.models.layers.optimization import Part, fill_parts, guarded_step, states_of
from galsmith.models.protocols import NetworkBatch, TrainingProgress

LARGEST_GRADIENT = 10.0


class CvaeTrainer:
    """Takes steps on the evidence lower bound; see `Trainer` for the methods."""

    def __init__(self, generator: CvaeGenerator, blueprint: Blueprint) -> None:
        encoder = CvaeEncoder(blueprint).to(blueprint.device)
        self.generator, self._encoder, self._config = generator, encoder, blueprint.config
        self._turned = partial(randomly_turned, symmetric=self._config.symmetric)
        learned = [value for value in generator.parameters() if value.requires_grad]
        self._optimizer = torch.optim.Adam(
            [*learned, *encoder.parameters()], lr=self._config.learning_rate, fused=True
        )
        self._parts: dict[str, Part] = {
            "generator": generator,
            "encoder": encoder,
            "optimizer": self._optimizer,
        }

    def compacted(self, batch: NetworkBatch) -> NetworkBatch:
        """Return the images as they are."""
        return batch

    def step(self, batch: NetworkBatch, progress: TrainingProgress) -> Mapping[str, float]:
        """Take one step.

        Returns
        -------
        dict of str to float
            ``loss`` is the negative evidence lower bound in nats a pixel, less the entropy of the images; then its two
            terms, the excess of the cross-entropy a pixel and the divergence of z an image.
        """
        self.generator.train()
        chance = step_chance(progress, batch.pixels.device)
        pixels = self._turned(batch.pixels, chance)
        noise = torch.randn((len(pixels), self._config.latent_size), generator=chance, device=pixels.device)
        mean, log_variance = self._encoder(pixels)
        said = said_of_pixels(self.generator.decoder, drawn_latent(mean, log_variance, noise), self._config)
        excess = excess_cross_entropy(said, pixels)
        divergence = gaussian_divergence(mean, log_variance)
        # Kingma & Welling 2014, eq. 7, in nats a pixel: gradients are then alike at all sides
        n_values = pixels[0].numel()
        bound = (excess + self._config.divergence_weight * divergence).mean() / n_values
        loss = guarded_step(
            self._optimizer, bound, rate=self._config.learning_rate, largest_gradient=LARGEST_GRADIENT
        )
        if math.isfinite(loss):
            keep_statistics(self.generator)
        return {
            "loss": loss,
            "cross_entropy": float(excess.detach().mean()) / n_values,
            "divergence": float(divergence.detach().mean()),
        }

    def state_dict(self) -> dict[str, Any]:
        """Both networks and the optimizer."""
        return states_of(self._parts)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        fill_parts(self._parts, state)


FAMILY = Family(
    name="cvae",
    config=CvaeConfig,
    network=CvaeGenerator,
    trainer=CvaeTrainer,
    check=pictures_of_sides(refuse_sides_out_of_reach),
    check_ranks=refuse_ranks("its batch normalization takes mean and deviation of a whole batch"),
    widths=("width",),
    fitted_to_set=(),
    beside_generator=("encoder",),
    why_not_from_snapshot="a decoder forgets what it knows before a new encoder finds its way into it",
)
