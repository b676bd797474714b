"""The trainer of `diffusion`: denoising steps on pixels given scalars, and on the scalars alone."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import torch

from galsmith.errors import SettingsError
from galsmith.models.diffusion.augmentation import augmented, draw_conditions
from galsmith.models.diffusion.bases import HaarStem, fit_frequency_basis
from galsmith.models.diffusion.config import DiffusionConfig
from galsmith.models.diffusion.generator import SCALAR_NOISE_LAW, SIGMA_DATA, DiffusionGenerator
from galsmith.models.family import Blueprint, Family, State, divide_freely, refuse_other_sides
from galsmith.models.layers.chance import drawn_rows
from galsmith.models.layers.d4 import randomly_turned
from galsmith.models.layers.edm import (
    NoiseLaw,
    draw_noise_levels,
    fitted_noise_law,
    half_whitened,
    like,
    loss_weight,
)
from galsmith.models.layers.magnitude_preserving import force_unit_weights
from galsmith.models.layers.marginals import fit_scalar_laws, thinned
from galsmith.models.layers.optimization import (
    Part,
    fill_parts,
    guarded_descent,
    learning_rate,
    states_of,
    take_gradients,
)
from galsmith.models.protocols import (
    DataDescription,
    NetworkBatch,
    TrainingBatches,
    TrainingProgress,
)

LARGEST_GRADIENT = 100.0
IMAGES_FOR_FREQUENCIES = 4096
LOSS_POWER = 0.5  # 0 would give all frequencies equal say


class DiffusionTrainer:
    """Takes denoising steps on pixels and scalars; see `Trainer` for the methods."""

    def __init__(self, generator: DiffusionGenerator, blueprint: Blueprint) -> None:
        config = blueprint.config
        self.generator, self._config = generator, config
        self.compacted = generator.marginals.compacted
        self._noise_law = generator.noise_law
        self._loss_share = _loss_share(generator)
        self._pixel_optimizer = _adam(generator.unet, config.learning_rate)
        self._parts: dict[str, Part] = {"generator": generator, "pixel_optimizer": self._pixel_optimizer}
        self._scalar_optimizer: torch.optim.Optimizer | None = None
        if generator.scalar_network is not None:
            self._scalar_optimizer = _adam(generator.scalar_network, config.scalar_learning_rate)
            self._parts["scalar_optimizer"] = self._scalar_optimizer

    def step(self, batch: NetworkBatch, progress: TrainingProgress) -> Mapping[str, float]:
        """Take one step on pixels given scalars, and one on the scalars."""
        self.generator.train()
        # no network sees the other: both gradients are taken before either steps
        steps = [(self._pixel_optimizer, self._config.learning_rate)]
        if self._scalar_optimizer is not None:
            steps.append((self._scalar_optimizer, self._config.scalar_learning_rate))
        losses = take_gradients([optimizer for optimizer, _ in steps], self._losses, batch, progress)
        taken = [
            guarded_descent(
                optimizer,
                loss,
                rate=self._rate(peak, progress),
                largest_gradient=LARGEST_GRADIENT,
                ranks=progress.ranks,
            )
            for (optimizer, peak), loss in zip(steps, losses, strict=True)
        ]
        loss, scalar_loss = (*taken, 0.0)[:2]
        if math.isfinite(loss):
            # Karras+24, sec. 2.3: forced weight normalization after each step
            force_unit_weights(self.generator.unet)
        return {"loss": loss + scalar_loss, "pixel_loss": loss, "scalar_loss": scalar_loss}

    def state_dict(self) -> dict[str, Any]:
        """Networks and optimizers."""
        return states_of(self._parts)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        fill_parts(self._parts, state)
        # both follow from what was fitted
        self._noise_law, self._loss_share = self.generator.noise_law, _loss_share(self.generator)

    def _losses(self, batch: NetworkBatch, chance: torch.Generator) -> Iterator[torch.Tensor]:
        """Give the loss of the pixels given scalars, then that of the scalars, where there are any."""
        # D4, as drawn galaxies are turned in `sample`
        pixels = randomly_turned(batch.pixels, chance, symmetric=self._config.symmetric)
        yield self._pixel_loss(pixels, batch.scalars, chance)
        if self._scalar_optimizer is not None:
            yield self._scalar_loss(batch.scalars, chance)

    def _pixel_loss(
        self, clean: torch.Tensor, scalars: torch.Tensor, chance: torch.Generator
    ) -> torch.Tensor:
        """Weighted squared error of the denoised pixels."""
        shown = (drawn_rows(torch.rand, [len(clean)], chance) >= self._config.scalar_drop).float()
        clean, augmentation = self._augmented(clean, chance)  # Karras+22, app. F.2
        values = self.generator.encode(clean)  # pixels, Haar sub-bands or frequencies
        level, noise = _noise(values, chance, law=self._noise_law)
        estimate = self.generator.denoise(
            values + noise,
            level,
            scalars=scalars,
            shown=shown,
            dropout=chance if self._config.dropout > 0 else None,
            augmentation=augmentation,
        )
        weight = loss_weight(
            level,
            values,
            sigma_data=self.generator.deviations,
            parametrization=self._config.parametrization,
        )
        # Karras+22, eq. 2, weighed by lambda(sigma)
        return ((estimate - values) ** 2 * (weight * self._loss_share)).mean()

    def _augmented(
        self, clean: torch.Tensor, chance: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Augment images as the config says; also gives the conditions that tell the network how."""
        if self._config.augmentation == 0:
            return clean, None
        conditions = draw_conditions(
            len(clean), size_pix=clean.shape[-1], probability=self._config.augmentation, chance=chance
        )
        return augmented(clean, conditions), conditions

    def _scalar_loss(self, scalars: torch.Tensor, chance: torch.Generator) -> torch.Tensor:
        """Weighted squared error of the scalars' own diffusion."""
        # brings normal numbers to the deviation that the preconditioning takes them to have
        clean = scalars * SIGMA_DATA
        level, noise = _noise(clean, chance, law=SCALAR_NOISE_LAW)
        estimate = self.generator.denoise_scalars(clean + noise, level)
        weight = loss_weight(level, clean, sigma_data=self.generator.sigma_data)
        return ((estimate - clean) ** 2 * weight).mean()

    def _rate(self, peak: float, progress: TrainingProgress) -> float:
        """Learning rate now."""
        return learning_rate(
            peak,
            progress,
            warmup_images=self._config.warmup_images,
            decay_share=self._config.decay_share,
        )


