"""Anybody's images, in files or in memory, brought into stores beside the report card and measured there."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias, TypeVar

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from galsmith.compare.tables import WEIGHING
from galsmith.data.galaxies import StoreGalaxies
from galsmith.data.options import SetOptions
from galsmith.data.readers.listing import array_place, check_existence
from galsmith.data.readers.registry import is_image_place, open_source, reader_of
from galsmith.data.readers.source import Source
from galsmith.data.readers.to_store import write_source
from galsmith.data.store import is_store, open_store, write_store
from galsmith.errors import InputError, OutputExistsError, SettingsError
from galsmith.execution import ProgressCallback
from galsmith.files import PARTIAL_SUFFIX, is_remote, place_of, read_json, settle, write_json
from galsmith.images import ImageHeader, ImageSet, image_set_from_arrays
from galsmith.images.header import UNKNOWN_UNIT, Shown, unnamed_bands
from galsmith.measure import MeasureSettings, measure, read_measurements
from galsmith.measure.settings import resolved_settings
from galsmith.provenance import Provenance

logger = logging.getLogger("galsmith")
Arrays: TypeAlias = NDArray[Any] | Sequence[NDArray[Any]]
"""Images in memory, [galaxy, y, x] or [galaxy, band, y, x], or a list of [band, y, x]."""
Images: TypeAlias = str | Path | QTable | ImageSet | Arrays
"""A table, its file, a store, a folder or an array file of images, or images in memory."""
Place: TypeAlias = Path | QTable
"""A store, a table's file, or a table in memory."""

Made = TypeVar("Made")
VERB = "compare"
IN_MEMORY = "arrays in memory"
ALL_TRAIN = (1.0, 0.0, 0.0)
# What a refused judgment leaves beside a card that was never made; the next one takes or replaces it.
REFUSED_FILE, REFUSED_FORMAT = "refused.json", "galsmith refused judgment"


@dataclass(frozen=True)
class Workplace:
    """Where stores, tables and features of a judgment go, and how they are made.

    Attributes
    ----------
    folder : Path
        Beside the card.
    settings : MeasureSettings
        How images are measured.
    seed : int
        Fixes chance.
    workers : int
        Local processes that measure.
    limit : int or None
        Take only the first images of each set.
    overwrite : bool
        Replace what was made of other images or settings.
    progress : callable
        Told of each step.
    bands : tuple of str or None
        Names of the bands of images in files and arrays.
    left : frozenset of str
        Names of what refused calls left in the folder.
    """

    folder: Path
    settings: MeasureSettings
    seed: int
    workers: int
    limit: int | None
    overwrite: bool
    progress: ProgressCallback
    bands: tuple[str, ...] | None = None
    left: frozenset[str] = frozenset()

    def made(self, output: Path, make: Callable[[bool], Made]) -> Made:
        """Make an output in the folder; `make` is given whether to replace what is there."""
        name = output.relative_to(self.folder).parts[0]
        return in_place_of_refused(make, overwrite=self.overwrite, is_left=name in self.left)


def stored(images: Images, name: str, work: Workplace, *, header: ImageHeader | None = None) -> Place:
    """Give a table or a store as it is; make a store of all else.

    Images of files that cannot be used are left out, with a warning that counts them.

    Parameters
    ----------
    images : path, QTable, ImageSet or arrays
        As `Images` has it.
    name : str
        Of the store, in the workplace's folder.
    work : Workplace
        Where the store goes.
    header : ImageHeader, optional
        Of the set that it is compared with: arrays in memory are in its bands and unit, files show fields where it does.
        Where left out, arrays have ``band0``, ... in an unknown unit.

    Raises
    ------
    InputError
        If the images cannot be read without being told more.
    OutputExistsError
        If a store of other images is there, and may not be replaced.
    """
    if isinstance(images, QTable):
        return images
    if isinstance(images, str | Path):
        settle(images)
        if not is_image_place(images):
            check_existence(place_of(images), wanted="a store, a folder of images, an array file or a table")
        shows: Shown | None = "field" if header is not None and header.shows_fields else None
        return _stored_files(place_of(images), work.folder / f"{name}.store", work, shows=shows)
    whole = images if isinstance(images, ImageSet) else _set_of(images, name, header, work.bands)
    if whole.path and is_store(whole.path) and open_store(whole.path).content_hash == whole.content_hash:
        return place_of(whole.path)
    return _stored_set(whole, work.folder / f"{name}.store", work)


def header_of(place: Place) -> ImageHeader:
    """Say what the images of a store, or those that a table was measured on, are in."""
    if isinstance(place, Path) and is_store(place):
        return open_store(place).header
    meta = _said_by_table(place)
    return ImageHeader.from_dict({**meta, "bands": meta.get("bands", unnamed_bands(1))})


