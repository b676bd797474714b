"""Images in one array of somebody's file: which array, which axis, which numbers, and what is refused."""

import pickle

import h5py
import numpy as np
import pytest

from galsmith import ingest
from galsmith.data.options import SetOptions
from galsmith.data.readers.arrays import ArraySource, image_axes
from galsmith.data.readers.listing import ArrayPlace, array_place
from galsmith.data.readers.pictures import PictureSource
from galsmith.data.readers.registry import ArrayOptions
from galsmith.data.readers.source import UnusableImage
from galsmith.errors import InputError, SettingsError

FILES = ("set.h5", "set.hdf5", "set.npy", "set.npz")


@pytest.fixture
def images():
    """Six images of 3 bands, 20 rows and 24 columns, [galaxy, band, y, x] float64."""
    return np.random.default_rng(3).normal(10, 2, (6, 3, 20, 24))


def pixels(source):
    return np.stack(list(source.read(np.arange(len(source.catalog)))))


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("kind", ["<f4", ">f4", "<f8", ">f8", "<i2", ">i4", "u1", "f2"])
def test_every_number_comes_out_as_it_was_written(write_array, images, name, kind):
    written = images.astype(kind)
    source = ArraySource(write_array(name, written))
    np.testing.assert_array_equal(pixels(source), written.astype(np.float32))
    assert source.read(np.array([2]))[0].dtype == np.dtype("=f4")


@pytest.mark.parametrize("name", FILES)
def test_the_band_axis_is_the_shortest_one_before_or_behind_the_pixels(write_array, images, name):
    first = ArraySource(write_array(name, images))
    expected = pixels(first)
    assert expected.shape == images.shape
    last = ArraySource(write_array(name, np.moveaxis(images, 1, -1)))
    np.testing.assert_array_equal(pixels(last), expected)
    alone = ArraySource(write_array(name, images[:, 0]))
    np.testing.assert_array_equal(pixels(alone), expected[:, :1])


def test_a_shape_that_does_not_tell_the_band_axis_asks_for_it():
    shape = (9, 8, 8, 8)
    with pytest.raises(InputError, match=r"its shape \(9, 8, 8, 8\) does not tell .* `band_axis=first`"):
        image_axes(shape, band_axis=None, name="set.h5:/images")
    axes = image_axes((9, 4, 6, 5), band_axis="last", name="set")
    assert (axes.n_bands, axes.height_pix, axes.width_pix) == (5, 4, 6)
    with pytest.raises(SettingsError, match=r"`band_axis=last`: set has shape \(9, 8, 8\), .* leave it out"):
        image_axes((9, 8, 8), band_axis="last", name="set")


def test_a_wrong_band_axis_reads_other_numbers(write_array, images):
    path = write_array("set.h5", images)
    right, wrong = (ArraySource(path, ArrayOptions(band_axis=axis)) for axis in ("first", "last"))
    assert right.listing.shapes[0].tolist() == [20, 24]
    assert wrong.listing.shapes[0].tolist() == [3, 20]
    assert len(wrong.header.bands) == 24


def test_the_only_array_that_may_hold_images_is_taken(write_array, images):
    path = write_array("set.h5", images, redshift=np.arange(6.0), spectra=np.ones((6, 50)))
    assert ArraySource(path).listing.names[4] == f"{path}:/images[4]"
    with h5py.File(path, "a") as file:
        file["truth/clean"] = images[:, 0] + 1
    with pytest.raises(
        InputError,
        match=r"2 datasets could be images: /images \(6, 3, 20, 24\) float64, /truth/clean .* float64; choose one as",
    ):
        ArraySource(path)
    np.testing.assert_array_equal(
        pixels(ArraySource(f"{path}:truth/clean"))[:, 0], (images[:, 0] + 1).astype("f4")
    )
    with pytest.raises(
        InputError, match=r"has no such dataset \(did you mean 'images'\?\); it holds /images \(6"
    ):
        ArraySource(f"{path}:imagse")
    with pytest.raises(
        InputError, match=r":redshift: holds /redshift \(6,\) float64, wanted numbers \[galaxy"
    ):
        ArraySource(f"{path}:redshift")


def test_a_member_of_an_npz_file_is_named_like_a_dataset(write_array, images):
    path = write_array("set.npz", images, truth=images[:, 0])
    with pytest.raises(
        InputError, match=r"2 datasets could be images: images .* choose one as .*set\.npz:images"
    ):
        ArraySource(path)
    assert pixels(ArraySource(f"{path}:truth")).shape == (6, 1, 20, 24)


