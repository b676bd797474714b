"""The table of readers: every entry opens what it says, and its options are those of its flags."""

from dataclasses import fields

import pytest

from galsmith.data.readers.registry import READERS, FolderOptions, find_reader, is_image_place, open_source
from galsmith.errors import InputError, SettingsError


@pytest.mark.parametrize("reader", READERS.values(), ids=str)
def test_options_have_help_and_places_that_are_not_there_are_refused(reader, tmp_path):
    assert all(entry.metadata["help"].endswith(".") for entry in fields(reader.options))
    assert reader.example.startswith(f"galsmith ingest {reader.name} ")
    with pytest.raises(InputError, match="nothing"):
        reader.open(str(tmp_path / "nothing"))


def test_an_unknown_reader_names_the_near_miss():
    assert find_reader("fits") is READERS["fits"]
    with pytest.raises(
        SettingsError, match=r"kind is 'ftis'; there is no such reader \(did you mean 'fits'\?\)"
    ):
        find_reader("ftis")


def test_folders_are_recognized_by_what_they_hold(tmp_path, random_stamp, write_cutout, write_picture):
    folder = write_picture("a.png", random_stamp(8, 8).astype("uint8"))
    assert open_source(folder).header.flux_unit == "display"
    write_cutout("a.fits", random_stamp(8, 8))
    both = tmp_path / "both"
    both.mkdir()
    for name in ("a.png", "a.fits"):
        (both / name).write_bytes(next(tmp_path.rglob(name)).read_bytes())
    assert open_source(both).origin.settings["kind"] == "fits"
    assert is_image_place(tmp_path)
    assert is_image_place("not_there.h5:/images")
    assert not is_image_place(tmp_path / "table.parquet")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"empty: is no store, and holds no .*\.fits.*\.png files"):
        open_source(tmp_path / "empty")


def test_files_that_options_name_are_inputs_too():
    labels = FolderOptions(labels="labels.csv")
    assert READERS["folder"].inputs("pictures", labels) == ["pictures", "labels.csv"]
    assert READERS["folder"].inputs("pictures") == ["pictures"]
    assert READERS["field"].inputs(["g.fits", "r.fits"]) == ["g.fits", "r.fits"]
