"""Colors: exact fluxes in one aperture, what changes them and what must not, and their flags, names and errors."""

import json

import numpy as np
import pytest
from scipy.special import erf, gammainc, gammaincinv

from galsmith.errors import SettingsError
from galsmith.images import ImageHeader, image_set_from_arrays
from galsmith.images.bands import BandPair, default_pairs, parse_pair
from galsmith.measure import MeasureSettings, measure, property_of_column, read_measurements
from galsmith.measure.colors import Aperture, aperture_fluxes, color_mag
from galsmith.measure.properties.colors import pair_of_column
from galsmith.measure.settings import resolved_settings
from galsmith.seeds import random_stream

SIZE = 96
PLAIN = MeasureSettings(quantities=("morphology",), sersic="none", band="r")
# powers of two: images are kept as float32, in which other factors are not exact
FACTORS = {"g": 0.5, "r": 1.0, "i": 2.0}


@pytest.fixture(scope="module")
def galaxies(sersic):
    """Four galaxies in g, r, i: one image times a factor a band, and noise that is the same but for the factor."""
    images = []
    for k in range(4):
        rng = random_stream(5, "tests.colors", k)
        image = sersic(SIZE, r_eff=5 + k, n=1 + 0.5 * k, q=0.7, angle=0.4 * k, flux=1e4)
        image = image + rng.normal(0, 0.3, image.shape)
        images.append(np.stack([factor * image for factor in FACTORS.values()]))
    return images


def measured(
    images, tmp_path, *, bands=tuple(FACTORS), settings=PLAIN, flux_unit="electron / s", zero_points=None
):
    """Measure arrays into a table."""
    header = ImageHeader(bands, flux_unit, zero_points_mag=zero_points or {})
    image_set = image_set_from_arrays(images, header)
    number = len(list(tmp_path.iterdir()))
    return measure(image_set, tmp_path / f"table-{number}.parquet", settings=settings)


def values(table, name):
    return np.asarray(getattr(table[name], "value", table[name]))


def test_the_flux_of_a_gaussian_in_a_circle_is_the_analytic_one():
    sigma, radius, center = 9.0, 17.3, (47.3, 48.1)
    edges = np.arange(SIZE + 1) - 0.5
    along = [np.diff(erf((edges - middle) / (np.sqrt(2) * sigma))) / 2 for middle in center]
    gaussian = np.outer(along[1], along[0])
    aperture = Aperture(*center, radius, 0, 0, SIZE - 1, SIZE - 1)
    fluxes = aperture_fluxes([gaussian, 3 * gaussian], aperture)
    # taking means over pixels, of the light and of the circle, widens each by a pixel's variance of 1/12
    expected = 1 - np.exp(-(radius**2) / (2 * (sigma**2 + 2 / 12)))
    assert fluxes == pytest.approx([expected, 3 * expected], rel=1e-5)
    assert fluxes[1] == pytest.approx(3 * fluxes[0], rel=1e-14)


def test_the_area_is_that_of_the_circle_to_rounding():
    aperture = Aperture(20.2, 31.7, 15.55, 0, 0, SIZE - 1, SIZE - 1)
    assert aperture_fluxes([np.ones((SIZE, SIZE))], aperture)[0] == pytest.approx(np.pi * 15.55**2, rel=1e-13)


def test_the_flux_of_a_sersic_law_in_its_two_petrosian_radii_is_the_analytic_one(sersic, tmp_path):
    n, r_eff = 1.0, 8.0
    image = sersic(192, r_eff=r_eff, n=n, flux=1e5)
    table = measured([np.stack([image, 2 * image])], tmp_path, bands=("g", "r"))
    radius = 2 * values(table, "r_petro_pix")[0]
    within = gammainc(2 * n, gammaincinv(2 * n, 0.5) * (radius / r_eff) ** (1 / n))
    assert values(table, "flux_g")[0] == pytest.approx(1e5 * within, rel=1e-3)
    assert values(table, "flux_r")[0] == pytest.approx(2e5 * within, rel=1e-3)


