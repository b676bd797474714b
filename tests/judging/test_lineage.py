"""What a set was trained on is found by hashes wherever it lies now, and a reference is compared by what was held out."""

import json
import logging
import shutil
from dataclasses import replace

import numpy as np
import pytest
from astropy.table import QTable

from galsmith.data.store import open_store, write_store
from galsmith.errors import InputError, SettingsError
from galsmith.files import read_json, write_json
from galsmith.images import ImageHeader, image_set_from_arrays
from galsmith.judging import judge
from galsmith.judging.image_stores import Workplace
from galsmith.judging.lineage import Trainings, reference_part, training_store
from galsmith.measure import MeasureSettings, measure
from galsmith.provenance import Parent, Provenance, hash_json
from galsmith.seeds import random_stream

POWER = MeasureSettings(quantities=("power",))
HEADER = ImageHeader(("r",), "nJy")
SPLITS = ["train"] * 70 + ["validation"] * 40 + ["test"] * 40


def noise_store(path, *, case, count=150, splits=None, made_by=None, header=HEADER):
    images = random_stream(case, "test.lineage").normal(size=(count, len(header.bands), 16, 16)) + 3
    catalog = QTable({"split": (splits or SPLITS)[:count]})
    whole = image_set_from_arrays(images, header, catalog=catalog)
    write_store(path, whole if made_by is None else replace(whole, provenance=made_by))
    return path


@pytest.fixture
def chain(tmp_path):
    """A training store, a snapshot of it, and a store that was drawn from it, under one folder."""
    folder = tmp_path / "work_of_anna"
    data = noise_store(folder / "data" / "galaxies", case=1)
    page = {"model": {"width": 3}, "description": {}, "transform": {}, "tensors_sha256": "a" * 64}
    trained = Provenance("train", parents=(open_store(data).as_parent("training set"),))
    run = folder / "runs" / "first"
    (run / "snapshot").mkdir(parents=True)
    write_json(run / "snapshot" / "snapshot.json", {**page, "card": {"provenance": trained.to_dict()}})
    decisive = hash_json([page[key] for key in ("model", "description", "transform", "tensors_sha256")])
    drawn = Provenance("sample", parents=(Parent("snapshot", decisive, str(run / "snapshot")),))
    return folder, data, noise_store(folder / "drawn", case=2, splits=["generated"] * 150, made_by=drawn)


def work_in(folder):
    return Workplace(folder, POWER, 0, 1, None, overwrite=False, progress=lambda event: None)


def test_the_training_store_is_found_and_also_where_all_was_moved(chain, tmp_path):
    folder, data, drawn = chain
    assert training_store(drawn) == data
    shutil.move(folder, tmp_path / "work_of_bert")
    moved = tmp_path / "work_of_bert"
    assert open_store(training_store(moved / "drawn")).path == str(moved / "data" / "galaxies")


def test_the_training_store_of_a_table_is_that_of_its_images(chain):
    folder, data, drawn = chain
    assert (
        training_store(
            measure(open_store(drawn), folder / "t.parquet", settings=POWER) and folder / "t.parquet"
        )
        == data
    )


def test_what_breaks_the_chain_is_named(chain):
    folder, data, drawn = chain
    with pytest.raises(InputError, match="no model is named in what made the set"):
        training_store(data)
    shutil.rmtree(data)
    noise_store(data, case=3)
    with pytest.raises(InputError, match=r"the training set \(data/galaxies\) has changed since; give them"):
        training_store(drawn)
    shutil.rmtree(data)
    with pytest.raises(InputError, match=r"the training set \(data/galaxies\) is not there any more"):
        training_store(drawn)
    page = folder / "runs" / "first" / "snapshot" / "snapshot.json"
    write_json(page, json.loads(json.dumps(read_json(page)).replace("aaaa", "bbbb")))
    with pytest.raises(InputError, match=r"the snapshot \(first/snapshot\) has changed since"):
        training_store(drawn)
    shutil.rmtree(folder / "runs")
    with pytest.raises(InputError, match=r"the snapshot \(first/snapshot\) is not there any more"):
        training_store(drawn)


def test_a_reference_is_compared_by_what_was_held_out(chain, tmp_path):
    _, data, drawn = chain
    other = noise_store(tmp_path / "other", case=4)
    foreign = noise_store(tmp_path / "foreign", case=5, splits=["train"] * 150)
    known, unknown = Trainings.of({"ours": drawn}, None), Trainings.of({"theirs": foreign}, None)
    assert unknown.unknown["theirs"].startswith("the training images are not known")
    for trainings in (known, unknown, Trainings.of({"theirs": foreign}, data)):
        part, said = reference_part(data, trainings, None, work_in(tmp_path / f"work{id(trainings)}"))
        assert said == "the 80 of 150 galaxies that are held out (test, validation)"
        assert set(open_store(part).catalog["split"]) == {"test", "validation"}
    # Nobody trained on it, as far as is known.
    assert reference_part(other, known, None, work_in(tmp_path)) == (
        other,
        "all 150 galaxies: the model is known to have been trained on others",
    )
    assert reference_part(foreign, known, None, work_in(tmp_path)) == (foreign, "")


