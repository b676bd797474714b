import re
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from astropy.table import Table
from PIL import Image

from galsmith.compare import Judgment, read_card, read_comparison, write_card
from galsmith.compare.estimates import NOT_ESTIMATED
from galsmith.errors import InputError, OutputExistsError
from galsmith.files import read_json, write_json
from galsmith.report import write_report


def page_of(compared, output, parsed):
    text = write_report(compared.comparison, output).read_text(encoding="utf-8")
    return text, parsed(text)


@pytest.fixture(scope="module")
def one_page(one_band, tmp_path_factory, parsed):
    output = tmp_path_factory.mktemp("report") / "out"
    return (output, *page_of(one_band, output, parsed))


def test_page_is_one_file_that_requests_nothing(one_page):
    _, text, page = one_page
    assert page.loads
    assert all(load.startswith("data:image/webp;base64,") for load in page.loads)
    assert "url(" not in text
    assert "@import" not in text
    for link in page.links:
        assert link["href"].startswith("#") or link.get("class") == "citation"
    external = set(re.findall(r"https?://[^\s\"'<)]+", text))
    assert external == {link["href"] for link in page.links if link.get("class") == "citation"}


def test_anchors_exist_and_ids_are_unique(one_page):
    _, _, page = one_page
    assert len(page.ids) == len(set(page.ids))
    assert {link["href"][1:] for link in page.links if link["href"].startswith("#")} <= set(page.ids)


def test_every_picture_says_what_it_is(one_page):
    _, text, page = one_page
    assert len(page.images) == 2 * 20 + 3 + 4
    assert all(image["alt"].strip() for image in page.images)
    for svg in re.findall(r"<svg[^>]*>", text):
        assert 'role="img"' in svg
        assert "aria-label=" in svg


def test_page_states_the_verdict_and_every_number_of_it(one_page, one_band):
    _, _, page = one_page
    judgment = read_card(one_band.comparison).judgment()
    comparison = judgment.comparison
    words = " ".join(" ".join(page.text).split())
    told = [item for item in comparison.counted if judgment.evidence(item.name).is_told]
    assert "drawn is told apart from the reference; copies not judged" in words
    assert "Copies: not judged, because it was not asked for" in words
    assert f"{len(told)} / {len(comparison.counted)}" in words
    assert f"{comparison.headline.value:.3f} standard deviations" in words
    farthest = max(comparison.counted, key=lambda item: item.value / item.floor)
    assert f"asymmetry {farthest.value:.2f} sd ({farthest.value / farthest.floor:.1f} floors)" in words
    assert f"a shift of one property by {judgment.verdict.power.shift_sd:.2f} standard deviations" in words
    for item in comparison.counted:
        assert f"{item.value:.3f}" in words
        assert f"{item.floor:.3f}" in words
    assert "only 40 galaxies" in words
    assert "4 (10.0 %)" in words  # the flags
    assert "data.simulate.sersic(n=40, seed=3, output='source')" in words
    assert "sampling.sample('run/snapshot', n=40, seed=5, output='drawn')" in words
    assert "measure.measure('source', output='source.parquet')" in words
    called = "judging.judge('source.parquet', {'drawn': 'drawn.parquet'}, beyond=False, seed=0, output='comparison.json')"
    assert called in words


def test_figures_and_tables_lie_beside_the_page(one_page, one_band):
    output, _, _ = one_page
    figures = {path.name for path in (output / "figures").iterdir()}
    stems = {"verdict", "distances", "galaxies", "histograms_morphology", "power_spectrum", "average_spectra"}
    stems |= {"one_galaxy", "corner_properties", "corner_power"}
    assert figures == {f"{stem}.{suffix}" for stem in stems for suffix in ("png", "pdf")} | {"captions.txt"}
    captions = (output / "figures" / "captions.txt").read_text(encoding="utf-8").split("\n\n")
    assert {caption.partition(": ")[0] for caption in captions} == stems
    for path in (output / "figures").glob("*.png"):
        with Image.open(path) as image:
            assert np.asarray(image.convert("L")).std() > 5
    comparison = read_comparison(one_band.comparison)
    table = Table.read(output / "tables" / "distances.ecsv", format="ascii.ecsv")
    assert list(table["name"]) == [item.name for item in comparison.distances]
    assert table["value"][0] == pytest.approx(comparison.distances[0].value)
    latex = (output / "tables" / "distances.tex").read_text()
    assert latex.count(r"\\") == len(comparison.counted) + 1
    assert r"\begin{tabular}" in latex


def test_the_same_comparison_gives_the_same_bytes(one_page, one_band, tmp_path):
    first = one_page[0]
    write_report(one_band.comparison, tmp_path / "again")
    for path in sorted(file for file in first.rglob("*") if file.is_file()):
        assert path.read_bytes() == (tmp_path / "again" / path.relative_to(first)).read_bytes(), path.name


def test_three_bands_show_color_and_a_spectrum_each(three_bands, tmp_path, parsed):
    text, page = page_of(three_bands, tmp_path / "out", parsed)
    for band in ("g", "r", "i"):
        assert f"{band} band</h4>" in text
        assert (tmp_path / "out" / "figures" / f"power_spectrum_{band}.pdf").exists()
    assert len(page.images) == 47
    assert "one common asinh stretch" in text


