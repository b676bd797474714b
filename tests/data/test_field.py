"""Survey images: small fields drawn here, with known stars, galaxies, colors and places; and a real one."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from scipy import ndimage

import galsmith.data.readers.field.detection as detection_module
from galsmith import ingest
from galsmith.cli import main
from galsmith.data.options import SetOptions
from galsmith.data.readers.field.detection import Detections, detect
from galsmith.data.readers.field.images import find_bands
from galsmith.data.readers.field.sky import SkyMap, measure_sky
from galsmith.data.readers.field.source import FieldSource
from galsmith.data.readers.field.stars import find_shreds, find_stars
from galsmith.data.readers.options import FieldOptions
from galsmith.data.store import read_companions
from galsmith.errors import InputError, SettingsError
from galsmith.measure.measure import measured
from galsmith.measure.settings import MeasureSettings
from galsmith.observe import observe

SIDE = 480
PSF_SIGMA_PIX = 1.8
SCALES_PIX = np.array([3.0, 4.0, 5.0, 3.5, 6.0, 4.5, 3.0, 5.5, 4.0])
ZERO_POINTS = {"g": 27.0, "r": 25.0, "i": 30.0}
MAGNITUDES = {"g": 20.7, "r": 20.0, "i": 19.6}  # g - r = 0.7, r - i = 0.4 of every galaxy
SKY = {"g": 5.0, "r": 100.0, "i": -3.0}
READING = FieldOptions(
    bands=("g", "r", "i"), detect_in="r", zero_points_mag=ZERO_POINTS, minimum_snr=30.0, sky_box_pix=120
)


def _places():
    """Twenty-five places on a grid, off its points: 16 for stars, 9 for galaxies."""
    rng = np.random.default_rng(8)
    grid = np.stack(np.meshgrid(np.arange(5), np.arange(5)), axis=-1).reshape(-1, 2) * 90 + 60
    places = grid + rng.uniform(-5, 5, grid.shape)
    order = rng.permutation(25)
    return places[order[:16]], places[order[16:]]


STARS, GALAXIES = _places()


def drawn(shape, scale):
    """One source of flux 1 in the middle of nothing: an exponential disk, or a point, under the PSF."""
    y, x = np.indices(shape)
    image = np.zeros(shape)
    for (center_x, center_y), size in scale:
        if size == 0:
            stamp = np.exp(-((x - center_x) ** 2 + (y - center_y) ** 2) / 2 / PSF_SIGMA_PIX**2)
        else:
            stamp = np.exp(-np.hypot(x - center_x, y - center_y) / size)
            stamp = ndimage.gaussian_filter(stamp, PSF_SIGMA_PIX)
        image += stamp / stamp.sum()
    return image


@pytest.fixture(scope="module")
def bands():
    """Noisy images of one field by band, each in its own unit and over its own sky."""
    rng = np.random.default_rng(9)
    galaxies = drawn((SIDE, SIDE), list(zip(GALAXIES, SCALES_PIX, strict=True)))
    stars = drawn((SIDE, SIDE), [(place, 0) for place in STARS])
    images = {}
    for band, zero_point in ZERO_POINTS.items():
        flux = 10 ** (-0.4 * (MAGNITUDES[band] - zero_point))
        noise = rng.normal(0, flux / 3000, (SIDE, SIDE))
        images[band] = (flux * (galaxies + 2 * stars) + SKY[band] + noise).astype(np.float32)
    return images


def header(band, **keywords):
    coordinates = WCS(naxis=2)
    coordinates.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    coordinates.wcs.crval, coordinates.wcs.crpix = [150.0, 2.0], [SIDE / 2 + 0.5] * 2
    coordinates.wcs.cdelt = [-0.2 / 3600, 0.2 / 3600]
    made = coordinates.to_header()
    made["FILTER"] = band
    for key, value in keywords.items():
        made[key] = value
    return made


@pytest.fixture
def folder(bands, tmp_path):
    """A file a band, with coordinates and without zero points."""
    made = tmp_path / "images"
    made.mkdir()
    for band, image in bands.items():
        fits.PrimaryHDU(image, header(band)).writeto(made / f"{band}.fits")
    return made


def test_a_field_that_travels_gives_the_same_galaxies(folder):
    source = FieldSource(folder, READING)
    rows = np.arange(len(source.catalog))
    assert len(rows) >= len(GALAXIES)
    before = list(source.read(rows))
    for one, other in zip(before, pickle.loads(pickle.dumps(source)).read(rows), strict=True):
        np.testing.assert_array_equal(one, other)


def nearest(images, places):
    """Row of the galaxy at each place, and how far it is off."""
    x, y = np.asarray(images.catalog["x_pix"]), np.asarray(images.catalog["y_pix"])
    distances = np.hypot(x[:, None] - places[:, 0], y[:, None] - places[:, 1])
    return distances.argmin(axis=0), distances.min(axis=0)


def test_masks_and_noise_are_cut_out_with_their_galaxies(bands, tmp_path):
    """The layout of HSC, a file a band; variances grow to the right, and a strip is damaged."""
    made = tmp_path / "images"
    made.mkdir()
    x = np.arange(SIDE)
    damage = np.zeros((SIDE, SIDE), bool)
    damage[:, 200:230] = True
    for band, image in bands.items():
        variance = np.broadcast_to(np.var(image[:40, :40]) * (1 + x / SIDE), image.shape).astype(np.float32)
        mask = fits.ImageHDU(damage.astype(np.int32) * 2, name="MASK")
        mask.header["HIERARCH MP_SAT"] = 1
        units = [
            fits.PrimaryHDU(),
            fits.ImageHDU(image, header(band), name="IMAGE"),
            mask,
            fits.ImageHDU(variance, name="VARIANCE"),
        ]
        fits.HDUList(units).writeto(made / f"{band}.fits")
    images = ingest.field(made, tmp_path / "set", reading=READING)
    found = read_companions(tmp_path / "set", range(len(images)))
    assert found.names == ("ivars", "masks")
    for row, ivar in enumerate(found.ivars):
        half = images.shapes[row, 0] // 2
        left, below = (round(float(images.catalog[name][row])) - half for name in ("x_pix", "y_pix"))
        window = slice(below, below + 2 * half), slice(left, left + 2 * half)
        np.testing.assert_array_equal(found.masks[row], np.stack([damage[window]] * 3))
        for place, band in enumerate(ZERO_POINTS):
            factor = 10 ** (-0.4 * (ZERO_POINTS[band] - 31.4))
            variance = np.var(bands[band][:40, :40]) * (1 + x[window[1]] / SIDE) * factor**2
            np.testing.assert_allclose(
                ivar[place], np.broadcast_to(1 / variance, ivar[place].shape), rtol=1e-5
            )
    assert any(mask.any() for mask in found.masks)


def test_all_galaxies_are_found_and_no_star(folder, tmp_path):
    images = ingest.field(folder, tmp_path / "set", reading=READING)
    rows, off = nearest(images, GALAXIES)
    assert len(images) == len(GALAXIES)
    assert sorted(rows) == list(range(len(GALAXIES)))
    assert off.max() < 0.3
    assert images.catalog.meta["left_out"] == {"as compact as a star": len(STARS)}
    # Half the flux of a Gaussian lies within sigma sqrt(2 ln 2).
    assert images.catalog.meta["star_r_half_pix"] == pytest.approx(PSF_SIGMA_PIX * 1.1774, rel=0.1)


def test_stars_can_be_kept(folder, tmp_path):
    images = ingest.field(folder, tmp_path / "set", reading=replace(READING, stars="keep"))
    assert len(images) == len(GALAXIES) + len(STARS)


def test_cutouts_fit_their_galaxies(folder, tmp_path):
    images = ingest.field(folder, tmp_path / "set", reading=READING)
    sides = images.shapes[:, 0]
    assert np.all(images.shapes[:, 0] == images.shapes[:, 1])
    assert np.all(sides % 8 == 0)
    assert len(set(sides.tolist())) > 2
    assert np.all(sides >= 4 * np.asarray(images.catalog["extent_pix"]))
    rows, _ = nearest(images, GALAXIES)
    assert sides[rows[SCALES_PIX.argmax()]] > sides[rows[SCALES_PIX.argmin()]]
    for row in range(len(images)):
        side, pixels = sides[row], images[row][1]
        center = ndimage.center_of_mass(np.where(pixels > pixels.max() / 3, pixels, 0))
        np.testing.assert_allclose(center, side // 2, atol=1.5)


def test_bands_come_out_in_one_unit_with_the_colors_that_went_in(folder, tmp_path):
    images = ingest.field(folder, tmp_path / "set", reading=READING)
    assert (images.header.bands, images.header.flux_unit) == (("g", "r", "i"), "nJy")
    assert images.header.zero_points_mag == {"g": 31.4, "r": 31.4, "i": 31.4}
    for row in range(len(images)):
        fluxes = images[row].sum(axis=(1, 2), dtype=np.float64)
        magnitudes = 31.4 - 2.5 * np.log10(fluxes)
        np.testing.assert_allclose(magnitudes, list(MAGNITUDES.values()), atol=0.12)
    # 1 nJy is -2.5 log10(1e-9 / 3631) = 31.4 in AB; r = 20 is 36.3 uJy.
    assert np.median(images.catalog["flux_r"]) == pytest.approx(36308, rel=0.1)
    assert np.median(images.catalog["magnitude_r"].to_value("mag")) == pytest.approx(20.0, abs=0.1)


def test_pixels_are_those_of_the_files(folder, bands, tmp_path):
    reading = replace(READING, zero_points_mag=None, flux_unit="adu", sky="keep")
    images = ingest.field(folder, tmp_path / "set", reading=reading)
    assert (images.header.flux_unit, images.header.zero_points_mag) == ("adu", {})
    for row in range(len(images)):
        side = images.shapes[row, 0]
        left, below = (round(float(images.catalog[name][row])) - side // 2 for name in ("x_pix", "y_pix"))
        for position, image in enumerate(bands.values()):
            np.testing.assert_array_equal(
                images[row][position], image[below : below + side, left : left + side]
            )


def test_the_sky_and_its_noise_are_measured_in_every_band(folder, tmp_path):
    images = ingest.field(folder, tmp_path / "set", reading=READING)
    for band, zero_point in ZERO_POINTS.items():
        to_njy = 10 ** (-0.4 * (zero_point - 31.4))
        sigma = 10 ** (-0.4 * (MAGNITUDES[band] - zero_point)) / 3000 * to_njy
        np.testing.assert_allclose(images.catalog[f"background_noise_sigma_{band}"], sigma, rtol=0.05)
    corners = np.concatenate([images[row][:, :4, :4].reshape(3, -1) for row in range(len(images))], axis=1)
    noise = [np.mean(images.catalog[f"background_noise_sigma_{band}"]) for band in ZERO_POINTS]
    assert np.all(np.abs(np.median(corners, axis=1)) < 0.5 * np.array(noise))


def test_places_on_the_sky_come_from_the_header(folder, tmp_path):
    images = ingest.field(folder, tmp_path / "set", reading=READING)
    assert images.header.pixel_scale_arcsec == pytest.approx(0.2)
    x, y = np.asarray(images.catalog["x_pix"]), np.asarray(images.catalog["y_pix"])
    middle = (SIDE - 1) / 2
    # By hand, near the middle of a tangent plane at declination 2 degrees.
    np.testing.assert_allclose(
        images.catalog["dec"].to_value("deg"), 2 + (y - middle) * 0.2 / 3600, atol=1e-6
    )
    ra = 150 - (x - middle) * 0.2 / 3600 / np.cos(np.radians(2))
    np.testing.assert_allclose(images.catalog["ra"].to_value("deg"), ra, atol=1e-5)


def test_without_a_header_there_are_only_pixels(bands, tmp_path):
    fits.PrimaryHDU(bands["r"]).writeto(tmp_path / "r.fits")
    reading = FieldOptions(zero_points_mag=[25.0], pixel_scale_arcsec=0.3, sky_box_pix=120)
    images = ingest.field(tmp_path / "r.fits", tmp_path / "set", reading=reading)
    assert "ra" not in images.catalog.colnames
    assert images.header.pixel_scale_arcsec == 0.3
    assert images.header.bands == ("band0",)
    assert len(images) == len(GALAXIES)


def test_files_a_cube_compressed_files_and_names_with_more_words_give_the_same(folder, bands, tmp_path):
    first = ingest.field(folder, tmp_path / "a", reading=READING)
    files = [folder / f"{band}.fits" for band in ("i", "g", "r")]
    shuffled = ingest.field(files, tmp_path / "b", reading=replace(READING, bands=("i", "g", "r")))
    np.testing.assert_array_equal(shuffled[0][[1, 2, 0]], first[0])
    fits.PrimaryHDU(np.stack(list(bands.values())), header("g")).writeto(tmp_path / "cube.fits")
    cube = ingest.field(tmp_path / "cube.fits", tmp_path / "c", reading=READING)
    np.testing.assert_array_equal(cube[3], first[3])
    other = tmp_path / "other"
    other.mkdir()
    for band, image in bands.items():
        units = [fits.PrimaryHDU(), fits.CompImageHDU(image, compression_type="GZIP_2", quantize_level=0)]
        fits.HDUList(units).writeto(other / f"coadd_{band}_v2.fits")
    compressed = ingest.field(other, tmp_path / "d", reading=READING)
    np.testing.assert_array_equal(compressed[3], first[3])
    assert compressed.header.bands == first.header.bands


def test_bands_and_zero_points_of_headers_are_taken(bands, tmp_path):
    files = []
    for band, image in bands.items():
        files.append(tmp_path / f"image-{band}.fits")
        fits.PrimaryHDU(image, header(band, MAGZP=ZERO_POINTS[band])).writeto(files[-1])
    reading = FieldOptions(sky_box_pix=120, minimum_snr=30.0)
    images = ingest.field(files, tmp_path / "set", reading=reading)
    assert images.header.bands == ("g", "r", "i")
    assert images.provenance.settings["zero_points_mag"] == ZERO_POINTS
    assert images.provenance.settings["detect_in"] == "r"  # the middle one
    assert np.median(images.catalog["magnitude_r"].to_value("mag")) == pytest.approx(20.0, abs=0.1)


def test_faint_sources_are_not_taken(folder, tmp_path):
    reading = replace(READING, faintest_mag=19.6, stars="keep")
    images = ingest.field(folder, tmp_path / "set", reading=reading)
    assert len(images) == len(STARS)  # of magnitude 19.25
    with pytest.raises(
        InputError, match=r"no source was detected in band r .*loosen these or `faintest_mag`"
    ):
        ingest.field(folder, tmp_path / "none", reading=replace(READING, faintest_mag=15.0))
    assert not (tmp_path / "none").exists()


def test_cutouts_over_the_edge_and_too_large_ones_are_counted(folder, tmp_path):
    wide = replace(READING, extent_multiple=5.0)
    over = ingest.field(folder, tmp_path / "wide", reading=wide)
    x, y = np.asarray(over.catalog["x_pix"]), np.asarray(over.catalog["y_pix"])
    assert over.catalog.meta["left_out"]["cut off by the edge of the field"] == len(GALAXIES) - len(over) > 0
    assert np.all(np.minimum(x, y) + 0.5 >= over.shapes[:, 0] // 2)
    narrow = replace(READING, maximum_cutout_pix=48)
    small = ingest.field(folder, tmp_path / "narrow", reading=narrow)
    assert small.catalog.meta["left_out"]["larger than the largest cutout"] == len(GALAXIES) - len(small) > 0
    assert small.shapes.max() <= 48


def test_an_interrupted_run_goes_on(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("galsmith.data.readers.to_store.IMAGES_PER_CHUNK", 2)

    def stop(event):
        if event.stage == "ingesting" and event.done >= 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ingest.field(folder, tmp_path / "a", reading=READING, progress=stop)
    resumed = ingest.field(folder, tmp_path / "a", reading=READING)
    assert resumed.content_hash == ingest.field(folder, tmp_path / "b", reading=READING).content_hash


def test_the_command_line_gives_the_same_store(folder, tmp_path):
    words = ["--bands", "g,r,i", "--detect-in", "r", "--zero-points", "g=27,r=25,i=30", "--min-snr", "30"]
    words += ["--sky-box", "120", "--quiet"]
    assert main(["ingest", "field", str(folder), "-o", str(tmp_path / "a"), *words]) == 0
    from galsmith.data.store import open_store

    made = open_store(tmp_path / "a")
    assert made.content_hash == ingest.field(folder, tmp_path / "b", reading=READING).content_hash


def test_missing_zero_points_are_asked_for(folder, tmp_path, capsys):
    words = ["ingest", "field", str(folder), "-o", str(tmp_path / "set"), "--zero-points", "g=27,r=25"]
    assert main([*words, "--quiet"]) == 2
    said = capsys.readouterr().err
    assert "no zero point of i" in said
    assert "--zero-points i=25.0" in said
    assert "--flux-unit adu" in said
    assert main([*words[:-1], "g=27;r", "--quiet"]) == 2
    assert "--zero-points g=27;r: wanted" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"bands": ("g", "z")}, "band z: no file is named z; there are g, i, r"),
        ({"detect_in": "z"}, "`detect_in=z`: no such band; the bands are g,r,i"),
        ({"zero_points_mag": [25.0, 26.0]}, "2 values for the 3 bands g,r,i"),
        ({"zero_points_mag": {"z": 25.0}}, "`zero_points_mag=z=.*no such band"),
        ({"zero_points_mag": {"r": np.nan}}, "`zero_points_mag=r=nan`: wanted a magnitude"),
        (
            {"zero_points_mag": None, "flux_unit": "adu", "faintest_mag": 21.0},
            "`faintest_mag=21`: needs the zero point",
        ),
        ({"pixel_scale_arcsec": 0.5}, "`pixel_scale_arcsec=0.5`: the header of .* says 0.2"),
        ({"hdu": 3}, "has no HDU 3; images are in 0"),
        ({"hdu": "SCI"}, "has no HDU SCI; images are in 0"),
    ],
)
def test_options_that_do_not_fit_the_files_are_named(folder, changes, said):
    with pytest.raises((InputError, SettingsError), match=said):
        FieldSource([folder], options=replace(READING, **changes))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"threshold_sigma": 0}, "`threshold_sigma=0`: wanted a positive number"),
        ({"minimum_snr": -1}, "`minimum_snr=-1`: wanted 0 or more"),
        ({"minimum_cutout_pix": 300}, "`minimum_cutout_pix=300`: is above `maximum_cutout_pix=256`"),
        ({"bands": ("g", "g")}, "`bands=g,g`: wanted each band once"),
        ({"star_r_half_pix": -2.0}, "`star_r_half_pix=-2.0`: wanted a positive number"),
    ],
)
def test_options_out_of_range_are_named(changes, said):
    with pytest.raises(SettingsError, match=said):
        replace(READING, **changes)


def test_images_of_other_shapes_and_places_are_named(folder, bands):
    fits.PrimaryHDU(bands["i"][:-1], header("i")).writeto(folder / "i.fits", overwrite=True)
    with pytest.raises(InputError, match=r"i\.fits: band i has 479x480 px, band g in g\.fits has 480x480"):
        FieldSource([folder], options=READING)
    moved = header("i")
    moved["CRPIX1"] += 5
    fits.PrimaryHDU(bands["i"], moved).writeto(folder / "i.fits", overwrite=True)
    with pytest.raises(InputError, match=r"i\.fits: the middle of band i is 5\.0 px from that of band r"):
        FieldSource([folder], options=READING)


def test_wrong_files_are_named(folder, bands, tmp_path):
    with pytest.raises(InputError, match="there is no such file"):
        FieldSource([tmp_path / "absent.fits"], options=READING)
    (tmp_path / "text.fits").write_text("nothing")
    with pytest.raises(InputError, match=r"text\.fits: not a FITS file that can be read"):
        FieldSource([tmp_path / "text.fits"], options=READING)
    fits.HDUList([fits.PrimaryHDU()]).writeto(tmp_path / "empty.fits")
    with pytest.raises(InputError, match=r"empty\.fits: holds no image"):
        FieldSource([tmp_path / "empty.fits"], options=READING)
    fits.PrimaryHDU(np.stack([bands["g"]] * 2)).writeto(tmp_path / "cube.fits")
    with pytest.raises(InputError, match="is a cube of 2 planes; give it alone"):
        FieldSource([folder / "g.fits", tmp_path / "cube.fits"], options=replace(READING, bands=("g", "r")))
    with pytest.raises(SettingsError, match=r"names 3 bands, .*cube\.fits has 2"):
        FieldSource([tmp_path / "cube.fits"], options=READING)
    with pytest.raises(SettingsError, match="`bands=g,r,i`: wanted 2 different names"):
        FieldSource([folder / "g.fits", folder / "r.fits"], options=READING)
    (folder / "r_2.fits").write_bytes((folder / "r.fits").read_bytes())
    (folder / "r.fits").rename(folder / "r_1.fits")
    with pytest.raises(InputError, match="r_1 and r_2 are both named so"):
        FieldSource([folder], options=READING)


def test_a_truncated_image_and_one_without_data_are_named(folder, bands):
    path = folder / "g.fits"
    path.write_bytes(path.read_bytes()[: SIDE * SIDE * 2])
    with pytest.raises(InputError, match=r"g\.fits: the FITS file is truncated: it has .* bytes"):
        FieldSource([folder], options=READING)
    fits.PrimaryHDU(bands["g"], header("g")).writeto(path, overwrite=True)
    image = find_bands([path], None, None)["g"]
    path.write_bytes(path.read_bytes()[: SIDE * SIDE * 2])
    with (
        image.opened() as section,
        pytest.raises(InputError, match=r"g\.fits: is truncated or damaged in rows 400 to 419"),
    ):
        section(slice(400, 420), slice(0, SIDE))
    fits.PrimaryHDU(np.zeros((SIDE, SIDE), np.float32)).writeto(path, overwrite=True)
    with pytest.raises(InputError, match=r"g\.fits: band g has no box with data and noise"):
        FieldSource([folder], options=READING)


def test_gaps_without_data_stop_or_are_counted(folder, bands, tmp_path):
    x, y = np.round(GALAXIES[0]).astype(int)
    holed = bands["g"].copy()
    holed[y - 2 : y + 3, x - 2 : x + 3] = np.nan
    fits.PrimaryHDU(holed, header("g")).writeto(folder / "g.fits", overwrite=True)
    with pytest.raises(InputError, match=r"source \d+ at x \d+, y \d+ px: 25 of \d+ pixels are NaN"):
        ingest.field(folder, tmp_path / "set", reading=READING)
    images = ingest.field(folder, tmp_path / "set", reading=READING, options=SetOptions(on_bad="skip"))
    assert images.catalog.meta["left_out"]["not finite"] == 1
    assert len(images) == len(GALAXIES) - 1


def test_without_photutils_the_way_out_is_named(folder, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "photutils.segmentation", None)
    with pytest.raises(SettingsError, match=r"pip install 'galsmith\[field\]'"):
        FieldSource([folder], options=READING)


def test_tiles_change_nothing_and_are_all_that_is_read(bands, monkeypatch):
    image, read = bands["r"].astype(float), []

    def section(rows, columns):
        read.append((rows.stop - rows.start) * (columns.stop - columns.start))
        return image[rows, columns].copy()

    sky = measure_sky(section, image.shape, box_pix=120, tell=lambda done, total: None)
    assert max(read) == 120 * SIDE
    found = {}
    for tile in (1024, 130):
        read.clear()
        monkeypatch.setattr(detection_module, "TILE_PIX", tile)
        monkeypatch.setattr(detection_module, "MARGIN_PIX", 80)
        found[tile] = detect(
            section, image.shape, sky, options=READING, least_flux=0.0, tell=lambda done, total: None
        )
        assert max(read) <= min(SIDE, tile + 160) ** 2
    assert len(found[130]) == len(found[1024]) == len(STARS) + len(GALAXIES)
    np.testing.assert_allclose(found[130].x_pix, found[1024].x_pix, atol=1e-6)
    np.testing.assert_allclose(found[130].flux, found[1024].flux, rtol=1e-6)


def test_a_sloping_sky_is_followed():
    y, x = np.indices((200, 300))
    slope = 10 + 0.02 * x - 0.01 * y
    image = slope + np.random.default_rng(1).normal(0, 1, slope.shape)
    sky = measure_sky(lambda rows, columns: image[rows, columns], image.shape, box_pix=50, tell=print)
    inner = slice(75, 125), slice(75, 225)  # the outermost boxes lag behind a slope
    assert np.abs(sky.level(*inner) - slope[inner]).max() < 0.15
    np.testing.assert_allclose(sky.sigma(*inner), 1.0, atol=0.1)
    flat = SkyMap(50, np.ones((4, 6)), np.full((4, 6), 2.0))
    np.testing.assert_allclose(flat.level(slice(0, 200), slice(0, 300)), 1.0, rtol=1e-12)


def sources(r_half_pix, *, peak=None, flux=None, parent=None):
    """Sources of given radii; all else is the same for all."""
    n = len(r_half_pix)
    same = {name: np.full(n, 10.0) for name in Detections.__dataclass_fields__}
    given = {"r_half_pix": np.asarray(r_half_pix, dtype=float), "snr": np.full(n, 200.0)}
    given["peak"] = np.ones(n) if peak is None else np.asarray(peak, dtype=float)
    given["flux"] = np.ones(n) if flux is None else np.asarray(flux, dtype=float)
    given["parent"] = np.arange(n) if parent is None else np.asarray(parent)
    return Detections(**{**same, **given})


def test_radii_without_a_pile_are_all_galaxies():
    rng = np.random.default_rng(3)
    galaxies = np.exp(rng.normal(np.log(4), 0.35, 300))
    peaks = np.repeat([0.1, 1.0], [300, 60])
    assert find_stars(sources(galaxies, peak=peaks[:300])).r_half_pix is None
    with_stars = find_stars(sources([*galaxies, *rng.normal(1.8, 0.05, 60)], peak=peaks))
    assert with_stars.r_half_pix == pytest.approx(1.8, rel=0.02)
    kept = np.delete(galaxies, [row for row in with_stars.reasons if row < 300])
    assert kept.min() >= 1.25 * with_stars.r_half_pix
    assert set(range(300, 360)) <= set(with_stars.reasons)


def test_few_sources_tell_no_radius_unless_it_is_given():
    few = sources([1.8] * 5 + [4.0], peak=[1.0] * 5 + [0.1])
    assert find_stars(few).reasons == {}
    assert set(find_stars(few, star_r_half_pix=1.8).reasons) == set(range(5))


def test_saturated_stars_and_what_touches_them_are_rejected_and_galaxies_are_not():
    radii = [1.8] * 20 + [3.5, 4.0, 3.5, 9.0]
    peaks = [50.0] * 20 + [48.0, 1.0, 20.0, 60.0]
    parents = [*range(20), 20, 20, 21, 22]
    found = find_stars(sources(radii, peak=peaks, parent=parents))
    assert {row: found.reasons[row] for row in found.reasons if row >= 20} == {
        20: "a saturated star",
        21: "beside a saturated star",
    }


def test_galaxies_as_bright_in_their_peaks_as_all_stars_are_no_saturated_stars():
    found = find_stars(sources([1.8] * 20 + [3.5] * 9, peak=[50.0] * 29))
    assert set(found.reasons) == set(range(20))


def test_pieces_of_a_galaxy_are_told_from_its_companions():
    # The first is large and bright; the second is wide and faint, the third small, the fourth bright; the last alone.
    found = find_shreds(sources([10, 8, 2, 6, 8], flux=[100, 5, 3, 60, 5], parent=[1, 1, 1, 1, 2]))
    assert found == {1: "a piece of a brighter galaxy"}


@pytest.mark.real_data
@pytest.mark.slow
def test_a_real_field_gives_galaxies_with_the_colors_of_galaxies(shared_data, tmp_path):
    """KiDS and VIKING: the tile holds about 230 resolved galaxies of r < 21.5."""
    folder = shared_data / "kids_viking_9band_field"
    reading = FieldOptions(
        bands=("g", "r", "i", "Z"),
        detect_in="r",
        zero_points_mag={"g": 0.0, "r": 0.0, "i": 0.0, "Z": 30.0},
        pixel_scale_arcsec=0.339,
        faintest_mag=21.5,
    )
    images = ingest.field(folder, tmp_path / "set", reading=reading)
    assert 210 <= len(images) <= 270
    assert images.header.bands == ("g", "r", "i", "Z")
    assert len({int(side) for side in images.shapes[:, 0]}) >= 8
    left = images.catalog.meta["left_out"]
    assert 100 <= left["as compact as a star"] <= 200  # about 140 on the locus in radius and magnitude
    assert left["a saturated star"] >= 5  # those of r < 15.3

    # Independently: sums in circles on the files themselves, less the median of the field.
    summed = {}
    for band, zero_point in {"g": 0.0, "r": 0.0, "i": 0.0, "Z": 30.0}.items():
        field = fits.getdata(folder / f"{band}.fits", 1).astype(np.float64)
        field -= np.median(field)
        summed[band] = [
            zero_point - 2.5 * np.log10(max(_sum_near(field, row), 1e-30)) for row in images.catalog
        ]
    own = {band: [] for band in images.header.bands}
    for row in range(len(images)):
        middle = images.shapes[row, 0] // 2
        y, x = np.indices(images.shapes[row]) - middle
        inside = np.hypot(x, y) <= _radius(images.catalog[row])
        for band, stamp in zip(images.header.bands, images[row], strict=True):
            own[band].append(31.4 - 2.5 * np.log10(max(stamp[inside].sum(dtype=float), 1e-30)))
    for blue, red, low, high in (("g", "r", 0.5, 1.1), ("r", "i", 0.25, 0.55), ("i", "Z", 0.05, 0.4)):
        colors = np.array(own[blue]) - np.array(own[red])
        independent = np.array(summed[blue]) - np.array(summed[red])
        assert low < np.median(colors) < high
        assert np.percentile(colors, 16) > low - 0.4
        assert np.percentile(colors, 84) < high + 0.4
        assert np.median(np.abs(colors - independent)) < 0.05


def _radius(row):
    """Radius of the circle in which a galaxy's light is summed."""
    return 2 * float(row["r_half_pix"])


