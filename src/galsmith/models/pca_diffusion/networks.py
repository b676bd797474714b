"""The generator of `pca_diffusion`: components, network on coefficients and scalars, and sampling."""

from collections.abc import Sequence

import torch

from galsmith.errors import SettingsError
from galsmith.models.family import Blueprint
from galsmith.models.layers.chance import drawn_in_calls, refuse_conditions
from galsmith.models.layers.d4 import apply_d4, elements_from_normal
from galsmith.models.layers.dense import ResidualMlp
from galsmith.models.layers.edm import NoiseLaw, denoised, fitted_noise_law, half_whitened
from galsmith.models.layers.few_steps import Hops, sample_jumps
from galsmith.models.layers.marginals import NormalMarginals
from galsmith.models.layers.solvers import SOLVERS, amplitude_of, noise_schedule
from galsmith.models.pca_diffusion.canvases import turned_shifts
from galsmith.models.pca_diffusion.components import Components, empty_components
from galsmith.models.pca_diffusion.config import PcaDiffusionConfig
from galsmith.models.pca_diffusion.symmetric_basis import counts_in_state
from galsmith.models.protocols import NetworkBatch, SamplerChoice

SCALAR_SIGMA = 0.5  # deviation of normal numbers as the network sees them; Karras+22's sigma_data
GALAXIES_PER_CALL = 256
ROWS_AT_ONCE_ON_CPU = (
    128  # 256 galaxies take no longer in two halves than at once, and one galaxy half as long
)


