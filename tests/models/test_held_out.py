"""Which images are held out depends on each image alone."""

import pytest
import torch

from galsmith.models.layers.chance import generator_from_seed
from galsmith.models.vae.trainer import marked


def images(n: int, side: int = 8) -> torch.Tensor:
    return torch.randn(n, 1, side, side, generator=generator_from_seed(0))


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_about_the_share_asked_for_is_marked(share):
    deviation = (share * (1 - share) / 4000) ** 0.5
    assert marked(images(4000), share=share).float().mean().item() == pytest.approx(share, abs=4 * deviation)


def test_none_and_all_can_be_marked():
    assert not marked(images(50), share=0.0).any()
    assert marked(images(50), share=1.0).all()


def test_an_image_is_marked_alike_in_any_order_and_company():
    pixels = images(64)
    whole = marked(pixels, share=0.3)
    assert torch.equal(torch.cat([marked(part, share=0.3) for part in pixels.split(7)]), whole)
    assert torch.equal(marked(pixels.flip(0), share=0.3), whole.flip(0))


def test_large_images_are_looked_at_all_over():
    one, other = torch.zeros(2, 40, 1, 256, 256)
    other[:, :, -16:, :] = torch.randn(40, 1, 16, 256, generator=generator_from_seed(1))
    assert len(set(marked(one, share=0.5).tolist())) == 1
    assert len(set(marked(other, share=0.5).tolist())) == 2
