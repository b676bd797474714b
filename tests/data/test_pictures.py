import logging
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps

from galsmith import ingest
from galsmith.data.options import SetOptions
from galsmith.data.readers.png16 import SIGNATURE
from galsmith.data.readers.registry import open_source
from galsmith.errors import InputError, OutputExistsError


def gray(seed=0, shape=(12, 10)):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def rgb(seed=0, side=12):
    return gray(seed, (side, side, 3))


def test_gray_pictures_keep_their_numbers_with_y_upward(tmp_path, write_picture):
    folder = write_picture("a.png", gray())
    images = ingest.folder(folder, tmp_path / "set")
    np.testing.assert_array_equal(images[0], gray()[np.newaxis, ::-1].astype(np.float32))
    assert images[0].dtype == np.float32
    assert (images.header.bands, images.header.flux_unit, images.header.pixel_scale_arcsec) == (
        ("gray",),
        "display",
        None,
    )
    assert list(images.catalog["native_size_pix"]) == [10]


def test_rgb_pictures_become_three_bands(tmp_path, write_picture):
    folder = write_picture("a.png", rgb())
    images = ingest.folder(folder, tmp_path / "set")
    assert images.header.bands == ("red", "green", "blue")
    np.testing.assert_array_equal(images[0], np.moveaxis(rgb()[::-1], -1, 0).astype(np.float32))


def test_jpeg_and_png_go_together_in_the_order_of_their_stems(tmp_path, write_picture):
    write_picture("c.png", rgb(3))
    write_picture("a.JPG", rgb(1), format="JPEG", quality=100)
    folder = write_picture("b.jpeg", rgb(2), quality=100)
    (folder / "notes.txt").write_text("not a picture")
    (folder / ".hidden.png").write_text("not a picture")
    images = ingest.folder(folder, tmp_path / "set")
    assert list(images.catalog["object_id"]) == ["a", "b", "c"]
    with Image.open(folder / "a.JPG") as picture:
        np.testing.assert_array_equal(images[0], np.moveaxis(np.asarray(picture)[::-1], -1, 0))


def test_gray_of_16_bits_keeps_every_bit(tmp_path, write_picture):
    values = np.random.default_rng(0).integers(0, 65536, (8, 8), dtype=np.uint16)
    images = ingest.folder(write_picture("a.png", values), tmp_path / "set")
    np.testing.assert_array_equal(images[0][0], values[::-1])


def png16_rgb(values):
    """A 16-bit RGB PNG without filters, which Pillow cannot write."""
    height, width, _ = values.shape

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    raw = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    return SIGNATURE + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")


def test_rgb_of_16_bits_keeps_every_bit(tmp_path):
    values = np.random.default_rng(0).integers(0, 65536, (8, 8, 3), dtype=np.uint16)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(png16_rgb(values))
    images = ingest.folder(tmp_path / "in", tmp_path / "set")
    np.testing.assert_array_equal(images[0], np.moveaxis(values[::-1], -1, 0))


def test_opaque_alpha_is_dropped_and_transparency_refused(tmp_path, write_picture):
    opaque = np.dstack([rgb(), np.full((12, 12), 255, dtype=np.uint8)])
    folder = write_picture("a.png", opaque)
    images = ingest.folder(folder, tmp_path / "set")
    np.testing.assert_array_equal(images[0], np.moveaxis(rgb()[::-1], -1, 0))
    holed = opaque.copy()
    holed[3, 3, 3] = 10
    write_picture("b.png", holed)
    with pytest.raises(
        InputError, match=r"b\.png: has transparent pixels; flatten the picture; .* `on_bad=skip`"
    ):
        ingest.folder(folder, tmp_path / "other")


def test_palette_pictures_become_rgb(tmp_path):
    (tmp_path / "in").mkdir()
    picture = Image.fromarray(rgb()).quantize(16)
    picture.save(tmp_path / "in" / "a.png")
    images = ingest.folder(tmp_path / "in", tmp_path / "set")
    wanted = np.asarray(picture.convert("RGB"))
    np.testing.assert_array_equal(images[0], np.moveaxis(wanted[::-1], -1, 0))


