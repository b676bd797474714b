"""Survey images, a file a band or a cube: finding them, reading sections, and their magnitudes and places on the sky."""

import contextlib
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.wcs import WCS
from numpy.typing import NDArray

from galsmith.data.readers.fits import READ_ERRORS, FitsHead, FitsPlace, read_head, sky_coordinates
from galsmith.data.readers.fits_agreement import common_header
from galsmith.data.readers.fits_header import ZERO_POINT_KEYS
from galsmith.data.readers.listing import FITS_SUFFIXES, list_files
from galsmith.data.readers.options import FieldOptions, Hdu, zero_points_by_band
from galsmith.errors import InputError, SettingsError

Section = Callable[[slice, slice], NDArray[np.float64]]
STORED_UNIT = "nJy"
# Of 1 nJy = 1e-32 erg / s / cm^2 / Hz: -2.5 log10(1e-32) - 48.6 (Oke & Gunn 1983).
STORED_ZERO_POINT_MAG = 31.4
LARGEST_OFFSET_PIX = 1.0


@dataclass(frozen=True)
class BandImage:
    """One band of a field: a file's image, and which plane of it."""

    head: FitsHead
    plane: int = 0

    @property
    def path(self) -> Path:
        """The file."""
        return self.head.place.file

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.head.size

    @property
    def zero_point_mag(self) -> float | None:
        """AB magnitude of one unit, where the header states it."""
        stated = self.head.zero_points_mag
        return None if stated is None else stated[self.plane]

    @contextlib.contextmanager
    def opened(self) -> Iterator[Section]:
        """Give a function that reads rows and columns of the image, [y, x] float64, and no more than these."""
        with self.head.opened() as part:

            def section(rows: slice, columns: slice) -> NDArray[np.float64]:
                try:
                    return part(self.plane, rows, columns).astype(np.float64)
                except READ_ERRORS as error:
                    raise InputError(
                        f"{self.path}: is truncated or damaged in rows {rows.start} to {rows.stop - 1} ({error})"
                    ) from error

            yield section


def find_bands(
    places: Sequence[Path], bands: Sequence[str] | None, hdu: Hdu | None, plane: int | None = None
) -> dict[str, BandImage]:
    """Find the image of every band.

    Parameters
    ----------
    places : sequence of Path
        A folder with a file a band, several files, or one file: an image or a cube.
    bands : sequence of str or None
        Filter names, see `FieldOptions`.
    hdu : int or str or None
        Which unit holds the image; the first that does when None.
    plane : int or None
        Which plane of a cube is the only band.

    Raises
    ------
    InputError
        If a file is missing or cannot be read, a band is not there, or shapes differ.
    SettingsError
        If the number of bands is not that of the files or planes.
    """
    if len(places) == 1 and not places[0].is_dir():
        found = _of_one_file(places[0], bands, FitsPlace(places[0], hdu, plane))
    elif len(places) == 1:
        found = {band: _image(path, hdu) for band, path in _of_folder(places[0], bands).items()}
    else:
        found = _of_files(places, bands, hdu)
    first_band, first = next(iter(found.items()))
    for band, image in found.items():
        if image.shape != first.shape:
            raise InputError(
                f"{image.path}: band {band} has {image.shape[0]}x{image.shape[1]} px, band {first_band} in "
                f"{first.path.name} has {first.shape[0]}x{first.shape[1]}; bring the images to one grid"
            )
    return found


def _of_folder(folder: Path, bands: Sequence[str] | None) -> dict[str, Path]:
    """Find the file of every band by its name: the whole stem, or one word of it."""
    files = list_files(folder, FITS_SUFFIXES, nested=False)
    if bands is None:
        return files
    found: dict[str, Path] = {}
    for band in bands:
        stems = [stem for stem in files if stem == band]
        stems = stems or [stem for stem in files if band in re.split(r"[^A-Za-z0-9]+", stem)]
        if len(stems) != 1:
            what = f"no file is named {band}" if not stems else f"{' and '.join(stems)} are both named so"
            raise InputError(
                f"{folder}: band {band}: {what}; there are {', '.join(files)}: rename one, or give the files in the "
                "order of `bands`"
            )
        found[band] = files[stems[0]]
    return found


