"""The point spread function of a field, measured from its stars: found, brought to one center, stacked; and as a law."""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from galsmith.data.readers.field.detection import Detections, detect
from galsmith.data.readers.field.sky import measure_sky
from galsmith.data.readers.field.stars import COMPACT, SATURATED, find_stars
from galsmith.data.readers.fits import FitsPlace, read_head, read_part, split_hdu
from galsmith.data.readers.options import FieldOptions
from galsmith.errors import InputError
from galsmith.observe.psf import ImagePsf, Kernel, PsfLaw, width_at_half_maximum
from galsmith.observe.stamps import hash_of_stamp

Floats = NDArray[np.float64]
STARS_PREFIX = "stars:"
LEAST_STARS = 5
LEAST_SNR = 100.0  # of stars that are stacked; neighbors are known down to a tenth of it
SKY_BOX_PIX = 256
# The kernel reaches so many half-light radii of stars, about 3.5 widths: beyond lies 1 % of a Moffat law of index 3.
REACH_RADII, LEAST_REACH_PIX, LARGEST_REACH_PIX = 6.0, 6, 40
EDGE_PIX = 2  # beside a cutout, so that shifting it brings nothing in from its other side
# A full well is flat: more pixels lie within 1 % of the peak than in any star that is narrower than 20 px.
FLAT_SHARE, MOST_FLAT = 0.99, 4
NARROWEST_PIX = 1.8  # below, pixels do not sample the light, and shifting a cutout would ring
ROUNDS, CLIP_SIGMA, FEWEST_TO_CLIP = 6, 4.0, 6
SATURATED_WORD, CROWDED, EDGE = "saturated", "crowded", "at the edge or beside bad pixels"
WAY_OUT = "give a field with more stars, or an image of the point spread function"
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class MeasuredPsf:
    """A point spread function, and the stars that it was measured from.

    Attributes
    ----------
    kernel : ndarray [k, k], float64
        Of odd side, sum 1, centered on the middle pixel; the pixel is in it.
    fwhm_pix : float
        Full width at half maximum.
    x_pix, y_pix : ndarray [star], float64
        Where the stars lie, pixel centers on integers.
    left_out : mapping of str to int
        How many other stars could not be used, by reason.
    """

    kernel: Kernel
    fwhm_pix: float
    x_pix: Floats
    y_pix: Floats
    left_out: Mapping[str, int]


def measure_psf(image: Floats, *, name: str = "image") -> MeasuredPsf:
    """Measure the point spread function of an image from its stars.

    Stars are told from galaxies by their half-light radius (`galsmith.data.readers.field.stars`); those that are saturated,
    have a neighbor within the kernel's reach, or lie at an edge are left out. The others are shifted to one center, by the
    shifts and fluxes that fit the stack best, and averaged with weights for noise of the sky, in six rounds.

    Parameters
    ----------
    image : ndarray [y, x], float64
        With or without its sky; NaN where there is none.
    name : str
        For messages.

    Raises
    ------
    InputError
        If stars cannot be told from galaxies, fewer than five can be used (it says why), or they are narrower than
        1.8 px.
    SettingsError
        If photutils is not installed.
    """
    height, width = image.shape

    def section(rows: slice, columns: slice) -> Floats:
        return np.array(image[rows, columns], dtype=np.float64)

    sky = measure_sky(section, (height, width), box_pix=SKY_BOX_PIX, tell=lambda *_: None)
    if not sky.has_data:
        raise InputError(f"{name}: has no noise and no sky; wanted an image with stars", way_out=WAY_OUT)
    options = FieldOptions(minimum_snr=LEAST_SNR / 10, minimum_area_pix=5, threshold_sigma=2.0)
    sources = detect(section, (height, width), sky, options=options, least_flux=0.0, tell=lambda *_: None)
    stars = find_stars(sources)
    if stars.r_half_pix is None:
        raise InputError(
            f"{name}: has {len(sources)} sources, of which none can be told to be stars: wanted eight or more bright "
            "ones of one size",
            way_out=WAY_OUT,
        )
    reach = math.ceil(REACH_RADII * stars.r_half_pix)
    reach = min(max(reach, LEAST_REACH_PIX), LARGEST_REACH_PIX)
    flat = image - sky.level(slice(0, height), slice(0, width))
    chosen, left_out = _usable(flat, sources, stars.reasons, reach)
    if len(chosen) < LEAST_STARS:
        raise InputError(_too_few(name, len(chosen), left_out, reach), way_out=WAY_OUT)
    kernel = stacked([_cutout(flat, star, reach + EDGE_PIX) for star in chosen])[
        EDGE_PIX:-EDGE_PIX, EDGE_PIX:-EDGE_PIX
    ]
    kernel = kernel / kernel.sum()
    fwhm = width_at_half_maximum(kernel)
    if fwhm < NARROWEST_PIX:
        raise InputError(
            f"{name}: its stars are {fwhm:.2f} px wide; wanted {NARROWEST_PIX} px or more, as narrower ones cannot be "
            "brought to one center by what their pixels hold",
            way_out="give an image of the point spread function",
        )
    x, y = (np.array([star[axis] for star in chosen]) for axis in (0, 1))
    return MeasuredPsf(kernel, fwhm, x, y, left_out)


