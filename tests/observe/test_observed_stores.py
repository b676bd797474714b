import astropy.units as u
import galsim
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import QTable
from numpy.testing import assert_allclose, assert_array_equal

from galsmith import measure, observe, simulate
from galsmith.cli import main
from galsmith.cli.observe import PRESET_NAMES
from galsmith.data.store import Companions, open_store, read_companions, read_sources, verify_store
from galsmith.data.store.layout import StoreHeader
from galsmith.data.store.writer import StoreWriter
from galsmith.errors import InputError, OutputExistsError, SettingsError
from galsmith.execution import ProgressEvent
from galsmith.images import ImageHeader
from galsmith.observe import DEPTHS, INSTRUMENTS, PRESETS, Observation, limiting_magnitudes
from galsmith.observe.noise import CorrelatedNoise, GaussianNoise
from galsmith.observe.psf import GaussianPsf
from galsmith.provenance import Provenance
from galsmith.seeds import random_stream

SETTINGS = ("psf.fwhm_pix=3", "noise.sigma=0.05")
BANDS = ("g", "r")


@pytest.fixture(scope="module")
def galaxies(tmp_path_factory):
    """A store of 12 simulated galaxies in one band of 0.16 arcsec a pixel."""
    store = tmp_path_factory.mktemp("clean") / "galaxies"
    return simulate.sersic(store, n=12, seed=3, recipe="sersic-32")


def written(folder, images, *, header=None, catalog=None, companions=None, n_chunks=1):
    """A store of some images."""
    header = header or ImageHeader(BANDS, "nJy", 0.2, zero_points_mag=dict.fromkeys(BANDS, 31.4))
    with StoreWriter(folder, StoreHeader(header, Provenance("test")), n_chunks=n_chunks) as writer:
        writer.write_chunk(0, images, QTable() if catalog is None else catalog, companions=companions)
        return writer.finish()


def blobs(n=3, side=48):
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    light = np.exp(-0.5 * (x**2 + y**2) / 16)
    return [np.stack([light, 2 * light]).astype(np.float32) * (1 + k) for k in range(n)]


def test_a_store_is_observed_image_by_image(galaxies, tmp_path):
    observed = observe.observe(galaxies.path, tmp_path / "observed", overrides=SETTINGS, seed=5)
    observation = Observation(psf=GaussianPsf(fwhm_pix=3), noise=GaussianNoise(sigma=0.05))
    beside = read_companions(observed.path, range(12))
    for row in range(12):
        expected = observation.observe(galaxies[row], random_stream(5, "observe", row), galaxies.header)
        assert_array_equal(observed[row], expected.image)
        assert_array_equal(beside.ivars[row], expected.ivar)
        assert_array_equal(beside.psfs[row], expected.psf)
    assert beside.psf_pixel_scale_arcsec == pytest.approx(galaxies.header.pixel_scale_arcsec)
    assert list(observed.catalog["object_id"]) == list(galaxies.catalog["object_id"])
    assert list(observed.catalog["split"]) == list(galaxies.catalog["split"])
    assert observed.catalog["r_eff_arcsec"].unit == u.arcsec
    assert observed.header.psf == {"psf_fwhm_pix": 3.0}
    assert observed.provenance.verb == "observe"
    assert observed.provenance.parents[0].content_hash == galaxies.content_hash
    assert verify_store(observed.path) == []


def test_other_seeds_give_other_noise_and_the_same_call_is_done(galaxies, tmp_path):
    one = observe.observe(galaxies.path, tmp_path / "one", overrides=SETTINGS, seed=1)
    other = observe.observe(galaxies.path, tmp_path / "other", overrides=SETTINGS, seed=2)
    assert np.abs(one[0] - other[0]).std() > 0.01
    again = observe.observe(galaxies.path, tmp_path / "one", overrides=SETTINGS, seed=1)
    assert again.content_hash == one.content_hash
    with pytest.raises(OutputExistsError, match="one"):
        observe.observe(galaxies.path, tmp_path / "one", overrides=SETTINGS, seed=2)


