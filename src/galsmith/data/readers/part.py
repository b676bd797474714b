"""A part of a source: its images from some number on, as one task of many makes them."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from galsmith.data.readers.source import (
    Pixels,
    Source,
    SourceThatDescribes,
    SourceWithCompanions,
    UnusableImage,
)
from galsmith.data.store import Companions
from galsmith.errors import SettingsError


class PartOfSource:
    """Images of a source from number `first` on, with all that is known of them there.

    Parameters
    ----------
    source : Source
        The whole, which knows its catalog before pixels are read, so that what comes before is never made.
    first : int
        The number of the first.
    """

    def __init__(self, source: Source, first: int) -> None:
        self._source, self._first = source, first
        self.header = source.header
        self.catalog = source.catalog[first:]
        whole = source.listing
        self.listing = replace(
            whole,
            names=whole.names[first:],
            shapes=whole.shapes[first:],
            faults={row - first: fault for row, fault in whole.faults.items() if row >= first},
            left_out={row - first: rule for row, rule in whole.left_out.items() if row >= first},
            splits=None if whole.splits is None else whole.splits[first:],
        )
        settings = {**source.origin.settings, "n": len(self.catalog), "first": first}
        self.origin = replace(source.origin, settings=settings)

    def read(self, rows: NDArray[np.int64]) -> Iterable[Pixels | UnusableImage]:
        """Read images in the order of `rows`."""
        return self._source.read(rows + self._first)


class _DescribingPart(PartOfSource):
    """A part of a source that has more to say of images once they are read."""

    def __init__(self, source: Source, first: int, describing: SourceThatDescribes) -> None:
        super().__init__(source, first)
        self._describing = describing

    def describe(self, rows: NDArray[np.int64], fluxes: NDArray[np.float64]) -> QTable:
        """Give the catalog rows of images."""
        return self._describing.describe(rows + self._first, fluxes)


class _AccompaniedPart(PartOfSource):
    """A part of a source that knows more arrays of each image."""

    def __init__(self, source: Source, first: int, accompanied: SourceWithCompanions) -> None:
        super().__init__(source, first)
        self._accompanied = accompanied

    def companions(self, rows: NDArray[np.int64]) -> Companions | None:
        """Read what lies beside images."""
        return self._accompanied.companions(rows + self._first)


def checked_first(first: int) -> int:
    """Refuse a number that no image has."""
    if first < 0:
        raise SettingsError(argument="first", came=first, wanted="0 or more, the number of the first image")
    return first


def part_of(source: Source, first: int) -> Source:
    """Take the images of a simulated source from number `first` on, and what it knows beside them; at 0 it is all."""
    if first == 0:
        return source
    if isinstance(source, SourceThatDescribes):
        return _DescribingPart(source, first, source)
    if isinstance(source, SourceWithCompanions):
        return _AccompaniedPart(source, first, source)
    return PartOfSource(source, first)
