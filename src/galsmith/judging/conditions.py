"""In which conditions images were taken, as some of them tell, and where two sets differ in these: `unlike_conditions`."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from galsmith.compare.conditions import Condition
from galsmith.errors import InputError
from galsmith.images import ImageHeader, ImageSet
from galsmith.images.header import UNKNOWN_UNIT
from galsmith.measure.segmentation import border_level

Floats = NDArray[np.float64]

LOOKED_AT = 64
SIGMA_PER_MAD = 1.4826  # of Gaussian noise
# As FITS and PNG store whole numbers: 8 and 16 bits.
LEVELS = (2**8, 2**16)
RINGS, FINEST_RINGS = 16, 5
# White noise has power 1 in units of its variance at every frequency; detail ends where a tenth is left.
LEAST_POWER = 0.1
BRIGHT_PERCENTILE = 99.5
# Sources stand out of the sky by so many sigmas, in so many pixels, after smoothing by a Gaussian of 1 px.
SOURCE_SIGMA, SOURCE_PIXELS, SOURCE_SMOOTHING_PIX = 5.0, 5, 1.0
# Of a field there are many sources, none with most of the light, and one in the middle by chance alone. Tiles of KiDS
# (256 px) and of the Hubble Deep Field (128 px) have 9 and 20, 0.54 and 0.33, 0.0 and 0.2; stamps of Galaxy Zoo, whose
# galaxies have as many neighbors (12), 0.90 and 1.0; cutouts of 200 px around galaxies of KiDS 6, 0.54 and 0.8.
FIELD_SOURCES, FIELD_LARGEST_SHARE, FIELD_CENTRAL_SHARE = 6, 0.7, 0.5
CENTER_REACH_PIX = 2
# Between two sets: what one of them has so many times, a width that differs by a tenth, a sixth of all frequencies and a
# tenth of the power in the last ones. Thirty galaxies of EFIGI differ from thirty others by up to 0.13 cycles per pixel and
# 0.6 dex; blurred by a Gaussian of 1 px they differ by 0.2 and 2.6 dex, of 0.6 px by 0.1 and 0.7.
OTHER_BRIGHTNESS, OTHER_WIDTH, OTHER_FREQUENCY, OTHER_POWER_DEX = 8.0, 0.1, 0.09, 1.0
FACTORS = (255.0, 65535.0)  # of 8 and of 16 bits to 0..1
FACTOR_OF_BITS = 257.0  # of 16 bits to 8
SIGMA_PER_FWHM = 1 / (2 * math.sqrt(2 * math.log(2)))


@dataclass(frozen=True)
class ImageConditions:
    """What some images of a set tell of how they were taken; NaN where they do not.

    Attributes
    ----------
    n_levels : int
        256 or 65,536 where values are as whole numbers of 8 or 16 bits are; 0 where they are of any value.
    step : float
        Between two neighboring levels, in flux units; 0 where there are none.
    noise_sigma : float
        Scatter of the border's pixels, in flux units.
    bright : float
        What the brightest 0.5 % of an image's pixels exceed, above the sky, in flux units.
    finest_frequency : float
        Up to which there is detail or noise, in cycles per pixel; 0.5 in images that were not smoothed.
    finest_power : float
        Decimal logarithm of the power from 0.35 to 0.5 cycles per pixel, in units of that of white noise.
    n_sources : float
        Sources an image.
    largest_share : float
        Of the light of all sources that the brightest has.
    central_share : float
        Of images whose middle lies in a source.
    """

    n_levels: int
    step: float
    noise_sigma: float
    bright: float
    finest_frequency: float
    finest_power: float
    n_sources: float
    largest_share: float
    central_share: float

    @property
    def is_of_fields(self) -> bool:
        """Whether these are images of many sources, and not of one galaxy each."""
        return (
            self.n_sources >= FIELD_SOURCES
            and self.largest_share < FIELD_LARGEST_SHARE
            and self.central_share < FIELD_CENTRAL_SHARE
        )


def conditions_of_images(images: ImageSet) -> ImageConditions:
    """Look at some images of a set, evenly over it, each in its middle band.

    Parameters
    ----------
    images : ImageSet
        At least one.
    """
    rows = np.unique(np.linspace(0, len(images) - 1, LOOKED_AT).round().astype(np.int64))
    stamps = [image[len(image) // 2].astype(np.float64) for image in images.pixels.read(rows)]
    usable = [stamp for stamp in stamps if np.isfinite(stamp).all() and np.ptp(stamp) > 0]
    if not usable:
        nan = float("nan")
        return ImageConditions(0, 0.0, nan, nan, nan, nan, nan, nan, nan)
    n_levels, step = levels_of(usable)
    levels = [border_level(stamp) for stamp in usable]
    excess = [stamp - level for stamp, level in zip(usable, levels, strict=True)]
    sigmas = np.array([_border_sigma(stamp) for stamp in excess])
    found = np.array([_sources(stamp, sigma) for stamp, sigma in zip(excess, sigmas, strict=True)])
    finest_frequency, finest_power = _finest(excess, sigmas)
    return ImageConditions(
        n_levels,
        step,
        noise_sigma=float(np.median(sigmas)),
        bright=float(np.median([np.percentile(stamp, BRIGHT_PERCENTILE) for stamp in excess])),
        finest_frequency=finest_frequency,
        finest_power=finest_power,
        n_sources=float(np.median(found[:, 0])),
        largest_share=float(np.median(found[:, 1])),
        central_share=float(np.mean(found[:, 2])),
    )


def levels_of(stamps: list[Floats]) -> tuple[int, float]:
    """Tell how many levels values may have, and their step, flux; 0 and 0 where they are of any value.

    Parameters
    ----------
    stamps : list of ndarray [y, x], float64
        Finite.
    """
    values, counts = np.unique(np.concatenate([stamp.ravel() for stamp in stamps]), return_counts=True)
    steps = np.diff(values)
    step = float(steps.min()) if steps.size else 0.0
    if step == 0.0:
        return 0, 0.0
    # Whole multiples of one step, as whole numbers have that were scaled; float32 has 24 bits.
    spans = steps / step
    is_even = (
        bool(np.all(np.abs(spans - np.round(spans)) < 1e-2)) and values[-1] - values[0] < LEVELS[-1] * step
    )
    # Or far fewer values than pixels, as after a gamma; the most frequent value may be a filled border.
    is_few = len(values) < 0.1 * (counts.sum() - counts.max())
    if not (is_even or is_few) or len(values) > LEVELS[-1]:
        return 0, 0.0
    n_values = round((values[-1] - values[0]) / step) + 1 if is_even else len(values)
    return next(level for level in LEVELS if n_values <= level), step


def _border_sigma(excess: Floats) -> float:
    """Scatter of the border's pixels about the level that was taken off, from the median of their distances."""
    depth = max(1, min(excess.shape) // 16)
    inner = np.zeros(excess.shape, dtype=bool)
    inner[depth:-depth, depth:-depth] = True
    return float(SIGMA_PER_MAD * np.median(np.abs(excess[~inner])))


def _finest(stamps: list[Floats], sigmas: Floats) -> tuple[float, float]:
    """Find up to which frequency most images have a tenth of the power of white noise, and what the last rings have."""
    profiles = [
        _ring_power(stamp) / sigma**2 for stamp, sigma in zip(stamps, sigmas, strict=True) if sigma > 0
    ]
    if not profiles:
        return float("nan"), float("nan")
    usual = np.median(profiles, axis=0)
    reached = np.flatnonzero(usual >= LEAST_POWER)
    last = np.maximum(usual[-FINEST_RINGS:], np.finfo(np.float64).tiny)
    return float(0.5 * (reached[-1] + 1) / RINGS) if reached.size else 0.0, float(np.log10(last).mean())


def _ring_power(stamp: Floats) -> Floats:
    """Mean power in rings of equal width up to 0.5 cycles per pixel, [ring]; of white noise its variance."""
    height, width = stamp.shape
    window = np.outer(np.hanning(height), np.hanning(width))
    power = np.abs(np.fft.rfft2(stamp * window)) ** 2 / np.sum(window**2)
    frequency = np.hypot(np.fft.fftfreq(height)[:, np.newaxis], np.fft.rfftfreq(width))
    ring = np.ceil(frequency * 2 * RINGS).astype(np.int64) - 1
    inside = (ring >= 0) & (ring < RINGS)
    totals = np.bincount(ring[inside], weights=power[inside], minlength=RINGS)
    return np.asarray(totals / np.maximum(np.bincount(ring[inside], minlength=RINGS), 1))


def _sources(excess: Floats, sigma: float) -> tuple[float, float, bool]:
    """Count sources; the share of their light that the brightest has; whether one lies in the middle."""
    smooth = ndimage.gaussian_filter(excess, SOURCE_SMOOTHING_PIX)
    labels, count = ndimage.label(smooth > SOURCE_SIGMA * sigma, structure=np.ones((3, 3)))
    kept = np.flatnonzero(np.bincount(labels.ravel(), minlength=count + 1)[1:] >= SOURCE_PIXELS) + 1
    if not kept.size:
        return 0.0, 1.0, False
    # negative where the sky's level is above that of its surroundings: no light
    light = np.maximum(ndimage.sum_labels(excess, labels, kept), 0.0)
    y, x = (
        slice(max(0, side // 2 - CENTER_REACH_PIX), side // 2 + CENTER_REACH_PIX + 1) for side in excess.shape
    )
    share = float(light.max() / light.sum()) if light.any() else 1.0
    return float(kept.size), share, bool(np.isin(labels[y, x], kept).any())


@dataclass(frozen=True)
class LookedAt:
    """One side of a comparison, as far as its images were looked at.

    Attributes
    ----------
    images : ImageSet
        All of them.
    found : ImageConditions
        What some of them tell.
    """

    images: ImageSet
    found: ImageConditions

    @classmethod
    def at(cls, images: ImageSet) -> "LookedAt":
        """Look at a set."""
        return cls(images, conditions_of_images(images))

    @property
    def header(self) -> ImageHeader:
        """What is true of every image."""
        return self.images.header


def refuse_fields(reference: LookedAt) -> None:
    """Refuse a reference of fields that says it shows galaxies: one galaxy an image would be measured.

    Raises
    ------
    InputError
        With the ways to the properties of their sources.
    """
    found = reference.found
    if found.is_of_fields and not reference.header.shows_fields:
        raise InputError(
            f"{reference.images.path}: its images are fields of about {found.n_sources:.0f} sources, none of them in the "
            "middle, and one galaxy an image would be measured; make a store that says `shows=field` (galsmith ingest), to "
            "compare the fields as a whole; or cut the galaxies out (galsmith ingest field), or measure all sources of "
            "each (galsmith measure, with `catalog` or `segmap`), and compare these"
        )


def unlike_conditions(reference: LookedAt, generated: LookedAt) -> tuple[Condition, ...]:
    """Say where two sets were not taken alike, as their headers and some of their images tell; the gravest first."""
    found = (
        _other_kind(generated),
        _other_unit(reference, generated),
        _other_depth(reference.found, generated.found),
        _other_size(reference, generated),
        _other_sharpness(reference, generated),
    )
    return tuple(condition for condition in found if condition is not None)


def _other_kind(generated: LookedAt) -> Condition | None:
    """Fields in the place of galaxies."""
    if generated.header.shows_fields or not generated.found.is_of_fields:
        return None
    return Condition(
        "kind",
        f"the images of the generated set are fields of about {generated.found.n_sources:.0f} sources, and one galaxy an "
        "image is measured",
        "cut the galaxies out, as galsmith ingest field does",
    )


def _other_unit(reference: LookedAt, generated: LookedAt) -> Condition | None:
    """Fluxes of another order of magnitude in what is called the same unit."""
    one, other = reference.found.bright, generated.found.bright
    if not (one > 0 and other > 0) or 1 / OTHER_BRIGHTNESS < other / one < OTHER_BRIGHTNESS:
        return None
    unit = reference.header.flux_unit
    nominal = unit in ("display", UNKNOWN_UNIT)
    ratio = max(one, other) / min(one, other)
    is_of_16_bits = LEVELS[-1] in (reference.found.n_levels, generated.found.n_levels)
    factors = (FACTOR_OF_BITS, *FACTORS) if is_of_16_bits else FACTORS
    # Within a third of a factor that formats have, it is that one.
    factor = next((known for known in factors if abs(ratio / known - 1) < 1 / 3), ratio)
    brighter = "generated" if other > one else "reference"
    return Condition(
        "unit",
        f"the brightest pixels of an image exceed the sky by {one:.3g} in the reference set and by {other:.3g} in the "
        f"generated set: {unit!r} is {'a unit in name only' if nominal else 'not the unit of both'}",
        f"divide the {brighter} set by {factor:.4g}",
    )


def _other_depth(reference: ImageConditions, generated: ImageConditions) -> Condition | None:
    """Whole numbers of other many bits, or of steps that are seen in the other's noise."""
    if reference.n_levels == generated.n_levels or math.isnan(reference.noise_sigma + generated.noise_sigma):
        return None
    coarse, fine = sorted((reference, generated), key=lambda side: side.n_levels or math.inf)
    if not fine.n_levels and coarse.step <= fine.noise_sigma:
        return None
    words = [
        f"{math.log2(side.n_levels):.0f} bits" if side.n_levels else "any value"
        for side in (reference, generated)
    ]
    return Condition(
        "depth",
        f"pixels of the reference set are of {words[0]}, those of the generated set of {words[1]}",
        f"round the {'generated' if fine is generated else 'reference'} set as saving it in "
        f"{math.log2(coarse.n_levels):.0f} bits does",
    )


def _other_size(reference: LookedAt, generated: LookedAt) -> Condition | None:
    """Images of one size on either side, and not the same."""
    ranges = reference.images.shape_range, generated.images.shape_range
    if ranges[0] == ranges[1] or any(low != high for low, high in ranges):
        return None
    (height, width), (others, wide) = ranges[0][0], ranges[1][0]
    larger, side = (
        (generated, min(height, width)) if others * wide > height * width else (reference, min(others, wide))
    )
    known = (
        reference.header.pixel_scale_arcsec is not None and generated.header.pixel_scale_arcsec is not None
    )
    argument = "crop_pix" if known else "resize_pix"
    return Condition(
        "size",
        f"has images of {others}x{wide} px, the reference of {height}x{width}: what is cut off, and the noise around, "
        "differ too",
        f"galsmith ingest store {larger.images.path} -o ALIKE `{argument}={side}`",
    )


def _other_sharpness(reference: LookedAt, generated: LookedAt) -> Condition | None:
    """Point spread functions that differ where both are known, else the frequencies up to which there is anything."""
    widths = [_psf_fwhm_pix(side.header) for side in (reference, generated)]
    if widths[0] is not None and widths[1] is not None:
        narrow, wide = sorted((widths[0], widths[1]))
        if wide <= (1 + OTHER_WIDTH) * narrow:
            return None
        sigma = SIGMA_PER_FWHM * math.sqrt(wide**2 - narrow**2)
        sharper = "reference" if widths[0] < widths[1] else "generated"
        return Condition(
            "psf",
            f"the point spread function has a width of {widths[0]:.3g} px in the reference set and of {widths[1]:.3g} px "
            "in the generated set (FWHM)",
            f"smooth the {sharper} set by a Gaussian of sigma {sigma:.3g} px (scipy.ndimage.gaussian_filter)",
        )
    one, other = reference.found.finest_frequency, generated.found.finest_frequency
    power = generated.found.finest_power - reference.found.finest_power
    if not (
        abs(one - other) > OTHER_FREQUENCY and abs(power) > OTHER_POWER_DEX
    ):  # nor where one is not known
        return None
    return Condition(
        "sharpness",
        f"images of the reference set have detail or noise up to {one:.2f} cycles a pixel, those of the generated set up "
        f"to {other:.2f}: another point spread function, images that were enlarged, or a generator that smooths",
        "where images were smoothed or enlarged, do the same with the others",
    )


def _psf_fwhm_pix(header: ImageHeader) -> float | None:
    """Width of the point spread function where the header says it, in pixels."""
    width = header.psf.get("psf_fwhm_pix")
    return float(width) if isinstance(width, int | float) else None
