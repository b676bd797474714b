"""Which rows of a catalog lie in which HEALPix pixel, so that no partition has too many."""

import numpy as np
from numpy.typing import NDArray

from galsmith.data.hats.healpix import INDEX_ORDER, N_BASE, coarser
from galsmith.data.hats.layout import Pixel

FINEST_ORDER = 13  # sides of 26 arcsec: what still has too many rows lies in one place


def partitions(index: NDArray[np.int64], most_rows: int) -> list[tuple[Pixel, slice]]:
    """Cut rows, sorted by their place, into pixels as large as have no more than so many rows.

    Parameters
    ----------
    index : ndarray [row], int64
        Pixels of order 29, ascending.
    most_rows : int
        Of a partition; more only where they lie in one pixel of order 13.

    Returns
    -------
    list of (Pixel, slice)
        Each with its rows, along the sky.
    """
    found = []
    waiting = [
        (Pixel(0, number), *_rows_in(index, Pixel(0, number), 0, len(index))) for number in range(N_BASE)
    ]
    while waiting:
        pixel, first, last = waiting.pop()
        if last == first:
            continue
        if last - first <= most_rows or pixel.order == FINEST_ORDER:
            found.append((pixel, slice(first, last)))
            continue
        for number in range(4 * pixel.number, 4 * pixel.number + 4):
            inner = Pixel(pixel.order + 1, number)
            waiting.append((inner, *_rows_in(index, inner, first, last)))
    return sorted(found, key=lambda one: one[1].start)


def share_of_sky(pixels: list[Pixel]) -> float:
    """Share of the sky that pixels cover, none of which lies in another."""
    return sum(1.0 / (N_BASE * 4**pixel.order) for pixel in pixels)


def _rows_in(index: NDArray[np.int64], pixel: Pixel, first: int, last: int) -> tuple[int, int]:
    """First row of a pixel, and the end, among some rows."""
    depth = 2 * (INDEX_ORDER - pixel.order)
    begin, end = np.searchsorted(index[first:last], [pixel.number << depth, (pixel.number + 1) << depth])
    return first + int(begin), first + int(end)


def pixels_of(index: NDArray[np.int64], order: int) -> NDArray[np.int64]:
    """Pixels of an order that have rows, ascending."""
    return np.unique(coarser(index, order))
