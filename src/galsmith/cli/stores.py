"""What the command line says of a store that it made or opened."""

from pathlib import Path

import numpy as np

from galsmith.cli.outcome import Outcome
from galsmith.images import ImageSet


def outcome_of_store(verb: str, images: ImageSet, output: Path) -> Outcome:
    """Say how many images a verb put where."""
    return Outcome(
        verb=verb,
        summary=f"{len(images):,} galaxies, {sizes_text(images)}, {bands_text(images)}",
        output=output,
        content_hash=images.content_hash,
        numbers={"n_images": len(images), "bands": list(images.header.bands), "splits": split_counts(images)},
    )


def sizes_text(images: ImageSet) -> str:
    """Height and width of the images, or their range, in pixels."""
    if not len(images):
        return "no pixels"
    low, high = images.shapes.min(axis=0), images.shapes.max(axis=0)
    smallest, largest = f"{low[0]}x{low[1]}", f"{high[0]}x{high[1]}"
    return f"{smallest} px" if smallest == largest else f"{smallest} to {largest} px"


def bands_text(images: ImageSet) -> str:
    """Names of the bands."""
    return ("band " if len(images.header.bands) == 1 else "bands ") + " ".join(images.header.bands)


def split_counts(images: ImageSet) -> dict[str, int]:
    """How many images each split has."""
    names, counts = np.unique(np.asarray(images.catalog["split"], dtype=str), return_counts=True)
    return {str(name): int(count) for name, count in zip(names, counts, strict=True)}
