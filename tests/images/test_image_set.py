import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable

from galsmith.images import ImageHeader, ImageSet, image_set_from_arrays
from galsmith.provenance import Provenance


def small_set(sizes=(4, 6, 4), bands=("g", "r")):
    images = [np.full((len(bands), size, size), k, dtype=np.float64) for k, size in enumerate(sizes)]
    catalog = QTable(
        {"object_id": [f"galaxy{k}" for k in range(len(sizes))], "mag": np.arange(len(sizes)) * u.mag}
    )
    return image_set_from_arrays(images, ImageHeader(bands, "nJy", 0.2), catalog=catalog)


def test_arrays_become_float32_with_a_complete_catalog():
    images = image_set_from_arrays([np.ones((3, 4)), np.ones((5, 6))], ImageHeader(("r",), "nJy"))
    assert [image.shape for image in images.pixels.read([0, 1])] == [(1, 3, 4), (1, 5, 6)]
    assert images[0].dtype == np.float32
    assert images.shapes.tolist() == [[3, 4], [5, 6]]
    assert list(images.catalog["object_id"]) == ["00000000", "00000001"]
    assert list(images.catalog["split"]) == ["train", "train"]
    assert list(images.catalog["native_size_pix"]) == [3, 5]
    assert images.provenance.verb == "arrays in memory"


def test_columns_given_are_kept():
    images = small_set()
    assert images.catalog["mag"].unit == u.mag
    assert list(images.catalog["object_id"]) == ["galaxy0", "galaxy1", "galaxy2"]


@pytest.mark.parametrize("shape", [(4, 4), (3, 4, 4), (4,)])
def test_images_of_other_bands_are_refused(shape):
    with pytest.raises(ValueError, match=r"image 0 has shape .* wanted \[band, y, x\] with 2 bands"):
        image_set_from_arrays([np.ones(shape)], ImageHeader(("g", "r"), "nJy"))


def test_a_catalog_of_another_length_is_refused():
    images = small_set()
    with pytest.raises(ValueError, match="catalog has 2 rows for 3 images; wanted one each"):
        ImageSet(images.pixels, images.header, images.catalog[:2], Provenance("test"))


def test_selecting_by_mask_and_by_index_agree():
    images = small_set()
    by_mask, by_index = images.select([True, False, True]), images.select([0, 2])
    assert list(by_mask.catalog["object_id"]) == list(by_index.catalog["object_id"]) == ["galaxy0", "galaxy2"]
    np.testing.assert_array_equal(by_mask.stacked(), by_index.stacked())
    assert by_mask.content_hash == by_index.content_hash != images.content_hash


def test_selecting_twice_is_selecting_once():
    images = small_set(sizes=(4, 4, 4, 4))
    twice = images.select([3, 1, 0]).select([2, 0])
    assert [float(image.max()) for image in twice.pixels.read([0, 1])] == [0.0, 3.0]
    assert [float(twice[k].max()) for k in (0, 1)] == [0.0, 3.0]
    assert list(twice.catalog["object_id"]) == ["galaxy0", "galaxy3"]


def test_a_mask_of_another_length_is_refused():
    with pytest.raises(ValueError, match="mask has shape"):
        small_set().select([True, False])


def test_stacking_wants_one_size():
    assert small_set(sizes=(4, 4)).stacked().shape == (2, 2, 4, 4)
    with pytest.raises(ValueError, match=r"2 different sizes, .* crop or resize the set"):
        small_set().stacked()


def test_chunks_cover_everything_in_order():
    chunks = list(small_set(sizes=(4,) * 5).chunks(2))
    assert [indices.tolist() for indices, _ in chunks] == [[0, 1], [2, 3], [4]]
    assert [float(image.max()) for _, images in chunks for image in images] == [0, 1, 2, 3, 4]


def test_splits_are_picked_by_name():
    images = small_set()
    images.catalog["split"] = ["train", "test", "train"]
    assert list(images.in_split("train").catalog["object_id"]) == ["galaxy0", "galaxy2"]
    assert len(images.in_split("validation")) == 0


def test_the_hash_follows_pixels_bands_and_unit():
    base = small_set().content_hash
    assert small_set().content_hash == base
    assert small_set(bands=("g", "i")).content_hash != base
    assert small_set(sizes=(4, 6, 6)).content_hash != base


def test_a_set_names_itself_as_parent():
    parent = small_set().as_parent("reference")
    assert (parent.role, parent.content_hash) == ("reference", small_set().content_hash)


def test_a_set_is_printed_in_one_line():
    images = image_set_from_arrays(np.ones((3, 2, 8, 9)), ImageHeader(("g", "r"), "nJy"))
    assert repr(images) == "ImageSet(3 galaxies, 8x9 px, bands g r, in nJy)"


@pytest.mark.parametrize("index", [slice(1, None), [1, 2], np.array([False, True, True])])
def test_several_images_are_taken_as_of_an_array(index):
    images = small_set()
    part = images[index]
    assert list(part.catalog["object_id"]) == ["galaxy1", "galaxy2"]
    assert part.content_hash == images.select([1, 2]).content_hash
    np.testing.assert_array_equal(part[1], images[2])
    np.testing.assert_array_equal(part[-1], images[np.int64(2)])
