"""A refused judgment is not in the way of the corrected one, and what an interrupted one made is not lost."""

import numpy as np
import pytest

from galsmith.data.store import open_store, write_store
from galsmith.errors import InputError, OutputExistsError
from galsmith.images import ImageHeader, image_set_from_arrays
from galsmith.judging import judge
from galsmith.judging.image_stores import REFUSED_FILE
from galsmith.measure import MeasureSettings
from galsmith.seeds import random_stream

POWER = MeasureSettings(quantities=("power",))
QUICK = {"beyond": False, "replicates": 10, "splits": 5, "permutations": 10, "measure_settings": POWER}
SPLITS = ["train"] * 60 + ["validation"] * 50 + ["test"] * 40


def noise(case, count=40):
    return (random_stream(case, "test.refusals").normal(size=(count, 16, 16)) + 3).astype(np.float32)


@pytest.fixture
def real(tmp_path):
    images = image_set_from_arrays(noise(1, len(SPLITS)), ImageHeader(("r",), "nJy"))
    images.catalog["split"] = SPLITS
    write_store(tmp_path / "real", images)
    return tmp_path / "real"


@pytest.fixture
def drawn(tmp_path):
    write_store(tmp_path / "drawn", image_set_from_arrays(noise(2), ImageHeader(("r",), "nJy")))
    return tmp_path / "drawn"


def refused(*given, match, **options):
    with pytest.raises(InputError, match=match):
        judge(*given, **QUICK, **options)


def test_the_part_of_a_refused_judgment_gives_way_to_that_of_the_corrected(real, drawn, tmp_path):
    card, part = tmp_path / "card.json", tmp_path / "card.measurements" / "reference-part.store"
    refused(real, {"ours": drawn, "other": noise(3, 3)}, card, split="test", match="wanted 10 or more")
    assert len(open_store(part)) == SPLITS.count("test")
    assert (part.parent / REFUSED_FILE).is_file()
    made = judge(real, {"ours": drawn}, card, split="validation", **QUICK)
    assert made.judgment().comparison.reference.n_measured == SPLITS.count("validation")
    assert not (part.parent / REFUSED_FILE).exists()


def test_images_in_memory_and_tables_of_a_refused_judgment_give_way(real, tmp_path):
    card = tmp_path / "card.json"
    refused(real, {"ours": noise(4)}, card, limit=9, match="wanted 10 or more")
    folder = tmp_path / "card.measurements"
    assert {path.name for path in folder.iterdir()} >= {"ours.store", REFUSED_FILE}
    judge(real, {"ours": noise(5)}, card, limit=20, **QUICK)
    assert np.array_equal(open_store(folder / "ours.store").pixels.read(np.arange(40))[0][0], noise(5)[0])


def test_what_is_the_same_is_taken_over(real, drawn, tmp_path):
    card, part = tmp_path / "card.json", tmp_path / "card.measurements" / "reference-part.store"
    refused(real, {"ours": drawn, "other": noise(3, 3)}, card, split="test", match="wanted 10 or more")
    written = (part / "dataset.json").stat().st_mtime_ns
    judge(real, {"ours": drawn}, card, split="test", **QUICK)
    assert (part / "dataset.json").stat().st_mtime_ns == written


def test_what_no_refused_judgment_made_stays(real, drawn, tmp_path):
    card = tmp_path / "card.json"
    judge(real, {"ours": drawn}, card, split="test", **QUICK)
    card.unlink()  # as if it had been stopped before its end
    with pytest.raises(OutputExistsError, match="already exists"):
        judge(real, {"ours": drawn}, card, split="validation", **QUICK)
    # that refusal made nothing, so that nothing gives way after it either
    with pytest.raises(OutputExistsError, match="already exists"):
        judge(real, {"ours": drawn}, card, split="validation", **QUICK)
