"""Scalars <-> standard normal numbers, column by column, through the quantiles of the training set.

A network that draws normal numbers well then draws each scalar with the law it has in the training set, also where that law
has edges (a magnitude limit) or lumps (a few native sizes), which a network alone would smear. Fits take some images of a
large set: evenly spread over it, as stores may be sorted.
"""

from collections.abc import Iterator, Sized
from typing import Any

import torch

from galsmith.errors import InputError
from galsmith.models.protocols import DataDescription, KnowsAllScalars, NetworkBatch, TrainingBatches

N_KNOTS = 257  # an odd number has a knot at the median
IMAGES_FOR_MARGINALS, SCALARS_FOR_MARGINALS = 16384, 2**17


class NormalMarginals(torch.nn.Module):
    """Monotone maps, one a scalar, piecewise linear between quantiles.

    Parameters
    ----------
    n_scalars : int
        Columns.

    Attributes
    ----------
    quantiles : Tensor [scalar, knot], float32
        Values of the scalar at `normal`; equal neighbors where many galaxies share one value.
    normal : Tensor [knot], float32
        Standard normal numbers of the knots, rising.
    """

    quantiles: torch.Tensor
    normal: torch.Tensor

    def __init__(self, n_scalars: int) -> None:
        super().__init__()
        self.register_buffer("normal", torch.linspace(-4.0, 4.0, N_KNOTS))
        self.register_buffer("quantiles", self.normal.repeat(n_scalars, 1))

    def to_normal(self, scalars: torch.Tensor) -> torch.Tensor:
        """Map [galaxy, scalar] to standard normal numbers; a shared value goes to the middle of its range."""
        columns = [
            _interpolated(scalars[:, column].contiguous(), knots, self.normal)
            for column, knots in enumerate(self.quantiles)
        ]
        return torch.stack(columns, dim=1) if columns else scalars

    @torch.no_grad()
    def compacted(self, batch: NetworkBatch) -> NetworkBatch:
        """Map the scalars of training images to normal numbers, once; pixels stay as they are."""
        return NetworkBatch(batch.pixels, self.to_normal(batch.scalars))

    def from_normal(self, normal: torch.Tensor) -> torch.Tensor:
        """Undo `to_normal`; beyond the outermost knots the last slope goes on."""
        columns = [
            _interpolated(normal[:, column].contiguous(), self.normal, knots)
            for column, knots in enumerate(self.quantiles)
        ]
        return torch.stack(columns, dim=1) if columns else normal


def fit_marginals(batches: TrainingBatches, n_scalars: int) -> NormalMarginals:
    """Fit the maps on all images that `batches` gives.

    Raises
    ------
    InputError
        If there are no images, or a scalar is not finite.
    """
    marginals = NormalMarginals(n_scalars)
    if n_scalars == 0:
        return marginals
    parts = [batch.scalars.cpu().double() for batch in batches()]
    if not any(len(part) for part in parts):
        raise InputError("the training split has no images; the scalars' laws cannot be fitted")
    scalars = torch.cat(parts)
    if not torch.isfinite(scalars).all():
        raise InputError("training scalars are not all finite; check fluxes with galsmith info (`verify`)")
    reach = float(torch.special.ndtri(torch.tensor(1 - 0.5 / (len(scalars) + 1), dtype=torch.float64)))
    # even in the normal number: tails get their knots
    normal = torch.linspace(-reach, reach, N_KNOTS, dtype=torch.float64)
    quantiles = torch.quantile(scalars, torch.special.ndtr(normal), dim=0).T
    marginals.normal.copy_(normal)
    marginals.quantiles.copy_(quantiles)
    return marginals


def fit_scalar_laws(
    config: Any, description: DataDescription, batches: TrainingBatches
) -> dict[str, torch.Tensor]:
    """Fit the laws of the scalars on a training set; what a `Family` with ``marginals`` fits."""
    return marginals_of_set(batches, description).state_dict(prefix="marginals.")


def marginals_of_set(batches: TrainingBatches, description: DataDescription) -> NormalMarginals:
    """Fit the maps on all galaxies of a training set where `batches` knows their scalars, else on some of them."""
    known, at_most = batches, IMAGES_FOR_MARGINALS
    if isinstance(batches, KnowsAllScalars):
        scalars, at_most = batches.all_scalars(), SCALARS_FOR_MARGINALS

        def known() -> Iterator[NetworkBatch]:
            yield NetworkBatch(scalars, scalars)  # laws take no pixels

    n_images = description.n_train
    return fit_marginals(thinned(known, n_images=n_images, at_most=at_most), len(description.scalar_names))


def _interpolated(values: torch.Tensor, knots: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Piecewise linear map of [galaxy] that takes rising `knots` to `targets`, with its end slopes beyond them."""
    knots, targets = knots.contiguous(), targets.contiguous()
    first = torch.searchsorted(knots, values, right=False)
    after = torch.searchsorted(knots, values, right=True)
    right = after.clamp(1, len(knots) - 1)
    left = right - 1
    width = knots[right] - knots[left]
    share = torch.where(
        width > 0, (values - knots[left]) / width.clamp_min(torch.finfo(width.dtype).tiny), 0.5
    )
    slanted = targets[left] + share * (targets[right] - targets[left])
    # a value that many galaxies share has a range of knots
    middle = 0.5 * (targets[first.clamp_max(len(knots) - 1)] + targets[(after - 1).clamp_min(0)])
    return torch.where(after - first > 1, middle, slanted)


class _Thinned:
    """Every k-th image of batches, and how many these are."""

    def __init__(self, batches: TrainingBatches, *, n_images: int, every: int) -> None:
        self._batches, self._every = batches, every
        self._length = -(-n_images // every)

    def __len__(self) -> int:
        return self._length

    def __call__(self) -> Iterator[NetworkBatch]:
        seen = 0
        for batch in self._batches():
            first = -seen % self._every
            seen += len(batch.pixels)
            if first < len(batch.pixels):
                yield NetworkBatch(batch.pixels[first :: self._every], batch.scalars[first :: self._every])


def thinned(batches: TrainingBatches, *, n_images: int, at_most: int) -> TrainingBatches:
    """Keep every k-th training image, with the smallest k that leaves no more than wanted.

    Parameters
    ----------
    batches : TrainingBatches
        The training split, or images that are evenly spread over it.
    n_images : int
        How many images it has where `batches` does not know.
    at_most : int
        How many to keep, at most; above zero.
    """
    count = len(batches) if isinstance(batches, Sized) else n_images
    return _Thinned(batches, n_images=count, every=max(1, -(-count // at_most)))  # rounded up
