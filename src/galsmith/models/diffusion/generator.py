"""The generator of `diffusion`: draws scalars, then pixels given them."""

from collections.abc import Sequence
from typing import cast

import torch
from torch.nn import functional

from galsmith.errors import SettingsError
from galsmith.models.diffusion.bases import FrequencyBasis, HaarStem
from galsmith.models.diffusion.config import DiffusionConfig
from galsmith.models.diffusion.networks import UNet
from galsmith.models.family import Blueprint
from galsmith.models.layers.chance import filled_normal
from galsmith.models.layers.d4 import apply_d4, elements_from_normal
from galsmith.models.layers.dense import ResidualMlp
from galsmith.models.layers.edm import NoiseLaw, denoised, half_whitened
from galsmith.models.layers.magnitude_preserving import MagnitudePreservingConv
from galsmith.models.layers.marginals import NormalMarginals
from galsmith.models.layers.solvers import SOLVERS, noise_schedule, sample_heun
from galsmith.models.protocols import NetworkBatch, SamplerChoice

SIGMA_DATA = 0.5  # Karras+22, table 1
GALAXIES_PER_CALL = 32
# of the scalars, whose deviation is SIGMA_DATA: median 1 is twice that, and wide about it; edges and lumps that the
# marginals leave are sharper than a hundredth of it nowhere
SCALAR_NOISE_LAW = NoiseLaw(mean=0.0, std=1.4, lowest=0.01 * SIGMA_DATA, highest=20 * SIGMA_DATA)


