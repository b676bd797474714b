"""Settings of a training run: how pixels are transformed, which model, how the loop goes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator

from galsmith.data.transforms import TransformSettings
from galsmith.errors import SettingsError
from galsmith.models.families import check_tables, model_settings, recipe_named
from galsmith.models.family import Family
from galsmith.settings import Settings, apply_overrides, typed_settings
from galsmith.training.budget import Budget

SHOWN_DIFFERENCES = 4
FREE_TO_CHANGE = {
    "training.minutes",
    "training.images",
    "training.checkpoint_seconds",
    "training.log_seconds",
    "training.sample_grids",
    "training.grid_images",
    "training.choose_snapshot",
    "training.evaluations",
    "training.evaluation_galaxies",
    "training.tensorboard",
    "training.data_license",
    "training.accumulate",
}


class TrainingSettings(Settings):
    """How the loop goes; what one step does is the family's business.

    Attributes
    ----------
    minutes : float or None
        Budget of wall-clock training time, summed over resumes; what is drawn, judged and saved on the way
        counts.
    images : int or None
        Budget in training images shown; one of the two is wanted.
    where : str or None
        Which images of the training split are learned from, by columns of the catalog, such as
        ``"score=1.. or label=1"``; see `galsmith.images.rows_chosen`. None takes all.
    seed : int
        Fixes all chance of the run.
    batch_size : int
        Images a step, whatever takes them: with torchrun each process has its share of them.
    accumulate : int or None
        In how many parts of a batch its gradients are taken, one after the other, so that less memory is enough; a step's
        losses and weights are the same within rounding. None or 1 takes them at once.
    augmentation : {"fields"} or None
        Show 16 copies of each image, turned, moved against a black frame and flipped, as the fields' paper does; for
        ``transform.kind = "display"``. A pass then has 16 times the images.
    crop_pix : int or None
        Learn fresh crops of this side out of larger images in place of the images themselves, turned and flipped; no crop
        comes twice.
    crops_per_pass : int or None
        How many of them count as a pass; 80,000 when None.
    ema_width : float
        Width of the weights' averaging profile as a share of the training's length; see `PowerFunctionEma`.
    ema_half_life : float or None
        Images after which a step counts half in the average, in place of `ema_width`: StyleGAN's 'auto' has
        ``batch_size * 10 / 32`` thousand.
    ema_ramp_up : float
        Largest such half-life as a share of the images seen; 0.05 in 'auto'.
    posthoc_averages : int or None
        How often averages of two widths are kept in the run's folder, evenly over the budget, so that one of any
        width can be made after training; 8 are usual. None or 0 keeps none.
    memory_gb : float
        The training set is kept in memory up to this size, and read from disk as it goes beyond it.
    checkpoint_seconds : float
        Time between checkpoints: what a killed run loses at most.
    log_seconds : float
        Time between lines of the log.
    sample_grids : int
        How many pictures of drawn galaxies are made; each comes at twice the budget used of the one before,
        the last one at the end.
    grid_images : int
        Galaxies on each of them.
    choose_snapshot : {"last", "best"}
        Which snapshot a run keeps: its last, or of those that were judged the one of the least distance.
    choose_by : {"properties", "features", "inception"} or None
        Whom the command line asks for the best: the measured properties of drawn galaxies, as with None,
        FD[efficientnet-lite0], or FID by the standard Inception weights where these are present, as the paper's GANs are
        chosen. In Python the judge is `evaluate`, whatever this says.
    evaluations : int
        How often a judge is asked where there is one: evenly spaced over the budget, the last time at its end.
    evaluation_galaxies : int
        Galaxies that are drawn for it, with the same seeds every time.
    tensorboard : bool
        Write TensorBoard's files too, where it is installed.
    data_license : str
        License of the training images; travels in the snapshot's card.
    """

    minutes: float | None = Field(default=None, gt=0)
    images: int | None = Field(default=None, ge=1)
    where: str | None = None
    seed: int = 0
    batch_size: int = Field(default=256, ge=1)
    accumulate: int | None = Field(default=None, ge=1)
    augmentation: Literal["fields"] | None = None
    crop_pix: int | None = Field(default=None, ge=4)
    crops_per_pass: int | None = Field(default=None, ge=1)
    ema_width: float = Field(default=0.1, gt=0, lt=0.28)
    ema_half_life: float | None = Field(default=None, gt=0)
    ema_ramp_up: float = Field(default=0.05, gt=0)
    posthoc_averages: int | None = Field(default=None, ge=0)
    memory_gb: float = Field(default=4.0, ge=0)
    checkpoint_seconds: float = Field(default=60.0, ge=0)
    log_seconds: float = Field(default=5.0, ge=0)
    sample_grids: int = Field(default=5, ge=0)
    grid_images: int = Field(default=32, ge=1)
    choose_snapshot: Literal["last", "best"] = "last"
    choose_by: Literal["properties", "features", "inception"] | None = None
    evaluations: int = Field(default=8, ge=1)
    evaluation_galaxies: int = Field(default=300, ge=1)
    tensorboard: bool = False
    data_license: str = "not stated"

    @field_validator("accumulate")
    @classmethod
    def _none_for_one(cls, value: int | None) -> int | None:
        """Write "at once" in one way."""
        return None if value == 1 else value

    @field_validator("posthoc_averages")
    @classmethod
    def _none_for_zero(cls, value: int | None) -> int | None:
        """Write "no averages" in one way."""
        return None if value == 0 else value


@dataclass(frozen=True)
class RunSettings:
    """All settings of a run, one record for each table of a recipe.

    Attributes
    ----------
    transform : TransformSettings
        How pixels become network input.
    family : Family
        The model family.
    model : Settings
        The family's own config.
    training : TrainingSettings
        How the loop goes.
    """

    transform: TransformSettings
    family: Family
    model: Settings
    training: TrainingSettings

    @property
    def budget(self) -> Budget:
        """How long to train."""
        return Budget(self.training.minutes, self.training.images)

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Return plain values by table, as a recipe has them; None is left out."""
        tables = {"transform": self.transform, "model": self.model, "training": self.training}
        return {name: table.model_dump(mode="json", exclude_none=True) for name, table in tables.items()}


