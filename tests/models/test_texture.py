"""What components leave over: its strength, color and place come back in what is drawn."""

import pytest
import torch

from galsmith.models.layers.chance import generator_from_seed
from galsmith.models.pca_diffusion.texture import Texture, ring_shares
from galsmith.models.protocols import NetworkBatch

SIZE_PIX, N_RINGS = 32, 5


def remainders(n: int, *, seed: int = 1) -> NetworkBatch:
    """Composed blobs, and noise of two bands (correlation 0.6), steep or flat, stronger where the blob is bright."""
    chance = generator_from_seed(seed)
    axis = torch.linspace(-1, 1, SIZE_PIX)
    composed = torch.exp(-3 * (axis[:, None] ** 2 + axis[None] ** 2)).expand(n, 2, -1, -1).contiguous()
    waves = torch.fft.fftfreq(SIZE_PIX) * SIZE_PIX
    radius = torch.hypot(waves[:, None], waves[None]).clamp_min(2.0)
    slope = -1.5 * torch.rand(n, 1, 1, 1, generator=chance)
    strength = 0.1 * torch.exp(0.5 * torch.randn(n, 1, 1, 1, generator=chance))
    white = torch.randn(n, 2, SIZE_PIX, SIZE_PIX, generator=chance)
    white = torch.stack([white[:, 0], 0.6 * white[:, 0] + 0.8 * white[:, 1]], dim=1)
    noise = torch.fft.ifft2(torch.fft.fft2(white) * (radius / 6) ** slope).real
    return NetworkBatch(composed, noise * strength * (0.5 + composed))


@pytest.fixture(scope="module")
def fitted() -> tuple[Texture, NetworkBatch, torch.Tensor]:
    """Give a fitted texture, what it was fitted on, and what it draws for the same composed images."""
    batch = remainders(400)
    texture = Texture(n_bands=2, size_pix=SIZE_PIX, n_rings=N_RINGS)
    texture.fit(lambda: iter([batch]))
    numbers = texture.describe(batch.pixels, batch.scalars)
    white = torch.randn(batch.pixels.shape, generator=generator_from_seed(9))
    return texture, batch, texture.drawn(numbers, batch.pixels, white)


def ring_power(pixels: torch.Tensor) -> torch.Tensor:
    """Mean power of each galaxy in each ring, [galaxy, band, ring]."""
    shares = ring_shares(SIZE_PIX, N_RINGS)
    power = torch.fft.fft2(pixels, norm="ortho").abs().square()
    return torch.einsum("gbyx,ryx->gbr", power, shares) / shares.sum(dim=(1, 2))


def test_shares_of_rings_sum_to_one():
    shares = ring_shares(SIZE_PIX, N_RINGS)
    torch.testing.assert_close(shares.sum(dim=0), torch.ones(SIZE_PIX, SIZE_PIX))
    assert (shares.sum(dim=(1, 2)) > 4).all()


def test_numbers_are_normal(fitted):
    texture, batch, _ = fitted
    numbers = texture.describe(batch.pixels, batch.scalars)
    assert numbers.shape == (400, 2 * N_RINGS)
    torch.testing.assert_close(numbers.mean(dim=0), torch.zeros(10), rtol=0, atol=0.05)
    torch.testing.assert_close(numbers.std(dim=0), torch.ones(10), rtol=0, atol=0.05)


def test_drawn_noise_has_each_galaxys_own_spectrum(fitted):
    _, batch, drawn = fitted
    asked, got = ring_power(batch.scalars).log(), ring_power(drawn).log()
    assert abs(float((got - asked).mean())) < 0.05
    assert (got - asked).std(dim=0).max() < 0.6  # a ring of few frequencies scatters by chance
    shuffled = asked.roll(1, dims=0)
    assert (got - shuffled).std(dim=0).min() > 0.9


def test_drawn_noise_is_stronger_where_the_galaxy_is_bright(fitted):
    _, batch, drawn = fitted
    for noise in (batch.scalars, drawn):
        middle = noise[:, :, 12:20, 12:20].square().mean().sqrt()
        border = torch.cat([noise[:, :, :4], noise[:, :, -4:]], dim=2).square().mean().sqrt()
        assert 2.2 < float(middle / border) < 3.2


def test_drawn_noise_has_the_correlation_of_the_bands(fitted):
    _, batch, drawn = fitted
    for noise in (batch.scalars, drawn):
        pairs = torch.corrcoef(noise[:, :, 8:24, 8:24].transpose(0, 1).flatten(1))
        assert abs(float(pairs[0, 1]) - 0.6) < 0.06


def test_independent_bands_stay_independent():
    batch = remainders(200)
    batch = NetworkBatch(
        batch.pixels, torch.stack([batch.scalars[:, 0], batch.scalars[:, 0].roll(1, dims=0)], dim=1)
    )
    texture = Texture(n_bands=2, size_pix=SIZE_PIX, n_rings=N_RINGS)
    texture.fit(lambda: iter([batch]))
    white = torch.randn(batch.pixels.shape, generator=generator_from_seed(9))
    drawn = texture.drawn(texture.describe(batch.pixels, batch.scalars), batch.pixels, white)
    pairs = torch.corrcoef(drawn.transpose(0, 1).flatten(1))
    assert abs(float(pairs[0, 1])) < 0.05


def test_nothing_left_over_gives_next_to_nothing():
    composed = remainders(50).pixels
    texture = Texture(n_bands=2, size_pix=SIZE_PIX, n_rings=N_RINGS)
    nothing = NetworkBatch(composed, torch.zeros_like(composed))
    texture.fit(lambda: iter([nothing]))
    white = torch.randn(composed.shape, generator=generator_from_seed(9))
    drawn = texture.drawn(texture.describe(composed, nothing.scalars), composed, white)
    assert torch.isfinite(drawn).all()
    assert drawn.abs().max() < 1e-4
