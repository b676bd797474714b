"""Uncertainties by noise: exact where they can be, right by their pulls, and a function of the galaxy alone."""

import numpy as np
import pytest
from pydantic import ValidationError

from galsmith.compare.marginal.columns import shared_properties
from galsmith.errors import SettingsError
from galsmith.measure import MeasureSettings, measured, morphology, property_of_column
from galsmith.measure.arrays import given_arrays
from galsmith.measure.properties.uncertainty import quantity_of_uncertainty, uncertainty_column
from galsmith.measure.uncertainties import calmed
from galsmith.seeds import random_stream

SIGMA = 2.0
SIDE = 64
# one pull of 200 repeats and 24 repetitions is itself uncertain by 6 %, and 24 repetitions make it 1.03
LINEAR = ("flux", "r20_pix", "r50_pix", "concentration", "centroid_x_pix", "sky_mean")


@pytest.fixture(scope="module")
def clean(sersic):
    return sersic(SIDE, r_eff=5, n=1, q=0.7, angle=0.5, center=(31.3, 32.2))


@pytest.fixture(scope="module")
def repeats(clean):
    """Returns n noisy repeats, one map for all, and maps of sigma."""

    def of(count, told=SIGMA):
        rng = random_stream(2, "tests.uncertainties")
        images = clean + rng.normal(0, SIGMA, (count, SIDE, SIDE))
        labels = np.repeat((clean > 4)[np.newaxis].astype(np.int32), count, axis=0)
        return {"images": images, "labels": labels, "sigma_maps": np.full(images.shape, told)}

    return of


def table_of(given, repetitions, **how):
    return morphology(**given, uncertainties=repetitions, sersic="none", **how)


def plain(table, column):
    return np.asarray(table[column], dtype=float)


def test_what_is_exact(repeats):
    """The sum of a frame scatters by the root of its pixels; the mean of a 32 px box nearly so."""
    table = table_of(repeats(4), 200)
    np.testing.assert_allclose(plain(table, "flux_frame_sigma"), SIGMA * SIDE, rtol=1e-12)
    box = 2 ** np.floor(np.log2(SIGMA / plain(table, "sky_mean_sigma")) + 0.5)
    assert set(box) <= {2.0, 4.0, 8.0, 16.0, 32.0}
    # 200 repetitions: 5 % each, four of them
    np.testing.assert_allclose(plain(table, "sky_mean_sigma"), SIGMA / box, rtol=0.17)


def test_values_are_those_without(repeats):
    one, other = table_of(repeats(2), 0), table_of(repeats(2), 8)
    added = [name for name in other.colnames if name not in one.colnames]
    assert added
    assert all(quantity_of_uncertainty(name) in one.colnames for name in added)
    for name in one.colnames:
        if name not in ("flags", "message"):
            np.testing.assert_array_equal(np.asarray(one[name]), np.asarray(other[name]))
    assert not [name for name in added if name.startswith(("stamp_", "sersic_"))]
    assert "provenance" in one.meta
    assert "uncertainties" not in one.meta["provenance"]["settings"]


def test_chance_is_the_galaxys_own(repeats):
    """Neither workers nor neighbors nor the order change an uncertainty; another galaxy has another."""
    given = repeats(5)
    one, threaded = table_of(given, 8), table_of(given, 8, workers=2)
    turned = table_of({name: maps[::-1] for name, maps in given.items()}, 8)
    for name in one.colnames:
        if quantity_of_uncertainty(name) in one.colnames:
            np.testing.assert_array_equal(plain(one, name), plain(threaded, name), err_msg=name)
            np.testing.assert_array_equal(plain(one, name), plain(turned, name)[::-1], err_msg=name)
    assert len(set(plain(one, "gini_sigma"))) == 5


def pulls(given, repetitions):
    table = table_of(given, repetitions)
    return {
        name: np.std(
            (plain(table, name) - plain(table, name).mean()) / plain(table, uncertainty_column(name)), ddof=1
        )
        for name in LINEAR
    }


@pytest.mark.slow
def test_pulls_scatter_by_one_and_by_two_where_sigma_is_half(repeats):
    right, wrong = pulls(repeats(200), 24), pulls(repeats(200, told=SIGMA / 2), 24)
    for name, value in right.items():
        assert 0.8 < value < 1.25, (name, value)
        assert 1.6 < wrong[name] / value < 2.4, (name, wrong[name], value)


