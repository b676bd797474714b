"""From the draw of a field to its pixels: sky, sources, what spoils it; and images that are no fields at all."""

import math
from collections.abc import Callable, Mapping

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from galsmith.data.fields.law import COSMOLOGY, FieldDraw
from galsmith.data.fields.pictures import cut_photograph
from galsmith.data.fields.render import add_sources, paint_discs, to_levels
from galsmith.data.readers.source import Source
from galsmith.seeds import random_stream

Pixels = NDArray[np.float32]
PIXELS = "simulate.fields.pixels"
# Mean gray level of what is no field, from the darkest to the brightest.
DARKEST, BRIGHTEST = 6.0, 120.0
DISCS_PER_IMAGE = 1500
PHOTOGRAPH = "photograph"


def render_field(
    draw: FieldDraw, *, side_pix: int, seed: int, position: int, negatives: Source | None = None
) -> Pixels:
    """Make the pixels of field `position` of a seed.

    Parameters
    ----------
    draw : FieldDraw
        As `galsmith.data.fields.law.draw_field` gave it for the same seed and position.
    side_pix : int
        Height and width.
    seed, position : int
        Of the field's noise.
    negatives : Source, optional
        Pictures that photographs are cut from, in place of overlapping discs.

    Returns
    -------
    ndarray [y, x], float32
        Whole gray levels, 0 to 255.
    """
    rng = random_stream(seed, PIXELS, position)
    group, _, kind = draw.kind.partition("_")
    if group == "not":
        level = level_of(draw.strength)
        if kind == PHOTOGRAPH and negatives is not None:
            image = cut_photograph(negatives, side_pix=side_pix, level=level, rng=rng)
            image += rng.standard_normal(image.shape, dtype=np.float32)  # a black picture would be no image
        else:
            image = NON_COSMOLOGY_IMAGES[kind](side_pix, level, draw, rng)
    else:
        image = _sky(draw, side_pix, rng)
        if draw.kind != COSMOLOGY:
            image = SPOILED[kind](image, draw.strength, rng)
    to_levels(image)
    return image


def level_of(darkness: float) -> float:
    """Mean gray level of an image that is no field, from its darkness in [0, 1]."""
    return float(BRIGHTEST * (DARKEST / BRIGHTEST) ** darkness)


def _sky(draw: FieldDraw, side_pix: int, rng: np.random.Generator) -> Pixels:
    """Background, noise and sources."""
    image = rng.standard_normal((side_pix, side_pix), dtype=np.float32)
    image *= np.float32(draw.noise_sigma)
    image += np.float32(draw.background_level)
    add_sources(image, draw.sources)
    return image


