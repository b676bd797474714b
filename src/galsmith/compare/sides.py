"""The two sides of a comparison: their tables and images by hash, and what cuts removed of them; frozen."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from galsmith.compare.losses import ImageLosses


@dataclass(frozen=True)
class CutCount:
    """What one cut removed: the galaxies whose value lies outside of [low, high].

    A galaxy outside of several cuts is counted in each.
    """

    column: str
    low: float
    high: float
    removed_reference: int
    removed_generated: int


@dataclass(frozen=True)
class Side:
    """One of the two measurement tables.

    Attributes
    ----------
    path : str
        The table, relative to the comparison's file where there is one; a hint.
    content_hash : str
        Of the table.
    n_measured : int
        Rows of the table.
    n_compared : int
        Rows after the cuts.
    images_path, images_hash : str
        The store that was measured, as a hint and by content.
    bands : tuple of str
        Of the images.
    pixel_scale_arcsec : float or None
        Of the images.
    flux_unit : str
        Of the images.
    flags : mapping of str to int
        Name of each flag and how many rows carry it.
    provenance : mapping
        Of the table, as plain values.
    losses : ImageLosses
        What became of the images.
    """

    path: str
    content_hash: str
    n_measured: int
    n_compared: int
    images_path: str
    images_hash: str
    bands: tuple[str, ...]
    pixel_scale_arcsec: float | None
    flux_unit: str
    flags: Mapping[str, int] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    losses: ImageLosses = field(default_factory=ImageLosses)
