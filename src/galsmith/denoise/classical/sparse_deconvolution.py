"""`starlet-fista`: deconvolution by few smooth blobs of several scales, the atoms of starlets, with FISTA."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from galsmith.denoise.bands import Band, Floats, Grid, restored
from galsmith.denoise.classical.starlet import SPLINE
from galsmith.denoise.method import Denoised, Method
from galsmith.observe.observed import Observed
from galsmith.settings import Settings

# Shares of the threshold for the two widest blobs, of which few are independent and which hold the outskirts: with whole
# ones a tenth of the flux is lost, with none faint galaxies are twice as noisy (benchmarks/denoise).
WIDE_SHARES = (2 / 3, 1 / 3)


class SparseSettings(Settings):
    """How sparse the result is.

    Attributes
    ----------
    scales : int
        Of blobs, with that of single pixels; images that are too small for so many have fewer.
    threshold_sigma : float
        Blobs that correlate with the residual by less than so many standard deviations of the noise are left out; two
        thirds and one third of that for the two widest.
    reweightings : int
        How often the problem is solved again with weaker thresholds where there is light, as thresholds take off flux.
    iterations : int
        Steps of each solution. Where there is much light thresholds are low and the end of the steps is what keeps noise
        from being sharpened: 30 and 150 have 1.3 and 2.2 times the squared error of 60 (geometric mean over galaxies of
        several components, PSF of 2 px; benchmarks/denoise).
    non_negative : bool
        Whether blobs are of positive light alone. Blank sky comes out above 0 then.
    """

    scales: int = Field(default=5, ge=1)
    threshold_sigma: float = Field(default=3.0, ge=0)
    reweightings: int = Field(default=2, ge=0)
    iterations: int = Field(default=60, ge=1)
    non_negative: bool = False


class SparseDeconvolution:
    """Minimize 1/2 sum ivar (y - H Phi a)^2 + sum lambda |a|, the image Phi a being a sum of B-spline blobs.

    Blobs are what the inverse of the second-generation starlet transform is made of: none is negative, so that images of
    positive coefficients are positive, and the proximal step is exact.

    Parameters
    ----------
    settings : SparseSettings
        How sparse.
    """

    def __init__(self, settings: SparseSettings) -> None:
        self._settings = settings

    def denoise(self, observed: Observed) -> Denoised:
        """Restore each band; the PSF is taken off."""
        return restored(observed, self._restore)

    def _restore(self, band: Band) -> tuple[Floats, Floats | None]:
        settings = self._settings
        problem = _problem(band, settings)
        weights = np.ones_like(problem.thresholds)
        found = np.zeros_like(problem.thresholds)
        for _ in range(settings.reweightings + 1):
            limits = weights * problem.thresholds / problem.steepest

            def shrink(values: Floats, limits: Floats = limits) -> Floats:
                return shrunk(values, limits, non_negative=settings.non_negative)

            found = fista(problem.gradient, shrink, 1.0 / problem.steepest, found, settings.iterations)
            # Candes, Wakin & Boyd (2008), eq. 6: a blob of k sigma has half of the threshold
            weights = 1.0 / (1.0 + np.abs(found) / problem.noise)
        return problem.grid.cut(problem.image(found)), None


@dataclass(frozen=True)
class _Problem:
    """The least squares of one band over coefficients [scale, y, x] on a grid.

    Attributes
    ----------
    grid : Grid
        With the PSF.
    blobs : ndarray [scale, fy, fx], float64
        Transforms of the blobs.
    seen, ivar : ndarray [y, x], float64
        Data and their inverse variance on the grid, 0 where nothing was observed.
    thresholds, noise : ndarray [scale, y, x], float64
        Lambda, and the amplitude of a blob that noise alone reaches.
    steepest : float
        A bound of the curvature.
    """

    grid: Grid
    blobs: Floats
    seen: Floats
    ivar: Floats
    thresholds: Floats
    noise: Floats
    steepest: float

    def image(self, coefficients: Floats) -> Floats:
        """Add up blobs: Phi a."""
        return self.grid.back((self.grid.transformed(coefficients) * self.blobs).sum(axis=0))

    def gradient(self, coefficients: Floats) -> Floats:
        """Phi^T H^T ivar (H Phi a - y)."""
        residual = self.ivar * (self.grid.convolved(self.image(coefficients)) - self.seen)
        seen_back = self.grid.transformed(residual) * np.conj(self.grid.transfer)
        return self.grid.back(self.blobs * seen_back)


def _problem(band: Band, settings: SparseSettings) -> _Problem:
    """Set up the least squares of a band, and the noise of its gradient."""
    # the widest blob is about half of the image
    scales = max(1, min(settings.scales, int(np.log2(max(min(band.image.shape) / 2, 2)))))
    # beside the image lies sky that nobody observed, wide enough for the PSF and for the widest blob
    grid = Grid(band, margin=band.psf.shape[0] // 2 + 2 * 2**scales)
    blobs = blob_transforms(grid, scales)
    ivar = grid.embedded(np.where(band.good, 1.0 / band.variance, 0.0))
    seen_blobs = grid.back(blobs * grid.transfer)
    known = np.conj(grid.transformed(seen_blobs**2)) * grid.transformed(ivar)
    # variance of Phi^T H^T ivar n where n has variance 1 / ivar; it is the curvature along one coefficient too
    curvature = np.maximum(grid.back(known), 1e-12 * ivar.max())
    thresholds = settings.threshold_sigma * np.sqrt(curvature)
    if scales > len(WIDE_SHARES):
        thresholds[-len(WIDE_SHARES) :] *= np.array(WIDE_SHARES)[:, np.newaxis, np.newaxis]
    steepest = float(ivar.max() * ((blobs * np.abs(grid.transfer)) ** 2).sum(axis=0).max())
    return _Problem(
        grid=grid,
        blobs=blobs,
        seen=grid.embedded(band.image),
        ivar=ivar,
        thresholds=thresholds,
        noise=max(settings.threshold_sigma, 1.0) / np.sqrt(curvature),
        steepest=steepest,
    )


def blob_transforms(grid: Grid, scales: int) -> Floats:
    """Fourier transforms of the blobs of each scale: a pixel, then products of splines, [scale, fy, fx] float64."""
    y, x = grid.frequencies()
    current = np.ones(grid.transfer.shape)
    blobs = [current]
    for scale in range(scales - 1):
        current = current * _spline_transform(y * 2**scale) * _spline_transform(x * 2**scale)
        blobs.append(current)
    return np.stack(blobs)


def _spline_transform(frequency: Floats) -> Floats:
    """Transform of `SPLINE` about its middle, which is real."""
    return SPLINE[2] + 2 * (
        SPLINE[3] * np.cos(2 * np.pi * frequency) + SPLINE[4] * np.cos(4 * np.pi * frequency)
    )


def shrunk(values: Floats, limits: Floats, *, non_negative: bool) -> Floats:
    """Bring values nearer to 0 by their limits: the proximal step of sum limits |values|; below 0 is 0 if asked."""
    if non_negative:
        return np.maximum(values - limits, 0.0)
    return values - np.clip(values, -limits, limits)


def fista(
    gradient: Callable[[Floats], Floats],
    proximal: Callable[[Floats], Floats],
    step: float,
    start: NDArray[np.float64],
    iterations: int,
) -> Floats:
    """Minimize f + g by accelerated proximal steps (Beck & Teboulle 2009), begun anew where they overshoot.

    Parameters
    ----------
    gradient : callable
        Of f.
    proximal : callable
        Of `step` times g.
    step : float
        1 over the Lipschitz constant of the gradient, or less.
    start : ndarray
        Where to begin.
    iterations : int
        How many steps.

    Returns
    -------
    ndarray
        As `start`.
    """
    current, ahead, momentum = start, start, 1.0
    for _ in range(iterations):
        following = proximal(ahead - step * gradient(ahead))
        # O'Donoghue & Candes (2015), eq. 13: momentum that points uphill is dropped
        if float(np.vdot(ahead - following, following - current)) > 0:
            momentum = 1.0
        grown = (1.0 + np.sqrt(1.0 + 4.0 * momentum**2)) / 2.0  # eq. 4.2
        ahead = following + (momentum - 1.0) / grown * (following - current)
        current, momentum = following, grown
    return current


METHOD = Method(
    title="sparse deconvolution by blobs of the starlet scales, FISTA",
    settings=SparseSettings,
    build=SparseDeconvolution,
    needs_training=False,
    source="Beck & Teboulle 2009; Starck, Murtagh & Bertero 2015",
)
