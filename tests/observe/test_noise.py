import galsim
import numpy as np
import pytest
from astropy.io import fits
from numpy.testing import assert_allclose, assert_array_equal
from scipy import ndimage
from scipy.ndimage import gaussian_filter

from galsmith.errors import InputError, SettingsError
from galsmith.images import ImageHeader
from galsmith.observe import Observation
from galsmith.observe.correlation import (
    correlation_beside_sources,
    correlation_of_blank_sky,
    correlation_of_spectrum,
)
from galsmith.observe.noise import CorrelatedNoise, ExposureNoise, GaussianNoise, PoissonNoise, Sky
from galsmith.observe.psf import GaussianPsf
from galsmith.seeds import random_stream

BANDS = ("g", "r")
HEADER = ImageHeader(BANDS, "nJy", 0.2, zero_points_mag=dict.fromkeys(BANDS, 31.4))
REPEATS = 400


def many(observation, clean, header=HEADER, n=REPEATS, **options):
    """The same image, observed again and again."""
    return [observation.observe(clean, random_stream(3, "observe", k), header, **options) for k in range(n)]


def ramp():
    """Light from none to 40 flux units a pixel, in two bands."""
    return np.stack([np.tile(np.linspace(0, 40, 16), (16, 1)), np.full((16, 16), 10.0)]).astype(np.float32)


def assert_normal(images, mean, ivar):
    """Residuals in units of what the law says have mean 0 and variance 1, over all and in each column."""
    pulls = (np.stack(images) - mean) * np.sqrt(ivar)
    for part in (pulls, *np.moveaxis(pulls, -1, 0)):
        assert part.mean() == pytest.approx(0, abs=5 / np.sqrt(part.size))
        # a Poisson number of mean m has an excess kurtosis of 1 / m, which is small here
        assert part.var() == pytest.approx(1, abs=5 * np.sqrt(2.2 / part.size))


def test_counted_light_has_the_variance_that_is_said_at_each_pixel():
    noise = PoissonNoise(gain={"g": 2.0, "r": 5.0}, read_noise_electron=3.0)
    observation = Observation(noise=noise, sky=Sky(level={"g": 20.0, "r": 8.0}))
    observed = many(observation, ramp())
    expected = (ramp() + np.array([20.0, 8.0])[:, None, None]) / np.array([2.0, 5.0])[:, None, None]
    expected += 9 / np.array([4.0, 25.0])[:, None, None]
    assert_allclose(1 / observed[0].ivar, expected, rtol=1e-5)
    assert_normal([one.image for one in observed], ramp(), observed[0].ivar)


def test_the_noise_of_another_gain_is_told_apart():
    observation = Observation(noise=PoissonNoise(gain=2.0), sky=Sky(level=20.0))
    images = [one.image for one in many(observation, ramp())]
    other = Observation(noise=PoissonNoise(gain=2.2), sky=Sky(level=20.0)).observe(
        ramp(), random_stream(0, "observe"), HEADER
    )
    with pytest.raises(AssertionError):
        assert_normal(images, ramp(), other.ivar)


def test_the_sky_is_subtracted_or_kept_and_its_noise_stays():
    kept, subtracted = (
        Observation(noise=PoissonNoise(gain=2.0), sky=Sky(level=100.0, is_kept=is_kept))
        for is_kept in (True, False)
    )
    first, second = (one.observe(ramp(), random_stream(1, "observe"), HEADER) for one in (kept, subtracted))
    assert_allclose(first.image - second.image, 100, rtol=1e-5)
    assert_array_equal(first.ivar, second.ivar)
    assert_array_equal(first.truth, ramp())


