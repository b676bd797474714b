"""Files inside a tar archive, opened one by one without unpacking it."""

import gzip
import io
import re
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from galsmith.data.readers.listing import stem_of
from galsmith.errors import InputError

TAR_NAME = re.compile(r"\.(tar|tar\.gz|tgz|tar\.bz2|tar\.xz)$")
GZIP_MAGIC = b"\x1f\x8b"
TAR_ERRORS = (tarfile.TarError, OSError, EOFError)


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
        return io.BytesIO(gzip.decompress(content) if content.startswith(GZIP_MAGIC) else content)

    def __str__(self) -> str:
        """Write archive and path."""
        return f"{self.archive}:{self.path}"


FilePlace = Path | TarMember
"""A file that can be opened for reading bytes."""


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
        with tarfile.open(archive, "r:") as members:
            infos = members.getmembers()
    except TAR_ERRORS as error:
        raise InputError(
            f"{archive}: is not a tar archive that can be read to its end ({error}); copy or download it again"
        ) from error
    if not _has_end_mark(archive, infos[-1] if infos else None):
        raise InputError(
            f"{archive}: ends without the mark that ends an archive, so it is cut off; copy or download it again"
        )
    return _by_stem(archive, [_member(archive, info) for info in infos if info.isfile()], suffixes)


def _has_end_mark(archive: Path, last: tarfile.TarInfo | None) -> bool:
    """Whether a block of zeros follows the last file."""
    end = 0 if last is None else last.offset_data + (-(-last.size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE)
    with archive.open("rb") as stream:
        stream.seek(end)
        return stream.read(tarfile.BLOCKSIZE) == bytes(tarfile.BLOCKSIZE)


def _member(archive: Path, info: tarfile.TarInfo) -> TarMember:
    """Remember where a file's bytes are."""
    return TarMember(archive, info.name, info.offset_data, info.size)


def _by_stem(archive: Path, files: Sequence[TarMember], suffixes: Sequence[str]) -> dict[str, TarMember]:
    """Keep the files of the wanted suffixes."""
    found: dict[str, TarMember] = {}
    for file in files:
        stem = stem_of(file.name, suffixes)
        if stem is None or file.name.startswith("."):
            continue
        if stem in found:
            raise InputError(
                f"{file}: has the stem of {found[stem].path}; an image is named by its stem, keep one"
            )
        found[stem] = file
    if not found:
        raise InputError(f"{archive}: holds no {' '.join(suffixes)} files among its {len(files)}")
    return dict(sorted(found.items()))
