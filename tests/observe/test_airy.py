import galsim
import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import j0, j1

from galsmith.errors import SettingsError
from galsmith.observe import Observation, stated_observation
from galsmith.observe.airy import DIFFRACTED_OUTSIDE, AiryPsf, DiffractionPattern
from galsmith.observe.psf import GaussianPsf

BAND = ("F814W",)
ARCSEC_PER_RADIAN = 206264.80624709636
# diameter in m, wavelength in um, obscuration, pixel in arcsec: HST, an open Euclid, Roman's bluest and reddest band, and
# pixels that are small beside the pattern
TELESCOPES = [
    (2.4, 0.8, 0.33, 0.05),
    (1.2, 0.7, 0.0, 0.1),
    (2.36, 1.06, 0.32, 0.11),
    (2.36, 1.84, 0.32, 0.11),
    (2.4, 1.6, 0.5, 0.04),
]


def resolution(diameter, wavelength):
    return wavelength * 1e-6 / diameter * ARCSEC_PER_RADIAN


def airy(diameter, wavelength, obscuration, **settings):
    return AiryPsf(diameter_m=diameter, wavelength_um=wavelength, obscuration=obscuration, **settings)


@pytest.mark.parametrize(("diameter", "wavelength", "obscuration", "scale"), TELESCOPES)
def test_kernels_are_those_of_galsim(diameter, wavelength, obscuration, scale):
    kernel = airy(diameter, wavelength, obscuration, radius_pix=12).kernels(BAND, scale)[0]
    gsparams = galsim.GSParams(folding_threshold=1e-3, maximum_fft_size=16384)
    profile = galsim.Airy(
        lam_over_diam=resolution(diameter, wavelength), obscuration=obscuration, gsparams=gsparams
    )
    expected = profile.drawImage(nx=25, ny=25, scale=scale, dtype=float).array
    # what galsim folds of the wings is 1e-3 of the flux over all its larger image
    assert_allclose(kernel, expected / expected.sum(), atol=2e-6)
    open_aperture = airy(diameter, wavelength, 0.25 if obscuration == 0 else 0.0, radius_pix=12)
    assert np.abs(open_aperture.kernels(BAND, scale)[0] - kernel).max() > 100 * 2e-6


@pytest.mark.parametrize(("diameter", "wavelength", "obscuration", "scale"), TELESCOPES)
def test_points_are_values_of_galsims_law(diameter, wavelength, obscuration, scale):
    law = airy(diameter, wavelength, obscuration, radius_pix=9, values="points")
    profile = galsim.Airy(lam_over_diam=resolution(diameter, wavelength), obscuration=obscuration)
    places = np.arange(-9, 10) * scale
    expected = np.array([[profile.xValue(x, y) for x in places] for y in places])
    assert_allclose(law.kernels(BAND, scale)[0], expected / expected.sum(), atol=1e-7)


@pytest.mark.parametrize("blur", [0.01, 0.05])
def test_a_blurred_pattern_is_that_of_galsim(blur):
    law = airy(2.4, 0.8, 0.33, blur_sigma_arcsec=blur, radius_pix=12)
    gsparams = galsim.GSParams(folding_threshold=2e-3, maximum_fft_size=16384)
    profile = galsim.Convolve(
        galsim.Airy(lam_over_diam=resolution(2.4, 0.8), obscuration=0.33, gsparams=gsparams),
        galsim.Gaussian(sigma=blur, gsparams=gsparams),
        gsparams=gsparams,
    )
    expected = profile.drawImage(nx=25, ny=25, scale=0.05, dtype=float).array
    assert_allclose(law.kernels(BAND, 0.05)[0], expected / expected.sum(), atol=5e-6)
    seen = profile.drawImage(nx=101, ny=101, scale=0.01, method="no_pixel").calculateFWHM()
    assert law.widths_pix(BAND, 0.05)[0] * 0.05 == pytest.approx(seen, rel=3e-3)