def test_pictures_are_shown_as_they_are(pictures, tmp_path, without_figures, parsed):
    text, page = page_of(pictures, tmp_path / "out", parsed)
    assert len(page.images) == 47
    assert "the pixels as they are" in text


def test_missing_stores_are_said_not_raised(compared_in, tmp_path, parsed):
    compared = compared_in(tmp_path)
    for store in compared.stores:
        shutil.rmtree(store)
    text, page = page_of(compared, tmp_path / "out", parsed)
    assert page.images == []
    assert "The images of the reference set (source) are not there any more." in text
    assert "there are none to show" in text
    assert "Histogram of asymmetry" in text
    assert not (tmp_path / "out" / "figures" / "galaxies.png").exists()


def test_missing_tables_and_altered_stores_are_said_too(compared_in, tmp_path, without_figures, parsed):
    compared = compared_in(tmp_path)
    compared.tables[0].unlink()
    description = read_json(compared.stores[1] / "dataset.json")
    write_json(compared.stores[1] / "dataset.json", {**description, "content_hash": "f" * 64})
    text, _ = page_of(compared, tmp_path / "out", parsed)
    assert "The measurements of the reference set (source.parquet) are not there any more." in text
    assert "The images of the generated set (drawn) have changed since they were measured." in text
    assert "there are no histograms" in text


def test_a_report_moves_with_its_folder(compared_in, tmp_path, without_figures):
    compared_in(tmp_path)
    moved = tmp_path.with_name(tmp_path.name + "-moved")
    shutil.move(tmp_path, moved)
    text = write_report(moved / "comparison.json", moved / "out").read_text()
    assert "any more" not in text


def test_hostile_names_are_escaped(compared_in, tmp_path, without_figures, parsed):
    nasty = '<script>alert("x")</script><img src="http://evil.example/x.png">'
    names = [f"{nasty}{row}" for row in range(40)]
    compared = compared_in(tmp_path, bands=(nasty,), names=names, flags=("", nasty))
    text, page = page_of(compared, tmp_path / "out", parsed)
    assert page.scripts == 1
    assert all(load.startswith("data:image/webp;base64,") for load in page.loads)
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text


def test_nothing_measured_still_makes_a_page(compared_in, tmp_path, parsed):
    compared = compared_in(tmp_path)
    card = read_card(compared.comparison)
    comparison = card.judgment().comparison
    nan, reason = float("nan"), "measured on 0 of 40 galaxies of the generated set; wanted 10 or more"
    lacking = {"estimate": NOT_ESTIMATED, "scale": nan, "core": (nan, nan), "reason": reason}
    distances = tuple(replace(item, **lacking) for item in comparison.distances)
    nothing = Judgment.of("drawn", replace(comparison, distances=distances, means=()))
    write_card(replace(card, judgments=(nothing,)), compared.comparison)
    text, _ = page_of(compared, tmp_path / "out", parsed)
    assert "drawn is not judged: no property could be compared" in text
    assert "measured on 0 of 40 galaxies" in text


def test_existing_output_is_refused_or_replaced(one_band, tmp_path, without_figures):
    output = tmp_path / "out"
    output.mkdir()
    (output / "mine.txt").write_text("mine")
    with pytest.raises(OutputExistsError, match="with `overwrite`"):
        write_report(one_band.comparison, output)
    with pytest.raises(OutputExistsError, match="made by galsmith"):
        write_report(one_band.comparison, output, overwrite=True)
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "mine.txt"]
    (output / "mine.txt").unlink()
    assert write_report(one_band.comparison, output) == output / "index.html"
    page = output / "index.html"
    page.write_text(page.read_text() + "of old")
    write_report(one_band.comparison, output)
    assert page.read_text().endswith("of old")
    write_report(one_band.comparison, output, overwrite=True)
    assert "of old" not in page.read_text()


def test_a_failure_leaves_what_was_there(one_band, tmp_path, monkeypatch):
    output = tmp_path / "out"
    output.mkdir()
    old = '<!DOCTYPE html><html lang="en"><head><meta name="generator" content="galsmith report 0">'
    (output / "index.html").write_text(old)

    def fail(*arguments, **options):
        raise RuntimeError("no figures today")

    monkeypatch.setattr("galsmith.report.write.write_figures", fail)
    with pytest.raises(RuntimeError, match="no figures today"):
        write_report(one_band.comparison, output, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (output / "index.html").read_text() == old


def test_a_comparison_that_is_none_is_named(tmp_path):
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(InputError, match=r"other\.json: not a comparison"):
        write_report(tmp_path / "other.json", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_reporting_never_loads_torch_or_the_makers():
    code = (
        "import sys, galsmith.report, galsmith.report.write;"
        "print([name for name in sys.modules if name == 'torch' or name.startswith("
        "('galsmith.models', 'galsmith.training', 'galsmith.sampling'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_templates_are_beside_the_package():
    from importlib.resources import files

    names = {item.name for item in (files("galsmith.report") / "templates").iterdir()}
    assert {"page.html.j2", "parts.html.j2", "style.css", "sort.js"} <= names
