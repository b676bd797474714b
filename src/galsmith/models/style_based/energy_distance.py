"""A distance between two small batches of images, for the log: zero on average where both follow one law."""

import torch

LARGEST_BATCH = 32


@torch.no_grad()
def energy_distance(first: torch.Tensor, second: torch.Tensor) -> float:
    """Energy distance of two batches, unbiased: 2 E|x - y| - E|x - x'| - E|y - y'| (Székely & Rizzo 2013, eq. 6.1).

    Parameters
    ----------
    first, second : Tensor [galaxy, ...]
        Of equal shape but for the first axis; the first 32 of each are used.

    Returns
    -------
    float
        In units of the root mean square difference of two images' values. Below zero by chance where both follow
        one law.
    """
    one, other = (batch[:LARGEST_BATCH].float().flatten(1) for batch in (first, second))
    between = _lengths(one, other).mean()
    scale = one.shape[1] ** 0.5
    return float((2 * between - _mean_within(one) - _mean_within(other)) / scale)


def _mean_within(values: torch.Tensor) -> torch.Tensor:
    """Mean distance of two different rows; 0 of a single row."""
    count = len(values)
    return _lengths(values, values).sum() / max(count * (count - 1), 1)


def _lengths(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Distances [first, second] of rows, without cancellation."""
    return torch.cdist(first, second, compute_mode="donot_use_mm_for_euclid_dist")
