"""The cosine basis against scipy, and its fit against a known spectrum."""

import numpy as np
import pytest
import torch
from scipy import fft

from galsmith.errors import InputError
from galsmith.models.diffusion.bases import FrequencyBasis, fit_frequency_basis
from galsmith.models.layers.chance import generator_from_seed
from galsmith.models.layers.cosines import cosine_matrix
from galsmith.models.layers.d4 import TRANSPOSE, apply_d4
from galsmith.models.protocols import NetworkBatch

SIZE_PIX = 8


def images_of(deviations: torch.Tensor, mean: torch.Tensor, n: int) -> torch.Tensor:
    """Gaussian images whose cosine coefficients have these deviations and means."""
    basis = FrequencyBasis(n_bands=len(deviations), size_pix=deviations.shape[-1])
    return basis.to_places(mean + deviations * torch.randn(n, *mean.shape, generator=generator_from_seed(1)))


def fitted(images: torch.Tensor, *, symmetric: bool) -> FrequencyBasis:
    """Fit on images in two batches."""
    halves = [NetworkBatch(part, torch.empty(len(part), 0)) for part in images.chunk(2)]
    return fit_frequency_basis(
        lambda: iter(halves),
        encode=lambda pixels: pixels,
        symmetric=symmetric,
        n_bands=images.shape[1],
        size_pix=images.shape[-1],
    )


def falling(n_bands: int = 2) -> torch.Tensor:
    """Deviations that fall by a factor 100 and differ from band to band, equal at (v, u) and (u, v)."""
    axis = torch.arange(SIZE_PIX, dtype=torch.float32)
    one = 1 / (1 + axis[:, None] ** 2 + axis**2)
    return torch.stack([one * (1 + band) for band in range(n_bands)])


def test_coefficients_are_those_of_scipy_and_keep_the_norm():
    images = torch.randn(3, 2, 16, 16, generator=generator_from_seed(2))
    basis = FrequencyBasis(n_bands=2, size_pix=16)
    coefficients = basis.to_frequencies(images)
    expected = fft.dctn(images.double().numpy(), type=2, norm="ortho", axes=(-2, -1))
    np.testing.assert_allclose(coefficients.numpy(), expected, atol=1e-5)
    torch.testing.assert_close(coefficients.square().sum(), images.square().sum())  # Parseval
    torch.testing.assert_close(basis.to_places(coefficients), images)


@pytest.mark.parametrize("size", [1, 2, 32, 256])
def test_the_matrix_is_orthonormal(size):
    matrix = cosine_matrix(size).double()
    torch.testing.assert_close(matrix @ matrix.T, torch.eye(size, dtype=torch.float64), atol=1e-6, rtol=0)


@pytest.mark.parametrize("symmetric", [True, False])
def test_a_known_spectrum_and_mean_are_found(symmetric):
    mean = torch.zeros(2, SIZE_PIX, SIZE_PIX)
    mean[:, 0, 0], mean[:, 2, 4], mean[:, 4, 2] = 5.0, 1.0, 1.0
    basis = fitted(images_of(falling(), mean, 6000), symmetric=symmetric)
    torch.testing.assert_close(basis.deviations / falling(), torch.ones_like(mean), atol=0.05, rtol=0)
    torch.testing.assert_close(basis.mean, mean, atol=0.08, rtol=0)


def test_only_all_orientations_together_make_a_symmetric_basis():
    uneven = falling() * torch.linspace(1, 3, SIZE_PIX)[:, None]
    mean = torch.zeros_like(uneven)
    mean[:, 0, 1], mean[:, 2, 0] = 1.0, 1.0
    images = images_of(uneven, mean, 2000)
    basis, plain = fitted(images, symmetric=True), fitted(images, symmetric=False)
    torch.testing.assert_close(basis.deviations, basis.deviations.transpose(1, 2))
    for element in range(8):
        turned = apply_d4(basis.to_places(basis.mean)[None], torch.tensor([element]))[0]
        torch.testing.assert_close(turned, basis.to_places(basis.mean), atol=1e-5, rtol=0)
    assert not torch.allclose(plain.deviations, plain.deviations.transpose(1, 2), rtol=0.2)
    swapped = fitted(apply_d4(images, torch.full((2000,), TRANSPOSE)), symmetric=True)
    torch.testing.assert_close(swapped.deviations, basis.deviations)


def test_coefficients_of_the_fitted_set_are_centered_and_come_back():
    mean = torch.full((1, SIZE_PIX, SIZE_PIX), 0.3)
    images = images_of(falling(1), mean, 500)
    basis = fitted(images, symmetric=False)
    values = basis.encode(images)
    assert values.mean(dim=0).abs().max() < 1e-5
    torch.testing.assert_close(values.std(dim=0, correction=0), basis.deviations, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(basis.decode(values), images, atol=1e-5, rtol=0)


def test_frequencies_without_any_light_get_a_small_deviation():
    deviations = falling(1)
    deviations[:, 5:] = 0.0
    basis = fitted(images_of(deviations, torch.zeros_like(deviations), 300), symmetric=False)
    assert basis.deviations.min() == pytest.approx(1e-4 * float(basis.deviations.max()), rel=1e-3)


def test_the_set_cannot_be_equal_empty_or_infinite():
    same = torch.randn(1, 1, 8, 8, generator=generator_from_seed(3)).expand(20, -1, -1, -1).contiguous()
    with pytest.raises(InputError, match="all training images are equal"):
        fitted(same, symmetric=False)
    with pytest.raises(InputError, match="all training images are equal"):
        fitted(torch.zeros(4, 1, 8, 8), symmetric=True)
    same[3, 0, 2, 2] = float("inf")
    with pytest.raises(InputError, match="not all finite in network space"):
        fitted(same, symmetric=False)
