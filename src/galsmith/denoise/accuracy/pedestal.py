"""The sky pedestal: what a denoiser makes of sky without any source, on average."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from galsmith.denoise.bands import Floats, Grid, band_of
from galsmith.denoise.method import Denoiser
from galsmith.errors import InputError
from galsmith.observe.observed import Observed
from galsmith.seeds import random_stream


@dataclass(frozen=True)
class Pedestal:
    """Mean level of blank sky in results.

    Attributes
    ----------
    level : float
        Mean over images of their mean pixel, flux units.
    standard_error : float
        Of it, by the scatter of the images.
    in_sigma : float
        The level over the standard deviation of a pixel's noise, mean over images.
    n_images : int
        Blank images, one a band.
    """

    level: float
    standard_error: float
    in_sigma: float
    n_images: int


def blank_sky(observed: Observed, seed: int, position: int) -> Observed:
    """Replace an observation by noise alone, of the variance that it states; its truth is 0.

    Parameters
    ----------
    observed : Observed
        Whose size, PSF, ivar and mask are kept.
    seed, position : int
        Fix the noise.
    """
    rng = random_stream(seed, "denoise.blank_sky", position)
    ivar = np.asarray(observed.ivar, dtype=np.float64)
    sigma = np.zeros(ivar.shape)
    known = (ivar > 0) & np.isfinite(ivar)
    sigma[known] = 1.0 / np.sqrt(ivar[known])
    drawn = rng.standard_normal(ivar.shape)
    if observed.noise_correlation is not None:
        drawn = np.stack([_correlated(observed, number, plane) for number, plane in enumerate(drawn)])
    noise = (sigma * drawn).astype(np.float32)
    return replace(observed, image=noise, truth=np.zeros_like(noise))


def _correlated(observed: Observed, number: int, white: Floats) -> Floats:
    """Give white noise the correlation that is stated of a band's."""
    band = band_of(observed, number)
    grid = Grid(band, margin=0)
    return grid.back(grid.transformed(white) * np.sqrt(grid.noise_power(band)) / band.sigma)


def sky_pedestal(denoiser: Denoiser, observed: Sequence[Observed], *, seed: int = 0) -> Pedestal:
    """Denoise blank sky of the noise of some observations and see what level comes out.

    Parameters
    ----------
    denoiser : Denoiser
        What is tried.
    observed : sequence of Observed
        Two images or more, counting bands.
    seed : int
        Fixes the noise.

    Raises
    ------
    InputError
        If there are too few to tell how certain the mean is.
    """
    levels, ratios = [], []
    for position, one in enumerate(observed):
        result = denoiser.denoise(blank_sky(one, seed, position)).image
        for image, ivar in zip(result, one.ivar, strict=True):
            good = ivar > 0
            if good.any():
                level = float(np.mean(image[good], dtype=np.float64))
                levels.append(level)
                ratios.append(level * float(np.sqrt(np.median(ivar[good]))))
    if len(levels) < 2:
        raise InputError(argument="observed", came=len(levels), wanted="two images of one band or more")
    error = float(np.std(levels, ddof=1) / np.sqrt(len(levels)))
    return Pedestal(float(np.mean(levels)), error, float(np.mean(ratios)), len(levels))
