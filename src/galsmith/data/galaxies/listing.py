"""Which image files a user means: files, a folder, a glob, all of one reader."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from galsmith.data.readers.fits import split_hdu
from galsmith.data.readers.listing import (
    check_existence,
    has_glob,
    list_files,
    matches_of,
)
from galsmith.data.readers.options import Hdu
from galsmith.data.readers.registry import (
    Reader,
    image_suffixes,
    reader_of,
    readers_of_image_files,
    stem_of_image,
)
from galsmith.data.readers.surveys import without_maps
from galsmith.errors import InputError
from galsmith.files import place_of


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


def _expanded(name: str) -> list[Path]:
    """Files that one name stands for."""
    if has_glob(name):
        return [_checked_suffix(path) for path in matches_of(name)]
    path = place_of(name)
    if path.is_dir():
        return _of_folder(path)
    check_existence(path)
    return [_checked_suffix(path)]


def _of_folder(folder: Path) -> list[Path]:
    """All FITS images of a folder, or all pictures where it has no FITS image, and so on."""
    reader = reader_of(folder)
    return list(
        without_maps(list_files(folder, image_suffixes() if reader is None else reader.suffixes)).values()
    )


def _checked_suffix(path: Path) -> Path:
    """Refuse a file of another format."""
    if not path.name.lower().endswith(image_suffixes()):
        raise InputError(
            f"{path}: wanted a store, or a file that ends in {' '.join(image_suffixes())}; "
            "convert it, or rename it if it is one of these"
        )
    return path


def _reader_of_file(path: Path) -> Reader:
    """Give the reader of a file that has one of the suffixes."""
    return next(reader for reader in readers_of_image_files() if path.name.lower().endswith(reader.suffixes))


def _distinct_stems(paths: Sequence[Path]) -> tuple[str, ...]:
    """Name galaxies by their files; those of one stem in several folders get the folder before it."""
    stems = [stem_of_image(path) for path in paths]
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
