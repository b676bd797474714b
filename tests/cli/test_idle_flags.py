"""A flag that has no effect together with the others is refused by name; its twin, which has one, is not."""

import numpy as np
import pytest
from astropy.io import fits

from galsmith.cli import main
from galsmith.cli.premises import MEASURE_SETTINGS
from galsmith.measure import MeasureSettings, read_measurements
from galsmith.seeds import random_stream

ONLY_POWER = ("--set", 'quantities=["power"]')


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Galaxies of 48 px with a map and a noise plane of their own, a point spread function, and a store of them."""
    place = tmp_path_factory.mktemp("idle")
    y, x = np.mgrid[:48, :48] - 23.5
    (place / "cut").mkdir()
    for number in range(2):
        noise = random_stream(number, "tests.idle_flags").normal(0, 1, (48, 48))
        image = (100 * np.exp(-np.hypot(x, y / 0.7) / (4 + number)) + noise).astype(np.float32)
        units = [
            fits.PrimaryHDU(image, fits.Header({"FILTER": "r", "BUNIT": "nJy"})),
            fits.ImageHDU((np.hypot(x, y) < 15).astype(np.int16), name="LABELS"),
            fits.ImageHDU(np.ones((48, 48), np.float32), name="NOISY"),
        ]
        fits.HDUList(units).writeto(place / "cut" / f"g{number}.fits")
    psf = np.exp(-(x**2 + y**2) / 4)[17:30, 17:30]
    fits.PrimaryHDU((psf / psf.sum()).astype(np.float32)).writeto(place / "psf.fits")
    assert main(["ingest", "fits", str(place / "cut"), "-o", str(place / "store"), "--quiet"]) == 0
    return place


@pytest.fixture
def here(folder, monkeypatch):
    monkeypatch.chdir(folder)
    return folder


def run(capsys, *words):
    code = main([*words, "--quiet"])
    return code, capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("--segmap", "[LABELS]", "--set", "threshold_sigma=3"),
            "--set threshold_sigma=3.0: it has no effect: a map",
        ),
        (("--segmap", "[LABELS]", "--set", "minimum_pixels=9"), "it has no effect: a map says where"),
        (("--segmentation", "survey", "--set", "smoothing_pix=3"), "smooths no outline"),
        (
            ("--sigma", "[NOISY]", "--gain", "2"),
            "--gain 2.0: it has no effect: the noise of every pixel is given",
        ),
        (("--set", "psf_fwhm_pix=3", "--sersic", "none"), "nothing asks for the point spread function"),
        (("--set", "psf_kind=optical"), "no point spread function was given"),
        (("--psf", "psf.fits", "--set", "psf_kind=optical", "--sersic", "parity"), "with statmorph's steps"),
        (
            ("--psf", "psf.fits", "--set", "psf_fwhm_pix=3"),
            "a point spread function is given beside every image",
        ),
        (("--set", "color_apertures=each"), "no color is measured"),
        ((*ONLY_POWER, "--sersic", "parity"), "--sersic parity: it has no effect: only power is measured"),
        ((*ONLY_POWER, "--gain", "3"), "only power is measured"),
        (
            ("--engine", "statmorph", "--sersic", "integrated"),
            "--sersic integrated: engine 'statmorph' fits in its",
        ),
    ],
)
def test_settings_without_effect_are_refused_before_anything_is_measured(here, capsys, words, said):
    code, error = run(capsys, "measure", "cut", "-o", "t.parquet", *words)
    assert (code, said in error) == (2, True), error
    assert not (here / "t.parquet").exists()


def test_a_point_spread_function_that_nothing_asks_for_is_told(here, capsys, tmp_path):
    words = ["measure", "cut", "-o", str(tmp_path / "t.parquet"), "--psf", "psf.fits"]
    assert main([*words, "--sersic", "none"]) == 0
    assert "--psf has no effect" in capsys.readouterr().err
    assert main([*words, "--overwrite"]) == 0
    assert "no effect" not in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ("--segmap", "[LABELS]", "--segmentation", "survey"),  # it decides the sky
        ("--set", "threshold_sigma=3"),
        ("--gain", "2"),
        ("--psf", "psf.fits", "--set", "psf_kind=optical"),
        (*ONLY_POWER, "--band", "r"),
    ],
)
def test_settings_with_an_effect_are_taken(here, capsys, tmp_path, words):
    code, error = run(capsys, "measure", "cut", "-o", str(tmp_path / "t.parquet"), *words)
    assert code == 0, error


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--limit", "1"), "--limit 1: belongs to the table; name it with -o"),
        (("--workers", "2"), "--workers 2: belongs to the table"),
        (("--dask", "tcp://here:1"), "--dask tcp://here:1: belongs to the table"),
        (("--engine", "statmorph"), "--engine statmorph: belongs to the table"),
    ],
)
def test_what_belongs_to_a_table_is_refused_for_a_figure_alone(here, capsys, tmp_path, words, said):
    code, error = run(capsys, "measure", "cut", "--figure", str(tmp_path / "g.png"), *words)
    assert (code, said in error) == (2, True), error


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("--minutes", "2", "--set", "training.images=64"),
            "--minutes 2.0: an override says training.images = 64",
        ),
        (("--images", "64", "--set", "training.images=128"), "--images 64: an override says"),
        (("--images", "64", "--seed", "1", "--set", "training.seed=2"), "--seed 1: an override says"),
        (
            ("--images", "64", "--choose", "last", "--set", "training.choose_snapshot=best"),
            "--choose last: --set training.choose_snapshot says it too",
        ),
    ],
)
def test_training_is_not_told_one_thing_twice(here, capsys, tmp_path, words, said):
    pytest.importorskip("torch")
    code, error = run(
        capsys,
        "train",
        "pca_diffusion",
        "--data",
        "store",
        "-o",
        str(tmp_path / "run"),
        "--device",
        "cpu",
        *words,
    )
    assert (code, said in error) == (2, True), error


def test_a_seed_that_deals_no_splits_is_refused(here, capsys, tmp_path):
    words = ["ingest", "store", "store", "-o", str(tmp_path / "copy"), "--seed", "3"]
    code, error = run(capsys, *words)
    assert (code, "--seed 3: a seed deals splits" in error) == (2, True), error
    assert run(capsys, *words, "--split", "0.5/0.5/0")[0] == 0


def test_the_settings_of_a_measurement_are_all_known_to_the_command_line():
    assert set(MeasureSettings.model_fields) == MEASURE_SETTINGS


@pytest.mark.slow
def test_compare_measures_as_it_is_told(here, capsys, tmp_path):
    """Thirty galaxies beside brighter ones, off the middle: the largest is told to be a neighbor, the survey's is none."""
    y, x = np.mgrid[:64, :64] - 31.5
    for case, name in enumerate(("real", "ours")):
        rng = random_stream(case, "tests.idle_flags.pairs")
        central, beside = rng.uniform(1.2, 1.6, (30, 1, 1)), rng.uniform(1.8, 2.2, (30, 1, 1))
        images = rng.normal(0, 0.3, (30, 64, 64)) + 20 * np.exp(-np.hypot(x, y / 0.7) / central)
        images += 60 * np.exp(-np.hypot(x - 20, y - 20) / beside)
        np.save(tmp_path / f"{name}.npy", images.astype(np.float32))
    words = [
        "compare",
        str(tmp_path / "real.npy"),
        str(tmp_path / "ours.npy"),
        "--no-beyond",
        "--set",
        "sersic=none",
    ]
    assert main([*words, "-o", str(tmp_path / "paper.json"), "--workers", "1"]) == 0
    said = capsys.readouterr()
    assert "a neighbor was measured, not the source in the middle" in said.err
    assert "--segmentation survey" in said.err
    assert "not taken alike (neighbors measured)" in said.out
    survey = [*words, "--segmentation", "survey", "-o", str(tmp_path / "survey.json"), "--workers", "1"]
    assert main(survey) == 0
    assert "neighbor" not in capsys.readouterr().err
    table = read_measurements(tmp_path / "survey.measurements" / "ours.parquet")
    settings = table.meta["provenance"]["settings"]
    assert (settings["segmentation"], settings["sersic"]) == ("survey", "none")
    assert np.hypot(*(table[f"center_{axis}_pix"].value - 31.5 for axis in "xy")).max() < 3
