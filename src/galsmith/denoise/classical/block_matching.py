"""`bm3d` and `bm3d-rl`: block matching of the package bm3d, alone, and before Richardson and Lucy's deconvolution."""

from dataclasses import replace
from types import ModuleType

import numpy as np
from pydantic import Field

from galsmith.denoise.bands import Band, Floats, restored
from galsmith.denoise.classical.richardson_lucy import richardson_lucy
from galsmith.denoise.method import Denoised, Method
from galsmith.errors import InputError
from galsmith.observe.observed import Observed
from galsmith.settings import Settings


class BlockMatchingSettings(Settings):
    """How strong the noise is taken to be.

    Attributes
    ----------
    strength : float
        Factor on the standard deviation of the noise.
    """

    strength: float = Field(default=1.0, gt=0)


class BlockMatchingDeconvolutionSettings(BlockMatchingSettings):
    """The same, and how far the deconvolution goes.

    Attributes
    ----------
    iterations : int
        Of Richardson and Lucy's.
    """

    iterations: int = Field(default=10, ge=0)


class BlockMatching:
    """Collaborative filtering of like blocks (Dabov et al. 2007; Makinen, Azzari & Foi 2020); the PSF stays on.

    Parameters
    ----------
    settings : BlockMatchingSettings
        How strong.
    """

    def __init__(self, settings: BlockMatchingSettings) -> None:
        self._settings, self._library = settings, _package()

    def denoise(self, observed: Observed) -> Denoised:
        """Denoise each band."""
        return restored(observed, self._restore)

    def _restore(self, band: Band) -> tuple[Floats, Floats | None]:
        return _matched(self._library, band, self._settings.strength), None


class BlockMatchingDeconvolution:
    """Block matching, then Richardson and Lucy's deconvolution of what it left.

    Parameters
    ----------
    settings : BlockMatchingDeconvolutionSettings
        How strong, and how far.
    """

    def __init__(self, settings: BlockMatchingDeconvolutionSettings) -> None:
        self._settings, self._library = settings, _package()

    def denoise(self, observed: Observed) -> Denoised:
        """Restore each band; the PSF is taken off."""
        return restored(observed, self._restore)

    def _restore(self, band: Band) -> tuple[Floats, Floats | None]:
        quiet = replace(band, image=_matched(self._library, band, self._settings.strength))
        return richardson_lucy(quiet, self._settings.iterations), None


def _matched(library: ModuleType, band: Band, strength: float) -> Floats:
    """Denoise a band by block matching, in units of its noise."""
    found = library.bm3d(band.image / band.sigma, sigma_psd=strength)
    return np.asarray(found, dtype=np.float64).reshape(band.image.shape) * band.sigma


def _package() -> ModuleType:
    """Import bm3d, or say how to get it and on what terms."""
    try:
        import bm3d
    except ImportError as error:
        raise InputError(
            "bm3d and bm3d-rl are of the package bm3d, which is not installed; pip install 'galsmith[bm3d]' "
            "(its license allows non-commercial research alone)"
        ) from error
    return bm3d


BLOCK_MATCHING = Method(
    title="BM3D; denoises alone, the PSF stays on; package bm3d, non-commercial",
    settings=BlockMatchingSettings,
    build=BlockMatching,
    needs_training=False,
    source="bm3d; Makinen, Azzari & Foi 2020",
)


BLOCK_MATCHING_DECONVOLUTION = Method(
    title="BM3D, then Richardson-Lucy; package bm3d, non-commercial",
    settings=BlockMatchingDeconvolutionSettings,
    build=BlockMatchingDeconvolution,
    needs_training=False,
    source="bm3d; Makinen, Azzari & Foi 2020; Lucy 1974",
)
