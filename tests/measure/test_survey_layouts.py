"""Files in the layouts of surveys: pixels, unit, scale, band and zero point come out right, masks and noise are taken."""

import logging

import h5py
import numpy as np
import pytest
from astropy.io import fits

from galsmith import ingest
from galsmith.data.galaxies import FileRequest, open_galaxies
from galsmith.errors import InputError, SettingsError
from galsmith.measure import MeasureSettings, measured, morphology
from galsmith.seeds import random_stream

QUICK = MeasureSettings(quantities=("morphology",), sersic="none")


def coordinates(scale_arcsec, *, matrix="CD"):
    step = scale_arcsec / 3600
    cards = {
        "CTYPE1": "RA---TAN",
        "CTYPE2": "DEC--TAN",
        "CRVAL1": 150.0,
        "CRVAL2": 2.0,
        "CRPIX1": 40.5,
        "CRPIX2": 40.5,
    }
    if matrix == "CD":
        return cards | {"CD1_1": -step, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": step}
    return cards | {
        "PC1_1": -1.0,
        "PC2_2": 1.0,
        "CDELT1": step,
        "CDELT2": step,
        "CUNIT1": "deg",
        "CUNIT2": "deg",
    }


def unit_of(pixels, cards=None, *, name="", kind=fits.ImageHDU):
    unit = kind(pixels)
    unit.header.update(cards or {})
    if name:
        unit.name = name
    return unit


def des(image, noise, mask, light):
    """A coadd of DES: packed, SCI, MSK and WGT; FILTER in words, MAGZERO 30; STAR (32) marks light, SATURATE (2) damage."""
    cards = {
        **coordinates(0.263),
        "FILTER": "g DECam SDSS c0001 4720.0 1520.0",
        "BAND": "g",
        "MAGZERO": 30.0,
        "GAIN": 4.1,
    }
    made = {"compression_type": "GZIP_2", "quantize_level": 0.0}
    units = [fits.PrimaryHDU()]
    for pixels, name in (
        (image.astype(np.float32), "SCI"),
        ((mask * 2 + light * 32).astype(np.int32), "MSK"),
        (noise**-2, "WGT"),
    ):
        unit = fits.CompImageHDU(pixels, name=name, **made)
        unit.header.update(cards)
        units.append(unit)
    return "g.fits.fz", units


HST_SCIENCE = {"BUNIT": "ELECTRONS/S", "PHOTFLAM": 7.0331e-20, "PHOTPLAM": 8045.0, "PHOTZPT": -21.1}
HST_FIRST = {
    "TELESCOP": "HST",
    "INSTRUME": "ACS",
    "FILTER1": "CLEAR1L",
    "FILTER2": "F814W",
    "EXPTIME": 2028.0,
}
TIMES = {"D001DEXP": 507.0, "D002DEXP": 1521.0, "D001OUUN": "cps"}
BY_TIME = TIMES | {"D001WTSC": 507.0, "D002WTSC": 1521.0}
BY_VARIANCE = TIMES | {"D001WTSC": 507.0**2 / 0.6**4, "D002WTSC": 1521.0**2 / 0.6**4}


def hst(image, noise, mask, light, drizzled=BY_VARIANCE):
    """A drizzled image of ACS: the first HDU has the filters and how it was drizzled; SCI, WHT and CTX; e- / s."""
    del light
    weights = np.where(mask, 0, noise**-2 if drizzled is BY_VARIANCE else 2028.0)
    return "j_drz.fits", [
        unit_of(None, HST_FIRST | drizzled, kind=fits.PrimaryHDU),
        unit_of(image.astype(np.float32), {**coordinates(0.05), **HST_SCIENCE}, name="SCI"),
        unit_of(weights, name="WHT"),
        unit_of(1 - mask.astype(np.int32), name="CTX"),
    ]


def hst_exposure(image, noise, mask, light):
    """One exposure of ACS of two chips: SCI, ERR and DQ of each, and tables of distortion; CR (4096) and WARM (64)."""
    first = unit_of(None, HST_FIRST, kind=fits.PrimaryHDU)
    units = [first]
    for version in (1, 2):
        turned = slice(None) if version == 1 else slice(None, None, -1)
        science = {**coordinates(0.05), **HST_SCIENCE, "BUNIT": "ELECTRONS"}
        for pixels, cards, name in (
            (image[turned].astype(np.float32), science, "SCI"),
            (noise[turned].astype(np.float32), {"BUNIT": "ELECTRONS"}, "ERR"),
            ((mask * 4096 + light * 64)[turned].astype(np.int16), {}, "DQ"),
        ):
            unit = unit_of(pixels, cards, name=name)
            unit.ver = version
            units.append(unit)
    return "j_flc.fits", units


HSC_BITS = ("BAD", "SAT", "INTRP", "CR", "EDGE", "DETECTED", "DETECTED_NEGATIVE", "SUSPECT", "NO_DATA")


def hsc(image, noise, mask, light):
    """A cutout of HSC: IMAGE, MASK and VARIANCE; FLUXMAG0 of 27 mag in the first HDU; the galaxy is DETECTED."""
    first = {"FILTER": "HSC-I", "FLUXMAG0": 63095734448.0194}
    place = coordinates(0.168)
    planes = {f"HIERARCH MP_{name}": number for number, name in enumerate(HSC_BITS)}
    bits = (mask * 2 + light * 32 + 4 * (light & ~mask)).astype(np.int32)
    return "cutout-HSC-I.fits", [
        unit_of(None, first, kind=fits.PrimaryHDU),
        unit_of(image.astype(np.float32), place, name="IMAGE"),
        unit_of(bits, place | planes, name="MASK"),
        unit_of((noise**2).astype(np.float32), place, name="VARIANCE"),
    ]


def jwst(image, noise, mask, light):
    """A mosaic of NIRCam: MJy / sr, PIXAR_SR, a filter in PUPIL behind a wider one, ERR, DQ and variances."""
    area = (0.03 / 206264.80624709636) ** 2
    first = {"TELESCOP": "JWST", "INSTRUME": "NIRCAM", "FILTER": "F150W2", "PUPIL": "F162M"}
    science = {**coordinates(0.03, matrix="PC"), "BUNIT": "MJy/sr", "PHOTMJSR": 1.9, "PIXAR_SR": area}
    squares = (noise**2).astype(np.float32)
    return "jw_i2d.fits", [
        unit_of(None, first, kind=fits.PrimaryHDU),
        unit_of(image.astype(np.float32), science, name="SCI"),
        unit_of(noise.astype(np.float32), {"BUNIT": "MJy/sr"}, name="ERR"),
        unit_of((mask + 4 * light + 2**31 * light).astype(np.uint32), name="DQ"),
        unit_of(np.full(image.shape, 2028.0, np.float32), name="WHT"),
        *(unit_of(squares / 3, name=f"VAR_{kind}") for kind in ("POISSON", "RNOISE", "FLAT")),
    ]


LEGACY = {**coordinates(0.262), "SURVEY": "DECaLS", "VERSION": "DR10", "BUNIT": "nanomaggy"}


def legacy(image, noise, mask, light):
    """A cutout of the Legacy Surveys: cubes of g, r, z in nanomaggies and of inverse variances; GALAXY (4096)."""
    cards = LEGACY | {"BANDS": "grz", "BAND0": "g", "BAND1": "r", "BAND2": "z"}
    factors = (0.5, 1.0, 1.5)
    return "cutout.fits", [
        unit_of(np.stack([image * k for k in factors]).astype(np.float32), cards, kind=fits.PrimaryHDU),
        unit_of(np.stack([(noise * k) ** -2 for k in factors]), name="INVVAR"),
        unit_of((mask * 8 + light * 4096).astype(np.int16), name="MASKBITS"),
    ]


def ccddata(image, noise, mask, light):
    """What astropy's CCDData writes: the image, MASK, and UNCERT whose UTYPE says what it is."""
    del light
    return "ccd.fits", [
        unit_of(
            image.astype(np.float32),
            {**coordinates(0.2), "BUNIT": "adu", "FILTER": "V"},
            kind=fits.PrimaryHDU,
        ),
        unit_of(mask.astype(np.uint8), name="MASK"),
        unit_of(noise**2, {"UTYPE": "VarianceUncertainty"}, name="UNCERT"),
    ]


def plain(image, noise, mask, light):
    """An image with IVAR beside it, as programs of many surveys write it."""
    del light
    return "plain.fits", [
        unit_of(
            image.astype(np.float32),
            {**coordinates(0.2), "BUNIT": "nJy", "FILTER": "r"},
            kind=fits.PrimaryHDU,
        ),
        unit_of(np.where(mask, 0, noise**-2), name="IVAR"),
    ]


# What a header has to come out as, and what is taken: survey, mask, noise.
HST_ZERO_POINT = -2.5 * np.log10(7.0331e-20) - 5 * np.log10(8045.0) - 2.408
OF_EXPOSURE = HST_ZERO_POINT + 2.5 * np.log10(2028.0)
JWST_ZERO_POINT = 8.9 - 2.5 * np.log10(1e6 * (0.03 / 206264.80624709636) ** 2)
LAYOUTS = {
    des: (("g",), "unknown", 0.263, 30.0, ("DES", "MSK", "WGT", "ivar")),
    hst: (("F814W",), "ELECTRONS/S", 0.05, HST_ZERO_POINT, ("HST", None, "WHT", "ivar")),
    hst_exposure: (("F814W",), "ELECTRONS", 0.05, OF_EXPOSURE, ("HST", "DQ", "ERR", "sigma")),
    hsc: (("HSC-I",), "unknown", 0.168, 27.0, ("HSC and LSST", "MASK", "VARIANCE", "variance")),
    jwst: (("F162M",), "MJy/sr", 0.03, JWST_ZERO_POINT, ("JWST", "DQ", "ERR", "sigma")),
    legacy: (("g", "r", "z"), "nanomaggy", 0.262, 22.5, ("Legacy Surveys", "MASKBITS", "INVVAR", "ivar")),
    ccddata: (("V",), "adu", 0.2, None, ("astropy CCDData", "MASK", "UNCERT", "variance")),
    plain: (("r",), "nJy", 0.2, 31.4, ("the HDU's name", None, "IVAR", "ivar")),
}
COLUMNS = ("r_half_pix", "asymmetry", "gini", "sky_sigma", "sn_per_pixel", "flux")


@pytest.fixture(scope="module")
def parts(sersic):
    """An image of 80 px, its noise, which grows to the right, damage of one corner and of a strip, and where light is."""
    image = sersic(80, r_eff=5.0, n=1.3, q=0.7, angle=0.6, flux=3000.0)
    noise = np.broadcast_to(np.linspace(0.03, 0.09, 80), image.shape).astype(np.float32).astype(np.float64)
    mask = np.zeros(image.shape, dtype=bool)
    mask[60:, 60:], mask[37:40, 42:48] = True, True
    light = image > 0.5
    image += random_stream(4, "tests.survey_layouts").normal(0, 1, image.shape) * noise
    image[mask] += 100.0
    return image.astype(np.float32).astype(np.float64), noise, mask, light


def number(row, column):
    return float(getattr(row[column], "value", row[column]))


def same(row, other, *, tolerance=1e-9):
    for column in COLUMNS:
        assert number(row, column) == pytest.approx(number(other, column), rel=tolerance), column


def written(folder, layout, parts, **options):
    name, units = layout(*parts, **options)
    folder.mkdir(parents=True, exist_ok=True)
    fits.HDUList(units).writeto(folder / name)
    return folder / name


def row_of(path, *, settings=QUICK, **options):
    return measured(open_galaxies(FileRequest((str(path),), **options)), settings=settings)[0]


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.__name__)
def test_a_survey_file_comes_out_right_through_both_doors(tmp_path, parts, layout):
    path = written(tmp_path / "in", layout, parts)
    bands, unit, scale, zero_point, _ = LAYOUTS[layout]
    galaxies = open_galaxies(FileRequest((str(path),)))
    images = ingest.fits(tmp_path / "in", tmp_path / "store")
    for header in (galaxies.header, images.header):
        assert (header.bands, header.flux_unit) == (bands, unit)
        assert header.pixel_scale_arcsec == pytest.approx(scale, rel=1e-6)
        points = {} if zero_point is None else dict.fromkeys(bands, pytest.approx(zero_point, abs=1e-4))
        assert dict(header.zero_points_mag) == points
    np.testing.assert_array_equal(images[0][len(bands) // 2], parts[0].astype(np.float32))


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.__name__)
def test_masks_and_noise_are_taken_as_if_they_were_handed_over(tmp_path, parts, layout, caplog):
    path = written(tmp_path, layout, parts)
    image, noise, mask, _ = parts
    survey, mask_word, noise_word, kind = LAYOUTS[layout][-1]
    caplog.set_level(logging.WARNING, logger="galsmith")
    galaxies = open_galaxies(FileRequest((str(path),)))
    told = [text for text in caplog.messages if "taken from the files" in text]
    assert len(told) == 1
    assert survey in told[0]
    found = dict(galaxies.origin.settings["maps"])
    bits = found.pop("mask_bits", None)
    assert found == {"survey": survey, "sigma": noise_word, "noise": kind} | (
        {"mask": mask_word} if mask_word else {}
    )
    assert bits is None or not {"STAR", "DETECTED", "WARM", "JUMP_DET", "GALAXY", "INTRP"} & set(bits)
    table = measured(galaxies, settings=QUICK)
    assert table.meta["provenance"]["settings"]["files"]["maps"] == galaxies.origin.settings["maps"]
    # what a weight of 0 says is masked, too
    wanted = morphology(image, masks=mask, sigma_maps=noise, sersic="none")[0]
    same(table[0], wanted, tolerance=1e-5)
    gain = {hst: 2028.0, hst_exposure: 1.0}.get(layout)
    bare = morphology(image, gain=gain, sersic="none")[0]
    same(row_of(path, mask="none", sigma="none"), bare)
    assert number(bare, "flux") != pytest.approx(number(wanted, "flux"), rel=1e-3)


OF_THE_PLACE = {"split", "file", "object_id"}


def assert_tables_agree(one, other):
    """Column for column; inverse variances are float32 in a store, so standard deviations may differ in the 8th digit."""
    columns, those = (
        [name for name in table.colnames if name not in OF_THE_PLACE and not name.startswith("catalog_")]
        for table in (other, one)
    )
    assert those == columns
    for name in columns:
        mine, theirs = (np.asarray(getattr(table[name], "value", table[name])) for table in (one, other))
        if mine.dtype.kind == "f":
            np.testing.assert_allclose(mine, theirs, rtol=1e-5, equal_nan=True, err_msg=name)
        else:
            assert mine.tolist() == theirs.tolist(), name


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.__name__)
def test_a_store_is_measured_as_the_files_it_was_made_of(tmp_path, parts, layout):
    path = written(tmp_path / "in", layout, parts)
    images = ingest.fits(tmp_path / "in", tmp_path / "store")
    settings = QUICK.model_copy(update={"band": "all"})
    files = open_galaxies(FileRequest((str(path),)))
    stored, of_files = measured(images, settings=settings), measured(files, settings=settings)
    assert_tables_agree(stored, of_files)
    for table in (stored, of_files):
        wanted = ["mask", "noise"] if LAYOUTS[layout][-1][1] else ["noise"]
        assert table.meta["provenance"]["settings"]["beside"] == wanted
    bare = measured(
        ingest.fits(tmp_path / "in", tmp_path / "bare", mask="none", sigma="none"), settings=QUICK
    )
    # of these headers those of HST alone tell a gain, which weighs where no noise does
    assert bare.meta["provenance"]["settings"].get("beside", []) == (["gain"] if layout is hst else [])
    ignored = measured(images, settings=QUICK.model_copy(update={"ignore": ("mask", "noise")}))
    assert_tables_agree(ignored, bare)
    assert ignored.meta["provenance"]["settings"]["ignore"] == ["mask", "noise"]
    assert number(bare[0], "flux") != pytest.approx(number(stored[0], "flux"), rel=1e-3)