def _noise(
    clean: torch.Tensor, chance: torch.Generator, *, law: NoiseLaw
) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw a noise level a galaxy, and noise of that level."""
    level = draw_noise_levels(len(clean), law, chance=chance)
    noise = drawn_rows(torch.randn, clean.shape, chance)
    return level, noise * like(level, clean)


def _loss_share(generator: DiffusionGenerator) -> torch.Tensor:
    """Weight of each value's error beside `loss_weight`: strong frequencies weigh more, 1 on average."""
    deviations = generator.sigma_data if generator.basis is None else generator.basis.deviations
    weight = deviations**LOSS_POWER
    return weight / weight.mean()  # 1 on average, so that the learning rate means the same


def _adam(network: torch.nn.Module, rate: float) -> torch.optim.Optimizer:
    """Optimizer of one of the two networks."""
    return torch.optim.Adam(network.parameters(), lr=rate, betas=(0.9, 0.99), fused=True)


def _fit(config: DiffusionConfig, description: DataDescription, batches: TrainingBatches) -> State:
    """Fit all that is fitted once on the training set: laws of the scalars, sub-bands, frequencies, noise levels."""
    fitted = dict(fit_scalar_laws(config, description, batches))
    some = thinned(batches, n_images=description.n_train, at_most=IMAGES_FOR_FREQUENCIES)
    n_levels = config.haar_levels(description.size_pix)
    stem = HaarStem(n_bands=len(description.bands), n_levels=n_levels)
    stem.fit(some, deviation=SIGMA_DATA, symmetric=config.symmetric)
    fitted |= stem.state_dict(prefix="stem.")  # frequencies are fitted on what the stem gives
    basis = fit_frequency_basis(
        some,
        encode=stem.encode,
        symmetric=config.symmetric,
        n_bands=stem.n_channels,
        size_pix=description.size_pix // 2**n_levels,
    )
    amplitudes = basis.deviations
    if config.preconditioning == "spectral":
        fitted |= basis.state_dict(prefix="basis.")
        amplitudes, _ = half_whitened(basis.deviations, config.whitening_power)
    law = fitted_noise_law(amplitudes, config)
    fitted["noise_levels"] = torch.tensor([law.mean, law.std, law.lowest, law.highest])
    return fitted


def _check(config: DiffusionConfig, description: DataDescription) -> None:
    """Refuse sides that the levels cannot halve."""
    refuse_other_sides(config, description)
    size = description.size_pix
    first = config.trunk_size_pix(size)
    coarsest = first // 2 ** (len(config.channels) - 1)
    if coarsest < 2:
        raise SettingsError(
            f"{size} px leave {coarsest} px on the last of {len(config.channels)} levels, the first of {first} px",
            argument="model.channels",
            came=config.channels,
            wanted="2 px or more",
            way_out="take fewer levels, or a smaller model.patch_pix",
        )


FAMILY = Family(
    name="diffusion",
    config=DiffusionConfig,
    network=DiffusionGenerator,
    trainer=DiffusionTrainer,
    fit=_fit,
    check=_check,
    check_ranks=divide_freely,
    in_parts=True,
    widths=("channels",),
    against_repeats=("augmentation", "dropout"),
    only_in_training=("augmentation_embed",),
    of_drawing=("sampler", "sampler_steps"),
)
