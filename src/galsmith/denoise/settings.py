"""Recipes of denoisers in TOML to typed settings: model, observation, range, training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from galsmith.denoise.denoisers import RECIPE_FOLDER, check_recipe, denoiser_named
from galsmith.denoise.looks import LookRange
from galsmith.denoise.method import Method
from galsmith.errors import SettingsError
from galsmith.observe.observation import Observation
from galsmith.provenance import hash_json
from galsmith.settings import Settings, apply_overrides, near_miss, read_recipe, recipe_file, typed_settings
from galsmith.training.budget import Budget

TABLES = ("model", "observation", "range", "training")
# settings of training that may change when a run goes on
FREE_TO_CHANGE = frozenset({"minutes", "images", "checkpoint_seconds", "log_seconds"})

Count = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0)]


class DenoiserTraining(Settings):
    """How a denoiser is trained; progress is counted in images seen.

    Attributes
    ----------
    minutes, images : float or int, or None
        The budget: wall-clock time, or images seen; one of them.
    seed : int
        Fixes all chance.
    mixing : float
        Probability that the next image is of the generated set.
    set_size : int or None
        Learn from the first so many images of each set alone, so that the size is the same at any mixing; None takes all.
    batch_size : int
        Images a step.
    crop_pix : int or None
        Side of random crops, even; None shows whole images.
    buckets : int
        So many batches are ordered by size together.
    learning_rate : float
        Adam's, at its highest.
    schedule : {"steps", "linear"}
        ``"steps"``: times `decay_factor` every `decay_images`, not below `least_rate`; ``"linear"``: up over the first
        twentieth of the budget, and down to zero over its second half.
    decay_factor, decay_images, least_rate : float, int, float
        Of ``"steps"``.
    largest_gradient : float or None
        Gradients of a larger norm are scaled down to it; None leaves them.
    ema_width : float or None
        Relative width of the average of weights that is validated and kept; None takes the weights themselves.
    validations : int
        How often the loss is taken on validation images, evenly over the budget; the best weights are kept.
    validation_looks : int
        On how many looks at them.
    validation_share : float
        Share of the training images held out for that, where the set has no split ``"validation"``.
    patience_images : int or None
        Stop early after so many images without a better validation.
    channels_last : bool
        Keep the bands of a pixel side by side in memory, which is faster; results differ in their last digits.
    checkpoint_seconds, log_seconds : float
        Time between checkpoints, and between lines of the log.
    """

    minutes: Seconds | None = None
    images: Count | None = None
    seed: int = 0
    mixing: Annotated[float, Field(ge=0, le=1)] = 0.0
    set_size: Count | None = None
    batch_size: Count = 1
    crop_pix: Annotated[int, Field(ge=2, multiple_of=2)] | None = None
    buckets: Count = 1
    learning_rate: Annotated[float, Field(gt=0)] = 1e-4
    schedule: Literal["steps", "linear"] = "steps"
    decay_factor: Annotated[float, Field(gt=0, le=1)] = 0.8
    decay_images: Count = 2500
    least_rate: Annotated[float, Field(ge=0)] = 1e-6
    largest_gradient: Annotated[float, Field(gt=0)] | None = None
    ema_width: Annotated[float, Field(gt=0, lt=0.28)] | None = None
    validations: Count = 50
    validation_looks: Count = 32
    validation_share: Annotated[float, Field(gt=0, lt=1)] = 0.1
    patience_images: Count | None = None
    channels_last: bool = True
    checkpoint_seconds: Seconds = 60.0
    log_seconds: Seconds = 5.0


@dataclass(frozen=True)
class FitSettings:
    """A recipe with all that was changed in it.

    Attributes
    ----------
    denoiser : str
        Key of `galsmith.denoise.DENOISERS`.
    method : Method
        Its record.
    model : Settings
        Of the network.
    observation : Observation
        Operator and noise law.
    range : LookRange
        What varies beyond.
    training : DenoiserTraining
        How it is trained.
    """

    denoiser: str
    method: Method
    model: Settings
    observation: Observation
    range: LookRange
    training: DenoiserTraining

    @property
    def budget(self) -> Budget:
        """When training ends."""
        return Budget(self.training.minutes, self.training.images)

    @property
    def law_hash(self) -> str:
        """SHA-256 of operator, noise law and what varies of them."""
        return hash_json([self.observation.content_hash, self.range.to_dict()])

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Return plain tables, as a recipe has them; what is None is left out, for TOML has no word for it."""
        tables = {
            "model": {"denoiser": self.denoiser, **self.model.model_dump(mode="json")},
            "observation": self.observation.model_dump(mode="json"),
            "range": self.range.model_dump(mode="json"),
            "training": self.training.model_dump(mode="json"),
        }
        return {name: _stated(values) for name, values in tables.items()}


