"""Listing the image files of a folder or an archive, which is not unpacked, by stem; and their hash as a parent."""

import glob
import gzip
import io
import re
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, NamedTuple, TypeVar

from galsmith.errors import InputError
from galsmith.files import is_remote, place_of, sha256_of_file
from galsmith.files.bounds import EXPANSION, excess, read_limit_bytes
from galsmith.files.names import refuse_undecodable
from galsmith.files.remote.place import matching
from galsmith.provenance import Parent, hash_json
from galsmith.settings import near_miss

FITS_SUFFIXES = (".fits.gz", ".fit.gz", ".fits.fz", ".fits.bz2", ".fits.xz", ".fits", ".fit", ".fts")
PICTURE_SUFFIXES = (".jpeg", ".jpg", ".png")
HDF5_SUFFIXES = (".h5", ".hdf5", ".hdf", ".he5")
ARRAY_SUFFIXES = (*HDF5_SUFFIXES, ".npy", ".npz")
TAR_NAME = re.compile(r"\.(tar|tar\.gz|tgz|tar\.bz2|tar\.xz)$")
GLOB_CHARACTERS = "*?"
GZIP_MAGIC = b"\x1f\x8b"
TAR_ERRORS = (tarfile.TarError, OSError, EOFError)


def check_existence(path: Path, *, wanted: str = "") -> None:
    """Raise `InputError` where nothing is at a path; it names the neighbor that was probably meant, and what is wanted."""
    if not place_of(path).exists():
        neighbors = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
        problem = f"{path}: there is no such file, folder or store{near_miss(path.name, neighbors)}"
        raise InputError(problem, wanted=wanted)


class ArrayPlace(NamedTuple):
    """A file of arrays, and which of them is meant, as in ``set.h5:/images``; None leaves it open."""

    path: Path
    dataset: str | None = None

    def __str__(self) -> str:
        """Write it as a user does."""
        return str(self.path) if self.dataset is None else f"{self.path}:{self.dataset}"


def array_place(text: str | Path) -> ArrayPlace | None:
    """Read a name such as ``set.h5``, ``set.h5:/images`` or ``set.npz:images``; None where it names no array file."""
    name = str(text)
    if name.lower().endswith(ARRAY_SUFFIXES):
        return ArrayPlace(Path(name))
    path, separator, dataset = name.rpartition(":")
    if separator and path.lower().endswith(ARRAY_SUFFIXES) and not Path(name).exists():
        return ArrayPlace(Path(path), dataset if dataset else None)
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


def list_files(place: Path, suffixes: Sequence[str], *, nested: bool = True) -> dict[str, Path]:
    """Find the files of a folder or glob that have one of some suffixes, by stem, sorted.

    Parameters
    ----------
    place : Path
        A folder, whose own files are taken, or where it has none those of all folders in it; or a glob; or one file.
    suffixes : sequence of str
        In lower case, longest first, such as ``(".fits.gz", ".fits")``.
    nested : bool
        Whether folders in it are looked into.

    Raises
    ------
    InputError
        If there is no such folder, it holds no such file, or two files share a stem and the name of their folder.
    """
    if has_glob(str(place)):
        files = _of_folders(matches_of(str(place)), suffixes)
        if not files:
            raise InputError(f"{place}: matches no {' '.join(suffixes)} files")
        return files
    if place.is_file() and stem_of(place.name, suffixes):
        return _by_stem([place], suffixes)
    if not place.is_dir():
        what = "is a file" if place.exists() else "there is no such folder"
        raise InputError(f"{place}: {what}; wanted a folder of {' '.join(suffixes)} files")
    files = _by_stem([path for path in sorted(place.iterdir()) if path.is_file()], suffixes)
    files = files if files or not nested else _of_folders(_inner_files(place), suffixes)
    if not files:
        raise InputError(f"{place}: holds no {' '.join(suffixes)} files{_hint(place, suffixes)}")
    return files


