"""Blur, halving and doubling against filters written out in numpy; means, constants, derivatives."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from galsmith.models.layers.chance import generator_from_seed
from galsmith.models.style_based.equalized import downsampled, upsampled


@pytest.fixture
def values() -> torch.Tensor:
    return torch.randn(2, 3, 8, 8, generator=generator_from_seed(1), dtype=torch.float64)


def filtered(image: np.ndarray, taps: list[float]) -> np.ndarray:
    """Filter both axes, the edge going on beyond the edge; "same" for odd taps, one longer for even."""
    before, after = len(taps) // 2, len(taps) // 2
    for axis in (0, 1):
        widths = [(0, 0), (0, 0)]
        widths[axis] = (before, after)
        padded = np.pad(image, widths, mode="edge")
        image = np.apply_along_axis(lambda row: np.convolve(row, taps, mode="valid"), axis, padded)
    return image


def blurred(values: torch.Tensor) -> torch.Tensor:
    """Blur by [1, 2, 1] / 4 in y and x, which halving and doubling are made of."""
    channels = values.shape[1]
    taps = torch.tensor([0.25, 0.5, 0.25], dtype=values.dtype, device=values.device)
    kernel = torch.outer(taps, taps).expand(channels, 1, 3, 3).contiguous()
    padded = functional.pad(values, (1, 1, 1, 1), mode="replicate")
    return functional.conv2d(padded, kernel, groups=channels)


def test_the_blur_is_one_two_one(values):
    wanted = filtered(values[1, 2].numpy(), [0.25, 0.5, 0.25])
    np.testing.assert_allclose(blurred(values)[1, 2].numpy(), wanted, atol=1e-12)


def test_halving_is_one_three_three_one_at_every_second_pixel(values):
    wanted = filtered(values[0, 1].numpy(), [0.125, 0.375, 0.375, 0.125])[1::2, 1::2]
    np.testing.assert_allclose(downsampled(values)[0, 1].numpy(), wanted, atol=1e-12)


def test_doubling_is_the_blur_of_nearest_neighbors(values):
    nearest = np.repeat(np.repeat(values[0, 0].numpy(), 2, axis=0), 2, axis=1)
    np.testing.assert_allclose(
        upsampled(values)[0, 0].numpy(), filtered(nearest, [0.25, 0.5, 0.25]), atol=1e-12
    )


@pytest.mark.parametrize("resample", [blurred, upsampled, downsampled])
def test_the_mean_is_kept_and_constants_stay(resample, values):
    torch.testing.assert_close(resample(values).mean(dim=(2, 3)), values.mean(dim=(2, 3)), rtol=0, atol=1e-12)
    ones = torch.ones(1, 2, 8, 8)
    assert torch.allclose(resample(ones), torch.tensor(1.0), atol=1e-6)


def test_halving_is_a_quarter_of_the_transpose_of_doubling(values):
    small = torch.randn(2, 3, 4, 4, generator=generator_from_seed(2), dtype=torch.float64)
    left = (downsampled(values) * small).sum()
    right = (values * upsampled(small)).sum() / 4
    assert float(left) == pytest.approx(float(right), rel=1e-12)


@pytest.mark.parametrize("resample", [blurred, upsampled, downsampled])
def test_first_and_second_derivatives_are_right(resample):
    values = torch.randn(
        1, 2, 4, 4, generator=generator_from_seed(3), dtype=torch.float64, requires_grad=True
    )
    assert torch.autograd.gradcheck(resample, (values,))
    assert torch.autograd.gradgradcheck(resample, (values,))


@pytest.mark.parametrize("resample", [blurred, upsampled, downsampled])
def test_type_and_memory_format_are_kept(resample):
    values = torch.randn(2, 4, 8, 8, generator=generator_from_seed(1)).to(torch.bfloat16)
    out = resample(values.contiguous(memory_format=torch.channels_last))
    assert out.dtype == torch.bfloat16
    assert out.is_contiguous(memory_format=torch.channels_last)
