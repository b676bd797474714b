"""Galaxies to look at: a row of the reference over a row of the generated set, under one stretch."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from astropy.visualization import make_lupton_rgb
from numpy.typing import NDArray
from PIL import Image, features

from galsmith.images import ImageHeader, ImageSet, resize_linear
from galsmith.report.material import Material
from galsmith.seeds import random_stream

PER_ROW, FIELDS_PER_ROW = 5, 3
N_BLOCKS = 4
LARGEST_SIDE_PIX, LARGEST_FIELD_PIX = 128, 1000
PICTURE_RANGES = (1.0, 255.0, 65535.0)
FIELD_POWER = 0.5  # most sources of a field peak at less than 20 of 255 levels

Floats = NDArray[np.float64]
Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Stretch:
    """How fluxes become brightness, the same for a pair of rows.

    Attributes
    ----------
    sky : float
        Flux shown as black, about.
    softening : float
        Flux at which the scale turns from linear to logarithmic.
    peak : float
        Flux shown as white.
    is_display : bool
        The pixels are a picture already: 0 to `peak`, unchanged.
    power : float
        Of a picture: to what power of its share of `peak` a pixel is shown; 1 shows it as it is.
    """

    sky: float
    softening: float
    peak: float
    is_display: bool
    power: float = 1.0


@dataclass(frozen=True)
class Picture:
    """One galaxy as pixels of the screen, [y, x] or [y, x, 3] uint8, first row at the top."""

    object_id: str
    pixels: Bytes

    @property
    def data_url(self) -> str:
        """The picture inside of a URL."""
        return picture_data_url(self.pixels)


@dataclass(frozen=True)
class Block:
    """A row of reference galaxies over a row of generated ones."""

    reference: list[Picture]
    generated: list[Picture]


def blocks_of(material: Material) -> list[Block]:
    """Choose galaxies by the comparison's seed and draw them; none where a store is gone."""
    reference, generated = (side.images for side in material.sides)
    if reference is None or generated is None:
        return []
    per_row = per_row_of(reference)
    count = min(per_row * N_BLOCKS, len(reference), len(generated))
    chosen = [
        chosen_rows(images, count, seed=material.comparison.seed, role=side.role)
        for images, side in zip((reference, generated), material.sides, strict=True)
    ]
    return [
        pair_of_rows(
            (reference, generated),
            (chosen[0][start : start + per_row], chosen[1][start : start + per_row]),
        )
        for start in range(0, count, per_row)
    ]


def per_row_of(images: ImageSet) -> int:
    """How many images of a set stand in a row: fewer fields than galaxies, as their sources are small."""
    return FIELDS_PER_ROW if images.header.shows_fields else PER_ROW


def common_stretch(
    images: list[Floats], *, flux_unit: str, reference_peak: float, shows_fields: bool = False
) -> Stretch:
    """Find one stretch for a pair of rows.

    Parameters
    ----------
    images : list of ndarray [band, y, x], float64
        All galaxies of both rows.
    flux_unit : str
        ``"display"`` is shown as it is.
    reference_peak : float
        Brightest pixel of the reference images; tells 8-bit pictures from 16-bit ones.
    shows_fields : bool
        Pictures of fields are shown as the root of their share of white.
    """
    if flux_unit == "display":
        peak = next((top for top in PICTURE_RANGES if reference_peak <= top), reference_peak)
        return Stretch(0.0, 1.0, peak, is_display=True, power=FIELD_POWER if shows_fields else 1.0)
    values = np.concatenate([image.ravel() for image in images])
    values = values[np.isfinite(values)]
    if not values.size or np.ptp(values) == 0:
        return Stretch(0.0, 1.0, 1.0, is_display=False)
    sky = float(np.median(values))
    noise = 1.4826 * float(np.median(np.abs(values - sky)))
    peak = float(np.median([np.nanmax(image) for image in images]))
    span = max(peak - sky, 1e-12 * max(abs(sky), 1.0))
    softening = float(np.clip(2 * noise, 1e-3 * span, 0.25 * span))
    return Stretch(sky - 0.5 * softening, softening, sky + span, is_display=False)


