"""A run of measure: the same table by any route, after an interruption, and refusals of what does not fit."""

import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from galsmith.data.galaxies import StoreGalaxies
from galsmith.data.store import write_store
from galsmith.errors import InputError, InterruptedRunError, OutputExistsError, SettingsError
from galsmith.execution import Briefing
from galsmith.images import ImageHeader, image_set_from_arrays
from galsmith.measure import MeasureSettings, chunks, measure, read_measurements
from galsmith.measure.chunks import Chunk, Measuring
from galsmith.measure.galaxies import Method

POWER = MeasureSettings(quantities=("power",))


def _assert_same_table(one, other):
    assert one.colnames == other.colnames
    assert one.meta["content_hash"] == other.meta["content_hash"]
    for name in one.colnames:
        np.testing.assert_array_equal(np.asarray(one[name]), np.asarray(other[name]), err_msg=name)


@pytest.fixture(autouse=True)
def small_chunks(request, monkeypatch):
    """Chunks of 16, so that 36 galaxies make three."""
    if "slow" not in request.keywords:
        monkeypatch.setitem(chunks.GALAXIES_PER_CHUNK, "galsmith", 16)


@pytest.fixture(scope="module")
def store(noisy_set, tmp_path_factory):
    return write_store(tmp_path_factory.mktemp("stores") / "store", noisy_set)


@pytest.fixture(scope="module")
def undisturbed(store, tmp_path_factory):
    return measure(store.path, tmp_path_factory.mktemp("tables") / "undisturbed.parquet")


def _interrupt_after(n_galaxies):
    def progress(event):
        if event.done >= n_galaxies:
            raise KeyboardInterrupt

    return progress


def test_an_interrupted_run_goes_on_and_ends_as_an_undisturbed_one(store, undisturbed, tmp_path):
    output = tmp_path / "table.parquet"
    with pytest.raises(InterruptedRunError, match=r"stopped at 16 of 36 galaxies.*the same command goes on"):
        measure(store, output, progress=_interrupt_after(16))
    assert not output.exists()
    assert [path.name for path in sorted((tmp_path / "table.parquet.partial").iterdir())] == [
        "chunk-00000.parquet",
        "settings.json",
    ]
    events = []
    table = measure(store, output, progress=events.append)
    assert [event.done for event in events] == [16, 32, 36]
    assert {(event.stage, event.unit, event.total) for event in events} == {("measuring", "galaxies", 36)}
    _assert_same_table(table, undisturbed)
    assert [path.name for path in tmp_path.iterdir()] == ["table.parquet"]


def test_an_unfinished_run_of_other_settings_is_refused_and_can_be_replaced(store, tmp_path):
    output = tmp_path / "table.parquet"
    with pytest.raises(InterruptedRunError):
        measure(store, output, progress=_interrupt_after(16))
    for change in ({"limit": 20}, {"settings": MeasureSettings(gain=2.0)}, {"settings": POWER}):
        with pytest.raises(OutputExistsError, match="a partial table made by other settings or data"):
            measure(store, output, **change)
    table = measure(store, output, settings=POWER, overwrite=True)
    assert len(table) == 36
    assert not (tmp_path / "table.parquet.partial").exists()


@pytest.mark.parametrize("workers", [2, 5])
def test_threads_give_the_table_of_one(store, noisy_set, undisturbed, tmp_path, workers):
    _assert_same_table(measure(store.path, tmp_path / "store.parquet", workers=workers), undisturbed)
    in_memory = measure(noisy_set, tmp_path / "memory.parquet", workers=workers)
    for name in undisturbed.colnames:
        np.testing.assert_array_equal(np.asarray(in_memory[name]), np.asarray(undisturbed[name]))


@pytest.mark.slow
def test_processes_of_the_oracle_give_the_table_of_one(store, noisy_set, tmp_path):
    pytest.importorskip("statmorph", reason="statmorph is in galsmith[statmorph]")
    one = measure(store.path, tmp_path / "one.parquet", engine="statmorph")
    _assert_same_table(measure(store.path, tmp_path / "two.parquet", engine="statmorph", workers=2), one)
    in_memory = measure(noisy_set, tmp_path / "memory.parquet", engine="statmorph", workers=2)
    for name in one.colnames:
        np.testing.assert_array_equal(np.asarray(in_memory[name]), np.asarray(one[name]))


