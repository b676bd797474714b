"""The trainer of `diffusion`: denoising steps on pixels given scalars, and on the scalars alone."""

import copy
import math
from collections.abc import Mapping
from typing import Any

import torch

from galsmith.errors import SettingsError
from galsmith.models.diffusion.augmentation import augmented, draw_conditions
from galsmith.models.diffusion.bases import fit_frequency_basis
from galsmith.models.diffusion.config import DiffusionConfig
from galsmith.models.diffusion.generator import SIGMA_DATA, DiffusionGenerator
from galsmith.models.diffusion.networks import force_unit_weights
from galsmith.models.layers.chance import generator_from_seed
from galsmith.models.layers.d4 import N_ELEMENTS, apply_d4
from galsmith.models.layers.edm import draw_noise_levels, fitted_noise_levels, like, loss_weight
from galsmith.models.layers.marginals import fit_marginals, thinned
from galsmith.models.layers.optimization import guarded_step, learning_rate
from galsmith.models.protocols import (
    DataDescription,
    NetworkBatch,
    Precision,
    TrainingBatches,
    TrainingProgress,
)
from galsmith.seeds import derive_seed

SMALLEST_SIZE_PIX, LARGEST_SIZE_PIX = 16, 256
LARGEST_GRADIENT = 100.0
IMAGES_FOR_MARGINALS = 16384
IMAGES_FOR_FREQUENCIES = 4096
SCALAR_NOISE_LAW = (0.0, 1.4)
LOSS_POWER = 0.5


class DiffusionTrainer:
    """Takes denoising steps on pixels and scalars; see `Trainer` for the methods."""

    def __init__(self, generator: DiffusionGenerator, config: DiffusionConfig) -> None:
        self._generator = generator
        self._config = config
        self._noise_law = _noise_law(generator)
        self._loss_share = _loss_share(generator)
        self._pixel_optimizer = torch.optim.Adam(
            generator.unet.parameters(), lr=config.learning_rate, betas=(0.9, 0.99), fused=True
        )
        self._scalar_optimizer = (
            torch.optim.Adam(
                generator.scalar_network.parameters(),
                lr=config.scalar_learning_rate,
                betas=(0.9, 0.99),
                fused=True,
            )
            if generator.scalar_network is not None
            else None
        )

    @property
    def generator(self) -> DiffusionGenerator:
        """Both networks."""
        return self._generator

    @torch.no_grad()
    def compacted(self, batch: NetworkBatch) -> NetworkBatch:
        """Map scalars to normal numbers; pixels stay as they are."""
        return NetworkBatch(batch.pixels, self._generator.marginals.to_normal(batch.scalars))

    def step(self, batch: NetworkBatch, progress: TrainingProgress) -> Mapping[str, float]:
        """Take one step on pixels given scalars, and one on the scalars."""
        self._generator.train()
        device = batch.pixels.device
        chance = generator_from_seed(derive_seed(progress.seed, "train.noise", progress.images_seen), device)
        pixels = batch.pixels
        if self._config.symmetric:
            elements = torch.randint(0, N_ELEMENTS, (len(pixels),), generator=chance, device=device)
            pixels = apply_d4(pixels, elements)
        loss = guarded_step(
            self._pixel_optimizer,
            self._pixel_loss(pixels, batch.scalars, chance),
            rate=self._rate(self._config.learning_rate, progress),
            largest_gradient=LARGEST_GRADIENT,
        )
        if math.isfinite(loss):
            force_unit_weights(self._generator.unet)
        scalar_loss = self._scalar_step(batch.scalars, chance, progress)
        return {"loss": loss + scalar_loss, "pixel_loss": loss, "scalar_loss": scalar_loss}

    def state_dict(self) -> dict[str, Any]:
        """Networks and optimizers."""
        state = {
            "generator": self._generator.state_dict(),
            "pixel_optimizer": self._pixel_optimizer.state_dict(),
        }
        if self._scalar_optimizer is not None:
            state["scalar_optimizer"] = self._scalar_optimizer.state_dict()
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        self._generator.load_state_dict(state["generator"])
        self._noise_law, self._loss_share = _noise_law(self._generator), _loss_share(self._generator)
        self._pixel_optimizer.load_state_dict(copy.deepcopy(state["pixel_optimizer"]))
        if self._scalar_optimizer is not None:
            self._scalar_optimizer.load_state_dict(copy.deepcopy(state["scalar_optimizer"]))

    def _pixel_loss(
        self, clean: torch.Tensor, scalars: torch.Tensor, chance: torch.Generator
    ) -> torch.Tensor:
        """Weighted squared error of the denoised pixels."""
        shown = (
            torch.rand(len(clean), generator=chance, device=clean.device) >= self._config.scalar_drop
        ).float()
        clean, augmentation = self._augmented(clean, chance)
        values = self._generator.encode(clean)
        level, noise = _noise(values, chance, law=self._noise_law)
        estimate = self._generator.denoise(
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
            sigma_data=self._generator.deviations,
            parametrization=self._config.parametrization,
        )
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

    def _scalar_step(
        self, scalars: torch.Tensor, chance: torch.Generator, progress: TrainingProgress
    ) -> float:
        """Take one step of the scalars' own diffusion; returns its loss, 0 without scalars."""
        if self._scalar_optimizer is None:
            return 0.0
        clean = scalars * SIGMA_DATA
        level, noise = _noise(clean, chance, law=SCALAR_NOISE_LAW)
        estimate = self._generator.denoise_scalars(clean + noise, level)
        weight = loss_weight(level, clean, sigma_data=self._generator.sigma_data)
        return guarded_step(
            self._scalar_optimizer,
            ((estimate - clean) ** 2 * weight).mean(),
            rate=self._rate(self._config.scalar_learning_rate, progress),
            largest_gradient=LARGEST_GRADIENT,
        )

    def _rate(self, peak: float, progress: TrainingProgress) -> float:
        """Learning rate now."""
        return learning_rate(
            peak,
            progress,
            warmup_images=self._config.warmup_images,
            decay_share=self._config.decay_share,
        )


