"""Laws of predicted scores: what must pass beside what must fail, and means that mislead."""

import json

import numpy as np
import pytest
from scipy import stats

from galsmith.cli import main
from galsmith.compare import Chance
from galsmith.data.store import write_store
from galsmith.errors import InputError, SettingsError
from galsmith.score import fit, judge, predict
from galsmith.score.judged_sets import read_judged

QUICK = Chance(replicates=100, splits=50, permutations=200)


@pytest.fixture(scope="module")
def scorer(fields, tmp_path_factory):
    path = tmp_path_factory.mktemp("judge") / "scorer"
    overrides = ["iterations=30", "lengths=[1.0]", "ridges=[0.01]"]
    fit("spectrum", fields, path, overrides=overrides, splits=5, held_out=0.2)
    return path


@pytest.fixture(scope="module")
def stores(fields_made, tmp_path_factory):
    """A set of the source's law, one of its better half, and one of its middle alone, whose mean is the source's."""
    folder = tmp_path_factory.mktemp("sets")
    every = fields_made(n=300, seed=7)
    scores = np.asarray(every.catalog["score"])
    fair, half, middle = np.arange(60), np.flatnonzero(scores > 3), np.flatnonzero(np.abs(scores - 3.0) < 0.7)
    for name, rows in {"fair": fair, "half": half, "middle": middle}.items():
        write_store(folder / name, every.select(rows))
    return folder


@pytest.fixture(scope="module")
def judged(scorer, fields, stores, tmp_path_factory):
    named = [(name, stores / name) for name in ("fair", "half", "middle")]
    file = tmp_path_factory.mktemp("judged") / "judged.json"
    return judge(scorer, fields, named, file, chance=QUICK), file


def test_a_fair_set_passes_and_a_filtered_one_does_not(judged):
    fair, half, _ = judged[0].sets
    assert fair.p_value > 0.05
    assert fair.distance.in_floors < 2
    assert half.p_value < 0.01
    # better on average than the source, and farther
    assert half.law.mean > judged[0].source.mean + 1
    assert half.distance.value > 3 * fair.distance.value


def test_a_mean_that_agrees_does_not_pass(judged):
    middle, source = judged[0].sets[2], judged[0].source
    assert abs(middle.law.mean - source.mean) < 0.35
    assert middle.law.deviation < 0.6 * source.deviation
    assert middle.p_value < 0.01


def test_the_distance_is_scipy_s(judged, scorer, stores, opened):
    from galsmith.data.store import open_store
    from galsmith.score import load_scorer

    fitted = load_scorer(scorer)
    held = dict(zip(fitted.held_out["Id"], fitted.held_out["Predicted"], strict=True))
    source = np.array([held[one] for one in opened.catalog["object_id"]])
    generated = fitted.predict(open_store(stores / "fair"))
    fair = judged[0].sets[0]
    assert fair.distance.value == pytest.approx(stats.wasserstein_distance(source, generated), rel=1e-9)
    assert (fair.law.mean, fair.law.n) == (pytest.approx(generated.mean()), 60)
    assert sum(fair.law.counts) == 60


def test_the_source_is_predicted_by_models_that_have_not_seen_it(judged, fields, stores, tmp_path):
    assert judged[0].n_seen == 0
    fit("average", fields, tmp_path / "seen", splits=0)
    assert (
        judge(tmp_path / "seen", fields, [("x", stores / "fair")], tmp_path / "j", chance=QUICK).n_seen == 60
    )
    fit("average", stores / "half", tmp_path / "other", splits=0)
    assert (
        judge(tmp_path / "other", fields, [("x", stores / "fair")], tmp_path / "k", chance=QUICK).n_seen == 0
    )


def test_a_filtered_source_is_what_a_filtered_generator_learned(scorer, fields, stores, tmp_path):
    found = judge(scorer, fields, [("half", stores / "half")], tmp_path / "j", least_score=3.1, chance=QUICK)
    assert found.source.n < 60
    assert found.sets[0].p_value > 0.01


def test_the_file_says_it_all_again_and_the_same_call_writes_nothing(judged, scorer, fields, stores):
    found, file = judged
    assert read_judged(file) == found
    before = file.stat().st_mtime_ns
    named = [(name, stores / name) for name in ("fair", "half", "middle")]
    assert judge(scorer, fields, named, file, chance=QUICK) == found
    assert file.stat().st_mtime_ns == before


def test_pairs_are_compared_against_the_same_source(judged):
    rows = {(one["first"], one["second"]): one for one in judged[0].differences}
    low, high = rows["fair", "half"]["interval"]
    assert low < rows["fair", "half"]["difference"] < high < 0


def test_the_command_says_it(scorer, fields, stores, tmp_path, capsys):
    words = (
        f"score judge {scorer} {fields} better={stores / 'half'} {stores / 'fair'} -o {tmp_path / 'j'} --json"
    )
    assert main(words.split()) == 0
    numbers = json.loads(capsys.readouterr().out)["numbers"]
    assert set(numbers) == {"better", "fair"}
    assert numbers["better"]["w1"] > numbers["better"]["floor"]


def test_what_cannot_be_judged_is_refused(scorer, fields, stores, fields_made, tmp_path):
    with pytest.raises(SettingsError, match="two sets are called x"):
        judge(scorer, fields, [("x", stores / "fair"), ("x", stores / "half")], tmp_path / "j")
    write_store(tmp_path / "small", fields_made(n=12, side=48))
    with pytest.raises(InputError, match="fields of 48 px, the spectrum scorer was fitted on 64 px"):
        judge(scorer, fields, [("x", tmp_path / "small")], tmp_path / "j")
    with pytest.raises(InputError, match=r"0 fields have a score of 7\.5 or more"):
        judge(scorer, fields, [("x", stores / "fair")], tmp_path / "j", least_score=7.5)


def test_what_was_judged_and_what_was_predicted_are_described(judged, scorer, stores, tmp_path, capsys):
    found, file = judged
    assert main(["info", str(file)]) == 0
    said = capsys.readouterr().out
    fair = found.sets[0]
    assert "judged scores" in said
    assert f"W1 {fair.distance.value:.3f} (floor {fair.distance.floor:.3f})" in said
    submission = tmp_path / "submission.csv"
    scores = predict(scorer, stores / "fair", submission)["Predicted"]
    assert main(["info", str(submission)]) == 0
    assert f"60 fields, mean {scores.mean():.3f}" in capsys.readouterr().out
    submission.write_text("Id,Predicted\na,high\n")
    assert main(["info", str(submission)]) == 1
    assert "cannot be read as Id,Predicted" in capsys.readouterr().err
    submission.write_text("Id,Score\na,1\n")
    assert main(["info", str(submission)]) == 1
    assert "nothing that galsmith made" in capsys.readouterr().err


@pytest.mark.parametrize("few", ["source", "generated"])
def test_a_law_of_nine_fields_is_no_law(few, scorer, stores, fields_made, tmp_path):
    for n in (9, 10):
        write_store(tmp_path / f"of_{n}", fields_made(n=n))
    sides = {"source": stores / "fair", "generated": stores / "half"}
    with pytest.raises(InputError, match="of_9: has 9 fields; wanted 10 or more"):
        _judge_sides(scorer, {**sides, few: tmp_path / "of_9"}, tmp_path / "j")
    _judge_sides(scorer, {**sides, few: tmp_path / "of_10"}, tmp_path / "j")


def _judge_sides(scorer, sides, output):
    """Judge one set."""
    return judge(scorer, sides["source"], [("x", sides["generated"])], output, chance=QUICK)