def _usable(
    flat: Floats, sources: Detections, reasons: Mapping[int, str], reach: int
) -> tuple[list[tuple[float, float]], dict[str, int]]:
    """Choose the stars that can be stacked, (x, y), and count the others by reason."""
    chosen: list[tuple[float, float]] = []
    left_out: dict[str, int] = {}
    for row, reason in reasons.items():
        if reason not in (COMPACT, SATURATED) or sources.snr[row] < LEAST_SNR:
            continue
        x, y = float(sources.x_pix[row]), float(sources.y_pix[row])
        found = SATURATED_WORD if reason == SATURATED else _trouble(flat, sources, row, reach)
        if found:
            left_out[found] = left_out.get(found, 0) + 1
        else:
            chosen.append((x, y))
    return chosen, left_out


def _trouble(flat: Floats, sources: Detections, row: int, reach: int) -> str:
    """Say why a star cannot be stacked; empty where it can."""
    x, y = sources.x_pix[row], sources.y_pix[row]
    wide = reach + EDGE_PIX
    if not (wide <= round(x) < flat.shape[1] - wide and wide <= round(y) < flat.shape[0] - wide):
        return EDGE
    cutout = _cutout(flat, (x, y), wide)
    if not np.isfinite(cutout).all():
        return EDGE
    core = cutout[wide - 3 : wide + 4, wide - 3 : wide + 4]
    if int((core >= FLAT_SHARE * core.max()).sum()) > MOST_FLAT:
        return SATURATED_WORD
    distance = np.hypot(sources.x_pix - x, sources.y_pix - y)
    distance[row] = np.inf
    return CROWDED if distance.min() < wide else ""


def _too_few(name: str, count: int, left_out: Mapping[str, int], reach: int) -> str:
    """Say how many stars there are and why the others cannot be used."""
    words = {
        SATURATED_WORD: "saturated",
        CROWDED: f"crowded (another source within {reach + EDGE_PIX} px)",
        EDGE: EDGE,
    }
    others = ", ".join(f"{number} {words[reason]}" for reason, number in sorted(left_out.items()))
    said = f"{name}: has {count} stars that can be stacked; wanted {LEAST_STARS} or more"
    return f"{said}; left out were {others}" if others else said


def _cutout(flat: Floats, star: tuple[float, float], reach: int) -> Floats:
    """Cut a square out about the pixel of a star (x, y)."""
    x, y = round(star[0]), round(star[1])
    return np.asarray(flat[y - reach : y + reach + 1, x - reach : x + reach + 1], dtype=np.float64)


class _Placed(NamedTuple):
    """A star's light relative to the stack, and how far (y, x) its middle lies from that of its cutout."""

    flux: float
    shift: Floats


def stacked(cutouts: Sequence[Floats]) -> Floats:
    """Bring stars to one center and average them.

    Parameters
    ----------
    cutouts : sequence of ndarray [k, k], float64
        Of odd side, sky subtracted, each with its star within a pixel of the middle.

    Returns
    -------
    ndarray [k, k], float64
        Of sum 1, its centroid in the middle pixel.
    """
    stars = np.stack(cutouts)
    placed = [_Placed(float(star.sum()), centroid(star)) for star in stars]
    stack = _averaged(stars, placed)
    for _ in range(ROUNDS):
        placed = [_fitted(star, stack, place) for star, place in zip(stars, placed, strict=True)]
        stack = _averaged(stars, placed)
    return stack


def _averaged(stars: Floats, placed: Sequence[_Placed]) -> Floats:
    """Average stars at their shifts with the weights of least squares, without pixels that stand out; center the stack."""
    fluxes = np.array([one.flux for one in placed])[:, np.newaxis, np.newaxis]
    alike = np.stack([moved(star, -one.shift) for star, one in zip(stars, placed, strict=True)]) / fluxes
    weights = np.broadcast_to(fluxes**2, alike.shape)
    mean = np.average(alike, axis=0, weights=weights)
    if len(stars) >= FEWEST_TO_CLIP:
        # in units of each star's own noise, which is that of the sky over its flux
        pulls = (alike - np.median(alike, axis=0)) * fluxes
        spread = 1.4826 * np.median(np.abs(pulls), axis=0) + np.finfo(np.float64).tiny
        kept = np.abs(pulls) <= CLIP_SIGMA * spread
        kept |= ~kept.any(axis=0)
        mean = (alike * weights * kept).sum(axis=0) / (weights * kept).sum(axis=0)
    centered = moved(mean, -centroid(mean))
    return np.asarray(centered / centered.sum())