def picture_of(image: Floats, stretch: Stretch) -> Bytes:
    """Draw one galaxy.

    Parameters
    ----------
    image : ndarray [band, y, x], float64
        One band becomes gray. Of more, three become red, green and blue: in the order of wavelength
        from the last to the first (Lupton et al. 2004), or as they are for a picture.
    stretch : Stretch
        Common to the rows.

    Returns
    -------
    ndarray [y, x] or [y, x, 3], uint8
        First row at the top.
    """
    flipped = np.nan_to_num(image[:, ::-1, :], nan=stretch.sky, posinf=stretch.peak, neginf=stretch.sky)
    if stretch.is_display:
        shares = np.clip(flipped[:3] / stretch.peak, 0, 1) ** stretch.power
        shown = (255 * shares).round().astype(np.uint8)
        return shown[0] if len(shown) < 3 else np.moveaxis(shown, 0, -1)
    if len(flipped) == 1:
        return _gray(flipped[0], stretch)
    red, green, blue = flipped[-1], flipped[len(flipped) // 2], flipped[0]
    # Its scale is asinh(Q x / stretch) 0.1 / asinh(0.1 Q); this Q makes it 1 at the peak.
    softness = 10 * np.sinh(0.1 * np.arcsinh((stretch.peak - stretch.sky) / stretch.softening))
    with np.errstate(divide="ignore", invalid="ignore"):
        rgb: Bytes = make_lupton_rgb(
            red, green, blue, minimum=stretch.sky, stretch=stretch.softening * softness, Q=softness
        )
    return rgb


def rows_of_ids(images: ImageSet, object_ids: list[str]) -> NDArray[np.int64]:
    """Find galaxies by their ``object_id``; those that are not there are left out."""
    row_of = {str(name): row for row, name in enumerate(images.catalog["object_id"])}
    return np.array([row_of[name] for name in object_ids if name in row_of], dtype=np.int64)


def picture_data_url(pixels: Bytes) -> str:
    """Encode a picture without loss inside of a URL: WebP, a third smaller than PNG, where Pillow has it."""
    stream = io.BytesIO()
    image = Image.fromarray(np.ascontiguousarray(pixels))
    if features.check("webp"):
        image.save(stream, format="WEBP", lossless=True, exact=True)
    else:
        image.save(stream, format="PNG", optimize=True)
    kind = "webp" if features.check("webp") else "png"
    return f"data:image/{kind};base64,{base64.b64encode(stream.getvalue()).decode()}"


def _gray(band: Floats, stretch: Stretch) -> Bytes:
    """Stretch one band by asinh."""
    top = np.arcsinh((stretch.peak - stretch.sky) / stretch.softening)
    shown = np.arcsinh((band - stretch.sky) / stretch.softening) / top
    result: Bytes = np.clip(255 * shown, 0, 255).round().astype(np.uint8)
    return result


def chosen_rows(images: ImageSet, count: int, *, seed: int, role: str) -> NDArray[np.int64]:
    """Choose galaxies by chance, the same ones for the same seed."""
    return random_stream(seed, f"report.galaxies.{role}").permutation(len(images))[:count]


def pair_of_rows(sets: tuple[ImageSet, ImageSet], rows: tuple[NDArray[np.int64], NDArray[np.int64]]) -> Block:
    """Draw a row of one set over a row of another, under one stretch.

    Parameters
    ----------
    sets : tuple of ImageSet
        The first one's brightest pixel tells 8-bit pictures from 16-bit ones.
    rows : tuple of ndarray [galaxy], int64
        Which galaxies of each.
    """
    reference, generated = rows_of_sets(sets, rows)
    return Block(reference, generated)


def rows_of_sets(sets: Sequence[ImageSet], rows: Sequence[NDArray[np.int64]]) -> list[list[Picture]]:
    """Draw a row of each set, all under one stretch.

    Parameters
    ----------
    sets : sequence of ImageSet
        The first one's brightest pixel tells 8-bit pictures from 16-bit ones.
    rows : sequence of ndarray [galaxy], int64
        Which galaxies of each.
    """
    pixels = [
        [shrunk(image, images.header) for image in images.pixels.read(chosen)]
        for images, chosen in zip(sets, rows, strict=True)
    ]
    peak = max((float(np.nanmax(image)) for image in pixels[0] if np.isfinite(image).any()), default=1.0)
    every = [image for row in pixels for image in row]
    stretch = common_stretch(
        every,
        flux_unit=sets[0].header.flux_unit,
        reference_peak=peak,
        shows_fields=sets[0].header.shows_fields,
    )
    return [
        [
            Picture(str(images.catalog["object_id"][row]), picture_of(image, stretch))
            for row, image in zip(chosen, row_pixels, strict=True)
        ]
        for images, chosen, row_pixels in zip(sets, rows, pixels, strict=True)
    ]


def shrunk(image: NDArray[np.float32], header: ImageHeader | None = None) -> Floats:
    """Bring a large image down to what a page shows, as float64: more of a field than of a galaxy."""
    largest_pix = LARGEST_FIELD_PIX if header is not None and header.shows_fields else LARGEST_SIDE_PIX
    side = max(image.shape[-2:])
    if side > largest_pix:
        image = resize_linear(image, largest_pix)
    return image.astype(np.float64)
