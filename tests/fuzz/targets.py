"""What is fuzzed: for each format some good files, and what reads them as galsmith's verbs do."""

import gzip
import io
import json
import shutil
import tempfile
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from astropy.io import fits
from PIL import Image

from galsmith.seeds import random_stream

SHAPE = (3, 24, 24)
ECSV = """# %ECSV 1.0
# ---
# datatype:
# - {name: object_id, datatype: string}
# - {name: z, unit: mag, datatype: float64}
# schema: astropy-2.0
object_id z
a 1.5
b 2.5
"""
TOML = """[model]
family = "pca_diffusion"
n_components = 20

[training]
images = 1000
list = [1, [2, 3], {a = 1}]
"""


def pixels(seed=1):
    return random_stream(seed, "fuzz pixels").normal(size=SHAPE).astype(np.float32)


def of_writer(write):
    """Bytes of a file that a function writes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        write(path)
        return path.read_bytes()


def fits_files():
    plain = fits.PrimaryHDU(pixels()[0])
    for key, value in (
        ("BUNIT", "nJy"),
        ("FILTER", "g"),
        ("PIXSCALE", 0.2),
        ("MAGZP", 31.4),
        ("EXPTIME", 30.0),
    ):
        plain.header[key] = value
    scaled = fits.PrimaryHDU((pixels()[0] * 100).astype(np.int16))
    scaled.header["BLANK"] = -5
    packed = fits.CompImageHDU(pixels()[0], tile_shape=(8, 24))
    units = [
        [plain],
        [scaled],
        [fits.PrimaryHDU(), packed],
        [
            fits.PrimaryHDU(),
            fits.ImageHDU(pixels(), name="SCI"),
            fits.ImageHDU(np.abs(pixels()), name="IVAR"),
        ],
    ]
    files = []
    for hdus in units:
        stream = io.BytesIO()
        fits.HDUList(hdus).writeto(stream)
        files.append(stream.getvalue())
    return [*files, gzip.compress(files[0])]


def png_files():
    gray = (np.abs(pixels()[0]) * 60).astype(np.uint8)
    arrays = [gray, np.stack([gray] * 3, -1), gray.astype(np.uint16) * 200]
    return [of_writer(lambda path, one=one: Image.fromarray(one).save(path, "PNG")) for one in arrays]


def jpeg_files():
    gray = (np.abs(pixels()[0]) * 60).astype(np.uint8)
    arrays = [gray, np.stack([gray] * 3, -1)]
    return [of_writer(lambda path, one=one: Image.fromarray(one).save(path, "JPEG")) for one in arrays]


def hdf5_files():
    def write(path, libver, compression):
        with h5py.File(path, "w", libver=libver) as file:
            data = file.create_dataset(
                "images",
                data=pixels(),
                chunks=(1, 24, 24),
                fletcher32=compression is None,
                compression=compression,
            )
            data.attrs["unit"], data.attrs["bands"], data.attrs["note"] = "nJy", ["g"], "x" * 40
            file["object_id"], file["z"] = ["a", "b", "c"], [1.0, 2.0, 3.0]

    kinds = (("earliest", None), ("earliest", "gzip"), (("v110", "v110"), None))
    return [of_writer(lambda path, kind=kind: write(path, *kind)) for kind in kinds]


def numpy_files():
    stream = io.BytesIO()
    np.save(stream, pixels())
    return [stream.getvalue()]


def npz_files():
    files = []
    for save in (np.savez, np.savez_compressed):
        stream = io.BytesIO()
        save(stream, images=pixels(), z=np.arange(3.0))
        files.append(stream.getvalue())
    return files


def parquet_files():
    table = pa.table({"object_id": ["a", "b", "c"], "z": [1.0, None, 3.0], "n": [1, 2, 3]})
    kinds = ({}, {"compression": "gzip"}, {"use_dictionary": False, "compression": "none"})
    return [of_writer(lambda path, kind=kind: pq.write_table(table, path, **kind)) for kind in kinds]


def text_tables():
    return [ECSV.encode()]


def toml_files():
    return [TOML.encode()]


def json_files():
    from galsmith.provenance import Provenance

    page = {
        "format": "galsmith-comparison",
        "schema_version": 4,
        "judgments": [{"name": "a", "x": [1, None, {"b": 2.5}]}],
        "provenance": Provenance("x").to_dict(),
    }
    return [json.dumps(page, indent=1).encode()]


def safetensors_files():
    import torch

    from galsmith.models.snapshot import save_sealed

    page = {"format": "galsmith snapshot", "format_version": 1, "model": {"family": "x"}}
    tensors = {"a": torch.arange(10.0), "b": torch.zeros(3, 4)}
    return [of_writer(lambda path: save_sealed(tensors, path, page))]


def checkpoint_files():
    import torch

    content = {"format_version": 3, "state": {"a": 1}, "trainer": {"w": torch.arange(5.0)}}
    return [of_writer(lambda path: torch.save(content, path))]


def read_folder(kind, suffix):
    """Read a folder of one file through a reader of image files."""

    def read(content, folder):
        (folder / f"a{suffix}").write_bytes(content)
        if kind == "fits":
            from galsmith.data.readers.fits_cutouts import FitsSource as Source
        else:
            from galsmith.data.readers.pictures import PictureSource as Source
        source = Source(folder)
        rows = np.arange(len(source.listing.names))
        good = [
            row for row, image in zip(rows, source.read(rows), strict=True) if isinstance(image, np.ndarray)
        ]
        if hasattr(source, "companions"):
            source.companions(np.array(good, dtype=np.int64))

    return read


def read_array(suffix):
    def read(content, folder):
        from galsmith.data.readers.arrays import ArraySource

        (folder / f"a{suffix}").write_bytes(content)
        source = ArraySource(folder / f"a{suffix}")
        source.read(np.arange(min(3, len(source.catalog))))

    return read


def read_columns(suffix):
    def read(content, folder):
        from astropy.table import Table

        from galsmith.data.readers.labels import read_table

        (folder / f"a{suffix}").write_bytes(content)
        read_table(folder / f"a{suffix}", Table, way_out="")

    return read


def read_toml(content, folder):
    from galsmith.settings import read_recipe

    (folder / "a.toml").write_bytes(content)
    read_recipe(folder / "a.toml")


def read_card(content, folder):
    from galsmith.compare.files import read_card as read

    (folder / "a.json").write_bytes(content)
    read(folder / "a.json")


def read_tensors(content, folder):
    from galsmith.models.snapshot import opened_tensors

    (folder / "a.safetensors").write_bytes(content)
    with opened_tensors(
        folder / "a.safetensors", "snapshot", written_as=("galsmith snapshot", 1), way_out=""
    ) as opened:
        stream, _ = opened
        [stream.get_tensor(name) for name in stream.keys()]  # noqa: SIM118 - not a dict


def read_checkpoint(content, folder):
    from galsmith.training.checkpoint import load_checkpoint

    (folder / "a.pt").write_bytes(content)
    load_checkpoint(folder / "a.pt")


TARGETS = {
    "fits": (fits_files, read_folder("fits", ".fits")),
    "png": (png_files, read_folder("pictures", ".png")),
    "jpeg": (jpeg_files, read_folder("pictures", ".jpg")),
    "hdf5": (hdf5_files, read_array(".h5")),
    "npy": (numpy_files, read_array(".npy")),
    "npz": (npz_files, read_array(".npz")),
    "parquet": (parquet_files, read_columns(".parquet")),
    "ecsv": (text_tables, read_columns(".ecsv")),
    "toml": (toml_files, read_toml),
    "json": (json_files, read_card),
    "safetensors": (safetensors_files, read_tensors),
    "checkpoint": (checkpoint_files, read_checkpoint),
}


def is_good(name):
    """Whether every file of a corpus that has to be read is: else a fuzzer would try the first check alone."""
    files, read = TARGETS[name]
    for content in files():
        folder = Path(tempfile.mkdtemp())
        try:
            read(content, folder)
        finally:
            shutil.rmtree(folder)
    return True
