"""What stands at the top of the package: rooms by their short names, and the version."""

import subprocess
import sys
from importlib import import_module, metadata

import pytest

import galsmith


def test_the_version_is_that_of_the_installation():
    assert galsmith.__version__ == metadata.version("galsmith")
    assert "__version__" in dir(galsmith)


@pytest.mark.parametrize("room", galsmith.__all__)
def test_a_room_is_the_same_however_it_is_imported(room):
    assert import_module(f"galsmith.{room}") is getattr(galsmith, room)


def test_functions_are_imported_from_rooms():
    code = "from galsmith.simulate import sersic; from galsmith.ingest import folder, fits; print(sersic.__module__)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "galsmith.data.simulate"


def test_another_name_is_told():
    with pytest.raises(AttributeError, match="has no attribute 'simulat'"):
        galsmith.simulat  # noqa: B018
