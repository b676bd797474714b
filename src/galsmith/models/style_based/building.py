"""How a style-based family is built from its synthesis network: all else is the same for each of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from galsmith.models.layers.chance import generator_from_seed
from galsmith.models.layers.sides import refuse_other_sides
from galsmith.models.protocols import DataDescription, Precision, TrainingBatches
from galsmith.models.style_based.generator import StyleGenerator
from galsmith.models.style_based.settings import StyleSettings, level_widths
from galsmith.models.style_based.trainer import StyleTrainer, started_trainer
from galsmith.seeds import derive_seed


@dataclass(frozen=True)
class StyleFamily:
    """A style-based family.

    Attributes
    ----------
    name : str
        In `galsmith.models.families.FAMILIES`.
    synthesis : callable
        ``(n_bands, widths, *, latent, chance) -> network`` that maps w and noise to pixels.
    """

    name: str
    synthesis: Callable[..., Any]

    def build_trainer(
        self,
        config: StyleSettings,
        description: DataDescription,
        training_batches: TrainingBatches,
        *,
        seed: int,
        device: torch.device | str = "cpu",
        precision: Precision = "float32",
        state: Mapping[str, Any] | None = None,
    ) -> StyleTrainer:
        """Fit the scalars' laws and start both networks; see `Family.build_trainer`.

        Raises
        ------
        SettingsError
            If the images' side is not a power of two from 16 to 256.
        """
        chance = generator_from_seed(derive_seed(seed, "train.initial_weights"))
        return started_trainer(
            self._started_generator(config, description, chance),
            training_batches,
            config=config,
            chance=chance,
            device=device,
            precision=precision,
            state=state,
        )

    def build_generator(
        self, config: StyleSettings, description: DataDescription, state: Mapping[str, torch.Tensor]
    ) -> StyleGenerator:
        """Build a generator and fill it with `state`."""
        generator = self._started_generator(config, description, generator_from_seed(0))
        generator.load_state_dict(state)
        return generator

    def _started_generator(
        self, config: StyleSettings, description: DataDescription, chance: torch.Generator
    ) -> StyleGenerator:
        """Build a generator with first weights."""
        refuse_other_sides(description.size_pix, family=self.name)
        synthesis = self.synthesis(
            len(description.bands),
            level_widths(config, description.size_pix),
            latent=config.latent_width,
            chance=chance,
        )
        return StyleGenerator(synthesis, config, description, chance=chance)
