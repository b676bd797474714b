"""The demo's plan: what is measured within its time, and which folder it may take."""

import time

import pytest

from galsmith.cli.demo import plan
from galsmith.cli.demo.steps import STEPS, _Stopwatch
from galsmith.errors import OutputExistsError
from galsmith.execution import ProgressEvent
from galsmith.files import grown_folder, read_json


def test_as_many_galaxies_are_measured_as_the_time_allows():
    assert plan.number_to_measure(2.0) == int(plan.MEASURE_SECONDS)
    assert plan.number_to_measure(0.01) == plan.N_MEASURED_AT_LEAST
    assert plan.number_to_measure(1e6) == plan.N_GENERATED


def test_the_time_plan_fits_into_ten_minutes():
    everything_else = 150.0  # set aside for imports, simulating, drawing, timing, comparing and the page
    assert 60 * plan.TRAIN_MINUTES + plan.MEASURE_SECONDS + everything_else <= 600


def test_the_reference_set_has_a_seed_of_its_own():
    seeds = (plan.TRAINING_SEED, plan.REFERENCE_SEED, plan.MODEL_SEED, plan.SAMPLING_SEED)
    assert len(set(seeds)) == len(seeds)


def test_the_rate_leaves_out_the_first_galaxies(monkeypatch):
    times = iter([0.0, 30.0, 34.0, 38.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(times))
    watch = _Stopwatch(n_warming_up=32)
    for done in (0, 16, 32, 64):
        watch(ProgressEvent("measuring", done, 64, "galaxies"))
    assert watch.rate == pytest.approx(32 / 4.0)


def test_a_single_event_gives_the_rate_of_all(monkeypatch):
    times = iter([0.0, 8.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(times))
    watch = _Stopwatch(n_warming_up=8)
    watch(ProgressEvent("measuring", 16, 16, "galaxies"))
    assert watch.rate == pytest.approx(2.0)


def test_a_demo_goes_on_with_its_own_plan(tmp_path):
    first = plan.plan_for(tmp_path / "demo", minutes=4.0)
    plan.remember(tmp_path / "demo", {**first, "n_measured": 120})
    assert plan.plan_for(tmp_path / "demo", minutes=4.0)["n_measured"] == 120


def test_a_demo_of_another_plan_is_refused(tmp_path):
    plan.plan_for(tmp_path / "demo", minutes=4.0)
    with pytest.raises(OutputExistsError, match="holds a demo of another plan"):
        plan.plan_for(tmp_path / "demo", minutes=2.0)


def claimed(folder, *, minutes, overwrite):
    with grown_folder(folder, plan.demo_kind(), str(minutes), overwrite=overwrite) as grown:
        plan.plan_for(grown, minutes=minutes)
        return grown


def test_overwrite_replaces_a_demo(tmp_path):
    claimed(tmp_path / "demo", minutes=4.0, overwrite=False)
    (tmp_path / "demo" / "galaxies.partial").mkdir()
    (tmp_path / "demo" / "galaxies.partial" / "chunk-00000.json").write_text("old")
    assert claimed(tmp_path / "demo", minutes=2.0, overwrite=True) != tmp_path / "demo"
    assert read_json(tmp_path / "demo" / "plan.json")["minutes"] == 2.0
    assert not (tmp_path / "demo" / "galaxies.partial").exists()
    assert list(tmp_path.iterdir()) == [tmp_path / "demo"]


def test_a_demo_with_a_table_of_somebody_else_is_left(tmp_path):
    claimed(tmp_path / "demo", minutes=4.0, overwrite=False)
    (tmp_path / "demo" / "reference.parquet").write_text("galsmith-measurements")
    with pytest.raises(OutputExistsError, match=r"a demo, in which reference\.parquet was not made with it"):
        claimed(tmp_path / "demo", minutes=2.0, overwrite=True)
    assert (tmp_path / "demo" / "reference.parquet").read_text() == "galsmith-measurements"


@pytest.mark.parametrize(("overwrite", "message"), [(False, "not a demo"), (True, "made by galsmith")])
def test_a_folder_of_somebody_else_is_never_taken(tmp_path, overwrite, message):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    with pytest.raises(OutputExistsError, match=message):
        claimed(tmp_path / "mine", minutes=4.0, overwrite=overwrite)
    assert [path.name for path in tmp_path.rglob("*")] == ["mine", "thesis.tex"]


def test_the_steps_are_those_of_the_house():
    assert [step.__name__ for step in STEPS] == [
        "simulate_training_set",
        "simulate_reference_set",
        "train_model",
        "draw_galaxies",
        "measure_both_sets",
        "compare_sets",
        "write_page",
    ]