@pytest.mark.parametrize("apertures", ["shared", "each"])
def test_bands_that_differ_by_a_factor_have_its_color(galaxies, tmp_path, apertures):
    table = measured(galaxies, tmp_path, settings=PLAIN.model_copy(update={"color_apertures": apertures}))
    # with an aperture each, the center of least asymmetry rests on a search that stops at 1e-6 px
    tolerance = 1e-12 if apertures == "shared" else 1e-6
    for first, second in ("gi", "gr", "ri"):
        expected = -2.5 * np.log10(FACTORS[first] / FACTORS[second])
        assert values(table, f"color_{first}{second}_mag") == pytest.approx(expected, abs=tolerance)
    assert values(table, "flux_r") == pytest.approx(values(table, "flux"), rel=1e-12)
    assert table["color_gi_mag"].unit == "mag"


def test_a_common_factor_leaves_colors_alone_and_other_light_does_not(galaxies, tmp_path):
    before = values(measured(galaxies, tmp_path), "color_gi_mag")
    scaled = values(measured([1024 * image for image in galaxies], tmp_path), "color_gi_mag")
    assert scaled == pytest.approx(before, abs=1e-12)
    redder = [image * np.array([1, 1, 1.1])[:, None, None] for image in galaxies]
    after = values(measured(redder, tmp_path), "color_gi_mag")
    assert after - before == pytest.approx(2.5 * np.log10(1.1), abs=1e-6)


def test_shuffled_bands_change_colors(galaxies, tmp_path):
    before = values(measured(galaxies, tmp_path), "color_gi_mag")
    shuffled = values(measured([image[[2, 0, 1]] for image in galaxies], tmp_path), "color_gi_mag")
    assert np.all(np.abs(shuffled - before) > 0.5)


def test_shared_apertures_follow_the_measured_band_and_own_ones_each_band(sersic, tmp_path):
    compact, wide = sersic(128, r_eff=4, n=1), sersic(128, r_eff=9, n=1)
    image = np.stack([compact, wide])
    tables = {
        (apertures, band): measured(
            [image],
            tmp_path,
            bands=("g", "r"),
            settings=PLAIN.model_copy(update={"color_apertures": apertures, "band": band}),
        )
        for apertures in ("shared", "each")
        for band in ("g", "r")
    }
    alone = {band: values(tables["each", band], "flux")[0] for band in ("g", "r")}
    for band in ("g", "r"):
        assert values(tables["each", band], "flux_g")[0] == pytest.approx(alone["g"], rel=1e-9)
        assert values(tables["each", band], "flux_r")[0] == pytest.approx(alone["r"], rel=1e-9)
    assert values(tables["shared", "r"], "flux_r")[0] == pytest.approx(alone["r"], rel=1e-9)
    # within the small circle of g a sixth of r is missing
    radius = 2 * values(tables["shared", "g"], "r_petro_pix")[0]
    within = 1e4 * gammainc(2, gammaincinv(2, 0.5) * radius / 9)
    assert values(tables["shared", "g"], "flux_r")[0] == pytest.approx(within, rel=1e-3)
    assert within < 0.85 * alone["r"]


