"""GalSim's real galaxies: small catalogs written here in its format, the real ones, and GalSim as the oracle."""

import galsim
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from galsmith import ingest
from galsmith.data.options import SetOptions
from galsmith.data.readers.real_galaxies.source import RealGalaxySource
from galsmith.data.readers.real_galaxies.tables import EXCLUSION_LEVELS
from galsmith.data.store import read_noise_correlation, read_psfs
from galsmith.errors import InputError

N = 8
NAME = "real_galaxy_catalog_23.5.fits"


def _stamp(rng, size):
    y, x = np.indices((size, size)) - (size - 1) / 2
    return 10 * np.exp(-(x**2 + y**2) / 18) + rng.normal(0, 0.01, (size, size))


def _write_stack(path, images):
    units = [fits.PrimaryHDU(images[0]), *(fits.ImageHDU(image) for image in images[1:])]
    fits.HDUList(units).writeto(path, overwrite=True)


@pytest.fixture
def catalog(tmp_path):
    """Eight galaxies in two files, with PSFs of two sizes, one correlation of noise, fits and selection."""
    folder = tmp_path / "COSMOS_23.5_training_sample"
    folder.mkdir()
    rng = np.random.default_rng(2)
    for number in (1, 2):
        _write_stack(folder / f"images_n{number}.fits", [_stamp(rng, 20 + 4 * k) for k in range(4)])
        _write_stack(folder / f"psf_n{number}.fits", [_stamp(rng, 11 + 2 * number)[1:] for _ in range(4)])
    correlation = np.exp(-np.hypot(*(np.indices((9, 9)) - 4))) * 3e-6
    fits.PrimaryHDU(correlation).writeto(folder / "noise_cf.fits")
    order = np.array([1, 2] * 4)
    idents = np.arange(N) + 500
    table = Table(
        {
            "IDENT": idents.astype(np.int32),
            "RA": 150 + np.arange(N) / 10,
            "DEC": 2 + np.arange(N) / 10,
            "MAG": 20 + np.arange(N) / 2,
            "BAND": ["F814W"] * N,
            "WEIGHT": np.ones(N),
            "GAL_FILENAME": [f"images_n{number}.fits" for number in order],
            "PSF_FILENAME": [f"psf_n{number}.fits" for number in order],
            "NOISE_FILENAME": ["noise_cf.fits"] * N,
            "GAL_HDU": np.repeat(np.arange(4), 2).astype(np.int32),
            "PSF_HDU": np.repeat(np.arange(4), 2).astype(np.int32),
            "PIXEL_SCALE": np.full(N, 0.03),
            "NOISE_MEAN": np.zeros(N),
            "NOISE_VARIANCE": 1e-6 * (1 + np.arange(N)),
            "stamp_flux": np.array([5.0, 5, 5, 5, 5, -1, 5, 5]),
        }
    )
    table.write(folder / NAME)
    status = np.ones((N, 5), dtype=np.int32)
    status[1, 4] = 0  # one fit failed
    status[2, [0, 4]] = 5  # both did
    sersic = np.ones((N, 8))
    sersic[3, 2] = 5.5
    fits_table = Table(
        {
            "IDENT": idents.astype(np.int32),
            "fit_status": status,
            "sersicfit": sersic,
            "hlr": np.full((N, 3), 1.2),
            "zphot": np.linspace(0.1, 0.8, N),
        }
    )
    fits_table[::-1].write(folder / NAME.replace(".fits", "_fits.fits"))  # in another order: joined by IDENT
    selection = Table(
        {
            "IDENT": idents.astype(np.int32),
            "dmag": np.array([0.1, 0.1, 0.1, 0.1, 0.9, 0.1, -0.1, 0]),
            "sn_ellip_gauss": np.array([15.0, 50, 50, 50, 50, 50, 50, 50]),
            "min_mask_dist_pixels": np.array([50.0, 5, 5, 50, 50, 50, 50, 5]),
            "average_mask_adjacent_pixel_count": np.array([0.0, 0.1, 0.01, 0, 0, 0, 0, 0.001]),
            "peak_image_pixel_count": np.array([1.0, 0.2, 0.0, 1, 1, 1, 1, 1]),
        }
    )
    selection.write(folder / NAME.replace(".fits", "_selection.fits"))
    return folder / NAME


