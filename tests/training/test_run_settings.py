import re
from collections.abc import Callable
from typing import Any

import pytest

from galsmith.errors import SettingsError
from galsmith.models.families import FAMILIES
from galsmith.models.protocols import DataDescription
from galsmith.settings import read_recipe, recipe_names
from galsmith.training.settings import RunSettings, differences, read_run_settings

# One set for all: what trains galaxies of each side, by the name of what is learned (flow matching is a diffusion, too).
GALAXY_RECIPES = {
    "pca_diffusion": {32: "pca_diffusion"},
    "diffusion": {32: "diffusion"},
    "flow": {},
    "relay_diffusion": {},
    "vae": {},
    "alae": {},
    "stylegan": {},
    "stylegan2": {},
}
SIDES_PIX = (32, 64, 128, 256)
RECIPES_BY_SIDE = [
    (name, side, names.get(side, f"{name}-{side}"))
    for name, names in GALAXY_RECIPES.items()
    for side in SIDES_PIX
]
OTHER_RECIPES = [
    "pca_diffusion-pictures",
    "pca_diffusion-64-few",
    "relay_diffusion-pictures",
    "stylegan",
    "vae",
    "alae",
    "demo",
    "check-data",
    "field_composer",
    *(
        f"{family}-fields{side}"
        for family in ("wgan", "cvae", "dcgan", "stylegan2")
        for side in ("", "-500", "-250")
    ),
]
FAMILIES_OF_RECIPES = [*(recipe for _, _, recipe in RECIPES_BY_SIDE), *OTHER_RECIPES]


def read(recipe: Any, overrides: tuple[str, ...] = (), **arguments: Any) -> RunSettings:
    given = {"minutes": None, "images": None, "seed": None, **arguments}
    return read_run_settings(recipe, overrides=overrides, **given)


@pytest.mark.parametrize("name", FAMILIES_OF_RECIPES)
def test_shipped_recipes_are_valid_and_have_a_budget(name: str) -> None:
    settings = read(name)
    assert name in recipe_names()
    assert settings.budget.total > 0


def test_no_recipe_of_a_model_is_left_out() -> None:
    shipped = {name for name in recipe_names() if "model" in read_recipe(name)}
    assert shipped == set(FAMILIES_OF_RECIPES)
    assert {str(read(recipe).to_dict()["model"]["family"]) for recipe in FAMILIES_OF_RECIPES} == set(FAMILIES)


@pytest.mark.parametrize(("name", "side", "recipe"), RECIPES_BY_SIDE)
def test_recipes_fit_their_side(name: str, side: int, recipe: str) -> None:
    settings = read(recipe)
    assert settings.family.name == ("diffusion" if name == "flow" else name)
    config = settings.model
    settings.family.check(config, DataDescription(("r",), side, ("log_flux_0",), 1000))
    assert settings.transform.size_pix in (None, side)
    if (
        name == "pca_diffusion"
    ):  # as far as the centers of the paper's Sérsic set lie from the middle, 1 of 10.24 arcsec
        assert config.model_dump()["largest_shift_pix"] >= side / 10.24 + 0.5
    if name == "alae":  # a rate for every level up to the side
        assert config.model_dump()["learning_rates"][-1][0] >= side


@pytest.mark.parametrize("name", ["diffusion", *(f"diffusion-{side}" for side in (64, 128, 256)), "flow-64"])
def test_recipes_of_diffusion_are_spectral_and_a_config_that_does_not_say_is_not(name: str) -> None:
    model = read(name).to_dict()["model"]
    assert model["preconditioning"] == "spectral"
    assert model["parametrization"] == ("flow" if name == "flow-64" else "edm")
    assert (
        read({"model": {"family": "diffusion"}, "training": {"minutes": 1}}).to_dict()["model"][
            "preconditioning"
        ]
        == "scalar"
    )


@pytest.mark.parametrize("family", ["diffusion", "pca_diffusion"])
def test_noise_levels_are_numbers_or_fitted(family: str) -> None:
    for value, expected in (("fitted", "fitted"), ("-0.5", -0.5)):
        settings = read(family, (f"model.noise_level_mean={value}",))
        assert settings.to_dict()["model"]["noise_level_mean"] == expected
    with pytest.raises(SettingsError, match="noise_level_std"):
        read(family, ("model.noise_level_std=-1",))


def test_arguments_win_over_the_recipe(tiny_recipe: Callable[..., Any]) -> None:
    settings = read(tiny_recipe(), minutes=2.5, seed=9)
    assert (settings.training.minutes, settings.training.images, settings.training.seed) == (2.5, None, 9)
    assert settings.budget.text == "2.5 minutes"


def test_overrides_reach_every_table(tiny_recipe: Callable[..., Any]) -> None:
    overrides = ("transform.kind=linear", "model.width=24", "training.batch_size=7")
    settings = read(tiny_recipe(), overrides)
    assert settings.transform.kind == "linear"
    assert settings.to_dict()["model"]["width"] == 24
    assert settings.training.batch_size == 7


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("training.batchsize=8",), r"unknown setting 'batchsize' \(did you mean 'batch_size'\?\)"),
        (("traning.batch_size=8",), r"unknown table or key 'traning' \(did you mean 'training'\?\)"),
        (("model.widht=8",), r"did you mean 'width'"),
        (("model.family=pca_difusion",), r"did you mean 'pca_diffusion'"),
        (("transform.kind=log",), r"'kind' is 'log'"),
        (("training.batch_size=0",), r"'batch_size' is 0"),
        (("training.minutes=3",), r"has two budgets"),
    ],
)
def test_wrong_settings_name_the_way_out(
    tiny_recipe: Callable[..., Any], overrides: tuple[str, ...], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        read(tiny_recipe(), overrides)


def test_a_run_without_budget_is_refused(tiny_recipe: Callable[..., Any]) -> None:
    recipe = tiny_recipe()
    del recipe["training"]["images"]
    with pytest.raises(SettingsError, match=r"has no budget; give `minutes` or `images`"):
        read(recipe)


def test_two_budgets_as_arguments_are_refused(tiny_recipe: Callable[..., Any]) -> None:
    with pytest.raises(
        SettingsError,
        match=r"`minutes=.*`: `images=.*` is another budget; wanted one: give `minutes` or `images`",
    ):
        read(tiny_recipe(), minutes=1.0, images=100)


def test_an_unknown_recipe_names_the_near_miss() -> None:
    with pytest.raises(SettingsError, match=re.escape("did you mean 'pca_diffusion'?")):
        read("pca_difusion")


def test_differences_name_what_changed_and_leave_out_what_may() -> None:
    before = {"training": {"batch_size": 256, "log_seconds": 5.0, "minutes": 4.0}, "model": {"width": 8}}
    now = {
        "training": {"batch_size": 128, "log_seconds": 1.0, "minutes": 9.0},
        "model": {"width": 8, "depth": 2},
    }
    assert differences(before, now) == [
        "model.depth was 'not set', now 2",
        "training.batch_size was 256, now 128",
    ]
    assert differences(before, before) == []
