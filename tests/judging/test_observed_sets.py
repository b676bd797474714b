"""Sets that were taken differently come under one point spread function, pixel and depth, or are refused with figures."""

import numpy as np
import pytest
from scipy import ndimage

from galsmith.cli import main
from galsmith.compare.papers import PAPERS
from galsmith.data.sersic.render import render_sersic
from galsmith.data.store import Companions, StoreHeader, StoreWriter, open_store, read_companions, write_store
from galsmith.errors import SettingsError
from galsmith.execution import ignore_progress
from galsmith.images import ImageHeader, image_set_from_arrays
from galsmith.judging import judge
from galsmith.judging.image_stores import Workplace
from galsmith.judging.observed_sets import brought_under, observed_places
from galsmith.measure import MeasureSettings, measured, read_measurements
from galsmith.observe import Observation
from galsmith.provenance import Provenance
from galsmith.seeds import random_stream
from galsmith.settings import typed_settings

FWHM = 2 * np.sqrt(2 * np.log(2))
ASKED = {"psf": {"fwhm_pix": 5.0}, "noise": {"kind": "gaussian", "sigma": 0.5}}
SHAPES = MeasureSettings(quantities=("morphology",), sersic="none")
QUICK = {"replicates": 100, "splits": 40, "permutations": 200, "beyond": False, "measure_settings": SHAPES}


def observation(**changes):
    return Observation.model_validate({**ASKED, **changes})


def stars(path, *, fwhm_pix=None, sigma=0.0, seed=0, scale=0.2, says=True):
    """Write a store of 12 stars of flux 3000 in 65 px, of a Gaussian of this width, and noise."""
    y, x = np.mgrid[:65, :65] - 32
    if fwhm_pix is None:
        star = ((x == 0) & (y == 0)).astype(float)
    else:
        star = np.exp(-(x**2 + y**2) / 2 / (fwhm_pix / FWHM) ** 2)
    rng = random_stream(seed, "tests.observed_sets")
    images = [
        (3000 * star / star.sum() + rng.normal(0, sigma, star.shape)).astype(np.float32) for _ in range(12)
    ]
    psf = {"psf_fwhm_pix": fwhm_pix} if says and fwhm_pix else {}
    return write_store(path, image_set_from_arrays(images, ImageHeader(("r",), "nJy", scale, psf=psf)))


def work_in(folder, seed=0):
    folder.mkdir(exist_ok=True)
    return Workplace(folder, SHAPES, seed, 1, None, False, ignore_progress)


def width_pix(images):
    """Width (FWHM) of the mean of stars, by a fit of a Gaussian to the logarithm of its core."""
    star = np.mean([image[0] for image in images.pixels.read(np.arange(len(images)))], axis=0)
    middle = star.shape[0] // 2
    y, x = np.mgrid[: star.shape[0], : star.shape[1]] - middle
    core = np.hypot(x, y) < 3
    slope = np.polyfit((x**2 + y**2)[core], np.log(star[core]), 1)[0]
    return FWHM / np.sqrt(-2 * slope)


def noise_of(images):
    return np.std([image[0][:12] for image in images.pixels.read(np.arange(len(images)))])


SETS = {
    "clean": {},
    "blurred": {"fwhm_pix": 4.0},
    "noisy": {"sigma": 0.3},
    "both": {"fwhm_pix": 3.5, "sigma": 0.3},
}


@pytest.mark.parametrize("name", SETS)
def test_every_set_comes_to_the_width_and_the_noise_that_are_asked_for(tmp_path, name):
    stars(tmp_path / "set", **SETS[name])
    found, said = observed_places({name: tmp_path / "set"}, observation(), work_in(tmp_path / "w"))
    images = open_store(found[name])
    # the kernel is integrated over pixels, a twelfth of a square pixel in variance
    assert width_pix(images) == pytest.approx(np.hypot(5.0, FWHM / np.sqrt(12)), rel=0.03)
    assert noise_of(images) == pytest.approx(0.5, rel=0.03)
    beside = read_companions(found[name], [0])
    assert 1 / np.sqrt(np.median(beside.ivars[0])) == pytest.approx(0.5, rel=0.02)
    assert beside.psf_kind == ("effective" if "fwhm_pix" in SETS[name] else "optical")
    assert [line.split(":")[0] for line in said[name]] == ["psf", "noise"]


