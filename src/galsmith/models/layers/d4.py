"""The eight rotations and reflections of a square: on pixels, and as signs on parity blocks.

An element is an integer 0-7: bit 0 flips x, bit 1 flips y, then bit 2 transposes. Under them every image falls
into five blocks that never mix (the irreducible representations of the group D4): four whose members only change
sign, and one of pairs that also swap.
"""

from dataclasses import dataclass

import torch

FLIP_X, FLIP_Y, TRANSPOSE = 1, 2, 4
N_ELEMENTS = 8


@dataclass(frozen=True)
class ParityBlock:
    """How one block behaves.

    Attributes
    ----------
    name : str
        In the notation of chemistry's character tables.
    flip_x, flip_y, transpose : tuple of float
        Sign of each of its copies under that element.
    copies : int
        1, or 2 where transposition swaps the two.
    """

    name: str
    flip_x: tuple[float, ...]
    flip_y: tuple[float, ...]
    transpose: tuple[float, ...]

    @property
    def copies(self) -> int:
        """Return 1, or 2 for the block of pairs."""
        return len(self.flip_x)


PARITY_BLOCKS: tuple[ParityBlock, ...] = (
    ParityBlock("a1", (1.0,), (1.0,), (1.0,)),
    ParityBlock("b1", (1.0,), (1.0,), (-1.0,)),
    ParityBlock("b2", (-1.0,), (-1.0,), (1.0,)),
    ParityBlock("a2", (-1.0,), (-1.0,), (-1.0,)),
    ParityBlock("e", (-1.0, 1.0), (1.0, -1.0), (1.0, 1.0)),
)


def apply_d4(pixels: torch.Tensor, elements: torch.Tensor) -> torch.Tensor:
    """Turn and mirror each image by its own element.

    Parameters
    ----------
    pixels : Tensor [galaxy, band, y, x]
        Square images.
    elements : Tensor [galaxy], int64
        0 to 7.
    """
    bits = elements.reshape(-1, 1, 1, 1)
    pixels = torch.where((bits & FLIP_X) > 0, pixels.flip(-1), pixels)
    pixels = torch.where((bits & FLIP_Y) > 0, pixels.flip(-2), pixels)
    return torch.where((bits & TRANSPOSE) > 0, pixels.transpose(-1, -2), pixels)


def elements_from_normal(normal: torch.Tensor) -> torch.Tensor:
    """Turn standard normal numbers [galaxy] into equally likely elements 0-7, int64."""
    return (torch.special.ndtr(normal.double()) * N_ELEMENTS).long().clamp(0, N_ELEMENTS - 1)


def split_by_parity(pixels: torch.Tensor) -> list[torch.Tensor]:
    """Rotate images into the five parity blocks; an orthonormal change of basis.

    Parameters
    ----------
    pixels : Tensor [galaxy, band, y, x]
        Square images of even side H.

    Returns
    -------
    list of Tensor [galaxy, copy, component]
        In the order of `PARITY_BLOCKS`; with q = H/2, the components number band * q (q + 1) / 2, band * q (q - 1) / 2,
        the same two again, and band * q**2.
    """
    even_y, odd_y = _fold(pixels, -2)
    even_even, even_odd = _fold(even_y, -1)
    odd_even, odd_odd = _fold(odd_y, -1)
    pair = torch.stack([even_odd.flatten(1), odd_even.transpose(-1, -2).flatten(1)], dim=1)
    return [*_symmetry_parts(even_even), *_symmetry_parts(odd_odd), pair]


def join_parities(blocks: list[torch.Tensor], *, n_bands: int, size_pix: int) -> torch.Tensor:
    """Undo `split_by_parity`; gives [galaxy, band, y, x]."""
    half = size_pix // 2
    even_even = _join_symmetry_parts(blocks[0], blocks[1], n_bands=n_bands, half=half)
    odd_odd = _join_symmetry_parts(blocks[2], blocks[3], n_bands=n_bands, half=half)
    pair = blocks[4].reshape(-1, 2, n_bands, half, half)
    even_y = _unfold(even_even, pair[:, 0], -1)
    odd_y = _unfold(pair[:, 1].transpose(-1, -2), odd_odd, -1)
    return _unfold(even_y, odd_y, -2)


def block_sizes(*, n_bands: int, size_pix: int) -> list[int]:
    """Components a copy of each parity block, in the order of `PARITY_BLOCKS`."""
    half = size_pix // 2
    symmetric, antisymmetric = half * (half + 1) // 2, half * (half - 1) // 2
    return [n_bands * size for size in (symmetric, antisymmetric, symmetric, antisymmetric, half**2)]


def _fold(values: torch.Tensor, axis: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Even and odd part about the middle of an axis, each half as long, orthonormal."""
    first, second = values.chunk(2, dim=axis)
    second = second.flip(axis)
    return (first + second) * 0.5**0.5, (first - second) * 0.5**0.5


def _unfold(even: torch.Tensor, odd: torch.Tensor, axis: int) -> torch.Tensor:
    """Undo `_fold`."""
    first, second = (even + odd) * 0.5**0.5, (even - odd) * 0.5**0.5
    return torch.cat([first, second.flip(axis)], dim=axis)


def _symmetry_parts(quadrant: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Symmetric and antisymmetric part of [galaxy, band, q, q] as vectors [galaxy, 1, component]."""
    half = quadrant.shape[-1]
    upper = torch.triu_indices(half, half, offset=1, device=quadrant.device)
    above, below = quadrant[..., upper[0], upper[1]], quadrant[..., upper[1], upper[0]]
    diagonal = quadrant.diagonal(dim1=-2, dim2=-1)
    symmetric = torch.cat([diagonal, (above + below) * 0.5**0.5], dim=-1)
    return symmetric.flatten(1)[:, None], ((above - below) * 0.5**0.5).flatten(1)[:, None]


def _join_symmetry_parts(
    symmetric: torch.Tensor, antisymmetric: torch.Tensor, *, n_bands: int, half: int
) -> torch.Tensor:
    """Undo `_symmetry_parts`; gives [galaxy, band, q, q]."""
    upper = torch.triu_indices(half, half, offset=1, device=symmetric.device)
    even = symmetric.reshape(len(symmetric), n_bands, half * (half + 1) // 2)
    odd = antisymmetric.reshape(len(symmetric), n_bands, half * (half - 1) // 2)
    quadrant = even.new_empty((len(symmetric), n_bands, half, half))
    quadrant.diagonal(dim1=-2, dim2=-1).copy_(even[..., :half])
    quadrant[..., upper[0], upper[1]] = (even[..., half:] + odd) * 0.5**0.5
    quadrant[..., upper[1], upper[0]] = (even[..., half:] - odd) * 0.5**0.5
    return quadrant
