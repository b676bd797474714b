"""One field composed from its vector: marks of its sources, their positions, their stamps, and the sky."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from galsmith.data.fields.detection import FieldSources
from galsmith.data.fields.sky import SKY_NORMAL
from galsmith.models.field_composer.canvas import (
    SKY_TABLE,
    add_sources,
    cut_to_levels,
    fill_correlated,
    fill_from_table,
)
from galsmith.models.field_composer.laws import FieldLaws
from galsmith.models.field_composer.positions import draw_positions

Values = NDArray[np.float64]
_EQUAL_SHARES: Values = ndtri((np.arange(SKY_TABLE) + 0.5) / SKY_TABLE)
_EVEN_STEPS: Values = np.linspace(-4.0, 4.0, SKY_TABLE)
_MARGIN_PIX = 4


@dataclass(frozen=True)
class ComposedField:
    """A field and its truth.

    Attributes
    ----------
    pixels : ndarray [y, x], float32
        Whole gray levels divided by 255.
    sources : FieldSources
        All sources that were put there, those too faint to be seen included; `flux` is that of the plain profile, and
        `peak` its brightest point.
    """

    pixels: NDArray[np.float32]
    sources: FieldSources


@dataclass(frozen=True)
class StampLaw:
    """How the light of sources is shaped.

    Attributes
    ----------
    exponent : float
        Of the Moffat profile.
    mean, deviations : ndarray [term], [component, term], float64
        Of the correction's terms; see `stamps`.
    """

    exponent: float
    mean: Values
    deviations: Values


def compose_field(
    vector: Values,
    shape: tuple[int, int],
    *,
    laws: FieldLaws,
    stamps: StampLaw,
    sky_kernel: Values,
    rng: np.random.Generator,
) -> ComposedField:
    """Compose a field.

    Parameters
    ----------
    vector : ndarray [value], float64
        What the field has of its own; see `FieldLaws`.
    shape : tuple of int
        Height and width; the density of sources and of their pairs is that of the vector.
    laws : FieldLaws
        Shared by all fields.
    stamps : StampLaw
        Of the sources' light.
    sky_kernel : ndarray [5, 5], float64
        Of the sky's noise; squares sum to 1, white noise has all in the middle.
    rng : numpy.random.Generator
        Of this field.
    """
    numbers = laws.parted(vector)
    n = numbers.n_sources(shape)
    flux, size, ratio = laws.marks(numbers, n, rng=rng)
    wanted = numbers.wanted_pairs(n, shape, laws.pair_edges_pix)
    x, y = draw_positions(n, shape, wanted, laws.pair_edges_pix, rng=rng)
    angle = rng.uniform(-0.5 * math.pi, 0.5 * math.pi, n)
    # drawn from the law of stamps, of no source of the training set
    terms = stamps.mean + rng.standard_normal((n, len(stamps.deviations))) @ stamps.deviations
    canvas = _sky(numbers.sky, shape, sky_kernel, rng)
    add_sources(canvas, np.stack([x, y, flux, size, ratio, angle], axis=1), terms, stamps.exponent)
    cut_to_levels(canvas)
    peak = flux * (stamps.exponent - 1) / (2 * math.pi * stamps.exponent * size**2)
    return ComposedField(canvas, FieldSources(x, y, flux, size, ratio, angle, peak))


def _sky(
    quantiles: Values, shape: tuple[int, int], kernel: Values, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Draw the noise of a blank sky, [y, x] before it is cut to levels."""
    canvas = np.empty(shape, dtype=np.float32)
    seed = rng.integers(0, 2**64, dtype=np.uint64)
    if kernel[kernel.shape[0] // 2, kernel.shape[1] // 2] == 1:
        # white: independent draws of equally likely values
        table = np.interp(_EQUAL_SHARES, SKY_NORMAL, quantiles).astype(np.float32)
        fill_from_table(canvas, table, seed)
        return canvas
    white = np.empty((shape[0] + _MARGIN_PIX, shape[1] + _MARGIN_PIX), dtype=np.float32)
    fill_from_table(white, _EQUAL_SHARES.astype(np.float32), seed)
    fill_correlated(canvas, white, kernel, np.interp(_EVEN_STEPS, SKY_NORMAL, quantiles).astype(np.float32))
    return canvas