def has_files(place: Path, suffixes: Sequence[str], *, nested: bool) -> bool:
    """Whether a folder has a file of some suffixes, or a folder in it does; or whether a glob matches one."""
    if has_glob(str(place)):
        candidates: Iterable[Path] = _globbed(str(place))
    elif not place.is_dir():
        return False
    else:
        candidates = _inner_files(place) if nested else place.iterdir()
    return any(path.name.lower().endswith(tuple(suffixes)) for path in candidates)


def has_glob(text: str) -> bool:
    """Whether a name is a pattern and no file of that name is there."""
    return any(character in text for character in GLOB_CHARACTERS) and not place_of(text).exists()


def matches_of(pattern: str) -> list[Path]:
    """Files that a glob matches, sorted.

    Raises
    ------
    InputError
        If there is none.
    """
    found = sorted(_globbed(pattern))
    files = [path for path in found if path.is_file()]
    if not files:
        raise InputError(f"{pattern}: matches no file; check the folder and the pattern")
    return files


def _globbed(pattern: str) -> Iterator[Path]:
    """Give what a pattern matches, of a file system or in a remote folder."""
    if is_remote(pattern):
        return iter(matching(pattern))
    return map(Path, glob.iglob(pattern, recursive=True))  # noqa: PTH207


def _inner_files(folder: Path) -> list[Path]:
    """Files of a folder and of all folders in it, but for hidden ones."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return [
        path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]


def listing_as_parent(folder: Path, files: Sequence[Path]) -> Parent:
    """Name a folder's files as a parent, by their names, sizes and times of change.

    The files are not read for it; a file that changes between two runs is noticed by its time.
    """
    listing = [(path.name, *_size_and_time(path)) for path in files]
    return Parent("source files (names, sizes, times)", hash_json(listing), str(folder))


def _size_and_time(path: Path) -> tuple[int, int]:
    """Size and time of change of a file; of a remote one that cannot be looked at -1, as its reader says why."""
    try:
        stat = path.stat()
    except OSError:
        if is_remote(path):
            return -1, -1
        raise
    return stat.st_size, stat.st_mtime_ns


def file_as_parent(path: Path, role: str) -> Parent:
    """Name one file as a parent, by its bytes."""
    return Parent(role, sha256_of_file(path), str(path))


@dataclass(frozen=True)
class TarMember:
    """One file of an archive that is not compressed as a whole.

    Attributes
    ----------
    archive : Path
        The archive.
    path : str
        The file's path in it.
    offset, size : int
        Where its bytes begin, and how many there are.
    """

    archive: Path
    path: str
    offset: int
    size: int

    @property
    def name(self) -> str:
        """Its name without folders."""
        return PurePosixPath(self.path).name

    def open(self, mode: str, /) -> IO[Any]:
        """Read its bytes, decompressed where the file is gzipped; an archive that ends before them gives fewer."""
        if mode != "rb":
            raise ValueError(f"mode is {mode!r}; a file of an archive can only be read, with 'rb'")
        with self.archive.open("rb") as stream:
            stream.seek(self.offset)
            content = stream.read(self.size)
        return io.BytesIO(self._unpacked(content) if content.startswith(GZIP_MAGIC) else content)

    def _unpacked(self, content: bytes) -> bytes:
        """Decompress what was gzipped, as far as can be believed."""
        limit = max(read_limit_bytes(), EXPANSION * len(content))
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as stream:
            unpacked = stream.read(limit + 1)
        too_large = excess(len(unpacked), len(content))
        if too_large:
            raise ValueError(too_large)
        return unpacked

    def __str__(self) -> str:
        """Write archive and path."""
        return f"{self.archive}:{self.path}"


FilePlace = Path | TarMember
"""A file that can be opened for reading bytes."""
File = TypeVar("File", Path, TarMember)


def is_tar(path: Path) -> bool:
    """Whether a path is named like an archive."""
    return TAR_NAME.search(path.name.lower()) is not None


def list_tar(archive: Path, suffixes: Sequence[str]) -> dict[str, TarMember]:
    """Find the files of an archive that have one of some suffixes, by stem, sorted.

    Parameters
    ----------
    archive : Path
        Not compressed as a whole: its files are opened in any order, and are themselves compressed.
    suffixes : sequence of str
        In lower case, longest first; the stem is what stands before.

    Raises
    ------
    InputError
        If there is no such archive, it is compressed, truncated or no archive, it holds no such file, or two
        have one stem.
    """
    if not archive.is_file():
        raise InputError(f"{archive}: there is no such archive")
    if not archive.name.lower().endswith(".tar"):
        raise InputError(
            f"{archive}: is compressed as a whole, so that its files cannot be read one by one; "
            f"decompress it to {re.sub(TAR_NAME, '.tar', archive.name)}, or unpack it and give the folder"
        )
    try:
        with tarfile.open(archive, "r:") as opened:
            infos = opened.getmembers()
    except TAR_ERRORS as error:
        raise InputError(
            f"{archive}: is not a tar archive that can be read to its end ({error}); copy or download it again"
        ) from error
    if not _has_end_mark(archive, infos[-1] if infos else None):
        raise InputError(
            f"{archive}: ends without the mark that ends an archive, so it is cut off; copy or download it again"
        )
    members = [_member(archive, info) for info in infos if info.isfile()]
    found = _by_stem(members, suffixes)
    if not found:
        raise InputError(f"{archive}: holds no {' '.join(suffixes)} files among its {len(members)}")
    return found


def _has_end_mark(archive: Path, last: tarfile.TarInfo | None) -> bool:
    """Whether a block of zeros follows the last file."""
    end = 0 if last is None else last.offset_data + (-(-last.size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE)
    with archive.open("rb") as stream:
        stream.seek(end)
        return stream.read(tarfile.BLOCKSIZE) == bytes(tarfile.BLOCKSIZE)


def _member(archive: Path, info: tarfile.TarInfo) -> TarMember:
    """Remember where a file's bytes are."""
    return TarMember(archive, info.name, info.offset_data, info.size)


