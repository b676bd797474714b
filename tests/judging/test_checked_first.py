"""What can be known before anything is measured, extracted or resampled is checked before it."""

from importlib import import_module

import numpy as np
import pytest

from galsmith.compare import judge_tables
from galsmith.data.store import write_store
from galsmith.errors import GalsmithError, InputError, SettingsError
from galsmith.images import ImageHeader, image_set_from_arrays
from galsmith.judging import judge
from galsmith.measure import MeasureSettings, measured
from galsmith.seeds import random_stream

JUDGE = import_module("galsmith.judging.judge")  # the package has the function of this name
POWER = MeasureSettings(quantities=("power",))


def too_early(*_, **__):
    """Stand in for what is long."""
    pytest.fail("something long was started before all was checked")


@pytest.fixture
def nothing_long(monkeypatch):
    """Fail where a set is measured, features are extracted, or distances are resampled."""
    for place in (
        "galsmith.judging.image_stores.measure",
        "galsmith.features.extract",
        "galsmith.compare.judge.joint_distances",
    ):
        monkeypatch.setattr(place, too_early)


def noise(case, *, flux_unit="nJy", bands=("r",), scale=0.2, count=24):
    pixels = random_stream(case, "test.noise").normal(size=(count, len(bands), 16, 16)) + 3
    return image_set_from_arrays(pixels, ImageHeader(bands, flux_unit, scale))


@pytest.fixture
def store(tmp_path):
    return write_store(tmp_path / "real", noise(1))


@pytest.mark.parametrize(
    ("how", "kind", "message"),
    [
        ({"cuts": "holzschuh2022-notebok"}, SettingsError, "did you mean 'holzschuh2022-notebook'"),
        ({"cuts": {"gini": (1, 0)}}, SettingsError, "wanted low <= high"),
        ({"replicates": 1}, SettingsError, "`replicates=1`: wanted 2 or more"),
        ({"confidence": 95}, SettingsError, "`confidence=95`: wanted a share between 0 and 1"),
        ({"normalization": "zscore"}, SettingsError, "`normalization=zscore`"),
        ({"paper": "holzschuh2022"}, SettingsError, "`paper=holzschuh2022`"),
        ({"features": ["efficientnet-lite1"]}, SettingsError, "did you mean 'efficientnet-lite0'"),
        ({"features": ["fid"]}, SettingsError, r"`features=fid`: .*inception gives FID and KID"),
        ({"training": "nowhere"}, InputError, "nowhere"),
        ({"measure_settings": MeasureSettings(band="z")}, SettingsError, "`band=z`"),
    ],
)
@pytest.mark.usefixtures("nothing_long")
def test_arguments_are_checked_before_anything_is_measured(store, how, kind, message):
    with pytest.raises(kind, match=message):
        judge(store, {"ours": noise(2)}, **{"measure_settings": POWER, **how})


@pytest.mark.usefixtures("nothing_long")
def test_missing_weights_are_told_with_url_size_hash_and_place_before_anything_is_measured(
    store, tmp_path, monkeypatch
):
    pytest.importorskip("torch")
    monkeypatch.setenv("GALSMITH_INCEPTION", str(tmp_path / "none.pth"))
    with pytest.raises(InputError, match=r"none\.pth: .*95,628,359 bytes and sha256 6726825d.*from https://"):
        judge(store, {"ours": noise(2)}, features=["inception-2015-12-05"], measure_settings=POWER)
    with pytest.raises(pytest.fail.Exception, match="something long was started"):
        judge(store, {"ours": noise(2)}, features=["efficientnet-lite0"], measure_settings=POWER)


@pytest.mark.usefixtures("nothing_long")
def test_features_of_tables_whose_images_are_gone_are_refused(store, tmp_path):
    pytest.importorskip("torch")
    tables = [measured(noise(case), settings=POWER) for case in (1, 2)]
    with pytest.raises(
        InputError, match=r"`features=efficientnet-lite0`: features are of images, .* no store"
    ):
        judge(tables[0], {"ours": tables[1]}, features=["efficientnet-lite0"])


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"limit": 20}, "`limit=20`: all sets are tables"),
        ({"bands": ["g"]}, "`bands=g`: no set is of files"),
        (
            {"measure_settings": MeasureSettings(segmentation="survey")},
            "`segmentation=survey`: all sets are tables, measured before with segmentation = paper",
        ),
    ],
)
@pytest.mark.usefixtures("nothing_long")
def test_what_has_no_effect_on_tables_is_refused(store, how, message):
    tables = [measured(noise(case), settings=POWER) for case in (1, 2)]
    with pytest.raises(SettingsError, match=message):
        judge(tables[0], {"ours": tables[1]}, **how)
    if "bands" not in how:  # where one set is measured here, it has
        with pytest.raises(pytest.fail.Exception, match="something long was started"):
            judge(store, {"ours": tables[1]}, **how)


