"""The parity trick against brute force on all eight copies, and signs on coefficients against turned pixels."""

import numpy as np
import pytest
import torch

from galsmith.errors import InputError
from galsmith.models.layers.chance import generator_from_seed
from galsmith.models.layers.d4 import apply_d4, elements_from_normal
from galsmith.models.pca_diffusion import symmetric_basis
from galsmith.models.pca_diffusion.symmetric_basis import (
    block_sizes,
    fit_symmetric_basis,
    join_parities,
    split_by_parity,
)
from galsmith.models.protocols import NetworkBatch

N, BANDS, SIZE = 300, 2, 8


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    chance = generator_from_seed(0)
    mix = torch.randn(SIZE, SIZE, generator=chance)
    return torch.randn(N, BANDS, SIZE, SIZE, generator=chance) @ mix + 1.0


def in_chunks(images: torch.Tensor):
    def batches():
        for chunk in images.split(64):
            yield NetworkBatch(chunk, torch.empty(len(chunk), 0))

    return batches


def fitted(images: torch.Tensor, n_components: int, *, brightness_weight: float = 0.0):
    return fit_symmetric_basis(
        in_chunks(images),
        n_bands=BANDS,
        size_pix=SIZE,
        n_components=n_components,
        brightness_weight=brightness_weight,
    )


@pytest.fixture(scope="module")
def brute_force(images) -> np.ndarray:
    """Eigenvalues of the covariance of all eight copies of every image, falling."""
    copies = torch.cat([apply_d4(images, torch.full((N,), element)) for element in range(8)])
    return np.linalg.eigvalsh(np.cov(copies.flatten(1).double().numpy().T, bias=True))[::-1]


def test_the_elements_are_the_eight_turns_and_reflections_of_numpy():
    image = torch.arange(9.0).reshape(1, 1, 3, 3)
    ours = {tuple(apply_d4(image, torch.tensor([element])).flatten().tolist()) for element in range(8)}
    plain = image[0, 0].numpy()
    theirs = {tuple(np.rot90(side, turns).flatten()) for side in (plain, plain.T) for turns in range(4)}
    assert ours == theirs


def test_each_image_gets_its_own_element(images):
    elements = torch.arange(8).repeat(2)
    together = apply_d4(images[:16], elements)
    for position in range(16):
        alone = apply_d4(images[position : position + 1], elements[position : position + 1])
        assert torch.equal(together[position], alone[0])


def test_elements_are_equally_likely():
    normal = torch.randn(80_000, generator=generator_from_seed(1))
    counts = torch.bincount(elements_from_normal(normal), minlength=8)
    assert len(counts) == 8
    assert counts.double().div(10_000).tolist() == pytest.approx([1.0] * 8, abs=0.05)


def test_the_parity_blocks_are_an_orthonormal_basis(images):
    blocks = split_by_parity(images.double())
    assert [block.shape[2] for block in blocks] == block_sizes(n_bands=BANDS, size_pix=SIZE)
    assert sum(block[0].numel() for block in blocks) == BANDS * SIZE**2
    power = sum((block**2).sum() for block in blocks)
    assert power == pytest.approx(float((images.double() ** 2).sum()), rel=1e-12)
    back = join_parities(blocks, n_bands=BANDS, size_pix=SIZE)
    torch.testing.assert_close(back, images.double())


def test_variances_equal_those_of_all_eight_copies(images, brute_force):
    basis = fitted(images, BANDS * SIZE**2)
    ours = np.sort(basis.deviations.double().numpy() ** 2)[::-1]
    assert len(ours) == BANDS * SIZE**2
    np.testing.assert_allclose(ours, brute_force, rtol=1e-5)


def test_variances_of_the_images_alone_differ(images, brute_force):
    plain = np.linalg.eigvalsh(np.cov(images.flatten(1).double().numpy().T, bias=True))[::-1]
    assert np.abs(plain / brute_force - 1).max() > 0.2


def test_all_components_give_the_images_back_and_few_lose_the_least(images, brute_force):
    whole = fitted(images, BANDS * SIZE**2)
    torch.testing.assert_close(whole.decode(whole.encode(images)), images, rtol=0, atol=1e-4)
    few = fitted(images, 40)
    assert few.n_coefficients in (39, 40)
    copies = torch.cat([apply_d4(images, torch.full((N,), element)) for element in range(8)])
    lost = ((few.decode(few.encode(copies)) - copies) ** 2).sum(dim=(1, 2, 3)).mean()
    assert float(lost) == pytest.approx(brute_force[few.n_coefficients :].sum(), rel=0.02)


def test_coefficients_have_the_stated_deviations_and_no_mean(images):
    basis = fitted(images, 40)
    copies = torch.cat([apply_d4(images, torch.full((N,), element)) for element in range(8)])
    coefficients = basis.encode(copies).double()
    deviations = basis.deviations.double()
    torch.testing.assert_close(
        coefficients.mean(dim=0) / deviations, torch.zeros(40, dtype=torch.float64), rtol=0, atol=1e-4
    )
    torch.testing.assert_close((coefficients**2).mean(dim=0).sqrt(), deviations, rtol=1e-4, atol=0)


