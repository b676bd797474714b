"""Principal components of images made symmetric under rotation and reflection, without ever making copies.

The covariance of a set with all eight turned and mirrored copies of every image is block diagonal in the parity
blocks of `d4`, so five small eigenproblems replace one of the full size, and the covariance of the copies costs no
more than that of the images.
"""

import math
from collections.abc import Iterator, Mapping

import numpy as np
import scipy.linalg
import torch

from galsmith.errors import InputError
from galsmith.models.layers.d4 import (
    N_ELEMENTS,
    PARITY_BLOCKS,
    block_sizes,
    join_parities,
    split_by_parity,
)
from galsmith.models.layers.noise import generator_from_seed
from galsmith.models.protocols import TrainingBatches

LARGEST_EXACT_BLOCK = 3072
SMALLEST_RELATIVE_VARIANCE = 1e-10
ROUNDING = 1e-12
ITERATION_PASSES = 4
EXTRA_DIRECTIONS = 32
BlockFit = tuple[torch.Tensor, torch.Tensor]


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
            values @ self._vectors(position).T for position, values in enumerate(blocks)
        ]  # each [galaxy, copy, component]
        return torch.cat([part.flatten(1) for part in parts], dim=1)

    def decode(self, coefficients: torch.Tensor) -> torch.Tensor:
        """Compose [galaxy, coefficient] to images [galaxy, band, y, x]."""
        blocks, start = [], 0
        for position, (block, count) in enumerate(zip(PARITY_BLOCKS, self.counts, strict=True)):
            stop = start + block.copies * count
            part = coefficients[:, start:stop].reshape(len(coefficients), block.copies, count)
            blocks.append(part @ self._vectors(position))
            start = stop
        blocks[0] = blocks[0] + self.mean
        return join_parities(blocks, n_bands=self.n_bands, size_pix=self.size_pix)

    def turned(self, coefficients: torch.Tensor, elements: torch.Tensor) -> torch.Tensor:
        """Coefficients of the images turned and mirrored by `elements` [galaxy]; see `d4.apply_d4`."""
        return coefficients.gather(1, self.d4_sources[elements]) * self.d4_signs[elements]

    def _vectors(self, position: int) -> torch.Tensor:
        """Components of one block, [component, value]."""
        return getattr(self, f"vectors_{PARITY_BLOCKS[position].name}")


def counts_in_state(state: Mapping[str, torch.Tensor], prefix: str) -> list[int]:
    """Components a block of a stored `SymmetricBasis`, from the shapes in its ``state_dict()``."""
    return [len(state[f"{prefix}vectors_{block.name}"]) for block in PARITY_BLOCKS]


def fit_symmetric_basis(
    batches: TrainingBatches, *, n_bands: int, size_pix: int, n_components: int, n_images: int
) -> SymmetricBasis:
    """Fit the leading components of a training set made symmetric under D4.

    Parameters
    ----------
    batches : TrainingBatches
        Network pixels, [galaxy, band, y, x].
    n_components : int
        Coefficients to keep, at most; pairs are kept together, and directions without variance are left out.
    n_images : int
        Images to fit on, the first ones.

    Returns
    -------
    SymmetricBasis
        On the CPU. Blocks of up to 3072 values are solved exactly, larger ones by subspace iteration over the data.
    """
    sizes = block_sizes(n_bands=n_bands, size_pix=size_pix)
    mean, fits = _fitted_blocks(batches, sizes=sizes, n_components=n_components, n_images=n_images)
    rounding = ROUNDING * float(mean @ mean)
    counts = _counts_kept([variance for variance, _ in fits], n_components, rounding=rounding)
    basis = SymmetricBasis(n_bands=n_bands, size_pix=size_pix, counts=counts)
    basis.mean.copy_(mean)
    deviations = []
    for position, ((variance, vectors), count) in enumerate(zip(fits, counts, strict=True)):
        basis._vectors(position).copy_(vectors[:count])
        deviations += [variance[:count].sqrt()] * PARITY_BLOCKS[position].copies
    basis.deviations.copy_(torch.cat(deviations))
    return basis


def _fitted_blocks(
    batches: TrainingBatches, *, sizes: list[int], n_components: int, n_images: int
) -> tuple[torch.Tensor, list[BlockFit]]:
    """Mean of the first block, and for each block variances (falling) and vectors [component, value]."""
    exact = [size <= LARGEST_EXACT_BLOCK for size in sizes]
    moments = [
        torch.zeros(size, size, dtype=torch.float64) if small else None
        for size, small in zip(sizes, exact, strict=True)
    ]
    total, count = torch.zeros(sizes[0], dtype=torch.float64), 0
    for blocks in _parity_stream(batches, n_images):
        count += len(blocks[0])
        total += blocks[0].sum(dim=(0, 1))
        for moment, values in zip(moments, blocks, strict=True):
            if moment is not None:
                rows = values.flatten(0, 1)
                moment.addmm_(rows.T, rows)
    if count == 0:
        raise InputError("the training split has no images; components cannot be fitted")
    mean = total / count
    fits = []
    for position, moment in enumerate(moments):
        wanted = min(n_components, sizes[position])
        center = mean if position == 0 else None
        if moment is None:
            fits.append(_by_iteration(batches, position, center, wanted=wanted, n_images=n_images))
        else:
            covariance = moment / (count * PARITY_BLOCKS[position].copies)
            fits.append(_by_eigenproblem(covariance, center, wanted=wanted))
    return mean, fits


