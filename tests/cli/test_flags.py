"""Errors name arguments to who calls Python and flags to who types commands, of the same exception."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from galsmith.cli.faults import explain
from galsmith.cli.flags import in_flags
from galsmith.data.galaxies import FileRequest
from galsmith.data.options import SetOptions
from galsmith.data.readers.arrays import ArraySource
from galsmith.data.readers.options import FieldOptions
from galsmith.data.readers.registry import ArrayOptions, SkirtOptions
from galsmith.errors import GalsmithError, InputError, OutputError, SettingsError
from galsmith.files import Kind, refuse_existing
from galsmith.settings import apply_overrides, parse_where


@pytest.fixture
def cube(tmp_path):
    np.save(tmp_path / "set.npy", np.ones((9, 8, 8)))
    return tmp_path / "set.npy"


def raised(call):
    with pytest.raises(GalsmithError, match="`") as caught:
        call()
    return caught.value


CASES = [
    (
        "ingest arrays",
        lambda cube: ArraySource(cube, ArrayOptions(pixel_scale_arcsec=-1)),
        "pixel_scale_arcsec=-1",
        "--pixel-scale -1",
    ),
    (
        "ingest arrays",
        lambda cube: ArraySource(cube, ArrayOptions(bands=["g", "r"])),
        "bands=g,r",
        "--bands g,r",
    ),
    (
        "ingest arrays",
        lambda cube: ArraySource(cube, ArrayOptions(band_axis="last")),
        "band_axis=last",
        "--band-axis last",
    ),
    ("ingest field", lambda cube: FieldOptions(minimum_snr=-1), "minimum_snr=-1", "--min-snr -1"),
    (
        "ingest field",
        lambda cube: FieldOptions(star_r_half_pix=-2.0),
        "star_r_half_pix=-2.0",
        "--star-radius -2.0",
    ),
    (
        "ingest field",
        lambda cube: FieldOptions(minimum_cutout_pix=300),
        "minimum_cutout_pix=300",
        "--min-cutout 300",
    ),
    ("ingest skirt", lambda cube: SkirtOptions(larger_than_pix=-1), "larger_than_pix=-1", "--larger-than -1"),
    ("ingest skirt", lambda cube: SkirtOptions(redshift=-0.1), "redshift=-0.1", "--redshift -0.1"),
    ("ingest folder", lambda cube: SetOptions(on_bad="stop"), "on_bad=stop", "--on-bad stop"),
    ("ingest folder", lambda cube: parse_where("mag"), "where='mag'", "--where 'mag'"),
    ("measure", lambda cube: FileRequest((str(cube),), labels=(3,)), "labels=3", "--label 3"),
    ("measure", lambda cube: FileRequest((str(cube),), cutout_pix=9), "cutout_pix=9", "--cutout 9"),
    ("train", lambda cube: apply_overrides({}, ["a.b"]), "overrides=a.b", "--set a.b"),
    (
        "compare",
        lambda cube: refuse_existing(cube, Kind("card", str), overwrite=False),
        "overwrite",
        "--overwrite",
    ),
]


@pytest.mark.parametrize(("verb", "call", "argument", "flag"), CASES, ids=[case[2] for case in CASES])
def test_python_reads_an_argument_and_the_command_line_its_flag(verb, call, argument, flag, cube):
    error = raised(lambda: call(cube))
    assert f"`{argument}`" in str(error)
    assert "--" not in str(error)
    said, _ = explain(error, resumes=False, verb=verb)
    assert flag in said
    assert "`" not in said


def test_the_fields_of_an_exception_compose_its_message():
    error = SettingsError("too few", argument="n", came=3, wanted="10 or more", way_out="draw more")
    assert str(error) == "`n=3`: too few; wanted 10 or more; draw more"
    assert (error.argument, error.came, error.wanted, error.way_out) == ("n", 3, "10 or more", "draw more")
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.came, again.way_out) == (str(error), 3, "draw more")
    assert (
        str(OutputError(argument="output", came=Path("x"), wanted="a folder"))
        == "`output=x`: wanted a folder"
    )
    assert str(InputError("a.fits: cut short")) == "a.fits: cut short"


def test_flags_are_those_of_the_verb_and_what_is_no_flag_stays():
    assert in_flags("set `beyond=False` or `overwrite=True`", "compare") == "set --no-beyond or --overwrite"
    assert in_flags("give `labels`", "measure") == "give --label"
    assert in_flags("give `labels`", "ingest folder") == "give --labels"
    assert in_flags("give `nothing_of_ours`", "measure") == "give nothing_of_ours"


def test_yes_and_no_in_either_spelling_are_flags_alone():
    for yes, no in (("True", "False"), ("true", "false")):
        assert in_flags(f"`double_sersic={yes}`", "measure") == "--double-sersic"
        assert in_flags(f"`double_sersic={no}`", "measure") == "--no-double-sersic"
    assert in_flags("`segmentation=truest`", "measure") == "--segmentation truest"
