"""CPU seconds and memory of writing a store as a HATS catalog and reading it back.

``python benchmarks/scale/hats.py -n N``: one band of 64 px, with inverse variances and masks when ``--maps`` is given. It
prints CPU seconds a thousand galaxies of each step, beside those of copying the store, and the peak of memory.
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
from astropy.table import QTable

from galsmith.data.export import export
from galsmith.data.hats.healpix import scattered
from galsmith.data.ingest import ingest
from galsmith.data.store import Companions, StoreHeader, StoreWriter
from galsmith.images import ImageHeader
from galsmith.provenance import Provenance

PER_CHUNK = 256


def make_store(path: Path, n: int, *, side_pix: int, maps: bool) -> None:
    """Write noise, as pixels that no compression makes smaller."""
    rng, n_chunks = np.random.default_rng(1), -(-n // PER_CHUNK)
    ra, dec = scattered(n)
    header = StoreHeader(ImageHeader(("i",), "nJy", pixel_scale_arcsec=0.2), Provenance("benchmark"))
    with StoreWriter(path, header, n_chunks=n_chunks) as writer:
        for chunk in range(n_chunks):
            rows = np.arange(chunk * PER_CHUNK, min(n, (chunk + 1) * PER_CHUNK))
            images = rng.normal(0, 1, (len(rows), 1, side_pix, side_pix)).astype(np.float32)
            catalog = QTable({"object_id": [f"{row:09d}" for row in rows], "ra": ra[rows], "dec": dec[rows]})
            catalog["native_size_pix"] = np.full(len(rows), side_pix, dtype=np.int32)
            beside = Companions(ivars=list(images**2), masks=list(images > 2)) if maps else None
            writer.write_chunk(chunk, list(images), catalog, companions=beside)

        def split(table: QTable) -> QTable:
            table["split"] = np.full(len(table), "train", dtype="U10")
            return table

        writer.finish(split)


def main() -> None:
    """Measure each step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=10_000)
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--maps", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_store(folder / "store", given.n, side_pix=given.side, maps=given.maps)
        steps = {
            "ingest store (a copy)": lambda: ingest("store", folder / "store", folder / "copy"),
            "export hats": lambda: export("hats", folder / "store", folder / "hats"),
            "ingest hats": lambda: ingest("hats", folder / "hats", folder / "back"),
        }
        for title, step in steps.items():
            began, wall = time.process_time(), time.monotonic()
            step()
            spent = time.process_time() - began
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
            print(
                f"{title}: {spent:.2f} CPU s of {given.n:,} ({1e3 * spent / given.n:.3f} a thousand), "
                f"{time.monotonic() - wall:.1f} s by the clock, peak {peak:.2f} GB so far",
                flush=True,
            )


if __name__ == "__main__":
    main()
