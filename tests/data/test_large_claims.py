"""Small files that claim much, and files that lead to others: refused before anything is allocated or opened."""

import gzip
import io
import struct
import tarfile
import tracemalloc
import zlib

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.table import Table
from PIL import Image

from galsmith.data import ingest
from galsmith.data.options import SetOptions
from galsmith.data.readers.labels import read_table
from galsmith.data.readers.listing import list_tar
from galsmith.data.readers.png16 import read_png16
from galsmith.data.store import open_store, read_companions
from galsmith.errors import InputError, SettingsError
from galsmith.files import hdf5_probe, read_json, write_json
from galsmith.files.bounds import VARIABLE, excess, read_limit_bytes

SMALL_GB, SMALL_BYTES = "0.02", 20_000_000
SOME = np.random.default_rng(1).normal(size=(6, 40, 40)).astype(np.float32)


@pytest.fixture
def small_limit(monkeypatch):
    """Read 20 MB at most, so that a bomb is small too; a peak beyond a few times that is a failure."""
    monkeypatch.setenv(VARIABLE, SMALL_GB)
    tracemalloc.start()
    yield
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * SMALL_BYTES


def png_chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def write_png16(path, width, height, content):
    head = struct.pack(">IIBBBBB", width, height, 16, 0, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", head)
        + png_chunk(b"IDAT", zlib.compress(content, 9))
        + png_chunk(b"IEND", b"")
    )


def test_ten_times_a_file_is_believed_and_more_up_to_a_limit_that_can_be_raised(monkeypatch):
    monkeypatch.setenv(VARIABLE, "0.001")
    assert excess(1_000_000, 1) == ""
    assert excess(1_000_001, 1).endswith(f"raise the limit with the environment variable {VARIABLE}")
    assert excess(5_000_000, 500_000) == ""
    monkeypatch.setenv(VARIABLE, "0.01")
    assert excess(1_000_001, 1) == ""
    monkeypatch.delenv(VARIABLE)
    assert read_limit_bytes() == 2_000_000_000


@pytest.mark.parametrize("text", ["", "much", "-1", "0", "nan", "inf"])
def test_a_limit_that_is_no_positive_number_is_refused(monkeypatch, text):
    monkeypatch.setenv(VARIABLE, text)
    with pytest.raises(SettingsError, match=f"{VARIABLE}.*wanted a positive number"):
        read_limit_bytes()


def test_a_png_of_16_bits_is_inflated_no_further_than_its_header_promises(tmp_path, small_limit):
    write_png16(tmp_path / "bomb.png", 16, 16, bytes(200_000_000))
    tracemalloc.reset_peak()
    with pytest.raises(ValueError, match="more than 528 bytes of image data, wanted 528"):
        read_png16(tmp_path / "bomb.png")
    write_png16(tmp_path / "good.png", 16, 16, bytes(16 * 33))
    assert read_png16(tmp_path / "good.png").shape == (16, 16, 1)


@pytest.mark.parametrize("bits", [8, 16])
def test_pictures_that_claim_too_many_pixels_are_left_out_like_other_damaged_ones(
    tmp_path, small_limit, bits
):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name, level in (("a", 10), ("b", 20)):
        values = np.full((16, 16), level, dtype=np.uint8 if bits == 8 else np.uint16)
        values[3, 4] = 200
        if bits == 8:
            Image.fromarray(values).save(folder / f"{name}.png")
        else:
            rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
            write_png16(folder / f"{name}.png", 16, 16, rows)
    head = struct.pack(">IIBBBBB", 20_000, 20_000, bits, 0, 0, 0, 0)
    bomb = (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", head)
        + png_chunk(b"IDAT", zlib.compress(b"\0"))
        + png_chunk(b"IEND", b"")
    )
    (folder / "c.png").write_bytes(bomb)
    with pytest.raises(InputError, match=r"c\.png: .*20000 x 20000 px, claims 6\.4 GB"):
        ingest.folder(folder, tmp_path / "refused", seed=1)
    assert len(ingest.folder(folder, tmp_path / "kept", seed=1, options=SetOptions(on_bad="skip"))) == 2


