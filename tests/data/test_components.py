"""Galaxies of components: light against galsim, laws against their formulas, galaxy k from (seed, k) alone."""

import importlib.util
import math

import astropy.units as u
import numpy as np
import pytest
from scipy import stats

from galsmith import simulate
from galsmith.data.components import ComponentGalaxies, ComponentSettings
from galsmith.data.components.draw import SHARES, draw_galaxies
from galsmith.data.components.law import KINDS, LogNormal, LuminosityLaw, Normal
from galsmith.data.components.render import Plane, profile_row, render_galaxy, turned_conic
from galsmith.data.options import SetOptions
from galsmith.data.store import open_store
from galsmith.errors import SettingsError
from galsmith.settings import apply_overrides, read_recipe, typed_settings

SMOOTH = (
    *("arms.contrast=0.0", "modes.lopsidedness=0.0", "modes.amplitude=0.0"),
    *("clumps.spiral_fraction=0.0", "clumps.irregular_fraction=0.0", "bar.share=0.0"),
    *("dust.optical_depth={median=1e-9,spread=0.1,low=1e-10,high=1e-8}",),
    "colors.size_gradient={center=0.0,spread=1e-6,low=-1e-5,high=1e-5}",
)
EVEN = ("kinds.elliptical_per_mag=0.0", "kinds.irregular_per_mag=0.0", "kinds.lenticular=0.0")
SPIRALS = ("kinds.elliptical=0.0", "kinds.irregular=0.0", *EVEN)
ELLIPTICALS = ("kinds.elliptical=1.0", "kinds.irregular=0.0", *EVEN)
FLAT = (
    "disk.thickness={center=0.998,spread=0.001,low=0.99,high=1.0}",
    "bulge.flattening=1.0",
)  # seen from above
BANDS = ("g", "r", "i", "z")


def law(*overrides):
    """Settings of the shipped recipe with some changed."""
    return typed_settings(
        ComponentSettings, apply_overrides(read_recipe("components"), overrides), source="components"
    )


def galaxies(n, *overrides, seed=3):
    return ComponentGalaxies(law(*overrides), n=n, seed=seed)


def values(column):
    return np.asarray(getattr(column, "value", column))


def drawn_by_galsim(truth, side):
    """Draw bulge and disk of a smooth galaxy in every band."""
    galsim = importlib.import_module("galsim")
    parts = {"bulge": float(truth["bulge_sersic_index"]), "disk": 1.0}
    images = []
    for band in BANDS:
        total = np.zeros((side, side))
        for name, index in parts.items():
            flux = values(truth[f"{name}_flux_{band}"])
            ratio, major = float(truth[f"{name}_axis_ratio"]), float(values(truth[f"{name}_r_eff_pix"]))
            if not flux > 0:
                continue
            angle = float(values(truth["orientation_rad"])) * galsim.radians
            profile = galsim.Sersic(index, half_light_radius=major * math.sqrt(ratio), flux=float(flux))
            profile = profile.shear(q=ratio, beta=angle)
            profile = profile.shift(*(float(values(truth[f"offset_{axis}_pix"])) for axis in "xy"))
            total += profile.drawImage(nx=side, ny=side, scale=1.0, dtype=float).array
        images.append(total)
    return np.array(images)


@pytest.mark.skipif(importlib.util.find_spec("galsim") is None, reason="needs galsim")
@pytest.mark.parametrize("kinds", [SPIRALS, ELLIPTICALS], ids=["spirals", "ellipticals"])
def test_bulge_and_disk_are_those_of_galsim(kinds):
    # galsim folds the far wings of a Sérsic law back into the frame, and so wants a larger one
    source = galaxies(6, *SMOOTH, *kinds, "elliptical.sersic_index.high=3.0", "frame.low_pix=64")
    for row, image in enumerate(source.read(np.arange(6))):
        expected = drawn_by_galsim(source.catalog[row], image.shape[-1])
        error = np.abs(image - expected).sum(axis=(1, 2)) / expected.sum(axis=(1, 2))
        assert np.all(error < 1e-3), row
        turned = np.abs(image[:, ::-1] - expected).sum() / expected.sum()
        assert turned > 10 * error.max()


@pytest.mark.parametrize(
    ("extra", "bound"),
    [
        ((), 2e-4),
        # arms are taken at the middles of pixels, which are coarse where a disk is seen from the side
        (("arms.contrast={low=0.4,high=0.42}", *FLAT), 5e-3),
        (("arms.contrast={low=0.4,high=0.42}",), 0.01),
    ],
    ids=["smooth", "arms from above", "arms"],
)
def test_flux_is_that_of_the_catalog_and_arms_leave_it(extra, bound):
    # frames of 24 half-light radii hold all but 1e-6 of a disk; bulges of n < 1.5 all but 1e-5
    wide = ("frame.half_light_radii=24.0", "frame.high_pix=400", "bulge.sersic_index.high=1.5")
    source = galaxies(8, *SMOOTH, *SPIRALS, *wide, *extra)
    for row, image in enumerate(source.read(np.arange(8))):
        truth = source.catalog[row]
        total = np.array([values(truth[f"flux_{band}"]) for band in BANDS])
        np.testing.assert_allclose(image.sum(axis=(1, 2), dtype=np.float64), total, rtol=bound)


