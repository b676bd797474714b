"""Fields as vectors of numbers: what one field's sky and sources have of their own, beside the laws that all share.

A vector says how many sources there are, how the sky's noise, fluxes, sizes and axis ratios of this field stand to those of
all, and how many pairs of sources there are by distance. They are realized quantities: a field composed from a vector has
them itself, not on average, so that laws of fields are kept where few sources make a field.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from galsmith.data.fields.detection import DetectedField, FieldSources
from galsmith.data.fields.sky import sky_quantiles
from galsmith.models.field_composer.positions import count_pairs, expected_pairs

Values = NDArray[np.float64]
KNOTS: Values = np.linspace(-4.0, 4.0, 81)
FLUX_NORMAL: Values = np.linspace(-2.0, 2.0, 9)
N_FLUX_BINS = 8
FEW_SOURCES = 8
FAR_LEVELS = 0.25  # of gray levels
N_SHAPE_VALUES = 4  # mean and spread of sizes, how they follow flux, mean of axis ratios
N_OTHER_VALUES = 2 + N_SHAPE_VALUES  # and the number of sources, and the level of the sky
PIXELS_OF_A_UNIT = 1e6
"""Sources are counted by the million pixels."""


@dataclass(frozen=True)
class MeasuredField:
    """What vectors are made from.

    Attributes
    ----------
    sky : ndarray [quantile], float64
        Of `sky_quantiles`; NaN where no pixel is blank.
    sources : FieldSources
        Of the field.
    shape : tuple of int
        Its height and width.
    """

    sky: Values
    sources: FieldSources
    shape: tuple[int, int]

    @classmethod
    def of(cls, found: DetectedField) -> "MeasuredField":
        """Keep what vectors need."""
        height, width = found.labels.shape
        return cls(sky_quantiles(found.blank_counts), found.sources, (height, width))


@dataclass(frozen=True)
class FieldLaws:
    """Laws that all fields share; arrays alone, so that they are kept in a snapshot as they are.

    Attributes
    ----------
    sky_levels : ndarray [knot]
        Median of the sky, of all fields, at `KNOTS`; between levels that are far apart no field has one.
    sky_mean, sky_axes : ndarray [quantile], [component, quantile]
        Mean of the sky's quantiles less their median, and the directions in which fields differ.
    flux_quantiles : ndarray [knot]
        Log flux of the sources of all fields, at `KNOTS`.
    flux_mean, flux_axes : ndarray [quantile], [component, quantile]
        Of the quantiles of a field's fluxes, as normal numbers of all fluxes less those that one expects.
    bin_middles : ndarray [bin]
        Normal numbers of flux.
    size_quantiles, ratio_quantiles : ndarray [bin, knot]
        Log size and logit of the axis ratio, by flux.
    pair_edges_pix : ndarray [edge]
        Radii within which pairs are counted.
    drawn_flux, drawn_size, drawn_ratio : ndarray
        The quantiles that are drawn from, such that those detected in drawn fields are the ones above.
    shift : ndarray [value]
        Added to a vector before a field is composed from it, to the same end.
    """

    sky_levels: Values
    sky_mean: Values
    sky_axes: Values
    flux_quantiles: Values
    flux_mean: Values
    flux_axes: Values
    bin_middles: Values
    size_quantiles: Values
    ratio_quantiles: Values
    pair_edges_pix: Values
    drawn_flux: Values
    drawn_size: Values
    drawn_ratio: Values
    shift: Values

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Any]) -> "FieldLaws":
        """Read what `to_arrays` gave."""
        return cls(**{part.name: np.asarray(arrays[part.name], dtype=np.float64) for part in fields(cls)})

    def to_arrays(self) -> dict[str, Values]:
        """Give all arrays by name."""
        return {part.name: getattr(self, part.name) for part in fields(self)}

    @property
    def n_values(self) -> int:
        """Length of a vector."""
        return len(self.shift)

    def vector_of(self, field: MeasuredField) -> Values:
        """Describe a field by its vector, [value] float64; what it is too empty to say is as in the mean of fields."""
        sources, n = field.sources, len(field.sources)
        area = field.shape[0] * field.shape[1] / PIXELS_OF_A_UNIT
        # the level alone: skies of little noise have whole ones, and are none between two of them
        level = field.sky[len(field.sky) // 2]
        sky = (field.sky - level - self.sky_mean) @ self.sky_axes.T
        flux, shape = np.zeros(len(self.flux_axes)), np.zeros(N_SHAPE_VALUES)
        if n >= FEW_SOURCES:
            scores = self.flux_scores(np.log(sources.flux))
            flux = (field_quantiles(scores) - self.flux_mean) @ self.flux_axes.T
            sizes = self._scores(np.log(sources.size_pix), scores, self.size_quantiles)
            ratios = self._scores(_logit(sources.axis_ratio), scores, self.ratio_quantiles)
            follow = float(np.clip(np.corrcoef(sizes, scores)[0, 1], -0.95, 0.95))
            shape = np.array([sizes.mean(), math.log(sizes.std() + 0.05), math.atanh(follow), ratios.mean()])
        found = count_pairs(sources.x_pix, sources.y_pix, self.pair_edges_pix)
        random = expected_pairs(n, field.shape, self.pair_edges_pix)
        # half a source, so that empty fields have a logarithm too
        parts = [[math.log((n + 0.5) / area)], np.nan_to_num([level, *sky]), flux, shape]
        return np.concatenate([*parts, np.log((found + 0.5) / (random + 0.5))])

    def parted(self, vector: Values) -> "FieldNumbers":
        """Part a vector into what it says."""
        ends = np.cumsum([1, 1, len(self.sky_axes), len(self.flux_axes), N_SHAPE_VALUES])
        density, level, sky, flux, shape, pairs = np.split(vector + self.shift, ends)
        # a law's quantiles rise
        quantiles = np.maximum.accumulate(self.sky_mean + sky @ self.sky_axes)
        return FieldNumbers(float(density[0]), self._level_near(level[0]) + quantiles, flux, shape, pairs)

    def flux_scores(self, log_flux: Values) -> Values:
        """Bring log fluxes to normal numbers, [source]."""
        return _interpolated(log_flux, self.flux_quantiles, KNOTS)

    def marks(
        self, numbers: "FieldNumbers", n: int, *, rng: np.random.Generator
    ) -> tuple[Values, Values, Values]:
        """Draw flux, size in pixels and axis ratio of the `n` sources of a field."""
        normal = np.sort(rng.standard_normal(n))
        expected = _expected_normal(n)
        # what the draw has of the field's own directions is replaced by what the field is to have
        drawn = (
            np.interp(FLUX_NORMAL, expected, normal - expected) if n else FLUX_NORMAL * 0
        ) @ self.flux_axes.T
        away = self.flux_mean + (numbers.flux - drawn) @ self.flux_axes
        scores = rng.permutation(normal + np.interp(expected, FLUX_NORMAL, away))
        flux = np.exp(_interpolated(scores, KNOTS, self.drawn_flux))
        sizes, ratios = rng.standard_normal(n), rng.standard_normal(n)
        mean, log_spread, follow, ratio = numbers.shape
        if n >= FEW_SOURCES:
            ratios = ratios - ratios.mean()
            sizes = _correlated(sizes, scores, math.tanh(follow))
        spread = max(math.exp(log_spread) - 0.05, 0.0)
        size = np.exp(self._values(mean + spread * sizes, scores, self.drawn_size))
        return flux, size, _expit(self._values(ratio + ratios, scores, self.drawn_ratio))

    def _level_near(self, level: float) -> float:
        """Bring a level to the nearer of two that fields have, where these are far apart."""
        right = int(np.clip(np.searchsorted(self.sky_levels, level), 1, len(KNOTS) - 1))
        low, high = self.sky_levels[right - 1], self.sky_levels[right]
        if high - low < FAR_LEVELS or not low < level < high:
            return level
        return float(low if level - low < high - level else high)

    def _mixed(self, scores: Values, quantiles: Values) -> Values:
        """Quantiles of a mark at the fluxes of sources, [source, knot], between the bins' middles."""
        middles = self.bin_middles
        right = np.clip(np.searchsorted(middles, scores), 1, len(middles) - 1)
        share = np.clip((scores - middles[right - 1]) / (middles[right] - middles[right - 1]), 0, 1)
        mixed: Values = quantiles[right - 1] + share[:, np.newaxis] * (
            quantiles[right] - quantiles[right - 1]
        )
        return mixed

    def _scores(self, values: Values, scores: Values, quantiles: Values) -> Values:
        """Bring a mark to normal numbers, given those of flux."""
        rows = self._mixed(scores, quantiles)
        right = np.clip(np.sum(rows < values[:, np.newaxis], axis=1), 1, len(KNOTS) - 1)
        every = np.arange(len(values))
        low, high = rows[every, right - 1], rows[every, right]
        share = np.clip((values - low) / np.maximum(high - low, 1e-12), -0.5, 1.5)
        return np.asarray(KNOTS[right - 1] + share * (KNOTS[right] - KNOTS[right - 1]))

    def _values(self, normal: Values, scores: Values, quantiles: Values) -> Values:
        """Undo `_scores`."""
        rows = self._mixed(scores, quantiles)
        place = np.clip((normal - KNOTS[0]) / (KNOTS[1] - KNOTS[0]), 0, len(KNOTS) - 1.000001)
        left = place.astype(np.int64)
        every, share = np.arange(len(normal)), place - left
        return np.asarray(rows[every, left] * (1 - share) + rows[every, left + 1] * share)


