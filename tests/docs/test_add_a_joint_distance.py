"""The how-to on distances: its code runs; both distances pass equal sets, fail moved ones, and stand in card and page."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from astropy.table import QTable, Table
from scipy import stats

from galsmith.compare import (
    JOINT,
    PER_PROPERTY,
    evidence_of,
    joint_distance,
    read_card,
    register_joint,
    verdict_of,
)
from galsmith.compare.files import to_plain
from galsmith.errors import SettingsError
from galsmith.provenance import Provenance
from galsmith.report import write_report
from galsmith.seeds import random_stream

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "add-a-joint-distance.md"
NAMES = ("asymmetry", "concentration", "gini", "m20")


def table(case, *, shift=0.0, count=300):
    """Gaussian columns in common, moved by `shift` standard deviations each."""
    rng = random_stream(case, "test.add_a_joint_distance")
    common = rng.normal(size=count)
    found = QTable({"object_id": np.array([f"{row:04d}" for row in range(count)])})
    for name in NAMES:
        found[name] = 0.6 * common + 0.8 * rng.normal(size=count) + shift
    found["flag"], found["flags"] = np.zeros(count, dtype=np.int64), np.array([""] * count)
    found.meta = {
        "content_hash": str(case) * 64,
        "bands": ["r"],
        "pixel_scale_arcsec": 0.03,
        "flux_unit": "nJy",
        "provenance": Provenance("measure", {"gain": 1.0}, versions={}).to_dict(),
    }
    return found


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    """The page's code, run on equal and on moved sets; afterwards the tables are as they were."""
    folder = tmp_path_factory.mktemp("joint")
    code = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert len(code) == 3
    # Both distances are registered before the sets are judged.
    given = {"real": table(1), "held_out": table(2), "moved": table(3, shift=0.5)}
    text = "\n".join((code[0], code[2], code[1].replace('"card.json"', "place")))
    printed = []
    space = {**given, "place": folder / "card.json", "print": printed.append, "__name__": "example"}
    kept = dict(JOINT), dict(PER_PROPERTY)
    exec(compile(text, "joint distance how-to", "exec"), space)
    yield folder, space, printed
    for found, before in zip((JOINT, PER_PROPERTY), kept, strict=True):
        found.clear()
        found.update(before)


def test_equal_sets_pass_and_moved_sets_fail(example):
    _, _, printed = example
    same, moved = printed
    assert re.fullmatch(r"same: 0\.\d+, floor 0\.\d+, p 0\.\d+: not_told", same)
    assert re.fullmatch(r"moved: 0\.\d+, floor 0\.\d+, p 0\.0\d+: told", moved)


def test_the_joint_distance_is_what_it_says_on_every_path(example):
    folder, space, _ = example
    card = space["card"]
    found = card.judgment("moved").beyond.statistics["mahalanobis"]
    sides = [np.stack([space[name][column] for column in NAMES], axis=1) for name in ("real", "moved")]
    apart = sides[1].mean(axis=0) - sides[0].mean(axis=0)
    # The distance is the same in any unit of the columns, so that the raw columns are an oracle.
    expected = np.sqrt(apart @ np.linalg.solve(np.cov(sides[0], rowvar=False), apart))
    assert found.value == pytest.approx(expected, rel=1e-9)
    # Means of n and m galaxies of 4 columns are sqrt(4 (1/n + 1/m)) apart, in the root mean square.
    assert found.floor == pytest.approx(np.sqrt(4 * 2 / 300), rel=0.15)
    joint = [item for item in evidence_of(card.judgment("moved")) if item.family == "joint"]
    assert [item.name for item in joint] == ["sliced", "energy", "correlation", "mahalanobis"]
    assert joint[-1].effect == pytest.approx(found.in_floors)
    again = read_card(folder / "card.json").judgment("moved")
    assert again.evidence("mahalanobis").status == "told"
    assert again.beyond.statistics["mahalanobis"] == found


def test_a_second_distance_of_each_property_stands_beside_the_first(example):
    _, space, _ = example
    comparison = space["card"].judgment("moved").comparison
    for distance in comparison.distances:
        found = distance.beside["kolmogorov_smirnov"]
        oracle = stats.ks_2samp(space["real"][distance.column], space["moved"][distance.column])
        assert found.value == pytest.approx(oracle.statistic, rel=1e-12)
        # 0.8687 = sqrt(pi / 2) ln 2: the mean of Kolmogorov's law, reached from below.
        assert found.floor == pytest.approx(0.8687 * np.sqrt(2 / 300), rel=0.15)
        assert found.p_value < 0.01
    equal = space["card"].judgment("same").comparison
    assert min(item.beside["kolmogorov_smirnov"].p_value for item in equal.distances) > 0.01


@pytest.mark.usefixtures("without_figures")
def test_page_and_tables_show_both_though_nobody_registered_them(example, tmp_path, monkeypatch):
    folder, space, _ = example
    for registered in (JOINT, PER_PROPERTY):
        monkeypatch.delitem(registered, next(reversed(registered)))
    output = tmp_path / "report"
    page = write_report(folder / "card.json", output).read_text(encoding="utf-8")
    assert page.count("Mahalanobis distance") >= 4
    rows = Table.read(output / "tables" / "moved" / "distances.ecsv", format="ascii.ecsv")
    found = space["card"].judgment("moved").comparison.distance("gini").beside["kolmogorov_smirnov"]
    assert rows["kolmogorov_smirnov"][rows["name"] == "gini"] == pytest.approx(found.value)


@pytest.fixture
def without_figures(monkeypatch):
    monkeypatch.setattr("galsmith.report.write.write_figures", lambda folder, sets, together: None)


def test_a_name_is_taken_once_and_what_judges_is_known():
    def none(reference, generated):
        return 0.0

    with pytest.raises(SettingsError, match=r"`statistic.name=energy`: JOINT has it already"):
        register_joint(joint_distance("energy", "E", none, definition="None."))
    with pytest.raises(SettingsError, match=r"`statistic.judged_by=auc`: wanted 'floors'"):
        register_joint(joint_distance("none", "N", none, definition="None.", judged_by="auc"))
    assert "none" not in JOINT


def test_judging_anew_asks_for_no_registration(example, monkeypatch):
    judgment = example[1]["card"].judgment("moved")
    monkeypatch.delitem(JOINT, "mahalanobis")
    assert to_plain(verdict_of(judgment)) == to_plain(judgment.verdict)


def test_the_card_is_plain_json(example):
    value = json.loads((example[0] / "card.json").read_text(encoding="utf-8"))
    assert set(value["judgments"][1]["beyond"]["statistics"]) == {
        "sliced",
        "energy",
        "correlation",
        "mahalanobis",
    }
