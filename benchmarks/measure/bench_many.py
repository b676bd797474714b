"""Many Hubble-like stamps through `galsmith measure`, with the wall time and the memory of all its processes."""

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from astropy.io import fits
from astropy.table import QTable
from numpy.typing import NDArray

from galsmith.data.options import SetOptions
from galsmith.data.readers.source import Listing, Origin
from galsmith.data.readers.to_store import write_source
from galsmith.data.store import is_store
from galsmith.images import ImageHeader, crop_center
from galsmith.seeds import random_stream

Pixels = NDArray[np.float32]
NOISE_SIGMA = 0.004  # electron / s and pixel
GAIN = 2028.0
SEED = 7
POLL_S = 0.1
KIB = 1024


class HubbleLike:
    """Hubble galaxies, turned, flipped and with fresh noise, as a source of a store.

    Parameters
    ----------
    data : Path
        Folder of real galaxies.
    n : int
        How many stamps.
    size_pix : int
        Side of a stamp.
    """

    header = ImageHeader(
        ("F814W",), "electron / s", pixel_scale_arcsec=0.06, zero_points_mag={"F814W": 26.782}
    )

    def __init__(self, data: Path, *, n: int, size_pix: int) -> None:
        self.origin = Origin({"n": n, "size_pix": size_pix, "seed": SEED}, stage="drawing")
        self.galaxies = [
            crop_center(image[np.newaxis], size_pix)[0] for image in _noise_free(data / "hst_f814w_201")
        ]
        self.catalog = QTable({"object_id": np.array([f"{k:06d}" for k in range(n)])})
        names = [f"stamp {row}" for row in range(n)]
        self.listing = Listing(names, np.full((n, 2), size_pix, dtype=np.int64))

    def read(self, rows: NDArray[np.int64]) -> Sequence[Pixels]:
        """Draw stamps, each [1, y, x] float32."""
        return [self._drawn(int(row))[np.newaxis] for row in rows]

    def _drawn(self, row: int) -> Pixels:
        """Draw one stamp."""
        rng = random_stream(SEED, "benchmarks.hubble_like", row)
        galaxy = np.rot90(self.galaxies[row % len(self.galaxies)], int(rng.integers(4)))
        galaxy = galaxy[:, ::-1] if rng.random() < 0.5 else galaxy
        return (galaxy + rng.normal(0, NOISE_SIGMA, galaxy.shape)).astype(np.float32)


def measure_many(*, data: Path, work: Path, stamps: int, size_pix: int, workers: int) -> dict[str, Any]:
    """Draw stamps into a store unless they are there, measure them, and state what it took.

    Returns
    -------
    dict
        Wall seconds of ``galsmith measure``, peak memory summed over its processes in MiB (their VmHWM, which
        counts shared pages in each), galaxies a second, and how many have a flag of at most 1.
    """
    store = work / f"hubble-like-{stamps}-{size_pix}"
    if not is_store(store):
        source = HubbleLike(data, n=stamps, size_pix=size_pix)
        write_source(source, store, verb="benchmark", seed=SEED, options=SetOptions(), overwrite=True)
    table = work / f"{store.name}.parquet"
    program = str(Path(sys.executable).with_name("galsmith"))
    command = [
        program,
        "measure",
        str(store),
        "-o",
        str(table),
        "--overwrite",
        "--quiet",
        "--gain",
        str(GAIN),
    ]
    command += ["--workers", str(workers), "--set", 'quantities=["morphology"]']
    started = time.perf_counter()
    peak_mib = _peak_memory_mib(command)
    wall_s = time.perf_counter() - started
    flags = pq.read_table(table, columns=["flag"])["flag"].to_numpy()
    return {
        "stamps": stamps,
        "size_pix": size_pix,
        "workers": workers,
        "wall_s": round(wall_s, 1),
        "peak_mib": round(peak_mib),
        "galaxies_per_s": round(stamps / wall_s, 1),
        "flag_at_most_1": int(np.sum(flags <= 1)),
    }


def _peak_memory_mib(command: Sequence[str]) -> float:
    """Run a command and give the sum of the peak memory of all its processes."""
    peaks: dict[int, int] = {}
    process = subprocess.Popen(command)
    while process.poll() is None:
        for pid in _family(process.pid):
            peaks[pid] = max(peaks.get(pid, 0), _high_water_kib(pid))
        time.sleep(POLL_S)
    if process.returncode != 0:
        raise SystemExit(f"galsmith measure ended with code {process.returncode}")
    return sum(peaks.values()) / KIB


def _family(pid: int) -> Iterator[int]:
    """Yield a process and all that come from it."""
    yield pid
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return
    for child in children:
        yield from _family(int(child))


def _high_water_kib(pid: int) -> int:
    """Peak resident memory of a process, 0 once it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM")), 0)


def _noise_free(folder: Path) -> Iterator[NDArray[np.float64]]:
    """Yield bulge and disk added."""
    for disk in sorted((folder / "disk_f8").glob("*.fits.gz")):
        bulge = folder / "bulge_f8" / disk.name.replace("disk", "bulge")
        yield np.asarray(fits.getdata(bulge), dtype=np.float64) + fits.getdata(disk)
