"""What lies beside the images of a store: maps, masks and PSFs go through every way that makes a store of another."""

import h5py
import numpy as np
import pytest
from astropy.table import QTable

from galsmith.data import ingest
from galsmith.data.options import SetOptions
from galsmith.data.readers.store import StoreSource
from galsmith.data.readers.to_store import plan_store
from galsmith.data.store import (
    Companions,
    StoreHeader,
    StoreWriter,
    bytes_beside,
    companions_of,
    joined,
    names_beside,
    open_store,
    read_companions,
    verify_store,
    write_store,
)
from galsmith.errors import InputError
from galsmith.images import (
    ImageHeader,
    crop_center,
    resampled_ivar,
    resampled_mask,
    resampled_psf,
    resize_in_unit,
)
from galsmith.provenance import Provenance
from galsmith.seeds import random_stream

N, SIDE, BANDS = 12, 16, ("g", "r")


def beside(seed=0, n=N, side=SIDE):
    """Maps and PSFs of `n` images, all different."""
    rng = random_stream(seed, "tests.companions")
    ivars = rng.uniform(0.5, 2, (n, 2, side, side)).astype(np.float32)
    masks = rng.random((n, 2, side, side)) < 0.1
    psfs = rng.random((n, 2, 5, 5)).astype(np.float32)
    return Companions(list(psfs), ivars=list(ivars), masks=list(masks))


def written(path, companions, *, side=SIDE, n_chunks=1):
    """Write a store of noise with these companions; gives it opened."""
    rng = random_stream(1, "tests.companions.images")
    header = StoreHeader(ImageHeader(BANDS, "nJy", 0.2), Provenance("test", {}))
    writer = StoreWriter(path, header, n_chunks=n_chunks)
    for chunk, some in enumerate(np.array_split(np.arange(N), n_chunks)):
        images = rng.normal(0, 1, (len(some), 2, side, side)).astype(np.float32)
        of_chunk = None if companions is None else companions.of(some)
        writer.write_chunk(
            chunk,
            list(images),
            QTable({"object_id": [f"g{k}" for k in some], "k": np.array(some)}),
            companions=of_chunk,
        )
    return writer.finish()


def assert_same(found, wanted):
    assert found.names == wanted.names
    for name in wanted.names:
        for one, other in zip(getattr(found, name), getattr(wanted, name), strict=True):
            assert one.dtype == other.dtype
            assert np.array_equal(one, other)


@pytest.mark.parametrize("n_chunks", [1, 3])
def test_maps_come_back_to_the_bit(tmp_path, n_chunks):
    images = written(tmp_path / "s", beside(), n_chunks=n_chunks)
    rows = [7, 2, 11, 0]
    assert_same(read_companions(tmp_path / "s", rows), beside().of(rows))
    assert names_beside(images) == ("psfs", "ivars", "masks")
    assert bytes_beside(images) == 2 * (4 + 1)


def test_a_store_without_maps_has_the_parts_it_had_before_maps_were_known(tmp_path):
    plain = written(tmp_path / "s", None)
    with h5py.File(tmp_path / "s/images/part-00000.h5") as part:
        assert list(part) == ["image_array"]
        assert set(part["image_array"].attrs) == {"image_band", "unit", "image_scale"}
    assert companions_of(plain) is None
    assert written(tmp_path / "m", beside()).content_hash != plain.content_hash


def test_an_altered_map_is_found(tmp_path):
    written(tmp_path / "s", beside())
    assert verify_store(tmp_path / "s") == []
    with h5py.File(tmp_path / "s/images/part-00000.h5", "r+") as part:
        part["image_mask"][3, 0, 0, 0] = ~part["image_mask"][3, 0, 0, 0]
    (fault,) = verify_store(tmp_path / "s")
    assert "part-00000.h5: its bytes differ" in fault


def test_even_noise_and_masks_take_little_room(tmp_path):
    even = Companions(
        ivars=[np.full((2, 64, 64), 4, np.float32)] * N, masks=[np.zeros((2, 64, 64), bool)] * N
    )
    written(tmp_path / "even", even, side=64)
    written(tmp_path / "none", None, side=64)
    size = {name: (tmp_path / name / "images/part-00000.h5").stat().st_size for name in ("even", "none")}
    assert size["even"] < 1.05 * size["none"]


