"""What images show stands in the header, travels with it, and is asked before anything is measured."""

import json
from dataclasses import replace

import numpy as np
import pytest

from galsmith.cli.app import build_app
from galsmith.data.ingest import ingest
from galsmith.data.options import SetOptions
from galsmith.data.store import open_store, read_description, write_store
from galsmith.errors import SettingsError
from galsmith.images import ImageHeader, image_set_from_arrays
from galsmith.measure import MeasureSettings, measure
from galsmith.report import look

PIXELS = [np.full((1, 12, 12), value, dtype=np.float32) + np.eye(12, dtype=np.float32) for value in (1, 2)]
GALAXY, FIELD = ImageHeader(("gray",), "display"), ImageHeader(("gray",), "display", shows="field")


def test_galaxies_say_nothing_so_that_their_hashes_stay():
    assert "shows" not in GALAXY.to_dict()
    assert FIELD.to_dict() == {**GALAXY.to_dict(), "shows": "field"}
    assert ImageHeader.from_dict(json.loads(json.dumps(FIELD.to_dict()))) == FIELD
    assert SetOptions().to_dict().keys().isdisjoint({"shows"})
    # of the version before images showed anything
    assert image_set_from_arrays(PIXELS, GALAXY).content_hash.startswith(
        "6ee71e567dd2e54509b86451cd49cd5bc359ca31"
    )
    assert (
        image_set_from_arrays(PIXELS, GALAXY).content_hash
        != image_set_from_arrays(PIXELS, FIELD).content_hash
    )


def test_a_third_kind_is_refused():
    with pytest.raises(ValueError, match="shows is 'star'; wanted galaxy or field"):
        ImageHeader(("gray",), "display", shows="star")
    with pytest.raises(SettingsError, match="`shows=star`: wanted galaxy or field"):
        SetOptions(shows="star")


def test_a_store_of_fields_says_so_and_its_copy_too(tmp_path):
    images = write_store(tmp_path / "fields", image_set_from_arrays(PIXELS, FIELD))
    assert images.header.shows_fields
    assert repr(images).startswith("ImageSet(2 fields, 12x12 px")
    assert read_description(tmp_path / "fields")["shows"] == "field"
    copy = ingest("store", tmp_path / "fields", tmp_path / "copy", options=SetOptions(crop_pix=8))
    assert copy.header == replace(FIELD)


def test_the_way_into_a_store_may_say_what_images_show(tmp_path):
    write_store(tmp_path / "set", image_set_from_arrays(PIXELS, GALAXY))
    fields = ingest("store", tmp_path / "set", tmp_path / "fields", options=SetOptions(shows="field"))
    same = ingest("store", tmp_path / "set", tmp_path / "same")
    assert (fields.header.shows, same.header.shows) == ("field", "galaxy")
    assert "shows" not in read_description(tmp_path / "same")
    assert fields.content_hash != same.content_hash


def test_fields_are_not_measured_as_galaxies(tmp_path):
    morphology = MeasureSettings(quantities=("morphology",))
    with pytest.raises(SettingsError, match="the images show fields of many sources"):
        measure(image_set_from_arrays(PIXELS, FIELD), tmp_path / "table.parquet", settings=morphology)
    assert not any(tmp_path.iterdir())


def test_a_sheet_of_fields_says_that_they_are_fields(tmp_path):
    assert look(image_set_from_arrays(PIXELS, FIELD), tmp_path / "fields.png").kind == "fields"
    assert look(image_set_from_arrays(PIXELS, GALAXY), tmp_path / "galaxies.png").kind == "galaxies"


def test_the_command_line_tells_it(tmp_path, capsys):
    write_store(tmp_path / "set", image_set_from_arrays(PIXELS, GALAXY))
    app = build_app()
    command = ["ingest", "store", str(tmp_path / "set"), "-o", str(tmp_path / "fields"), "--shows", "field"]
    assert app(command, result_action="return_value").summary.startswith("2 fields, 12x12 px")
    assert open_store(tmp_path / "fields").header.shows == "field"
    capsys.readouterr()
