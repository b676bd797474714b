import pickle
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from skimage.transform import resize

from galsmith.errors import SettingsError
from galsmith.images import ImageHeader
from galsmith.observe import PAPER_SHIFTS, Observation
from galsmith.observe.noise import GaussianNoise
from galsmith.observe.psf import GaussianPsf
from galsmith.seeds import random_stream

BANDS = ("g", "r", "i", "z")
HEADER = ImageHeader(
    BANDS, "electron / s", 0.04, physical_pixel_kpc=0.363, zero_points_mag=dict.fromkeys(BANDS, 25.0)
)
PAPER = PAPER_SHIFTS["none"]


def galaxy(height=64, width=64, bands=4, sigma=4.0):
    """A round Gaussian in the middle of the frame, of flux 1000 in each band."""
    y, x = np.mgrid[:height, :width]
    radius2 = (y - (height - 1) / 2) ** 2 + (x - (width - 1) / 2) ** 2
    light = np.exp(-0.5 * radius2 / sigma**2)
    return np.repeat((1000 * light / light.sum())[np.newaxis], bands, axis=0).astype(np.float32)


def second_moment(image):
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    image = image.astype(np.float64) / image.sum(dtype=np.float64)
    x0, y0 = (image * x).sum(), (image * y).sum()
    return 0.5 * float((image * ((x - x0) ** 2 + (y - y0) ** 2)).sum())


@pytest.mark.parametrize("shape", [(64, 64), (63, 63), (64, 63), (40, 97)])
def test_the_image_is_the_truth_convolved_with_the_kernel_that_comes_with_it(shape):
    from scipy.signal import convolve2d

    clean = random_stream(1, "test").normal(size=(4, *shape)).astype(np.float32)
    observed = Observation(psf=GaussianPsf(fwhm_pix={"g": 2, "r": 3, "i": 4, "z": 5})).observe(
        clean, random_stream(1, "observe"), HEADER
    )
    assert_array_equal(observed.truth, clean)
    for band in range(4):
        expected = convolve2d(clean[band].astype(np.float64), observed.psf[band], mode="same")
        assert_allclose(observed.image[band], expected, atol=2e-6)
    assert np.ptp([second_moment(psf) for psf in observed.psf]) > 1


def test_noise_is_a_function_of_the_stream_alone_and_has_the_variance_that_is_said():
    first, again, other = (
        PAPER.observe(galaxy(), random_stream(7, "observe", row), HEADER) for row in (3, 3, 4)
    )
    assert_array_equal(first.image, again.image)
    assert np.abs(first.image - other.image).min(axis=0).max() > 0
    many = np.stack(
        [PAPER.observe(galaxy(), random_stream(7, "observe", k), HEADER).image for k in range(60)]
    )
    residuals = (many - many.mean(axis=0)) * np.sqrt(first.ivar)
    n = residuals.size
    # the variance of n normal numbers scatters by sqrt(2 / n); 60 images took one mean each
    assert residuals.var() * 60 / 59 == pytest.approx(1, abs=5 * np.sqrt(2 / n))


def test_widths_add_in_quadrature_and_flux_stays():
    for law, extra in (("points", 0.0), ("integrated", 1 / 12)):
        observation = Observation(psf=GaussianPsf(sigma_pix=2.0, values=law))
        clean = galaxy(128, 128)
        observed = observation.observe(clean, random_stream(0, "observe"), HEADER)
        # the flux outside of the kernel, 1e-4, took 1e-4 (1 + 9.2) of the second moment with it
        assert second_moment(observed.image[0]) == pytest.approx(16 + 4 + extra, rel=4e-4)
        assert observed.image.sum(dtype=np.float64) == pytest.approx(clean.sum(dtype=np.float64), rel=1e-6)


def test_a_wider_law_is_told_apart_from_the_asked_one():
    clean = galaxy(128, 128)
    observed = Observation(psf=GaussianPsf(sigma_pix=2.1)).observe(clean, random_stream(0, "observe"), HEADER)
    assert second_moment(observed.image[0]) != pytest.approx(16 + 4 + 1 / 12, rel=4e-4)


