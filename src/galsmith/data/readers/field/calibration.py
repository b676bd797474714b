"""What magnitudes and places on the sky the pixels of a field have."""

import math
import warnings
from collections.abc import Mapping
from typing import Any

import astropy.units as u
import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from numpy.typing import NDArray

from galsmith.data.readers.field.images import BandImage
from galsmith.data.readers.field.options import FieldOptions
from galsmith.data.readers.fits_headers import pixel_scale_of
from galsmith.data.readers.zero_points import zero_points_by_band
from galsmith.errors import InputError, SettingsError

ZERO_POINT_KEYS = ("MAGZP", "MAGZERO", "MAGZPT", "PHOTZP", "ZEROPNT", "ZPT", "ZP")
STORED_UNIT = "nJy"
# Of 1 nJy = 1e-32 erg / s / cm^2 / Hz: -2.5 log10(1e-32) - 48.6 (Oke & Gunn 1983).
STORED_ZERO_POINT_MAG = 31.4
LARGEST_OFFSET_PIX = 1.0
SCALE_TOLERANCE = 1e-2


def zero_points_of_field(images: Mapping[str, BandImage], options: FieldOptions) -> dict[str, float]:
    """Zero point of every band, in its file's own unit: as given, else as its header says.

    Raises
    ------
    SettingsError
        If one is missing and fluxes are to be brought to one unit.
    """
    stated = {band: _stated(image.header) for band, image in images.items()}
    found = {band: value for band, value in stated.items() if value is not None}
    if options.zero_points_mag is not None:
        found.update(zero_points_by_band(options.zero_points_mag, list(images)))
    missing = [band for band in images if band not in found]
    if missing and options.flux_unit is None:
        example = ",".join(f"{band}=25.0" for band in missing)
        raise SettingsError(
            f"no zero point of {', '.join(missing)}: the headers have none of {', '.join(ZERO_POINT_KEYS)}; give the AB "
            f"magnitude of one unit as --zero-points {example}, or keep the files' numbers with --flux-unit adu"
        )
    return found


def flux_factor(zero_point_mag: float) -> float:
    """Give what a file's numbers are multiplied by to become nJy."""
    return float(10 ** (-0.4 * (zero_point_mag - STORED_ZERO_POINT_MAG)))


def pixel_scale_of_field(image: BandImage, given_arcsec: float | None) -> float | None:
    """Pixel scale in arcsec: as given, else from the header; refuse one that contradicts the header."""
    stated = pixel_scale_of(image.header)
    if given_arcsec is None or stated is None:
        return stated if given_arcsec is None else given_arcsec
    if not math.isclose(given_arcsec, stated, rel_tol=SCALE_TOLERANCE):
        raise SettingsError(
            f"--pixel-scale {given_arcsec:g}: the header of {image.path} says {stated:.6g} arcsec; leave the option out, "
            "or mend the header"
        )
    return given_arcsec


def sky_coordinates(image: BandImage) -> WCS | None:
    """World coordinates of an image; None where its header has none of the sky."""
    names = _single_valued(image.header)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            coordinates = WCS(fits.Header(names)).celestial
        except (ValueError, TypeError, AttributeError):
            return None
    return coordinates if coordinates.has_celestial else None


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
    coordinates = sky_coordinates(images[reference])
    if coordinates is None:
        return
    height, width = images[reference].shape
    middle = (width - 1) / 2, (height - 1) / 2
    for band, image in images.items():
        others = sky_coordinates(image)
        if others is None or band == reference:
            continue
        x, y = coordinates.world_to_pixel(others.pixel_to_world(*middle))
        offset = math.hypot(float(x) - middle[0], float(y) - middle[1])
        if not offset <= LARGEST_OFFSET_PIX:
            raise InputError(
                f"{image.path}: the middle of band {band} is {offset:.1f} px from that of band {reference}; bring the "
                "images to one grid"
            )


def _single_valued(header: Mapping[str, Any]) -> dict[str, Any]:
    """Keywords with one value, which is what coordinates are made of."""
    return {
        key: value
        for key, value in header.items()
        if key and key not in ("COMMENT", "HISTORY") and isinstance(value, str | int | float | bool)
    }


def _stated(header: Mapping[str, Any]) -> float | None:
    """Zero point that a header states."""
    for key in ZERO_POINT_KEYS:
        value = header.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            return float(value)
    return None