def test_what_a_set_has_already_is_not_added_once_more(tmp_path):
    images = stars(tmp_path / "set", fwhm_pix=4.0, sigma=0.3)
    naive = observation(psf={"fwhm_pix": 5.0})
    observed = naive.observe(images[0], random_stream(0, "tests.naive"), images.header)
    y, x = np.mgrid[:65, :65] - 32
    slope = np.polyfit((x**2 + y**2)[np.hypot(x, y) < 3], np.log(observed.image[0][np.hypot(x, y) < 3]), 1)[0]
    assert FWHM / np.sqrt(-2 * slope) > 6.2
    plan = brought_under(images, observation(), name="set")
    psf, noise = plan.corrections
    assert (psf.before[0], psf.added[0], psf.after[0]) == (4.0, pytest.approx(3.0), 5.0)
    assert "psf: 4 -> 5 px (FWHM) (added 3)" in str(psf)
    # white noise of sigma under a Gaussian of sigma s: sigma / (2 s sqrt(pi)), s of a FWHM of 3 px with the pixel
    assert noise.before[0] == pytest.approx(
        0.3 / (2 * np.hypot(3 / FWHM, 12**-0.5) * np.sqrt(np.pi)), rel=0.1
    )
    assert np.hypot(noise.before[0], noise.added[0]) == pytest.approx(0.5)


def test_what_is_left_to_a_diffraction_pattern_is_a_gaussian_and_told(tmp_path):
    pattern = {"kind": "airy", "diameter_m": 0.2, "wavelength_um": 1.0, "obscuration": 0.3}
    asked = observation(psf=pattern)
    [wide] = asked.psf.widths_pix(("r",), 0.2)
    spread = brought_under(stars(tmp_path / "spread", fwhm_pix=3.0), asked, name="spread")
    assert spread.corrections[0].after[0] == pytest.approx(wide)
    assert spread.corrections[0].added[0] == pytest.approx(np.sqrt(wide**2 - 9))
    assert "taken as a Gaussian, without rings" in str(spread.corrections[0])
    clean = brought_under(stars(tmp_path / "clean"), asked, name="clean")
    assert "Gaussian" not in str(clean.corrections[0])


@pytest.mark.parametrize(
    ("given", "asked", "said"),
    [
        (
            {"fwhm_pix": 6.0},
            {},
            r"far has the point spread function of 6 px in r \(FWHM\), and 5 are asked for",
        ),
        (
            {"sigma": 3.0},
            {"psf": None},
            r"far has the noise of [23]\.\d+ nJy a pixel in r, and 0.5 are asked for",
        ),
        (
            {"scale": 0.4},
            {"pixel_scale_arcsec": 0.2},
            r"far has pixels of 0.4 arcsec, and 0.2 are asked for: nothing takes it off",
        ),
        (
            {"sigma": 3.0},
            {"noise": {"kind": "poisson", "gain": 1.0}, "sky": {"level": 4.0}},
            r"far has noise of .* and what is left to noise that is counted or correlated is not known",
        ),
    ],
)
def test_a_set_that_has_more_than_is_asked_for_is_refused_with_figures(tmp_path, given, asked, said):
    stars(tmp_path / "near", **{**given, "fwhm_pix": None, "sigma": 0.0, "scale": 0.2})
    stars(tmp_path / "far", **given)
    places = {name: tmp_path / name for name in ("near", "far")}
    work = work_in(tmp_path / "w")
    with pytest.raises(SettingsError, match=said):
        observed_places(places, observation(**asked), work)
    assert not list(work.folder.iterdir())


def test_a_width_that_is_known_of_some_bands_alone_is_told():
    images = [np.ones((2, 33, 33), dtype=np.float32)] * 3
    some, all_of_them = (
        brought_under(
            image_set_from_arrays(
                images, ImageHeader(("g", "r"), "nJy", 0.2, psf={"psf_fwhm_pix_by_band": widths})
            ),
            observation(noise=None),
            name="reference",
        ).corrections[0]
        for widths in ({"g": 3.0}, {"g": 3.0, "r": 3.0})
    )
    assert some.remark == "where its own is not known it is taken as none"
    np.testing.assert_allclose(some.added, [4.0, 5.0])
    assert all_of_them.remark == ""
    np.testing.assert_allclose(all_of_them.added, [4.0, 4.0])


