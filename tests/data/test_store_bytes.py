"""How a store keeps pixels: integers of 0 to 255 as bytes, compressed where that pays, and never another value."""

import json

import h5py
import numpy as np
import pytest

from galsmith.data.store import open_store, verify_store, write_store
from galsmith.images import ImageHeader, image_set_from_arrays

FIELDS = ImageHeader(("gray",), "display", shows="field")


def sparse_fields(n, *, side_pix=200):
    """Black images with some bright spots, [n, 1, y, x] float32."""
    rng = np.random.default_rng(3)
    fields = np.zeros((n, 1, side_pix, side_pix), dtype=np.float32)
    for field in fields:
        y, x = rng.integers(0, side_pix, (2, 40))
        field[0, y, x] = rng.integers(1, 256, 40)
    return fields


def written(path, pixels):
    """Write images as a store, and give it with the dataset's type, compression and the bytes of its parts."""
    store = write_store(path, image_set_from_arrays(list(pixels), FIELDS))
    files = [path / part["file"] for part in json.loads((path / "dataset.json").read_text())["parts"]]
    with h5py.File(files[0]) as part:
        data = part["image_array"]
        return store, data.dtype, data.compression, sum(file.stat().st_size for file in files)


def test_fields_are_small_and_come_back_as_float32(tmp_path):
    pixels = sparse_fields(20)
    store, dtype, compression, size = written(tmp_path / "set", pixels)
    assert (dtype, compression) == (np.uint8, "gzip")
    assert size < pixels.nbytes / 100
    assert store[3].dtype == np.float32
    np.testing.assert_array_equal(store.stacked(), pixels)
    np.testing.assert_array_equal(store.pixels.read([7, 2])[1], pixels[2])
    assert verify_store(tmp_path / "set") == []


def test_bytes_that_do_not_shrink_are_not_compressed(tmp_path):
    pixels = np.random.default_rng(1).integers(0, 256, (4, 1, 128, 128)).astype(np.float32)
    store, dtype, compression, size = written(tmp_path / "set", pixels)
    assert (dtype, compression) == (np.uint8, None)
    assert size < pixels.nbytes / 3
    np.testing.assert_array_equal(store.stacked(), pixels)


@pytest.mark.parametrize("value", [0.5, -1.0, 256.0, -0.0, 1e9])
def test_one_pixel_that_is_no_byte_keeps_all_as_they_are(tmp_path, value):
    pixels = sparse_fields(3)
    pixels[1, 0, 5, 5] = value
    store, dtype, compression, _ = written(tmp_path / "set", pixels)
    assert (dtype, compression) == (np.float32, None)
    assert store.stacked().tobytes() == pixels.tobytes()


def test_pixels_without_a_value_keep_it(tmp_path):
    pixels = sparse_fields(2)
    pixels[0, 0, 1, 1] = np.nan
    store, dtype, _, _ = written(tmp_path / "set", pixels)
    assert dtype == np.float32
    assert np.isnan(store[0][0, 1, 1])


def test_stores_whose_bytes_are_float32_are_read(tmp_path):
    pixels = sparse_fields(3)
    written(tmp_path / "set", pixels)
    (part,) = (tmp_path / "set" / "images").iterdir()
    with h5py.File(part, "a") as file:  # as galsmith wrote all parts before
        del file["image_array"]
        file.create_dataset("image_array", data=pixels, chunks=(1, 1, 200, 200))
    np.testing.assert_array_equal(open_store(tmp_path / "set").stacked(), pixels)
