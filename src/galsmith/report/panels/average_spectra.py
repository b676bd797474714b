"""The average two-dimensional power spectrum of each side, and their difference."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray

from galsmith.images import ImageSet
from galsmith.measure import average_spectrum_db
from galsmith.report.material import Material
from galsmith.report.panels.galaxies import Bytes, picture_data_url

AT_MOST = 200
STEP_DB = 3.0
DIFFERENCE_DB = 6.0
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
            return _colored(shown, "PuOr_r")
        return colored_below_peak(values, self.floor_db)

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
    return _colored(1 - stepped / floor_db, "magma")


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
