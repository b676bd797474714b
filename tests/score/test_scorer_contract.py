"""Fitting, saving, loading and predicting: what holds for every method that starts from scored fields alone."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from galsmith.cli import main
from galsmith.data.store import write_store
from galsmith.errors import InputError, OutputExistsError, SettingsError
from galsmith.files import read_json, write_json
from galsmith.score import (
    METHODS,
    Method,
    ScoreModel,
    accuracy_of,
    fit,
    load_scorer,
    method_named,
    predict,
    register_scorer,
)
from galsmith.score.average import AverageSettings, restore
from galsmith.score.average import fit as fit_average
from galsmith.score.scorer import ARRAYS_FILE, HELD_OUT_FILE, PAGE_FILE, in_range

# what makes a method quick at no loss of what is tested
QUICK = {
    "average": (),
    "wavelets": ("iterations=30",),
    "cnn": ("epochs=2", "batch_size=16"),
    "spectrum": ("iterations=30", "lengths=[1.0]", "ridges=[0.01]"),
}
BETTER_THAN_AVERAGE = {"wavelets", "spectrum"}


@pytest.fixture(scope="module")
def fitted(fields, tmp_path_factory):
    """Each method, fitted once when it is first asked for."""
    folder, made = tmp_path_factory.mktemp("scorers"), {}

    def scorer_of(name):
        if name not in made:
            made[name] = fit(name, fields, folder / name, overrides=QUICK[name], splits=2, seed=3)
        return folder / name, made[name]

    return scorer_of


@pytest.mark.parametrize("name", QUICK)
def test_a_loaded_scorer_predicts_as_the_fitted_one_to_the_bit(name, fitted, opened):
    place, scorer = fitted(name)
    before, after = (one.predict(opened) for one in (scorer, load_scorer(place)))
    assert before.dtype == np.float64
    assert before.shape == (len(opened),)
    assert np.array_equal(before, after)
    assert isinstance(scorer.model.to_page(), dict)
    json.dumps(scorer.model.to_page(), allow_nan=False)


@pytest.mark.parametrize("name", QUICK)
def test_a_field_s_score_does_not_depend_on_its_neighbors(name, fitted, opened):
    scorer = fitted(name)[1]
    rows = np.array([5, 2, 9])
    assert scorer.predict(opened.select(rows)) == pytest.approx(scorer.predict(opened)[rows], abs=1e-6)


@pytest.mark.parametrize("name", QUICK)
def test_the_same_seed_gives_the_same_scorer_and_nothing_is_a_pickle(name, fitted, fields, tmp_path):
    place = fitted(name)[0]
    fit(name, fields, tmp_path / "again", overrides=QUICK[name], splits=2, seed=3)
    assert (place / ARRAYS_FILE).read_bytes() == (tmp_path / "again" / ARRAYS_FILE).read_bytes()
    assert sorted(path.name for path in place.iterdir()) == ["arrays.safetensors", "held_out.csv", PAGE_FILE]


@pytest.mark.parametrize("name", QUICK)
def test_held_out_fields_are_predicted_by_models_that_never_saw_them(name, fitted, fields, opened, tmp_path):
    held = fitted(name)[1].held_out
    assert held["Id"].is_unique
    assert sorted(held["split"].unique()) == [0, 1]
    # fitted again on the rest alone
    is_kept = np.isin(np.asarray(opened.catalog["object_id"]), held["Id"][held["split"] == 0])
    write_store(tmp_path / "rest", opened.select(~is_kept))
    scorer = fit(name, tmp_path / "rest", tmp_path / "scorer", overrides=QUICK[name], splits=0, seed=3)
    predicted = dict(
        zip(opened.catalog["object_id"][is_kept], scorer.predict(opened.select(is_kept)), strict=True)
    )
    said = held[held["split"] == 0]
    assert [predicted[one] for one in said["Id"]] == pytest.approx(said["Predicted"].tolist(), abs=1e-9)


@pytest.mark.parametrize("name", sorted(BETTER_THAN_AVERAGE))
def test_what_looks_at_the_pixels_beats_the_average(name, fitted):
    held, average = (fitted(one)[1].held_out for one in (name, "average"))
    errors = [(one["Predicted"] - one["Actual"]).abs().mean() for one in (held, average)]
    assert errors[0] < 0.8 * errors[1]


@pytest.mark.parametrize("name", QUICK)
def test_fields_of_another_size_are_refused(name, fitted, fields_made):
    with pytest.raises(
        InputError, match=r"fields of 48 px, the \w+ scorer was fitted on 64 px; crop or resize"
    ):
        fitted(name)[1].predict(fields_made(n=12, side=48))


def test_galaxies_have_no_score_as_fields(fitted, fields_made):
    _, scorer = fitted("average")
    assert len(scorer.predict(fields_made(n=12))) == 12
    with pytest.raises(InputError, match="each image shows a galaxy"):
        scorer.predict(fields_made(n=12, shows="galaxy"))


def test_every_method_of_the_table_is_in_the_contract():
    assert {name for name in METHODS if method_named(name).wants_base is None} == set(QUICK)
    for name in METHODS:
        assert method_named(name).name == name


def test_the_average_is_the_average(fitted, opened):
    scores = np.asarray(opened.catalog["score"])
    assert fitted("average")[1].predict(opened) == pytest.approx(scores.mean(), rel=1e-12)


def test_the_command_line_fits_and_predicts_a_submission(fields, tmp_path, capsys):
    scorer, file = tmp_path / "scorer", tmp_path / "submission.csv"
    words = f"score fit average --data {fields} -o {scorer} --splits 5 --seed 3 --json"
    assert main(words.split()) == 0
    numbers = json.loads(capsys.readouterr().out)["numbers"]
    assert (numbers["n_held_out"], len(numbers["mae_by_split"])) == (30, 5)
    assert main(f"score predict {scorer} {fields} -o {file}".split()) == 0
    table = pd.read_csv(file)
    assert list(table.columns) == ["Id", "Predicted"]
    assert table["Id"].tolist() == [f"f{index}" for index in range(60)]
    with pytest.raises(OutputExistsError, match="already exists"):
        predict(scorer, fields, file)
    predict(scorer, fields, file, overwrite=True)


def test_fields_of_the_part_query_alone_are_predicted_where_there_are_some(fields_made, fitted, tmp_path):
    images = fields_made(n=20)
    images.catalog["part"] = np.where(np.arange(20) < 4, "query", "scored")
    write_store(tmp_path / "store", images)
    table = predict(fitted("average")[0], tmp_path / "store", tmp_path / "out.csv")
    assert table["Id"].tolist() == ["f0", "f1", "f2", "f3"]


def test_predictions_out_of_range_are_clipped_set_to_0_or_kept():
    given = np.array([-0.5, 1.0, 8.25])
    assert in_range(given, "clip").tolist() == [0.0, 1.0, 8.0]
    # the paper's authors: any that is out of range becomes 0
    assert in_range(given, "zero").tolist() == [0.0, 1.0, 0.0]
    assert in_range(given, "keep").tolist() == given.tolist()


def test_a_killed_fit_goes_on_where_it_was(fields, tmp_path, monkeypatch):
    calls = []

    def stopping(images, scores, settings, learning):
        calls.append(len(scores))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return fit_average(images, scores, settings, learning)

    monkeypatch.delitem(METHODS, "stopping", raising=False)
    register_scorer(Method("stopping", AverageSettings, stopping, restore), words="the average, once stopped")
    try:
        with pytest.raises(KeyboardInterrupt):
            fit("stopping", fields, tmp_path / "made", splits=3)
        scorer = fit("stopping", fields, tmp_path / "made", splits=3)
    finally:
        del METHODS["stopping"]
    # the first split was not fitted again
    assert calls == [54, 54, 54, 54, 60]
    assert len(scorer.held_out) == 18
    assert not list(tmp_path.glob("*.partial"))


def test_a_scorer_that_was_altered_is_refused(fitted, tmp_path, fields):
    fit("average", fields, tmp_path / "scorer", splits=0)
    page = tmp_path / "scorer" / PAGE_FILE
    write_json(page, {**read_json(page), "format_version": 9})
    with pytest.raises(InputError, match="has scorer format version 9, this galsmith reads version 1"):
        load_scorer(tmp_path / "scorer")
    with pytest.raises(InputError, match=r"not a scorer \(there is no such folder\)"):
        load_scorer(tmp_path / "gone")


def test_held_out_predictions_that_were_cut_off_are_refused(fitted, tmp_path, capsys):
    place, _ = fitted("average")
    shutil.copytree(place, tmp_path / "scorer")
    assert len(load_scorer(tmp_path / "scorer").held_out)
    file = tmp_path / "scorer" / HELD_OUT_FILE
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(
        InputError, match=r"held_out.csv: damaged, it does not match its hash; fit the scorer"
    ):
        load_scorer(tmp_path / "scorer")
    assert main(["info", str(tmp_path / "scorer")]) == 1
    assert "held_out.csv: damaged" in capsys.readouterr().err
    file.unlink()
    with pytest.raises(InputError, match=r"held_out.csv: there is no such file"):
        load_scorer(tmp_path / "scorer")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"scores": np.linspace(0, 9, 20)},
            r"3 scores lie outside of \[0, 8\]: f17 \(8.05263\), f18 \(8.52632\), f19 \(9\)",
        ),
        ({"scores": np.full(20, np.nan)}, "0 fields have a score; wanted 10 or more"),
        ({"scores": np.full(20, 2.0)}, "all 20 scores are 2; wanted fields of several scores"),
        ({"shows": "galaxy"}, "store: each image shows a galaxy; scores are those of whole fields"),
    ],
)
def test_stores_that_nothing_can_be_learned_from_are_refused_before_any_fit(
    change, said, fields_made, tmp_path
):
    write_store(tmp_path / "store", fields_made(n=20, **change))
    with pytest.raises(InputError, match=said):
        fit("average", tmp_path / "store", tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["store"]


def test_wrong_arguments_are_refused(fields, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(SettingsError, match="wanted at most 10, of more fields"):
        fit("average", fields, out, splits=11)
    with pytest.raises(SettingsError, match="starts from no network as it is set"):
        fit("average", fields, out, base="run")
    with pytest.raises(SettingsError, match="unknown setting 'depth'"):
        fit("average", fields, out, overrides=["depth=3"])
    with pytest.raises(SettingsError, match="did you mean 'average'"):
        fit("averag", fields, out)
    with pytest.raises(SettingsError, match="METHODS has it already"):
        register_scorer(method_named("average"), words="again")
    assert list(tmp_path.iterdir()) == []


def test_a_model_is_all_that_a_scorer_knows():
    assert {name for name in vars(ScoreModel) if not name.startswith("_")} == {
        "predict",
        "to_page",
        "to_arrays",
    }


def test_a_scorer_is_described(fitted, capsys):
    place, scorer = fitted("average")
    assert main(["info", str(place)]) == 0
    said = capsys.readouterr().out
    assert "64x64 px" in said
    assert f"{accuracy_of(scorer.held_out).mae:.3f} +- " in said