def rewritten(catalog, change, ending=".fits"):
    """Change one of the tables of a catalog in place."""
    path = catalog.with_name(catalog.name.replace(".fits", ending))
    table = Table.read(path)
    changed = change(table)
    (table if changed is None else changed).write(path, overwrite=True)


def test_images_psfs_and_noise_are_those_that_galsim_reads(catalog, tmp_path):
    images = ingest.cosmos(catalog.parent, tmp_path / "set", exclude="none")
    real = galsim.RealGalaxyCatalog(str(catalog))
    assert list(images.catalog["object_id"]) == real.ident
    psfs = read_psfs(tmp_path / "set", np.arange(N))
    assert {psf.shape for psf in psfs} == {(12, 13), (14, 15)}
    for row in range(N):
        np.testing.assert_array_equal(images[row][0], real.getGalImage(row).array.astype(np.float32))
        psf = real.getPSFImage(row).array
        np.testing.assert_allclose(psfs[row], psf / psf.sum(), rtol=1e-6, atol=1e-9)
        noise, scale, variance = real.getNoiseProperties(row)
        assert images.catalog["background_noise_sigma"][row] ** 2 == pytest.approx(variance, rel=1e-12)
        assert scale == images.header.pixel_scale_arcsec == 0.03
    name = images.catalog["noise_correlation"][0]
    correlation = read_noise_correlation(tmp_path / "set", name)
    np.testing.assert_allclose(correlation, noise.array / noise.array[4, 4], rtol=1e-6)
    assert correlation[4, 4] == 1
    real.close()


def test_the_catalog_has_every_column_of_every_table(catalog, tmp_path):
    images = ingest.cosmos(catalog, tmp_path / "set", exclude="none")
    np.testing.assert_allclose(images.catalog["ra"].to_value("deg"), 150 + np.arange(N) / 10)
    np.testing.assert_allclose(images.catalog["mag"], 20 + np.arange(N) / 2)
    np.testing.assert_allclose(
        images.catalog["zphot"], np.linspace(0.1, 0.8, N)
    )  # whatever the table's order
    assert images.catalog["sersicfit_2"][3] == 5.5
    assert {"dmag", "weight", "stamp_flux", "fit_status_4", "hlr_0"} <= set(images.catalog.colnames)
    assert images.header.zero_points_mag == {"F814W": 25.94}
    assert set(images.catalog["native_size_pix"]) == {20, 24, 28, 32}


@pytest.mark.parametrize("level", EXCLUSION_LEVELS)
def test_levels_of_exclusion_are_galsims(catalog, level):
    rewritten(catalog, lambda table: table[::-1], "_fits.fits")  # GalSim wants the catalog's order
    kept = galsim.COSMOSCatalog(NAME, dir=str(catalog.parent), exclusion_level=level).orig_index
    source = RealGalaxySource(catalog, exclude=level)
    assert set(range(N)) - set(source.listing.left_out) == set(kept.tolist())
    assert (len(kept) < N) == (level != "none")


def test_the_fainter_sample_has_looser_cuts_as_galsim_has(catalog):
    looser = catalog.with_name(NAME.replace("23.5", "25.2"))
    for ending in (".fits", "_fits.fits", "_selection.fits"):
        old = catalog.with_name(NAME.replace(".fits", ending))
        old.rename(old.with_name(old.name.replace("23.5", "25.2")))
    kept = galsim.COSMOSCatalog(looser.name, dir=str(catalog.parent), exclusion_level="bad_stamp").orig_index
    source = RealGalaxySource(looser, exclude="bad_stamp")
    assert set(range(N)) - set(source.listing.left_out) == set(kept.tolist()) == {0, 1, 3, 4, 6, 7}


