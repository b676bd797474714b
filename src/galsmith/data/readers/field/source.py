"""Galaxies in survey images as a source: detected in one band, cut out of all bands in squares that fit them."""

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from galsmith.data.readers.field.detection import Detections, detect
from galsmith.data.readers.field.images import (
    STORED_UNIT,
    STORED_ZERO_POINT_MAG,
    BandImage,
    Section,
    find_bands,
    flux_factor,
    positions_on_sky,
    refuse_misaligned,
    zero_points_of_field,
)
from galsmith.data.readers.field.sky import SkyMap, measure_sky
from galsmith.data.readers.field.stars import Stars, find_shreds, find_stars
from galsmith.data.readers.fits import sky_coordinates
from galsmith.data.readers.fits_agreement import scale_or_given
from galsmith.data.readers.fits_header import GAIN_COLUMN, gain_of
from galsmith.data.readers.given_maps import GivenMaps, MapsBeside, companions_of_files
from galsmith.data.readers.listing import listing_as_parent
from galsmith.data.readers.maps import inverse_variance
from galsmith.data.readers.options import FieldOptions
from galsmith.data.readers.source import Listing, Origin, UnusableImage
from galsmith.data.store import Companions
from galsmith.errors import InputError, SettingsError
from galsmith.execution import ProgressCallback, ProgressEvent, ignore_progress
from galsmith.images import ImageHeader
from galsmith.images.units import gain_of_unit

Pixels = NDArray[np.float32]
# Sides are multiples of this, so that a store has few sizes.
STEP_PIX = 8
CUT, LARGE = "cut off by the edge of the field", "larger than the largest cutout"
logger = logging.getLogger(__name__)


