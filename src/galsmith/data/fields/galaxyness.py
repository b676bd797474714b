"""The galaxyness score of simulated fields: a fixed function of realized sources, mapped to the law of real scores.

The real scores come from a function that nobody knows. This one is a stand-in: four quantities of the sources that are in
the image enter a sum with a product, whose rank among clean fields is looked up in the law of the 9,600 published scores.
What spoils a field puts it below all clean ones, what is no field below these.
"""

import numba
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from galsmith.settings import Settings

Values = NDArray[np.float64]
QUANTITIES = ("log_pair_excess", "mean_log_flux", "mean_log_r_half", "log_count")
# To the excess of pairs before its logarithm, so that a field without pairs has one.
PAIR_OFFSET = 0.3
HIGHEST_SCORE = 8.0
# Quantiles 0, 1/100, ... 1 of the 9,600 scores of the Galaxy Project of the ETHZ computational intelligence lab, 2020
# (Blatter et al. 2020, Fig. 2), linear between them; no more of the file than these.
REAL_QUANTILES = (
    0.0001,
    0.0004,
    0.0005,
    0.0006,
    0.0007,
    0.0007,
    0.0008,
    0.0010,
    0.0012,
    0.0015,
    0.0021,
    0.0046,
    0.0166,
    0.3002,
    0.3775,
    0.4404,
    0.5018,
    0.5679,
    0.6274,
    0.6852,
    0.7429,
    0.8065,
    0.8685,
    0.9490,
    1.0287,
    1.1016,
    1.1699,
    1.1961,
    1.2165,
    1.2342,
    1.2492,
    1.2651,
    1.2757,
    1.2894,
    1.2996,
    1.3090,
    1.3213,
    1.3311,
    1.3427,
    1.3533,
    1.3649,
    1.3752,
    1.3889,
    1.4003,
    1.4117,
    1.4287,
    1.4402,
    1.4556,
    1.4709,
    1.4878,
    1.5027,
    1.5200,
    1.5406,
    1.5587,
    1.5758,
    1.5966,
    1.6155,
    1.6363,
    1.6546,
    1.6782,
    1.7020,
    1.7269,
    1.7561,
    1.7867,
    1.8177,
    1.8541,
    1.8831,
    1.9236,
    1.9623,
    1.9962,
    2.0416,
    2.0859,
    2.1241,
    2.1712,
    2.2158,
    2.2693,
    2.3148,
    2.3635,
    2.4230,
    2.4754,
    2.5190,
    2.5636,
    2.6140,
    2.6756,
    2.7394,
    2.8001,
    2.8722,
    2.9436,
    3.0110,
    3.0779,
    3.1509,
    3.2207,
    3.3170,
    3.4088,
    3.5162,
    3.6402,
    3.8048,
    4.0236,
    4.2639,
    4.6640,
    6.2498,
)


class ScoreSettings(Settings):
    """How the sources of a field become its score.

    Attributes
    ----------
    pair_radius_pix : float
        Pairs of sources nearer than this are counted.
    flux_cap : float
        Larger fluxes weigh as much as this in the pairs.
    centers, scales : tuple of 4 float
        Mean and standard deviation of `QUANTITIES` over clean fields, by which they are standardized.
    weights : tuple of 4 float
        Of the standardized quantities in the similarity.
    product_weight : float
        Of pair excess times flux, so that the parts cannot be learned one by one.
    similarity_quantiles : tuple of float
        Quantiles 0 to 1, at equal steps, of the similarity over clean fields: ranks are looked up here. `centers`, `scales`
        and these belong to the law of the recipe; ``benchmarks/fields/calibrate.py`` makes them.
    non_cosmology_below, corrupted_below : float
        Ranks in the law of real scores: what is no field stays below the first, spoiled fields between the two.
    """

    pair_radius_pix: float = Field(gt=0)
    flux_cap: float = Field(gt=0)
    centers: tuple[float, float, float, float]
    scales: tuple[float, float, float, float]
    weights: tuple[float, float, float, float]
    product_weight: float
    similarity_quantiles: tuple[float, ...] = Field(min_length=2)
    non_cosmology_below: float = Field(ge=0, le=1)
    corrupted_below: float = Field(ge=0, le=1)

    @model_validator(mode="after")
    def _check_order(self) -> "ScoreSettings":
        """Refuse ranks in the wrong order, scales of nothing and quantiles that fall."""
        if self.non_cosmology_below > self.corrupted_below:
            raise ValueError("non_cosmology_below is above corrupted_below; swap them")
        if min(self.scales) <= 0:
            raise ValueError(f"scales are {self.scales}; wanted above 0")
        if np.any(np.diff(self.similarity_quantiles) < 0):
            raise ValueError("similarity_quantiles fall somewhere; wanted them rising")
        return self