def test_light_is_moved_by_arms_and_taken_by_dust():
    def one(*overrides):
        return np.array(next(galaxies(1, *SMOOTH, *SPIRALS, *overrides, seed=5).read(np.arange(1))))

    dusty = "dust.optical_depth={median=1.0,spread=0.1,low=0.9,high=1.1}"
    plain, arms, dust = one(), one("arms.contrast=0.42"), one(dusty)
    assert np.abs(arms - plain).sum() > 0.05 * plain.sum()
    assert np.all(dust <= plain * (1 + 1e-5))
    lost = 1 - dust.sum(axis=(1, 2)) / plain.sum(axis=(1, 2))
    assert np.all(np.diff(lost) < 0)  # blue light is lost most
    assert lost[0] > 0.1


def plane(*, tangent=0.0, depth=1.0, mixed=0.0):
    frame = np.array([31.0, 31.0, 1.0, 0.0, 0.5, 0.5, 8.0, tangent])
    arms = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 4.0, 16.0, 0.0, 0.0, 0.0])
    dust = np.array([depth, 1e6, 0.0, 1.0, mixed])
    return Plane(frame, arms, np.zeros(1), np.zeros((0, 4)), np.zeros((0, 4)), dust, np.ones(1))


def test_a_layer_dims_a_disk_by_the_sandwich_law():
    conic = turned_conic(8.0, 0.5, 0.0)
    one = np.ones(1)
    disk = np.zeros((3, 9))
    disk[1] = profile_row(conic, sersic_index=1.0, fluxes=one, shrinkage=one)
    clear = render_galaxy(disk, plane(depth=0.0), side_pix=63)
    for depth in (0.1, 1.0, 10.0):
        thin = render_galaxy(disk, plane(depth=depth), side_pix=63)
        mixed = render_galaxy(disk, plane(depth=depth, mixed=1.0), side_pix=63)
        # Disney et al. 1989: half of the light behind a screen; light and dust mixed
        np.testing.assert_allclose(thin, clear * (1 + math.exp(-depth)) / 2, rtol=1e-4)
        np.testing.assert_allclose(mixed, clear * (1 - math.exp(-depth)) / depth, rtol=1e-4)


def test_dust_dims_the_near_side_of_a_bulge():
    one, rows = np.ones(1), np.zeros((3, 9))
    rows[0] = profile_row(turned_conic(4.0, 1.0, 0.0), sersic_index=1.0, fluxes=one, shrinkage=one)
    rows[1] = profile_row(turned_conic(8.0, 0.5, 0.0), sersic_index=1.0, fluxes=1e-12 * one, shrinkage=one)
    for tangent, brighter in ((2.0, slice(0, 31)), (-2.0, slice(32, 63))):
        image = render_galaxy(rows, plane(tangent=tangent), side_pix=63)[0]
        halves = [image[part].sum() for part in (slice(0, 31), slice(32, 63))]
        assert image[brighter].sum() == max(halves)
        assert max(halves) > 1.2 * min(halves)
    even = render_galaxy(rows, plane(), side_pix=63)[0]
    np.testing.assert_allclose(even, even[::-1], rtol=1e-4, atol=1e-12)


def test_dust_follows_the_law_of_the_milky_way():
    """Cardelli, Clayton & Mathis (1989, eq. 3) at R_V = 3.1, between 0.45 and 0.95 um."""
    recipe = read_recipe("components")
    y = 1 / np.array(recipe["wavelengths_um"]) - 1.82
    a = np.polyval([0.32999, -0.77530, 0.01979, 0.72085, -0.02427, -0.50447, 0.17699, 1.0], y)
    b = np.polyval([-2.09002, 5.30260, -0.62251, -5.38434, 1.07233, 2.28305, 1.41338, 0.0], y)
    power = (0.55 / np.array(recipe["wavelengths_um"])) ** recipe["dust"]["wavelength_power"]
    np.testing.assert_allclose(power, a + b / 3.1, rtol=0.06)
    assert np.abs(power - (a + b / 3.1)).max() > 0.001