class StoppedError(Exception):
    """What stops a run."""


def test_an_interrupted_run_goes_on_and_gives_the_same_store(tmp_path, monkeypatch):
    monkeypatch.setattr("galsmith.data.readers.to_store.IMAGES_PER_CHUNK", 2)
    clean = written(tmp_path / "clean", blobs(7))
    whole = observe.observe(clean.path, tmp_path / "whole", overrides=SETTINGS)

    def stop(event: ProgressEvent) -> None:
        if event.done == 5:
            raise StoppedError

    with pytest.raises(StoppedError):
        observe.observe(clean.path, tmp_path / "halved", overrides=SETTINGS, progress=stop)
    assert not (tmp_path / "halved").exists()
    resumed = observe.observe(clean.path, tmp_path / "halved", overrides=SETTINGS)
    assert resumed.content_hash == whole.content_hash


def test_lengths_and_places_follow_the_pixels(tmp_path):
    catalog = QTable(
        {"r_half_pix": [8.0, 6.0, 4.0] * u.pix, "x_pix": [23.5, 0.0, 47.0], "center_y_pix": [23.5] * 3}
    )
    catalog["flux_g"] = [1.0, 2.0, 3.0]
    clean = written(tmp_path / "clean", blobs(), catalog=catalog)
    observed = observe.observe(clean.path, tmp_path / "observed", overrides=["pixel_factor=2.5", *SETTINGS])
    assert observed.shapes.tolist() == [[19, 19]] * 3
    assert_allclose(observed.catalog["r_half_pix"].to_value(u.pix), [3.2, 2.4, 1.6])
    assert_allclose(observed.catalog["x_pix"], [9.0, 9 - 9.4, 9 + 9.4])
    assert_allclose(observed.catalog["center_y_pix"], 9.0)
    assert list(observed.catalog["flux_g"]) == [1.0, 2.0, 3.0]
    assert list(observed.catalog["native_size_pix"]) == [19] * 3
    assert observed.header.pixel_scale_arcsec == pytest.approx(0.5)


def test_each_image_may_have_its_own_size_of_a_pixel(tmp_path):
    header = ImageHeader(BANDS, "nJy")
    catalog = QTable({"pixel_scale_arcsec": [0.1, 0.2, 0.4]})
    clean = written(tmp_path / "clean", blobs(), header=header, catalog=catalog)
    observed = observe.observe(
        clean.path,
        tmp_path / "one",
        overrides=["psf.fwhm_arcsec=0.8", "pixel_scale_arcsec=0.4", "noise.sigma=1"],
    )
    assert observed.shapes[:, 0].tolist() == [12, 24, 48]
    assert observed.header.pixel_scale_arcsec == 0.4
    assert "pixel_scale_arcsec" not in observed.catalog.colnames
    own = observe.observe(clean.path, tmp_path / "own", overrides=["psf.fwhm_arcsec=0.8", "noise.sigma=1"])
    assert_allclose(own.catalog["pixel_scale_arcsec"], [0.1, 0.2, 0.4])
    widths = [psf.shape[-1] for psf in read_companions(own.path, range(3)).psfs]
    assert widths[0] > widths[1] > widths[2]