class FieldSource:
    """The galaxies of one field, from the bottom row up.

    Parameters
    ----------
    places : sequence of Path
        A folder with a FITS file a band, several files, or one file that holds an image or a cube.
    options : FieldOptions
        How galaxies are found and cut out.
    progress : callable
        Told how far measuring the sky and detecting are.

    Raises
    ------
    InputError
        If files are missing or not aligned, a band has no data, or nothing is detected.
    SettingsError
        If an option does not fit the files, or a zero point is missing.
    """

    def __init__(
        self,
        places: str | Path | Sequence[str | Path],
        options: FieldOptions = FieldOptions(),
        *,
        progress: ProgressCallback = ignore_progress,
    ) -> None:
        self._options = options
        listed = [places] if isinstance(places, str | Path) else places
        self._images = find_bands(
            [Path(place) for place in listed], options.bands, options.hdu, options.plane
        )
        bands = tuple(self._images)
        self._detect_in = _band_to_detect_in(bands, options.detect_in)
        refuse_misaligned(self._images, self._detect_in)
        own_zero_points = zero_points_of_field(self._images, options)
        image = self._images[self._detect_in]
        self.header = _header(
            own_zero_points, bands, options, scale_or_given(image.head, options.pixel_scale_arcsec)
        )
        self._factors = self._factors_of(own_zero_points)
        self._skies = {band: self._sky(band, progress) for band in bands}
        self._sources = self._detected(image, progress)
        stars = self._stars()
        self._sides = _sides(self._sources, options)
        self._maps = _maps_of(self._images)
        self.listing = Listing(
            self._names(),
            np.repeat(self._sides[:, np.newaxis], 2, axis=1),
            left_out={**self._not_whole(image.shape), **find_shreds(self._sources), **stars.reasons},
            bytes_beside=self._maps.bytes_a_pixel(len(bands)),
        )
        notes = {
            "detected_in": self._detect_in,
            "star_r_half_pix": stars.r_half_pix,
            "n_detected": len(self._sources),
        }
        paths = dict.fromkeys(image.path for image in self._images.values())
        self.origin = Origin(
            {
                **_plain_settings(options, bands, self._detect_in, own_zero_points),
                **self._maps.settings,
            },
            (*(listing_as_parent(path.parent, [path]) for path in paths), *self._maps.parents),
            notes,
        )
        self.catalog = self._catalog(image)

    def read(self, rows: NDArray[np.int64]) -> Sequence[Pixels | UnusableImage]:
        """Cut sources out, each [band, y, x] float32 in the header's unit per pixel; every file is opened once."""
        cutouts = [
            np.empty((len(self.header.bands), *self.listing.shapes[row]), dtype=np.float32) for row in rows
        ]
        for position, (band, image) in enumerate(self._images.items()):
            with image.opened() as section:
                for cutout, row in zip(cutouts, rows, strict=True):
                    cutout[position] = self._cut(section, band, int(row))
        return cutouts

    def companions(self, rows: NDArray[np.int64]) -> Companions | None:
        """Cut maps out where sources were; None where the files have none in the layout of a survey."""
        if not self._maps.companions:
            return None
        cut = [self._maps_of_source(int(row)) for row in rows]
        return Companions(
            ivars=[ivar for ivar, _ in cut if ivar is not None],
            masks=[mask for _, mask in cut if mask is not None],
        )

    def _maps_of_source(self, row: int) -> tuple[NDArray[np.float32] | None, NDArray[np.bool_] | None]:
        """Cut inverse variances and masks of one source, [band, y, x], in the header's unit."""
        rows, columns = self._window(row)
        ivars, masks = [], []
        for position, (band, image) in enumerate(self._images.items()):
            maps = self._maps.companions[position].read(rows, columns)
            if maps.sigma_map is not None:
                sigma = maps.sigma_map if maps.sigma_map.ndim == 2 else maps.sigma_map[image.plane]
                ivars.append(inverse_variance(sigma * self._factors[band], name=str(image.path)))
            if maps.mask is not None:
                masks.append(maps.mask if maps.mask.ndim == 2 else maps.mask[image.plane])
        return np.stack(ivars) if ivars else None, np.stack(masks) if masks else None

    def _names(self) -> list[str]:
        """Name sources in messages."""
        places = zip(self._sources.x_pix, self._sources.y_pix, strict=True)
        return [f"source {row} at x {x:.0f}, y {y:.0f} px" for row, (x, y) in enumerate(places)]

    def _cut(self, section: Section, band: str, row: int) -> NDArray[np.float64]:
        """Cut one source out of one band."""
        rows, columns = self._window(row)
        pixels = section(rows, columns)
        if self._options.sky == "subtract":
            pixels = pixels - self._skies[band].level(rows, columns)
        return pixels * self._factors[band]

    def _window(self, row: int) -> tuple[slice, slice]:
        """Rows and columns of a cutout; the pixel nearest to the centroid becomes pixel side // 2."""
        side = int(self._sides[row])
        below = round(float(self._sources.y_pix[row])) - side // 2
        left = round(float(self._sources.x_pix[row])) - side // 2
        return slice(below, below + side), slice(left, left + side)

    def _factors_of(self, zero_points_mag: Mapping[str, float]) -> dict[str, float]:
        """Give what the numbers of each band's file are multiplied by."""
        if self._options.flux_unit is not None:
            return dict.fromkeys(self.header.bands, 1.0)
        return {band: flux_factor(zero_points_mag[band]) for band in self.header.bands}

    def _sky(self, band: str, progress: ProgressCallback) -> SkyMap:
        """Measure the sky of one band."""
        image = self._images[band]
        with image.opened() as section:
            sky = measure_sky(
                section,
                image.shape,
                box_pix=self._options.sky_box_pix,
                tell=_teller(progress, f"measuring the sky of {band}", "rows of boxes"),
            )
        if not sky.has_data:
            raise InputError(
                f"{image.path}: band {band} has no box with data and noise; give an image of the sky"
            )
        return sky

    def _detected(self, image: BandImage, progress: ProgressCallback) -> Detections:
        """Detect sources in one band."""
        with image.opened() as section:
            sources = detect(
                section,
                image.shape,
                self._skies[self._detect_in],
                options=self._options,
                least_flux=self._least_flux(),
                tell=_teller(progress, f"detecting in {self._detect_in}", "tiles"),
            )
        if not len(sources):
            limits = f"`threshold_sigma={self._options.threshold_sigma:g}`, `minimum_snr={self._options.minimum_snr:g}`"
            raise InputError(
                f"{image.path}: no source was detected in band {self._detect_in} ({limits}); loosen these or `faintest_mag`"
            )
        return sources

    def _least_flux(self) -> float:
        """Flux of the faintest source that is taken, in the unit of the file."""
        if self._options.faintest_mag is None:
            return 0.0
        zero_point = self.header.zero_points_mag.get(self._detect_in)
        if zero_point is None:
            raise SettingsError(
                f"needs the zero point of band {self._detect_in}; give it as "
                f"`zero_points_mag={self._detect_in}=25.0`",
                argument="faintest_mag",
                came=f"{self._options.faintest_mag:g}",
            )
        return (
            float(10 ** (-0.4 * (self._options.faintest_mag - zero_point))) / self._factors[self._detect_in]
        )

    def _stars(self) -> Stars:
        """Tell which sources are stars."""
        if self._options.stars == "keep":
            return Stars(None, {})
        stars = find_stars(self._sources, star_r_half_pix=self._options.star_r_half_pix)
        if stars.r_half_pix is None:
            logger.warning(
                "no half-light radius of stars could be found among %d sources, so none was rejected; "
                "give it with `star_r_half_pix`",
                len(self._sources),
            )
        return stars

    def _not_whole(self, shape: tuple[int, int]) -> dict[int, str]:
        """Say which cutouts would reach over an edge, or are too large."""
        reasons: dict[int, str] = {}
        for row, side in enumerate(self._sides):
            rows, columns = self._window(row)
            if side > self._options.maximum_cutout_pix:
                reasons[row] = LARGE
            elif min(rows.start, columns.start) < 0 or rows.stop > shape[0] or columns.stop > shape[1]:
                reasons[row] = CUT
        return reasons

    def _catalog(self, image: BandImage) -> QTable:
        """One row a source: where it is, and what was measured to find it."""
        sources, band = self._sources, self._detect_in
        x, y = np.round(sources.x_pix).astype(int), np.round(sources.y_pix).astype(int)
        names = [f"x{column:05d}y{row:05d}" for column, row in zip(x, y, strict=True)]
        table = QTable({"object_id": np.array(names, dtype=str)})
        coordinates = sky_coordinates(image.head)
        if coordinates is not None:
            table["ra"], table["dec"] = positions_on_sky(coordinates, sources.x_pix, sources.y_pix)
        table["x_pix"], table["y_pix"] = sources.x_pix, sources.y_pix
        flux = sources.flux * self._factors[band]
        table[f"flux_{band}"] = flux
        if band in self.header.zero_points_mag:
            table[f"magnitude_{band}"] = (self.header.zero_points_mag[band] - 2.5 * np.log10(flux)) * u.mag
        table["r_half_pix"], table["extent_pix"] = sources.r_half_pix, sources.extent_pix
        table["signal_to_noise"] = sources.snr
        for name, gain in self._gains().items():
            table[name] = np.full(len(table), gain)
        for name, sky in self._skies.items():
            sigmas = sky.sigmas_at(sources.x_pix, sources.y_pix)
            table[f"background_noise_sigma_{name}"] = sigmas * self._factors[name]
        return table

    def _gains(self) -> dict[str, float]:
        """Electrons per flux unit of the cutouts by column: one for all bands where they agree, else one a band."""
        heads = {band: image.head.keywords for band, image in self._images.items()}
        # in the files' own units, of which the cutouts have as many as each is multiplied by
        own = {band: gain_of(keywords) for band, keywords in heads.items()}
        found = {band: math.nan if gain is None else gain / self._factors[band] for band, gain in own.items()}
        of_unit = gain_of_unit(self.header.flux_unit)
        if all(math.isnan(gain) or gain == of_unit for gain in found.values()):
            return {}
        first, *others = found.values()
        if all(math.isclose(other, first) for other in others):
            return {GAIN_COLUMN: first}
        return {f"{GAIN_COLUMN}_{band}": gain for band, gain in found.items()}


