"""One galaxy of each side with its power spectrum (Holzschuh et al. 2022, Fig. 3)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from galsmith.compare.marginal.columns import band_of, mode_of, values_of
from galsmith.images import ImageSet
from galsmith.measure import average_spectrum_db
from galsmith.report.material import Material, SideMaterial
from galsmith.report.panels.average_spectra import colored_below_peak, position_of_band
from galsmith.report.panels.axes import Axis, Tick, band_path, line_path
from galsmith.report.panels.galaxies import Block, Bytes, Picture, picture_data_url, rows_of_ids
from galsmith.report.panels.spectra import GROUP, Spectrum, across_wavelengths, spectra_of

WIDTH, HEIGHT = 460, 300
LEFT, RIGHT, TOP, BOTTOM = 52, 448, 10, 250
FLOOR_DB = -60.0

Floats = NDArray[np.float64]


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
