"""What looks draw beyond an observation: measured point spread functions, signal to noise, counted light, shared noise."""

import numpy as np
import pytest
import torch
from astropy.io import fits

from galsmith.denoise.deconvolution import filtered_deviation
from galsmith.denoise.looks import LookRange, Looks, mixed_with_neighbors, neighbor_correlation, turned
from galsmith.denoise.network import batch_of
from galsmith.errors import InputError
from galsmith.images import ImageHeader
from galsmith.observe import Observation
from galsmith.observe.correlation import correlation_of_blank_sky
from galsmith.observe.psf import width_at_half_maximum

HEADER = ImageHeader(("g",), "electron")


def spike(shape=(49, 49)):
    """A point of light in an empty frame."""
    image = np.zeros((1, *shape), np.float32)
    image[0, shape[0] // 2, shape[1] // 2] = 100.0
    return image


def triangle(reach, tilt):
    """A law that no Gaussian and no Moffat has, of one orientation."""
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    return np.maximum(0.0, reach - np.abs(x) - tilt * np.abs(y))


@pytest.fixture
def table(tmp_path):
    planes = np.stack([triangle(4, 0.5), triangle(4, 2.0)]) * 7.0
    fits.PrimaryHDU(planes.astype(np.float32)).writeto(tmp_path / "psfs.fits")
    return str(tmp_path / "psfs.fits")


def drawn(look_range, count=40, image=None):
    looks = Looks(Observation(), LookRange(signal_to_noise=(1e4, 1e4), **look_range), HEADER)
    clean = spike() if image is None else image
    return [looks.at(clean, np.random.default_rng(seed)) for seed in range(count)]


def is_of_table(psf, table):
    planes = fits.getdata(table).astype(float)
    return any(
        psf.shape[-2:] == plane.shape and np.allclose(psf[0], plane / plane.sum(), atol=1e-5)
        for plane in planes
    )


def test_measured_point_spread_functions_are_drawn_as_they_are_and_as_often_as_asked(table):
    alone = drawn({"psf_images_path": table, "psf_images_stretch": (1.0, 1.0)})
    assert all(is_of_table(one.psf, table) for one in alone)
    assert len({one.psf.tobytes() for one in alone}) == 2
    among = {"psf_fwhm_pix": (2.0, 5.0), "psf_images_stretch": (1.0, 1.0), "psf_images_path": table}
    share = np.mean([is_of_table(one.psf, table) for one in drawn({**among, "psf_images_share": 0.25}, 200)])
    assert 0.15 < share < 0.35
    # laws alone never give them
    assert not any(is_of_table(one.psf, table) for one in drawn({"psf_fwhm_pix": (2.0, 5.0)}))
    # and light is spread by what is stated
    for one in alone[:4]:
        reach = one.psf.shape[-1] // 2
        seen = one.image[0, 24 - reach : 25 + reach, 24 - reach : 25 + reach]
        assert np.allclose(seen / 100.0, one.psf[0], atol=2e-3)


def test_a_stretched_point_spread_function_is_as_much_wider(table):
    narrow = drawn({"psf_images_path": table, "psf_images_stretch": (1.0, 1.0)}, 12)
    wide = drawn({"psf_images_path": table, "psf_images_stretch": (1.5, 1.5)}, 12)
    for one, other in zip(narrow, wide, strict=True):
        ratio = width_at_half_maximum(other.psf[0]) / width_at_half_maximum(one.psf[0])
        assert ratio == pytest.approx(1.5, rel=0.04)
        assert other.psf.sum() == pytest.approx(1, abs=1e-5)


def test_a_table_without_light_is_refused_and_settings_know_its_content(table, tmp_path):
    fits.PrimaryHDU(np.zeros((1, 5, 5), np.float32)).writeto(tmp_path / "dark.fits")
    with pytest.raises(InputError, match="plane 0 has the sum 0; wanted images of stars"):
        drawn({"psf_images_path": str(tmp_path / "dark.fits")}, 1)
    moved = tmp_path / "elsewhere.fits"
    moved.write_bytes((tmp_path / "psfs.fits").read_bytes())
    one, other = (LookRange(psf_images_path=str(place)).to_dict() for place in (table, moved))
    assert one == other
    dark = LookRange(psf_images_path=str(tmp_path / "dark.fits")).to_dict()
    assert dark != one


@pytest.mark.parametrize("wanted", [5.0, 500.0])
def test_signal_to_noise_is_what_was_asked_for_and_the_variance_that_of_the_noise(wanted):
    look_range = LookRange(
        psf_fwhm_pix=(3.0, 3.0), signal_to_noise=(wanted, wanted), brightest_variance=(20.0, 20.0)
    )
    looks = Looks(Observation(), look_range, HEADER)
    calm = Looks(Observation(), LookRange(psf_fwhm_pix=(3.0, 3.0), signal_to_noise=(1e6, 1e6)), HEADER)
    squares, bright = [], []
    for seed in range(60):
        one = looks.at(spike(), np.random.default_rng(seed))
        mean = calm.at(spike(), np.random.default_rng(seed)).image.astype(float)
        sky = 1 / one.ivar.max()
        assert np.sqrt((mean**2).sum() / sky) == pytest.approx(wanted, rel=1e-3)
        assert one.ivar.max() / one.ivar.min() == pytest.approx(20.0, rel=1e-3)
        pull = (one.image - mean) * np.sqrt(one.ivar)
        squares.append(np.mean(pull**2))
        bright.append(pull[0, 22:27, 22:27] ** 2)
    assert np.mean(squares) == pytest.approx(1, abs=0.02)
    assert np.mean(bright) == pytest.approx(1, abs=0.12)  # 1,500 squares: 3 sigma


def test_shared_noise_has_the_correlation_that_is_stated():
    unit = np.random.default_rng(3).standard_normal((1, 512, 512))
    sigma, found = correlation_of_blank_sky([mixed_with_neighbors(unit, 0.2)[0]], reach_pix=2)
    assert sigma == pytest.approx(1, abs=0.01)
    assert np.abs(found - neighbor_correlation(0.2)).max() < 0.01
    assert np.abs(correlation_of_blank_sky([unit[0]], reach_pix=2)[1] - neighbor_correlation(0.2)).max() > 0.2
    seen = drawn({"psf_fwhm_pix": (2.0, 3.0), "largest_neighbor_weight": 0.3}, 60)
    shared = [one for one in seen if one.noise_correlation is not None]
    assert 15 < len(shared) < 45
    assert turned(shared[0], 3).noise_correlation.shape == (5, 5)


@pytest.mark.parametrize("is_flat", [True, False])
def test_the_deviation_of_filtered_shared_noise_is_exact(is_flat):
    rng = np.random.default_rng(0)
    kernel = torch.from_numpy(rng.standard_normal((1, 1, 2, 5, 5)).astype(np.float32))
    correlation = neighbor_correlation(0.25)
    variance = torch.full((1, 1, 16, 16), 4.0)
    if not is_flat:
        variance = variance * torch.linspace(1, 1.0001, 16)
    found = filtered_deviation(variance, kernel, torch.from_numpy(correlation)[None])
    # the double sum over pairs of places
    for scale in range(2):
        weights, total = kernel[0, 0, scale].numpy().astype(float), 0.0
        for (y, x), one in np.ndenumerate(weights):
            for (v, u), other in np.ndenumerate(weights):
                if abs(y - v) <= 2 and abs(x - u) <= 2:
                    total += one * other * correlation[2 + y - v, 2 + x - u]
        assert float(found[0, 0, scale].mean()) == pytest.approx(2 * np.sqrt(total), rel=1e-3)
        alone = filtered_deviation(variance, kernel)[0, 0, scale].mean()
        assert float(alone) == pytest.approx(2 * np.sqrt((weights**2).sum()), rel=1e-3)
        assert abs(float(alone) / (2 * np.sqrt(total)) - 1) > 0.02


def test_a_batch_holds_shared_and_independent_noise_together():
    seen = drawn({"psf_fwhm_pix": (2.0, 3.0), "largest_neighbor_weight": 0.3}, 12)
    stacked = batch_of(seen).noise_correlation
    assert stacked.shape == (12, 5, 5)
    assert torch.all(stacked[:, 2, 2] == 1)
    for one, correlation in zip(seen, stacked, strict=True):
        assert (one.noise_correlation is None) == (float(correlation.sum()) == 1.0)
    assert batch_of(drawn({"psf_fwhm_pix": (2.0, 3.0)}, 3)).noise_correlation is None


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"signal_to_noise": (5.0, 1.0)}, "wanted the least first"),
        ({"signal_to_noise": (1.0, 5.0), "noise_factor": (0.5, 2.0)}, "wanted one of them"),
        ({"brightest_variance": (1.0, 5.0)}, "signal_to_noise, which is missing"),
        ({"largest_neighbor_weight": 0.2}, "signal_to_noise, which is missing"),
    ],
)
def test_ranges_that_contradict_themselves_are_refused(values, said):
    with pytest.raises(ValueError, match=said):
        LookRange(**values)