def test_magnitudes_follow_schechter():
    settings = law("luminosity.faint=-19.0", "luminosity.bright=-23.0")
    table = draw_galaxies(settings, n=4000, seed=1)
    absolute = values(table["magnitude_r"]) - settings.distance_modulus_mag
    grid = np.linspace(-23.0, -19.0, 20_001)
    ratio = 10 ** (0.4 * (settings.luminosity.magnitude_star - grid))
    density = ratio ** (settings.luminosity.slope + 1) * np.exp(-ratio)
    cumulative = np.cumsum(density) / density.sum()
    assert stats.kstest(absolute, lambda value: np.interp(value, grid, cumulative)).pvalue > 1e-3
    steeper = ratio ** (settings.luminosity.slope + 0.7) * np.exp(-ratio)
    wrong = np.cumsum(steeper) / steeper.sum()
    assert stats.kstest(absolute, lambda value: np.interp(value, grid, wrong)).pvalue < 1e-3


@pytest.mark.parametrize(
    ("law_of", "expected"),
    [
        (
            Normal(center=0.5, spread=0.2, low=0.3, high=1.0),
            stats.truncnorm(-1.0, 2.5, loc=0.5, scale=0.2),
        ),
        (
            LogNormal(median=0.8, spread=0.6, low=0.05, high=4.0),
            stats.lognorm(0.6, scale=0.8),
        ),
    ],
    ids=["normal", "log-normal"],
)
def test_cut_laws_have_their_quantiles(law_of, expected):
    shares = np.linspace(0.001, 0.999, 999)
    inside = expected.cdf(law_of.high) - expected.cdf(law_of.low)
    found = (expected.cdf(law_of.at(shares)) - expected.cdf(law_of.low)) / inside
    np.testing.assert_allclose(found, shares, atol=1e-9)


def test_directions_sizes_and_shares_follow_their_laws():
    settings = law(*SPIRALS)
    table = draw_galaxies(settings, n=3000, seed=2)
    assert stats.kstest(np.cos(values(table["inclination_rad"])), "uniform").pvalue > 1e-3
    beta = stats.beta(settings.bulge.spiral_alpha, settings.bulge.spiral_beta)
    assert stats.kstest(values(table["bulge_fraction"]), beta.cdf).pvalue > 1e-3
    # Shen et al. 2003, eqs. 15 and 16, with the numbers of their fit
    magnitude = values(table["magnitude_r"]) - settings.distance_modulus_mag
    below = 10 ** (-0.4 * (magnitude + 20.52))
    median = -0.4 * 0.21 * magnitude + (0.53 - 0.21) * np.log10(1 + below) - 1.31
    scatter = 0.25 + (0.48 - 0.25) / (1 + below**2)
    deviates = (np.log(values(table["r_eff_kpc"])) - median * np.log(10)) / scatter
    assert stats.kstest(deviates, "norm").pvalue > 1e-3
    counts = [np.mean(values(table["arm_count"]) == n) for n in (2, 3, 4)]
    np.testing.assert_allclose(counts, settings.arms.count_shares, atol=0.03)


def test_kinds_have_their_shares_at_each_brightness():
    kinds = law().kinds
    shares = (np.arange(2000) + 0.5) / 2000
    for brighter in (-1.0, 0.0, 2.0):
        found = np.bincount(kinds.at(shares, np.full(2000, brighter)), minlength=4) / 2000
        elliptical = kinds.elliptical + kinds.elliptical_per_mag * brighter
        irregular = max(0.0, kinds.irregular + kinds.irregular_per_mag * brighter)
        spiral = 1 - elliptical - irregular - kinds.lenticular
        np.testing.assert_allclose(found, [elliptical, kinds.lenticular, spiral, irregular], atol=1e-3)


def test_half_of_the_light_lies_within_the_half_light_radius():
    # from above, circles are the ellipses of all components
    wide = ("frame.half_light_radii=24.0", "frame.high_pix=400", "bulge.sersic_index.high=1.5")
    source = galaxies(5, *SMOOTH, *SPIRALS, *FLAT, *wide)
    for row, image in enumerate(source.read(np.arange(5))):
        truth, side = source.catalog[row], image.shape[-1]
        y, x = np.mgrid[:side, :side] - (side - 1) / 2
        far = np.hypot(x - values(truth["offset_x_pix"]), y - values(truth["offset_y_pix"]))
        order = np.argsort(far.ravel())
        light = np.cumsum(image[1].ravel()[order], dtype=np.float64) / values(truth["flux_r"])
        radius = np.interp(0.5, light, far.ravel()[order])
        assert radius == pytest.approx(float(values(truth["r_half_pix"])), abs=0.15)


def test_galaxy_k_depends_on_seed_and_k_alone(tmp_path):
    few = simulate.components(tmp_path / "few", n=5, seed=4)
    more = simulate.components(tmp_path / "more", n=12, seed=4)
    other = simulate.components(tmp_path / "other", n=5, seed=5)
    for row in range(5):
        np.testing.assert_array_equal(few.pixels[row], more.pixels[row])
    assert few.content_hash != other.content_hash
    assert np.array_equal(values(few.catalog["flux_g"]), values(more.catalog["flux_g"])[:5])


