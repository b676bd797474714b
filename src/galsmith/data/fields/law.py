"""The law of simulated fields: its settings, and the draw of field k with all its sources from (seed, k).

A field is a Thomas process on a torus in which only a share of the points belongs to clusters (Neyman & Scott 1958; Thomas
1949), with marks: fluxes of a bounded Pareto law, log-normal sizes that grow slowly with flux, uniform axis ratios. The
parameters of that law differ from field to field. docs/how-to/cosmology-fields.md says each law and where its numbers are
from.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from galsmith.data.fields.galaxyness import ScoreSettings, realized_quantities, score_of
from galsmith.data.store import SOURCE_COLUMNS
from galsmith.seeds import random_stream
from galsmith.settings import Settings

Values = NDArray[np.float64]
Corruption = Literal["noise", "gradient", "trail", "ghost"]
NonCosmology = Literal["noise", "texture", "flat", "smeared", "photograph"]
COSMOLOGY = "cosmology"
CORRUPTIONS: tuple[Corruption, ...] = ("noise", "gradient", "trail", "ghost")
NON_COSMOLOGY: tuple[NonCosmology, ...] = ("noise", "texture", "flat", "smeared", "photograph")
LAW, SOURCES = "simulate.fields.law", "simulate.fields.sources"


class LogNormal(Settings):
    """A log-normal law: its median, and the standard deviation of the natural logarithm."""

    median: float = Field(gt=0)
    spread: float = Field(ge=0)

    def draw(self, rng: np.random.Generator, count: int | None = None) -> Values:
        """Draw one value, or some."""
        return np.asarray(self.median * np.exp(self.spread * rng.standard_normal(count)))


class CountLaw(Settings):
    """Number of sources of a field: negative binomial, of variance mean + mean^2 / dispersion."""

    mean: float = Field(gt=0, le=20_000)
    dispersion: float = Field(gt=0)


class ClusteringLaw(Settings):
    """Which share of the sources lies in clusters, and how wide these are.

    Attributes
    ----------
    fraction_alpha, fraction_beta : float
        Of the beta law of that share; it differs by field.
    members : float
        Sources of a cluster in the mean.
    radius_pix : LogNormal
        Standard deviation of their offsets from its center along each axis; differs by field.
    """

    fraction_alpha: float = Field(gt=0)
    fraction_beta: float = Field(gt=0)
    members: float = Field(ge=1)
    radius_pix: LogNormal


class FluxLaw(Settings):
    """Bounded Pareto law: the share of sources above f falls as f^-slope between two ends, in summed gray levels."""

    slope: LogNormal
    low: float = Field(gt=0)
    high: float = Field(gt=0)

    @model_validator(mode="after")
    def _check_order(self) -> "FluxLaw":
        """Refuse ends in the wrong order."""
        if self.low >= self.high:
            raise ValueError(f"low is {self.low}, not below high, which is {self.high}; swap them")
        return self

    def at(self, share: Values, slope: float) -> Values:
        """Quantiles of the law."""
        bound = (self.high / self.low) ** -slope
        return np.asarray(self.low * (1 - share * (1 - bound)) ** (-1 / slope))


class SizeLaw(Settings):
    """Half-light radii: that of a field's point source, times a scatter, times (flux / pivot_flux)^flux_power.

    Attributes
    ----------
    r_half_pix : LogNormal
        Of a source of `pivot_flux`; its spread is that between fields.
    scatter : float
        Standard deviation of ln(radius) between the sources of a field.
    flux_power, pivot_flux : float
        How sizes grow with flux.
    low_pix, high_pix : float
        Radii are clipped to these.
    """

    r_half_pix: LogNormal
    scatter: float = Field(ge=0)
    flux_power: float
    pivot_flux: float = Field(gt=0)
    low_pix: float = Field(ge=0.5)
    high_pix: float = Field(gt=0, le=64)


class BackgroundLaw(Settings):
    """Level of the sky and its noise, in gray levels.

    Attributes
    ----------
    mean_level : float
        Of an exponential law whose whole part is the level.
    highest_level : int
        Levels are clipped to this.
    noise_sigma : LogNormal
        Standard deviation of the noise of a pixel; differs by field.
    """

    mean_level: float = Field(gt=0)
    highest_level: int = Field(ge=0, le=255)
    noise_sigma: LogNormal


class FieldSettings(Settings):
    """A recipe of `galsmith simulate fields`.

    Attributes
    ----------
    side_pix : int
        Height and width.
    count, clustering, flux, size, background
        The law of sources and sky.
    axis_ratio_low : float
        Axis ratios are uniform from here to 1; orientations are uniform.
    non_cosmology_share : float
        Of images that are no fields at all, in equal parts of the kinds.
    non_cosmology : tuple of str
        Kinds of these: of `NON_COSMOLOGY`.
    corrupted_share : float
        Of fields that something has spoiled.
    corruptions : tuple of str
        What does: of `CORRUPTIONS`.
    score : ScoreSettings
        How sources become a galaxyness score.
    """

    side_pix: int = Field(ge=32, le=8192)
    axis_ratio_low: float = Field(gt=0.02, le=1)
    non_cosmology_share: float = Field(ge=0, le=1)
    non_cosmology: tuple[NonCosmology, ...] = NON_COSMOLOGY
    corrupted_share: float = Field(ge=0, le=1)
    corruptions: tuple[Corruption, ...] = CORRUPTIONS
    count: CountLaw
    clustering: ClusteringLaw
    flux: FluxLaw
    size: SizeLaw
    background: BackgroundLaw
    score: ScoreSettings

    @model_validator(mode="after")
    def _check_shares(self) -> "FieldSettings":
        """Refuse shares that leave less than nothing, and a share of no kind."""
        if self.non_cosmology_share + self.corrupted_share > 1:
            raise ValueError("non_cosmology_share and corrupted_share sum to more than 1; lower one")
        for share, kinds in (("non_cosmology_share", "non_cosmology"), ("corrupted_share", "corruptions")):
            if getattr(self, share) > 0 and not getattr(self, kinds):
                raise ValueError(f"{kinds} names no kind; name one, or set {share} to 0")
        return self


@dataclass(frozen=True)
class FieldDraw:
    """All that is decided of one field before a pixel is made.

    Attributes
    ----------
    kind : str
        ``"cosmology"``, ``"corrupted_<what>"``, or ``"not_<kind>"`` of what is no field.
    strength : float
        Of what spoils it, 0 to 1; 0 for clean ones. Of what is no field: how dark it is, 0 to 1.
    background_level, noise_sigma : float
        Of the sky, in gray levels.
    clustered_share, cluster_radius_pix, flux_slope, r_half_pix : float
        Parameters of its own law.
    sources : ndarray [source, column], float64
        Columns as `galsmith.data.store.SOURCE_COLUMNS`; positions from 0 to side_pix on a torus, pixel centers on integers.
    """

    kind: str
    strength: float
    background_level: float
    noise_sigma: float
    clustered_share: float
    cluster_radius_pix: float
    flux_slope: float
    r_half_pix: float
    sources: Values

    @property
    def is_cosmology(self) -> bool:
        """Whether it is a clean field, which has label 1."""
        return self.kind == COSMOLOGY


def draw_field(settings: FieldSettings, *, seed: int, position: int) -> FieldDraw:
    """Draw field `position` of a seed: its own law, then its sources, each from a stream of its own.

    Parameters
    ----------
    settings : FieldSettings
        The recipe.
    seed : int
        The user's seed.
    position : int
        Which field.
    """
    rng = random_stream(seed, LAW, position)
    kind, strength = _draw_kind(settings, rng)
    sky = settings.background
    level = min(math.floor(rng.exponential(sky.mean_level)), sky.highest_level)
    noise_sigma = float(sky.noise_sigma.draw(rng))
    share = float(rng.beta(settings.clustering.fraction_alpha, settings.clustering.fraction_beta))
    radius_pix = float(settings.clustering.radius_pix.draw(rng))
    slope = float(settings.flux.slope.draw(rng))
    r_half_pix = float(settings.size.r_half_pix.draw(rng))
    # gamma mixture of Poisson laws of this mean
    success = settings.count.dispersion / (settings.count.dispersion + settings.count.mean)
    count = int(rng.negative_binomial(settings.count.dispersion, success))
    has_sources = not kind.startswith("not_") or kind == "not_smeared"
    stream = random_stream(seed, SOURCES, position)
    sources = np.empty((count if has_sources else 0, len(SOURCE_COLUMNS)))
    sources[:, :2] = draw_positions(settings, len(sources), share=share, radius_pix=radius_pix, rng=stream)
    sources[:, 2:] = _draw_marks(settings, len(sources), slope=slope, r_half_pix=r_half_pix, rng=stream)
    return FieldDraw(kind, strength, level, noise_sigma, share, radius_pix, slope, r_half_pix, sources)


def draw_positions(
    settings: FieldSettings, count: int, *, share: float, radius_pix: float, rng: np.random.Generator
) -> Values:
    """Draw positions on a torus, of which a share lies in clusters.

    Ripley's function of it is K(r) = pi r^2 + A share^2 / n_clusters (1 - exp(-r^2 / 4 radius_pix^2)), as that of a Thomas
    process (Illian et al. 2008, eq. 6.3.9) whose members are a binomial share of `count` points, A the area.

    Parameters
    ----------
    settings : FieldSettings
        Side and members of a cluster.
    count : int
        How many.
    share : float
        Chance of a point to belong to a cluster.
    radius_pix : float
        Standard deviation of its offset along each axis.
    rng : numpy.random.Generator
        Where chance is from.

    Returns
    -------
    ndarray [source, 2], float64
        x and y in [0, side_pix).
    """
    side = settings.side_pix
    positions = rng.uniform(0, side, (count, 2))
    is_member = rng.random(count) < share
    n_clusters = max(1, round(count * share / settings.clustering.members))
    centers = rng.uniform(0, side, (n_clusters, 2))
    chosen = centers[rng.integers(0, n_clusters, count)]
    offsets = radius_pix * rng.standard_normal((count, 2))
    return np.where(is_member[:, np.newaxis], np.mod(chosen + offsets, side), positions)


def _draw_marks(
    settings: FieldSettings, count: int, *, slope: float, r_half_pix: float, rng: np.random.Generator
) -> Values:
    """Draw flux, half-light radius, axis ratio and orientation of sources, [source, 4]."""
    law = settings.size
    flux = settings.flux.at(rng.random(count), slope)
    radius = r_half_pix * np.exp(law.scatter * rng.standard_normal(count))
    radius = np.clip(radius * (flux / law.pivot_flux) ** law.flux_power, law.low_pix, law.high_pix)
    ratio = rng.uniform(settings.axis_ratio_low, 1, count)
    angle = math.pi / 2 - rng.uniform(0, math.pi, count)  # in (-pi/2, pi/2]
    return np.stack([flux, radius, ratio, angle], axis=1)


def _draw_kind(settings: FieldSettings, rng: np.random.Generator) -> tuple[str, float]:
    """Draw what an image is, and how strongly; every kind takes the same random numbers."""
    which, among, strength = rng.random(3)
    if which < settings.non_cosmology_share:
        kinds = settings.non_cosmology
        return f"not_{kinds[int(among * len(kinds))]}", float(strength)
    if which < settings.non_cosmology_share + settings.corrupted_share:
        spoils = settings.corruptions
        return f"corrupted_{spoils[int(among * len(spoils))]}", float(strength)
    return COSMOLOGY, 0.0


def score_field(draw: FieldDraw, settings: FieldSettings) -> tuple[Values, float]:
    """Measure the realized sources of a field, and score it.

    Returns
    -------
    quantities : ndarray [4], float64
        As `galsmith.data.fields.galaxyness.QUANTITIES`.
    galaxyness : float
        0 to 8.
    """
    quantities = realized_quantities(draw.sources, settings.score, side_pix=settings.side_pix)
    return quantities, score_of(draw.kind, draw.strength, quantities, settings.score)