@pytest.mark.parametrize("size", [64, 65])
@pytest.mark.parametrize("resampling", ["area", "linear"])
@pytest.mark.parametrize("convolve", ["before", "after"])
def test_nothing_moves(size, resampling, convolve):
    clean = galaxy(size, size, sigma=3.0)
    observation = Observation(
        psf=GaussianPsf(sigma_pix=1.5), pixel_factor=2.0, resampling=resampling, convolve=convolve
    )
    observed = observation.observe(clean, random_stream(0, "observe"), HEADER)
    assert_allclose(observed.image, observed.image[:, ::-1, ::-1], atol=1e-5)
    assert_allclose(observed.truth, observed.truth[:, ::-1, ::-1], atol=1e-5)


def test_larger_pixels_keep_the_flux_and_the_magnitude():
    clean = galaxy()
    for factor in (2.0, 1.7, 0.5):
        observation = Observation(pixel_factor=factor)
        observed = observation.observe(clean, random_stream(0, "observe"), HEADER)
        assert observed.image[0].sum(dtype=np.float64) == pytest.approx(1000, rel=1e-6)
        header = observation.observed_header(HEADER)
        assert header.pixel_scale_arcsec == pytest.approx(0.04 * factor)
        assert header.physical_pixel_kpc == pytest.approx(0.363 * factor)
        assert header.zero_points_mag == HEADER.zero_points_mag
    linear = Observation(pixel_factor=2.0, resampling="linear")
    observed = linear.observe(clean, random_stream(0, "observe"), HEADER)
    assert observed.image[0].sum(dtype=np.float64) == pytest.approx(250, rel=1e-4)
    zero_point = linear.observed_header(HEADER).zero_points_mag["r"]
    assert zero_point - 2.5 * np.log10(250) == pytest.approx(25 - 2.5 * np.log10(1000), abs=1e-6)


def test_surface_brightness_is_averaged_and_not_summed():
    header = ImageHeader(("r",), "MJy / sr", 0.1)
    flat = np.full((1, 40, 40), 3.0, dtype=np.float32)
    observed = Observation(pixel_scale_arcsec=0.25).observe(flat, random_stream(0, "observe"), header)
    assert observed.image.shape == (1, 16, 16)
    assert_allclose(observed.image, 3.0, rtol=1e-6)


def as_their_code(clean):
    """What the code of Holzschuh et al. (2022) does to one band: convolve on 41 px, then shrink by half."""
    from scipy.signal import fftconvolve

    y, x = np.mgrid[-20:21, -20:21]
    psf = np.exp(-(x**2 + y**2) / (2.0 * 2.0**2))
    convolved = fftconvolve(clean, psf / psf.sum(), mode="same")
    half = clean.shape[0] // 2, clean.shape[1] // 2
    return resize(convolved, half), resize(clean, half)


@pytest.mark.parametrize("size", [64, 65])
def test_the_papers_shift_of_the_pixel_scale_is_that_of_its_code(size):
    clean = galaxy(size, size, sigma=3.0)
    scene = PAPER_SHIFTS["pixel-scale-coded"].scene(clean, HEADER)
    convolved, truth = as_their_code(clean[0].astype(np.float64))
    assert_allclose(scene.mean[0], convolved, atol=1e-6)
    assert_allclose(scene.truth[0], truth, atol=1e-6)
    text = PAPER_SHIFTS["pixel-scale-text"].scene(clean, HEADER)
    assert_allclose(text.truth, scene.truth)
    assert np.abs(text.mean[0] - convolved).max() > 0.1 * convolved.max()


def test_the_point_spread_of_the_code_is_half_as_wide_as_that_of_the_text():
    coded, text = (PAPER_SHIFTS[f"pixel-scale-{kind}"] for kind in ("coded", "text"))
    clean = galaxy(128, 128, sigma=8.0)
    for observation, sigma in ((coded, 1.0), (text, 2.0)):
        scene = observation.scene(clean, HEADER)
        assert second_moment(scene.kernels[0]) == pytest.approx(sigma**2, rel=1e-3)
        widened = second_moment(scene.mean[0]) - second_moment(scene.truth[0])
        assert widened == pytest.approx(sigma**2, rel=1e-3)
        assert observation.observed_header(HEADER).psf["psf_fwhm_pix"] == pytest.approx(
            2.3548 * sigma, rel=1e-4
        )


