import json
import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from operator import itemgetter

import astropy.units as u
import h5py
import numpy as np
import pandas as pd
import pytest
from astropy.table import QTable

from galsmith.data.store import StoreHeader, StoreWriter, is_store, open_store, verify_store, write_store
from galsmith.images import ImageHeader
from galsmith.provenance import Parent, Provenance


def header(**changes):
    made = changes.pop("provenance", Provenance("test", seed=1))
    values = {"bands": ("r",), "pixel_scale_arcsec": 0.2, "flux_unit": "nJy"}
    return StoreHeader(ImageHeader(**{**values, **changes}), made)


def sums(images):
    return [float(image.sum(dtype=np.float64)) for image in images.pixels.read(np.arange(len(images)))]


def test_round_trip_of_images_of_mixed_sizes(tmp_path, mixed_set):
    store = write_store(tmp_path / "set", mixed_set)
    assert len(store) == 7
    np.testing.assert_array_equal(store.shapes, mixed_set.shapes)
    for index in range(7):
        np.testing.assert_array_equal(store[index], mixed_set[index])
    assert store[0].dtype == np.float32
    assert (store.header.bands, store.header.flux_unit, store.header.pixel_scale_arcsec) == (
        ("g", "r"),
        "nJy",
        0.2,
    )
    assert store.catalog["r_eff_arcsec"].unit == u.arcsec
    assert list(store.catalog["object_id"]) == [f"galaxy{k}" for k in range(7)]
    assert store.provenance.verb == "test"
    assert store.provenance.seed == 3


def test_round_trip_of_all_that_is_true_of_every_image(tmp_path):
    full = header(
        zero_points_mag={"r": 26.5},
        psf={"psf_fwhm_pix": 3.0},
        physical_pixel_kpc=0.3,
        provenance=Provenance("test", {"x": [1, 2]}, 4, (Parent("training set", "abc", "/there"),)),
    )
    writer = StoreWriter(tmp_path / "set", full, n_chunks=1)
    writer.write_chunk(0, [np.ones((1, 4, 4), dtype=np.float32)], QTable({"a": [1]}))
    store = writer.finish()
    assert StoreHeader.from_dict(full.to_dict()) == full
    assert store.header.zero_points_mag == {"r": 26.5}
    assert store.header.psf == {"psf_fwhm_pix": 3.0}
    assert store.header.physical_pixel_kpc == 0.3
    assert store.provenance == full.provenance


def test_any_order_of_reading_gives_the_same_images(tmp_path, mixed_set):
    store = write_store(tmp_path / "set", mixed_set)
    order = [6, 0, 3, 3, 1, 5, 2, 4]
    for index, image in zip(order, store.pixels.read(order), strict=True):
        np.testing.assert_array_equal(image, mixed_set[index])
    np.testing.assert_array_equal(store[-1], mixed_set[6])
    with pytest.raises(IndexError, match="image 7 of a store with 7 images"):
        store[7]


def test_a_stranger_can_read_the_parts(tmp_path, mixed_set):
    write_store(tmp_path / "set", mixed_set)
    description = json.loads((tmp_path / "set" / "dataset.json").read_text())
    assert sum(part["n_images"] for part in description["parts"]) == 7
    with h5py.File(tmp_path / "set" / description["parts"][0]["file"]) as part:
        assert part["image_array"].chunks == (1, 2, 8, 8)
        assert list(part["image_array"].attrs["image_band"]) == ["g", "r"]
        assert part["image_array"].attrs["image_scale"] == 0.2
        np.testing.assert_array_equal(part["image_array"][0], mixed_set[0])
    table = pd.read_parquet(tmp_path / "set" / "catalog.parquet")
    assert list(table["object_id"]) == [f"galaxy{k}" for k in range(7)]


def test_the_content_hash_follows_the_content(tmp_path, mixed_set):
    first = write_store(tmp_path / "first", mixed_set)
    again = write_store(tmp_path / "again", mixed_set)
    fewer = write_store(tmp_path / "fewer", mixed_set.select(np.arange(6)))
    assert first.content_hash == again.content_hash
    assert first.content_hash != fewer.content_hash


def test_a_store_goes_to_another_process(tmp_path, mixed_set):
    store = write_store(tmp_path / "set", mixed_set)
    store[0]  # opens a file, which must not travel
    assert sums(pickle.loads(pickle.dumps(store))) == sums(mixed_set)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        there = pool.submit(itemgetter(3), store).result()
    np.testing.assert_array_equal(there, mixed_set[3])


