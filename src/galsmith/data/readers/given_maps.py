"""Maps that a user names beside images: a file, a folder, a glob, an HDU, an array; and those of surveys' own layouts."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from galsmith.data.readers.array_files import arrays_in
from galsmith.data.readers.file_maps import NO_MAPS, FileMaps, maps_of_files, refuse_times, tell
from galsmith.data.readers.fits import FitsHead, FitsPlace, split_hdu
from galsmith.data.readers.listing import (
    ARRAY_SUFFIXES,
    FITS_SUFFIXES,
    ArrayPlace,
    array_place,
    has_glob,
    list_files,
    listing_as_parent,
    matches_of,
)
from galsmith.data.readers.maps import (
    Companions,
    MapHead,
    MapOwner,
    MapPlace,
    MaskMap,
    NoiseMap,
    companion_head,
    psf_head,
    stored_maps,
)
from galsmith.data.readers.options import Hdu
from galsmith.data.readers.registry import stem_of_image
from galsmith.data.readers.source import Listing
from galsmith.data.readers.surveys import counted_bits
from galsmith.data.store import Companions as StoredCompanions
from galsmith.errors import InputError, SettingsError, argument_text
from galsmith.files import refuse_remote_input
from galsmith.provenance import Parent, hash_json

MAP_SUFFIXES = (*FITS_SUFFIXES, *ARRAY_SUFFIXES)
NAMED_AT_MOST = 3
MAPS = ("segmap", "mask", "sigma", "ivar", "psf")
ROLES = ("label_map", "mask", "noise", "psf")
BYTES_A_PIXEL = {"mask": 1, "noise": 4}  # as a store has them
NOTHING = "none"  # in place of a map that is not to be taken


@dataclass(frozen=True)
class GivenMaps:
    """What a user named beside images; None where nothing is.

    Attributes
    ----------
    segmap, mask, sigma, ivar, psf : str or None
        As `NamedMap` has them; ``"none"`` as `mask` or `sigma` leaves those of surveys' own layouts.
    mask_bits : sequence of str or None
        Names or values of the bits of `mask` that count, or ``("all",)``.
    """

    segmap: str | None = None
    mask: str | None = None
    sigma: str | None = None
    ivar: str | None = None
    psf: str | None = None
    mask_bits: Sequence[str] | None = None

    def __post_init__(self) -> None:
        """Refuse addresses: maps are read from file systems alone."""
        for name in MAPS:
            if getattr(self, name) is not None:
                refuse_remote_input(getattr(self, name))

    @classmethod
    def of(cls, record: Any) -> "GivenMaps":
        """Take those that a record of options has."""
        return cls(**{entry.name: getattr(record, entry.name, None) for entry in fields(cls)})


@dataclass(frozen=True)
class NamedMap:
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


def companions_of_files(
    request: GivenMaps, heads: Sequence[FitsHead]
) -> tuple[list[Companions], dict[str, Any]]:
    """Give heads of what belongs to every image of FITS files, checked against it, and what to say of it.

    Parameters
    ----------
    request : GivenMaps
        What a user named; of what is left out, that of the layouts of surveys is taken.
    heads : sequence of FitsHead
        Of the images.

    Raises
    ------
    InputError
        If a map is missing or does not fit its image.
    SettingsError
        If bits are named that its mask has not.
    """
    owners = [MapOwner(head.place.file.name, head.size, head.n_planes) for head in heads]
    maps = maps_of_files(
        heads,
        wants_mask=request.mask is None,
        wants_noise=request.sigma is None and request.ivar is None,
    )
    places = {**places_of(request, [head.place.file for head in heads]), **maps.places}
    found: list[Companions] = []
    bits: tuple[str, ...] = ()
    for row, (head, owner) in enumerate(zip(heads, owners, strict=True)):
        one, bits = companions_of_image(request, owner, row, places, maps)
        if request.ivar is not None and one.noise is not None:
            refuse_times(places["ivar"][row], head, one.noise.head, option="ivar")
        found.append(one)
    tell(maps, bits)
    taken = {**maps.described, **({"mask_bits": list(bits)} if bits else {})}
    return found, {"maps": taken} if taken else {}


def places_of(
    request: GivenMaps, paths: Sequence[Path], *, one_file_holds_all: bool = False
) -> dict[str, tuple[MapPlace, ...]]:
    """Find what the user named, one an image."""
    given = {option: getattr(request, option) for option in MAPS}
    return {
        option: pair_with(
            NamedMap(option, text, one_for_all=option == "psf"), paths, one_file_holds_all=one_file_holds_all
        )
        for option, text in given.items()
        if text not in (None, NOTHING)
    }


def companions_of_image(
    request: GivenMaps,
    owner: MapOwner,
    row: int,
    places: Mapping[str, tuple[MapPlace, ...]],
    maps: FileMaps = NO_MAPS,
) -> tuple[Companions, tuple[str, ...]]:
    """Heads of what belongs to one image, and the names of the bits of its mask that count."""

    def map_head(option: str, planes: int = 1) -> MapHead | None:
        if option not in places:
            return None
        return companion_head(places[option][row], owner, option=option, planes=planes)

    mask, bits = map_head("mask", owner.n_planes), None
    names: tuple[str, ...] = ()
    if mask is not None:
        survey = maps.survey if "mask" in maps.places else None
        header = mask.keywords if isinstance(mask, FitsHead) else {}
        bits, names = counted_bits(header, survey, request.mask_bits, name=str(places["mask"][row]))
    elif request.mask_bits is not None:
        raise SettingsError(
            f"{owner.name} has no mask; give one with `mask`", argument="mask_bits", came=request.mask_bits
        )
    option = "ivar" if "ivar" in places else "sigma"
    noise = map_head(option, owner.n_planes)
    kind = "ivar" if option == "ivar" else maps.kind if "sigma" in maps.places else "sigma"
    companions = Companions(
        label_map=map_head("segmap"),
        mask=None if mask is None else MaskMap(mask, bits),
        noise=None if noise is None else NoiseMap(noise, kind),
        psf=psf_head(places["psf"][row], owner) if "psf" in places else None,
    )
    return companions, names


def names_of_maps(companions: Sequence[Companions]) -> tuple[str, ...]:
    """Name what is given beside the images."""
    return tuple(role for role in ROLES if any(getattr(maps, role) is not None for maps in companions))


def parents_of_maps(companions: Sequence[Companions]) -> list[Parent]:
    """Name the files of maps."""
    parents = []
    for role in ROLES:
        found = [getattr(maps, role) for maps in companions]
        heads = [one.head if isinstance(one, MaskMap | NoiseMap) else one for one in found]
        places = [head.place for head in heads if head is not None]
        if places:
            parents.append(listing_of(role, places))
    return parents


def listing_of(role: str, places: Sequence[FitsPlace | ArrayPlace]) -> Parent:
    """Name some files as one parent, with the HDUs or arrays that are read."""
    files = [place.file if isinstance(place, FitsPlace) else place.path for place in places]
    listing = listing_as_parent(files[0].parent, files)
    parts = [place.hdu if isinstance(place, FitsPlace) else place.dataset for place in places]
    units = hash_json([listing.content_hash, parts])
    return Parent(f"{role} (names, sizes, times)", units, folder_of(files))


def folder_of(paths: Sequence[Path]) -> str:
    """Where files lie, in words: the file, or the folder they share."""
    if len(paths) == 1:
        return str(paths[0])
    folders = {str(path.parent) for path in paths}
    return next(iter(folders)) if len(folders) == 1 else f"{len(paths)} files in {len(folders)} folders"


def companions_of_source(
    given: GivenMaps,
    listing: Listing,
    *,
    n_bands: int,
    maps: FileMaps = NO_MAPS,
    one_file_holds_all: bool = False,
) -> list[Companions]:
    """Give heads of what belongs to every image of a source, checked against it.

    Parameters
    ----------
    given : GivenMaps
        What a user named.
    listing : Listing
        Names and shapes of the images.
    n_bands : int
        Of each image.
    maps : FileMaps
        What was found and nobody named.
    one_file_holds_all : bool
        Whether the images lie in one file, so that none has a name of its own.
    """
    owners = [
        MapOwner(Path(name).name, (int(height), int(width)), n_bands)
        for name, (height, width) in zip(listing.names, listing.shapes, strict=True)
    ]
    paths = [Path(name) for name in listing.names]
    places = {**places_of(given, paths, one_file_holds_all=one_file_holds_all), **maps.places}
    return [companions_of_image(given, owner, row, places, maps)[0] for row, owner in enumerate(owners)]


@dataclass(frozen=True)
class MapsBeside:
    """Maps of the images of a source, which go into a store with them.

    Attributes
    ----------
    companions : mapping of row to Companions
        Heads of the maps of each image that has a readable head.
    settings : mapping
        Which were named or taken, as plain JSON values; empty where there is none.
    """

    companions: Mapping[int, Companions]
    settings: Mapping[str, Any]

    @classmethod
    def of(
        cls, given: GivenMaps, companions: Mapping[int, Companions], taken: Mapping[str, Any]
    ) -> "MapsBeside":
        """Say of heads of maps what is to be recorded."""
        if not names_of_maps(list(companions.values())):
            return cls({}, {})
        named = {name: value for name, value in asdict(given).items() if value is not None}
        return cls(companions, {"maps": {**taken.get("maps", {}), **named}})

    @property
    def parents(self) -> list[Parent]:
        """Name the files of the maps."""
        return parents_of_maps(list(self.companions.values()))

    def bytes_a_pixel(self, n_bands: int) -> int:
        """How many bytes lie beside each pixel."""
        names = names_of_maps(list(self.companions.values()))
        return n_bands * sum(BYTES_A_PIXEL.get(name, 0) for name in names)

    def read(self, row: int, shape: tuple[int, ...]) -> StoredCompanions | None:
        """Read the maps of one image of a shape [band, y, x]; None where there are none.

        Raises
        ------
        InputError
            If one is damaged, or cannot be what it was given as.
        """
        return stored_maps(self.companions[row], shape) if row in self.companions else None


def pair_with(
    companion: NamedMap, paths: Sequence[Path], *, one_file_holds_all: bool = False
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
    companion: NamedMap, files: Mapping[str, Path], paths: Sequence[Path], hdu: Hdu | None
) -> tuple[MapPlace, ...]:
    """Find the file of each image by its name."""
    stems = [stem_of_image(path) for path in paths]
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
