"""The trainer of `relay_diffusion`: fits the frequencies, then takes denoising steps on both legs."""

import math
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any

import torch

from galsmith.errors import SettingsError
from galsmith.models.family import Blueprint, Family, State, divide_freely, refuse_other_sides
from galsmith.models.layers.chance import drawn_rows, permuted, share_of
from galsmith.models.layers.d4 import randomly_turned
from galsmith.models.layers.edm import Denoise, like, loss_weight
from galsmith.models.layers.magnitude_preserving import MagnitudePreservingConv, force_unit_weights
from galsmith.models.layers.marginals import fit_scalar_laws, thinned
from galsmith.models.layers.optimization import (
    Part,
    fill_parts,
    guarded_descent,
    learning_rate,
    states_of,
    step_all_or_none,
    take_gradients,
)
from galsmith.models.layers.orthogonal_steps import OrthogonalSteps
from galsmith.models.protocols import (
    DataDescription,
    NetworkBatch,
    TrainingBatches,
    TrainingProgress,
)
from galsmith.models.relay_diffusion.config import RelayDiffusionConfig
from galsmith.models.relay_diffusion.frequencies import fit_half_whitened
from galsmith.models.relay_diffusion.generator import RelayGenerator, n_coarse
from galsmith.models.relay_diffusion.networks import PatchUNet

IMAGES_FOR_FREQUENCIES = 16384
LARGEST_GRADIENT = 10.0
TURN_PER_RATE = 2.0
BEYOND_RELAY = 1.15
"""Both legs learn so far, as a factor, beyond the level where they meet, so that it is no edge of what they saw."""
FINE_POWER, COARSE_POWER = 2.0, 1.0
"""Weight of a value's error in powers of its deviation: with 2 every octave of scales has about the same say."""
FAR_SHARE = 0.05
"""Weight of what the noise level teaches least, in the weight of what it teaches most."""