def read_fit_settings(
    recipe: str | Path | Mapping[str, Any],
    *,
    minutes: float | None = None,
    images: int | None = None,
    mixing: float | None = None,
    seed: int | None = None,
    overrides: Sequence[str] = (),
) -> FitSettings:
    """Join a recipe, the overrides and the arguments of `galsmith.denoise.fit` to typed settings.

    Raises
    ------
    SettingsError
        If a table or key is unknown (the near miss is named), a value is out of range, or there is no budget, or two.
    """
    source = "recipe" if isinstance(recipe, Mapping) else f"recipe {str(recipe)!r}"
    values = apply_overrides(read_plain_recipe(recipe), overrides)
    known = (*TABLES, "run", "data")  # those of a finished run, whose settings are a recipe too
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise SettingsError(
            f"{source}: unknown table [{unknown[0]}]{near_miss(unknown[0], TABLES)}; known are {', '.join(TABLES)}"
        )
    if minutes is not None and images is not None:
        raise SettingsError(
            f"`images={images}` is another budget", argument="minutes", came=minutes, wanted="one of them"
        )
    given = {"minutes": minutes, "images": images, "mixing": mixing, "seed": seed}
    training = {**values.get("training", {}), **{key: one for key, one in given.items() if one is not None}}
    for one, other in (("minutes", images), ("images", minutes)):
        if other is not None:
            training.pop(one, None)
    if (training.get("minutes") is None) == (training.get("images") is None):
        raise SettingsError(f"{source}, [training]: wanted a budget, `minutes` or `images`, and not both")
    name, model, method = _model(values, source)
    return FitSettings(
        denoiser=name,
        method=method,
        model=model,
        observation=_typed(Observation, values, "observation", source),
        range=_typed(LookRange, values, "range", source),
        training=typed_settings(DenoiserTraining, training, source=f"{source}, [training]"),
    )


def read_plain_recipe(
    recipe: str | Path | Mapping[str, Any], folder: Path = RECIPE_FOLDER
) -> Mapping[str, Any]:
    """Read a recipe of denoisers, or of what is made of several, without checking it.

    Parameters
    ----------
    recipe : str, Path or mapping
        A shipped recipe by name, a TOML file, or the tables themselves.
    folder : Path
        Where the shipped ones are.

    Raises
    ------
    SettingsError
        If there is no such recipe (the near miss is named) or the file is not TOML.
    """
    if isinstance(recipe, Mapping):
        return recipe
    if recipe_file(recipe) is not None:
        return read_recipe(recipe)
    check_recipe(recipe, folder)
    return read_recipe(folder / f"{recipe}.toml")


def _model(values: Mapping[str, Any], source: str) -> tuple[str, Settings, Method]:
    """Read the table of the model: which denoiser, and its settings."""
    model = dict(values.get("model", {}))
    name = model.pop("denoiser", None)
    if not isinstance(name, str):
        raise SettingsError(f"{source}, [model]: setting 'denoiser' is missing; it names the denoiser")
    method = denoiser_named(name)
    if not method.needs_training:
        raise SettingsError(
            "needs no training; it can be applied as it is",
            argument="denoiser",
            came=name,
            wanted="a network",
        )
    return name, typed_settings(method.settings, _lists_as_tuples(model), source=f"{source}, [model]"), method


def _typed(kind: Any, values: Mapping[str, Any], table: str, source: str) -> Any:
    """Read one table."""
    found = _lists_as_tuples(values.get(table, {}))
    return typed_settings(kind, found, source=f"{source}, [{table}]")


def _lists_as_tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    """TOML has lists where settings have tuples."""
    return {key: tuple(one) if isinstance(one, list) else one for key, one in values.items()}


def _stated(values: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what is None, in nested tables too."""
    return {
        key: _stated(one) if isinstance(one, Mapping) else one
        for key, one in values.items()
        if one is not None
    }
