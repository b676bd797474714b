"""Galaxies moved to the middle: nothing is lost, it turns with the image, and few components do the work of many."""

import math

import pytest
import torch

from galsmith.models.layers.chance import generator_from_seed
from galsmith.models.layers.d4 import apply_d4
from galsmith.models.pca_diffusion.canvases import Centering, turned_shifts
from galsmith.models.pca_diffusion.symmetric_basis import fit_symmetric_basis
from galsmith.models.protocols import NetworkBatch

SIZE_PIX, REACH_PIX = 24, 5


def cusps(n: int, *, reach_pix: float, seed: int = 3) -> torch.Tensor:
    """Exponential disks [galaxy, 2, y, x] of differing axis ratio, anywhere within `reach_pix` of the middle."""
    chance = generator_from_seed(seed)
    axis = torch.arange(SIZE_PIX) - (SIZE_PIX - 1) / 2
    place = (2 * torch.rand(n, 2, generator=chance) - 1) * reach_pix
    ratio = 0.4 + 0.6 * torch.rand(n, generator=chance)[:, None, None]
    y, x = axis[None, :, None] - place[:, :1, None], axis[None, None] - place[:, 1:, None]
    disk = torch.exp(-torch.hypot(y / ratio, x) / 3)
    return torch.stack([disk, 0.5 * disk], dim=1)


@pytest.fixture(scope="module")
def centering() -> Centering:
    return Centering(size_pix=SIZE_PIX, largest_shift_pix=REACH_PIX)


@pytest.mark.parametrize("reach_pix", [0.3, 4.0, 11.0])
def test_what_is_laid_out_is_cut_back_to_the_bit(centering, reach_pix):
    pixels = cusps(40, reach_pix=reach_pix)
    shifts = centering.shifts(pixels)
    assert shifts.abs().max() <= REACH_PIX
    assert torch.equal(centering.cut_back(centering.laid_out(pixels, shifts), shifts), pixels)


def test_a_wrong_shift_does_not_give_the_image_back(centering):
    pixels = cusps(4, reach_pix=2.0)
    shifts = centering.shifts(pixels)
    assert not torch.equal(centering.cut_back(centering.laid_out(pixels, shifts), -shifts - 1), pixels)


def test_shifts_are_where_the_light_is(centering):
    axis = torch.arange(SIZE_PIX) - (SIZE_PIX - 1) / 2
    for y, x in [(0.2, -3.1), (-4.4, 2.0), (0.0, 0.0)]:
        blob = torch.exp(-0.5 * ((axis[:, None] - y) ** 2 + (axis[None] - x) ** 2) / 2)[None, None]
        assert centering.shifts(blob).tolist() == [[round(y), round(x)]]
        canvas = centering.laid_out(blob, centering.shifts(blob))[0, 0]
        place = int(canvas.argmax())
        middle = (centering.canvas_pix - 1) / 2
        assert math.hypot(place // centering.canvas_pix - middle, place % centering.canvas_pix - middle) < 1.0


def test_what_lies_beyond_the_image_is_the_galaxys_other_side(centering):
    whole = Centering(size_pix=SIZE_PIX, largest_shift_pix=REACH_PIX)
    axis = torch.arange(centering.canvas_pix) - (centering.canvas_pix - 1) / 2
    canvas = torch.exp(-torch.hypot(axis[:, None], 0.5 * axis[None] + 0.3 * axis[:, None]) / 3)[None, None]
    shifts = torch.tensor([[3, 0]])
    rebuilt = whole.laid_out(whole.cut_back(canvas, shifts), shifts)
    inside = torch.ones_like(canvas, dtype=torch.bool)
    inside[..., :REACH_PIX] = inside[..., -REACH_PIX:] = False  # no side shows these columns,
    inside[..., :2, :] = inside[..., -2:, :] = False  # nor these rows
    torch.testing.assert_close(rebuilt[inside], canvas[inside], rtol=0, atol=1e-6)


@pytest.mark.parametrize("element", range(8))
def test_centering_turns_with_the_image(centering, element):
    pixels = cusps(30, reach_pix=4.0)
    elements = torch.full((30,), element)
    shifts = centering.shifts(pixels)
    turned = apply_d4(pixels, elements)
    assert torch.equal(centering.shifts(turned), turned_shifts(shifts, elements))
    assert torch.equal(
        centering.laid_out(turned, turned_shifts(shifts, elements)),
        apply_d4(centering.laid_out(pixels, shifts), elements),
    )


def test_normal_numbers_give_the_shifts_back_and_have_their_law():
    centering = Centering(size_pix=SIZE_PIX, largest_shift_pix=REACH_PIX)
    pixels = cusps(400, reach_pix=4.0)
    centering.fit(centering.shifts(pixels))
    shifts = centering.shifts(pixels)
    normal = centering.to_normal(shifts, generator_from_seed(1))
    assert torch.equal(centering.from_normal(normal), shifts)
    assert abs(float(normal.mean())) < 0.1
    assert abs(float(normal.std()) - 1) < 0.1
    drawn = centering.from_normal(torch.randn(20_000, 2, generator=generator_from_seed(2)))
    shares = torch.bincount((drawn.flatten() + REACH_PIX), minlength=2 * REACH_PIX + 1) / drawn.numel()
    wanted = torch.bincount((shifts.flatten() + REACH_PIX), minlength=2 * REACH_PIX + 1) / shifts.numel()
    symmetric = 0.5 * (wanted + wanted.flip(0))
    torch.testing.assert_close(shares, symmetric, rtol=0, atol=0.02)


def test_centered_galaxies_need_fewer_components(centering):
    pixels = cusps(600, reach_pix=4.0)
    test = cusps(100, reach_pix=4.0, seed=4)

    def error(images: torch.Tensor, held_out: torch.Tensor) -> float:
        basis = fit_symmetric_basis(
            lambda: iter([NetworkBatch(images, images.new_empty((len(images), 0)))]),
            n_bands=2,
            size_pix=images.shape[-1],
            n_components=40,
        )
        return float((basis.decode(basis.encode(held_out)) - held_out).square().mean())

    moved = error(
        centering.laid_out(pixels, centering.shifts(pixels)), centering.laid_out(test, centering.shifts(test))
    )
    assert moved < 0.5 * error(pixels, test)
