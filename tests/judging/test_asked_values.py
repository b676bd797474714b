"""Values that galaxies were drawn for against measured ones: galaxies as asked pass, dimmed and shuffled ones do not."""

import json

import numpy as np
import pytest
from astropy.table import QTable

from galsmith import simulate
from galsmith.cli import main
from galsmith.data.store import open_store, write_store
from galsmith.errors import InputError, SettingsError
from galsmith.images import ImageSet, image_set_from_arrays
from galsmith.judging.asked_values import asked_against_measured


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """Galaxies of a law to learn, and others of it that stand for drawn ones, with what they were drawn for."""
    place = tmp_path_factory.mktemp("sets")
    for name, n, seed in (("learned", 300, 1), ("drawn", 120, 2)):
        simulate.sersic(place / name, n=n, seed=seed, recipe="sersic-32")
    learned, drawn = (noisy(open_store(place / name)) for name in ("learned", "drawn"))
    return write_store(place / "noisy", learned), as_drawn(drawn)


def noisy(images: ImageSet) -> ImageSet:
    """Images with noise of a hundredth of their brightest pixel, so that fits scatter."""
    stamps = images.stacked()
    noise = np.random.default_rng(len(images)).normal(size=stamps.shape)
    stamps = stamps + 0.01 * stamps.max(axis=(1, 2, 3), keepdims=True) * noise
    return image_set_from_arrays(stamps.astype(np.float32), images.header, catalog=images.catalog)


def as_drawn(images: ImageSet, **columns) -> ImageSet:
    """Images with the columns that sampling writes."""
    catalog = QTable({name: images.catalog[name] for name in ("r_eff_arcsec", "sersic_index", "axis_ratio")})
    catalog["magnitude_F606W"] = images.header.zero_points_mag["F606W"] - 2.5 * np.log10(summed(images))
    for name, values in columns.items():
        catalog[name] = values
    return image_set_from_arrays(images.stacked(), images.header, catalog=catalog)


def summed(images: ImageSet):
    return images.stacked()[:, 0].sum(axis=(1, 2), dtype=np.float64)


def found_by_name(drawn, learned, **more):
    return {one.name: one for one in asked_against_measured(drawn, learned, **more)}


def test_galaxies_that_are_as_asked_have_the_bias_and_scatter_of_training_galaxies(sets):
    learned, drawn = sets
    found = found_by_name(drawn, learned)
    assert list(found) == ["r_eff_arcsec", "sersic_index", "axis_ratio", "magnitude_F606W"]
    for name in ("r_eff_arcsec", "sersic_index", "axis_ratio"):
        assert abs(found[name].excess_bias) < 0.01
        assert found[name].trained_scatter > 1e-3
        assert (
            0.7 < found[name].scatter_ratio < 1.4
        )  # 120 of each side: 10 % each from the median of deviations
        assert found[name].is_relative
    assert found["magnitude_F606W"].scatter_ratio == 1.0
    assert found["r_eff_arcsec"].measured_as == "sersic_r_eff_pix"
    assert "bias +" in found["r_eff_arcsec"].text or "bias -" in found["r_eff_arcsec"].text


def test_galaxies_that_are_not_as_asked_are_told(sets):
    learned, drawn = sets
    other = np.random.default_rng(3).permutation(len(drawn))
    told = found_by_name(as_drawn(drawn, r_eff_arcsec=drawn.catalog["r_eff_arcsec"][other]), learned)
    assert told["r_eff_arcsec"].scatter_ratio > 3
    larger = found_by_name(as_drawn(drawn, r_eff_arcsec=1.1 * drawn.catalog["r_eff_arcsec"]), learned)
    assert larger["r_eff_arcsec"].excess_bias == pytest.approx(-np.log(1.1), abs=0.02)
    dimmed = image_set_from_arrays(0.9 * drawn.stacked(), drawn.header, catalog=drawn.catalog)
    bias = found_by_name(dimmed, learned)["magnitude_F606W"].excess_bias
    assert bias == pytest.approx(-2.5 * np.log10(0.9), abs=1e-3)


def test_what_is_met_by_construction_has_a_ratio_of_one_and_others_are_named(sets):
    learned, drawn = sets
    flux = summed(drawn)
    exact = as_drawn(drawn, flux_F606W=flux)
    found = found_by_name(exact, learned)["flux_F606W"]
    assert (found.scatter_ratio, found.bias) == (1.0, pytest.approx(0.0, abs=1e-6))
    blurred = as_drawn(drawn, flux_F606W=flux * np.random.default_rng(1).uniform(0.9, 1.1, len(drawn)))
    found = found_by_name(blurred, learned)["flux_F606W"]
    assert np.isnan(found.scatter_ratio)
    assert "no own scatter" in found.text


@pytest.mark.parametrize(
    ("more", "kind", "message"),
    [
        (
            {"pairs": {"radius": "r_half_pix"}},
            SettingsError,
            r"`pairs=radius`: no column of both sets' catalogs",
        ),
        (
            {"pairs": {"axis_ratio": "elipticity"}},
            SettingsError,
            r"nothing of that name .*did you mean 'ellipticity'",
        ),
        ({"limit": 10}, InputError, r"measured in .* drawn and .* training galaxies alone; wanted 30"),
    ],
)
def test_what_cannot_be_compared_is_refused(more, kind, message, sets):
    with pytest.raises(kind, match=message):
        asked_against_measured(sets[1], sets[0], **more)


def test_small_sets_and_sets_without_columns_are_refused(sets):
    learned, drawn = sets
    with pytest.raises(InputError, match=r"has 5 drawn galaxies; wanted 30 or more"):
        asked_against_measured(drawn.select(np.arange(5)), learned)
    with pytest.raises(InputError, match=r"its catalog has no column that the training set's has too"):
        asked_against_measured(image_set_from_arrays(drawn.stacked(), drawn.header), learned)


def test_the_command_prints_a_line_a_quantity(sets, tmp_path, capsys):
    learned, drawn = sets
    write_store(tmp_path / "drawn", drawn)
    words = [
        "check-asked",
        str(tmp_path / "drawn"),
        "--training",
        str(learned.path),
        "--limit",
        "60",
    ]
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert "sersic_index (as sersic_index): bias" in printed
    assert main([*words, "--json"]) == 0
    numbers = json.loads(capsys.readouterr().out)["numbers"]
    assert set(numbers["axis_ratio"]) >= {"excess_bias", "scatter_ratio", "n"}
    assert main([*words, "--pairs", "axis_ratio"]) == 2
    assert "--pairs axis_ratio: wanted column=measured column" in capsys.readouterr().err
