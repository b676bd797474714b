"""An output is, holds or lies in no input, however both are written."""

import os

import pytest

from galsmith.errors import SettingsError
from galsmith.files import Kind, check_output, refuse_harm


@pytest.fixture
def place(tmp_path, monkeypatch):
    (tmp_path / "P" / "s" / "images").mkdir(parents=True)
    (tmp_path / "P" / "s" / "catalog.parquet").write_text("a")
    (tmp_path / "P" / "one.fits").write_text("b")
    (tmp_path / "link").symlink_to(tmp_path / "P" / "s")
    os.link(tmp_path / "P" / "one.fits", tmp_path / "hard.fits")
    (tmp_path / "many").mkdir()
    (tmp_path / "many" / "a.fits").symlink_to(tmp_path / "P" / "one.fits")
    monkeypatch.chdir(tmp_path)
    return tmp_path


HARMFUL = [
    ("P/s", "P/s", "is the input"),
    ("P/s/", "P/../P/s", "is the input"),
    ("link", "P/s", "is the input"),
    ("P/s", "link", "is the input"),
    (".", "P/s", "holds the input"),
    ("P", "P/s", "holds the input"),
    ("P", "P/one.fits[1]", "holds the input"),
    ("P", "P/*.fits", "holds the input"),
    ("P/one.fits", "P/*.fits", "is the input"),
    ("P/s/catalog.parquet", "P/s", "lies in the input"),
    ("P/s/new/deep", "link", "lies in the input"),
    ("link/new", "P/s", "lies in the input"),
    ("P/one.fits", "P/one.fits:/images", "is the input"),
    ("P/one.fits", "mine=P/one.fits", "is the input"),
    ("P/one.fits", "g=none.fits,r=P/one.fits", "is the input"),
    ("hard.fits", "P/one.fits", "is the input"),
    ("P/one.fits", "many", "is linked from the input"),
    ("P", "many", "is linked from the input"),
    ("many", "many/a.fits", "holds the input"),
]


@pytest.mark.parametrize(("output", "given", "relation"), HARMFUL)
def test_harm_is_refused(place, output, given, relation):
    with pytest.raises(SettingsError, match=f"`output={output.rstrip('/')}`: {relation}"):
        refuse_harm(place.__class__(output), [None, given])


@pytest.mark.parametrize(
    ("output", "given"),
    [
        ("P/new", "P/s"),
        ("P/table.parquet", "P/*.fits"),
        ("P/s2", "P/s"),
        ("new", "P"),
        ("new", "many"),
        ("P/s", "sersic-64"),
        ("P/s", "nothing/*.fits"),
        ("P/s", "25.0"),
        ("P/s", ""),
    ],
)
def test_what_does_no_harm_passes(place, output, given):
    refuse_harm(place.__class__(output), [given])


def test_the_folder_in_which_an_output_is_made_harms_nothing_either(place):
    (place / "set.partial" / "content").mkdir(parents=True)
    with pytest.raises(SettingsError, match=r"set\.partial`: holds the input"):
        check_output(place / "set", Kind("set", str), inputs=[place / "set.partial" / "content"])


def test_another_case_is_the_same_file_where_the_file_system_says_so(place):
    if not (place / "p").exists():
        refuse_harm(place / "p" / "S", [place / "P" / "s"])
        return
    with pytest.raises(SettingsError, match="is the input"):
        refuse_harm(place / "p" / "S", [place / "P" / "s"])
