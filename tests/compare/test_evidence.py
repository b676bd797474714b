"""Evidence: every calibrated p value by family, corrected over the card; what it sees, and what it must not see."""

import csv
import re
from dataclasses import replace

import numpy as np
import pytest

from galsmith.compare import evidence_of, judge_tables, verdict_of
from galsmith.compare.correction import MOST_FAMILIES
from galsmith.compare.evidence.families import FAMILIES, weigh
from galsmith.compare.evidence.records import BY_DEALS, Evidence
from galsmith.errors import OutputExistsError
from galsmith.seeds import random_stream

SEEDS = range(10)


def judged(reference, generated, *, seed=0, beyond=False, **more):
    return judge_tables(
        reference, generated, seed=seed, beyond=beyond, replicates=20, splits=20, **more
    ).judgment()


def one_test(family, p_value, *, block="tests", **more):
    return Evidence(
        family=family, block=block, title="", name=f"{family} {block} {p_value}", label="", value=0.0,
        interval=(0.0, 0.0), floor=0.0, p_value=p_value, effect=0.0, unit="sd", **more,
    )  # fmt: skip


def test_blocks_and_families_share_the_alarms():
    found = weigh(
        [
            one_test("one", 0.001),
            one_test("one", 0.02),
            one_test("two", 0.01, block="dealt", corrected_by=BY_DEALS, p_block=0.015),
            one_test("two", 0.04, block="alone"),
            one_test("three", 0.5),
        ]
    )
    # Holm within the block of two; two blocks; three families.
    assert [item.p_block for item in found] == pytest.approx([0.002, 0.02, 0.015, 0.04, 0.5])
    assert [item.p_family for item in found] == pytest.approx([0.002, 0.02, 0.03, 0.08, 0.5])
    assert [item.p_overall for item in found] == pytest.approx([0.006, 0.06, 0.09, 0.24, 1.0])
    assert [item.status for item in found] == ["told", "borderline", "borderline", "not_told", "not_told"]


def test_the_table_has_no_more_rows_than_power_counts_with():
    assert len(FAMILIES) <= MOST_FAMILIES
    assert list(FAMILIES) == [family.name for family in FAMILIES.values()]


def test_a_fair_set_is_not_told_apart_and_the_card_says_what_it_would_have_seen(make_galaxies):
    verdict = judged(make_galaxies(400, case=1), make_galaxies(300, case=2)).verdict
    assert verdict.status == "not_told_apart"
    assert verdict.by == ()
    # Between a shift that one test alone would see, 0.22, and one that Bonferroni over all would.
    assert 0.25 < verdict.power.shift_sd < 0.45
    assert set(verdict.not_judged) == {
        *("copies", "identity", "repeats", "joint", "pairs", "classifiers", "features")
    }


def test_forty_galaxies_are_too_few_to_tell(make_galaxies):
    few = judged(make_galaxies(400, case=1), make_galaxies(40, case=2)).verdict
    assert few.status == "not_judged"
    assert (
        few.reason == f"too few to tell: a shift below {few.power.shift_sd:.2f} sd would not have been seen"
    )
    far = judged(make_galaxies(400, case=1), make_galaxies(40, case=2, shift=2.0)).verdict
    assert far.status == "told_apart"


def test_power_is_what_moved_sets_show(make_galaxies):
    """A single property, moved by as much as the card says, is told in about 9 of 10 cards; half of it in few."""
    seen = {1.0: 0, 0.5: 0}
    for seed in SEEDS:
        reference = make_galaxies(400, case=100 + seed)
        shift = judged(reference, make_galaxies(400, case=200 + seed), seed=seed).verdict.power.shift_sd
        for share in seen:
            moved = make_galaxies(400, case=200 + seed)
            moved["concentration"] += share * shift * 0.6
            found = judged(reference, moved, seed=seed)
            seen[share] += found.evidence("concentration").is_told
    assert seen[1.0] >= 8
    assert seen[0.5] <= 5


def test_rows_outside_of_the_means_count(make_galaxies):
    """All galaxies moved by a quarter of the spread in a property that no mean knows."""
    seen = 0
    for seed in SEEDS:
        moved = make_galaxies(500, case=300 + seed)
        moved["r_petro_pix"] += 1.5
        verdict = judged(make_galaxies(2000, case=400 + seed), moved, seed=seed).verdict
        seen += verdict.is_told_by("outside")
    assert seen >= 9


