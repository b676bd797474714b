"""Recipes of studies in TOML to typed settings: which networks, sets, mixings, shifts, seeds and methods."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from galsmith.denoise.denoisers import STUDY_RECIPE_FOLDER, denoiser_named, denoiser_recipes
from galsmith.denoise.settings import FitSettings, read_fit_settings, read_plain_recipe
from galsmith.errors import SettingsError
from galsmith.observe import PAPER_SHIFTS, Observation
from galsmith.settings import Settings, apply_overrides, near_miss, typed_settings

REAL = "real"
TABLES = ("study", "network", "method", "shift")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_]*(-[A-Za-z0-9_]+)*")
LEAST_TEST = 10

Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Interval = tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]]


@dataclass(frozen=True)
class TrainingSet:
    """One kind of training set.

    Attributes
    ----------
    words : str
        What tables call it.
    generated : {"none", "drawn", "deblurred"}
        Whether generated images are mixed in: as they were drawn, or with their blur taken off as far as it was measured.
    is_small : bool
        Whether the real images are the first ones alone, as many as the study says.
    varies_noise, varies_psf : bool
        Whether the noise and the PSF of the looks vary.
    real_twin : str
        The set that it is without generated images; its own name where it has none.
    """

    words: str
    generated: Literal["none", "drawn", "deblurred"] = "none"
    is_small: bool = True
    varies_noise: bool = False
    varies_psf: bool = False
    real_twin: str = REAL


TRAINING_SETS: dict[str, TrainingSet] = {
    REAL: TrainingSet("real, small"),
    "real-big": TrainingSet("real, big", is_small=False, real_twin="real-big"),
    "real-noise": TrainingSet("real, small, noise varied", varies_noise=True, real_twin="real-noise"),
    "real-noise-psf": TrainingSet(
        "real, small, noise and PSF varied", varies_noise=True, varies_psf=True, real_twin="real-noise-psf"
    ),
    "generated": TrainingSet("with generated", "drawn"),
    "generated-deblurred": TrainingSet("with generated, deblurred", "deblurred"),
    "generated-noise": TrainingSet(
        "with generated, noise varied", "drawn", varies_noise=True, real_twin="real-noise"
    ),
    "generated-noise-psf": TrainingSet(
        "with generated, noise and PSF varied",
        "drawn",
        varies_noise=True,
        varies_psf=True,
        real_twin="real-noise-psf",
    ),
}
"""The sets by name; the share of generated images, the mixing, is a factor of its own."""


def check_training_set(name: str, argument: str) -> None:
    """Refuse a name that no training set has; `SettingsError` names the near miss."""
    if name not in TRAINING_SETS:
        raise SettingsError(
            f"there is no such training set{near_miss(name, list(TRAINING_SETS))}",
            argument=argument,
            came=name,
            wanted=f"one of {', '.join(TRAINING_SETS)}",
        )


class Factors(Settings):
    """The factors of a study and what all cells have in common.

    Attributes
    ----------
    networks : tuple of str
        Names of ``[network.NAME]`` tables; ratios are to the first, trained on the first images of the real set alone.
    sets : tuple of str
        Keys of `galsmith.denoise.studies.TRAINING_SETS`.
    mixings : tuple of float
        Shares of generated images; 0 stands for the set's twin without any.
    shifts : tuple of str
        Test conditions: names of `galsmith.observe.PAPER_SHIFTS` or of ``[shift.NAME]`` tables, the unshifted one first.
    seeds : int
        Trainings of each kind, with the seeds 0 and on.
    n_small : int
        Images of the small real set, and of the generated one: the number is the same at any mixing.
    n_test : int
        Galaxies of the split ``"test"`` on which all are tested.
    images : int or None
        Looks that each training takes; None leaves it to the recipes of the networks.
    methods : tuple of str
        Classical denoisers in the same tables: names of ``[method.NAME]`` tables or of `galsmith.denoise.DENOISERS`.
    noise_factor, psf_fwhm_pix : tuple of float
        Over what noise and PSF vary in the sets that say so; see `galsmith.denoise.looks.LookRange`.
    fits_sersic : bool
        Whether Sérsic laws are fitted, which takes most of the time of a test.
    test_seed : int
        Of the test observations, which are the same for all.
    replicates : int
        Draws of the bootstrap over galaxies.
    confidence : float
        Of the intervals.
    """

    networks: Annotated[tuple[str, ...], Field(min_length=1)]
    sets: Annotated[tuple[str, ...], Field(min_length=1)] = ("real", "generated")
    mixings: Annotated[tuple[Share, ...], Field(min_length=1)] = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    shifts: Annotated[tuple[str, ...], Field(min_length=1)] = tuple(PAPER_SHIFTS)
    seeds: Count = 5
    n_small: Count = 1000
    n_test: Annotated[int, Field(ge=LEAST_TEST)] = 200
    images: Count | None = None
    methods: tuple[str, ...] = ()
    noise_factor: Interval = (1.0, 5.0)  # from the paper's 4 to its 20
    psf_fwhm_pix: Interval = (
        2.0,
        6.0,
    )  # from half of the paper's 4.7 px, as its code has it, to a little more
    fits_sersic: bool = True
    test_seed: int = 0
    replicates: Annotated[int, Field(ge=100)] = 400
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95

    @field_validator("networks", "sets", "mixings", "shifts", "methods")
    @classmethod
    def _different(cls, values: tuple[Any, ...]) -> tuple[Any, ...]:
        """Refuse what comes twice."""
        if len(set(values)) < len(values):
            raise ValueError(f"{next(one for one in values if values.count(one) > 1)} comes twice")
        return values


class NetworkChoice(Settings):
    """One network of a study: its recipe, and what is changed in it.

    Attributes
    ----------
    recipe : str
        A shipped recipe of a denoiser by name, or a TOML file.
    sets, mixings : tuple or None
        Instead of those of the study.
    model, observation, range, training : mapping
        Settings that replace those of the recipe, one by one.
    """

    recipe: str
    sets: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    mixings: Annotated[tuple[Share, ...], Field(min_length=1)] | None = None
    model: dict[str, Any] = Field(default_factory=dict)
    observation: dict[str, Any] = Field(default_factory=dict)
    range: dict[str, Any] = Field(default_factory=dict)
    training: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _leaves_factors(self) -> "NetworkChoice":
        """Refuse settings that the study varies itself."""
        taken = sorted({"seed", "mixing", "set_size", "images", "minutes"} & set(self.training))
        if taken:
            raise ValueError(f"training.{taken[0]} is a factor of the study; set it in [study]")
        return self


@dataclass(frozen=True)
class MethodChoice:
    """One classical method of a study.

    Attributes
    ----------
    denoiser : str
        Key of `galsmith.denoise.DENOISERS`.
    settings : mapping
        Its settings as plain values; a spectrum ``"training"`` is measured on the small real set.
    """

    denoiser: str
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class StudySettings:
    """A recipe of a study with all that was changed in it.

    Attributes
    ----------
    factors : Factors
        What is varied.
    networks : mapping of str to NetworkChoice
        In the order of the factors.
    methods : mapping of str to MethodChoice
        In the order of the factors.
    shifts : mapping of str to Observation
        In the order of the factors.
    """

    factors: Factors
    networks: Mapping[str, NetworkChoice]
    methods: Mapping[str, MethodChoice]
    shifts: Mapping[str, Observation]

    def to_dict(self) -> dict[str, Any]:
        """Return plain tables, as a recipe has them; what is None is left out."""
        return {
            "study": self.factors.model_dump(mode="json", exclude_none=True),
            "network": {
                name: one.model_dump(mode="json", exclude_none=True) for name, one in self.networks.items()
            },
            "method": {
                name: {"denoiser": one.denoiser, **one.settings} for name, one in self.methods.items()
            },
            "shift": {
                name: one.model_dump(mode="json", exclude_none=True) for name, one in self.shifts.items()
            },
        }

    def sets_of(self, network: str) -> tuple[str, ...]:
        """Training sets of a network."""
        own = self.networks[network].sets
        return self.factors.sets if own is None else own

    def mixings_of(self, network: str) -> tuple[float, ...]:
        """Shares of generated images of a network."""
        own = self.networks[network].mixings
        return self.factors.mixings if own is None else own

    def fit_recipe(self, network: str, training_set: str, *, mixing: float, seed: int) -> dict[str, Any]:
        """Make the recipe of one training: that of the network with what the cell changes in it."""
        choice, kind, factors = self.networks[network], TRAINING_SETS[training_set], self.factors
        values = apply_overrides(read_plain_recipe(choice.recipe), ())
        for table in ("model", "observation", "range", "training"):
            values[table] = {**values.get(table, {}), **getattr(choice, table)}
        if kind.varies_noise:
            values["range"]["noise_factor"] = list(factors.noise_factor)
        if kind.varies_psf:
            values["range"]["psf_fwhm_pix"] = list(factors.psf_fwhm_pix)
        values["training"] |= {"seed": seed, "mixing": mixing}
        if kind.is_small:
            values["training"]["set_size"] = factors.n_small
        if factors.images is not None:
            values["training"].pop("minutes", None)
            values["training"]["images"] = factors.images
        return values


def study_recipes() -> list[str]:
    """Names of the recipes of studies that come with the package."""
    return denoiser_recipes(STUDY_RECIPE_FOLDER)


def read_study_settings(
    recipe: str | Path | Mapping[str, Any], *, overrides: Sequence[str] = ()
) -> StudySettings:
    """Read a recipe of a study and check all that can be checked without data.

    Parameters
    ----------
    recipe : str, Path or mapping
        A shipped recipe by name, a TOML file, or the tables themselves.
    overrides : sequence of str
        ``table.key=value`` entries, such as ``"study.seeds=2"``.

    Raises
    ------
    SettingsError
        If a table, key, network, set, shift or method is unknown (the near miss is named), or a value is out of range.
    """
    source = "recipe" if isinstance(recipe, Mapping) else f"recipe {str(recipe)!r}"
    values = apply_overrides(read_plain_recipe(recipe, folder=STUDY_RECIPE_FOLDER), overrides)
    unknown = sorted(set(values) - set(TABLES))
    if unknown:
        raise SettingsError(
            f"{source}: unknown table [{unknown[0]}]{near_miss(unknown[0], TABLES)}; known are {', '.join(TABLES)}"
        )
    factors = typed_settings(Factors, values.get("study", {}), source=f"{source}, [study]")
    settings = StudySettings(
        factors,
        _networks(factors, values.get("network", {}), source),
        _methods(factors, values.get("method", {})),
        _shifts(factors, values.get("shift", {}), source),
    )
    for network in settings.networks:
        for name in settings.sets_of(network):
            check_training_set(name, "sets")
            read_network(settings, network, name)
    return settings


def read_network(settings: StudySettings, network: str, training_set: str = REAL) -> FitSettings:
    """Read the recipe of a network for a training set, which refuses what is wrong in it."""
    return read_fit_settings(settings.fit_recipe(network, training_set, mixing=0.0, seed=0))


def _networks(factors: Factors, tables: Mapping[str, Any], source: str) -> dict[str, NetworkChoice]:
    """Read the tables of the networks."""
    found = {}
    for name in factors.networks:
        if name not in tables:
            raise SettingsError(
                f"{source}: there is no table [network.{name}]{near_miss(name, list(tables))}",
                argument="networks",
                came=name,
                wanted=f"one of {', '.join(tables)}" if tables else "a table of its own",
            )
        _check_name(name, "networks")
        found[name] = typed_settings(NetworkChoice, tables[name], source=f"{source}, [network.{name}]")
    return found


def _methods(factors: Factors, tables: Mapping[str, Any]) -> dict[str, MethodChoice]:
    """Read the tables of the methods; one without a table is a denoiser by its name."""
    found = {}
    for name in factors.methods:
        _check_name(name, "methods")
        table = dict(tables.get(name, {}))
        denoiser = table.pop("denoiser", name)
        if denoiser_named(denoiser).needs_training:
            raise SettingsError(
                "needs training; give it a table [network.NAME]", argument="methods", came=denoiser
            )
        found[name] = MethodChoice(denoiser, table)
    return found


def _shifts(factors: Factors, tables: Mapping[str, Any], source: str) -> dict[str, Observation]:
    """Read the tables of the shifts; one without a table is the paper's by its name."""
    found = {}
    known = [*tables, *PAPER_SHIFTS]
    for name in factors.shifts:
        if name not in known:
            raise SettingsError(
                f"there is no such shift{near_miss(name, known)}",
                argument="shifts",
                came=name,
                wanted=f"one of {', '.join(known)}, or one with a table [shift.NAME]",
            )
        found[name] = (
            typed_settings(Observation, tables[name], source=f"{source}, [shift.{name}]")
            if name in tables
            else PAPER_SHIFTS[name]
        )
    return found


def _check_name(name: str, argument: str) -> None:
    """Refuse names that cannot be part of a file's."""
    if not NAME.fullmatch(name):
        raise SettingsError(
            argument=argument, came=name, wanted="letters, digits, underscores and single hyphens"
        )