def test_an_exposure_is_a_gain_by_zero_points():
    # 31.4 + 2.5 log10(50) makes one flux unit 1 / 50 of an electron per second, and 2 electrons in 100 s
    exposure = ExposureNoise(
        zero_point_mag=31.4 - 2.5 * np.log10(50),
        exposure_s=100.0,
        n_exposures=4,
        read_noise_electron=1.5,
        dark_electron_s=0.06,
    )
    magnitude = 31.4 - 2.5 * np.log10(20 / 0.2**2)  # 20 flux units a pixel of 0.04 square arcsec
    observation = Observation(noise=exposure, sky=Sky(mag_arcsec2=magnitude))
    by_gain = Observation(noise=PoissonNoise(gain=2.0, read_noise_electron=3.0), sky=Sky(level=20.0 + 3.0))
    first, second = (
        one.observe(ramp(), random_stream(1, "observe"), HEADER) for one in (observation, by_gain)
    )
    assert_allclose(first.ivar, second.ivar, rtol=1e-5)
    assert_allclose(first.image, second.image, atol=1e-3)


def test_noise_in_a_clean_image_is_no_negative_light():
    clean = np.full((2, 16, 16), -30.0, dtype=np.float32)
    observed = many(Observation(noise=PoissonNoise(gain=2.0), sky=Sky(level=20.0)), clean)
    assert_normal([one.image for one in observed], clean, observed[0].ivar)
    assert_allclose(observed[0].ivar, 0.1, rtol=1e-6)


def smooth_noise(chance, side=128, sigma=1.0):
    return gaussian_filter(chance.normal(size=(side, side)), sigma, mode="wrap")


def test_the_spectrum_of_the_noise_is_the_one_given():
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(32), np.fft.fftfreq(32), indexing="ij"))
    spectrum = 0.1 + np.exp(-((frequency / 0.2) ** 2))
    observation = Observation(noise=CorrelatedNoise(sigma=3.0, spectrum=spectrum))
    # far from any edge of its frame noise has the power of the law: taken on the whole, which is twice the spectrum's side
    observed = many(observation, np.zeros((2, 64, 64)), n=200)
    images = np.stack([one.image for one in observed]).reshape(-1, 64, 64)
    assert images.var() == pytest.approx(9, rel=0.02)
    window = np.outer(np.hanning(64), np.hanning(64))
    power = (np.abs(np.fft.fft2(images * window)) ** 2).mean(axis=0) / (window**2).sum()
    # every second frequency of the larger frame is one of the spectrum; windows and cut correlations blur a little
    expected = 9 * spectrum / spectrum.mean()
    scatter = 1 / np.sqrt(len(images))
    assert_allclose(power[::2, ::2], expected, rtol=5.5 * scatter + 0.1)
    assert np.ptp(expected) > 5 * expected.min()
    white = power.mean()
    assert np.abs(power[::2, ::2] / white - 1).max() > 2


def test_blank_sky_gives_its_own_noise_back(tmp_path):
    chance = random_stream(5, "test")
    paths = []
    for number in range(3):
        path = tmp_path / f"sky{number}.fits"
        fits.PrimaryHDU(50 + 2.0 * smooth_noise(chance)).writeto(path)
        paths.append(str(path))
    noise = CorrelatedNoise(blank_sky=tuple(paths))
    truth = np.exp(-(np.hypot(*np.mgrid[-8:9, -8:9]) ** 2) / 4)  # a Gaussian of width 1, with itself
    assert_allclose(noise.correlation, truth, atol=0.06)
    observed = many(Observation(noise=noise), np.zeros((2, 48, 48)), n=100)
    # about 1 of (1 / 2 sqrt(pi)) is left of the deviation of white noise
    assert observed[0].ivar[0, 0, 0] == pytest.approx(4 * np.pi / 4, rel=0.06)
    _, again = correlation_of_blank_sky([one.image[0].astype(float) for one in observed], 8)
    assert_allclose(again, noise.correlation, atol=0.05)
    assert_allclose(observed[0].noise_correlation, noise.correlation, atol=1e-6)
    independent = many(Observation(noise=GaussianNoise(sigma=1.0)), np.zeros((2, 48, 48)), n=10)
    assert independent[0].noise_correlation is None
    _, none = correlation_of_blank_sky([one.image[0].astype(float) for one in independent], 8)
    assert np.abs(none - noise.correlation).max() > 0.5


