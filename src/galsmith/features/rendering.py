"""Turning a galaxy image into the picture that a network for pictures looks at."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from galsmith.errors import InputError, SettingsError
from galsmith.images import ImageSet

Pixels = NDArray[np.float32]
Picture = NDArray[np.uint8]

KINDS = ("magma", "rgb")
COLORS = 256
BRIGHTEST = 255
# A generated picture may overshoot 255 a little; beyond twice that it is no picture of 8 bits.
OVERSHOOT = 2 * BRIGHTEST


@dataclass(frozen=True)
class Rendering:
    """How an image becomes a picture; choose one with `rendering_of`.

    Attributes
    ----------
    kind : {"magma", "rgb"}
        One band, from its darkest to its brightest pixel, in the colormap of this name; or the three bands of
        an 8-bit picture as they are.
    band : str
        Of ``"magma"``; empty for ``"rgb"``.
    position : int
        Of that band in the set.
    """

    kind: str
    band: str
    position: int

    @property
    def id(self) -> str:
        """What the picture depends on, in a word."""
        return self.kind if self.kind == "rgb" else f"{self.kind}-of-{self.band}"


def rendering_of(images: ImageSet, kind: str = "magma", *, band: str | None = None) -> Rendering:
    """Choose how the images of a set are rendered.

    Parameters
    ----------
    images : ImageSet
        Its bands and unit decide.
    kind : {"magma", "rgb"}
        See `Rendering`.
    band : str, optional
        For ``"magma"``; r where there is one (Holzschuh et al. 2022, sec. 4.3), else the middle one.

    Raises
    ------
    SettingsError
        If there is no such kind or band.
    InputError
        If ``"rgb"`` is asked of a set that holds no color pictures.
    """
    if kind not in KINDS:
        raise SettingsError(argument="rendering", came=kind, wanted=f"one of {', '.join(KINDS)}")
    if kind == "rgb":
        return _color_rendering(images, band)
    chosen = _usual_band(images.header.bands) if band is None else band
    if chosen not in images.header.bands:
        raise SettingsError(
            argument="band", came=chosen, wanted=f"one that the set has: {', '.join(images.header.bands)}"
        )
    return Rendering(kind, chosen, images.header.bands.index(chosen))


def render(image: Pixels, rendering: Rendering) -> Picture | None:
    """Make a picture of one image.

    ``"magma"``: (x - min) / (max - min) of the band, each image by itself, then matplotlib's colormap; a constant
    image is 0 everywhere. The picture's first row is the image's last, since y runs upward in galsmith.

    Parameters
    ----------
    image : ndarray [band, y, x], float32
        In any unit for ``"magma"``; numbers from 0 to 255 for ``"rgb"``.
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
    return _in_magma(image[rendering.position])


def _in_magma(values: Pixels) -> Picture | None:
    """Stretch one band from its minimum to its maximum and color it."""
    if not np.isfinite(values).all():
        return None
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


def _color_rendering(images: ImageSet, band: str | None) -> Rendering:
    """Check that a set holds color pictures."""
    if band is not None:
        raise SettingsError(
            "rendering 'rgb' takes all three", argument="band", came=band, way_out="leave it out"
        )
    if images.header.flux_unit != "display" or len(images.header.bands) != 3:
        raise InputError(
            f"{images.path or 'images'}: rendering 'rgb' wants color pictures (three bands in the unit 'display'); "
            f"came {len(images.header.bands)} in {images.header.flux_unit!r}; take rendering 'magma'"
        )
    return Rendering("rgb", "", 0)


def _usual_band(bands: tuple[str, ...]) -> str:
    """Choose the band where nobody did: r, the red of a picture, or the middle one."""
    for name in ("r", "red"):
        if name in bands:
            return name
    return bands[len(bands) // 2]
