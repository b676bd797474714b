"""Our denoiser: a network that corrects a bank of regularized deconvolutions, each in units of its own noise.

- It sees observations divided by their noise and has no constants (Mohan et al. 2020), so that image and noise times any
  number give the result times it.
- It is told the PSF by what the PSF does: the filters, and how much noise each lets through, are computed from it.
- Beyond some pixels it has no say: there the middle filter of the bank is kept, which is linear and keeps sums. So the
  flux of an image is that of the observation, and blank sky comes out as 0 in the mean: no pedestal.
"""

import math
from functools import lru_cache
from typing import Annotated, NamedTuple

import numpy as np
import torch
from pydantic import Field
from torch import nn
from torch.nn.functional import leaky_relu, pixel_shuffle, pixel_unshuffle

from galsmith.denoise.deconvolution import batch_kernels, filtered, filtered_deviation
from galsmith.denoise.method import Method
from galsmith.denoise.network import ObservedBatch, Restored, in_trunk, masked_mean
from galsmith.models.layers.chance import generator_from_seed
from galsmith.models.protocols import Precision
from galsmith.seeds import derive_seed
from galsmith.settings import Settings

SLOPE = 0.1
SMOOTHING_REACH = 3.0  # in sigma
HALVED = 2  # the trunk works on blocks of 2 x 2 pixels: as many products a pixel, a quarter of the memory
LARGEST_PULL = 100.0  # squared residuals beyond are cut in the likelihood, or one bright core would rule it
# of log sigma about the noise of the first scale: from a hundredth of it to e**8 times
LEAST_LOG_SIGMA, LARGEST_LOG_SIGMA = -4.6, 8.0

Positive = Annotated[float, Field(gt=0)]


class FilterBankSettings(Settings):
    """Of our network.

    Attributes
    ----------
    width, blocks : int
        Channels on blocks of 2 x 2 pixels, and residual blocks of two 3 x 3 convolutions; the default multiplies 0.5
        million times a pixel in four bands, as the paper's network does.
    strengths : tuple of float
        Regularizations of the bank, from strong to weak; see `galsmith.denoise.deconvolution`.
    reach_pix : int
        Where the deconvolving kernels end.
    kept_beyond_pix : float
        Beyond a Gaussian of this standard deviation the middle filter of the bank is kept as it is.
    balance : float
        Share in the power of each image's own difficulty (the squared error of the bank's own sum) that its loss is
        divided by: 1 counts all images alike, 0 by their squared error in units of noise.
    states_sigma : bool
        Whether a second head states the uncertainty of each pixel.
    """

    width: Annotated[int, Field(ge=2)] = 96
    blocks: Annotated[int, Field(ge=1)] = 11
    strengths: tuple[Positive, ...] = (100.0, 3.0, 0.1, 0.01, 0.001)
    reach_pix: Annotated[int, Field(ge=4)] = 32
    kept_beyond_pix: Positive = 12.0
    balance: Annotated[float, Field(ge=0, le=1)] = 1.0
    states_sigma: bool = True


class ResidualBlock(nn.Module):
    """Two convolutions without constants, a leaky rectifier between them, and the input added."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = _convolution(width, width), _convolution(width, width)

    def forward(self, seen: torch.Tensor) -> torch.Tensor:
        """Map [galaxy, channel, y, x] to the same shape."""
        return seen + self.second(leaky_relu(self.first(seen), SLOPE))


class SigmaHead(nn.Module):
    """States log sigma of each pixel from the sizes of what the trunk found: even in the observation.

    Parameters
    ----------
    width, n_bands : int
        Channels of the trunk, and bands.
    """

    def __init__(self, width: int, n_bands: int) -> None:
        super().__init__()
        seen = width + n_bands * HALVED**2
        self.layers = nn.Sequential(
            nn.Conv2d(seen, 32, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(32, 32, 3, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(32, n_bands * HALVED**2, 1),
        )

    def forward(self, trunk: torch.Tensor, estimate: torch.Tensor) -> torch.Tensor:
        """Map the trunk's channels and the estimate in units of noise to log sigma [galaxy, band, y, x], in such units."""
        halved = pixel_unshuffle(estimate, HALVED)
        seen = torch.cat([trunk, halved], dim=1).abs()
        found = pixel_shuffle(self.layers(torch.log1p(seen)), HALVED)
        return LEAST_LOG_SIGMA + (LARGEST_LOG_SIGMA - LEAST_LOG_SIGMA) * torch.sigmoid(found)


