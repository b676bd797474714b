"""A study of a downstream task: copies gain nothing, wrong labels hurt, intervals cover, an interrupted one goes on."""

import json

import numpy as np
import pytest
from astropy.table import QTable

from galsmith import study
from galsmith.cli.app import build_app
from galsmith.cli.describe.kinds import describe
from galsmith.data.store import write_store
from galsmith.errors import InputError, OutputExistsError, SettingsError
from galsmith.files import read_json
from galsmith.images import ImageHeader, image_set_from_arrays
from galsmith.settings import Settings
from galsmith.study import run
from galsmith.study.intervals import paired_difference
from galsmith.study.mixes import MIXES, Pools, mixed
from galsmith.study.tasks import TASKS

SIDE = 16
SMALL = ("n_centers=60", "n_components=12", "size_pix=12")
FIRM = (*SMALL, "strength=300.0")  # few noisy images want a firm hand


def galaxies(n, *, seed, label="right", split=None, bands=("g",), unit="electron / s"):
    """Round or flat blobs with noise; what is flat is late (T = 5), what is round early (T = -5)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    is_early = rng.random(n) < 0.5
    ratios = np.where(is_early, rng.uniform(0.6, 1.0, n), rng.uniform(0.3, 0.7, n))
    images = []
    for ratio, angle in zip(ratios, rng.uniform(0, np.pi, n), strict=True):
        u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
        light = 10 * np.exp(-np.hypot(u * np.sqrt(ratio), v / np.sqrt(ratio)) / 2)
        images.append(np.stack([light + rng.normal(0, 0.5, light.shape) for _ in bands]))
    types = np.where(is_early, -5.0, 5.0)
    if label == "wrong":
        types = -types
    catalog = QTable({"T": types, "ratio": ratios})
    if split is not None:
        catalog["split"] = np.repeat(["train", "validation", "test"], split)
    return image_set_from_arrays(images, ImageHeader(bands, unit), catalog=catalog)


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sets")
    real = galaxies(500, seed=1, split=(120, 120, 260))
    write_store(folder / "real", real)
    train = real.in_split("train")
    write_store(folder / "copies", image_set_from_arrays(train.pixels, train.header, catalog=train.catalog))
    write_store(folder / "fresh", galaxies(240, seed=2))
    write_store(folder / "wrong", galaxies(240, seed=3, label="wrong"))
    rng = np.random.default_rng(4)
    noise, types = rng.normal(0, 3, (240, 1, SIDE, SIDE)), QTable({"T": rng.choice([-5.0, 5.0], 240)})
    write_store(folder / "noise", image_set_from_arrays(noise, real.header, catalog=types))
    return folder


def card_of(stores, generated, output, task="classifier", **settings):
    settings = {"seeds": 3, "overrides": FIRM, **settings}
    return study.study(task, stores / "real", stores / generated, output, **settings)


def row(card, mix):
    return next(one for one in card["rows"] if one["mix"] == mix)


def test_copies_of_the_training_images_gain_nothing(stores, tmp_path):
    card = card_of(stores, "copies", tmp_path / "study")
    copies = row(card, "real and generated")
    low, high = copies["interval"]
    assert low < 0 < high
    assert copies["verdict"] == "not told apart"
    assert abs(copies["difference"]) < 0.05 * row(card, "real")["mean_loss"]
    # generated = the same 120 images: as good as they are
    assert row(card, "generated alone")["verdict"] == "not told apart"
    assert row(card, "twice real")["verdict"] == "helps"


def test_fresh_galaxies_of_the_same_law_help_and_wrong_labels_hurt(stores, tmp_path):
    fresh = card_of(stores, "fresh", tmp_path / "fresh")
    wrong = card_of(stores, "wrong", tmp_path / "wrong")
    assert row(fresh, "real and generated")["verdict"] == "helps"
    for mix in ("real and generated", "generated alone"):
        assert row(wrong, mix)["verdict"] == "hurts"
    harmed = {
        (group["name"], one["mix"])
        for group in wrong["groups"]
        for one in group["rows"]
        if one.get("verdict") == "hurts"
    }
    assert ("early", "generated alone") in harmed
    # turned copies teach that angles mean nothing
    assert row(fresh, "augmented")["relative"] < 1


def test_noise_hurts(stores, tmp_path):
    card = card_of(stores, "noise", tmp_path / "study")
    for mix in ("real and generated", "generated alone"):
        assert row(card, mix)["verdict"] == "hurts"
        assert row(card, mix)["relative"] > 1.1


def test_a_number_is_learned_better_from_twice_as_many(stores, tmp_path):
    overrides = (*SMALL, "strength=3000.0", "label=ratio")
    card = card_of(stores, "fresh", tmp_path / "study", task="regressor", overrides=overrides)
    assert row(card, "real")["mean_loss"] < 0.8  # 1 is what the mean would have
    assert row(card, "twice real")["relative"] < 1
    assert row(card, "real and generated")["relative"] < 1
    assert [group["name"] for group in card["groups"]] == ["highest third", "lowest third", "middle third"]


def test_the_page_says_what_the_card_says(stores, tmp_path):
    card = card_of(stores, "wrong", tmp_path / "study", seeds=2)
    page = (tmp_path / "study" / "index.html").read_text(encoding="utf-8")
    assert "<h1>Generated images hurt" in page
    assert "120 real and 240 generated" in page
    assert "http" not in page
    assert read_json(tmp_path / "study" / "study.json") == card


def test_an_interrupted_study_goes_on_and_gives_the_same(stores, tmp_path, monkeypatch):
    whole = card_of(stores, "fresh", tmp_path / "whole", seeds=2)
    ran = []

    def stop(job, real=run._run):
        if len(ran) == 4:
            raise KeyboardInterrupt
        ran.append(job.mix)
        real(job)

    monkeypatch.setattr(run, "_run", stop)
    with pytest.raises(KeyboardInterrupt):
        card_of(stores, "fresh", tmp_path / "stopped", seeds=2)
    assert not (tmp_path / "stopped").exists()
    assert len(list((tmp_path / "stopped.partial").glob("*-[01].json"))) == 4
    monkeypatch.undo()
    again = []
    monkeypatch.setattr(run, "_run", lambda job, real=run._run: (again.append(job.mix), real(job))[1])
    card = card_of(stores, "fresh", tmp_path / "stopped", seeds=2)
    assert len(again) == 2 * len(MIXES) - 4
    assert card["losses"] == whole["losses"]
    assert card["rows"] == whole["rows"]


def test_a_finished_study_is_read_and_another_one_refused(stores, tmp_path):
    card = card_of(stores, "fresh", tmp_path / "study", seeds=1)
    assert card_of(stores, "fresh", tmp_path / "study", seeds=1) == json.loads(json.dumps(card))
    with pytest.raises(OutputExistsError, match=r"already exists|holds"):
        card_of(stores, "fresh", tmp_path / "study", seeds=2)


@pytest.mark.slow
def test_workers_give_the_same(stores, tmp_path):
    one = card_of(stores, "fresh", tmp_path / "one", seeds=2)
    two = card_of(stores, "fresh", tmp_path / "two", seeds=2, workers=2)
    assert one["losses"] == two["losses"]


class Counting(Settings):
    """A task of one's own: the loss is how many images it was fitted on."""

    title: str = "counting"
    loss: str = "count"

    def described(self):
        return {"task": "counting"}

    def check(self, images, name):
        del images, name

    def groups(self, images):
        return np.full(len(images), "all")

    def fit(self, images, seed):
        del seed
        return len(images)

    def score(self, model, test):
        return np.full(len(test), float(model))


