"""The record of a model family: all that the house must know of one kind of model, and the one way to build it."""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch

from galsmith.errors import SettingsError
from galsmith.models.layers.chance import generator_from_seed
from galsmith.models.protocols import DataDescription, Precision, Trainer, TrainingBatches
from galsmith.seeds import derive_seed
from galsmith.settings import Settings

SIDES_PIX = (16, 32, 64, 128, 256)

OF_A_GENERATOR = ("galaxies_per_call", "sample")  # the members of `Generator`
State = Mapping[str, torch.Tensor]
"""Tensors by their name in a generator's ``state_dict()``."""


@dataclass(frozen=True)
class Blueprint:
    """What networks and trainers are built from.

    Attributes
    ----------
    config : Settings
        Of the family.
    description : DataDescription
        Of the training set.
    chance : torch.Generator
        Draws first weights, the generator's before those of other networks; those that torch's own layers draw
        follow from the run's seed too.
    state : mapping of str to Tensor
        What was fitted to the training set, or the whole generator of a snapshot or a run that goes on: sizes that
        the data decided can be read off it. It is loaded by whoever builds.
    device : torch.device or str
        Where steps are taken; the generator is moved there, other networks are the trainer's business.
    precision : {"float32", "bfloat16"}
        Of the networks' trunks.
    """

    config: Any
    description: DataDescription
    chance: torch.Generator
    state: State
    device: torch.device | str = "cpu"
    precision: Precision = "float32"

    @property
    def trunk_dtype(self) -> torch.dtype:
        """Torch's name of the precision."""
        return torch.bfloat16 if self.precision == "bfloat16" else torch.float32