def test_fits_of_a_store_take_the_noise_masks_and_psfs_of_its_files(tmp_path, parts):
    path = written(tmp_path / "in", legacy, parts)
    y, x = np.mgrid[:21, :21] - 10
    fits.PrimaryHDU(np.exp(-(x**2 + y**2) / 4.5).astype(np.float32)).writeto(tmp_path / "psf.fits")
    psf = str(tmp_path / "psf.fits")
    images = ingest.fits(tmp_path / "in", tmp_path / "store", psf=psf)
    settings = MeasureSettings(quantities=("morphology",), sersic="integrated", band="all")
    stored = measured(images, settings=settings)
    assert_tables_agree(
        stored, measured(open_galaxies(FileRequest((str(path),), psf=psf)), settings=settings)
    )
    assert stored.meta["provenance"]["settings"]["beside"] == ["mask", "noise", "psf"]
    without = measured(images, settings=settings.model_copy(update={"ignore": ("psf",)}))
    assert number(without[0], "sersic_index") != pytest.approx(number(stored[0], "sersic_index"), rel=1e-2)


def test_pixels_that_are_undefined_under_a_mask_do_not_stop_an_ingest(tmp_path, parts):
    image, noise, mask, light = parts
    path = written(tmp_path / "in", hsc, (np.where(mask, np.nan, image), noise, mask, light))
    images = ingest.fits(tmp_path / "in", tmp_path / "store")
    assert (images[0][0][mask] == 0).all()
    row, of_file = measured(images, settings=QUICK)[0], row_of(path)
    same(row, of_file, tolerance=1e-5)
    with pytest.raises(InputError, match="pixels are NaN or infinite"):
        ingest.fits(tmp_path / "in", tmp_path / "bare", mask="none")


