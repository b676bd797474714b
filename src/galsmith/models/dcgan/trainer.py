"""The trainer of `dcgan`: both networks step on the logistic losses, all or nothing."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from galsmith.models.dcgan.config import DcganConfig
from galsmith.models.dcgan.networks import DcganDiscriminator, dcgan_network, refuse_sides_not_doubled
from galsmith.models.family import Blueprint, Family, refuse_ranks
from galsmith.models.latent_generator import LatentGenerator, pictures_of_sides
from galsmith.models.layers.adversarial import GAMES, adversarial_adam, energy_distance, played
from galsmith.models.layers.batch_normalization import keep_statistics
from galsmith.models.layers.chance import step_chance
from galsmith.models.layers.d4 import randomly_turned
from galsmith.models.layers.optimization import Part, fill_parts, states_of, step_all_or_none
from galsmith.models.protocols import NetworkBatch, TrainingProgress

ADAM_BETAS = (0.9, 0.999)  # those of Keras


class DcganTrainer:
    """Takes adversarial steps; see `Trainer` for the methods."""

    def __init__(self, generator: LatentGenerator, blueprint: Blueprint) -> None:
        discriminator = DcganDiscriminator(blueprint).to(blueprint.device)
        self.generator, self._discriminator = generator, discriminator
        self._config = blueprint.config
        self._turned = partial(randomly_turned, symmetric=self._config.symmetric)
        self._networks: dict[str, Part] = {"generator": generator, "discriminator": discriminator}
        self._optimizers = {
            name: adversarial_adam(network, rate=self._config.learning_rate, betas=ADAM_BETAS)
            for name, network in (("generator", generator), ("discriminator", discriminator))
        }

    def compacted(self, batch: NetworkBatch) -> NetworkBatch:
        """Return the images as they are."""
        return batch

    def step(self, batch: NetworkBatch, progress: TrainingProgress) -> Mapping[str, float]:
        """Take one step of both networks.

        Returns
        -------
        dict of str to float
            ``loss`` is the energy distance between the real and the drawn images of this step, which is not trained
            on; then the losses of both networks.
        """
        self.generator.train()
        chance = step_chance(progress, batch.pixels.device)
        real = self._turned(batch.pixels, chance)
        for optimizer in self._optimizers.values():
            optimizer.zero_grad(set_to_none=True)
        # one batch of drawn images for both networks, as in the published code
        drawn = self._turned(self.generator(self.generator.latents(len(real), chance)), chance)
        logits_of = partial(self._discriminator, chance=chance)
        shown, losses = played(GAMES["logistic"], self._discriminator, logits_of, real=real, drawn=drawn)
        losses = {"loss": energy_distance(real, shown), **losses}
        optimizers = list(self._optimizers.values())
        if not step_all_or_none(optimizers, losses.values(), rate=self._config.learning_rate):
            return {**losses, "loss": float("nan")}
        keep_statistics(self.generator)
        return losses

    def state_dict(self) -> dict[str, Any]:
        """Networks and optimizers."""
        return {**states_of(self._networks), "optimizers": states_of(self._optimizers)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        fill_parts(self._networks, state)
        fill_parts(self._optimizers, state["optimizers"])


FAMILY = Family(
    name="dcgan",
    config=DcganConfig,
    network=dcgan_network,
    trainer=DcganTrainer,
    check=pictures_of_sides(refuse_sides_not_doubled),
    check_ranks=refuse_ranks("its batch normalization takes mean and deviation of a whole batch"),
    widths=("width",),
    fitted_to_set=(),
    beside_generator=("discriminator",),
)