def test_arrays_beside_the_images_become_columns(write_array, images):
    names = np.array([b"a", b"b", b"c", b"d", b"e", b"f"])
    others = {"redshift": np.linspace(0, 1, 6), "kind": names, "split": np.arange(6), "other": np.arange(5)}
    for file in ("set.h5", "set.npz"):
        catalog = ArraySource(write_array(file, images, **others)).catalog
        assert set(catalog.colnames) == {"object_id", "redshift", "kind", "label_split"}
        assert list(catalog["kind"]) == list("abcdef")
        assert list(catalog["redshift"]) == list(others["redshift"])
        assert list(catalog["object_id"]) == [f"0000000{k}" for k in range(6)]
        named = ArraySource(write_array(file, images, object_id=names)).catalog
        assert list(named["object_id"]) == list("abcdef")
        twice = ArraySource(write_array(file, images, object_id=np.array([b"a"] * 6))).catalog
        assert list(twice["object_id"]) == [f"0000000{k}" for k in range(6)]


def test_eight_bits_in_one_or_three_bands_are_pictures(write_array, write_picture):
    drawn = np.random.default_rng(1).integers(0, 255, (3, 16, 16, 3), dtype=np.uint8)
    for name, picture in zip("abc", drawn, strict=True):
        folder = write_picture(f"{name}.png", picture)
    files, array = PictureSource(folder), ArraySource(write_array("set.h5", drawn[:, ::-1]))
    assert (array.header.bands, array.header.flux_unit) == (files.header.bands, files.header.flux_unit)
    np.testing.assert_array_equal(pixels(array), pixels(files))
    fluxes = ArraySource(write_array("set.h5", drawn.astype("f4")))
    assert (fluxes.header.bands, fluxes.header.flux_unit) == (("band0", "band1", "band2"), "unknown")


def test_what_the_attributes_say_is_used_and_the_user_has_the_last_word(write_array, images):
    path = write_array("set.h5", images)
    with h5py.File(path, "a") as file:
        file["images"].attrs.update({"bands": ["g", "r", "i"], "pixel_scale_arcsec": 0.2, "BUNIT": "nJy"})
    stated = ArraySource(path)
    assert (stated.header.bands, stated.header.pixel_scale_arcsec, stated.header.flux_unit) == (
        ("g", "r", "i"),
        0.2,
        "nJy",
    )
    told = ArraySource(path, ArrayOptions(bands=("u", "v", "w"), pixel_scale_arcsec=0.5, flux_unit="adu"))
    assert (told.header.bands, told.header.pixel_scale_arcsec, told.header.flux_unit) == (
        ("u", "v", "w"),
        0.5,
        "adu",
    )
    with pytest.raises(SettingsError, match=r"`bands=g,r`: names 2 bands, .*set\.h5:/images has 3"):
        ArraySource(path, ArrayOptions(bands=("g", "r")))
    with pytest.raises(SettingsError, match=r"`pixel_scale_arcsec=-1`: wanted a positive angle"):
        ArraySource(path, ArrayOptions(pixel_scale_arcsec=-1))


@pytest.mark.parametrize("name", FILES)
def test_an_array_without_images_is_refused(write_array, name, tmp_path):
    path = tmp_path / name
    if name.endswith("npy"):
        np.save(path, np.empty((0, 8, 8)))
    elif name.endswith("npz"):
        np.savez(path, images=np.empty((0, 8, 8)))
    else:
        with h5py.File(path, "w") as file:
            file["images"] = np.empty((0, 8, 8))
    with pytest.raises(InputError, match=r"has shape \(0, 8, 8\), so it holds no image"):
        ArraySource(path)


