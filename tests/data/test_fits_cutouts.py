import gzip

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from astropy.wcs.utils import proj_plane_pixel_scales

from galsmith import ingest
from galsmith.data.options import SetOptions
from galsmith.data.readers.fits import pixel_scale_of
from galsmith.errors import InputError, OutputExistsError, SettingsError


def test_a_cutout_keeps_its_pixels_and_its_keywords(tmp_path, write_cutout, random_stamp):
    stamp = random_stamp(9, 9)
    folder = write_cutout(
        "a.fits",
        stamp.astype(">f4"),
        OBJECT="NGC 1",
        MAG=20.5,
        NCOMBINE=4,
        FLAG=True,
        BUNIT="nJy",
        FILTER="r",
    )
    images = ingest.fits(folder, tmp_path / "set", pixel_scale_arcsec=0.06)
    np.testing.assert_array_equal(images[0][0], stamp)
    assert images[0].dtype.isnative
    assert (images.header.bands, images.header.flux_unit, images.header.pixel_scale_arcsec) == (
        ("r",),
        "nJy",
        0.06,
    )
    row = images.catalog[0]
    assert (row["object_id"], row["OBJECT"], row["MAG"], row["NCOMBINE"], row["FLAG"]) == (
        "a",
        "NGC 1",
        20.5,
        4,
        True,
    )
    assert not {"NAXIS", "BITPIX", "SIMPLE", "BUNIT"} & set(images.catalog.colnames)


@pytest.mark.parametrize("name", ["a.fits", "a.fit", "a.FITS", "a.fits.gz", "a.fit.gz", "a.fts"])
def test_all_suffixes_are_read(tmp_path, write_cutout, random_stamp, name):
    folder = write_cutout(name, random_stamp(6, 6))
    images = ingest.fits(folder, tmp_path / "set")
    assert list(images.catalog["object_id"]) == ["a"]
    assert images.header.flux_unit == "unknown"
    assert images.header.pixel_scale_arcsec is None
    np.testing.assert_array_equal(images[0][0], random_stamp(6, 6))


@pytest.mark.parametrize("kind", [np.int16, np.int32, np.uint16, np.float64])
def test_other_number_types_become_float32(tmp_path, write_cutout, kind):
    values = np.arange(36).reshape(6, 6).astype(kind)
    images = ingest.fits(write_cutout("a.fits", values), tmp_path / "set")
    np.testing.assert_array_equal(images[0][0], values.astype(np.float32))


def test_bands_come_first(tmp_path, write_cutout, random_stamp):
    cube = random_stamp(3, 6, 6)
    folder = write_cutout("a.fits", cube)
    named = ingest.fits(folder, tmp_path / "named", bands=("g", "r", "i"))
    np.testing.assert_array_equal(named[0], cube)
    assert named.header.bands == ("g", "r", "i")
    assert ingest.fits(folder, tmp_path / "numbered").header.bands == ("band0", "band1", "band2")
    with pytest.raises(SettingsError, match=r"`bands=g,r`: names 2 bands, .*a\.fits has 3"):
        ingest.fits(folder, tmp_path / "wrong", bands=("g", "r"))


def test_bands_and_zero_points_are_read_where_files_agree(tmp_path, write_cutout, random_stamp):
    keywords = {"BAND1": "g", "BAND2": "r", "MAGZP1": 25.0, "MAGZP2": 26.5}
    write_cutout("a.fits", random_stamp(2, 8, 8), **keywords)
    folder = write_cutout("b.fits", random_stamp(2, 8, 8), **keywords)
    images = ingest.fits(folder, tmp_path / "store")
    assert images.header.bands == ("g", "r")
    assert images.header.zero_points_mag == {"g": 25.0, "r": 26.5}
    write_cutout("c.fits", random_stamp(2, 8, 8), **(keywords | {"MAGZP2": 27.0}))
    differing = ingest.fits(folder, tmp_path / "differing")
    assert differing.header.zero_points_mag == {}
    assert list(differing.catalog["MAGZP2"]) == [26.5, 26.5, 27.0]