def measured_table(place: Place, name: str, work: Workplace) -> Place:
    """Give a table as it is; measure a store, or find it measured already by the same settings.

    Raises
    ------
    InputError
        If the store cannot be read or measured.
    OutputExistsError
        If a table of other images or settings is there, and may not be replaced.
    """
    if isinstance(place, QTable) or not is_store(place):
        return place
    output = work.folder / f"{name}.parquet"

    def measure_again(overwrite: bool) -> QTable:  # noqa: FBT001
        return measure(
            open_store(place),
            output,
            workers=work.workers,
            limit=work.limit,
            settings=work.settings,
            overwrite=overwrite,
            progress=work.progress,
        )

    work.made(output, measure_again)
    return output


def measured_alike(places: Mapping[str, Place], work: Workplace, *, faults: bool = False) -> Workplace:
    """Leave out what lies beside the images of some sets alone, or of those that faults are put into, and tell it.

    Noise weighs pixels and a point spread function is in a fit, so a set that has them has other numbers than one that has
    not. Masks stay: they leave out what is damaged.

    Parameters
    ----------
    places : mapping of name to path or QTable
        All sets.
    work : Workplace
        How images are measured.
    faults : bool
        Whether images of the reference are measured with faults put in, which then lie in memory alone.
    """
    used = {name: _beside(place) - set(work.settings.ignore) for name, place in places.items()}
    of_all: set[str] = set() if faults else set(WEIGHING).intersection(*used.values())
    of_some = {name for one in used.values() for name in one} - of_all
    if "noise" in of_all or work.settings.gain is not None:  # which weighs in place of a gain of the images
        of_some.discard("gain")
    if not of_some:
        return work
    owners = ", ".join(name for name, one in used.items() if one & of_some)
    logger.warning(
        "%s: %s beside the images %s, so no set is measured with it",
        owners,
        " and ".join(sorted(of_some)),
        "cannot follow the faults of `power`" if faults else "that other sets have not",
    )
    ignore = tuple(sorted({*work.settings.ignore, *of_some}))
    return replace(work, settings=work.settings.model_copy(update={"ignore": ignore}))


def _beside(place: Place) -> set[str]:
    """Name what weighs in numbers and lies beside the images of a store, or was used for a table."""
    if isinstance(place, QTable) or not is_store(place):
        used = _said_by_table(place).get("provenance", {}).get("settings", {}).get("beside", ())
    else:
        used = StoreGalaxies(open_store(place)).origin.beside
    return set(used) & set(WEIGHING)


def known_of_images(place: Place, work: Workplace) -> Mapping[str, Any]:
    """Say what a table says of its images, or would say if a store were measured."""
    if isinstance(place, QTable) or not is_store(place):
        return _said_by_table(place)
    header = open_store(place).header
    return {**header.to_dict(), "band": resolved_settings(work.settings, header).band}


def images_at(place: Place, limit: int | None) -> ImageSet:
    """Open the images of a store, or those that a table was measured on.

    Raises
    ------
    InputError
        If there are none.
    """
    is_of_images = isinstance(place, Path) and is_store(place)
    images = open_store(place) if is_of_images else _images_of_table(place)
    return images if limit is None else images.select(np.arange(min(limit, len(images))))


def _said_by_table(place: Place) -> Mapping[str, Any]:
    """Take the metadata of a table; the same of a file as long as it does not change, for much asks for them."""
    if isinstance(place, QTable):
        return MappingProxyType(place.meta)
    if not place.is_file():
        return MappingProxyType(read_measurements(place).meta)  # which says what is missing
    state = place.stat()
    return _said_by_file(place, (state.st_ino, state.st_mtime_ns, state.st_size))


@lru_cache(maxsize=16)
def _said_by_file(file: Path, state: tuple[int, ...]) -> Mapping[str, Any]:
    """Read the metadata of a file in a state."""
    return MappingProxyType(read_measurements(file).meta)


def _images_of_table(place: Place) -> ImageSet:
    """Open the store that a table was measured on: where it says, seen from here or from the table, or beside the table."""
    source = dict(_said_by_table(place).get("source", {}))
    hint = Path(str(source.get("path", "")))
    folder = Path() if isinstance(place, QTable) else place.parent
    there = [
        item
        for item in (hint, folder / hint, folder / hint.name)
        # an address that a file of others names is not asked for
        if source.get("path") and not is_remote(hint) and is_store(item)
    ]
    for item in there:
        images = open_store(item)
        # Files of one name need not be those that were measured.
        if images.content_hash == source.get("content_hash"):
            return images
    shown = "a table in memory" if isinstance(place, QTable) else place
    others = f"; {there[0]} has other images than were measured" if there else ""
    raise InputError(
        f"{shown}: its images are in no store that is there{others}; compare the images themselves, not their table"
    )


def _stored_files(place: Path, store: Path, work: Workplace, *, shows: Shown | None) -> Path:
    """Make a store of a folder or an array of images, unless an earlier call did; all else stays as it is."""
    if is_store(place) or not is_image_place(place):
        return place

    def write(overwrite: bool) -> ImageSet:  # noqa: FBT001
        return write_source(
            _opened(place, work),
            store,
            verb=VERB,
            seed=0,
            options=SetOptions(split=ALL_TRAIN, on_bad="skip", shows=shows),
            overwrite=overwrite,
            progress=work.progress,
        )

    try:
        work.made(store, write)
    except InputError as error:
        raise InputError(f"{error}{_way_out(place)}") from error
    return store


