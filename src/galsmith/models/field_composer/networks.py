"""The generator of `field_composer`: a diffusion of the vectors of fields, and the laws by which they become fields."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from galsmith.data.fields.detection import detect_field
from galsmith.data.fields.sky import SKY_NORMAL
from galsmith.models.family import Blueprint
from galsmith.models.field_composer.canvas import N_STAMP_TERMS
from galsmith.models.field_composer.composition import StampLaw, compose_field
from galsmith.models.field_composer.config import FieldComposerConfig
from galsmith.models.field_composer.laws import (
    FLUX_NORMAL,
    KNOTS,
    N_FLUX_BINS,
    N_OTHER_VALUES,
    FieldLaws,
    MeasuredField,
)
from galsmith.models.layers.chance import filled_normal, refuse_conditions
from galsmith.models.layers.dense import ResidualMlp
from galsmith.models.layers.edm import denoised
from galsmith.models.layers.marginals import NormalMarginals
from galsmith.models.layers.solvers import noise_schedule, sample_heun
from galsmith.models.protocols import ComposedField, NetworkBatch
from galsmith.seeds import random_stream

FIELDS_PER_CALL = 16
BRIGHTEST_LEVEL = 255
KERNEL_SIDE_PIX = 5
LARGEST_NORMAL = 5.0


class FieldComposer(torch.nn.Module):
    """Draws vectors of fields, and composes a field from each; also a `Generator`.

    All that is fitted is kept in buffers, so that a snapshot holds it: `laws` (see `FieldLaws`), `stamps` (exponent, mean
    and deviations of the light's shape), and the kernel of the sky's noise.
    """

    galaxies_per_call = FIELDS_PER_CALL

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__()
        config: FieldComposerConfig = blueprint.config
        self.config, self.description = config, blueprint.description
        self.laws = _Arrays(_empty_laws(config))
        self.stamps = _Arrays(
            {
                "exponent": np.array(2.5),
                "mean": np.zeros(N_STAMP_TERMS),
                "deviations": np.zeros((config.stamp_components, N_STAMP_TERMS)),
            }
        )
        self.sky = _Arrays({"kernel": np.zeros((KERNEL_SIDE_PIX, KERNEL_SIDE_PIX))})
        n_values = self.field_laws().n_values
        self.marginals = NormalMarginals(n_values)
        self.network = ResidualMlp(n_values, width=config.width, depth=config.depth, chance=blueprint.chance)
        self.network.trunk_dtype = blueprint.trunk_dtype

    def field_laws(self) -> FieldLaws:
        """Give the laws that all fields share."""
        return FieldLaws.from_arrays(self.laws.arrays())

    def encode(self, batch: NetworkBatch) -> NetworkBatch:
        """Map fields to the normal numbers of their vectors, [field, value] in place of pixels."""
        laws, exponent = self.field_laws(), float(self.stamps.arrays()["exponent"])
        vectors = [
            laws.vector_of(
                MeasuredField.of(
                    detect_field(field, threshold_sigma=self.config.threshold_sigma, exponent=exponent)
                )
            )
            for field in gray_levels(batch.pixels)
        ]
        values = torch.from_numpy(np.array(vectors, dtype=np.float32)).to(batch.pixels.device)
        # a field beyond all that the laws were fitted on must not lead a step alone
        return NetworkBatch(
            self.marginals.to_normal(values).clamp(-LARGEST_NORMAL, LARGEST_NORMAL), batch.scalars
        )

    def denoise(self, noisy: torch.Tensor, noise_level: torch.Tensor) -> torch.Tensor:
        """Estimate clean normal numbers [field, value], of unit deviation, of noisy ones at `noise_level` [field]."""
        return denoised(self.network, noisy, noise_level, sigma_data=torch.ones_like(noisy[:1]))

    def sample(self, seeds: Sequence[int], conditions: torch.Tensor | None = None) -> NetworkBatch:
        """Draw one field for each seed; see `Generator`."""
        refuse_conditions(conditions, self.config.family)
        device, side = self.laws.device, self.description.size_pix
        composed = self.compose(seeds, (side, side))
        pixels = torch.empty((len(seeds), 1, side, side))
        for number, field in enumerate(composed):
            pixels[number, 0] = torch.from_numpy(field.levels) / BRIGHTEST_LEVEL
        return NetworkBatch(pixels.to(device), torch.empty((len(seeds), 0), device=device))

    @torch.no_grad()
    def compose(self, seeds: Sequence[int], shape: tuple[int, int]) -> list[ComposedField]:
        """Compose fields of any height and width, each with its truth.

        Parameters
        ----------
        seeds : sequence of int
            One a field; a field of another shape is another field, with sources as dense.
        shape : tuple of int
            Height and width in pixels.
        """
        laws, arrays = self.field_laws(), self.stamps.arrays()
        stamps = StampLaw(float(arrays["exponent"]), arrays["mean"], arrays["deviations"])
        kernel = self.sky.arrays()["kernel"]

        def composed(seed: int, vector: Any) -> ComposedField:
            rng = random_stream(seed, "compose.field")
            return compose_field(vector, shape, laws=laws, stamps=stamps, sky_kernel=kernel, rng=rng)

        # compiled parts let go of the interpreter, so that threads help
        n_workers = max(torch.get_num_threads(), 1)
        fields: list[ComposedField] = []
        with ThreadPoolExecutor(n_workers) as pool, _one_torch_thread():
            for start in range(0, len(seeds), FIELDS_PER_CALL):
                some = seeds[start : start + FIELDS_PER_CALL]
                fields += pool.map(composed, some, self._vectors(some))
        return fields

    def _vectors(self, seeds: Sequence[int]) -> Any:
        """Draw the vectors of one call's fields, [field, value] float64.

        In float64 and rounded to float32: what a matrix product does to the last bits depends on the row's place, and a
        field may hang on the last bit of its numbers.
        """
        network, marginals = copy.deepcopy(self.network).double(), copy.deepcopy(self.marginals).double()
        network.trunk_dtype = torch.float32  # drawn without rounding, whatever it is trained in
        config, device = self.config, self.laws.device
        # vectors of some fifteen numbers
        schedule = noise_schedule(
            config.sampler_steps, lowest=config.lowest_noise_level, highest=config.highest_noise_level
        )
        chance = filled_normal(
            seeds, self.marginals.quantiles.shape[0], per_call=FIELDS_PER_CALL, device=device
        )
        start = chance.double() * float((schedule[0] ** 2 + 1).sqrt())  # variance of data and noise together

        def denoise(noisy: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
            return denoised(network, noisy, level, sigma_data=torch.ones_like(noisy[:1]))

        normal = sample_heun(denoise, start, schedule, sigma_data=torch.ones_like(start[:1]))
        vectors = marginals.from_normal(normal)[: len(seeds)]
        return vectors.float().double().cpu().numpy()


@contextmanager
def _one_torch_thread() -> Iterator[None]:
    """Let torch compute in one thread: matrices of sixteen rows are slower in two, and much slower beside other work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class _Arrays(torch.nn.Module):
    """Fitted arrays as buffers, float32, so that they are saved, moved and averaged as networks are."""

    def __init__(self, arrays: Mapping[str, Any]) -> None:
        super().__init__()
        for name, values in arrays.items():
            self.register_buffer(name, torch.tensor(np.asarray(values), dtype=torch.float32))

    @property
    def device(self) -> torch.device:
        """Where they lie."""
        return next(self.buffers()).device

    def arrays(self) -> dict[str, Any]:
        """Give them back, float64."""
        return {name: values.double().cpu().numpy() for name, values in self.named_buffers()}


def _empty_laws(config: FieldComposerConfig) -> dict[str, Any]:
    """Give laws of the shapes that the settings say, before they are fitted."""
    n_sky, n_flux = len(SKY_NORMAL), len(FLUX_NORMAL)
    shapes = {
        "sky_levels": (len(KNOTS),),
        "sky_mean": (n_sky,),
        "sky_axes": (config.sky_components, n_sky),
        "flux_quantiles": (len(KNOTS),),
        "flux_mean": (n_flux,),
        "flux_axes": (config.flux_components, n_flux),
        "bin_middles": (N_FLUX_BINS,),
        "size_quantiles": (N_FLUX_BINS, len(KNOTS)),
        "ratio_quantiles": (N_FLUX_BINS, len(KNOTS)),
    }
    shapes |= {
        "drawn_flux": shapes["flux_quantiles"],
        "drawn_size": shapes["size_quantiles"],
        "drawn_ratio": shapes["ratio_quantiles"],
    }
    n_pairs = len(config.pair_edges_pix) - 1
    shapes["shift"] = (N_OTHER_VALUES + config.sky_components + config.flux_components + n_pairs,)
    arrays = {name: np.zeros(shape) for name, shape in shapes.items()}
    return {**arrays, "pair_edges_pix": np.array(config.pair_edges_pix)}


def gray_levels(pixels: torch.Tensor) -> NDArray[np.uint8]:
    """Bring network pixels [field, 1, y, x] of 0 to 1 back to whole gray levels, [field, y, x]."""
    levels: NDArray[np.uint8] = (pixels[:, 0] * BRIGHTEST_LEVEL).round().to(torch.uint8).cpu().numpy()
    return levels
