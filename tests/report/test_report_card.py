import re
from dataclasses import replace

import astropy.units as u
import numpy as np
import pytest
from astropy.table import Table
from matplotlib.figure import Figure

from galsmith.compare import Judgment, PairedDifference, PublishedColumn, judge_tables, read_card, write_card
from galsmith.data.store import open_store
from galsmith.measure import read_measurements
from galsmith.measure.table_formats import write_table
from galsmith.report import write_report
from galsmith.report.calls import IN_PYTHON
from galsmith.report.material import gather
from galsmith.report.page import drawing
from galsmith.report.panels.color_bulge import color_bulge_of, color_bulge_panel
from galsmith.report.words import HOW_TO
from galsmith.seeds import random_stream


def full_card(compared, records):
    """The card of two sets with every block, and with the training images named."""
    card = read_card(compared.comparison)
    judgment = Judgment.of(
        card.judgment().name,
        card.judgment().comparison,
        beyond=records.beyond(),
        features=(records.features(),),
        memorization=(records.memorization(),),
    )
    training = open_store(compared.stores[0]).as_parent("training images")
    provenance = replace(card.provenance, parents=(*card.provenance.parents, training))
    return replace(card, judgments=(judgment,), provenance=provenance)


def reported(compared, card, output):
    """Write a card beside the comparison, and the report of it."""
    path = compared.folder / f"card-{output.parent.name}.json"
    write_card(card, path)
    return write_report(path, output).read_text(encoding="utf-8")


def words_of(text, parsed):
    return " ".join(" ".join(parsed(text).text).split())


@pytest.fixture(scope="module")
def full_page(one_band, records, tmp_path_factory):
    output = tmp_path_factory.mktemp("full") / "out"
    return output, reported(one_band, full_card(one_band, records), output)


def test_a_full_card_has_every_block_and_no_excuse(full_page, parsed):
    _, text = full_page
    words = words_of(text, parsed)
    for title in (
        "Property by property",
        "Two at a time",
        "Galaxies",
        "Power spectrum",
        "All properties together",
        "Correlations that differ most",
        "Who can tell them apart",
        "In the eyes of a network",
        "Copies and repeats",
        "All distances",
        "How to repeat it",
    ):
        assert title in words
    for what in ("beyond", "features", "memorization", "examples", "pairs", "corner", "planes"):
        assert IN_PYTHON.text(HOW_TO[what]) not in words


def test_numbers_on_the_page_are_those_of_the_card(full_page, parsed):
    words = words_of(full_page[1], parsed)
    for number in ("0.517", "0.128", "0.094"):  # sliced, energy, correlation
        assert number in words
    assert "+0.61 −0.12 −0.73 0.004" in words
    assert "0.873 area under the curve" in words
    assert "asymmetry 0.214 ± 0.020" in words
    assert "Gini coefficient × asymmetry 0.057 ± 0.010" in words
    assert "FD[efficientnet-lite0] 0.743 0.713 – 0.773" in words
    for number in ("0.812", "0.723", "0.934", "0.645"):  # precision, recall, density, coverage
        assert number in words
    assert "mean and standard deviation over random subsets: 0.0219 ± 0.0031" in words
    assert "AuthPct 0.417" in words
    assert "C T −5.210" in words
    assert "distance 0.250; 0.0 % of the held-out are nearer" in words


def test_evidence_is_shown_with_pictures(full_page, parsed):
    page = parsed(full_page[1])
    # The grid, the average spectra, one galaxy of each set, two classifiers' examples, two pairs.
    assert len(page.images) == 40 + 3 + 4 + 2 * 4 + 2 * 2
    assert all(image["alt"].strip() for image in page.images)
    assert all(load.startswith("data:image/webp;base64,") for load in page.loads)
    assert len(page.ids) == len(set(page.ids))
    assert {link["href"][1:] for link in page.links if link["href"].startswith("#")} <= set(page.ids)