def _maps_of(images: Mapping[str, BandImage]) -> MapsBeside:
    """Find masks and noise that lie beside every band in the layout of a survey."""
    given, heads = GivenMaps(), [image.head for image in images.values()]
    found, taken = companions_of_files(given, heads)
    return MapsBeside.of(given, dict(enumerate(found)), taken)


def _header(
    own_zero_points_mag: Mapping[str, float],
    bands: tuple[str, ...],
    options: FieldOptions,
    pixel_scale_arcsec: float | None,
) -> ImageHeader:
    """Say what is true of all cutouts: they are in nJy, or in the unit that the options keep."""
    if options.flux_unit is None:
        zero_points = dict.fromkeys(bands, STORED_ZERO_POINT_MAG)
        return ImageHeader(bands, STORED_UNIT, pixel_scale_arcsec, zero_points_mag=zero_points)
    return ImageHeader(bands, options.flux_unit, pixel_scale_arcsec, zero_points_mag=own_zero_points_mag)


def _band_to_detect_in(bands: tuple[str, ...], given: str | None) -> str:
    """Give the band in which to detect: the one named, else the middle one."""
    if given is None:
        return bands[(len(bands) - 1) // 2]
    if given not in bands:
        raise SettingsError(
            f"no such band; the bands are {','.join(bands)}", argument="detect_in", came=given
        )
    return given


def _sides(sources: Detections, options: FieldOptions) -> NDArray[np.int64]:
    """Side of every cutout in pixels, [source] int64: a multiple of 8, and of the extent."""
    wanted = np.maximum(2 * options.extent_multiple * sources.extent_pix, options.minimum_cutout_pix)
    return np.asarray(np.ceil(wanted / STEP_PIX) * STEP_PIX, dtype=np.int64)


def _plain_settings(
    options: FieldOptions, bands: Sequence[str], detect_in: str, zero_points_mag: Mapping[str, float]
) -> dict[str, Any]:
    """All that decides the cutouts, as plain JSON values."""
    settled = {"bands": list(bands), "detect_in": detect_in, "zero_points_mag": dict(zero_points_mag)}
    return {"kind": "field", **asdict(options), **settled}


def _teller(progress: ProgressCallback, stage: str, unit: str) -> Callable[[int, int], None]:
    """Turn counts into progress events."""

    def tell(done: int, total: int) -> None:
        progress(ProgressEvent(stage, done, total, unit))

    return tell
