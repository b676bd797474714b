"""Where HATS keeps what: partitions by HEALPix pixel, pages of properties, and the columns of the MultimodalUniverse."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from galsmith.errors import InputError

PROPERTIES = ("hats.properties", "properties")
COLLECTION = "collection.properties"
PRIMARY = "hats_primary_table_url"
PARTITIONS = "partition_info.csv"
DATASET = "dataset"
SUFFIX = ".parquet"
PIXELS_PER_FOLDER = 10_000
INDEX = "_healpix_29"
NAME, RA, DEC = "object_id", "ra", "dec"
IMAGE = "image"
# lists with an entry a band of each image, in the order of the published schema
BAND, FLUX, MASK, IVAR, PSF_FWHM, SCALE = "band", "flux", "mask", "ivar", "psf_fwhm", "scale"
# of galsmith's own files: sides of images, so that they are known before pixels are read
HEIGHT, WIDTH = "image_height_pix", "image_width_pix"
METADATA_KEY = b"galsmith"
METADATA_VERSION = 1
FILE_OF_PIXEL = re.compile(r"^Norder=(\d+)/Dir=\d+/Npix=(\d+)(?=[./]|$)")


class Pixel(NamedTuple):
    """One partition: a HEALPix pixel of an order, nested."""

    order: int
    number: int

    def path(self, suffix: str = SUFFIX) -> PurePosixPath:
        """Where its file or folder lies, below the folder of the data set."""
        folder = self.number // PIXELS_PER_FOLDER * PIXELS_PER_FOLDER
        return PurePosixPath(
            f"Norder={self.order}", f"Dir={folder}", f"Npix={self.number}{suffix.rstrip('/')}"
        )


@dataclass(frozen=True)
class Table:
    """One catalog on disk.

    Attributes
    ----------
    folder : Path
        It holds the page of properties.
    properties : mapping of str to str
        What that page says.
    files : tuple of Path
        Its Parquet files, partition by partition.
    """

    folder: Path
    properties: Mapping[str, str]
    files: tuple[Path, ...]

    def name_of(self, file: Path) -> str:
        """Path of a file below the folder."""
        return file.relative_to(self.folder).as_posix()


def open_table(place: Path) -> Table:
    """Find the files of a catalog, or of the main one of a collection.

    Raises
    ------
    InputError
        If it is no such folder, a partition that it names is missing, or one lies there that it does not name.
    """
    folder = _primary(place)
    page = next((folder / name for name in PROPERTIES if (folder / name).is_file()), None)
    if page is None:
        what = (
            "is a file"
            if place.is_file()
            else "there is no such folder"
            if not place.exists()
            else "is no HATS catalog"
        )
        raise InputError(f"{place}: {what}; wanted a folder with {' or '.join(PROPERTIES)}, or {COLLECTION}")
    properties = read_properties(page)
    suffix = properties.get("hats_npix_suffix", SUFFIX)
    there, named = _pixels_there(folder), _pixels_named(folder)
    if named is not None:
        _refuse_other_partitions(folder, there, named, suffix)
    elif not there:
        raise InputError(
            f"{folder / DATASET}: holds no partition, such as {Pixel(0, 0).path()}; download the catalog anew"
        )
    pixels = sorted(there if named is None else named, key=_along_the_sky)
    return Table(
        folder, properties, tuple(file for pixel in pixels for file in _files_of(folder, pixel, suffix))
    )


def read_properties(page: Path) -> dict[str, str]:
    """Read a page of lines ``key=value``.

    Raises
    ------
    InputError
        If it is no text, or a line is none of these.
    """
    try:
        lines = page.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{page}: cannot be read as text ({error}); download it anew") from error
    said = {}
    for number, line in enumerate(lines, start=1):
        if line.strip() and not line.lstrip().startswith(("#", "!")):
            key, separator, value = line.partition("=")
            if not separator:
                raise InputError(f"{page}: line {number} is {line[:60]!r}; wanted key=value")
            said[key.strip()] = re.sub(r"\\([:=#! ])", r"\1", value.strip())
    return said


def properties_text(title: str, values: Mapping[str, object]) -> str:
    """Write a page of properties."""
    return "\n".join([f"#{title}", *(f"{key}={value}" for key, value in values.items()), ""])


def partitions_text(pixels: Sequence[Pixel]) -> str:
    """Write the table of partitions, along the sky."""
    rows = [f"{pixel.order},{pixel.number}" for pixel in sorted(pixels, key=_along_the_sky)]
    return "\n".join(["Norder,Npix", *rows, ""])


def _along_the_sky(pixel: Pixel) -> tuple[int, int]:
    """Sort key: by the first place of a pixel in the finest order."""
    return pixel.number << (2 * (29 - pixel.order)), pixel.order


def _primary(place: Path) -> Path:
    """Folder of the main catalog of a collection; any other folder as it is."""
    if not (place / COLLECTION).is_file():
        return place
    name = read_properties(place / COLLECTION).get(PRIMARY, "")
    inner = place / name
    if not name or not inner.resolve().is_relative_to(place.resolve()):
        raise InputError(
            f"{place / COLLECTION}: {PRIMARY} is {name!r}; wanted the name of a folder in {place}"
        )
    if not inner.is_dir():
        raise InputError(
            f"{inner}: there is no such folder, and {COLLECTION} says that the main catalog is there"
        )
    return inner


def _pixels_there(folder: Path) -> set[Pixel]:
    """Partitions that lie in a catalog, by their paths."""
    found = (
        FILE_OF_PIXEL.match(path.relative_to(folder / DATASET).as_posix())
        for path in (folder / DATASET).glob("Norder=*/Dir=*/Npix=*")
    )
    return {Pixel(int(one[1]), int(one[2])) for one in found if one}


def _pixels_named(folder: Path) -> set[Pixel] | None:
    """Partitions that a catalog's own table names; None where there is no such table."""
    page = folder / PARTITIONS
    if not page.is_file():
        return None
    try:
        first, *lines = [line.split(",") for line in page.read_text(encoding="utf-8").split()]
        columns = [first.index(name) for name in ("Norder", "Npix")]
        return {Pixel(*(int(line[column]) for column in columns)) for line in lines}
    except (OSError, ValueError, IndexError) as error:
        raise InputError(f"{page}: wanted rows of Norder,Npix, whole numbers ({error})") from error


