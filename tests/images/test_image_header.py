"""`ImageHeader`: its JSON is that of stores and snapshot cards; pixels of other bands are refused."""

import json

import numpy as np
import pytest

from galsmith.images import ImageHeader

FULL = ImageHeader(
    ("g", "r"), "nJy", 0.2, 0.3, zero_points_mag={"g": 31.4, "r": 31.3}, psf={"psf_fwhm_pix": 3.0}
)


def test_its_json_has_the_keys_of_stores_and_cards():
    plain = json.loads(json.dumps(FULL.to_dict()))
    assert plain == {
        "bands": ["g", "r"],
        "pixel_scale_arcsec": 0.2,
        "physical_pixel_kpc": 0.3,
        "flux_unit": "nJy",
        "zero_points_mag": {"g": 31.4, "r": 31.3},
        "psf": {"psf_fwhm_pix": 3.0},
    }
    assert ImageHeader.from_dict({**plain, "provenance": {}, "n_images": 3}) == FULL
    assert ImageHeader.from_dict({"bands": ["r"], "flux_unit": "adu"}) == ImageHeader(("r",), "adu")


def test_enlarged_pixels_keep_all_else():
    twice = FULL.enlarged(2.0)
    assert (twice.pixel_scale_arcsec, twice.physical_pixel_kpc) == (0.4, 0.6)
    assert {**twice.to_dict(), "pixel_scale_arcsec": 0.2, "physical_pixel_kpc": 0.3} == FULL.to_dict()
    mixed = FULL.enlarged(None)
    assert (mixed.pixel_scale_arcsec, mixed.physical_pixel_kpc) == (None, None)
    assert ImageHeader(("r",), "adu").enlarged(2.0) == ImageHeader(("r",), "adu")


@pytest.mark.parametrize("bands", ["F814W", (), []])
def test_bands_are_names_and_at_least_one(bands):
    with pytest.raises(ValueError, match="wanted one name a band"):
        ImageHeader(bands, "nJy")
    assert ImageHeader(["F814W"], "nJy").bands == ("F814W",)


def test_pixels_have_as_many_bands_as_the_header_names():
    cube = FULL.checked_image(np.ones((2, 3, 4), dtype=np.int16), "galaxy 7")
    assert (cube.shape, cube.dtype) == ((2, 3, 4), np.float32)
    assert ImageHeader(("r",), "adu").checked_image(np.ones((3, 4)), "a stamp").shape == (1, 3, 4)
    with pytest.raises(ValueError, match=r"galaxy 7 has shape \(3, 3, 4\); .* with 2 bands \(g, r\)"):
        FULL.checked_image(np.ones((3, 3, 4)), "galaxy 7")
