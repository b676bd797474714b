"""Fluxes, half-light radii and ellipticities of a truth and of a result, within one aperture that the truth sets."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from galsmith.denoise.bands import Floats
from galsmith.measure.engine.light.apertures import Ellipse, ellipse_sum, row_prefix_sums

APERTURE_SHARE = 0.95
NAN = float("nan")
MOST_STEPS = 300
STEP_TOLERANCE = 1e-7


@dataclass(frozen=True)
class Aperture:
    """A circle about a galaxy.

    Attributes
    ----------
    x, y : float
        Center, pixels.
    radius_pix : float
        Radius.
    """

    x: float
    y: float
    radius_pix: float

    def pixels(self, shape: tuple[int, ...]) -> NDArray[np.bool_]:
        """Pixels whose centers lie inside, [y, x] bool."""
        y, x = np.mgrid[: shape[0], : shape[1]]
        return np.asarray(np.hypot(x - self.x, y - self.y) <= self.radius_pix)


class Growth:
    """Flux of an image within circles about a point, each pixel by the share of it that lies inside.

    Parameters
    ----------
    image : ndarray [y, x], float64
        Flux per pixel.
    """

    def __init__(self, image: Floats) -> None:
        self._image = np.ascontiguousarray(image, dtype=np.float64)
        self._sums = row_prefix_sums(self._image)

    def flux(self, x: float, y: float, radius_pix: float) -> float:
        """Flux within a circle."""
        if radius_pix <= 0:
            return 0.0
        return float(
            ellipse_sum(self._image, self._sums, Ellipse(x, y, float(radius_pix), float(radius_pix), 0.0))
        )

    def radius(self, x: float, y: float, *, share: float, within_pix: float) -> float:
        """Radius of the circle that holds a share of the flux within another; NaN where that has none."""
        total = self.flux(x, y, within_pix)
        if not total > 0:
            return NAN
        return float(
            brentq(lambda radius: self.flux(x, y, radius) - share * total, 0.0, within_pix, xtol=1e-6)
        )


def aperture_of(truth: Floats) -> Aperture | None:
    """Lay the circle that holds `APERTURE_SHARE` of a noise-free galaxy's light in the frame about its center of light.

    Parameters
    ----------
    truth : ndarray [y, x], float64
        Flux per pixel without noise.

    Returns
    -------
    Aperture or None
        None where there is no light.
    """
    total = float(truth.sum())
    if not total > 0:
        return None
    y, x = np.mgrid[: truth.shape[0], : truth.shape[1]]
    center_x, center_y = float((x * truth).sum() / total), float((y * truth).sum() / total)
    if not (0 <= center_x < truth.shape[1] and 0 <= center_y < truth.shape[0]):
        return None
    diagonal = math.hypot(*truth.shape)
    radius = Growth(truth).radius(center_x, center_y, share=APERTURE_SHARE, within_pix=diagonal)
    return Aperture(center_x, center_y, radius) if math.isfinite(radius) else None


@dataclass(frozen=True)
class Light:
    """Flux and size of one image within an aperture.

    Attributes
    ----------
    flux : float
        Within the aperture.
    r_half_pix : float
        Radius of the circle of the same center that holds half of that; NaN where the flux is not above 0.
    """

    flux: float
    r_half_pix: float


def light_within(image: Floats, aperture: Aperture) -> Light:
    """Measure flux and half-light radius of an image within an aperture."""
    growth = Growth(image)
    place = aperture.x, aperture.y
    return Light(
        growth.flux(*place, aperture.radius_pix),
        growth.radius(*place, share=0.5, within_pix=aperture.radius_pix),
    )


@dataclass(frozen=True)
class Shape:
    """Ellipticity of an image under the Gaussian that fits it best.

    Attributes
    ----------
    e1, e2 : float
        Distortion (a^2 - b^2) / (a^2 + b^2) along the axes and the diagonals; NaN where no Gaussian was found.
    sigma_pix : float
        Fourth root of the determinant of its moments.
    """

    e1: float
    e2: float
    sigma_pix: float


NO_SHAPE = Shape(NAN, NAN, NAN)


def adaptive_shape(image: Floats, aperture: Aperture) -> Shape:
    """Measure adaptive moments (Bernstein & Jarvis 2002, sec. 3; Hirata & Seljak 2003).

    The weight is the elliptical Gaussian whose moments are those that it measures, which is what surveys of weak lensing
    measure: moments without a weight are those of the noise.

    Parameters
    ----------
    image : ndarray [y, x], float64
        Flux per pixel, background-subtracted.
    aperture : Aperture
        Where to begin; a center that leaves it ends the search.
    """
    y, x = np.mgrid[: image.shape[0], : image.shape[1]].astype(np.float64)
    center = np.array([aperture.x, aperture.y])
    # half of the radius of 95 % is near the sigma of a disk's core
    moments = np.eye(2) * max(aperture.radius_pix / 3.0, 1.0) ** 2
    for _ in range(MOST_STEPS):
        step = _moment_step(image, x - center[0], y - center[1], moments)
        if step is None:
            return NO_SHAPE
        shift, following = step
        center = center + shift
        if math.hypot(center[0] - aperture.x, center[1] - aperture.y) > aperture.radius_pix:
            return NO_SHAPE
        change = float(np.abs(following - moments).max() / np.trace(following)) + float(np.abs(shift).max())
        moments = following
        if change < STEP_TOLERANCE:
            return _shape_of(moments, image.shape)
    return NO_SHAPE


def _moment_step(image: Floats, dx: Floats, dy: Floats, moments: Floats) -> tuple[Floats, Floats] | None:
    """Give the shift of the center and the moments under the Gaussian of these; None where they are of no Gaussian."""
    determinant = moments[0, 0] * moments[1, 1] - moments[0, 1] ** 2
    if not (determinant > 1e-4 and moments[0, 0] > 0):
        return None
    distance = (moments[1, 1] * dx**2 - 2 * moments[0, 1] * dx * dy + moments[0, 0] * dy**2) / determinant
    weighted = np.exp(-0.5 * distance) * image
    total = float(weighted.sum())
    if not total > 0:
        return None
    # Hirata & Seljak (2003), eq. 6: a Gaussian times itself has half of its moments, so twice what is measured
    shift = 2 * np.array([(weighted * dx).sum(), (weighted * dy).sum()]) / total
    xy = float((weighted * dx * dy).sum())
    second = np.array([[float((weighted * dx * dx).sum()), xy], [xy, float((weighted * dy * dy).sum())]])
    return shift, 2 * second / total


def _shape_of(moments: Floats, shape: tuple[int, ...]) -> Shape:
    """Bring moments to ellipticities; a Gaussian that the frame cuts at 1.5 sigma is that of the frame."""
    trace = float(np.trace(moments))
    determinant = float(np.linalg.det(moments))
    if determinant <= 0 or determinant**0.25 > min(shape) / 3:
        return NO_SHAPE
    return Shape(
        float((moments[0, 0] - moments[1, 1]) / trace), float(2 * moments[0, 1] / trace), determinant**0.25
    )