def test_angles_count_on_their_circles(make_galaxies):
    """Of 500 galaxies 30 % have their major axis at 90 degrees, where a linear scale has its ends."""
    seen = 0
    for seed in SEEDS:
        turned = make_galaxies(500, case=500 + seed)
        angles = np.pi / 2 + 0.1 * random_stream(seed, "test.turned").normal(size=150)
        turned["orientation_rad"][:150] = ((angles + np.pi / 2) % np.pi - np.pi / 2) * turned[
            "orientation_rad"
        ].unit
        found = judged(make_galaxies(2000, case=600 + seed), turned, seed=seed)
        seen += found.evidence("orientation_rad_circular").is_told
    assert seen >= 9


def test_the_reference_itself_is_too_near(make_galaxies):
    """A copy of the reference, and one with noise of a hundredth: no two sets of galaxies are so near."""
    seen = 0
    for seed in SEEDS:
        reference = make_galaxies(400, case=700 + seed)
        near = make_galaxies(400, case=700 + seed)
        near["concentration"] += 0.006 * random_stream(seed, "test.near").normal(size=400)
        seen += all(
            judged(reference, side, seed=seed).verdict.is_told_by("near") for side in (reference, near)
        )
    assert seen == len(SEEDS)


def test_losses_count_in_a_table(make_galaxies):
    """Of 500 galaxies 10 % could not be measured; of the reference 1 %."""
    seen = alarms = 0
    for seed in SEEDS:
        reference, fair, poor = (make_galaxies(count, case=case + seed) for count, case in
                                 ((2000, 800), (500, 900), (500, 900)))  # fmt: skip
        for table, count in ((reference, 20), (fair, 5), (poor, 50)):
            for name in ("asymmetry", "concentration", "r_half_pix"):
                table[name][:count] = np.nan
        seen += judged(reference, poor, seed=seed).verdict.is_told_by("losses")
        alarms += judged(reference, fair, seed=seed).verdict.is_told_by("losses")
    assert seen >= 9
    assert alarms == 0


@pytest.mark.slow
def test_a_tenth_decorrelated_is_told(make_galaxies):
    """Of 500 galaxies 25 % exchange each property among themselves, so that no single one changes."""
    seen = 0
    for seed in range(4):
        reference, mixed = make_galaxies(2000, case=1000 + seed), make_galaxies(500, case=1100 + seed)
        for number, name in enumerate(
            ("concentration", "sersic_index", "power_wavelength_00", "power_wavelength_07")
        ):
            order = random_stream(number, "test.mixed").permutation(125)
            mixed[name][:125] = mixed[name][:125][order]
        verdict = judged(reference, mixed, seed=seed, beyond=True).verdict
        assert not verdict.is_told_by("marginal")
        seen += (
            verdict.is_told_by("pairs") or verdict.is_told_by("joint") or verdict.is_told_by("classifiers")
        )
    assert seen == 4


@pytest.mark.slow
def test_sixty_fair_cards_raise_three_alarms_at_most(make_galaxies):
    """All that tables show, classifiers too: 5 % of 60 are 3."""
    alarms = 0
    for seed in range(60):
        reference, fair = make_galaxies(300, case=2000 + seed), make_galaxies(200, case=3000 + seed)
        alarms += judged(reference, fair, seed=seed, beyond=True).verdict.status == "told_apart"
    assert alarms <= 3


def test_a_certain_but_small_difference_is_told_by_little(make_galaxies):
    reference, generated = make_galaxies(20_000, case=1), make_galaxies(20_000, case=2)
    generated["concentration"] += 0.05 * 0.6
    verdict = judged(reference, generated).verdict
    assert verdict.status == "told_apart"
    assert verdict.is_little
    generated["concentration"] += 0.5
    assert not judged(reference, generated).verdict.is_little


def test_the_third_digit_of_an_area_changes_no_status(make_galaxies):
    """The p value decides, and the interval what is called little: both are the same at 0.594 and 0.600."""
    found = judged(make_galaxies(300, case=1), make_galaxies(300, case=2), beyond=True)
    outcomes = []
    for area in (0.594, 0.600):
        tests = tuple(
            replace(
                test,
                auc=replace(
                    test.auc,
                    p_value=1e-6,
                    estimate=replace(test.auc.estimate, value=area, interval=(area - 0.03, area + 0.03)),
                ),
            )
            for test in found.beyond.classifiers
        )
        verdict = verdict_of(replace(found, beyond=replace(found.beyond, classifiers=tests)))
        outcomes.append((verdict.status, verdict.is_little))
    assert outcomes == [("told_apart", True)] * 2


def test_every_number_has_one_name(make_galaxies):
    found = judged(make_galaxies(300, case=1), make_galaxies(300, case=2), beyond=True)
    names = [item.name for item in evidence_of(found)]
    assert len(set(names)) == len(names)
    assert found.evidence("concentration").family == "marginal"
    with pytest.raises(KeyError, match="no evidence 'nothing'; there are"):
        found.evidence("nothing")


