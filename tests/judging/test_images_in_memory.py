"""Arrays, image sets and generators, judged as their stores are; what does not fit is refused by name."""

import numpy as np
import pytest

from galsmith.data.store import open_store, write_store
from galsmith.errors import InputError, SettingsError
from galsmith.images import ImageHeader, image_set_from_arrays
from galsmith.judging import judge
from galsmith.measure import MeasureSettings
from galsmith.seeds import random_stream

QUICK = {
    "replicates": 20,
    "splits": 20,
    "beyond": False,
    "measure_settings": MeasureSettings(quantities=("power",)),
}
HEADER = ImageHeader(("r",), "nJy", pixel_scale_arcsec=0.2)


def noise(case, count=24, smear=1.0):
    return (smear * random_stream(case, "test.noise").normal(size=(count, 16, 16)) + 3).astype(np.float32)


def distances(*sets, **how):
    return judge(*sets, **{**QUICK, **how}).judgment().comparison


@pytest.fixture
def real(tmp_path):
    return write_store(tmp_path / "real", image_set_from_arrays(noise(1), HEADER))


def test_sets_arrays_lists_and_generators_give_what_stores_give(real, tmp_path):
    theirs = image_set_from_arrays(noise(2, smear=0.5), HEADER)
    write_store(tmp_path / "theirs", theirs)
    told = repr(distances(tmp_path / "real", tmp_path / "theirs").distances)
    as_array = noise(2, smear=0.5)
    given = [theirs, as_array, as_array[:, np.newaxis], list(as_array)]
    for images in given:
        assert repr(distances(real, images).distances) == told
    calls = []

    def generator(seeds):
        first = sum(map(len, calls))
        calls.append(seeds)
        return as_array[first : first + len(seeds)]

    assert repr(distances(real, generator=generator, n=24, seed=0).distances) == told
    assert np.concatenate(calls).dtype == np.int64
    assert len(set(np.concatenate(calls))) == 24


def test_what_is_in_memory_is_stored_beside_the_card_once_with_the_header_of_the_reference(real, tmp_path):
    output = tmp_path / "card.json"
    made = distances(real, {"ours": noise(2)}, output)
    store = tmp_path / "card.measurements" / "ours.store"
    assert open_store(store).header == HEADER
    assert made.reference.images_path == "real"
    assert made.generated.images_path == "card.measurements/ours.store"
    written = (store / "dataset.json").stat().st_mtime_ns
    output.unlink()
    distances(real, {"ours": noise(2)}, output)
    assert (store / "dataset.json").stat().st_mtime_ns == written
    output.unlink()
    with pytest.raises(SettingsError, match=r"ours\.store`: already exists"):
        distances(real, {"ours": noise(3)}, output)


def test_copies_of_training_images_in_memory_are_seen():
    training = noise(5, count=200)
    sets = {"copies": training[:100], "other": noise(7, count=100)}
    found = judge(noise(1, count=100), sets, training=training, **QUICK)
    authentic = [found.judgment(name).memorization[0].authenticity.value for name in sets]
    assert authentic[0] < 0.1 < authentic[1]


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({}, "neither `generated` nor `generator` were given"),
        (
            {"generated": np.ones((24, 16, 16)), "generator": np.ones},
            "both `generated` and `generator` were given",
        ),
        ({"generator": np.ones}, "`n`: wanted how many galaxies"),
        ({"generated": []}, "`generated`: there is no generated set to judge"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(real, how, message):
    with pytest.raises(SettingsError, match=message):
        judge(real, **how, **QUICK)


def test_a_function_in_place_of_a_set_is_told_where_it_goes(real):
    with pytest.raises(SettingsError, match=r"`generated`: is a function; give it as `generator`.* `n`"):
        judge(real, lambda seeds: noise(1), n=24, **QUICK)


def test_a_set_of_which_nothing_can_be_measured_is_refused(real):
    with pytest.raises(
        InputError, match=r"none of 24 images of the generated set could be measured \(flags: not_fin"
    ):
        judge(real, generator=lambda seeds: np.full((len(seeds), 16, 16), np.nan), n=24, **QUICK)
    some = noise(2)
    some[:5] = np.nan
    assert distances(real, some).headline.value > 0


def test_tensors_with_a_gradient_are_images(real):
    torch = pytest.importorskip("torch")
    as_array = noise(2)
    told = repr(distances(real, generator=lambda seeds: as_array[: len(seeds)], n=24).distances)
    trained = torch.from_numpy(as_array).requires_grad_()
    assert repr(distances(real, generator=lambda seeds: trained[: len(seeds)], n=24).distances) == told


def test_another_size_than_that_of_the_reference_is_told(real, caplog):
    distances(real, noise(2))
    assert "px, the reference" not in caplog.text
    distances(real, np.pad(noise(2), ((0, 0), (4, 4), (4, 4)), mode="wrap"))
    assert "generated-1: has images of 24x24 px, the reference of 16x16" in caplog.text


def test_a_path_with_nothing_there_names_its_neighbor(real, tmp_path):
    write_store(tmp_path / "generated", image_set_from_arrays(noise(2), HEADER))
    with pytest.raises(
        InputError, match=r"generate: .*did you mean 'generated'.*wanted a store, a folder of images"
    ):
        judge(real, tmp_path / "generate", **QUICK)


def test_images_that_do_not_fit_are_refused(real):
    with pytest.raises(InputError, match="`generator`: it gave 3 images for 24 seeds; wanted one each"):
        judge(real, generator=lambda seeds: noise(1, count=3), n=24, **QUICK)
    with pytest.raises(InputError, match=r"shape \(2, 16, 16\); wanted .* 1 band \("):
        judge(real, np.ones((24, 2, 16, 16)), **QUICK)
    with pytest.raises(InputError, match=r"images of shape \(\) in memory; wanted \[galaxy, y, x\]"):
        judge(real, np.ones(24), **QUICK)
