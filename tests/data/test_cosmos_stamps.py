"""The published COSMOS postage stamps, written here in their format: a folder, and an archive of it."""

import gzip
import tarfile

import numpy as np
import pytest
from astropy.io import fits

from galsmith import ingest
from galsmith.data.options import SetOptions
from galsmith.errors import InputError, OutputExistsError, SettingsError

SIZES = (48, 20, 33, 40)


@pytest.fixture
def stamps(tmp_path):
    """Four square stamps by identifier, and the folder they are in, among other files of the data release."""
    folder = tmp_path / "cosmos_galaxy_postage_stamps"
    folder.mkdir()
    rng = np.random.default_rng(1)
    pixels = {}
    for number, size in enumerate(SIZES):
        ident = 100027 + 400 * number
        pixels[str(ident)] = rng.normal(0.1, 0.01, (size, size)).astype(np.float32)
        name = f"{ident}.0_{150.1 + number / 100:.6f}_{1.6 + number / 10:.6f}"
        fits.PrimaryHDU(pixels[str(ident)]).writeto(folder / f"{name}_processed.fits.gz")
        fits.PrimaryHDU(np.ones((5, 5))).writeto(folder / f"{name}.psf.fits.gz")
    return folder, pixels


@pytest.fixture
def archive(stamps, tmp_path):
    """The same stamps in a tar archive, below a folder."""
    path = tmp_path / "stamps.tar"
    with tarfile.open(path, "w") as tar:
        tar.add(stamps[0], arcname="cosmos_galaxy_postage_stamps")
    return path


def test_stamps_keep_pixels_names_positions_and_units(stamps, tmp_path):
    folder, pixels = stamps
    images = ingest.cosmos(folder, tmp_path / "set")
    assert list(images.catalog["object_id"]) == list(pixels)
    for image, stamp in zip(images.pixels.read(np.arange(4)), pixels.values(), strict=True):
        np.testing.assert_array_equal(image, stamp[np.newaxis])
    assert (images.header.bands, images.header.flux_unit, images.header.pixel_scale_arcsec) == (
        ("F814W",),
        "electron / s",
        0.03,
    )
    assert images.header.zero_points_mag == {"F814W": 25.94}
    np.testing.assert_allclose(images.catalog["ra"].to_value("deg"), [150.1, 150.11, 150.12, 150.13])
    np.testing.assert_allclose(images.catalog["dec"].to_value("deg"), [1.6, 1.7, 1.8, 1.9])


def test_the_folder_above_will_do(stamps, tmp_path_factory):
    assert len(ingest.cosmos(stamps[0].parent, tmp_path_factory.mktemp("beside") / "set")) == 4


def test_an_archive_gives_the_same_store_and_is_not_unpacked(stamps, archive, tmp_path):
    of_folder = ingest.cosmos(stamps[0], tmp_path / "a")
    before = sorted(tmp_path.rglob("*"))
    of_archive = ingest.cosmos(archive, tmp_path / "b")
    assert of_archive.content_hash == of_folder.content_hash
    made = [path for path in tmp_path.rglob("*") if path not in before]
    assert all(tmp_path / "b" in (path, *path.parents) for path in made)


def test_a_crop_drops_smaller_stamps_and_counts_them(stamps, tmp_path):
    folder, pixels = stamps
    images = ingest.cosmos(folder, tmp_path / "set", options=SetOptions(crop_pix=32))
    assert images.catalog.meta["left_out"] == {"smaller than 32 px": 1}
    assert list(images.catalog["native_size_pix"]) == [48, 33, 40]
    # int(48 / 2) - int(32 / 2) = 8, as the paper's own script crops.
    np.testing.assert_array_equal(images[0][0], pixels["100027"][8:40, 8:40])
    np.testing.assert_array_equal(images[1][0], pixels["100827"][0:32, 0:32])


def test_a_smaller_minimum_than_the_crop_is_refused_by_name(stamps, tmp_path):
    with pytest.raises(InputError, match=r"100427.*has 20x20 px, less than `crop_pix=32` \(1 such images\)"):
        ingest.cosmos(stamps[0], tmp_path / "set", options=SetOptions(crop_pix=32, minimum_size_pix=8))


def test_other_names_stay_names(tmp_path):
    folder = tmp_path / "stamps"
    folder.mkdir()
    for name in ("spiral", "100027.0_150.1_1.6"):
        fits.PrimaryHDU(np.eye(8, dtype=np.float32)).writeto(folder / f"{name}_processed.fits")
    images = ingest.cosmos(folder, tmp_path / "set")
    assert list(images.catalog["object_id"]) == ["100027.0_150.1_1.6", "spiral"]


