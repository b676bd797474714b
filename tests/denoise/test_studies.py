"""The study of denoising: its cells, resumed to the bit, its refusals, what it finds of good, bad and equal sets."""

import json
import math
import shutil

import numpy as np
import pandas as pd
import pytest
import tomli_w

import galsmith.denoise
from galsmith.cli.command import run
from galsmith.cli.describe import describe
from galsmith.cli.describe.files import is_study_of_denoising
from galsmith.data.store import write_store
from galsmith.denoise import study
from galsmith.denoise.accuracy import Pedestal
from galsmith.denoise.accuracy.galaxies import MEASURED
from galsmith.denoise.studies import answers as told
from galsmith.denoise.studies import cells, read_study_settings, study_recipes
from galsmith.denoise.studies.answers import answers_of, estimated, holm
from galsmith.denoise.studies.blur import deblurred, measured_blur
from galsmith.denoise.studies.cells import Cell, CellResult, Group, cells_of, groups_of
from galsmith.errors import InputError, InterruptedRunError, OutputExistsError, SettingsError
from galsmith.files import read_json
from galsmith.images import ImageHeader
from galsmith.images.image_set import image_set_from_arrays
from galsmith.observe import PAPER_SHIFTS
from galsmith.observe.convolution import Convolver
from galsmith.report.denoising.page import headline

SIDE, BANDS = 20, ("r",)
HEADER = ImageHeader(BANDS, "electron/s", 0.4)


