import galsim
import numpy as np
import pytest
from astropy.io import fits
from numpy.testing import assert_allclose

from galsmith.errors import InputError, SettingsError
from galsmith.images import ImageHeader
from galsmith.observe import Observation
from galsmith.observe.psf import GaussianPsf, ImagePsf, MoffatPsf, width_at_half_maximum
from galsmith.seeds import random_stream

BAND = ("r",)


def drawn(profile, side, scale=1.0, method="auto"):
    """An image that galsim draws, each pixel integrated unless ``method="no_pixel"``."""
    return profile.drawImage(nx=side, ny=side, scale=scale, method=method, dtype=float).array


# GSParams that make galsim's Fourier integrals right to 1e-7
EXACT = galsim.GSParams(
    folding_threshold=1e-5, maxk_threshold=1e-6, kvalue_accuracy=1e-9, maximum_fft_size=16384
)


@pytest.mark.parametrize("fwhm", [0.8, 1.7, 3.3, 6.0])
def test_gaussian_kernels_are_those_of_galsim(fwhm):
    integrated = GaussianPsf(fwhm_pix=fwhm).kernels(BAND, None)[0]
    profile = galsim.Gaussian(fwhm=fwhm, gsparams=EXACT)
    assert_allclose(
        integrated, drawn(profile, len(integrated)), atol=2e-5
    )  # 1e-4 of the flux is cut and given back
    points = GaussianPsf(fwhm_pix=fwhm, values="points", radius_pix=25).kernels(BAND, None)[0]
    expected = drawn(profile, 51, method="no_pixel")
    assert_allclose(points, expected / expected.sum(), atol=1e-12)


@pytest.mark.parametrize(("fwhm", "beta"), [(0.8, 4.5), (2.0, 3.5), (4.0, 2.5), (4.0, 4.765)])
def test_moffat_kernels_are_those_of_galsim(fwhm, beta):
    kernel = MoffatPsf(fwhm_pix=fwhm, beta=beta, radius_pix=40).kernels(BAND, None)[0]
    profile = galsim.Moffat(beta=beta, fwhm=fwhm, gsparams=EXACT)
    expected = drawn(profile, 81)
    assert_allclose(kernel, expected / expected.sum(), atol=3e-6)
    gaussian = GaussianPsf(fwhm_pix=fwhm, radius_pix=40).kernels(BAND, None)[0]
    assert np.abs(gaussian - kernel).max() > 100 * 3e-6


@pytest.mark.parametrize("law", [GaussianPsf(fwhm_pix=3.0), MoffatPsf(fwhm_pix=3.0, beta=3.0)])
def test_kernels_reach_as_far_as_all_but_a_ten_thousandth_of_the_flux(law):
    kernel = law.kernels(BAND, None)[0]
    radius = len(kernel) // 2
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    wide = (
        type(law)
        .model_validate({**law.model_dump(exclude_none=True), "radius_pix": 400})
        .kernels(BAND, None)[0]
    )
    inside = wide[400 - radius : 401 + radius, 400 - radius : 401 + radius].sum()
    assert 1 - 1.1e-4 < inside < 1
    smaller = wide[402 - radius : 399 + radius, 402 - radius : 399 + radius]
    circle = np.hypot(y, x)[2:-2, 2:-2] <= radius - 2
    assert smaller[circle].sum() < 1 - 1e-4
    assert kernel.sum() == pytest.approx(1, abs=1e-12)
    assert_allclose(kernel, kernel.T, rtol=1e-12)


def test_widths_are_widths_in_arcseconds_or_pixels_by_band():
    widths = {"g": 0.8, "r": 0.6}
    for law in (GaussianPsf(fwhm_arcsec=widths), MoffatPsf(fwhm_arcsec=widths)):
        assert_allclose(law.widths_pix(("r", "g"), 0.2), [3.0, 4.0])
        kernels = law.kernels(("r", "g"), 0.2)
        assert kernels.shape[1] % 2 == 1
        assert_allclose([width_at_half_maximum(kernel) for kernel in kernels], [3.0, 4.0], rtol=0.06)
    assert_allclose(GaussianPsf(sigma_pix=2.0).widths_pix(("r",), None), 4.70964)