def told_in_csv(path):
    """Find the verdict again from the file alone: Holm where it applies, then blocks and families by their numbers."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    blocks = {}
    for row in rows:
        blocks.setdefault((row["family"], row["block"]), []).append(row)
    families = {family for family, _ in blocks}
    told = set()
    for (family, _), members in blocks.items():
        p_block = np.array([float(row["p_block"]) for row in members])
        if members[0]["corrected_by"] == "holm":
            alone = np.array([float(row["p_value"]) for row in members])
            p_block = np.array([max(p * np.sum(alone >= p) for p in alone[alone <= one]) for one in alone])
        n_blocks = sum(other == family for other, _ in blocks)
        p_overall = p_block * n_blocks * len(families)
        assert np.minimum(p_overall, 1) == pytest.approx([float(row["p_overall"]) for row in members])
        told |= {row["name"] for row, p in zip(members, p_overall, strict=True) if p <= 0.05}
    return told


@pytest.mark.parametrize("shift", [0.0, 0.6])
def test_the_file_of_evidence_gives_the_verdict_again(make_galaxies, tmp_path, shift):
    place = tmp_path / "card.json"
    card = judge_tables(
        make_galaxies(300, case=1), make_galaxies(300, case=2, shift=shift), place, replicates=20, splits=20
    )
    judgment = card.judgment()
    told = told_in_csv(tmp_path / "card.evidence.csv")
    assert told == {item.name for item in evidence_of(judgment) if item.is_told}
    assert bool(told) == (judgment.verdict.status == "told_apart") == (shift > 0)


def test_the_file_of_evidence_is_claimed_as_every_output_is(make_galaxies, tmp_path):
    place, beside = tmp_path / "card.json", tmp_path / "card.evidence.csv"
    sets = make_galaxies(100, case=1), make_galaxies(100, case=2)
    beside.write_text("mine\n")
    with pytest.raises(OutputExistsError, match=re.escape(str(beside))):
        judge_tables(*sets, place, beyond=False, replicates=20, splits=20)
    assert not place.exists()
    assert beside.read_text() == "mine\n"
    beside.unlink()
    judge_tables(*sets, place, beyond=False, replicates=20, splits=20)
    written = beside.read_bytes()
    beside.unlink()  # as if killed between card and table
    judge_tables(*sets, place, beyond=False, replicates=20, splits=20)
    assert beside.read_bytes() == written
    judge_tables(*sets, place, beyond=False, replicates=20, splits=20, seed=1, overwrite=True)
    assert beside.read_bytes() != written


def test_a_property_that_only_the_reference_has_constant_tells_the_sets_apart(make_table):
    rng = random_stream(0, "test.usual")
    values = rng.normal(size=(4, 300))
    few = np.where(np.arange(300) < 4, values[3], 2.0)

    def judged_columns(theirs, ours):
        tables = [
            make_table({"gini": values[place], "asymmetry": side, "concentration": values[place + 2]})
            for place, side in enumerate((theirs, ours))
        ]
        judgment = judged(*tables)
        return judgment, [item for item in evidence_of(judgment) if item.name == "usual: asymmetry"]

    constant, rounded = np.full(300, 2.0), 2.0 + 1e-9 * rng.normal(size=(2, 300))
    huge = 1e5 + values[3]  # as chi2 of images with noise beside that of a noiseless fit
    for theirs, ours in ((constant, values[2]), (few, values[2]), (rounded[0], values[2]), (values[2], huge)):
        judgment, (test,) = judged_columns(theirs, ours)
        assert judgment.comparison.distance("asymmetry").reason.startswith("not comparable")
        assert test.is_told
        assert test.value < 0.1
        assert test.floor > 0.9
        assert (judgment.verdict.status, judgment.verdict.by[0].name) == ("told_apart", test.name)
    for theirs, ours in ((constant, constant), (few, few), (rounded[0], rounded[1])):
        judgment, (test,) = judged_columns(theirs, ours)
        assert test.p_value == 1.0
        assert judgment.verdict.status != "told_apart"
    # One of the generated set alone has a distance; and a few wild galaxies hide none.
    for ours in (constant, np.where(np.arange(300) < 100, 1e9, values[3] + 1.0)):
        judgment, found = judged_columns(values[2], ours)
        assert not found
        assert judgment.comparison.distance("asymmetry").reason == ""
        assert next(item for item in evidence_of(judgment) if item.name == "asymmetry").is_told
