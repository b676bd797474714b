"""The law of galaxies of several components: its settings, each number in a recipe, where its source stands beside it.

Absolute magnitudes follow Schechter's law; sizes follow the relations of Shen et al. (2003); what a galaxy is made of
depends on its kind. docs/how-to/simulate-components.md says each law in words.
"""

import math
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from scipy.special import ndtr, ndtri

from galsmith.data.sersic import Prior
from galsmith.settings import Settings

Values = NDArray[np.float64]
KINDS = ("elliptical", "lenticular", "spiral", "irregular")
PARSEC_FOR_MODULUS = 10.0
ARCSEC_PER_RADIAN = 180 * 3600 / math.pi


class Normal(Settings):
    """A normal law, cut at two ends."""

    center: float
    spread: float = Field(gt=0)
    low: float
    high: float

    @model_validator(mode="after")
    def _check_order(self) -> "Normal":
        """Refuse ends in the wrong order."""
        if not self.low < self.high:
            raise ValueError(f"low is {self.low}, not below high, which is {self.high}; swap them")
        return self

    def at(self, share: Values) -> Values:
        """Quantiles at shares from 0 to 1."""
        low, high = (ndtr((end - self.center) / self.spread) for end in (self.low, self.high))
        return np.clip(self.center + self.spread * ndtri(low + (high - low) * share), self.low, self.high)


class LogNormal(Settings):
    """A log-normal law, cut at two ends: its median, and the standard deviation of the natural logarithm."""

    median: float = Field(gt=0)
    spread: float = Field(gt=0)
    low: float = Field(gt=0)
    high: float = Field(gt=0)

    def at(self, share: Values) -> Values:
        """Quantiles at shares from 0 to 1."""
        law = Normal(
            center=math.log(self.median),
            spread=self.spread,
            low=math.log(self.low),
            high=math.log(self.high),
        )
        return np.clip(np.exp(law.at(share)), self.low, self.high)


class FrameLaw(Settings):
    """Side of an image: a multiple of the half-light radius along the major axis, between two ends.

    Attributes
    ----------
    half_light_radii : float
        Side in such radii.
    low_pix, high_pix : int
        Sides are clipped to these.
    offset_pix : float
        Centers are uniform within so much of the frame's middle along each axis.
    """

    half_light_radii: float = Field(gt=1)
    low_pix: int = Field(ge=8, le=2048)
    high_pix: int = Field(ge=8, le=2048)
    offset_pix: float = Field(ge=0)

    @model_validator(mode="after")
    def _check_order(self) -> "FrameLaw":
        """Refuse ends in the wrong order."""
        if self.low_pix > self.high_pix:
            raise ValueError(
                f"low_pix is {self.low_pix}, above high_pix, which is {self.high_pix}; swap them"
            )
        return self


class LuminosityLaw(Settings):
    """Schechter's law of absolute magnitudes in the reference band, between two ends (Schechter 1976, eq. 1)."""

    magnitude_star: float
    slope: float
    faint: float
    bright: float

    @model_validator(mode="after")
    def _check_order(self) -> "LuminosityLaw":
        """Refuse ends in the wrong order: the brighter magnitude is the smaller one."""
        if not self.bright < self.faint:
            raise ValueError(f"bright is {self.bright}, not below faint, which is {self.faint}; swap them")
        return self

    def at(self, share: Values) -> Values:
        """Magnitudes at shares from the faint end to the bright one."""
        grid = np.linspace(self.faint, self.bright, 4096)
        ratio = 10 ** (-0.4 * (grid - self.magnitude_star))
        density = ratio ** (self.slope + 1) * np.exp(-ratio)
        steps = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2)])
        return np.interp(share, steps / steps[-1], grid)