def _noise(
    clean: torch.Tensor, chance: torch.Generator, *, law: tuple[float, float]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw a noise level a galaxy, and noise of that level."""
    level = draw_noise_levels(len(clean), mean=law[0], std=law[1], chance=chance)
    noise = torch.randn(clean.shape, generator=chance, device=clean.device)
    return level, noise * like(level, clean)


def _noise_law(generator: DiffusionGenerator) -> tuple[float, float]:
    """Mean and deviation of ln(noise level), fitted where the config says so."""
    mean, std = generator.config.noise_level_mean, generator.config.noise_level_std
    if mean != "fitted" and std != "fitted":
        return mean, std
    fitted = [float(value) for value in generator.get_buffer("noise_law")]
    return (fitted[0] if mean == "fitted" else mean, fitted[1] if std == "fitted" else std)


def _loss_share(generator: DiffusionGenerator) -> torch.Tensor:
    """Weight of each value's error beside `loss_weight`: strong frequencies weigh more, 1 on average."""
    weight = generator.deviations**LOSS_POWER
    return weight / weight.mean()


def build_trainer(
    config: DiffusionConfig,
    description: DataDescription,
    training_batches: TrainingBatches,
    *,
    seed: int,
    device: torch.device | str = "cpu",
    precision: Precision = "float32",
    state: Mapping[str, Any] | None = None,
) -> DiffusionTrainer:
    """Fit the scalars' laws and start the networks; see `Family.build_trainer`.

    Raises
    ------
    SettingsError
        If the images' side is not a power of two from 16 to 256, or too small for the levels.
    """
    config = _settled(config, None if state is None else state["generator"])
    _check_size(config, description)
    chance = generator_from_seed(derive_seed(seed, "train.initial_weights"))
    generator = DiffusionGenerator(config, description, chance=chance)
    if state is None:
        _fit(generator, description, training_batches)
    else:
        generator.load_state_dict(state["generator"])
    generator.to(device)
    generator.trunk_dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    trainer = DiffusionTrainer(generator, config)
    if state is not None:
        trainer.load_state_dict(state)
    return trainer


def build_generator(
    config: DiffusionConfig, description: DataDescription, state: Mapping[str, torch.Tensor]
) -> DiffusionGenerator:
    """Build a generator and fill it with `state`."""
    config = _settled(config, state)
    _check_size(config, description)
    generator = DiffusionGenerator(config, description, chance=generator_from_seed(0))
    generator.load_state_dict(state)
    return generator


def _fit(generator: DiffusionGenerator, description: DataDescription, batches: TrainingBatches) -> None:
    """Fit all that is fitted once on the training set: laws of the scalars, sub-bands, frequencies, noise levels."""
    config = generator.config
    generator.marginals = fit_marginals(
        thinned(batches, n_images=description.n_train, at_most=IMAGES_FOR_MARGINALS),
        len(description.scalar_names),
    )
    some = thinned(batches, n_images=description.n_train, at_most=IMAGES_FOR_FREQUENCIES)
    generator.stem.fit(some, deviation=SIGMA_DATA, symmetric=config.symmetric)
    has_fitted_law = "noise_law" in dict(generator.named_buffers())
    if generator.basis is None and not has_fitted_law:
        return
    basis = fit_frequency_basis(
        some,
        encode=generator.stem.encode,
        symmetric=config.symmetric,
        n_bands=generator.stem.n_channels,
        size_pix=description.size_pix // 2**generator.stem.n_levels,
    )
    if generator.basis is not None:
        generator.basis = basis
    if has_fitted_law:
        generator.get_buffer("noise_law").copy_(torch.tensor(fitted_noise_levels(basis.deviations)))


def _settled(config: DiffusionConfig, state: Mapping[str, torch.Tensor] | None) -> DiffusionConfig:
    """Leave out a stem that a state from before there were stems does not have."""
    if state is not None and config.stem == "auto" and "stem.scale" not in state:
        return config.model_copy(update={"stem": "none"})
    return config


def _check_size(config: DiffusionConfig, description: DataDescription) -> None:
    """Refuse sides that the levels cannot halve."""
    size = description.size_pix
    if size not in (16, 32, 64, 128, 256):
        nearest = min(max(2 ** round(math.log2(size)), SMALLEST_SIZE_PIX), LARGEST_SIZE_PIX)
        raise SettingsError(
            f"images of {size} px: diffusion needs 16, 32, 64, 128 or 256 px; set transform.size_pix={nearest}, "
            f"or ingest with --resize {nearest}"
        )
    first = config.trunk_size_pix(size)
    coarsest = first // 2 ** (len(config.channels) - 1)
    if coarsest < 2:
        raise SettingsError(
            f"model.channels has {len(config.channels)} levels, the first of {first} px: {size} px leave {coarsest} px "
            "on the last level, wanted 2 or more; take fewer levels, or a smaller model.patch_pix"
        )
