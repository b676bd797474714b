"""One training run in the making: trainer, average, data and state, and how they are kept on disk."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from galsmith.data.transforms import PixelTransform, TransformSettings, fit_with_sample
from galsmith.errors import GalsmithError, SettingsError
from galsmith.execution import ProgressCallback, ProgressEvent
from galsmith.images import ImageSet, rows_chosen
from galsmith.models.devices import is_out_of_memory
from galsmith.models.draws import draw_images, draw_pixels, refuse_misdrawn
from galsmith.models.families import HOUSE, listed_families
from galsmith.models.protocols import DataDescription, Precision, Trainer
from galsmith.models.snapshot import save_snapshot
from galsmith.provenance import Parent, Provenance, hash_json
from galsmith.seeds import derive_seed
from galsmith.training.averages.folder import started_averages
from galsmith.training.averages.power_function import HalfLifeEma, PowerFunctionEma, WeightAverage
from galsmith.training.batches import (
    FittingBatches,
    TrainingSet,
    refuse_equal_images,
    warn_of_few_images,
    warn_of_memory,
)
from galsmith.training.budget import Choice, RunState
from galsmith.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from galsmith.training.crops import CROPS_PER_PASS, fresh_crops
from galsmith.training.folder import RunFolder
from galsmith.training.grids import write_grid
from galsmith.training.parent import (
    HASH_KEY,
    PATH_KEY,
    Beginning,
    StartingPoint,
    explained_misfit,
    load_parent,
    starting_state,
)
from galsmith.training.settings import FREE_TO_CHANGE, RunSettings


@dataclass
class TrainingRun:
    """All that one run is made of.

    Attributes
    ----------
    folder : RunFolder
        Where it is kept.
    settings : RunSettings
        How it was started.
    tables : mapping
        Content of ``settings.toml``.
    image_set : ImageSet
        The whole set, whose header the snapshot's card repeats.
    training_set : TrainingSet
        The training split in network space.
    device : torch.device
        Where steps are taken.
    trainer : Trainer
        Takes them.
    ema : WeightAverage
        Averages the generator.
    kept_averages : tuple of PowerFunctionEma
        Those that others can be made from after training; `ema` may be among them. Empty where none are kept.
    state : RunState
        How far the run is.
    chosen : torch.nn.Module or None
        The averaged generator that ``state.choice`` names.
    """

    folder: RunFolder
    settings: RunSettings
    tables: Mapping[str, Mapping[str, Any]]
    image_set: ImageSet
    training_set: TrainingSet
    device: torch.device
    trainer: Trainer
    ema: WeightAverage
    kept_averages: tuple[PowerFunctionEma, ...]
    state: RunState
    chosen: torch.nn.Module | None = None

    @property
    def kept_choice(self) -> Choice | None:
        """What the snapshot is of, where the best one is wanted and there is one; None where it is the latest."""
        return kept_choice(self.settings, self.state)

    @property
    def averages(self) -> tuple[WeightAverage, ...]:
        """All averages, each once, the run's own first."""
        return (self.ema, *(average for average in self.kept_averages if average is not self.ema))

    @property
    def description(self) -> DataDescription:
        """What networks must know of the set."""
        return describe(self.training_set)

    def save(self, *, is_finished: bool) -> bool:
        """Write checkpoint and snapshot and return True, or nothing and False if a weight is not finite."""
        if not _is_finite(self.trainer.generator):
            return False
        save_checkpoint(
            self.folder.checkpoint_file,
            Checkpoint(
                trainer=self.trainer.state_dict(),
                ema=self.ema.state_dict(),
                transform=self.training_set.transform.to_dict(),
                state=self.state,
                settings_hash=settings_hash(self.tables),
                data_hash=self.image_set.content_hash,
                chosen=None if self.chosen is None else dict(self.chosen.state_dict()),
                other_averages=[average.state_dict() for average in self.averages[1:]],
            ),
        )
        self.save_snapshot(is_finished=is_finished)
        return True

    def save_snapshot(self, *, is_finished: bool) -> None:
        """Write the averaged generator with its card: the best one so far where it is wanted, else the latest."""
        chosen = None if self.kept_choice is None else self.chosen
        save_snapshot(
            self.folder.snapshot_folder,
            self.ema.average if chosen is None else chosen,
            config=self.settings.model,
            description=self.description,
            transform=self.training_set.transform,
            card=self._card(is_finished=is_finished),
            trained_scalars=self.training_set.some_scalars,
        )

    def restore(self) -> None:
        """Go back to the last checkpoint."""
        checkpoint = load_checkpoint(self.folder.checkpoint_file)
        self.trainer.load_state_dict(checkpoint.trainer)
        self.go_on_from(checkpoint)

    def go_on_from(self, checkpoint: Checkpoint) -> None:
        """Take averages and state from a checkpoint, of which the trainer is already."""
        states = (checkpoint.ema, *checkpoint.other_averages)
        for average, state in zip(self.averages, states, strict=True):
            average.load_state_dict(state)
        self.state = checkpoint.state
        self.chosen = None
        if checkpoint.chosen is not None:
            self.chosen = copy.deepcopy(self.ema.average).cpu()
            self.chosen.load_state_dict(dict(checkpoint.chosen))

    def choose(
        self, distance: float, generator: torch.nn.Module | None = None, *, ema_width: float | None = None
    ) -> None:
        """Remember the averaged generator, or one of another width, as the best so far."""
        self.chosen = copy.deepcopy(self.ema.average if generator is None else generator).cpu()
        self.state.choice = Choice(self.state.images_seen, self.state.seconds, distance, ema_width)

    def draw_for_judge(self, generator: torch.nn.Module | None = None) -> ImageSet:
        """Draw galaxies from the averaged generator, or another, with the same seeds every time, as a set of images."""
        seeds = self._seeds("train.evaluation", self.settings.training.evaluation_galaxies)
        drawn_from = self.ema.average if generator is None else generator
        return draw_images(drawn_from, seeds, self.training_set.transform, header=self.image_set.header)

    def draw_grid(self) -> None:
        """Draw galaxies from the averaged generator, with the same seeds every time, and write their picture."""
        seeds = self._seeds("train.grid", self.settings.training.grid_images)
        drawn = draw_pixels(self.ema.average, seeds, self.training_set.transform)
        title = f"{self.settings.family.name}   {self.state.images_seen:,} images seen   {self.state.seconds / 60:.1f} min"
        write_grid(
            self.folder.grid_file(self.state.images_seen),
            drawn,
            title=title,
            is_display=self.image_set.header.flux_unit == "display",
        )

    def _seeds(self, purpose: str, count: int) -> list[int]:
        """Seeds of galaxies that are drawn in training."""
        return [derive_seed(self.settings.training.seed, purpose, position) for position in range(count)]

    def _card(self, *, is_finished: bool) -> dict[str, Any]:
        """Say what the snapshot is and what made it."""
        images = self.image_set
        training, choice = self.settings.training, self.kept_choice
        return {
            **images.header.to_dict(),
            **self._giver(),
            "data_license": training.data_license,
            "training": {
                "is_finished": is_finished,
                "images_seen": self.state.images_seen if choice is None else choice.images_seen,
                "seconds": round((self.state if choice is None else choice).seconds, 3),
                **({} if choice is None else {"chosen": self._chosen_by(choice)}),
                "budget": self.settings.budget.text,
                "n_training_images": len(self.training_set),
                "bad_steps": self.state.bad_steps,
                "ema_width": kept_width(self.settings, self.state),
                "device": str(self.device),
            },
            "recipe": {name: dict(self.tables[name]) for name in ("transform", "model", "training", "run")},
            "provenance": Provenance(
                verb="train",
                settings=self.settings.to_dict(),
                seed=training.seed,
                parents=(images.as_parent("training set"), *self._parents()),
            ).to_dict(),
        }

    def _giver(self) -> dict[str, str]:
        """Name the package or module that a family of others came with."""
        giver = listed_families()[self.settings.family.name].given_by
        return {} if giver == HOUSE else {"family_given_by": giver}

    def _parents(self) -> tuple[Parent, ...]:
        """Name the snapshot that the run started from, where it did."""
        run = self.tables["run"]
        if HASH_KEY not in run:
            return ()
        return (Parent("snapshot to start from", run[HASH_KEY], run[PATH_KEY]),)

    def _chosen_by(self, choice: Choice) -> dict[str, Any]:
        """Say why the snapshot is not the latest."""
        return {
            "distance": choice.distance,
            **({} if choice.ema_width is None else {"ema_width": choice.ema_width}),
            "n_evaluations": self.state.n_evaluations,
            "n_galaxies": self.settings.training.evaluation_galaxies,
            "images_seen_by_run": self.state.images_seen,
        }