def test_noise_that_no_store_can_hold_is_refused(tmp_path, parts):
    image, noise, mask, light = parts
    written(tmp_path / "in", plain, (image * 1e-20, noise * 1e-20, mask, light))
    with pytest.raises(InputError, match=r"inverse variances of .*e\+\d+ are beyond the numbers of a store"):
        ingest.fits(tmp_path / "in", tmp_path / "store")


@pytest.mark.parametrize("layout", [hsc, des, hst_exposure, legacy], ids=lambda layout: layout.__name__)
def test_bits_of_light_are_no_damage_but_can_be_asked_for(tmp_path, parts, layout):
    path = written(tmp_path, layout, parts)
    image, noise, mask, light = parts
    bit = {hsc: "DETECTED", des: "STAR", hst_exposure: "WARM", legacy: "GALAXY"}[layout]
    value = {hsc: "32", des: "32", hst_exposure: "64", legacy: "4096"}[layout]
    wrong = morphology(image, masks=light, sigma_maps=noise, sersic="none")[0]
    for bits in ((bit,), (bit.lower(),), (value,)):
        same_or_nan(row_of(path, mask_bits=bits), wrong)
    everything = morphology(image, masks=light | mask, sigma_maps=noise, sersic="none")[0]
    same_or_nan(row_of(path, mask_bits=("all",)), everything)
    with pytest.raises(SettingsError, match=rf"`mask_bits={bit[:-1]}`: .*no such bit.*{bit}.* or all"):
        row_of(path, mask_bits=(bit[:-1],))