def test_a_task_of_ones_own_sees_the_mixes(stores, tmp_path):
    card = study.study(Counting(), stores / "real", stores / "fresh", tmp_path / "study", n=50, k=70, seeds=1)
    assert {one["mix"]: one["mean_loss"] for one in card["rows"]} == {
        "real": 50,
        "real and generated": 120,
        "twice real": 100,
        "generated alone": 70,
        "augmented": 120,
    }
    study.register_task("counting", Counting, words="counts")
    try:
        assert isinstance(study.task_named("counting"), Counting)
        with pytest.raises(SettingsError, match="TASKS has it already"):
            study.register_task("counting", Counting, words="counts")
    finally:
        del TASKS["counting"]


def test_mixes_share_their_real_images_and_turned_ones_are_no_copies():
    sets = [galaxies(30, seed=seed) for seed in (1, 2, 3)]
    pools = Pools(*sets, n=20, k=25)
    real = mixed(MIXES["real"], pools, seed=4)
    for name in ("real and generated", "twice real", "augmented"):
        first = mixed(MIXES[name], pools, seed=4)
        np.testing.assert_array_equal(first.stacked()[:20], real.stacked())
    other = mixed(MIXES["real"], pools, seed=5)
    assert not np.array_equal(other.stacked(), real.stacked())
    turned = mixed(MIXES["augmented"], pools, seed=4)
    for place, image in enumerate(turned.stacked()[20:]):
        there = [np.array_equal(image, one) for one in real.stacked()]
        same_light = np.isclose(real.stacked().sum(axis=(1, 2, 3)), image.sum(), rtol=1e-5)
        assert not any(there), place
        assert turned.catalog["T"][20 + place] == real.catalog["T"][np.flatnonzero(same_light)[0]]


