"""The trainer of `pca_diffusion`: fits the components, then takes denoising steps on coefficients."""

import copy
from collections.abc import Mapping
from typing import Any

import torch

from galsmith.errors import SettingsError
from galsmith.models.layers.chance import generator_from_seed
from galsmith.models.layers.d4 import N_ELEMENTS
from galsmith.models.layers.edm import draw_noise_levels, fitted_noise_levels, like, loss_weight
from galsmith.models.layers.marginals import NormalMarginals, fit_marginals, thinned
from galsmith.models.layers.optimization import guarded_step, learning_rate
from galsmith.models.pca_diffusion.components import empty_components, fit_components
from galsmith.models.pca_diffusion.config import PcaDiffusionConfig
from galsmith.models.pca_diffusion.networks import PcaGenerator
from galsmith.models.pca_diffusion.symmetric_basis import counts_in_state
from galsmith.models.protocols import (
    DataDescription,
    NetworkBatch,
    Precision,
    TrainingBatches,
    TrainingProgress,
)
from galsmith.seeds import derive_seed

LARGEST_GRADIENT = 10.0


class PcaTrainer:
    """Takes denoising steps on coefficients; see `Trainer` for the methods."""

    def __init__(self, generator: PcaGenerator, config: PcaDiffusionConfig) -> None:
        self._generator = generator
        self._config = config
        fitted = fitted_noise_levels(generator.sigma_data.cpu())
        self._noise_mean = fitted[0] if config.noise_level_mean == "fitted" else config.noise_level_mean
        self._noise_std = fitted[1] if config.noise_level_std == "fitted" else config.noise_level_std
        self._optimizer = torch.optim.AdamW(
            generator.parameters(),
            lr=config.learning_rate,
            betas=(0.9, 0.99),
            weight_decay=config.weight_decay,
            fused=True,
        )

    @property
    def generator(self) -> PcaGenerator:
        """Components and network."""
        return self._generator

    @torch.no_grad()
    def compacted(self, batch: NetworkBatch) -> NetworkBatch:
        """Map images to coefficients [galaxy, coefficient] and scalars to normal numbers."""
        return self._generator.encode(batch)

    def step(self, batch: NetworkBatch, progress: TrainingProgress) -> Mapping[str, float]:
        """Take one step on coefficients that `compacted` gave."""
        self._generator.train()
        device = batch.pixels.device
        chance = generator_from_seed(derive_seed(progress.seed, "train.noise", progress.images_seen), device)
        elements = None
        if self._config.symmetric:
            elements = torch.randint(0, N_ELEMENTS, (len(batch.pixels),), generator=chance, device=device)
        clean = self._generator.clean_values(batch, elements, chance)
        level = draw_noise_levels(len(clean), mean=self._noise_mean, std=self._noise_std, chance=chance)
        noise = torch.randn(clean.shape, generator=chance, device=device)
        loss = self._loss(clean, level, noise)
        rate = learning_rate(
            self._config.learning_rate,
            progress,
            warmup_images=self._config.warmup_images,
            decay_share=self._config.decay_share,
        )
        return {"loss": guarded_step(self._optimizer, loss, rate=rate, largest_gradient=LARGEST_GRADIENT)}

    def state_dict(self) -> dict[str, Any]:
        """Components, network and optimizer."""
        return {
            "generator": self._generator.state_dict(),
            "optimizer": self._optimizer.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        self._generator.load_state_dict(state["generator"])
        self._optimizer.load_state_dict(copy.deepcopy(state["optimizer"]))

    def _loss(self, clean: torch.Tensor, level: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """Weighted squared error of the denoised values; strong components weigh by their deviation."""
        sigma_data = self._generator.sigma_data
        error = self._generator.denoise(clean + noise * like(level, clean), level) - clean
        weight = loss_weight(level, clean, sigma_data=sigma_data) * (sigma_data / sigma_data.mean())
        return (error**2 * weight).mean()


def build_trainer(
    config: PcaDiffusionConfig,
    description: DataDescription,
    training_batches: TrainingBatches,
    *,
    seed: int,
    device: torch.device | str = "cpu",
    precision: Precision = "float32",
    state: Mapping[str, Any] | None = None,
) -> PcaTrainer:
    """Fit the components and start the network; see `Family.build_trainer`.

    Raises
    ------
    SettingsError
        If the images' side is odd.
    InputError
        If there is no training image, or pixels are not finite.
    """
    generator = (
        _fitted_generator(config, description, training_batches, seed=seed)
        if state is None
        else build_generator(config, description, state["generator"])
    )
    generator.network.trunk_dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    trainer = PcaTrainer(generator.to(device), config)
    if state is not None:
        trainer.load_state_dict(state)
    return trainer


def build_generator(
    config: PcaDiffusionConfig, description: DataDescription, state: Mapping[str, torch.Tensor]
) -> PcaGenerator:
    """Build a generator of the sizes in `state`, to be filled by ``load_state_dict``."""
    _check_size(description)
    components = empty_components(config, description, counts_in_state(state, "basis."))
    marginals = NormalMarginals(len(description.scalar_names))
    generator = PcaGenerator(components, marginals, config, chance=generator_from_seed(0))
    generator.load_state_dict(state)
    return generator


def _fitted_generator(
    config: PcaDiffusionConfig, description: DataDescription, batches: TrainingBatches, *, seed: int
) -> PcaGenerator:
    """Fit the components and draw the network's first weights."""
    _check_size(description)
    fitted_on = thinned(batches, n_images=description.n_train, at_most=config.images_for_fit)
    components = fit_components(config, description, fitted_on)
    chance = generator_from_seed(derive_seed(seed, "train.initial_weights"))
    marginals = fit_marginals(fitted_on, len(description.scalar_names))
    return PcaGenerator(components, marginals, config, chance=chance)


def _check_size(description: DataDescription) -> None:
    """Refuse odd sides, which have no parity blocks."""
    if description.size_pix % 2:
        raise SettingsError(
            f"images of {description.size_pix} px: pca_diffusion needs an even side; set transform.size_pix="
            f"{description.size_pix + 1}, or ingest with --resize {description.size_pix + 1} or --crop "
            f"{description.size_pix - 1}"
        )
