"""Which image files a user means: files, a folder, a glob, all of one reader; and which maps go with them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from galsmith.data.readers.array_files import arrays_in
from galsmith.data.readers.fits import FitsPlace, split_hdu
from galsmith.data.readers.listing import (
    ARRAY_SUFFIXES,
    FITS_SUFFIXES,
    ArrayPlace,
    array_place,
    check_existence,
    has_glob,
    list_files,
    matches_of,
    stem_of,
)
from galsmith.data.readers.maps import MapPlace
from galsmith.data.readers.options import Hdu
from galsmith.data.readers.registry import Reader, reader_of, readers_of_files
from galsmith.data.readers.surveys import without_maps
from galsmith.errors import InputError, argument_text

MAP_SUFFIXES = (*FITS_SUFFIXES, *ARRAY_SUFFIXES)
NAMED_AT_MOST = 3


@dataclass(frozen=True)
class ListedImages:
    """Image files of one kind, each with the name of its galaxy.

    Attributes
    ----------
    reader : Reader
        What reads them.
    paths : tuple of Path
        In the order given; those of a folder or a glob sorted.
    stems : tuple of str
        File names without their suffix, all different; the galaxies' names.
    hdu : int, str or None
        The HDU that was written in brackets, where one was.
    """

    reader: Reader
    paths: tuple[Path, ...]
    stems: tuple[str, ...]
    hdu: Hdu | None = None


@dataclass(frozen=True)
class Companion:
    """What a user gave beside the images.

    Attributes
    ----------
    option : str
        Name of the argument, such as ``"segmap"``.
    text : str
        A file, ``file[HDU]``, ``[HDU]`` of the image's own file, a folder whose files have the images' stems, or a
        glob.
    one_for_all : bool
        Whether a single file serves all images, as a PSF does.
    """

    option: str
    text: str
    one_for_all: bool = False


def list_images(images: Sequence[str | Path]) -> ListedImages:
    """Find the image files that are meant.

    Parameters
    ----------
    images : sequence of str or Path
        FITS files, pictures, files of another reader, folders of them, or globs such as ``"field/*_sci.fits"``; a file
        or glob may name its HDU as ``image.fits[SCI]``.

    Raises
    ------
    InputError
        If a file or folder is missing or holds nothing of the kind, kinds are mixed, or two files share a stem.
    """
    paths: list[Path] = []
    hdus: dict[Hdu | None, None] = {}
    for text in images:
        name, hdu = split_hdu(str(text))
        hdus[hdu] = None
        paths += _expanded(name)
    if len(hdus) > 1:
        raise InputError(
            f"{images[0]}: the files name different HDUs; name one for all with `hdu`, or measure them apart"
        )
    readers = [_reader_of_file(path) for path in paths]
    for path, reader in zip(paths, readers, strict=True):
        if reader is not readers[0]:
            raise InputError(
                f"{path}: one of the {' '.join(reader.suffixes)} files, {paths[0].name} is one of the "
                f"{' '.join(readers[0].suffixes)} files; measure them apart"
            )
    return ListedImages(readers[0], tuple(paths), _distinct_stems(paths), next(iter(hdus)))


def _readers() -> list[Reader]:
    """Give the readers of files that hold one image each, that of FITS first."""
    return [reader for reader in readers_of_files() if not reader.is_one_file]


def _suffixes() -> tuple[str, ...]:
    """Suffixes of all files that hold one image each."""
    return tuple(dict.fromkeys(suffix for reader in _readers() for suffix in reader.suffixes))


def _stem(path: Path) -> str:
    """Name of an image file without the suffix of its format; all of it where it is nothing but the suffix."""
    return stem_of(path.name, _suffixes()) or path.name


def _expanded(name: str) -> list[Path]:
    """Files that one name stands for."""
    if has_glob(name):
        return [_checked_suffix(path) for path in matches_of(name)]
    path = Path(name)
    if path.is_dir():
        return _of_folder(path)
    check_existence(path)
    return [_checked_suffix(path)]


def _of_folder(folder: Path) -> list[Path]:
    """All FITS images of a folder, or all pictures where it has no FITS image, and so on."""
    reader = reader_of(folder)
    return list(without_maps(list_files(folder, _suffixes() if reader is None else reader.suffixes)).values())


def _checked_suffix(path: Path) -> Path:
    """Refuse a file of another format."""
    if not path.name.lower().endswith(_suffixes()):
        raise InputError(
            f"{path}: wanted a store, or a file that ends in {' '.join(_suffixes())}; "
            "convert it, or rename it if it is one of these"
        )
    return path


def _reader_of_file(path: Path) -> Reader:
    """Give the reader of a file that has one of the suffixes."""
    return next(reader for reader in _readers() if path.name.lower().endswith(reader.suffixes))


def _distinct_stems(paths: Sequence[Path]) -> tuple[str, ...]:
    """Name galaxies by their files; those of one stem in several folders get the folder before it."""
    stems = [_stem(path) for path in paths]
    if len(set(stems)) < len(stems):
        stems = [f"{path.parent.name}/{stem}" for path, stem in zip(paths, stems, strict=True)]
    seen: dict[str, Path] = {}
    for path, stem in zip(paths, stems, strict=True):
        if stem in seen:
            raise InputError(
                f"{path}: has the name of {seen[stem]}; a galaxy is named by its file's stem, so rename or leave out one"
            )
        seen[stem] = path
    return tuple(stems)


def pair_with(
    companion: Companion, paths: Sequence[Path], *, one_file_holds_all: bool = False
) -> tuple[MapPlace, ...]:
    """Give each image its companion.

    In a folder the companion has the image's stem. In a glob what the star stands for begins the image's stem,
    and what follows it there is the same for all images: ``*_seg.fits`` goes with ``*_sci.fits``. An array of a file
    holds one an image, in their order, where there are several.

    Parameters
    ----------
    companion : Companion
        What the user gave.
    paths : sequence of Path
        The file of each image.
    one_file_holds_all : bool
        Whether the images lie in one file, so that none has a name of its own.

    Raises
    ------
    InputError
        If there is none for some image, or one file is given for several images.
    """
    array = array_place(companion.text)
    if array is not None and array.path.is_file():
        several = (len(paths) > 1 or one_file_holds_all) and not (
            companion.one_for_all and _is_one_map(array)
        )
        return tuple(MapPlace(array, row if several else None) for row in range(len(paths)))
    name, hdu = split_hdu(companion.text)
    if one_file_holds_all and not (companion.one_for_all and Path(name).is_file()):
        raise InputError(
            argument=companion.option,
            came=companion.text,
            wanted="an array of a file that holds one an image, [galaxy, y, x], as the images lie in one file",
        )
    if not name:
        return tuple(MapPlace(FitsPlace(path, hdu)) for path in paths)
    if has_glob(name):
        return _paired(companion, _by_star(name), paths, hdu)
    folder = Path(name)
    if folder.is_dir():
        return _paired(companion, list_files(folder, MAP_SUFFIXES), paths, hdu)
    if len(paths) > 1 and not companion.one_for_all:
        raise InputError(
            f"{argument_text(companion.option, companion.text)}: one file for {len(paths)} images; give a "
            "folder whose files have the "
            "stems of the images, a glob in quotes such as 'maps/*_seg.fits', or [HDU] of the images' own files"
        )
    if folder.exists() and not folder.name.lower().endswith(FITS_SUFFIXES):
        raise InputError(
            argument=companion.option, came=name, wanted=f"a file that ends in {' '.join(MAP_SUFFIXES)}"
        )
    return (MapPlace(FitsPlace(folder, hdu)),) * len(paths)


def _is_one_map(array: ArrayPlace) -> bool:
    """Whether a file of arrays holds one map of [y, x] that serves all images."""
    heads = arrays_in(array.path)
    named = [
        head for head in heads if array.dataset is None or head.name.strip("/") == array.dataset.strip("/")
    ]
    return len(named) == 1 and len(named[0].shape or ()) == 2


def _place_of(path: Path, hdu: Hdu | None) -> MapPlace:
    """Tell a file of arrays from a FITS file."""
    return MapPlace(ArrayPlace(path) if path.name.lower().endswith(ARRAY_SUFFIXES) else FitsPlace(path, hdu))


def _by_star(pattern: str) -> dict[str, Path]:
    """Files that a glob matches, by what the star in their name stands for."""
    name = Path(pattern).name
    if name.count("*") != 1 or "?" in name:
        raise InputError(
            f"{pattern}: wanted one star in the file's name, which stands for the name of the galaxy"
        )
    before, after = name.split("*")
    return {path.name[len(before) : len(path.name) - len(after)]: path for path in matches_of(pattern)}


def _paired(
    companion: Companion, files: Mapping[str, Path], paths: Sequence[Path], hdu: Hdu | None
) -> tuple[MapPlace, ...]:
    """Find the file of each image by its name."""
    stems = [_stem(path) for path in paths]
    tail = _common_tail(stems, files)
    found: list[MapPlace] = []
    for path, stem in zip(paths, stems, strict=True):
        key = stem[: len(stem) - len(tail)]
        if key not in files:
            raise InputError(
                f"{path}: has no file in {argument_text(companion.option, companion.text)}; wanted one named as {key!r}, "
                f"there are {_some(list(files))}"
            )
        found.append(_place_of(files[key], hdu))
    return tuple(found)


def _common_tail(stems: Sequence[str], files: Mapping[str, Path]) -> str:
    """Find the ending that all images' stems have beyond their galaxy's name; nothing where there is none."""
    first = stems[0]
    tails = [first[length:] for length in range(len(first), 0, -1) if first[:length] in files]
    for tail in tails:
        if all(stem.endswith(tail) and stem[: len(stem) - len(tail)] in files for stem in stems):
            return tail
    return tails[0] if tails else ""


def _some(names: Sequence[str]) -> str:
    """Name a few of many."""
    shown = ", ".join(repr(name) for name in names[:NAMED_AT_MOST])
    return shown if len(names) <= NAMED_AT_MOST else f"{shown} and {len(names) - NAMED_AT_MOST} more"
