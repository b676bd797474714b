"""A bank of regularized deconvolutions, exactly for the given PSF and noise: what our network sees and corrects.

Each filter of the bank is ``conj(H) / (|H|**2 + strength * (f / f_max)**2)`` (Tikhonov 1963 with a gradient, in units of
white noise of variance 1), taken from a strong to a weak regularization. The first filter and the differences of
neighbors are bands of scales, each with its own noise level, as wavelet-vaguelette decompositions are (Donoho 1995).
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np
import scipy.fft
import torch
from numpy.typing import NDArray

Kernels = NDArray[np.float32]
KERNELS_KEPT = 256
LEAST_SHARE = 1e-3  # of the variance of independent noise, that correlated noise has at a scale
TAPERED_SHARE = 0.25  # of a kernel's reach, over which it is brought to zero


def bank_kernels(psf: NDArray[np.floating], *, strengths: Sequence[float], reach_pix: int) -> Kernels:
    """Kernels of the scales of one band: the strongest regularization, then what each weaker one adds.

    Parameters
    ----------
    psf : ndarray [k, k]
        Odd side, sum 1, center in the middle pixel.
    strengths : sequence of float
        From strong to weak.
    reach_pix : int
        The kernels end here, so that parts of an image can be treated apart; they are brought to zero by half a cosine.

    Returns
    -------
    ndarray [scale, 2 reach + 1, 2 reach + 1], float32
        The first sums to 1, so that flux stays; the others to 0.
    """
    key = np.ascontiguousarray(psf, dtype=np.float32)
    return _bank_kernels(key.tobytes(), key.shape[-1], tuple(strengths), reach_pix)


@lru_cache(maxsize=KERNELS_KEPT)
def _bank_kernels(psf_bytes: bytes, side: int, strengths: tuple[float, ...], reach_pix: int) -> Kernels:
    """Compute the kernels on a grid that holds them twice over, so that they do not meet themselves."""
    psf = np.frombuffer(psf_bytes, dtype=np.float32).reshape(side, side).astype(np.float64)
    n = scipy.fft.next_fast_len(max(4 * reach_pix, 2 * side), real=True)
    placed = np.zeros((n, n))
    placed[:side, :side] = psf / psf.sum()
    transfer = scipy.fft.rfft2(np.roll(placed, (-(side // 2), -(side // 2)), (0, 1)))
    # (f / f_max)**2 along each axis, 1 at the Nyquist frequency
    roughness = (2 * np.fft.fftfreq(n)[:, np.newaxis]) ** 2 + (2 * np.fft.rfftfreq(n)[np.newaxis]) ** 2
    taper, filters = _taper(reach_pix), []
    for strength in strengths:
        kernel = scipy.fft.irfft2(
            np.conj(transfer) / (np.abs(transfer) ** 2 + strength * roughness), s=(n, n)
        )
        centered = np.roll(kernel, (reach_pix, reach_pix), (0, 1))[: 2 * reach_pix + 1, : 2 * reach_pix + 1]
        cut = centered * taper
        filters.append(cut / cut.sum())
    bank = np.stack([filters[0], *(new - old for old, new in pairwise(filters))])
    bank.flags.writeable = False
    return bank.astype(np.float32)


def _taper(reach_pix: int) -> NDArray[np.float64]:
    """1 in the middle, to 0 just beyond the reach by half a cosine, by distance."""
    axis = np.arange(-reach_pix, reach_pix + 1)
    distance = np.hypot(axis[:, np.newaxis], axis[np.newaxis]) / (reach_pix + 1)
    phase = np.clip((distance - (1 - TAPERED_SHARE)) / TAPERED_SHARE, 0, 1)
    return np.asarray(0.5 + 0.5 * np.cos(np.pi * phase))


def batch_kernels(psf: torch.Tensor, *, strengths: Sequence[float], reach_pix: int) -> torch.Tensor:
    """Kernels for PSFs [galaxy, band, k, k], as [galaxy, band, scale, y, x] float32 on the same device."""
    found = [
        np.stack([bank_kernels(one, strengths=strengths, reach_pix=reach_pix) for one in bands])
        for bands in psf.cpu().numpy()
    ]
    return torch.from_numpy(np.stack(found)).to(psf.device)


def filtered(images: torch.Tensor, kernels: torch.Tensor) -> torch.Tensor:
    """Convolve each band with its kernels, nothing beyond the frame.

    Parameters
    ----------
    images : Tensor [galaxy, band, y, x], float32
        Of any size.
    kernels : Tensor [galaxy, band, scale, k, k], float32
        Odd side.

    Returns
    -------
    Tensor [galaxy, band, scale, y, x], float32
    """
    height, width = images.shape[-2:]
    reach = kernels.shape[-1] // 2
    shape = [scipy.fft.next_fast_len(side + 2 * reach, real=True) for side in (height, width)]
    spectrum = torch.fft.rfft2(images, s=shape)[:, :, None] * torch.fft.rfft2(kernels, s=shape)
    return torch.fft.irfft2(spectrum, s=shape)[..., reach : reach + height, reach : reach + width]


def filtered_deviation(
    variance: torch.Tensor, kernels: torch.Tensor, correlation: torch.Tensor | None = None
) -> torch.Tensor:
    """Give the standard deviation of filtered noise.

    Of independent noise exactly, as variances go with squared kernels; of noise that neighbors share exactly where the
    variance is the same all over, and else as if it hardly changed within its reach.

    Parameters
    ----------
    variance : Tensor [galaxy, band, y, x], float32
        Of each pixel; beyond the frame that of its edge.
    kernels : Tensor [galaxy, band, scale, k, k], float32
        Odd side.
    correlation : Tensor [galaxy, c, c], float32, optional
        Of the noise of two pixels by their distance, odd side, 1 in the middle; independent noise when left out.

    Returns
    -------
    Tensor [galaxy, band, scale, y, x] or [galaxy, band, scale, 1, 1], float32
        The latter where all pixels of a band have one variance.
    """
    level = variance.mean(dim=(-2, -1))
    shared = 1.0 if correlation is None else _share_by_correlation(kernels, correlation)[..., None, None]
    if bool((variance == variance[..., :1, :1]).all()):
        alone = (level[..., None] * (kernels**2).sum(dim=(-2, -1)))[..., None, None]
        return (alone * shared).sqrt()
    reach = kernels.shape[-1] // 2
    wide = torch.nn.functional.pad(variance, (reach, reach, reach, reach), mode="replicate")
    # relative to the level: float32 transforms are right to 1e-7 of the largest value
    found = filtered(wide / level[..., None, None], kernels**2)[..., reach:-reach, reach:-reach]
    floor = 1e-6 * (kernels**2).sum(dim=(-2, -1))[..., None, None]
    return (found.maximum(floor) * level[..., None, None, None] * shared).sqrt()


def _share_by_correlation(kernels: torch.Tensor, correlation: torch.Tensor) -> torch.Tensor:
    """Variance of filtered correlated noise over that of independent noise, [galaxy, band, scale].

    It is the sum over distances of the kernel's autocorrelation times the noise's correlation; by Parseval's theorem the
    mean of power times spectrum, on a grid on which neither meets itself.
    """
    reach = correlation.shape[-1] // 2
    side = scipy.fft.next_fast_len(kernels.shape[-1] + reach, real=True)
    power = torch.fft.fft2(kernels, s=(side, side)).abs() ** 2
    placed = torch.nn.functional.pad(correlation, (0, side - correlation.shape[-1]) * 2)
    spectrum = torch.fft.fft2(placed.roll((-reach, -reach), dims=(-2, -1))).real[:, None, None]
    # a measured correlation that was cut off may have small negative power: no scale is without noise
    ratio = (power * spectrum).mean(dim=(-2, -1)) / (kernels**2).sum(dim=(-2, -1))
    return ratio.clamp_min(LEAST_SHARE)
