"""Images that are lost before any is compared: counted in every path, and not counted twice."""

import numpy as np
import pytest

from galsmith.compare import judge_tables
from galsmith.compare.losses import ImageLosses
from galsmith.compare.tables import losses_of_images
from galsmith.data.ingest import arrays
from galsmith.data.ingest import store as ingest_store
from galsmith.data.options import SetOptions
from galsmith.data.store import open_store
from galsmith.errors import OutputExistsError
from galsmith.images import ImageHeader, image_set_from_arrays
from galsmith.measure import MeasureSettings, measure, measured, read_measurements
from galsmith.seeds import random_stream

from .conftest import galaxies, table_of

QUICK = MeasureSettings(sersic="none", quantities=("morphology",))


def stamps(count, case=0, size=32):
    """Round galaxies with noise, [galaxy, y, x] float32."""
    rng = random_stream(case, "test.losses")
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    radius = rng.uniform(2.5, 4.5, (count, 1, 1))
    light = 100 * np.exp(-np.hypot(x, y / rng.uniform(0.5, 1, (count, 1, 1))) / radius)
    return (light + rng.normal(0, 1, light.shape)).astype(np.float32)


def spoiled(images, count):
    """Every second of the first images NaN, the others black."""
    images = images.copy()
    images[:count:2] = np.nan
    images[1:count:2] = 0
    return images


def test_what_a_store_left_out_is_known_to_its_tables(tmp_path):
    np.save(tmp_path / "set.npy", spoiled(stamps(40), 10))
    store = arrays(tmp_path / "set.npy", tmp_path / "store", options=SetOptions(on_bad="skip"))
    assert store.catalog.meta["given"] == {"n_images": 40, "unusable": {"not finite": 5, "constant": 5}}
    for suffix in ("parquet", "fits", "ecsv"):
        measure(store, tmp_path / f"table.{suffix}", settings=QUICK)
        table = read_measurements(tmp_path / f"table.{suffix}")
        found = losses_of_images(table, ["gini"])
        assert (found.n_given, found.n_left_out, found.n_unmeasured, found.is_counted) == (40, 10, 0, True)
    assert found.by_reason == {"constant": 5, "not finite": 5}


def test_a_part_of_a_store_has_its_share_of_what_was_left_out(tmp_path):
    np.save(tmp_path / "set.npy", spoiled(stamps(40), 10))
    arrays(tmp_path / "set.npy", tmp_path / "store", options=SetOptions(on_bad="skip"))
    some = open_store(tmp_path / "store").select(np.arange(15))
    found = losses_of_images(measured(some, settings=QUICK), ["gini"])
    assert (found.n_given, found.n_left_out) == (20, 5)


def test_a_store_of_a_store_carries_on_what_was_lost(tmp_path):
    """All of them in a copy, their share in a part, those that the copy loses itself added; through two copies as well."""
    images = spoiled(stamps(40), 10)
    images[10:12, 4:28, 4:28] = 0  # black in their middle alone
    np.savez(tmp_path / "set.npz", images=images, mag=np.arange(40.0))
    arrays(tmp_path / "set.npz", tmp_path / "store", options=SetOptions(on_bad="skip"))
    copy = ingest_store(tmp_path / "store", tmp_path / "copy")
    assert copy.catalog.meta["given"] == {"n_images": 40, "unusable": {"not finite": 5, "constant": 5}}
    assert copy.catalog.meta["left_out"] == {}
    found = losses_of_images(measured(copy, settings=QUICK), ["gini"])
    assert (found.n_given, found.n_left_out, found.is_counted) == (40, 10, True)
    half = ingest_store(tmp_path / "copy", tmp_path / "half", options=SetOptions(where="mag=25.."))
    given = half.catalog.meta["given"]
    assert (given["n_images"], sum(given["unusable"].values())) == (20, 5)
    assert sorted(given["unusable"].values()) == [2, 3]
    cropped = ingest_store(
        tmp_path / "copy", tmp_path / "cropped", options=SetOptions(crop_pix=24, on_bad="skip")
    )
    assert cropped.catalog.meta["given"] == {"n_images": 40, "unusable": {"not finite": 5, "constant": 7}}


def test_a_store_of_a_whole_store_lost_none(tmp_path):
    np.save(tmp_path / "set.npy", stamps(10))
    arrays(tmp_path / "set.npy", tmp_path / "store")
    copy = ingest_store(tmp_path / "store", tmp_path / "copy")
    assert copy.catalog.meta["given"] == {"n_images": 10, "unusable": {}}


def test_images_that_are_not_wanted_are_no_losses(tmp_path):
    np.savez(tmp_path / "set.npz", images=stamps(40), mag=np.arange(40.0))
    store = arrays(tmp_path / "set.npz", tmp_path / "store", options=SetOptions(where="mag=..29"))
    assert len(store) == 30
    assert store.catalog.meta["given"] == {"n_images": 30, "unusable": {}}


def test_black_and_nan_images_of_memory_are_rows_without_values():
    table = measured(
        image_set_from_arrays(spoiled(stamps(40), 10), ImageHeader(("r",), "nJy")), settings=QUICK
    )
    found = losses_of_images(table, ["gini", "asymmetry"])
    assert (found.n_given, found.n_left_out, found.n_unmeasured, found.is_counted) == (40, 0, 10, False)
    assert (found.unmeasured["no_source"], found.unmeasured["not_finite_pixels"]) == (10, 5)


def test_a_galaxy_with_some_values_is_measured():
    table = table_of({"gini": [np.nan, 0.5, np.nan], "asymmetry": [0.1, np.nan, np.nan]}, flags=["", "", "x"])
    assert losses_of_images(table, ["gini", "asymmetry"]) == ImageLosses(
        n_given=3, n_unmeasured=1, unmeasured={"x": 1}
    )


def test_the_card_holds_what_either_side_lost(tmp_path):
    given = {"n_images": 440, "unusable": {"truncated or damaged": 40}}
    reference, generated = galaxies(400, case=1, given=given), galaxies(300, case=2)
    card = judge_tables(
        reference, {"g": generated}, tmp_path / "card.json", beyond=False, replicates=20, splits=20
    )
    sides = card.judgment().comparison
    assert sides.reference.losses == ImageLosses(
        n_given=440, n_left_out=40, left_out={"truncated or damaged": 40}, is_counted=True
    )
    assert sides.generated.losses == ImageLosses(n_given=300)


def test_other_losses_of_the_same_rows_are_another_card(tmp_path):
    how = {"beyond": False, "replicates": 20, "splits": 20}
    judge_tables(galaxies(60, case=1), {"g": galaxies(60, case=2)}, tmp_path / "card.json", **how)
    other = galaxies(60, case=2, given={"n_images": 90, "unusable": {"constant": 30}})
    with pytest.raises(OutputExistsError, match="already exists"):
        judge_tables(galaxies(60, case=1), {"g": other}, tmp_path / "card.json", **how)