def sparse_fits(path, side, middle):
    """Write zeros as a hole in the file, with some values in the middle of the image."""
    with path.open("wb") as stream:
        header = fits.PrimaryHDU(np.zeros((2, 2), dtype=np.float32)).header
        header["NAXIS1"], header["NAXIS2"] = side, side
        text = header.tostring().encode()
        stream.write(text)
        first = side // 2 - len(middle) // 2
        for row, values in enumerate(middle, start=first):
            stream.seek(len(text) + 4 * (row * side + first))
            stream.write(values.astype(">f4").tobytes())
        stream.truncate(-(-(len(text) + 4 * side * side) // 2880) * 2880)


def test_of_a_large_fits_image_a_crop_reads_no_more_than_the_crop(tmp_path, small_limit):
    folder = tmp_path / "cutouts"
    folder.mkdir()
    sparse_fits(folder / "large.fits", 20_000, SOME[0])
    images = ingest.fits(folder, tmp_path / "store", seed=1, options=SetOptions(crop_pix=40), flux_unit="nJy")
    np.testing.assert_array_equal(images.pixels[0][0], SOME[0])


def test_a_fits_image_of_holes_is_refused_whole(tmp_path, small_limit):
    folder = tmp_path / "cutouts"
    folder.mkdir()
    sparse_fits(folder / "large.fits", 20_000, SOME[0])
    with pytest.raises(InputError, match=r"large\.fits: claims 1\.6 GB"):
        ingest.fits(folder, tmp_path / "store", seed=1, flux_unit="nJy")


def test_a_gzipped_fits_file_is_unpacked_no_further_than_can_be_believed(tmp_path, small_limit):
    plain = io.BytesIO()
    fits.PrimaryHDU(np.zeros((4000, 4000), dtype=np.float32)).writeto(plain)
    folder = tmp_path / "cutouts"
    folder.mkdir()
    packed = gzip.compress(plain.getvalue())
    del plain
    tracemalloc.reset_peak()
    (folder / "large.fits.gz").write_bytes(packed)
    with pytest.raises(InputError, match=r"large\.fits\.gz: claims 0\.064 GB"):
        ingest.fits(folder, tmp_path / "store", seed=1, flux_unit="nJy")
    with tarfile.open(tmp_path / "set.tar", "w") as archive:
        archive.add(folder / "large.fits.gz", arcname="large.fits.gz")
    member = list_tar(tmp_path / "set.tar", (".fits.gz",))["large"]
    with pytest.raises(ValueError, match=r"^claims 0\.02 GB"):
        member.open("rb")


def test_an_hdf5_file_that_holds_nothing_of_what_it_claims_is_refused(tmp_path, small_limit):
    with h5py.File(tmp_path / "large.h5", "w") as file:
        file.create_dataset("images", shape=(4, 40_000, 40_000), dtype="f4", chunks=(1, 64, 64))
    assert (tmp_path / "large.h5").stat().st_size < 4_000
    with pytest.raises(InputError, match=r"large\.h5:/images: claims 6\.4 GB"):
        ingest.arrays(tmp_path / "large.h5", tmp_path / "store", seed=1, options=SetOptions(crop_pix=32))


def test_an_hdf5_file_of_more_images_than_can_be_named_is_refused(tmp_path, small_limit):
    with h5py.File(tmp_path / "many.h5", "w") as file:
        file.create_dataset("images", shape=(10**9, 8, 8), dtype="f4", chunks=(1, 8, 8))
    with pytest.raises(InputError, match=r"many\.h5:/images: claims 256 GB"):
        ingest.arrays(tmp_path / "many.h5", tmp_path / "store", seed=1)


def test_a_chunk_that_is_too_large_is_not_decompressed(tmp_path, small_limit):
    with h5py.File(tmp_path / "chunk.h5", "w") as file:
        values = file.create_dataset(
            "images", shape=(4, 8, 8), maxshape=(None, 8, 8), dtype="f4", chunks=(10**6, 8, 8), compression=1
        )
        assert values.chunks == (10**6, 8, 8)
    with pytest.raises(InputError, match=r"chunk\.h5:/images: claims 0\.256 GB"):
        ingest.arrays(tmp_path / "chunk.h5", tmp_path / "store", seed=1)


def test_an_npz_member_that_is_larger_than_can_be_believed_is_refused(tmp_path, small_limit):
    zeros = np.zeros((1000, 200, 200), dtype=np.float32)
    np.savez_compressed(tmp_path / "zeros.npz", images=zeros)
    del zeros
    tracemalloc.reset_peak()
    with pytest.raises(InputError, match=r"zeros\.npz:images: claims 0\.16 GB"):
        ingest.arrays(tmp_path / "zeros.npz", tmp_path / "store", seed=1)


def test_a_table_of_equal_values_that_fills_the_memory_is_refused(tmp_path, small_limit):
    column = pa.repeat(1.5, 4_000_000)
    pq.write_table(pa.table({"object_id": column, "z": column}), tmp_path / "large.parquet")
    assert (tmp_path / "large.parquet").stat().st_size < 100_000
    with pytest.raises(InputError, match=r"large\.parquet: claims 0\.064 GB"):
        read_table(tmp_path / "large.parquet", Table, way_out="")


def external_storage(file, secret):
    file.create_dataset("images", shape=SOME.shape, dtype="f4", external=[(str(secret), 0, SOME.nbytes)])


def external_link(file, secret):
    with h5py.File(secret.with_suffix(".h5"), "w") as other:
        other["images"] = SOME
    file["images"] = h5py.ExternalLink(str(secret.with_suffix(".h5")), "/images")
    file["also"] = SOME


def virtual_set(file, secret):
    with h5py.File(secret.with_suffix(".h5"), "w") as other:
        other["images"] = SOME
    layout = h5py.VirtualLayout(shape=SOME.shape, dtype="f4")
    layout[:] = h5py.VirtualSource(str(secret.with_suffix(".h5")), "images", shape=SOME.shape)
    file.create_virtual_dataset("images", layout)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (external_storage, r"has its values in other files \(external storage\), which is not read"),
        (virtual_set, "a virtual dataset, of values in other files, is not read"),
        (external_link, r"has no such dataset; it holds /also"),
    ],
)
def test_no_byte_of_another_file_comes_into_pixels(tmp_path, make, words):
    secret = tmp_path / "secret"
    secret.write_bytes(SOME.tobytes())
    with h5py.File(tmp_path / "set.h5", "w") as file:
        make(file, secret)
    with pytest.raises(InputError, match=words):
        ingest.arrays(f"{tmp_path / 'set.h5'}:/images", tmp_path / "store", seed=1)


