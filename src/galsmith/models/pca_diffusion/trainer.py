"""The trainer of `pca_diffusion`: fits the components, then takes denoising steps on coefficients."""

import torch

from galsmith.errors import SettingsError
from galsmith.models.family import Blueprint, Family, State, divide_freely
from galsmith.models.layers.chance import drawn_rows
from galsmith.models.layers.d4 import drawn_elements
from galsmith.models.layers.dense import ResidualMlp
from galsmith.models.layers.edm import denoised, draw_noise_levels, like, loss_weight
from galsmith.models.layers.few_steps import JumpLoss
from galsmith.models.layers.marginals import marginals_of_set, thinned
from galsmith.models.layers.optimization import DescentTrainer, warmed_and_decayed
from galsmith.models.pca_diffusion.components import fit_components
from galsmith.models.pca_diffusion.config import PcaDiffusionConfig
from galsmith.models.pca_diffusion.networks import PcaGenerator
from galsmith.models.protocols import DataDescription, NetworkBatch, TrainingBatches

LARGEST_GRADIENT = 10.0
NOISE_LEVELS = ("highest_noise_level", "lowest_noise_level")
TEACHER = "teacher"  # the snapshot's network, in the trainer's state


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
        generator = self._generator
        elements = None
        if self._config.symmetric:
            elements = drawn_elements(len(batch.pixels), chance)
        # D4 is a permutation with signs here, no image is turned
        clean = generator.clean_values(batch, elements, chance)
        # Karras+22, table 1
        level = draw_noise_levels(len(clean), self._noise_law, chance=chance)
        noise = drawn_rows(torch.randn, clean.shape, chance)
        sigma_data = generator.sigma_data
        error = generator.denoise(clean + noise * like(level, clean), level) - clean
        # lambda(sigma), and strong components' say
        weight = loss_weight(level, clean, sigma_data=sigma_data) * (sigma_data / sigma_data.mean())
        return (error**2 * weight).mean()


def _trainer(generator: PcaGenerator, blueprint: Blueprint) -> DescentTrainer:
    """Start the optimizer, and a teacher beside it where the model is tuned to few steps."""
    config = blueprint.config
    if config.tuned_steps:
        return _tuner(generator, blueprint)
    return warmed_and_decayed(
        generator,
        DenoisingLoss(generator, config),
        config,
        largest_gradient=LARGEST_GRADIENT,
        compact=generator.encode,
    )


def _tuner(generator: PcaGenerator, blueprint: Blueprint) -> DescentTrainer:
    """Start the optimizer of jumps, which learn from the snapshot's network and not from images."""
    config = blueprint.config
    # its weights are the snapshot's, or a checkpoint's, once the state is loaded
    teacher = ResidualMlp(
        len(generator.sigma_data), width=config.width, depth=config.depth, chance=blueprint.chance
    )
    teacher.trunk_dtype = blueprint.trunk_dtype
    teacher.to(generator.sigma_data.device).requires_grad_(requires_grad=False)
    sigma_data = generator.sigma_data

    def denoise(noisy: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
        return denoised(teacher, noisy, level, sigma_data=sigma_data)

    jump_loss = JumpLoss(
        generator.network,
        denoise,
        generator.hops,
        config.tuned_steps,
        share=sigma_data / sigma_data.mean(),  # as in `DenoisingLoss`
    )
    return warmed_and_decayed(
        generator,
        lambda batch, chance: jump_loss(len(batch.pixels), chance),
        config,
        largest_gradient=LARGEST_GRADIENT,
        compact=_numbered,
        beside={TEACHER: teacher},
    )


def _numbered(batch: NetworkBatch) -> NetworkBatch:
    """Keep of images that they are there: jumps are learned from noise."""
    return NetworkBatch(batch.pixels.flatten(1)[:, :1].clone(), batch.scalars)


def _check_start(config: PcaDiffusionConfig, before: PcaDiffusionConfig | None) -> None:
    """Refuse to tune nothing, and to go on with a network that can only jump."""
    if config.tuned_steps and before is None:
        raise SettingsError(
            "few steps are learned from a trained snapshot, and there is none",
            argument="model.tuned_steps",
            came=list(config.tuned_steps),
            way_out="give `init_from`, or train an ordinary model first: model.tuned_steps=[]",
        )
    if before is not None and before.tuned_steps:
        raise SettingsError(
            f"the snapshot of `init_from` is itself tuned to {list(before.tuned_steps)} steps and cannot denoise; start "
            "from the one that it was tuned from"
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


def _tuned_for(config: PcaDiffusionConfig) -> tuple[str, ...]:
    """Name the noise levels of a model that jumps: between these it learned to."""
    return NOISE_LEVELS if config.tuned_steps else ()


FAMILY = Family(
    name="pca_diffusion",
    config=PcaDiffusionConfig,
    network=PcaGenerator,
    trainer=_trainer,
    fit=_fit,
    check=_check,
    check_ranks=divide_freely,
    in_parts=True,
    keeps_pixels=False,
    check_start=_check_start,
    teachers={TEACHER: "network"},
    new_in_start=("arrive",),
    widths=("width",),
    of_drawing=("sampler_steps", *NOISE_LEVELS),
    tuned_for=_tuned_for,
)
