"""Measuring one field as a whole: its sources, their clustering, its gray levels and its waves."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from galsmith.data.fields.detection import DetectedField, detect_field
from galsmith.measure.field.statistics import log_power_by_wavelength, pair_excess
from galsmith.measure.flags import BEYOND_LEVELS, FEW_SOURCES, ONE_LEVEL
from galsmith.measure.properties.field import (
    FIELD_PROPERTIES,
    FLUX_EDGES,
    LEVELS_ABOVE_SKY,
    PAIR_REACHES_PIX,
    WAVELENGTHS_PIX,
    counts_columns,
)
from galsmith.measure.row import Measured

BRIGHTEST_LEVEL = 255
FEWEST_SOURCES = 2  # of one source there is no scatter and no pair


def field_row(image: NDArray[Any]) -> Measured:
    """Measure what a field is as a whole; NaN and a flag for what could not be measured.

    Parameters
    ----------
    image : ndarray [y, x]
        Gray levels from 0 to 255; fractions are rounded, as in an image file.
    """
    result = Measured({entry.name: np.nan for entry in FIELD_PROPERTIES})
    if not np.isfinite(image).all():
        return _set_aside(result, "not_finite_pixels")
    levels = np.clip(np.rint(image), 0, BRIGHTEST_LEVEL).astype(np.uint8)
    if np.abs(image - levels).max(initial=0) > 0.5 + 1e-3:
        result.flags.append(BEYOND_LEVELS.name)
        result.flag = max(result.flag, BEYOND_LEVELS.gravity)
    if levels.min() == levels.max():
        return _set_aside(result, ONE_LEVEL.name)
    found = detect_field(levels)
    result.values |= _of_sources(found, levels.shape) | _of_levels(found, levels) | _of_waves(levels)
    if len(found.sources) < FEWEST_SOURCES:
        result.flags.append(FEW_SOURCES.name)
    return result


def _set_aside(result: Measured, name: str) -> Measured:
    """Say that nothing of a field can be measured."""
    result.flags.append(name)
    result.flag = ONE_LEVEL.gravity
    return result


def _of_sources(found: DetectedField, shape: tuple[int, int]) -> dict[str, float]:
    """Count the sources, describe them, and count their pairs."""
    sources = found.sources
    counts = np.histogram(sources.flux, (-np.inf, *FLUX_EDGES, np.inf))[0]
    values: dict[str, float] = {"field_sources": float(len(sources))}
    values |= {column: float(count) for column, count in zip(counts_columns(), counts, strict=True)}
    if len(sources):
        log_flux, log_size = np.log10(sources.flux), np.log10(sources.size_pix)
        values |= {
            "field_log_flux_mean": float(log_flux.mean()),
            "field_log_size_mean": float(log_size.mean()),
            "field_axis_ratio_mean": float(sources.axis_ratio.mean()),
        }
    if len(sources) >= FEWEST_SOURCES:
        values |= {
            "field_log_flux_sigma": float(log_flux.std(ddof=1)),
            "field_log_size_sigma": float(log_size.std(ddof=1)),
        }
    excess = pair_excess(sources.x_pix, sources.y_pix, np.array(PAIR_REACHES_PIX, dtype=np.float64), shape)
    return values | {
        f"field_pairs_{reach}": float(value) for reach, value in zip(PAIR_REACHES_PIX, excess, strict=True)
    }


def _of_levels(found: DetectedField, levels: NDArray[np.uint8]) -> dict[str, float]:
    """Describe the blank sky and how many pixels stand out of it."""
    counts = np.bincount(levels.ravel(), minlength=BRIGHTEST_LEVEL + 1)
    # where sources leave no blank sky, all pixels are taken for it
    blank = found.blank_counts if found.blank_counts.sum() else counts
    places = np.arange(len(counts))
    level = float(blank @ places / blank.sum())
    noise = float(np.sqrt(blank @ (places - level) ** 2 / blank.sum()))
    mean = float(counts @ places / counts.sum())
    brighter = {
        f"field_brighter_{step}": float(np.log10((counts[places >= level + step].sum() + 0.5) / levels.size))
        for step in LEVELS_ABOVE_SKY
    }
    above = float(counts[places > mean].sum() / levels.size)
    return {"field_level": level, "field_noise": noise, "field_share_above_mean": above, **brighter}


def _of_waves(levels: NDArray[np.uint8]) -> dict[str, float]:
    """Give the power of each band of wavelengths."""
    power = log_power_by_wavelength(levels)
    return {
        f"field_power_{shortest}": float(value)
        for shortest, value in zip(WAVELENGTHS_PIX, power, strict=True)
    }