def test_what_lies_beside_the_clean_images_is_carried_on(tmp_path):
    star = GaussianPsf(sigma_pix=2.0).kernels(("r",), None)[0].astype(np.float32)
    mask = np.zeros((2, 48, 48), dtype=bool)
    mask[:, 10, 20] = True
    beside = Companions([star] * 3, 0.2, masks=[mask, ~mask & False, ~mask & False])
    clean = written(tmp_path / "clean", blobs(), companions=beside)
    observed = observe.observe(
        clean.path, tmp_path / "observed", overrides=["psf.sigma_pix=1.5", "noise.sigma=1"]
    )
    found = read_companions(observed.path, range(3))
    for psf in found.psfs:
        offsets = np.arange(psf.shape[-1]) - psf.shape[-1] // 2
        moment = float((psf[0].sum(axis=0, dtype=np.float64) * offsets**2).sum())
        # both kernels are integrated over pixels; what is cut took 1e-3 of the moment
        assert moment == pytest.approx(4 + 1.5**2 + 2 / 12, rel=2e-3)
    assert found.masks[0][0, 10, 20]
    assert not found.masks[1].any()
    assert (found.ivars[0] == 0).sum() == found.masks[0].sum() > 2


def test_images_with_noise_of_their_own_are_told(tmp_path, caplog):
    ivars = [np.ones((2, 48, 48), dtype=np.float32)] * 3
    clean = written(tmp_path / "clean", blobs(), companions=Companions(ivars=ivars))
    observe.observe(clean.path, tmp_path / "observed", overrides=SETTINGS)
    assert "have noise of their own" in caplog.text


def test_clean_pixels_that_are_larger_than_observed_ones_are_told(tmp_path, caplog):
    clean = written(tmp_path / "clean", blobs())
    observe.observe(clean.path, tmp_path / "larger", overrides=["pixel_scale_arcsec=0.3", *SETTINGS])
    assert "as large as observed ones" not in caplog.text
    observed = observe.observe(
        clean.path, tmp_path / "finer", overrides=["pixel_scale_arcsec=0.1", *SETTINGS]
    )
    assert "up to 2 times as large as observed ones" in caplog.text
    assert observed.shapes.tolist() == [[96, 96]] * 3


def test_correlations_travel(tmp_path):
    stamp = np.exp(-(np.hypot(*np.mgrid[-3:4, -3:4]) ** 2) / 4)
    observation = Observation(noise=CorrelatedNoise(sigma=1.0, correlation_image=stamp))
    clean = written(tmp_path / "clean", blobs())
    observed = observe.observe(clean.path, tmp_path / "observed", recipe=observation)
    assert set(observed.catalog["noise_correlation"]) == {"observed"}
    found = read_companions(observed.path, range(3)).noise_correlations
    assert_allclose(found["observed"], stamp, rtol=1e-6)


def test_true_sources_of_fields_move_with_their_pixels(tmp_path):
    clean = simulate.fields(tmp_path / "clean", n=2, seed=1, recipe="fields-250")
    observed = observe.observe(
        clean.path, tmp_path / "observed", overrides=["pixel_factor=2", "noise.sigma=2"]
    )
    before, after = read_sources(clean.path), read_sources(observed.path)
    assert observed.header.shows_fields
    assert len(after) == len(before)
    assert_allclose(after["x_pix"], (before["x_pix"] - 124.5) / 2 + 62)
    assert_allclose(after["r_half_pix"], before["r_half_pix"] / 2)
    assert_allclose(after["flux"], before["flux"])


def test_observed_galaxies_are_measured_as_observed(galaxies, tmp_path):
    settings = measure.MeasureSettings(quantities=("morphology",))
    words = ["psf.fwhm_pix=6", "noise.sigma=0.002"]
    observed = observe.observe(galaxies.path, tmp_path / "observed", overrides=words)
    blurred, sharp = (
        np.asarray(measure.measured(open_store(store), settings=settings)["r_half_pix"])
        for store in (observed.path, galaxies.path)
    )
    assert np.isfinite(blurred).sum() >= 10
    # a radius of 4 to 6 px that grows by the width of half of 6 px in quadrature
    assert np.nanmedian(blurred / sharp) > 1.1


