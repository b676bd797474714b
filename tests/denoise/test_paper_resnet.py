"""The paper's network: as many weights as theirs, started as theirs; batches of observations, and drawn PSFs."""

import numpy as np
import pytest
import torch

from galsmith.denoise.looks import drawn_kernels
from galsmith.denoise.network import ObservedBatch, batch_of
from galsmith.denoise.paper_resnet import PaperResnet, PaperResnetSettings
from galsmith.observe import Observed


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


@pytest.mark.parametrize("variant", ["code", "text"])
def test_the_papers_network_has_as_many_weights_as_theirs(variant):
    # 3,232 + 10 x 25,632 + 1,602 + 1,632 + 10 x 25,632 + 3,204, counted on their published weights
    network = PaperResnet(PaperResnetSettings(variant=variant), 4)
    assert sum(weight.numel() for weight in network.parameters()) == 522_310


def test_the_papers_network_starts_as_keras_does():
    network = PaperResnet(PaperResnetSettings(), 4)
    network.start(0)
    # Glorot's uniform law: limit sqrt(6 / (fan_in + fan_out)), here of 25 x 32 and 25 x 32
    limit = np.sqrt(6 / (25 * 64))
    weight = network.encoder[1].weight.detach().numpy()
    assert np.abs(weight).max() <= limit
    assert weight.std() == pytest.approx(limit / np.sqrt(3), rel=0.02)
    assert float(network.encoder[1].bias.detach().abs().max()) == 0


def test_text_and_code_are_two_functions_of_the_same_weights():
    code, text = (PaperResnet(PaperResnetSettings(variant=variant), 2) for variant in ("code", "text"))
    code.start(0)
    text.load_state_dict(code.state_dict())
    image = batch().image
    assert float((code(image) - text(image)).detach().abs().max()) > 1e-3


def test_a_batch_is_filled_up_and_what_is_masked_or_filled_does_not_count():
    def observed(side, ivar=0.25):
        return Observed(
            np.ones((1, side, side), np.float32),
            np.full((1, side, side), ivar, np.float32),
            gaussian(1.0, 4 if side > 5 else 2)[None],
            np.ones((1, side, side), np.float32),
        )

    small = observed(5)
    small.ivar[0, 2, 2] = 0
    found = batch_of([observed(8), small], side_multiple=2)
    assert found.image.shape == (2, 1, 8, 8)
    assert found.weight[1].sum() == 24
    assert found.weight[0].sum() == 64
    assert (found.variance == 4).all()
    np.testing.assert_allclose(found.psf.sum(dim=(2, 3)), 1, rtol=1e-5)
    assert found.psf[1, 0, 4, 4] == small.psf[0, 2, 2]
    without_noise = batch_of([observed(8, np.inf)])
    assert torch.isfinite(without_noise.variance).all()


def test_looks_have_the_widths_and_the_norm_that_were_asked_for():
    rng = np.random.default_rng(0)
    for _ in range(20):
        kernels = drawn_kernels(rng, (2.0, 5.0), 3, largest_ellipticity=0.0)
        assert kernels.sum(axis=(1, 2)) == pytest.approx(1, rel=1e-5)
        middle = kernels.shape[-1] // 2
        for kernel in kernels:
            assert kernel.argmax() == middle * kernel.shape[-1] + middle
            profile = kernel[middle, middle:]
            half = np.interp(-0.5, -profile / profile[0], np.arange(len(profile)))
            assert 1.9 < 2 * half < 5.3  # pixels widen it by a few hundredths