def test_a_pixel_that_is_missing_in_one_band_is_left_out_of_all(galaxies, tmp_path):
    damaged = [image.copy() for image in galaxies]
    for image in damaged:
        image[0, SIZE // 2 : SIZE // 2 + 3, SIZE // 2 + 2] = np.nan
    table = measured(damaged, tmp_path)
    assert values(table, "color_gi_mag") == pytest.approx(-2.5 * np.log10(0.5 / 2.0), abs=1e-12)
    assert np.all(values(table, "flux_i") < values(measured(galaxies, tmp_path), "flux_i"))
    assert all("not_finite_pixels" in text for text in table["flags"])


def test_a_flux_below_zero_stands_and_has_no_color_but_a_flag(galaxies, tmp_path):
    dark = [galaxies[0], galaxies[1] * np.array([-1, 1, 1])[:, None, None], galaxies[2]]
    table = measured(dark, tmp_path)
    assert list(np.isnan(values(table, "color_gi_mag"))) == [False, True, False]
    assert list(np.isnan(values(table, "color_ri_mag"))) == [False, False, False]
    assert values(table, "flux_g")[1] < 0
    assert ["nonpositive_flux_g" in text.split(",") for text in table["flags"]] == [False, True, False]


def test_a_band_without_pixels_has_no_color_but_the_galaxy_its_shape(galaxies, tmp_path):
    image = galaxies[0].copy()
    image[0] = np.nan
    table = measured(
        [image, galaxies[1]], tmp_path, settings=PLAIN.model_copy(update={"color_apertures": "each"})
    )
    assert list(np.isnan(values(table, "flux_g"))) == [True, False]
    assert list(np.isnan(values(table, "color_gi_mag"))) == [True, False]
    assert np.isfinite(values(table, "color_ri_mag")).all()
    assert np.isfinite(values(table, "gini")).all()
    assert "no_color_aperture_g" in table["flags"][0].split(",")


def test_an_empty_image_has_a_row_without_colors(galaxies, tmp_path):
    table = measured([np.zeros_like(galaxies[0]), galaxies[1]], tmp_path)
    assert list(np.isnan(values(table, "color_gi_mag"))) == [True, False]
    assert "no_color_aperture_g" in table["flags"][0]
    assert table["flag"][0] == 4


def test_zero_points_are_added_and_told(galaxies, tmp_path):
    zero_points = {"g": 25.0, "r": 24.5, "i": 24.0}
    plain, known = measured(galaxies, tmp_path), measured(galaxies, tmp_path, zero_points=zero_points)
    assert values(known, "color_gi_mag") == pytest.approx(values(plain, "color_gi_mag") + 1.0, abs=1e-12)
    assert known.meta["colors"]["magnitudes"] == "AB"
    assert plain.meta["colors"]["magnitudes"] == "instrumental"
    assert known.meta["provenance"]["settings"]["zero_points_mag"] == ["g 25", "i 24", "r 24.5"]
    half = measured(galaxies, tmp_path, zero_points={"g": 25.0})
    assert values(half, "color_gi_mag") == pytest.approx(values(plain, "color_gi_mag"), abs=1e-12)
    assert half.meta["colors"]["magnitudes"] == "instrumental"


@pytest.mark.parametrize(
    ("flux_unit", "magnitudes"), [("nJy", "AB"), ("display", "instrumental"), ("count", "instrumental")]
)
def test_without_zero_points_only_a_flux_per_frequency_is_calibrated(
    galaxies, tmp_path, flux_unit, magnitudes
):
    assert measured(galaxies[:1], tmp_path, flux_unit=flux_unit).meta["colors"]["magnitudes"] == magnitudes


@pytest.mark.parametrize("ending", ["parquet", "ecsv", "fits"])
def test_colors_live_in_every_format_that_keeps_units(galaxies, tmp_path, ending):
    images = image_set_from_arrays(galaxies, ImageHeader(tuple(FACTORS), "nJy"))
    table = measure(images, tmp_path / f"table.{ending}", settings=PLAIN)
    again = read_measurements(tmp_path / f"table.{ending}")
    assert np.array_equal(values(again, "color_gi_mag"), values(table, "color_gi_mag"))
    assert again["color_gi_mag"].unit == "mag"
    assert again["flux_g"].unit == "nJy"
    assert json.dumps(again.meta["colors"], sort_keys=True) == json.dumps(
        table.meta["colors"], sort_keys=True
    )
    assert again.meta["colors"]["pairs"] == {
        "color_gi_mag": ["g", "i"],
        "color_gr_mag": ["g", "r"],
        "color_ri_mag": ["r", "i"],
    }
    assert again.meta["properties"]["color_gi_mag"]["group"] == "color"


def test_colors_are_written_as_csv(galaxies, tmp_path):
    images = image_set_from_arrays(galaxies[:1], ImageHeader(tuple(FACTORS), "nJy"))
    measure(images, tmp_path / "table.csv", settings=PLAIN)
    assert "color_gi_mag" in (tmp_path / "table.csv").read_text().splitlines()[0].split(",")


def test_a_run_on_threads_and_one_by_one_agree(galaxies, tmp_path):
    images = image_set_from_arrays(galaxies, ImageHeader(tuple(FACTORS), "nJy"))
    one = measure(images, tmp_path / "one.parquet", settings=PLAIN)
    two = measure(images, tmp_path / "two.parquet", settings=PLAIN, workers=2)
    assert one.meta["content_hash"] == two.meta["content_hash"]


def test_one_band_has_no_colors_and_says_so_only_when_asked(galaxies, tmp_path):
    images = [image[:1] for image in galaxies]
    table = measured(images, tmp_path, bands=("r",))
    assert not [name for name in table.colnames if name.startswith(("color_", "flux_r"))]
    assert table.meta["colors"] == {}
    asked = PLAIN.model_copy(update={"colors": ("g-i",)})
    with pytest.raises(SettingsError, match=r"colors 'g-i': the images have no band 'g'; they have r"):
        measured(images, tmp_path, bands=("r",), settings=asked)


@pytest.mark.parametrize(
    ("colors", "message"),
    [
        (("g-z",), r"colors 'g-z': the images have no band 'z'; they have g, r, i"),
        (("gi",), r"colors 'gi': no pair of bands; wanted two of g, r, i with a hyphen between, such as g-i"),
        (("g-g",), r"colors 'g-g': a band less itself is 0; wanted two bands of g, r, i"),
        (("-",), r"colors '-': the images have no band ''"),
    ],
)
def test_a_wrong_color_names_the_bands_there_are(colors, message):
    settings = MeasureSettings(colors=colors)
    with pytest.raises(SettingsError, match=message):
        resolved_settings(settings, ImageHeader(("g", "r", "i"), "nJy"))


def test_colors_need_one_row_a_galaxy_and_morphology():
    asked = MeasureSettings(colors=("g-i",), band="all")
    with pytest.raises(SettingsError, match="colors g-i: band 'all' gives a row a band"):
        resolved_settings(asked, ImageHeader(("g", "i"), "nJy"))
    with pytest.raises(
        SettingsError, match="colors g-i: their apertures come from the quantity 'morphology'"
    ):
        resolved_settings(
            asked.model_copy(update={"band": None, "quantities": ("power",)}), ImageHeader(("g", "i"), "nJy")
        )
    for settings in (MeasureSettings(band="all"), MeasureSettings(quantities=("power",))):
        assert resolved_settings(settings, ImageHeader(("g", "i"), "nJy")).colors == ()


def test_a_band_whose_flux_is_another_quantity_is_refused():
    with pytest.raises(SettingsError, match="column flux_frame of band frame is another quantity's"):
        resolved_settings(MeasureSettings(), ImageHeader(("frame", "i"), "nJy"))
    assert resolved_settings(MeasureSettings(colors=()), ImageHeader(("frame", "i"), "nJy")).colors == ()


@pytest.mark.parametrize(
    ("bands", "colors"),
    [
        ((), []),
        (("r",), []),
        (("g", "r", "i", "z"), ["g-i", "g-r", "r-i", "i-z"]),
        (("i", "r", "g"), ["g-i", "g-r", "r-i"]),
        (("g", "i"), ["g-i"]),
        (("red", "green", "blue"), ["blue-red", "blue-green", "green-red"]),
        (("F606W", "F814W"), ["F606W-F814W"]),
        (("new", "r", "g"), ["new-g", "new-r", "r-g"]),
    ],
)
def test_the_usual_colors_follow_the_wavelength(bands, colors):
    assert [str(pair) for pair in default_pairs(bands)] == colors


@pytest.mark.parametrize(
    ("pair", "column", "symbol"),
    [
        (("g", "i"), "color_gi_mag", "$g - i$"),
        (("F606W", "F814W"), "color_F606W_F814W_mag", r"$\mathrm{F606W} - \mathrm{F814W}$"),
        (("g", "F814W"), "color_g_F814W_mag", r"$g - \mathrm{F814W}$"),
        (("acs_a", "b"), "color_acs_a__b_mag", r"$\mathrm{acs\_a} - b$"),
    ],
)
def test_a_column_names_its_bands_and_finds_them_again(pair, column, symbol):
    assert BandPair(*pair).column == column
    assert pair_of_column(column) == pair
    declared = property_of_column(column)
    assert (declared.name, declared.symbol, declared.unit, declared.group) == (column, symbol, "mag", "color")
    assert property_of_column(f"flux_{pair[1]}").unit == "flux"


@pytest.mark.parametrize("column", ["color_mag", "color_g_mag", "color_gri_mag", "color_gi", "color__mag"])
def test_other_columns_are_no_colors(column):
    assert property_of_column(column) is None


def test_bands_may_have_hyphens():
    assert parse_pair("F606W-new-F814W", ["F606W-new", "F814W"]) == ("F606W-new", "F814W")


def test_tiny_fluxes_have_colors():
    columns = {"flux_g": np.array([1e-300, 0.0, np.nan]), "flux_i": np.array([1e300, 1.0, 1.0])}
    color = color_mag(columns, BandPair("g", "i"), {})
    assert color[0] == pytest.approx(1500.0)
    assert np.isnan(color[1:]).all()
