"""The model families, spelled out: a name, what it is for, its config and how it is built."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from galsmith.errors import SettingsError
from galsmith.models.advice import WHEN_TO_CHOOSE
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
from galsmith.models.stylegan import StyleganConfig
from galsmith.models.stylegan import build_generator as build_stylegan_generator
from galsmith.models.stylegan import build_trainer as build_stylegan_trainer
from galsmith.models.stylegan2 import Stylegan2Config
from galsmith.models.stylegan2 import build_generator as build_stylegan2_generator
from galsmith.models.stylegan2 import build_trainer as build_stylegan2_trainer
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
    beside_generator : tuple of str
        Networks that training needs and a snapshot does not hold; in a run that starts from one they are new.
    starts_from_snapshot : bool
        Whether such a start makes sense. The state of a trainer has the generator's under ``"generator"``.
    """

    config: type[Settings]
    when_to_choose: str
    build_trainer: Callable[..., Trainer]
    build_generator: Callable[..., torch.nn.Module]
    beside_generator: tuple[str, ...] = ()
    starts_from_snapshot: bool = True


FAMILIES: dict[str, Family] = {
    "pca_diffusion": Family(
        config=PcaDiffusionConfig,
        when_to_choose=WHEN_TO_CHOOSE["pca_diffusion"],
        build_trainer=build_pca_trainer,
        build_generator=build_pca_generator,
    ),
    "diffusion": Family(
        config=DiffusionConfig,
        when_to_choose=WHEN_TO_CHOOSE["diffusion"],
        build_trainer=build_diffusion_trainer,
        build_generator=build_diffusion_generator,
    ),
    "vae": Family(
        config=VaeConfig,
        when_to_choose=WHEN_TO_CHOOSE["vae"],
        build_trainer=build_vae_trainer,
        build_generator=build_vae_generator,
        beside_generator=("encoder",),
        starts_from_snapshot=False,  # a decoder forgets what it knows before a new encoder finds its way into it
    ),
    "alae": Family(
        config=AlaeConfig,
        when_to_choose=WHEN_TO_CHOOSE["alae"],
        build_trainer=build_alae_trainer,
        build_generator=build_alae_generator,
        beside_generator=("encoder", "discriminator"),
        starts_from_snapshot=False,  # a run grows its images from the smallest side again
    ),
    "stylegan": Family(
        config=StyleganConfig,
        when_to_choose=WHEN_TO_CHOOSE["stylegan"],
        build_trainer=build_stylegan_trainer,
        build_generator=build_stylegan_generator,
        beside_generator=("discriminator",),
    ),
    "stylegan2": Family(
        config=Stylegan2Config,
        when_to_choose=WHEN_TO_CHOOSE["stylegan2"],
        build_trainer=build_stylegan2_trainer,
        build_generator=build_stylegan2_generator,
        beside_generator=("discriminator",),
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
