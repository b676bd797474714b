"""Our network: cost, equivariance, no pedestal, exact noise levels; for both: any size, parts with margins."""

import numpy as np
import pytest
import torch
from scipy.signal import fftconvolve

from galsmith.denoise.deconvolution import bank_kernels, filtered, filtered_deviation
from galsmith.denoise.filter_bank import FilterBank, FilterBankSettings, smoothed
from galsmith.denoise.network import ObservedBatch
from galsmith.denoise.paper_resnet import PaperResnet, PaperResnetSettings

SMALL_BANK = FilterBankSettings(
    width=8, blocks=2, reach_pix=8, kept_beyond_pix=3.0, strengths=(10.0, 0.1, 0.01)
)
SMALL_PAPER = PaperResnetSettings(width=4, blocks=1)
STRENGTHS = (100.0, 3.0, 0.1, 0.01)


@pytest.fixture(autouse=True)
def _no_gradients():
    with torch.no_grad():
        yield


def gaussian(sigma_pix, reach=10):
    axis = np.arange(-reach, reach + 1)
    kernel = np.exp(-(axis[:, None] ** 2 + axis[None] ** 2) / (2 * sigma_pix**2))
    return (kernel / kernel.sum()).astype(np.float32)


def batch(side=32, n_bands=2, sigma=4.0, seed=0, galaxies=2):
    rng = np.random.default_rng(seed)
    shape = (galaxies, n_bands, side, side)
    image = torch.from_numpy((10 * rng.standard_normal(shape)).astype(np.float32))
    psf = torch.from_numpy(gaussian(1.5)).expand(galaxies, n_bands, -1, -1)
    return ObservedBatch(image, torch.full(shape, sigma**2), psf, image.clone(), torch.ones(shape))


def woken(network, seed=1):
    """Give every weight a value, for zeros of the start would hide what they multiply."""
    network.start(seed)
    with torch.no_grad():
        for position, weight in enumerate(network.parameters()):
            chance = torch.Generator().manual_seed(position)
            weight.add_(0.1 * torch.randn(weight.shape, generator=chance))
    return network.eval()


def test_our_network_multiplies_as_often_as_the_papers():
    def products(network):
        return sum(w.numel() for w in network.parameters() if w.ndim == 4)

    paper = products(PaperResnet(PaperResnetSettings(), 4))
    ours = products(FilterBank(FilterBankSettings(), 4)) / 4  # on blocks of 2 x 2 pixels
    assert ours == pytest.approx(paper, rel=0.1)


@pytest.mark.parametrize("sides", [(32, 32), (18, 40), (2, 2)])
def test_any_size_of_image_passes(sides):
    given = batch(40).part(slice(sides[0]), slice(sides[1]))
    for network in (PaperResnet(SMALL_PAPER, 2), FilterBank(SMALL_BANK, 2)):
        assert woken(network).restored(given).image.shape == given.image.shape


def test_image_and_noise_times_a_number_give_the_result_times_it():
    network, given = woken(FilterBank(SMALL_BANK, 2)), batch()
    other = ObservedBatch(given.image * 8, given.variance * 64, given.psf, given.truth, given.weight)
    one, eight = network.restored(given), network.restored(other)
    torch.testing.assert_close(eight.image, one.image * 8, rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(eight.sigma, one.sigma * 8, rtol=1e-4, atol=1e-3)
    paper = woken(PaperResnet(SMALL_PAPER, 2))
    ratio = paper.restored(other).image / paper.restored(given).image
    assert float((ratio - 8).abs().max()) > 0.1


@pytest.mark.parametrize("sigma_pix", [0.7, 1.5, 2.5])
def test_the_bank_undoes_the_psf_better_the_weaker_it_is_regularized_and_keeps_flux(sigma_pix):
    kernels = bank_kernels(gaussian(sigma_pix), strengths=STRENGTHS, reach_pix=24)
    assert kernels.sum(axis=(1, 2)) == pytest.approx([1, 0, 0, 0], abs=1e-4)
    sums = np.cumsum(kernels, axis=0)
    point = gaussian(1.5, 24)
    blurred = fftconvolve(point, gaussian(sigma_pix), mode="same")
    errors = [np.abs(fftconvolve(blurred, one, mode="same") - point).sum() for one in sums]
    assert (np.diff(errors) < 0).all()
    assert errors[-1] < 0.6 * errors[0]


def test_the_noise_of_each_scale_is_known_exactly():
    given = batch(side=24, n_bands=1, galaxies=1)
    kernels = torch.from_numpy(bank_kernels(gaussian(1.0), strengths=STRENGTHS, reach_pix=6))[None, None]
    rng = np.random.default_rng(0)
    variance = torch.from_numpy(rng.uniform(1, 9, (1, 1, 24, 24)).astype(np.float32))
    found = filtered_deviation(variance, kernels)[0, 0, 2, 10:14, 10:14]
    wanted = [
        [
            np.sqrt(
                (
                    variance[0, 0, y - 6 : y + 7, x - 6 : x + 7].numpy()[::-1, ::-1]
                    * kernels[0, 0, 2].numpy() ** 2
                ).sum()
            )
            for x in range(10, 14)
        ]
        for y in range(10, 14)
    ]
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-4)
    # one variance for all is the limit of many
    level = filtered_deviation(given.variance, kernels)
    nearly = given.variance.clone()
    nearly[..., 0, 0] *= 1.0001
    torch.testing.assert_close(
        filtered_deviation(nearly, kernels), level.expand(-1, -1, -1, 24, 24), rtol=1e-3, atol=0
    )


