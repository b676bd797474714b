"""Components of images that behave simply under rotation and reflection: images <-> coefficients, and their fit.

Under the eight rotations and reflections every image falls into five blocks that never mix (the irreducible
representations of the group D4): four whose members only change sign, and one of pairs that also swap. The covariance of a
set with all eight copies of every image is block diagonal in them, so five small eigenproblems replace one of the full
size, and the covariance of the copies costs no more than that of the images; no copy is ever made.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import scipy.linalg
import torch

from galsmith.errors import InputError
from galsmith.models.layers.chance import generator_from_seed
from galsmith.models.layers.d4 import FLIP_X, FLIP_Y, N_ELEMENTS, TRANSPOSE
from galsmith.models.protocols import TrainingBatches

LARGEST_EXACT_BLOCK = 3072  # its matrix has 75 MB in float64
SMALLEST_RELATIVE_VARIANCE = 1e-10
ROUNDING = 1e-12
POWER_STEPS = 2  # Halko+11, sec. 4.5: spectra that fall as a power need one or two
EXTRA_DIRECTIONS = 32


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
    # transposition swaps these two
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
    return (first + second) * 0.5**0.5, (first - second) * 0.5**0.5  # orthonormal


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


class SymmetricBasis(torch.nn.Module):
    """Orthonormal components of images, sorted into parity blocks; images <-> coefficients.

    Parameters
    ----------
    n_bands, size_pix : int
        Of the images; the side must be even.
    counts : list of int
        Components a copy in each of `PARITY_BLOCKS`.
    is_weighted : bool
        Whether pixels weigh differently.

    Attributes
    ----------
    mean : Tensor [component of block a1], float32
        Of the weighted images; every other block has none by symmetry.
    deviations : Tensor [coefficient], float32
        Standard deviation of each coefficient over the symmetric set.
    quadrant : Tensor [band, y, x], float32
        Weights of the pixels, of which all four quadrants are turned copies; there only where pixels weigh differently.
    """

    mean: torch.Tensor
    deviations: torch.Tensor
    quadrant: torch.Tensor
    d4_sources: torch.Tensor
    d4_signs: torch.Tensor

    def __init__(self, *, n_bands: int, size_pix: int, counts: list[int], is_weighted: bool = False) -> None:
        super().__init__()
        self.n_bands, self.size_pix, self.counts = n_bands, size_pix, list(counts)
        self.is_weighted = is_weighted
        if is_weighted:
            self.register_buffer("quadrant", torch.ones(n_bands, size_pix // 2, size_pix // 2))
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
        blocks = split_by_parity(pixels * self._weights() if self.is_weighted else pixels)
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
        pixels = join_parities(blocks, n_bands=self.n_bands, size_pix=self.size_pix)
        return pixels / self._weights() if self.is_weighted else pixels

    def turned(self, coefficients: torch.Tensor, elements: torch.Tensor) -> torch.Tensor:
        """Coefficients of the images turned and mirrored by `elements` [galaxy]; see `d4.apply_d4`."""
        return coefficients.gather(1, self.d4_sources[elements]) * self.d4_signs[elements]

    def vectors(self, position: int) -> torch.Tensor:
        """Components of one block, [component, value]."""
        return getattr(self, f"vectors_{PARITY_BLOCKS[position].name}")

    def _weights(self) -> torch.Tensor:
        """Weights of all pixels, [band, y, x]."""
        upper = torch.cat([self.quadrant, self.quadrant.flip(-1)], dim=-1)
        return torch.cat([upper, upper.flip(-2)], dim=-2)


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


BlockFit = tuple[torch.Tensor, torch.Tensor]


def fit_symmetric_basis(
    batches: TrainingBatches,
    *,
    n_bands: int,
    size_pix: int,
    n_components: int,
    brightness_weight: float = 0.0,
) -> SymmetricBasis:
    """Fit the leading components of a training set made symmetric under D4, in one pass over it.

    Parameters
    ----------
    batches : TrainingBatches
        Network pixels, [galaxy, band, y, x]. Where images have blocks of more than 3072 values all of them are kept in
        memory, four bytes a pixel.
    n_components : int
        Coefficients to keep, at most; pairs are kept together, and directions without variance are left out.
    brightness_weight : float
        Pixels weigh as exp(brightness_weight * mean network pixel there): which components are the strongest is then
        decided by the bright middle of galaxies more than by the many pixels about it.

    Returns
    -------
    SymmetricBasis
        On the CPU. Blocks of up to 3072 values are solved exactly, larger ones from random projections.
    """
    sizes = block_sizes(n_bands=n_bands, size_pix=size_pix)
    gathered = _Gathered(batches, sizes)
    quadrant = _weights_of(gathered.mean, brightness_weight, n_bands=n_bands, size_pix=size_pix)
    weights = [part.flatten() for part in _quadrant_parts(quadrant)]
    fits = [gathered.fit(position, weights[position], n_components) for position in range(len(sizes))]
    mean = gathered.mean * weights[0]
    rounding = ROUNDING * float(mean @ mean)
    counts = _counts_kept([variance for variance, _ in fits], n_components, rounding=rounding)
    is_weighted = brightness_weight > 0
    basis = SymmetricBasis(n_bands=n_bands, size_pix=size_pix, counts=counts, is_weighted=is_weighted)
    basis.mean.copy_(mean)
    if is_weighted:
        basis.quadrant.copy_(quadrant)
    deviations = []
    for position, ((variance, vectors), count) in enumerate(zip(fits, counts, strict=True)):
        basis.vectors(position).copy_(vectors[:count])
        deviations += [variance[:count].sqrt()] * PARITY_BLOCKS[position].copies
    basis.deviations.copy_(torch.cat(deviations))
    return basis


class _Gathered:
    """What one pass over the images leaves: the mean, second moments of small blocks, and all rows of large ones.

    Parameters
    ----------
    batches : TrainingBatches
        The images.
    sizes : list of int
        Values of each block.
    """

    def __init__(self, batches: TrainingBatches, sizes: list[int]) -> None:
        small = [size <= LARGEST_EXACT_BLOCK for size in sizes]
        self._moments = [
            torch.zeros(size, size, dtype=torch.float64) if is_small else None
            for size, is_small in zip(sizes, small, strict=True)
        ]
        self._rows: list[list[torch.Tensor]] = [[] for _ in sizes]
        total = torch.zeros(sizes[0], dtype=torch.float64)
        self.count = 0
        for blocks in _parity_stream(batches):
            self.count += len(blocks[0])
            total += blocks[0].sum(dim=(0, 1))
            for moment, kept, values in zip(self._moments, self._rows, blocks, strict=True):
                rows = values.flatten(0, 1)
                if moment is None:
                    kept.append(rows.float())
                else:
                    moment.addmm_(rows.T, rows)
        if self.count == 0:
            raise InputError("the training split has no images; components cannot be fitted")
        self.mean = total / self.count

    def fit(self, position: int, weights: torch.Tensor, n_components: int) -> BlockFit:
        """Variances (falling) and vectors [component, value] of one block; its rows are let go of."""
        wanted, moment = min(n_components, len(weights)), self._moments[position]
        if moment is not None:
            covariance = moment / (self.count * PARITY_BLOCKS[position].copies)
            if position == 0:
                covariance -= torch.outer(self.mean, self.mean)  # the other blocks have no mean by symmetry
            return _by_eigenproblem(covariance * torch.outer(weights, weights), wanted)
        rows = torch.cat(self._rows[position])
        self._rows[position] = []
        if position == 0:
            rows -= self.mean.float()
        rows *= weights.float()
        return _by_projection(rows, wanted)


def _weights_of(mean: torch.Tensor, brightness_weight: float, *, n_bands: int, size_pix: int) -> torch.Tensor:
    """Weights of a quadrant's pixels [band, y, x] from the mean of block a1, their mean 1 in each band."""
    half = size_pix // 2
    odd = mean.new_zeros(1, n_bands * (half * (half - 1) // 2))
    even = _join_symmetry_parts(mean[None], odd, n_bands=n_bands, half=half)[0]
    weights = (brightness_weight * even / 2).exp()  # folded twice, a pixel is half of its coefficient
    return weights / weights.mean(dim=(-2, -1), keepdim=True)


def _quadrant_parts(quadrant: torch.Tensor) -> list[torch.Tensor]:
    """Values of a symmetric map [band, y, x] where the components of each block lie, [band, value] each."""
    half = quadrant.shape[-1]
    upper = torch.triu_indices(half, half, offset=1)
    above, diagonal = quadrant[:, upper[0], upper[1]], quadrant.diagonal(dim1=-2, dim2=-1)
    symmetric = torch.cat([diagonal, above], dim=-1)
    return [symmetric, above, symmetric, above, quadrant.flatten(1)]


def _parity_stream(batches: TrainingBatches) -> Iterator[list[torch.Tensor]]:
    """Parity blocks of the images, chunk by chunk, float64."""
    for batch in batches():
        pixels = batch.pixels.cpu().double()
        if not torch.isfinite(pixels).all():
            raise InputError(
                "training pixels are not all finite in network space; check the set with galsmith info (`verify`)"
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


def _by_projection(rows: torch.Tensor, wanted: int) -> BlockFit:
    """Leading eigenpairs of the covariance of centered rows [row, value], float32, without forming it.

    Randomized subspace iteration (Halko, Martinsson & Tropp 2011, algorithm 4.4), then the small problem in its range
    (their algorithm 5.1); all in memory, so that the data are read once.
    """
    n_directions = min(wanted + EXTRA_DIRECTIONS, *rows.shape)
    # the same start each time: the fit has no chance
    start = torch.randn(rows.shape[1], n_directions, generator=generator_from_seed(0))
    in_range = torch.linalg.qr(rows @ start)[0]
    for _ in range(POWER_STEPS):
        in_range = torch.linalg.qr(rows @ torch.linalg.qr(rows.T @ in_range)[0])[0]
    projected = (in_range.T @ rows).double()
    values, mixing = torch.linalg.eigh(projected @ projected.T)
    values, mixing = values.flip(0).clamp_min(0.0), mixing.flip(1)
    vectors = torch.linalg.qr((mixing.T @ projected).T)  # orthonormal also where values vanish
    signs = vectors.R.diagonal().sign()
    return (values / len(rows))[:wanted], (vectors.Q * signs).T[:wanted]


def _counts_kept(variances: list[torch.Tensor], n_components: int, *, rounding: float) -> list[int]:
    """Components to keep a copy of each block, the strongest first, pairs together."""
    ranked = sorted(
        ((float(value), position) for position, block in enumerate(variances) for value in block),
        reverse=True,
    )
    # below it a direction is rounding, not data
    threshold = max(SMALLEST_RELATIVE_VARIANCE * ranked[0][0], rounding)
    counts, used = [0] * len(variances), 0
    for value, position in ranked:
        copies = PARITY_BLOCKS[position].copies
        if value > threshold and used + copies <= n_components:
            counts[position] += 1
            used += copies
    return counts