def _with_noise(image: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    """Add noise of 0.4 to 2 gray levels: a fifth to half of all pixels change by one or more."""
    sigma = np.float32(0.4 + 1.6 * strength)
    return np.asarray(image + sigma * rng.standard_normal(image.shape, dtype=np.float32))


def _with_gradient(image: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    """Add a plane that rises by 2 to 12 gray levels across the image."""
    angle = rng.uniform(0, 2 * math.pi)
    y, x = np.ogrid[-0.5 : 0.5 : image.shape[0] * 1j, -0.5 : 0.5 : image.shape[1] * 1j]
    slope = x * math.cos(angle) + y * math.sin(angle)
    return np.asarray(image + (2 + 10 * strength) * (slope + 0.5), dtype=np.float32)


def _with_trail(image: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    """Draw the trail of a satellite across the image: a Gaussian band of 10 to 100 gray levels, 2 px wide."""
    angle, offset = rng.uniform(0, math.pi), rng.uniform(-0.3, 0.3) * len(image)
    y, x = np.ogrid[: image.shape[0], : image.shape[1]]
    middle = (np.array(image.shape) - 1) / 2
    distance = (x - middle[1]) * math.sin(angle) - (y - middle[0]) * math.cos(angle) - offset
    return np.asarray(image + 10 ** (1 + strength) * np.exp(-(distance**2) / 8), dtype=np.float32)


def _with_ghost(image: Pixels, strength: float, rng: np.random.Generator) -> Pixels:
    """Add the image to itself, moved by 4 to 20 px, at 0.3 to 1 times its brightness."""
    angle, length = rng.uniform(0, 2 * math.pi), rng.uniform(4, 20)
    shift = (round(length * math.sin(angle)), round(length * math.cos(angle)))
    return np.asarray(image + (0.3 + 0.7 * strength) * np.roll(image, shift, axis=(0, 1)), dtype=np.float32)


SPOILED: Mapping[str, Callable[[Pixels, float, np.random.Generator], Pixels]] = {
    "noise": _with_noise,
    "gradient": _with_gradient,
    "trail": _with_trail,
    "ghost": _with_ghost,
}


def _noise(side_pix: int, level: float, draw: FieldDraw, rng: np.random.Generator) -> Pixels:
    """White noise, as wide as a part of its level."""
    del draw
    values = rng.standard_normal((side_pix, side_pix), dtype=np.float32)
    return np.asarray(level * (1 + rng.uniform(0.2, 0.6) * values), dtype=np.float32)


def _texture(side_pix: int, level: float, draw: FieldDraw, rng: np.random.Generator) -> Pixels:
    """Gaussian texture whose amplitudes fall as a power of the frequency, as those of clouds and photographs."""
    del draw
    noise = rng.standard_normal((side_pix, side_pix), dtype=np.float32)
    y, x = scipy.fft.fftfreq(side_pix)[:, np.newaxis], scipy.fft.rfftfreq(side_pix)[np.newaxis]
    frequency = np.hypot(y, x).astype(np.float32)
    frequency[0, 0] = np.inf
    waves = scipy.fft.rfft2(noise) * frequency ** np.float32(-rng.uniform(1, 2))
    values = scipy.fft.irfft2(waves, s=noise.shape)
    return np.asarray(level * (1 + 0.4 * values / values.std()), dtype=np.float32)


def _flat(side_pix: int, level: float, draw: FieldDraw, rng: np.random.Generator) -> Pixels:
    """Nothing but a level, with noise of a gray level or two."""
    del draw
    values = rng.standard_normal((side_pix, side_pix), dtype=np.float32)
    return np.asarray(level + rng.uniform(0.5, 2.5) * values, dtype=np.float32)


def _smeared(side_pix: int, level: float, draw: FieldDraw, rng: np.random.Generator) -> Pixels:
    """Smear a field on a bright sky, as if it was moved while it was taken."""
    image = _sky(draw, side_pix, rng)
    step = int(rng.integers(8, 20))
    moved = image + np.roll(image, step, axis=1) + np.roll(image, 2 * step, axis=1)
    return np.asarray(moved / 3 + level, dtype=np.float32)


def _photograph(side_pix: int, level: float, draw: FieldDraw, rng: np.random.Generator) -> Pixels:
    """Discs of all sizes over one another, "dead leaves", which have the statistics of photographs (Lee et al. 2001)."""
    del draw
    smallest, largest = 3.0, side_pix / 3
    share = rng.random(DISCS_PER_IMAGE)
    # density of radii as r^-3 between the two
    radius = (smallest**-2 + share * (largest**-2 - smallest**-2)) ** -0.5
    place = rng.uniform(-0.1, 1.1, (DISCS_PER_IMAGE, 2)) * side_pix
    gray = level * rng.uniform(0.2, 1.8, DISCS_PER_IMAGE)
    largest_first = np.argsort(-radius * rng.uniform(0.5, 2, DISCS_PER_IMAGE))
    image = np.full((side_pix, side_pix), level, dtype=np.float32)
    paint_discs(image, np.column_stack([place, radius, gray])[largest_first])
    return image + rng.standard_normal(image.shape, dtype=np.float32)


NON_COSMOLOGY_IMAGES: Mapping[str, Callable[[int, float, FieldDraw, np.random.Generator], Pixels]] = {
    "noise": _noise,
    "texture": _texture,
    "flat": _flat,
    "smeared": _smeared,
    PHOTOGRAPH: _photograph,
}
