"""Two-dimensional power spectra: the average of each side, and those of one galaxy of each."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray

from galsmith.compare.marginal.columns import band_of, mode_of, values_of
from galsmith.images import ImageSet
from galsmith.measure import average_spectrum_db
from galsmith.report.material import Material, SideMaterial
from galsmith.report.panels.axes import Axis, Tick, band_path, line_path
from galsmith.report.panels.galaxies import Block, Bytes, Picture, picture_data_url, rows_of_ids
from galsmith.report.panels.spectra import GROUP, Spectrum, across_wavelengths, spectra_of

AT_MOST = 200
STEP_DB = 3.0
DIFFERENCE_DB = 6.0
POWER_COLORS, DIFFERENCE_COLORS = "magma", "PuOr_r"
SHOWN_SIDE_PIX = 256

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class AverageSpectra:
    """Average spectra as pictures.

    Attributes
    ----------
    band : str
        Which band.
    n_reference, n_generated : int
        Galaxies averaged.
    reference, generated, difference : ndarray [frequency_y, frequency_x], float64
        In dB; the first two below the peak of the reference, the last generated minus reference.
    floor_db : float
        Lowest level of the color scale.
    """

    band: str
    n_reference: int
    n_generated: int
    reference: Floats
    generated: Floats
    difference: Floats
    floor_db: float

    def picture(self, which: str) -> Bytes:
        """Draw ``"reference"``, ``"generated"`` or ``"difference"``, [y, x, 3] uint8, first row at the top."""
        values: Floats = getattr(self, which)
        if which == "difference":
            shown = 0.5 + np.clip(np.nan_to_num(values) / DIFFERENCE_DB, -1, 1) / 2
            return _colored(shown, DIFFERENCE_COLORS)
        return colored_below_peak(values, self.floor_db)

    def scale(self, which: str) -> tuple[float, float, str]:
        """Lowest and highest level of a picture in dB, and the name of its colors."""
        if which == "difference":
            return -DIFFERENCE_DB, DIFFERENCE_DB, DIFFERENCE_COLORS
        return self.floor_db, 0.0, POWER_COLORS

    def data_url(self, which: str) -> str:
        """Encode a picture for the page."""
        return picture_data_url(self.picture(which))


def average_spectra(material: Material) -> AverageSpectra | None:
    """Average the spectra of the first galaxies of both stores; None where a store is gone."""
    reference, generated = (side.images for side in material.sides)
    if reference is None or generated is None:
        return None
    position = position_of_band(material, reference)
    sizes = [int(images.shapes[:AT_MOST].max()) for images in (reference, generated)]
    side_pix = max(128, *sizes)
    try:
        spectra = [
            average_spectrum_db(_stamps(images, position), side_pix=side_pix)
            for images in (reference, generated)
        ]
    except ValueError:
        return None
    peak = float(np.nanmax(spectra[0]))
    one, other = (spectrum - peak for spectrum in spectra)
    return AverageSpectra(
        band=reference.header.bands[position],
        n_reference=min(len(reference), AT_MOST),
        n_generated=min(len(generated), AT_MOST),
        reference=one,
        generated=other,
        difference=other - one,
        floor_db=STEP_DB * np.floor(float(np.nanpercentile(one, 0.5)) / STEP_DB),
    )


def colored_below_peak(values: Floats, floor_db: float) -> Bytes:
    """Color a spectrum [frequency_y, frequency_x] in dB below its peak; steps of 3 dB draw the contours."""
    known = np.nan_to_num(values, nan=floor_db)
    stepped = STEP_DB * np.round(np.clip(known, floor_db, 0) / STEP_DB)
    return _colored(1 - stepped / floor_db, POWER_COLORS)


def position_of_band(material: Material, images: ImageSet) -> int:
    """Find the band that morphology was measured on, or the middle one."""
    table = material.reference.table
    band = None if table is None else table.meta.get("band")
    return images.header.bands.index(band) if band in images.header.bands else len(images.header.bands) // 2


def _stamps(images: ImageSet, position: int) -> Iterator[Floats]:
    """Read the first galaxies in one band, few at a time."""
    for _, chunk in images.select(np.arange(min(len(images), AT_MOST))).chunks(16):
        yield from (image[position].astype(np.float64) for image in chunk)


def _colored(shares: Floats, name: str) -> Bytes:
    """Color values in 0 to 1; y upward becomes the first row at the top."""
    rgba = colormaps[name](np.clip(shares[::-1], 0, 1))
    result: Bytes = (255 * rgba[..., :3]).round().astype(np.uint8)
    return result


WIDTH, HEIGHT = 460, 300
LEFT, RIGHT, TOP, BOTTOM = 68, 448, 10, 250
FLOOR_DB = -60.0


@dataclass(frozen=True)
class OneGalaxy:
    """One galaxy: its picture, its two-dimensional spectrum and its modes.

    Attributes
    ----------
    role : str
        ``"reference"`` or ``"generated"``.
    picture : Picture
        As in the grid of galaxies.
    plane : ndarray [y, x, 3], uint8
        Two-dimensional spectrum in steps of 3 dB below its peak, first row at the top.
    modes : ndarray [mode], float64
        log10 power of the modes that the spectrum's panel shows.
    """

    role: str
    picture: Picture
    plane: Bytes
    modes: Floats

    @property
    def plane_url(self) -> str:
        """The spectrum inside of a URL."""
        return picture_data_url(self.plane)


@dataclass(frozen=True)
class OneSpectrum:
    """One galaxy of each side, before the range of the reference set; paths are for the attribute ``d``."""

    galaxies: tuple[OneGalaxy, OneGalaxy]
    spectrum: Spectrum
    band_path: str
    lines: tuple[str, str]
    x_ticks: list[Tick]
    y_ticks: list[Tick]


def one_spectrum_of(material: Material, blocks: list[Block]) -> OneSpectrum | None:
    """Take the first galaxies of the grid; None where images, tables or modes are missing."""
    spectra = spectra_of(material.comparison)
    if not blocks or not spectra:
        return None
    spectrum = spectra[0]
    found = [
        _galaxy(side, picture, spectrum, material)
        for side, picture in zip(
            material.sides, (blocks[0].reference[0], blocks[0].generated[0]), strict=True
        )
    ]
    if found[0] is None or found[1] is None:
        return None
    return _drawn((found[0], found[1]), spectrum)


def _galaxy(side: SideMaterial, picture: Picture, spectrum: Spectrum, material: Material) -> OneGalaxy | None:
    """Collect one galaxy."""
    if side.table is None or side.images is None or "object_id" not in side.table.colnames:
        return None
    rows = np.flatnonzero(np.asarray(side.table["object_id"], dtype=str) == picture.object_id)
    if not rows.size:
        return None
    columns = [
        item.column
        for item in material.comparison.distances
        if item.group == GROUP
        and not item.reason
        and mode_of(item.column)
        and band_of(item.column) == spectrum.band
    ]
    modes = np.array([values_of(side.table[rows[:1]], name)[0] for name in columns])
    plane = _plane(side.images, picture.object_id, spectrum.band, material)
    return None if plane is None else OneGalaxy(side.role, picture, plane, modes)


def _plane(images: ImageSet, object_id: str, band: str, material: Material) -> Bytes | None:
    """Draw the two-dimensional spectrum of one galaxy."""
    place = (
        images.header.bands.index(band) if band in images.header.bands else position_of_band(material, images)
    )
    stamp = images[int(rows_of_ids(images, [object_id])[0])][place].astype(np.float64)
    if not np.isfinite(stamp).all():
        return None
    values = average_spectrum_db([stamp], side_pix=max(128, *stamp.shape))
    return colored_below_peak(values - float(np.nanmax(values)), FLOOR_DB)


def _drawn(galaxies: tuple[OneGalaxy, OneGalaxy], spectrum: Spectrum) -> OneSpectrum:
    """Draw the modes of both galaxies."""
    across = across_wavelengths(spectrum, LEFT, RIGHT)
    values = np.concatenate([spectrum.reference.ravel(), galaxies[0].modes, galaxies[1].modes])
    values = values[np.isfinite(values)]
    room = 0.05 * float(np.ptp(values)) + 1e-6
    up = Axis(float(values.min()) - room, float(values.max()) + room, BOTTOM, TOP)
    x = across.at(spectrum.wavelength)
    one, other = (line_path(x, up.at(item.modes)) for item in galaxies)
    return OneSpectrum(
        galaxies,
        spectrum,
        band_path(x, up.at(spectrum.reference[0]), up.at(spectrum.reference[2])),
        (one, other),
        across.ticks(),
        up.ticks(5),
    )
