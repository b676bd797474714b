"""Real galaxies: statmorph's own reference galaxy, and Hubble galaxies whose half-light radius is known."""

import json
import warnings

import numpy as np
import pytest
from astropy.io import fits

pytest.importorskip("statmorph", reason="statmorph is in galsmith[statmorph]")

from galsmith.images import crop_center
from galsmith.measure import MeasureSettings
from galsmith.measure.engine.batch import GalaxyInput
from galsmith.measure.statmorph.engine import STATMORPH_NAMES, measure_morphology
from galsmith.measure.statmorph.lean import LeanSourceMorphology

pytestmark = pytest.mark.real_data
SMALLEST_GALAXY_PIX = 2.0  # below are stars, says the description of the data


def test_the_reference_galaxy_of_statmorph(shared_data):
    folder = shared_data / "statmorph_reference"
    expected = json.loads((folder / "expected_values_slice.json").read_text())
    with fits.open(folder / "slice.fits") as hdus:
        image, segmentation_map, mask = hdus[0].data, hdus[1].data, np.bool_(hdus[2].data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        source = LeanSourceMorphology(image, segmentation_map, 1, mask=mask, gain=1.0)
    wanted = [name for name in STATMORPH_NAMES.values() if not name.startswith("double")]
    assert len(wanted) > 50
    for name in wanted:
        # statmorph's own tests ask for 1e-5; its fit stops where the machine's rounding takes it.
        tolerance = 2e-4 if name.startswith("sersic") else 2e-6
        assert source[name] == pytest.approx(expected[name], rel=tolerance, abs=1e-9), name
    assert (source.flag, source.flag_sersic) == (expected["flag"], expected["flag_sersic"])


@pytest.mark.slow
def test_hubble_galaxies_have_the_half_light_radius_and_magnitude_of_their_headers(shared_data):
    folder = shared_data / "hst_f814w_201"
    disks = sorted((folder / "disk_f8").glob("*.fits.gz"))
    assert len(disks) == 150
    ratios, differences_mag = [], []
    for disk in disks:
        bulge = folder / "bulge_f8" / disk.name.replace("disk", "bulge")
        header = fits.getheader(disk)
        if header["RADIUS"] < SMALLEST_GALAXY_PIX:
            continue
        image = crop_center((fits.getdata(bulge) + fits.getdata(disk))[np.newaxis], 128)[0]
        values = measure_morphology(GalaxyInput(image), MeasureSettings()).values
        ratios.append(values["r_half_pix"] / header["RADIUS"])
        differences_mag.append(header["MAG0"] - 2.5 * np.log10(values["flux_frame"]) - header["MAG"])
    assert len(ratios) == 146  # 4 stars left out, none lost
    assert 0.98 <= np.median(ratios) <= 1.02
    assert np.ptp(np.percentile(ratios, [16, 84])) < 0.03
    assert np.mean(np.abs(differences_mag) < 0.05) >= 0.95