def same_or_nan(row, other):
    for column in COLUMNS:
        assert number(row, column) == pytest.approx(number(other, column), rel=1e-5, nan_ok=True), column
    assert row["flag"] == other["flag"]


def test_a_mask_that_is_named_counts_by_its_own_bits(tmp_path, parts):
    path = written(tmp_path, hsc, parts)
    image, noise, mask, _ = parts
    row = row_of(path, mask="[MASK]", sigma="none")
    same(row, morphology(image, masks=mask, sersic="none")[0])
    both = row_of(path, mask="[MASK]")
    same(both, morphology(image, masks=mask, sigma_maps=noise, sersic="none")[0], tolerance=1e-5)


@pytest.mark.parametrize("how", ["time", "unit", "untold"])
def test_weights_that_are_exposure_times_or_of_which_nothing_is_said_are_not_taken(
    tmp_path, parts, how, caplog
):
    drizzled = BY_TIME if how == "time" else {"DRIZCORR": "COMPLETE"}
    name, units = hst(*parts, drizzled=drizzled)
    if how == "unit":
        units[2].header["BUNIT"] = "s"
    path = tmp_path / name
    fits.HDUList(units).writeto(path)
    caplog.set_level(logging.WARNING, logger="galsmith")
    same(row_of(path), morphology(parts[0], gain=2028.0, sersic="none")[0])
    word = "does not tell whether" if how == "untold" else "holds exposure times"
    assert sum("WHT" in text and word in text and "`ivar=[WHT]`" in text for text in caplog.messages) == 1
    if how != "untold":
        with pytest.raises(InputError, match=r"`ivar=.*WHT.*`: holds exposure times, by its header"):
            row_of(path, ivar="[WHT]")
    else:
        assert number(row_of(path, ivar="[WHT]"), "sn_per_pixel") > 0


