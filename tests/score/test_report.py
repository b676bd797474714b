"""The page of scores: what it holds, from what it was made, and what it refuses."""

import json
import re

import numpy as np
import pytest

from galsmith.cli import main
from galsmith.compare import Chance
from galsmith.data.store import write_store
from galsmith.errors import InputError, OutputExistsError, SettingsError
from galsmith.files import read_json, write_json
from galsmith.report.scores.page import write_score_page
from galsmith.score import accuracy_of, fit, judge, report

QUICK = {
    "average": (),
    "wavelets": ("iterations=20",),
    "spectrum": ("iterations=20", "lengths=[1.0]", "ridges=[0.01]"),
}


@pytest.fixture(scope="module")
def made(fields_made, tmp_path_factory):
    """A store with kinds, scorers of it, judged sets, and the page."""
    folder = tmp_path_factory.mktemp("report")
    images = fields_made(n=80, seed=3)
    labels = np.asarray(images.catalog["label"])
    images.catalog["kind"] = np.where(labels == 1, "cosmology", "not_noise")
    write_store(folder / "fields", images)
    for name, overrides in QUICK.items():
        fit(name, folder / "fields", folder / name, overrides=overrides, splits=4, held_out=0.25)
    write_store(folder / "some", fields_made(n=40, seed=5))
    chance = Chance(replicates=50, splits=20, permutations=50)
    judge(
        folder / "spectrum", folder / "fields", [("some", folder / "some")], folder / "j.json", chance=chance
    )
    scorers = [folder / name for name in QUICK]
    report(folder / "fields", folder / "page", scorers=scorers, judged=folder / "j.json")
    return folder


@pytest.fixture(scope="module")
def html(made):
    return (made / "page" / "index.html").read_text(encoding="utf-8")


def test_the_page_asks_nothing_of_any_network_and_every_drawing_is_there(html):
    assert not re.search(r'(?:src|href)="https?://', html)
    # predicted, deciles, laws, scores, above the mean, pixels
    assert html.count("<svg") == 6
    assert "nan" not in " ".join(re.findall(r' d="([^"]*)"', html)).lower()
    # a whole, a zoom of each of three examples, and the pixels above the mean with the first whole
    assert html.count("data:image/png;base64,") == 8


def test_settings_and_kinds_are_words(made, html):
    text = re.sub(r"<[^>]*>", " ", re.sub(r"<(style|script).*?</\1>", "", html, flags=re.DOTALL))
    assert "methods average and wavelets and spectrum;" in text
    assert "no field: noise" in text
    # a Python list, or a name of a column
    assert "['" not in text
    assert "not_noise" not in text


def test_table_1_stands_beside_ours(made, html):
    from galsmith.score import load_scorer

    for name in QUICK:
        found = accuracy_of(load_scorer(made / name).held_out)
        row = re.search(rf"<tr><th scope=\"row\" data-value=\"{name}\">.*?</tr>", html, re.DOTALL).group(0)
        assert f"{found.mae:.3f}</td>" in row
        assert f"{found.standard_error:.3f}</td>" in row
    assert ">0.289<" in html
    assert ">0.885<" in html


def test_the_card_counts_each_field_once(made):
    card = json.loads((made / "page" / "scores.json").read_text())
    assert sum(card["score_counts"]) == card["n_fields"] == 80
    assert sum(row["n"] for row in card["kinds"]) == 80
    kinds = {row["kind"]: row for row in card["kinds"]}
    # everything is predicted as clean by the average
    assert kinds["cosmology"]["wrong"]["average"] == 0
    assert kinds["not_noise"]["wrong"]["average"] == kinds["not_noise"]["n"]
    assert kinds["not_noise"]["wrong"]["spectrum"] < kinds["not_noise"]["n"] / 2
    assert card["best"] in ("wavelets", "spectrum")
    assert [one["words"] for one in card["examples"]] == [
        "a representative field",
        "the highest score",
        "no field: noise",
    ]


def test_the_share_above_the_mean_is_that_of_the_pixels(made):
    from galsmith.data.store import open_store

    card, images = json.loads((made / "page" / "scores.json").read_text()), open_store(made / "fields")
    shares = [float((image > image.mean()).mean()) for image in images.pixels.read(range(80))]
    assert sorted(share for _, share in card["above_mean"]) == pytest.approx(sorted(shares))


def test_the_same_call_gives_the_same_page_and_another_is_refused(made, html, caplog):
    scorers = [made / name for name in QUICK]
    report(made / "fields", made / "page", scorers=scorers, judged=made / "j.json")
    assert "is already there" in caplog.text
    with pytest.raises(OutputExistsError, match="already exists"):
        report(made / "fields", made / "page", scorers=scorers)


def test_a_page_without_its_store_leaves_pictures_out(made, tmp_path):
    card = read_json(made / "page" / "scores.json")
    card["store"]["path"] = str(tmp_path / "gone")
    write_json(tmp_path / "scores.json", card)
    text = write_score_page(tmp_path).read_text(encoding="utf-8")
    assert "is not there any more: pictures are left out" in text
    assert "data:image/png" not in text


def test_scorers_of_other_fields_or_without_held_out_ones_are_refused(made, tmp_path):
    with pytest.raises(InputError, match="was fitted on other fields"):
        report(made / "some", tmp_path / "page", scorers=[made / "average"])
    fit("average", made / "fields", tmp_path / "bare", splits=0)
    with pytest.raises(InputError, match="no fields were held out"):
        report(made / "fields", tmp_path / "page", scorers=[tmp_path / "bare"])
    with pytest.raises(SettingsError, match="a second average scorer"):
        report(made / "fields", tmp_path / "page", scorers=[made / "average"] * 2)
    with pytest.raises(InputError, match="not what galsmith score judge wrote"):
        report(made / "fields", tmp_path / "page", judged=made / "page" / "scores.json")


def test_one_command_fits_and_writes(made, tmp_path, capsys):
    words = (
        f"score report {made / 'fields'} -o {tmp_path / 'page'} --method average --method wavelets --splits 2"
    )
    assert main(words.split()) == 0
    assert "a page of" in capsys.readouterr().out
    assert sorted(path.name for path in (tmp_path / "page" / "scorers").iterdir()) == ["average", "wavelets"]
    assert not list(tmp_path.rglob("*.partial"))