class RelayTrainer:
    """Takes denoising steps on both networks; see `Trainer` for the methods."""

    def __init__(self, generator: RelayGenerator, blueprint: Blueprint) -> None:
        config = blueprint.config
        self.generator, self._config = generator, config
        self.compacted = generator.marginals.compacted
        matrices = matrices_of(generator.fine)
        chosen = {id(weight) for weight in matrices}
        others = [weight for weight in generator.fine.parameters() if id(weight) not in chosen]
        self._turns = OrthogonalSteps(matrices, lr=config.learning_rate, per_rate=TURN_PER_RATE)
        self._fine_optimizer = _adam(others, config.learning_rate)
        self._coarse_optimizer = _adam(generator.coarse.parameters(), config.coarse_learning_rate)
        self._parts: dict[str, Part] = {
            "generator": generator,
            "turns": self._turns,
            "fine_optimizer": self._fine_optimizer,
            "coarse_optimizer": self._coarse_optimizer,
        }

    def step(self, batch: NetworkBatch, progress: TrainingProgress) -> Mapping[str, float]:
        """Take one step of the second network and several of the first."""
        self.generator.train()
        optimizers = [self._turns, self._fine_optimizer, self._coarse_optimizer]
        fine, coarse = take_gradients(optimizers, self._losses, batch, progress)
        fine_loss = self._fine_step(fine, progress)
        coarse_losses = [self._coarse_step(coarse, progress)]
        for number in range(1, self._config.coarse_rounds):
            (coarse,) = take_gradients(
                [self._coarse_optimizer], self._coarse_losses, batch, progress, round_number=number
            )
            coarse_losses.append(self._coarse_step(coarse, progress))
        coarse_loss = sum(coarse_losses) / len(coarse_losses)
        return {"loss": fine_loss + coarse_loss, "fine_loss": fine_loss, "coarse_loss": coarse_loss}

    def state_dict(self) -> dict[str, Any]:
        """Networks and optimizers."""
        return states_of(self._parts)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        fill_parts(self._parts, state)

    def _losses(self, batch: NetworkBatch, chance: torch.Generator) -> Iterator[torch.Tensor]:
        """Give the loss of the second network, then that of the first."""
        generator, values = self.generator, self._values(batch, chance)
        yield self._loss(generator.denoise_fine, values, generator.frequencies.deviations, chance, fine=True)
        yield self._coarse_loss(values, batch.scalars, chance)

    def _coarse_losses(self, batch: NetworkBatch, chance: torch.Generator) -> Iterator[torch.Tensor]:
        """Give the loss of the first network alone."""
        yield self._coarse_loss(self._values(batch, chance), batch.scalars, chance)

    @torch.no_grad()
    def _values(self, batch: NetworkBatch, chance: torch.Generator) -> torch.Tensor:
        """Turn images at random and give their values."""
        turned = randomly_turned(batch.pixels, chance, symmetric=self._config.symmetric)
        return self.generator.frequencies.encode(turned)

    def _coarse_loss(
        self, values: torch.Tensor, scalars: torch.Tensor, chance: torch.Generator
    ) -> torch.Tensor:
        """Weighted squared error of the first network, on several noisy looks at each orientation."""
        generator = self.generator
        with torch.no_grad():
            looks = coarse_values(generator, values, scalars).repeat(self._config.coarse_draws, 1)
        return self._loss(generator.denoise_coarse, looks, generator.coarse_deviations, chance, fine=False)

    def _coarse_step(self, loss: torch.Tensor, progress: TrainingProgress) -> float:
        """Take one step of the first network; gives its loss, NaN when a gradient was not finite."""
        return guarded_descent(
            self._coarse_optimizer,
            loss,
            rate=self._rate(self._config.coarse_learning_rate, progress),
            largest_gradient=LARGEST_GRADIENT,
            ranks=progress.ranks,
        )

    def _fine_step(self, loss: torch.Tensor, progress: TrainingProgress) -> float:
        """Take one step of the second network; gives its loss, NaN when a gradient was not finite."""
        # the loss of the whole batch, which all processes log and judge
        value = progress.ranks.means({"loss": float(loss)})["loss"]
        rate = self._rate(self._config.learning_rate, progress)
        optimizers = (self._turns, self._fine_optimizer)
        if not step_all_or_none(optimizers, [value], rate=rate, ranks=progress.ranks):
            return value if not math.isfinite(value) else math.nan
        # Karras+24, sec. 2.3: forced weight normalization after each step
        force_unit_weights(self.generator.fine)
        return value

    def _loss(
        self,
        denoise: Denoise,
        clean: torch.Tensor,
        deviations: torch.Tensor,
        chance: torch.Generator,
        *,
        fine: bool,
    ) -> torch.Tensor:
        """Weighted squared error of one leg's denoised values (Karras et al. 2022, eq. 2)."""
        level = leg_levels(len(clean), self._config, fine=fine, chance=chance)
        noise = drawn_rows(torch.randn, clean.shape, chance)
        estimate = denoise(clean + noise * like(level, clean), level)
        weight = leg_weight(level, clean, deviations, power=FINE_POWER if fine else COARSE_POWER)
        return ((estimate - clean) ** 2 * weight).mean()

    def _rate(self, peak: float, progress: TrainingProgress) -> float:
        """Learning rate now."""
        return learning_rate(
            peak,
            progress,
            warmup_images=self._config.warmup_images,
            decay_share=self._config.decay_share,
        )


def coarse_values(generator: RelayGenerator, values: torch.Tensor, scalars: torch.Tensor) -> torch.Tensor:
    """Give what the first network learns of images' values: each of their orientations.

    Parameters
    ----------
    values : Tensor [galaxy, color, v, u]
        As of `HalfWhitened.encode`.
    scalars : Tensor [galaxy, scalar]
        Normal numbers.

    Returns
    -------
    Tensor [look, coarse + scalar], float32
        Eight looks a galaxy, or one where the family is not symmetric.
    """
    places = generator.strongest
    chosen = values.flatten(1)[:, places][None]
    if generator.config.symmetric:
        swapped = values.transpose(-1, -2).flatten(1)[:, places][None]
        size = values.shape[-1]
        odd_x, odd_y = places % size % 2, places // size % size % 2
        # a flip changes the sign of odd cosines
        along_x, along_y = 1.0 - 2.0 * odd_x, 1.0 - 2.0 * odd_y
        signs = torch.stack([torch.ones_like(along_x), along_x, along_y, along_x * along_y])
        chosen = (torch.stack([chosen, swapped]) * signs[None, :, None]).flatten(0, 1)
    beside = (scalars * generator.scalar_deviation).expand(len(chosen), -1, -1)
    return torch.cat([chosen, beside], dim=2).flatten(0, 1)


