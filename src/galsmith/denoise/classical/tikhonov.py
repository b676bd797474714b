"""`tikhonov`: linear deconvolution that penalizes curvature, its strength by Stein's risk; where Tikhonets begin."""

import numpy as np
from pydantic import Field

from galsmith.denoise.bands import Band, Floats, Grid, restored
from galsmith.denoise.classical.wiener import Edges
from galsmith.denoise.method import Denoised, Method
from galsmith.observe.observed import Observed
from galsmith.settings import Settings

STRENGTHS = np.geomspace(1e-12, 1e3, 91)


class TikhonovSettings(Settings):
    """How the deconvolution is regularized.

    Attributes
    ----------
    strength : float or None
        Lambda; None takes for each image the one of least risk.
    edges : {"sky", "periodic"}
        What lies beside the image.
    """

    strength: float | None = Field(default=None, gt=0)
    edges: Edges = "sky"


class Tikhonov:
    """Filter by H* / (|H|^2 + lambda |P|^2), P the Laplacian (Sureau et al. 2020, eq. 6).

    The total flux is that of the data, as the Laplacian of a level is 0.

    Parameters
    ----------
    settings : TikhonovSettings
        How strong.
    """

    def __init__(self, settings: TikhonovSettings) -> None:
        self._settings = settings

    def denoise(self, observed: Observed) -> Denoised:
        """Restore each band; the PSF is taken off."""
        return restored(observed, self._restore)

    def _restore(self, band: Band) -> tuple[Floats, Floats | None]:
        grid = Grid(band, margin=0 if self._settings.edges == "periodic" else None)
        seen = grid.transformed(grid.embedded(band.image))
        curvature = _laplacian(grid)
        strength = self._settings.strength
        if strength is None:
            strength = least_risk(grid, np.abs(seen) ** 2 / np.prod(grid.shape), grid.noise_power(band))
        gain = np.conj(grid.transfer) / (np.abs(grid.transfer) ** 2 + strength * curvature)
        return grid.cut(grid.back(gain * seen)), None


def _laplacian(grid: Grid) -> Floats:
    """|P|^2 of the five-point Laplacian, in units of its greatest value."""
    y, x = grid.frequencies()
    return (((2 - 2 * np.cos(2 * np.pi * y)) + (2 - 2 * np.cos(2 * np.pi * x))) / 8.0) ** 2


def least_risk(grid: Grid, power: Floats, noise: Floats) -> float:
    """Find the strength at which the reconvolved result is expected to be nearest to the truth (Stein 1981).

    Parameters
    ----------
    grid : Grid
        With the PSF.
    power, noise : ndarray [fy, fx], float64
        Power per pixel of the data, and that of their noise.

    Returns
    -------
    float
        One of `STRENGTHS`.
    """
    response, curvature, weight = np.abs(grid.transfer) ** 2, _laplacian(grid), grid.doubling()
    risks = []
    for strength in STRENGTHS:
        # at 0 frequency, where the PSF passes all, the Laplacian is 0
        kept = response / (response + strength * curvature)
        # SURE: squared residual + 2 sigma^2 divergence, less a constant
        risks.append(float((weight * ((1 - kept) ** 2 * power + 2 * noise * kept)).sum()))
    return float(STRENGTHS[int(np.argmin(risks))])


METHOD = Method(
    title="Tikhonov deconvolution: curvature penalized, by the least unbiased risk",
    settings=TikhonovSettings,
    build=Tikhonov,
    needs_training=False,
    source="Sureau, Lechat & Starck 2020; Stein 1981",
)
