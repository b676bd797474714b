import json

import numpy as np
import pytest

from galsmith.data.transforms import NetworkArrays, PixelTransform, TransformSettings, fit_pixel_transform
from galsmith.errors import InputError, SettingsError
from galsmith.images import ImageHeader, image_set_from_arrays
from galsmith.settings import typed_settings

EVERY_KIND = [
    TransformSettings(),
    TransformSettings(factor_flux=False),
    TransformSettings(kind="linear"),
    TransformSettings(kind="linear", factor_flux=False),
    TransformSettings(softening=0.3),
]


def galaxies(count=40, size=16, bands=2, seed=0, noise=0.01):
    """Round exponential galaxies of fluxes over a factor of 100, on a faint noisy sky."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    images = []
    for _ in range(count):
        light = np.exp(-np.hypot(x, y) / rng.uniform(1.5, 3.0))
        scale = 10 ** rng.uniform(0, 2, (bands, 1, 1))
        images.append((scale * (light + noise * rng.normal(0, 1, (bands, size, size)))).astype(np.float32))
    return image_set_from_arrays(images, ImageHeader([f"b{k}" for k in range(bands)], "nJy"))


@pytest.mark.parametrize("settings", EVERY_KIND)
def test_inverse_undoes_forward(settings):
    training = galaxies()
    transform = fit_pixel_transform(training, settings)
    images = training.pixels.read(np.arange(40))
    restored = transform.inverse(transform.forward(images))
    for image, again in zip(images, restored, strict=True):
        # float32 network pixels: relative to the brightest pixel, as asinh and linear need.
        assert again == pytest.approx(image, rel=2e-5, abs=2e-6 * float(np.abs(image).max()))


@pytest.mark.parametrize("settings", EVERY_KIND)
def test_network_pixels_are_standardized(settings):
    training = galaxies()
    arrays = fit_pixel_transform(training, settings).forward(training.pixels.read(np.arange(40)))
    assert arrays.pixels.mean(axis=(0, 2, 3)) == pytest.approx(np.zeros(2), abs=1e-5)
    assert arrays.pixels.std(axis=(0, 2, 3)) == pytest.approx(np.full(2, 0.5), rel=1e-5)
    assert arrays.pixels.dtype == arrays.scalars.dtype == np.float32
    if settings.factor_flux:
        assert arrays.scalars.shape == (40, 2)
        assert arrays.scalars.std(axis=0) == pytest.approx(np.ones(2), rel=1e-5)


def test_the_scalar_is_the_flux_and_drawn_images_are_scaled_to_it():
    training = galaxies()
    transform = fit_pixel_transform(training, TransformSettings())
    arrays = transform.forward(training.pixels.read(np.arange(40)))
    assert transform.scalar_names == ("log_flux_0", "log_flux_1")
    distorted = NetworkArrays(arrays.pixels + np.float32(0.01), arrays.scalars)
    for image, again in zip(training.pixels.read(np.arange(40)), transform.inverse(distorted), strict=True):
        assert again.sum(axis=(1, 2)) == pytest.approx(image.sum(axis=(1, 2)), rel=1e-4)


def test_shape_does_not_depend_on_flux():
    transform = fit_pixel_transform(galaxies(), TransformSettings())
    image = galaxies(count=1, seed=5)[0]
    faint, bright = transform.forward([image, 10 * image]).pixels
    assert faint == pytest.approx(bright, rel=1e-4, abs=1e-5)


def test_the_fit_sees_the_images_given_and_no_others():
    everything, fewer = galaxies(count=40), galaxies(count=40).select(np.arange(20))
    settings = TransformSettings()
    on_all, on_some = fit_pixel_transform(everything, settings), fit_pixel_transform(fewer, settings)
    assert on_all.mean != on_some.mean
    again = image_set_from_arrays(fewer.pixels.read(np.arange(20)), ImageHeader(("b0", "b1"), "nJy"))
    assert fit_pixel_transform(again, settings) == on_some


def test_chunks_do_not_matter(monkeypatch):
    whole = fit_pixel_transform(galaxies(), TransformSettings())
    monkeypatch.setattr("galsmith.data.transforms.pixel_fit.IMAGES_PER_CHUNK", 7)
    assert fit_pixel_transform(galaxies(), TransformSettings()).mean == pytest.approx(whole.mean, rel=1e-12)


def test_a_transform_survives_json():
    transform = fit_pixel_transform(galaxies(), TransformSettings())
    assert PixelTransform.from_dict(json.loads(json.dumps(transform.to_dict()))) == transform


def test_sizes_that_differ_travel_as_a_scalar():
    images = [galaxies(count=1, size=size, bands=1, seed=size)[0] for size in (16, 20, 28, 36, 16, 24)]
    training = image_set_from_arrays(images, ImageHeader(("r",), "nJy"))
    transform = fit_pixel_transform(training, TransformSettings(size_pix=16))
    assert transform.scalar_names == ("log_flux_0", "log_native_size")
    arrays = transform.forward(images)
    assert arrays.pixels.shape == (6, 1, 16, 16)
    restored = transform.inverse(arrays)
    assert [image.shape[-1] for image in restored] == [16, 20, 28, 36, 16, 24]
    for image, again in zip(images, restored, strict=True):
        assert again.sum() == pytest.approx(image.sum(), rel=1e-4)
    assert PixelTransform.from_dict(transform.to_dict()) == transform


@pytest.mark.parametrize("kind", ["asinh", "linear"])
@pytest.mark.parametrize("factor_flux", [True, False])
def test_a_constant_set_is_refused(kind, factor_flux):
    flat = image_set_from_arrays([np.full((1, 8, 8), 3.0)] * 4, ImageHeader(("r",), "nJy"))
    settings = TransformSettings(kind=kind, factor_flux=factor_flux)
    with pytest.raises(InputError, match="all training pixels of band 'r' are equal"):
        fit_pixel_transform(flat, settings)


def test_a_flux_that_the_fitted_logarithm_cannot_take_is_refused_only_where_flux_is_factored_out():
    images = [galaxies(count=1, bands=1, seed=k)[0] for k in range(4)]
    training = image_set_from_arrays(images, ImageHeader(("r",), "nJy"))
    images[2] = images[2] - images[2].mean() - 1
    transform = fit_pixel_transform(training, TransformSettings())
    with pytest.raises(InputError, match=r"image 2 has a summed flux of -.* set transform.factor_flux=false"):
        transform.forward(images)
    plain = fit_pixel_transform(training, TransformSettings(factor_flux=False))
    assert plain.flux.mean == ()
    assert np.isfinite(plain.forward(images).pixels).all()


def test_odd_shapes_and_mixed_sizes_name_the_way_out():
    wide = image_set_from_arrays([np.ones((1, 8, 9))], ImageHeader(("r",), "nJy"))
    with pytest.raises(InputError, match="images of 8x9 px: networks want square ones"):
        fit_pixel_transform(wide, TransformSettings())
    mixed = image_set_from_arrays([np.ones((1, 8, 8)), np.ones((1, 9, 9))], ImageHeader(("r",), "nJy"))
    with pytest.raises(InputError, match=r"images of 2 sizes, 8 to 9 px; set transform\.size_pix"):
        fit_pixel_transform(mixed, TransformSettings())
    with pytest.raises(InputError, match="the training split is empty"):
        fit_pixel_transform(mixed.select([]), TransformSettings())


def test_the_softening_sits_above_the_sky():
    loud = fit_pixel_transform(galaxies(noise=0.05), TransformSettings(factor_flux=False))
    quiet = fit_pixel_transform(galaxies(noise=0.0005), TransformSettings(factor_flux=False))
    assert min(loud.softening) > 2 * max(quiet.softening)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kin": "asinh"}, "did you mean 'kind'"),
        ({"kind": "log"}, "'kind' is 'log'"),
        ({"softening": 0.0}, "'softening' is 0.0"),
    ],
)
def test_wrong_settings_are_named(values, message):
    with pytest.raises(SettingsError, match=message):
        typed_settings(TransformSettings, values, source="recipe")


def fields(count=6, size=20, *, unit="display", whole=True, seed=0):
    """Nearly black pictures with some bright pixels, and each value from 0 to 255 once in the first."""
    rng = np.random.default_rng(seed)
    images = np.zeros((count, 1, size, size), dtype=np.float32)
    bright = rng.random(images.shape) < 0.02
    images[bright] = rng.uniform(0, 255, bright.sum())
    images = np.round(images) if whole else images
    images[0].reshape(-1)[:256] = np.arange(256)
    return image_set_from_arrays(list(images), ImageHeader(["gray"], unit))


@pytest.mark.parametrize("whole", [True, False])
def test_pictures_come_back_to_the_bit(whole):
    training = fields(whole=whole)
    transform = fit_pixel_transform(training, TransformSettings(kind="display", whole_numbers=whole))
    images = training.pixels.read(np.arange(6))
    arrays = transform.forward(images)
    assert arrays.pixels.dtype == np.float32
    assert np.array_equal(arrays.pixels[:, 0], np.stack(images)[:, 0] / np.float32(255))
    assert arrays.scalars.shape == (6, 0)
    assert transform.pixel_range == (0.0, 1.0)
    for image, again in zip(images, transform.inverse(arrays), strict=True):
        if whole:
            assert np.array_equal(image, again)
        else:
            assert again == pytest.approx(image, rel=2e-7)


def test_drawn_pictures_are_clipped_and_rounded_where_that_is_wanted():
    drawn = NetworkArrays(
        np.array([[[[-0.2, 0.5]], [[0.1, 1.3]]]], dtype=np.float32).reshape(1, 1, 2, 2),
        np.empty((1, 0), dtype=np.float32),
    )
    training = fields(size=20)
    for whole, expected in ((True, [0, 128, 26, 255]), (False, [0, 127.5, 25.5, 255])):
        transform = fit_pixel_transform(training, TransformSettings(kind="display", whole_numbers=whole))
        (image,) = transform.inverse(drawn)
        assert image.ravel() == pytest.approx(np.array(expected), abs=0.0 if whole else 1e-5)


def test_the_transform_of_pictures_survives_json_and_others_do_not_mention_it():
    transform = fit_pixel_transform(fields(), TransformSettings(kind="display"))
    assert transform.whole_numbers
    assert PixelTransform.from_dict(json.loads(json.dumps(transform.to_dict()))) == transform
    other = fit_pixel_transform(galaxies(), TransformSettings())
    assert "whole_numbers" not in other.to_dict()
    assert other.pixel_range is None
    assert "whole_numbers" not in TransformSettings().model_dump(exclude_none=True)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"kind": "display", "factor_flux": True}, "leave factor_flux out"),
        ({"kind": "display", "softening": 0.1}, "leave softening out"),
        ({"kind": "display", "conditions": "score"}, "leave conditions out"),
        ({"kind": "asinh", "whole_numbers": True}, "whole_numbers is for the kind display"),
    ],
)
def test_settings_of_another_kind_are_refused(settings, words):
    with pytest.raises(SettingsError, match=words):
        typed_settings(TransformSettings, settings, source="x")


def test_only_pictures_of_one_size_are_shown_as_they_are():
    with pytest.raises(InputError, match="the images are in nJy; wanted pictures in unit 'display'"):
        fit_pixel_transform(fields(unit="nJy"), TransformSettings(kind="display"))
    with pytest.raises(InputError, match="not all images are of 10 px; ingest with `resize_pix=10`"):
        fit_pixel_transform(fields(), TransformSettings(kind="display", size_pix=10))
    transform = fit_pixel_transform(fields(), TransformSettings(kind="display"))
    bright = [np.full((1, 20, 20), value, dtype=np.float32) for value in (3.0, 256.0)]
    with pytest.raises(
        InputError, match=r"image 1 has pixels from 256 to 256; transform.kind 'display' wants 0 to 255"
    ):
        transform.forward(bright)


def test_how_many_images_are_brought_to_network_space_together_does_not_matter(monkeypatch):
    training = galaxies(count=30)
    images = training.pixels.read(np.arange(30))
    transform = fit_pixel_transform(training, TransformSettings())
    together = transform.forward(images)
    monkeypatch.setattr("galsmith.data.transforms.pixel_transform.PIXELS_AT_ONCE", 1)
    apart = transform.forward(images)
    np.testing.assert_array_equal(apart.pixels, together.pixels)
    np.testing.assert_array_equal(apart.scalars, together.scalars)
