"""The figure of one galaxy: what it draws is right, and its words do not lie over one another."""

import itertools

import numpy as np
import pytest
from astropy.modeling.models import Sersic2D
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.text import Text
from PIL import Image
from scipy import ndimage

from galsmith.errors import InputError, SettingsError
from galsmith.measure import MeasureSettings
from galsmith.measure.engine.batch import GalaxyInput
from galsmith.report.figures import STYLE
from galsmith.report.galaxy.figure import galaxy_figure, write_galaxy_figure
from galsmith.report.galaxy.numbers import digits, spread
from galsmith.report.galaxy.view import (
    SersicLaw,
    annular_means,
    half_turned,
    integrated_image,
    sersic_image,
    view_of,
)
from galsmith.seeds import random_stream

SETTINGS = MeasureSettings(gain=1e6)


def _galaxy(kind):
    """One galaxy of a kind, as the engine takes it."""
    rng = random_stream(1, "figure")
    law = SersicLaw(39.0, 42.0, 0.1, 9.0, 1.2, 0.4, 0.6)
    clean = sersic_image((80, 84), (0, 0), law)
    noisy = clean + 0.02 * rng.normal(size=clean.shape)
    segment = ndimage.binary_opening(clean > 0.05).astype(np.int32)
    if kind == "masked":
        return GalaxyInput(noisy, segment, 1, np.ones(noisy.shape, dtype=bool))
    if kind == "no source":
        return GalaxyInput(np.ones((40, 40)))
    if kind == "faint":
        return GalaxyInput(0.2 * clean + 0.02 * rng.normal(size=clean.shape))
    if kind == "holes":
        noisy[30:40, 10:30] = np.nan
    return GalaxyInput(noisy, segment, 1)


@pytest.fixture(params=["plain", "faint", "holes", "masked", "no source"])
def drawn(request):
    """Figure of a galaxy, and what it shows."""
    view = view_of(_galaxy(request.param), SETTINGS)
    with rc_context(STYLE):
        figure = galaxy_figure(view, title="a galaxy")
        figure.draw_without_rendering()
    return figure, view


def _words(figure):
    return [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]


def test_no_words_lie_over_one_another_or_leave_the_page(drawn):
    figure, _ = drawn
    page = figure.bbox
    places = [(text.get_text(), text.get_window_extent()) for text in _words(figure)]
    # ticks outside of an axis' range are kept by matplotlib but not drawn
    shown = [(words, box) for words, box in places if box.width > 0 and box.height > 0]
    ticks = {
        label.get_text()
        for axis in figure.findobj(Axes)
        for label in [*axis.get_xticklabels(which="both"), *axis.get_yticklabels(which="both")]
    }
    free = [(words, box) for words, box in shown if words not in ticks]
    for words, box in free:
        assert page.x0 <= box.x0 <= box.x1 <= page.x1, words
        assert page.y0 <= box.y0 <= box.y1 <= page.y1, words
    for (one, first), (other, second) in itertools.combinations(free, 2):
        assert not first.padded(-2).overlaps(second.padded(-2)), (one, other)


@pytest.mark.parametrize("shape", [(64, 64), (60, 140), (140, 60)])
def test_color_bars_and_keys_leave_the_labels_of_a_panel_free(shape):
    y, x = np.indices(shape)
    clean = 100 * np.exp(-np.hypot(x - (shape[1] - 1) / 2, y - (shape[0] - 1) / 2) / 5)
    view = view_of(GalaxyInput(clean + random_stream(1, "wide").normal(size=shape)), SETTINGS)
    with rc_context(STYLE):
        figure = galaxy_figure(view)
        figure.draw_without_rendering()
    panels = [axis for axis in figure.axes if axis.get_xlabel().startswith("x (")]
    assert len(panels) == 5
    below = [one for axis in panels for one in (*axis.child_axes, axis.get_legend()) if one is not None]
    assert len(below) == 4  # two keys, two bars
    for axis, one in itertools.product(panels, below):
        assert not axis.xaxis.get_tightbbox().overlaps(one.get_window_extent()), axis.get_title(loc="left")


def test_a_figure_tells_every_flag(drawn):
    figure, view = drawn
    words = " ".join(text.get_text() for text in _words(figure))
    for name in view.measured.flags:
        assert name.replace("_", " ") in words
    meaning = {0: "good", 1: "suspect", 2: "bad", 4: "not measured"}[view.measured.flag]
    assert f"Flag {view.measured.flag}: {meaning}" in words


def test_a_figure_has_all_maps_and_numbers_of_a_plain_galaxy():
    view = view_of(_galaxy("plain"), SETTINGS)
    assert set(view.maps) == {"segmentation", "Gini", "MID", "shape"}
    for region in view.maps.values():
        assert region.shape == view.pixels.shape
        assert region[42 - view.y_min, 39 - view.x_min]
    assert view.model is not None
    residual = (view.pixels - view.model)[view.maps["Gini"]]
    assert np.std(residual) == pytest.approx(0.02, rel=0.15)  # the noise that was put in


