"""What every test may use: the folder of real galaxies."""

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


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