def test_more_parts_than_open_files(tmp_path):
    writer = StoreWriter(tmp_path / "set", header(), n_chunks=20)
    for chunk in reversed(range(20)):
        writer.write_chunk(chunk, [np.full((1, 3, 3), chunk, dtype=np.float32)], QTable({"k": [chunk]}))
    store = writer.finish()
    assert list(store.catalog["k"]) == list(range(20))
    for _ in range(2):
        assert [int(image[0, 0, 0]) for image in store.pixels.read(np.arange(20))] == list(range(20))


def test_empty_chunks_are_allowed(tmp_path):
    writer = StoreWriter(tmp_path / "set", header(), n_chunks=2)
    writer.write_chunk(0, [], QTable({"k": np.empty(0)}))
    writer.write_chunk(1, [np.ones((1, 3, 3), dtype=np.float32)], QTable({"k": [1.0]}))
    assert len(writer.finish()) == 1


def test_finishing_needs_every_chunk(tmp_path):
    writer = StoreWriter(tmp_path / "set", header(), n_chunks=3)
    writer.write_chunk(1, [np.ones((1, 3, 3), dtype=np.float32)], QTable({"k": [1.0]}))
    assert writer.n_done == 1
    with pytest.raises(ValueError, match="2 of 3 chunks are not written, first 0"):
        writer.finish()


def test_ids_that_repeat_are_numbered_anew(tmp_path):
    writer = StoreWriter(tmp_path / "set", header(), n_chunks=2)
    for chunk in range(2):
        writer.write_chunk(chunk, [np.ones((1, 3, 3), dtype=np.float32)], QTable({"k": [1.0]}))
    assert list(writer.finish().catalog["object_id"]) == ["00000000", "00000001"]


def test_verify_passes_what_is_whole_and_reports_progress(tmp_path, mixed_set):
    write_store(tmp_path / "set", mixed_set)
    events = []
    assert verify_store(tmp_path / "set", progress=events.append) == []
    assert (events[-1].done, events[-1].total) == (4, 4)


def test_is_store_knows_whole_partial_and_neither(tmp_path, mixed_set):
    write_store(tmp_path / "whole", mixed_set)
    StoreWriter(tmp_path / "partial", header(), n_chunks=2)
    (tmp_path / "other").mkdir()
    assert [is_store(tmp_path / name) for name in ("whole", "partial", "other", "none")] == [
        True,
        True,
        False,
        False,
    ]


def test_reading_takes_only_what_is_asked_for(tmp_path, monkeypatch):
    writer = StoreWriter(tmp_path / "set", header(), n_chunks=1)
    images = [np.full((1, 3, 3), k, dtype=np.float32) for k in range(50)]
    writer.write_chunk(0, images, QTable({"k": np.arange(50)}))
    store = writer.finish()
    asked = []
    read_rows = type(store.pixels)._read_rows

    def watched(pixels, part, start, count):
        asked.append((start, count))
        return read_rows(pixels, part, start, count)

    monkeypatch.setattr(type(store.pixels), "_read_rows", watched)
    store.pixels.read([40, 4, 5, 6])
    assert asked == [(4, 3), (40, 1)]
    # What lies between near rows is read with them, and not kept.
    near = store.pixels.read([12, 8, 10])
    assert asked[2:] == [(8, 5)]
    assert [float(image[0, 0, 0]) for image in near] == [12.0, 8.0, 10.0]
    assert near[0].base is None or near[0].base.shape[0] == 3


def test_open_store_gives_a_lazy_set(tmp_path, mixed_set):
    write_store(tmp_path / "set", mixed_set)
    store = open_store(str(tmp_path / "set"))
    assert store.path == str(tmp_path / "set")
    assert not store.pixels._open
    chunks = [(list(indices), len(images)) for indices, images in store.chunks(3)]
    assert chunks == [([0, 1, 2], 3), ([3, 4, 5], 3), ([6], 1)]


@pytest.mark.parametrize("shape", [(2, 4, 4), (3, 4, 4, 4), (4,)])
def test_pixels_of_other_bands_than_the_header_names_are_refused(tmp_path, shape):
    writer = StoreWriter(tmp_path / "set", header(bands=("g", "r", "i")), n_chunks=1)
    good, bad = np.ones((3, 4, 4), dtype=np.float32), np.ones(shape, dtype=np.float32)
    with pytest.raises(
        ValueError, match=r"image 1 of chunk 0 has shape .*; wanted .* with 3 bands \(g, r, i\)"
    ):
        writer.write_chunk(0, [good, bad], QTable({"a": [1, 2]}))
    assert not writer.is_done(0)
    writer.write_chunk(0, [good, good], QTable({"a": [1, 2]}))
    assert len(writer.finish()) == 2
