"""The race's table: order, intervals, who is first, and that it survives a family that could hardly be measured."""

from types import SimpleNamespace

import numpy as np
import pytest
from astropy.table import QTable
from race_table import as_markdown, between, excess_interval, rows_of, winner_sentence, write_table

from galsmith.compare import Estimate, Mean, PairedDifference

TRAINING = {
    "parameters": 1234,
    "images_seen": 48_000,
    "seconds": 480.0,
    "cpu_s": 470.0,
    "preparing_cpu_s": 5.0,
    "error": "",
}


@pytest.fixture(autouse=True)
def _plain_verdict(monkeypatch):
    monkeypatch.setattr(
        "race_table.verdict_words", lambda judgment: SimpleNamespace(title=f"{judgment.name} is judged")
    )


def mean(name, value, *, count=26):
    return Mean(name, count, Estimate(value, value, 0.01, (value - 0.02, value + 0.02), 0.04, 0.003))


def judgment(name, morphology, power):
    groups = [
        mean(group, value)
        for group, value in (("morphology", morphology), ("power_wavelength", power))
        if value
    ]
    headline = mean("headline", float(np.mean([item.value for item in groups])))
    comparison = SimpleNamespace(
        means=(*groups, mean("all properties", headline.value), headline),
        headline=headline,
        counted=[None] * (13 * len(groups)),
        settings={"confidence": 0.95},
        generated=SimpleNamespace(n_compared=2000),
    )
    return SimpleNamespace(name=name, comparison=comparison, beyond=None, features=())


def card_of(*judgments, p_value=0.002):
    paired = tuple(
        PairedDifference(
            "headline",
            one.name,
            two.name,
            one.comparison.headline.value - two.comparison.headline.value,
            0.01,
            (-0.3, -0.1),
            p_value,
        )
        for number, one in enumerate(judgments)
        for two in judgments[number + 1 :]
    )
    return SimpleNamespace(judgments=judgments, paired=paired)


def rows_and_card(*judgments, **changes):
    card = card_of(*judgments, **changes)
    names = [item.name for item in judgments]
    return rows_of(
        card, dict.fromkeys(names, TRAINING), {name: {"galaxies_per_s": 12.5} for name in names}
    ), card


def test_the_least_excess_comes_first():
    rows, _ = rows_and_card(
        judgment("far", 0.9, 0.5), judgment("near", 0.1, 0.2), judgment("middle", 0.3, 0.3)
    )
    assert [row.name for row in rows] == ["near", "middle", "far"]
    assert rows[0].mean.excess == pytest.approx(0.15 - 0.04)


def test_a_family_that_lacks_properties_comes_behind_though_its_mean_is_small():
    rows, _ = rows_and_card(judgment("unmeasurable", None, 0.05), judgment("whole", 0.4, 0.4))
    assert [row.name for row in rows] == ["whole", "unmeasurable"]
    assert "`unmeasurable` could be compared in 13 of 26 properties alone" in as_markdown(rows)


def test_the_interval_of_the_excess_is_as_wide_as_a_normal_law_makes_it():
    low, high = excess_interval(Estimate(0.14, 0.13, 0.01, (0.1, 0.2), 0.04, 0.003), confidence=0.95)
    assert (low, high) == pytest.approx((0.1 - 0.0196, 0.1 + 0.0196), abs=1e-5)


def test_a_paired_difference_is_turned_to_the_order_that_is_asked_for():
    card = card_of(judgment("a", 0.1, 0.1), judgment("b", 0.3, 0.3))
    turned = between(card, "b", "a")
    assert turned.value == pytest.approx(0.2)
    assert turned.interval == (0.1, 0.3)
    assert between(card, "a", "nobody") is None


@pytest.mark.parametrize(("p_value", "word"), [(0.001, "beyond"), (0.3, "**inside**")])
def test_the_winner_is_said_with_its_noise(p_value, word):
    rows, card = rows_and_card(judgment("a", 0.1, 0.1), judgment("b", 0.3, 0.3), p_value=p_value)
    assert (
        f"First is `a`, by 0.200 in mean W1 (paired difference to `b`: interval -0.300 to -0.100, p = {p_value:g}): {word}"
        in (winner_sentence(rows, card))
    )


def test_markdown_and_ecsv_state_the_same(tmp_path):
    rows, card = rows_and_card(judgment("b", 0.3, 0.5), judgment("a", 0.1, 0.1))
    write_table(
        rows, tmp_path / "table.ecsv", winner=winner_sentence(rows, card), meta={"mean_w1": "headline"}
    )
    table = QTable.read(tmp_path / "table.ecsv", format="ascii.ecsv")
    assert list(table["family"]) == ["a", "b"]
    assert table["excess"][1] == pytest.approx(0.36)
    assert table["images_per_s"][0].value == pytest.approx(100.0)
    assert table["p_same_as_next"][0] == pytest.approx(0.002)
    text = (tmp_path / "table.md").read_text(encoding="utf-8")
    assert (
        "| `b` | 1,234 | 48,000 | 100 | 470 | 12.5 | 0.300 | 0.500 | 0.400 | 0.040 | **0.360** (0.340 to 0.380) |"
        in text
    )
