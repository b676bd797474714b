"""A race's plan: who takes part, which cores they get, what a folder may hold, and what a killed training used."""

import dataclasses

import pytest
from benchmark_race import command_without_places
from race_data import split_pictures
from race_plan import CONTESTANTS, Plan, RaceFolder, chosen_recipes, claim_folder, estimated_minutes
from race_training import core_slots
from train_one import counted_cpu, cpu_until

from galsmith.errors import InputError, SettingsError
from galsmith.models.families import recipes_by_family
from galsmith.settings import read_recipe, recipe_names

PLAN = Plan("efigi", 8.0, 1, 100, 50, 6, 4, "", 50, "auto", 0)


def line(session, trained_s, cpu_s, *, stage="training"):
    return {"session": session, "stage": stage, "trained_s": trained_s, "cpu_s": cpu_s}


def test_every_family_races_by_a_recipe_of_its_own():
    raced = {
        read_recipe(recipe)["model"]["family"]
        for contestant in CONTESTANTS.values()
        for recipe in contestant.values()
        if recipe in recipe_names()
    }
    # those whose recipes are all of fields race in benchmarks/fields
    of_galaxies = {
        family
        for family, recipes in recipes_by_family().items()
        if any("field" not in recipe for recipe in recipes)
    }
    assert raced == of_galaxies
    assert "diffusion" in of_galaxies


def test_recipes_can_be_replaced_and_unknown_families_are_refused():
    assert chosen_recipes(["vae", "alae"], "sersic", {"vae": "own.toml"}) == {
        "vae": "own.toml",
        "alae": "alae-64",
    }
    with pytest.raises(SettingsError, match=r"--families vea \(did you mean 'vae'"):
        chosen_recipes(["vea"], "sersic", {})
    with pytest.raises(SettingsError, match="no recipe 'nowhere'"):
        chosen_recipes(["vae"], "sersic", {"vae": "nowhere"})


def test_a_folder_holds_one_race(tmp_path):
    folder = RaceFolder(tmp_path / "race")
    claim_folder(folder, PLAN)
    claim_folder(folder, PLAN)
    with pytest.raises(SettingsError, match=r"minutes was 8\.0, now 9\.0; choose another -o"):
        claim_folder(folder, dataclasses.replace(PLAN, minutes=9.0))


def test_trainings_at_a_time_share_no_core():
    assert core_slots([0, 1, 2, 5], side_by_side=2, threads=2) == [[0, 1], [2, 5]]
    with pytest.raises(SettingsError, match="needs 3 cores, there are 2"):
        core_slots([0, 1], side_by_side=3, threads=1)


def test_the_estimate_counts_rounds_of_trainings():
    four = estimated_minutes(PLAN, ["a", "b", "c", "d"], side_by_side=2, cores=2)
    five = estimated_minutes(PLAN, ["a", "b", "c", "d", "e"], side_by_side=2, cores=2)
    assert four["training"] == pytest.approx(2 * 8.3)
    assert five["training"] == pytest.approx(3 * 8.3)


def test_pictures_are_dealt_to_two_sets_that_share_none(tmp_path):
    for number in range(12):
        (tmp_path / f"{number:02d}.jpg").touch()
    (tmp_path / "notes.txt").touch()
    dealt = split_pictures(tmp_path, PLAN)
    assert [len(dealt[role]) for role in ("reference", "training")] == [4, 6]
    assert not set(dealt["reference"]) & set(dealt["training"])
    assert dealt == split_pictures(tmp_path, PLAN)
    assert dealt != split_pictures(tmp_path, dataclasses.replace(PLAN, seed=1))


def test_too_few_pictures_are_refused(tmp_path):
    (tmp_path / "one.png").touch()
    with pytest.raises(InputError, match="has 1 pictures; wanted more than the 4"):
        split_pictures(tmp_path, PLAN)


def test_processor_seconds_of_an_undisturbed_training():
    lines = [line("a", None, 4.0, stage="preparing"), line("a", 5.0, 8.0), line("a", 60.0, 58.0)]
    assert counted_cpu(lines) == {"cpu_s": 54.0, "preparing_cpu_s": 4.0}


def test_work_that_a_killed_training_lost_is_counted_once():
    killed = [line("a", None, 4.0, stage="preparing"), line("a", 20.0, 24.0), line("a", 40.0, 44.0)]
    resumed = [line("b", None, 3.0, stage="preparing"), line("b", 30.0, 3.5), line("b", 60.0, 18.5)]
    assert counted_cpu(killed + resumed)["cpu_s"] == pytest.approx(30.0 + 15.0)


def test_processor_seconds_between_two_lines_lie_on_a_straight_line():
    curve = [(0.0, 1.0), (10.0, 6.0), (20.0, 16.0)]
    assert cpu_until(curve, 14.0) == pytest.approx(5.0 + 4.0)
    assert cpu_until(curve, float("inf")) == pytest.approx(15.0)


def test_the_published_command_names_no_folder_of_a_machine():
    given = ["--data", "efigi", "--images", "/somewhere/efigi", "-o", "/elsewhere"]
    assert command_without_places(given).endswith("--data efigi --images EFIGI -o RACE")
