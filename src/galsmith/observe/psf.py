"""Laws of the point spread function: Gaussian, Moffat, or an image; each gives its kernel at any size of a pixel."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from scipy.special import erf

from galsmith.errors import SettingsError
from galsmith.observe.by_band import ByBand, in_bands
from galsmith.settings import Settings

Kernel = NDArray[np.float64]
FWHM_PER_SIGMA = 2 * math.sqrt(2 * math.log(2))
FLUX_OUTSIDE = 1e-4
WAY_OUT_ARCSEC = "give the width in pixels, or images whose header has `pixel_scale_arcsec`"


class PsfLaw(Settings, ABC):
    """What all laws have: a kernel a band."""

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
    values: Literal["integrated", "points"] = "integrated"
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
        name = next(name for name in _WIDTHS if getattr(self, name, None) is not None)
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
        return self.widths_name.endswith("pix")

    @property
    def widths_name(self) -> str:
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