def test_inverse_variances_of_files_beside_the_images_are_taken_and_measured_as_no_galaxies(
    tmp_path, parts, caplog
):
    image, noise, mask, light = parts
    for brick in ("0001m002", "0001m005"):
        for word, pixels in (
            ("image-r", image.astype(np.float32)),
            ("invvar-r", noise**-2),
            ("maskbits", (mask * 8 + light * 4096).astype(np.int16)),
        ):
            unit = fits.CompImageHDU(pixels, compression_type="GZIP_2", quantize_level=0.0)
            unit.header.update(LEGACY | {"FILTER": "r"})
            fits.HDUList([fits.PrimaryHDU(), unit]).writeto(tmp_path / f"legacysurvey-{brick}-{word}.fits.fz")
    wanted = morphology(image, masks=mask, sigma_maps=noise, sersic="none")[0]
    caplog.set_level(logging.WARNING, logger="galsmith")
    galaxies = open_galaxies(FileRequest((str(tmp_path / "*-image-*.fits.fz"),)))
    assert len(galaxies) == 2
    for row in measured(galaxies, settings=QUICK):
        same(row, wanted, tolerance=1e-5)
    assert galaxies.origin.settings["maps"]["sigma"] == "*-invvar-*.*"
    (tmp_path / "legacysurvey-0001m005-invvar-r.fits.fz").unlink()
    caplog.clear()
    for row in measured(open_galaxies(FileRequest((str(tmp_path / "*-image-*.fits.fz"),))), settings=QUICK):
        same(row, morphology(image, sersic="none")[0])
    assert "has no masks or noise as" in " ".join(caplog.messages)


