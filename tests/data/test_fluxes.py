"""Summed fluxes of real survey data as scalars: also those that are zero or below after the sky was subtracted."""

import json
import logging
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from galsmith.data.transforms import (
    NetworkArrays,
    PixelTransform,
    TransformSettings,
    fit_pixel_transform,
    gather_fitting_sample,
)
from galsmith.data.transforms.fluxes import (
    FluxEncoding,
    border_sigma,
    fit_flux_softening,
    fluxes_of_log,
    log_of_fluxes,
)
from galsmith.data.transforms.scalar_columns import scalar_columns
from galsmith.images import ImageHeader, ImageSet, image_set_from_arrays

BANDS = ("g", "r", "z")
ZERO_POINTS = dict.fromkeys(BANDS, 31.4)
SIGMA_Z = 0.3
POINTS = np.array([[-1e4, -30.0], [-3.0, -1e-9], [0.0, 0.0], [1e-12, 2.0], [5.0, 70.0], [1e3, 1e6]])


@cache
def survey(count: int = 200, *, sizes_pix: tuple[int, ...] = (32,), shift: float = 0.0) -> ImageSet:
    """Galaxies that are bright in g and r and mostly drown in z; `shift` moves the sky of z."""
    rng = np.random.default_rng(1)
    images = []
    for k in range(count):
        size = sizes_pix[k % len(sizes_pix)]
        y, x = np.mgrid[:size, :size] - (size - 1) / 2
        light = np.exp(-np.hypot(x, y) / rng.uniform(1.2, 3.0))
        fluxes = 10 ** rng.uniform(0.7, 2.2) * np.array([1.0, 1.4, 0.05]) / light.sum()
        noise = np.array([0.02, 0.02, SIGMA_Z])[:, None, None] * rng.normal(size=(3, size, size))
        images.append(fluxes[:, None, None] * light + noise + np.array([0, 0, shift])[:, None, None])
    return image_set_from_arrays(
        [image.astype(np.float32) for image in images],
        ImageHeader(BANDS, "nJy", zero_points_mag=ZERO_POINTS),
    )


def softening_of(images: ImageSet):
    sample = gather_fitting_sample(images)
    return fit_flux_softening(sample.fluxes, sample.sigmas)


def sums(images):
    return np.array([image.sum(axis=(1, 2), dtype=np.float64) for image in images])


def read(images: ImageSet):
    return images.pixels.read(np.arange(len(images)))


def test_a_soft_flux_is_its_logarithm_far_above_the_noise_and_linear_about_zero():
    fluxes = np.array([1e3, 1e5, 1e8])
    # asinh(x) = ln 2x + 1 / 4x^2 - ..., at x = F / 2b
    assert log_of_fluxes(fluxes, 1.0) - np.log(fluxes) == pytest.approx(fluxes**-2.0, rel=1e-2, abs=1e-12)
    small = np.array([-1e-4, 0.0, 1e-4])
    assert log_of_fluxes(small, 3.0) == pytest.approx(np.log(3.0) + small / 6, abs=1e-12)
    assert np.all(np.diff(log_of_fluxes(np.linspace(-100, 100, 1001), 3.0)) > 0)


@pytest.mark.parametrize("softening", [(1e-3, 2.0), (10.0, 1e4)])
def test_fluxes_are_undone_also_at_zero_and_below(softening):
    again = fluxes_of_log(log_of_fluxes(POINTS, softening), softening)
    assert again == pytest.approx(POINTS, rel=1e-9, abs=1e-12 * max(softening))


def test_without_softening_the_logarithm_is_exact_to_the_bit():
    fluxes = np.abs(POINTS) + 1e-3
    np.testing.assert_array_equal(log_of_fluxes(fluxes, (0.0, 0.0)), np.log(fluxes))
    np.testing.assert_array_equal(fluxes_of_log(np.log(fluxes), (0.0, 0.0)), np.exp(np.log(fluxes)))


def test_the_softening_is_the_noise_of_a_summed_flux_in_bands_that_need_one():
    softening, faint = softening_of(survey())
    assert softening[:2] == (0.0, 0.0)
    assert faint[:2] == (0, 0)
    # 1.042 sigma sqrt(pixels); the scatter of 60 second differences a galaxy, over 200 galaxies, is known to 2 %
    assert softening[2] == pytest.approx(1.042 * SIGMA_Z * 32, rel=0.05)
    below_noise = sums(read(survey()))[:, 2] <= SIGMA_Z * 32
    assert faint[2] == pytest.approx(below_noise.sum(), rel=0.05)