def takes_bands(images: Any) -> bool:
    """Whether the bands of images can be named: those of arrays, and of files that do not say them in another way."""
    if isinstance(images, QTable | ImageSet):
        return False
    if not isinstance(images, str | Path):
        return True
    reader = None if is_store(images) else reader_of(images)
    return reader is not None and "bands" in {option.name for option in fields(reader.options)}


def _opened(place: Path, work: Workplace) -> Source:
    """Open files, with the names of their bands where these are given."""
    reader = reader_of(place)
    if reader is None or work.bands is None or not takes_bands(place):
        return open_source(place, progress=work.progress)
    return reader.open(place, reader.options(bands=work.bands), progress=work.progress)


def _way_out(place: Path) -> str:
    """Name the command that can be told more, where there is anything to tell it about."""
    array = array_place(place)
    there = place if array is None else array.path
    return " (galsmith ingest has options for it, and its store can be compared)" if there.exists() else ""


def _set_of(images: Arrays, name: str, header: ImageHeader | None, bands: tuple[str, ...] | None) -> ImageSet:
    """Make a set of arrays; its header is the reference's where there is one."""
    if not len(images) or np.ndim(images[0]) not in (2, 3):
        came = f"{len(images)} images" if not len(images) else f"images of shape {np.shape(images[0])}"
        raise InputError(
            f"{name}: {came} in memory",
            wanted="[galaxy, y, x], [galaxy, band, y, x] or a list of such images",
        )
    n_bands = 1 if np.ndim(images[0]) == 2 else len(np.asarray(images[0]))
    unknown = ImageHeader(bands or unnamed_bands(n_bands), UNKNOWN_UNIT)
    try:
        return image_set_from_arrays(list(images), unknown if header is None else header)
    except ValueError as error:
        like = "" if header is None else ", as the reference set has"
        raise InputError(f"{name}: {error}{like}") from error


def _stored_set(images: ImageSet, store: Path, work: Workplace) -> Path:
    """Write a set in memory, or one of some images of a store, unless an earlier run did."""
    made_from = {"content_hash": images.content_hash}
    if is_store(store) and not work.overwrite and open_store(store).provenance.settings == made_from:
        return store
    made_by = Provenance(IN_MEMORY, made_from, parents=(images.as_parent("images"),))
    work.made(
        store,
        lambda overwrite: write_store(store, replace(images, provenance=made_by), overwrite=overwrite),
    )
    return store


@contextmanager
def noted_refusal(folder: Path, given: Iterable[Any]) -> Iterator[frozenset[str]]:
    """Note what a judgment made on its way if it is refused, in the folder beside its card.

    Who corrects a command wants other stores and tables under the same names. What an interrupted call made is another
    matter: it may have taken hours, and its own command goes on with it.

    Parameters
    ----------
    folder : Path
        Of stores, tables and features; there or not.
    given : iterable
        What is judged: none of it is ever left by a refused call.

    Yields
    ------
    frozenset of str
        Names, in the folder, of what refused calls left.
    """
    there, left = _names(folder), _left_by_refused(folder)
    try:
        yield left - {Path(item).name for item in given if isinstance(item, str | Path)}
    except (SettingsError, InputError):
        made = (_names(folder) - there) | (left & _names(folder))
        if made:
            write_json(folder / REFUSED_FILE, {"format": REFUSED_FORMAT, "made": sorted(made)})
        raise
    if (folder / REFUSED_FILE).exists():  # a finished judgment is found again where nothing may be written
        (folder / REFUSED_FILE).unlink()


def in_place_of_refused(make: Callable[[bool], Made], *, overwrite: bool, is_left: bool) -> Made:
    """Make an output, or take one made of the same; one made of others gives way where a refused call left it.

    Parameters
    ----------
    make : callable
        Given whether to replace what is there.
    overwrite : bool
        Whether to replace it in any case.
    is_left : bool
        Whether a refused call left what is there, as `noted_refusal` says.

    Raises
    ------
    OutputExistsError
        If another is there that no refused call left.
    """
    try:
        return make(overwrite)
    except OutputExistsError:
        if not is_left:
            raise
        return make(True)  # noqa: FBT003


def _names(folder: Path) -> set[str]:
    """Names of outputs in a folder, finished or not."""
    if not folder.is_dir():
        return set()
    return {path.name.removesuffix(PARTIAL_SUFFIX) for path in folder.iterdir()} - {REFUSED_FILE}


def _left_by_refused(folder: Path) -> frozenset[str]:
    """Read the names that refused calls noted."""
    if not (folder / REFUSED_FILE).is_file():
        return frozenset()
    said = read_json(folder / REFUSED_FILE)
    return frozenset(said["made"]) if said.get("format") == REFUSED_FORMAT else frozenset()
