"""Stores made by several processes from the command line: the bytes of one process, whatever ends it in between."""

import importlib
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from astropy.io import fits
from trees import hashes

from galsmith.cli import main
from galsmith.data import ingest
from galsmith.data.readers import registry
from galsmith.seeds import random_stream

TROUBLED = '''
"""Galaxies, one of which kills or holds up whoever reads it, as a file beside this module says."""
import os, pathlib, signal, time
from dataclasses import dataclass
import numpy as np
from astropy.table import QTable
from galsmith.data.readers.registry import Reader, register_reader
from galsmith.data.readers.source import Listing, Origin
from galsmith.images import ImageHeader
from galsmith.seeds import random_stream

HERE = pathlib.Path(__file__).parent

@dataclass(frozen=True)
class TroubledOptions:
    """None."""

class TroubledSource:
    def __init__(self, place, options, *, progress):
        self.header = ImageHeader(("r",), "nJy", pixel_scale_arcsec=0.2)
        self.catalog = QTable({"object_id": [f"g{row}" for row in range(12)]})
        self.listing = Listing([f"galaxy {row}" for row in range(12)], np.full((12, 2), 8))
        self.origin = Origin({"kind": "troubled"}, ())

    def read(self, rows):
        for row in rows:
            if row == 7 and (HERE / "kill").exists():
                os.kill(os.getpid(), signal.SIGKILL)
            if row == 7 and (HERE / "hold").exists():
                time.sleep(60)
            yield random_stream(int(row), "tests.workers").normal(0, 1, (1, 8, 8)).astype(np.float32)

TROUBLED = Reader(
    "troubled", summary="Read troubled galaxies.", place="Anything.", options=TroubledOptions,
    opens=TroubledSource, example="galsmith ingest troubled here -o store",
)
register_reader(TROUBLED)
'''
IN_TWOS = "galsmith.data.readers.to_store.IMAGES_PER_CHUNK"
PROGRAM = """
import sys
if __name__ == "__main__":
    import troubled  # before the table of verbs is made
    import galsmith.data.readers.to_store as to_store
    from galsmith.cli import main

    to_store.IMAGES_PER_CHUNK = 2
    sys.exit(main(sys.argv[1:]))
"""
COMMAND = ("ingest", "troubled", "cut", "-o", "store", "--workers", "2", "--quiet")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with five cutouts, in which chunks have two images."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(IN_TWOS, 2)
    (tmp_path / "cut").mkdir()
    for number in range(5):
        image = random_stream(number, "tests.workers.cut").normal(0, 1, (12, 12)).astype(np.float32)
        fits.PrimaryHDU(image, fits.Header({"BUNIT": "nJy"})).writeto(tmp_path / "cut" / f"g{number}.fits")
    return tmp_path


@pytest.mark.parametrize(
    "words",
    ["simulate sersic -n 7 --recipe sersic-32 --set size_pix=16", "ingest fits cut --crop 8"],
)
def test_two_processes_write_the_bytes_of_one(here, words):
    assert main([*words.split(), "-o", "one", "--seed", "3", "--quiet"]) == 0
    assert main([*words.split(), "-o", "two", "--seed", "3", "--workers", "2", "--quiet"]) == 0
    one = hashes(here / "one")
    assert len(one) > 2
    assert hashes(here / "two") == one
    assert main([*words.split(), "-o", "other", "--seed", "4", "--quiet"]) == 0
    assert hashes(here / "other") != one


@pytest.fixture
def troubled(here, monkeypatch):
    """The folder of a reader that other processes can import, and what makes trouble in it; and a store without any."""
    site = here / "site"
    site.mkdir()
    (site / "troubled.py").write_text(TROUBLED)
    (site / "program.py").write_text(PROGRAM)
    monkeypatch.syspath_prepend(str(site))
    before = dict(registry._REGISTERED)
    importlib.import_module("troubled")
    ingest.ingest("troubled", "cut", "alone")
    yield site
    registry._REGISTERED.clear()
    registry._REGISTERED.update(before)
    sys.modules.pop("troubled", None)


def started(site):
    """Start the command."""
    surroundings = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), *filter(None, sys.path)])}
    words = [sys.executable, str(site / "program.py"), *COMMAND]
    return subprocess.Popen(words, env=surroundings, stderr=subprocess.PIPE, text=True)


def ended(running):
    """Exit code, and what was said."""
    _, said = running.communicate(timeout=120)
    return running.returncode, said


def test_a_chunk_that_kills_its_process_is_named_and_done_by_the_same_command(troubled, here):
    (troubled / "kill").touch()
    code, said = ended(started(troubled))
    assert code == 1
    assert "1 of 6 could not be done (chunk 3: its process was killed" in said
    assert "use fewer --workers" in said
    assert "and the same command does what is missing" in said
    assert not (here / "store").exists()
    (troubled / "kill").unlink()
    assert ended(started(troubled)) == (0, "")
    assert hashes(here / "store") == hashes(here / "alone")


def test_an_interrupted_command_goes_on(troubled, here):
    (troubled / "hold").touch()
    running = started(troubled)
    end = time.monotonic() + 120
    while len(list(here.glob("store.partial/chunk-*.json"))) < 5 and time.monotonic() < end:
        assert running.poll() is None
        time.sleep(0.05)
    kept = {file: file.stat().st_mtime_ns for file in here.glob("store.partial/chunk-*.json")}
    assert len(kept) == 5
    running.send_signal(signal.SIGINT)
    code, said = ended(running)
    assert (code, "run the same command again to go on" in said) == (130, True), said
    assert {file: file.stat().st_mtime_ns for file in kept} == kept
    (troubled / "hold").unlink()
    assert ended(started(troubled)) == (0, "")
    assert hashes(here / "store") == hashes(here / "alone")
