"""Laws to draw from, corrected until fields composed from them are detected to have the laws that were measured.

Detection loses sources and joins near ones, and so do the laws measured with it; composed fields would lose them twice.
Fields are composed from measured vectors, their sources detected anew, and what differs on average is added to what is
drawn from: indirect inference (Gourieroux, Monfort & Renault 1993), with the detection as the auxiliary model.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from galsmith.data.fields.detection import detect_field
from galsmith.models.field_composer.composition import StampLaw, compose_field
from galsmith.models.field_composer.laws import KNOTS, FieldLaws, MeasuredField, joined_marks
from galsmith.seeds import random_stream

Values = NDArray[np.float64]
ROUNDS, FIELDS = 4, 96
DAMPING = 0.7
_LARGEST_NORMAL = 2.5  # beyond it, quantiles of some thousand sources are too rough to correct by
_SMOOTHED_OVER = 7


def calibrated(
    laws: FieldLaws,
    measured: list[MeasuredField],
    *,
    stamps: StampLaw,
    sky_kernel: Values,
    threshold_sigma: float,
) -> FieldLaws:
    """Correct what is drawn from; what vectors are measured with stays as it is.

    Parameters
    ----------
    laws : FieldLaws
        As they were measured.
    measured : list of MeasuredField
        Of the training fields; some of them, evenly spread, are composed anew.
    stamps : StampLaw
    sky_kernel : ndarray [5, 5], float64
    threshold_sigma : float
        With which they were detected.
    """
    some = measured[:: max(1, len(measured) // FIELDS)][:FIELDS]
    vectors = np.array([laws.vector_of(field) for field in some])
    wanted = _quantiles(laws, some)
    for number in range(ROUNDS):
        found = []
        for position, field in enumerate(some):
            composed = compose_field(
                vectors[position],
                field.shape,
                laws=laws,
                stamps=stamps,
                sky_kernel=sky_kernel,
                rng=random_stream(number, "compose.calibration", position),
            )
            levels = composed.levels.astype(np.uint8)
            detected = detect_field(levels, threshold_sigma=threshold_sigma, exponent=stamps.exponent)
            found.append(MeasuredField.of(detected))
        # a step of the fixed point: what is lacking is added, damped
        laws = _corrected(laws, vectors, found, wanted)
    return laws


def _corrected(
    laws: FieldLaws, vectors: Values, found: list[MeasuredField], wanted: tuple[Values, Values, Values]
) -> FieldLaws:
    """Add what is lacking on average."""
    lacking = (vectors - np.array([laws.vector_of(field) for field in found])).mean(axis=0)
    # the sky's level stays; of fluxes and shapes the quantiles of all sources are corrected
    first = 2 + len(laws.sky_axes)
    lacking[1] = 0.0
    follow = first + len(laws.flux_axes) + 2
    lacking[first:follow] = 0.0
    lacking[follow + 1] = 0.0
    flux, size, ratio = (
        _smooth(want - got) for want, got in zip(wanted, _quantiles(laws, found), strict=True)
    )
    return replace(
        laws,
        shift=laws.shift + DAMPING * lacking,
        drawn_flux=np.maximum.accumulate(laws.drawn_flux + DAMPING * flux),
        drawn_size=np.maximum.accumulate(laws.drawn_size + DAMPING * size, axis=1),
        drawn_ratio=np.maximum.accumulate(laws.drawn_ratio + DAMPING * ratio, axis=1),
    )


def _quantiles(laws: FieldLaws, fields: list[MeasuredField]) -> tuple[Values, Values, Values]:
    """Quantiles of log flux [knot], and of log size and the axis ratio's logit by flux [bin, knot], of some fields."""
    log_flux, size, ratio = joined_marks(fields)
    scores = laws.flux_scores(log_flux)
    edges = 0.5 * (laws.bin_middles[1:] + laws.bin_middles[:-1])
    bins = np.searchsorted(edges, scores)
    rows = [np.flatnonzero(bins == number) for number in range(len(laws.bin_middles))]
    shares = ndtr(KNOTS)
    every = np.arange(len(scores))
    by_flux = (
        np.array([np.quantile(mark[some if len(some) else every], shares) for some in rows])
        for mark in (size, ratio)
    )
    return (np.quantile(log_flux, shares), *by_flux)


def _smooth(difference: Values) -> Values:
    """Smooth a difference of quantiles over neighboring knots, and let the outermost have that of the last that is kept."""
    inside = np.flatnonzero(np.abs(KNOTS) <= _LARGEST_NORMAL)
    place = np.clip(np.arange(len(KNOTS)), inside[0], inside[-1])
    kernel = np.ones(_SMOOTHED_OVER) / _SMOOTHED_OVER

    def along(row: Values) -> Values:
        padded = np.pad(row[inside], _SMOOTHED_OVER // 2, mode="edge")
        return np.convolve(padded, kernel, mode="valid")[place - inside[0]]

    return np.apply_along_axis(along, -1, difference)