def test_the_second_chip_has_its_own_noise_and_mask(tmp_path, parts):
    path = written(tmp_path, hst_exposure, parts)
    image, noise, mask, _ = (part[::-1] for part in parts)
    row = row_of(path, hdu=("SCI", 2))
    same(row, morphology(image, masks=mask, sigma_maps=noise, sersic="none")[0], tolerance=1e-5)


def test_planes_of_other_pixels_and_masks_of_unknown_sense_are_left_and_said(tmp_path, parts, caplog):
    name, units = plain(*parts)
    units[1] = unit_of(np.ones((40, 40)), name="IVAR")
    units.append(unit_of(parts[2].astype(np.uint8), name="MASK"))
    path = tmp_path / name
    fits.HDUList(units).writeto(path)
    caplog.set_level(logging.WARNING, logger="galsmith")
    same(row_of(path), morphology(parts[0], sersic="none")[0])
    text = " ".join(caplog.messages)
    assert "2 sources" in text  # the damaged corner, which is not masked
    assert "IVAR has other pixels than the image, so it is not taken" in text
    assert "MASK is not taken, as nobody says what masks; give `mask=[MASK]`" in text
    same(row_of(path, mask="[MASK]"), morphology(parts[0], masks=parts[2], sersic="none")[0])


@pytest.mark.parametrize("plane", [0, 2])
def test_a_plane_that_is_chosen_has_its_own_noise(tmp_path, parts, plane):
    image, noise, mask, _ = parts
    row = row_of(written(tmp_path, legacy, parts), plane=plane)
    factor = (0.5, 1.0, 1.5)[plane]
    wanted = morphology(
        (image * factor).astype(np.float32), masks=mask, sigma_maps=noise * factor, sersic="none"
    )[0]
    same(row, wanted, tolerance=1e-5)