def test_colors_and_fluxes_of_bands_have_theirs(clean):
    """The error of a color of two fluxes whose noise is independent is at least that of the fluxes' noise."""
    rng = random_stream(3, "tests.uncertainties.colors")
    cube = np.stack([clean, 2 * clean]) + rng.normal(0, SIGMA, (2, SIDE, SIDE))
    from galsmith.images import ImageHeader, image_set_from_arrays

    images = image_set_from_arrays(cube[np.newaxis].astype(np.float32), header=ImageHeader(("g", "r"), "nJy"))
    settings = MeasureSettings(quantities=("morphology",), sersic="none", uncertainties=32, gain=1e9)
    row = measured(images, settings=settings)[0]
    errors = [float(np.asarray(row[f"flux_{band}_sigma"])) for band in "gr"]
    fluxes = [float(np.asarray(row[f"flux_{band}"])) for band in "gr"]
    radius = 2 * float(np.asarray(row["r_petro_pix"]))
    at_least = SIGMA * np.sqrt(np.pi) * radius
    assert 0.6 * at_least < errors[0] < 3 * at_least
    expected = 2.5 / np.log(10) * np.hypot(errors[0] / fluxes[0], errors[1] / fluxes[1])
    assert 0.4 * expected < float(np.asarray(row["color_gr_sigma_mag"])) < 1.6 * expected


def in_bands(clean, count, told=SIGMA, **how):
    """Galaxies of two bands, one twice as bright, with power and details."""
    rng = random_stream(5, "tests.uncertainties.bands")
    images = list(np.stack([clean, 2 * clean]) + rng.normal(0, SIGMA, (count, 2, SIDE, SIDE)))
    beside = {"labels": [(clean > 4).astype(np.int32)] * count, "label": None, "masks": None, "psf": None}
    beside["sigma_maps"] = [np.full((SIDE, SIDE), told)] * count
    settings = MeasureSettings(quantities=("morphology", "power", "details"), sersic="none", **how)
    return measured(given_arrays(images, ("g", "r"), **beside), settings=settings)


def test_power_and_details_have_theirs(clean):
    """The log of the mean of M/2 amplitudes of noise alone, each of Rayleigh's law, has an uncertainty that is known."""
    table = in_bands(clean, 1, uncertainties=200)
    plain_table = in_bands(clean, 1)
    columns = [name for name in table.colnames if name not in plain_table.colnames]
    assert {
        uncertainty_column(f"power_{kind}_14_{band}") for kind in ("rings", "wavelength") for band in "gr"
    } <= set(columns)
    assert {"grid_lines_x_g_sigma", "grid_axes_fine_r_sigma", "coherence_coarse_gr_sigma"} <= set(columns)
    for name in plain_table.colnames:
        if name not in ("flags", "message"):
            np.testing.assert_array_equal(np.asarray(table[name]), np.asarray(plain_table[name]))
    # waves of 14 to 15 periods, of which the galaxy has next to none
    radius = np.hypot(*np.meshgrid(*[np.fft.fftfreq(SIDE) * SIDE] * 2))
    independent = np.sum((radius >= 14) & (radius < 15)) / 2
    expected = np.sqrt(4 / np.pi - 1) / np.log(10) / np.sqrt(independent)
    # 200 repetitions: 5 %
    assert plain(table, "power_rings_14_g_sigma")[0] == pytest.approx(expected, rel=0.15)


@pytest.mark.slow
def test_pulls_of_power_and_details(clean):
    """Of what the galaxy has, half of the noise is half of the scatter."""
    names = (
        "power_wavelength_01_g",
        "power_rings_02_r",
        "grid_axes_coarse_r",
        "offset_x_gr_pix",
        "gradient_gr_mag",
    )
    right, wrong = (in_bands(clean, 200, told=told, uncertainties=24) for told in (SIGMA, SIGMA / 2))
    for name in names:
        scatter = [
            np.std(plain(table, name)) / np.median(plain(table, uncertainty_column(name)))
            for table in (right, wrong)
        ]
        assert 0.8 < scatter[0] < 1.25, (name, scatter)
        assert 1.6 < scatter[1] / scatter[0] < 2.4, (name, scatter)