class FilterBank(nn.Module):
    """The bank, the trunk and the heads.

    Parameters
    ----------
    settings : FilterBankSettings
        Widths, strengths, heads.
    n_bands : int
        Of the images.
    """

    is_equivariant = True
    reads_psf = True
    precision: Precision = "float32"

    def __init__(self, settings: FilterBankSettings, n_bands: int) -> None:
        super().__init__()
        self.settings, self.n_bands = settings, n_bands
        n_scales, width = len(settings.strengths), settings.width
        self.entry = _convolution((n_scales + 1) * n_bands * HALVED**2, width)
        self.blocks = nn.Sequential(*(ResidualBlock(width) for _ in range(settings.blocks)))
        self.output = _convolution(width, n_scales * n_bands * HALVED**2)
        self.kept_scales = nn.Parameter(torch.empty(n_scales))
        self.sigma_head = SigmaHead(width, n_bands) if settings.states_sigma else None

    @property
    def n_kept(self) -> int:
        """Scales whose sum is the middle filter."""
        return (len(self.settings.strengths) + 1) // 2

    @property
    def margin_pix(self) -> int:
        """How far a pixel of the output sees: kernels, two pixels a convolution of the halved trunk and head, smoothing."""
        trunk = HALVED * (2 * self.settings.blocks + 3) + HALVED
        return self.settings.reach_pix + trunk + math.ceil(SMOOTHING_REACH * self.settings.kept_beyond_pix)

    def start(self, seed: int) -> None:
        """Draw first weights by He's law, a block's second convolution small and the output's zero.

        So at first the result is a middling deconvolution.
        """
        with torch.no_grad():
            for position, (name, weight) in enumerate(self.named_parameters()):
                chance = generator_from_seed(derive_seed(seed, "denoise.weights", position))
                if weight.ndim == 4:
                    nn.init.kaiming_normal_(weight, a=1.0, generator=chance)
                    weight.mul_(_first_size(name, self.settings.blocks))
                else:
                    weight.zero_()
            kept = [float(k < self.n_kept) for k in range(len(self.kept_scales))]
            self.kept_scales.copy_(torch.tensor(kept))

    def restored(self, batch: ObservedBatch) -> Restored:
        """Denoise a batch, of even heights and widths, with the uncertainty of each pixel."""
        found = self._found(batch)
        return Restored(found.estimate, self._sigma(found))

    def loss(self, batch: ObservedBatch) -> dict[str, torch.Tensor]:
        """Squared error of each image by that of a plain filter, as log(1 + ratio); and the likelihood of residuals."""
        found = self._found(batch)
        estimate, balance = found.estimate, self.settings.balance
        error = masked_mean((estimate - batch.truth) ** 2, batch.weight)
        noise = batch.variance.mean(dim=(1, 2, 3))
        relative = error / (noise ** (1 - balance) * _difficulty(found.scales, batch, noise) ** balance)
        # about linear where an image comes out better than by a plain filter; far worse ones pull no harder
        terms = {"loss": relative.log1p().mean(), "mse": error.mean().detach()}
        sigma = self._sigma(found)
        if sigma is not None:
            # the head learns from residuals, the trunk never from the head: a likelihood would trade errors for sigmas
            pull = ((estimate - batch.truth).detach() / sigma) ** 2
            log_sigma = (sigma / found.deviation[:, :, 0]).log()
            likelihood = masked_mean(0.5 * pull.clamp_max(LARGEST_PULL) + log_sigma, batch.weight).mean()
            terms |= {"loss": terms["loss"] + likelihood - likelihood.detach(), "nll": likelihood.detach()}
        return terms

    def _found(self, batch: ObservedBatch) -> "Found":
        """Take the bank, let the trunk correct it, and sum its scales."""
        kernels = batch_kernels(
            batch.psf, strengths=self.settings.strengths, reach_pix=self.settings.reach_pix
        )
        deviation = filtered_deviation(batch.variance, kernels, batch.noise_correlation)
        scales = filtered(batch.image, kernels)
        in_noise = scales / deviation
        observed = (batch.image / batch.variance.sqrt())[:, :, None]
        trunk = self.entry(pixel_unshuffle(torch.cat([observed, in_noise], dim=2).flatten(1, 2), HALVED))
        with in_trunk(self.precision, trunk) as entered:
            trunk = self.blocks(entered).float()
        correction = pixel_shuffle(self.output(trunk), HALVED)
        correction = correction.reshape(len(scales), self.n_bands, -1, *scales.shape[-2:])
        # corrections are of one scale each, in units of its noise; their sum is the estimate
        kept = self.kept_scales[:, None, None] * in_noise + correction
        estimate = (kept * deviation).sum(dim=2)
        # what is slower than some pixels is the middle filter's: linear, and its sum the observation's; the most
        # regularized one would carry light out of small frames
        slow = scales[:, :, : self.n_kept].sum(dim=2)
        estimate = estimate + smoothed(slow - estimate, self.settings.kept_beyond_pix)
        return Found(estimate, trunk, deviation, scales)

    def _sigma(self, found: "Found") -> torch.Tensor | None:
        """Stated uncertainty in flux; None where there is no head."""
        if self.sigma_head is None:
            return None
        unit = found.deviation[:, :, 0]
        log_sigma = self.sigma_head(found.trunk.detach(), (found.estimate / unit).detach())
        return unit * log_sigma.exp()