def test_noise_of_another_number_of_planes_is_left_and_said(tmp_path, parts, caplog):
    name, units = legacy(*parts)
    units[1].data = units[1].data[:2]
    fits.HDUList(units).writeto(tmp_path / name)
    caplog.set_level(logging.WARNING, logger="galsmith")
    galaxies = open_galaxies(FileRequest((str(tmp_path / name),)))
    assert "INVVAR has other pixels than the image, so it is not taken" in caplog.text
    assert galaxies.origin.settings["maps"]["mask"] == "MASKBITS"
    assert "sigma" not in galaxies.origin.settings["maps"]


def test_cutouts_over_the_edge_have_their_part_of_masks_of_all_planes(tmp_path, parts):
    image, noise, mask, light = parts
    name, units = legacy(image, noise, mask, light)
    units[2] = unit_of(np.stack([mask, ~mask, mask]).astype(np.uint8), name="MASK3")
    path = tmp_path / name
    fits.HDUList(units).writeto(path)
    (tmp_path / "c.csv").write_text("x,y\n70,70\n")
    request = FileRequest((str(path),), catalog=tmp_path / "c.csv", cutout_pix=40, mask="[MASK3]")
    (found,) = open_galaxies(request).read([0])
    assert found.mask.shape == found.sigma_map.shape == (3, 40, 40)
    np.testing.assert_array_equal(found.mask[1, :30, :30], ~mask[50:, 50:])
    np.testing.assert_array_equal(found.mask[2, :30, :30], mask[50:, 50:])
    assert found.mask[:, 30:].all()
    np.testing.assert_allclose(found.sigma_map[2, :30, :30], 1.5 * noise[50:, 50:])
    assert np.isnan(found.sigma_map[:, :, 30:]).all()


def test_bits_without_a_mask_are_refused(tmp_path, parts):
    path = written(tmp_path, plain, parts)
    with pytest.raises(
        SettingsError, match=r"`mask_bits=SAT`: plain\.fits has no mask; give one with `mask`"
    ):
        row_of(path, mask_bits=("SAT",))
    with pytest.raises(SettingsError, match=r"`mask_bits=SAT`: means something only with `mask`"):
        row_of(path, mask="none", mask_bits=("SAT",))


@pytest.mark.parametrize(
    ("cards", "gain"),
    [({}, 4.76), ({"RUN": 94, "CAMCOL": 2, "FILTER": "u"}, 1.595), ({"CAMCOL": 2, "FILTER": "u"}, 1.825)],
)
def test_a_frame_of_sdss_has_the_gain_of_its_camera_column(tmp_path, parts, cards, gain):
    # values of the data model's table: column 6, i; column 2, u, before and after run 1100
    frame = {
        **coordinates(0.396),
        "RUN": 4797,
        "CAMCOL": 6,
        "FILTER": "i",
        "NMGY": 0.0045,
        "BUNIT": "nanomaggy",
    }
    units = [
        unit_of(parts[0].astype(np.float32), frame | cards, kind=fits.PrimaryHDU),
        unit_of(np.full(2048, 0.0045, np.float32)),
        fits.BinTableHDU.from_columns([fits.Column("ALLSKY", "4E", array=np.zeros((1, 4)))]),
    ]
    path = tmp_path / "frame-i-004797-6-0001.fits.bz2"
    fits.HDUList(units).writeto(path)
    galaxies = open_galaxies(FileRequest((str(path),)))
    assert galaxies.read([0])[0].gain == pytest.approx(gain / 0.0045)
    assert (galaxies.header.flux_unit, galaxies.header.zero_points_mag) == (
        "nanomaggy",
        {galaxies.header.bands[0]: 22.5},
    )
    units[0].header["BUNIT"] = "nJy"
    fits.HDUList(units).writeto(path, overwrite=True)
    assert open_galaxies(FileRequest((str(path),))).read([0])[0].gain is None


