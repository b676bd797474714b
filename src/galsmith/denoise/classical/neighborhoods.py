"""`tv` and `nlm`: what scikit-image denoises by, total variation and non-local means, in units of each image's noise."""

from types import ModuleType

import numpy as np
from pydantic import Field

from galsmith.denoise.bands import Band, Floats, restored
from galsmith.denoise.method import Denoised, Method
from galsmith.errors import InputError
from galsmith.observe.observed import Observed
from galsmith.settings import Settings


class TotalVariationSettings(Settings):
    """How strongly total variation is penalized.

    Attributes
    ----------
    strength : float
        Weight of the total variation over the standard deviation of the noise.
    iterations : int
        At most.
    """

    strength: float = Field(default=1.0, gt=0)
    iterations: int = Field(default=200, ge=1)


class NonLocalMeansSettings(Settings):
    """Which patches are averaged.

    Attributes
    ----------
    patch_size : int
        Side of the patches that are compared, in pixels.
    patch_distance : int
        How far away they are looked for, in pixels.
    cutoff : float
        Patches that differ by more than so many standard deviations of the noise count little.
    """

    patch_size: int = Field(default=5, ge=1)
    patch_distance: int = Field(default=6, ge=1)
    cutoff: float = Field(default=0.8, gt=0)


class TotalVariation:
    """Least total variation near the data (Rudin, Osher & Fatemi 1992; Chambolle 2004); the PSF stays on.

    Parameters
    ----------
    settings : TotalVariationSettings
        How strong.
    """

    def __init__(self, settings: TotalVariationSettings) -> None:
        self._settings, self._library = settings, _restoration()

    def denoise(self, observed: Observed) -> Denoised:
        """Denoise each band."""
        return restored(observed, self._restore)

    def _restore(self, band: Band) -> tuple[Floats, Floats | None]:
        settings = self._settings
        found = self._library.denoise_tv_chambolle(
            # in units of the noise, so that its tolerance means the same for every image
            band.image / band.sigma,
            weight=settings.strength,
            max_num_iter=settings.iterations,
        )
        return np.asarray(found * band.sigma, dtype=np.float64), None


class NonLocalMeans:
    """Means of like patches (Buades, Coll & Morel 2005); the PSF stays on.

    Parameters
    ----------
    settings : NonLocalMeansSettings
        Which.
    """

    def __init__(self, settings: NonLocalMeansSettings) -> None:
        self._settings, self._library = settings, _restoration()

    def denoise(self, observed: Observed) -> Denoised:
        """Denoise each band."""
        return restored(observed, self._restore)

    def _restore(self, band: Band) -> tuple[Floats, Floats | None]:
        settings = self._settings
        found = self._library.denoise_nl_means(
            band.image / band.sigma,
            patch_size=settings.patch_size,
            patch_distance=settings.patch_distance,
            h=settings.cutoff,
            sigma=1.0,
            fast_mode=True,
        )
        return np.asarray(found * band.sigma, dtype=np.float64), None


def _restoration() -> ModuleType:
    """Import scikit-image's restoration, or say how to get it."""
    try:
        from skimage import restoration
    except ImportError as error:
        raise InputError(
            "tv and nlm are of scikit-image, which is not installed; pip install 'galsmith[denoise]'"
        ) from error
    return restoration


TOTAL_VARIATION = Method(
    title="total variation; denoises alone, the PSF stays on",
    settings=TotalVariationSettings,
    build=TotalVariation,
    needs_training=False,
    source="scikit-image; Chambolle 2004",
)


NON_LOCAL_MEANS = Method(
    title="non-local means; denoises alone, the PSF stays on",
    settings=NonLocalMeansSettings,
    build=NonLocalMeans,
    needs_training=False,
    source="scikit-image; Buades, Coll & Morel 2005",
)
