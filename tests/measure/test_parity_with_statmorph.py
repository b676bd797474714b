"""The engine against statmorph 0.7.2: its answers on 971 galaxies, frozen as numbers in ``oracle/``.

Whatever its flag, every galaxy counts. Only what follows from an elliptical Petrosian radius beyond the stamp,
which is rounding in statmorph, is left out, and counted. `test_sersic_parity` has the fits.
"""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import statmorph_names as names
from compared import ORACLE, Pair, engine_input, failures, frozen_rows, galaxies_of, options_for, pairs_of
from oracle_sets import ORACLE_SIZES, fingerprint

from galsmith.measure.engine import flags
from galsmith.measure.engine.batch import Segmenting, measure_galaxy_input
from galsmith.measure.engine.light.apertures import Geometry
from galsmith.measure.engine.light.shape import moments_about, shape_map
from galsmith.measure.engine.light.statistics import gini_map
from galsmith.measure.engine.mid.statistics import mid_map
from galsmith.measure.engine.segmentation.methods import paper_map
from galsmith.measure.engine.sky import sky_box
from galsmith.measure.engine.stamp import cut_stamp
from galsmith.measure.properties.registry import PROPERTIES

REPOSITORY = Path(__file__).parents[2]
# How far a quantity may lie from statmorph's; `names.difference` says how that is taken.
MEDIAN, GREATEST = 1e-9, 1e-6
BEYOND_STAMP = {"noisy_sersic": 11, "efigi": 1}
# Its light falls to a fifth in the very corner: statmorph's scan steps over that into its own rounding.
FOUND_IN_THE_CORNER = {"2023-185"}
FROM_R_PETRO_ELLIP = {
    "r_petro_ellip_pix",
    "flux_ellip",
    "gini",
    "m20",
    "bulge_statistic",
    "merger_statistic",
    "sn_per_pixel",
    "r_max_pix",
    "r_max_ellip_pix",
    "r_half_pix",
    "r_half_ellip_pix",
    "outer_asymmetry",
    "shape_asymmetry",
}
FROM_MID_MAP = {"multimode", "intensity", "deviation"}


@pytest.fixture
def pairs(oracle_set, oracle_data):
    return pairs_of(oracle_set, oracle_data, sersic="integrated")


def _left_out(pair, name):
    """Whether statmorph's value hangs on its Petrosian radius beyond the stamp."""
    affected = FROM_R_PETRO_ELLIP
    if "mid_map_is_gini_map" in pair.ours.flags:
        affected = affected | FROM_MID_MAP
    return pair.is_beyond_stamp and name in affected


def test_frozen_numbers_name_their_origin_and_are_small():
    files = sorted(ORACLE.glob("*.parquet"))
    assert [file.stem for file in files] == sorted(ORACLE_SIZES)
    assert sum(file.stat().st_size for file in files) < 1.5e6
    for file in files:
        table = pq.read_table(file)
        assert len(table) == ORACLE_SIZES[file.stem]
        origin = json.loads(table.schema.metadata[b"origin"])
        assert (origin["statmorph"], origin["photutils"]) == ("0.7.2", "3.0.0")
        assert set(table["status"].to_pylist()) <= {"measured", "no_source", "source_below_smoothing"}


def test_images_are_those_that_statmorph_was_given(oracle_set, oracle_data):
    for galaxy, frozen in zip(galaxies_of(oracle_set, oracle_data), frozen_rows(oracle_set), strict=True):
        assert fingerprint(galaxy.image) == frozen["image_sha256"], galaxy.name


def test_maps_equal_those_of_photutils_and_statmorph_to_the_bit(pairs):
    for pair in pairs:
        labels, _ = paper_map(pair.galaxy.image, 1.5, 5, 10)
        if pair.galaxy.labels is None:
            assert labels.any() == (pair.frozen["status"] == "measured"), pair.galaxy.name
            assert not labels.any() or fingerprint(labels) == pair.frozen["segmentation_sha256"]
        else:
            labels = pair.galaxy.labels
        for kind, pixels in _maps(pair, labels).items() if pair.is_measured else ():
            assert fingerprint(pixels) == pair.frozen[f"{kind}_sha256"], (pair.galaxy.name, kind)


def _maps(pair, labels):
    """The masked pixels and the Gini, MID and shape maps of the stamp."""
    galaxy, values, noticed = pair.galaxy, pair.ours.values, np.zeros(flags.N_FLAGS, dtype=np.uint8)
    mask = np.empty((0, 0), dtype=bool) if galaxy.mask is None else galaxy.mask
    sigma_map = np.empty((0, 0)) if galaxy.sigma_map is None else galaxy.sigma_map
    stamp = cut_stamp(galaxy.image, labels, galaxy.label, mask, sigma_map, False, noticed)
    corner = np.array([stamp.x_min, stamp.y_min])
    x, y = np.array([values["center_x_pix"], values["center_y_pix"]]) - corner
    centroid = np.array([values["centroid_x_pix"], values["centroid_y_pix"]]) - corner
    moments = moments_about(stamp, x, y, noticed)
    # Beyond the stamp our radius is NaN: with theirs the maps are theirs.
    a_petro = pair.frozen["rpetro_ellip"] if pair.is_beyond_stamp else values["r_petro_ellip_pix"]
    inside = gini_map(
        stamp, Geometry(*centroid, moments.elongation, moments.orientation_rad), a_petro, noticed
    )
    return {
        "mask": stamp.mask,
        "gini_map": inside,
        "mid_map": mid_map(stamp, inside, noticed),
        "shape_map": shape_map(stamp, sky_box(stamp, noticed), x, y, a_petro, noticed),
    }


