"""Corrections for noise and resolution: their worth on galaxies they were not fitted to, and where there are none."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from galsmith.cli import main
from galsmith.data.galaxies import FileRequest, open_galaxies
from galsmith.errors import SettingsError
from galsmith.measure import MeasureSettings, measure, morphology, property_of_column
from galsmith.measure.corrections import corrections, features_of, width_of
from galsmith.measure.properties.morphology import CORRECTED_QUANTITIES, corrected_column, correction_column
from galsmith.seeds import random_stream
from galsmith.settings import typed_settings

# bias in cells of noise and resolution falls by this, on drawn galaxies of other seeds
FACTOR = {"asymmetry": 4.0, "concentration": 5.0, "gini": 2.5, "m20": 1.3}
FIRST_SEED, N_DRAWN, EACH = 3000, 48, 10
SKY_SIGMA, FWHM = 1.0, 3.0


@pytest.fixture(scope="module")
def bench():
    place = Path(__file__).parents[2] / "benchmarks" / "measure" / "corrections.py"
    spec = importlib.util.spec_from_file_location("corrections_benchmark", place)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def seen(bench):
    """Galaxies that were never fitted, before and after they were blurred and made noisy."""
    drawn = [
        (kind, bench.drawn_galaxy(kind, random_stream(FIRST_SEED + k, "tests.corrections")))
        for k, kind in enumerate(("law", "clumpy", "pair") * (N_DRAWN // 3))
    ]
    return bench.grid_of(drawn, EACH)


def _biases(bench, rows, quantity, *, wrong_width=1.0):
    """Mean error in each cell of noise and resolution before and after, [cell, 2]."""
    errors = {}
    for row in rows:
        features = features_of(row["found"], row["fwhm"] * wrong_width)
        correction = corrections()[quantity]
        if np.isfinite(features).all() and correction.is_known(features):
            cell = (
                np.searchsorted(bench.SN_CELLS, row["sn"]),
                np.searchsorted(bench.RESOLUTION_CELLS, row["resolution"]),
            )
            before = row["found"][quantity] - row["truth"][quantity]
            errors.setdefault(cell, []).append((before, before + correction.size(features)))
    return np.array([np.mean(cell, axis=0) for cell in errors.values() if len(cell) > 10])


@pytest.mark.slow
@pytest.mark.parametrize("quantity", CORRECTED_QUANTITIES)
def test_bias_falls_on_galaxies_that_were_not_fitted(bench, seen, quantity):
    before, after = np.sqrt((_biases(bench, seen, quantity) ** 2).mean(axis=0))
    assert after < before / FACTOR[quantity]


@pytest.mark.slow
def test_a_wrong_width_of_the_point_spread_corrects_wrongly(bench, seen):
    _, right = np.sqrt((_biases(bench, seen, "concentration") ** 2).mean(axis=0))
    _, wrong = np.sqrt((_biases(bench, seen, "concentration", wrong_width=0.5) ** 2).mean(axis=0))
    assert wrong > 3 * right


@pytest.mark.slow
@pytest.mark.parametrize("quantity", CORRECTED_QUANTITIES)
def test_single_galaxies_come_nearer_to_the_truth(seen, quantity):
    correction = corrections()[quantity]
    before, after = [], []
    for row in seen:
        features = features_of(row["found"], row["fwhm"])
        if np.isfinite(features).all() and correction.is_known(features):
            before.append(row["found"][quantity] - row["truth"][quantity])
            after.append(before[-1] + correction.size(features))
    before, after = np.array(before), np.array(after)
    assert np.mean(after**2) < np.mean(before**2)
    assert np.median(np.abs(after)) < np.median(np.abs(before))
    # a few galaxies far off make root mean squares of so few vary
    assert np.median(np.abs(after)) < 1.3 * correction.scatter


@pytest.mark.slow
def test_concentration_scatters_where_the_center_of_a_pair_jumps(bench, seen):
    """Where noise and blur move the center from one of a pair to between the two, another galaxy is measured."""
    correction, stays, jumps = corrections()["concentration"], [], []
    for row in seen:
        features = features_of(row["found"], row["fwhm"])
        if np.isfinite(features).all() and correction.is_known(features):
            error = row["found"]["concentration"] - row["truth"]["concentration"]
            (stays if row["moved"] < bench.STAYS else jumps).append(error + correction.size(features))
    assert 0 < len(jumps) < 0.03 * len(stays)
    assert np.sqrt(np.mean(np.square(stays))) < 1.3 * correction.scatter
    assert np.sqrt(np.mean(np.square(jumps))) > 0.7


@pytest.fixture(scope="module")
def stamps(sersic):
    rng = random_stream(1, "tests.corrections.stamps")
    images = [sersic(96, r_eff=8.0, n=n, q=0.7, flux=3e4) for n in (1.0, 2.0)]
    return np.array(images) + rng.normal(0, SKY_SIGMA, (2, 96, 96))


def test_what_is_added_is_told_beside(stamps):
    sigmas = np.full(stamps.shape, SKY_SIGMA)
    table = morphology(stamps, sigma_maps=sigmas, psf_fwhm_pix=FWHM, sersic="none", corrections=True)
    plain = morphology(stamps, sigma_maps=sigmas, sersic="none")
    for name in CORRECTED_QUANTITIES:
        assert (table[name] == plain[name]).all()
        assert np.isfinite(table[correction_column(name)]).all()
        expected = table[name] + table[correction_column(name)]
        np.testing.assert_array_equal(table[corrected_column(name)], expected)
    # noise took asymmetry away, blur concentration
    assert (table["asymmetry_correction"] > 0.02).all()
    assert (table["concentration_correction"] > 0.02).all()
    assert not {column for column in plain.colnames if "correct" in column}


def test_no_width_of_a_point_spread_is_no_correction(stamps):
    table = morphology(stamps, sersic="none", corrections=True)
    assert all("correction_undefined" in flags for flags in table["flags"])
    assert np.isnan(table["gini_corrected"]).all()


def test_outside_of_the_grid_is_no_correction(stamps):
    table = morphology(stamps, psf_fwhm_pix=0.3, sersic="none", corrections=True)
    assert all("correction_outside_grid" in flags for flags in table["flags"])
    assert np.isnan(table["gini_corrected"]).all()


@pytest.mark.parametrize("sigma", [0.8, 1.3, 2.5])
def test_the_width_of_a_gaussian(sigma):
    y, x = np.mgrid[-20:21, -20:21]
    psf = np.exp(-0.5 * (x**2 + y**2) / sigma**2)
    fwhm = 2 * np.sqrt(2 * np.log(2)) * sigma
    assert width_of(psf, kind="optical") == pytest.approx(fwhm, rel=0.02)
    wider = 2 * np.sqrt(2 * np.log(2)) * np.hypot(sigma, np.sqrt(1 / 12))
    assert width_of(np.exp(-0.5 * (x**2 + y**2) / (sigma**2 + 1 / 12)), kind="effective") == pytest.approx(
        width_of(psf, kind="optical"), rel=0.01
    )
    assert width_of(psf, kind="effective") < fwhm < wider


@pytest.mark.parametrize("name", CORRECTED_QUANTITIES)
def test_corrected_quantities_are_declared_and_not_compared(name):
    for column in (corrected_column(name), correction_column(name)):
        entry = property_of_column(column)
        assert entry is not None
        assert not entry.is_compared
        assert not entry.headline


def test_corrections_without_morphology_are_refused():
    with pytest.raises(SettingsError, match="corrections are of the quantity 'morphology'"):
        typed_settings(MeasureSettings, {"quantities": ("power",), "corrections": True}, source="test")


def test_the_command_tells_the_sizes(tmp_path, stamps, capsys):
    fits.writeto(tmp_path / "g.fits", stamps[0].astype(np.float32))
    words = ["measure", str(tmp_path / "g.fits"), "--sersic", "none", "--corrections"]
    assert main([*words, "--set", "psf_fwhm_pix=3", "-o", str(tmp_path / "t.parquet")]) == 0
    said = capsys.readouterr().out
    assert "corrections for noise and resolution, median: asymmetry +0." in said
    assert "(1 of 1 row)" in said
    assert main([*words, "-o", str(tmp_path / "u.parquet")]) == 0
    assert "median: none (0 of 1 row)" in capsys.readouterr().out


def test_statmorph_has_no_corrections(tmp_path, stamps):
    fits.writeto(tmp_path / "g.fits", stamps[0].astype(np.float32))
    galaxies = open_galaxies(FileRequest(images=(str(tmp_path / "g.fits"),)))
    with pytest.raises(SettingsError, match="they were made for engine 'galsmith'"):
        measure(
            galaxies, tmp_path / "t.parquet", engine="statmorph", settings=MeasureSettings(corrections=True)
        )
