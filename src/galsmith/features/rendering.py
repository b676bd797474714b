"""Turning a galaxy image into the picture that a network for pictures looks at."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from galsmith.errors import InputError, SettingsError
from galsmith.images import ImageHeader, ImageSet
from galsmith.images.bands import ordered_bands

Pixels = NDArray[np.float32]
Picture = NDArray[np.uint8]

KINDS = ("magma", "asinh", "rgb")
GRAY, COLOR = "magma", "asinh"
N_COLORS = 3
COLORS = 256
BRIGHTEST = 255
# A generated picture may overshoot 255 a little; beyond twice that it is no picture of 8 bits.
OVERSHOOT = 2 * BRIGHTEST
# Light is shown linear up to a tenth of the brightest pixel, and by its logarithm beyond.
SOFTNESS = 10.0


@dataclass(frozen=True)
class Rendering:
    """How an image becomes a picture; choose one with `rendering_of`.

    Attributes
    ----------
    kind : {"magma", "asinh", "rgb"}
        One band, from its darkest to its brightest pixel, in the colormap of this name; three bands in color, under an
        asinh stretch; or the three bands of an 8-bit picture as they are.
    bands : tuple of str
        The band of ``"magma"``; red, green and blue of ``"asinh"``; empty for ``"rgb"``.
    positions : tuple of int
        Of these bands in the set.
    """

    kind: str
    bands: tuple[str, ...]
    positions: tuple[int, ...]

    @property
    def id(self) -> str:
        """What the picture depends on, in a word."""
        return f"{self.kind}-of-{'-'.join(self.bands)}" if self.bands else self.kind


def usual_renderings(header: ImageHeader) -> tuple[str, ...]:
    """Name the kinds in which a set is seen where nobody chose: in color, where it has three bands, and in gray."""
    return (COLOR, GRAY) if len(header.bands) >= N_COLORS else (GRAY,)


def rendering_of(images: ImageSet, kind: str | None = None, *, band: str | None = None) -> Rendering:
    """Choose how the images of a set are rendered.

    Parameters
    ----------
    images : ImageSet
        Its bands and unit decide.
    kind : {"magma", "asinh", "rgb"}, optional
        See `Rendering`; the first of `usual_renderings` where left out, and ``"magma"`` where a band is named.
    band : str, optional
        For ``"magma"``; r where there is one (Holzschuh et al. 2022, sec. 4.3), else the middle one.

    Raises
    ------
    SettingsError
        If there is no such kind or band.
    InputError
        If ``"rgb"`` is asked of a set that holds no color pictures.
    """
    if kind is None:
        kind = usual_renderings(images.header)[0] if band is None else GRAY
    if kind not in KINDS:
        raise SettingsError(argument="rendering", came=kind, wanted=f"one of {', '.join(KINDS)}")
    if kind != GRAY:
        return _color_rendering(images, kind, band)
    chosen = _usual_band(images.header.bands) if band is None else band
    if chosen not in images.header.bands:
        raise SettingsError(
            argument="band", came=chosen, wanted=f"one that the set has: {', '.join(images.header.bands)}"
        )
    return Rendering(kind, (chosen,), (images.header.bands.index(chosen),))


def render(image: Pixels, rendering: Rendering) -> Picture | None:
    """Make a picture of one image.

    ``"magma"``: (x - min) / (max - min) of the band, each image by itself, then matplotlib's colormap; a constant
    image is 0 everywhere. ``"asinh"``: each band less its median, times one factor f(I) / I a pixel that keeps its color,
    I the mean of the three bands and f the asinh of 10 I over the brightest I (Lupton et al. 2004, eqs. 1 to 3); colors
    beyond the brightest are brought back along themselves. The picture's first row is the image's last, since y runs
    upward in galsmith.

    Parameters
    ----------
    image : ndarray [band, y, x], float32
        In any unit for ``"magma"`` and ``"asinh"``; numbers from 0 to 255 for ``"rgb"``.
    rendering : Rendering
        As `rendering_of` gave it.

    Returns
    -------
    ndarray [y, x, 3], uint8, or None
        None where a pixel is not finite: such an image has no picture.

    Raises
    ------
    ValueError
        If ``"rgb"`` is asked of numbers far beyond 255.
    """
    if rendering.kind == "rgb":
        return _as_it_is(image)
    chosen = image[list(rendering.positions)]
    if not np.isfinite(chosen).all():
        return None
    return _in_magma(chosen[0]) if rendering.kind == GRAY else _in_color(chosen)


def _in_color(bands: Pixels) -> Picture:
    """Stretch red, green and blue together; Lupton et al. (2004)."""
    upright = bands[:, ::-1].astype(np.float64)
    light = np.maximum(upright - np.median(upright, axis=(1, 2), keepdims=True), 0.0)
    intensity = light.mean(axis=0)
    peak = float(intensity.max())
    if peak == 0:
        return np.zeros((*intensity.shape, N_COLORS), dtype=np.uint8)
    shares = intensity / peak
    # the limit of asinh(s x) / x at x = 0 is s; nothing is shown there, as all bands are 0
    factors = np.full(shares.shape, SOFTNESS)
    np.divide(np.arcsinh(SOFTNESS * shares), shares, out=factors, where=shares > 0)
    shown = light / peak * factors / np.arcsinh(SOFTNESS)
    shown /= np.maximum(shown.max(axis=0), 1.0)
    return np.rint(BRIGHTEST * np.moveaxis(shown, 0, -1)).astype(np.uint8)


def _in_magma(values: Pixels) -> Picture:
    """Stretch one band from its minimum to its maximum and color it."""
    upright = values[::-1].astype(np.float64)
    low, high = upright.min(), upright.max()
    stretched = (upright - low) / (high - low) if high > low else np.zeros_like(upright)
    return _magma()[np.minimum((stretched * COLORS).astype(np.intp), COLORS - 1)]


def _as_it_is(image: Pixels) -> Picture | None:
    """Round the numbers of an 8-bit picture."""
    if not np.isfinite(image).all():
        return None
    if image.max(initial=0.0) > OVERSHOOT:
        raise ValueError(
            f"has pixels up to {image.max():g}, rendering 'rgb' wants 0 to 255; take rendering 'magma'"
        )
    picture = np.moveaxis(image[:, ::-1], 0, -1)
    return np.clip(np.rint(picture), 0, BRIGHTEST).astype(np.uint8)


@lru_cache(maxsize=1)
def _magma() -> Picture:
    """Colors of matplotlib's magma, [256, 3]."""
    from matplotlib import colormaps

    return np.asarray(colormaps["magma"](np.arange(COLORS), bytes=True))[:, :3].copy()


