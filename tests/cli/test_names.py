"""Names of files in every script, and names that are no text."""

import os
import subprocess
import sys

import numpy as np
import pytest
from astropy.io import fits

from galsmith.cli import main
from galsmith.data import ingest
from galsmith.errors import InputError
from galsmith.seeds import random_stream

PROGRAM = "import sys; from galsmith.cli import main; sys.exit(main(sys.argv[1:]))"
NAME = "Sérsic-银河-гал"


def cutouts(folder, names):
    folder.mkdir()
    for number, name in enumerate(names):
        image = random_stream(number, "test").normal(size=(20, 20)).astype(np.float32)
        fits.PrimaryHDU(image).writeto(os.fspath(folder / name))
    return folder


@pytest.mark.parametrize("language", ["C", "C.UTF-8"])
def test_names_of_every_script_go_through_in_any_locale(tmp_path, language):
    folder = cutouts(tmp_path / NAME, [f"{NAME}.fits"])
    words = ["ingest", "fits", str(folder), "-o", str(tmp_path / f"{NAME}.store"), "--quiet"]
    environment = {**os.environ, "LANG": language, "LC_ALL": language}
    for command in (words, ["info", str(tmp_path / f"{NAME}.store")]):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, *command], env=environment, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr.decode()
    from galsmith.data.store import open_store

    assert list(open_store(tmp_path / f"{NAME}.store").catalog["object_id"]) == [NAME]


def test_a_name_that_is_no_text_is_refused_in_one_line(tmp_path, capsys):
    broken = os.fsdecode(b"g\xff.fits")
    folder = cutouts(tmp_path / "set", ["a.fits"])
    (folder / "a.fits").rename(folder / broken)
    with pytest.raises(InputError, match=r"g.udcff.fits': is not UTF-8, so nothing can name it; rename it"):
        ingest.fits(folder, tmp_path / "store", seed=1)
    assert main(["info", os.fsdecode(bytes(tmp_path) + b"/\xff")]) == 1
    assert "is not UTF-8" in capsys.readouterr().err
