import base64
import io
import math
import re
from dataclasses import replace
from importlib.resources import files

import numpy as np
import pytest
from PIL import Image

from galsmith.compare import evidence_of, read_card, read_comparison
from galsmith.compare.marginal.columns import label_of
from galsmith.measure import PROPERTIES
from galsmith.report.labels import (
    distance_number,
    floors_text,
    number,
    percent,
    symbol_html,
    with_whole_flags,
)
from galsmith.report.panels.axes import Axis, band_path, line_path, step_path
from galsmith.report.panels.corner import inner_ticks
from galsmith.report.panels.distances import dots_of
from galsmith.report.panels.galaxies import Stretch, common_stretch, picture_data_url, picture_of, shrunk
from galsmith.report.panels.spectra import mode_wavelengths_pix, spectra_of
from galsmith.report.verdict import evidence_by_name, verdict_words
from galsmith.seeds import random_stream


@pytest.mark.parametrize(
    ("symbol", "html"),
    [
        ("$A$", "<i>A</i>"),
        ("$M_{20}$", "<i>M<sub>20</sub></i>"),
        (r"$r_\mathrm{half}$", "<i>r<sub>half</sub></i>"),
        (r"$\theta$", "<i>θ</i>"),
        (r"$\log_{10} P_{3}$", "<i>log<sub>10</sub> P<sub>3</sub></i>"),
        (r"$(1 - b/a)_\mathrm{Sersic}$", "<i>(1 − b/a)<sub>Sersic</sub></i>"),
        (r"$\bar{x}$", "<i>x\u0304</i>"),
        (r"$1+\bar\xi_{10}$", "<i>1+ξ\u0304<sub>10</sub></i>"),
        (r"$\langle q\rangle$", "<i>⟨q⟩</i>"),
        (r"$A_\mathrm{rms}^2$", "<i>A<sub>rms</sub><sup>2</sup></i>"),
        (r"$\chi^2_{\nu,\mathrm{double}}$", "<i>χ<sup>2</sup><sub>ν,double</sub></i>"),
        ("$F(G, M_{20})$", "<i>F(G, M<sub>20</sub>)</i>"),
        ("<b>&$", "<i>&lt;b&gt;&amp;</i>"),
    ],
)
def test_symbols_become_html(symbol, html):
    assert str(symbol_html(symbol)) == html


def test_flags_are_not_broken_and_text_is_escaped():
    assert str(with_whole_flags("use --no-beyond & <a>")) == (
        'use <span class="flag">--no-beyond</span> &amp; &lt;a&gt;'
    )


@pytest.mark.parametrize("entry", PROPERTIES, ids=lambda entry: entry.name)
def test_no_symbol_of_a_property_shows_how_it_is_written(entry):
    assert not re.search(r"[\\^_{}]|bar|chi|nu|mathrm|angle", str(symbol_html(entry.symbol)))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.00"),
        (3.14159, "3.14"),
        (-0.0123, "−0.0123"),
        (1e-7, "1.00e−07"),
        (123456.0, "1.23e+05"),
        (math.nan, "–"),
    ],
)
def test_numbers_have_three_digits(value, text):
    assert number(value) == text


def test_other_numbers():
    assert distance_number(-0.00051) == "−0.001"
    assert distance_number(math.inf) == "–"
    assert distance_number(103887.6) == "1.04e+05"
    assert floors_text(-0.04) == "−0.0"
    assert floors_text(12.34) == "12.3"
    assert floors_text(1042980.7) == "1.04e+06"
    assert floors_text(math.nan) == "–"
    assert percent(1, 8) == "12.5 %"
    assert percent(0, 0) == "–"


def test_axis_puts_values_where_they_belong():
    axis = Axis(1.0, 100.0, 10.0, 30.0, is_log=True)
    assert axis.at([1, 10, 100, 1e5, 0]).tolist() == [10, 20, 30, 30, 10]
    assert [tick.text for tick in axis.ticks()] == ["1", "2", "5", "10", "20", "50", "100"]
    falling = Axis(-1.0, 1.0, 100.0, 0.0)
    assert falling.at([-1, 0, 1]).tolist() == [100, 50, 0]