def test_correlations_are_those_that_galsim_measures():
    field = smooth_noise(random_stream(6, "test"), side=96, sigma=0.8)
    _, ours = correlation_of_blank_sky([field], 3)
    image = galsim.Image(field - field.mean(), scale=1.0)
    measured = galsim.CorrelatedNoise(image, subtract_mean=False, correct_periodicity=False)
    theirs = measured.drawImage(galsim.Image(7, 7, scale=1.0)).array
    # galsim's sum over pairs is cyclic, and divided by all pixels: ours has fewer pairs at larger distances
    assert_allclose(ours, theirs / theirs.max(), atol=0.03)


def test_a_spectrum_is_the_transform_of_its_correlation():
    for side in (15, 16):
        frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side), indexing="ij"))
        correlation = correlation_of_spectrum(np.exp(-((frequency / 0.2) ** 2)))
        middle = correlation.shape[0] // 2
        assert correlation.shape[0] % 2 == 1
        assert correlation[middle, middle] == 1
        assert_allclose(correlation, correlation[::-1, ::-1], atol=1e-15)
    assert_allclose(
        correlation_of_spectrum(np.ones((9, 9))), np.eye(9)[4][:, None] * np.eye(9)[4], atol=1e-15
    )


def test_the_law_of_noise_and_not_the_place_of_its_file_is_hashed(tmp_path):
    stamp = np.exp(-(np.hypot(*np.mgrid[-4:5, -4:5]) ** 2) / 4)
    for name in ("one.fits", "two.fits"):
        fits.PrimaryHDU(stamp).writeto(tmp_path / name)
    by_file = [
        Observation(noise=CorrelatedNoise(sigma=1.0, correlation_path=str(tmp_path / name)))
        for name in ("one.fits", "two.fits")
    ]
    given = Observation(noise=CorrelatedNoise(sigma=1.0, correlation_image=stamp))
    assert len({one.content_hash for one in (*by_file, given)}) == 1
    assert (
        Observation(noise=CorrelatedNoise(sigma=1.1, correlation_image=stamp)).content_hash
        != given.content_hash
    )


@pytest.mark.parametrize(
    ("settings", "header", "message"),
    [
        ({"noise": PoissonNoise(gain=2.0)}, HEADER, r"noise=poisson.*no noise at all.*sky\.level"),
        (
            {"noise": ExposureNoise(zero_point_mag=25.0, exposure_s=10.0), "sky": Sky(level=1.0)},
            ImageHeader(BANDS, "nJy"),
            "noise=exposure.*AB magnitude of one nJy is not known in g, r.*ingest",
        ),
        (
            {"noise": PoissonNoise(gain=2.0), "sky": Sky(mag_arcsec2=21.0)},
            ImageHeader(BANDS, "nJy"),
            r"sky\.mag_arcsec2=21.*zero point of g, r is not known.*sky\.level",
        ),
        (
            {"noise": CorrelatedNoise(sigma=1.0, correlation_image=np.ones((4, 4)))},
            HEADER,
            "has 4x4 pixels, whose middle one is not the largest; wanted an image of odd sides",
        ),
    ],
)
def test_noise_that_does_not_fit_the_images_is_refused(settings, header, message):
    observation = Observation(**settings)
    with pytest.raises(SettingsError, match=message):
        observation.observe(ramp(), random_stream(0, "observe"), header)


def test_skies_and_spectra_that_are_none_are_refused():
    with pytest.raises(InputError, match=r"16x16 px; wanted more than 16.*reach_pix"):
        correlation_of_blank_sky([np.zeros((16, 16))])
    with pytest.raises(InputError, match="all pixels are the same"):
        correlation_of_blank_sky([np.ones((32, 32))])
    with pytest.raises(InputError, match="values from -1 to 1; wanted finite powers"):
        correlation_of_spectrum(np.array([[1.0, -1.0]]))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sigma": 1.0}, "no correlation came; wanted one of correlation_path"),
        ({"spectrum": [[1.0, 1.0]]}, "sigma is missing"),
        ({"sigma": 1.0, "spectrum": [[1.0, 1.0]], "blank_sky": ("a.fits",)}, "spectrum and blank_sky came"),
    ],
)
def test_correlated_noise_is_stated_once(settings, message):
    with pytest.raises(ValueError, match=message):
        CorrelatedNoise(**settings)


