"""Components of images that behave simply under rotation and reflection: images <-> coefficients."""

import math
from collections.abc import Mapping

import torch

from galsmith.models.layers.d4 import (
    FLIP_X,
    FLIP_Y,
    N_ELEMENTS,
    PARITY_BLOCKS,
    TRANSPOSE,
    block_sizes,
    join_parities,
    split_by_parity,
)


class SymmetricBasis(torch.nn.Module):
    """Orthonormal components of images, sorted into parity blocks; images <-> coefficients.

    Parameters
    ----------
    n_bands, size_pix : int
        Of the images; the side must be even.
    counts : list of int
        Components a copy in each of `PARITY_BLOCKS`.

    Attributes
    ----------
    mean : Tensor [component of block a1], float32
        Of the images; every other block has none by symmetry.
    deviations : Tensor [coefficient], float32
        Standard deviation of each coefficient over the symmetric set.
    """

    mean: torch.Tensor
    deviations: torch.Tensor
    d4_sources: torch.Tensor
    d4_signs: torch.Tensor

    def __init__(self, *, n_bands: int, size_pix: int, counts: list[int]) -> None:
        super().__init__()
        self.n_bands, self.size_pix, self.counts = n_bands, size_pix, list(counts)
        sizes = block_sizes(n_bands=n_bands, size_pix=size_pix)
        self.register_buffer("mean", torch.zeros(sizes[0]))
        for block, count, size in zip(PARITY_BLOCKS, counts, sizes, strict=True):
            self.register_buffer(f"vectors_{block.name}", torch.zeros(count, size))
        sources, signs = _d4_tables(self.counts)
        self.register_buffer("deviations", torch.ones(sources.shape[1]))
        self.register_buffer("d4_sources", sources, persistent=False)
        self.register_buffer("d4_signs", signs, persistent=False)

    @property
    def n_coefficients(self) -> int:
        """Return how many numbers stand for an image."""
        return len(self.deviations)

    def encode(self, pixels: torch.Tensor) -> torch.Tensor:
        """Project [galaxy, band, y, x] to coefficients [galaxy, coefficient]."""
        blocks = split_by_parity(pixels)
        blocks[0] = blocks[0] - self.mean
        parts = [
            values @ self.vectors(position).T for position, values in enumerate(blocks)
        ]  # each [galaxy, copy, component]
        return torch.cat([part.flatten(1) for part in parts], dim=1)

    def decode(self, coefficients: torch.Tensor) -> torch.Tensor:
        """Compose [galaxy, coefficient] to images [galaxy, band, y, x]."""
        blocks, start = [], 0
        for position, (block, count) in enumerate(zip(PARITY_BLOCKS, self.counts, strict=True)):
            stop = start + block.copies * count
            part = coefficients[:, start:stop].reshape(len(coefficients), block.copies, count)
            blocks.append(part @ self.vectors(position))
            start = stop
        blocks[0] = blocks[0] + self.mean
        return join_parities(blocks, n_bands=self.n_bands, size_pix=self.size_pix)

    def turned(self, coefficients: torch.Tensor, elements: torch.Tensor) -> torch.Tensor:
        """Coefficients of the images turned and mirrored by `elements` [galaxy]; see `d4.apply_d4`."""
        return coefficients.gather(1, self.d4_sources[elements]) * self.d4_signs[elements]

    def vectors(self, position: int) -> torch.Tensor:
        """Components of one block, [component, value]."""
        return getattr(self, f"vectors_{PARITY_BLOCKS[position].name}")


def counts_in_state(state: Mapping[str, torch.Tensor], prefix: str) -> list[int]:
    """Components a block of a stored `SymmetricBasis`, from the shapes in its ``state_dict()``."""
    return [len(state[f"{prefix}vectors_{block.name}"]) for block in PARITY_BLOCKS]


def _d4_tables(counts: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    """For every element: which coefficient each one comes from [8, coefficient], and its sign."""
    total = sum(block.copies * count for block, count in zip(PARITY_BLOCKS, counts, strict=True))
    sources, signs = torch.empty(N_ELEMENTS, total, dtype=torch.int64), torch.empty(N_ELEMENTS, total)
    for element in range(N_ELEMENTS):
        source, sign, start = [], [], 0
        for block, count in zip(PARITY_BLOCKS, counts, strict=True):
            for copy in range(block.copies):
                origin = block.copies - 1 - copy if element & TRANSPOSE else copy
                source.append(torch.arange(count) + start + origin * count)
                factors = (
                    block.flip_x[origin] if element & FLIP_X else 1.0,
                    block.flip_y[origin] if element & FLIP_Y else 1.0,
                    block.transpose[copy] if element & TRANSPOSE else 1.0,
                )
                sign.append(torch.full((count,), math.prod(factors)))
            start += block.copies * count
        sources[element], signs[element] = torch.cat(source), torch.cat(sign)
    return sources, signs