def galaxies(count, seed, *, sharp=True):
    """Round exponential galaxies off the middle, [band, y, x]; or noise of their flux."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE]
    images = []
    for _ in range(count):
        center, scale = SIDE / 2 + rng.uniform(-1, 1, 2), rng.uniform(1.0, 2.5)
        radius = np.hypot(y - center[0], x - center[1])
        profile = np.exp(-radius / scale)
        flux = 10 ** rng.uniform(3.2, 4.2)
        if not sharp:
            profile = rng.random((SIDE, SIDE))
        images.append(profile.astype(np.float32)[np.newaxis] * (flux / profile.sum()))
    return images


def store(path, images, splits):
    catalog = pd.DataFrame({"object_id": [f"{k:03d}" for k in range(len(images))], "split": splits})
    from astropy.table import QTable

    return write_store(
        path, image_set_from_arrays(images, header=HEADER, catalog=QTable.from_pandas(catalog))
    )


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stores")
    splits = ["train"] * 24 + ["validation"] * 4 + ["test"] * 10
    images = galaxies(38, 1)
    store(folder / "clean", images, splits)
    store(folder / "copies", images[:24], ["generated"] * 24)
    store(folder / "noise", galaxies(24, 3, sharp=False), ["generated"] * 24)
    return folder


def recipe(**factors):
    model = {"width": 4, "blocks": 1}
    training = {"validations": 2, "validation_looks": 4, "checkpoint_seconds": 0.01, "learning_rate": 3e-3}
    return {
        "study": {
            "networks": ["paper"],
            "sets": ["real", "generated"],
            "mixings": [0.0, 1.0],
            "shifts": ["none"],
            "seeds": 1,
            "n_small": 20,
            "n_test": 10,
            "images": 12,
            "fits_sersic": False,
            "replicates": 100,
            **factors,
        },
        "network": {"paper": {"recipe": "holzschuh2022-resnet-small", "model": model, "training": training}},
    }


def contents(folder):
    """All that decides what a study says."""
    files = [*sorted((folder / "cells").glob("*.json")), folder / "answers.json"]
    found = {file.name: read_json(file) for file in files}
    for said in found.values():
        said.pop("processor_seconds", None)
        said.get("training", {}).pop("seconds", None)
    return found


@pytest.fixture(scope="module")
def done(stores, tmp_path_factory):
    folder = tmp_path_factory.mktemp("study") / "s"
    values = recipe(methods=["wiener"], shifts=["none", "both"])
    return study(values, stores / "clean", folder, generated=stores / "noise")


# what is run


def test_a_mixing_of_0_is_the_real_set_and_is_trained_once():
    settings = read_study_settings(recipe(sets=["real", "generated", "generated-deblurred"], seeds=2))
    groups = groups_of(settings)
    assert groups == [
        Group("paper", "real"),
        Group("paper", "generated", 1.0),
        Group("paper", "generated-deblurred", 1.0),
    ]
    assert len(cells_of(settings)) == 6
    assert len({cell.name for cell in cells_of(settings)}) == 6


def test_methods_are_tested_once_whatever_the_seeds():
    settings = read_study_settings(recipe(seeds=3, methods=["wiener"]))
    assert sum(not cell.group.is_network for cell in cells_of(settings)) == 1


def test_a_cell_is_recovered_from_its_record():
    cell = Cell(Group("paper", "generated", 0.2), 3)
    assert Cell.from_dict(json.loads(json.dumps(cell.to_dict()))) == cell


@pytest.mark.parametrize("name", study_recipes())
def test_shipped_recipes_are_read(name):
    settings = read_study_settings(name)
    assert settings.factors.n_test >= 200
    assert set(settings.shifts) <= set(PAPER_SHIFTS)


def test_what_varies_is_in_the_recipe_of_the_training():
    settings = read_study_settings(recipe(sets=["real", "real-noise-psf"]))
    plain, varied = (
        settings.fit_recipe("paper", name, mixing=0.0, seed=0) for name in ("real", "real-noise-psf")
    )
    assert plain["range"] == {}
    assert varied["range"] == {"noise_factor": [1.0, 5.0], "psf_fwhm_pix": [2.0, 6.0]}
    assert plain["training"] == varied["training"]


def test_the_study_says_something_of_all_cells(done):
    assert not done.failures
    assert done.n_cells == 3
    shifts = {(one.group.denoiser, one.shift) for one in done.answers.groups}
    assert len(shifts) == 4
    said = json.loads((done.folder / "answers.json").read_text())
    assert said["n_galaxies"] == 10
    assert "## both" in (done.folder / "answers.md").read_text()


def test_info_says_what_the_cells_of_a_study_are(done, tmp_path):
    found = describe(str(done.folder))
    rows = dict(found.rows)
    assert (found.kind, found.numbers["n_done"], rows["cells"]) == ("study of denoising", 3, "3 of 3 done")
    assert rows["  paper.real.a0"] == "1 of 1 cell done"
    # the ratio that the answers say, of each shift
    said = json.loads((done.folder / "answers.json").read_text())
    ratios = [
        f"{one['to_baseline']['mse_mean']['value']:.3g} ({one['shift']})"
        for one in said["groups"]
        if one["group"]["denoiser"] == "wiener"
    ]
    assert rows["  method.wiener"].endswith(", ".join(ratios))
    assert rows["answer"] in said["sentences"]
    part = tmp_path / "part"
    shutil.copytree(done.folder, part)
    for name in ("paper.real.a0.s0", "method.wiener"):
        (part / "cells" / f"{name}.json").unlink()
    (part / "failed").mkdir(exist_ok=True)
    (part / "failed" / "method.wiener.json").write_text('{"reason": "no package"}')
    rows = dict(describe(str(part)).rows)
    assert rows["cells"] == "1 of 3 done, 1 failed"
    assert rows["failed: method.wiener"] == "no package"
    assert rows["  paper.real.a0"].startswith("0 of 1 cell done")
    # a card of another study is not one
    (part / "study.json").write_text('{"format": "galsmith study"}')
    assert not is_study_of_denoising(part)


def test_a_repeated_call_trains_nothing(done, stores, monkeypatch):
    monkeypatch.setattr(cells, "fit", lambda *_, **__: pytest.fail("trained again"))
    values = recipe(methods=["wiener"], shifts=["none", "both"])
    again = study(values, stores / "clean", done.folder, generated=stores / "noise")
    assert again.n_before == again.n_cells == 3


def test_a_study_grows_by_seeds_and_tests_other_shifts_without_training(stores, tmp_path, monkeypatch):
    where = tmp_path / "s"
    study(recipe(sets=["real"]), stores / "clean", where)
    grown = study(recipe(sets=["real"], seeds=2), stores / "clean", where)
    assert (grown.n_before, grown.n_cells) == (1, 2)
    more = study(recipe(sets=["real"], seeds=2, shifts=["none", "both"]), stores / "clean", where)
    assert more.n_before == 0
    one = CellResult.read(where / "cells" / "paper.real.a0.s0.json")
    assert set(one.errors) == {"none", "both"}
    assert one.training["images_seen"] == 12


def test_a_stopped_study_goes_on_to_the_same_numbers(stores, tmp_path, monkeypatch):
    values = recipe(sets=["real"], seeds=2)
    whole = study(values, stores / "clean", tmp_path / "whole")
    calls = []
    fitted = cells.fit

    def stopped(*given, **named):
        calls.append(given)
        if len(calls) == 2:
            raise InterruptedRunError("stopped")
        return fitted(*given, **named)

    monkeypatch.setattr(cells, "fit", stopped)
    with pytest.raises(InterruptedRunError, match="stopped at 1 of 2 cells"):
        study(values, stores / "clean", tmp_path / "parts")
    assert study(values, stores / "clean", tmp_path / "parts").n_before == 1
    assert contents(tmp_path / "parts") == contents(whole.folder)


@pytest.mark.slow  # two processes that load torch
def test_all_workers_find_the_same(stores, tmp_path, done):
    values = recipe(methods=["wiener"], shifts=["none", "both"])
    study(values, stores / "clean", tmp_path / "s", generated=stores / "noise", workers=2)
    assert contents(tmp_path / "s") == contents(done.folder)


def test_a_failing_cell_is_set_aside_with_its_reason(stores, tmp_path, monkeypatch):
    values = recipe(sets=["real"], methods=["wiener"])
    fitted = cells.fit

    def diverged(*_, **__):
        raise ArithmeticError("no number\nat all")

    monkeypatch.setattr(cells, "fit", diverged)
    found = study(values, stores / "clean", tmp_path / "s")
    assert found.failures == {"paper.real.a0.s0": "no number"}
    assert {one.group.denoiser for one in found.answers.groups} == {"wiener"}
    monkeypatch.setattr(cells, "fit", fitted)
    again = study(values, stores / "clean", tmp_path / "s")
    assert not again.failures
    assert not list((tmp_path / "s" / "failed").glob("*"))


# refusals


@pytest.mark.parametrize(
    ("factors", "problem"),
    [
        ({"shifts": ["none", "noise16"]}, "did you mean 'noise-16'"),
        ({"sets": ["real", "generatd"]}, "did you mean 'generated'"),
        ({"networks": ["papr"]}, "did you mean 'paper'"),
        ({"methods": ["wienr"]}, "did you mean 'wiener'"),
        ({"methods": ["filter_bank"]}, "needs training"),
        ({"n_test": 5}, "greater than or equal to 10"),
        ({"mixings": [0.0, 1.2]}, "less than or equal to 1"),
        ({"seed": 3}, "did you mean 'seeds'"),
        ({"shifts": ["none", "none"]}, "comes twice"),
    ],
)
def test_wrong_factors_are_refused(factors, problem):
    with pytest.raises(SettingsError, match=problem):
        read_study_settings(recipe(**factors))


def test_a_factor_cannot_be_a_setting_of_a_network():
    values = recipe()
    values["network"]["paper"]["training"]["seed"] = 3
    with pytest.raises(SettingsError, match="factor of the study"):
        read_study_settings(values)


def test_a_wrong_setting_of_a_network_is_refused_before_anything_is_trained():
    values = recipe()
    values["network"]["paper"]["model"]["widht"] = 3
    with pytest.raises(SettingsError, match="did you mean 'width'"):
        read_study_settings(values)


@pytest.mark.parametrize(
    ("factors", "problem"),
    [({"n_test": 11}, "10 images of the split 'test'"), ({"n_small": 25}, "24 images of the split 'train'")],
)
def test_too_few_images_are_refused(stores, tmp_path, factors, problem):
    with pytest.raises(SettingsError, match=problem):
        study(recipe(**factors), stores / "clean", tmp_path / "s", generated=stores / "noise")
    assert not (tmp_path / "s").exists()


def test_a_method_that_cannot_be_used_is_refused_before_anything_is_trained(stores, tmp_path, monkeypatch):
    def missing(*_):
        raise InputError("a package is not installed")

    monkeypatch.setattr("galsmith.denoise.studies.run.built_method", missing)
    monkeypatch.setattr(cells, "fit", lambda *_, **__: pytest.fail("trained"))
    with pytest.raises(SettingsError, match=r"study.methods=wiener.*a package is not installed"):
        study(recipe(sets=["real"], methods=["wiener"]), stores / "clean", tmp_path / "s")


def test_generated_images_must_be_there(stores, tmp_path):
    with pytest.raises(SettingsError, match="generated"):
        study(recipe(), stores / "clean", tmp_path / "s")


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        (ImageHeader(("i",), "electron/s", 0.4), "bands is i"),
        (ImageHeader(BANDS, "nanomaggy", 0.4), "flux_unit is nanomaggy"),
        (ImageHeader(BANDS, "electron/s", 0.2), "pixel_scale_arcsec is 0.2"),
    ],
)
def test_generated_images_of_another_kind_are_refused(stores, tmp_path, header, problem):
    write_store(tmp_path / "other", image_set_from_arrays(galaxies(24, 5), header=header))
    with pytest.raises(InputError, match=problem):
        study(recipe(), stores / "clean", tmp_path / "s", generated=tmp_path / "other")


def test_a_shift_that_needs_the_scale_of_pixels_is_refused_without(tmp_path):
    header = ImageHeader(BANDS, "electron/s")
    images = image_set_from_arrays(galaxies(50, 1), header=header)
    images.catalog["split"] = ["train"] * 40 + ["test"] * 10
    write_store(tmp_path / "clean", images)
    values = recipe(sets=["real"], shifts=["coarse"])
    values["shift"] = {"coarse": {"pixel_scale_arcsec": 0.8, "noise": {"kind": "gaussian", "sigma": 4.0}}}
    with pytest.raises(SettingsError, match=r"shift coarse.*size of a pixel"):
        study(values, tmp_path / "clean", tmp_path / "s")


def test_a_study_of_other_images_or_trainings_is_kept(done, stores, tmp_path):
    values = recipe(methods=["wiener"], shifts=["none", "both"])
    with pytest.raises(OutputExistsError, match="other images"):
        study(values, stores / "clean", done.folder, generated=stores / "copies")
    values["study"]["images"] = 41
    with pytest.raises(OutputExistsError, match="other settings"):
        study(values, stores / "clean", done.folder, generated=stores / "noise")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(OutputExistsError, match="already exists"):
        study(recipe(), stores / "clean", tmp_path / "mine", generated=stores / "noise")


# blur


def test_a_gaussian_blur_is_measured_and_taken_off():
    images = [image - image.min(axis=(1, 2), keepdims=True) for image in galaxies(40, 7)]
    offsets = np.arange(-6, 7)
    sigma = 0.8
    kernel = np.exp(-(offsets[:, None] ** 2 + offsets**2) / (2 * sigma**2))
    spread = Convolver(np.stack([kernel / kernel.sum()]), (SIDE, SIDE))
    blurred = [spread(image).astype(np.float32) for image in images]
    real, generated = (image_set_from_arrays(some, header=HEADER) for some in (images, blurred))
    blur = measured_blur(real, generated)
    frequency = (np.arange(blur.transfer.shape[1]) + 0.5) * np.sqrt(0.5) / blur.transfer.shape[1]
    expected = np.exp(-2 * np.pi**2 * sigma**2 * frequency**2)
    inner = frequency < 0.3
    assert blur.transfer[0][inner] == pytest.approx(expected[inner], rel=0.1)
    before, after = (
        np.mean([np.mean((one - image) ** 2) for one, image in zip(some, images, strict=True)])
        for some in (blurred, [deblurred(image, blur.gains) for image in blurred])
    )
    assert after < 0.2 * before


def test_equal_sets_have_no_blur_and_flux_stays():
    images = galaxies(12, 8)
    same = image_set_from_arrays(images, header=HEADER)
    blur = measured_blur(same, same)
    assert blur.gains == pytest.approx(1.0, abs=1e-9)
    gains = np.linspace(1, 3, blur.gains.shape[1])[None]
    for image in images:
        assert deblurred(image, gains).sum(axis=(1, 2)) == pytest.approx(image.sum(axis=(1, 2)), rel=1e-5)


# the command line and the page


def test_a_training_that_ends_in_its_middle_goes_on_from_its_checkpoint(stores, tmp_path):
    values = recipe(sets=["real"], images=60)
    whole = study(values, stores / "clean", tmp_path / "whole")

    def dying(event):
        if event.stage == "training" and event.done >= 30:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        study(values, stores / "clean", tmp_path / "parts", progress=dying)
    assert not list((tmp_path / "parts").glob("cells/*"))
    assert list((tmp_path / "parts").glob("models/*/checkpoint/*"))
    study(values, stores / "clean", tmp_path / "parts")
    assert contents(tmp_path / "parts") == contents(whole.folder)


def test_the_command_line_finds_the_same_and_fails_with_a_failed_cell(stores, tmp_path, monkeypatch, capsys):
    values = recipe(sets=["real"])
    (tmp_path / "r.toml").write_text(tomli_w.dumps(values))
    command = f"denoise study {tmp_path / 'r.toml'} --data {stores / 'clean'} -o {{}} --workers 1 --json"
    assert run(command.format(tmp_path / "s").split()) == 0
    assert json.loads(capsys.readouterr().out)["numbers"]["n_cells"] == 1
    found = study(values, stores / "clean", tmp_path / "python")
    assert contents(tmp_path / "s") == contents(found.folder)

    def diverged(*_, **__):
        raise ArithmeticError("no number")

    monkeypatch.setattr(cells, "fit", diverged)
    assert run(command.format(tmp_path / "failing").split()) == 1
    said = json.loads(capsys.readouterr().out)
    assert said["numbers"]["failures"] == {"paper.real.a0.s0": "no number"}


def test_a_page_shows_answers_figures_and_tables_and_is_made_once(done, stores, tmp_path, capsys, caplog):
    assert run(f"denoise report {done.folder} -o {tmp_path / 'page'}".split()) == 0
    page = (tmp_path / "page" / "index.html").read_text()
    title = headline(done.answers.to_dict())
    for words in (title, "Fig. 10", "Fig. 9", "wiener", "Whiteness", "hallucinated", "R50 error"):
        assert words in page
    assert page.count("<svg") == 4  # two shifts: errors against alpha, residuals
    assert "http" not in page.replace("http://www.w3.org", "")
    names = {file.name for file in (tmp_path / "page" / "figures").iterdir()}
    assert names == {
        f"{name}.{kind}" for name in ("errors_by_mixing", "one_galaxy") for kind in ("png", "pdf")
    }
    again = galsmith.denoise.report(done.folder, tmp_path / "page")
    assert again.read_text() == page
    assert "already there" in caplog.text


def test_a_page_of_an_unfinished_study_says_what_is_missing(done, stores, tmp_path):
    shutil.copytree(done.folder, tmp_path / "s")
    (tmp_path / "s" / "cells" / "method.wiener.json").unlink()
    (tmp_path / "s" / "answers.json").unlink()  # as while it is going on
    shutil.rmtree(tmp_path / "s" / "models")
    page = galsmith.denoise.report(tmp_path / "s", tmp_path / "page").read_text()
    assert "1 of 3 trainings are not done" in page
    shutil.rmtree(tmp_path / "s" / "cells")
    with pytest.raises(InputError, match="no cell of this study is done"):
        galsmith.denoise.report(tmp_path / "s", tmp_path / "other")


def test_what_is_no_study_has_no_page(stores, tmp_path):
    with pytest.raises(InputError, match="not a study of denoising"):
        galsmith.denoise.report(stores / "clean", tmp_path / "page")


@pytest.mark.parametrize(
    ("kinds", "title"),
    [
        ({"beyond": ["not told", "not told"]}, "Generated data: no effect told beyond varied noise and PSF"),
        (
            {"beyond": ["helps", "not told"]},
            "Generated data help beyond varied noise and PSF in 1 of 2 comparisons",
        ),
        ({"beyond": ["hurts"]}, "Generated data hurt beyond varied noise and PSF in 1 of 1 comparisons"),
        (
            {"beyond": ["hurts", "helps"]},
            "Generated data beyond varied noise and PSF: help in 1, hurt in 1 of 2",
        ),
        ({"added": ["helps"], "more": ["hurts"]}, "Generated data help beside plain real data in 1 of 1"),
        ({"more": ["helps"]}, "Denoising: how accurate each training is"),
    ],
)
def test_the_title_is_the_answer(kinds, title):
    effects = [{"kind": kind, "verdict": one} for kind, some in kinds.items() for one in some]
    assert headline({"effects": effects}).startswith(title)


# answers


def results(settings, factor_of, *, spread_of_seeds=0.0, seed=0):
    """Results whose squared errors are those of a galaxy times a factor of the group and one of the training."""
    rng = np.random.default_rng(seed)
    n = settings.factors.n_test
    base = np.exp(rng.normal(0, 1.5, n))
    found = []
    for cell in cells_of(settings):
        own = np.exp(rng.normal(0, 0.1, n) + spread_of_seeds * rng.normal())
        table = pd.DataFrame({"galaxy": np.arange(n), "band": 0, "signal_to_noise": 150.0})
        for name in MEASURED:
            table[name] = 1.0
        table["mse"] = base * own * factor_of(cell.group)
        errors = dict.fromkeys(settings.shifts, table)
        pedestals = dict.fromkeys(settings.shifts, Pedestal(0.1, 0.02, 0.05, n))
        found.append(CellResult(cell, errors, pedestals, {}, {}, "", ""))
    return found


def verdicts(settings, factor_of, **named):
    return {one.verdict for one in answers_of(settings, results(settings, factor_of, **named)).effects}


@pytest.mark.parametrize(
    ("factor", "verdict"),
    [(0.8, "helps"), (1.0, "not told"), (1.25, "hurts")],
    ids=["better", "same", "worse"],
)
def test_a_known_change_of_errors_is_told(factor, verdict):
    settings = read_study_settings(recipe(seeds=5, n_test=100, shifts=["none"]))
    assert verdicts(
        settings, lambda group: factor if group.mixing else 1.0, spread_of_seeds=0.05, seed=1
    ) == {verdict}


def test_equal_trainings_are_seldom_told_apart():
    settings = read_study_settings(recipe(seeds=5, n_test=60, shifts=["none"]))
    weights, p_values = told._galaxy_weights(settings), []
    for seed in range(60):
        tables = {}
        for one in results(settings, lambda _: 1.0, spread_of_seeds=0.05, seed=seed):
            tables.setdefault(one.cell.group, {})[one.cell.seed] = one.errors["none"]
        p_values.append(told._ratio(*tables.values(), "mse_geometric", weights, settings).p_value)
    # binomial: more than 8 of 60 at 5 % each come once in 300 times
    assert np.sum(np.array(p_values) < 0.05) <= 8


def test_a_change_within_the_scatter_of_trainings_is_not_told():
    settings = read_study_settings(recipe(seeds=3, n_test=100, shifts=["none"]))
    assert verdicts(settings, lambda group: 0.9 if group.mixing else 1.0, spread_of_seeds=0.5) == {"not told"}


def test_intervals_cover_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(4)
    n_trials, n_galaxies, n_seeds = 300, 60, 4
    inside = 0
    for _ in range(n_trials):
        values = (
            rng.normal(0, 1, n_galaxies)[None] * 0.5
            + rng.normal(0, 0.1, (n_seeds, 1))
            + rng.normal(0, 0.3, (n_seeds, n_galaxies))
        )
        pooled = values.mean(axis=0)
        draws = [pooled.mean()] + [pooled[rng.integers(0, n_galaxies, n_galaxies)].mean() for _ in range(200)]
        (low, high), _, _ = estimated(np.array(draws), values.mean(axis=1), 0.9, n_galaxies=n_galaxies)
        inside += low <= 0 <= high
    # binomial: 0.9 +- 0.017; what single trainings scatter by is in both parts of the variance, a little too wide
    assert 0.86 <= inside / n_trials <= 0.96


def test_of_one_training_the_galaxies_alone_tell_the_interval():
    draws = np.random.default_rng(0).normal(2.0, 0.1, 1000)
    (low, high), deviation, _ = estimated(draws, np.array([2.0]), 0.95, n_galaxies=100)
    assert deviation == pytest.approx(0.1, rel=0.1)
    assert high - low == pytest.approx(2 * 1.984 * deviation, rel=1e-3)


def test_holm_corrects_as_in_a_worked_case():
    # Holm 1979 by hand: 0.01 x 4, 0.02 x 3, then never less than the one before
    assert holm([0.02, 0.01, math.nan, 0.03, 0.5]) == pytest.approx(
        [0.06, 0.04, math.nan, 0.06, 0.5], nan_ok=True
    )


def test_questions_are_those_of_the_sets():
    names = ["real", "real-noise-psf", "generated", "generated-noise-psf", "real-big"]
    settings = read_study_settings(recipe(seeds=2, n_test=10, sets=names, shifts=["none"]))
    effects = answers_of(settings, results(settings, lambda _: 1.0)).effects
    found = {(one.kind, one.first.training_set, one.second.training_set) for one in effects}
    assert found == {
        ("beyond", "generated-noise-psf", "real-noise-psf"),
        ("instead", "generated", "real-noise-psf"),
        ("added", "generated", "real"),
        ("augmentation", "real-noise-psf", "real"),
        ("more", "real-big", "real"),
    }
    assert set(told.KINDS) == {kind for kind, _, _ in found}


def test_a_network_that_varies_by_itself_is_asked_what_is_beyond():
    values = recipe(seeds=2, n_test=10, shifts=["none"])
    values["network"]["paper"]["range"] = {"noise_factor": [1.0, 2.0]}
    settings = read_study_settings(values)
    assert {one.kind for one in answers_of(settings, results(settings, lambda _: 1.0)).effects} == {"beyond"}


def test_a_missing_training_does_not_stop_the_answers():
    settings = read_study_settings(recipe(seeds=3, n_test=10, shifts=["none"]))
    some = results(settings, lambda _: 1.0)
    answers = answers_of(settings, [one for one in some if one.cell != Cell(Group("paper", "real"), 1)])
    assert {one.n_seeds for one in answers.groups} == {2, 3}
    assert len(answers.effects) == 1


def test_the_study_is_a_function_of_the_room():
    assert galsmith.denoise.study is study


@pytest.mark.slow
def test_generated_noise_hurts_and_copies_are_not_told(stores, tmp_path):
    found = {}
    for name in ("noise", "copies"):
        values = recipe(images=1500, seeds=3, shifts=["none"])
        where = tmp_path / name
        answers = study(values, stores / "clean", where, generated=stores / name).answers
        (found[name],) = (one.verdict for one in answers.effects)
    assert found == {"noise": "hurts", "copies": "not told"}
