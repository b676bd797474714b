"""Finding the map, mask, noise image or PSF that belongs to each image, by their names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from galsmith.data.galaxies.fits_image import FitsPlace, split_hdu
from galsmith.data.galaxies.listing import has_glob, is_image_file, matches_of, stem_of
from galsmith.data.readers.fits import FITS_SUFFIXES
from galsmith.data.readers.listing import list_files
from galsmith.errors import InputError

NAMED_AT_MOST = 3


@dataclass(frozen=True)
class Companion:
    """What a user gave beside the images.

    Attributes
    ----------
    option : str
        Its name on the command line, such as ``"--segmap"``.
    text : str
        A file, ``file[HDU]``, ``[HDU]`` of the image's own file, a folder whose files have the images' stems, or a
        glob.
    one_for_all : bool
        Whether a single file serves all images, as a PSF does.
    """

    option: str
    text: str
    one_for_all: bool = False


def pair_with(companion: Companion, paths: Sequence[Path]) -> tuple[FitsPlace, ...]:
    """Give each image its companion.

    In a folder the companion has the image's stem. In a glob what the star stands for begins the image's stem,
    and what follows it there is the same for all images: ``*_seg.fits`` goes with ``*_sci.fits``.

    Raises
    ------
    InputError
        If there is none for some image, or one file is given for several images.
    """
    name, hdu = split_hdu(companion.text)
    if not name:
        return tuple(FitsPlace(path, hdu) for path in paths)
    if has_glob(name):
        return _paired(companion, _by_star(name), paths, hdu)
    folder = Path(name)
    if folder.is_dir():
        return _paired(companion, list_files(folder, FITS_SUFFIXES), paths, hdu)
    if len(paths) > 1 and not companion.one_for_all:
        raise InputError(
            f"{companion.option} {companion.text}: one file for {len(paths)} images; give a folder whose files have the "
            "stems of the images, a glob in quotes such as 'maps/*_seg.fits', or [HDU] of the images' own files"
        )
    if folder.exists() and not is_image_file(folder):
        raise InputError(f"{companion.option} {name}: wanted a FITS file ({' '.join(FITS_SUFFIXES)})")
    return (FitsPlace(folder, hdu),) * len(paths)


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
    companion: Companion, files: Mapping[str, Path], paths: Sequence[Path], hdu: int | str | None
) -> tuple[FitsPlace, ...]:
    """Find the file of each image by its name."""
    stems = [stem_of(path) for path in paths]
    tail = _common_tail(stems, files)
    found: list[FitsPlace] = []
    for path, stem in zip(paths, stems, strict=True):
        key = stem[: len(stem) - len(tail)]
        if key not in files:
            raise InputError(
                f"{path}: has no file in {companion.option} {companion.text}; wanted one named as {key!r}, "
                f"there are {_some(list(files))}"
            )
        found.append(FitsPlace(files[key], hdu))
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