def _parity_stream(batches: TrainingBatches, n_images: int) -> Iterator[list[torch.Tensor]]:
    """Parity blocks of the first images, chunk by chunk, float64."""
    left = n_images
    for batch in batches():
        pixels = batch.pixels[:left].cpu().double()
        if not torch.isfinite(pixels).all():
            raise InputError(
                "training pixels are not all finite in network space; check the set with galsmith info --verify"
            )
        left -= len(pixels)
        yield split_by_parity(pixels)
        if left <= 0:
            return


def _by_eigenproblem(second_moment: torch.Tensor, center: torch.Tensor | None, *, wanted: int) -> BlockFit:
    """Leading eigenpairs of a covariance [value, value]."""
    matrix = second_moment if center is None else second_moment - torch.outer(center, center)
    size = len(matrix)
    if size == 0 or wanted == 0:
        return torch.zeros(0, dtype=torch.float64), torch.zeros(0, size, dtype=torch.float64)
    values, vectors = scipy.linalg.eigh(matrix.numpy(), subset_by_index=(size - wanted, size - 1))
    falling = np.ascontiguousarray(vectors[:, ::-1].T)
    return torch.from_numpy(values[::-1].copy()).clamp_min(0.0), torch.from_numpy(falling)


def _by_iteration(
    batches: TrainingBatches, position: int, center: torch.Tensor | None, *, wanted: int, n_images: int
) -> BlockFit:
    """Leading eigenpairs of a block too large for a matrix of its own, by subspace iteration over the data.

    Block power iteration with extra directions (Halko, Martinsson & Tropp 2011, algorithm 4.4).
    """
    directions: torch.Tensor | None = None
    variances = torch.empty(0)
    for _ in range(ITERATION_PASSES):
        product = _covariance_times(directions, batches, position, center, wanted=wanted, n_images=n_images)
        directions, variances, _ = torch.linalg.svd(product, full_matrices=False)
    if directions is None:
        raise ValueError("ITERATION_PASSES is 0; wanted 1 or more")
    return variances[:wanted], directions[:, :wanted].T


def _covariance_times(
    directions: torch.Tensor | None,
    batches: TrainingBatches,
    position: int,
    center: torch.Tensor | None,
    *,
    wanted: int,
    n_images: int,
) -> torch.Tensor:
    """Covariance of one block times directions [value, direction]; random ones to begin with."""
    product, count = torch.zeros(()), 0
    for blocks in _parity_stream(batches, n_images):
        rows = blocks[position].flatten(0, 1)
        rows = rows if center is None else rows - center
        if directions is None:
            shape = (rows.shape[1], min(wanted + EXTRA_DIRECTIONS, rows.shape[1]))
            start = torch.randn(shape, generator=generator_from_seed(0), dtype=torch.float64)
            directions = torch.linalg.qr(start)[0]
        product = product + rows.T @ (rows @ directions)
        count += len(rows)
    return product / count


def _counts_kept(variances: list[torch.Tensor], n_components: int, *, rounding: float) -> list[int]:
    """Components to keep a copy of each block, the strongest first, pairs together."""
    ranked = sorted(
        ((float(value), position) for position, block in enumerate(variances) for value in block),
        reverse=True,
    )
    threshold = max(SMALLEST_RELATIVE_VARIANCE * ranked[0][0], rounding)
    counts, used = [0] * len(variances), 0
    for value, position in ranked:
        copies = PARITY_BLOCKS[position].copies
        if value > threshold and used + copies <= n_components:
            counts[position] += 1
            used += copies
    return counts


def _d4_tables(counts: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    """For every element: which coefficient each one comes from [8, coefficient], and its sign."""
    total = sum(block.copies * count for block, count in zip(PARITY_BLOCKS, counts, strict=True))
    sources, signs = torch.empty(N_ELEMENTS, total, dtype=torch.int64), torch.empty(N_ELEMENTS, total)
    for element in range(N_ELEMENTS):
        source, sign, start = [], [], 0
        for block, count in zip(PARITY_BLOCKS, counts, strict=True):
            for copy in range(block.copies):
                origin = block.copies - 1 - copy if element & 4 else copy
                source.append(torch.arange(count) + start + origin * count)
                factors = (
                    block.flip_x[origin] if element & 1 else 1.0,
                    block.flip_y[origin] if element & 2 else 1.0,
                    block.transpose[copy] if element & 4 else 1.0,
                )
                sign.append(torch.full((count,), math.prod(factors)))
            start += block.copies * count
        sources[element], signs[element] = torch.cat(source), torch.cat(sign)
    return sources, signs