def test_files_with_nothing_like_images_say_what_they_hold(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["spectra"] = np.ones((5, 40))
        file["mask"] = np.ones((5, 8, 8), dtype=bool)
        file["nothing"] = h5py.Empty("f4")
    with pytest.raises(
        InputError, match=r"no dataset of 3 or 4 axes .* /mask \(5, 8, 8\) bool, /nothing None"
    ):
        ArraySource(tmp_path / "a.h5")
    h5py.File(tmp_path / "b.h5", "w").close()
    with pytest.raises(InputError, match=r"could be images; it holds nothing"):
        ArraySource(tmp_path / "b.h5")


@pytest.mark.parametrize(("name", "kind"), [("set.h5", "HDF5"), ("set.npy", "NPY"), ("set.npz", "NPZ")])
def test_a_file_that_is_not_what_its_name_says_is_refused(tmp_path, name, kind):
    (tmp_path / name).write_bytes(b"GIF89a, and no array at all")
    with pytest.raises(InputError, match=rf"{name}: is not an {kind} file that can be read"):
        ArraySource(tmp_path / name)
    with pytest.raises(InputError, match=r"none\.h5: there is no such file"):
        ArraySource(tmp_path / "none.h5")
    with pytest.raises(InputError, match=r"x\.txt: wanted an HDF5, NPY, NPZ or FITS file"):
        ArraySource(tmp_path / "x.txt")


def test_arrays_of_python_objects_are_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{"a": 1}, None], dtype=object))
    with pytest.raises(InputError, match=r"a\.npy: is not an NPY file that can be read"):
        ArraySource(tmp_path / "a.npy")


def test_a_damaged_chunk_costs_its_images_only(write_array, images):
    path = write_array("set.h5", images)
    with h5py.File(path) as file:
        place = file["images"].id.get_chunk_info(1).byte_offset
    data = bytearray(path.read_bytes())
    data[place : place + 64] = bytes(64)
    path.write_bytes(data)
    source = ArraySource(path)
    source._rows_per_block = 2
    good = [not isinstance(image, UnusableImage) for image in source.read(np.arange(6))]
    assert good == [True, True, False, False, True, True]
    assert "rows 2 to 3 cannot be read" in source.read(np.array([3]))[0].message


def test_only_some_blocks_are_held_and_none_travels_to_another_process(write_array, images, monkeypatch):
    monkeypatch.setattr("galsmith.data.readers.arrays.BYTES_PER_BLOCK", 1)
    path = write_array("set.h5", np.concatenate([images] * 4))
    source = ArraySource(path)
    order = np.random.default_rng(0).permutation(24)
    for row, image in zip(order, source.read(order), strict=True):
        np.testing.assert_array_equal(image, images[row % 6].astype("f4"))
    assert source._rows_per_block == 2
    assert len(source._blocks) == 4
    sent = pickle.loads(pickle.dumps(source))
    assert sent._blocks == {}
    np.testing.assert_array_equal(pixels(sent), pixels(source))


def test_a_store_of_an_array_has_its_pixels_and_its_columns(write_array, images, tmp_path):
    path = write_array("set.h5", images, redshift=np.arange(6.0))
    store = ingest.arrays(f"{path}:images", tmp_path / "store", bands=("g", "r", "i"), flux_unit="nJy")
    assert (store.header.bands, store.header.flux_unit, store.provenance.verb) == (
        ("g", "r", "i"),
        "nJy",
        "ingest arrays",
    )
    np.testing.assert_array_equal(np.stack(store.pixels.read(range(6))), images.astype("f4"))
    assert list(store.catalog["redshift"]) == list(range(6))


def test_pixels_that_are_not_finite_are_named_or_left_out(write_array, images, tmp_path):
    images[2, 0, 5, 5] = np.nan
    images[4] = 1e300
    path = write_array("set.h5", images)
    with pytest.raises(InputError, match=r"set\.h5:/images\[2\]: 1 of 1440 pixels are NaN or infinite"):
        ingest.arrays(path, tmp_path / "store")
    store = ingest.arrays(path, tmp_path / "store", options=SetOptions(on_bad="skip"))
    assert len(store) == 4
    assert store.catalog.meta["left_out"] == {"not finite": 2}
    empty = write_array("empty.h5", np.full((3, 8, 8), np.nan))
    with pytest.raises(InputError, match=r"no image is left to store \(3 not finite\)"):
        ingest.arrays(empty, tmp_path / "none", options=SetOptions(on_bad="skip"))
    assert not (tmp_path / "none").exists()


def test_names_of_arrays_in_files(tmp_path, monkeypatch):
    assert array_place("a/set.h5") == ArrayPlace(tmp_path.__class__("a/set.h5"))
    assert array_place("a/set.HDF5:/group/images") == ArrayPlace(
        tmp_path.__class__("a/set.HDF5"), "/group/images"
    )
    assert array_place("set.npz:x").dataset == "x"
    assert array_place("set.h5:").dataset is None
    for other in ("images", "x.fits", "a:b", "set.h5.txt", "h5"):
        assert array_place(other) is None