@pytest.mark.parametrize("element", range(8))
def test_turning_coefficients_is_turning_pixels(images, element):
    basis = fitted(images, 50)
    elements = torch.full((N,), element)
    on_pixels = basis.encode(apply_d4(images, elements))
    on_coefficients = basis.turned(basis.encode(images), elements)
    torch.testing.assert_close(on_coefficients, on_pixels, rtol=0, atol=1e-4)
    drawn = basis.decode(on_coefficients)
    torch.testing.assert_close(
        drawn, apply_d4(basis.decode(basis.encode(images)), elements), rtol=0, atol=1e-4
    )


@pytest.mark.parametrize("brightness_weight", [0.0, 0.7])
def test_large_blocks_are_solved_by_projection_to_the_same_components(monkeypatch, brightness_weight):
    falling = 0.5 ** torch.arange(SIZE)  # galaxies' spectra fall, too
    images = torch.randn(N, BANDS, SIZE, SIZE, generator=generator_from_seed(5)) * falling[:, None] * falling
    images = images + falling
    exact = fitted(images, 24, brightness_weight=brightness_weight)
    monkeypatch.setattr(symmetric_basis, "LARGEST_EXACT_BLOCK", 4)
    monkeypatch.setattr(symmetric_basis, "EXTRA_DIRECTIONS", 4)  # of 32, so that a range is left out
    projected = fitted(images, 24, brightness_weight=brightness_weight)
    assert projected.counts == exact.counts
    torch.testing.assert_close(projected.deviations, exact.deviations, rtol=1e-3, atol=0)
    torch.testing.assert_close(
        projected.decode(projected.encode(images)), exact.decode(exact.encode(images)), rtol=0, atol=0.01
    )


def test_a_fit_goes_once_over_the_data(images, monkeypatch):
    monkeypatch.setattr(symmetric_basis, "LARGEST_EXACT_BLOCK", 16)  # blocks of both kinds
    passes = []

    def counted():
        passes.append(1)
        return in_chunks(images)()

    fit_symmetric_basis(counted, n_bands=BANDS, size_pix=SIZE, n_components=9, brightness_weight=0.5)
    assert len(passes) == 1


def test_weighted_components_are_those_of_weighted_images(images):
    basis = fitted(images, 24, brightness_weight=0.7)
    mean = (
        sum(apply_d4(images.mean(dim=0, keepdim=True), torch.tensor([element])) for element in range(8)) / 8
    )
    weights = (0.7 * mean).exp()
    weights = weights / weights.mean(dim=(-2, -1), keepdim=True)
    plain = fitted(images * weights, 24)
    assert basis.counts == plain.counts
    torch.testing.assert_close(basis.deviations, plain.deviations, rtol=1e-4, atol=0)
    torch.testing.assert_close(
        basis.decode(basis.encode(images)) * weights,
        plain.decode(plain.encode(images * weights)),
        rtol=0,
        atol=1e-3,
    )
    elements = torch.arange(len(images)) % 8
    torch.testing.assert_close(
        basis.encode(apply_d4(images, elements)),
        basis.turned(basis.encode(images), elements),
        rtol=0,
        atol=1e-3,
    )


def test_weights_keep_a_small_bright_middle_that_plain_components_lose():
    chance = generator_from_seed(4)
    images = 0.3 * torch.randn(N, 1, 16, 16, generator=chance)  # a broad sky of many directions
    middle = slice(7, 9)
    images[:, :, middle, middle] = 4.0 + 0.2 * torch.randn(N, 1, 2, 2, generator=chance)

    def lost(brightness_weight: float) -> float:
        basis = fit_symmetric_basis(
            in_chunks(images),
            n_bands=1,
            size_pix=16,
            n_components=24,
            brightness_weight=brightness_weight,
        )
        error = basis.decode(basis.encode(images)) - images
        return float(error[:, :, middle, middle].square().mean().sqrt())

    assert lost(1.0) < 0.02  # of 0.2
    assert lost(0.0) > 0.15


def test_directions_without_variance_are_left_out():
    chance = generator_from_seed(2)
    shapes = torch.randn(3, 1, SIZE, SIZE, generator=chance)
    images = torch.einsum("ns,sbyx->nbyx", torch.randn(N, 3, generator=chance), shapes)
    basis = fit_symmetric_basis(in_chunks(images), n_bands=1, size_pix=SIZE, n_components=60)
    assert 0 < basis.n_coefficients <= 24  # three shapes in eight orientations


def test_pixels_that_are_not_finite_are_refused(images):
    spoiled = images.clone()
    spoiled[7, 0, 0, 0] = float("nan")
    with pytest.raises(InputError, match="training pixels are not all finite"):
        fitted(spoiled, 5)


def test_an_empty_training_set_is_refused():
    with pytest.raises(InputError, match="the training split has no images"):
        fit_symmetric_basis(lambda: iter([]), n_bands=1, size_pix=SIZE, n_components=3)
