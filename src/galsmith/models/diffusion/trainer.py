"""The trainer of `diffusion`: denoising steps on pixels given scalars, and on the scalars alone."""

import copy
import math
from collections.abc import Mapping
from typing import Any

import torch

from galsmith.errors import SettingsError
from galsmith.models.diffusion.config import DiffusionConfig
from galsmith.models.diffusion.generator import SIGMA_DATA, DiffusionGenerator
from galsmith.models.layers.d4 import N_ELEMENTS, apply_d4
from galsmith.models.layers.edm import draw_noise_levels, like, loss_weight
from galsmith.models.layers.magnitude_preserving import force_unit_weights
from galsmith.models.layers.marginals import fit_marginals
from galsmith.models.layers.noise import generator_from_seed
from galsmith.models.layers.optimization import guarded_step, learning_rate
from galsmith.models.layers.thinning import thinned
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


class DiffusionTrainer:
    """Takes denoising steps on pixels and scalars; see `Trainer` for the methods."""

    def __init__(self, generator: DiffusionGenerator, config: DiffusionConfig) -> None:
        self._generator = generator
        self._config = config
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
        level, noise = self._noise(clean, chance)
        estimate = self._generator.denoise(
            clean + noise,
            level,
            scalars=scalars,
            shown=shown,
            dropout=chance if self._config.dropout > 0 else None,
        )
        weight = loss_weight(level, clean, sigma_data=self._generator.sigma_data)
        return ((estimate - clean) ** 2 * weight).mean()

    def _scalar_step(
        self, scalars: torch.Tensor, chance: torch.Generator, progress: TrainingProgress
    ) -> float:
        """Take one step of the scalars' own diffusion; returns its loss, 0 without scalars."""
        if self._scalar_optimizer is None:
            return 0.0
        clean = scalars * SIGMA_DATA
        level, noise = self._noise(clean, chance)
        estimate = self._generator.denoise_scalars(clean + noise, level)
        weight = loss_weight(level, clean, sigma_data=self._generator.sigma_data)
        return guarded_step(
            self._scalar_optimizer,
            ((estimate - clean) ** 2 * weight).mean(),
            rate=self._rate(self._config.scalar_learning_rate, progress),
            largest_gradient=LARGEST_GRADIENT,
        )

    def _noise(self, clean: torch.Tensor, chance: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw a noise level a galaxy, and noise of that level."""
        level = draw_noise_levels(
            len(clean), mean=self._config.noise_level_mean, std=self._config.noise_level_std, chance=chance
        )
        noise = torch.randn(clean.shape, generator=chance, device=clean.device)
        return level, noise * like(level, clean)

    def _rate(self, peak: float, progress: TrainingProgress) -> float:
        """Learning rate now."""
        return learning_rate(
            peak,
            progress,
            warmup_images=self._config.warmup_images,
            decay_share=self._config.decay_share,
        )


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
    _check_size(config, description)
    chance = generator_from_seed(derive_seed(seed, "train.initial_weights"))
    generator = DiffusionGenerator(config, description, chance=chance)
    if state is None:
        generator.marginals = fit_marginals(
            thinned(training_batches, n_images=description.n_train, at_most=IMAGES_FOR_MARGINALS),
            len(description.scalar_names),
        )
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
    _check_size(config, description)
    generator = DiffusionGenerator(config, description, chance=generator_from_seed(0))
    generator.load_state_dict(state)
    return generator


def _check_size(config: DiffusionConfig, description: DataDescription) -> None:
    """Refuse sides that the levels cannot halve."""
    size = description.size_pix
    if size not in (16, 32, 64, 128, 256):
        nearest = min(max(2 ** round(math.log2(size)), SMALLEST_SIZE_PIX), LARGEST_SIZE_PIX)
        raise SettingsError(
            f"images of {size} px: diffusion needs 16, 32, 64, 128 or 256 px; set transform.size_pix={nearest}, "
            f"or ingest with --resize {nearest}"
        )
    coarsest = size // config.patch_pix // 2 ** (len(config.channels) - 1)
    if coarsest < 2:
        raise SettingsError(
            f"model.channels has {len(config.channels)} levels and model.patch_pix is {config.patch_pix}: "
            f"{size} px leave {coarsest} px on the last level, wanted 2 or more; take fewer levels"
        )