def test_images_that_are_alike_are_shown_with_how_they_lie(one_band, records, parsed, tmp_path):
    card = full_card(one_band, records)
    judgment = replace(card.judgment(), copies=records.copies())
    text = reported(one_band, replace(card, judgments=(judgment,)), tmp_path / "alike" / "out")
    words, page = words_of(text, parsed), parsed(text)
    assert words.count("mirrored, turned by −22°, 1.15 times as large; 1.2 % unexplained") == 2
    assert words.count("turned by 180°; 0.0400 % unexplained; 0.0 % of the held-out stand out more") == 2
    assert (
        "Of 40 generated images 39 differ by more than quarter turns and flips; in effect there are 38 images."
        in words
    )
    names = [read_measurements(table)["object_id"] for table in one_band.tables]
    alts = [image["alt"] for image in page.images]
    for title, second, rows in (
        ("Altered training images", "training", (4, 7)),
        ("Altered images of the reference", "reference", (4, 7)),
        ("Pairs within the generated set", "generated", (2, 9)),
    ):
        place = alts.index(f"{title}: generated galaxy {names[1][rows[0]]}")
        other = names[1 if second == "generated" else 0][rows[1]]
        assert alts[place + 1] == f"beside it {second} galaxy {other}"
    stems = {path.stem for path in (tmp_path / "alike" / "out" / "figures").iterdir()}
    assert sum(stem.startswith("like_") for stem in stems) == 3
    # Without images the words stay, and say why there are none to see.
    gone = replace(card, judgments=(judgment,), provenance=replace(card.provenance, parents=()))
    assert IN_PYTHON.text(HOW_TO["pairs"]) in words_of(
        reported(one_band, gone, tmp_path / "gone" / "out"), parsed
    )


def test_the_galaxies_most_surely_told_are_those_of_the_rows(full_page, one_band, parsed):
    alts = [image["alt"] for image in parsed(full_page[1]).images]
    table = read_measurements(one_band.tables[1])
    for row in (7, 11):
        assert f"generated, told most surely: galaxy {table['object_id'][row]}" in alts


def test_figures_and_tables_of_the_evidence_lie_beside_the_page(full_page):
    output, _ = full_page
    stems = {path.stem for path in (output / "figures").iterdir()}
    assert {"verdict", "correlations", "giveaways", "copies_pixels", "closest_pairs_pixels"} <= stems
    table = Table.read(output / "tables" / "statistics.ecsv", format="ascii.ecsv")
    values = dict(zip(table["name"], table["value"], strict=True))
    assert values["sliced W1"] == 0.517
    assert values["C_T"] == -5.21
    assert (output / "tables" / "statistics.tex").read_text().count("sliced W1") == 1


def test_what_a_card_lacks_is_said_with_the_way_to_get_it(one_band, tmp_path, without_figures, parsed):
    card = read_card(one_band.comparison)
    judgment = replace(
        card.judgment(), missing={"features": "PyTorch is not installed", "odd one": "too few"}
    )
    text = reported(one_band, replace(card, judgments=(judgment,)), tmp_path / "out")
    words = words_of(text, parsed)
    for what in ("beyond", "features", "memorization", "color", "published"):
        assert IN_PYTHON.text(HOW_TO[what]) in words
    assert "The card says: PyTorch is not installed." in words
    assert "odd one: too few." in words
    assert "Who can tell them apart" not in words


def test_a_reason_is_said_though_another_network_was_used(
    one_band, records, tmp_path, without_figures, parsed
):
    card = full_card(one_band, records)
    reason = {"features of inception-2015-12-05": "no weights at /there"}
    card = replace(card, judgments=(replace(card.judgment(), missing=reason),))
    words = words_of(reported(one_band, card, tmp_path / "out"), parsed)
    assert "features of inception-2015-12-05: no weights at /there." in words


def test_pairs_without_their_training_images_are_said(one_band, records, tmp_path, without_figures, parsed):
    card = full_card(one_band, records)
    provenance = replace(card.provenance, parents=card.provenance.parents[:2])
    words = words_of(reported(one_band, replace(card, provenance=provenance), tmp_path / "out"), parsed)
    assert IN_PYTHON.text(HOW_TO["pairs"]) in words