def test_fields_are_called_fields(chain, tmp_path):
    shown = noise_store(tmp_path / "fields", case=6, header=replace(HEADER, shows="field"))
    _, _, drawn = chain
    said = [
        reference_part(shown, Trainings.of({"ours": drawn}, training), None, work_in(tmp_path))[1]
        for training in (None, shown)
    ]
    assert said == [
        "all 150 fields: the model is known to have been trained on others",
        "the 80 of 150 fields that are held out (test, validation)",
    ]


def test_a_split_is_chosen(chain, tmp_path):
    _, data, drawn = chain
    trainings = Trainings.of({"ours": drawn}, None)
    assert reference_part(data, trainings, "all", work_in(tmp_path)) == (data, "")
    part, said = reference_part(data, trainings, "test", work_in(tmp_path))
    assert (len(open_store(part)), said) == (40, "the 40 of 150 galaxies that are in the split test")
    with pytest.raises(
        SettingsError,
        match=r"`split=tset`: the reference has no image in it; wanted one of test, train, validation, all",
    ):
        reference_part(data, trainings, "tset", work_in(tmp_path))
    few = noise_store(tmp_path / "few", case=6, splits=["train"] * 141 + ["test"] * 9)
    with pytest.raises(InputError, match=r"9 of 150 galaxies that are held out.*wanted 10 or more; hold out"):
        reference_part(few, Trainings.of({"x": few}, None), None, work_in(tmp_path))


def test_a_table_has_no_splits_but_what_it_was_trained_on_is_told(chain, tmp_path, caplog):
    _, data, drawn = chain
    measure(open_store(data), tmp_path / "t.parquet", settings=POWER)
    trainings = Trainings.of({"ours": drawn}, None)
    with caplog.at_level(logging.WARNING):
        assert reference_part(tmp_path / "t.parquet", trainings, None, work_in(tmp_path))[1] == ""
    assert "70 of 150 were trained on" in caplog.text
    with pytest.raises(SettingsError, match="the reference is a table, of which every row is compared"):
        reference_part(tmp_path / "t.parquet", trainings, "test", work_in(tmp_path))


def test_a_card_looks_for_copies_of_what_is_found_and_says_its_part(chain, tmp_path):
    _, data, drawn = chain
    card = judge(
        data,
        {"ours": drawn},
        tmp_path / "card.json",
        beyond=False,
        measure_settings=POWER,
        replicates=20,
        splits=20,
    )
    found = card.judgment()
    assert [search.searched for search in found.copies.searches] == ["training images"]
    assert found.memorization[0].n_training == 70
    assert found.comparison.reference.n_compared == 80
    assert card.settings["reference_part"] in card.summary
    assert "held out" in card.summary
    whole = judge(
        data, {"ours": drawn}, beyond=False, measure_settings=POWER, replicates=20, splits=20, split="all"
    )
    assert whole.judgment().comparison.reference.n_compared == 150


def test_a_set_of_which_nothing_is_known_says_why_copies_are_not_judged(chain, tmp_path):
    _, data, _ = chain
    foreign = noise_store(tmp_path / "foreign", case=7)
    found = judge(
        data, {"theirs": foreign}, beyond=False, measure_settings=POWER, replicates=20, splits=20
    ).judgment()
    assert found.verdict.not_judged["copies"].startswith("the training images are not known")
    assert found.copies.repeats.n_distinct == 150


def test_training_images_that_cannot_be_used_are_refused_before_anything_is_measured(
    chain, tmp_path, monkeypatch
):
    _, data, drawn = chain
    monkeypatch.setattr("galsmith.judging.image_stores.measure", lambda *_, **__: pytest.fail("was measured"))
    few = noise_store(tmp_path / "few", case=8, count=60, splits=["train"] * 20 + ["test"] * 40)
    with pytest.raises(InputError, match="training has 20 images; wanted 50 or more"):
        judge(data, {"ours": drawn}, training=few, measure_settings=POWER)
    bands = noise_store(tmp_path / "bands", case=9, header=ImageHeader(("g", "r"), "nJy"))
    with pytest.raises(InputError, match="has bands g r, ours band r; wanted images of the same bands"):
        judge(data, {"ours": drawn}, training=bands, measure_settings=POWER)
    everything = noise_store(tmp_path / "everything", case=1, splits=["train"] * 150)
    with pytest.raises(
        InputError, match="150 of 150 images that these would be compared by were trained on; wanted a store"
    ):
        judge(data, {"ours": drawn}, training=everything, measure_settings=POWER)
    assert np.all(open_store(drawn).catalog["split"] == "generated")