def test_a_selection_written_as_a_store_keeps_its_maps(tmp_path):
    images = written(tmp_path / "s", beside())
    some = images.select([9, 1, 4]).select([2, 0])
    write_store(tmp_path / "some", some)
    assert_same(read_companions(tmp_path / "some", [0, 1]), beside().of([4, 9]))


def test_a_store_of_a_store_keeps_maps_of_those_that_are_left(tmp_path):
    written(tmp_path / "s", beside(), n_chunks=2)
    made = ingest.store(tmp_path / "s", tmp_path / "t", options=SetOptions(where="k=3..4"))
    assert list(made.catalog["object_id"]) == ["g3", "g4"]
    assert_same(read_companions(tmp_path / "t", [0, 1]), beside().of([3, 4]))


def test_a_crop_cuts_maps_as_pixels(tmp_path):
    images = written(tmp_path / "s", beside())
    made = ingest.store(tmp_path / "s", tmp_path / "t", options=SetOptions(crop_pix=7))
    found, whole = read_companions(tmp_path / "t", [5]), beside()
    for cut, before in (
        (made.pixels[5], images.pixels[5]),
        (found.ivars[0], whole.ivars[5]),
        (found.masks[0], whole.masks[5]),
    ):
        assert np.array_equal(cut, before[:, 5:12, 5:12])
    assert np.array_equal(found.psfs[0], whole.psfs[5])


@pytest.mark.parametrize("unit", ["nJy", "MJy / sr", "display"])
@pytest.mark.parametrize("side", [5, 8, 11, 24])
def test_resampled_variances_are_those_of_resampled_noise(unit, side):
    rng = random_stream(side, "tests.companions.noise")
    ivar = rng.uniform(0.5, 2, (1, SIDE, SIDE)).astype(np.float32)
    noise = rng.standard_normal((4000, SIDE, SIDE)) / np.sqrt(ivar)
    drawn = resize_in_unit(noise.astype(np.float32), side, unit).var(axis=0)
    ratio = drawn * resampled_ivar(ivar, side, unit)[0]
    # the variance of 4000 numbers scatters by sqrt(2 / 4000) = 2.2 %
    assert abs(ratio.mean() - 1) < 0.01
    assert np.abs(ratio - 1).max() < 5.5 * np.sqrt(2 / 4000)


def test_what_has_a_share_of_a_bad_pixel_is_bad():
    mask = np.zeros((1, 12, 12), bool)
    mask[0, 4, 7] = True
    ivar = np.where(mask, 0, 1).astype(np.float32)
    assert np.argwhere(resampled_mask(mask, 6, "nJy")[0]).tolist() == [[2, 3]]
    assert np.argwhere(resampled_ivar(ivar, 6, "nJy")[0] == 0).tolist() == [[2, 3]]
    assert np.argwhere(resampled_mask(mask, 8, "nJy")[0]).tolist() == [[2, 4], [2, 5], [3, 4], [3, 5]]


def test_a_resampled_psf_is_that_of_a_resampled_star():
    y, x = np.mgrid[:31, :31] - 15
    star = np.exp(-(x**2 + y**2) / 18).astype(np.float32)[None]
    star /= star.sum()
    # 31 pixels of a third: the star's pixel in the middle of one of 93 / 3
    wide = np.pad(star, ((0, 0), (31, 31), (31, 31)))
    wanted = resize_in_unit(wide, 31, "nJy")[0]
    found = resampled_psf(star, 3.0)[0]
    assert found.shape == (11, 11)
    assert np.allclose(found, wanted[10:21, 10:21], atol=1e-7)
    assert found.sum() == pytest.approx(1, abs=1e-6)
    assert not np.allclose(found, star[0, 10:21, 10:21], atol=1e-3)
    for factor in (0.7, 1.4, 2.0):
        assert resampled_psf(star, factor).sum() == pytest.approx(1, abs=1e-6)
        assert resampled_psf(star, factor).shape[-1] % 2 == 1


