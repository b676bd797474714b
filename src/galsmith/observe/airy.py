"""The point spread function of a telescope in space: diffraction by a round aperture with a round obscuration."""

import itertools
import math
from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.interpolate import CubicSpline
from scipy.optimize import brentq
from scipy.special import j0, j1

from galsmith.errors import SettingsError
from galsmith.observe.by_band import ByBand, LevelByBand, Positive, in_bands
from galsmith.observe.psf import LARGEST_RADIUS, Kernel, PsfLaw, Values

ARCSEC_PER_RADIAN = math.degrees(1) * 3600
# Light of diffraction falls off so slowly (outside of r lies 1/r of it) that the kernel ends where a hundredth is outside.
DIFFRACTED_OUTSIDE = 0.01
# Frequencies at which a Gaussian's transform exp(-2 pi^2 sigma^2 f^2) has fallen to 1e-16: f sigma = 1.37.
_HIGHEST_BLURRED = 1.37
# Radii at which the law is evaluated before it is interpolated: its highest frequency is 1 per lambda/D.
_PER_RESOLUTION = 40


class AiryPsf(PsfLaw):
    """The Airy pattern of an obscured aperture, spread further by a Gaussian where that is stated.

    Without struts and aberrations, at one wavelength a band.

    Attributes
    ----------
    diameter_m : float
        Of the aperture, in meters.
    wavelength_um : float or mapping of band to float
        In micrometers, such as a band's pivot wavelength.
    obscuration : float
        Diameter of what stands before the aperture, as a share of the aperture's.
    blur_sigma_arcsec : float or mapping of band to float
        Standard deviation of the Gaussian: pointing that jitters, charge that diffuses.
    values : {"integrated", "points"}
        Whether the kernel's pixels hold the integral of the law over their area, or its value at their centers.
    radius_pix : int or None
        Pixels on each side of the middle one; when left out, as many as hold all but a hundredth of the flux.
    """

    kind: Literal["airy"] = "airy"
    diameter_m: Positive
    wavelength_um: ByBand
    obscuration: Annotated[float, Field(ge=0, le=0.9)] = 0.0
    blur_sigma_arcsec: LevelByBand = 0.0
    values: Values = "integrated"
    radius_pix: Annotated[int, Field(ge=1)] | None = None

    def widths_pix(self, bands: Sequence[str], pixel_scale_arcsec: float | None) -> NDArray[np.float64]:
        """Give the full width at half maximum in each band, [band] float64, in pixels of this scale."""
        found = []
        for pattern, resolution_pix in self._patterns(bands, pixel_scale_arcsec):
            found.append(2 * pattern.half_maximum() * resolution_pix)
        return np.array(found)

    def kernels(
        self, bands: Sequence[str], pixel_scale_arcsec: float | None, *, enlarged: float = 1.0
    ) -> Kernel:
        """Make the kernel of each band; see `PsfLaw.kernels`."""
        patterns = self._patterns(bands, pixel_scale_arcsec)
        if self.radius_pix is None:
            radius = max(pattern.reach(resolution_pix) for pattern, resolution_pix in patterns)
        else:
            radius = max(1, math.ceil(self.radius_pix / enlarged))
        drawn = np.stack(
            [
                pattern.drawn(resolution_pix, radius, values=self.values)
                for pattern, resolution_pix in patterns
            ]
        )
        return drawn / drawn.sum(axis=(-2, -1), keepdims=True)

    def _patterns(
        self, bands: Sequence[str], pixel_scale_arcsec: float | None
    ) -> list[tuple["DiffractionPattern", float]]:
        """Give the pattern of each band, and how many pixels lambda/D is."""
        wavelength_um = in_bands(self.wavelength_um, bands, argument="psf.wavelength_um")
        blur_arcsec = in_bands(self.blur_sigma_arcsec, bands, argument="psf.blur_sigma_arcsec")
        if pixel_scale_arcsec is None:
            raise SettingsError(
                "the size of a pixel on the sky is not known",
                argument="psf.wavelength_um",
                came=self.wavelength_um,
                way_out="state a Gaussian with its width in pixels, or ingest the images with `pixel_scale_arcsec`",
            )
        resolution_arcsec = wavelength_um * 1e-6 / self.diameter_m * ARCSEC_PER_RADIAN
        return [
            (DiffractionPattern(self.obscuration, blur / one), one / pixel_scale_arcsec)
            for one, blur in zip(resolution_arcsec.tolist(), blur_arcsec.tolist(), strict=True)
        ]