@pytest.mark.parametrize(
    "names", [("a_sci", "a_wht", "a_rms"), ("a", "a.mask", "a-seg"), ("n7_drz", "n7_err", "n7_wht")]
)
def test_maps_in_a_folder_are_no_galaxies(tmp_path, parts, names, caplog):
    (tmp_path / "in").mkdir()
    cards = {"BUNIT": "nJy", "FILTER": "r"}
    for name in (*names, "variance_of_light", "b_wht"):
        unit_of(parts[0], cards, kind=fits.PrimaryHDU).writeto(tmp_path / "in" / f"{name}.fits")
    caplog.set_level(logging.WARNING, logger="galsmith")
    wanted = sorted([names[0], "variance_of_light", "b_wht"])
    assert sorted(open_galaxies(FileRequest((str(tmp_path / "in"),))).catalog["object_id"]) == wanted
    assert sorted(ingest.fits(tmp_path / "in", tmp_path / "store").catalog["object_id"]) == wanted
    assert sum("and 1 more: maps of other images there" in text for text in caplog.messages) == 2
    named = [str(tmp_path / "in" / f"{name}.fits") for name in names]
    assert len(open_galaxies(FileRequest(tuple(named)))) == 3


MMU_NAMES = ("image_array", "image_ivar", "bit_mask")


def universe(path, parts, *, names=MMU_NAMES):
    """Two galaxies as the Multimodal Universe has them: arrays, inverse variances, a mask where true is good, a model."""
    image, noise, mask, _ = parts
    arrays = dict(zip(names, (image, np.where(mask, 0, noise**-2), ~mask), strict=True))
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            stack = np.stack([[array, array], [array, array]])
            file[name] = stack if array.dtype == bool else stack.astype(np.float32)
        file["image_model"] = np.zeros((2, 80, 80, 3), np.uint8)
        file["image_band"] = [["des-g", "des-r"]] * 2
        file["image_scale"] = np.full((2, 2), 0.262)
        file["object_id"] = ["one", "two"]
    return path


@pytest.mark.parametrize(
    "names",
    [("image_array", "image_ivar", "bit_mask"), ("flux", "ivar", "good"), ("image", "image_invvar", "ok")],
)
def test_noise_beside_an_array_of_images_is_taken(tmp_path, parts, names, caplog):
    image, noise, mask, _ = parts
    path = universe(tmp_path / "set.hdf5", parts, names=names)
    caplog.set_level(logging.WARNING, logger="galsmith")
    place = path if names[0] != "flux" else f"{path}:/flux"
    galaxies = open_galaxies(FileRequest((str(place),)))
    header = galaxies.header
    assert (header.bands, header.pixel_scale_arcsec) == (("des-g", "des-r"), 0.262)
    assert galaxies.origin.settings["maps"] == {
        "survey": "the array's name",
        "sigma": f"/{names[1]}",
        "noise": "ivar",
    }
    assert sum(f"inverse variances /{names[1]} taken from the files" in text for text in caplog.messages) == 1
    wanted = morphology(image.astype(np.float32), masks=mask, sigma_maps=noise, sersic="none")[0]
    for row in measured(
        galaxies, settings=MeasureSettings(quantities=("morphology",), sersic="none", band="des-r")
    ):
        same(row, wanted, tolerance=1e-5)
    bare = open_galaxies(FileRequest((str(place),), sigma="none"))
    assert "maps" not in bare.origin.settings
    row = measured(bare, settings=MeasureSettings(quantities=("morphology",), sersic="none", band="des-r"))[0]
    assert number(row, "flux") == pytest.approx(number(morphology(image, sersic="none")[0], "flux"), rel=1e-5)


def test_arrays_of_other_shapes_or_of_two_kinds_of_noise_are_not_taken(tmp_path, parts):
    image, noise, _, _ = parts
    for kind, arrays in {
        "shape": {"images": [image], "ivar": [noise[:40]]},
        "two": {"images": [image], "ivar": [noise], "images_sigma": [noise]},
        "other": {"images": [image], "ivar_of_flux_r50": [noise]},
    }.items():
        with h5py.File(tmp_path / f"{kind}.h5", "w") as file:
            for name, values in arrays.items():
                file[name] = np.asarray(values)
        galaxies = open_galaxies(FileRequest((f"{tmp_path / kind}.h5:/images",)))
        assert "maps" not in galaxies.origin.settings


def test_the_zero_point_of_hst_is_about_that_of_cosmos():
    # ACS/WFC F814W: 25.937 in COSMOS (Leauthaud et al. 2007); later calibrations differ by a hundredth
    assert pytest.approx(25.94, abs=0.02) == HST_ZERO_POINT
