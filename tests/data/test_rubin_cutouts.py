"""Cutouts of Rubin's images in the three modes of its service: pixels alone, with mask and variance, and whole exposures.

The files are laid out as ``lsst.afw`` writes them (github.com/lsst/afw, ``src/image/MaskedImage.cc``, ``ExposureInfo.cc``,
``src/table/io/OutputArchive.cc``, ``doc/lsst.afw.image/exposure-fits-metadata.rst``): an empty first HDU; IMAGE, MASK and
VARIANCE that inherit from it, each with EXTTYPE and EXTNAME, with the corner of the parent image as world coordinates A and
as LTV; of exposures AR_HDU and the ids of what lies in tables behind.
"""

import numpy as np
import pytest
from astropy.io import fits

from galsmith.data.ingest import ingest
from galsmith.data.readers.registry import FitsOptions
from galsmith.data.store import companions_of
from galsmith.seeds import random_stream

SIDE, N = 20, 3
# of the planes of a deep coadd, in the order of its header
PLANES = (
    "BAD",
    "SAT",
    "INTRP",
    "CR",
    "EDGE",
    "DETECTED",
    "DETECTED_NEGATIVE",
    "SUSPECT",
    "NO_DATA",
    "UNMASKEDNAN",
)
DAMAGE, LIGHT = 1 << PLANES.index("SAT"), 1 << PLANES.index("DETECTED")
MODES = ("image", "masked image", "exposure")


def coordinates():
    """World coordinates of a cutout of a coadd: 0.2 arcsec a pixel, and the corner in the parent image."""
    cards = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CUNIT1": "deg", "CUNIT2": "deg", "RADESYS": "ICRS"}
    cards |= {"CRVAL1": 53.0, "CRVAL2": -28.0, "CRPIX1": 10.0, "CRPIX2": 10.0}
    cards |= {"CD1_1": -0.2 / 3600, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": 0.2 / 3600}
    cards |= {"CTYPE1A": "LINEAR", "CTYPE2A": "LINEAR", "CUNIT1A": "PIXEL", "CUNIT2A": "PIXEL"}
    cards |= {
        "CRPIX1A": 1.0,
        "CRPIX2A": 1.0,
        "CRVAL1A": 4000,
        "CRVAL2A": 8000,
        "LTV1": -4000.0,
        "LTV2": -8000.0,
    }
    return cards


def plane(pixels, name, **cards):
    """One HDU of a masked image."""
    unit = fits.ImageHDU(pixels, name=name)
    unit.header.update({"INHERIT": True, "EXTTYPE": name} | coordinates() | cards)
    return unit


def archive():
    """Tables of an exposure: an index, and a PSF that is a law of the pipeline."""
    index = fits.BinTableHDU.from_columns(
        [
            fits.Column("id", "J", array=[1]),
            fits.Column("cat.archive", "J", array=[1]),
            fits.Column("row0", "J", array=[0]),
            fits.Column("nrows", "J", array=[1]),
            fits.Column("name", "64A", array=["SingleGaussianPsf"]),
        ],
        name="ARCHIVE_INDEX",
    )
    index.header.update({"EXTTYPE": "ARCHIVE_INDEX", "AR_CATN": 0, "AR_NCAT": 2})
    values = [("dimensions.x", 21.0), ("dimensions.y", 21.0), ("sigma", 1.7)]
    data = fits.BinTableHDU.from_columns(
        [fits.Column(name, "D", array=[value]) for name, value in values], name="SingleGaussianPsf"
    )
    data.header.update({"EXTTYPE": "ARCHIVE_DATA", "AR_CATN": 1, "AR_NAME": "SingleGaussianPsf"})
    return [index, data]


@pytest.fixture
def cutouts(tmp_path):
    """Writes cutouts of a mode; gives the folder, pixels, variances and bits."""
    rng = random_stream(1, "tests.rubin_cutouts")
    image = rng.normal(5, 3, (N, SIDE, SIDE)).astype(np.float32)
    variance = rng.uniform(1, 9, image.shape).astype(np.float32)
    bits = np.where(rng.uniform(0, 1, image.shape) > 0.9, DAMAGE, 0).astype(np.int32)
    bits[:, 8:12, 8:12] |= LIGHT

    def write(mode):
        folder = tmp_path / mode
        folder.mkdir()
        planes = {f"HIERARCH MP_{name}": number for number, name in enumerate(PLANES)}
        for row in range(N):
            first = fits.PrimaryHDU()
            first.header["FILTER"] = "i"
            units = [first, plane(image[row], "IMAGE", BUNIT="nJy")]
            if mode != "image":
                units += [plane(bits[row], "MASK", **planes), plane(variance[row], "VARIANCE", BUNIT="nJy2")]
            if mode == "exposure":
                first.header.update({"EXPINFO_V": 2, "AR_HDU": 5, "PSF_ID": 1, "ARCHIVE_ID_PSF": 1})
                units += archive()
            fits.HDUList(units).writeto(folder / f"cutout-{row}.fits")
        return folder

    return write, image, variance, bits


@pytest.mark.filterwarnings(
    "ignore::astropy.io.fits.verify.VerifyWarning"
)  # long keywords, as the pipeline has them
@pytest.mark.parametrize("mode", MODES)
def test_a_cutout_of_each_mode_is_read_with_all_that_it_has(cutouts, tmp_path, mode):
    write, image, variance, bits = cutouts
    store = ingest("fits", write(mode), tmp_path / "store")
    np.testing.assert_array_equal(store.stacked()[:, 0], image)
    assert store.header.bands == ("i",)
    assert store.header.flux_unit == "nJy"
    assert store.header.zero_points_mag["i"] == pytest.approx(31.4, abs=1e-3)  # of a nanojansky: 8.9 + 22.5
    assert store.header.pixel_scale_arcsec == pytest.approx(0.2, rel=1e-6)
    beside = companions_of(store)
    if mode == "image":
        assert beside is None
        return
    is_damaged = (bits & DAMAGE) != 0
    np.testing.assert_array_equal(np.stack(beside.masks)[:, 0], is_damaged)  # and not where light is DETECTED
    np.testing.assert_allclose(np.stack(beside.ivars)[:, 0], 1 / variance, rtol=1e-6)


@pytest.mark.filterwarnings("ignore::astropy.io.fits.verify.VerifyWarning")
def test_other_bits_can_be_counted_and_maps_left(cutouts, tmp_path):
    write, _, _, bits = cutouts
    folder = write("exposure")
    every = ingest("fits", folder, tmp_path / "all", reading=FitsOptions(mask_bits=("all",)))
    np.testing.assert_array_equal(np.stack(companions_of(every).masks)[:, 0], bits != 0)
    none = ingest("fits", folder, tmp_path / "none", reading=FitsOptions(mask="none", sigma="none"))
    assert companions_of(none) is None
