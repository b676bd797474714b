"""From what a user names to galaxies that can be measured; all that can be checked is checked here."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from astropy.table import QTable, hstack
from numpy.typing import NDArray
from scipy import ndimage

from galsmith.data.galaxies.galaxy import Galaxies, GalaxyOrigin
from galsmith.data.galaxies.images import FitsGalaxies, SourceGalaxies
from galsmith.data.galaxies.listing import ListedImages, list_images
from galsmith.data.galaxies.positions import parse_columns, read_positions
from galsmith.data.galaxies.targets import Target, targets_of_labels, targets_of_positions
from galsmith.data.readers.field.sky import measure_sky
from galsmith.data.readers.file_maps import (
    NO_MAPS,
    FileMaps,
    maps_of_array,
)
from galsmith.data.readers.fits import FitsHead, FitsPlace, read_head, read_part
from galsmith.data.readers.fits_agreement import common_header
from galsmith.data.readers.given_maps import (
    MAPS,
    NOTHING,
    GivenMaps,
    companions_of_files,
    companions_of_source,
    folder_of,
    listing_of,
    names_of_maps,
    parents_of_maps,
)
from galsmith.data.readers.listing import ArrayPlace, array_place, file_as_parent, has_glob
from galsmith.data.readers.maps import (
    Companions,
)
from galsmith.data.readers.options import GivenZeroPoints, Hdu, refuse_two_noises, with_zero_points
from galsmith.data.readers.registry import Reader, reader_of
from galsmith.data.readers.source import Source
from galsmith.errors import InputError, SettingsError
from galsmith.execution import ProgressCallback, ProgressEvent, ignore_progress
from galsmith.files import place_of
from galsmith.images import ImageHeader
from galsmith.provenance import Parent

DEFAULT_CUTOUT_PIX = 128
# What is counted as a source where nobody says which are galaxies.
COUNTED_ABOVE_SIGMA, COUNTED_FROM_PIX, MOST_PIXELS_COUNTED = 5.0, 10, 2**26
HEADS_PER_EVENT = 64
logger = logging.getLogger(__name__)
READING_OPTIONS = (
    *MAPS,
    "catalog",
    "hdu",
    "plane",
    "band_axis",
    "flux_unit",
    "zero_points_mag",
    "bands",
)


@dataclass(frozen=True)
class FileRequest:
    """What a user names on the command line.

    Attributes
    ----------
    images : tuple of str
        Files, folders or globs.
    hdu : int, str, (str, int) or None
        The HDU of the images; None takes the first that holds an image.
    plane : int or None
        The only plane of a cube to take, from 0.
    bands : tuple of str or None
        Names of the planes.
    band_axis : {"first", "last"} or None
        Where the band axis lies in an array of images.
    flux_unit : str or None
        Unit of a pixel's value, before that of the headers.
    zero_points_mag : mapping of band to float, or sequence of float, or None
        AB magnitudes of one flux unit, before those of the headers.
    segmap, mask, sigma, ivar, psf : str or None
        As `galsmith.data.galaxies.listing` reads them. Where no mask or noise is named, those of surveys' own layouts
        (`galsmith.data.readers.surveys`) are taken from the files; ``"none"`` as `mask` or `sigma` leaves them.
    mask_bits : tuple of str or None
        Names or values of the bits of `mask` that count, or ``("all",)``; None takes those of damage where their names are
        known, else all that is not 0.
    labels : tuple of int or None
        Which labels of the segmentation map.
    catalog : Path or None
        Positions in one big image.
    columns : str or None
        Which columns of the catalog are what, as ``x=XPOS,y=YPOS``.
    cutout_pix : int or None
        Side of the cutouts around positions.
    """

    images: tuple[str, ...]
    hdu: Hdu | None = None
    plane: int | None = None
    bands: tuple[str, ...] | None = None
    band_axis: Literal["first", "last"] | None = None
    flux_unit: str | None = None
    zero_points_mag: GivenZeroPoints | None = None
    segmap: str | None = None
    mask: str | None = None
    sigma: str | None = None
    ivar: str | None = None
    psf: str | None = None
    mask_bits: tuple[str, ...] | None = None
    labels: tuple[int, ...] | None = None
    catalog: Path | None = None
    columns: str | None = None
    cutout_pix: int | None = None

    def __post_init__(self) -> None:
        """Refuse what has no meaning together."""
        if self.cutout_pix is not None and self.cutout_pix < 1:
            raise SettingsError(argument="cutout_pix", came=self.cutout_pix, wanted="1 pixel or more")
        for name, needed, is_there in (
            ("columns", "catalog", self.catalog is not None),
            ("cutout_pix", "catalog", self.catalog is not None),
            ("labels", "segmap", self.segmap is not None),
            ("mask_bits", "mask", self.mask != NOTHING),
        ):
            value = getattr(self, name)
            if value is not None and not is_there:
                raise SettingsError(
                    f"means something only with `{needed}`; give one", argument=name, came=value
                )
        refuse_two_noises(self.sigma, self.ivar)
        if self.labels is not None and min(self.labels) < 1:
            raise SettingsError(argument="labels", came=min(self.labels), wanted="1 or more, 0 is the sky")

    @property
    def inputs(self) -> tuple[str, ...]:
        """All that is read, as the user wrote it."""
        beside = (self.segmap, self.mask, self.sigma, self.ivar, self.psf, self.catalog)
        return (*self.images, *(str(given) for given in beside if given not in (None, NOTHING)))


def open_galaxies(request: FileRequest, *, progress: ProgressCallback = ignore_progress) -> Galaxies:
    """Find the files, check their headers and give the galaxies in them, without reading pixels yet.

    Raises
    ------
    InputError
        If a file is missing, truncated, holds no image, or does not fit to the others; the message names it.
    SettingsError
        If options do not go together.
    """
    one_file = [
        reader for reader in map(reader_of, request.images) if reader is not None and reader.is_one_file
    ]
    if one_file:
        return _of_reader(request, one_file[0], progress=progress)
    listed = list_images(request.images)
    if listed.reader.name != "fits":
        return _of_reader(request, listed.reader, listed, progress=progress)
    _refuse_options(request, ("band_axis",), "is for arrays of images in HDF5, NPY or NPZ files")
    hdu = listed.hdu if request.hdu is None else request.hdu
    heads = _read_heads([FitsPlace(path, hdu, request.plane) for path in listed.paths], progress)
    header = with_zero_points(
        common_header(heads, bands=request.bands, flux_unit=request.flux_unit), request.zero_points_mag
    )
    companions, taken = companions_of_files(GivenMaps.of(request), heads)
    origin = GalaxyOrigin(
        folder_of(listed.paths),
        _parents(heads, companions),
        {"bands": list(header.bands), **taken},
        inputs=request.inputs,
        beside=names_of_maps(companions),
        has_named_bands=request.bands is not None or heads[0].bands is not None,
    )
    if request.catalog is not None:
        return _at_positions(request, heads, companions, header=header, origin=origin)
    if request.segmap is not None and _is_one_file(request):
        return _of_labels(request, heads[0], companions[0], header=header, origin=origin)
    if request.labels is not None and len(request.labels) > 1:
        raise SettingsError(
            f"several labels for {len(heads)} images; wanted one", argument="labels", came=request.labels
        )
    label = None if request.labels is None else request.labels[0]
    places = [str(head.place) for head in heads]
    galaxies = FitsGalaxies(
        heads,
        companions,
        header=header,
        catalog=QTable({"object_id": np.array(listed.stems, dtype=str), "file": np.array(places, dtype=str)}),
        label=label,
        origin=_made(origin, heads, kind="cutouts", label=label),
    )
    first = galaxies.read([0])[0]
    if first.reason:  # what is wrong with all is said before the run
        raise InputError(first.message)
    if _is_one_file(request) and request.segmap is None:
        _tell_sources(heads[0], first.mask)
    return galaxies


def _tell_sources(head: FitsHead, mask: NDArray[np.bool_] | None) -> None:
    """Say how many sources an image has of which one is measured."""
    if head.size[0] * head.size[1] > MOST_PIXELS_COUNTED:
        logger.warning(
            "%s: a large image, of which one galaxy is measured; give `segmap` or `catalog`", head.place
        )
        return
    pixels = read_part(head)[0].astype(np.float64)
    if mask is not None:
        pixels = np.where(mask if mask.ndim == 2 else mask[0], np.nan, pixels)
    sky = measure_sky(lambda y, x: pixels[y, x], head.size, box_pix=max(head.size), tell=lambda *_: None)
    everything = slice(0, head.size[0]), slice(0, head.size[1])
    with np.errstate(invalid="ignore"):
        bright = pixels > sky.level(*everything) + COUNTED_ABOVE_SIGMA * sky.sigma(*everything)
    labels, _ = ndimage.label(bright, structure=np.ones((3, 3)))
    count = int((np.bincount(labels.ravel())[1:] >= COUNTED_FROM_PIX).sum()) if sky.has_data else 0
    if count > 1:
        logger.warning(
            "%s: %d sources stand out of the sky, of which one is measured; give `segmap` or `catalog` for all of them",
            head.place.path,
            count,
        )


def _made(origin: GalaxyOrigin, heads: Sequence[FitsHead], **settings: Any) -> GalaxyOrigin:
    """Say what made galaxies of the images."""
    made_by = {**origin.settings, **settings, "hdu": [heads[0].place.hdu]}
    return replace(origin, settings=made_by)


def _is_one_file(request: FileRequest) -> bool:
    """Whether the user named one file, not a folder or a glob that holds one."""
    name = request.images[0]
    return len(request.images) == 1 and not has_glob(name) and not place_of(name).is_dir()


def _of_labels(
    request: FileRequest,
    head: FitsHead,
    companions: Companions,
    *,
    header: ImageHeader,
    origin: GalaxyOrigin,
) -> FitsGalaxies:
    """Galaxies of one image by the labels of its map."""
    if companions.label_map is None:
        raise InputError(f"{head.place}: has no segmentation map")
    labels, targets = targets_of_labels(companions.label_map, wanted=request.labels)
    catalog = QTable({"object_id": np.array([str(label) for label in labels], dtype=str)})
    catalog["label"] = labels
    wanted = None if request.labels is None else list(request.labels)
    made = _made(origin, [head], kind="labels", labels=wanted)
    return FitsGalaxies([head], [companions], header=header, targets=targets, catalog=catalog, origin=made)


def _at_positions(
    request: FileRequest,
    heads: Sequence[FitsHead],
    companions: Sequence[Companions],
    *,
    header: ImageHeader,
    origin: GalaxyOrigin,
) -> FitsGalaxies:
    """Galaxies of one image by a catalog."""
    if request.catalog is None or len(heads) != 1:
        raise SettingsError(
            f"{len(heads)} images; wanted one big image, measure others apart",
            argument="catalog",
            came=request.catalog,
        )
    if request.labels is not None:
        raise SettingsError("`labels`: give either labels or a catalog of positions")
    head, maps = heads[0], companions[0]
    chosen_columns = {} if request.columns is None else parse_columns(request.columns)
    positions = read_positions(request.catalog, head, chosen=chosen_columns)
    cutout_pix = DEFAULT_CUTOUT_PIX if request.cutout_pix is None else request.cutout_pix
    if request.cutout_pix is not None and positions.sizes_pix is not None:
        positions = replace(positions, sizes_pix=None, columns=replace(positions.columns, size=None))
    targets = targets_of_positions(head, positions, cutout_pix=cutout_pix, label_map=maps.label_map)
    _check_some_on_image(request.catalog, head, targets)
    _check_psf_fits(maps, targets)
    made = replace(
        _made(origin, heads, kind="positions", columns=positions.columns.to_dict(), cutout_pix=cutout_pix),
        parents=(*origin.parents, file_as_parent(request.catalog, "catalog of positions")),
        is_central=maps.label_map is None,
    )
    catalog = QTable({"object_id": positions.names})
    catalog["label"] = np.array([target.label for target in targets], dtype=np.int64)
    catalog["position_x_pix"], catalog["position_y_pix"] = positions.x_pix, positions.y_pix
    catalog = hstack([catalog, positions.given], join_type="exact")
    return FitsGalaxies(heads, [maps], header=header, targets=targets, catalog=catalog, origin=made)


def _check_some_on_image(catalog: Path, head: FitsHead, targets: Sequence[Target]) -> None:
    """Refuse a catalog of another image."""
    if all(target.reason for target in targets):
        raise InputError(
            f"{catalog}: none of its {len(targets)} positions can be measured on {head.place}; the first: "
            f"{targets[0].message}"
        )


def _check_psf_fits(companions: Companions, targets: Sequence[Target]) -> None:
    """Refuse a PSF that is larger than a cutout around a position."""
    if companions.psf is None or companions.label_map is not None:
        return
    smallest = min(target.window.shape[0] for target in targets if not target.reason)
    if max(companions.psf.size) > smallest:
        raise InputError(
            f"{companions.psf.size[1]} x {companions.psf.size[0]} pixels are more than a "
            f"cutout of {smallest} has; cut the PSF to its core, or take a larger `cutout_pix`",
            argument="psf",
            came=str(companions.psf.place),
        )


def _read_heads(places: Sequence[FitsPlace], progress: ProgressCallback) -> list[FitsHead]:
    """Read the header of every image."""
    heads = []
    for number, place in enumerate(places, start=1):
        heads.append(read_head(place))
        if number % HEADS_PER_EVENT == 0 or number == len(places):
            progress(ProgressEvent("reading headers", number, len(places), "files"))
    return heads


def _parents(heads: Sequence[FitsHead], companions: Sequence[Companions]) -> tuple[Parent, ...]:
    """Name all files by their names, sizes and times."""
    return (listing_of("images", [head.place for head in heads]), *parents_of_maps(companions))


def _of_reader(
    request: FileRequest,
    reader: Reader,
    listed: ListedImages | None = None,
    *,
    progress: ProgressCallback,
) -> SourceGalaxies:
    """Galaxies of any other reader: all of one place, or some files of a folder where it can take some."""
    place: str | Path = request.images[0]
    if len(request.images) > 1 and not (listed and reader.takes_files):
        raise InputError(
            f"{place}: one of {len(request.images)} inputs; measure each of {' '.join(reader.suffixes)} by itself"
        )
    if listed and reader.takes_files:
        place = listed.paths[0].parent
    known = {entry.name for entry in fields(reader.options)}
    _refuse_options(
        request,
        [name for name in READING_OPTIONS if name not in (*known, *MAPS)],
        f"has no meaning for {' '.join(reader.suffixes)} files",
    )
    # maps are read from here, segmentation maps with them
    given = {name: getattr(request, name) for name in READING_OPTIONS if name in known and name not in MAPS}
    given |= {"sigma": NOTHING} if "sigma" in known else {}
    options = reader.options(**{name: value for name, value in given.items() if value is not None})
    files = None if listed is None else dict(zip(listed.stems, listed.paths, strict=True))
    source = reader.open(place, options, files=files, progress=progress)
    path = str(place) if listed is None else folder_of(listed.paths)
    galaxies = SourceGalaxies(source, path=path, inputs=request.inputs)
    maps = _maps_of_array(request, source) if reader.name == "arrays" else NO_MAPS
    if not maps.places and all(getattr(request, name) in (None, NOTHING) for name in MAPS):
        return galaxies
    companions = companions_of_source(
        GivenMaps.of(request),
        source.listing,
        n_bands=len(source.header.bands),
        maps=maps,
        one_file_holds_all=reader.is_one_file,
    )
    return galaxies.with_maps(
        companions,
        label=None if request.labels is None else request.labels[0],
        parents=parents_of_maps(companions),
        beside=names_of_maps(companions),
        taken={"maps": dict(maps.described)} if maps.described else {},
    )


def _maps_of_array(request: FileRequest, source: Source) -> FileMaps:
    """Find the noise beside an array of images, where nobody named any."""
    dataset, place = source.origin.settings["dataset"], array_place(request.images[0])
    if request.sigma is not None or request.ivar is not None or place is None or not isinstance(dataset, str):
        return NO_MAPS
    axis = source.origin.settings["band_axis"]
    return maps_of_array(ArrayPlace(place.path, dataset), len(source.listing.names), band_axis=axis)


def _refuse_options(request: FileRequest, names: Sequence[str], reason: str) -> None:
    """Refuse options that mean nothing for the images."""
    for name in names:
        value = getattr(request, name)
        if value is not None:
            raise SettingsError(f"{reason}; leave it out", argument=name, came=value)