def _refuse_other_partitions(folder: Path, there: set[Pixel], named: set[Pixel], suffix: str) -> None:
    """Refuse a catalog that lacks a partition, or has one more than it says."""
    if not named:
        raise InputError(f"{folder / PARTITIONS}: names no partition, so the catalog is empty")
    missing = sorted(named - there)
    if missing:
        raise InputError(
            f"{folder / DATASET / missing[0].path(suffix)}: there is no such partition, and {PARTITIONS} names it "
            f"({len(missing)} of {len(named)} are missing); download the catalog anew"
        )
    more = sorted(there - named)
    if more:
        raise InputError(
            f"{folder / DATASET / more[0].path(suffix)}: {PARTITIONS} does not name it ({len(more)} such); move "
            "it elsewhere, or remove that table to read all"
        )


def _files_of(folder: Path, pixel: Pixel, suffix: str) -> list[Path]:
    """Parquet files of a partition: one, or those of its folder."""
    place = folder / DATASET / pixel.path(suffix)
    files = sorted(place.glob("*.parquet")) if place.is_dir() else [place]
    for file in files or [place]:
        if not file.is_file():
            raise InputError(
                f"{file}: wanted a Parquet file of this partition (hats_npix_suffix is {suffix!r})"
            )
        if not file.resolve().is_relative_to(folder.resolve()):
            raise InputError(
                f"{file}: leads out of the catalog, so it is not read; put the file itself there"
            )
    return files