def test_filtering_is_a_convolution_with_nothing_beyond_the_frame():
    given = batch(side=20, n_bands=1, galaxies=1)
    kernel = bank_kernels(gaussian(1.0), strengths=(1.0,), reach_pix=5)
    found = filtered(given.image, torch.from_numpy(kernel)[None, None])[0, 0, 0].numpy()
    np.testing.assert_allclose(
        found, fftconvolve(given.image[0, 0].numpy(), kernel[0], mode="same"), atol=1e-4
    )


@pytest.mark.parametrize(
    "network", [PaperResnet(SMALL_PAPER, 2), FilterBank(SMALL_BANK, 2)], ids=["paper", "ours"]
)
def test_a_part_with_its_margin_gives_what_the_whole_gives(network):
    network, margin = woken(network), network.margin_pix + network.margin_pix % 2
    given = batch(side=2 * margin + 40)
    whole = network.restored(given).image
    part = network.restored(given.part(slice(8, 2 * margin + 40), slice(0, 2 * margin + 20))).image
    inner = slice(margin, 20 + margin)
    torch.testing.assert_close(
        part[..., inner, : margin + 20],
        whole[..., margin + 8 : margin + 28, : margin + 20],
        rtol=1e-3,
        atol=1e-3,  # float32 transforms of other lengths, of values of some tens
    )
    # one pixel less than it sees would not do
    far = given.image.clone()
    far[..., 0, 0] += 1e3
    moved = network.restored(ObservedBatch(far, given.variance, given.psf, given.truth, given.weight)).image
    changed = (moved - whole).abs().amax(dim=(0, 1)) > 0.02  # a transform's rounding of 1e3 is below
    assert int(torch.nonzero(changed).max()) <= network.margin_pix


def test_blank_sky_has_no_pedestal_and_flux_is_that_of_the_observation():
    network, given = woken(FilterBank(SMALL_BANK, 2)), batch(side=64, galaxies=3)
    found = network._found(given)
    # sums of an image are those of the middle filter, which keeps flux, whatever the network says
    sums = found.estimate.sum(dim=(2, 3))
    torch.testing.assert_close(sums, found.scales[:, :, :2].sum(dim=(2, 3, 4)), rtol=1e-3, atol=0.05)
    point = torch.zeros(1, 2, 64, 64)
    point[..., 32, 32] = 1000.0
    restored = network.restored(
        ObservedBatch(point, given.variance[:1], given.psf[:1], point, torch.ones_like(point))
    )
    torch.testing.assert_close(
        restored.image.sum(dim=(2, 3)), torch.full((1, 2), 1000.0), rtol=1e-3, atol=0.1
    )
    # the mean over noise and its negative: the paper's network has constants
    mirrored = ObservedBatch(-given.image, given.variance, given.psf, given.truth, given.weight)
    both = network.restored(given).image + network.restored(mirrored).image
    assert float(both.mean().abs()) < 1e-3
    paper = woken(PaperResnet(SMALL_PAPER, 2))
    assert float((paper(given.image) + paper(-given.image)).mean().detach().abs()) > 1e-2


def test_smoothing_keeps_sums_and_levels_up_to_the_edges():
    rng = np.random.default_rng(0)
    images = torch.from_numpy(rng.standard_normal((2, 20, 31)).astype(np.float32))
    found = smoothed(images, 8.0)
    torch.testing.assert_close(found.sum(dim=(1, 2)), images.sum(dim=(1, 2)), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(
        smoothed(torch.ones(1, 20, 31), 8.0), torch.ones(1, 20, 31), rtol=1e-5, atol=1e-5
    )
    assert float(found.std()) < 0.2 * float(images.std())