def test_indices_of_observed_galaxies_are_the_true_ones(tmp_path):
    clean = simulate.sersic(tmp_path / "clean", n=4, seed=4, recipe="sersic-64", overrides=["magnitude=20"])
    words = ["psf.fwhm_pix=3", "noise.sigma=0.0005"]
    observed = observe.observe(clean.path, tmp_path / "observed", overrides=words)
    settings = measure.MeasureSettings(quantities=("morphology",))
    assert read_companions(observed.path, [0]).psf_kind == "optical"
    true = np.asarray(clean.catalog["sersic_index"])
    found = np.asarray(measure.measured(observed.path, settings=settings)["sersic_index"])
    # what would be spread into the frame from outside of it is missing
    assert_allclose(found / true, 1, atol=0.015)
    # without the kernel the fits are those of blurred galaxies
    blurred = [measure.morphology(observed[row][0])["sersic_index"] for row in range(4)]
    assert np.abs(np.array(blurred).ravel() / true - 1).min() > 0.03


def test_recipes_and_changes_of_presets(galaxies, tmp_path):
    recipe = tmp_path / "seeing.toml"
    recipe.write_text(
        '[observation.psf]\nkind = "moffat"\nfwhm_pix = 3.0\n[observation.noise]\nsigma = 0.1\n', "utf-8"
    )
    observed = observe.observe(galaxies.path, tmp_path / "one", recipe=recipe, overrides=["psf.beta=2.5"])
    settings = observed.provenance.settings["observation"]
    assert settings["psf"] == {"kind": "moffat", "fwhm_pix": 3.0, "beta": 2.5, "values": "integrated"}
    assert settings["noise"] == {"kind": "gaussian", "sigma": 0.1}
    assert (
        observe.stated_observation(preset="holzschuh2022-noise-16", overrides=["noise.sigma=4"])
        == (PRESETS["holzschuh2022-none"])
    )
    recipe.write_text("[psf]\nfwhm_pix = 3.0\n", "utf-8")
    with pytest.raises(
        SettingsError, match=r"seeing\.toml.*has the tables psf; wanted a table \[observation\]"
    ):
        observe.observe(galaxies.path, tmp_path / "two", recipe=recipe)


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        ({}, "no observation; wanted `preset`"),
        ({"preset": "hsc"}, r"preset=hsc.*did you mean 'hsc-wide'"),
        ({"preset": "lsst", "recipe": {}}, "`preset` and `recipe` came"),
        ({"recipe": "absent.toml"}, "recipe=absent.toml.*no such file"),
        (
            {"overrides": ["psf.fwhm=3"]},
            r"unknown setting 'psf\.gaussian\.fwhm' \(did you mean 'fwhm_pix'\?\)",
        ),
        ({"overrides": ["noise.sigma=-1"]}, r"noise\.gaussian\.sigma.* greater than 0"),
    ],
)
def test_what_is_no_observation_is_refused(stated, message):
    with pytest.raises(SettingsError, match=message):
        observe.stated_observation(**stated)


def test_a_law_of_another_kind_takes_the_place_of_a_presets(tmp_path):
    fits.PrimaryHDU(np.outer([1.0, 2.0, 1.0], [1.0, 2.0, 1.0])).writeto(tmp_path / "star.fits")
    words = ("psf.kind=image", f"psf.path={tmp_path / 'star.fits'}", "noise.kind=gaussian", "noise.sigma=2")
    changed = observe.stated_observation(preset="hst-acs-f814w", overrides=words)
    assert (changed.psf.kind, changed.noise.to_dict()) == ("image", {"kind": "gaussian", "sigma": 2.0})
    assert changed.pixel_scale_arcsec == 0.05
    recipe = {"psf": {"fwhm_pix": 3.0}}
    swapped = observe.stated_observation(recipe=recipe, overrides=("psf.kind=moffat", "psf.fwhm_pix=2"))
    assert swapped.psf.to_dict() == {"kind": "moffat", "fwhm_pix": 2.0, "beta": 3.5, "values": "integrated"}
    # of the same kind, the rest stays
    same = observe.stated_observation(
        preset="hst-acs-f814w", overrides=("psf.kind=airy", "psf.obscuration=0")
    )
    assert (same.psf.obscuration, same.psf.diameter_m) == (0.0, 2.4)
    with pytest.raises(SettingsError, match=r"unknown setting 'psf\.airy\.fwhm_pix'"):
        observe.stated_observation(preset="hst-acs-f814w", overrides=("psf.fwhm_pix=3",))


