"""Parts of one set, as tasks of a job array make them, are joined to what one call makes."""

import numpy as np
import pytest

from galsmith import ingest, simulate
from galsmith.cli import main
from galsmith.data.store import open_store, read_sources
from galsmith.errors import InputError, SettingsError

KINDS = {
    "sersic": {"recipe": "sersic-32"},
    "components": {},
}


def assert_same_images(one, other):
    for first, second in zip(
        one.pixels.read(np.arange(len(one))), other.pixels.read(np.arange(len(other))), strict=True
    ):
        np.testing.assert_array_equal(first, second)
    for name in one.catalog.colnames:
        if name != "split":  # dealt by part
            np.testing.assert_array_equal(np.asarray(one.catalog[name]), np.asarray(other.catalog[name]))


@pytest.mark.parametrize("kind", ["sersic", "components"])
def test_simulated_parts_are_joined_to_the_whole(kind, tmp_path):
    how = {"seed": 4, **KINDS[kind]}
    whole = simulate.simulate(kind, tmp_path / "whole", n=7, **how)
    simulate.simulate(kind, tmp_path / "a", n=3, **how)
    simulate.simulate(kind, tmp_path / "b", n=4, first=3, **how)
    joined = ingest.store([tmp_path / "a", tmp_path / "b"], tmp_path / "joined")
    assert_same_images(joined, whole)
    assert [parent.path for parent in joined.provenance.parents] == [str(tmp_path / "a"), str(tmp_path / "b")]
    again = ingest.store([tmp_path / "b", tmp_path / "a"], tmp_path / "again")
    assert list(again.catalog["object_id"]) == [
        *whole.catalog["object_id"][3:],
        *whole.catalog["object_id"][:3],
    ]


def test_a_part_says_which_it_is_and_the_whole_does_not(tmp_path):
    part = simulate.sersic(tmp_path / "whole", n=2, recipe="sersic-32")
    assert "first" not in part.provenance.settings
    part = simulate.simulate("sersic", tmp_path / "part", n=2, first=5, recipe="sersic-32")
    assert part.provenance.settings["first"] == 5
    assert list(part.catalog["object_id"]) == ["00000005", "00000006"]


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"first": 1}, r"both have the object_id '00000001'.*parts of one set with `first`"),
        ({"first": 2, "overrides": ("band=r",)}, r"its bands is \('r',\), that of .* \('F606W',\)"),
        ({"first": 2, "overrides": ("pixel_scale_arcsec=0.3",)}, "its pixel_scale_arcsec is 0.3"),
    ],
)
def test_stores_that_are_not_parts_of_one_set_are_refused(how, words, tmp_path):
    simulate.simulate("sersic", tmp_path / "a", n=2, recipe="sersic-32")
    simulate.simulate("sersic", tmp_path / "b", n=2, recipe="sersic-32", **how)
    with pytest.raises(InputError, match=words):
        ingest.store([tmp_path / "a", tmp_path / "b"], tmp_path / "joined")


def test_properties_of_several_stores_are_refused(tmp_path):
    for number in (0, 1):
        simulate.simulate("sersic", tmp_path / str(number), n=1, first=number, recipe="sersic-32")
    with pytest.raises(SettingsError, match="belongs to one store, and there are 2"):
        ingest.store(
            [tmp_path / "0", tmp_path / "1"], tmp_path / "joined", properties=tmp_path / "table.parquet"
        )


def test_a_number_below_zero_is_refused(tmp_path):
    with pytest.raises(SettingsError, match="`first=-1`: wanted 0 or more"):
        simulate.simulate("sersic", tmp_path / "x", n=1, first=-1, recipe="sersic-32")


def test_sources_beside_fields_are_joined_in_order(tmp_path):
    how = {"recipe": "fields-250", "seed": 3}
    whole = simulate.simulate("fields", tmp_path / "whole", n=3, **how)
    simulate.simulate("fields", tmp_path / "a", n=1, **how)
    simulate.simulate("fields", tmp_path / "b", n=2, first=1, **how)
    joined = ingest.store([tmp_path / "a", tmp_path / "b"], tmp_path / "joined")
    assert_same_images(joined, whole)
    one, other = (read_sources(tmp_path / name) for name in ("joined", "whole"))
    assert one.colnames == other.colnames
    np.testing.assert_array_equal(np.asarray(one["flux"]), np.asarray(other["flux"]))


def test_the_commands_of_the_page_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for number in (0, 1):
        first = str(3 * number)
        words = [
            "simulate",
            "sersic",
            "-n",
            "3",
            "--first",
            first,
            "--recipe",
            "sersic-32",
            "-o",
            f"part{number}",
        ]
        assert main(words) == 0
    assert main(["ingest", "store", "part0", "part1", "-o", "merged"]) == 0
    assert "6 galaxies" in capsys.readouterr().out
    assert len(open_store("merged")) == 6
    assert main(["ingest", "store", "part0", "-o", "copy"]) == 0
