"""Several generated sets in one panel: histograms, spectra, galaxies and the table of all properties."""

import re
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from galsmith.compare import judge_tables
from galsmith.measure import read_measurements
from galsmith.report import write_report
from galsmith.report.figures.painting import look_of
from galsmith.report.material import gather
from galsmith.report.panels.drawn import drawn_together
from galsmith.report.panels.overlaid_spectra import overlaid_panel
from galsmith.report.panels.overlays import N_STYLES, line_style, overlay_panel
from galsmith.report.sets_table import sets_table
from galsmith.report.words import CAPTIONS, caption_of

NAMES = ("far & away", "same")


@pytest.fixture(scope="module")
def card_path(one_band):
    """Path of a card of the blurred set and of the reference itself, against the reference."""
    path = one_band.folder / "several.json"
    source, drawn = one_band.tables
    judge_tables(
        source,
        dict(zip(NAMES, (drawn, source), strict=True)),
        path,
        beyond=False,
        replicates=20,
        splits=20,
        permutations=50,
    )
    return path


@pytest.fixture(scope="module")
def material(card_path):
    return gather(card_path)


@pytest.fixture(scope="module")
def together(material):
    return drawn_together(material)


@pytest.fixture(scope="module")
def page(card_path, tmp_path_factory):
    output = tmp_path_factory.mktemp("several") / "out"
    with pytest.MonkeyPatch.context() as patch:
        # The figures of each set alone are tested with one set.
        patch.setattr("galsmith.report.figures._figures_of", lambda item: [("distances", Figure())])
        return output, write_report(card_path, output).read_text(encoding="utf-8")


def overlay_of(together, name):
    return next(
        item for group in together.histograms for item in group.overlays if item.distance.name == name
    )


def test_one_set_alone_has_nothing_together(one_band):
    assert drawn_together(gather(one_band.comparison)) is None


def test_every_set_has_its_own_shares_on_common_bins(together, one_band):
    overlay = overlay_of(together, "asymmetry")
    assert [item.name for item in overlay.sets] == list(NAMES)
    source, drawn = (np.asarray(read_measurements(path)["asymmetry"]) for path in one_band.tables)
    for values, shares in ((source, overlay.reference), (drawn, overlay.sets[0].shares)):
        np.testing.assert_allclose(shares, np.histogram(values, overlay.edges)[0] / len(values), rtol=1e-12)
    np.testing.assert_array_equal(overlay.reference, overlay.sets[1].shares)
    assert overlay.sets[1].outside == overlay.outside


def test_bins_cover_the_bulk_of_every_set(together):
    for group in together.histograms:
        for overlay in group.overlays:
            for item in overlay.sets:
                low, high = item.distance.core
                assert overlay.edges[0] <= low or not high > low
                assert overlay.edges[-1] >= high or not high > low


def test_lost_values_are_no_part_of_a_histogram(together):
    """The Gini coefficient of three galaxies of each side is lost."""
    overlay = overlay_of(together, "gini")
    assert overlay.reference.sum() + overlay.outside == pytest.approx(1.0)
    counts = overlay.reference * 37
    np.testing.assert_allclose(counts, counts.round(), atol=1e-9)


def test_statuses_are_those_of_the_distances(together):
    far, same = overlay_of(together, "asymmetry").sets
    assert far.status != "not_told"
    assert same.status == "not_told"
    assert same.distance.value == 0


def test_a_panel_has_a_line_a_set(together):
    panel = overlay_panel(overlay_of(together, "asymmetry"))
    assert panel.reference_path.endswith("Z")
    assert len(panel.set_paths) == 2
    assert not any(path.endswith("Z") for path in panel.set_paths)
    assert panel.reference_path.rstrip("Z") == panel.set_paths[1]


def test_styles_differ_and_then_begin_again():
    assert [line_style(place) for place in range(8)] == [1, 2, 3, 4, 5, 6, 1, 2]
    looks = [look_of("path", f"s-line s{style}") for style in range(1, N_STYLES + 1)]
    for what in ("stroke", "stroke-dasharray"):
        assert len({look[what] for look in looks}) == N_STYLES