def test_the_presets_are_named_where_nothing_is_loaded():
    assert sorted(PRESET_NAMES) == sorted(PRESETS)
    assert len({preset.content_hash for preset in PRESETS.values()}) == len(PRESETS)
    assert sorted(DEPTHS) == sorted(INSTRUMENTS)


# By how much the depth that comes of a preset's numbers may differ from the published one, in magnitudes: LSST's are of
# its requirements, HST's loses the light outside of the aperture, Roman's is under more zodiacal light.
NEAR_MAG = {"lsst": 0.45, "hsc-wide": 0.35, "hst-acs-f814w": 0.65, "euclid-vis": 0.05, "roman": 0.7}


@pytest.mark.parametrize("name", INSTRUMENTS)
def test_instruments_are_about_as_deep_as_is_said(name):
    depth = DEPTHS[name]
    found = limiting_magnitudes(
        INSTRUMENTS[name],
        list(depth.magnitudes),
        n_sigma=depth.n_sigma,
        aperture_arcsec=depth.aperture_arcsec,
    )
    assert_allclose(found, list(depth.magnitudes.values()), atol=NEAR_MAG[name])


# Koekemoer et al. 2007; McCracken et al. 2025: widths of stars in images, with the pixel in them
PUBLISHED_ARCSEC = {"hst-acs-f814w": 0.095, "euclid-vis": 0.16}


@pytest.mark.parametrize("name", PUBLISHED_ARCSEC)
def test_stars_of_presets_are_as_wide_as_published(name):
    law, scale = INSTRUMENTS[name].psf, INSTRUMENTS[name].pixel_scale_arcsec
    resolution_arcsec = np.degrees(law.wavelength_um * 1e-6 / law.diameter_m) * 3600
    gsparams = galsim.GSParams(folding_threshold=2e-3, maximum_fft_size=16384)
    parts = (
        galsim.Airy(lam_over_diam=resolution_arcsec, obscuration=law.obscuration),
        galsim.Gaussian(sigma=law.blur_sigma_arcsec),
        galsim.Pixel(scale),
    )
    star = galsim.Convolve(*parts, gsparams=gsparams)
    seen = star.drawImage(nx=101, ny=101, scale=0.01, method="no_pixel").calculateFWHM()
    assert seen == pytest.approx(PUBLISHED_ARCSEC[name], abs=0.001)


# SMTN-002, of throughputs v1.9: one exposure of 30 s of a dark sky at the zenith (zero point, sky, width of a Gaussian
# with as many pixels as the star, what the atmosphere takes, limiting magnitude)
SMTN_002 = {
    "u": (26.52, 23.05, 0.92, 0.47, 23.70),
    "g": (28.51, 22.25, 0.87, 0.21, 24.97),
    "r": (28.36, 21.20, 0.83, 0.13, 24.52),
    "i": (28.17, 20.46, 0.80, 0.10, 24.13),
    "z": (27.78, 19.61, 0.78, 0.07, 23.56),
    "y": (26.82, 18.60, 0.76, 0.17, 22.55),
}