def test_the_strictest_level_is_taken_and_counted(catalog, tmp_path):
    images = ingest.cosmos(catalog, tmp_path / "set", options=SetOptions(split=(1, 0, 0)))
    assert list(images.catalog["object_id"]) == ["506", "507"]
    assert images.catalog.meta["left_out"] == {"excluded as marginal": 6}
    assert images.catalog.meta["exclusion_level"] == "marginal"
    catalog.with_name(NAME.replace(".fits", "_selection.fits")).unlink()
    assert len(ingest.cosmos(catalog, tmp_path / "all")) == N


@pytest.mark.parametrize(("level", "table"), [("bad_stamp", "selection"), ("bad_fits", "fits")])
def test_a_level_without_its_table_says_which(catalog, level, table):
    catalog.with_name(NAME.replace(".fits", f"_{table}.fits")).unlink()
    with pytest.raises(InputError, match=rf"`exclude={level}` needs real_galaxy_catalog_23\.5_{table}\.fits"):
        RealGalaxySource(catalog, exclude=level)


def test_psfs_stay_with_their_galaxies_through_crop_and_mixed_parts(catalog, tmp_path, monkeypatch):
    monkeypatch.setattr("galsmith.data.readers.to_store.IMAGES_PER_CHUNK", 4)
    whole = ingest.cosmos(catalog, tmp_path / "whole", exclude="none")
    cut = ingest.cosmos(catalog, tmp_path / "cut", exclude="none", options=SetOptions(where="mag=20.6.."))
    rows = [list(whole.catalog["object_id"]).index(name) for name in cut.catalog["object_id"]]
    assert 0 < len(rows) < N
    for one, other in zip(
        read_psfs(tmp_path / "whole", rows), read_psfs(tmp_path / "cut", range(len(rows))), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_a_store_without_psfs_says_so(write_cutout, random_stamp, tmp_path):
    folder = write_cutout("a.fits", random_stamp(8, 8))
    ingest.fits(folder, tmp_path / "set")
    with pytest.raises(InputError, match="has no PSFs"):
        read_psfs(tmp_path / "set", [0])
    with pytest.raises(InputError, match="no noise correlation 'cf'; it has none"):
        read_noise_correlation(tmp_path / "set", "cf")


def test_rows_without_images_stop_or_are_counted(catalog, tmp_path):
    (catalog.parent / "images_n2.fits").unlink()
    with pytest.raises(
        InputError, match=r"images_n2\.fits: the catalog names this file, and it is not there"
    ):
        ingest.cosmos(catalog, tmp_path / "set", exclude="none")
    assert not (tmp_path / "set").exists()
    options = SetOptions(on_bad="skip")
    images = ingest.cosmos(catalog, tmp_path / "set", exclude="none", options=options)
    assert images.catalog.meta["left_out"] == {"without an image": 4}


def test_a_wrong_number_of_an_hdu_and_a_missing_psf_are_counted(catalog, tmp_path):
    def change(table):
        table["GAL_HDU"][1] = 99

    rewritten(catalog, change)
    with pytest.raises(InputError, match=r"images_n2\.fits: has no HDU 99"):
        ingest.cosmos(catalog, tmp_path / "set", exclude="none")
    (catalog.parent / "psf_n1.fits").unlink()
    options = SetOptions(on_bad="skip")
    images = ingest.cosmos(catalog, tmp_path / "set", exclude="none", options=options)
    assert images.catalog.meta["left_out"] == {"without a PSF": 4, "without an image": 1}


def test_a_truncated_file_of_images_is_named(catalog, tmp_path):
    path = catalog.parent / "images_n1.fits"
    path.write_bytes(path.read_bytes()[:-4000])
    with pytest.raises(InputError, match=r"images_n1\.fits.*(truncated|no HDU)"):
        ingest.cosmos(catalog, tmp_path / "set", exclude="none")


def test_pixels_that_are_not_finite_are_named(catalog, tmp_path):
    with fits.open(catalog.parent / "images_n1.fits", mode="update") as units:
        units[1].data[3, 3] = np.nan
    with pytest.raises(InputError, match=r"images_n1\.fits\[1\] \(IDENT 502\): 1 of 576 pixels are NaN"):
        ingest.cosmos(catalog, tmp_path / "set", exclude="none")


def test_a_psf_without_light_is_named(catalog, tmp_path):
    with fits.open(catalog.parent / "psf_n2.fits", mode="update") as units:
        units[0].data[...] = 0
    with pytest.raises(InputError, match=r"\(IDENT 501\): its PSF sums to 0, wanted a positive sum"):
        ingest.cosmos(catalog, tmp_path / "set", exclude="none")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda table: table.remove_column("PSF_HDU"), "lacks PSF_HDU, so it is no catalog"),
        (lambda table: table[:0], "has no rows"),
        (
            lambda table: table.replace_column("PIXEL_SCALE", np.linspace(0.03, 0.05, N)),
            "several PIXEL_SCALE: 0.03, 0.03",
        ),
        (lambda table: table.replace_column("IDENT", np.arange(N)), "has no rows for 8 galaxies"),
    ],
)
def test_a_wrong_catalog_is_named(catalog, change, said):
    rewritten(catalog, change)
    with pytest.raises(InputError, match=said):
        RealGalaxySource(catalog)


