"""The Haar stem: exact inverse, Parseval, what its channels are, and their scales."""

import pytest
import torch

from galsmith.errors import InputError
from galsmith.models.diffusion.bases import HaarStem, haar, inverse_haar
from galsmith.models.diffusion.config import DiffusionConfig
from galsmith.models.diffusion.generator import DiffusionGenerator
from galsmith.models.family import Blueprint
from galsmith.models.layers.chance import generator_from_seed
from galsmith.models.layers.d4 import FLIP_X, TRANSPOSE, apply_d4
from galsmith.models.protocols import DataDescription, NetworkBatch


def noise(*shape: int) -> torch.Tensor:
    """Standard normal numbers."""
    return torch.randn(shape, generator=generator_from_seed(4))


def smooth(n: int, n_bands: int = 1, size_pix: int = 16) -> torch.Tensor:
    """Random walks in both directions: strong at large scales, with a mean far from zero."""
    return 3.0 + noise(n, n_bands, size_pix, size_pix).cumsum(-1).cumsum(-2) / size_pix


def fitted(pixels: torch.Tensor, *, n_levels: int, symmetric: bool = True) -> HaarStem:
    """Fit a stem on pixels."""
    stem = HaarStem(n_bands=pixels.shape[1], n_levels=n_levels)
    batch = NetworkBatch(pixels, torch.empty(len(pixels), 0))
    stem.fit(lambda: iter([batch]), deviation=0.5, symmetric=symmetric)
    return stem


def test_the_transform_keeps_the_norm_and_is_undone():
    values = noise(2, 3, 8, 8)
    transformed = haar(values)
    assert transformed.shape == (2, 12, 4, 4)
    torch.testing.assert_close(transformed.square().sum(), values.square().sum())  # Parseval
    torch.testing.assert_close(inverse_haar(transformed), values, atol=1e-6, rtol=0)


def test_channels_are_mean_and_differences_of_their_own_band():
    block = torch.tensor([[1.0, 2.0], [4.0, 8.0]])
    values = torch.stack([torch.zeros(2, 2), block])[None]
    assert haar(values)[0, :, 0, 0].tolist() == [0, 0, 0, 0, 7.5, -2.5, -4.5, 1.5]


@pytest.mark.parametrize(("n_levels", "n_channels"), [(0, 2), (1, 8), (2, 32)])
def test_a_fitted_stem_is_undone(n_levels, n_channels):
    pixels = smooth(20, n_bands=2)
    stem = fitted(pixels, n_levels=n_levels)
    channels = stem.encode(pixels)
    assert stem.n_channels == n_channels
    assert channels.shape == (20, n_channels, 16 // 2**n_levels, 16 // 2**n_levels)
    torch.testing.assert_close(stem.decode(channels), pixels, atol=1e-5, rtol=0)


@pytest.mark.parametrize("n_levels", [1, 2])
def test_every_sub_band_gets_the_same_deviation(n_levels):
    pixels = smooth(400)
    raw = haar(pixels) if n_levels == 1 else haar(haar(pixels))
    stem = fitted(pixels, n_levels=n_levels)
    before, after = (values.transpose(0, 1).flatten(1).std(dim=1) for values in (raw, stem.encode(pixels)))
    assert before.max() > 10 * before.min()
    torch.testing.assert_close(after, torch.full_like(after, 0.5), atol=0.05, rtol=0)
    assert stem.encode(pixels)[:, 0].mean() == pytest.approx(0.0, abs=0.02)
    assert (stem.mean[1:] == 0).all()


def test_scales_do_not_know_x_from_y_when_orientations_are_drawn_evenly():
    stripes = smooth(50) + 5 * noise(50, 1, 16, 1)
    symmetric, plain = fitted(stripes, n_levels=1), fitted(stripes, n_levels=1, symmetric=False)
    torch.testing.assert_close(symmetric.scale[1], symmetric.scale[2])
    assert plain.scale[2] > 3 * plain.scale[1]
    flipped = symmetric.encode(apply_d4(stripes, torch.full((50,), FLIP_X)))
    signs = torch.tensor([1.0, -1.0, 1.0, -1.0])[:, None, None]
    torch.testing.assert_close(flipped, symmetric.encode(stripes).flip(-1) * signs, atol=1e-5, rtol=0)
    turned = symmetric.encode(apply_d4(stripes, torch.full((50,), TRANSPOSE)))
    expected = symmetric.encode(stripes).transpose(-1, -2)[:, [0, 2, 1, 3]]
    torch.testing.assert_close(turned, expected, atol=1e-4, rtol=0)


def test_empty_sub_bands_are_left_small():
    flat = noise(10, 1, 1, 1).expand(-1, 1, 8, 8).contiguous()
    stem = fitted(flat, n_levels=1)
    assert torch.isfinite(stem.encode(flat)).all()
    assert stem.encode(flat)[:, 1:].abs().max() < 1e-6
    torch.testing.assert_close(stem.decode(stem.encode(flat)), flat)


def test_pixels_must_be_finite():
    pixels = smooth(4)
    pixels[0, 0, 0, 0] = float("nan")
    with pytest.raises(InputError, match="not all finite in network space"):
        fitted(pixels, n_levels=1)


@pytest.mark.parametrize(
    ("n_bands", "size_pix", "widths"),
    [(1, 64, [32, 64]), (4, 64, [32, 64]), (1, 256, [32, 64]), (4, 256, [64, 64]), (5, 256, [80, 80])],
)
def test_levels_are_as_wide_as_what_the_stem_gives(n_bands, size_pix, widths):
    config = DiffusionConfig(channels=(32, 64), embedding_width=8)
    description = DataDescription(tuple("ugriz"[:n_bands]), size_pix, (), 10)
    blueprint = Blueprint(config, description, generator_from_seed(1), {})
    unet = DiffusionGenerator(blueprint).unet
    assert unet.enter.weight.shape[0] == widths[0]
    assert sorted({block.first.weight.shape[0] for block in unet.down if hasattr(block, "first")}) == sorted(
        set(widths)
    )
    assert config.channels == (32, 64)