def test_a_visit_of_lsst_is_as_deep_as_the_observatory_says():
    zero_points, skies, widths, taken, limits = (
        dict(zip(SMTN_002, column, strict=True)) for column in zip(*SMTN_002.values(), strict=True)
    )
    lsst = INSTRUMENTS["lsst"].to_dict()
    visit = {"zero_point_mag": zero_points, "exposure_s": 30.0, "n_exposures": 1.0}
    found = {}
    for share in (0, 1):
        sky = {band: skies[band] - share * taken[band] for band in skies}
        changed = {
            "psf": {"fwhm_arcsec": widths, "values": "points"},
            "sky": {"mag_arcsec2": sky},
            "noise": {**lsst["noise"], **visit},
        }
        observation = Observation.model_validate({**lsst, **changed})
        found[share] = limiting_magnitudes(observation, list(SMTN_002)) - np.array(list(limits.values()))
    assert_allclose(found[1], 0, atol=0.03)
    # were the sky's light dimmed by the atmosphere as a star's is, it would be
    assert found[0].min() > 0.035
    preset = INSTRUMENTS["lsst"]
    for band, (zero_point, sky, _, extinction, _) in SMTN_002.items():
        assert preset.noise.zero_point_mag[band] == pytest.approx(zero_point - 0.2 * extinction, abs=0.006)
        assert preset.sky.mag_arcsec2[band] == pytest.approx(sky - 1.2 * extinction, abs=0.001)


def test_the_depth_is_that_of_stars_in_drawn_noise():
    observation, bands = INSTRUMENTS["hsc-wide"], ("r",)
    header = ImageHeader(bands, "nJy", 0.168, zero_points_mag={"r": 31.4})
    star = np.zeros((1, 31, 31), dtype=np.float32)
    [magnitude] = limiting_magnitudes(observation, bands)
    star[0, 15, 15] = 10 ** (-0.4 * (magnitude - 31.4))
    fluxes = []
    for k in range(800):
        observed = observation.observe(star, random_stream(1, "observe", k), header)
        weights = observed.psf[0].astype(np.float64)
        top = 15 - len(weights) // 2
        cut = observed.image[0, top : top + len(weights), top : top + len(weights)]
        fluxes.append(float((cut * weights).sum() / (weights**2).sum()))
    assert np.mean(fluxes) == pytest.approx(star.max(), rel=5 / 5 / np.sqrt(800))
    assert np.mean(fluxes) / np.std(fluxes) == pytest.approx(5, rel=5 / np.sqrt(2 * 800) + 0.01)


def test_the_command_observes(galaxies, tmp_path, capsys):
    output = tmp_path / "observed"
    words = [
        "observe",
        galaxies.path,
        "-o",
        str(output),
        "--set",
        "psf.fwhm_pix=3",
        "--set",
        "noise.sigma=0.05",
    ]
    assert main([*words, "--quiet"]) == 0
    assert open_store(output).header.psf == {"psf_fwhm_pix": 3.0}
    assert main(["info", str(output)]) == 0
    said = capsys.readouterr().out
    assert "observe" in said
    assert "psf_fwhm_pix 3" in said
    assert main(["look", str(output), "-o", str(tmp_path / "sheet.png"), "--quiet"]) == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "no observation; wanted --preset, --recipe, or settings as --set"),
        (["--preset", "lsts"], "did you mean 'lsst'"),
        (["--preset", "euclid-vis"], "ingest them with --zero-points and --pixel-scale"),
        (["--set", "pixel_factor=100"], "larger than an image of 48x48 px"),
        (["--set", "psf.fwhm_pix=0"], "setting 'psf.gaussian.fwhm_pix' is 0: input should be greater than 0"),
        (
            ["--set", "psf.fwhm_arcsec=0.7", "--set", "noise.sigma=1"],
            "size of a pixel on the sky is not known",
        ),
    ],
)
def test_the_command_refuses_in_one_line(words, said, tmp_path, capsys):
    scale = 0.1 if "--preset" in words else None
    clean = written(tmp_path / "clean", blobs(), header=ImageHeader(BANDS, "nJy", scale))
    assert main(["observe", clean.path, "-o", str(tmp_path / "observed"), *words]) != 0
    assert said in capsys.readouterr().err
    assert not (tmp_path / "observed").exists()


def test_a_store_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match="absent"):
        observe.observe(tmp_path / "absent", tmp_path / "observed", overrides=SETTINGS)
