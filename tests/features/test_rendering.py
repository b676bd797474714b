"""Rendering: the paper's stretch and matplotlib's colors, pictures as they are, and what has no picture."""

import matplotlib
import numpy as np
import pytest
from PIL import Image

from galsmith.data.readers.pictures import PictureSource
from galsmith.errors import InputError, SettingsError
from galsmith.features import render
from galsmith.features.rendering import rendering_of
from galsmith.images import ImageHeader, image_set_from_arrays
from galsmith.seeds import random_stream


def set_of(image, bands=("g", "r", "i"), flux_unit="nJy"):
    return image_set_from_arrays([image], ImageHeader(bands, flux_unit))


@pytest.fixture
def image():
    return random_stream(0, "test.image").normal(size=(3, 5, 7)).astype(np.float32)


def test_magma_is_matplotlibs_of_the_stretched_band(image):
    picture = render(image, rendering_of(set_of(image)))
    band = image[1, ::-1].astype(np.float64)
    stretched = (band - band.min()) / (band.max() - band.min())
    assert picture.dtype == np.uint8
    assert np.array_equal(picture, matplotlib.colormaps["magma"](stretched, bytes=True)[..., :3])


def test_rendering_forgets_flux_scale_and_sky(image):
    rendering = rendering_of(set_of(image))
    picture = render(image, rendering)
    assert np.array_equal(picture, render(image * 4 + 8, rendering))
    assert not np.array_equal(picture, render(image**3, rendering))


def test_a_constant_image_is_dark_everywhere():
    flat = np.full((1, 4, 4), 7.0, dtype=np.float32)
    picture = render(flat, rendering_of(set_of(flat, bands=("F814W",))))
    assert np.array_equal(picture, np.broadcast_to(picture[0, 0], picture.shape))
    assert picture[0, 0].tolist() == list(matplotlib.colormaps["magma"](0, bytes=True)[:3])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("kind", ["magma", "rgb"])
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
    rendering = rendering_of(set_of(np.zeros((len(bands), 2, 2)), bands))
    assert (rendering.band, bands[rendering.position]) == (band, band)
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
    with pytest.raises(SettingsError, match="`rendering=viridis`: wanted one of magma, rgb"):
        rendering_of(set_of(image), "viridis")
    with pytest.raises(SettingsError, match="takes all three; leave it out"):
        rendering_of(set_of(image, flux_unit="display"), "rgb", band="g")