class KindLaw(Settings):
    """Shares of the kinds at magnitude_star; what is left are spirals.

    Attributes
    ----------
    elliptical, lenticular, irregular : float
        Shares there.
    elliptical_per_mag, irregular_per_mag : float
        By how much these shares grow with each magnitude that a galaxy is brighter.
    """

    elliptical: float = Field(ge=0, le=1)
    elliptical_per_mag: float
    lenticular: float = Field(ge=0, le=1)
    irregular: float = Field(ge=0, le=1)
    irregular_per_mag: float

    @model_validator(mode="after")
    def _check_sum(self) -> "KindLaw":
        """Refuse shares of more than all."""
        if self.elliptical + self.lenticular + self.irregular > 1:
            raise ValueError("elliptical, lenticular and irregular sum to more than 1; lower one")
        return self

    def at(self, share: Values, brighter_mag: Values) -> NDArray[np.int64]:
        """Place in `KINDS` of galaxies that are so many magnitudes brighter than magnitude_star."""
        elliptical = np.clip(self.elliptical + self.elliptical_per_mag * brighter_mag, 0, 1)
        irregular = np.clip(self.irregular + self.irregular_per_mag * brighter_mag, 0, 1 - elliptical)
        spiral = np.clip(1 - elliptical - irregular - self.lenticular, 0, 1)
        ends = np.cumsum([elliptical, 1 - elliptical - irregular - spiral, spiral], axis=0)
        return (share >= ends).sum(axis=0)


class EarlySizeLaw(Settings):
    """Radii of ellipticals: log10(r_half / kpc) = -0.4 a M + b (Shen et al. 2003, eq. 14), and their scatter in ln."""

    a: float
    b: float
    scatter: float = Field(ge=0)


class LateSizeLaw(Settings):
    """Radii of all others: Shen et al. 2003, eqs. 15 and 16; scatter_faint is their sigma_1, scatter_bright sigma_2."""

    alpha: float
    beta: float
    gamma: float
    pivot_mag: float
    scatter_faint: float = Field(ge=0)
    scatter_bright: float = Field(ge=0)

    def at(self, magnitude: Values, deviate: Values) -> Values:
        """Radii in kpc; `deviate` is a standard normal number a galaxy."""
        below = -0.4 * (magnitude - self.pivot_mag)
        median = (
            -0.4 * self.alpha * magnitude + (self.beta - self.alpha) * np.log10(1 + 10**below) + self.gamma
        )
        scatter = self.scatter_bright + (self.scatter_faint - self.scatter_bright) / (1 + 10 ** (2 * below))
        return np.asarray(10**median * np.exp(scatter * deviate))


class EllipticalLaw(Settings):
    """One Sérsic component: index, apparent axis ratio."""

    sersic_index: LogNormal
    axis_ratio: Normal


class BulgeLaw(Settings):
    """The bulge of what has a disk.

    Attributes
    ----------
    spiral_alpha, spiral_beta, lenticular_alpha, lenticular_beta : float
        Beta laws of its share of the light in the reference band.
    irregular_share : float
        Its share in an irregular.
    sersic_index : LogNormal
        n.
    radius_ratio : LogNormal
        Its effective radius in those of the disk, along the major axis.
    flattening : Prior
        Axis ratio seen from the side.
    """

    spiral_alpha: float = Field(gt=0)
    spiral_beta: float = Field(gt=0)
    lenticular_alpha: float = Field(gt=0)
    lenticular_beta: float = Field(gt=0)
    irregular_share: float = Field(ge=0, lt=1)
    sersic_index: LogNormal
    radius_ratio: LogNormal
    flattening: Prior


class DiskLaw(Settings):
    """The disk, exponential: axis ratio seen from the side. Directions of view are uniform on the sphere."""

    thickness: Normal


class BarLaw(Settings):
    """The bar, in the plane of the disk, from whose light it is taken.

    Attributes
    ----------
    share : float
        Of spirals and lenticulars that have one.
    fraction : Prior
        Of the disk's light.
    radius_ratio : Prior
        Its effective radius along its major axis in the disk's.
    axis_ratio : Prior
        Seen from above.
    sersic_index : float
        n; below 1 its end is sharp.
    """

    share: float = Field(ge=0, le=1)
    fraction: Prior
    radius_ratio: Prior
    axis_ratio: Prior
    sersic_index: float = Field(ge=0.5, le=2)


