"""Stores whose bytes or pages have changed: pixels are never read wrong, and each fault names its file and key."""

import json

import numpy as np
import pytest

from galsmith.cli.describe import describe
from galsmith.data.store import (
    Companions,
    StoreHeader,
    StoreWriter,
    open_store,
    read_companions,
    verify_store,
)
from galsmith.errors import GalsmithError, InputError
from galsmith.files import read_json, write_json
from galsmith.images import ImageHeader
from galsmith.provenance import Provenance
from galsmith.seeds import random_stream

WRONG = (None, "x", -1, 7.5, True, [], {}, ["x"], {"x": 1})


@pytest.fixture
def store(tmp_path):
    from astropy.table import QTable

    rng = random_stream(1, "test")
    images = rng.normal(size=(8, 2, 16, 16)).astype(np.float32)
    beside = Companions(
        psfs=list(rng.random((8, 5, 5)).astype(np.float32)),
        psf_kind="effective",
        ivars=list(rng.random((8, 2, 16, 16)).astype(np.float32)),
        masks=list(rng.random((8, 2, 16, 16)) > 0.9),
        sources=list(rng.random((8, 3, 6))),
        noise_correlations={"a": rng.random((3, 3)).astype(np.float32)},
    )
    header = StoreHeader(
        ImageHeader(("g", "r"), "nJy", 0.32, psf={"psf_fwhm_pix": 3.0}, zero_points_mag={"g": 31.4}),
        Provenance("test", {"a": 1}, 1),
    )
    with StoreWriter(tmp_path / "store", header, n_chunks=1) as writer:
        writer.write_chunk(0, list(images), QTable({"z": np.arange(8.0)}), companions=beside)
        writer.finish()
    return tmp_path / "store"


def content_of(folder):
    """All numbers of a store."""
    images = open_store(folder)
    beside = read_companions(folder, range(len(images)))
    arrays = [
        *images.pixels.read(range(len(images))),
        *beside.ivars,
        *beside.masks,
        *beside.psfs,
        *beside.sources,
    ]
    return [np.asarray(array).tobytes() for array in [*arrays, *beside.noise_correlations.values()]], (
        images.header,
        images.catalog["z"].tolist(),
        images.catalog["object_id"].tolist(),
        beside.psf_kind,
    )


def flips(content, count, seed):
    rng = random_stream(seed, "flips")
    for place, bit in zip(rng.integers(len(content), size=count), rng.integers(8, size=count), strict=True):
        changed = bytearray(content)
        changed[place] ^= 1 << int(bit)
        yield bytes(changed)


def outcome_of(call):
    """What a call gives, or that it refuses."""
    try:
        return call()
    except InputError:
        return InputError


@pytest.mark.parametrize("name", ["images/part-00000.h5", "catalog.parquet", "dataset.json"])
def test_no_flipped_bit_changes_what_is_read_and_verify_sees_every_one(store, name):
    before = content_of(store)
    assert verify_store(store) == []
    content = (store / name).read_bytes()
    for number, changed in enumerate(flips(content, 60, 1)):
        (store / name).write_bytes(changed)
        refused = outcome_of(lambda: content_of(store))
        assert refused in (before, InputError), number
        assert outcome_of(lambda: verify_store(store)), number


def paths_of(value, prefix=()):
    """Every place in nested JSON."""
    entries = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, item in entries:
        yield (*prefix, key)
        yield from paths_of(item, (*prefix, key))


def with_change(page, place, change):
    copy = json.loads(json.dumps(page))
    *above, last = place
    target = copy
    for key in above:
        target = target[key]
    change(target, last)
    return copy


def test_every_key_of_the_page_of_a_store_may_be_wrong(store):
    page = read_json(store / "dataset.json")
    places = list(paths_of(page))
    refused = set()
    changes = [lambda target, key: target.pop(key)]
    changes += [lambda target, key, value=value: target.__setitem__(key, value) for value in WRONG]
    for place in places:
        for change in changes:
            write_json(store / "dataset.json", with_change(page, place, change))
            try:
                describe(str(store))
                content_of(store)
            except GalsmithError as error:
                assert str(store) in str(error), (place, error)  # noqa: PT017 - what else is raised is a failure
                refused.add(place)
    loose = {("provenance", "settings"), ("provenance", "versions")}
    free = {place for place in places if place[:2] in loose or place[0] == "psf"}
    assert refused >= set(places) - free - {("provenance", "seed")}


def test_a_forged_page_is_told_by_its_content_hash(store):
    page = read_json(store / "dataset.json")
    write_json(store / "dataset.json", {**page, "pixel_scale_arcsec": 0.42})
    assert open_store(store).header.pixel_scale_arcsec == 0.42  # sealed anew, so no checksum can tell
    assert verify_store(store) == [
        f"{store / 'dataset.json'}: states a content hash that is not that of its content"
    ]


def test_a_catalog_that_names_rows_that_are_not_there_is_refused(store):
    from galsmith.data.store.layout import read_catalog, write_catalog
    from galsmith.files import sha256_of_file

    page, catalog = read_json(store / "dataset.json"), read_catalog(store / "catalog.parquet")
    for row in (-1, 8, 10**6):
        catalog["store_row"][3] = row
        write_catalog(store / "catalog.parquet", catalog)
        page["catalog"]["sha256"] = sha256_of_file(store / "catalog.parquet")
        write_json(store / "dataset.json", page)
        with pytest.raises(
            InputError, match=r"catalog\.parquet: names rows that no part has, first in row 3"
        ):
            open_store(store)
