"""An image set in a notebook: pictures that decode to the galaxies, and nothing that breaks the page."""

import base64
import io
import re

import numpy as np
import pytest
from astropy.table import QTable
from PIL import Image

from galsmith.images import ImageHeader, image_set_from_arrays
from galsmith.images.preview import N_PICTURES, picture_of


def disc(side=16, flux=1.0):
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    return flux * np.exp(-np.hypot(x, y) / 2)


def test_pictures_are_upright_and_brighter_where_there_is_more_light():
    image = np.zeros((1, 8, 8), dtype=np.float32)
    image[0, 0, 0] = 1  # y = 0 is the bottom row
    picture = picture_of(image, ("r",))
    assert (picture.shape, picture.dtype) == ((8, 8), np.uint8)
    assert np.argwhere(picture == 255).tolist() == [[7, 0]]
    shades = picture_of(np.asarray([disc()], dtype=np.float32), ("r",))[8, 8:]
    assert (np.diff(shades.astype(int)) <= 0).all()


@pytest.mark.parametrize(("bands", "brightest"), [(("g", "r", "i"), 0), (("red", "green", "blue"), 2)])
def test_the_last_band_is_red_unless_they_are_colors(bands, brightest):
    picture = picture_of(np.stack([disc(flux=flux) for flux in (1, 2, 4)]).astype(np.float32), bands)
    assert picture.shape == (16, 16, 3)
    assert picture[4, 4].argmax() == brightest


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan])
def test_an_image_without_light_has_a_picture_too(value):
    assert picture_of(np.full((1, 4, 4), value, dtype=np.float32), ("r",)).shape == (4, 4)


def test_a_notebook_shows_the_first_images_and_rows():
    names = ["<b>first</b>", *(f"galaxy{k}" for k in range(9))]
    images = image_set_from_arrays(
        [disc()] * 10, ImageHeader(("r",), "nJy"), catalog=QTable({"object_id": names})
    )
    page = images._repr_html_()
    assert "ImageSet(10 galaxies, 16x16 px, band r, in nJy)" in page
    coded = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    assert len(coded) == N_PICTURES
    assert Image.open(io.BytesIO(base64.b64decode(coded[0]))).size == (16, 16)
    assert "native_size_pix" in page
    assert "<b>first" not in page
    assert "ImageSet(0 galaxies" in images[:0]._repr_html_()