def test_hdus_by_number_and_by_name(tmp_path, random_stamp):
    (tmp_path / "in").mkdir()
    primary = fits.PrimaryHDU()
    primary.header["OBJECT"] = "NGC 1"
    science = fits.ImageHDU(random_stamp(6, 6), name="SCI")
    science.header["EXPTIME"] = 30.0
    table = fits.BinTableHDU.from_columns([fits.Column("x", "E", array=np.zeros(3))], name="CAT")
    fits.HDUList([primary, science, table]).writeto(tmp_path / "in" / "a.fits")
    for number, hdu in enumerate((1, "SCI", "sci")):
        images = ingest.fits(tmp_path / "in", tmp_path / f"set{number}", hdu=hdu)
        np.testing.assert_array_equal(images[0][0], random_stamp(6, 6))
        assert (images.catalog["OBJECT"][0], images.catalog["EXPTIME"][0]) == ("NGC 1", 30.0)
    first = ingest.fits(tmp_path / "in", tmp_path / "first")
    np.testing.assert_array_equal(first[0][0], random_stamp(6, 6))
    assert first.provenance.settings["hdu"] == 1
    with pytest.raises(
        InputError, match=r"HDU 0 holds no image, .*images are in 1 \(SCI\): choose with `hdu`"
    ):
        ingest.fits(tmp_path / "in", tmp_path / "none", hdu=0)
    with pytest.raises(InputError, match=r"has no HDU ERR; images are in 1 \(SCI\)"):
        ingest.fits(tmp_path / "in", tmp_path / "none", hdu="ERR")
    with pytest.raises(InputError, match="HDU CAT holds no image, wanted"):
        ingest.fits(tmp_path / "in", tmp_path / "none", hdu="CAT")


def test_compressed_images_are_read(tmp_path):
    (tmp_path / "in").mkdir()
    values = np.arange(400, dtype=np.int32).reshape(20, 20)
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(values)]).writeto(tmp_path / "in" / "a.fits")
    images = ingest.fits(tmp_path / "in", tmp_path / "set", hdu=1)
    np.testing.assert_array_equal(images[0][0], values)


@pytest.mark.parametrize(
    "keywords",
    [
        {"CD1_1": -5e-5, "CD1_2": 1e-5, "CD2_1": 1e-5, "CD2_2": 5e-5},
        {"CDELT1": -5e-5, "CDELT2": 5e-5},
        {"CDELT1": -5e-5, "CDELT2": 5e-5, "PC1_1": 0.8, "PC1_2": -0.6, "PC2_1": 0.6, "PC2_2": 0.8},
        {"PC1_1": -5e-5, "PC2_2": 5e-5, "CDELT1": 1.0, "CDELT2": 1.0},
    ],
)
def test_pixel_scales_are_those_of_astropy(keywords):
    header = fits.Header()
    header.update({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 10.0, "CRVAL2": 5.0, **keywords})
    scales = proj_plane_pixel_scales(WCS(header)) * 3600
    assert pixel_scale_of(header) == pytest.approx(np.sqrt(np.prod(scales)), rel=0.05)
    area = abs(np.linalg.det(WCS(header).pixel_scale_matrix))
    assert pixel_scale_of(header) == pytest.approx(np.sqrt(area) * 3600, rel=1e-12)


@pytest.mark.parametrize(
    ("keywords", "wanted"),
    [
        ({}, None),
        ({"CDELT1": 1.0, "CDELT2": 1.0}, None),
        ({"CDELT1": 1.0, "CDELT2": 1.0, "PIXSCALE": 0.06}, 0.06),
        ({"PIXSCALE": 0.06}, 0.06),
        ({"PIXSCALE": "fine"}, None),
        ({"PIXSCALE": -1.0}, None),
        ({"CDELT1": 0.2, "CDELT2": 0.2, "CUNIT1": "arcsec"}, 0.2),
        ({"CD1_1": 0.0, "CD2_2": 0.0}, None),
        ({"CDELT1": "broken", "CDELT2": 0.2}, None),
        ({"CDELT1": 2.0, "CDELT2": 2.0, "CUNIT1": "Angstrom"}, None),
    ],
)
def test_headers_without_angles_give_none(keywords, wanted):
    assert pixel_scale_of(keywords) == (wanted if wanted is None else pytest.approx(wanted))


def test_the_header_gives_the_scale_and_resizing_changes_it(tmp_path, write_cutout, random_stamp):
    scale = {"CDELT1": -0.06 / 3600, "CDELT2": 0.06 / 3600, "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN"}
    folder = write_cutout("a.fits", random_stamp(12, 12), BUNIT="nJy", **scale)
    images = ingest.fits(folder, tmp_path / "set", options=SetOptions(crop_pix=8, resize_pix=4))
    assert images.header.pixel_scale_arcsec == pytest.approx(0.12)
    assert images[0].sum() == pytest.approx(random_stamp(12, 12)[2:10, 2:10].sum(), rel=1e-5)


def test_sizes_that_differ_get_their_own_scale(tmp_path, write_cutout, random_stamp):
    write_cutout("a.fits", random_stamp(12, 12))
    folder = write_cutout("b.fits", random_stamp(24, 24))
    options = SetOptions(resize_pix=6)
    images = ingest.fits(folder, tmp_path / "set", pixel_scale_arcsec=0.1, options=options)
    assert images.header.pixel_scale_arcsec is None
    assert list(images.catalog["pixel_scale_arcsec"]) == pytest.approx([0.2, 0.4])
    assert list(images.catalog["native_size_pix"]) == [12, 24]