@pytest.mark.parametrize("kind", ["folder", "archive"])
def test_a_truncated_stamp_stops_or_is_skipped(stamps, kind, tmp_path):
    folder, _ = stamps
    path = next(folder.glob("100427*_processed.fits.gz"))
    path.write_bytes(path.read_bytes()[:-300])
    place = folder
    if kind == "archive":
        place = tmp_path / "stamps.tar"
        with tarfile.open(place, "w") as tar:
            tar.add(folder, arcname="stamps")
    with pytest.raises(InputError, match=r"100427.*truncated|100427.*not a FITS file that can be read"):
        ingest.cosmos(place, tmp_path / "set")
    assert not (tmp_path / "set").exists()
    images = ingest.cosmos(place, tmp_path / "set", options=SetOptions(on_bad="skip"))
    assert images.catalog.meta["left_out"] == {"truncated or damaged": 1}
    assert len(images) == 3


def test_a_truncated_archive_is_named(archive, tmp_path):
    archive.write_bytes(archive.read_bytes()[:700])
    with pytest.raises(InputError, match=r"stamps\.tar: is not a tar archive that can be read to its end"):
        ingest.cosmos(archive, tmp_path / "set")


def test_an_archive_cut_between_two_files_is_named(archive, tmp_path):
    with tarfile.open(archive) as tar:
        second = tar.getmembers()[2].offset
    archive.write_bytes(archive.read_bytes()[:second])
    with pytest.raises(InputError, match="ends without the mark that ends an archive"):
        ingest.cosmos(archive, tmp_path / "set")


def test_an_archive_compressed_as_a_whole_says_the_way_out(archive, tmp_path):
    packed = tmp_path / "stamps.tar.gz"
    packed.write_bytes(gzip.compress(archive.read_bytes()))
    with pytest.raises(
        InputError, match=r"compressed as a whole.*decompress it to stamps\.tar, or unpack it"
    ):
        ingest.cosmos(packed, tmp_path / "set")


def test_an_archive_of_other_things_is_named(tmp_path):
    (tmp_path / "a.txt").write_text("nothing")
    with tarfile.open(tmp_path / "other.tar", "w") as tar:
        tar.add(tmp_path / "a.txt", arcname="a.txt")
    with pytest.raises(InputError, match=r"other\.tar: holds no _processed\.fits\.gz .* among its 1"):
        ingest.cosmos(tmp_path / "other.tar", tmp_path / "set")


def test_two_stamps_of_one_name_in_an_archive_are_named(stamps, tmp_path):
    with tarfile.open(tmp_path / "two.tar", "w") as tar:
        tar.add(stamps[0], arcname="a")
        tar.add(stamps[0], arcname="b")
    with pytest.raises(InputError, match=r"two\.tar:b/100027.*has the stem of a/100027"):
        ingest.cosmos(tmp_path / "two.tar", tmp_path / "set")


def test_a_folder_of_neither_layout_says_what_was_wanted(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"holds neither \*_processed\.fits\.gz.*nor a real_galaxy_catalog"):
        ingest.cosmos(tmp_path / "empty", tmp_path / "set")
    with pytest.raises(InputError, match="there is no such folder or file"):
        ingest.cosmos(tmp_path / "absent", tmp_path / "set")


def test_exclusion_levels_are_for_catalogs(stamps, tmp_path):
    with pytest.raises(SettingsError, match="`exclude=marginal`: is for GalSim's catalogs"):
        ingest.cosmos(stamps[0], tmp_path / "set", exclude="marginal")


def test_a_finished_store_is_not_replaced(stamps, tmp_path):
    ingest.cosmos(stamps[0], tmp_path / "set")
    with pytest.raises(OutputExistsError, match="already exists"):
        ingest.cosmos(stamps[0], tmp_path / "set", seed=1)


def test_an_archive_resumes(archive, tmp_path, monkeypatch):
    monkeypatch.setattr("galsmith.data.readers.to_store.IMAGES_PER_CHUNK", 2)

    def stop(event):
        if event.stage == "ingesting" and event.done >= 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ingest.cosmos(archive, tmp_path / "a", progress=stop)
    resumed = ingest.cosmos(archive, tmp_path / "a")
    assert resumed.content_hash == ingest.cosmos(archive, tmp_path / "b").content_hash