class DiffusionGenerator(torch.nn.Module):
    """Draws scalars, then pixels given them.

    bfloat16 runs all but the last convolution in it.

    Attributes
    ----------
    sampler_choice : SamplerChoice
        How to draw images, where it differs from `config`; scalars are drawn by the config's steps always.
    noise_levels : Tensor [4], float32
        The images' `NoiseLaw`, fitted to the training set as far as the config leaves it open.
    """

    sigma_data: torch.Tensor
    noise_levels: torch.Tensor

    galaxies_per_call = GALAXIES_PER_CALL

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__()
        config, description, chance = blueprint.config, blueprint.description, blueprint.chance
        self.config, self.description = config, description
        self.trunk_dtype = blueprint.trunk_dtype
        self.sampler_choice = SamplerChoice()
        n_scalars = len(description.scalar_names)
        n_bands, size_pix = len(description.bands), description.size_pix
        n_levels = config.haar_levels(size_pix)
        self.stem = HaarStem(n_bands=n_bands, n_levels=n_levels)
        self.unet = UNet(
            n_bands=self.stem.n_channels,
            n_scalars=n_scalars,
            patch_pix=1 if n_levels else config.patch_pix,
            config=_as_wide_as_stem(config, self.stem.n_channels if n_levels else 0),
            chance=chance,
        )
        self.scalar_network = (
            ResidualMlp(n_scalars, width=config.scalar_width, depth=config.scalar_depth, chance=chance)
            if n_scalars
            else None
        )
        self.marginals = NormalMarginals(n_scalars)
        self.register_buffer("sigma_data", torch.tensor(SIGMA_DATA))
        self.basis = (
            FrequencyBasis(n_bands=self.stem.n_channels, size_pix=size_pix // 2**n_levels)
            if config.preconditioning == "spectral"
            else None
        )
        self.register_buffer("noise_levels", torch.tensor([0.0, 1.0, 0.1, 1.0]))
        for layer in self.unet.modules():
            if isinstance(layer, MagnitudePreservingConv):
                # a tenth faster on a CPU
                layer.weight.data = layer.weight.data.contiguous(memory_format=torch.channels_last)

    def encode(self, pixels: torch.Tensor) -> torch.Tensor:
        """Map pixels [galaxy, band, y, x] to the values that noise is added to.

        They are the pixels or the stem's channels, or with spectral preconditioning the frequencies of these about
        their mean, half-whitened, [galaxy, channel, v, u].
        """
        channels = self.stem.encode(pixels)
        return channels if self.basis is None else self.basis.encode(channels) / self._whitened[1]

    def decode(self, values: torch.Tensor) -> torch.Tensor:
        """Undo `encode`."""
        return self.stem.decode(
            values if self.basis is None else self.basis.decode(values * self._whitened[1])
        )

    @property
    def own_steps(self) -> tuple[int, ...]:
        """Step counts that it was made to draw in."""
        return (self.config.sampler_steps,)

    @property
    def deviations(self) -> torch.Tensor:
        """Standard deviations that the values of `encode` are taken to have: one number, or [channel, v, u]."""
        return self.sigma_data if self.basis is None else self._whitened[0]

    @property
    def noise_law(self) -> NoiseLaw:
        """Noise levels of the images in training and drawing."""
        return NoiseLaw(*self.noise_levels.tolist())

    @property
    def _whitened(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Deviations of the frequencies as noise is added to them, and what they are divided by for that."""
        basis = cast(FrequencyBasis, self.basis)
        return half_whitened(basis.deviations, self.config.whitening_power)

    def denoise(
        self,
        noisy: torch.Tensor,
        noise_level: torch.Tensor,
        *,
        scalars: torch.Tensor,
        shown: torch.Tensor,
        dropout: torch.Generator | None = None,
        augmentation: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Estimate clean values of `encode` from noisy ones; see `UNet.forward` for the rest."""

        def network(values: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
            images = values if self.basis is None else self.basis.to_places(values)
            half = self.trunk_dtype != torch.float32
            with torch.autocast(values.device.type, dtype=torch.bfloat16, enabled=half):
                raw: torch.Tensor = self.unet(
                    images, condition, scalars, shown, dropout=dropout, augmentation=augmentation
                )
            raw = raw.float()  # the solver's state stays float32
            return raw if self.basis is None else self.basis.to_frequencies(raw)

        return denoised(
            network,
            noisy,
            noise_level,
            sigma_data=self.deviations,
            parametrization=self.config.parametrization,
        )

    def denoise_scalars(self, noisy: torch.Tensor, noise_level: torch.Tensor) -> torch.Tensor:
        """Estimate clean scalars [galaxy, scalar], in units where their deviation is 0.5."""
        if self.scalar_network is None:
            return noisy
        return denoised(self.scalar_network, noisy, noise_level, sigma_data=self.sigma_data)

    @torch.inference_mode()
    def sample(self, seeds: Sequence[int], conditions: torch.Tensor | None = None) -> NetworkBatch:
        """Draw one galaxy for each seed, for given standardized scalars where `conditions` has them.

        Without them the scalars are those of `draw_scalars`.

        Raises
        ------
        ValueError
            If `conditions` is not [galaxy, scalar].
        SettingsError
            If guidance is wanted of a network that never drew without scalars, or has none.
        """
        wanted = (len(seeds), len(self.description.scalar_names))
        self._refuse_untrained_guidance()
        if conditions is not None and tuple(conditions.shape) != wanted:
            raise ValueError(f"conditions has shape {tuple(conditions.shape)}; wanted {wanted}")
        # scalars first, then images given them
        scalars = self.draw_scalars(seeds) if conditions is None else conditions.to(self.sigma_data)
        side = self.description.size_pix
        parts = [self.sigma_data.new_empty((0, len(self.description.bands), side, side))]
        for start in range(0, len(seeds), GALAXIES_PER_CALL):
            part = slice(start, start + GALAXIES_PER_CALL)
            parts.append(self._drawn_pixels(seeds[part], scalars[part]))
        return NetworkBatch(torch.cat(parts), scalars)

    @torch.inference_mode()
    def draw_scalars(self, seeds: Sequence[int]) -> torch.Tensor:
        """Draw the scalars of one galaxy for each seed; see `ConditionalGenerator`."""
        n_scalars = len(self.description.scalar_names)
        parts = [self.sigma_data.new_empty((0, n_scalars))]
        for start in range(0, len(seeds), GALAXIES_PER_CALL):
            part = seeds[start : start + GALAXIES_PER_CALL]
            law = SCALAR_NOISE_LAW
            schedule = noise_schedule(self.config.sampler_steps, lowest=law.lowest, highest=law.highest)
            noise = self._chance(part)[:, :n_scalars] * start_amplitude(schedule, self.sigma_data)
            drawn = sample_heun(self.denoise_scalars, noise, schedule, sigma_data=self.sigma_data)
            normal = drawn / SIGMA_DATA
            parts.append(self.marginals.from_normal(normal[: len(part)]))
        return torch.cat(parts)

    def _drawn_pixels(self, seeds: Sequence[int], scalars: torch.Tensor) -> torch.Tensor:
        """Draw up to one call's images [galaxy, band, y, x] for standardized scalars [galaxy, scalar]."""
        chance, schedule = self._chance(seeds), self._schedule(self.sampler_choice.n_steps)
        normal = functional.pad(self.marginals.to_normal(scalars), (0, 0, 0, len(chance) - len(seeds)))
        side = self.description.size_pix // 2**self.stem.n_levels
        # numbers of one stream: scalars first, the orientation last
        noise = chance[:, len(self.description.scalar_names) : -1]
        noise = noise.reshape(-1, self.stem.n_channels, side, side)
        method = self.sampler_choice.method
        solver = SOLVERS[self.config.sampler if method is None else method]
        values = solver(
            lambda noisy, level: self._guided(noisy, level, scalars=normal),
            # variance of data and noise together, exact at any highest level
            noise * start_amplitude(schedule, self.deviations),
            schedule,
            sigma_data=self.deviations,
        )
        pixels = self.decode(values)
        if self.config.symmetric:
            # makes the drawn law exactly symmetric
            pixels = apply_d4(pixels, elements_from_normal(chance[:, -1]))
        return pixels[: len(seeds)].contiguous()

    def _guided(
        self, noisy: torch.Tensor, noise_level: torch.Tensor, *, scalars: torch.Tensor
    ) -> torch.Tensor:
        """Estimate clean values, led away from what would be drawn without scalars (Ho & Salimans 2022, eq. 6)."""
        ones = torch.ones(len(noisy), device=noisy.device)
        estimate = self.denoise(noisy, noise_level, scalars=scalars, shown=ones)
        guidance = self.sampler_choice.guidance
        if guidance == 1.0:
            return estimate
        hidden = self.denoise(noisy, noise_level, scalars=scalars, shown=torch.zeros_like(ones))
        # Ho & Salimans 2022, eq. 6, on the estimates of clean values
        return hidden + guidance * (estimate - hidden)

    def _refuse_untrained_guidance(self) -> None:
        """Refuse guidance of a network that never saw what it needs."""
        guidance = self.sampler_choice.guidance
        if guidance == 1.0:
            return
        if not self.description.scalar_names:
            raise SettingsError(
                "this model has no scalars to be guided by",
                argument="guidance",
                came=guidance,
                way_out="leave it at 1",
            )
        if self.config.scalar_drop == 0.0:
            raise SettingsError(
                "this model was trained with model.scalar_drop=0 and cannot draw without scalars",
                argument="guidance",
                came=guidance,
                way_out="leave it at 1, or train with scalar_drop=0.1",
            )

    def _chance(self, seeds: Sequence[int]) -> torch.Tensor:
        """Draw all random numbers of up to one call's galaxies, one row each, and fill the call."""
        n_values = len(self.description.bands) * self.description.size_pix**2
        n_numbers = len(self.description.scalar_names) + n_values + 1
        device = self.sigma_data.device
        return filled_normal(seeds, n_numbers, per_call=GALAXIES_PER_CALL, device=device)

    def _schedule(self, n_steps: int | None = None) -> torch.Tensor:
        """Noise levels of drawing images; by default as many as the config says."""
        n_steps = self.config.sampler_steps if n_steps is None else n_steps
        return noise_schedule(n_steps, lowest=self.noise_law.lowest, highest=self.noise_law.highest)


def _as_wide_as_stem(config: DiffusionConfig, n_channels: int) -> DiffusionConfig:
    """Widen levels that would have fewer channels than the stem gives: four bands of 256 px come as 64."""
    return config.model_copy(update={"channels": tuple(max(width, n_channels) for width in config.channels)})


def start_amplitude(schedule: torch.Tensor, deviations: torch.Tensor) -> torch.Tensor:
    """Give the standard deviation of noisy values at the first noise level, of the shape of `deviations`."""
    # variances add: noise is independent of the data
    return (float(schedule[0]) ** 2 + deviations.double() ** 2).sqrt().float()