def test_undefined_pixels_do_not_spread_and_the_mask_grows_by_the_core():
    clean = np.tile(np.linspace(10, 40, 48), (2, 48, 1)).astype(np.float32)
    broken = clean.copy()
    broken[0, 20:22, 30] = np.nan
    observation = Observation(psf=GaussianPsf(fwhm_pix=4.0), noise=GaussianNoise(sigma=1.0))
    whole, observed = (
        observation.observe(one, random_stream(1, "observe"), HEADER) for one in (clean, broken)
    )
    assert whole.mask is None
    assert np.isfinite(observed.image).all()
    assert np.isfinite(observed.truth).all()
    assert observed.mask[0, 20:22, 30].all()
    assert not observed.mask[1].any()
    rows, columns = np.nonzero(observed.mask[0])
    # the core of a width of 4 px reaches 2 px or a little less from its middle
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (18, 23, 28, 32)
    assert_array_equal(observed.ivar == 0, observed.mask)
    # filled from around them, so what is left of the mistake is far below the noise
    assert np.abs(observed.image - whole.image).max() < 0.2
    masked = observation.observe(clean, random_stream(1, "observe"), HEADER, mask=np.isnan(broken))
    assert_array_equal(masked.mask, observed.mask)
    assert_array_equal(masked.image, observed.image)


@pytest.mark.parametrize("convolve", ["before", "after"])
def test_masks_come_into_larger_pixels(convolve):
    mask = np.zeros((48, 48), dtype=bool)
    mask[21, 30] = True
    observation = Observation(pixel_factor=2.0, psf=GaussianPsf(fwhm_pix=1.0), convolve=convolve)
    observed = observation.observe(np.ones((2, 48, 48)), random_stream(1, "observe"), HEADER, mask=mask)
    assert observed.mask.shape == (2, 24, 24)
    assert np.argwhere(observed.mask[0]).tolist() == [[10, 15]]


def test_masks_of_another_shape_or_of_everything_are_refused():
    observation = Observation(psf=GaussianPsf(fwhm_pix=2.0))
    with pytest.raises(ValueError, match=r"mask has shape \(3, 3\) for an image of \(2, 16, 16\)"):
        observation.observe(ramp(), random_stream(1, "observe"), HEADER, mask=np.ones((3, 3)))
    with pytest.raises(ValueError, match="no pixel of a band can be used"):
        observation.observe(np.full((2, 16, 16), np.nan), random_stream(1, "observe"), HEADER)


@pytest.mark.parametrize("weight", [0.0, 0.12, 0.25])
def test_the_noise_beside_sources_is_known_by_what_neighbors_share(weight):
    rng = np.random.default_rng(4)
    taps = np.array([weight, 1, weight]) / np.sqrt(1 + 2 * weight**2)
    noise = rng.standard_normal((160, 140))
    for axis in (0, 1):
        noise = ndimage.convolve1d(noise, taps, axis=axis, mode="wrap")
    y, x = np.indices(noise.shape)
    galaxy = 200 * np.exp(-np.hypot(x - 70, y - 80) / 6) + 40 * np.exp(-np.hypot(x - 20, y - 130) / 3)
    found = correlation_beside_sources(noise + galaxy, np.ones(noise.shape, dtype=bool))
    if weight == 0:
        assert found is None
        return
    line = np.convolve(taps, taps)
    assert np.abs(found - np.outer(line, line)).max() < 0.05
    assert np.abs(found[2, 1:4:2] - line[1]).max() < 0.03
    # with the galaxy taken for noise it would be another
    _, naive = correlation_of_blank_sky([noise + galaxy], reach_pix=2)
    assert np.abs(naive - np.outer(line, line)).max() > 0.3


def test_an_image_without_sky_says_nothing_of_its_noise():
    bright = np.full((60, 60), 50.0) + np.random.default_rng(0).standard_normal((60, 60))
    assert correlation_beside_sources(bright, np.ones((60, 60), dtype=bool)) is None
    assert correlation_beside_sources(bright - 50, np.zeros((60, 60), dtype=bool)) is None