def start_run(
    folder: RunFolder,
    settings: RunSettings,
    tables: Mapping[str, Mapping[str, Any]],
    *,
    image_set: ImageSet,
    device: torch.device,
    precision: Precision,
    checkpoint: Checkpoint | None,
    parent: StartingPoint | None,
    asked: TransformSettings,
    progress: ProgressCallback,
) -> TrainingRun:
    """Fit the transform and build the trainer, or take both from a checkpoint or from the snapshot to start from.

    Parameters
    ----------
    checkpoint : Checkpoint or None
        What to go on from.
    parent : StartingPoint or None
        What to start from.
    asked : TransformSettings
        What the recipe says, where the transform may be the snapshot's.

    Raises
    ------
    InputError
        If the training split cannot be learned from, or `parent` does not fit it.
    SettingsError
        If the weights of `parent` do not fit the model of `settings`, or a family of others cannot draw.
    """
    chosen = training_split(image_set, settings.training.where)
    training_images, start, sample = learned_images(chosen, settings), None, None
    progress(ProgressEvent("preparing", 0, len(training_images), "images"))
    warn_of_few_images(training_images, settings)
    warn_of_memory(training_images, settings)
    if checkpoint is not None:
        transform = PixelTransform.from_dict(checkpoint.transform)
    else:
        transform, sample = fit_with_sample(training_images, settings.transform, progress=progress)
        refuse_equal_images(training_images)
        if parent is not None:
            start = load_parent(parent, settings, training_images, asked=asked)
            transform = start.snapshot.transform
    fluxes = None if sample is None else sample.fluxes
    training_set = TrainingSet(training_images, transform, fluxes=fluxes, progress=progress)
    fitted_on = (
        training_set.chunks if sample is None else FittingBatches(training_set, sample, progress=progress)
    )

    def built(state: Mapping[str, Any] | None) -> Trainer:
        return settings.family.build_trainer(
            settings.model,
            describe(training_set),
            fitted_on,
            seed=settings.training.seed,
            device=device,
            precision=precision,
            state=state,
        )

    trainer = built(None if checkpoint is None else checkpoint.trainer)
    if start is not None:
        trainer = _started_from(start, trainer.state_dict(), built, settings)
    ema = _started_average(trainer.generator, settings)
    family = settings.family.name
    if listed_families()[family].given_by != HOUSE:
        refuse_misdrawn(ema.average, describe(training_set), family=family)
    kept = started_averages(ema, trainer.generator) if settings.training.posthoc_averages else ()
    run = TrainingRun(
        folder, settings, tables, image_set, training_set, device, trainer, ema, kept, RunState()
    )
    if checkpoint is not None:
        run.go_on_from(checkpoint)
    return run


