"""What components leave over, as noise with the spectrum, colors and places that it has in each galaxy.

Sky noise and the smallest structures need as many components as there are pixels. Their phases carry no information,
so their strength alone is learned: ln rms per band in a few rings of spatial frequency, numbers of their own for each
galaxy. A drawn galaxy gets Gaussian noise of that spectrum, stronger where the galaxy is bright, as in the training
set, and with the training set's correlation between bands.
"""

from collections.abc import Callable, Iterator

import torch
from torch.nn import functional

from galsmith.models.layers.marginals import NormalMarginals, fit_marginals
from galsmith.models.protocols import NetworkBatch

N_KNOTS = 24
LOWEST_FREQUENCY = 2.0
SMALLEST_RMS = 1e-6
SMOOTHING_PIX, SMOOTHING_REACH = 2.0, 6
CORRECTION_STEPS = 4
Remainders = Callable[[], Iterator[NetworkBatch]]
"""Batches whose pixels are composed images and whose scalars are what these left over, both [galaxy, band, y, x]."""


class Texture(torch.nn.Module):
    """Remainders -> numbers that a network can learn, and numbers -> noise.

    Parameters
    ----------
    n_bands, size_pix, n_rings : int
        Of the images, and of the rings.

    Attributes
    ----------
    brightness, deviation : Tensor [band, knot], float32
        rms of the remainder at the brightness of its surroundings, piecewise linear. The surroundings are smoothed,
        as a strength that changes from pixel to pixel would spread the large scales' power over the small ones.
    mixing : Tensor [ring, band, band], float32
        Lower triangle that gives independent noise the bands' mean correlation.
    rings : Tensor [ring, y, x], float32
        Shares of each frequency; they sum to 1 over the rings.
    law : NormalMarginals
        Of the numbers.
    """

    brightness: torch.Tensor
    deviation: torch.Tensor
    mixing: torch.Tensor
    rings: torch.Tensor

    def __init__(self, *, n_bands: int, size_pix: int, n_rings: int) -> None:
        super().__init__()
        self.n_bands, self.n_rings = n_bands, n_rings
        self.register_buffer("brightness", torch.linspace(0, 1, N_KNOTS).repeat(n_bands, 1))
        self.register_buffer("deviation", torch.ones(n_bands, N_KNOTS))
        self.register_buffer("mixing", torch.eye(n_bands).repeat(n_rings, 1, 1))
        self.register_buffer("rings", ring_shares(size_pix, n_rings), persistent=False)
        self.law = NormalMarginals(self.n_numbers)

    @property
    def n_numbers(self) -> int:
        """Return how many numbers a galaxy has."""
        return self.n_bands * self.n_rings

    def describe(self, composed: torch.Tensor, remainder: torch.Tensor) -> torch.Tensor:
        """Strength of a remainder as normal numbers, [galaxy, band * ring]; both inputs [galaxy, band, y, x]."""
        return self.law.to_normal(self._log_rms(composed, remainder).flatten(1))

    def drawn(self, numbers: torch.Tensor, composed: torch.Tensor, white: torch.Tensor) -> torch.Tensor:
        """Noise for composed images, [galaxy, band, y, x].

        Parameters
        ----------
        numbers : Tensor [galaxy, band * ring]
            Normal numbers as `describe` gives.
        composed : Tensor [galaxy, band, y, x]
            What the noise is added to.
        white : Tensor [galaxy, band, y, x]
            Independent standard normal numbers.
        """
        log_rms = self.law.from_normal(numbers).reshape(-1, self.n_bands, self.n_rings)
        amplitude = torch.einsum("gbr,ryx->gbyx", self._corrected(log_rms), self.rings).exp()
        mixing = torch.einsum("rbc,ryx->yxbc", self.mixing, self.rings)
        # unit variance in every band
        mixing = mixing / torch.linalg.vector_norm(mixing, dim=-1, keepdim=True)
        spectrum = torch.einsum("yxbc,gcyx->gbyx", mixing.to(torch.complex64), _spectrum(white))
        noise: torch.Tensor = torch.fft.ifft2(spectrum * amplitude, norm="ortho").real
        return noise * self._deviation_at(composed)

    def fit(self, remainders: Remainders) -> None:
        """Fit strength by brightness, then correlation and the numbers' law, on all images of `remainders`."""
        self._fit_deviation(remainders)
        total, count = torch.zeros_like(self.mixing, dtype=torch.float64), 0
        log_rms = []
        for batch in remainders():
            log_rms.append(self._log_rms(batch.pixels, batch.scalars).flatten(1))
            spectrum = _spectrum(batch.scalars / self._deviation_at(batch.pixels))
            cross = torch.einsum(
                "gbyx,gcyx,ryx->grbc", spectrum, spectrum.conj(), self.rings.to(spectrum)
            ).real
            rms = cross.diagonal(dim1=-2, dim2=-1).clamp_min(SMALLEST_RMS**2).sqrt()
            total += (cross / rms[..., None] / rms[..., None, :]).double().sum(dim=0)
            count += len(batch.pixels)
        correlation = total / count
        # keeps Cholesky's matrix positive where bands agree
        correlation.diagonal(dim1=-2, dim2=-1).fill_(1.0 + SMALLEST_RMS)
        # its triangle gives white noise this correlation
        self.mixing.copy_(torch.linalg.cholesky(correlation))
        numbers = torch.cat(log_rms)
        self.law = fit_marginals(lambda: iter([NetworkBatch(numbers, numbers)]), self.n_numbers)

    def _fit_deviation(self, remainders: Remainders) -> None:
        """Fit the rms at each brightness, between quantiles of the brightness."""
        some = torch.cat(
            [surroundings(batch.pixels).transpose(0, 1).flatten(1)[:, ::7] for batch in remainders()], dim=1
        )
        shares = torch.linspace(0, 1, N_KNOTS + 1, dtype=torch.float64)
        edges = [values[((len(values) - 1) * shares).long()] for values in some.sort(dim=1).values]
        squares, counts, sums = (torch.zeros(self.n_bands, N_KNOTS, dtype=torch.float64) for _ in range(3))
        for batch in remainders():
            around = surroundings(batch.pixels)
            for band in range(self.n_bands):
                at, left_over = around[:, band].flatten(), batch.scalars[:, band].flatten().double()
                cell = (torch.searchsorted(edges[band], at, right=True) - 1).clamp(0, N_KNOTS - 1)
                squares[band].index_add_(0, cell, left_over**2)
                sums[band].index_add_(0, cell, at.double())
                counts[band].index_add_(0, cell, torch.ones_like(left_over))
        filled = counts > 0
        rms = torch.where(filled, (squares / counts.clamp_min(1)).sqrt(), 0.0)
        middles = torch.stack([0.5 * (edge[:-1] + edge[1:]).double() for edge in edges])
        self.deviation.copy_(rms.clamp_min(SMALLEST_RMS))
        self.brightness.copy_(torch.where(filled, sums / counts.clamp_min(1), middles))

    def _log_rms(self, composed: torch.Tensor, remainder: torch.Tensor) -> torch.Tensor:
        """Return ln rms of the evened remainder in each ring, [galaxy, band, ring]."""
        # evened first: strength follows brightness
        power = _spectrum(remainder / self._deviation_at(composed)).abs().square()
        mean_power = torch.einsum("gbyx,ryx->gbr", power, self.rings) / self.rings.sum(dim=(1, 2))
        return 0.5 * mean_power.clamp_min(SMALLEST_RMS**2).log()

    def _corrected(self, log_rms: torch.Tensor) -> torch.Tensor:
        """Values at the rings' middles whose interpolated spectrum has the asked rms in every ring."""
        asked, values = 2 * log_rms, log_rms
        for _ in range(CORRECTION_STEPS):
            power = (2 * torch.einsum("gbr,ryx->gbyx", values, self.rings)).exp()
            got = torch.einsum("gbyx,ryx->gbr", power, self.rings) / self.rings.sum(dim=(1, 2))
            # ln rms moves by half of ln power: a fixed-point step
            values = values + 0.5 * (asked - got.log())
        return values

    def _deviation_at(self, composed: torch.Tensor) -> torch.Tensor:
        """Return the rms at the brightness of each pixel, [galaxy, band, y, x]; constant beyond the outer knots."""
        around, bands = surroundings(composed), []
        for band in range(self.n_bands):
            knots, values = self.brightness[band], self.deviation[band]
            at = around[:, band].clamp(knots[0], knots[-1]).contiguous()
            right = torch.searchsorted(knots, at).clamp(1, N_KNOTS - 1)
            width = (knots[right] - knots[right - 1]).clamp_min(SMALLEST_RMS)
            share = ((at - knots[right - 1]) / width).clamp(0, 1)
            bands.append(torch.lerp(values[right - 1], values[right], share))
        return torch.stack(bands, dim=1)