@pytest.mark.slow
def test_a_killed_run_loses_no_finished_chunk(noisy_stamps, tmp_path):
    images = image_set_from_arrays(noisy_stamps * 100, ImageHeader(("r",), "nJy"))
    store = write_store(tmp_path / "store", images)
    undisturbed = measure(store, tmp_path / "undisturbed.parquet")
    output = tmp_path / "table.parquet"
    command = f"from galsmith.measure import measure; measure({store.path!r}, {str(output)!r})"
    process = subprocess.Popen([sys.executable, "-c", command])
    first = tmp_path / "table.parquet.partial" / "chunk-00000.parquet"
    deadline = time.monotonic() + 240
    while not first.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert first.exists()
    assert not output.exists()
    written = first.stat().st_mtime_ns
    events = []
    table = measure(store.path, output, progress=lambda event: events.append((event.done, first.exists())))
    assert 128 <= events[0][0] < 600
    assert written < output.stat().st_mtime_ns
    _assert_same_table(table, undisturbed)


def test_the_first_images_are_those_of_the_whole_run(store, undisturbed, tmp_path):
    table = measure(store, tmp_path / "table.parquet", limit=5)
    assert (table.meta["n_measured"], table.meta["n_images"]) == (5, 36)
    np.testing.assert_array_equal(table["gini"], undisturbed["gini"][:5])


def test_a_selection_of_a_store_is_what_is_measured(store, undisturbed, tmp_path):
    table = measure(store.select([7, 2]), tmp_path / "table.parquet", settings=POWER)
    assert table["object_id"].tolist() == ["00000007", "00000002"]
    expected = np.asarray(undisturbed["power_rings_03"])[[7, 2]]
    np.testing.assert_array_equal(table["power_rings_03"], expected)


def test_an_existing_table_is_kept_unless_it_may_be_replaced(store, tmp_path):
    output = tmp_path / "table.parquet"
    measure(store, output, settings=POWER, limit=3)
    with pytest.raises(OutputExistsError, match="with `overwrite`"):
        measure(store, output, settings=POWER, limit=4)
    assert len(read_measurements(output)) == 3
    assert len(measure(store, output, settings=POWER, limit=4, overwrite=True)) == 4


def test_several_bands_have_a_spectrum_each_and_morphology_of_one(noisy_stamps, tmp_path):
    images = [np.stack([stamp, 2 * stamp, np.zeros_like(stamp)]) for stamp in noisy_stamps[:1]]
    cube = image_set_from_arrays(images, ImageHeader(("g", "r", "z"), "nJy"))
    table = measure(cube, tmp_path / "middle.parquet")
    assert table.meta["band"] == "r"
    assert {"power_wavelength_00_g", "power_rings_14_z"} <= set(table.colnames)
    assert "power_wavelength_00" not in table.colnames
    difference = table["power_rings_05_r"] - table["power_rings_05_g"]
    np.testing.assert_allclose(difference, np.log10(2), atol=1e-6)
    assert "no_power_wavelength_z" in table["flags"][0]
    green = measure(cube, tmp_path / "g.parquet", settings=MeasureSettings(band="g"))
    np.testing.assert_allclose(table["flux"].value, 2 * green["flux"].value, rtol=1e-5)
    with pytest.raises(SettingsError, match=r"`band=G`.*they have g, r, z"):
        measure(cube, tmp_path / "no.parquet", settings=MeasureSettings(band="G"))


def test_all_bands_have_a_row_each(noisy_stamps, tmp_path):
    images = [np.stack([stamp, 2 * stamp]) for stamp in noisy_stamps[:3]]
    cube = image_set_from_arrays(images, ImageHeader(("g", "r"), "nJy"))
    table = measure(cube, tmp_path / "all.parquet", settings=MeasureSettings(band="all"))
    assert table["band"].tolist() == ["g", "r"] * 3
    assert table["object_id"].tolist() == [f"{k:08d}" for k in (0, 0, 1, 1, 2, 2)]
    assert (table.meta["n_measured"], table.meta["band"]) == (3, "all")
    assert "power_rings_05" in table.colnames
    for place, band in enumerate(("g", "r")):
        one = measure(cube, tmp_path / f"{band}.parquet", settings=MeasureSettings(band=band))
        for name in ("gini", "r_half_pix", "sersic_index", "flux"):
            np.testing.assert_array_equal(table[name][place::2], one[name])
        np.testing.assert_array_equal(table["power_rings_05"][place::2], one[f"power_rings_05_{band}"])