def test_the_level_of_pictures_is_in_their_power(clean):
    """Power is of the picture with its sky, and so is its uncertainty: that of a mean amplitude, over ln 10."""
    from galsmith.images import ImageHeader, image_set_from_arrays

    rng = random_stream(6, "tests.uncertainties.pictures")
    picture = (clean + 20 + rng.normal(0, SIGMA, clean.shape)).astype(np.float32)[np.newaxis, np.newaxis]
    settings = MeasureSettings(
        quantities=("morphology", "power"), sersic="none", uncertainties=100, segmentation="survey"
    )
    row = measured(image_set_from_arrays(picture, ImageHeader(("r",), "display")), settings=settings)[0]
    expected = float(row["sky_sigma"]) * SIDE / picture.sum() / np.log(10)
    assert float(row["power_rings_00_sigma"]) == pytest.approx(expected, rel=0.25)


def test_what_was_not_measured_has_no_uncertainty_and_says_so():
    table = morphology(np.zeros((2, 48, 48)), uncertainties=8)
    assert np.isnan(plain(table, "gini_sigma")).all()
    assert list(table["flag"]) == [4, 4]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"uncertainties": 7}, "wanted 8 or more repetitions, or 0"),
        ({"uncertainties": 20, "quantities": ("power",)}, "of the quantity 'morphology'"),
    ],
)
def test_settings_without_meaning_are_refused(settings, says):
    with pytest.raises(ValidationError, match=says):
        MeasureSettings(**settings)


def test_the_oracle_has_none(repeats):
    settings = MeasureSettings(quantities=("morphology",), uncertainties=8)
    with pytest.raises(SettingsError, match="engine 'statmorph' has none"):
        measured_with_statmorph(repeats(1)["images"], settings)


def measured_with_statmorph(images, settings):
    from galsmith.images import ImageHeader, image_set_from_arrays

    header = ImageHeader(("r",), "")
    stored = image_set_from_arrays(images[:, np.newaxis].astype(np.float32), header=header)
    return measured(stored, settings=settings, engine="statmorph")


@pytest.mark.parametrize(
    ("column", "quantity"),
    [
        ("gini_sigma", "gini"),
        ("r_half_sigma_pix", "r_half_pix"),
        ("color_gr_sigma_mag", "color_gr_mag"),
        ("power_wavelength_03_g_sigma", "power_wavelength_03_g"),
        ("power_rings_03_sigma", "power_rings_03"),
        ("grid_period_2_F606W_sigma", "grid_period_2_F606W"),
    ],
)
def test_uncertainties_are_declared_by_their_quantities(column, quantity):
    assert (uncertainty_column(quantity), quantity_of_uncertainty(column)) == (column, quantity)
    entry, of = property_of_column(column), property_of_column(quantity)
    assert (entry.unit, entry.group) == (of.unit, of.group)
    assert of.symbol in entry.symbol
    assert of.definition.rstrip(".") in entry.definition
    assert (entry.is_compared, entry.headline, entry.is_circular) == (False, False, False)


def test_the_skys_own_sigma_is_no_uncertainty():
    assert property_of_column("sky_sigma").is_compared
    assert property_of_column("nothing_sigma") is None


def test_sets_are_not_compared_by_uncertainties(repeats):
    table = table_of(repeats(3), 8)
    shared, _ = shared_properties(table, table)
    assert "gini" in shared
    assert not [name for name in shared if name.endswith("_sigma") and name != "sky_sigma"]


def test_the_filter_damps_noise_and_keeps_what_stands_out():
    rng = random_stream(4, "tests.uncertainties.calmed")
    image = rng.normal(0, 1.0, (60, 60))
    image[30, 30] = 500.0
    image[5, 5] = np.nan
    calm = calmed(image, np.ones(image.shape))
    assert np.isnan(calm[5, 5])
    assert calm[30, 30] == pytest.approx(500.0, rel=0.01)
    flat = calm[:, 40:]
    # the mean of nine pixels scatters by 1/3, a little more where they scatter by chance
    assert 0.33 < flat.std() < 0.55
    assert calmed(image, np.zeros(image.shape))[40:, 40:] == pytest.approx(image[40:, 40:])
