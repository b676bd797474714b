import numpy as np
import pytest

from galsmith.images import crop_center, resize_conserving_flux, resize_linear


def noise(*shape):
    return np.random.default_rng(1).normal(10, 2, shape).astype(np.float32)


@pytest.mark.parametrize(("size", "crop"), [(8, 4), (9, 4), (8, 5), (9, 5), (7, 7), (6, 1)])
def test_the_central_pixel_stays_central(size, crop):
    image = np.zeros((2, size, size), dtype=np.float32)
    image[:, size // 2, size // 2] = 1
    cut = crop_center(image, crop)
    assert cut.shape == (2, crop, crop)
    assert cut[0, crop // 2, crop // 2] == 1


@pytest.mark.parametrize("crop", [0, -1, 9])
def test_a_crop_that_does_not_fit_is_refused(crop):
    with pytest.raises(ValueError, match=f"crop is {crop} px for an image of 8x10 px; wanted 1 to 8"):
        crop_center(noise(1, 8, 10), crop)


@pytest.mark.parametrize("size", [3, 7, 12, 24, 31, 50])
def test_conserving_resampling_keeps_every_bands_flux(size):
    image = noise(3, 12, 12)
    resized = resize_conserving_flux(image, size)
    assert resized.shape == (3, size, size)
    assert resized.dtype == np.float32
    assert resized.sum(axis=(1, 2)) == pytest.approx(image.sum(axis=(1, 2)), rel=1e-6)


def test_conserving_resampling_by_two_sums_blocks():
    image = noise(1, 12, 12)
    blocks = image.reshape(1, 6, 2, 6, 2).sum(axis=(2, 4))
    assert resize_conserving_flux(image, 6) == pytest.approx(blocks, rel=1e-6)


def test_linear_resampling_does_not_conserve_flux_but_brightness():
    image = noise(1, 12, 12)
    half = resize_linear(image, 6)
    assert half.sum() == pytest.approx(image.sum() / 4, rel=0.02)
    assert half.mean() == pytest.approx(image.mean(), rel=0.02)


@pytest.mark.parametrize("size", [3, 7, 12, 24, 31])
def test_linear_resampling_keeps_a_constant(size):
    assert resize_linear(np.full((2, 12, 10), 3.0, dtype=np.float32), size) == pytest.approx(
        np.full((2, size, size), 3.0), rel=1e-6
    )


@pytest.mark.parametrize("resize", [resize_linear, resize_conserving_flux])
def test_the_same_size_is_the_same_image(resize):
    assert resize(noise(2, 9, 9), 9) == pytest.approx(noise(2, 9, 9), rel=1e-6)


@pytest.mark.parametrize("resize", [resize_linear, resize_conserving_flux])
@pytest.mark.parametrize("size", [5, 8, 20])
def test_resampling_commutes_with_turning(resize, size):
    image = noise(1, 10, 10)
    turned = resize(np.rot90(image, axes=(1, 2)).copy(), size)
    assert turned == pytest.approx(np.rot90(resize(image, size), axes=(1, 2)), rel=1e-5)


def test_linear_enlarging_passes_through_a_ramp():
    ramp = np.tile(np.arange(10.0, dtype=np.float32), (1, 10, 1))
    doubled = resize_linear(ramp, 20)[0, 10]
    inner = (np.arange(20) + 0.5) / 2 - 0.5
    assert doubled[2:-2] == pytest.approx(inner[2:-2], abs=1e-5)


def test_inputs_stay_as_they_are():
    image = noise(1, 8, 8)
    before = image.copy()
    for change in (crop_center, resize_linear, resize_conserving_flux):
        change(image, 4)
    np.testing.assert_array_equal(image, before)