def test_noise_of_two_sets_is_of_two_streams_and_the_same_again(tmp_path):
    stars(tmp_path / "set")
    places = {"one": tmp_path / "set", "other": tmp_path / "set"}
    first, _ = observed_places(places, observation(), work_in(tmp_path / "w"))
    again, _ = observed_places(places, observation(), work_in(tmp_path / "v"))
    one, other = (open_store(first[name])[3][0] for name in places)
    assert abs(np.corrcoef(one[:12].ravel(), other[:12].ravel())[0, 1]) < 0.1
    assert np.array_equal(one, open_store(again["one"])[3][0])


def test_widths_of_functions_beside_the_images_count(tmp_path):
    y, x = np.mgrid[:15, :15] - 7
    psf = np.exp(-(x**2 + y**2) / 2 / (4.0 / FWHM) ** 2).astype(np.float32)
    header = StoreHeader(ImageHeader(("r",), "nJy", 0.2), Provenance("test", {}))
    writer = StoreWriter(tmp_path / "set", header, n_chunks=1)
    images = list(random_stream(0, "tests.observed_sets.psf").normal(0, 0.01, (10, 1, 33, 33)))
    beside = Companions([psf] * 10, ivars=[np.full((1, 33, 33), 1e4, np.float32)] * 10)
    writer.write_chunk(0, images, open_catalog(10), companions=beside)
    plan = brought_under(writer.finish(), observation(), name="set")
    assert plan.corrections[0].before[0] == pytest.approx(4.0, rel=0.02)
    assert plan.corrections[1].before[0] < 0.01


def open_catalog(count):
    from astropy.table import QTable

    return QTable({"object_id": [f"g{number}" for number in range(count)]})


@pytest.fixture(scope="module")
def galaxies():
    """Eighty galaxies of known laws without noise, [galaxy, y, x], and their indices."""
    rng = random_stream(2, "tests.observed_sets.galaxies")
    count = 80
    index = rng.uniform(0.8, 4, count)
    images = render_sersic(
        size_pix=96,
        center_x_pix=rng.uniform(47, 48, count),
        center_y_pix=rng.uniform(47, 48, count),
        r_eff_pix=rng.uniform(4, 7, count),
        sersic_index=index,
        axis_ratio=rng.uniform(0.4, 0.95, count),
        orientation_rad=rng.uniform(0, np.pi, count),
        flux=rng.uniform(2000, 6000, count),
    )
    return images, index


def test_the_skirt_protocol_gives_the_index_of_the_law_and_did_not_before(tmp_path, galaxies):
    images, index = galaxies
    write_store(
        tmp_path / "set", image_set_from_arrays(list(images[:30]), ImageHeader(("i",), "electron / s", 0.3))
    )
    paper = PAPERS["holzschuh2022-skirt"]
    observed = Observation.model_validate(dict(paper.observe))
    found, _ = observed_places({"set": tmp_path / "set"}, observed, work_in(tmp_path / "w"))
    settings = {**paper.measure, "quantities": ("morphology",)}
    settings = {name: value for name, value in settings.items() if not name.startswith("color")}

    def bias(place, **changes):
        table = measured(
            place, settings=typed_settings(MeasureSettings, {**settings, **changes}, source="test")
        )
        return np.nanmedian(np.asarray(table["sersic_index"]) / index[:30]) - 1

    # of 60 galaxies on their own: +12 %, of indices above 2 +15 %, and -0.5 % (docs/how-to/read-the-card.md)
    assert bias(tmp_path / "set", ignore=(), psf_fwhm_pix=3.0) > 0.08
    assert abs(bias(found["set"])) < 0.02