def leg_levels(
    count: int, config: RelayDiffusionConfig, *, fine: bool, chance: torch.Generator
) -> torch.Tensor:
    """Draw noise levels of one leg's training, [count]: log-normal, cut beyond the relay, one from each equal share."""
    mean, std = (
        (config.fine_noise_mean, config.fine_noise_std)
        if fine
        else (config.coarse_noise_mean, config.coarse_noise_std)
    )
    edge = config.relay_level * (BEYOND_RELAY if fine else 1 / BEYOND_RELAY)
    below = 0.5 * (1 + math.erf((math.log(edge) - mean) / (std * math.sqrt(2.0))))
    lowest, highest = (0.0, below) if fine else (below, 1.0)
    shares = drawn_rows(permuted, [count], chance)
    offset = drawn_rows(partial(torch.rand, dtype=torch.float64), [count], chance)
    quantile = lowest + (highest - lowest) * (shares + offset) / share_of(chance).whole(count)
    # keeps the inverse normal law finite: 5.2 deviations
    normal = math.sqrt(2.0) * torch.erfinv(2 * quantile.clamp(1e-7, 1 - 1e-7) - 1)
    return (normal * std + mean).exp().float()


def leg_weight(
    level: torch.Tensor, clean: torch.Tensor, deviations: torch.Tensor, *, power: float
) -> torch.Tensor:
    """Weight of the squared error of denoised values, broadcast against `clean`.

    EDM's own weight (Karras et al. 2022, table 1) makes the network's output count alike for all values. Of those far
    above the noise it is the noise, of those far below it the value, and neither can be told: most of the many values
    would only make the gradient rough. The weight is therefore largest, 1, where level and deviation are equal.

    Parameters
    ----------
    level : Tensor [galaxy]
        Noise levels.
    clean : Tensor [galaxy, ...]
        Whose errors are weighed.
    deviations : Tensor [...]
        Of the values.
    power : float
        Values also weigh by this power of their deviation.
    """
    own = loss_weight(level, clean, sigma_data=deviations)
    peaked = 4 / (
        like(level, clean) ** 2 + deviations**2
    )  # 4 (sigma deviation / variance)^2 of the own weight
    share = deviations**power
    return (FAR_SHARE * own + (1 - FAR_SHARE) * peaked) * (share / share.mean())


def matrices_of(network: PatchUNet) -> list[torch.nn.Parameter]:
    """Choose the weights between the first convolution and the last, but for those that steer blocks."""
    return [
        layer.weight
        for name, layer in [*network.down.named_modules(), *network.up.named_modules()]
        if isinstance(layer, MagnitudePreservingConv) and not name.endswith("steer")
    ]


def _adam(parameters: Iterable[torch.nn.Parameter], rate: float) -> torch.optim.Optimizer:
    """Optimizer of what is no large matrix, or of the dense network."""
    return torch.optim.Adam(parameters, lr=rate, betas=(0.9, 0.99), fused=True)


def _fit(config: RelayDiffusionConfig, description: DataDescription, batches: TrainingBatches) -> State:
    """Fit the scalars' laws and the frequencies, and choose the strongest."""
    some = thinned(batches, n_images=description.n_train, at_most=IMAGES_FOR_FREQUENCIES)
    n_bands, size = len(description.bands), description.size_pix
    frequencies = fit_half_whitened(some, n_bands=n_bands, size_pix=size, symmetric=config.symmetric)
    order = frequencies.deviations.flatten().argsort(descending=True, stable=True)
    strongest = order[: n_coarse(config, n_bands, size)]
    return {
        **fit_scalar_laws(config, description, batches),
        **frequencies.state_dict(prefix="frequencies."),
        "strongest": strongest,
    }


def _check(config: RelayDiffusionConfig, description: DataDescription) -> None:
    """Refuse sides that patches and levels cannot divide."""
    refuse_other_sides(config, description)
    first = description.size_pix // config.patch_pix
    if first // 2 ** (len(config.channels) - 1) < 2:
        raise SettingsError(
            f"{description.size_pix} px leave {first} patches a side for {len(config.channels)} levels, each half the "
            "one before",
            argument="model.channels",
            came=config.channels,
            wanted="2 places or more on the last level",
            way_out="take fewer levels, or a smaller model.patch_pix",
        )


FAMILY = Family(
    name="relay_diffusion",
    config=RelayDiffusionConfig,
    network=RelayGenerator,
    trainer=RelayTrainer,
    fit=_fit,
    check=_check,
    check_ranks=divide_freely,
    in_parts=True,
    widths=("channels", "coarse_width"),
    rates=("learning_rate", "coarse_learning_rate"),
)