def test_spectra_of_all_sets_stand_over_one_reference(together):
    (data,) = together.spectra
    assert data.names == list(NAMES)
    far, same = data.differences
    assert np.abs(same).max() == 0
    assert np.abs(far).max() > 0.1
    panel = overlaid_panel(data)
    assert len(panel.lines) == len(panel.differences) == 2
    assert panel.lines[1] == panel.reference_line


def test_galaxies_of_the_reference_lie_over_those_of_every_set(together):
    assert [[row.name for row in block] for block in together.blocks] == [["reference", *NAMES]] * 2
    assert all(len(row.pictures) == 5 for block in together.blocks for row in block)


def test_the_page_shows_all_sets_in_one_panel(page, parsed):
    _, text = page
    found = parsed(text)
    assert len(found.ids) == len(set(found.ids))
    assert {"distributions", "galaxies-together", "spectra-together"} <= set(found.ids)
    assert not any(name.startswith("galaxies-") and name != "galaxies-together" for name in found.ids)
    assert {link["href"][1:] for link in found.links if link["href"].startswith("#")} <= set(found.ids)
    label = re.search(r'aria-label="(Histograms of asymmetry: [^"]*)"', text).group(1)
    assert re.fullmatch(
        r"Histograms of asymmetry: median [\d.]+ in the reference set, [\d.]+ in far &amp; away, [\d.]+ in same",
        label,
    )
    assert "Every property side by side (18)" in " ".join(found.text)
    for svg in re.findall(r"<svg[^>]*>", text):
        assert 'role="img"' in svg


def test_every_status_of_a_table_is_a_word(page):
    """Marks alone would tell nothing to those who do not see them."""
    _, text = page
    body = text[text.index("</style>") :]
    marked = re.findall(
        r'<span class="says (not_told|borderline|told)"><span class="unseen">([\w ]+): ', body
    )
    assert len(marked) > 2 * 18
    assert set(marked) <= {
        ("not_told", "not told apart"),
        ("borderline", "borderline"),
        ("told", "told apart"),
    }


def test_figures_of_all_sets_lie_above_their_folders(page):
    output, _ = page
    stems = {path.stem for path in (output / "figures").glob("*.pdf")}
    assert stems == {"verdict", "galaxies", "histograms_morphology", "power_spectrum"}
    for stem in stems:
        with Image.open(output / "figures" / f"{stem}.png") as image:
            assert np.asarray(image.convert("L")).std() > 5
    for place in (output / "figures", output / "figures" / "same"):
        captions = (place / "captions.txt").read_text(encoding="utf-8").split("\n\n")
        assert {caption.partition(": ")[0] for caption in captions} == {
            path.stem for path in place.glob("*.pdf")
        }


def test_captions_are_found_by_the_longest_name():
    assert caption_of("corner_power") == CAPTIONS["corner_power"]
    assert caption_of("power_spectrum_F814W") == CAPTIONS["power_spectrum"]
    assert caption_of("closest_pairs_pixels") == CAPTIONS["closest_pairs"]
    with pytest.raises(ValueError, match="max"):
        caption_of("nothing_like_it")


def test_the_table_of_all_properties_has_bars(material):
    table = sets_table(material.card)
    assert len(table.properties) == len(material.sets[0].comparison.counted)
    bars = [cell.bar for row in table.properties for cell in row.cells]
    assert max(bars) == 100
    assert all(row.cells[1].bar == 0 for row in table.properties)


def test_a_set_whose_table_is_gone_leaves_the_panels_out(material):
    first, second = material.sets
    gone = replace(first, generated=replace(first.generated, table=None, images=None))
    found = drawn_together(replace(material, sets=(gone, second)))
    assert found.histograms == []
    assert [row.name for row in found.blocks[0]] == ["reference", "same"]
