from typing import Annotated, Literal

import pytest
from pydantic import Field, ValidationError

from galsmith.errors import SettingsError
from galsmith.settings import Settings, apply_overrides, near_miss, read_recipe, recipe_names, typed_settings


class Optics(Settings):
    kind: Literal["optics"] = "optics"
    aperture_m: float = Field(default=2.4, gt=0)


class Radio(Settings):
    kind: Literal["radio"] = "radio"
    dishes: int = 3


class Survey(Settings):
    name: str
    exposures: int = 4
    telescope: Annotated[Optics | Radio, Field(discriminator="kind")] = Optics()


def test_values_become_a_frozen_record():
    survey = typed_settings(
        Survey, {"name": "deep", "telescope": {"kind": "radio", "dishes": 5}}, source="test"
    )
    assert survey.telescope == Radio(dishes=5)
    with pytest.raises(ValidationError, match="frozen"):
        survey.name = "wide"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"name": "a", "exposurs": 3},
            r"^recipe x: unknown setting 'exposurs' \(did you mean 'exposures'\?\); known here: exposures, name, tel",
        ),
        ({}, "^recipe x: setting 'name' is missing$"),
        ({"name": "a", "exposures": "many"}, "^recipe x: setting 'exposures' is 'many'"),
        ({"name": "a", "exposures": 2.5}, "'exposures' is 2.5"),
        (
            {"name": "a", "telescope": {"kind": "radio", "dishs": 3}},
            r"'telescope.radio.dishs' \(did you mean 'dishes'\?\)",
        ),
        (
            {"name": "a", "telescope": {"kind": "optics", "aperture_m": -1.0}},
            "aperture_m' is -1.0: input should be greater than 0",
        ),
        ({"name": "a", "telescope": {"kind": "optics", "aperture_m": float("inf")}}, "finite"),
        ({"name": 3, "exposures": "x"}, r"\(and 1 more\)$"),
    ],
)
def test_wrong_values_are_one_line(values, message):
    with pytest.raises(SettingsError, match=message) as caught:
        typed_settings(Survey, values, source="recipe x")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("entry", "wanted"),
    [
        ("a.b=3", 3),
        ("a.b=3.5", 3.5),
        ("a.b=true", True),
        ("a.b=[1, 2]", [1, 2]),
        ("a.b='text'", "text"),
        ("a.b=asinh", "asinh"),
        ("a.b = 7 ", 7),
    ],
)
def test_overrides_are_read_as_toml(entry, wanted):
    before = {"a": {"b": 1, "c": 2}}
    assert apply_overrides(before, [entry]) == {"a": {"b": wanted, "c": 2}}
    assert before == {"a": {"b": 1, "c": 2}}


def test_overrides_make_sections_and_the_last_one_wins():
    assert apply_overrides({}, ["x.y.z=1", "x.y.z=2"]) == {"x": {"y": {"z": 2}}}


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("a.b", "`overrides=a.b`: wanted key=value"),
        ("=3", "`overrides==3`: wanted key=value"),
        ("a.b.c=1", "b is a value, not a section"),
    ],
)
def test_overrides_of_another_form_are_refused(entry, message):
    with pytest.raises(SettingsError, match=message):
        apply_overrides({"a": {"b": 1}}, [entry])


def test_shipped_recipes_are_found_by_name():
    assert {"sersic", "sersic-32", "sersic-64"} <= set(recipe_names())
    for name in recipe_names():
        assert read_recipe(name)


def test_recipes_are_read_by_path(tmp_path):
    (tmp_path / "mine.toml").write_text("a = 1")
    assert read_recipe(tmp_path / "mine.toml") == {"a": 1}


def test_unknown_and_broken_recipes_are_named(tmp_path):
    with pytest.raises(SettingsError, match=r"recipe 'sersik': not found \(did you mean 'sersic'\?\)"):
        read_recipe("sersik")
    (tmp_path / "mine.toml").write_text("a = = 1")
    with pytest.raises(SettingsError, match=r"mine\.toml: not valid TOML"):
        read_recipe(tmp_path / "mine.toml")


def test_near_misses_are_near():
    assert near_miss("exposurs", ["exposures", "name"]) == " (did you mean 'exposures'?)"
    assert near_miss("zzz", ["exposures", "name"]) == ""