def test_a_given_scale_may_not_contradict_the_header(tmp_path, write_cutout, random_stamp):
    folder = write_cutout("a.fits", random_stamp(6, 6), CDELT1=-1e-4, CDELT2=1e-4, CTYPE1="RA---TAN")
    with pytest.raises(
        SettingsError, match=r"`pixel_scale_arcsec=0.06`: the header of .*a\.fits says 0.36 arcsec"
    ):
        ingest.fits(folder, tmp_path / "set", pixel_scale_arcsec=0.06)
    with pytest.raises(SettingsError, match="wanted a positive angle"):
        ingest.fits(folder, tmp_path / "set", pixel_scale_arcsec=0.0)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        (
            ({"CDELT1": 1e-4, "CDELT2": 1e-4}, {"CDELT1": 2e-4, "CDELT2": 2e-4}),
            r"b\.fits: its pixels are 0.72 arcsec, those of a\.fits 0.36",
        ),
        (({"BUNIT": "nJy"}, {"BUNIT": "mJy"}), r"b\.fits: BUNIT is mJy, in a\.fits it is nJy"),
        (({"FILTER": "g"}, {"FILTER": "r"}), r"b\.fits: FILTER is r, in a\.fits it is g"),
    ],
)
def test_mixed_files_name_both(tmp_path, write_cutout, random_stamp, keywords, message):
    write_cutout("a.fits", random_stamp(6, 6), **keywords[0])
    folder = write_cutout("b.fits", random_stamp(6, 6), **keywords[1])
    with pytest.raises(InputError, match=message):
        ingest.fits(folder, tmp_path / "set")
    assert not (tmp_path / "set").exists()


def test_mixed_numbers_of_bands_name_both(tmp_path, write_cutout, random_stamp):
    write_cutout("a.fits", random_stamp(6, 6))
    folder = write_cutout("b.fits", random_stamp(3, 6, 6))
    with pytest.raises(InputError, match=r"b\.fits: the number of bands is 3, in a\.fits it is 1"):
        ingest.fits(folder, tmp_path / "set")


@pytest.mark.parametrize(
    ("shape", "side"), [((40, 40), 28), ((41, 40), 28), ((40, 60), 28), ((40, 24), None)]
)
def test_the_middle_that_is_finite_is_named_as_the_way_out(tmp_path, write_cutout, random_stamp, shape, side):
    stamp = random_stamp(*shape)
    stamp[:6], stamp[:, :5] = np.nan, np.nan
    folder = write_cutout("a.fits", stamp)
    found = f"the middle {side} x {side} are not \\(`crop_pix={side}`\\)" if side else "NaN or infinite; mend"
    with pytest.raises(InputError, match=found):
        ingest.fits(folder, tmp_path / "set")
    if side:
        assert len(ingest.fits(folder, tmp_path / "set", options=SetOptions(crop_pix=side))) == 1
        with pytest.raises(InputError, match="NaN or infinite"):
            ingest.fits(folder, tmp_path / "more", options=SetOptions(crop_pix=side + 2))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_pixels_that_are_not_finite_are_counted(tmp_path, write_cutout, random_stamp, value):
    write_cutout("a.fits", random_stamp(8, 8))
    holed = random_stamp(8, 8)
    holed[0, :3] = value
    folder = write_cutout("b.fits", holed)
    with pytest.raises(InputError, match=r"b\.fits: 3 of 64 pixels are NaN or infinite; .* `on_bad=skip`"):
        ingest.fits(folder, tmp_path / "set")
    images = ingest.fits(folder, tmp_path / "skip", options=SetOptions(on_bad="skip"))
    assert list(images.catalog["object_id"]) == ["a"]
    assert images.catalog.meta["left_out"] == {"not finite": 1}
    cropped = ingest.fits(folder, tmp_path / "crop", options=SetOptions(crop_pix=4))
    assert len(cropped) == 2


@pytest.mark.parametrize("value", [0.0, 7.5])
def test_constant_images_are_refused(tmp_path, write_cutout, value):
    folder = write_cutout("a.fits", np.full((6, 6), value, dtype=np.float32))
    with pytest.raises(InputError, match=rf"a\.fits: all pixels are {value:g}"):
        ingest.fits(folder, tmp_path / "set")


def test_a_constant_band_is_refused(tmp_path, write_cutout, random_stamp):
    cube = random_stamp(3, 6, 6)
    cube[1] = 0
    with pytest.raises(InputError, match=r"a\.fits: all pixels in band 1 are 0"):
        ingest.fits(write_cutout("a.fits", cube), tmp_path / "set")


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("share", [0.02, 0.6])
def test_truncated_files_are_named(tmp_path, write_cutout, random_stamp, compressed, share):
    name = "b.fits.gz" if compressed else "b.fits"
    write_cutout("a.fits", random_stamp(80, 80))
    folder = write_cutout(name, random_stamp(80, 80, seed=1))
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(InputError, match=rf"{name}: .*`on_bad=skip`"):
        ingest.fits(folder, tmp_path / "set")
    images = ingest.fits(folder, tmp_path / "set", options=SetOptions(on_bad="skip"))
    assert list(images.catalog["object_id"]) == ["a"]
    assert images.catalog.meta["left_out"] == {"truncated or damaged": 1}


