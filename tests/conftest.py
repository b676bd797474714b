"""What every test may use: the folder of real galaxies; and what holds for all: one thread, one compilation."""

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]

# Networks and images of tests are so small that threads cost more than they do (ALAE's 24 steps at 16 px: 15 s on two
# threads, 2 s on one), and workers share the cores. numba counts too: its first parallel kernel gives its number of
# threads to torch, which shares its OpenMP. Set before either is loaded; workers of pytest-xdist take it over.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(name, "1")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Compile the engine once, before workers of pytest-xdist start: each would compile it for itself."""
    of_a_worker = hasattr(session.config, "workerinput")
    if of_a_worker or not getattr(session.config.option, "numprocesses", None):
        return
    from galsmith.measure.engine import kernels

    missing = kernels.missing_kernels()
    kernels.compile_in_processes(missing, processes=kernels.usable_cores(), tell=lambda done: None)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real galaxies beside the repository, or where GALSMITH_TEST_DATA says.

    Skips where it is absent; fails instead when GALSMITH_REQUIRE_DATA=1, as continuous integration sets it.
    """
    stated = os.environ.get("GALSMITH_TEST_DATA", "")
    folder = Path(stated) if stated else REPOSITORY.parent / "shared" / "data"
    if folder.is_dir():
        return folder
    reason = f"real galaxies: no folder {folder}; name one with GALSMITH_TEST_DATA"
    if os.environ.get("GALSMITH_REQUIRE_DATA") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


class CountedPixels:
    """Counts how often each image is read."""

    def __init__(self, base) -> None:
        import numpy as np  # after the threads are set

        self.base, self.shapes = base, base.shapes
        self.reads = np.zeros(len(base), dtype=int)

    def __len__(self) -> int:
        return len(self.base)

    def __getitem__(self, index: int):
        return self.read([index])[0]

    def read(self, indices):
        for index in indices:
            self.reads[index] += 1
        return self.base.read(indices)


@pytest.fixture(scope="session")
def counted_pixels() -> type[CountedPixels]:
    """Pixels that count how often each image is read: `counted_pixels(pixels).reads`."""
    return CountedPixels
