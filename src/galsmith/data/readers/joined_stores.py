"""Several stores as one source, such as the parts that tasks of a job array made: their galaxies one after the other."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import QTable, vstack
from numpy.typing import NDArray

from galsmith.data.readers.registry import StoreOptions
from galsmith.data.readers.source import Listing, Origin, UnusableImage
from galsmith.data.readers.store import NAME_COLUMN, StoreSource
from galsmith.data.store import Companions
from galsmith.errors import InputError, SettingsError
from galsmith.execution import ProgressCallback, ignore_progress
from galsmith.images import ImageHeader

Pixels = NDArray[np.float32]
Place = str | Path


def open_stores(
    stores: Place | Sequence[Place],
    options: StoreOptions = StoreOptions(),
    *,
    progress: ProgressCallback = ignore_progress,
) -> "StoreSource | JoinedStores":
    """Open one store, or several as one."""
    places = [stores] if isinstance(stores, str | Path) else list(stores)
    if len(places) == 1:
        return StoreSource(places[0], options, progress=progress)
    if options.properties is not None:
        raise SettingsError(
            f"belongs to one store, and there are {len(places)}; join them first, then measure and join the table",
            argument="properties",
            came=options.properties,
        )
    return JoinedStores(places, [StoreSource(place, options, progress=progress) for place in places])


class JoinedStores:
    """All images of several stores of one kind.

    Parameters
    ----------
    places : sequence of str or Path
        Where they lie, for messages.
    sources : sequence of StoreSource
        Two or more.

    Raises
    ------
    InputError
        If their bands, units, pixels or columns differ, a galaxy is in two of them, or what lies beside images in one
        does not in another.
    """

    def __init__(self, places: Sequence[Place], sources: Sequence[StoreSource]) -> None:
        self._sources = sources
        self.header = sources[0].header
        for place, source in zip(places[1:], sources[1:], strict=True):
            _refuse_other_header(places[0], self.header, place, source.header)
            _refuse_other_columns(places[0], sources[0].catalog, place, source.catalog)
        self.catalog = vstack([source.catalog for source in sources], metadata_conflicts="silent")
        _refuse_repeated(places, sources)
        listings = [source.listing for source in sources]
        self._begins = np.cumsum([0, *(len(listing.names) for listing in listings)])
        self.listing = Listing(
            list(chain.from_iterable(listing.names for listing in listings)),
            np.concatenate([listing.shapes for listing in listings]),
            splits=np.asarray(self.catalog["split"], dtype=str),
            bytes_beside=max(listing.bytes_beside for listing in listings),
        )
        lost: dict[str, int] = {}
        for source in sources:
            for reason, count in source.origin.lost_before.items():
                lost[reason] = lost.get(reason, 0) + count
        parents = tuple(chain.from_iterable(source.origin.parents for source in sources))
        self.origin = Origin(sources[0].origin.settings, parents, stage="joining", lost_before=lost)
        self._places = places

    def read(self, rows: NDArray[np.int64]) -> Iterator[Pixels | UnusableImage]:
        """Read images in the order of `rows`."""
        return iter(self._in_order(rows, lambda source, own: list(source.read(own))))

    def companions(self, rows: NDArray[np.int64]) -> Companions | None:
        """Read what lies beside images, in the order of `rows`; None where there is nothing."""
        found = [(place, self._sources[place].companions(own)) for place, own, _ in self._parts(rows)]
        some = [(place, one) for place, one in found if one is not None]
        if not some:
            return None
        first_place, first = some[0]
        for place, one in found:
            if one is None or _of_all(one) != _of_all(first) or one.names != first.names:
                raise InputError(
                    f"{self._places[place]}: what lies beside its images is not as in {self._places[first_place]}; join "
                    "stores that were made alike"
                )
        ordered: dict[str, Any] = {
            name: self._in_order(rows, partial(_companions_named, name)) for name in first.names
        }
        correlations = {name: stamp for _, one in some for name, stamp in one.noise_correlations.items()}
        return replace(first, noise_correlations=correlations, **ordered)

    def _parts(self, rows: NDArray[np.int64]) -> Iterator[tuple[int, NDArray[np.int64], NDArray[np.int64]]]:
        """Part rows by store: its place, rows in it, and where these stand among all."""
        owners = np.searchsorted(self._begins, rows, side="right") - 1
        for place in np.unique(owners):
            positions = np.flatnonzero(owners == place)
            yield int(place), rows[positions] - self._begins[place], positions

    def _in_order(
        self, rows: NDArray[np.int64], read: Callable[[StoreSource, NDArray[np.int64]], Sequence[Any]]
    ) -> list[Any]:
        """Read of each store what is asked of it, and put it in the order of `rows`."""
        found: dict[int, Any] = {}
        for place, own, positions in self._parts(rows):
            found |= dict(zip(positions.tolist(), read(self._sources[place], own), strict=True))
        return [found[position] for position in range(len(rows))]


def _companions_named(name: str, source: StoreSource, rows: NDArray[np.int64]) -> Sequence[Any]:
    """Read one kind of what lies beside images."""
    found: Sequence[Any] = getattr(source.companions(rows), name)
    return found


def _of_all(companions: Companions) -> tuple[Any, ...]:
    """Give what is said of all images together."""
    return companions.psf_pixel_scale_arcsec, companions.psf_kind


def _refuse_other_header(place: Place, header: ImageHeader, other_place: Place, other: ImageHeader) -> None:
    """Refuse a store of other images, with what differs."""
    for entry in fields(header):
        here, there = getattr(header, entry.name), getattr(other, entry.name)
        if here != there:
            raise InputError(
                f"{other_place}: its {entry.name} is {there!r}, that of {place} {here!r}; join stores of one kind"
            )


def _refuse_other_columns(place: Place, catalog: QTable, other_place: Place, other: QTable) -> None:
    """Refuse a store whose catalog has other columns, or the same in other units."""
    unlike = sorted(set(catalog.colnames) ^ set(other.colnames))
    if unlike:
        raise InputError(
            f"{place} and {other_place}: only one has the column {unlike[0]!r}; join stores of one kind"
        )
    for name in catalog.colnames:
        units = [getattr(table[name], "unit", None) for table in (catalog, other)]
        if units[0] != units[1]:
            raise InputError(
                f"{other_place}: column {name!r} is in {units[1]}, that of {place} in {units[0]}; join stores of one kind"
            )


def _refuse_repeated(places: Sequence[Place], sources: Sequence[StoreSource]) -> None:
    """Refuse a galaxy that is in two stores, as parts of a set that overlap have some."""
    owner: dict[str, Place] = {}
    for place, source in zip(places, sources, strict=True):
        for name in map(str, source.catalog[NAME_COLUMN]):
            if name in owner:
                raise InputError(
                    f"{owner[name]} and {place}: both have the object_id {name!r}; make parts of one set with `first`, or "
                    "name the galaxies apart"
                )
        owner |= dict.fromkeys(map(str, source.catalog[NAME_COLUMN]), place)
