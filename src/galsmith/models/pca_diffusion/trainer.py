"""The trainer of `pca_diffusion`: fits the components, then takes denoising steps on coefficients."""

import torch

from galsmith.errors import SettingsError
from galsmith.models.family import Blueprint, Family, State
from galsmith.models.layers.d4 import N_ELEMENTS
from galsmith.models.layers.edm import draw_noise_levels, like, loss_weight
from galsmith.models.layers.marginals import marginals_of_set, thinned
from galsmith.models.layers.optimization import DescentTrainer, warmed_and_decayed
from galsmith.models.pca_diffusion.components import fit_components
from galsmith.models.pca_diffusion.config import PcaDiffusionConfig
from galsmith.models.pca_diffusion.networks import PcaGenerator
from galsmith.models.protocols import DataDescription, NetworkBatch, TrainingBatches

LARGEST_GRADIENT = 10.0


class DenoisingLoss:
    """Weighted squared error of denoised coefficients, shifts and scalars.

    Parameters
    ----------
    generator : PcaGenerator
        With fitted components.
    config : PcaDiffusionConfig
        Of the family.
    """

    def __init__(self, generator: PcaGenerator, config: PcaDiffusionConfig) -> None:
        self._generator, self._config = generator, config
        self._noise_law = generator.noise_law

    def __call__(self, batch: NetworkBatch, chance: torch.Generator) -> torch.Tensor:
        """Loss of what `PcaGenerator.encode` gave; strong components weigh by their deviation."""
        generator, device = self._generator, batch.pixels.device
        elements = None
        if self._config.symmetric:
            elements = torch.randint(0, N_ELEMENTS, (len(batch.pixels),), generator=chance, device=device)
        # D4 is a permutation with signs here, no image is turned
        clean = generator.clean_values(batch, elements, chance)
        # Karras+22, table 1
        level = draw_noise_levels(len(clean), self._noise_law, chance=chance)
        noise = torch.randn(clean.shape, generator=chance, device=device)
        sigma_data = generator.sigma_data
        error = generator.denoise(clean + noise * like(level, clean), level) - clean
        # lambda(sigma), and strong components' say
        weight = loss_weight(level, clean, sigma_data=sigma_data) * (sigma_data / sigma_data.mean())
        return (error**2 * weight).mean()


def _trainer(generator: PcaGenerator, blueprint: Blueprint) -> DescentTrainer:
    """Start the optimizer."""
    config = blueprint.config
    return warmed_and_decayed(
        generator,
        DenoisingLoss(generator, config),
        config,
        largest_gradient=LARGEST_GRADIENT,
        compact=generator.encode,
    )


def _fit(config: PcaDiffusionConfig, description: DataDescription, batches: TrainingBatches) -> State:
    """Fit components, centering and texture, the laws of the scalars, and how all of them are scaled."""
    some = thinned(batches, n_images=description.n_train, at_most=config.images_for_fit)
    components = fit_components(config, description, some)
    marginals = marginals_of_set(batches, description)
    return PcaGenerator.fitted_state(components, marginals, config)


def _check(config: PcaDiffusionConfig, description: DataDescription) -> None:
    """Refuse odd sides, which have no parity blocks."""
    size = description.size_pix
    if size % 2:
        raise SettingsError(
            f"images of {size} px: pca_diffusion needs an even side; set transform.size_pix={size + 1}, or ingest with "
            f"`resize_pix={size + 1}` or `crop_pix={size - 1}`"
        )


FAMILY = Family(
    name="pca_diffusion",
    config=PcaDiffusionConfig,
    network=PcaGenerator,
    trainer=_trainer,
    fit=_fit,
    check=_check,
    keeps_pixels=False,
    widths=("width",),
    of_drawing=("sampler_steps", "highest_noise_level", "lowest_noise_level"),
)
