"""Augmentation that does not leak: small sets are moved, turned, scaled and sheared, and the network is told how.

After Karras et al. (2022, arXiv:2206.00364, app. F.2), with the geometric transformations of Karras et al. (2020,
arXiv:2006.06676, app. B) at their strengths; flips are those of `d4`. All that was done to an image is in its vector of
conditions, which is zero where nothing was done; a network that is given zeros in drawing draws from the set as it is.
Only geometry is changed: network pixels are stretched and mostly have their flux factored out, so that no change of
their values would be one of brightness.
"""

import math
from functools import partial

import torch
from torch.nn import functional

from galsmith.models.layers.chance import drawn_rows

SCALE_STD = 0.2
"""Standard deviation of log2 of the scale, and of log2 of the shear's stretch along its axis."""
SHIFT_STD = 0.125
"""Standard deviation of a sub-pixel shift, and the largest shift by whole pixels, as shares of the side."""
SHIFT_X, SHIFT_Y, MOVE_X, MOVE_Y, SCALE, TURN_COS, TURN_SIN, SHEAR_COS, SHEAR_SIN = range(9)
N_CONDITIONS = 9


def draw_conditions(
    count: int, *, size_pix: int, probability: float, chance: torch.Generator
) -> torch.Tensor:
    """Draw what is to be done to each of `count` images.

    Each of five transformations is done with `probability`, and leaves zeros in its columns else.

    Parameters
    ----------
    size_pix : int
        Side of the images; shifts by whole pixels reach an eighth of it.
    probability : float
        From 0 to 1.
    chance : torch.Generator
        Draws all.

    Returns
    -------
    Tensor [galaxy, condition], float32
        On the device of `chance`, each column of order 1: shift by whole pixels in x and y over the largest; shift
        by any amount in x and y over its standard deviation; log2 of the scale over its standard deviation;
        cos(angle) - 1 and sin(angle) of the turn; log2 of the shear's stretch over its standard deviation, times
        cos and sin of twice the angle of its axis.
    """
    largest = _largest_shift(size_pix)
    device = chance.device
    # each transformation by a coin of its own
    done = (drawn_rows(torch.rand, [count, 5], chance) < probability).float()
    whole = drawn_rows(partial(torch.randint, -largest, largest + 1), [count, 2], chance) / largest
    normal = drawn_rows(torch.randn, [count, 4], chance)
    turn, axis = 2 * math.pi * drawn_rows(torch.rand, [2, count], chance, axis=1)
    # a stretch has no head: twice the axis' angle
    shear = normal[:, 3:] * torch.stack([axis.cos(), axis.sin()], dim=1)
    turned = torch.stack([turn.cos() - 1, turn.sin()], dim=1)  # zero where nothing is turned
    drawn = torch.cat([whole, normal[:, :2], normal[:, 2:3], turned, shear], dim=1)
    return drawn * done.repeat_interleave(
        torch.tensor([2, 2, 1, 2, 2], device=device), dim=1, output_size=N_CONDITIONS
    )


def augmented(pixels: torch.Tensor, conditions: torch.Tensor) -> torch.Tensor:
    """Do to each image what its conditions say, in one bicubic interpolation; beyond the edge it is mirrored.

    The image is scaled, sheared and turned about its middle, then shifted. One whose conditions are all zero comes
    back as it is, bit for bit.

    Parameters
    ----------
    pixels : Tensor [galaxy, band, y, x], float32
        Square images.
    conditions : Tensor [galaxy, condition], float32
        As of `draw_conditions`.

    Returns
    -------
    Tensor [galaxy, band, y, x], float32
    """
    side = pixels.shape[-1]
    backward = _backward_parts(conditions)
    shift = _shifts(conditions, side) * (2 / side)
    # torch wants the map from output to input places
    affine = torch.cat([backward, -backward @ shift[:, :, None]], dim=2)
    grid = functional.affine_grid(affine, list(pixels.shape), align_corners=False)
    moved = functional.grid_sample(
        pixels, grid, mode="bicubic", padding_mode="reflection", align_corners=False
    )
    untouched = (conditions == 0).all(dim=1).reshape(-1, 1, 1, 1)  # interpolation by zero would still round
    return torch.where(untouched, pixels, moved)


def _largest_shift(size_pix: int) -> int:
    """Largest shift by whole pixels."""
    return max(1, round(SHIFT_STD * size_pix))


def _shifts(conditions: torch.Tensor, size_pix: int) -> torch.Tensor:
    """Shift of the content in x and y, in pixels, [galaxy, 2]."""
    whole = (conditions[:, SHIFT_X : SHIFT_Y + 1] * _largest_shift(size_pix)).round()
    return whole + conditions[:, MOVE_X : MOVE_Y + 1] * (SHIFT_STD * size_pix)


def _backward_parts(conditions: torch.Tensor) -> torch.Tensor:
    """Where content came from: matrices [galaxy, 2, 2] on (x, y) that undo the turn, then the shear and scale.

    The shear stretches by 2**s along its axis at angle a and by 2**-s across it; its inverse is the matrix
    exponential of -s ln(2) [[cos 2a, sin 2a], [sin 2a, -cos 2a]].
    """
    cos, sin = conditions[:, TURN_COS] + 1, conditions[:, TURN_SIN]
    # the inverse of a turn is its transpose
    back = torch.stack([cos, sin, -sin, cos], dim=1).reshape(-1, 2, 2)
    first, second = (conditions[:, column] * (SCALE_STD * math.log(2)) for column in (SHEAR_COS, SHEAR_SIN))
    stretch = torch.hypot(first, second)
    slope = torch.where(stretch > 0, torch.sinh(stretch) / stretch, torch.ones_like(stretch))
    even = torch.cosh(stretch)  # exp of a symmetric matrix without trace: cosh + sinh / norm times the matrix
    shear = torch.stack([even - slope * first, -slope * second, -slope * second, even + slope * first], dim=1)
    # its logarithm is normal, as in app. B of Karras et al. 2020 (ADA)
    scale = torch.exp2(conditions[:, SCALE] * SCALE_STD)[:, None, None]
    return shear.reshape(-1, 2, 2) @ back / scale
