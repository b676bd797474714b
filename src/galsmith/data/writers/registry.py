"""`WRITERS`: every format that a store is exported to, in one table, with the options that call and command line share.

A writer is one file with one function in it, and one entry here. Nothing is imported before it is called.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from galsmith.data.readers.options import option
from galsmith.errors import SettingsError
from galsmith.settings import near_miss, record_at

if TYPE_CHECKING:
    from galsmith.files import Kind

SkyPlaces = Literal["catalog", "scatter"]


@dataclass(frozen=True)
class HatsWriting:
    """How a HATS catalog is written.

    Attributes
    ----------
    name : str or None
        Of the catalog; that of the output's folder when None.
    sky : {"catalog", "scatter"}
        Where images are on the sky: as the catalog says, or, of images without a place such as drawn ones, spread evenly.
    ra, dec : str or None
        Columns of right ascension and declination in degrees; those of a known name when None.
    rows_per_file : int or None
        Partitions have no more rows; as many as make 128 MB of pixels, and 8,192 at most, when None.

    Raises
    ------
    SettingsError
        If a value is out of range.
    """

    name: str | None = option("Name of the catalog; that of the folder when left out.")
    sky: SkyPlaces = option(
        "Places on the sky: of the catalog, or spread evenly, for images without one.", "catalog"
    )
    ra: str | None = option("Column of right ascension in degrees; one of a known name when left out.")
    dec: str | None = option("Column of declination in degrees.")
    rows_per_file: int | None = option("Most rows of a partition; what makes 128 MB when left out.")

    def __post_init__(self) -> None:
        """Check every value once."""
        if self.sky not in ("catalog", "scatter"):
            raise SettingsError(argument="sky", came=self.sky, wanted="catalog or scatter")
        if self.rows_per_file is not None and self.rows_per_file < 1:
            raise SettingsError(argument="rows_per_file", came=self.rows_per_file, wanted="1 or more")
        if self.sky == "scatter" and (self.ra or self.dec):
            raise SettingsError(
                "`sky=scatter` makes places; leave it out",
                argument="ra" if self.ra else "dec",
                came=self.ra or self.dec,
            )
        if self.name is not None and not self.name.isprintable():
            raise SettingsError(argument="name", came=self.name, wanted="a name of one line")


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes
    ----------
    path : Path
        The output.
    n_images, n_files : int
        How many images are in how many files of data.
    fingerprint : str
        Of what it was made from; the output says it too.
    """

    path: Path
    n_images: int
    n_files: int
    fingerprint: str


@dataclass(frozen=True)
class Writer:
    """One format.

    Attributes
    ----------
    name : str
        As in ``galsmith export NAME``.
    summary : str
        What it writes, in one sentence.
    options : type
        A frozen dataclass whose fields are made by `galsmith.data.readers.options.option`.
    writes : str
        ``"module:name"`` of a function: ``writes(images, output, options, overwrite=..., progress=...)`` gives `Exported`.
    kind : str
        ``"module:name"`` of the `Kind` of its outputs.
    example : str
        A working command line.
    more : str
        What else there is to know.
    """

    name: str
    summary: str
    options: type[Any]
    writes: str
    kind: str
    example: str
    more: str = ""

    @property
    def function(self) -> Callable[..., Exported]:
        """Import what writes."""
        found: Callable[..., Exported] = record_at(self.writes)
        return found

    @property
    def output_kind(self) -> "Kind":
        """Import the kind of its outputs."""
        found: Kind = record_at(self.kind)
        return found


WRITERS: dict[str, Writer] = {
    writer.name: writer
    for writer in (
        Writer(
            "hats",
            "Write a store as a HATS catalog in the layout of the MultimodalUniverse, for LSDB and other tools of surveys.",
            HatsWriting,
            "galsmith.data.writers.hats:write_hats",
            "galsmith.data.writers.hats:HATS",
            "galsmith export hats galaxies -o galaxies_hats",
            more="Pixels, inverse variances and masks are written as they are; galsmith ingest hats reads them back.",
        ),
    )
}


def find_writer(name: str) -> Writer:
    """Give the writer of a name.

    Raises
    ------
    SettingsError
        If there is none; the near miss is named.
    """
    if name not in WRITERS:
        raise SettingsError(
            f"there is no such format{near_miss(name, list(WRITERS))}",
            argument="kind",
            came=name,
            wanted=f"one of {', '.join(WRITERS)}",
        )
    return WRITERS[name]
