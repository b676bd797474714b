"""The generator of `relay_diffusion`: one network draws the coarse frequencies and scalars, another goes on to pixels."""

from collections.abc import Sequence

import torch

from galsmith.models.family import Blueprint
from galsmith.models.layers.chance import drawn_in_calls, refuse_conditions
from galsmith.models.layers.d4 import apply_d4, elements_from_normal
from galsmith.models.layers.dense import ResidualMlp
from galsmith.models.layers.edm import denoised, like
from galsmith.models.layers.marginals import NormalMarginals
from galsmith.models.layers.solvers import noise_schedule, sample_heun
from galsmith.models.protocols import NetworkBatch
from galsmith.models.relay_diffusion.config import RelayDiffusionConfig
from galsmith.models.relay_diffusion.frequencies import HalfWhitened
from galsmith.models.relay_diffusion.networks import PatchUNet

GALAXIES_PER_CALL = 32
SCALARS_ABOVE_RELAY = 5.0
"""Deviation of scalars in noise levels of the relay: where the first network stops, they are known to a fifth."""


class RelayGenerator(torch.nn.Module):
    """Draws galaxies in two legs of one probability flow.

    Attributes
    ----------
    strongest : Tensor [coarse], int64
        Places of the coarse values among all, flat.
    """

    strongest: torch.Tensor

    galaxies_per_call = GALAXIES_PER_CALL

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__()
        config, description, chance = blueprint.config, blueprint.description, blueprint.chance
        self.config, self.description = config, description
        n_bands, size, n_scalars = (
            len(description.bands),
            description.size_pix,
            len(description.scalar_names),
        )
        self.frequencies = HalfWhitened(n_bands=n_bands, size_pix=size)
        self.marginals = NormalMarginals(n_scalars)
        self.register_buffer("strongest", torch.arange(n_coarse(config, n_bands, size)))
        self.coarse = ResidualMlp(
            len(self.strongest) + n_scalars,
            width=config.coarse_width,
            depth=config.coarse_depth,
            chance=chance,
        )
        self.coarse.trunk_dtype = blueprint.trunk_dtype
        self.fine = PatchUNet(
            n_seen=2 * n_bands,
            n_given=n_bands,
            config=config,
            trunk_dtype=blueprint.trunk_dtype,
            chance=chance,
        )

    @property
    def coarse_deviations(self) -> torch.Tensor:
        """Deviations [coarse + scalar] that the values of the first leg are taken to have."""
        known = self.frequencies.deviations.flatten()[self.strongest]
        n_scalars = len(self.marginals.quantiles)
        return torch.cat([known, known.new_full((n_scalars,), self.scalar_deviation)])

    @property
    def scalar_deviation(self) -> float:
        """Deviation of the scalars' normal numbers as the first network sees them."""
        relay: float = self.config.relay_level
        return SCALARS_ABOVE_RELAY * relay

    def denoise_coarse(self, noisy: torch.Tensor, noise_level: torch.Tensor) -> torch.Tensor:
        """Estimate clean values of the first leg [galaxy, coarse + scalar]."""
        return denoised(self.coarse, noisy, noise_level, sigma_data=self.coarse_deviations)

    def denoise_fine(self, noisy: torch.Tensor, noise_level: torch.Tensor) -> torch.Tensor:
        """Estimate clean values of the second leg [galaxy, color, v, u]."""
        frequencies, variance = self.frequencies, self.frequencies.deviations**2
        # a whitened image is mostly noise: what a Wiener filter leaves shows the galaxy beside it
        filtered = frequencies.shown(variance / (like(noise_level, noisy) ** 2 + variance) * noisy)

        def network(values: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
            # the network sees places; preconditioning and noise are those of frequencies
            raw = self.fine(torch.cat([frequencies.to_places(values), filtered], dim=1), condition)
            return frequencies.to_frequencies(raw)

        return denoised(network, noisy, noise_level, sigma_data=frequencies.deviations)

    @torch.inference_mode()
    def sample(self, seeds: Sequence[int], conditions: torch.Tensor | None = None) -> NetworkBatch:
        """Draw one galaxy for each seed; see `Generator`. Scalars are drawn together with the coarse frequencies."""
        refuse_conditions(conditions, self.config.family)
        n_scalars = len(self.marginals.quantiles)
        return drawn_in_calls(
            self._drawn,
            seeds,
            n_numbers=self.frequencies.deviations.numel() + n_scalars + 1,
            per_call=GALAXIES_PER_CALL,
            description=self.description,
            device=self.strongest.device,
        )

    def _drawn(self, chance: torch.Tensor) -> NetworkBatch:
        """Draw one call's galaxies from normal numbers: of the values, the scalars and the orientation."""
        deviations, relay = self.frequencies.deviations, float(self.config.relay_level)
        noise = chance[:, : deviations.numel()]
        coarse = self._first_leg(torch.cat([noise[:, self.strongest], chance[:, noise.shape[1] : -1]], dim=1))
        # a frequency that is not coarse is Gaussian noise there
        values = noise * (relay**2 + deviations.flatten() ** 2).sqrt()
        values[:, self.strongest] = coarse[:, : len(self.strongest)]
        values = sample_heun(
            self.denoise_fine,
            values.reshape(-1, *deviations.shape),
            self._schedule_of_fine(),
            sigma_data=deviations,
        )
        pixels = self.frequencies.decode(values)
        if self.config.symmetric:
            # makes the drawn law exactly symmetric
            pixels = apply_d4(pixels, elements_from_normal(chance[:, -1]))
        # the flow of a normal law to noise level 0, exactly
        normal = coarse[:, len(self.strongest) :] / (relay**2 + self.scalar_deviation**2) ** 0.5
        return NetworkBatch(pixels.contiguous(), self.marginals.from_normal(normal))

    def _first_leg(self, noise: torch.Tensor) -> torch.Tensor:
        """Follow the flow from noise [galaxy, coarse + scalar] to the relay's level."""
        config = self.config
        schedule = noise_schedule(
            config.coarse_steps + 1, lowest=config.relay_level, highest=config.highest_noise_level
        )[:-1]
        deviations = self.coarse_deviations
        start = noise * (float(schedule[0]) ** 2 + deviations**2).sqrt()
        return sample_heun(self.denoise_coarse, start, schedule, sigma_data=deviations)

    def _schedule_of_fine(self) -> torch.Tensor:
        """Noise levels from the relay's down to 0."""
        config = self.config
        return noise_schedule(config.fine_steps, lowest=config.lowest_noise_level, highest=config.relay_level)


def n_coarse(config: RelayDiffusionConfig, n_bands: int, size_pix: int) -> int:
    """Count the frequencies that the first network draws, of all that there are."""
    return min(config.n_coarse, n_bands * size_pix**2)