def test_a_sky_that_was_subtracted_too_deep_counts_as_noise():
    softening, faint = softening_of(survey(shift=-0.1))
    fluxes = sums(read(survey(shift=-0.1)))[:, 2]
    assert softening[2] == pytest.approx(1.042 * 1.4826 * np.median(np.abs(fluxes[fluxes < 0])), rel=1e-3)
    assert softening[2] > 5 * SIGMA_Z * 32
    assert faint[2] == 200


def test_images_without_noise_keep_the_logarithm_unless_a_flux_is_not_positive():
    y, x = np.mgrid[:16, :16] - 7.5
    light = np.exp(-np.hypot(x, y) / 2)
    images = [(scale * light)[np.newaxis].astype(np.float32) for scale in np.geomspace(1e-6, 1e6, 50)]
    assert softening_of(image_set_from_arrays(images, ImageHeader(("r",), "nJy"))) == ((0.0,), (0,))
    images[10] = 0 * images[10]
    softening, faint = softening_of(image_set_from_arrays(images, ImageHeader(("r",), "nJy")))
    assert softening[0] > 0
    assert faint == (1,)


def test_border_noise_is_that_of_white_noise_and_not_of_smooth_light():
    noise = np.random.default_rng(4).normal(0, 0.7, (400, 1, 40, 40))
    assert border_sigma(noise) == pytest.approx([0.7], rel=0.02)
    ramp = np.broadcast_to(np.linspace(0, 100, 40), (4, 1, 40, 40))
    assert border_sigma(ramp) == pytest.approx([0.0], abs=1e-12)


@pytest.mark.parametrize("kind", ["asinh", "linear"])
@pytest.mark.parametrize("shift", [0.0, -0.1])
def test_inverse_undoes_forward_where_fluxes_are_below_zero(kind, shift):
    training = survey(shift=shift)
    transform = fit_pixel_transform(training, TransformSettings(kind=kind))
    images = read(training)
    assert sums(images)[:, 2].min() < 0
    arrays = transform.forward(images)
    assert arrays.pixels.std(axis=(0, 2, 3)) == pytest.approx(np.full(3, 0.5), rel=1e-5)
    assert (
        np.abs(arrays.pixels).max() < 40
    )  # the pixels of a sum near zero are not blown up: 0.5 is one sigma
    assert arrays.scalars.std(axis=0) == pytest.approx(np.ones(3), rel=1e-5)
    for image, again in zip(images, transform.inverse(arrays), strict=True):
        np.testing.assert_allclose(again, image, rtol=2e-5, atol=5e-6 * float(np.abs(image).max()))


def test_a_softening_far_below_the_noise_blows_pixels_up():
    good = fit_pixel_transform(survey(), TransformSettings(kind="linear"))
    hard = replace(good, flux_softening=(0.0, 0.0, 1e-3))
    most = [float(np.abs(one.forward(read(survey())).pixels[:, 2]).max()) for one in (good, hard)]
    assert most[1] > 10 * most[0]


def test_a_soft_transform_survives_json_and_one_of_logarithms_is_written_as_before():
    soft = fit_pixel_transform(survey(), TransformSettings())
    assert PixelTransform.from_dict(json.loads(json.dumps(soft.to_dict()))) == soft
    assert len(soft.flux_softening) == 3
    bright = image_set_from_arrays([image[:2] for image in read(survey())], ImageHeader(("g", "r"), "nJy"))
    plain = fit_pixel_transform(bright, TransformSettings())
    assert plain.flux_softening == ()
    assert "flux_softening" not in plain.to_dict()


