"""Fitting on some of a training set: evenly spread over it, as stores may be sorted."""

from collections.abc import Iterator

from galsmith.models.protocols import NetworkBatch, TrainingBatches


def thinned(batches: TrainingBatches, *, n_images: int, at_most: int) -> TrainingBatches:
    """Keep every k-th training image, with the smallest k that leaves no more than wanted.

    Parameters
    ----------
    batches : TrainingBatches
        The whole training split.
    n_images : int
        How many images it has.
    at_most : int
        How many to keep, at most; above zero.
    """
    every = max(1, -(-n_images // at_most))

    def kept() -> Iterator[NetworkBatch]:
        seen = 0
        for batch in batches():
            first = -seen % every
            seen += len(batch.pixels)
            if first < len(batch.pixels):
                yield NetworkBatch(batch.pixels[first::every], batch.scalars[first::every])

    return kept
