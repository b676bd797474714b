"""Each kind of output is known again by what its own room wrote, and nothing else is replaced, whatever words it holds."""

import errno
import os
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from matplotlib.figure import Figure
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from small_verbs import make_inputs, verbs
from trees import hashes

from galsmith.errors import OutputError, OutputExistsError

KINDS = (
    "simulate",
    "simulate fields",
    "simulate components",
    "ingest folder",
    "ingest fits",
    "ingest arrays",
    "ingest store",
    "ingest cosmos",
    "ingest skirt",
    "ingest field",
    "train",
    "snapshot",
    "sample store",
    "sample fits",
    "observe",
    "measure",
    "measure ecsv",
    "measure fits",
    "measure files",
    "figure png",
    "figure pdf",
    "figure svg",
    "look",
    "compare",
    "judge",
    "features",
    "denoise fit",
    "denoise apply",
    "denoise files",
    "denoise study",
    "denoise report",
    "score fit",
    "score judge",
    "score report",
    "study",
    "report",
)
SLOW = ("measure morphology", "measure statmorph", "report figures", "demo")
FOLDERS = (
    "study",
    "denoise fit",
    "denoise files",
    "denoise study",
    "denoise report",
    "score fit",
    "score report",
    "simulate",
    "train",
    "snapshot",
    "sample fits",
    "report",
)
OF_OTHER_SETTINGS = (
    r"already exists|holds (features|a run|a demo|a denoiser) of|was trained by other settings"
)


@pytest.fixture(scope="module")
def known(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inputs")
    with pytest.MonkeyPatch.context() as patching:
        make_inputs(folder, patching.setattr)
        yield verbs(folder)


@contextmanager
def closed_to_writing(folder):
    """A folder as on a file system that is mounted to be read, also to root: no file is made or opened to be written."""

    def refusing(call, is_writing):
        def called(path, *args, **kwargs):
            inside = isinstance(path, str | Path) and Path(path).absolute().is_relative_to(folder)
            if inside and is_writing(*args, **kwargs):
                raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
            return call(path, *args, **kwargs)

        return called

    def may_not(path, mode, access=os.access, **kwargs):
        inside = Path(path).absolute().is_relative_to(folder)
        return access(path, mode, **kwargs) and not (inside and mode & os.W_OK)

    with pytest.MonkeyPatch.context() as patching:
        patching.setattr(os, "access", may_not)
        writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT
        patching.setattr(os, "open", refusing(os.open, lambda flags, *_, **__: flags & writing))
        for name in ("mkdir", "unlink", "rename", "replace", "rmdir"):
            patching.setattr(os, name, refusing(getattr(os, name), lambda *_, **__: True))
        yield


def check_repeats(name, known, folder, caplog):
    """Make, repeat, refuse other settings, replace."""
    file, make = known[name]
    make(folder / file, 1)
    made = hashes(folder)
    make(folder / file, 1)
    assert hashes(folder) == made
    assert "is already there" in caplog.text or name in ("features", "demo")
    with closed_to_writing(folder):
        make(folder / file, 1)
        with pytest.raises((OutputExistsError, OutputError), match=rf"{OF_OTHER_SETTINGS}|cannot be written"):
            make(folder / file, 2)
    assert hashes(folder) == made
    with pytest.raises(OutputExistsError, match=OF_OTHER_SETTINGS):
        make(folder / file, 2)
    assert hashes(folder) == made
    make(folder / file, 2, overwrite=True)
    assert hashes(folder) != made
    assert not list(folder.rglob("*.partial"))


@pytest.mark.parametrize("name", KINDS)
def test_an_output_is_there_already_refused_or_replaced(name, known, tmp_path, caplog):
    check_repeats(name, known, tmp_path, caplog)


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW)
def test_an_output_that_takes_long_is_there_already_refused_or_replaced(name, known, tmp_path, caplog):
    check_repeats(name, known, tmp_path, caplog)


@pytest.mark.parametrize("name", FOLDERS)
@pytest.mark.parametrize("foreign", ["notes.txt", "figures/mine.png", "images/mine.h5", "snapshot/mine.pt"])
def test_one_file_that_does_not_belong_saves_a_folder(name, foreign, known, tmp_path):
    file, make = known[name]
    make(tmp_path / file, 1)
    (tmp_path / file / foreign).parent.mkdir(exist_ok=True)
    (tmp_path / file / foreign).write_text("galsmith")
    before = hashes(tmp_path)
    with pytest.raises(OutputExistsError, match=f"in which {foreign} was not made with it"):
        make(tmp_path / file, 2, overwrite=True)
    assert hashes(tmp_path) == before


def folder_with(name, text):
    """A folder with a page of somebody else."""

    def write(place):
        place.mkdir()
        (place / name).write_text(text)

    return write


def text(words):
    return lambda place: place.write_text(words)