def _by_stem(files: Sequence[File], suffixes: Sequence[str]) -> dict[str, File]:
    """Keep the files of the wanted suffixes that are not hidden, by stem, sorted."""
    found: dict[str, File] = {}
    for file in files:
        stem = None if file.name.startswith(".") else stem_of(file.name, suffixes)
        if stem is None:
            continue
        refuse_undecodable(str(file))
        if stem in found:
            raise InputError(
                f"{file}: has the stem of {getattr(found[stem], 'path', found[stem].name)}; an image is named by its "
                "stem, so rename or remove one"
            )
        found[stem] = file
    return dict(sorted(found.items()))


def _of_folders(files: Sequence[Path], suffixes: Sequence[str]) -> dict[str, Path]:
    """Keep the files of the wanted suffixes, by stem, or where stems repeat by folder and stem."""
    stems = [stem_of(file.name, suffixes) for file in files if not file.name.startswith(".")]
    stems = [stem for stem in stems if stem is not None]
    if len(set(stems)) == len(stems):
        return _by_stem(files, suffixes)
    found: dict[str, Path] = {}
    for folder in dict.fromkeys(file.parent for file in files):
        inner = _by_stem([file for file in files if file.parent == folder], suffixes)
        for stem, file in inner.items():
            name = f"{folder.name}/{stem}"
            if name in found:
                raise InputError(f"{file}: has the name of {found[name]}; rename or leave out one")
            found[name] = file
    return dict(sorted(found.items()))


def _hint(folder: Path, suffixes: Sequence[str]) -> str:
    """Where such files may be instead."""
    for inner in sorted(path for path in folder.iterdir() if path.is_dir()):
        if any(path.is_file() and stem_of(path.name, suffixes) for path in inner.iterdir()):
            return f"; its folder {inner.name} does, give that one"
    return ""
