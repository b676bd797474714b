"""The how-to on properties: its code runs; the value is right in a store and in files, by both engines, and is compared."""

import re
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from galsmith.compare import judge_tables
from galsmith.data.ingest import fits as ingest_fits
from galsmith.errors import SettingsError
from galsmith.measure import (
    PROPERTIES,
    MeasureSettings,
    Property,
    measured,
    morphology,
    property_of_column,
    read_measurements,
    register_property,
)
from galsmith.measure.engine.batch import Segmenting, find_galaxy
from galsmith.seeds import random_stream

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "add-a-property.md"
QUICK = MeasureSettings(quantities=("morphology",), sersic="none")


@pytest.fixture
def as_before():
    """Afterwards the table of properties is as it was."""
    kept = list(PROPERTIES)
    yield
    PROPERTIES[:] = kept


@pytest.fixture(scope="module")
def cutouts(tmp_path_factory):
    """Twelve exponential discs in noise, one a file."""
    folder = tmp_path_factory.mktemp("property") / "cutouts"
    folder.mkdir()
    y, x = np.mgrid[:64, :64]
    for number in range(12):
        noise = random_stream(number, "test.add_a_property").normal(0, 0.5, (64, 64))
        disc = 100 * np.exp(-np.hypot(x - 32, (y - 31) / 0.7) / (3 + number / 6))
        fits.PrimaryHDU((disc + noise).astype(np.float32)).writeto(folder / f"{number:02d}.fits")
    return folder


def by_hand(file):
    image = fits.getdata(file).astype(float)
    inside = find_galaxy(np.ascontiguousarray(image), Segmenting())[0] == 1
    return image[inside].max() / image[inside].sum()


def plain(table, name="own"):
    return np.asarray(table[name])


def entry(compute, name="own", group="morphology"):
    return Property(name, "$o$", "", group, "Of a test", compute=compute)


def test_the_page_measures_it_everywhere_and_compares_it(cutouts, tmp_path, monkeypatch, as_before):
    monkeypatch.chdir(tmp_path)
    ingest_fits(cutouts, tmp_path / "store")
    code = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert len(code) == 2
    printed = []
    space = {"store": tmp_path / "store", "cutouts": cutouts, "print": printed.append, "__name__": "example"}
    exec(compile("\n".join(code), "property how-to", "exec"), space)
    assert printed[0].value == 0  # the same images twice
    assert property_of_column("brightest_share").symbol == r"$I_\mathrm{max} / F$"
    expected = [by_hand(file) for file in sorted(cutouts.iterdir())]
    for images in (space["store"], cutouts):
        table = measured(images, settings=QUICK)
        np.testing.assert_allclose(plain(table, "brightest_share"), expected, rtol=1e-12)
        assert table.meta["properties"]["brightest_share"]["group"] == "morphology"
        assert table.meta["provenance"]["settings"]["computed"] == ["brightest_share"]
    arrays = [fits.getdata(file).astype(np.float32) for file in sorted(cutouts.iterdir())]
    np.testing.assert_array_equal(plain(morphology(arrays, sersic="none"), "brightest_share"), expected)
    brighter = read_measurements("generated.parquet")
    brighter["brightest_share"] = 1.5 * brighter["brightest_share"]
    card = judge_tables("real.parquet", {"brighter": brighter}, replicates=10, splits=10, beyond=False)
    assert card.judgments[0].comparison.distance("brightest_share").estimate.value > 0.5


def test_statmorph_s_engine_measures_it_too(cutouts, as_before):
    pytest.importorskip("statmorph", reason="statmorph is in galsmith[statmorph]")
    register_property(entry(lambda stamp: stamp.segmentation_map.sum() / stamp.values["r_petro_pix"]))
    one, other = (
        measured(cutouts, settings=QUICK, limit=2, engine=name) for name in ("galsmith", "statmorph")
    )
    assert np.isfinite(plain(one)).all()
    np.testing.assert_allclose(plain(other), plain(one), rtol=1e-6)


def test_what_it_is_given_is_the_galaxy_without_its_neighbor(as_before):
    image, labels = np.full((60, 60), 0.01), np.zeros((60, 60), dtype=np.int32)
    image[20:40, 20:40], labels[20:40, 20:40] = 5.0, 3
    image[50:55, 50:55], labels[50:55, 50:55] = 90.0, 7
    image[22, 22] = np.nan
    seen = []
    register_property(entry(lambda stamp: float(seen.append(stamp) or 1)))
    table = morphology(image, labels=labels, label=3, sersic="none", bands=["r"])
    assert plain(table).tolist() == [1.0]
    stamp = seen[0]
    np.testing.assert_array_equal(stamp.segmentation_map, labels == 3)
    np.testing.assert_array_equal(stamp.mask, (labels == 7) | np.isnan(image))
    assert (stamp.band, stamp.header.bands) == ("r", ("r",))
    assert stamp.center_pix == (stamp.values["center_x_pix"], stamp.values["center_y_pix"])
    with pytest.raises(TypeError, match="does not support item assignment"):
        stamp.values["gini"] = 0.0


def test_what_cannot_be_found_is_nan_with_a_flag_and_stops_nothing(cutouts, as_before):
    def fails(stamp):
        raise ZeroDivisionError("nothing to divide by")

    register_property(entry(lambda stamp: np.nan, name="never"))
    register_property(entry(fails))
    galaxies = [fits.getdata(cutouts / "00.fits"), np.zeros((40, 40), dtype=np.float32)]
    table = morphology(galaxies, sersic="none")
    assert np.isnan(plain(table)).all()
    assert np.isnan(plain(table, "never")).all()
    flags = [set(text.split(",")) for text in table["flags"]]
    assert {"no_never", "no_own", "computation_error"} <= flags[0]
    assert table["message"][0] == "own: ZeroDivisionError: nothing to divide by"
    assert flags[1] == {"no_source", "zero_border"}  # not called where nothing was measured
    assert np.isfinite(table["gini"][0])


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (entry(float, name="gini"), "galsmith measures one of this name; choose another name"),
        (entry(float, name="flux_g"), "galsmith measures one of this name"),
        (entry(float, name="two words"), "wanted letters, digits and underscores"),
        (entry(float, group="morfology"), "no group 'morfology'.*did you mean 'morphology'"),
        (entry(None), "nothing computes it; give compute"),
    ],
)
def test_what_cannot_be_registered_is_refused(wrong, said, as_before):
    with pytest.raises(SettingsError, match=said):
        register_property(wrong)


def test_without_it_there_is_no_column(cutouts, as_before):
    register_property(entry(lambda stamp: 1.0))
    register_property(entry(lambda stamp: 2.0))  # the later one of a name
    assert plain(measured(cutouts, settings=QUICK, limit=2)).tolist() == [2.0, 2.0]
    PROPERTIES.pop()
    assert "own" not in measured(cutouts, settings=QUICK, limit=2).colnames
