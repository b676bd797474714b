"""`richardson-lucy`: multiplicative deconvolution that keeps the flux, on data lifted above 0 instead of clipped."""

import numpy as np
from pydantic import Field

from galsmith.denoise.bands import Band, Floats, Grid, restored
from galsmith.denoise.method import Denoised, Method
from galsmith.observe.observed import Observed
from galsmith.settings import Settings


class RichardsonLucySettings(Settings):
    """How far the deconvolution goes.

    Attributes
    ----------
    iterations : int
        More of them are sharper and noisier.
    """

    iterations: int = Field(default=10, ge=0)


class RichardsonLucy:
    """Richardson (1972) and Lucy (1974), with weights for masked pixels.

    Parameters
    ----------
    settings : RichardsonLucySettings
        How far.
    """

    def __init__(self, settings: RichardsonLucySettings) -> None:
        self._settings = settings

    def denoise(self, observed: Observed) -> Denoised:
        """Restore each band; the PSF is taken off."""
        return restored(observed, self._restore)

    def _restore(self, band: Band) -> tuple[Floats, Floats | None]:
        return richardson_lucy(band, self._settings.iterations), None


def richardson_lucy(band: Band, iterations: int) -> Floats:
    """Deconvolve one band.

    Data below 0 are lifted by a level that is taken off at the end: clipped, the noise of the sky would add up to as
    much flux as a galaxy has (1.5 times that of the galaxies paper's).

    Parameters
    ----------
    band : Band
        Sky-subtracted.
    iterations : int
        How many; after 0 the data come back.

    Returns
    -------
    ndarray [y, x], float64
    """
    grid = Grid(band)
    level = max(0.0, -float(band.image.min()))
    seen = grid.embedded(band.image + level, beside=level)
    weight = grid.embedded(band.good.astype(np.float64), beside=1.0)
    # a pixel that no data tell of stays as it was
    told = grid.correlated(weight)
    known = told > 1e-6
    current = seen.copy()
    for _ in range(iterations):
        expected = grid.convolved(current)
        # transforms leave rounding where there is no light, which may be below 0
        ratio = np.divide(
            weight * seen, expected, out=np.zeros(grid.shape), where=expected > 1e-12 * seen.max()
        )
        # Lucy (1974), eq. 15, over the transpose applied to the weights
        current = np.where(
            known, current * np.maximum(grid.correlated(ratio), 0.0) / np.where(known, told, 1.0), current
        )
    return grid.cut(current) - level


METHOD = Method(
    title="Richardson-Lucy deconvolution on data that are lifted, not clipped",
    settings=RichardsonLucySettings,
    build=RichardsonLucy,
    needs_training=False,
    source="Richardson 1972; Lucy 1974",
)
