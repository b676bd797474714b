"""One pass over a training split leaves what all fits need, in bounded memory."""

import tracemalloc

import numpy as np
import pytest

from galsmith.data.transforms import TransformSettings, fit_pixel_transform, gather_fitting_sample
from galsmith.errors import InputError
from galsmith.images import ImageHeader, ImageSet, image_set_from_arrays

MODULE = "galsmith.data.transforms.pixel_fit"


def galaxies(count: int = 60, *, size: int = 16, bands: int = 2) -> ImageSet:
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    images = []
    for _ in range(count):
        light = np.exp(-np.hypot(x, y) / rng.uniform(1.5, 4.0))
        images.append(
            10 ** rng.uniform(0, 1, size=(bands, 1, 1)) * light + 0.01 * rng.normal(size=(bands, size, size))
        )
    names = tuple(f"b{band}" for band in range(bands))
    return image_set_from_arrays([image.astype(np.float32) for image in images], ImageHeader(names, "nJy"))


def test_all_images_of_a_small_set_are_kept_and_every_kth_of_a_large_one(monkeypatch):
    images = galaxies()
    whole = gather_fitting_sample(images)
    assert whole.rows.tolist() == list(range(60))
    monkeypatch.setattr(f"{MODULE}.BYTES_OF_SAMPLE", 20 * 4 * 2 * 16**2)
    monkeypatch.setattr(f"{MODULE}.IMAGES_PER_CHUNK", 7)
    some = gather_fitting_sample(images)
    assert some.rows.tolist() == list(range(0, 60, 3))
    for row, image in zip(some.rows, some.images, strict=True):
        np.testing.assert_array_equal(image, images[int(row)])
    np.testing.assert_array_equal(some.fluxes, whole.fluxes)  # of all images
    np.testing.assert_array_equal(some.sigmas, whole.sigmas)
    sums = [images[row].sum(axis=(1, 2), dtype=np.float64) for row in range(60)]
    np.testing.assert_array_equal(whole.fluxes, sums)


def test_the_noise_is_that_of_the_summed_flux():
    found = gather_fitting_sample(galaxies(200)).sigmas
    assert np.median(found) == pytest.approx(0.01 * 16, rel=0.1)


@pytest.mark.parametrize("kind", ["asinh", "linear"])
@pytest.mark.parametrize("factor_flux", [True, False])
def test_a_transform_is_fitted_in_one_pass(kind, factor_flux, counted_pixels):
    some = galaxies()
    images = ImageSet(counted_pixels(some.pixels), some.header, some.catalog, some.provenance)
    fit_pixel_transform(images, TransformSettings(kind=kind, factor_flux=factor_flux))
    assert set(images.pixels.reads) == {1}


def test_a_transform_of_a_sample_is_near_that_of_all_images_with_the_fluxes_of_all(monkeypatch):
    images = galaxies(400)
    whole = fit_pixel_transform(images, TransformSettings())
    monkeypatch.setattr(f"{MODULE}.BYTES_OF_SAMPLE", 100 * 4 * 2 * 16**2)
    some = fit_pixel_transform(images, TransformSettings())
    assert some.flux == whole.flux
    assert some.ranges == whole.ranges
    # 100 galaxies for 400: a tenth of the scatter between them
    np.testing.assert_allclose(some.mean, whole.mean, atol=0.1 * np.max(whole.scale))
    np.testing.assert_allclose(some.scale, whole.scale, rtol=0.1)
    assert some.mean != whole.mean


def test_memory_is_bounded_by_the_sample_and_not_by_the_set(monkeypatch):
    monkeypatch.setattr(f"{MODULE}.BYTES_OF_SAMPLE", 2**20)
    monkeypatch.setattr(f"{MODULE}.BYTES_PER_CHUNK", 2**18)
    monkeypatch.setattr("galsmith.data.transforms.pixel_fit.PIXELS_FOR_SOFTENING", 2**16)
    monkeypatch.setattr("galsmith.data.transforms.pixel_transform.PIXELS_AT_ONCE", 2**14)

    class Drawn:
        """Images made when they are read, so that only what is kept takes memory: 64 MB together."""

        shapes = np.full((1000, 2), 128)

        def __len__(self) -> int:
            return 1000

        def read(self, indices):
            return [
                np.random.default_rng(int(k)).exponential(size=(1, 128, 128)).astype(np.float32)
                for k in indices
            ]

    catalog = galaxies(1000, size=4, bands=1).catalog
    images = ImageSet(Drawn(), ImageHeader(("r",), "nJy"), catalog, galaxies(1).provenance)
    tracemalloc.start()
    try:
        fit_pixel_transform(images, TransformSettings())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 * 2**20  # the sample, a chunk, and some float64 copies of 2**16 pixels


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_pixels_that_are_not_finite_are_refused_by_their_number(value, monkeypatch):
    monkeypatch.setattr(f"{MODULE}.BYTES_OF_SAMPLE", 1)  # only the first is kept
    images = [image.copy() for image in galaxies().pixels.read(range(60))]
    images[41][1, 2, 3] = value
    broken = image_set_from_arrays(images, ImageHeader(("b0", "b1"), "nJy"))
    with pytest.raises(InputError, match=r"image 41 has NaN or infinite pixels"):
        gather_fitting_sample(broken)
