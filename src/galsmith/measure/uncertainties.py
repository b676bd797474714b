"""How far noise moves what is measured: a galaxy is measured again with noise of its own pixels' sigma.

A parametric bootstrap (Efron & Tibshirani 1993, section 6.5). Noise is not added to the noisy image, which would then have
twice the variance and so other thresholds and asymmetries, but to one whose own noise is damped by Lee's filter.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from galsmith.images.bands import parse_pair
from galsmith.measure import compiled_engine
from galsmith.measure.colors import add_fluxes, color_mag
from galsmith.measure.details.row import add_details
from galsmith.measure.engine.batch import GalaxyInput, chosen_label, find_galaxy
from galsmith.measure.flags import CATASTROPHIC, UNCERTAINTY_UNDEFINED
from galsmith.measure.power.spectrum import BINNINGS, power_columns
from galsmith.measure.properties.registry import is_resampled, property_of_column
from galsmith.measure.properties.uncertainty import uncertainty_column
from galsmith.measure.row import Measured
from galsmith.measure.segmentation import clipped_background
from galsmith.measure.settings import MeasureSettings
from galsmith.seeds import random_stream

PURPOSE = "measure.uncertainties"
LEE_PIX = 3
LEAST_SHARE = 0.5  # of the repetitions that have to give a quantity
CLIP_SIGMA = 5.0
SIGMA_PER_MAD = 1.4826
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Noisy:
    """A band of a galaxy, ready to be measured again and again.

    Attributes
    ----------
    galaxy : GalaxyInput
        With its map, and the sky's level taken off.
    calm : ndarray [y, x], float64
        The image, its noise damped.
    sigma : ndarray [y, x], float64
        Standard deviation of the noise of each pixel.
    level : float
        The sky's, which power spectra are taken with.
    """

    galaxy: GalaxyInput
    calm: Floats
    sigma: Floats
    level: float

    def again(self, rng: np.random.Generator) -> GalaxyInput:
        """Draw other noise."""
        return replace(self.galaxy, image=self.calm + self.sigma * rng.standard_normal(self.sigma.shape))


def add_uncertainties(
    result: Measured, inputs: Mapping[str, GalaxyInput], band: str, settings: MeasureSettings
) -> None:
    """Add a standard deviation for every quantity that was measured; NaN and a flag where there is none.

    Parameters
    ----------
    result : Measured
        Of the galaxy; gets values ``<name>_sigma``.
    inputs : mapping of band to GalaxyInput
        The galaxy in every band that is measured or gives a flux.
    band : str
        Whose morphology it is.
    settings : MeasureSettings
        As `resolved_settings` gave them.
    """
    pairs = [parse_pair(text, list(inputs)) for text in settings.colors or ()]
    names = [name for name in result.values if is_resampled(name)]
    columns = [*names, *(pair.column for pair in pairs)]
    rows = _measured_again(result, inputs, band, settings)
    for row in rows:
        fluxes = {name: np.array([value]) for name, value in row.items()}
        row.update({pair.column: float(color_mag(fluxes, pair, {})[0]) for pair in pairs})
    spread = {name: _spread([row[name] for row in rows], name, settings.uncertainties) for name in columns}
    if "flux_frame" in spread:
        spread["flux_frame"] = _sigma_of_sum(inputs[band], result, settings)
    result.values.update({uncertainty_column(name): value for name, value in spread.items()})
    known = {name: value for name, value in result.values.items() if name in spread}
    if any(math.isnan(spread[name]) for name, value in known.items() if math.isfinite(value)):
        result.flags.append(UNCERTAINTY_UNDEFINED.name)


def _measured_again(
    result: Measured, inputs: Mapping[str, GalaxyInput], band: str, settings: MeasureSettings
) -> list[dict[str, float]]:
    """Measure the galaxy with other noise, in the same map, without fits."""
    if result.flag == CATASTROPHIC:
        return []
    has_details, has_power = "details" in settings.quantities, "power" in settings.quantities
    used = (
        set(inputs)
        if has_details or has_power
        else {band, *(name for pair in settings.colors or () for name in parse_pair(pair, list(inputs)))}
    )
    ready = {name: _noisy(inputs[name], settings, result if name == band else None) for name in used}
    noisy = {name: one for name, one in ready.items() if one is not None}
    if set(noisy) != used:
        return []
    labels, label = map_of(noisy[band].galaxy, settings)
    plain = settings.model_copy(
        update={"sersic": "none", "double_sersic": False, "subtract_background": False}
    )
    rows: list[dict[str, float]] = []
    drawn_pixels: dict[str, list[Floats]] = {name: [] for name in inputs}
    identity = _identity(noisy[band].galaxy.image)
    for repetition in range(settings.uncertainties):
        rng = _stream(identity, repetition)
        drawn = {name: replace(noisy[name].again(rng), labels=labels, label=label) for name in sorted(used)}
        row = compiled_engine.measure_morphology(drawn[band], plain)
        bands = [name for name in inputs if name in used]
        add_fluxes(
            row,
            [drawn[name] for name in bands],
            plain,
            bands,
            measure=compiled_engine.measure_morphology,
        )
        if has_details:
            add_details(row, {name: drawn[name] for name in bands}, band, plain)
        rows.append(row.values)
        if has_power:
            for name, galaxy in drawn.items():
                drawn_pixels[name].append((galaxy.image + noisy[name].level).astype(np.float32))
    if has_power:
        _add_power(rows, drawn_pixels)
    return rows


def _add_power(rows: Sequence[dict[str, float]], images: Mapping[str, Sequence[Floats]]) -> None:
    """Add the power modes of every band to the rows, one image a row."""
    for band, drawn in images.items():
        for binning in BINNINGS:
            columns = power_columns(drawn, binning, suffix=f"_{band}" if len(images) > 1 else "")
            for place, row in enumerate(rows):
                row.update({name: float(values[place]) for name, values in columns.items()})


def _noisy(galaxy: GalaxyInput, settings: MeasureSettings, row: Measured | None) -> Noisy | None:
    """Prepare a band; None where nothing says how noisy it is."""
    level = compiled_engine.sky_level(galaxy.image, settings)
    image = np.asarray(galaxy.image, dtype=np.float64) - level
    sigma = pixel_sigma(galaxy, image, settings, sky_sigma=None if row is None else row.values["sky_sigma"])
    if sigma is None:
        return None
    return Noisy(replace(galaxy, image=image), calmed(image, sigma), sigma, level)


def pixel_sigma(
    galaxy: GalaxyInput, image: Floats, settings: MeasureSettings, *, sky_sigma: float | None
) -> Floats | None:
    """Give the standard deviation of each pixel, as fits weigh it; None where the sky's is not known.

    Parameters
    ----------
    galaxy : GalaxyInput
        With its map of sigmas, where there is one.
    image : ndarray [y, x], float64
        Above the sky.
    settings : MeasureSettings
        With the gain, before that of the galaxy; where neither is known the sky's noise is all.
    sky_sigma : float or None
        Standard deviation of the sky; None finds it, clipped.
    """
    if galaxy.sigma_map is not None:
        given = np.asarray(galaxy.sigma_map, dtype=np.float64)
        return np.where(np.isfinite(given) & (given > 0), given, 0.0)
    sky = clipped_background(image).sigma if sky_sigma is None else sky_sigma
    if not math.isfinite(sky):
        return None
    gain = galaxy.gain if settings.gain is None else settings.gain
    light = np.where(np.isfinite(image), np.abs(image), 0.0)
    return np.sqrt((0.0 if gain is None else light / gain) + np.full_like(light, sky) ** 2)


def calmed(image: Floats, sigma: Floats) -> Floats:
    """Damp noise where an image has nothing else: the filter of Lee (1980, eq. 4), with the noise known.

    Parameters
    ----------
    image : ndarray [y, x], float64
        Pixels that are not finite stay so.
    sigma : ndarray [y, x], float64
        Of the noise.

    Returns
    -------
    ndarray [y, x], float64
        Mean of 3 x 3 pixels where these scatter no more than noise does, the pixel itself where they scatter far more.
    """
    is_finite = np.isfinite(image)
    pixels = np.where(is_finite, image, 0.0)
    mean = uniform_filter(pixels, LEE_PIX, mode="nearest")
    variance = np.maximum(uniform_filter(pixels**2, LEE_PIX, mode="nearest") - mean**2, 0.0)
    excess = np.maximum(variance - uniform_filter(sigma**2, LEE_PIX, mode="nearest"), 0.0)
    share = np.divide(excess, variance, out=np.ones_like(variance), where=variance > 0)
    return np.where(is_finite, mean + share * (pixels - mean), image)


def map_of(galaxy: GalaxyInput, settings: MeasureSettings) -> tuple[NDArray[np.int32], int]:
    """Give the map in which a galaxy is measured, its own or the one that is found above its sky, and its label in it."""
    if galaxy.labels is not None:
        labels = np.ascontiguousarray(galaxy.labels, dtype=np.int32)
        return labels, chosen_label(labels, galaxy.label)[0]
    searched = galaxy.image if galaxy.mask is None else np.where(galaxy.mask, np.nan, galaxy.image)
    return find_galaxy(searched, compiled_engine.options_of(settings).segmenting)[0], 1


def _identity(image: Floats) -> int:
    """Name a galaxy by its pixels, so that chance does not hang on where it lies, nor on who else is measured."""
    digest = hashlib.blake2b(np.ascontiguousarray(image).tobytes(), digest_size=8)
    return int.from_bytes(digest.digest(), "little")


def _stream(identity: int, repetition: int) -> np.random.Generator:
    """Chance of one repetition."""
    return random_stream(0, PURPOSE, identity, repetition)


def _sigma_of_sum(galaxy: GalaxyInput, result: Measured, settings: MeasureSettings) -> float:
    """Give the standard deviation of the sum of all finite pixels, exact."""
    if result.flag == CATASTROPHIC:
        return math.nan
    image = compiled_engine.above_sky(galaxy.image, settings)
    sigma = pixel_sigma(galaxy, image, settings, sky_sigma=result.values["sky_sigma"])
    return math.nan if sigma is None else float(np.sqrt(np.sum(sigma[np.isfinite(image)] ** 2)))


def _spread(values: Sequence[float], name: str, wanted: int) -> float:
    """Give the standard deviation, without what lies far out; NaN where too few are known."""
    known = np.array([value for value in values if math.isfinite(value)])
    if len(known) < max(2, LEAST_SHARE * wanted):
        return math.nan
    entry = property_of_column(name)
    if entry is not None and entry.period is not None:
        turns = np.exp(2j * np.pi * known / entry.period)
        known = np.angle(turns * np.conj(turns.mean())) * entry.period / (2 * np.pi)
    off = np.abs(known - np.median(known))
    reach = CLIP_SIGMA * SIGMA_PER_MAD * float(np.median(off))
    kept = known[off <= reach] if reach > 0 else known
    return float(np.std(kept, ddof=1))