class ArmLaw(Settings):
    """Logarithmic spirals that move the disk's light along each circle, and leave its sum as it is.

    With theta = m (phi - cot(pitch) ln(r / r_eff) - phase) the disk is multiplied by
    1 + c t(r) (exp(k cos theta) / I0(k) - 1), c the contrast, k the sharpness, t rising from 0 to 1 at `inner_ratio`
    effective radii and falling to 0 at `outer_ratio`.

    Attributes
    ----------
    count_shares : tuple of float
        Shares of two, three and four arms.
    pitch_deg : Normal
        Pitch angle.
    contrast, sharpness : Prior
        c in the reference band, and k.
    blueness : float
        c goes with wavelength to the power of minus this: young stars lie in arms.
    inner_ratio, outer_ratio : float
        Where arms, and waves with them, begin and end, in effective radii.
    unequal : Prior
        How much stronger arms are on one side.
    """

    count_shares: Annotated[tuple[float, ...], Field(min_length=3, max_length=3)]
    pitch_deg: Normal
    contrast: Prior
    sharpness: Prior
    blueness: float = Field(ge=0)
    inner_ratio: float = Field(gt=0)
    outer_ratio: float = Field(gt=0)
    unequal: Prior


class ModeLaw(Settings):
    """What is uneven in a disk: a side that is brighter (m = 1), and waves of random m, pitch and phase.

    Attributes
    ----------
    lopsidedness : Prior
        Amplitude of m = 1.
    waves : int
        How many waves of m from 3 to `highest`.
    amplitude : Prior
        Of each, in spirals.
    irregular_factor : float
        How much larger both are in irregulars.
    highest : int
        Largest m.
    """

    lopsidedness: Prior
    waves: int = Field(ge=0, le=32)
    amplitude: Prior
    irregular_factor: float = Field(ge=0)
    highest: int = Field(ge=3, le=32)


class ClumpLaw(Settings):
    """Star-forming regions: Gaussian spots in the disk, more of them on the arms.

    Attributes
    ----------
    spiral_fraction, irregular_fraction : Prior
        Of the disk's light in the reference band.
    mean_number : float
        Of a Poisson law.
    slope : float
        Of the Pareto law of their fluxes, N(> f) ~ f^(1 - slope), over `range_factor`.
    range_factor : float
        Largest flux in smallest.
    radius_ratio : Prior
        Standard deviation in effective radii of the disk.
    """

    spiral_fraction: Prior
    irregular_fraction: Prior
    mean_number: float = Field(gt=0, le=1000)
    slope: float = Field(gt=1)
    range_factor: float = Field(gt=1)
    radius_ratio: Prior


class ColorLaw(Settings):
    """Colors of components: neighbors' differences of magnitudes are straight lines of the first one.

    Attributes
    ----------
    old, disk : Normal
        First color (g - r) of ellipticals and bulges, and of disks and bars.
    old_per_mag : float
        By how much `old` grows with each magnitude that a galaxy is brighter than magnitude_star.
    young : float
        First color of clumps.
    intercepts, slopes : tuple of float
        Of the colors that follow.
    size_gradient : Normal
        Radii of disks and ellipticals go with wavelength to the power of minus this.
    """

    old: Normal
    old_per_mag: float
    disk: Normal
    young: float
    intercepts: tuple[float, ...]
    slopes: tuple[float, ...]
    size_gradient: Normal


class DustLaw(Settings):
    """A thin layer in the middle of the disk, denser along the inner edges of arms.

    Attributes
    ----------
    optical_depth : LogNormal
        At the center, through the whole layer, seen from above, at 0.55 um.
    lenticular_factor : float
        Times this in lenticulars; ellipticals have none.
    radius_ratio : float
        Scale length in that of the disk's light.
    thickness : float
        Axis ratio seen from the side.
    mixed_share : float
        Of the disk's light that lies in the layer, seen from above; the rest lies on both sides of it.
    wavelength_power : float
        Optical depth goes with wavelength to the power of minus this.
    lane_contrast : float
        Of the arms in it; 0 for none.
    lane_shift_rad : float
        Of its arms against those of the light, in theta, toward the inside.
    """

    optical_depth: LogNormal
    lenticular_factor: float = Field(ge=0)
    radius_ratio: float = Field(gt=0)
    thickness: float = Field(gt=0, le=1)
    mixed_share: float = Field(ge=0, le=1)
    wavelength_power: float = Field(ge=0)
    lane_contrast: float = Field(ge=0, le=1)
    lane_shift_rad: float


