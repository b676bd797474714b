"""How large a store of fields is, and how fast it is read beside the same fields as PNG, in one run.

    python benchmarks/fields/read_store.py STORE [-n 64]

Both are read image by image out of memory, in turn, in CPU seconds, which other work on the machine disturbs little.
"""

import argparse
import io
import json
import time
from pathlib import Path

import numpy as np
from PIL import Image

from galsmith.data.store import open_store


def main() -> None:
    """Read some fields of a store from it and from PNG files that are made of them, and print one line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", type=Path)
    parser.add_argument("-n", type=int, default=64, help="how many fields to read")
    arguments = parser.parse_args()
    store = open_store(arguments.store)
    rows = np.unique(np.linspace(0, len(store) - 1, arguments.n).astype(int))
    pictures = [_png(store[row][0]) for row in rows]
    seconds = np.array([_seconds(store, int(row), png) for row, png in zip(rows, pictures, strict=True)])
    parts = sum(file.stat().st_size for file in (arguments.store / "images").iterdir())
    fast, slow = np.median(seconds, axis=0)
    result = {
        "n_read": len(rows),
        "bytes_per_field": round(parts / len(store)),
        "png_bytes_per_field": round(float(np.mean([len(png) for png in pictures]))),
        "store_ms_median": round(1e3 * fast, 3),
        "png_ms_median": round(1e3 * slow, 3),
        "store_ms_mean": round(1e3 * seconds[:, 0].mean(), 3),
        "png_ms_mean": round(1e3 * seconds[:, 1].mean(), 3),
        "ratio_of_means": round(float(seconds[:, 1].sum() / seconds[:, 0].sum()), 2),
    }
    print(json.dumps(result))


def _png(pixels: np.ndarray) -> bytes:
    """Encode one field as Pillow does by default."""
    stream = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(stream, "png")
    return stream.getvalue()


def _seconds(store: object, row: int, png: bytes) -> tuple[float, float]:
    """CPU seconds of one field from the store and from its PNG, each to float32."""
    start = time.process_time()
    stored = store[row][0]
    between = time.process_time()
    decoded = np.asarray(Image.open(io.BytesIO(png)), dtype=np.float32)
    end = time.process_time()
    if not np.array_equal(stored, decoded):
        raise SystemExit(f"field {row} differs from its PNG")
    return between - start, end - between


if __name__ == "__main__":
    main()