def parquet(place):
    table = pa.table({"galsmith-measurements": [1.0], "flags": ["kind: galsmith-measurements"]})
    pq.write_table(table.replace_schema_metadata({"note": "kind: galsmith-measurements"}), place)


def fits_table(place):
    columns = [fits.Column(name="json", format="40A", array=np.array(['{"kind": "galsmith-measurements"}']))]
    hdu = fits.BinTableHDU.from_columns(columns, name="NOTES")
    hdu.header["HISTORY"] = "galsmith-measurements"
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(place)


def features(place):
    with h5py.File(place, "w") as file:
        file.attrs["note"] = "galsmith features"
        file["features"] = np.zeros((2, 2))


def png(place):
    words = PngInfo()
    words.add_text("Comment", "galsmith")
    words.add_text("Software", "galsmith-like")
    Image.new("L", (4, 4)).save(place, pnginfo=words)


def figure(kind):
    """A figure of matplotlib that says galsmith wherever a user may say it."""

    def write(place):
        drawn = Figure()
        drawn.text(0.1, 0.5, "/Creator (galsmith)")
        said = {"Title": "galsmith", "Creator": "not galsmith", "Keywords": "galsmith"}
        drawn.savefig(place, format=kind, metadata=said)

    return write


CARD = '{"note": "galsmith-comparison", "format": "my-comparison"}'
PAGE = (
    "<!DOCTYPE html><html><head><title>galsmith report: x</title></head>"
    '<meta name="generator" content="galsmith report 1">'
)
TWINS = {
    "simulate": folder_with("dataset.json", '{"format": "mine", "note": "galsmith-store"}'),
    "sample store": folder_with("dataset.json", '{"format": "galsmith-store"}'),
    "sample fits": folder_with("sampling.json", '{"note": "galsmith cutouts"}'),
    "train": folder_with("settings.toml", 'note = "# Settings of one training run"\n'),
    "snapshot": folder_with("snapshot.json", '{"note": "galsmith snapshot"}'),
    "report": folder_with("index.html", PAGE),
    "demo": folder_with("plan.json", '{"n_training": 3, "note": "galsmith demo"}'),
    "measure": parquet,
    "measure ecsv": text(
        "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: a, datatype: int64}\n# meta: {k: galsmith-measurements}\na\n1\n"
    ),
    "measure fits": fits_table,
    "measure csv": text("object_id,mag,flag,flags,message\n1,2,0,,\n"),
    "figure png": png,
    "figure pdf": figure("pdf"),
    "figure svg": figure("svg"),
    "look": png,
    "compare": text(CARD),
    "judge": text(CARD),
    "features": features,
}


@pytest.mark.parametrize("name", TWINS)
def test_a_file_of_somebody_else_stays_whatever_words_it_holds(name, known, tmp_path):
    file, make = known[name]
    TWINS[name](tmp_path / file)
    before = hashes(tmp_path)
    with pytest.raises(OutputExistsError, match=r"does not say that it is a .* made by galsmith") as refused:
        make(tmp_path / file, 1, overwrite=True)
    assert refused.value.exit_code == 2
    assert hashes(tmp_path) == before


def test_a_table_as_csv_that_was_changed_is_somebody_elses(known, tmp_path):
    file, make = known["measure csv"]
    make(tmp_path / file, 1)
    make(tmp_path / file, 1)  # is already there
    changed = (tmp_path / file).read_bytes() + b"\n"
    (tmp_path / file).write_bytes(changed)
    for how, message in (({}, "already exists"), ({"overwrite": True}, "does not say that it is a table")):
        with pytest.raises(OutputExistsError, match=message):
            make(tmp_path / file, 1, **how)
    assert (tmp_path / file).read_bytes() == changed


def test_a_table_as_csv_is_replaced_and_known_at_every_step(known, tmp_path, monkeypatch):
    file, make = known["measure csv"]
    make(tmp_path / file, 1)
    with monkeypatch.context() as patched:  # what stands beside it is new, the table is old
        patched.setattr("galsmith.files.partial._put_in_place", None)
        with pytest.raises(TypeError, match="not callable"):
            make(tmp_path / file, 2, overwrite=True)
    make(tmp_path / file, 2, overwrite=True)
    new = (tmp_path / file).read_bytes()
    make(tmp_path / file, 2)  # is already there
    with pytest.raises(OutputExistsError, match="already exists"):
        make(tmp_path / file, 1)
    make(tmp_path / file, 1, overwrite=True)
    assert (tmp_path / file).read_bytes() != new
    assert sorted(path.name for path in tmp_path.iterdir()) == [file, f"{file}.meta.json"]


def test_a_file_of_somebody_else_beside_a_csv_table_stays(known, tmp_path):
    file, make = known["measure csv"]
    (tmp_path / f"{file}.meta.json").write_text('{"mine": 1}')
    with pytest.raises(OutputExistsError, match=r"table\.csv\.meta\.json`: is not ours"):
        make(tmp_path / file, 1)
    assert (tmp_path / f"{file}.meta.json").read_text() == '{"mine": 1}'
