"""`READERS`: every format that becomes a store, in one table, with the options that the call and the command line share.

A reader is one file with a `Source` in it, and one entry here; or, from outside of galsmith, `register_reader` or an entry
point of the group ``galsmith.readers``. Nothing is imported before it is opened, so that help is quick.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from galsmith.data.readers.listing import (
    ARRAY_SUFFIXES,
    FITS_SUFFIXES,
    PICTURE_SUFFIXES,
    array_place,
    has_files,
    stem_of,
)
from galsmith.data.readers.options import (
    HDU_HELP,
    IVAR_HELP,
    MASK_BITS_HELP,
    MASK_HELP,
    PLANE_HELP,
    PSF_HELP,
    SIGMA_HELP,
    ZERO_POINTS_HELP,
    CosmologyOptions,
    FieldOptions,
    GivenZeroPoints,
    HatsOptions,
    Hdu,
    option,
    parse_bands,
    parse_hdu,
    parse_zero_points,
    refuse_two_noises,
)
from galsmith.errors import InputError, SettingsError
from galsmith.execution import ProgressCallback, ignore_progress
from galsmith.files import place_of, refuse_remote_input
from galsmith.settings import near_miss, record_at

if TYPE_CHECKING:
    from galsmith.data.readers.source import Source

ENTRY_POINTS = "galsmith.readers"
PLANES = ("g", "r", "i", "z")
ExclusionLevel = Literal["none", "bad_stamp", "bad_fits", "marginal"]
Place = str | Path | Sequence[str | Path]
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FolderOptions:
    """How a folder of pictures is read.

    Attributes
    ----------
    labels : Path or None
        A table (CSV, or columns between spaces) with a column of file stems; the other columns go to the catalog, with
        NaN where a picture has no row.
    """

    labels: str | Path | None = option("CSV whose first column is the file stem.", kind=Path)


@dataclass(frozen=True)
class FitsOptions:
    """How FITS cutouts are read.

    Attributes
    ----------
    hdu : int, str, (str, int) or None
        Which header-data unit holds the image, by number, name, or name and version as ``("SCI", 2)``; the first that
        does when None.
    bands : sequence of str or None
        Filter names; else the keyword FILTER, or BAND1 and so on.
    pixel_scale_arcsec : float or None
        Angle per pixel side; else from the world coordinates.
    flux_unit : str or None
        Unit of a pixel's value; else the keyword BUNIT, else ``"unknown"``.
    plane : int or None
        The only plane of a cube to take, from 0.
    zero_points_mag : mapping of band to float, or sequence of float, or None
        AB magnitude of one unit; else the headers say it.
    mask, sigma, ivar, psf : str or None
        Maps that go into the store with their images, as `galsmith.data.readers.given_maps.NamedMap` has them; those of
        surveys' layouts are taken where none is named, and left with ``"none"`` as `mask` or `sigma`.
    mask_bits : sequence of str or None
        Bits of the mask that count.

    Raises
    ------
    SettingsError
        If the pixel scale is not positive.
    """

    hdu: Hdu | None = option(HDU_HELP, parse=parse_hdu)
    bands: Sequence[str] | None = option("Names of the bands, such as g,r,i.", parse=parse_bands)
    pixel_scale_arcsec: float | None = option(
        "Arcsec per pixel, where the header has no WCS.", flag="pixel-scale"
    )
    flux_unit: str | None = option("Unit of a pixel's value, where the header has none.")
    plane: int | None = option(PLANE_HELP)
    zero_points_mag: GivenZeroPoints | None = option(
        ZERO_POINTS_HELP, flag="zero-points", parse=parse_zero_points
    )
    mask: str | None = option(MASK_HELP)
    mask_bits: Sequence[str] | None = option(MASK_BITS_HELP, parse=parse_bands)
    sigma: str | None = option(SIGMA_HELP)
    ivar: str | None = option(IVAR_HELP)
    psf: str | None = option(PSF_HELP)

    def __post_init__(self) -> None:
        """Check the pixel scale and what maps are named."""
        _refuse_scale(self.pixel_scale_arcsec)
        refuse_two_noises(self.sigma, self.ivar)


@dataclass(frozen=True)
class ArrayOptions:
    """How one array of images is read.

    Attributes
    ----------
    bands : sequence of str or None
        Filter names; else the attribute ``bands`` of the dataset.
    band_axis : {"first", "last"} or None
        Where the band axis of an image is; the shortest of the first and the last where left out.
    pixel_scale_arcsec : float or None
        Angle per pixel side; else the attribute of that name.
    flux_unit : str or None
        Unit of a pixel's value; else the attribute ``flux_unit``, ``BUNIT``, ``unit`` or ``units``, else ``"display"`` for
        8 bits and ``"unknown"`` for others.
    zero_points_mag : mapping of band to float, or sequence of float, or None
        AB magnitude of one unit.
    mask, sigma, ivar, psf : str or None
        Arrays that go into the store with the images, as ``"set.h5:/mask"``; one of noise beside the images is taken where
        none is named, and left with ``"none"`` as `sigma`.

    Raises
    ------
    SettingsError
        If the pixel scale is not positive.
    """

    bands: Sequence[str] | None = option("Names of the bands, such as g,r,i.", parse=parse_bands)
    band_axis: Literal["first", "last"] | None = option(
        "Where an image's band axis is; the shorter one when left out."
    )
    pixel_scale_arcsec: float | None = option("Arcsec per pixel.", flag="pixel-scale")
    flux_unit: str | None = option("Unit of a pixel's value, such as nJy; display for pictures.")
    zero_points_mag: GivenZeroPoints | None = option(
        ZERO_POINTS_HELP, flag="zero-points", parse=parse_zero_points
    )
    mask: str | None = option(MASK_HELP)
    sigma: str | None = option(SIGMA_HELP)
    ivar: str | None = option(IVAR_HELP)
    psf: str | None = option(PSF_HELP)

    def __post_init__(self) -> None:
        """Check the pixel scale and what maps are named."""
        _refuse_scale(self.pixel_scale_arcsec)
        refuse_two_noises(self.sigma, self.ivar)


@dataclass(frozen=True)
class StoreOptions:
    """How a store is copied.

    Attributes
    ----------
    properties : Path or None
        A table with a column ``object_id`` (Parquet, ECSV, FITS, text), such as `galsmith measure` writes; its other
        columns go to the catalog, with their units, and NaN where a galaxy has no row.
    zero_points_mag : mapping of band to float, or sequence of float, or None
        AB magnitude of one unit, in place of the store's.
    """

    properties: str | Path | None = option(
        "Table with the column object_id, such as galsmith measure writes, to join to the catalog.", kind=Path
    )
    zero_points_mag: GivenZeroPoints | None = option(
        "AB magnitude of 1 unit, in place of the store's.", flag="zero-points", parse=parse_zero_points
    )


@dataclass(frozen=True)
class CosmosOptions:
    """How COSMOS galaxies are read.

    Attributes
    ----------
    exclude : {"none", "bad_stamp", "bad_fits", "marginal"} or None
        Which suspect galaxies of a GalSim catalog to leave out; ``"marginal"`` where it has the tables for it.
    """

    exclude: ExclusionLevel | None = option(
        "Suspect galaxies of a GalSim catalog to leave out; marginal where it has the tables."
    )


@dataclass(frozen=True)
class SkirtOptions:
    """How SKIRT images are read.

    Attributes
    ----------
    bands : tuple of str
        Which of g, r, i and z, in the order wanted.
    crop_fraction : float
        Share of the side that is cut off at each edge.
    larger_than_pix : int
        Images of this side or less, before the crop, are left out.
    redshift : float or None
        Of the snapshot, for the length of a pixel; snapshot 99 is known to be at 0.
    zero_points_mag : mapping of band to float, or sequence of float, or None
        AB magnitudes of one electron per second.

    Raises
    ------
    SettingsError
        If a value is out of range.
    """

    bands: tuple[str, ...] = option("Which of g,r,i,z to keep.", PLANES, parse=parse_bands)
    crop_fraction: float = option("Share of the side to cut off at each edge.", 0.25)
    larger_than_pix: int = option(
        "Leave out images of this side or less, in pixels, before that crop.", 64, flag="larger-than"
    )
    redshift: float | None = option("Of the snapshot, for the length of a pixel; 0 is known of snapshot 99.")
    zero_points_mag: GivenZeroPoints | None = option(
        "AB magnitude of 1 electron / s, such as g=25.1,r=24.8 or one for all.",
        flag="zero-points",
        parse=parse_zero_points,
    )

    def __post_init__(self) -> None:
        """Check every value once."""
        unknown = [band for band in self.bands if band not in PLANES]
        if unknown or not self.bands or len(set(self.bands)) < len(self.bands):
            raise SettingsError(
                f"wanted some of {','.join(PLANES)}, each once; that is what the files have",
                argument="bands",
                came=self.bands,
            )
        if not 0 <= self.crop_fraction < 0.5:
            raise SettingsError(
                argument="crop_fraction",
                came=self.crop_fraction,
                wanted="0 (no crop) to below 0.5, off each edge",
            )
        if self.larger_than_pix < 0:
            raise SettingsError(
                argument="larger_than_pix", came=self.larger_than_pix, wanted="0 pixels or more"
            )
        if self.redshift is not None and not self.redshift >= 0:
            raise SettingsError(argument="redshift", came=self.redshift, wanted="0 or more")


@dataclass(frozen=True)
class Reader:
    """One format.

    Attributes
    ----------
    name : str
        As in ``galsmith ingest NAME``.
    summary : str
        What it reads, in one sentence.
    place : str
        What is given to it, in one sentence.
    options : type
        A frozen dataclass whose fields are made by `option`.
    opens : callable or str
        ``opens(place, options, progress=...)`` gives a `Source`; a text names it as ``"module:name"`` and imports it late.
    example : str
        A working command line.
    more : str
        What else there is to know.
    suffixes : tuple of str
        Of the files, in lower case, longest first, by which a folder of them is recognized; none where it never is.
    is_one_file : bool
        Whether a place is one file of that suffix, not a folder of them.
    takes_several : bool
        Whether a place may be several files.
    takes_files : bool
        Whether `opens` also takes ``files``, a mapping of name to path: only these files of a folder.
    reads_addresses : bool
        Whether a place may be an address, such as ``https://host/cutouts``.
    leaves_out_small : bool
        Whether images smaller than a crop are left out (Holzschuh et al. 2022, sec. 3.2), not refused.
    """

    name: str
    summary: str
    place: str
    options: type[Any]
    opens: Callable[..., "Source"] | str
    example: str
    more: str = ""
    suffixes: tuple[str, ...] = ()
    is_one_file: bool = False
    takes_several: bool = False
    takes_files: bool = False
    reads_addresses: bool = False
    leaves_out_small: bool = False

    def open(
        self,
        place: Place,
        options: Any = None,
        *,
        files: Mapping[str, Path] | None = None,
        progress: ProgressCallback = ignore_progress,
    ) -> "Source":
        """Open a source; options left out have their defaults, those of another reader are refused."""
        self.refuse_addresses(place)
        only = {} if files is None or not self.takes_files else {"files": files}
        return _found(self.opens)(place, self.chosen(options), progress=progress, **only)

    def refuse_addresses(self, place: Place) -> None:
        """Raise `InputError` where a place is an address, and this reader reads file systems alone."""
        for given in () if self.reads_addresses else [place] if isinstance(place, str | Path) else place:
            refuse_remote_input(given)

    def chosen(self, options: Any = None) -> Any:
        """Give the options, or their defaults.

        Raises
        ------
        SettingsError
            If they are those of another reader.
        """
        chosen = self.options() if options is None else options
        if not isinstance(chosen, self.options):
            raise SettingsError(
                f"reading is a {type(chosen).__name__}; wanted {self.options.__name__} for the reader {self.name}"
            )
        return chosen

    def inputs(self, place: Place, options: Any = None) -> list[str | Path]:
        """Give all that is read: the places, and files that options name."""
        places = [place] if isinstance(place, str | Path) else list(place)
        named = [entry.name for entry in fields(self.options) if entry.metadata["kind"] is Path]
        found = [getattr(self.chosen(options), name) for name in named]
        return [*places, *(path for path in found if path is not None)]

    def recognizes(self, place: str | Path, *, nested: bool = False) -> bool:
        """Whether a place is of this format, by names alone, or those of folders in it; an array file need not be there."""
        if self.is_one_file:
            return array_place(place) is not None
        return has_files(place_of(place), self.suffixes, nested=nested)


READERS: dict[str, Reader] = {
    reader.name: reader
    for reader in (
        Reader(
            "folder",
            "Read a folder of PNG or JPEG pictures (8 or 16 bit, gray or RGB) into a store.",
            "Folder of PNG or JPEG files, or of folders of them; or a glob in quotes.",
            FolderOptions,
            "galsmith.data.readers.pictures:PictureSource",
            "galsmith ingest folder pictures -o galaxies --labels labels.csv --resize 64",
            suffixes=PICTURE_SUFFIXES,
            takes_files=True,
            reads_addresses=True,
        ),
        Reader(
            "fits",
            "Read a folder of FITS cutouts, 2-D or [band, y, x], into a store; header keywords go into the catalog.",
            "Folder of .fits, .fits.gz or .fits.fz cutouts, or of folders of them; or a glob in quotes.",
            FitsOptions,
            "galsmith.data.readers.fits_cutouts:FitsSource",
            "galsmith ingest fits cutouts -o galaxies --hdu 0 --crop 128",
            suffixes=FITS_SUFFIXES,
            takes_files=True,
            reads_addresses=True,
        ),
        Reader(
            "arrays",
            "Read an array of images, [galaxy, y, x], [galaxy, band, y, x] or [galaxy, y, x, band], into a store.",
            "HDF5, NPY, NPZ or FITS file; one of its arrays as set.h5:/images; or several, one a band.",
            ArrayOptions,
            "galsmith.data.readers.arrays:ArraySource",
            "galsmith ingest arrays set.h5:/images -o galaxies --bands g,r,i",
            suffixes=ARRAY_SUFFIXES,
            is_one_file=True,
            takes_several=True,
        ),
        Reader(
            "store",
            "Make a store from others: joined, some galaxies, cropped, resized, or with properties in the catalog.",
            "The store, or several of one kind to join.",
            StoreOptions,
            "galsmith.data.readers.joined_stores:open_stores",
            "galsmith ingest store galaxies -o measured --properties galaxies.parquet",
            more="Galaxies stay in their splits unless `split` asks for other shares than the default.",
            reads_addresses=True,
            takes_several=True,
        ),
        Reader(
            "cosmos",
            "Read COSMOS galaxies (HST F814W), postage stamps or a GalSim catalog with PSFs and noise, into a store.",
            "Folder or .tar of *_processed.fits.gz; or GalSim's real_galaxy_catalog*.fits or its folder.",
            CosmosOptions,
            "galsmith.data.readers.real_galaxies.source:open_cosmos",
            "galsmith ingest cosmos cosmos_galaxy_postage_stamps -o galaxies --crop 256",
            more="With `crop_pix`, images smaller than the crop are left out and counted.",
            leaves_out_small=True,
        ),
        Reader(
            "skirt",
            "Read SKIRT images of IllustrisTNG galaxies with their morphologies into a store.",
            "Folder snapnum_099 of TNG's skirt_images_sdss, or the one above.",
            SkirtOptions,
            "galsmith.data.readers.skirt.source:SkirtSource",
            "galsmith ingest skirt snapnum_099 -o galaxies --where 'flag_i=0'",
        ),
        Reader(
            "field",
            "Detect galaxies in aligned survey images, tell them from stars, and cut them out of all bands into a store.",
            "A folder of FITS files, one a band; or files; or a cube.",
            FieldOptions,
            "galsmith.data.readers.field.source:FieldSource",
            "galsmith ingest field images -o galaxies --bands g,r,i --max-mag 21.5",
            more="Cutouts are as large as each galaxy asks for; those over the edge of the field are left out and counted.",
            takes_several=True,
        ),
        Reader(
            "cosmology",
            "Read the published cosmology fields, with their labels and galaxyness scores, into a store of fields.",
            "Folder with labeled/ and labeled.csv, scored/ and scored.csv, query/; any of them.",
            CosmologyOptions,
            "galsmith.data.readers.cosmology_fields:CosmologyFields",
            "galsmith ingest cosmology cosmology_aux_data -o fields --parts scored,query",
            more="Ids, part, label and score go into the catalog; what is not known is NaN.",
        ),
        Reader(
            "hats",
            "Read images of a HATS catalog in the layout of the MultimodalUniverse, with noise and masks, into a store.",
            "Folder with hats.properties, or of a collection; what galsmith export hats writes is one.",
            HatsOptions,
            "galsmith.data.readers.hats.source:HatsSource",
            "galsmith ingest hats mmu_hsc -o galaxies --flux-unit nJy --crop 96",
            more="Columns with one value a row go into the catalog.",
        ),
    )
}
_REGISTERED: dict[str, Reader] = {}


def register_reader(reader: Reader) -> None:
    """Add a reader from outside of galsmith, for this process; an entry point of ``galsmith.readers`` adds one for all.

    Raises
    ------
    SettingsError
        If another reader has its name.
    """
    if readers().get(reader.name, reader) is not reader:
        raise SettingsError(f"name is {reader.name!r}; a reader of that name is there, wanted another name")
    _REGISTERED[reader.name] = reader


def readers() -> Mapping[str, Reader]:
    """Give all readers by name: those of galsmith, of installed packages, and those registered."""
    return {**_installed(), **READERS, **_REGISTERED}


def find_reader(name: str) -> Reader:
    """Give the reader of a name.

    Raises
    ------
    SettingsError
        If there is none; the near miss is named.
    """
    known = readers()
    if name not in known:
        raise SettingsError(
            f"kind is {name!r}; there is no such reader{near_miss(name, list(known))}; wanted one of {', '.join(known)}"
        )
    return known[name]


def readers_of_files() -> list[Reader]:
    """Give the readers that know their files by suffix; cutouts go before the pictures that somebody made of them."""
    known = [reader for reader in readers().values() if reader.suffixes]
    return sorted(
        known, key=lambda reader: (reader.suffixes != FITS_SUFFIXES, reader.suffixes == PICTURE_SUFFIXES)
    )


def readers_of_image_files() -> list[Reader]:
    """Give the readers of files that hold one image each, that of FITS first."""
    return [reader for reader in readers_of_files() if not reader.is_one_file]


def image_suffixes() -> tuple[str, ...]:
    """Suffixes of all files that hold one image each."""
    return tuple(dict.fromkeys(suffix for reader in readers_of_image_files() for suffix in reader.suffixes))


def stem_of_image(path: Path) -> str:
    """Name of an image file without the suffix of its format; all of it where it is nothing but the suffix."""
    return stem_of(path.name, image_suffixes()) or path.name


def reader_of(place: str | Path) -> Reader | None:
    """Find the reader of a folder, or of an array in a file whether or not there is one; None where no name tells it."""
    for nested in (False, True):
        found = next(
            (reader for reader in readers_of_files() if reader.recognizes(place, nested=nested)), None
        )
        if found is not None:
            return found
    return None


def is_image_place(place: str | Path) -> bool:
    """Whether a name is that of a folder, or of an array in a file, whether or not there is one."""
    return place_of(place).is_dir() or reader_of(place) is not None


def open_source(place: str | Path, *, progress: ProgressCallback = ignore_progress) -> "Source":
    """Open images by what their names say; all options have their defaults.

    Parameters
    ----------
    place : str or Path
        A folder of FITS cutouts, or of pictures where it has none, or an array such as ``set.h5:/images``.
    progress : callable
        Told how far reading the heads is.

    Raises
    ------
    InputError
        If there are no images, or they cannot be used; the message names what.
    """
    reader = reader_of(place)
    if reader is not None:
        return reader.open(place, progress=progress)
    if not is_image_place(place):
        raise InputError(f"{place}: there is no such folder or file of images")
    suffixes = [suffix for known in readers_of_files() if not known.is_one_file for suffix in known.suffixes]
    raise InputError(
        f"{place}: is no store, and holds no {' '.join(suffixes)} files; give the folder that does"
    )


@lru_cache(maxsize=1)
def _installed() -> Mapping[str, Reader]:
    """Readers of other packages; one that cannot be loaded is told of and left alone."""
    found: dict[str, Reader] = {}
    for point in metadata.entry_points(group=ENTRY_POINTS):
        try:
            found[point.name] = point.load()
        except Exception as error:  # of other people's packages
            logger.warning("the reader %s (%s) cannot be loaded: %s", point.name, point.value, error)
    return found


def _found(opens: Callable[..., "Source"] | str) -> Callable[..., "Source"]:
    """Import what a text names."""
    opened: Callable[..., Source] = record_at(opens) if isinstance(opens, str) else opens
    return opened


def _refuse_scale(pixel_scale_arcsec: float | None) -> None:
    """Refuse a pixel scale that is no angle."""
    if pixel_scale_arcsec is not None and not pixel_scale_arcsec > 0:
        raise SettingsError(
            argument="pixel_scale_arcsec", came=pixel_scale_arcsec, wanted="a positive angle in arcsec"
        )