def test_tables_that_were_measured_in_another_way_than_the_paper_are_told(caplog):
    tables = [measured(noise(case), settings=POWER) for case in (1, 2)]
    judge_tables(*tables, paper="holzschuh2022-cosmos", beyond=False, replicates=20, splits=20)
    assert "holzschuh2022-cosmos measured with gain = 1.0, these tables were with None" in caplog.text
    caplog.clear()
    judge_tables(*tables, beyond=False, replicates=20, splits=20)
    assert "these tables were with" not in caplog.text


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"flux_unit": "electron"}, "a flux unit of nJy, the generated set electron"),
        (
            {"scale": 0.1},
            "a pixel scale of 0.2, the generated set 0.1; .* galsmith ingest store SET .* 0.5 times its side",
        ),
        ({"bands": ("i",)}, "bands r, the generated set i"),
    ],
)
@pytest.mark.usefixtures("nothing_long")
def test_images_of_another_kind_are_refused_before_anything_is_measured(store, tmp_path, other, message):
    theirs = write_store(tmp_path / "theirs", noise(2, **other))
    with pytest.raises(InputError, match=message):
        judge(store, {"alike": noise(3), "ours": theirs}, measure_settings=POWER)


@pytest.mark.usefixtures("nothing_long")
def test_training_images_of_no_split_train_are_refused_before_anything_is_measured(store, tmp_path):
    held_out = noise(5)
    held_out.catalog["split"] = "test"
    training = write_store(tmp_path / "training", held_out)
    with pytest.raises(InputError, match="no image of it is in the split 'train'"):
        judge(store, {"ours": noise(2)}, training=training, measure_settings=POWER)


def test_a_generator_without_a_number_is_refused_before_the_reference_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(JUDGE, "stored", too_early)
    with pytest.raises(SettingsError, match="`n`: wanted how many galaxies"):
        judge(tmp_path / "pictures", generator=np.ones)


@pytest.mark.usefixtures("nothing_long")
def test_features_and_copies_wait_for_cuts_that_the_tables_lack(monkeypatch):
    monkeypatch.setattr(JUDGE, "gather_extras", too_early)
    tables = [measured(noise(case), settings=POWER) for case in (1, 2)]
    with pytest.raises(SettingsError, match="`cuts=power_rings_3`: there is no such column"):
        judge(tables[0], {"ours": tables[1]}, cuts={"power_rings_3": (0, 1)})


@pytest.mark.usefixtures("nothing_long")
def test_training_images_are_refused_for_tables_without_images(store):
    tables = [measured(noise(case), settings=POWER) for case in (1, 2)]
    with pytest.raises(InputError, match="a table in memory: its images are in no store that is there"):
        judge(tables[0], {"ours": tables[1]}, training=store)


@pytest.mark.usefixtures("nothing_long")
def test_all_tables_are_checked_before_the_first_is_compared(tmp_path):
    tables = [measured(noise(case), settings=POWER) for case in (1, 2, 3)]
    tables[2].meta["flux_unit"] = "electron"
    with pytest.raises(InputError, match="a flux unit of nJy, the generated set electron"):
        judge_tables(tables[0], {"alike": tables[1], "other": tables[2]}, beyond=False)
    with pytest.raises(SettingsError, match="`binning=ring`: there is no such binning"):
        judge_tables(tables[0], tmp_path / "nowhere.parquet", binning="ring")


@pytest.mark.usefixtures("nothing_long")
def test_what_is_right_is_started(store):
    """The twin of all of these: with nothing to refuse, measuring begins."""
    with pytest.raises(pytest.fail.Exception, match="something long was started"):
        judge(store, {"ours": noise(2)}, measure_settings=POWER)


@pytest.mark.parametrize("name", ["training-images", "reference", "a/b", "../a", ".", ""])
def test_names_that_would_be_those_of_other_files_beside_the_card_are_refused(store, tmp_path, name):
    with pytest.raises(SettingsError, match=f"`generated={name}`"):
        judge(store, {name: noise(2)}, tmp_path / "card.json", training=store, measure_settings=POWER)
    assert not (tmp_path / "card.measurements").exists()


def test_two_sets_of_one_name_are_refused_alike_by_the_command_line(tmp_path, capsys):
    from galsmith.cli import main

    places = [tmp_path / name for name in ("real.parquet", "a/drawn.parquet", "b/drawn.parquet")]
    for place in places:
        place.parent.mkdir(exist_ok=True)
        place.touch()
    words = ["compare", *map(str, places), "-o", str(tmp_path / "card.json")]
    assert main(words) == 2
    assert "2 of them have this name; wanted a name of its own" in capsys.readouterr().err
    with pytest.raises(GalsmithError, match="2 of them have this name"):
        judge("real", ["a/drawn.parquet", "b/drawn.parquet"])
