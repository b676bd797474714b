"""Listing a folder's image files, sorted by stem, and the hash by which they are named as a parent."""

from collections.abc import Sequence
from pathlib import Path

from galsmith.errors import InputError
from galsmith.files import sha256_of_file
from galsmith.provenance import Parent, hash_json

FITS_SUFFIXES = (".fits.gz", ".fit.gz", ".fits.fz", ".fits", ".fit", ".fts")
PICTURE_SUFFIXES = (".jpeg", ".jpg", ".png")
HDF5_SUFFIXES = (".h5", ".hdf5", ".hdf", ".he5")
ARRAY_SUFFIXES = (*HDF5_SUFFIXES, ".npy", ".npz")


def array_file(text: str | Path) -> tuple[Path, str | None] | None:
    """Read ``set.h5``, ``set.h5:/images`` or ``set.npz:images`` as file and array; None where it names no array file."""
    name = str(text)
    if name.lower().endswith(ARRAY_SUFFIXES):
        return Path(name), None
    path, separator, dataset = name.rpartition(":")
    if separator and path.lower().endswith(ARRAY_SUFFIXES) and not Path(name).exists():
        return Path(path), dataset if dataset else None
    return None


def stem_of(name: str, suffixes: Sequence[str]) -> str | None:
    """Give a file's name without its suffix, by which its image is named.

    Parameters
    ----------
    name : str
        Without folders.
    suffixes : sequence of str
        In lower case, longest first, such as ``(".fits.gz", ".fits")``.

    Returns
    -------
    str or None
        None if the name has none of the suffixes.
    """
    suffix = next((suffix for suffix in suffixes if name.lower().endswith(suffix)), None)
    return None if suffix is None else name[: -len(suffix)]


def list_files(folder: Path, suffixes: Sequence[str]) -> dict[str, Path]:
    """Find the files of a folder that have one of some suffixes, by stem, sorted.

    Parameters
    ----------
    folder : Path
        Only its own files are taken, not those of folders in it.
    suffixes : sequence of str
        In lower case, longest first, such as ``(".fits.gz", ".fits")``.

    Raises
    ------
    InputError
        If there is no such folder, it holds no such file, or two files share a stem.
    """
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "there is no such folder"
        raise InputError(f"{folder}: {what}; wanted a folder of {' '.join(suffixes)} files")
    files: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        stem = _stem(path, suffixes)
        if stem is None:
            continue
        if stem in files:
            raise InputError(
                f"{path}: has the stem of {files[stem].name}; an image is named by its stem, so rename or remove one"
            )
        files[stem] = path
    if not files:
        raise InputError(f"{folder}: holds no {' '.join(suffixes)} files{_hint(folder, suffixes)}")
    return dict(sorted(files.items()))


def listing_as_parent(folder: Path, files: Sequence[Path]) -> Parent:
    """Name a folder's files as a parent, by their names, sizes and times of change.

    The files are not read for it; a file that changes between two runs is noticed by its time.
    """
    stats = [(path.name, path.stat()) for path in files]
    listing = [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]
    return Parent("source files (names, sizes, times)", hash_json(listing), str(folder))


def file_as_parent(path: Path, role: str) -> Parent:
    """Name one file as a parent, by its bytes."""
    return Parent(role, sha256_of_file(path), str(path))


def _stem(path: Path, suffixes: Sequence[str]) -> str | None:
    """Stem of a file that is listed, or None if it is not one of those wanted."""
    return None if path.name.startswith(".") or not path.is_file() else stem_of(path.name, suffixes)


def _hint(folder: Path, suffixes: Sequence[str]) -> str:
    """Where such files may be instead."""
    for inner in sorted(path for path in folder.iterdir() if path.is_dir()):
        if any(_stem(path, suffixes) for path in inner.iterdir()):
            return f"; its folder {inner.name} does, give that one"
    return ""