def _fitted(star: Floats, stack: Floats, place: _Placed) -> _Placed:
    """Fit flux and shift of a star to the stack: one step of Gauss and Newton, as the shift is known nearly."""
    there = moved(stack, place.shift)
    slopes = np.gradient(there)
    columns = np.stack([there, *slopes], axis=-1).reshape(-1, 3)
    found, *_ = np.linalg.lstsq(columns, star.ravel(), rcond=None)
    # to first order a star is its flux times the stack less a step along its slopes
    step = np.clip(-found[1:] / found[0], -0.5, 0.5)
    return _Placed(float(found[0]), place.shift + step)


def moved(image: Floats, shift: Floats) -> Floats:
    """Shift an image [y, x] by parts of pixels, exactly where it has no power at the Nyquist limit."""
    return np.asarray(np.fft.ifft2(ndimage.fourier_shift(np.fft.fft2(image), shift)).real)


def centroid(image: Floats) -> Floats:
    """Place (y, x) of a star relative to the middle, by its light within a Gaussian of its own width, in ten steps."""
    middle = np.array(image.shape) // 2
    y, x = np.indices(image.shape) - middle[:, np.newaxis, np.newaxis]
    place, variance = np.zeros(2), 4.0
    for _ in range(10):
        square = (y - place[0]) ** 2 + (x - place[1]) ** 2
        light = image * np.exp(-square / (2 * variance))
        total = light.sum()
        # of a Gaussian under its own weight the moments are half: the step is doubled
        place = place + 2 * np.array([(light * (y - place[0])).sum(), (light * (x - place[1])).sum()]) / total
        variance = float(np.clip((light * square).sum() / total, 0.5, 100.0))
    return np.clip(place, -1.5, 1.5)


class StarFieldPsf(PsfLaw):
    """The point spread function of a field, measured from its stars.

    Attributes
    ----------
    path : str or mapping of band to str
        FITS image of the field, with the HDU in brackets where it is not the first: one for all bands (of one plane, or
        one a band), or one a band.
    pixel_scale_arcsec : float or None
        Angle per pixel side of the field; as its file says when left out, and else as that of the pixels in which light
        is spread.
    """

    kind: Literal["stars"] = "stars"
    path: str | dict[str, str]
    pixel_scale_arcsec: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values of all that decides the kernels: of files their content, not their place."""
        values = self.model_dump(mode="json", exclude_none=True, exclude={"path"})
        paths = self.path if isinstance(self.path, Mapping) else {"": self.path}
        hashes = {band: hash_of_stamp(_field(one)[0]) for band, one in paths.items()}
        return {**values, "sha256": hashes if isinstance(self.path, Mapping) else hashes[""]}

    def widths_pix(self, bands: Sequence[str], pixel_scale_arcsec: float | None) -> Floats:
        """Give the full width at half maximum in each band, [band] float64, in pixels of this scale."""
        return self._image(bands).widths_pix(bands, pixel_scale_arcsec)

    def kernels(
        self, bands: Sequence[str], pixel_scale_arcsec: float | None, *, enlarged: float = 1.0
    ) -> Kernel:
        """Make the kernel of each band; see `PsfLaw.kernels`."""
        return self._image(bands).kernels(bands, pixel_scale_arcsec, enlarged=enlarged)

    def _image(self, bands: Sequence[str]) -> ImagePsf:
        """Measure all bands."""
        found, scale = [], self.pixel_scale_arcsec
        for position, band in enumerate(bands):
            path = self.path if isinstance(self.path, str) else self.path.get(band)
            if path is None:
                raise InputError(
                    f"there is none for the band {band!r}", argument="psf.path", came=str(self.path)
                )
            planes, stated = _field(path)
            if len(planes) not in (1, len(bands)):
                raise InputError(
                    f"has {len(planes)} planes; wanted one, or one for each of {len(bands)} bands",
                    argument="psf.path",
                    came=path,
                )
            plane = position if len(planes) == len(bands) else 0
            found.append(_measured(path, plane, Path(split_hdu(path)[0]).stat().st_mtime_ns).kernel)
            scale = stated if scale is None else scale
        side = max(len(kernel) for kernel in found)
        image = np.stack([np.pad(kernel, (side - len(kernel)) // 2) for kernel in found])
        return ImagePsf.model_validate({"image": image, "pixel_scale_arcsec": scale})


@lru_cache(maxsize=16)
def _measured(path: str, plane: int, changed: int) -> MeasuredPsf:
    """Measure a plane of a file; once, while the file stays as it is."""
    del changed  # a key of the cache alone
    found = measure_psf(_field(path)[0][plane], name=path)
    others = "".join(f", {count} left out ({reason})" for reason, count in sorted(found.left_out.items()))
    logger.info(
        "%s: point spread function of %d stars, %.2f px wide%s",
        path,
        len(found.x_pix),
        found.fwhm_pix,
        others,
    )
    return found


def _field(path: str) -> tuple[Floats, float | None]:
    """Read a field, [plane, y, x] float64, and its pixel scale."""
    name, hdu = split_hdu(path)
    head = read_head(FitsPlace(Path(name), hdu))
    return read_part(head, planes=range(head.n_planes)).astype(np.float64), head.pixel_scale_arcsec
