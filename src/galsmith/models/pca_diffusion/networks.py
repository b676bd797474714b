"""The generator of `pca_diffusion`: components, network on coefficients and scalars, and sampling."""

from collections.abc import Sequence

import torch

from galsmith.errors import SettingsError
from galsmith.models.layers.d4 import elements_from_normal
from galsmith.models.layers.edm import denoised
from galsmith.models.layers.marginals import NormalMarginals
from galsmith.models.layers.noise import normal_per_seed
from galsmith.models.layers.residual_mlp import ResidualMlp
from galsmith.models.layers.solvers import noise_schedule, sample_heun
from galsmith.models.layers.symmetric_pca import SymmetricBasis
from galsmith.models.pca_diffusion.config import PcaDiffusionConfig
from galsmith.models.protocols import NetworkBatch

SCALAR_SIGMA = 0.5
GALAXIES_PER_CALL = 256


class PcaGenerator(torch.nn.Module):
    """Draws coefficients and scalars together, then composes images.

    Parameters
    ----------
    basis : SymmetricBasis
        Fitted components.
    marginals : NormalMarginals
        Fitted laws of the scalars.
    config : PcaDiffusionConfig
        Of the family.
    chance : torch.Generator
        Draws the first weights.

    Attributes
    ----------
    sigma_data : Tensor [value], float32
        Standard deviation of each value that the network sees: the coefficients, half-whitened, then the scalars.
    scale : Tensor [coefficient], float32
        Coefficient = scale * value.
    """

    sigma_data: torch.Tensor
    scale: torch.Tensor

    galaxies_per_call = GALAXIES_PER_CALL

    def __init__(
        self,
        basis: SymmetricBasis,
        marginals: NormalMarginals,
        config: PcaDiffusionConfig,
        *,
        chance: torch.Generator,
    ) -> None:
        super().__init__()
        self.basis = basis
        self.marginals = marginals
        self.config = config
        n_scalars = len(marginals.quantiles)
        n_values = basis.n_coefficients + n_scalars
        self.network = ResidualMlp(n_values, width=config.width, depth=config.depth, chance=chance)
        whitened = (basis.deviations / basis.deviations.max()) ** config.whitening_power
        self.register_buffer("scale", basis.deviations / whitened)
        self.register_buffer("sigma_data", torch.cat([whitened, torch.full((n_scalars,), SCALAR_SIGMA)]))

    def encode(self, batch: NetworkBatch) -> NetworkBatch:
        """Map pixels to half-whitened coefficients [galaxy, coefficient], and scalars to normal numbers."""
        return NetworkBatch(
            self.basis.encode(batch.pixels) / self.scale, self.marginals.to_normal(batch.scalars)
        )

    def denoise(self, noisy: torch.Tensor, noise_level: torch.Tensor) -> torch.Tensor:
        """Estimate clean values [galaxy, value] of noisy ones at `noise_level` [galaxy]."""
        return denoised(self.network, noisy, noise_level, sigma_data=self.sigma_data)

    @torch.inference_mode()
    def sample(self, seeds: Sequence[int], conditions: torch.Tensor | None = None) -> NetworkBatch:
        """Draw one galaxy for each seed.

        Calls are filled up to 256 galaxies, so that a galaxy does not depend on how many are drawn with it.

        Raises
        ------
        SettingsError
            If `conditions` are given: scalars and coefficients are drawn together.
        """
        if conditions is not None:
            raise SettingsError(
                "conditions: a pca_diffusion model draws scalars and images together; train the family diffusion "
                "to draw images for given scalars"
            )
        parts = [
            self._drawn(seeds[start : start + GALAXIES_PER_CALL])
            for start in range(0, len(seeds), GALAXIES_PER_CALL)
        ]
        if not parts:
            return self._batch(self.sigma_data.new_empty((0, len(self.sigma_data))))
        return NetworkBatch(
            torch.cat([part.pixels for part in parts]), torch.cat([part.scalars for part in parts])
        )

    def _drawn(self, seeds: Sequence[int]) -> NetworkBatch:
        """Draw up to one call's galaxies."""
        n_values = len(self.sigma_data)
        filled = [*seeds, *[0] * (GALAXIES_PER_CALL - len(seeds))]
        chance = normal_per_seed(filled, (n_values + 1,)).to(self.sigma_data.device)
        schedule = noise_schedule(
            self.config.sampler_steps,
            lowest=self.config.lowest_noise_level,
            highest=self.config.highest_noise_level,
        )
        start = chance[:, :n_values] * torch.sqrt(float(schedule[0]) ** 2 + self.sigma_data**2)
        values = sample_heun(self.denoise, start, schedule)
        if self.config.symmetric:
            turned = self.basis.turned(
                values[:, : self.basis.n_coefficients], elements_from_normal(chance[:, n_values])
            )
            values = torch.cat([turned, values[:, self.basis.n_coefficients :]], dim=1)
        batch = self._batch(values)
        return NetworkBatch(batch.pixels[: len(seeds)], batch.scalars[: len(seeds)])

    def _batch(self, values: torch.Tensor) -> NetworkBatch:
        """Compose images from values [galaxy, value]."""
        n_coefficients = self.basis.n_coefficients
        pixels = self.basis.decode(values[:, :n_coefficients] * self.scale)
        return NetworkBatch(pixels, self.marginals.from_normal(values[:, n_coefficients:] / SCALAR_SIGMA))