def test_the_kernel_of_larger_pixels_makes_the_image_of_the_truth():
    clean = galaxy(128, 128, sigma=5.0)
    observation = Observation(psf=GaussianPsf(sigma_pix=4.0), pixel_factor=2.0)
    observed = observation.observe(clean, random_stream(0, "observe"), HEADER)
    again = Observation(psf=GaussianPsf(sigma_pix=2.0)).observe(observed.truth, random_stream(0, "o"), HEADER)
    assert_array_equal(again.psf, observed.psf)
    # the coarser pixel enters the kernel once more: 1/12 - 1/48 px^2 on a second moment of 10
    assert np.abs(again.image - observed.image).max() < 0.01 * observed.image.max()


def test_the_noises_of_the_paper():
    sigmas = {name: observation.noise.sigma for name, observation in PAPER_SHIFTS.items()}
    assert sigmas == {
        "none": 4.0,
        "pixel-scale-coded": 4.0,
        "pixel-scale-text": 4.0,
        "noise-16": 16.0,
        "noise-20": 20.0,
        "both": 20.0,
        "both-text": 16.0,
    }


def test_a_hash_names_operator_and_noise_and_nothing_else():
    same = Observation(
        psf=GaussianPsf(sigma_pix=2.0, values="points", radius_pix=20), noise=GaussianNoise(sigma=4)
    )
    same.observe(galaxy(), random_stream(0, "observe"), HEADER)
    assert same.content_hash == PAPER.content_hash
    assert len({observation.content_hash for observation in PAPER_SHIFTS.values()}) == len(PAPER_SHIFTS)


def test_an_observation_without_noise_says_so():
    observed = Observation(psf=GaussianPsf(sigma_pix=2.0)).observe(
        galaxy(), random_stream(0, "observe"), HEADER
    )
    assert np.isposinf(observed.ivar).all()


def test_widths_of_the_images_own_point_spread_are_added_in_quadrature():
    sharp = ImageHeader(("r",), "nJy", 0.1, psf={"psf_fwhm_pix": 3.0, "telescope": "HST"})
    observation = Observation(psf=GaussianPsf(fwhm_arcsec=0.8), pixel_scale_arcsec=0.2)
    described = observation.observed_header(sharp).psf
    assert described == {"telescope": "HST", "psf_fwhm_pix": pytest.approx(np.hypot(1.5, 4.0))}
    by_band = Observation(psf=GaussianPsf(fwhm_pix={"g": 3.0, "r": 4.0}))
    both = by_band.observed_header(ImageHeader(("g", "r"), "nJy"))
    assert both.psf == {"psf_fwhm_pix_by_band": {"g": 3.0, "r": 4.0}}


NO_SCALE = ImageHeader(("r",), "nJy")


@pytest.mark.parametrize(
    ("settings", "header", "message"),
    [
        ({"psf": GaussianPsf(fwhm_arcsec=0.7)}, NO_SCALE, r"psf\.fwhm_arcsec=0\.7.*not known.*in pixels"),
        ({"pixel_scale_arcsec": 0.2}, NO_SCALE, r"pixel_scale_arcsec=0\.2.*not known.*pixel_factor"),
        ({"pixel_factor": 70.0}, NO_SCALE, r"pixel_factor=70.*larger than an image of 64x64 px"),
        (
            {"psf": GaussianPsf(fwhm_pix={"R": 2.0})},
            NO_SCALE,
            r"psf\.fwhm_pix=R.*none for the band 'r'",
        ),
        ({"noise": GaussianNoise(sigma={"g": 2.0})}, NO_SCALE, r"noise\.sigma=g.*none for the band 'r'"),
        ({}, ImageHeader(("r",), "mag / arcsec2"), r"flux_unit=mag / arcsec2.*cannot be convolved"),
    ],
)
def test_what_does_not_fit_the_images_is_refused(settings, header, message):
    observation = Observation(**settings)
    with pytest.raises(SettingsError, match=message):
        observation.observe(galaxy(bands=1), random_stream(0, "observe"), header)