def _sum_near(field, row):
    """Sum of a field in that circle."""
    x, y = round(float(row["x_pix"])), round(float(row["y_pix"]))
    size = int(_radius(row)) + 1
    dy, dx = np.indices((2 * size + 1, 2 * size + 1)) - size
    part = field[y - size : y + size + 1, x - size : x + size + 1]
    return part[np.hypot(dx, dy) <= _radius(row)].sum()


GAINS = {"g": 2.0, "r": 4.0, "i": 1.0}


def with_gains(bands, place, gains):
    """Write a file a band that counts, and says how many electrons a count is."""
    place.mkdir()
    for band, image in bands.items():
        keywords = {"BUNIT": "adu"} | ({"GAIN": gains[band]} if band in gains else {})
        fits.PrimaryHDU(image, header(band, **keywords)).writeto(place / f"{band}.fits")
    return place


def test_the_gains_of_a_field_go_with_its_cutouts_and_weigh_there(bands, tmp_path):
    images = ingest.field(with_gains(bands, tmp_path / "f", GAINS), tmp_path / "set", reading=READING)
    # nJy have as many electrons fewer as there are more of them
    for band, gain in GAINS.items():
        per_njy = gain / 10 ** (-0.4 * (ZERO_POINTS[band] - 31.4))
        assert images.catalog[f"gain_{band}"] == pytest.approx(per_njy)
    for band in bands:
        settings = MeasureSettings(quantities=("morphology",), sersic="none", band=band)
        own = measured(images, settings=settings)["sn_per_pixel"]
        per_njy = float(images.catalog[f"gain_{band}"][0])
        given = measured(images, settings=settings.model_copy(update={"gain": per_njy}))["sn_per_pixel"]
        without = measured(images, settings=settings.model_copy(update={"ignore": ("gain",)}))["sn_per_pixel"]
        np.testing.assert_array_equal(own, given)
        assert (np.asarray(without) > np.asarray(own)).all()
    seen = observe(tmp_path / "set", tmp_path / "seen", overrides=("noise.sigma=1",))
    assert not [name for name in seen.catalog.colnames if name.startswith("gain")]


def test_gains_that_agree_are_one_column_and_unknown_ones_none(bands, tmp_path):
    one = replace(READING, bands=("r",), zero_points_mag={"r": 25.0})
    alone = {"r": bands["r"]}
    single = FieldSource(with_gains(alone, tmp_path / "one", GAINS), one)
    assert single.catalog["gain"] == pytest.approx(4.0 / 10 ** (-0.4 * (25.0 - 31.4)))
    partly = FieldSource(with_gains(bands, tmp_path / "partly", {"g": 2.0}), READING)
    assert np.isfinite(partly.catalog["gain_g"]).all()
    assert np.isnan(partly.catalog["gain_r"]).all()
    bare = FieldSource(with_gains(bands, tmp_path / "bare", {}), READING)
    assert not [name for name in bare.catalog.colnames if name.startswith("gain")]
    kept = replace(one, flux_unit="adu")
    assert FieldSource(tmp_path / "one", kept).catalog["gain"] == pytest.approx(4.0)