class PcaGenerator(torch.nn.Module):
    """Draws coefficients and scalars together, then composes images.

    How many components there are is read off the blueprint's state, which `fitted_state` or ``state_dict()`` gave.

    Attributes
    ----------
    sigma_data : Tensor [value], float32
        Standard deviation of each value that the network sees: the coefficients, half-whitened; the shift where
        galaxies are centered; the scalars; the texture's strengths.
    scale : Tensor [coefficient], float32
        Coefficient = scale * value.
    sampler_choice : SamplerChoice
        How to draw, where it differs from `config`.
    """

    sigma_data: torch.Tensor
    scale: torch.Tensor

    galaxies_per_call = GALAXIES_PER_CALL

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__()
        config, description = blueprint.config, blueprint.description
        self.config, self.description = config, description
        self.sampler_choice = SamplerChoice()
        components = empty_components(config, description, counts_in_state(blueprint.state, "basis."))
        self.basis, self.centering, self.texture = components.basis, components.centering, components.texture
        self.marginals = NormalMarginals(len(description.scalar_names))
        self.register_buffer("scale", torch.ones(self.basis.n_coefficients))
        self.register_buffer("sigma_data", torch.ones(sum(_lengths(self.components, self.marginals))))
        n_values = len(self.sigma_data)
        self.network = ResidualMlp(
            n_values,
            width=config.width,
            depth=config.depth,
            chance=blueprint.chance,
            arrives=bool(config.tuned_steps),
        )
        self.network.trunk_dtype = blueprint.trunk_dtype

    @staticmethod
    def fitted_state(
        components: Components, marginals: NormalMarginals, config: PcaDiffusionConfig
    ) -> dict[str, torch.Tensor]:
        """Give what is fitted to a training set, by its names in ``state_dict()``."""
        parts = {"basis": components.basis, "centering": components.centering, "texture": components.texture}
        state = marginals.state_dict(prefix="marginals.")
        for name, part in parts.items():
            state |= {} if part is None else part.state_dict(prefix=f"{name}.")
        # power 1/2: between equal say of all components and their own variance
        whitened, scale = half_whitened(components.basis.deviations, config.whitening_power)
        n_others = sum(_lengths(components, marginals)[1:])
        others = torch.full((n_others,), SCALAR_SIGMA)
        return {**state, "scale": scale, "sigma_data": torch.cat([whitened, others])}

    @property
    def components(self) -> Components:
        """Components, centering and texture."""
        return Components(self.basis, self.centering, self.texture)

    @property
    def noise_law(self) -> NoiseLaw:
        """Noise levels of training and drawing, from the values' deviations."""
        return fitted_noise_law(self.sigma_data, self.config)

    @property
    def own_steps(self) -> tuple[int, ...]:
        """Step counts that it was made to draw in."""
        return self.config.tuned_steps or (self.config.sampler_steps,)

    @property
    def hops(self) -> Hops:
        """Hops of the solver that a model tuned to few steps has learned from."""
        return Hops(self.noise_law, self.config.teacher_steps, self.sigma_data)

    def encode(self, batch: NetworkBatch) -> NetworkBatch:
        """Map pixels to half-whitened coefficients and shifts, and scalars and texture to normal numbers.

        Returns
        -------
        NetworkBatch
            Pixels are [galaxy, coefficient] with the shift in whole pixels behind them where galaxies are centered;
            scalars are [galaxy, scalar] with the texture's numbers behind them.
        """
        coefficients, shifts = self.components.coefficients(batch.pixels)
        scalars = self.marginals.to_normal(batch.scalars)
        if self.texture is not None:
            composed = self.components.composed(coefficients, shifts)
            numbers = self.texture.describe(composed, batch.pixels - composed)
            scalars = torch.cat([scalars, numbers], dim=1)
        values = coefficients / self.scale
        return NetworkBatch(values if shifts is None else torch.cat([values, shifts], dim=1), scalars)

    def clean_values(
        self, encoded: NetworkBatch, elements: torch.Tensor | None, chance: torch.Generator
    ) -> torch.Tensor:
        """Turn what `encode` gave by D4 `elements` [galaxy] and join it to what the network sees, [galaxy, value]."""
        n_coefficients = self.basis.n_coefficients
        coefficients, shifts = encoded.pixels[:, :n_coefficients], encoded.pixels[:, n_coefficients:]
        if elements is not None:
            coefficients = self.basis.turned(coefficients, elements)
        parts = [coefficients]
        if self.centering is not None:
            turned = shifts if elements is None else turned_shifts(shifts, elements)
            parts.append(self.centering.to_normal(turned, chance) * SCALAR_SIGMA)
        return torch.cat([*parts, encoded.scalars * SCALAR_SIGMA], dim=1)

    def denoise(self, noisy: torch.Tensor, noise_level: torch.Tensor) -> torch.Tensor:
        """Estimate clean values [galaxy, value] of noisy ones at `noise_level` [galaxy]."""
        return denoised(self.network, noisy, noise_level, sigma_data=self.sigma_data)

    @torch.inference_mode()
    def sample(self, seeds: Sequence[int], conditions: torch.Tensor | None = None) -> NetworkBatch:
        """Draw one galaxy for each seed; see `Generator`. Scalars and coefficients are drawn together."""
        refuse_conditions(conditions, self.config.family)
        self._refuse_choice()
        device = self.sigma_data.device
        n_white = 0 if self.texture is None else self.basis.n_bands * self.description.size_pix**2
        return drawn_in_calls(
            self._drawn,
            seeds,
            n_numbers=len(self.sigma_data) + 1 + n_white,
            per_call=ROWS_AT_ONCE_ON_CPU if device.type == "cpu" else GALAXIES_PER_CALL,
            description=self.description,
            device=device,
        )

    def _drawn(self, chance: torch.Tensor) -> NetworkBatch:
        """Draw one call's galaxies from normal numbers: of the values, the orientation, and the texture."""
        n_values = len(self.sigma_data)
        start = chance[:, :n_values] * amplitude_of(self.noise_law.highest, self.sigma_data)
        batch = self._composed(self._followed(start), white=chance[:, n_values + 1 :])
        if not self.config.symmetric:
            return batch
        return NetworkBatch(apply_d4(batch.pixels, elements_from_normal(chance[:, n_values])), batch.scalars)

    def _followed(self, start: torch.Tensor) -> torch.Tensor:
        """Follow the flow from noisy values [galaxy, value] to clean ones, all values at once."""
        choice, law = self.sampler_choice, self.noise_law
        n_steps = self.config.sampler_steps if choice.n_steps is None else choice.n_steps
        # its network gives mean slopes and no clean values
        if self.config.tuned_steps:
            return sample_jumps(self.network, start, self.hops, n_steps)
        schedule = noise_schedule(n_steps, lowest=law.lowest, highest=law.highest)
        solver = SOLVERS[choice.method or "heun"]
        return solver(self.denoise, start, schedule, sigma_data=self.sigma_data)

    def _refuse_choice(self) -> None:
        """Refuse to draw by what was not learned."""
        choice = self.sampler_choice
        if choice.guidance != 1.0:
            raise SettingsError(
                f"a {self.config.family} model draws scalars and images together, so that nothing guides it",
                argument="guidance",
                came=choice.guidance,
                way_out="leave it at 1, or train the family diffusion",
            )
        if choice.method is not None and self.config.tuned_steps:
            raise SettingsError(
                "this model is tuned to few steps, which follow no solver",
                argument="solver",
                came=choice.method,
                way_out="leave it out, or draw from the snapshot that the model was tuned from",
            )

    def _composed(self, values: torch.Tensor, *, white: torch.Tensor) -> NetworkBatch:
        """Compose images from values [galaxy, value], with texture from `white` noise."""
        coefficients, shift, scalars, numbers = torch.split(
            values, _lengths(self.components, self.marginals), dim=1
        )
        shifts = None if self.centering is None else self.centering.from_normal(shift / SCALAR_SIGMA)
        # what the texture is added to sets its strength
        pixels = self.components.composed(coefficients * self.scale, shifts)
        if self.texture is not None:
            pixels = pixels + self.texture.drawn(numbers / SCALAR_SIGMA, pixels, white.reshape(pixels.shape))
        return NetworkBatch(pixels, self.marginals.from_normal(scalars / SCALAR_SIGMA))


def _lengths(components: Components, marginals: NormalMarginals) -> list[int]:
    """Count coefficients, shifts, scalars and the texture's numbers."""
    return [
        components.basis.n_coefficients,
        0 if components.centering is None else 2,
        len(marginals.quantiles),
        0 if components.texture is None else components.texture.n_numbers,
    ]