def test_a_law_that_is_changed_leaves_the_others():
    plain = draw_galaxies(law(), n=40, seed=1)
    dusty = draw_galaxies(law("dust.optical_depth.median=0.3"), n=40, seed=1)
    unlike = [name for name in plain.colnames if not np.all(_equal(plain[name], dusty[name]))]
    assert unlike == ["dust_optical_depth"]
    assert len(set(SHARES)) == len(SHARES)


def _equal(one, other):
    one, other = values(one), values(other)
    return one == other if one.dtype.kind in "US" else (one == other) | (np.isnan(one) & np.isnan(other))


def test_a_store_has_its_truth_sizes_and_header(tmp_path):
    images = simulate.components(tmp_path / "set", n=40, seed=1)
    assert images.header.bands == BANDS
    assert images.header.flux_unit == "electron / s"
    assert images.header.physical_pixel_kpc == pytest.approx(0.35)
    # 0.35 kpc at 200 Mpc
    assert images.header.pixel_scale_arcsec == pytest.approx(0.35 / 200e3 * 206264.806, rel=1e-6)
    sizes = values(images.catalog["native_size_pix"])
    assert (sizes.min() >= 32, sizes.max() <= 96, len(set(sizes)) > 10) == (True, True, True)
    assert set(np.unique(images.catalog["kind"])) <= set(KINDS)
    sums = np.array([image.sum(axis=(1, 2), dtype=np.float64) for image in images.pixels])
    for place, band in enumerate(BANDS):
        framed, total = images.catalog[f"frame_flux_{band}"], images.catalog[f"flux_{band}"]
        assert framed.unit == total.unit == u.electron / u.s
        np.testing.assert_allclose(values(framed), sums[:, place], rtol=1e-5)
        assert np.all(values(framed) < values(total) * 1.001)
    components = sum(values(images.catalog[f"{part}_flux_i"]) for part in ("bulge", "disk", "bar", "clump"))
    np.testing.assert_allclose(components, values(images.catalog["flux_i"]), rtol=1e-12)
    assert all(np.isfinite(image).all() and image.min() >= 0 for image in images.pixels)
    assert open_store(tmp_path / "set").content_hash == images.content_hash


def test_crop_and_where_apply(tmp_path):
    options = SetOptions(crop_pix=32, where="kind=spiral")
    images = simulate.components(tmp_path / "set", n=20, seed=1, options=options)
    assert {image.shape for image in images.pixels} == {(4, 32, 32)}
    assert set(images.catalog["kind"]) == {"spiral"}


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("arms.contrast.high=0.9",), "arms and modes take up to 1.* of the light of spiral disks away"),
        (("modes.irregular_factor=9.0",), "of the light of irregular disks away"),
        (("wavelengths_um=[0.5]",), r"wavelengths_um is \(0.5,\); wanted 4 above 0"),
        (("reference_band=u",), "reference_band is 'u'; wanted one of g, r, i, z"),
        (("colors.slopes=[0.5]",), "colors.intercepts and colors.slopes: wanted 2 numbers each for 4 bands"),
        (("frame.low_pix=97",), "low_pix is 97, above high_pix, which is 96"),
        (("luminosity.faint=-25.0",), "bright is -24.0, not below faint, which is -25.0"),
        (("kinds.lenticular=0.9",), "elliptical, lenticular and irregular sum to more than 1"),
        (("dust.optical_dept=1",), "unknown setting 'dust.optical_dept'.*did you mean 'optical_depth'"),
        (("elliptical.axis_ratio.low=1.1",), "low is 1.1, not below high"),
    ],
)
def test_wrong_settings_are_one_line_errors(tmp_path, overrides, message):
    with pytest.raises(SettingsError, match=message):
        simulate.components(tmp_path / "set", n=3, overrides=overrides)
    assert not (tmp_path / "set").exists()


def test_recipes_of_other_simulators_are_refused(tmp_path):
    with pytest.raises(SettingsError, match="simulates Sérsic galaxies; wanted priors: components,"):
        simulate.components(tmp_path / "set", n=1, recipe="sersic-64")
    with pytest.raises(SettingsError, match="simulates galaxies of components; wanted priors: sersic,"):
        simulate.sersic(tmp_path / "set", n=1, recipe="components")


def test_luminosity_law_has_its_ends():
    ends = LuminosityLaw(magnitude_star=-21.2, slope=-1.05, faint=-19.0, bright=-24.0)
    np.testing.assert_allclose(ends.at(np.array([0.0, 1.0])), [-19.0, -24.0])
