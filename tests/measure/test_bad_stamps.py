"""Stamps that cannot be measured: NaN and a named flag each, and the galaxies beside them are untouched."""

import numpy as np
import pytest

from galsmith.data.galaxies import Galaxy
from galsmith.errors import SettingsError
from galsmith.images import ImageHeader, image_set_from_arrays
from galsmith.measure import MeasureSettings, measure
from galsmith.measure.engine.batch import GalaxyInput
from galsmith.measure.engine.row import columns_of
from galsmith.measure.galaxies import MORPHOLOGY_ENGINES, Method, rows_of
from galsmith.measure.row import columns_of_rows
from galsmith.measure.statmorph import engine as statmorph_engine
from galsmith.seeds import random_stream

MORPHOLOGY_COLUMNS = columns_of(sersic="integrated", double_sersic=False)


@pytest.fixture(params=list(MORPHOLOGY_ENGINES))
def measure_morphology(request):
    """The function of each engine."""
    if request.param == "statmorph":
        pytest.importorskip("statmorph", reason="statmorph is in galsmith[statmorph]")
    engine = MORPHOLOGY_ENGINES[request.param]
    return lambda stamp, settings: engine(GalaxyInput(stamp), settings)


def _noise(size):
    return random_stream(8, "tests.bad_stamps", size).normal(0, 1.0, (size, size))


def _with(stamp, pixels, value):
    changed = stamp.copy()
    changed[pixels] = value
    return changed


@pytest.fixture(scope="module")
def bad_stamps(sersic):
    galaxy = sersic(48, r_eff=4.0, n=1.0) + 0.01 * _noise(48)
    return {
        "zero": np.zeros((48, 48)),
        "equal": np.full((48, 48), 7.0),
        "negative": -galaxy,
        "noise": _noise(48),
        "tiny": sersic(8, r_eff=1.0, n=1.0),
        "one pixel": np.ones((1, 1)),
        "one row": np.ones((1, 40)),
        "all nan": np.full((48, 48), np.nan),
        "nan patch": _with(galaxy, np.s_[10:14, 10:14], np.nan),
        "nan core": _with(galaxy, np.s_[22:26, 22:26], np.nan),
        "infinite": _with(galaxy, np.s_[3, 3], np.inf),
        "hot pixel": _with(np.zeros((48, 48)), np.s_[20, 20], 1e6),
        "edge": sersic(48, r_eff=4.0, n=1.0, center=(0.3, 24.0)) + 0.01 * _noise(48),
        "corner": sersic(48, r_eff=4.0, n=1.0, center=(47.0, 47.0)) + 0.01 * _noise(48),
        "huge values": 1e30 * galaxy,
        "narrow": galaxy[:, 20:28],
    }


NOT_MEASURED = {
    "zero": "no_source",
    "equal": "no_source",
    "tiny": "source_below_smoothing",
    "one pixel": "no_source",
    "one row": "no_source",
    "all nan": "no_source",
    "hot pixel": "no_source",
}
NAMES = (
    *("zero", "equal", "negative", "noise", "tiny", "one pixel", "one row", "all nan", "nan patch"),
    *("nan core", "infinite", "hot pixel", "edge", "corner", "huge values", "narrow"),
)


@pytest.mark.parametrize("name", NAMES)
def test_never_an_error_and_every_loss_is_named(bad_stamps, name, measure_morphology):
    measured = measure_morphology(bad_stamps[name], MeasureSettings())
    # statmorph tells no uncertainties
    has_uncertainties = "sersic_index_sigma" in measured.values
    expected = MORPHOLOGY_COLUMNS if has_uncertainties else columns_of(sersic="parity", double_sersic=False)
    assert set(measured.values) == set(expected)
    assert -99.0 not in measured.values.values()
    assert not np.isinf(list(measured.values.values())).any()
    lost = [column for column, value in measured.values.items() if np.isnan(value)]
    assert not lost or measured.flags
    if name in NOT_MEASURED:
        assert measured.flag == 4
        assert NOT_MEASURED[name] in measured.flags
        assert set(expected) - {"flux_frame"} <= set(lost)


def test_pixels_that_are_not_finite_are_left_out_and_named(bad_stamps, measure_morphology):
    for name in ("nan patch", "infinite"):
        measured = measure_morphology(bad_stamps[name], MeasureSettings())
        assert "not_finite_pixels" in measured.flags
        assert measured.values["concentration"] == pytest.approx(2.7, abs=0.2)
        assert np.isfinite(measured.values["flux_frame"])


def test_an_error_of_the_engine_is_a_row_of_nan_with_its_text(monkeypatch, sersic):
    def fail(*arguments, **settings):
        raise AssertionError("Root not found within range.")

    pytest.importorskip("statmorph", reason="statmorph is in galsmith[statmorph]")
    monkeypatch.setattr("galsmith.measure.statmorph.lean.LeanSourceMorphology", fail)
    measured = statmorph_engine.measure_morphology(
        GalaxyInput(sersic(48, r_eff=4.0, n=1.0)), MeasureSettings()
    )
    assert measured.flag == 4
    assert measured.flags == ["engine_error"]
    assert measured.message == "AssertionError: Root not found within range."
    assert np.isnan(
        [
            measured.values[name]
            for name in columns_of(sersic="parity", double_sersic=False)
            if name != "flux_frame"
        ]
    ).all()


def test_power_of_nothing_is_nan_and_named(bad_stamps):
    images = [
        np.asarray(bad_stamps[name], dtype=np.float32)[None] for name in ("zero", "nan patch", "tiny", "edge")
    ]
    settings = MeasureSettings(quantities=("power",), band="r")
    method = Method(settings, ImageHeader(("r",), "nJy"))
    rows = columns_of_rows([row for image in images for row in rows_of(Galaxy(image), method)])
    modes = {f"power_{binning}_{mode:02d}" for binning in ("wavelength", "rings") for mode in range(15)}
    assert set(rows) == {*modes, "flag", "flags", "message"}
    assert rows["flags"].tolist() == [
        "no_power_wavelength,no_power_rings",
        "not_finite_pixels",
        "no_power_rings",
        "",
    ]
    assert np.isnan(rows["power_wavelength_00"][:2]).all()
    assert np.isfinite(rows["power_wavelength_00"][2:]).all()


def test_bad_stamps_leave_their_neighbors_as_they_are(bad_stamps, noisy_stamps, tmp_path):
    good = noisy_stamps[:2]
    alone = image_set_from_arrays(good, ImageHeader(("r",), "nJy"))
    mixed = image_set_from_arrays([good[0], *bad_stamps.values(), good[1]], ImageHeader(("r",), "nJy"))
    expected = measure(alone, tmp_path / "alone.parquet")
    found = measure(mixed, tmp_path / "mixed.parquet")
    assert len(found) == len(mixed)
    for column in MORPHOLOGY_COLUMNS:
        np.testing.assert_array_equal(found[column][[0, -1]], expected[column])
    assert found.meta["n_flagged"]["no_source"] >= len(NOT_MEASURED) - 1


def test_a_missing_statmorph_says_how_to_get_it(monkeypatch):
    def missing(name):
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(statmorph_engine.importlib, "import_module", missing)
    with pytest.raises(SettingsError, match=r"pip install galsmith\[statmorph\]"):
        statmorph_engine.require_statmorph()