def learned_images(images: ImageSet, settings: RunSettings) -> ImageSet:
    """Give what is learned of the training split: its images, or fresh crops of them."""
    training = settings.training
    if training.crop_pix is None:
        return images
    per_pass = CROPS_PER_PASS if training.crops_per_pass is None else training.crops_per_pass
    return fresh_crops(images, crop_pix=training.crop_pix, crops_per_pass=per_pass, seed=training.seed)


def _started_from(
    start: Beginning,
    new: Mapping[str, Any],
    built: Callable[[Mapping[str, Any] | None], Trainer],
    settings: RunSettings,
) -> Trainer:
    """Build a trainer again, with a snapshot's weights in its generator and those of its run beside it."""
    try:
        return built(starting_state(new, start))
    except (RuntimeError, ValueError, KeyError) as error:
        if isinstance(error, GalsmithError) or is_out_of_memory(error):
            raise
        raise explained_misfit(start.snapshot, settings) from error


def kept_choice(settings: RunSettings, state: RunState) -> Choice | None:
    """Which evaluation the snapshot is of; None where it is the latest."""
    return state.choice if settings.training.choose_snapshot == "best" else None


def kept_width(settings: RunSettings, state: RunState) -> float | None:
    """Width of the average that the snapshot is; None of one with a half-life."""
    choice = kept_choice(settings, state)
    if choice is None or choice.ema_width is None:
        return None if settings.training.ema_half_life else settings.training.ema_width
    return choice.ema_width


def _started_average(network: torch.nn.Module, settings: RunSettings) -> WeightAverage:
    """Start the run's own average."""
    training = settings.training
    if training.ema_half_life is None:
        return PowerFunctionEma(network, width=training.ema_width)
    return HalfLifeEma(network, half_life=training.ema_half_life, ramp_up=training.ema_ramp_up)


def training_split(image_set: ImageSet, where: str | None) -> ImageSet:
    """Give the images of a set's training split that are learned from.

    Raises
    ------
    SettingsError
        If `where` cannot be read, names a column that is not there, or no image meets it.
    """
    images = image_set.in_split("train")
    if where is None:
        return images
    chosen = rows_chosen(images.catalog, where)
    if not chosen.any():
        raise SettingsError(
            f"training.where is {where!r}, which none of {len(images):,} training images meets; look at the catalog's "
            "columns with galsmith info"
        )
    return images.select(chosen)


def describe(training_set: TrainingSet) -> DataDescription:
    """Say what networks must know of a set."""
    return DataDescription(
        bands=training_set.images.header.bands,
        size_pix=training_set.transform.size_pix,
        scalar_names=training_set.transform.scalar_names,
        n_train=len(training_set),
        pixel_range=training_set.transform.pixel_range,
        shows=training_set.images.header.shows,
        pixel_unit=training_set.transform.pixel_unit,
    )


def settings_hash(tables: Mapping[str, Mapping[str, Any]]) -> str:
    """Hash of the settings that decide a run's numbers."""
    decisive = {
        f"{table}.{key}": value
        for table in ("transform", "model", "training")
        for key, value in tables[table].items()
        if f"{table}.{key}" not in FREE_TO_CHANGE
    }
    return hash_json(decisive)


def _is_finite(network: torch.nn.Module) -> bool:
    """Whether all weights are finite."""
    return all(bool(torch.isfinite(parameter).all()) for parameter in network.parameters())