def realized_quantities(sources: Values, settings: ScoreSettings, *, side_pix: int) -> Values:
    """Measure the quantities of realized sources on which a score depends.

    Parameters
    ----------
    sources : ndarray [source, column], float64
        Columns as `galsmith.data.store.SOURCE_COLUMNS`.
    settings : ScoreSettings
        Radius and cap of the pairs.
    side_pix : int
        Side of the field, whose opposite edges are neighbors.

    Returns
    -------
    ndarray [4], float64
        `QUANTITIES`; those of the centers for a field without sources, but for the count.
    """
    n = len(sources)
    if n == 0:
        return np.array([*settings.centers[:3], 0.0])
    x, y, flux, radius = sources[:, :4].T.copy()
    weights = np.minimum(flux, settings.flux_cap)
    weights = weights / weights.mean()
    pairs = _weighted_pairs(x, y, weights, float(side_pix), settings.pair_radius_pix)
    expected = n * n * np.pi * settings.pair_radius_pix**2 / side_pix**2
    return np.array(
        [
            np.log(pairs / expected + PAIR_OFFSET),
            np.log(flux).mean(),
            np.log(radius).mean(),
            np.log(n + 1.0),
        ]
    )


def similarity_of(quantities: Values, settings: ScoreSettings) -> Values:
    """Similarity to an ideal field, from quantities [..., 4]."""
    standard = (quantities - np.array(settings.centers)) / np.array(settings.scales)
    product = standard[..., 0] * standard[..., 1]
    return np.asarray(standard @ np.array(settings.weights) + settings.product_weight * product)


def score_of(kind: str, strength: float, quantities: Values, settings: ScoreSettings) -> float:
    """Score one image.

    Parameters
    ----------
    kind : str
        As `galsmith.data.fields.law.FieldDraw` has it.
    strength : float
        Of what spoils it; darkness of what is no field.
    quantities : ndarray [4], float64
        As `realized_quantities` gives them.
    settings : ScoreSettings
        The score's.
    """
    if kind.startswith("not_"):
        rank = settings.non_cosmology_below * strength
    else:
        rank = rank_of(float(similarity_of(quantities, settings)), settings)
        if kind.startswith("corrupted_"):
            # Half what the field would have been, half how little it is spoiled.
            share = 0.5 * rank + 0.5 * (1 - strength)
            rank = settings.non_cosmology_below + share * (
                settings.corrupted_below - settings.non_cosmology_below
            )
        else:
            rank = settings.corrupted_below + rank * (1 - settings.corrupted_below)
    return real_score_at(rank)


def rank_of(similarity: float, settings: ScoreSettings) -> float:
    """Rank of a similarity among clean fields, 0 to 1."""
    quantiles = np.asarray(settings.similarity_quantiles)
    return float(np.interp(similarity, quantiles, np.linspace(0, 1, len(quantiles))))


def real_score_at(rank: float) -> float:
    """Score that has this rank among the published ones."""
    return float(np.interp(rank, np.linspace(0, 1, len(REAL_QUANTILES)), REAL_QUANTILES))


@numba.njit(cache=True)
def _weighted_pairs(x: Values, y: Values, weights: Values, side: float, radius: float) -> float:
    """Sum the products of weights over ordered pairs of other sources nearer than a radius, on a torus."""
    total = 0.0
    for one in range(len(x)):
        for other in range(one):
            across = abs(x[one] - x[other])
            across = min(across, side - across)
            along = abs(y[one] - y[other])
            along = min(along, side - along)
            if across * across + along * along < radius * radius:
                total += 2 * weights[one] * weights[other]
    return total
