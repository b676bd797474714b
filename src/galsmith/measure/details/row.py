"""Adding the details of a galaxy to its row: of each band, of each pair of neighboring bands, and of its arms."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from galsmith.images.bands import BandPair, neighboring_pairs
from galsmith.measure.colors import ignored_pixels
from galsmith.measure.compiled_engine import sky_level
from galsmith.measure.details.grid import axes_excess, lines_excess, windowed_spectra
from galsmith.measure.details.registration import (
    band_coherence,
    find_offset,
    gradient_mag,
    inner_and_outer_flux,
)
from galsmith.measure.details.winding import Disk, find_winding
from galsmith.measure.engine.batch import GalaxyInput
from galsmith.measure.engine.stamp import bad_pixels
from galsmith.measure.flags import CATASTROPHIC, NO_DETAIL
from galsmith.measure.properties.details import (
    GRID_PROPERTIES,
    WINDING_PROPERTIES,
    band_column,
    coherence_columns,
    gradient_column,
    offset_columns,
)
from galsmith.measure.row import Measured
from galsmith.measure.settings import MeasureSettings

MARGIN_PIX = 2


@dataclass(frozen=True)
class _Surroundings:
    """The galaxy's part of an image, in each band, and where it lies there."""

    images: Mapping[str, NDArray[np.float64]]
    left_out: NDArray[np.bool_]
    x: float
    y: float


def add_details(
    result: Measured, galaxies: Mapping[str, GalaxyInput], band: str, settings: MeasureSettings
) -> None:
    """Add the details; NaN and a flag for what could not be measured.

    Parameters
    ----------
    result : Measured
        Of the measured band, whose center and radii are taken.
    galaxies : mapping of band to GalaxyInput
        The same galaxy in each band.
    band : str
        Which band was measured.
    settings : MeasureSettings
        As `resolved_settings` gave them.
    """
    pairs = neighboring_pairs(tuple(galaxies))
    found = _of_spectra(galaxies, pairs) | _of_light(result, galaxies, band, pairs, settings)
    for what, values in found.items():
        result.values.update(values)
        if not all(map(math.isfinite, values.values())):
            result.flags.append(NO_DETAIL.of(what))


def _of_spectra(
    galaxies: Mapping[str, GalaxyInput], pairs: Sequence[BandPair]
) -> dict[str, dict[str, float]]:
    """Measure what is in the spectra, whether there is a galaxy or not: by what it is, and its columns."""
    bands = tuple(galaxies)
    columns_of = _columns_of_spectra(bands)
    found = {what: dict.fromkeys(columns, math.nan) for what, columns in columns_of.items()}
    spectra = windowed_spectra([galaxy.image for galaxy in galaxies.values()])
    if spectra is None:
        return found
    with np.errstate(all="ignore"):
        numbers = np.concatenate([axes_excess(spectra), *lines_excess(spectra)], axis=1)
        places = [(bands.index(pair.first), bands.index(pair.second)) for pair in pairs]
        rings = [band_coherence(spectra, *place) for place in places]
        offsets = [find_offset(spectra, *place) for place in places]
    for columns, values in zip(found.values(), [*numbers, *rings, *offsets], strict=True):
        columns.update(zip(columns, map(float, values), strict=True))
    return found


@lru_cache(maxsize=64)
def _columns_of_spectra(bands: tuple[str, ...]) -> dict[str, list[str]]:
    """Names of the columns of what is in the spectra, the same for all galaxies of one set."""
    pairs = neighboring_pairs(bands)
    grid = {
        f"grid{_suffix(name, bands)}": [band_column(entry.name, name, bands) for entry in GRID_PROPERTIES]
        for name in bands
    }
    coherence = {f"coherence_{pair.stem}": coherence_columns(pair) for pair in pairs}
    offset = {f"offset_{pair.stem}": offset_columns(pair) for pair in pairs}
    return grid | coherence | offset


def _of_light(
    result: Measured,
    galaxies: Mapping[str, GalaxyInput],
    band: str,
    pairs: Sequence[BandPair],
    settings: MeasureSettings,
) -> dict[str, dict[str, float]]:
    """Measure what needs a center and radii: by what it is, and its columns."""
    found = {"winding": dict.fromkeys([entry.name for entry in WINDING_PROPERTIES], math.nan)}
    for pair in pairs:
        found[f"gradient_{pair.stem}"] = {gradient_column(pair): math.nan}
    values = result.values
    around = _surroundings(result, galaxies, band, settings, with_others=bool(pairs))
    if around is None:
        return found
    r_half, r_petro = values["r_half_pix"], values["r_petro_pix"]
    disk = Disk(
        around.x,
        around.y,
        r_petro,
        1 - values["ellipticity_center"],
        values["orientation_center_rad"],
    )
    winding = find_winding(around.images[band], around.left_out, disk)
    found["winding"].update(zip(found["winding"], winding, strict=True))
    if pairs and 0 < r_half < r_petro:
        place = around.x, around.y
        fluxes = {
            name: inner_and_outer_flux(image, around.left_out, place, r_half, r_petro)
            for name, image in around.images.items()
        }
        for pair in pairs:
            gradient = gradient_mag(fluxes[pair.first], fluxes[pair.second])
            found[f"gradient_{pair.stem}"][gradient_column(pair)] = gradient
    return found


def _surroundings(
    result: Measured,
    galaxies: Mapping[str, GalaxyInput],
    band: str,
    settings: MeasureSettings,
    *,
    with_others: bool,
) -> _Surroundings | None:
    """Cut out the galaxy as far as its Petrosian radius; None where it has none."""
    values = result.values
    known = [values[name] for name in ("center_x_pix", "center_y_pix", "r_petro_pix")]
    if result.flag == CATASTROPHIC or not all(map(math.isfinite, known)) or known[2] <= 0:
        return None
    x, y, r_petro = known
    reach = r_petro + MARGIN_PIX
    shape = galaxies[band].image.shape
    left, bottom = (max(0, math.floor(middle - reach)) for middle in (x, y))
    box = (slice(bottom, math.ceil(y + reach) + 1), slice(left, math.ceil(x + reach) + 1))
    if not (0 <= x < shape[1] and 0 <= y < shape[0]):
        return None
    chosen = galaxies if with_others else {band: galaxies[band]}
    # the sky's level is of the whole image, and taken off the part alone
    images = {
        name: np.ascontiguousarray(
            np.asarray(galaxy.image[box], dtype=np.float64) - sky_level(galaxy.image, settings)
        )
        for name, galaxy in chosen.items()
    }
    left_out = ignored_pixels(list(chosen.values()))[box].copy()
    # As for colors, what is unusable in one band is left out of all: Lotz et al. (2004) say which pixels are bad.
    for image in images.values():
        left_out |= ~np.isfinite(image) | bad_pixels(image)
    return _Surroundings(images, left_out, x - left, y - bottom)


def _suffix(band: str, bands: Sequence[str]) -> str:
    """End of a band's columns; nothing where there is one band."""
    return f"_{band}" if len(bands) > 1 else ""
