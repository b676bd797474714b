"""Mosaics of pictures: whole, gray, without gaps, and by seed."""

import numpy as np
import pytest
from PIL import Image

from galsmith import simulate
from galsmith.data.store import write_store
from galsmith.errors import InputError, SettingsError
from galsmith.images import ImageHeader, image_set_from_arrays


@pytest.fixture
def pictures(tmp_path):
    """Five RGB pictures of 20 px, each of one color of its own."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(5):
        pixels = np.full((20, 20, 3), 10 * number + 10, dtype=np.uint8)
        pixels[3, 3] = (255, 0, 0)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


def test_a_mosaic_is_tiles_of_gray(pictures, tmp_path):
    images = simulate.sky_mosaic(pictures, tmp_path / "sky", n=3, side_pix=50, seed=1)
    assert (len(images), images.sizes_text, images.header.shows) == (3, "50x50 px", "field")
    assert images.n_by_split == {"train": 3}
    for image in (images[row][0] for row in range(3)):
        tiles = [np.median(image[y : y + 20, x : x + 20]) for y in (0, 20, 40) for x in (0, 20, 40)]
        assert set(tiles) <= {10, 20, 30, 40, 50}
        assert np.sum(image == 85) >= 4  # one in each whole tile, wherever it was turned to
    assert len({images[row].tobytes() for row in range(3)}) == 3


def test_mosaic_k_depends_on_seed_and_k_alone(pictures, tmp_path):
    few = simulate.sky_mosaic(pictures, tmp_path / "few", n=1, side_pix=60, seed=1)
    more = simulate.sky_mosaic(pictures, tmp_path / "more", n=2, side_pix=60, seed=1)
    other = simulate.sky_mosaic(pictures, tmp_path / "other", n=1, side_pix=60, seed=2)
    np.testing.assert_array_equal(few[0], more[0])
    assert not np.array_equal(few[0], other[0])


def test_a_store_of_pictures_will_do_and_one_of_fluxes_will_not(tmp_path):
    pixels = [np.arange(100, dtype=np.float32).reshape(1, 10, 10)] * 2
    write_store(tmp_path / "set", image_set_from_arrays(pixels, ImageHeader(("gray",), "display")))
    assert len(simulate.sky_mosaic(tmp_path / "set", tmp_path / "sky", side_pix=35)) == 1
    write_store(tmp_path / "fluxes", image_set_from_arrays(pixels, ImageHeader(("r",), "nJy")))
    with pytest.raises(InputError, match="has pixels in nJy; wanted pictures"):
        simulate.sky_mosaic(tmp_path / "fluxes", tmp_path / "other")


def test_a_mosaic_smaller_than_a_tile_is_refused(pictures, tmp_path):
    with pytest.raises(SettingsError, match="`side_pix=19`: wanted at least a tile, 20 px"):
        simulate.sky_mosaic(pictures, tmp_path / "sky", side_pix=19)
    (pictures / "3.png").write_bytes(b"\x89PNG")
    with pytest.raises(InputError, match=r"3.png: not a PNG or JPEG that can be read.*; mend or remove it"):
        simulate.sky_mosaic(pictures, tmp_path / "sky", side_pix=50)
    assert not (tmp_path / "sky").exists()