def test_two_components_are_drawn_where_they_were_asked_for_and_fit():
    bulge, disk = (
        SersicLaw(39.3, 42.0, 2.0, 2.0, 1.5, 0.1, 0.6),
        SersicLaw(39.3, 42.0, 0.1, 12.0, 1.0, 0.4, 0.6),
    )
    clean = sum(integrated_image((80, 84), (0, 0), law) for law in (bulge, disk))
    image = clean + 0.005 * random_stream(3, "double").normal(size=clean.shape)
    one, two = (
        view_of(GalaxyInput(image), SETTINGS.model_copy(update={"double_sersic": is_double}))
        for is_double in (False, True)
    )
    assert (one.model_name, two.model_name) == ("Sérsic model", "double Sérsic model")
    inside = one.maps["Gini"]
    residuals = [np.std((view.pixels - view.model)[inside]) for view in (one, two)]
    assert residuals[1] == pytest.approx(0.005, rel=0.2)
    assert residuals[0] > 1.5 * residuals[1]


def test_what_cannot_be_measured_says_so_instead_of_failing():
    for kind in ("masked", "no source"):
        view = view_of(_galaxy(kind), SETTINGS)
        assert view.measured.flag == 4
        assert view.model is None
        words = [text.get_text() for text in _words(galaxy_figure(view))]
        assert words.count("not measured") == 2
        assert words.count("no fit") == 2


@pytest.mark.parametrize("suffix", ["png", "pdf", "svg"])
def test_the_same_galaxy_gives_the_same_file(tmp_path, suffix):
    galaxy = _galaxy("plain")
    paths = [tmp_path / f"{name}.{suffix}" for name in ("one", "two")]
    for path in paths:
        write_galaxy_figure(
            galaxy.image, path, settings=SETTINGS, segmentation_map=galaxy.labels, label=1, title="a galaxy"
        )
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"one.{suffix}", f"two.{suffix}"]
    if suffix == "png":
        assert np.asarray(Image.open(paths[0]).convert("L")).std() > 10


def test_a_suffix_without_a_format_is_refused_and_nothing_written(tmp_path):
    with pytest.raises(
        SettingsError, match=r"galaxy\.jpeg`: wanted a name that ends in \.png, \.pdf or \.svg"
    ):
        write_galaxy_figure(np.zeros((40, 40)), tmp_path / "galaxy.jpeg", settings=SETTINGS)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("image_shape", "map_shape", "says"),
    [
        ((3, 40, 40), (40, 40), r"image of shape \(3, 40, 40\): wanted \[y, x\]"),
        ((40, 40), (40, 41), r"segmentation_map of shape \(40, 41\): wanted that of the image, \(40, 40\)"),
    ],
)
def test_arrays_of_other_shapes_are_refused(tmp_path, image_shape, map_shape, says):
    with pytest.raises(InputError, match=says):
        write_galaxy_figure(
            np.zeros(image_shape),
            tmp_path / "galaxy.png",
            settings=SETTINGS,
            segmentation_map=np.ones(map_shape, dtype=int),
        )
    assert list(tmp_path.iterdir()) == []


def test_the_drawn_law_is_astropys():
    law = SersicLaw(20.3, 17.8, 2.5, 6.0, 2.3, 0.35, 0.7)
    rows, columns = np.mgrid[5:45, 3:53]
    theirs = Sersic2D(2.5, 6.0, 2.3, 20.3, 17.8, 0.35, 0.7)(columns, rows)
    np.testing.assert_allclose(sersic_image((40, 50), (3, 5), law), theirs, rtol=1e-9)


def test_a_half_turn_about_a_pixel_is_the_reversed_image():
    image = random_stream(2, "turn").normal(size=(21, 31))
    np.testing.assert_allclose(half_turned(image, 15.0, 10.0), image[::-1, ::-1])
    moved = half_turned(image, 16.0, 10.0)
    np.testing.assert_allclose(moved[:, 2:], image[::-1, ::-1][:, :-2])
    assert np.all(moved[:, 0] == 0.0)


def test_means_in_rings_leave_masked_pixels_out():
    rows, columns = np.mgrid[:41, :41]
    image = 3.0 - 0.1 * np.hypot(rows - 20, columns - 20)
    mask = columns > 30
    spoiled = np.where(mask, np.nan, image)
    radius, mean, error = annular_means(spoiled, mask, (20.0, 20.0))
    np.testing.assert_allclose(mean, 3.0 - 0.1 * radius, rtol=1e-12)
    assert np.all(error < 0.02)
    assert not np.isfinite(annular_means(spoiled, np.zeros_like(mask), (20.0, 20.0))[1]).all()


def test_names_of_near_radii_are_moved_apart():
    places = spread([0.1, 0.12, 0.13, 0.6, 0.99], apart=0.11)
    assert np.all(np.diff(places) >= 0.11 - 1e-12)
    assert places[0] == 0.1
    assert places[-1] <= 1.0
    assert spread([0.2, 0.5, 0.8], apart=0.11) == [0.2, 0.5, 0.8]


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (0.0, "0"),
        (2.73412, "2.734"),
        (-0.2891, "\N{MINUS SIGN}0.289"),
        (0.00534, "0.0053"),
        (38.4211, "38.42"),
        (75050.4, "75050"),
        (1.254e5, r"$1.25\times10^{5}$"),
        (-2.6e-5, r"$-2.60\times10^{-5}$"),
    ],
)
def test_digits(value, wanted):
    assert digits(value) == wanted