def smoothed(images: torch.Tensor, sigma_pix: float) -> torch.Tensor:
    """Smooth images [..., y, x] by a Gaussian, mirrored at the frame's edges, so that sums over the frame stay."""
    height, width = images.shape[-2:]
    rows, columns = (smoothing_matrix(side, sigma_pix).to(images.device) for side in (height, width))
    return rows @ images @ columns.T


@lru_cache(maxsize=256)
def smoothing_matrix(side: int, sigma_pix: float) -> torch.Tensor:
    """Weights [new, old] of a Gaussian cut at three sigma, mirrored at both ends; rows and columns sum to 1."""
    reach = math.ceil(SMOOTHING_REACH * sigma_pix)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma_pix) ** 2)
    mirrored = np.pad(np.eye(side), ((reach, reach), (0, 0)), mode="symmetric")
    windows = np.lib.stride_tricks.sliding_window_view(mirrored, 2 * reach + 1, axis=0)
    return torch.from_numpy(((windows * weights).sum(axis=-1) / weights.sum()).astype(np.float32))


class Found(NamedTuple):
    """Estimate [galaxy, band, y, x] in flux, the trunk's channels, and the scales of the bank with their noise."""

    estimate: torch.Tensor
    trunk: torch.Tensor
    deviation: torch.Tensor
    scales: torch.Tensor


@torch.no_grad()
def _difficulty(scales: torch.Tensor, batch: ObservedBatch, noise: torch.Tensor) -> torch.Tensor:
    """Squared error of the best single filter of the bank, [galaxy]: what plain deconvolution reaches at this signal."""
    sums = scales.cumsum(dim=2).unbind(dim=2)
    errors = torch.stack([masked_mean((one - batch.truth) ** 2, batch.weight) for one in sums])
    # 1e-4: an empty frame has no error but a share of the noise
    return errors.amin(dim=0) + 1e-4 * noise


def _convolution(n_in: int, n_out: int) -> nn.Conv2d:
    """3 x 3 without constants."""
    return nn.Conv2d(n_in, n_out, 3, padding=1, bias=False)


def _first_size(name: str, blocks: int) -> float:
    """By how much He's law is scaled for a weight at first."""
    if name.startswith("output") or name == "sigma_head.layers.4.weight":
        return 0.0
    return 1.0 / math.sqrt(blocks) if name.endswith("second.weight") else 1.0


METHOD = Method(
    title="ours: a network on regularized deconvolutions, for any noise level and a range of PSFs; states uncertainties",
    settings=FilterBankSettings,
    build=FilterBank,
    needs_training=True,
    source="galsmith; filters after Tikhonov 1963, scales after Donoho 1995",
)