def test_large_images_make_small_chunks(noisy_stamps):
    def chunk_size(side, engine):
        images = image_set_from_arrays([np.zeros((side, side))], ImageHeader(("r",), "nJy"))
        return chunks.chunk_size_for(StoreGalaxies(images), Method(MeasureSettings(), images.header, engine))

    assert (chunk_size(56, "galsmith"), chunk_size(56, "statmorph")) == (16, 16)
    assert chunk_size(4096, "galsmith") == 1
    assert chunk_size(2000, "galsmith") == 4


def test_pictures_lose_their_sky_and_other_images_keep_it(noisy_stamps, tmp_path):
    lifted = [noisy_stamps[0] + 50]
    for unit, subtracted in (("display", True), ("electron / s", False)):
        images = image_set_from_arrays(lifted, ImageHeader(("r",), unit))
        table = measure(images, tmp_path / f"{subtracted}.parquet")
        assert table.meta["provenance"]["settings"]["subtract_background"] is subtracted
        assert bool(abs(np.asarray(table["sky_mean"])[0]) < 3) is subtracted


def test_images_of_differing_size_stand_in_one_table(noisy_stamps, tmp_path):
    stamps = [noisy_stamps[0], noisy_stamps[1][4:-4, 4:-4], np.pad(noisy_stamps[2], 20)]
    images = image_set_from_arrays(stamps, ImageHeader(("r",), "nJy"))
    table = measure(images, tmp_path / "table.parquet", settings=POWER)
    assert table["native_size_pix"].tolist() == [56, 48, 96]
    assert np.isfinite(table["power_wavelength_14"]).all()


def test_chunks_travel_without_pixels_and_are_read_where_they_are_measured(noisy_set, store, tmp_path):
    work = Measuring(StoreGalaxies(store), Method(MeasureSettings(), store.header))
    sent = pickle.dumps(Chunk(Briefing.written(work, tmp_path), 2, 4))
    assert len(sent) < store[2].nbytes / 8
    assert (tmp_path / "briefing").stat().st_size < store[2].nbytes + 20_000
    arrived = pickle.loads(sent)
    galaxies = arrived.briefing.value.galaxies.read(range(arrived.start, arrived.stop))
    np.testing.assert_array_equal(galaxies[1].image, noisy_set[3])


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"limit": 0}, SettingsError, "limit is 0; wanted 1 or more"),
        ({"engine": "statmorf"}, SettingsError, "did you mean 'statmorph'"),
        (
            {"engine": "statmorph", "settings": MeasureSettings(segmentation="survey")},
            SettingsError,
            "set sky to 'box', or take engine 'galsmith'",
        ),
        ({"workers": 0}, SettingsError, "`workers=0`: wanted 1 or more"),
    ],
)
def test_wrong_arguments_are_named(store, tmp_path, arguments, error, words):
    with pytest.raises(error, match=words):
        measure(store, tmp_path / "table.parquet", **arguments)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_other_files_is_never_removed(store, tmp_path):
    foreign = tmp_path / "table.parquet.partial"
    foreign.mkdir()
    (foreign / "thesis.txt").write_text("mine")
    with pytest.raises(OutputExistsError, match="choose another `output`"):
        measure(store, tmp_path / "table.parquet")
    assert (foreign / "thesis.txt").read_text() == "mine"


def test_wrong_files_are_named(store, tmp_path, noisy_set):
    with pytest.raises(SettingsError, match=r"ends in \.parquet"):
        measure(store, tmp_path / "table.hdf5")
    with pytest.raises(InputError, match="no such store"):
        measure(tmp_path / "nothing", tmp_path / "table.parquet")
    with pytest.raises(InputError, match="nothing to measure"):
        measure(noisy_set.select([]), tmp_path / "table.parquet")
    assert list(Path(tmp_path).iterdir()) == []
