"""The command line on the files of statmorph and of ProFit: statmorph's own numbers come out."""

import json
import warnings

import numpy as np
import pytest
from astropy.io import fits

from galsmith.cli import main
from galsmith.measure.statmorph.engine import STATMORPH_NAMES
from galsmith.measure.table_formats import read_table

PROFIT = ("KiDS/G265911", "KiDS/G266033", "SDSS/G265911")
# statmorph's authors measured the float32 image in float32, which moves statmorph 0.7.2 itself by this much.
SINGLE_PRECISION = {"sersic": 5e-4, "double_sersic": 2e-3}


def command(*words):
    assert main(["measure", *(str(word) for word in words), "--quiet"]) == 0


def angle_free(name, value):
    """An axis has no direction: bring its angle to (-pi/2, pi/2] as galsmith does."""
    return value - np.pi if "orientation" in name and value > np.pi / 2 else value


def family(name):
    return "double_sersic" if name.startswith("double") else "sersic" if name.startswith("sersic") else ""


def of_statmorphs_own_galaxy(shared_data, tmp_path, *words):
    """Value and expected value of every column that statmorph's authors give."""
    folder = shared_data / "statmorph_reference"
    command(folder / "slice.fits", "--segmap", "[1]", "--mask", "[2]", *words, "-o", tmp_path / "t.parquet")
    table = read_table(tmp_path / "t.parquet")
    wanted = json.loads((folder / "expected_values_slice.json").read_text())
    values = {
        name: (float(np.asarray(table[name])[0]), angle_free(name, wanted[theirs]))
        for name, theirs in STATMORPH_NAMES.items()
        if name in table.colnames
    }
    flags = [int(table[name][0]) for name in table.colnames if name.startswith("flag") and name != "flags"]
    return values, flags


@pytest.mark.real_data
def test_statmorphs_own_galaxy_gives_its_own_values(shared_data, tmp_path):
    values, flags = of_statmorphs_own_galaxy(shared_data, tmp_path, "--sersic", "parity", "--gain", "1")
    assert flags == [0, 0]
    assert len(values) == 52
    for name, (value, expected) in values.items():
        assert value == pytest.approx(expected, rel=SINGLE_PRECISION.get(family(name), 2e-6)), name


@pytest.mark.real_data
def test_statmorphs_own_galaxy_gives_its_double_sersic(shared_data, tmp_path):
    words = ("--sersic", "parity", "--gain", "1", "--double-sersic")
    values, flags = of_statmorphs_own_galaxy(shared_data, tmp_path, *words)
    assert flags == [0, 0, 0]
    for name, (value, expected) in values.items():
        if family(name) == "double_sersic":
            assert value == pytest.approx(expected, rel=SINGLE_PRECISION["double_sersic"]), name


@pytest.mark.real_data
@pytest.mark.parametrize("galaxy", PROFIT)
def test_maps_noise_and_psf_of_profit_give_what_plain_statmorph_gives(shared_data, tmp_path, galaxy):
    statmorph = pytest.importorskip("statmorph")
    stem = str(shared_data / "profit_kids_sdss_r_20" / galaxy)
    image, labels, mask, sigma, psf = (
        fits.getdata(f"{stem}{kind}.fits") for kind in ("fitim", "segim", "mskim", "sigma", "psfim")
    )
    label = int(labels[labels.shape[0] // 2, labels.shape[1] // 2])
    maps = ["--segmap", f"{stem}segim.fits", "--mask", f"{stem}mskim.fits", "--sigma", f"{stem}sigma.fits"]
    words = [*maps, "--psf", f"{stem}psfim.fits", "--label", label, "--sersic", "parity"]
    command(f"{stem}fitim.fits", *words, "-o", tmp_path / "t.parquet")
    table = read_table(tmp_path / "t.parquet")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        source = statmorph.SourceMorphology(
            image.astype(float),
            labels.astype(int),
            label,
            mask=mask != 0,
            weightmap=sigma.astype(float),
            psf=psf.astype(float),
        )
    assert int(table["flag"][0]) == source.flag
    for name, theirs in STATMORPH_NAMES.items():
        if name in table.colnames:
            value, expected = float(np.asarray(table[name])[0]), angle_free(name, float(source[theirs]))
            tolerance = 1e-5 if family(name) else 1e-6
            assert value == pytest.approx(expected, rel=tolerance, abs=1e-9), name