def test_two_files_of_one_stem_are_refused(tmp_path, write_cutout, random_stamp):
    write_cutout("a.fits", random_stamp(6, 6))
    folder = write_cutout("a.fits.gz", random_stamp(6, 6))
    with pytest.raises(InputError, match=r"a\.fits\.gz: has the stem of a\.fits"):
        ingest.fits(folder, tmp_path / "set")


def test_other_content_under_a_fits_name_is_named(tmp_path, write_cutout, random_stamp):
    folder = write_cutout("a.fits", random_stamp(6, 6))
    (folder / "b.fits").write_text("no FITS at all")
    (folder / "c.fits.gz").write_bytes(gzip.compress(b"no FITS either"))
    with pytest.raises(InputError, match=r"b\.fits: not a FITS file that can be read"):
        ingest.fits(folder, tmp_path / "set")
    images = ingest.fits(folder, tmp_path / "set", options=SetOptions(on_bad="skip"))
    assert len(images) == 1


def test_a_line_of_pixels_is_no_image(tmp_path, write_cutout, random_stamp):
    folder = write_cutout("a.fits", random_stamp(6))
    with pytest.raises(
        InputError, match=r"HDU 0 holds an array of 1 axes, wanted \[y, x\] or \[band, y, x\]"
    ):
        ingest.fits(folder, tmp_path / "set", hdu=0)
    with pytest.raises(InputError, match=r"holds no image of two or three axes \(0 PRIMARY \(6,\)\)"):
        ingest.fits(folder, tmp_path / "set")


def test_a_crop_larger_than_an_image_names_it(tmp_path, write_cutout, random_stamp):
    write_cutout("a.fits", random_stamp(20, 20))
    folder = write_cutout("b.fits", random_stamp(8, 8))
    with pytest.raises(
        InputError,
        match=r"b\.fits: has 8x8 px, less than `crop_pix=16` .*leave them out with `minimum_size_pix=16`",
    ):
        ingest.fits(folder, tmp_path / "set", options=SetOptions(crop_pix=16))
    images = ingest.fits(folder, tmp_path / "set", options=SetOptions(crop_pix=16, minimum_size_pix=16))
    assert len(images) == 1
    assert images.catalog.meta["left_out"] == {"smaller than 16 px": 1}


def test_resizing_what_is_not_square_is_refused(tmp_path, write_cutout, random_stamp):
    folder = write_cutout("a.fits", random_stamp(20, 24))
    with pytest.raises(
        InputError, match=r"a\.fits: has 20x24 px, `resize_pix` wants a square; cut one out with `crop_pix`"
    ):
        ingest.fits(folder, tmp_path / "set", options=SetOptions(resize_pix=10))
    images = ingest.fits(folder, tmp_path / "set", options=SetOptions(crop_pix=20, resize_pix=10))
    assert images[0].shape == (1, 10, 10)


def test_large_images_come_in_smaller_chunks(tmp_path, write_cutout, random_stamp, monkeypatch):
    monkeypatch.setattr("galsmith.data.readers.to_store.BYTES_PER_CHUNK", 2 * 4 * 8 * 8)
    for name in "abcde":
        folder = write_cutout(f"{name}.fits", random_stamp(8, 8))
    images = ingest.fits(folder, tmp_path / "set")
    assert len(list((tmp_path / "set" / "images").glob("*.h5"))) == 3
    assert list(images.catalog["object_id"]) == list("abcde")


def test_keywords_that_some_files_lack_are_missing_there(tmp_path, write_cutout, random_stamp):
    write_cutout("a.fits", random_stamp(6, 6), MAG=20, NOTE="one")
    folder = write_cutout("b.fits", random_stamp(6, 6))
    table = ingest.fits(folder, tmp_path / "set").catalog
    assert table["MAG"][0] == 20
    assert np.isnan(table["MAG"][1])
    assert list(table["NOTE"]) == ["one", ""]


def test_what_is_in_the_way_is_refused_before_files_are_read(tmp_path, write_cutout, random_stamp):
    folder = write_cutout("a.fits", random_stamp(6, 6))
    (tmp_path / "set").write_text("mine")
    events = []
    with pytest.raises(OutputExistsError, match="already exists"):
        ingest.fits(folder, tmp_path / "set", progress=events.append)
    assert events == []
