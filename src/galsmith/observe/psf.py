"""Laws of the point spread function, Gaussian, Moffat, or an image: each gives its kernel at any size of a pixel."""

import logging
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from scipy.ndimage import map_coordinates
from scipy.special import erf

from galsmith.errors import InputError, SettingsError
from galsmith.observe.by_band import ByBand, in_bands
from galsmith.observe.stamps import Stamps, hash_of_stamp, read_stamp
from galsmith.settings import Settings

Kernel = NDArray[np.float64]
Values = Literal["integrated", "points"]
FWHM_PER_SIGMA = 2 * math.sqrt(2 * math.log(2))
FLUX_OUTSIDE = 1e-4
MOST_SUBPIXELS, LARGEST_RADIUS = 40, 1000
LARGEST_OFFSET_PIX = 0.5
WAY_OUT_ARCSEC = "give the width in pixels, or ingest the images with `pixel_scale_arcsec`"
logger = logging.getLogger(__name__)


class PsfLaw(Settings, ABC):
    """What all laws have: a kernel a band."""

    @property
    def is_in_pixels(self) -> bool:
        """Whether the width is stated in pixels, so that it does not follow the scale."""
        return False

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values of all that decides the kernels."""
        return self.model_dump(mode="json", exclude_none=True)

    @abstractmethod
    def widths_pix(self, bands: Sequence[str], pixel_scale_arcsec: float | None) -> NDArray[np.float64]:
        """Give the full width at half maximum in each band, [band] float64, in pixels of this scale."""

    @abstractmethod
    def kernels(
        self, bands: Sequence[str], pixel_scale_arcsec: float | None, *, enlarged: float = 1.0
    ) -> Kernel:
        """Make the kernel of each band.

        Parameters
        ----------
        bands : sequence of str
            Bands of the images.
        pixel_scale_arcsec : float or None
            Angle per pixel side of the kernel.
        enlarged : float
            How often larger these pixels are than those in which the law states its width, where it does so in pixels.

        Returns
        -------
        ndarray [band, k, k], float64
            Of odd side, each of sum 1, centered on the middle pixel.

        Raises
        ------
        SettingsError
            If a band has no width, or the size of a pixel has to be known and is not.
        """


class AnalyticPsf(PsfLaw):
    """A round law with a width, which is stated in pixels or in arcseconds, one for all bands or one a band.

    Attributes
    ----------
    fwhm_pix, fwhm_arcsec : float or mapping of band to float, or None
        Full width at half maximum; one of them.
    values : {"integrated", "points"}
        Whether the kernel's pixels hold the integral of the law over their area, or its value at their centers.
    radius_pix : int or None
        Pixels on each side of the middle one; when left out, as many as hold all but 1e-4 of the flux.
    """

    fwhm_pix: ByBand | None = None
    fwhm_arcsec: ByBand | None = None
    values: Values = "integrated"
    radius_pix: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _one_width(self) -> Self:
        """Want one statement of the width."""
        stated = [name for name in _WIDTHS if getattr(self, name, None) is not None]
        if len(stated) != 1:
            names = ", ".join(name for name in _WIDTHS if name in type(self).model_fields)
            raise ValueError(f"{' and '.join(stated) or 'no width'} came; wanted one of {names}")
        return self

    def widths_pix(self, bands: Sequence[str], pixel_scale_arcsec: float | None) -> NDArray[np.float64]:
        """Give the full width at half maximum in each band, [band] float64, in pixels of this scale."""
        name = self._width_name
        width = in_bands(getattr(self, name), bands, argument=f"psf.{name}")
        if name.startswith("sigma"):
            width = width * FWHM_PER_SIGMA
        if not name.endswith("arcsec"):
            return width
        if pixel_scale_arcsec is None:
            raise SettingsError(
                "the size of a pixel on the sky is not known",
                argument=f"psf.{name}",
                came=getattr(self, name),
                way_out=WAY_OUT_ARCSEC,
            )
        return width / pixel_scale_arcsec

    @property
    def is_in_pixels(self) -> bool:
        """Whether the width is stated in pixels, so that it does not follow the scale."""
        return self._width_name.endswith("pix")

    @property
    def _width_name(self) -> str:
        """The setting that states the width."""
        return next(name for name in _WIDTHS if getattr(self, name, None) is not None)

    def kernels(
        self, bands: Sequence[str], pixel_scale_arcsec: float | None, *, enlarged: float = 1.0
    ) -> Kernel:
        """Make the kernel of each band; see `PsfLaw.kernels`."""
        widths = self.widths_pix(bands, pixel_scale_arcsec)
        if self.is_in_pixels:
            widths = widths / enlarged
        radius = self._radius(float(widths.max())) if self.radius_pix is None else self.radius_pix
        radius = radius if self.radius_pix is None else max(1, math.ceil(radius / enlarged))
        drawn = np.stack([self._drawn(float(width), radius) for width in widths])
        return drawn / drawn.sum(axis=(-2, -1), keepdims=True)

    @abstractmethod
    def _radius(self, fwhm_pix: float) -> int:
        """Pixels on each side that hold all but 1e-4 of the flux."""

    @abstractmethod
    def _drawn(self, fwhm_pix: float, radius: int) -> Kernel:
        """Draw the law, [k, k], in any normalization."""


_WIDTHS = ("fwhm_pix", "fwhm_arcsec", "sigma_pix", "sigma_arcsec")


class GaussianPsf(AnalyticPsf):
    """A Gaussian, by its full width at half maximum or its standard deviation.

    Attributes
    ----------
    sigma_pix, sigma_arcsec : float or mapping of band to float, or None
        Standard deviation, instead of the full width at half maximum.
    """

    kind: Literal["gaussian"] = "gaussian"
    sigma_pix: ByBand | None = None
    sigma_arcsec: ByBand | None = None

    def _radius(self, fwhm_pix: float) -> int:
        """Pixels on each side that hold all but 1e-4 of the flux."""
        # outside of a circle of radius r lies exp(-r^2 / 2 sigma^2) of the flux
        return max(1, math.ceil(fwhm_pix / FWHM_PER_SIGMA * math.sqrt(-2 * math.log(FLUX_OUTSIDE))))

    def _drawn(self, fwhm_pix: float, radius: int) -> Kernel:
        """Draw the law, [k, k]: a product of two profiles, each a difference of error functions."""
        sigma = fwhm_pix / FWHM_PER_SIGMA
        offsets = np.arange(-radius, radius + 1)
        if self.values == "points":
            profile = np.exp(-0.5 * (offsets / sigma) ** 2)
        else:
            edges = np.append(offsets - 0.5, radius + 0.5) / (math.sqrt(2) * sigma)
            profile = np.diff(erf(edges))
        return np.outer(profile, profile)


class MoffatPsf(AnalyticPsf):
    """The law of Moffat (1969), whose wings are those of seeing: (1 + (r / alpha)^2)^-beta.

    Attributes
    ----------
    beta : float
        Above 1; 2.5 to 4.8 are usual, large values come near a Gaussian.
    """

    kind: Literal["moffat"] = "moffat"
    beta: Annotated[float, Field(gt=1)] = 3.5

    def _alpha(self, fwhm_pix: float) -> float:
        """Scale radius in pixels."""
        return fwhm_pix / (2 * math.sqrt(2 ** (1 / self.beta) - 1))

    def _radius(self, fwhm_pix: float) -> int:
        """Pixels on each side that hold all but 1e-4 of the flux."""
        # outside of a circle of radius r lies (1 + (r / alpha)^2)^(1 - beta) of the flux
        reach = math.sqrt(FLUX_OUTSIDE ** (1 / (1 - self.beta)) - 1)
        return max(1, math.ceil(min(LARGEST_RADIUS, self._alpha(fwhm_pix) * reach)))

    def _drawn(self, fwhm_pix: float, radius: int) -> Kernel:
        """Draw the law, [k, k]."""
        alpha, offsets = self._alpha(fwhm_pix), np.arange(-radius, radius + 1, dtype=np.float64)
        if self.values == "points":
            return self._law(offsets[:, np.newaxis], offsets, alpha)
        # Gauss-Legendre in each pixel; with 12 nodes on a width the sum is right to 1e-7 at widths of half a pixel and more
        nodes, weights = np.polynomial.legendre.leggauss(
            min(MOST_SUBPIXELS, max(4, math.ceil(12 / fwhm_pix)))
        )
        total = np.zeros((len(offsets), len(offsets)))
        for y, weight_y in zip(nodes / 2, weights / 2, strict=True):
            for x, weight_x in zip(nodes / 2, weights / 2, strict=True):
                total += weight_y * weight_x * self._law(offsets[:, np.newaxis] + y, offsets + x, alpha)
        return total

    def _law(self, y: Kernel, x: Kernel, alpha: float) -> Kernel:
        """Evaluate the law at some places."""
        return (1 + (y**2 + x**2) / alpha**2) ** -self.beta


class ImagePsf(PsfLaw):
    """An image, such as that of a star: of any normalization, brought to sum 1, and to the pixels that are wanted.

    Attributes
    ----------
    path : str or mapping of band to str, or None
        FITS file, with the HDU in brackets where it is not the first: one for all bands (of one plane, or one a band), or
        one a band.
    image : array [y, x] or [band, y, x], or None
        Or the image itself.
    pixel_scale_arcsec : float or None
        Angle per pixel side of the image; as its file says when left out, and else as that of the pixels in which light
        is spread.
    values : {"integrated", "points"}
        Whether other pixels than its own hold the integral of what is interpolated between its pixels, or values at their
        centers.
    """

    kind: Literal["image"] = "image"
    path: str | dict[str, str] | None = None
    image: Stamps | None = None
    pixel_scale_arcsec: Annotated[float, Field(gt=0)] | None = None
    values: Values = "integrated"

    @model_validator(mode="after")
    def _one_image(self) -> Self:
        """Want one statement of the image."""
        if (self.path is None) == (self.image is None):
            came = "neither came" if self.path is None else "both came"
            raise ValueError(f"path and image: {came}; wanted one of them")
        return self

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values of all that decides the kernels: of files their content, not their place."""
        values = self.model_dump(mode="json", exclude_none=True, exclude={"path", "image"})
        if isinstance(self.path, Mapping):
            return {**values, "sha256": {band: self._hash(one) for band, one in self.path.items()}}
        return {**values, "sha256": self._hash(self.path)}

    def widths_pix(self, bands: Sequence[str], pixel_scale_arcsec: float | None) -> NDArray[np.float64]:
        """Give the full width at half maximum in each band, [band] float64, in pixels of this scale."""
        drawn = self.kernels(bands, pixel_scale_arcsec)
        return np.array([width_at_half_maximum(kernel) for kernel in drawn])

    def kernels(
        self, bands: Sequence[str], pixel_scale_arcsec: float | None, *, enlarged: float = 1.0
    ) -> Kernel:
        """Make the kernel of each band; see `PsfLaw.kernels`."""
        drawn = []
        for position, band in enumerate(bands):
            image, scale, name = self._in_band(band, position, len(bands))
            centered, middle = _checked(image, name)
            step = self._step(scale, pixel_scale_arcsec, enlarged)
            drawn.append(brought_to_step(centered, step, middle=middle, values=self.values))
        side = max(len(kernel) for kernel in drawn)
        filled = np.stack([np.pad(kernel, (side - len(kernel)) // 2) for kernel in drawn])
        return filled / filled.sum(axis=(-2, -1), keepdims=True)

    def _hash(self, path: str | None) -> str:
        """Hash the pixels of a file, or those that were given."""
        return hash_of_stamp(
            np.array(self.image) if path is None else read_stamp(path, argument="psf.path")[0]
        )

    def _in_band(self, band: str, position: int, n_bands: int) -> tuple[Kernel, float | None, str]:
        """Give the image of one band, [y, x], its pixel scale where known, and its name."""
        if isinstance(self.path, Mapping) and band not in self.path:
            raise SettingsError(
                f"there is none for the band {band!r}", argument="psf.path", came=", ".join(self.path)
            )
        path = self.path.get(band) if isinstance(self.path, Mapping) else self.path
        stamps, stated = (
            (np.array(self.image), None) if path is None else read_stamp(path, argument="psf.path")
        )
        name = "image" if path is None else path
        if len(stamps) not in (1, n_bands):
            raise InputError(
                f"has {len(stamps)} planes; wanted one, or one for each of {n_bands} bands",
                argument="psf.path",
                came=name,
            )
        scale = stated if self.pixel_scale_arcsec is None else self.pixel_scale_arcsec
        return stamps[position if len(stamps) == n_bands else 0], scale, name

    def _step(self, own: float | None, wanted: float | None, enlarged: float) -> float:
        """Side of a wanted pixel in pixels of the image."""
        if own is None:
            return enlarged
        if wanted is None:
            raise SettingsError(
                "the size of a pixel of the images on the sky is not known",
                argument="psf.pixel_scale_arcsec",
                came=f"{own:g}",
                way_out="ingest the images with `pixel_scale_arcsec`",
            )
        return wanted / own


def brought_to_step(
    image: Kernel, step: float, *, middle: tuple[float, float] | None = None, values: Values = "integrated"
) -> Kernel:
    """Bring an image of a star to other pixels.

    Parameters
    ----------
    image : ndarray [y, x], float64
        The star.
    step : float
        Side of the new pixels in pixels of the image.
    middle : tuple of float, optional
        Its middle (y, x), which comes to the middle of the middle pixel; that of the array when left out.
    values : {"integrated", "points"}
        Whether larger pixels hold the integral of what is interpolated, or values at their centers.

    Returns
    -------
    ndarray [k, k], float64
        Of odd side; of another normalization.
    """
    height, width = image.shape
    y0, x0 = ((height - 1) / 2, (width - 1) / 2) if middle is None else middle
    reach = max(y0, height - 1 - y0, x0, width - 1 - x0) + 0.5
    radius = max(1, math.ceil(reach / step - 0.5 - 1e-6))
    if abs(step - 1) < 1e-6 and y0 % 1 == 0 and x0 % 1 == 0:
        return _placed(image, (int(y0), int(x0)), radius)
    offsets, inside = np.arange(-radius, radius + 1) * step, np.zeros(1)
    if values == "integrated" and step > 1:  # the mean over places within each of the larger pixels
        count = min(MOST_SUBPIXELS, 4 * math.ceil(step))
        inside = ((np.arange(count) + 0.5) / count - 0.5) * step
    y = (y0 + offsets[:, np.newaxis] + inside).ravel()
    x = (x0 + offsets[:, np.newaxis] + inside).ravel()
    fine = map_coordinates(image, np.meshgrid(y, x, indexing="ij"), order=3, mode="grid-constant", cval=0.0)
    n = len(offsets)
    return fine.reshape(n, len(inside), n, len(inside)).mean(axis=(1, 3))


def width_at_half_maximum(kernel: Kernel) -> float:
    """Full width at half maximum of an image of a star, in pixels: of the circle with the area above half of its peak."""
    rows = np.arange(len(kernel) * 4) / 4 - 0.375
    columns = np.arange(kernel.shape[1] * 4) / 4 - 0.375
    fine = map_coordinates(kernel, np.meshgrid(rows, columns, indexing="ij"), order=3, mode="nearest")
    return float(2 * math.sqrt(np.count_nonzero(fine > fine.max() / 2) / 16 / math.pi))


def _placed(image: Kernel, middle: tuple[int, int], radius: int) -> Kernel:
    """Put an image as it is into a square of odd side, around its middle pixel."""
    square = np.zeros((2 * radius + 1, 2 * radius + 1))
    top, left = radius - middle[0], radius - middle[1]
    square[top : top + image.shape[0], left : left + image.shape[1]] = image
    return square


def _checked(image: Kernel, name: str) -> tuple[Kernel, tuple[float, float]]:
    """Bring an image to sum 1 and find its middle (y, x), in pixels; refuse one that is no centered star.

    The middle of a side of even length is that of its three candidates, the middle and the pixels beside it, that lies
    nearest to the centroid.
    """
    total = image.sum()
    if not total > 0:
        raise InputError(f"has the sum {total:g}; wanted a positive one", argument="psf.path", came=name)
    if abs(total - 1) > 0.01:
        logger.info("psf %s has the sum %g; it is divided by it", name, total)
    image = image / total
    middle, offsets = [], []
    for axis, side in enumerate(image.shape):
        centroid = float((image.sum(axis=1 - axis) * np.arange(side)).sum())
        candidates = [(side - 1) / 2] if side % 2 else [side / 2 - 1, (side - 1) / 2, side / 2]
        middle.append(candidates[int(np.argmin(np.abs(np.array(candidates) - centroid)))])
        offsets.append(centroid - middle[-1])
    if max(map(abs, offsets)) > LARGEST_OFFSET_PIX:
        raise InputError(
            f"is off its center by ({offsets[1]:.2f}, {offsets[0]:.2f}) px in (x, y); wanted at most "
            f"{LARGEST_OFFSET_PIX:g}, as images would be moved by it",
            argument="psf.path",
            came=name,
            way_out="cut it so that the star lies on its middle pixel, and subtract the sky below it",
        )
    return image, (middle[0], middle[1])
