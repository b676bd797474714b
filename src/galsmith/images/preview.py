"""An image set as a notebook shows it: what it is, the first galaxies and the first rows of the catalog, as HTML."""

import base64
import io
from collections.abc import Sequence
from html import escape

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray
from PIL import Image

N_PICTURES, N_ROWS, SIDE_CSS = 8, 3, 96
Pixels = NDArray[np.float32]
COLORS = ("red", "green", "blue")
# so much of the light range of an image is shown as asinh: faint arms and bright centers both
SOFTENING = 0.03


def html_of(said: str, images: Sequence[Pixels], catalog: QTable, bands: Sequence[str]) -> str:
    """Write an image set as HTML that stands alone.

    Parameters
    ----------
    said : str
        What it is.
    images : sequence of ndarray [band, y, x], float32
        The first of it.
    catalog : QTable
        Their rows.
    bands : sequence of str
        Names of the bands.
    """
    pictures = "".join(
        f'<img alt="{escape(str(name))}" title="{escape(str(name))}" style="height:{SIDE_CSS}px;'
        f'image-rendering:pixelated;margin:2px" src="data:image/png;base64,{_png(picture_of(image, bands))}">'
        for name, image in zip(catalog["object_id"], images, strict=True)
    )
    rows = catalog[:N_ROWS]._repr_html_() if len(catalog) else ""
    return f"<div><p>{escape(said)}</p><div>{pictures}</div>{rows}</div>"


def picture_of(image: Pixels, bands: Sequence[str]) -> NDArray[np.uint8]:
    """Stretch an image to a picture, its first row at the bottom.

    Parameters
    ----------
    image : ndarray [band, y, x], float32
        Three bands or more are shown as red, green and blue, the last one red, under one stretch; others as the gray
        of the first.
    bands : sequence of str
        Their names; those of pictures are colors already.

    Returns
    -------
    ndarray [y, x] or [y, x, 3], uint8
    """
    n_bands = len(image)
    # red is the longest wavelength, which bands that rise have last
    order = [0, 1, 2] if tuple(bands) == COLORS else [n_bands - 1, n_bands // 2, 0]
    chosen = image[order] if n_bands >= 3 else image[:1]
    known = np.nan_to_num(np.asarray(chosen, dtype=np.float64), posinf=0.0, neginf=0.0)
    low, high = np.median(known), np.percentile(known, 99.8)
    span = (known - low) / max(high - low, np.finfo(np.float64).tiny)
    shades = np.arcsinh(np.clip(span, 0, 1) / SOFTENING) / np.arcsinh(1 / SOFTENING)
    pixels: NDArray[np.uint8] = np.round(255 * np.moveaxis(shades, 0, -1)[::-1]).astype(np.uint8)
    return pixels if n_bands >= 3 else pixels[..., 0]


def _png(picture: NDArray[np.uint8]) -> str:
    """Write a picture as PNG in base 64."""
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, format="PNG")
    return base64.b64encode(stream.getvalue()).decode()
