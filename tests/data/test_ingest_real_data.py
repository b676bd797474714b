"""Real galaxies through both readers; they are absent on most machines, then these tests skip."""

import subprocess
import sys

import numpy as np
import pytest
from astropy.io import fits

from galsmith import ingest
from galsmith.data.options import SetOptions

pytestmark = pytest.mark.real_data
ZERO_POINT_MAG = 26.782


@pytest.fixture(scope="module")
def hst_folder(shared_data, tmp_path_factory):
    """The 150 HST galaxies as bulge plus disk, one FITS file each."""
    folder = tmp_path_factory.mktemp("hst")
    for bulge in sorted((shared_data / "hst_f814w_201" / "bulge_f8").glob("*.fits.gz")):
        number = bulge.name.removeprefix("f814w_bulge").removesuffix(".fits.gz")
        disk = shared_data / "hst_f814w_201" / "disk_f8" / f"f814w_disk{number}.fits.gz"
        with fits.open(bulge) as first, fits.open(disk) as second:
            header = first[0].header
            kept = fits.Header([(key, header[key]) for key in ("MAG", "RADIUS", "PIXSCALE")])
            fits.PrimaryHDU(first[0].data + second[0].data, kept).writeto(folder / f"galaxy{number}.fits")
    return folder


def test_hst_galaxies_keep_their_magnitude(hst_folder, tmp_path):
    images = ingest.fits(
        hst_folder, tmp_path / "set", bands=("F814W",), pixel_scale_arcsec=0.06, flux_unit="electron / s"
    )
    assert len(images) == 150
    sums = np.array([images[index].sum(dtype=np.float64) for index in range(150)])
    off = -2.5 * np.log10(sums) + ZERO_POINT_MAG - np.asarray(images.catalog["MAG"])
    assert np.mean(np.abs(off) < 0.05) >= 0.95
    assert set(images.catalog["native_size_pix"]) == {601}
    assert len(list((tmp_path / "set" / "images").glob("*.h5"))) == 4  # 46 images of 601 px fill a chunk


def test_hst_galaxies_crop(hst_folder, tmp_path):
    options = SetOptions(crop_pix=128, where="RADIUS=2..")
    images = ingest.fits(hst_folder, tmp_path / "set", pixel_scale_arcsec=0.06, options=options)
    assert images.stacked().shape[1:] == (1, 128, 128)
    assert np.asarray(images.catalog["RADIUS"]).min() >= 2
    assert len(images) + sum(images.catalog.meta["left_out"].values()) == 150
    with fits.open(hst_folder / f"{images.catalog['object_id'][0]}.fits") as units:
        np.testing.assert_array_equal(images[0][0], units[0].data[236:364, 236:364])


def test_disks_without_light_are_refused_and_skipped(shared_data, tmp_path):
    disks = shared_data / "hst_f814w_201" / "disk_f8"
    options = SetOptions(crop_pix=128, on_bad="skip")
    images = ingest.fits(disks, tmp_path / "set", pixel_scale_arcsec=0.06, options=options)
    assert images.catalog.meta["left_out"] == {"constant": 150 - len(images)}
    assert 0 < len(images) < 150


@pytest.mark.slow
def test_efigi_galaxies_with_their_attributes(shared_data, tmp_path):
    folder = shared_data / "efigi_gri88"
    images = ingest.folder(
        folder / "images",
        tmp_path / "set",
        labels=folder / "EFIGI_attributes_shared_rows.txt",
        options=SetOptions(resize_pix=64),
    )
    assert len(images) == 3571
    assert images.header.bands == ("red", "green", "blue")
    assert images.stacked().shape == (3571, 3, 64, 64)
    rows = {row["object_id"]: row for row in images.catalog[["object_id", "T", "Bulge_to_Total"]]}
    # First lines of the table: PGC0000212 has T = 1 and B/T = 0.5, PGC0000243 T = -2 and B/T = 1.
    assert (rows["PGC0000212"]["T"], rows["PGC0000212"]["Bulge_to_Total"]) == (1, 0.5)
    assert (rows["PGC0000243"]["T"], rows["PGC0000243"]["Bulge_to_Total"]) == (-2, 1)
    without = images.catalog.meta["labels"]["files_without_row"]
    assert np.isnan(np.asarray(images.catalog["T"])).sum() == without == 39
    counts = [int((images.catalog["split"] == name).sum()) for name in ("train", "validation", "test")]
    assert counts == [2857, 357, 357]


@pytest.mark.slow
def test_galaxy_zoo_labels_join_by_asset(shared_data, tmp_path):
    folder = shared_data / "gz2_1000"
    images = ingest.folder(
        folder / "thumbs",
        tmp_path / "set",
        labels=folder / "labels_manifest_1000.csv",
        options=SetOptions(crop_pix=128, where="total_classifications=40.."),
    )
    assert images.catalog.meta["labels"] == {
        "identifier": "asset_id",
        "files_without_row": 0,
        "rows_without_file": 0,
    }
    assert np.asarray(images.catalog["total_classifications"]).min() >= 40
    np.testing.assert_array_equal(
        np.asarray(images.catalog["asset_id"]).astype(str), np.asarray(images.catalog["object_id"], dtype=str)
    )


# Peak memory of this program alone: ru_maxrss would start from that of the process that started it.
MEMORY = """
import re, sys
from galsmith import ingest
ingest.folder(sys.argv[1], sys.argv[2])
print(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read()).group(1))
"""


@pytest.mark.slow
def test_memory_of_ingesting_stays_bounded(shared_data, tmp_path):
    # 3,000 links to 1,000 RGB pictures of 224 px: 1.8 GB of pixels.
    links = tmp_path / "links"
    links.mkdir()
    for path in sorted((shared_data / "gz2_1000" / "thumbs").glob("*.jpg")):
        for copy in range(3):
            (links / f"{path.stem}_{copy}.jpg").symlink_to(path)
    command = [sys.executable, "-c", MEMORY, str(links), str(tmp_path / "set")]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert int(out.split()[-1]) * 1024 < 0.8e9