def test_paths_draw_steps_lines_and_gaps():
    assert step_path(np.array([0.0, 1, 2]), np.array([5.0, 3, 9]), closed=True) == "M0 9L0 5L1 5L1 3L2 3L2 9Z"
    assert line_path(np.array([0.0, 1, 2, 3]), np.array([1.0, np.nan, 2, 3])) == "M0 1M2 2L3 3"
    assert band_path(np.array([0.0, 1]), np.zeros(2), np.ones(2)) == "M0 1L1 1L1 0L0 0Z"
    assert band_path(np.array([0.0]), np.array([np.nan]), np.ones(1)) == ""


def test_wavelengths_are_those_of_the_paper():
    # Table 2 of Holzschuh et al. 2022 prints ranges in units of lambda_min = sqrt(2) pixels: mode 14
    # [1.00, 1.15), mode 8 [3.02, 3.93), mode 4 [11.36, 21.27) with 21.27 a misprint of 181/9 = 20.1.
    waves = mode_wavelengths_pix() / np.sqrt(2)
    assert waves.shape == (14,)
    assert waves[13] == pytest.approx(np.sqrt(1.00 * 1.15), rel=0.01)
    assert waves[7] == pytest.approx(np.sqrt(3.02 * 3.93), rel=0.01)
    assert waves[3] == pytest.approx(np.sqrt(11.36 * 20.1), rel=0.01)


def test_spectra_hold_the_medians_of_the_comparison(one_band):
    comparison = read_comparison(one_band.comparison)
    (spectrum,) = spectra_of(comparison)
    assert spectrum.unit == "arcsec"
    assert spectrum.wavelength[-1] == pytest.approx(0.03 * mode_wavelengths_pix()[-1])
    assert spectrum.generated[1, 4] == comparison.distance("power_wavelength_05").generated.median


def test_one_stretch_serves_both_rows_and_keeps_order():
    images = [random_stream(k, "test").normal(size=(1, 16, 16)) + 50 * (k == 1) for k in range(4)]
    stretch = common_stretch(images, flux_unit="nJy", reference_peak=50.0)
    faint, bright = picture_of(images[0], stretch), picture_of(images[1], stretch)
    assert faint.mean() < bright.mean()
    assert faint.shape == (16, 16)
    ramp = picture_of(np.linspace(-5, 60, 256).reshape(1, 16, 16), stretch)[::-1].ravel()
    assert np.all(np.diff(ramp.astype(int)) >= 0)


def test_pictures_are_not_stretched_but_turned_upright():
    image = np.arange(3 * 4 * 4, dtype=np.float64).reshape(3, 4, 4)
    stretch = common_stretch([image], flux_unit="display", reference_peak=200.0)
    assert stretch.peak == 255.0
    shown = picture_of(image, stretch)
    assert np.array_equal(shown, np.moveaxis(image[:, ::-1], 0, -1).astype(np.uint8))
    assert common_stretch([image], flux_unit="display", reference_peak=300.0).peak == 65535.0
    assert common_stretch([image], flux_unit="display", reference_peak=0.9).peak == 1.0


def test_color_has_the_longest_wave_in_red_and_ends_at_sky_and_peak():
    stretch = Stretch(sky=1.0, softening=0.1, peak=10.0, is_display=False)
    image = np.full((3, 8, 8), 1.0)
    image[2, 4, 4] = 10.0
    assert picture_of(image, stretch)[3, 4].tolist()[1:] == [0, 0]
    assert picture_of(image, stretch)[3, 4, 0] > 200
    assert picture_of(np.full((3, 2, 2), 1.0), stretch).max() == 0
    assert picture_of(np.full((3, 2, 2), 10.0), stretch).min() >= 254
    # Between them as one band is stretched, by asinh of the flux over the softening.
    middle = np.full((3, 2, 2), 1.8)
    gray = picture_of(middle[:1], stretch)
    assert picture_of(middle, stretch)[..., 0] == pytest.approx(gray, abs=2)


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_an_empty_image_is_black_not_an_error(value):
    image = np.full((1, 6, 6), value)
    stretch = common_stretch([image], flux_unit="nJy", reference_peak=1.0)
    assert picture_of(image, stretch).max() == 0


def test_verdict_counts_and_warns(one_band):
    judgment = read_card(one_band.comparison).judgment()
    comparison = judgment.comparison
    verdict = verdict_words(judgment)
    marginal = [item for item in verdict.evidence if item.family == "marginal"]
    assert len(marginal) == len(comparison.counted)
    assert any("only 40 galaxies" in warning for warning in verdict.warnings)
    wild = tuple(
        replace(item, tail_share=0.97) if item.name == "asymmetry" else item for item in comparison.distances
    )
    warned = verdict_words(replace(judgment, comparison=replace(comparison, distances=wild))).warnings
    assert any(
        "A few outlying values make most of the distance in asymmetry (97 %)" in text for text in warned
    )
    many = replace(comparison, reference=replace(comparison.reference, n_compared=5000))
    assert sum("only" in text for text in verdict_words(replace(judgment, comparison=many)).warnings) == 1


