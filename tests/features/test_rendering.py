"""Rendering: the paper's stretch and matplotlib's colors, pictures as they are, and what has no picture."""

import matplotlib
import numpy as np
import pytest
from PIL import Image

from galsmith.data.readers.pictures import PictureSource
from galsmith.errors import InputError, SettingsError
from galsmith.features import render
from galsmith.features.rendering import rendering_of, usual_renderings
from galsmith.images import ImageHeader, image_set_from_arrays
from galsmith.seeds import random_stream


def set_of(image, bands=("g", "r", "i"), flux_unit="nJy"):
    return image_set_from_arrays([image], ImageHeader(bands, flux_unit))


@pytest.fixture
def image():
    return random_stream(0, "test.image").normal(size=(3, 5, 7)).astype(np.float32)


def test_magma_is_matplotlibs_of_the_stretched_band(image):
    picture = render(image, rendering_of(set_of(image), "magma"))
    band = image[1, ::-1].astype(np.float64)
    stretched = (band - band.min()) / (band.max() - band.min())
    assert picture.dtype == np.uint8
    assert np.array_equal(picture, matplotlib.colormaps["magma"](stretched, bytes=True)[..., :3])


@pytest.mark.parametrize("kind", ["magma", "asinh"])
def test_rendering_forgets_flux_scale_and_sky(image, kind):
    rendering = rendering_of(set_of(image), kind)
    picture = render(image, rendering)
    assert np.array_equal(picture, render(image * 4 + 8, rendering))
    assert not np.array_equal(picture, render(image**3, rendering))


def test_a_constant_image_is_dark_everywhere():
    flat = np.full((1, 4, 4), 7.0, dtype=np.float32)
    picture = render(flat, rendering_of(set_of(flat, bands=("F814W",))))
    assert np.array_equal(picture, np.broadcast_to(picture[0, 0], picture.shape))
    assert picture[0, 0].tolist() == list(matplotlib.colormaps["magma"](0, bytes=True)[:3])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("kind", ["magma", "asinh", "rgb"])
def test_what_is_not_finite_has_no_picture(image, bad, kind):
    image[1, 2, 3] = bad
    assert render(image, rendering_of(set_of(image, flux_unit="display"), kind)) is None


@pytest.mark.parametrize(
    ("bands", "band"),
    [
        (("g", "r", "i", "z"), "r"),
        (("red", "green", "blue"), "red"),
        (("F814W",), "F814W"),
        (("u", "g", "i"), "g"),
    ],
)
def test_the_band_is_r_or_the_middle_one(bands, band):
    rendering = rendering_of(set_of(np.zeros((len(bands), 2, 2)), bands), "magma")
    assert (rendering.bands, bands[rendering.positions[0]]) == ((band,), band)
    assert rendering.id == f"magma-of-{band}"


def test_the_band_can_be_chosen(image):
    rendering = rendering_of(set_of(image), band="i")
    alone = rendering_of(set_of(image[2:], bands=("i",)))
    assert np.array_equal(render(image, rendering), render(image[2:], alone))
    with pytest.raises(SettingsError, match=r"`band=Z`: wanted one that the set has: g, r, i"):
        rendering_of(set_of(image), band="Z")


def test_a_color_picture_is_rendered_as_the_file_has_it(tmp_path):
    pixels = random_stream(1, "test.picture").integers(0, 256, size=(6, 9, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "one.png")
    read = next(PictureSource(tmp_path).read(np.arange(1)))
    images = set_of(read, bands=("red", "green", "blue"), flux_unit="display")
    assert np.array_equal(render(read, rendering_of(images, "rgb")), pixels)
    assert np.array_equal(render(read + 0.3, rendering_of(images, "rgb")), pixels)


def test_overshoot_is_clipped_and_16_bits_are_refused():
    pixels = np.array([-4.0, 12.4, 300.0], dtype=np.float32).reshape(3, 1, 1)
    rendering = rendering_of(set_of(pixels, flux_unit="display"), "rgb")
    assert render(pixels, rendering).ravel().tolist() == [0, 12, 255]
    with pytest.raises(ValueError, match="pixels up to 65535, rendering 'rgb' wants 0 to 255"):
        render(np.full((3, 1, 1), 65535, dtype=np.float32), rendering)


def test_rgb_wants_pictures(image):
    with pytest.raises(InputError, match=r"wants color pictures .* came 3 in 'nJy'"):
        rendering_of(set_of(image), "rgb")
    with pytest.raises(SettingsError, match="`rendering=viridis`: wanted one of magma, asinh, rgb"):
        rendering_of(set_of(image), "viridis")
    with pytest.raises(SettingsError, match="rendering 'rgb' takes three; leave it out"):
        rendering_of(set_of(image, flux_unit="display"), "rgb", band="g")


@pytest.mark.parametrize(
    ("bands", "kind", "seen"),
    [
        (("F814W",), "magma-of-F814W", ()),
        (("g", "i"), "magma-of-i", ()),
        (("i", "g", "r"), "asinh-of-i-r-g", (0, 2, 1)),
        (("u", "g", "r", "i", "z"), "asinh-of-z-r-u", (4, 2, 0)),
        (("a", "b", "c"), "asinh-of-c-b-a", (2, 1, 0)),
    ],
)
def test_three_bands_are_seen_in_color_the_longest_waves_in_red(bands, kind, seen):
    images = set_of(np.zeros((len(bands), 2, 2)), bands)
    assert rendering_of(images).id == kind
    assert usual_renderings(images.header)[-1] == "magma"
    if seen:
        assert rendering_of(images).positions == seen


def test_color_is_the_ratio_of_bands_and_brightness_their_asinh():
    """Pixels of one color and different brightness, above a sky of which most pixels are."""
    image = np.zeros((3, 1, 9), dtype=np.float32)
    shares = np.array([1.0, 0.5, 0.1, 0.01])
    image[:, 0, :4] = np.array([1.0, 2.0, 3.0])[:, np.newaxis] * shares
    picture = render(image + 5, rendering_of(set_of(image)))[0]
    # blue is half of green is a third of red, but where red is brought back to 255
    mean = np.arcsinh(10 * shares) / np.arcsinh(10)
    wanted = mean[:, np.newaxis] * np.array([1.5, 1.0, 0.5])
    wanted /= np.maximum(wanted.max(axis=1, keepdims=True), 1)
    assert np.abs(picture[:4] - 255 * wanted).max() <= 0.51
    assert (picture[4:] == 0).all()


def test_a_colored_picture_of_nothing_is_black():
    image = np.full((3, 4, 4), 7.0, dtype=np.float32)
    assert not render(image, rendering_of(set_of(image))).any()


def test_color_wants_three_bands(image):
    with pytest.raises(InputError, match="rendering 'asinh' wants three bands or more; came 2"):
        rendering_of(set_of(image[:2], bands=("g", "r")), "asinh")