@pytest.mark.parametrize("sigma", [0.0, -1.0, {"r": 0.0}, float("nan")])
def test_noise_that_is_none_or_negative_is_refused(sigma):
    with pytest.raises(ValueError, match="sigma"):
        GaussianNoise(sigma=sigma)


@pytest.mark.parametrize("widths", [{}, {"fwhm_pix": 3.0, "sigma_pix": 1.0}])
def test_a_width_is_stated_once(widths):
    with pytest.raises(ValueError, match="wanted one of fwhm_pix, fwhm_arcsec, sigma_pix, sigma_arcsec"):
        GaussianPsf(**widths)


def test_bands_that_are_missing_are_refused():
    with pytest.raises(ValueError, match=r"shape \(3, 64, 64\); wanted .* 4 bands"):
        PAPER.observe(galaxy(bands=3), random_stream(0, "observe"), HEADER)


def test_bands_are_called_as_the_settings_do():
    settings = {
        "psf": GaussianPsf(fwhm_pix={"i": 3.0, "g": 2.0}),
        "noise": GaussianNoise(sigma={"i": 2.0, "g": 1.0}),
    }
    header = ImageHeader(("F814W", "g"), "nJy", 0.1, zero_points_mag={"F814W": 31.4, "g": 31.0})
    renamed, own = Observation(**settings, bands={"F814W": "i"}), Observation(**settings)
    observed = renamed.observe(galaxy(bands=2), random_stream(0, "observe"), header)
    expected = own.observe(galaxy(bands=2), random_stream(0, "observe"), replace(header, bands=("i", "g")))
    assert_array_equal(observed.image, expected.image)
    assert_array_equal(observed.psf, expected.psf)
    assert renamed.observed_header(header).bands == ("F814W", "g")
    assert renamed.observed_header(header).psf == {"psf_fwhm_pix_by_band": {"F814W": 3.0, "g": 2.0}}
    assert renamed.content_hash != own.content_hash
    with pytest.raises(SettingsError, match="none for the band 'F814W'"):
        own.observe(galaxy(bands=2), random_stream(0, "observe"), header)


def test_a_copy_with_other_settings_is_another_observation():
    first = PAPER.observe(galaxy(), random_stream(0, "observe"), HEADER)
    other = PAPER.model_copy(update={"psf": GaussianPsf(sigma_pix=1.0), "noise": GaussianNoise(sigma=2.0)})
    assert other.content_hash != PAPER.content_hash
    observed = other.observe(galaxy(), random_stream(0, "observe"), HEADER)
    assert second_moment(observed.psf[0]) == pytest.approx(1 + 1 / 12, rel=2e-3)
    assert second_moment(first.psf[0]) == pytest.approx(4, rel=1e-3)
    assert_allclose(observed.ivar, 0.25)
    with pytest.raises(ValueError, match="pixel_factor"):
        PAPER.model_copy(update={"pixel_factor": -1.0})


def test_observations_go_to_other_processes_without_their_kernels():
    PAPER.observe(galaxy(), random_stream(0, "observe"), HEADER)
    packed = pickle.dumps(PAPER)
    assert len(packed) < 2000
    assert pickle.loads(packed) == PAPER


def test_a_scale_that_is_the_same_but_for_rounding_is_the_same():
    header = replace(HEADER, pixel_scale_arcsec=0.04 * (1 + 1e-13))
    observation = Observation(pixel_scale_arcsec=0.04)
    assert observation.factor(header) == 1
    assert_array_equal(observation.observe(galaxy(), random_stream(0, "o"), header).image, galaxy())
    assert Observation(pixel_scale_arcsec=0.0401).factor(header) != 1