class ComponentSettings(Settings):
    """A recipe of `galsmith simulate components`.

    Attributes
    ----------
    bands : tuple of str
        Filters.
    wavelengths_um : tuple of float
        Of each.
    reference_band : str
        In which magnitudes, sizes and shares are.
    zero_point_mag : float
        AB magnitude of 1 electron / s, in all bands.
    distance_mpc : float
        Of all galaxies.
    physical_pixel_kpc : float
        Length per pixel side.
    frame, luminosity, kinds, early_size, late_size, elliptical, bulge, disk, bar, arms, modes, clumps, colors, dust
        The law, part by part.
    """

    bands: tuple[str, ...] = Field(min_length=1)
    wavelengths_um: tuple[float, ...]
    reference_band: str
    zero_point_mag: float
    distance_mpc: float = Field(gt=0)
    physical_pixel_kpc: float = Field(gt=0)
    frame: FrameLaw
    luminosity: LuminosityLaw
    kinds: KindLaw
    early_size: EarlySizeLaw
    late_size: LateSizeLaw
    elliptical: EllipticalLaw
    bulge: BulgeLaw
    disk: DiskLaw
    bar: BarLaw
    arms: ArmLaw
    modes: ModeLaw
    clumps: ClumpLaw
    colors: ColorLaw
    dust: DustLaw

    @model_validator(mode="after")
    def _check_bands(self) -> "ComponentSettings":
        """Refuse numbers of another count of bands, and a reference that is none of them."""
        n = len(self.bands)
        if len(self.wavelengths_um) != n or min(self.wavelengths_um) <= 0:
            raise ValueError(f"wavelengths_um is {self.wavelengths_um}; wanted {n} above 0, one a band")
        if self.reference_band not in self.bands:
            raise ValueError(
                f"reference_band is {self.reference_band!r}; wanted one of {', '.join(self.bands)}"
            )
        later = max(n - 2, 0)
        if len(self.colors.intercepts) != later or len(self.colors.slopes) != later:
            raise ValueError(
                f"colors.intercepts and colors.slopes: wanted {later} numbers each for {n} bands"
            )
        return self

    @model_validator(mode="after")
    def _check_light(self) -> "ComponentSettings":
        """Refuse disks whose light could become negative where arms and waves leave least."""
        strongest = max((self.reference_um / um) ** self.arms.blueness for um in self.wavelengths_um)
        arms = self.arms.contrast.high * strongest * (1 + self.arms.unequal.high)
        waves = self.modes.lopsidedness.high + self.modes.waves * self.modes.amplitude.high
        for kind, least in (("spiral", arms + waves), ("irregular", waves * self.modes.irregular_factor)):
            if least > 1:
                raise ValueError(
                    f"arms and modes take up to {least:.2f} of the light of {kind} disks away; wanted at most 1, so lower "
                    "arms.contrast, arms.unequal, arms.blueness or modes"
                )
        return self

    @property
    def reference(self) -> int:
        """Place of the reference band."""
        return self.bands.index(self.reference_band)

    @property
    def reference_um(self) -> float:
        """Wavelength of the reference band."""
        return self.wavelengths_um[self.bands.index(self.reference_band)]

    @property
    def distance_modulus_mag(self) -> float:
        """Apparent less absolute magnitude."""
        return 5 * math.log10(self.distance_mpc * 1e6 / PARSEC_FOR_MODULUS)

    @property
    def pixel_scale_arcsec(self) -> float:
        """Angle of a pixel's side at the distance of the galaxies."""
        return self.physical_pixel_kpc / (self.distance_mpc * 1e3) * ARCSEC_PER_RADIAN
