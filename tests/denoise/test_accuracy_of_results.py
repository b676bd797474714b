"""What astronomers read: known errors come out as they were put in, and what has none passes."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage, signal, stats

from galsmith.compare.resampling import Chance
from galsmith.denoise.accuracy import (
    QUANTITIES,
    AccuracyTable,
    accuracy_table,
    galaxy_errors,
    hallucinated_sources,
    sky_pedestal,
)
from galsmith.denoise.accuracy.pixels import (
    covered_shares,
    peak_signal_to_noise_db,
    reconvolved_residual,
    structural_similarity,
)
from galsmith.denoise.accuracy.shapes import Aperture, adaptive_shape, aperture_of, light_within
from galsmith.denoise.accuracy.sources import match_radius_pix, peak_prominences, significance_map
from galsmith.denoise.bands import band_of
from galsmith.denoise.method import Denoised
from galsmith.errors import InputError, SettingsError
from galsmith.observe.observed import Observed
from galsmith.seeds import random_stream

SIDE, SIGMA = 48, 2.0
FEW = Chance(seed=1, replicates=200)


def gaussian(side=SIDE, *, flux=4000.0, sigma=4.0, e1=0.0, e2=0.0, x0=0.0, y0=0.0):
    """A Gaussian of these ellipticities (distortion) and this sigma (fourth root of the determinant)."""
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    half = sigma**2 / math.sqrt(1 - e1**2 - e2**2)
    xx, yy, xy = half * (1 + e1), half * (1 - e1), half * e2
    determinant = xx * yy - xy**2
    dx, dy = x - x0, y - y0
    light = np.exp(-0.5 * (yy * dx**2 - 2 * xy * dx * dy + xx * dy**2) / determinant)
    return flux * light / light.sum()


def psf_of(sigma=1.5, reach=7):
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    psf = np.exp(-(x**2 + y**2) / (2 * sigma**2))
    return psf / psf.sum()


def observed_of(truth, number=0, sigma=SIGMA, psf=None):
    psf = psf_of() if psf is None else psf
    noise = sigma * random_stream(2, "test.noise", number).standard_normal(truth.shape)
    seen = ndimage.convolve(truth, psf, mode="constant") + noise
    return Observed(
        seen.astype(np.float32)[None],
        np.full((1, *truth.shape), 1 / sigma**2, dtype=np.float32),
        psf.astype(np.float32)[None],
        truth.astype(np.float32)[None],
    )


def denoised_of(image, sigma=None):
    stated = None if sigma is None else np.full(image.shape, sigma, dtype=np.float32)[None]
    return Denoised(np.asarray(image, dtype=np.float32)[None], stated)


@pytest.fixture(scope="module")
def scenes():
    """Truths of drawn ellipticities, and their observations."""
    rng = random_stream(4, "test.scenes")
    shapes = rng.uniform(-0.4, 0.4, (40, 2))
    truths = [
        gaussian(e1=e1, e2=e2, flux=flux, x0=x0, y0=y0)
        for (e1, e2), flux, (x0, y0) in zip(
            shapes, rng.uniform(500, 9000, 40), rng.uniform(-1, 1, (40, 2)), strict=True
        )
    ]
    return truths, [observed_of(truth, number) for number, truth in enumerate(truths)]


def summed(scenes, change, *, fits_sersic=False, sigma=None):
    truths, observed = scenes
    results = [denoised_of(change(truth), sigma) for truth in truths]
    rows = galaxy_errors(observed, results, fits_sersic=fits_sersic)
    return accuracy_table({"tried": rows}, chance=FEW).entries["tried"]["all"]


# the truth itself, and known errors


def test_the_truth_itself_has_no_errors(scenes):
    found = summed(scenes, lambda truth: truth, fits_sersic=True)
    assert found["mse_mean"].value == 0.0
    for name in ("flux_bias_mag", "r_half_bias", "sersic_index_bias", "ellipticity_error", "hallucinated"):
        assert found[name].value == pytest.approx(0.0, abs=1e-6), name
        assert found[name].n == 40
    for name in ("m1", "m2", "c1", "c2"):
        assert found[name].value == pytest.approx(0.0, abs=1e-6), name
    # 40 x 2304 pixels: chi^2 scatters by 0.5 %
    assert found["chi2"].value == pytest.approx(1.0, abs=0.015)
    assert found["chi2"].low < 1 < found["chi2"].high + 0.01
    # the first ring has some 20 modes an image
    assert found["whiteness"].value < 0.04
    assert found["ssim"].value == pytest.approx(1.0)
    # nothing was stated, and no error has no logarithm
    assert found["coverage_68"].n == found["mse_geometric"].n == 0
    assert found["coverage_68"].n_lost == 40
    assert math.isnan(found["coverage_68"].value)


def test_a_known_error_of_the_flux_comes_out(scenes):
    found = summed(scenes, lambda truth: 1.1 * truth)
    # brighter by 10 %, whatever the aperture
    assert found["flux_bias_mag"].value == pytest.approx(-2.5 * math.log10(1.1), abs=1e-5)
    for name in ("r_half_bias", "ellipticity_error"):
        assert found[name].value == pytest.approx(0.0, abs=1e-5), name
    assert found["chi2"].value > 1.03
    assert found["whiteness"].value > 0.2


def test_known_shears_come_out_as_m_and_c():
    rng = random_stream(5, "test.shears")
    shapes = rng.uniform(-0.3, 0.3, (30, 2))
    truths = [gaussian(e1=e1, e2=e2) for e1, e2 in shapes]
    made = [gaussian(e1=1.1 * e1 + 0.02, e2=0.95 * e2 - 0.01) for e1, e2 in shapes]
    rows = galaxy_errors(
        [observed_of(truth) for truth in truths], [denoised_of(one) for one in made], fits_sersic=False
    )
    found = accuracy_table({"sheared": rows}, chance=FEW).entries["sheared"]["all"]
    # pixels and float32 leave 1e-4
    assert found["m1"].value == pytest.approx(0.10, abs=2e-3)
    assert found["m2"].value == pytest.approx(-0.05, abs=2e-3)
    assert found["c1"].value == pytest.approx(0.02, abs=5e-4)
    assert found["c2"].value == pytest.approx(-0.01, abs=5e-4)
    assert found["m1"].low > 0.09
    assert found["m2"].high < -0.04


def test_a_known_size_comes_out():
    truths = [gaussian(sigma=3.0) for _ in range(3)]
    rows = galaxy_errors(
        [observed_of(truth) for truth in truths],
        [denoised_of(gaussian(sigma=3.3)) for _ in truths],
        fits_sersic=True,
    )
    aperture = aperture_of(truths[0])
    # half of what lies within R of a Gaussian lies within sigma sqrt(-2 ln((1 + exp(-R^2 / 2 sigma^2)) / 2))
    true, made = (
        sigma * math.sqrt(-2 * math.log((1 + math.exp(-(aperture.radius_pix**2) / (2 * sigma**2))) / 2))
        for sigma in (3.0, 3.3)
    )
    assert rows["r_half_pix_truth"].to_numpy() == pytest.approx(true, rel=0.01)
    assert rows["r_half_pix"].to_numpy() == pytest.approx(made, rel=0.01)
    # a Gaussian is Sersic's law of n = 1/2, whatever its size
    assert rows["sersic_index"].to_numpy() == pytest.approx(0.5, rel=0.03)


def test_a_known_index_comes_out():
    y, x = np.mgrid[:64, :64] - 31.5
    disk = np.exp(-np.hypot(x, y / 0.7) / 5.0)
    rows = galaxy_errors([observed_of(2e3 * gaussian(64, flux=1.0))], [denoised_of(1e3 * disk)])
    assert rows["sersic_index"][0] == pytest.approx(1.0, rel=0.05)


# pedestal


class Adding:
    """Adds a level to what it is given."""

    def __init__(self, level):
        self.level = level

    def denoise(self, observed):
        return Denoised(observed.image * 0.5 + np.float32(self.level))


def test_a_known_pedestal_comes_out_and_none_where_there_is_none(scenes):
    observed = scenes[1]
    none, some = (sky_pedestal(Adding(level), observed, seed=3) for level in (0.0, 0.3))
    assert abs(none.level) < 4 * none.standard_error
    # mean of 2304 pixels of 1 sigma 2, halved
    assert none.standard_error == pytest.approx(0.5 * SIGMA / 48 / math.sqrt(40), rel=0.35)
    assert some.level - none.level == pytest.approx(0.3, abs=1e-6)
    assert some.in_sigma == pytest.approx(some.level / SIGMA, rel=1e-6)
    assert some.n_images == 40
    with pytest.raises(InputError, match="two images"):
        sky_pedestal(Adding(0.0), observed[:1])


# made-up sources


def point_of(band, significance):
    """Flux of a point source that stands out by this much."""
    return significance * SIGMA / math.sqrt(float((band.psf**2).sum()))


@pytest.mark.parametrize(("significance", "count"), [(8.0, 1), (5.5, 1), (4.5, 0), (2.0, 0)])
def test_a_source_that_is_not_there_is_counted_from_five_sigma_on(significance, count):
    truth = gaussian(flux=3000.0, sigma=3.0)
    band = band_of(observed_of(truth), 0)
    made = truth.copy()
    made[8, 36] += point_of(band, significance)
    assert significance_map(band, made - truth)[8, 36] == pytest.approx(significance, rel=1e-5)
    found = hallucinated_sources(band, made, truth)
    assert len(found) == count
    if count:
        assert found.tolist() == [[8, 36]]


def test_light_that_is_there_is_not_made_up_whatever_its_flux_and_width():
    truth = gaussian(flux=3000.0, sigma=3.0)
    truth[8, 36] += 60.0
    band = band_of(observed_of(truth), 0)
    wide = ndimage.gaussian_filter(truth, 2.5)
    for made in (truth, 1.3 * truth, 0.5 * truth, wide, np.zeros_like(truth)):
        assert len(hallucinated_sources(band, made, truth)) == 0
    moved = np.roll(truth, 9, axis=0)
    assert len(hallucinated_sources(band, moved, truth)) == 2


def test_noise_that_is_kept_is_no_source():
    truth = gaussian(flux=3000.0, sigma=3.0)
    counts = 0
    for number in range(30):
        observed = observed_of(truth, number)
        counts += len(hallucinated_sources(band_of(observed, 0), observed.image[0].astype(float), truth))
    assert counts == 0


def test_prominence_is_height_above_the_saddle():
    ridge = np.zeros((5, 9))
    ridge[2] = [1, 3, 7, 4, 2, 3, 6, 5, 1]
    found = peak_prominences(ridge)
    assert found[2, 2] == 7.0
    assert found[2, 6] == 4.0
    assert np.count_nonzero(found) == 2
    assert not peak_prominences(-np.ones((4, 4))).any()


def test_the_match_radius_is_the_width_of_the_psf():
    assert match_radius_pix(psf_of(2.0, 10)) == pytest.approx(2.0 * 2.3548, rel=0.01)
    assert match_radius_pix(np.ones((1, 1))) == 2.0


# pixels


def test_stated_uncertainties_cover_what_they_say_and_half_of_them_do_not(scenes):
    truths, observed = scenes
    rng = random_stream(8, "test.coverage")
    results = [truth + 0.5 * rng.standard_normal(truth.shape) for truth in truths]
    tables = {
        name: galaxy_errors(observed, [denoised_of(one, sigma) for one in results], fits_sersic=False)
        for name, sigma in (("right", 0.5), ("half", 0.25))
    }
    found = accuracy_table(tables, chance=FEW).entries
    for level in (50, 68, 95):
        for where in ("", "_galaxy"):
            right = found["right"]["all"][f"coverage_{level}{where}"]
            assert right.value == pytest.approx(level / 100, abs=0.01)
            half = found["half"]["all"][f"coverage_{level}{where}"]
            reach = stats.norm.ppf(0.5 + level / 200) / 2
            assert half.value == pytest.approx(2 * stats.norm.cdf(reach) - 1, abs=0.01)
    assert math.isnan(covered_shares(*np.ones((3, 2, 2)), np.zeros((2, 2), dtype=bool))[0])


def test_similarity_and_psnr_are_those_of_scikit_image():
    metrics = pytest.importorskip("skimage.metrics")
    truth = gaussian(flux=4000.0)
    made = truth + random_stream(9, "test.ssim").standard_normal(truth.shape)
    span = float(np.ptp(truth))
    theirs = metrics.structural_similarity(
        truth, made, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=span
    )
    assert structural_similarity(made, truth) == pytest.approx(theirs, rel=1e-6)
    everywhere = np.ones(truth.shape, dtype=bool)
    assert peak_signal_to_noise_db(made, truth, everywhere) == pytest.approx(
        metrics.peak_signal_noise_ratio(truth, made, data_range=span), rel=1e-9
    )
    assert structural_similarity(3 * made, truth) < 0.9 * theirs


def test_the_residual_of_the_truth_is_white_and_that_of_fitted_noise_is_not():
    truth, psf = gaussian(64, flux=3000.0), psf_of()
    powers = {"truth": [], "fitted": []}
    chi2 = {"truth": [], "fitted": []}
    for number in range(20):
        observed = observed_of(truth, number, psf=psf)
        band = band_of(observed, 0)
        noise = observed.image[0] - ndimage.convolve(truth, psf, mode="constant")
        for name, result in (
            ("truth", truth),
            ("fitted", truth + ndimage.gaussian_filter(noise, 2.0)),
        ):
            residual = reconvolved_residual(band, result)
            powers[name].append(residual.power)
            chi2[name].append(residual.chi2)
    white, fitted = (np.mean(powers[name], axis=0) for name in ("truth", "fitted"))
    # a mode's power scatters by itself, and the first ring has 6 of them an image
    assert white[0] == pytest.approx(1.0, abs=0.3)
    np.testing.assert_allclose(white[1:], 1.0, atol=0.06)
    assert fitted[0] < 0.6
    assert fitted[-1] == pytest.approx(1.0, abs=0.06)
    assert np.mean(chi2["truth"]) == pytest.approx(1.0, abs=0.01)
    assert np.mean(chi2["fitted"]) < 0.985


def test_the_residual_knows_the_correlation_of_the_noise():
    impulse = np.zeros((13, 13))
    impulse[6, 6] = 1.0
    kernel = ndimage.gaussian_filter(impulse, 0.7, truncate=8)
    correlation = signal.fftconvolve(kernel, kernel, mode="same")
    correlation = (correlation / correlation[6, 6]).astype(np.float32)
    powers = {True: [], False: []}
    for number in range(20):
        white = random_stream(10, "test.correlated", number).standard_normal((64, 64))
        noise = ndimage.gaussian_filter(white, 0.7, mode="wrap", truncate=8)
        image = (SIGMA * noise / math.sqrt(float((kernel**2).sum()))).astype(np.float32)[None]
        ivar = np.full(image.shape, 1 / SIGMA**2, dtype=np.float32)
        for told, found in powers.items():
            observed = Observed(
                image, ivar, np.ones((1, 1, 1)), noise_correlation=correlation if told else None
            )
            residual = reconvolved_residual(band_of(observed, 0), np.zeros((64, 64)))
            found.append(residual.power)
    assert np.mean(powers[True], axis=0)[0] == pytest.approx(1.0, abs=0.3)
    np.testing.assert_allclose(np.mean(powers[True], axis=0)[1:], 1.0, atol=0.1)
    assert np.mean(powers[False], axis=0)[-1] < 0.2


# shapes


def test_adaptive_moments_are_those_of_galsim():
    galsim = pytest.importorskip("galsim")
    y, x = np.mgrid[:64, :64] - 31.5
    for q, scale, angle in ((0.5, 4.0, 0.3), (0.8, 2.5, -1.1), (1.0, 6.0, 0.0)):
        u, v = x * np.cos(angle) + y * np.sin(angle), (y * np.cos(angle) - x * np.sin(angle)) / q
        image = 1e3 * np.exp(-np.hypot(u, v) / scale)
        theirs = galsim.hsm.FindAdaptiveMom(galsim.Image(image))
        ours = adaptive_shape(image, aperture_of(image))
        # galsim stops at 1e-6 in its own step and draws no pixel beyond 3 sigma and more
        assert ours.e1 == pytest.approx(theirs.observed_shape.e1, abs=2e-4)
        assert ours.e2 == pytest.approx(theirs.observed_shape.e2, abs=2e-4)
        assert ours.sigma_pix == pytest.approx(theirs.moments_sigma, rel=1e-3)


def test_what_has_no_shape_is_nan():
    blank = Aperture(20.0, 20.0, 10.0)
    assert math.isnan(adaptive_shape(np.zeros((40, 40)), blank).e1)
    assert math.isnan(adaptive_shape(np.ones((40, 40)), blank).e1)
    assert math.isnan(light_within(-np.ones((40, 40)), blank).r_half_pix)
    assert aperture_of(np.zeros((8, 8))) is None


# the table


def test_intervals_cover_and_pairs_are_sharper_than_single_sets():
    rng = random_stream(12, "test.table")
    covered = 0
    for number in range(60):
        flux = np.exp(rng.normal(0, 0.2, 80))
        rows = _rows(80, flux=1 / flux, mse=np.exp(rng.normal(0, 1, 80)))
        found = accuracy_table({"a": rows}, chance=Chance(seed=number, replicates=200))
        bias = found.entries["a"]["all"]["flux_bias_mag"]
        covered += bias.low <= 0.0 <= bias.high
    # binomial with 60 at 0.95: 52 and more with 99 %
    assert covered >= 52
    bright = np.exp(rng.normal(0, 2, 200))
    two = {
        "good": _rows(200, mse=bright * 0.8),
        "bad": _rows(200, mse=bright * np.exp(rng.normal(0, 0.1, 200))),
    }
    table = accuracy_table(two, chance=FEW)
    ratio = table.ratios["good"]["bad"]
    assert ratio.geometric.high < 0.83
    assert ratio.geometric.low > 0.77
    single = table.entries["good"]["all"]["mse_geometric"]
    assert single.high / single.low > 1.4
    assert table.ratios["bad"]["good"].mean.value == pytest.approx(1 / ratio.mean.value)


def _rows(n, *, bands=1, **columns):
    whole = {name: np.full(n, np.nan) for entry in QUANTITIES for name in entry.columns}
    for name in (
        "flux",
        "flux_truth",
        "r_half_pix",
        "r_half_pix_truth",
        "sersic_index",
        "sersic_index_truth",
    ):
        whole[name] = np.ones(n)
    for name in ("mse", "e1", "e1_truth", "e2", "e2_truth"):
        whole[name] = np.ones(n)
    for name in ("log_mse", "flux_error_mag", "r_half_error", "sersic_index_error", "ellipticity_error"):
        whole.pop(name)
    whole |= {"galaxy": np.arange(n) // bands, "band": np.arange(n) % bands}
    whole |= {"signal_to_noise": np.linspace(5, 300, n)}
    return pd.DataFrame(whole | columns)


def test_bands_of_a_galaxy_are_drawn_together():
    rng = random_stream(13, "test.table")
    level = np.repeat(rng.normal(0, 1, 50), 4)
    together = accuracy_table({"a": _rows(200, bands=4, chi2=level)}, chance=FEW).entries["a"]["all"]["chi2"]
    apart = accuracy_table({"a": _rows(200, chi2=level)}, chance=FEW).entries["a"]["all"]["chi2"]
    # four bands alike are one galaxy's worth: the interval is twice as wide
    assert (together.high - together.low) / (apart.high - apart.low) == pytest.approx(2.0, rel=0.3)


def test_medians_are_those_of_numpy():
    rng = random_stream(14, "test.table")
    for n in (7, 8):
        values = rng.normal(0, 1, n)
        rows = _rows(n, flux=10 ** (-0.4 * values))
        found = accuracy_table({"a": rows}, chance=FEW).entries["a"]["all"]["flux_bias_mag"]
        assert found.value == pytest.approx(np.median(values))


def test_bins_are_by_signal_to_noise_and_empty_ones_are_left_out():
    table = accuracy_table({"a": _rows(60)}, edges=(20.0, 100.0, 400.0), chance=FEW)
    assert list(table.entries["a"]) == ["all", "S/N < 20", "S/N 20 to 100", "S/N 100 to 400"]
    assert sum(of["mse_mean"].n for name, of in table.entries["a"].items() if name != "all") == 60


def test_a_bin_or_quantity_that_is_not_there_is_refused():
    table = accuracy_table({"a": _rows(60)}, chance=FEW)
    assert table.bins == ("all", "S/N < 20", "S/N 20 to 100", "S/N 100 to 200", "S/N > 200")
    assert table.to_markdown(bin_name="S/N > 200", quantities=("m1",)).startswith("| method |")
    with pytest.raises(SettingsError, match="did you mean 'S/N < 20'"):
        table.to_markdown(bin_name="S/N < 21")
    with pytest.raises(SettingsError, match="did you mean 'hallucinated'"):
        table.to_markdown(quantities=("hallucinate",))


def test_a_table_outlives_its_file_and_is_written_as_a_page_has_it(tmp_path, scenes):
    truths, observed = scenes
    rows = galaxy_errors(observed, [denoised_of(1.1 * t) for t in truths], fits_sersic=False)
    pedestals = {"bright": sky_pedestal(Adding(0.3), observed)}
    table = accuracy_table({"bright": rows, "same": rows}, pedestals=pedestals, chance=FEW)
    table.write(tmp_path / "table.json")
    again = AccuracyTable.read(tmp_path / "table.json")
    assert again.to_dict() == table.to_dict()
    assert again.to_markdown() == table.to_markdown()
    lines = table.to_markdown().splitlines()
    assert lines[0].startswith("| method | MSE, mean |")
    assert lines[0].index("flux bias") < lines[0].index("PSNR")
    assert "-0.103 (-0.103, -0.103)" in lines[2]
    assert "| 0.15 ± " in lines[2]
    assert lines[3].endswith("| – |")
    assert "Sérsic" not in lines[0]
    (tmp_path / "other.json").write_text('{"entries": 3}', encoding="utf-8")
    with pytest.raises(InputError, match="no table of accuracy"):
        AccuracyTable.read(tmp_path / "other.json")


def test_what_does_not_belong_together_is_refused(scenes):
    truths, observed = scenes
    results = [denoised_of(truth) for truth in truths]
    with pytest.raises(InputError, match="a result for each of 40"):
        galaxy_errors(observed, results[:3])
    blind = Observed(observed[0].image, observed[0].ivar, observed[0].psf)
    with pytest.raises(InputError, match="observation 0 has no truth"):
        galaxy_errors([blind], results[:1])
    with pytest.raises(InputError, match="result 0 has another shape"):
        galaxy_errors(observed[:1], [denoised_of(np.zeros((3, 3)))])
    with pytest.raises(InputError, match="b has other galaxies"):
        accuracy_table({"a": _rows(4), "b": _rows(5)})
    with pytest.raises(InputError, match="a method with a galaxy"):
        accuracy_table({})


def test_a_result_that_is_not_finite_is_lost_and_counted(scenes):
    truths, observed = scenes
    results = [denoised_of(truth) for truth in truths]
    results[3] = denoised_of(np.full((SIDE, SIDE), np.nan))
    rows = galaxy_errors(observed, results)
    found = accuracy_table({"a": rows}, chance=FEW).entries["a"]["all"]
    for name in ("chi2", "flux_bias_mag", "m1", "hallucinated", "sersic_index_bias"):
        assert found[name].n_lost == 1, name


def test_images_without_room_for_a_window_have_no_similarity():
    small, large = (np.outer(np.arange(side), np.ones(side)) for side in (10, 11))
    assert np.isnan(structural_similarity(small, small))
    assert structural_similarity(large, large) == pytest.approx(1.0)
