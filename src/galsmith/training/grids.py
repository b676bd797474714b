"""Pictures of many galaxies side by side, to look at while a run goes on."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from galsmith.files import written_atomically
from galsmith.images import resize_linear

Pixels = NDArray[np.float32]
BRIGHT_QUANTILE = 0.998
STRETCH = 40.0
GAP_PIX = 2
TILE_PIX_AT_LEAST = 96
BACKGROUND = 0.08
BRIGHTEST_SHOWN = np.float32(1e30)


def write_grid(path: Path, images: Sequence[Pixels], *, title: str, is_display: bool = False) -> None:
    """Write a PNG with one tile an image, under an asinh stretch.

    Parameters
    ----------
    path : Path
        The file.
    images : sequence of ndarray [band, y, x], float32
        Three bands or more are shown in color, the last as red and the first as blue (Lupton et al. 2004).
    title : str
        Line above the tiles.
    is_display : bool
        Pixels are those of pictures, red first: shown without a stretch.

    Pixels that are not finite are shown as zero.
    """
    size = max(image.shape[-1] for image in images)
    tiles = [_tile(resize_linear(_finite(image), size), is_display=is_display) for image in images]
    repeat = max(1, round(TILE_PIX_AT_LEAST / size))
    mosaic = _mosaic([np.repeat(np.repeat(tile, repeat, axis=0), repeat, axis=1) for tile in tiles])
    _write_picture(path, mosaic, title)


def _finite(image: Pixels) -> Pixels:
    """Put zero where pixels are not finite, and a bound where arithmetic on them would not be."""
    return np.clip(np.where(np.isfinite(image), image, np.float32(0.0)), -BRIGHTEST_SHOWN, BRIGHTEST_SHOWN)


def _tile(image: Pixels, *, is_display: bool) -> NDArray[np.float64]:
    """Colors [y, x, 3] in [0, 1] of one image."""
    colors = _three_bands(image, is_display=is_display).astype(np.float64)
    bright = max(float(np.quantile(colors, BRIGHT_QUANTILE)), 1e-30)
    if is_display:
        return np.clip(colors / max(bright, 1e-3), 0.0, 1.0)
    intensity = np.clip(colors.mean(axis=-1, keepdims=True), 0.0, None) / bright
    stretched = np.arcsinh(STRETCH * intensity) / np.arcsinh(STRETCH)
    ratio = np.where(intensity > 0, colors / bright / np.where(intensity > 0, intensity, 1.0), 0.0)
    shown = np.clip(stretched * ratio, 0.0, 1.0)
    return _in_heat_colors(shown[..., 0]) if image.shape[0] < 3 else shown


def _three_bands(image: Pixels, *, is_display: bool) -> Pixels:
    """Red, green and blue [y, x, 3]: three of the bands, or their mean three times."""
    if image.shape[0] < 3:
        return np.repeat(image.mean(axis=0)[..., np.newaxis], 3, axis=-1)
    chosen = [0, 1, 2] if is_display else [image.shape[0] - 1, image.shape[0] // 2, 0]
    return np.moveaxis(image[chosen], 0, -1)


def _in_heat_colors(shown: NDArray[np.float64]) -> NDArray[np.float64]:
    """Matplotlib's magma, [y, x, 3]."""
    from matplotlib import colormaps

    colors: NDArray[np.float64] = np.asarray(colormaps["magma"](shown))[..., :3]
    return colors


def _mosaic(tiles: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Lay tiles [y, x, 3] out in rows, about twice as wide as high."""
    columns = min(len(tiles), max(1, math.ceil(math.sqrt(2 * len(tiles)))))
    rows = math.ceil(len(tiles) / columns)
    height, width = tiles[0].shape[0] + GAP_PIX, tiles[0].shape[1] + GAP_PIX
    mosaic = np.full((rows * height - GAP_PIX, columns * width - GAP_PIX, 3), BACKGROUND)
    for position, tile in enumerate(tiles):
        top, left = position // columns * height, position % columns * width
        mosaic[top : top + tile.shape[0], left : left + tile.shape[1]] = tile[::-1]
    return mosaic


def _write_picture(path: Path, mosaic: NDArray[np.float64], title: str) -> None:
    """Write the mosaic at its own pixels, with a title line above; nothing global of matplotlib is used."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    dpi, margin, header = 100, 12, 40
    height, width = mosaic.shape[0] + margin + header, mosaic.shape[1] + 2 * margin
    figure = Figure(figsize=(width / dpi, height / dpi), dpi=dpi, facecolor=(BACKGROUND,) * 3)
    axes = figure.add_axes(
        (margin / width, margin / height, mosaic.shape[1] / width, mosaic.shape[0] / height)
    )
    axes.imshow(mosaic, interpolation="nearest", aspect="auto")
    axes.set_axis_off()
    figure.text(margin / width, 1 - header / 2 / height, title, color="0.85", fontsize=9, va="center")
    FigureCanvasAgg(figure)
    with written_atomically(path) as temporary:
        figure.savefig(temporary, format="png", facecolor=figure.get_facecolor())