class DiffractionPattern:
    """The pattern by radius, in units of lambda/D, from its transfer function, which ends at a frequency of 1.

    Parameters
    ----------
    obscuration : float
        Diameter of the obscuration over that of the aperture.
    blur : float
        Standard deviation of the Gaussian it is spread by, in units of lambda/D.
    """

    def __init__(self, obscuration: float, blur: float) -> None:
        self._obscuration, self._blur = obscuration, blur

    def at(self, radii: NDArray[np.float64]) -> NDArray[np.float64]:
        """Evaluate the flux per area at some radii, [radius] float64, of a pattern of flux 1."""
        # the Hankel transform: 2 pi int T(f) J0(2 pi f r) f df
        nodes, weighted = self._transfer(float(radii.max()))
        return np.asarray(2 * np.pi * j0(2 * np.pi * np.outer(radii, nodes)) @ (weighted * nodes))

    def outside(self, radii: NDArray[np.float64]) -> NDArray[np.float64]:
        """Say which share of the flux lies outside of some radii, [radius] float64."""
        nodes, weighted = self._transfer(float(radii.max()))
        return 1 - 2 * np.pi * radii * (j1(2 * np.pi * np.outer(radii, nodes)) @ weighted)

    def half_maximum(self) -> float:
        """Radius at which the pattern has half of its peak."""
        # that of a Gaussian of both widths is near; the pattern falls monotonically up to its first minimum
        largest = 0.7 + 1.5 * self._blur
        peak = float(self.at(np.zeros(1))[0])
        return float(brentq(lambda radius: self.at(np.array([radius]))[0] - peak / 2, 0, largest))

    def reach(self, resolution_pix: float) -> int:
        """Pixels on each side that hold all but a hundredth of the flux."""
        # mean share outside of r, in lambda/D: 2 / (pi^2 r (1 - obscuration)); the Gaussian adds its own few sigma
        mean = 2 / (np.pi**2 * DIFFRACTED_OUTSIDE * (1 - self._obscuration)) + 4 * self._blur
        radii = np.arange(1, min(LARGEST_RADIUS, math.ceil(1.3 * mean * resolution_pix) + 1) + 1)
        too_much = np.flatnonzero(self.outside(radii / resolution_pix) > DIFFRACTED_OUTSIDE)
        return int(radii[min(too_much[-1] + 1, len(radii) - 1)]) if len(too_much) else 1

    def drawn(self, resolution_pix: float, radius: int, *, values: Values) -> Kernel:
        """Draw the pattern in pixels, [k, k], in any normalization: one quadrant, and its mirror images."""
        nodes, weights = np.zeros(1), np.full(1, 2.0)
        if values == "integrated":
            # the pattern's shortest period is lambda/D; so many nodes a pixel leave 1e-8 of the peak
            nodes, weights = np.polynomial.legendre.leggauss(3 + math.ceil(6 / resolution_pix))
        farthest = math.sqrt(2) * (radius + 0.5) / resolution_pix
        grid = np.linspace(0, farthest, max(8, math.ceil(_PER_RESOLUTION * farthest)))
        law = CubicSpline(grid, self.at(grid))
        # symmetric about 0, so pixels of the middle row and column are integrated whole as all others
        places = (np.arange(radius + 1)[:, np.newaxis] + nodes / 2) / resolution_pix
        quadrant = np.zeros((radius + 1, radius + 1))
        for y, weight_y in zip(places.T, weights / 2, strict=True):
            for x, weight_x in zip(places.T, weights / 2, strict=True):
                quadrant += weight_y * weight_x * law(np.hypot(y[:, np.newaxis], x))
        half = np.concatenate([quadrant[:0:-1], quadrant])
        return np.concatenate([half[:, :0:-1], half], axis=1)

    def _transfer(self, farthest: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Give frequencies, [node] float64, and the transfer function at them times their weights in a sum.

        The function is the overlap of two apertures that are moved by f diameters, over their area (O'Neill 1956, J. Opt.
        Soc. Am. 46, 285), times the Gaussian's.
        """
        share = self._obscuration
        highest = 1.0 if self._blur == 0 else min(1.0, _HIGHEST_BLURRED / self._blur)
        # where the rims touch the function has kinks
        kinks = [(1 - share) / 2, share, (1 + share) / 2]
        edges = sorted({0.0, highest, *(kink for kink in kinks if 0 < kink < highest)})
        # between two kinks there are up to `farthest` periods of J0, and two nodes a period and some more do
        nodes, weights = np.polynomial.legendre.leggauss(60 + math.ceil(4 * farthest * highest))
        frequencies, widths = [], []
        for low, high in itertools.pairwise(edges):
            frequencies.append((high + low) / 2 + (high - low) / 2 * nodes)
            widths.append((high - low) / 2 * weights)
        f, weight = np.concatenate(frequencies), np.concatenate(widths)
        overlap = _lens(f, 1, 1) - 2 * _lens(f, 1, share) + _lens(f, share, share)
        transfer = overlap / (np.pi / 4 * (1 - share**2)) * np.exp(-2 * (np.pi * self._blur * f) ** 2)
        return f, transfer * weight


def _lens(distance: NDArray[np.float64], one: float, other: float) -> NDArray[np.float64]:
    """Area that two discs of these diameters, the first no smaller, have in common at some distances of their centers."""
    r, s, d = one / 2, other / 2, distance
    if other == 0:
        return np.zeros_like(d)
    near = np.clip((d**2 + r**2 - s**2) / (2 * d * r), -1, 1)
    far = np.clip((d**2 + s**2 - r**2) / (2 * d * s), -1, 1)
    # four times the area of the triangle of both radii and the distance, by Heron; below 0 where the rims do not cross
    crossed = (r + s - d) * (d + r - s) * (d - r + s) * (d + r + s)
    return r**2 * np.arccos(near) + s**2 * np.arccos(far) - np.sqrt(np.maximum(crossed, 0)) / 2