def _of_files(places: Sequence[Path], bands: Sequence[str] | None, hdu: Hdu | None) -> dict[str, BandImage]:
    """Take files in the order of the bands, or name them by their keyword FILTER or their stems."""
    images = [_image(path, hdu) for path in places]
    names = list(bands or [])
    for image in images if bands is None else []:
        names.append(image.head.bands[0] if image.head.bands else image.path.name.partition(".")[0])
    if len(names) != len(places) or len(set(names)) < len(names):
        raise SettingsError(
            argument="bands",
            came=names,
            wanted=f"{len(places)} different names, one for each file in their order",
        )
    return dict(zip(names, images, strict=True))


def _of_one_file(path: Path, bands: Sequence[str] | None, place: FitsPlace) -> dict[str, BandImage]:
    """Take one image, or the planes of a cube."""
    _refuse_missing(path)
    head = read_head(place)
    names = common_header([head], bands=bands).bands
    return {name: BandImage(head, plane) for plane, name in enumerate(names)}


def _refuse_missing(path: Path) -> None:
    """Refuse a file that is not there."""
    if not path.is_file():
        raise InputError(f"{path}: there is no such file; give a folder or FITS files, one a band")


def _image(path: Path, hdu: Hdu | None) -> BandImage:
    """Read the head of one file."""
    _refuse_missing(path)
    head = read_head(FitsPlace(path, hdu))
    if head.n_planes > 1:
        raise InputError(f"{path}: is a cube of {head.n_planes} planes; give it alone, or one image a band")
    return BandImage(head)


def zero_points_of_field(images: Mapping[str, BandImage], options: FieldOptions) -> dict[str, float]:
    """Zero point of every band, in its file's own unit: as given, else as its header says.

    Raises
    ------
    SettingsError
        If one is missing and fluxes are to be brought to one unit.
    """
    stated = {band: image.zero_point_mag for band, image in images.items()}
    found = {band: value for band, value in stated.items() if value is not None}
    if options.zero_points_mag is not None:
        found.update(zero_points_by_band(options.zero_points_mag, list(images)))
    missing = [band for band in images if band not in found]
    if missing and options.flux_unit is None:
        example = ",".join(f"{band}=25.0" for band in missing)
        raise SettingsError(
            f"no zero point of {', '.join(missing)}: the headers have none of {', '.join(ZERO_POINT_KEYS)}; give the AB "
            f"magnitude of one unit as `zero_points_mag={example}`, or keep the files' numbers with `flux_unit=adu`"
        )
    return found


def flux_factor(zero_point_mag: float) -> float:
    """Give what a file's numbers are multiplied by to become nJy."""
    return float(10 ** (-0.4 * (zero_point_mag - STORED_ZERO_POINT_MAG)))


def positions_on_sky(
    coordinates: WCS, x_pix: NDArray[np.float64], y_pix: NDArray[np.float64]
) -> tuple[u.Quantity, u.Quantity]:
    """Right ascension and declination of pixels, in degrees."""
    place = coordinates.pixel_to_world(x_pix, y_pix)
    sky = getattr(place, "icrs", place)
    return sky.ra.to(u.deg), sky.dec.to(u.deg)


def refuse_misaligned(images: Mapping[str, BandImage], reference: str) -> None:
    """Refuse bands whose middles lie on other places of the sky than that of the reference band.

    Raises
    ------
    InputError
        If one is off by more than a pixel.
    """
    coordinates = sky_coordinates(images[reference].head)
    if coordinates is None:
        return
    height, width = images[reference].shape
    middle = (width - 1) / 2, (height - 1) / 2
    for band, image in images.items():
        others = sky_coordinates(image.head)
        if others is None or band == reference:
            continue
        x, y = coordinates.world_to_pixel(others.pixel_to_world(*middle))
        offset = math.hypot(float(x) - middle[0], float(y) - middle[1])
        if not offset <= LARGEST_OFFSET_PIX:
            raise InputError(
                f"{image.path}: the middle of band {band} is {offset:.1f} px from that of band {reference}; bring the "
                "images to one grid"
            )