def test_two_samples_of_one_kind_that_were_taken_differently_are_told_apart_until_observed(
    tmp_path, galaxies, capsys
):
    images, _ = galaxies
    rng = random_stream(3, "tests.observed_sets.judged")
    sharp = images[::2] + rng.normal(0, 0.2, images[::2].shape)
    blurred = ndimage.gaussian_filter(images[1::2], (0, 1.6, 1.6))
    blurred = blurred + rng.normal(0, 0.4, blurred.shape)
    for name, cube, fwhm in (("sharp", sharp, 0.0), ("blurred", blurred, 1.6 * FWHM)):
        psf = {"psf_fwhm_pix": fwhm} if fwhm else {}
        header = ImageHeader(("r",), "nJy", 0.2, psf=psf)
        write_store(tmp_path / name, image_set_from_arrays(list(cube.astype(np.float32)), header))
    sets = (tmp_path / "sharp", tmp_path / "blurred")
    as_they_are = judge(*sets, **QUICK)
    assert as_they_are.judgments[0].verdict.status == "told_apart"
    card = judge(*sets, tmp_path / "card.json", observe=observation(), **QUICK)
    # without classifiers no card can say more than that nothing told them apart
    assert (card.judgments[0].verdict.status, card.judgments[0].verdict.by) == ("not_judged", ())
    said = card.judgments[0].comparison.settings["observed"]
    assert list(said) == ["reference", "blurred"]
    assert said["blurred"][0].startswith("psf: 3.768 -> 5 px (FWHM) (added 3.287)")
    tables = [str(tmp_path / "card.measurements" / f"{name}.parquet") for name in said]
    code = main(["compare", *tables, "-o", str(tmp_path / "t.json"), "--observe", "lsst", "--quiet"])
    error = capsys.readouterr().err
    assert (code, "whose images were measured as they are" in error) == (2, True), error


def test_an_observation_that_is_not_known_is_refused_by_its_near_miss(tmp_path):
    stars(tmp_path / "set")
    with pytest.raises(SettingsError, match=r"`observe=lsts`.*lsst"):
        judge(tmp_path / "set", tmp_path / "set", observe="lsts", **QUICK)


def with_noise_beside(path, images, sigma):
    """Write galaxies with their inverse variances; [galaxy, y, x]."""
    header = StoreHeader(ImageHeader(("r",), "nJy", 0.2), Provenance("test", {}))
    writer = StoreWriter(path, header, n_chunks=1)
    ivars = [np.full((1, *image.shape), sigma**-2, np.float32) for image in images]
    writer.write_chunk(0, list(images), open_catalog(len(images)), companions=Companions(ivars=ivars))
    return writer.finish()


def test_noise_beside_one_set_alone_is_used_for_none_and_told(tmp_path, galaxies, caplog):
    images, _ = galaxies
    noisy = images[:24] + random_stream(5, "tests.alike").normal(0, 0.2, images[:24].shape)
    noisy = noisy.astype(np.float32)
    with_noise_beside(tmp_path / "weighed", noisy[:12], 0.2)
    with_noise_beside(tmp_path / "too", noisy[12:], 0.2)
    write_store(tmp_path / "plain", image_set_from_arrays(list(noisy[12:]), ImageHeader(("r",), "nJy", 0.2)))

    def settings_of(generated):
        card = judge(
            tmp_path / "weighed", tmp_path / generated, tmp_path / f"{generated}.json", split="all", **QUICK
        )
        folder = tmp_path / f"{generated}.measurements"
        tables = [read_measurements(folder / f"{name}.parquet") for name in ("reference", generated)]
        return card, [table.meta["provenance"]["settings"] for table in tables]

    card, settings = settings_of("too")
    assert [one["beside"] for one in settings] == [["noise"], ["noise"]]
    assert not card.judgments[0].comparison.conditions
    card, settings = settings_of("plain")
    assert [one.get("beside") for one in settings] == [None, None]
    assert [one["ignore"] for one in settings] == [["noise"], ["noise"]]
    assert "reference: noise beside the images that other sets have not, so no set is measured" in caplog.text
    tables = [measured(tmp_path / name, settings=SHAPES) for name in ("weighed", "plain")]
    (condition,) = judge(*tables, **{**QUICK, "measure_settings": None}).judgments[0].comparison.conditions
    assert condition.name == "maps"
    assert (
        "with noise beside its images, the generated set with neither noise nor psf nor gain"
        in condition.problem
    )