def test_several_sets_stand_side_by_side_with_the_paper(one_band, records, tmp_path, monkeypatch, parsed):
    monkeypatch.setattr("galsmith.report.figures._figures_of", lambda item: [("distances", Figure())])
    card = full_card(one_band, records)
    judgment = card.judgment()
    mean = judgment.comparison.mean("headline")
    paired = (
        PairedDifference("headline", "first", "second", -0.123, 0.01, (-0.15, -0.10), 0.004),
        PairedDifference("morphology", "first", "second", 0.001, 0.01, (-0.02, 0.02), 0.7),
    )
    published = (
        PublishedColumn("StyleGAN", "COSMOS", "Table 2", {"mean morphology": 0.0672, "asymmetry": 0.0456}),
        PublishedColumn("source", "COSMOS", "Table C1", {"asymmetry": 0.0789}, {"asymmetry": 0.0321}),
    )
    judgments = tuple(replace(judgment, name=name) for name in ("first", "second"))
    several = replace(
        card, judgments=judgments, paired=paired, published=published, paper="holzschuh2022-cosmos"
    )
    text = reported(one_band, several, tmp_path / "out")
    page, words = parsed(text), words_of(text, parsed)
    assert len(page.ids) == len(set(page.ids))
    assert {"set-1", "set-2", "copies", "copies-2"} <= set(page.ids)
    assert "2 of 2 generated sets can be told apart" in words
    assert f"headline: mean of the group means {mean.value:.3f}" in words
    assert "StyleGAN, COSMOS (Table 2)" in words
    assert "0.067" in words
    assert "0.0789 ± 0.0321" in words
    assert "−0.123 −0.150 to −0.100 0.004 first is nearer" in words
    assert "0.001 −0.020 to 0.020 0.700 cannot be told" in words
    for name in ("first", "second"):
        assert (tmp_path / "out" / "figures" / name / "distances.pdf").exists()
        assert (tmp_path / "out" / "tables" / name / "distances.tex").exists()
    table = Table.read(tmp_path / "out" / "tables" / "paired_differences.ecsv", format="ascii.ecsv")
    assert list(table["difference"]) == [-0.123, 0.001]


def test_colors_are_drawn_where_the_tables_have_them(one_band, tmp_path, without_figures, parsed):
    tables = []
    for case, path in enumerate(one_band.tables):
        table = read_measurements(path)
        rng = random_stream(case, "test.report.color")
        table["bulge_statistic"] = rng.normal(0.1 - 0.3 * case, 0.2, len(table))
        table["color_gi_mag"] = rng.normal(0.8, 0.2, len(table)) * u.mag
        tables.append(tmp_path / path.name)
        write_table(tables[-1], table)
    judge_tables(
        *tables, tmp_path / "comparison.json", replicates=20, splits=20, permutations=50, beyond=False
    )
    text = write_report(tmp_path / "comparison.json", tmp_path / "out").read_text()
    words = words_of(text, parsed)
    assert IN_PYTHON.text(HOW_TO["color"]) not in words
    assert "Bulge statistic against g − i" in text
    early = [
        100 * float(np.mean(np.asarray(read_measurements(path)["bulge_statistic"]) >= 0)) for path in tables
    ]
    shares = re.search(r"Early types are (\d+) % of the 40 reference and (\d+) % of the 40", words)
    assert [int(share) for share in shares.groups()] == [round(share) for share in early]
    drawn = color_bulge_of(gather(tmp_path / "comparison.json").sets[0])
    markup = drawing("color_bulge", color_bulge_panel(drawn))
    assert markup in text
    assert all(f">{name} types</text>" in markup for name in ("early", "late"))


def test_hostile_names_of_sets_and_columns_are_escaped(one_band, records, tmp_path, without_figures, parsed):
    nasty = "<img src=x onerror=alert(1)>"
    card = full_card(one_band, records)
    judgment = replace(card.judgment(), name=nasty, missing={nasty: nasty})
    text = reported(one_band, replace(card, judgments=(judgment,), paper=nasty), tmp_path / "out")
    assert "<img src=x" not in text
    assert parsed(text).scripts == 1