def test_what_has_no_source_says_so(pairs):
    for pair in pairs:
        if pair.frozen["status"] != "measured":
            assert pair.frozen["status"] in pair.ours.flags
            assert pair.ours.flag == 4


def test_non_parametric_quantities_equal_statmorphs(pairs):
    assert failures(pairs, names.NON_PARAMETRIC, greatest=GREATEST, left_out=_left_out) == []
    for name in names.NON_PARAMETRIC:
        apart = [
            names.difference(name, pair.ours.values[name], pair.frozen)
            for pair in pairs
            if pair.is_measured and not _left_out(pair, name)
        ]
        assert np.median(apart) <= MEDIAN, name


def test_petrosian_radii_beyond_the_stamp_are_few_and_told(oracle_set, pairs):
    beyond = [pair for pair in pairs if pair.is_beyond_stamp]
    assert len(beyond) == BEYOND_STAMP.get(oracle_set, 0)
    for pair in beyond:
        if pair.galaxy.name in FOUND_IN_THE_CORNER:
            assert pair.ours.values["r_petro_ellip_pix"] < pair.frozen["rpetro_ellip"]
            continue
        assert "petrosian_beyond_stamp" in pair.ours.flags
        assert np.isnan(pair.ours.values["r_petro_ellip_pix"])
        assert np.isnan(pair.ours.values["flux_ellip"])


def test_flags_equal_statmorphs(pairs):
    wrong = [
        (pair.galaxy.name, pair.ours.flag, pair.frozen["flag"], pair.ours.flags)
        for pair in pairs
        if pair.is_measured and pair.ours.flag != pair.frozen["flag"]
    ]
    assert wrong == []


@pytest.mark.parametrize("change", ["shifted", "gain", "threshold"])
def test_a_changed_input_is_noticed(change):
    galaxies = galaxies_of("noisy_sersic", None)[:2]
    method = options_for(galaxies, sersic="parity")
    if change == "shifted":
        galaxies = [replace(galaxy, image=_shifted(galaxy.image, 1e-3)) for galaxy in galaxies]
        told = {"centroid_x_pix", "center_x_pix", "gini", "r_petro_pix", "sersic_x_pix"}
    elif change == "gain":
        method = replace(method, gain=2 * method.gain)
        told = {"sn_per_pixel", "sersic_chi2_dof"}
    else:
        method = replace(method, segmenting=Segmenting("paper", threshold_sigma=1.6))
        told = {"centroid_x_pix", "ellipticity"}
    pairs = [
        Pair(galaxy, frozen, measure_galaxy_input(engine_input(galaxy), method))
        for galaxy, frozen in zip(galaxies, frozen_rows("noisy_sersic"), strict=False)
    ]
    lines = failures(pairs, names.NON_PARAMETRIC | names.SERSIC, greatest=GREATEST)
    assert {line.split()[1].rstrip(":") for line in lines} >= told


def _shifted(image, by_pix):
    """Move the light by a fraction of a pixel along x, to first order."""
    return image - by_pix * np.gradient(image, axis=1)


def test_the_page_for_those_who_come_from_statmorph_names_every_quantity():
    page = (REPOSITORY / "docs" / "how-to" / "coming-from-statmorph.md").read_text(encoding="utf-8")
    table = page.split("<!-- names")[1].split("<!-- end of names")[0]
    told = dict(re.findall(r"^\| `(\w+)` \| `(\w+)` \|$", table, re.MULTILINE))
    assert told == {quantity: name for name, (quantity, _) in names.ALL.items()}
    measured = {entry.name for entry in PROPERTIES if not entry.group.startswith("power_")}
    uncertainties = {entry.name for entry in PROPERTIES if entry.group == "sersic_uncertainty"}
    # what statmorph does not have: bands against each other, the pixel grid, winding, and whole fields
    others = {entry.name for entry in PROPERTIES if entry.group in ("grid", "winding", "bands", "field")}
    assert set(names.ALL) == measured - uncertainties - others - {"flux_frame"}
    for name in names.LEFT_OUT:
        assert f"`{name}`" in page


def test_every_quantity_of_statmorph_is_compared():
    statmorph = pytest.importorskip("statmorph.statmorph", reason="statmorph is in galsmith[statmorph]")
    theirs = {*statmorph._quantity_names, *statmorph._doublesersic_quantity_names}
    assert {quantity for quantity, _ in names.ALL.values()} | set(names.LEFT_OUT) == theirs
