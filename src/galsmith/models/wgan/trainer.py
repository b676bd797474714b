"""The trainer of `wgan`: some steps of the critic for each of the generator, all or nothing."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch

from galsmith.models.family import Blueprint, Family, divide_freely
from galsmith.models.latent_generator import LatentGenerator, pictures_of_sides
from galsmith.models.layers.adversarial import adversarial_adam, energy_distance, squared_gradients
from galsmith.models.layers.chance import drawn_rows, step_chance
from galsmith.models.layers.d4 import randomly_turned
from galsmith.models.layers.doublings import refuse_sides_out_of_reach
from galsmith.models.layers.optimization import Part, fill_parts, states_of, step_all_or_none
from galsmith.models.layers.piecewise_linear import PiecewiseLinear
from galsmith.models.protocols import NetworkBatch, TrainingProgress
from galsmith.models.shares import Ranks
from galsmith.models.wgan.config import WganConfig
from galsmith.models.wgan.networks import Critic, critic_of, wgan_network

ADAM_BETAS = (0.5, 0.9)  # appendix C, below the critic's table
SMALLEST_SQUARE = 1e-12  # keeps the root's own slope finite where the critic is flat


def slope_penalty(critic: Any, first: torch.Tensor, second: torch.Tensor, *, shares: torch.Tensor) -> Any:
    """Mean squared distance of the critic's slope from 1 between two sets of images (Gulrajani et al. 2017, eq. 3).

    Parameters
    ----------
    critic : callable
        Maps images to one number each, and is piecewise linear or free of convolutions, rectifiers and pools.
    first, second : Tensor [galaxy, band, y, x], float32
        Real and drawn images.
    shares : Tensor [galaxy], float32
        Where between the two the slope is taken, in 0 to 1.

    Returns
    -------
    Tensor []
        It can be differentiated in the critic's weights.
    """
    # Gulrajani+17, algorithm 1, line 6: evenly on the line between a real and a drawn image
    places = torch.lerp(second, first, shares[:, None, None, None]).detach().requires_grad_()
    with PiecewiseLinear():
        scores = critic(places)
    slopes = (squared_gradients(scores, places) + SMALLEST_SQUARE).sqrt()
    return (slopes - 1).square().mean()  # same paper, eq. 3: two-sided


@torch.no_grad()
def clip_weights(network: torch.nn.Module, bound: float) -> None:
    """Bring every weight into +-bound (Arjovsky et al. 2017, algorithm 1, line 7)."""
    for parameter in network.parameters():
        parameter.clamp_(-bound, bound)


class WganTrainer:
    """Takes steps of the critic, and with every so many of them one of the generator; see `Trainer` for the methods.

    Each step shows the critic new real images. When it has had its number of steps, the generator's gradient is taken
    with the drawn images of the critic's next step, at the same weights, so that a step can be refused as a whole.
    """

    def __init__(self, generator: LatentGenerator, blueprint: Blueprint) -> None:
        config = blueprint.config
        self.generator, self._config = generator, config
        self._critic = critic_of(blueprint)
        self._turned = partial(randomly_turned, symmetric=config.symmetric)
        self._networks: dict[str, Part] = {"generator": generator, "critic": self._critic}
        self._optimizers = {
            name: adversarial_adam(network, rate=config.learning_rate, betas=ADAM_BETAS)
            for name, network in (("generator", generator), ("critic", self._critic))
        }
        self._critic_steps, self._generator_loss = 0, 0.0
        if config.weight_clipping is not None:
            clip_weights(self._critic, config.weight_clipping)

    @property
    def critic(self) -> Critic:
        """The network that knows how real images look."""
        return self._critic

    def compacted(self, batch: NetworkBatch) -> NetworkBatch:
        """Return the images as they are."""
        return batch

    def step(self, batch: NetworkBatch, progress: TrainingProgress) -> Mapping[str, float]:
        """Take one step of the critic, and one of the generator when it is its turn.

        Returns
        -------
        dict of str to float
            ``loss`` is the energy distance between the real and the drawn images of this step, which is not trained
            on; then the distance of the two sets by the critic, which it is to raise, the mean penalty of its slope
            (0 where its weights are clipped), and the generator's own loss as it was last taken.
        """
        chance = step_chance(progress, batch.pixels.device)
        real = self._turned(batch.pixels, chance)
        is_turn = self._critic_steps >= self._config.critic_steps
        for optimizer in self._optimizers.values():
            optimizer.zero_grad(set_to_none=True)
        with torch.set_grad_enabled(is_turn):
            drawn = self._turned(self.generator(self.generator.latents(len(real), chance)), chance)
        losses = {"generator_loss": self._generator_loss}
        if is_turn:
            losses["generator_loss"] = self._lead_generator(drawn)
        losses.update(self._lead_critic(real, drawn.detach(), chance))
        losses = {
            "loss": energy_distance(real, drawn.detach(), ranks=progress.ranks),
            **progress.ranks.means(losses),
        }
        return self._finish(losses, progress.ranks, is_turn=is_turn)

    def state_dict(self) -> dict[str, Any]:
        """Networks, optimizers, and how many steps the critic has had since the generator's last."""
        return {
            **states_of(self._networks),
            "optimizers": states_of(self._optimizers),
            "critic_steps": self._critic_steps,
            "generator_loss": self._generator_loss,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        fill_parts(self._networks, state)
        fill_parts(self._optimizers, state["optimizers"])
        self._critic_steps, self._generator_loss = state["critic_steps"], state["generator_loss"]

    def _lead_generator(self, drawn: torch.Tensor) -> float:
        """Leave the gradient of the generator, which wants high scores; returns its loss."""
        loss = -self._critic(drawn).mean()  # Arjovsky+17, algorithm 1, line 10
        torch.autograd.backward(loss, inputs=list(self.generator.parameters()))
        return float(loss.detach())

    def _lead_critic(
        self, real: torch.Tensor, drawn: torch.Tensor, chance: torch.Generator
    ) -> dict[str, float]:
        """Leave the gradient of the critic, which wants the two sets far apart; returns what it is made of."""
        weights, penalty = list(self._critic.parameters()), 0.0
        distance = self._critic(real).mean() - self._critic(drawn).mean()  # Arjovsky+17, eq. 2
        torch.autograd.backward(-distance, inputs=weights)
        if self._config.gradient_penalty > 0:
            shares = drawn_rows(torch.rand, [len(real)], chance)
            term = slope_penalty(partial(self._critic, exact=True), real, drawn, shares=shares)
            # a backward pass of its own: its graph of second derivatives is the largest
            torch.autograd.backward(self._config.gradient_penalty * term, inputs=weights)
            penalty = float(term.detach())
        return {"critic_distance": float(distance.detach()), "slope_penalty": penalty}

    def _finish(self, losses: dict[str, float], ranks: Ranks, *, is_turn: bool) -> dict[str, float]:
        """Step the critic, and the generator where it is its turn, or none."""
        stepping = list(self._optimizers.values()) if is_turn else [self._optimizers["critic"]]
        rate = self._config.learning_rate
        if not step_all_or_none(stepping, losses.values(), rate=rate, ranks=ranks):
            return {**losses, "loss": float("nan")}
        if self._config.weight_clipping is not None:
            clip_weights(self._critic, self._config.weight_clipping)
        # the critic stepped too: the first of its next round
        self._critic_steps = 1 if is_turn else self._critic_steps + 1
        self._generator_loss = losses["generator_loss"]
        return losses


FAMILY = Family(
    name="wgan",
    config=WganConfig,
    network=wgan_network,
    trainer=WganTrainer,
    check=pictures_of_sides(refuse_sides_out_of_reach),
    check_ranks=divide_freely,
    widths=("width",),
    fitted_to_set=(),
    beside_generator=("critic",),
)