def _color_rendering(images: ImageSet, kind: str, band: str | None) -> Rendering:
    """Check that a set holds color pictures, or enough bands for some."""
    if band is not None:
        raise SettingsError(
            f"rendering {kind!r} takes three", argument="band", came=band, way_out="leave it out"
        )
    bands = images.header.bands
    if kind == COLOR:
        if len(bands) < N_COLORS:
            raise InputError(
                f"{images.path or 'images'}: rendering 'asinh' wants three bands or more; came {len(bands)}; take "
                "rendering 'magma'"
            )
        ordered = ordered_bands(bands)
        chosen = ordered[-1], ordered[len(ordered) // 2], ordered[0]
        return Rendering(kind, chosen, tuple(map(bands.index, chosen)))
    if images.header.flux_unit != "display" or len(images.header.bands) != 3:
        raise InputError(
            f"{images.path or 'images'}: rendering 'rgb' wants color pictures (three bands in the unit 'display'); "
            f"came {len(images.header.bands)} in {images.header.flux_unit!r}; take rendering 'magma'"
        )
    return Rendering(kind, (), ())


def _usual_band(bands: tuple[str, ...]) -> str:
    """Choose the band where nobody did: r, the red of a picture, or the middle one."""
    for name in ("r", "red"):
        if name in bands:
            return name
    return bands[len(bands) // 2]