@dataclass(frozen=True)
class FieldNumbers:
    """What a vector says of one field.

    Attributes
    ----------
    log_density : float
        Of the number of sources a million pixels.
    sky : ndarray [quantile], float64
        Of the noise, at `SKY_NORMAL`.
    flux : ndarray [component], float64
        In which directions the quantiles of its fluxes differ from those of all.
    shape : ndarray [4], float64
        Mean and log spread of sizes, their correlation with flux (its inverse hyperbolic tangent), mean of axis ratios,
        as normal numbers given flux.
    pairs : ndarray [annulus], float64
        Log of pairs over those expected at random.
    """

    log_density: float
    sky: Values
    flux: Values
    shape: Values
    pairs: Values

    def n_sources(self, shape: tuple[int, int]) -> int:
        """Count the sources of a field of this height and width."""
        return max(round(math.exp(self.log_density) * shape[0] * shape[1] / PIXELS_OF_A_UNIT - 0.5), 0)

    def wanted_pairs(self, n: int, shape: tuple[int, int], edges_pix: Values) -> Values:
        """Give the pairs of `n` sources by distance."""
        return np.exp(self.pairs) * (expected_pairs(n, shape, edges_pix) + 0.5) - 0.5


def fit_laws(
    measured: list[MeasuredField],
    *,
    pair_edges_pix: tuple[float, ...],
    sky_components: int,
    flux_components: int,
) -> FieldLaws:
    """Fit the laws that all fields share; there must be a source for each bin of flux."""
    skies = np.array([field.sky for field in measured])
    skies = skies[np.isfinite(skies).all(axis=1)]
    levels = skies[:, skies.shape[1] // 2]
    sky_levels = np.quantile(levels, ndtr(KNOTS), method="nearest") if len(levels) else np.zeros(len(KNOTS))
    sky_mean, sky_axes = _principal(skies - levels[:, np.newaxis], sky_components)
    log_flux, log_size, ratio = joined_marks(measured)
    flux_quantiles = _rising(np.quantile(log_flux, ndtr(KNOTS)))
    scores = _interpolated(log_flux, flux_quantiles, KNOTS)
    of_fields = [
        field_quantiles(_interpolated(np.log(field.sources.flux), flux_quantiles, KNOTS))
        for field in measured
        if len(field.sources) >= FEW_SOURCES
    ]
    flux_mean, flux_axes = _principal(np.reshape(of_fields, (-1, len(FLUX_NORMAL))), flux_components)
    # bins of flux with equal numbers of sources
    bins = np.array_split(np.argsort(scores, kind="stable"), N_FLUX_BINS)
    size, by_ratio = (
        np.array([_rising(np.quantile(mark[some], ndtr(KNOTS))) for some in bins])
        for mark in (log_size, ratio)
    )
    middles = _rising(np.array([scores[some].mean() for some in bins]))
    edges = np.asarray(pair_edges_pix, dtype=np.float64)
    shift = np.zeros(N_OTHER_VALUES + sky_components + flux_components + len(edges) - 1)
    return FieldLaws(
        sky_levels=sky_levels,
        sky_mean=sky_mean,
        sky_axes=sky_axes,
        flux_quantiles=flux_quantiles,
        flux_mean=flux_mean,
        flux_axes=flux_axes,
        bin_middles=middles,
        size_quantiles=size,
        ratio_quantiles=by_ratio,
        pair_edges_pix=edges,
        drawn_flux=flux_quantiles,
        drawn_size=size,
        drawn_ratio=by_ratio,
        shift=shift,
    )


def field_quantiles(scores: Values) -> Values:
    """Quantiles of one field's normal numbers less those expected, at `FLUX_NORMAL`; the outermost go on."""
    expected = _expected_normal(len(scores))
    return np.interp(FLUX_NORMAL, expected, np.sort(scores) - expected)


def _expected_normal(n: int) -> Values:
    """Give the normal numbers that `n` sorted ones are near to."""
    # Hazen's plotting positions
    return np.asarray(ndtri((np.arange(n) + 0.5) / max(n, 1)), dtype=np.float64)


def _correlated(values: Values, others: Values, correlation: float) -> Values:
    """Bring values to mean 0, deviation 1, and a correlation with others, all of them exactly."""
    others = (others - others.mean()) / (others.std() + 1e-12)
    apart = values - values.mean()
    apart -= (apart @ others) / len(others) * others
    return np.asarray(correlation * others + math.sqrt(1 - correlation**2) * apart / (apart.std() + 1e-12))


def _principal(rows: Values, n_components: int) -> tuple[Values, Values]:
    """Mean and the first principal directions of rows; directions that the rows have not are zero."""
    axes = np.zeros((n_components, rows.shape[1]))
    if not len(rows):
        return np.zeros(rows.shape[1]), axes
    mean = rows.mean(axis=0)
    # principal components of quantiles: straight lines in the Wasserstein distance of laws
    directions = np.linalg.svd(rows - mean, full_matrices=False)[2][:n_components]
    axes[: len(directions)] = directions
    return mean, axes


def joined_marks(measured: list[MeasuredField]) -> tuple[Values, Values, Values]:
    """Log flux, log size and the logit of the axis ratio of the sources of several fields, [source] each."""
    flux, size, ratio = (
        np.concatenate([getattr(field.sources, name) for field in measured])
        for name in ("flux", "size_pix", "axis_ratio")
    )
    return np.log(flux), np.log(size), _logit(ratio)


def _rising(values: Values) -> Values:
    """Let equal neighbors rise by next to nothing, so that maps can be undone."""
    return np.asarray(np.maximum.accumulate(values) + 1e-9 * np.arange(len(values)))


def _interpolated(values: Values, knots: Values, targets: Values) -> Values:
    """Interpolate between knots; beyond them the outermost value stays."""
    return np.asarray(np.interp(values, knots, targets), dtype=np.float64)


def _logit(ratio: Values) -> Values:
    """Bring axis ratios to all real numbers."""
    safe = np.clip(ratio, 0.05, 0.995)
    return np.asarray(np.log(safe / (1 - safe)))


def _expit(values: Values) -> Values:
    """Undo `_logit`."""
    return np.asarray(1 / (1 + np.exp(-values)))