def test_far_wider_blur_leaves_a_gaussian():
    law = airy(2.4, 0.8, 0.33, blur_sigma_arcsec=2.0, radius_pix=60)
    gaussian = GaussianPsf(sigma_arcsec=2.0, radius_pix=60).kernels(BAND, 0.1)[0]
    # the wings of diffraction hold a few hundredths of the light
    assert_allclose(law.kernels(BAND, 0.1)[0], gaussian, atol=0.03 * gaussian.max())


def test_light_outside_of_a_radius_is_as_in_the_textbook():
    radii = np.array([0.3, 1.22, 3.7, 20.0])
    # Born & Wolf, sec. 8.5.2: J0^2 + J1^2 of pi r in lambda/D lies outside of r
    expected = j0(np.pi * radii) ** 2 + j1(np.pi * radii) ** 2
    assert_allclose(DiffractionPattern(0.0, 0.0).outside(radii), expected, atol=1e-9)
    profile = galsim.Airy(lam_over_diam=1.0)
    assert 2 * DiffractionPattern(0.0, 0.0).half_maximum() == pytest.approx(profile.fwhm, rel=1e-7)
    # the first dark ring of an open aperture is at 1.22 lambda/D
    assert DiffractionPattern(0.0, 0.0).at(np.array([1.21967]))[0] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("obscuration", [0.0, 0.33, 0.6, 0.9])
@pytest.mark.parametrize("blur", [0.0, 0.3, 3.0])
@pytest.mark.parametrize("resolution_pix", [0.5, 1.5])
def test_kernels_reach_as_far_as_all_but_a_hundredth_of_the_light(obscuration, blur, resolution_pix):
    pattern = DiffractionPattern(obscuration, blur)
    radius = pattern.reach(resolution_pix)
    further = np.arange(radius, radius + 20) / resolution_pix
    assert pattern.outside(further).max() <= DIFFRACTED_OUTSIDE
    assert pattern.outside(np.array([(radius - 1) / resolution_pix]))[0] > DIFFRACTED_OUTSIDE


def test_kernels_are_of_odd_side_sum_one_and_alike_in_all_directions():
    law = AiryPsf(diameter_m=2.36, wavelength_um={"F106": 1.06, "F184": 1.84}, obscuration=0.32)
    kernels = law.kernels(("F184", "F106"), 0.11)
    assert kernels.shape[1] % 2 == kernels.shape[2] % 2 == 1
    assert_allclose(kernels.sum(axis=(1, 2)), 1, atol=1e-12)
    for same in (kernels[:, ::-1], kernels[:, :, ::-1], kernels.transpose(0, 2, 1)):
        assert_allclose(kernels, same, atol=1e-15)
    assert kernels[1].max() > 1.5 * kernels[0].max()
    widths = law.widths_pix(("F184", "F106"), 0.11)
    assert widths[0] / widths[1] == pytest.approx(1.84 / 1.06)


def test_it_is_stated_as_other_laws_are_and_names_an_observation():
    words = ("psf.kind=airy", "psf.diameter_m=2.4", "psf.wavelength_um={F814W=0.8}", "psf.obscuration=0.33")
    stated = stated_observation(overrides=words)
    assert stated.psf == AiryPsf(diameter_m=2.4, wavelength_um={"F814W": 0.8}, obscuration=0.33)
    assert stated == Observation.model_validate(stated.to_dict())
    other = Observation(psf=airy(2.4, {"F814W": 0.8}, 0.33, blur_sigma_arcsec=0.01))
    assert other.content_hash != stated.content_hash


def test_what_is_not_known_or_cannot_be_is_refused():
    law = airy(2.4, {"F814W": 0.8}, 0.33)
    with pytest.raises(SettingsError, match=r"psf\.wavelength_um=.*not known.*pixel_scale_arcsec"):
        law.kernels(BAND, None)
    with pytest.raises(SettingsError, match=r"psf\.wavelength_um=F814W`: there is none for the band 'F606W'"):
        law.widths_pix(("F606W",), 0.05)
    with pytest.raises(ValueError, match=r"obscuration\s+Input should be less than or equal to 0\.9"):
        airy(2.4, 0.8, 1.0)
    with pytest.raises(ValueError, match=r"wavelength_um\s+Field required"):
        AiryPsf(diameter_m=2.4)
