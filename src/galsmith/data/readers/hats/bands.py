"""Which bands the images of a catalog have, and numbers with one value a band and image: pixel scales, widths of PSFs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from galsmith.data.hats.layout import BAND, IMAGE, NAME
from galsmith.data.readers.source import UnusableImage
from galsmith.errors import InputError, SettingsError
from galsmith.settings import near_miss

BETWEEN = "\x1f"  # of names, in none of them
OTHER_BANDS = "of other bands"


@dataclass(frozen=True)
class Bands:
    """The bands taken, and where each image has them.

    Attributes
    ----------
    names : tuple of str
        In the order wanted.
    kinds : tuple of tuple of str
        The different lists of bands that images have.
    kind_of : ndarray [row], int64
        Which of these each image has.
    places : tuple of ndarray [band], int64
        Of each kind: where `names` stand in it; empty where it lacks one.
    """

    names: tuple[str, ...]
    kinds: tuple[tuple[str, ...], ...]
    kind_of: NDArray[np.int64]
    places: tuple[NDArray[np.int64], ...]

    def of(self, row: int) -> tuple[int, NDArray[np.int64]]:
        """Say how many bands an image has, and which of them are taken."""
        kind = int(self.kind_of[row])
        return len(self.kinds[kind]), self.places[kind]

    def faults(self, names: Sequence[str]) -> dict[int, UnusableImage]:
        """Images that lack a band, by row; `names` are theirs in messages."""
        found = {}
        for kind, (has, places) in enumerate(zip(self.kinds, self.places, strict=True)):
            if not len(places):
                said = f"has the bands {','.join(has) or 'none'}, wanted {','.join(self.names)}"
                for row in np.flatnonzero(self.kind_of == kind).tolist():
                    found[row] = UnusableImage(OTHER_BANDS, f"{names[row]}: {said}")
        return found


def bands_of(rows: pa.Table, wanted: Sequence[str] | None, *, place: str) -> Bands:
    """Find the bands of all images.

    Parameters
    ----------
    rows : pyarrow Table
        Of all files, with the lists of names.
    wanted : sequence of str or None
        Bands to take; those of the images when None.
    place : str
        The catalog, for messages.

    Raises
    ------
    InputError
        If images have different bands and none are wanted, or one has a band twice.
    SettingsError
        If no image has a band that is wanted.
    """
    lists = _list_of(rows, BAND)
    joined = pc.binary_join(pc.fill_null(lists, []), BETWEEN).dictionary_encode()
    kinds = tuple(tuple(text.split(BETWEEN)) if text else () for text in joined.dictionary.to_pylist())
    kind_of = joined.indices.to_numpy().astype(np.int64)
    names = kinds[0] if wanted is None else tuple(wanted)
    if wanted is None:
        _refuse_unlike(rows, kinds, kind_of, place=place)
    known = sorted({name for kind in kinds for name in kind})
    missing = [name for name in names if name not in known]
    if missing:
        raise SettingsError(
            f"no image of {place} has the band {missing[0]!r}{near_miss(missing[0], known)}; they have {', '.join(known)}",
            argument="bands",
            came=",".join(names),
        )
    for kind in kinds:
        if len(set(kind)) < len(kind) and set(names) <= set(kind):
            raise InputError(
                f"{place}: an image has the bands {','.join(kind)}, one of them twice; wanted each once"
            )
    places = tuple(
        np.array([kind.index(name) for name in names] if set(names) <= set(kind) else [], dtype=np.int64)
        for kind in kinds
    )
    return Bands(names, kinds, kind_of, places)


def _refuse_unlike(
    rows: pa.Table, kinds: Sequence[tuple[str, ...]], kind_of: NDArray[np.int64], *, place: str
) -> None:
    """Refuse images that have different bands, or none."""

    def said(kind: int) -> str:
        row = int(np.argmax(kind_of == kind))
        return f"row {row} ({NAME} {rows[NAME][row].as_py()}) has the bands {','.join(kinds[kind]) or 'none'}"

    other = next((number for number, kind in enumerate(kinds) if set(kind) != set(kinds[0])), None)
    if other is not None:
        raise InputError(f"{place}: {said(other)}, {said(0)}; choose bands that both have with `bands`")
    if not kinds[0]:
        raise InputError(f"{place}: {said(0)}; wanted their names in {IMAGE}.{BAND}")


def _list_of(rows: pa.Table, name: str) -> pa.Array:
    """Take one list of all images, as one piece."""
    images = rows[IMAGE].combine_chunks()
    images = images.combine_chunks() if isinstance(images, pa.ChunkedArray) else images
    return images.flatten()[images.type.get_field_index(name)]


def numbers_by_band(rows: pa.Table, name: str, bands: Bands) -> NDArray[np.float32] | None:
    """Give a list of numbers of all images by the bands taken, [row, band] float32; NaN where there is none.

    None where the images have no such list.
    """
    kind = rows.schema.field(IMAGE).type
    if kind.get_field_index(name) < 0:
        return None
    lists = _list_of(rows, name).cast(pa.list_(pa.float32()))
    starts, counts = lists.offsets.to_numpy(), pc.fill_null(pc.list_value_length(lists), 0).to_numpy()
    flat = lists.values.to_numpy(zero_copy_only=False)
    found = np.full((len(rows), len(bands.names)), np.nan, dtype=np.float32)
    for number, (has, places) in enumerate(zip(bands.kinds, bands.places, strict=True)):
        chosen = np.flatnonzero((bands.kind_of == number) & (counts == len(has)))
        if len(places) and len(chosen):
            found[chosen] = flat[starts[chosen][:, np.newaxis] + places]
    return found


def by_column(
    values: NDArray[np.float32], name: str, bands: Sequence[str]
) -> Mapping[str, NDArray[np.float32]]:
    """Name the columns that keep numbers of each band: one where there is one band, else each with its band's name."""
    if len(bands) == 1:
        return {name: values[:, 0]}
    return {f"{name}_{band}": values[:, number] for number, band in enumerate(bands)}