def test_intervals_cover_where_nothing_differs_and_tell_what_does():
    rng, covered = np.random.default_rng(0), 0
    for _ in range(60):
        seeds, images = rng.normal(0, 0.05, (6, 1)), rng.normal(0, 0.3, (1, 80))
        losses = seeds + images + rng.normal(0, 0.2, (6, 80))
        found = paired_difference(losses, np.zeros_like(losses), seed=0)
        covered += found.interval[0] < 0 < found.interval[1]
    assert covered >= 50  # 95 % of 60 are 57; fewer than 50 have a chance of 1e-3 where 92 % are covered
    real = rng.normal(1, 0.3, (5, 100))
    worse = paired_difference(real + 0.2, real, seed=0, comparisons=4)
    assert worse.difference == pytest.approx(0.2)
    assert worse.verdict == "hurts"
    assert paired_difference(real - 0.2, real, seed=0).verdict == "helps"
    noisy = paired_difference(real + rng.normal(0, 1, real.shape), real, seed=0, comparisons=4)
    low, high = noisy.family_interval
    assert (low < noisy.interval[0], high > noisy.interval[1]) == (True, True)
    with pytest.raises(ValueError, match="wanted the same seeds and images"):
        paired_difference(real, real[:, :50], seed=0)


def test_the_interval_is_that_of_a_mean_of_many_images():
    # with seeds that do not differ the bootstrap is that of the mean over images
    rng = np.random.default_rng(1)
    losses = np.tile(rng.normal(0, 1, 400), (4, 1))
    low, high = paired_difference(losses, np.zeros_like(losses), seed=0).interval
    expected = 2 * 1.96 * losses[0].std() / np.sqrt(400)
    assert high - low == pytest.approx(expected, rel=0.06)


def other_bands(plain):
    return image_set_from_arrays(plain.pixels, ImageHeader(("r",), "electron / s"), catalog=plain.catalog)


def other_unit(plain):
    return image_set_from_arrays(plain.pixels, ImageHeader(("g",), "nJy"), catalog=plain.catalog)


def without_labels(plain):
    return image_set_from_arrays(plain.pixels, plain.header)


def with_missing_labels(plain):
    types = np.array(plain.catalog["T"])
    types[3] = np.nan
    return image_set_from_arrays(plain.pixels, plain.header, catalog=QTable({"T": types}))


def of_one_class(plain):
    return image_set_from_arrays(plain.pixels, plain.header, catalog=QTable({"T": np.full(30, 3.0)}))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (other_bands, r"bands are \('r',\), those of .* \('g',\)"),
        (other_unit, "flux_unit are nJy, those of .* electron / s"),
        (without_labels, r"has no column 'T'.*transform\.conditions"),
        (with_missing_labels, "1 of 30 images have no T; leave them out with `where`"),
        (of_one_class, "0 images of one of the two classes"),
    ],
)
def test_what_cannot_be_studied_is_refused(stores, tmp_path, change, message):
    write_store(tmp_path / "set", change(galaxies(30, seed=1)))
    with pytest.raises(InputError, match=message):
        study.study("classifier", stores / "real", tmp_path / "set", tmp_path / "study")
    assert not (tmp_path / "study").exists()


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"n": 121}, "`n=121`: wanted 1 to 120, as there are images of train and of validation"),
        ({"k": 241}, "`k=241`: wanted 1 to 240, as there are generated images"),
        ({"seeds": 0}, "`seeds=0`: wanted 1 or more"),
        ({"task": "clasifier"}, r"there is no such task \(did you mean 'classifier'\?\)"),
        ({"overrides": ("labl=T",)}, "unknown setting 'labl'.*did you mean 'label'"),
    ],
)
def test_wrong_arguments_are_one_line_errors(stores, tmp_path, how, message):
    with pytest.raises(SettingsError, match=message):
        card_of(stores, "fresh", tmp_path / "study", **how)


def test_too_few_test_images_are_refused(stores, tmp_path):
    write_store(tmp_path / "few", galaxies(60, seed=1, split=(30, 20, 10)))
    with pytest.raises(InputError, match="10 of test; wanted some of each and 20 of test"):
        study.study("classifier", tmp_path / "few", stores / "fresh", tmp_path / "study")


def test_the_command_says_what_came(stores, tmp_path):
    words = ["study", "classifier", "--data", stores / "real", "--generated", stores / "wrong"]
    words += ["-o", tmp_path / "study", "--seeds", 1, "--set", "n_centers=60", "--workers", 1, "--quiet"]
    outcome = build_app()([str(word) for word in words], exit_on_error=False, result_action="return_value")
    assert outcome.numbers["generated alone"] == "hurts"
    assert "generated images hurt" in outcome.summary
    description = describe(str(tmp_path / "study"))
    assert description.kind == "study"
    assert "hurts" in dict(description.rows)["240 generated"]