@pytest.mark.parametrize("name", ["b.png", "b.jpg"])
def test_a_truncated_picture_is_named(tmp_path, write_picture, name):
    write_picture("a.png", rgb(side=40))
    folder = write_picture(name, rgb(1, side=40))
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[: len(whole) * 2 // 3])
    with pytest.raises(InputError, match=rf"{name}: the picture is truncated or damaged .*`on_bad=skip`"):
        ingest.folder(folder, tmp_path / "set")
    assert not (tmp_path / "set").exists()
    images = ingest.folder(folder, tmp_path / "set", options=SetOptions(on_bad="skip"))
    assert list(images.catalog["object_id"]) == ["a"]
    assert images.catalog.meta["left_out"] == {"truncated or damaged": 1}
    assert name in images.catalog.meta["left_out_files"][0]


def test_a_run_that_a_bad_picture_stopped_is_finished_by_skipping_it(tmp_path, write_picture, monkeypatch):
    monkeypatch.setattr("galsmith.data.readers.to_store.IMAGES_PER_CHUNK", 2)
    for seed, name in enumerate("abc"):
        folder = write_picture(f"{name}.png", gray(seed))
    write_picture("d.png", np.zeros((12, 10), dtype=np.uint8))
    with pytest.raises(InputError, match=r"d\.png: all pixels are 0"):
        ingest.folder(folder, tmp_path / "set")
    assert (tmp_path / "set.partial").is_dir()
    resumed = ingest.folder(folder, tmp_path / "set", options=SetOptions(on_bad="skip"))
    whole = ingest.folder(folder, tmp_path / "whole", options=SetOptions(on_bad="skip"))
    assert resumed.content_hash == whole.content_hash
    assert resumed.catalog.meta == whole.catalog.meta


def test_a_picture_without_a_head_is_named(tmp_path, write_picture):
    folder = write_picture("a.png", rgb())
    (folder / "b.jpg").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"b\.jpg: not a PNG or JPEG that can be read"):
        ingest.folder(folder, tmp_path / "set")
    assert not (tmp_path / "set").exists()
    images = ingest.folder(folder, tmp_path / "set", options=SetOptions(on_bad="skip", minimum_size_pix=3))
    assert images.catalog.meta["left_out"] == {"truncated or damaged": 1}


def test_cmyk_is_refused(tmp_path):
    (tmp_path / "in").mkdir()
    Image.fromarray(gray(0, (8, 8, 4)), mode="CMYK").save(tmp_path / "in" / "a.jpg")
    with pytest.raises(InputError, match=r"a\.jpg: .*JPEG of mode CMYK; wanted gray or RGB"):
        ingest.folder(tmp_path / "in", tmp_path / "set")


def test_mixed_bands_name_both_files(tmp_path, write_picture):
    write_picture("a.png", gray())
    folder = write_picture("b.png", rgb())
    with pytest.raises(InputError, match=r"b\.png: is RGB of 8 bits, a\.png is gray of 8 bits"):
        ingest.folder(folder, tmp_path / "set")


def test_mixed_depths_name_both_files(tmp_path, write_picture):
    write_picture("a.png", gray())
    folder = write_picture("b.png", gray().astype(np.uint16))
    with pytest.raises(InputError, match=r"b\.png: is gray of 16 bits, a\.png is gray of 8 bits"):
        ingest.folder(folder, tmp_path / "set")


def test_two_files_of_one_stem_are_refused(tmp_path, write_picture):
    write_picture("a.png", rgb())
    folder = write_picture("a.jpg", rgb())
    with pytest.raises(InputError, match=r"a\.png: has the stem of a\.jpg; .*rename or remove one"):
        ingest.folder(folder, tmp_path / "set")


def test_empty_and_missing_folders_are_named(tmp_path, write_picture):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"empty: holds no \.jpeg \.jpg \.png files"):
        ingest.folder(tmp_path / "empty", tmp_path / "set")
    with pytest.raises(InputError, match="none: there is no such folder"):
        ingest.folder(tmp_path / "none", tmp_path / "set")


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_pictures_are_turned_as_their_exif_says(tmp_path, write_picture, orientation, suffix):
    shown = np.zeros((24, 16), dtype=np.uint8)
    shown[:8, :8], shown[:8, 8:] = 200, 100
    turns = {
        1: lambda a: a,
        2: np.fliplr,
        3: lambda a: np.rot90(a, 2),
        4: np.flipud,
        5: np.transpose,
        6: lambda a: np.rot90(a, 1),
        7: lambda a: np.rot90(a, 2).T,
        8: lambda a: np.rot90(a, -1),
    }
    exif = Image.Exif()
    exif[274] = orientation
    folder = write_picture(f"a.{suffix}", np.ascontiguousarray(turns[orientation](shown)), exif=exif)
    with Image.open(folder / f"a.{suffix}") as picture:
        oracle = np.asarray(ImageOps.exif_transpose(picture))
    np.testing.assert_allclose(oracle, shown, atol=3)
    images = ingest.folder(folder, tmp_path / "set")
    np.testing.assert_array_equal(images[0][0], oracle[::-1])