def ring_shares(size_pix: int, n_rings: int) -> torch.Tensor:
    """Share of each frequency in each ring, [ring, y, x] float32 in the layout of ``fft2``; they sum to 1.

    Triangles in the square root of the radial frequency, their middles evenly spaced from two waves across the image
    to the corner of the spectrum; lower frequencies belong to the first ring.
    """
    waves = torch.fft.fftfreq(size_pix, dtype=torch.float64) * size_pix
    radius = torch.hypot(waves[:, None], waves[None]).clamp_min(LOWEST_FREQUENCY)
    lowest, highest = LOWEST_FREQUENCY**0.5, (size_pix / 2 * 2**0.5) ** 0.5  # to the corner of the spectrum
    position = ((radius.sqrt() - lowest) / (highest - lowest)).clamp(0, 1) * (n_rings - 1)
    ring = torch.arange(n_rings, dtype=torch.float64)[:, None, None]
    return (1 - (position - ring).abs()).clamp_min(0.0).float()


def surroundings(pixels: torch.Tensor) -> torch.Tensor:
    """Smooth [galaxy, band, y, x] by a Gaussian of 2 pixels, edges repeated."""
    reach = torch.arange(-SMOOTHING_REACH, SMOOTHING_REACH + 1, dtype=pixels.dtype, device=pixels.device)
    line = torch.exp(-0.5 * (reach / SMOOTHING_PIX) ** 2)  # Gaussian of 2 pixels, cut at 3 deviations
    line = line / line.sum()
    margin = [SMOOTHING_REACH] * 4
    padded = functional.pad(pixels.flatten(0, 1)[:, None], margin, mode="replicate")
    smoothed = functional.conv2d(functional.conv2d(padded, line[None, None, None]), line[None, None, :, None])
    return smoothed.reshape(pixels.shape)


def _spectrum(pixels: torch.Tensor) -> torch.Tensor:
    """Orthonormal Fourier transform of [galaxy, band, y, x]."""
    spectrum: torch.Tensor = torch.fft.fft2(pixels.float(), norm="ortho")
    return spectrum
