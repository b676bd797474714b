"""SKIRT images of IllustrisTNG, written here in the layout of ``skirt_images_sdss``, and real SKIRT images in it."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from astropy.io import fits

from galsmith import ingest
from galsmith.cli import main
from galsmith.cli.options import parse_split
from galsmith.data.options import SetOptions
from galsmith.data.readers.registry import SkirtOptions
from galsmith.data.readers.to_store import assign_splits
from galsmith.errors import InputError, SettingsError

SIZES = {12: 80, 7: 64, 101: 65, 33: 131}  # by subfind id; 64 is dropped


@pytest.fixture
def snapshot(tmp_path):
    """Four galaxies below ``sdss/snapnum_099`` with morphologies in the order of the list of ids."""
    folder = tmp_path / "sdss" / "snapnum_099"
    (folder / "data").mkdir(parents=True)
    rng = np.random.default_rng(3)
    for ident, size in SIZES.items():
        planes = rng.gamma(2.0, 1.0, (4, size, size)).astype(np.float32)
        fits.PrimaryHDU(planes).writeto(folder / "data" / f"broadband_{ident}.fits")
    (folder / "subfind_ids.txt").write_text("\n".join(str(ident) for ident in SIZES) + "\n")
    for band in "gi":
        with h5py.File(folder / f"morphs_{band}.hdf5", "w") as file:
            file["gini"] = np.array([ident / 1000 + (band == "i") for ident in SIZES])
            file["flag"] = np.array([0, 0, 1, 0], dtype=np.int32)
    return folder


def planes_of(snapshot, ident):
    with fits.open(snapshot / "data" / f"broadband_{ident}.fits") as units:
        return np.array(units[0].data)


def test_a_fourth_is_cut_off_and_small_images_are_dropped(snapshot, tmp_path):
    images = ingest.skirt(snapshot, tmp_path / "set")
    assert list(images.catalog["object_id"]) == ["12", "33", "101"]
    assert images.catalog.meta["left_out"] == {"of 64 px or fewer before the crop": 1}
    assert list(images.catalog["full_size_pix"]) == [80, 131, 65]
    assert list(images.catalog["native_size_pix"]) == [40, 66, 32]
    np.testing.assert_array_equal(images[0], planes_of(snapshot, 12)[:, 20:60, 20:60])
    # int(0.25 * 131) = 32 to int(0.75 * 131) = 98, as the authors' code cuts.
    np.testing.assert_array_equal(images[1], planes_of(snapshot, 33)[:, 32:98, 32:98])
    np.testing.assert_array_equal(images[2], planes_of(snapshot, 101)[:, 16:48, 16:48])


def test_units_bands_and_the_length_of_a_pixel(snapshot, tmp_path):
    images = ingest.skirt(snapshot, tmp_path / "set")
    assert (images.header.bands, images.header.flux_unit) == (("g", "r", "i", "z"), "electron / s")
    assert images.header.pixel_scale_arcsec is None
    assert images.header.physical_pixel_kpc == pytest.approx(0.4074, abs=1e-4)  # 0.276 / 0.6774 at z = 0
    with_redshift = ingest.skirt(snapshot, tmp_path / "z", reading=SkirtOptions(redshift=1.0))
    assert with_redshift.header.physical_pixel_kpc == pytest.approx(images.header.physical_pixel_kpc / 2)


def test_resizing_enlarges_the_length_of_a_pixel_of_each_image(snapshot, tmp_path):
    images = ingest.skirt(snapshot, tmp_path / "set", options=SetOptions(resize_pix=16))
    assert images.header.physical_pixel_kpc is None
    expected = 0.276 / 0.6774 * np.array([40, 66, 32]) / 16
    np.testing.assert_allclose(images.catalog["physical_pixel_kpc"], expected)


def test_morphologies_join_by_subfind_id(snapshot, tmp_path):
    images = ingest.skirt(snapshot, tmp_path / "set")
    np.testing.assert_allclose(images.catalog["gini_g"], [0.012, 0.033, 0.101])
    np.testing.assert_allclose(images.catalog["gini_i"], [1.012, 1.033, 1.101])
    assert list(images.catalog["flag_i"]) == [0, 0, 1]
    good = ingest.skirt(snapshot, tmp_path / "good", options=SetOptions(where="flag_i=0"))
    assert list(good.catalog["object_id"]) == ["12", "33"]


def test_a_file_with_ids_of_its_own_needs_no_list(snapshot, tmp_path):
    (snapshot / "subfind_ids.txt").unlink()
    for band in "gi":
        with h5py.File(snapshot / f"morphs_{band}.hdf5", "a") as file:
            file["subfind_id"] = np.array(list(SIZES))[::-1]
            file["gini"][...] = file["gini"][...][::-1]
    images = ingest.skirt(snapshot, tmp_path / "set")
    np.testing.assert_allclose(images.catalog["gini_g"], [0.012, 0.033, 0.101])
    assert "subfind_id_g" not in images.catalog.colnames


def test_images_and_rows_without_their_other_half_are_counted(snapshot, tmp_path):
    (snapshot / "data" / "broadband_33.fits").unlink()
    rng = np.random.default_rng(4)
    fits.PrimaryHDU(rng.normal(size=(4, 70, 70))).writeto(snapshot / "data" / "broadband_500.fits")
    images = ingest.skirt(snapshot, tmp_path / "set")
    assert list(images.catalog["object_id"]) == ["12", "101", "500"]
    assert np.isnan(images.catalog["gini_g"][2])
    assert images.catalog.meta["morphs_g.hdf5"] == {"images_without_row": 1, "rows_without_image": 1}


@pytest.mark.parametrize("place", [".", "..", "data"])
def test_the_folders_around_will_do(snapshot, tmp_path, place):
    images = ingest.skirt(snapshot / place, tmp_path / "set")
    assert len(images) == 3
    assert "gini_g" in images.catalog.colnames


def test_bands_crop_and_smallest_size_can_be_chosen(snapshot, tmp_path):
    reading = SkirtOptions(bands=("i", "g"), crop_fraction=0.0, larger_than_pix=70)
    images = ingest.skirt(snapshot, tmp_path / "set", reading=reading)
    assert images.header.bands == ("i", "g")
    np.testing.assert_array_equal(images[0], planes_of(snapshot, 12)[[2, 0]])
    assert list(images.catalog["full_size_pix"]) == [80, 131]


def test_the_command_line_passes_all_options_on(snapshot, tmp_path):
    words = ["--bands", "g,r", "--crop-fraction", "0.1", "--larger-than", "0", "--redshift", "0.05"]
    words += ["--zero-points", "g=25.5,r=25", "--quiet"]
    assert main(["ingest", "skirt", str(snapshot), "-o", str(tmp_path / "set"), *words]) == 0
    from galsmith.data.store import open_store

    images = open_store(tmp_path / "set")
    assert images.header.zero_points_mag == {"g": 25.5, "r": 25.0}
    # floor(0.9 N) - floor(0.1 N) of N = 64, 80, 131, 65
    assert list(images.catalog["native_size_pix"]) == [51, 64, 104, 52]
    settings = images.provenance.settings
    assert (settings["crop_fraction"], settings["larger_than_pix"]) == (0.1, 0)


def test_a_file_with_other_bands_is_named_or_counted(snapshot, tmp_path):
    fits.PrimaryHDU(np.ones((3, 80, 80))).writeto(snapshot / "data" / "broadband_3.fits")
    with pytest.raises(InputError, match=r"broadband_3\.fits: has shape \(3, 80, 80\), wanted \[4, N, N\]"):
        ingest.skirt(snapshot, tmp_path / "set")
    assert not (tmp_path / "set").exists()
    images = ingest.skirt(snapshot, tmp_path / "set", options=SetOptions(on_bad="skip"))
    assert images.catalog.meta["left_out"]["of another shape"] == 1


def test_a_truncated_file_is_named_or_counted(snapshot, tmp_path):
    path = snapshot / "data" / "broadband_33.fits"
    path.write_bytes(path.read_bytes()[:9000])
    with pytest.raises(InputError, match=r"broadband_33\.fits: the FITS file is truncated or damaged"):
        ingest.skirt(snapshot, tmp_path / "set")
    images = ingest.skirt(snapshot, tmp_path / "set", options=SetOptions(on_bad="skip"), overwrite=True)
    assert images.catalog.meta["left_out"]["truncated or damaged"] == 1


def test_pixels_that_are_not_finite_count_only_inside_the_crop(snapshot, tmp_path):
    with fits.open(snapshot / "data" / "broadband_12.fits", mode="update") as units:
        units[0].data[0, 0, 0] = np.nan
    assert len(ingest.skirt(snapshot, tmp_path / "set")) == 3
    with fits.open(snapshot / "data" / "broadband_12.fits", mode="update") as units:
        units[0].data[0, 40, 40] = np.nan
    with pytest.raises(InputError, match=r"broadband_12\.fits: 1 of 6400 pixels are NaN"):
        ingest.skirt(snapshot, tmp_path / "other")


def test_a_wrong_folder_says_what_was_wanted(snapshot, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"holds no snapnum_099/data/broadband_<subfind id>\.fits"):
        ingest.skirt(tmp_path / "empty", tmp_path / "set")
    with pytest.raises(InputError, match="there is no such folder"):
        ingest.skirt(tmp_path / "absent", tmp_path / "set")
    (snapshot.parent / "snapnum_095" / "data").mkdir(parents=True)
    fits.PrimaryHDU(np.ones((4, 8, 8))).writeto(snapshot.parent / "snapnum_095" / "data" / "broadband_0.fits")
    with pytest.raises(InputError, match=r"holds 2 snapshots \(snapnum_095, snapnum_099\); give one"):
        ingest.skirt(snapshot.parent, tmp_path / "set")


def test_another_snapshot_has_no_length_of_a_pixel_without_a_redshift(snapshot, tmp_path):
    other = snapshot.rename(snapshot.with_name("snapnum_095"))
    assert ingest.skirt(other, tmp_path / "set").header.physical_pixel_kpc is None


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: (folder / "subfind_ids.txt").unlink(), "has no array subfind_id, and there is no"),
        (
            lambda folder: (folder / "subfind_ids.txt").write_text("12\n7\n"),
            "gini has 4 values for 2|flag has 4",
        ),
        (lambda folder: (folder / "subfind_ids.txt").write_text("12 7 7 8"), "ids are not unique"),
        (
            lambda folder: (folder / "subfind_ids.txt").write_text("twelve"),
            "holds 'twelve' where a subfind id",
        ),
        (lambda folder: (folder / "subfind_ids.txt").write_text(""), r"subfind_ids\.txt: is empty"),
        (
            lambda folder: (folder / "morphs_g.hdf5").write_bytes(b"no"),
            r"morphs_g\.hdf5: is not an HDF5 file",
        ),
        (
            lambda folder: (folder / "data" / "broadband_012.fits").write_bytes(b""),
            "has the subfind id of broadband_012|has the subfind id of broadband_12",
        ),
    ],
)
def test_what_lies_beside_must_fit(snapshot, tmp_path, spoil, said):
    spoil(snapshot)
    with pytest.raises(InputError, match=said):
        ingest.skirt(snapshot, tmp_path / "set")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"bands": ("g", "y")}, "`bands=g,y`: wanted some of g,r,i,z"),
        ({"bands": ("g", "g")}, "`bands=g,g`: wanted some of g,r,i,z, each once"),
        ({"crop_fraction": 0.5}, "`crop_fraction=0.5`: wanted 0"),
        ({"larger_than_pix": -1}, "`larger_than_pix=-1`: wanted 0 pixels or more"),
        ({"redshift": -0.1}, "`redshift=-0.1`: wanted 0 or more"),
    ],
)
def test_wrong_options_are_named(values, said):
    with pytest.raises(SettingsError, match=said):
        SkirtOptions(**values)


def test_a_zero_point_of_no_band_is_named(snapshot, tmp_path):
    reading = SkirtOptions(bands=("g",), zero_points_mag={"i": 25.0})
    with pytest.raises(SettingsError, match=r"`zero_points_mag=i=.*no such band; the bands are g"):
        ingest.skirt(snapshot, tmp_path / "set", reading=reading)


@pytest.mark.real_data
def test_real_skirt_images_keep_their_colors(shared_data, tmp_path):
    """Real radiative transfer, in AB magnitudes per square arcsecond, brought to the layout by 10^(-0.4 m)."""
    folder = shared_data / "realsim_skirt_gri512"
    snapshot = tmp_path / "snapnum_099"
    (snapshot / "data").mkdir(parents=True)
    fluxes = {}
    for ident in ("186", "214"):
        planes = []
        for band in "gri":
            (path,) = folder.glob(f"photo_{band}_*_{ident}_i0_total.fits")
            with fits.open(path) as units:
                planes.append(10 ** (-0.4 * (units[0].data - 22.5)))  # infinite magnitudes are 0 exactly
        planes.append(planes[-1])
        fluxes[ident] = np.array(planes)
        fits.PrimaryHDU(fluxes[ident].astype(np.float32)).writeto(
            snapshot / "data" / f"broadband_{ident}.fits"
        )
    images = ingest.skirt(snapshot, tmp_path / "set", reading=SkirtOptions(zero_points_mag=[22.5]))
    for row, ident in enumerate(fluxes):
        inner = fluxes[ident][:, 128:384, 128:384].sum(axis=(1, 2))
        np.testing.assert_allclose(images[row].sum(axis=(1, 2), dtype=np.float64), inner, rtol=1e-5)
        g_r, r_i = -2.5 * np.log10(inner[:2] / inner[1:3])
        assert 0.1 < g_r < 1.0
        assert 0.0 < r_i < 0.6


def test_the_how_to_splits_as_the_paper_does():
    """Holzschuh et al. 2022, sec. 3.3: a fourth is excluded as a test set, generators learn the other three fourths."""
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "ingest-data-sets.md").read_text(encoding="utf-8")
    (line,) = [line for line in page.splitlines() if "ingest skirt" in line and "paper" in line]
    split = parse_split(line.split("--split ")[1].split()[0])
    assert split == (0.75, 0.0, 0.25)
    dealt = assign_splits(9000, split, seed=0)
    assert {str(name): int((dealt == name).sum()) for name in np.unique(dealt)} == {
        "test": 2250,
        "train": 6750,
    }