def test_two_catalogs_in_a_folder_ask_which(catalog, tmp_path):
    (catalog.parent / "real_galaxy_catalog_25.2.fits").write_bytes(catalog.read_bytes())
    with pytest.raises(InputError, match=r"holds 2 catalogs .*give the file that is meant"):
        ingest.cosmos(catalog.parent, tmp_path / "set")


def test_a_file_that_is_no_table_is_named(tmp_path):
    fits.PrimaryHDU(np.eye(4)).writeto(tmp_path / "image.fits")
    with pytest.raises(InputError, match=r"image\.fits: is not a FITS table"):
        ingest.cosmos(tmp_path / "image.fits", tmp_path / "set")


@pytest.mark.real_data
def test_the_real_catalog(shared_data, tmp_path):
    path = shared_data / "hst_cosmos_f814w_realgal" / "btk" / "real_galaxy_catalog_26_extension_example.fits"
    images = ingest.cosmos(path, tmp_path / "set")
    real = galsim.RealGalaxyCatalog(str(path))
    assert len(images) == 100
    psfs = read_psfs(tmp_path / "set", np.arange(100))
    for row in (0, 37, 99):
        np.testing.assert_array_equal(images[row][0], real.getGalImage(row).array.astype(np.float32))
        psf = real.getPSFImage(row).array
        np.testing.assert_allclose(psfs[row], psf / psf.sum(), rtol=1e-5, atol=1e-9)
    real.close()
    sums = np.array([images[row].sum(dtype=np.float64) for row in range(100)])
    off = images.header.zero_points_mag["F814W"] - 2.5 * np.log10(sums) - np.asarray(images.catalog["mag"])
    # SExtractor's magnitudes of the COSMOS catalog; the stamps hold a neighbor's light or lose some of a wing.
    assert abs(np.median(off)) < 0.15
    correlation = read_noise_correlation(tmp_path / "set", images.catalog["noise_correlation"][0])
    assert correlation.shape == (81, 81)
    assert 0.3 < correlation[40, 41] < 0.7  # drizzled pixels are correlated


@pytest.mark.real_data
@pytest.mark.parametrize("level", EXCLUSION_LEVELS)
def test_the_real_tables_exclude_as_galsim_does(shared_data, level):
    folder = shared_data / "hst_cosmos_f814w_realgal" / "btk"
    name = "real_galaxy_catalog_23.5_example.fits"
    kept = galsim.COSMOSCatalog(name, dir=str(folder), exclusion_level=level).orig_index
    source = RealGalaxySource(folder / name, exclude=level)
    assert set(range(100)) - set(source.listing.left_out) == set(kept.tolist())
    assert set(source.listing.faults) == set(range(100))  # its images are not among the shared data