def galaxy(side=97, half_light=5.0):
    """An exponential disc that galsim draws, tilted and off the middle."""
    profile = galsim.Exponential(half_light_radius=half_light, flux=100.0, gsparams=EXACT)
    return profile.shear(g1=0.2, g2=0.1).shift(0.3, -0.2)


def twice_in_pixels(profile):
    """The galaxy, whose light falls on pixels, is spread by a profile, and falls on pixels again."""
    pixels = galsim.Pixel(1.0), galsim.Pixel(1.0)
    return drawn(galsim.Convolve(galaxy(), profile, *pixels, gsparams=EXACT), 97, method="no_pixel")


@pytest.mark.parametrize(
    ("law", "profile"),
    [
        (GaussianPsf(fwhm_pix=3.0), galsim.Gaussian(fwhm=3.0)),
        (MoffatPsf(fwhm_pix=3.0, beta=3.5), galsim.Moffat(beta=3.5, fwhm=3.0)),
    ],
)
def test_convolved_galaxies_are_those_of_galsim(law, profile):
    clean = drawn(galaxy(), 97).astype(np.float32)
    observed = Observation(psf=law).observe(clean, random_stream(0, "observe"), ImageHeader(BAND, "nJy"))
    expected = twice_in_pixels(profile)
    assert np.abs(observed.image[0] - expected).max() < 1e-3 * expected.max()
    blurred = twice_in_pixels(profile.dilate(1.05))
    assert np.abs(observed.image[0] - blurred).max() > 5e-3 * expected.max()


def test_an_image_at_its_own_scale_is_taken_as_it_is():
    star = drawn(galsim.Moffat(beta=3.0, fwhm=3.0).shear(g1=0.1), 25)
    for scale in (None, 0.2):
        law = ImagePsf(image=7 * star, pixel_scale_arcsec=scale)
        assert_allclose(law.kernels(BAND, 0.2)[0], star / star.sum(), atol=1e-15)
    wide = ImagePsf(image=star[:, 2:-2]).kernels(BAND, None)[0]
    assert wide.shape == (25, 25)
    assert_allclose(wide[:, 2:-2] / wide.max(), star[:, 2:-2] / star.max())


@pytest.mark.parametrize("step", [0.5, 1.5, 3.0])
@pytest.mark.parametrize("side", [64, 65])
def test_an_image_of_another_scale_is_brought_to_the_wanted_one(step, side):
    profile = galsim.Moffat(beta=4.0, fwhm=6.0).shear(g1=0.1)
    star = drawn(profile, side, method="no_pixel")
    kernel = ImagePsf(image=star, pixel_scale_arcsec=0.1).kernels(BAND, 0.1 * step)[0]
    assert len(kernel) % 2 == 1
    expected = drawn(profile, len(kernel), scale=step, method="auto" if step > 1 else "no_pixel")
    assert_allclose(kernel, expected / expected.sum(), atol=2e-3 * expected.max() / expected.sum())
    assert kernel.sum() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("middle", [(15, 15), (16, 16), (15, 16)])