def test_folders_in_a_folder_and_globs_are_read(tmp_path, write_picture, random_stamp):
    for number in range(4):
        folder = write_picture(f"{number}.png", random_stamp(8, 8, seed=number).astype(np.uint8))
    for number in range(4):
        inner = tmp_path / "outer" / str(number // 2)
        inner.mkdir(parents=True, exist_ok=True)
        (inner / f"{number}.png").write_bytes((folder / f"{number}.png").read_bytes())
    flat = ingest.folder(folder, tmp_path / "flat")
    for place, name in ((tmp_path / "outer", "nested"), (tmp_path / "outer" / "*" / "*.png", "glob")):
        images = ingest.folder(place, tmp_path / name)
        assert list(images.catalog["object_id"]) == list(flat.catalog["object_id"])
        assert all(np.array_equal(one, other) for one, other in zip(images.pixels, flat.pixels, strict=True))
        assert open_source(place).origin.settings["kind"] == "pictures"
    (tmp_path / "outer" / "1" / "3.png").rename(tmp_path / "outer" / "1" / "0.png")
    images = ingest.folder(tmp_path / "outer", tmp_path / "alike")
    assert list(images.catalog["object_id"]) == ["0/0", "0/1", "1/0", "1/2"]


def test_constant_pictures_are_refused_or_skipped(tmp_path, write_picture):
    write_picture("a.png", gray())
    folder = write_picture("b.png", np.zeros((12, 10), dtype=np.uint8))
    with pytest.raises(InputError, match=r"b\.png: all pixels are 0; mend or remove it"):
        ingest.folder(folder, tmp_path / "set")
    images = ingest.folder(folder, tmp_path / "two", options=SetOptions(on_bad="skip"))
    assert images.catalog.meta["left_out"] == {"constant": 1}


def test_nothing_left_leaves_nothing(tmp_path, write_picture):
    folder = write_picture("b.png", np.zeros((12, 10), dtype=np.uint8))
    with pytest.raises(InputError, match=r"no image is left to store \(1 constant\); nothing was written"):
        ingest.folder(folder, tmp_path / "set", options=SetOptions(on_bad="skip"))
    with pytest.raises(InputError, match=r"none of 1 image is left \(1 smaller than 50 px\)"):
        ingest.folder(folder, tmp_path / "set", options=SetOptions(minimum_size_pix=50))
    assert not (tmp_path / "set").exists()


def test_display_units_resize_surface_brightness(tmp_path, write_picture):
    flat = np.full((20, 20), 100, dtype=np.uint8)
    flat[:10] = 50
    options = SetOptions(resize_pix=10)
    images = ingest.folder(write_picture("a.png", flat), tmp_path / "set", options=options)
    assert images[0].shape == (1, 10, 10)
    assert images[0].max() == pytest.approx(100)
    assert list(images.catalog["native_size_pix"]) == [20]


def test_labels_join_and_condition(tmp_path, write_picture, caplog):
    for seed, name in enumerate(("a", "b", "c")):
        folder = write_picture(f"{name}.png", gray(seed))
    labels = tmp_path / "labels.csv"
    labels.write_text("name,T,split\nc,2.5,x\na,-1,y\nz,9,z\n")
    with caplog.at_level(logging.WARNING, logger="galsmith"):
        images = ingest.folder(folder, tmp_path / "set", labels=labels)
    assert list(images.catalog["T"])[::2] == [-1.0, 2.5]
    assert np.isnan(images.catalog["T"][1])
    assert list(images.catalog["label_split"]) == ["y", "", "x"]
    assert images.catalog.meta["labels"] == {
        "identifier": "name",
        "files_without_row": 1,
        "rows_without_file": 1,
    }
    assert "1 images have no row there" in caplog.text
    early = ingest.folder(folder, tmp_path / "early", labels=labels, options=SetOptions(where="T=..0"))
    assert list(early.catalog["object_id"]) == ["a"]


def test_changed_pictures_do_not_finish_a_partial_store(tmp_path, write_picture):
    for seed, name in enumerate(("a", "b")):
        folder = write_picture(f"{name}.png", rgb(seed))

    def stop(event):
        if event.stage == "ingesting" and event.done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ingest.folder(folder, tmp_path / "set", progress=stop)
    (folder / "b.png").unlink()
    write_picture("b.png", rgb(7))
    with pytest.raises(OutputExistsError, match="partial store made by other settings or data"):
        ingest.folder(folder, tmp_path / "set")