@contextmanager
def torch_seeded(seed: int) -> Iterator[None]:
    """Start torch's global stream, of which its own layers draw first weights, at `seed`; it comes back as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.set_rng_state(generator_from_seed(seed).get_state())
        yield


def fit_nothing(config: Any, description: DataDescription, batches: TrainingBatches) -> State:
    """Fit nothing to the training set, as a family whose networks learn all."""
    return {}


def take_all(config: Any, description: DataDescription) -> None:
    """Refuse no training set."""


def tuned_for_nothing(config: Any) -> tuple[str, ...]:
    """Name no setting: those of drawing may all be changed."""
    return ()


def start_anywhere(config: Any, before: Any | None) -> None:
    """Refuse no beginning: neither none nor a snapshot."""


def divide_freely(config: Any, batch_size: int, n_ranks: int) -> None:
    """Refuse no number of processes, as a family whose losses are means over images that know nothing of one another."""


def refuse_ranks(why: str) -> Callable[[Any, int, int], None]:
    """Make the check of a family that one process alone can train.

    Parameters
    ----------
    why : str
        Half a sentence for whoever started several.
    """

    def check(config: Any, batch_size: int, n_ranks: int) -> None:
        raise SettingsError(
            f"{config.family} cannot be trained by {n_ranks} processes together: {why}; start one process, or train "
            "another family"
        )

    return check


unsaid_ranks = refuse_ranks("its record does not say by `check_ranks` that they would take the steps of one")


def refuse_other_sides(config: Any, description: DataDescription) -> None:
    """Refuse sides that are not a power of two from 16 to 256 px, for families that halve and double them.

    Raises
    ------
    SettingsError
        With the nearest side to resize to.
    """
    size = description.size_pix
    if size not in SIDES_PIX:
        nearest = min(max(2 ** round(math.log2(size)), SIDES_PIX[0]), SIDES_PIX[-1])
        raise SettingsError(
            f"images of {size} px: {config.family} needs 16, 32, 64, 128 or 256 px; set transform.size_pix={nearest}, "
            f"or ingest with `resize_pix={nearest}`"
        )


@dataclass(frozen=True)
class Family:
    """One kind of model.

    Attributes
    ----------
    name : str
        As recipes and snapshots say it.
    config : type of Settings
        Its settings, the table ``[model]`` of a recipe; the field ``family`` has the name as its default.
    network : callable
        ``Blueprint -> torch.nn.Module``: the generator with first weights; also a `Generator`.
    trainer : callable
        ``(generator, Blueprint) -> Trainer``; its state has the generator's under ``"generator"``.
    fit : callable
        ``(config, description, training_batches) -> State``: what is fitted to the training set once, before there is
        a network, by its names in the generator's state.
    check : callable
        ``(config, description)``; raises `SettingsError` where the family cannot take such a set.
    widths, rates : tuple of str
        Settings to lower where memory runs out, and where training diverges.
    keeps_pixels : bool
        Whether training takes the images themselves; False where few numbers stand for each, once they are fitted.
    against_repeats : tuple of str
        Settings to raise where a set is so small that drawn galaxies would repeat it.
    fitted_to_set : tuple of str
        Parts of the generator that are fitted anew in a run that starts from a snapshot: its networks see none of
        their values.
    only_in_training : tuple of str
        Parts of the generator that only training needs: it draws the same with them and without.
    beside_generator : tuple of str
        Networks that training needs and a snapshot does not hold, by their names in the trainer's state; a run that starts
        from a snapshot takes them from the checkpoint beside it, and has new ones where there is none.
    why_not_from_snapshot : str
        Why no run can start from a snapshot; empty where one can.
    check_start : callable
        ``(config, before)``; raises `SettingsError` where a run of these settings cannot start from a snapshot of the
        settings `before`, or, where this is None, from nothing.
    teachers : mapping of str to str
        Networks in the trainer's state that stay what a part of the snapshot's generator was, which training is from:
        the name in the state, and that of the part.
    new_in_start : tuple of str
        Parts of the generator that a snapshot to start from may lack; they are new then.
    check_ranks : callable
        ``(config, batch_size, n_ranks)``; raises `SettingsError` where so many processes cannot take steps together that
        are those of one. A family has to say that they can: its draws have to be `drawn_rows`, its gradients averaged.
    in_parts : bool
        Whether its trainer takes gradients part by part of a batch where `TrainingProgress.parts` says so.
    of_drawing : tuple of str
        Settings that change how a trained generator draws and nothing else: a snapshot can be made anew with other values.
    tuned_for : callable
        ``(config)``; those of `of_drawing` that a generator of these settings learned one value of, and can take no other.
    recipe : mapping
        Tables ``[transform]`` and ``[training]`` to train with where the family is named in place of a recipe.
    """

    name: str
    config: type[Settings]
    network: Callable[[Blueprint], torch.nn.Module]
    trainer: Callable[[Any, Blueprint], Trainer]
    fit: Callable[[Any, DataDescription, TrainingBatches], State] = fit_nothing
    check: Callable[[Any, DataDescription], None] = take_all
    widths: tuple[str, ...] = ()
    rates: tuple[str, ...] = ("learning_rate",)
    keeps_pixels: bool = True
    against_repeats: tuple[str, ...] = ()
    fitted_to_set: tuple[str, ...] = ("marginals",)
    only_in_training: tuple[str, ...] = ()
    beside_generator: tuple[str, ...] = ()
    why_not_from_snapshot: str = ""
    check_start: Callable[[Any, Any | None], None] = start_anywhere
    teachers: Mapping[str, str] = field(default_factory=dict)
    new_in_start: tuple[str, ...] = ()
    check_ranks: Callable[[Any, int, int], None] = unsaid_ranks
    in_parts: bool = False
    of_drawing: tuple[str, ...] = ()
    tuned_for: Callable[[Any], tuple[str, ...]] = tuned_for_nothing
    recipe: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        said = self.config.model_fields.get("family")
        if said is None or said.default != self.name:
            raise ValueError(
                f"config is {self.config.__name__}, whose family is {None if said is None else said.default!r}; wanted "
                f"the field family: Literal[{self.name!r}] = {self.name!r}"
            )

    def build_trainer(
        self,
        config: Settings,
        description: DataDescription,
        training_batches: TrainingBatches,
        *,
        seed: int,
        device: torch.device | str = "cpu",
        precision: Precision = "float32",
        state: Mapping[str, Any] | None = None,
    ) -> Trainer:
        """Fit to a training set and start the networks, or go on from a state.

        Parameters
        ----------
        config : Settings
            Of this family.
        description : DataDescription
            Of the training set.
        training_batches : TrainingBatches
            To fit on; not read where there is a state.
        seed : int
            The run's seed.
        device : torch.device or str
            Where steps are taken.
        precision : {"float32", "bfloat16"}
            Of the networks' trunks.
        state : mapping, optional
            What ``state_dict()`` of the trainer gave.

        Raises
        ------
        SettingsError
            If the family cannot take such a set.
        InputError
            If nothing can be fitted to it.
        """
        self.check(config, description)
        # no family draws chance here: first weights do not depend on what is fitted
        fitted = self.fit(config, description, training_batches) if state is None else state["generator"]
        chance = generator_from_seed(derive_seed(seed, "train.initial_weights"))
        blueprint = Blueprint(config, description, chance, fitted, device, precision)
        with torch_seeded(derive_seed(seed, "train.torch_weights")):
            generator = self._built(blueprint)
        # what is fitted is a part of the state only
        unknown = generator.load_state_dict(fitted, strict=state is not None).unexpected_keys
        if unknown:
            raise ValueError(f"{self.name} fits {', '.join(unknown)}, which its network does not have")
        with torch_seeded(derive_seed(seed, "train.torch_weights", 1)):
            trainer = self.trainer(generator.to(device), blueprint)
        if state is not None:
            trainer.load_state_dict(state)  # optimizers, and networks beside the generator
        return trainer

    def build_generator(
        self, config: Settings, description: DataDescription, state: State
    ) -> torch.nn.Module:
        """Build a generator and fill it with what its ``state_dict()`` gave."""
        self.check(config, description)
        with torch_seeded(0):
            generator = self._built(Blueprint(config, description, generator_from_seed(0), state))
        generator.load_state_dict(state)
        return generator

    def _built(self, blueprint: Blueprint) -> torch.nn.Module:
        """Build the network, and refuse one that is no `Generator`."""
        network = self.network(blueprint)
        lacking = [name for name in OF_A_GENERATOR if not hasattr(network, name)]
        if lacking:
            raise SettingsError(
                f"family {self.name!r}: its network {type(network).__name__} has no {' and no '.join(lacking)}; wanted "
                "galaxies_per_call (int, galaxies drawn at once) and sample(seeds, conditions=None), which draws"
            )
        return network
