"""`denoise apply`: stores to stores, FITS to FITS, with maps and PSFs; noise that is measured; what is refused."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import QTable

from galsmith.cli import main
from galsmith.data.galaxies import FileRequest
from galsmith.data.galaxies.galaxy import Galaxy
from galsmith.data.store import Companions, StoreHeader, StoreWriter, open_store, read_companions
from galsmith.denoise.application import apply, observed_of
from galsmith.denoise.method import Denoised
from galsmith.errors import InputError, OutputExistsError, SettingsError
from galsmith.images import ImageHeader
from galsmith.observe import Observation
from galsmith.observe.noise import GaussianNoise
from galsmith.observe.psf import GaussianPsf
from galsmith.provenance import Provenance
from galsmith.seeds import random_stream

HEADER = ImageHeader(("g", "r"), "nJy", pixel_scale_arcsec=0.2)
OBSERVATION = Observation(psf=GaussianPsf(sigma_pix=1.5), noise=GaussianNoise(sigma=2.0))


class Halving:
    """Halves images and states a sigma of 3; keeps what it was given."""

    def __init__(self):
        self.given = []

    def denoise(self, observed):
        self.given.append(observed)
        return Denoised(observed.image / 2, np.where(observed.ivar > 0, 3, np.inf).astype(np.float32))


def observations(count=5):
    y, x = np.mgrid[:24, :24] - 11.5
    disk = 100 * np.exp(-np.hypot(x, y) / 3) * np.array([1.0, 0.5])[:, None, None]
    return [OBSERVATION.observe(disk * (k + 1), random_stream(0, "x", k), HEADER) for k in range(count)]


@pytest.fixture
def store(tmp_path):
    """A store as galsmith observe makes one: inverse variances, masks and PSFs beside the images."""
    seen = observations()
    masks = [np.zeros(one.image.shape, bool) for one in seen]
    masks[2][:, 3:5, 3:5] = True
    catalog = QTable(
        {
            "object_id": [f"g{k}" for k in range(5)],
            "split": ["train"] * 3 + ["test"] * 2,
            "mag": np.arange(5.0),
        }
    )
    with StoreWriter(tmp_path / "observed", StoreHeader(HEADER, Provenance("test")), n_chunks=1) as writer:
        beside = Companions(psfs=[one.psf for one in seen], ivars=[one.ivar for one in seen], masks=masks)
        writer.write_chunk(0, [one.image for one in seen], catalog, companions=beside)
        writer.finish()
    return tmp_path / "observed"


def test_a_store_comes_out_as_a_store_with_its_catalog_and_the_uncertainty(store, tmp_path):
    denoiser = Halving()
    found = open_store(apply(denoiser, store, tmp_path / "out"))
    before = open_store(store)
    assert list(found.catalog["object_id"]) == list(before.catalog["object_id"])
    assert list(found.catalog["mag"]) == list(before.catalog["mag"])
    assert list(found.catalog["split"]) == list(before.catalog["split"])
    np.testing.assert_array_equal(found[1], before[1] / 2)
    beside = read_companions(tmp_path / "out", range(5))
    assert beside.names == ("ivars", "masks")
    assert beside.ivars[0] == pytest.approx(1 / 9)
    assert (beside.ivars[2][:, 3:5, 3:5] == 0).all()
    assert beside.masks[2].sum() == 8
    given = denoiser.given[2]
    assert given.ivar[0, 0, 0] == pytest.approx(0.25)
    assert (given.ivar[:, 3:5, 3:5] == 0).all()
    np.testing.assert_allclose(given.psf, observations()[2].psf, atol=1e-6)
    roles = [parent.role for parent in found.provenance.parents]
    assert roles == ["observed images", "denoiser"]
    with pytest.raises(OutputExistsError, match="already exists"):
        apply("tikhonov", store, tmp_path / "out")


def test_a_psf_that_is_given_wins_over_those_of_the_store(store, tmp_path):
    star = np.zeros((7, 7))
    star[3, 3] = 50.0
    fits.writeto(tmp_path / "star.fits", star)
    denoiser = Halving()
    apply(denoiser, store, tmp_path / "out", psf=tmp_path / "star.fits")
    assert denoiser.given[0].psf[:, 3, 3] == pytest.approx(1)


def cutout(folder, name="a.fits", *, pixels=None, **cards):
    """A FITS cutout of one band with a header of its own."""
    one = observations(1)[0].image[0] if pixels is None else pixels
    header = fits.Header({"BUNIT": "nJy", "OBSERVER": "Somebody", "PIXSCALE": 0.2, **cards})
    fits.writeto(folder / name, one, header=header)
    return folder / name


def test_files_come_out_as_files_with_their_headers(tmp_path):
    path = cutout(tmp_path)
    fits.writeto(tmp_path / "psf.fits", observations(1)[0].psf[0])
    fits.writeto(tmp_path / "sigma.fits", np.full((24, 24), 2.0, np.float32))
    request = FileRequest((str(path),), psf=str(tmp_path / "psf.fits"), sigma=str(tmp_path / "sigma.fits"))
    denoiser = Halving()
    apply(denoiser, request, tmp_path / "out")
    with fits.open(tmp_path / "out" / "a.fits") as hdus:
        np.testing.assert_array_equal(hdus[0].data, fits.getdata(path) / 2)
        assert hdus[0].header["OBSERVER"] == "Somebody"
        assert "denoise apply" in str(hdus[0].header["HISTORY"])
        assert hdus["IVAR"].data == pytest.approx(1 / 9)
    assert denoiser.given[0].ivar == pytest.approx(0.25)


def test_noise_that_nobody_states_is_measured(tmp_path):
    rng = np.random.default_rng(0)
    path = cutout(tmp_path, pixels=(5 * rng.standard_normal((64, 64))).astype(np.float32))
    fits.writeto(tmp_path / "psf.fits", observations(1)[0].psf[0])
    denoiser = Halving()
    apply(denoiser, FileRequest((str(path),), psf=str(tmp_path / "psf.fits")), tmp_path / "out")
    assert denoiser.given[0].ivar == pytest.approx(1 / 25, rel=0.1)


def galaxy(**changes):
    seen = observations(1)[0]
    given = {"sigma_map": np.full(seen.image.shape, 2.0), "psf": seen.psf.astype(float), **changes}
    return Galaxy(given.pop("image", seen.image), **given)


def test_pixels_that_are_not_finite_or_have_no_sigma_do_not_count():
    image, sigma = observations(1)[0].image.copy(), np.full((2, 24, 24), 2.0)
    image[0, 4, 4], sigma[1, 5, 5], sigma[1, 6, 6] = np.nan, np.inf, 0.0
    found = observed_of(galaxy(image=image, sigma_map=sigma), HEADER, name="x")
    assert np.isfinite(found.image).all()
    assert [found.ivar[0, 4, 4], found.ivar[1, 5, 5], found.ivar[1, 6, 6]] == [0, 0, 0]
    assert found.mask.sum() == 3
    assert np.isnan(image[0, 4, 4])  # what was given stays


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"psf": None}, "x: its PSF is not known; give `psf`"),
        ({"psf": np.ones((99, 99))}, "99x99 px, more than twice the image"),
        ({"image": np.full((2, 24, 24), np.nan)}, "no pixel of a band can be used"),
        ({"sigma_map": np.zeros((2, 24, 24))}, "no pixel of a band can be used"),
        ({"sigma_map": None, "image": np.zeros((2, 24, 24))}, "its noise cannot be measured; give `sigma`"),
        ({"psf": -np.ones((5, 5))}, "sum"),
    ],
)
def test_what_cannot_be_denoised_is_refused_by_name(changes, said):
    with pytest.raises(InputError, match=said):
        observed_of(galaxy(**changes), HEADER, name="x")


def test_a_psf_need_not_be_normalized_and_a_width_in_the_header_will_do():
    one = observed_of(galaxy(), HEADER, name="x")
    times = observed_of(galaxy(psf=40.0 * observations(1)[0].psf), HEADER, name="x")
    np.testing.assert_allclose(times.psf, one.psf, atol=1e-7)
    told = ImageHeader(("g", "r"), "nJy", psf={"psf_fwhm_pix": 3.0})
    assert observed_of(galaxy(psf=None), told, name="x").psf.sum(axis=(1, 2)) == pytest.approx(1, rel=1e-5)


def test_a_network_that_is_not_trained_and_an_unknown_name_are_refused(store, tmp_path):
    with pytest.raises(SettingsError, match="has to be trained first"):
        apply("filter_bank", store, tmp_path / "out")
    with pytest.raises(SettingsError, match="did you mean 'wiener'"):
        apply("wienr", store, tmp_path / "out")


def test_an_interrupted_run_goes_on(store, tmp_path, monkeypatch):
    monkeypatch.setattr("galsmith.denoise.application.IMAGES_PER_CHUNK", 2)
    denoiser = Halving()

    def stop(event):
        if event.stage == "denoising" and event.done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        apply(denoiser, store, tmp_path / "out", progress=stop)
    assert not (tmp_path / "out").exists()
    apply(denoiser, store, tmp_path / "out")
    assert len(denoiser.given) == 3 + 3  # the third is of a chunk that was not done
    assert len(open_store(tmp_path / "out")) == 5


def test_the_command_line_does_it(store, tmp_path, capsys):
    assert main(["denoise", "apply", "tikhonov", str(store), "-o", str(tmp_path / "out")]) == 0
    assert "denoised by tikhonov" in capsys.readouterr().out
    assert len(open_store(tmp_path / "out")) == 5
    words = [
        "denoise",
        "fit",
        "holzschuh2022-resnet-small",
        "--data",
        str(store),
        "-o",
        str(tmp_path / "net"),
    ]
    small = ["--images", "4", "--set", "training.validations=1", "--set", "training.validation_looks=1"]
    assert main([*words, *small, "--set", "model.width=2", "--set", "model.blocks=0"]) == 0
    assert "4 images seen" in capsys.readouterr().out
    assert main(["info", str(tmp_path / "net")]) == 0
    described = capsys.readouterr().out
    assert "paper_resnet, bands g r" in described
    assert "4.71 px wide" in described
    assert main(["denoise", "apply", str(tmp_path / "net"), str(store), "-o", str(tmp_path / "two")]) == 1
    said = capsys.readouterr().err
    assert "px wide; this denoiser was trained for" in said
    assert "--force" in said
    forced = ["denoise", "apply", str(tmp_path / "net"), str(store), "-o", str(tmp_path / "two"), "--force"]
    assert main(forced) == 0


def scaled():
    """World coordinates of pixels of 0.2 arcsec."""
    return {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CDELT1": -0.2 / 3600, "CDELT2": 0.2 / 3600}


def star_field(path, seed=0):
    """Write a field of Gaussian stars of sigma 1.5 px, of which pixels add 1/12 to the variance, with the images' scale."""
    rng = np.random.default_rng(seed)
    image = rng.normal(0, 1.0, (240, 240))
    y, x = np.indices(image.shape)
    for k in range(25):
        u, v = 24 + 48 * (k % 5) + rng.uniform(-3, 3), 24 + 48 * (k // 5) + rng.uniform(-3, 3)
        image += rng.uniform(2e3, 2e4) * np.exp(-((x - u) ** 2 + (y - v) ** 2) / (2 * (1.5**2 + 1 / 12)))
    fits.writeto(path, image.astype(np.float32), fits.Header(scaled()))


def test_a_psf_is_measured_from_a_field_of_stars_for_stores_and_for_files(store, tmp_path):
    pytest.importorskip("photutils")
    star_field(tmp_path / "field.fits")
    wanted = observations()[0].psf[0]
    denoiser = Halving()
    apply(denoiser, store, tmp_path / "out", psf=f"stars:{tmp_path / 'field.fits'}")
    for i, seen in enumerate(observations(2)):
        image = fits.PrimaryHDU(seen.image)
        image.header.update(scaled())
        image.writeto(tmp_path / f"g{i}.fits")
    request = FileRequest((str(tmp_path / "g*.fits"),), psf=f"stars:{tmp_path / 'field.fits'}")
    apply(denoiser, request, tmp_path / "files")
    for given in (denoiser.given[0], denoiser.given[-1]):
        assert given.psf.shape[0] == 2
        middle, own = given.psf.shape[-1] // 2, wanted.shape[-1] // 2
        core = given.psf[0][middle - 3 : middle + 4, middle - 3 : middle + 4]
        np.testing.assert_allclose(
            core, wanted[own - 3 : own + 4, own - 3 : own + 4], atol=0.02 * wanted.max()
        )
    with pytest.raises(SettingsError, match=r"psf=stars:.*names no field; wanted such as stars:field\.fits"):
        apply(denoiser, store, tmp_path / "not", psf="stars:")
    with pytest.raises(InputError, match=r"nothing\.fits"):
        apply(denoiser, store, tmp_path / "not", psf=f"stars:{tmp_path / 'nothing.fits'}")


def test_noise_that_neighbors_share_is_told_to_the_denoiser():
    rng = np.random.default_rng(0)
    image = rng.normal(0, 1, (2, 80, 80))
    shared = (image + np.roll(image, 1, 1)) / np.sqrt(2)
    galaxy = Galaxy(shared, sigma_map=np.ones((80, 80)), psf=observations(1)[0].psf)
    found = observed_of(galaxy, HEADER, name="x").noise_correlation
    assert found[1:4, 2] == pytest.approx([0.5, 1, 0.5], abs=0.06)
    stated = np.ones((1, 1), dtype=np.float32)
    assert observed_of(galaxy, HEADER, name="x", noise_correlation=stated).noise_correlation is stated
    alone = Galaxy(image, sigma_map=np.ones((80, 80)), psf=observations(1)[0].psf)
    assert observed_of(alone, HEADER, name="x").noise_correlation is None


def test_a_psf_with_a_ring_below_zero_is_named(caplog):
    psf = observations(1)[0].psf.astype(np.float64)
    middle = psf.shape[-1] // 2
    y, x = np.indices(psf.shape[-2:]) - middle
    ring = (np.hypot(x, y) > 5) & (np.hypot(x, y) < middle)
    image = np.random.default_rng(0).normal(0, 1, (2, 40, 40))
    for share, is_named in ((0.15, True), (0.01, False)):
        caplog.clear()
        galaxy = Galaxy(image, sigma_map=np.ones((40, 40)), psf=psf - share * ring / ring.sum())
        observed_of(galaxy, HEADER, name="g1")
        assert ("g1: its PSF is below 0 by" in caplog.text) == is_named