def test_bands_apart_are_those_of_a_set_of_their_own():
    training = survey()
    both = fit_pixel_transform(training, TransformSettings())
    bright = image_set_from_arrays([image[:2] for image in read(training)], ImageHeader(("g", "r"), "nJy"))
    alone = fit_pixel_transform(bright, TransformSettings())
    assert (both.mean[:2], both.scale[:2], both.flux.mean[:2]) == (alone.mean, alone.scale, alone.flux.mean)
    one, other = both.forward(read(training)), alone.forward(read(bright))
    np.testing.assert_array_equal(one.pixels[:, :2], other.pixels)
    fluxes = [
        [image[:2].sum(axis=(1, 2), dtype=np.float64) for image in transform.inverse(arrays)]
        for transform, arrays in ((both, one), (alone, other))
    ]
    np.testing.assert_allclose(*fluxes, rtol=1e-5)


def test_drawn_shapes_get_their_flux_and_faint_ones_are_not_blown_up_for_it():
    training = survey()
    transform = fit_pixel_transform(training, TransformSettings())
    noise = transform.flux_softening[2]
    arrays = transform.forward(read(training))
    wanted = np.array([-2.0, 0.0, 3.0, 100.0]) * noise
    scalars = np.repeat(arrays.scalars[:1], 4, axis=0)
    scalars[:, 2] = (log_of_fluxes(wanted, noise) - transform.flux.mean[2]) / transform.flux.scale[2]
    for position in (0, np.argmax(sums(read(training))[:, 2]), np.argmin(sums(read(training))[:, 2])):
        drawn = transform.inverse(NetworkArrays(np.repeat(arrays.pixels[[position]], 4, axis=0), scalars))
        assert sums(drawn)[:, 2] == pytest.approx(wanted, abs=1e-4 * noise, rel=1e-6)
        scatter = np.std(np.array(drawn)[:3, 2, 0], axis=-1)  # of the first row, which has no light
        assert np.all((scatter > 0.2 * SIGMA_Z) & (scatter < 6 * SIGMA_Z))


def test_sizes_that_differ_keep_their_fluxes():
    training = survey(sizes_pix=(16, 24, 32))
    transform = fit_pixel_transform(training, TransformSettings(size_pix=24))
    restored = transform.inverse(transform.forward(read(training)))
    assert [image.shape for image in restored] == [image.shape for image in read(training)]
    assert sums(restored) == pytest.approx(sums(read(training)), rel=1e-4, abs=1e-4)


def test_columns_of_a_soft_band_are_fluxes_and_magnitudes():
    training = survey()
    transform = fit_pixel_transform(training, TransformSettings())
    columns = scalar_columns(transform, training.header)
    scalars = transform.forward(read(training)).scalars
    fluxes = sums(read(training))[:, 2]
    assert columns["flux_z"].values(scalars) == pytest.approx(fluxes, abs=1e-5 * transform.flux_softening[2])
    assert columns["flux_z"].trained.minimum == pytest.approx(fluxes.min())
    magnitudes = columns["magnitude_z"].values(scalars)
    bright = fluxes > 1
    assert magnitudes[bright] == pytest.approx(31.4 - 2.5 * np.log10(fluxes[bright]), abs=1e-3)
    assert np.all(np.isinf(magnitudes[fluxes < -1]))
    assert columns["magnitude_z"].trained.maximum == np.inf
    assert columns["magnitude_z"].trained.minimum == pytest.approx(31.4 - 2.5 * np.log10(fluxes.max()))


def test_a_magnitude_without_zero_point_is_a_flux_and_both_are_undone():
    flux = FluxEncoding("flux_z", "nJy", 2.0, 0.5, 10.0)
    values = np.array([-20.0, 0.0, 3.0, 400.0])
    assert flux.inverse(flux.forward(values)) == pytest.approx(values, abs=1e-12, rel=1e-12)
    magnitude = FluxEncoding("magnitude_z", "mag", 2.0, 0.5, 10.0, zero_point_mag=31.4)
    values = np.array([20.0, 28.0, np.inf])
    with np.errstate(divide="ignore"):
        assert magnitude.inverse(magnitude.forward(values)) == pytest.approx(values, rel=1e-9)


def test_how_many_are_below_the_noise_is_told(caplog):
    with caplog.at_level(logging.WARNING, logger="galsmith"):
        fit_pixel_transform(survey(), TransformSettings())
    _, faint = softening_of(survey())
    assert f"below its noise ({faint[2]} in band 'z')" in caplog.text
    caplog.clear()
    fit_pixel_transform(survey(), TransformSettings(factor_flux=False))
    assert not caplog.records
