"""The model families, spelled out: a name, what it is for, its config and how it is built."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from galsmith.errors import SettingsError
from galsmith.models.alae.config import AlaeConfig
from galsmith.models.alae.trainer import build_generator as build_alae_generator
from galsmith.models.alae.trainer import build_trainer as build_alae_trainer
from galsmith.models.diffusion.config import DiffusionConfig
from galsmith.models.diffusion.trainer import build_generator as build_diffusion_generator
from galsmith.models.diffusion.trainer import build_trainer as build_diffusion_trainer
from galsmith.models.pca_diffusion.config import PcaDiffusionConfig
from galsmith.models.pca_diffusion.trainer import build_generator as build_pca_generator
from galsmith.models.pca_diffusion.trainer import build_trainer as build_pca_trainer
from galsmith.models.protocols import Trainer
from galsmith.models.stylegan.config import StyleganConfig
from galsmith.models.stylegan.trainer import build_generator as build_stylegan_generator
from galsmith.models.stylegan.trainer import build_trainer as build_stylegan_trainer
from galsmith.models.stylegan2.config import Stylegan2Config
from galsmith.models.stylegan2.trainer import build_generator as build_stylegan2_generator
from galsmith.models.stylegan2.trainer import build_trainer as build_stylegan2_trainer
from galsmith.models.vae.config import VaeConfig
from galsmith.models.vae.trainer import build_generator as build_vae_generator
from galsmith.models.vae.trainer import build_trainer as build_vae_trainer
from galsmith.settings import Settings, near_miss, typed_settings


@dataclass(frozen=True)
class Family:
    """One kind of model.

    Attributes
    ----------
    config : type of Settings
        Its settings: the table ``[model]`` of a recipe.
    when_to_choose : str
        One line for whoever must choose.
    build_trainer : callable
        ``(config, description, training_batches, *, seed, device, precision, state=None) -> Trainer``.
        `training_batches` is a `TrainingBatches` to fit on. `state` is what ``state_dict()`` gave in a run to be
        resumed: the trainer then goes on from it, and `training_batches` is not read.
    build_generator : callable
        ``(config, description, state) -> torch.nn.Module`` with ``.sample``; `state` is the generator's own
        ``state_dict()``.
    """

    config: type[Settings]
    when_to_choose: str
    build_trainer: Callable[..., Trainer]
    build_generator: Callable[..., torch.nn.Module]


FAMILIES: dict[str, Family] = {
    "pca_diffusion": Family(
        config=PcaDiffusionConfig,
        when_to_choose="smooth galaxies and few cores: minutes to train, hundreds of galaxies a second",
        build_trainer=build_pca_trainer,
        build_generator=build_pca_generator,
    ),
    "diffusion": Family(
        config=DiffusionConfig,
        when_to_choose="clumpy or noisy galaxies, many bands, a GPU or hours of time",
        build_trainer=build_diffusion_trainer,
        build_generator=build_diffusion_generator,
    ),
    "vae": Family(
        config=VaeConfig,
        when_to_choose="a latent space and the paper's baseline: stable and fast, but too smooth",
        build_trainer=build_vae_trainer,
        build_generator=build_vae_generator,
    ),
    "alae": Family(
        config=AlaeConfig,
        when_to_choose="a latent space with sharp images, as in the paper; a GPU and hours of time",
        build_trainer=build_alae_trainer,
        build_generator=build_alae_generator,
    ),
    "stylegan": Family(
        config=StyleganConfig,
        when_to_choose="the paper's best generator, to compare with; a GPU and hours to train, the fastest to draw",
        build_trainer=build_stylegan_trainer,
        build_generator=build_stylegan_generator,
    ),
    "stylegan2": Family(
        config=Stylegan2Config,
        when_to_choose="as stylegan, without its droplet artifacts and a quarter faster to train",
        build_trainer=build_stylegan2_trainer,
        build_generator=build_stylegan2_generator,
    ),
}


def model_settings(values: Mapping[str, Any], *, source: str) -> tuple[str, Settings]:
    """Read the table ``[model]`` of a recipe: the family's name and its typed config.

    Raises
    ------
    SettingsError
        If ``family`` is missing or unknown (the near miss is named), or a setting is.
    """
    name = values.get("family")
    if name not in FAMILIES:
        hint = near_miss(str(name), list(FAMILIES)) if name is not None else ""
        raise SettingsError(
            f"{source}: model.family is {name!r}{hint}; the families are {', '.join(FAMILIES)}"
        )
    return str(name), typed_settings(FAMILIES[str(name)].config, values, source=f"{source}, [model]")