def test_the_star_of_an_even_side_comes_to_the_middle_pixel(middle):
    y, x = np.mgrid[:32, :32]
    star = np.exp(-0.5 * ((y - middle[0]) ** 2 + (x - middle[1]) ** 2) / 4)
    kernel = ImagePsf(image=star).kernels(BAND, None)[0]
    assert_allclose(kernel, kernel[::-1, ::-1], atol=1e-6)
    expected = GaussianPsf(sigma_pix=2.0, values="points", radius_pix=len(kernel) // 2).kernels(BAND, None)[0]
    assert_allclose(kernel, expected, atol=2e-5)


def test_files_are_read_with_their_scale_and_hashed_by_their_content(tmp_path):
    star = drawn(galsim.Moffat(beta=3.0, fwhm=3.0), 25)
    header = fits.Header(
        {"CDELT1": -0.1 / 3600, "CDELT2": 0.1 / 3600, "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN"}
    )
    paths = {band: str(tmp_path / f"{band}.fits") for band in "gr"}
    for band, factor in (("g", 1.0), ("r", 2.0)):
        fits.PrimaryHDU(factor * star, header).writeto(paths[band])
    law = ImagePsf(path=paths)
    assert_allclose(law.kernels(("g", "r"), 0.1)[1], star / star.sum(), atol=1e-12)
    assert len(law.kernels(("g", "r"), 0.2)[0]) == 13
    moved = tmp_path / "moved.fits"
    moved.write_bytes((tmp_path / "g.fits").read_bytes())
    hashes = [
        Observation(psf=ImagePsf(path=path)).content_hash for path in (paths["g"], str(moved), paths["r"])
    ]
    assert hashes[0] == hashes[1] != hashes[2]
    with pytest.raises(SettingsError, match=r"psf\.path=g, r.*none for the band 'i'"):
        law.kernels(("g", "i"), 0.1)
    with pytest.raises(SettingsError, match=r"psf\.pixel_scale_arcsec=0\.1.*not known"):
        law.kernels(("g", "r"), None)


def off_center():
    star = np.zeros((25, 25))
    star[12, 14] = 1
    return star


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (off_center(), r"off its center by \(2\.00, 0\.00\) px.*at most 0\.5.*cut it so that the star"),
        (-np.ones((5, 5)), "has the sum -25; wanted a positive one"),
        (np.ones((3, 5, 5)), "has 3 planes; wanted one, or one for each of 1 bands"),
    ],
)
def test_images_that_are_no_star_are_refused(image, message):
    with pytest.raises(InputError, match=message):
        ImagePsf(image=image).kernels(BAND, None)


def test_pixels_of_files_that_are_not_finite_are_refused(tmp_path):
    star = np.ones((5, 5))
    star[1, 1] = np.nan
    fits.PrimaryHDU(star).writeto(tmp_path / "psf.fits")
    with pytest.raises(InputError, match=r"psf\.path=.*psf\.fits.*1 of 25 pixels are NaN"):
        ImagePsf(path=str(tmp_path / "psf.fits")).kernels(BAND, None)


def test_a_point_spread_larger_than_the_image_is_cut_or_refused():
    header = ImageHeader(BAND, "nJy")
    clean = np.zeros((32, 32), dtype=np.float32)
    clean[16, 16] = 1
    observed = Observation(psf=GaussianPsf(sigma_pix=4.0)).observe(clean, random_stream(0, "observe"), header)
    assert observed.psf.shape == (1, 31, 31)
    assert observed.psf.sum(dtype=np.float64) == pytest.approx(1, abs=1e-6)
    with pytest.raises(
        SettingsError, match=r"has 307x307 px, and 5\.\d% of its light outside of the 31 px .* 32x32 px"
    ):
        Observation(psf=MoffatPsf(fwhm_pix=8.0, beta=2.5)).observe(clean, random_stream(0, "o"), header)


def test_an_unknown_law_or_setting_is_named():
    with pytest.raises(
        ValueError, match="does not match any of the expected tags: 'gaussian', 'moffat', 'airy', 'image'"
    ):
        Observation.model_validate({"psf": {"kind": "lorentz", "fwhm_pix": 3.0}})
    with pytest.raises(ValueError, match=r"psf\.moffat\.gamma"):
        Observation.model_validate({"psf": {"kind": "moffat", "fwhm_pix": 3.0, "gamma": 2.0}})
    assert Observation.model_validate({"psf": {"fwhm_pix": 3.0}}).psf == GaussianPsf(fwhm_pix=3.0)