def read_run_settings(
    recipe: str | Path | Mapping[str, Any],
    *,
    minutes: float | None,
    images: int | None,
    seed: int | None,
    overrides: Sequence[str],
) -> RunSettings:
    """Join a recipe, the overrides and the arguments of `train` to typed settings.

    Raises
    ------
    SettingsError
        If a table or key is unknown (the near miss is named), a value is out of range, or there is no budget,
        or two.
    """
    source = "recipe" if isinstance(recipe, Mapping) else f"recipe {str(recipe)!r}"
    plain = recipe if isinstance(recipe, Mapping) else recipe_named(recipe)
    _refuse_said_twice(overrides, minutes=minutes, images=images, seed=seed)
    values = apply_overrides(plain, overrides)
    check_tables(values, source=source)
    training = _with_arguments(values.get("training", {}), minutes=minutes, images=images, seed=seed)
    family, model = model_settings(values.get("model", {}), source=source)
    settings = RunSettings(
        transform=typed_settings(
            TransformSettings, values.get("transform", {}), source=f"{source}, [transform]"
        ),
        family=family,
        model=model,
        training=typed_settings(TrainingSettings, training, source=f"{source}, [training]"),
    )
    _refuse_unclear_budget(settings.training, source)
    return settings


def check_division(settings: RunSettings, n_ranks: int) -> None:
    """Refuse batches that processes and parts do not divide, and families that they would not train as one does.

    Parameters
    ----------
    settings : RunSettings
        Of the run.
    n_ranks : int
        Processes that take steps together.

    Raises
    ------
    SettingsError
        With both numbers.
    """
    training, family = settings.training, settings.family
    size, parts = training.batch_size, training.accumulate or 1
    if parts > 1 and not family.in_parts:
        raise SettingsError(
            f"{family.name} takes the gradients of a batch at once",
            argument="training.accumulate",
            came=parts,
            way_out="leave it out, and lower training.batch_size where memory is short",
        )
    count = n_ranks * parts
    if size % count:
        what = " times ".join(
            text
            for text, is_there in ((f"{n_ranks} processes", n_ranks > 1), (f"{parts} parts", parts > 1))
            if is_there
        )
        below, above = size // count * count, (size // count + 1) * count
        raise SettingsError(
            f"is not divided by {what}",
            argument="training.batch_size",
            came=size,
            wanted=f"a multiple of {count}, such as {above if below == 0 else below}",
            way_out="set it, or start another number of processes" if n_ranks > 1 else "set it",
        )
    if n_ranks > 1:
        family.check_ranks(settings.model, size, n_ranks)


def differences(before: Mapping[str, Mapping[str, Any]], now: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Name the settings that differ between two runs, except those that may change on the way.

    Parameters
    ----------
    before, now : mapping of table to mapping
        As `RunSettings.to_dict` gives them.

    Returns
    -------
    list of str
        Such as ``"training.batch_size was 256, now 128"``.
    """
    old, new = _flat(before), _flat(now)
    return [
        f"{name} was {old.get(name, 'not set')!r}, now {new.get(name, 'not set')!r}"
        for name in sorted({*old, *new} - FREE_TO_CHANGE)
        if old.get(name) != new.get(name)
    ]


def listed(found: Sequence[str]) -> str:
    """Join the first few differences."""
    more = f" (and {len(found) - SHOWN_DIFFERENCES} more)" if len(found) > SHOWN_DIFFERENCES else ""
    return "; ".join(found[:SHOWN_DIFFERENCES]) + more


def _with_arguments(
    training: Any, *, minutes: float | None, images: int | None, seed: int | None
) -> dict[str, Any]:
    """Let the arguments of `train` win over the recipe's table; a budget replaces the recipe's, of either kind."""
    values = dict(training)
    if minutes is not None and images is not None:
        raise SettingsError(
            f"`images={images}` is another budget",
            argument="minutes",
            came=minutes,
            wanted="one: give `minutes` or `images`",
        )
    if minutes is not None:
        values = {**values, "minutes": minutes, "images": None}
    if images is not None:
        values = {**values, "images": images, "minutes": None}
    if seed is not None:
        values["seed"] = seed
    return values


def _refuse_said_twice(overrides: Sequence[str], **arguments: float | None) -> None:
    """Refuse an override of what an argument says too: one of them would be lost in silence."""
    for entry in overrides:
        key, _, value = (part.strip() for part in entry.partition("="))
        name = key.removeprefix("training.")
        # Minutes and images are one budget.
        said = ("minutes", "images") if name in ("minutes", "images") else (name,)
        for argument in said if key != name else ():
            if arguments.get(argument) is not None:
                raise SettingsError(
                    f"an override says {key} = {value}; give one of them",
                    argument=argument,
                    came=arguments[argument],
                )


def _refuse_unclear_budget(training: TrainingSettings, source: str) -> None:
    """Raise unless there is exactly one budget."""
    if (training.minutes is None) == (training.images is None):
        came = "no budget" if training.minutes is None else "two budgets"
        raise SettingsError(
            f"{source}: has {came}; give `minutes` or `images`, or set training.minutes or training.images"
        )


def _flat(tables: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Tables as one mapping with dotted keys."""
    return {f"{table}.{key}": value for table, values in tables.items() for key, value in values.items()}