def test_dots_lie_at_their_distances(one_band):
    judgment = read_card(one_band.comparison).judgment()
    comparison = judgment.comparison
    parts = dots_of(comparison, evidence_by_name(evidence_of(judgment)))
    rows = [(part, row) for part in parts for row in part.rows]
    assert {row.title for _, row in rows} == {label_of(item, with_band=False) for item in comparison.counted}
    assert len(rows) == len(comparison.counted)
    for part, row in rows:
        (dot,) = row.dots
        # What is told lies beyond the mark, which is made for the most families that a card may have.
        assert (dot.at >= row.limit) <= (dot.status == "told")
        assert part.one < row.limit
        assert 0 <= row.low <= row.high <= 100
    assert [part.title for part in parts] == ["Morphology", "Power by wavelength"]


def test_labels_are_words(three_bands):
    comparison = read_comparison(three_bands.comparison)
    named = {item.name: label_of(item) for item in comparison.distances}
    assert named["r_half_pix"] == "half-light radius"
    assert named["power_wavelength_07_i"] == "power mode 7 (i)"
    assert label_of(comparison.distance("power_wavelength_07_i"), with_band=False) == "power mode 7"


def test_text_stands_out_in_light_and_dark():
    style = (files("galsmith.report") / "templates" / "style.css").read_text()
    schemes = re.findall(r":root \{([^}]*)\}", style)[:2]
    for scheme in schemes:
        color = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", scheme))
        sets = [f"set-{number}" for number in range(2, 7)]
        for ink in ("ink", "muted", "reference", "generated", *sets):
            for ground in ("paper", "panel"):
                # 4.5 is what WCAG 2.1 AA asks of text.
                assert contrast(color[ink], color[ground]) >= 4.5, (ink, ground)
        assert contrast(color["warn-ink"], color["warn"]) >= 4.5
        for outcome in ("within", "open", "beyond", "muted"):
            assert contrast(color["paper"], color[outcome]) >= 4.5  # a word on a colored ground
        for mark in ("within", "open", "beyond"):
            assert contrast(color[mark], color["floor"]) >= 3  # graphics


def test_print_and_dark_set_every_color():
    """A page printed from a dark screen must not keep a color of the dark."""
    style = (files("galsmith.report") / "templates" / "style.css").read_text()
    light, dark, printed = (
        set(re.findall(r"--([\w-]+):", scheme)) for scheme in re.findall(r":root \{([^}]*)\}", style)
    )
    assert light == dark == printed


@pytest.mark.parametrize("shape", [(20, 31), (20, 31, 3)])
def test_pictures_lose_nothing(shape):
    pixels = random_stream(3, "test.picture").integers(0, 256, shape).astype(np.uint8)
    kind, _, data = picture_data_url(pixels).partition(";base64,")
    assert kind in ("data:image/webp", "data:image/png")
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        shown = np.asarray(image.convert("RGB"))
    np.testing.assert_array_equal(shown, pixels if len(shape) == 3 else np.stack([pixels] * 3, axis=-1))


def test_large_images_are_shrunk_so_that_the_page_stays_small():
    """About a hundred pictures a set: pure noise of three bands is the worst that there is."""
    image = random_stream(4, "test.picture").normal(size=(3, 300, 300)).astype(np.float32)
    small = shrunk(image)
    assert max(small.shape[1:]) <= 128
    noise = np.moveaxis(np.clip(128 + 40 * small, 0, 255), 0, -1).astype(np.uint8)
    assert len(picture_data_url(noise)) < 60_000


def test_ticks_of_a_corner_plot_leave_room_to_the_ends():
    for low, high in ((0, 1), (-2.13, 0.4), (0.4499, 0.4501), (-1e6, 3e6)):
        axis = Axis(low, high, 100.0, 192.0)
        ticks = inner_ticks(axis, 18.0)
        assert 1 <= len(ticks) < 4
        assert all(118 <= tick.at <= 174 for tick in ticks)


def contrast(one, other):
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(color):
    channels = np.array([int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)])
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])