def test_a_resize_brings_maps_and_psfs_to_the_new_pixels(tmp_path):
    written(tmp_path / "s", beside())
    ingest.store(tmp_path / "s", tmp_path / "t", options=SetOptions(resize_pix=8))
    found, whole = read_companions(tmp_path / "t", [5]), beside()
    assert np.array_equal(found.ivars[0], resampled_ivar(whole.ivars[5], 8, "nJy"))
    assert np.array_equal(found.masks[0], resampled_mask(whole.masks[5], 8, "nJy"))
    assert np.array_equal(found.psfs[0], resampled_psf(whole.psfs[5], 2.0))


def test_fewer_images_are_held_at_once_where_maps_lie_beside_them(tmp_path, monkeypatch):
    monkeypatch.setattr("galsmith.data.readers.to_store.BYTES_PER_CHUNK", 9 * 2 * SIDE * SIDE * 4)
    for name, companions, most in (("maps", beside(), 4), ("none", None, 9)):
        written(tmp_path / name, companions)
        assert plan_store(StoreSource(tmp_path / name), SetOptions()).images_per_chunk == most


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (
            lambda ivar: ivar[:1],
            r"ivars\[0\] has shape \(1, 16, 16\); wanted that of its image, \(2, 16, 16\)",
        ),
        (lambda ivar: -ivar, r"ivars\[0\] has values that are negative or not finite"),
        (lambda ivar: ivar * np.nan, r"ivars\[0\] has values that are negative or not finite"),
    ],
)
def test_what_does_not_belong_to_an_image_is_refused(tmp_path, fault, message):
    good = beside()
    bad = Companions(ivars=[fault(ivar) for ivar in good.ivars])
    with pytest.raises(ValueError, match=message):
        written(tmp_path / "s", bad)


def test_too_few_maps_are_refused(tmp_path):
    rng = random_stream(1, "tests.companions.few")
    writer = StoreWriter(
        tmp_path / "s", StoreHeader(ImageHeader(BANDS, "nJy"), Provenance("test", {})), n_chunks=1
    )
    images = list(rng.normal(0, 1, (3, 2, SIDE, SIDE)).astype(np.float32))
    with pytest.raises(ValueError, match="2 ivars for 3 images; wanted one each"):
        writer.write_chunk(0, images, QTable(), companions=Companions(ivars=beside().ivars[:2]))


def test_maps_of_some_images_only_are_no_maps(tmp_path):
    header = StoreHeader(ImageHeader(BANDS, "nJy"), Provenance("test", {}))
    writer = StoreWriter(tmp_path / "s", header, n_chunks=2)
    images = list(random_stream(1, "tests.companions.some").normal(0, 1, (2, 2, SIDE, SIDE)))
    writer.write_chunk(0, images, QTable(), companions=beside().of([0, 1]))
    writer.write_chunk(1, images, QTable())
    writer.finish()
    with pytest.raises(InputError, match="has psfs of 2 of these 4 images only"):
        companions_of(open_store(tmp_path / "s"))


def test_joining_wants_the_same_of_all():
    assert_same(joined([beside().of([0, 1]), beside().of([2])]), beside().of([0, 1, 2]))
    with pytest.raises(ValueError, match="some images have psfs, ivars, masks beside them, others ivars"):
        joined([beside().of([0]), Companions(ivars=beside().ivars[:1])])


@pytest.mark.parametrize(("side", "crop"), [(10, 4), (10, 5), (11, 4), (11, 5)])
def test_sources_of_a_crop_lie_where_their_pixels_do(side, crop):
    image = np.zeros((1, side, side), dtype=np.float32)
    image[0, 5, 6] = 1.0
    source = np.array([[6.0, 5.0, 1.0, 1.0, 1.0, 0.0]])
    cut = Companions(sources=[source]).shaped(
        np.array([[side, side]]), crop_pix=crop, resize_pix=None, flux_unit="nJy"
    )
    y, x = np.argwhere(crop_center(image, crop)[0])[0]
    assert cut.sources[0][0, :2].tolist() == [x, y]
