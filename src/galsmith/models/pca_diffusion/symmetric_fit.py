"""Principal components of images made symmetric under rotation and reflection, without ever making copies.

The covariance of a set with all eight turned and mirrored copies of every image is block diagonal in the parity
blocks of `d4`, so five small eigenproblems replace one of the full size, and the covariance of the copies costs no
more than that of the images.
"""

from collections.abc import Iterator

import numpy as np
import scipy.linalg
import torch

from galsmith.errors import InputError
from galsmith.models.layers.chance import generator_from_seed
from galsmith.models.layers.d4 import PARITY_BLOCKS, block_sizes, split_by_parity
from galsmith.models.pca_diffusion.symmetric_pca import SymmetricBasis
from galsmith.models.protocols import TrainingBatches

LARGEST_EXACT_BLOCK = 3072
SMALLEST_RELATIVE_VARIANCE = 1e-10
ROUNDING = 1e-12
ITERATION_PASSES = 4
EXTRA_DIRECTIONS = 32
BlockFit = tuple[torch.Tensor, torch.Tensor]


def fit_symmetric_basis(
    batches: TrainingBatches, *, n_bands: int, size_pix: int, n_components: int
) -> SymmetricBasis:
    """Fit the leading components of a training set made symmetric under D4.

    Parameters
    ----------
    batches : TrainingBatches
        Network pixels, [galaxy, band, y, x].
    n_components : int
        Coefficients to keep, at most; pairs are kept together, and directions without variance are left out.

    Returns
    -------
    SymmetricBasis
        On the CPU. Blocks of up to 3072 values are solved exactly, larger ones by subspace iteration over the data.
    """
    sizes = block_sizes(n_bands=n_bands, size_pix=size_pix)
    mean, fits = _fitted_blocks(batches, sizes=sizes, n_components=n_components)
    rounding = ROUNDING * float(mean @ mean)
    counts = _counts_kept([variance for variance, _ in fits], n_components, rounding=rounding)
    basis = SymmetricBasis(n_bands=n_bands, size_pix=size_pix, counts=counts)
    basis.mean.copy_(mean)
    deviations = []
    for position, ((variance, vectors), count) in enumerate(zip(fits, counts, strict=True)):
        basis.vectors(position).copy_(vectors[:count])
        deviations += [variance[:count].sqrt()] * PARITY_BLOCKS[position].copies
    basis.deviations.copy_(torch.cat(deviations))
    return basis


def _fitted_blocks(
    batches: TrainingBatches, *, sizes: list[int], n_components: int
) -> tuple[torch.Tensor, list[BlockFit]]:
    """Mean of the first block, and for each block variances (falling) and vectors [component, value]."""
    exact = [size <= LARGEST_EXACT_BLOCK for size in sizes]
    moments = [
        torch.zeros(size, size, dtype=torch.float64) if small else None
        for size, small in zip(sizes, exact, strict=True)
    ]
    total, count = torch.zeros(sizes[0], dtype=torch.float64), 0
    for blocks in _parity_stream(batches):
        count += len(blocks[0])
        total += blocks[0].sum(dim=(0, 1))
        for moment, values in zip(moments, blocks, strict=True):
            if moment is not None:
                rows = values.flatten(0, 1)
                moment.addmm_(rows.T, rows)
    if count == 0:
        raise InputError("the training split has no images; components cannot be fitted")
    mean = total / count
    wanted = [min(n_components, size) for size in sizes]
    large = {position: wanted[position] for position, small in enumerate(exact) if not small}
    iterated = _by_iteration(batches, mean, wanted=large)
    fits = []
    for position, moment in enumerate(moments):
        if moment is None:
            fits.append(iterated[position])
            continue
        covariance = moment / (count * PARITY_BLOCKS[position].copies)
        if position == 0:
            covariance -= torch.outer(mean, mean)
        fits.append(_by_eigenproblem(covariance, wanted[position]))
    return mean, fits


def _parity_stream(batches: TrainingBatches) -> Iterator[list[torch.Tensor]]:
    """Parity blocks of the images, chunk by chunk, float64."""
    for batch in batches():
        pixels = batch.pixels.cpu().double()
        if not torch.isfinite(pixels).all():
            raise InputError(
                "training pixels are not all finite in network space; check the set with galsmith info --verify"
            )
        yield split_by_parity(pixels)


def _by_eigenproblem(covariance: torch.Tensor, wanted: int) -> BlockFit:
    """Leading eigenpairs of a covariance [value, value]."""
    size = len(covariance)
    if size == 0 or wanted == 0:
        return torch.zeros(0, dtype=torch.float64), torch.zeros(0, size, dtype=torch.float64)
    values, vectors = scipy.linalg.eigh(covariance.numpy(), subset_by_index=(size - wanted, size - 1))
    falling = np.ascontiguousarray(vectors[:, ::-1].T)
    return torch.from_numpy(values[::-1].copy()).clamp_min(0.0), torch.from_numpy(falling)


def _by_iteration(
    batches: TrainingBatches, mean: torch.Tensor, *, wanted: dict[int, int]
) -> dict[int, BlockFit]:
    """Leading eigenpairs of blocks too large for matrices of their own, by subspace iteration over the data.

    Block power iteration with extra directions (Halko, Martinsson & Tropp 2011, algorithm 4.4), all blocks in one
    pass. `wanted` has the number of components by the block's position.
    """
    directions: dict[int, torch.Tensor] = {}
    variances: dict[int, torch.Tensor] = {}
    for _ in range(ITERATION_PASSES if wanted else 0):
        products = _covariance_times(batches, mean, directions, wanted=wanted)
        for position, product in products.items():
            directions[position], variances[position], _ = torch.linalg.svd(product, full_matrices=False)
    return {
        position: (variances[position][:count], directions[position][:, :count].T)
        for position, count in wanted.items()
    }


def _covariance_times(
    batches: TrainingBatches,
    mean: torch.Tensor,
    directions: dict[int, torch.Tensor],
    *,
    wanted: dict[int, int],
) -> dict[int, torch.Tensor]:
    """Covariance of each wanted block times its directions [value, direction]; random ones where it has none."""
    products: dict[int, torch.Tensor] = {}
    count = 0
    for blocks in _parity_stream(batches):
        count += len(blocks[0])
        for position, n_wanted in wanted.items():
            rows = blocks[position].flatten(0, 1)
            rows = rows - mean if position == 0 else rows
            if position not in directions:
                directions[position] = _random_directions(rows.shape[1], n_wanted + EXTRA_DIRECTIONS)
            product = rows.T @ (rows @ directions[position])
            products[position] = products[position] + product if position in products else product
    return {
        position: product / (count * PARITY_BLOCKS[position].copies) for position, product in products.items()
    }


def _random_directions(size: int, count: int) -> torch.Tensor:
    """Orthonormal directions [value, direction], always the same ones."""
    start = torch.randn(size, min(count, size), generator=generator_from_seed(0), dtype=torch.float64)
    return torch.linalg.qr(start)[0]


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