@pytest.fixture
def store(tmp_path):
    with h5py.File(tmp_path / "plain.h5", "w") as file:
        file["images"] = SOME
    return ingest.arrays(tmp_path / "plain.h5", tmp_path / "store", seed=1)


PART = "images/part-00000.h5"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (external_storage, "external storage"),
        (virtual_set, "a virtual dataset"),
        (external_link, "image_array is a link, which is not read"),
    ],
)
def test_a_part_of_a_store_holds_its_own_pixels(tmp_path, store, make, words):
    (tmp_path / "secret").write_bytes(SOME.tobytes())
    with h5py.File(tmp_path / "store" / PART, "w") as file:
        make(file, tmp_path / "secret")
        file.move("images", "image_array")
    with pytest.raises(InputError, match=words):
        open_store(tmp_path / "store").pixels[0]


def test_a_companion_holds_its_own_values(tmp_path, store):
    (tmp_path / "secret").write_bytes(SOME.tobytes())
    with h5py.File(tmp_path / "store" / PART, "a") as file:
        file.create_dataset(
            "image_ivar", (6, 1, 40, 40), "f4", external=[(str(tmp_path / "secret"), 0, SOME.nbytes)]
        )
    with pytest.raises(InputError, match="image_ivar: has its values in other files"):
        read_companions(tmp_path / "store", [0])


@pytest.mark.parametrize("is_link", [False, True])
def test_the_path_of_a_part_stays_in_its_store(tmp_path, store, is_link):
    inner, outer = tmp_path / "store" / PART, tmp_path / "outer.h5"
    inner.rename(outer)
    if is_link:
        inner.symlink_to(outer)
    else:
        page = read_json(tmp_path / "store" / "dataset.json")
        page["parts"][0]["file"] = "../outer.h5"
        write_json(tmp_path / "store" / "dataset.json", page)
    with pytest.raises(InputError, match=r"leads out of the store|parts.*file"):
        open_store(tmp_path / "store").pixels[0]


def test_a_part_holds_what_the_page_of_its_store_says(tmp_path, store):
    with h5py.File(tmp_path / "store" / PART, "a") as file:
        del file["image_array"]
        file.create_dataset("image_array", shape=(6, 1, 40_000, 40_000), dtype="f4", chunks=(1, 1, 64, 64))
    with pytest.raises(
        InputError, match=r"holds images of shape \(6, 1, 40000, 40000\), dataset\.json says 6 of 40x40"
    ):
        open_store(tmp_path / "store").pixels[0]


def test_holes_are_not_bytes(tmp_path):
    path = tmp_path / "hole"
    with path.open("wb") as stream:
        stream.truncate(10**8)
    assert path.stat().st_size == 10**8
    assert path.stat().st_blocks * 512 < 10**6
    assert excess(10**10, 0)


@pytest.mark.parametrize(
    ("probe", "words"),
    [
        (
            "import resource\nresource.setrlimit(resource.RLIMIT_CPU, (1, 1))\nwhile True: pass",
            "processor time",
        ),
        ("raise MemoryError", "claims more memory than can be believed"),
        ("print('memory allocation failed for chunk')", "claims more memory than can be believed"),
        ("import os; os.kill(os.getpid(), 11)", "or crashes the library"),
    ],
)
def test_an_hdf5_file_that_its_library_does_not_survive_is_not_opened(tmp_path, monkeypatch, probe, words):
    with h5py.File(tmp_path / "set.h5", "w") as file:
        file["images"] = SOME
    monkeypatch.setattr(hdf5_probe, "PROBE", probe)
    with pytest.raises(InputError, match=words):
        ingest.arrays(tmp_path / "set.h5", tmp_path / "store", seed=1)
