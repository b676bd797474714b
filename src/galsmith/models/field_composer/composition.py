"""One field composed from its vector: marks of its sources, their positions, their stamps, and the sky."""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from galsmith.data.fields.sky import SKY_NORMAL
from galsmith.models.field_composer.canvas import (
    N_ANGULAR,
    NODES,
    SKY_TABLE,
    add_sources,
    cut_to_levels,
    fill_correlated,
    fill_from_table,
)
from galsmith.models.field_composer.laws import FieldLaws
from galsmith.models.field_composer.positions import draw_positions
from galsmith.models.protocols import ComposedField

Values = NDArray[np.float64]
_EQUAL_SHARES: Values = ndtri((np.arange(SKY_TABLE) + 0.5) / SKY_TABLE)
_EVEN_STEPS: Values = np.linspace(-4.0, 4.0, SKY_TABLE)
_MARGIN_PIX = 4


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

    Returns
    -------
    ComposedField
        The flux of a source is that of its corrected profile, its half-light radius that of the plain one.
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
    light = flux * np.maximum(terms[:, ::N_ANGULAR] @ _shares_of_light(stamps.exponent), 0.0)
    truth = np.stack([x, y, light, size * _half_light_radius(stamps.exponent), ratio, angle], axis=1)
    return ComposedField(canvas, truth)


def _half_light_radius(exponent: float) -> float:
    """Half-light radius of a plain Moffat profile in widths of its core."""
    return math.sqrt(2 * exponent * (2 ** (1 / (exponent - 1)) - 1))


@lru_cache
def _shares_of_light(exponent: float) -> Values:
    """Shares of a profile's light that the terms without an angle multiply, one a node, summing to 1."""
    u = np.concatenate([np.linspace(0, NODES[-1], 1501), np.geomspace(NODES[-1], 1e4, 1500)[1:]])
    weights = u * (1 + u**2 / (2 * exponent)) ** -exponent
    shares = np.array([np.interp(u, NODES, row) for row in np.eye(len(NODES))])
    light = np.trapezoid(shares * weights, u, axis=1)
    return np.asarray(light / light.sum())


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
