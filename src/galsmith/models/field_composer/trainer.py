"""The trainer of `field_composer`: fits the laws of sources and sky, then takes denoising steps on vectors of fields."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from galsmith.data.fields.detection import MOFFAT_EXPONENT, DetectedField, detect_field
from galsmith.data.fields.sky import kernel_of_correlation, sky_correlation
from galsmith.errors import InputError, SettingsError
from galsmith.models.family import Blueprint, Family, State, divide_freely
from galsmith.models.field_composer.calibration import calibrated
from galsmith.models.field_composer.composition import StampLaw
from galsmith.models.field_composer.config import FieldComposerConfig
from galsmith.models.field_composer.laws import N_FLUX_BINS, MeasuredField, fit_laws
from galsmith.models.field_composer.networks import KERNEL_SIDE_PIX, FieldComposer, gray_levels
from galsmith.models.field_composer.stamps import StampEquations, fit_stamps, joined, stamp_equations
from galsmith.models.latent_generator import refuse_all_but_pictures
from galsmith.models.layers.chance import drawn_rows
from galsmith.models.layers.edm import draw_noise_levels, fitted_noise_law, like, loss_weight
from galsmith.models.layers.marginals import fit_marginals, thinned
from galsmith.models.layers.optimization import DescentTrainer, warmed_and_decayed
from galsmith.models.protocols import DataDescription, NetworkBatch, TrainingBatches

LARGEST_GRADIENT = 10.0
FEWEST_FIELDS = 50
FIELDS_FOR_EXPONENT, FIELDS_FOR_CORRELATION, SOURCES_FOR_STAMPS = 8, 64, 3000
EXPONENTS = (1.5, 2.0, 2.5, 3.0, 4.0, 6.0, 10.0, 30.0, 100.0)
"""From wide wings to nearly a Gaussian."""
LEAST_CORRELATION = 0.02  # of neighbors; below it the sky is white
FEWEST_SOURCES = 10 * N_FLUX_BINS


class DenoisingLoss:
    """Weighted squared error of denoised vectors, whose values all have unit deviation.

    Parameters
    ----------
    generator : FieldComposer
        With fitted laws.
    config : FieldComposerConfig
        Of the family.
    """

    def __init__(self, generator: FieldComposer, config: FieldComposerConfig) -> None:
        self._generator, self._config = generator, config

    def __call__(self, batch: NetworkBatch, chance: torch.Generator) -> torch.Tensor:
        """Loss of what `FieldComposer.encode` gave."""
        clean, config = batch.pixels, self._config
        # Karras+22, table 1
        law = fitted_noise_law(torch.ones_like(clean[:1]), config)  # all numbers have unit deviation
        level = draw_noise_levels(len(clean), law, chance=chance)
        noise = drawn_rows(torch.randn, clean.shape, chance)
        error = self._generator.denoise(clean + noise * like(level, clean), level) - clean
        return (error**2 * loss_weight(level, clean, sigma_data=torch.ones_like(clean[:1]))).mean()


@dataclass
class _Found:
    """What one pass over the fields to fit on gathers."""

    measured: list[MeasuredField] = field(default_factory=list)
    equations: list[StampEquations] = field(default_factory=list)
    products: Any = 0.0
    numbers: Any = 0.0

    @property
    def n_sources(self) -> int:
        """Sources that were found."""
        return sum(len(one.sources) for one in self.measured)

    @property
    def sky_kernel(self) -> NDArray[np.float64]:
        """Kernel of the sky's noise; all in the middle where neighbors are not correlated."""
        kernel = np.zeros((KERNEL_SIDE_PIX, KERNEL_SIDE_PIX))
        middle = KERNEL_SIDE_PIX // 2
        kernel[middle, middle] = 1.0
        covariance = self.products / np.maximum(self.numbers, 1)
        if np.ndim(covariance) < 2 or covariance[middle, middle] <= 0:
            return kernel
        correlation = covariance / covariance[middle, middle]
        if np.abs(correlation - kernel).max() < LEAST_CORRELATION:
            return kernel
        return kernel_of_correlation(correlation)

    def add(self, levels: NDArray[np.uint8], found: DetectedField, exponent: float) -> None:
        """Take one field in."""
        self.measured.append(MeasuredField.of(found))
        if sum(map(len, self.equations)) < SOURCES_FOR_STAMPS:
            level, noise = _sky_of(found)
            self.equations.append(stamp_equations(levels, found, level=level, noise=noise, exponent=exponent))
        if len(self.measured) <= FIELDS_FOR_CORRELATION:
            products, numbers = sky_correlation(levels, found.is_blank)
            self.products, self.numbers = self.products + products, self.numbers + numbers


def _sky_of(found: DetectedField) -> tuple[float, float]:
    """Mean level of the blank sky, and its noise."""
    counts = found.blank_counts
    if not counts.any():
        return 0.0, 0.0
    places = np.arange(len(counts))
    mean = counts @ places / counts.sum()
    return float(mean), float(np.sqrt(counts @ (places - mean) ** 2 / counts.sum()))


def _fields_of(batches: TrainingBatches) -> Iterator[NDArray[np.uint8]]:
    """Give the gray levels of one field after another."""
    for batch in batches():
        yield from gray_levels(batch.pixels)


def _best_exponent(fields: list[NDArray[np.uint8]], threshold_sigma: float) -> float:
    """Choose the exponent of the profile with which bright sources are fitted best."""
    errors = []
    for exponent in EXPONENTS:
        parts = []
        for levels in fields:
            found = detect_field(levels, threshold_sigma=threshold_sigma, exponent=exponent)
            level, noise = _sky_of(found)
            parts.append(stamp_equations(levels, found, level=level, noise=noise, exponent=exponent))
        equations = joined(parts)
        if not len(equations):
            return MOFFAT_EXPONENT
        # of the bright ones, where noise is least; blends fit badly with any
        bright = equations.squares >= np.quantile(equations.squares, 0.75)
        errors.append(float(np.median((equations.chi2_of_round / equations.squares)[bright])))
    return EXPONENTS[int(np.argmin(errors))]


def _fit(config: FieldComposerConfig, description: DataDescription, batches: TrainingBatches) -> State:
    """Fit the shape of sources, the laws that all fields share, the sky's correlation, and the laws of the vectors."""
    some = thinned(batches, n_images=description.n_train, at_most=config.fields_for_fit)
    first = list(itertools.islice(_fields_of(some), FIELDS_FOR_EXPONENT))
    exponent = _best_exponent(first, config.threshold_sigma)
    gathered = _Found()
    for levels in _fields_of(some):
        found = detect_field(levels, threshold_sigma=config.threshold_sigma, exponent=exponent)
        gathered.add(levels, found, exponent)
    _refuse_empty(gathered, config)
    mean, deviations = fit_stamps(joined(gathered.equations), config.stamp_components)
    laws = fit_laws(
        gathered.measured,
        pair_edges_pix=config.pair_edges_pix,
        sky_components=config.sky_components,
        flux_components=config.flux_components,
    )
    kernel = gathered.sky_kernel
    laws = calibrated(
        laws,
        gathered.measured,
        stamps=StampLaw(exponent, mean, deviations),
        sky_kernel=kernel,
        threshold_sigma=config.threshold_sigma,
    )
    vectors = torch.from_numpy(np.array([laws.vector_of(one) for one in gathered.measured]))
    # the laws of vectors are fitted as those of scalars are
    rows = NetworkBatch(vectors, vectors)
    state = fit_marginals(lambda: iter([rows]), laws.n_values).state_dict(prefix="marginals.")
    arrays = {f"laws.{name}": values for name, values in laws.to_arrays().items()}
    arrays |= {
        "stamps.exponent": np.array(exponent),
        "stamps.mean": mean,
        "stamps.deviations": deviations,
        "sky.kernel": kernel,
    }
    return {**state, **{name: torch.tensor(values, dtype=torch.float32) for name, values in arrays.items()}}


def _refuse_empty(gathered: _Found, config: FieldComposerConfig) -> None:
    """Refuse fields in which next to nothing is found."""
    if gathered.n_sources < FEWEST_SOURCES:
        raise InputError(
            f"{gathered.n_sources} sources were found in {len(gathered.measured)} training fields; field_composer needs "
            f"{FEWEST_SOURCES} at least: look at the fields with galsmith look, or lower model.threshold_sigma (it is "
            f"{config.threshold_sigma:g})"
        )


def _check(config: FieldComposerConfig, description: DataDescription) -> None:
    """Refuse sets that are no gray fields, or too few."""
    if len(description.bands) != 1:
        raise SettingsError(
            f"images of {len(description.bands)} bands: field_composer learns fields of one gray band; ingest one band"
        )
    refuse_all_but_pictures(config, description)
    if description.shows != "field":
        raise SettingsError(
            "images that show a galaxy each: field_composer learns fields of many sources; ingest them with "
            "`shows=field` if they are fields, or train pca_diffusion"
        )
    if description.n_train < FEWEST_FIELDS:
        raise SettingsError(
            f"{description.n_train} training fields: field_composer needs {FEWEST_FIELDS} at least to learn how fields "
            "differ; give more fields, or a larger training share"
        )


def _trainer(generator: FieldComposer, blueprint: Blueprint) -> DescentTrainer:
    """Start the optimizer."""
    config = blueprint.config
    return warmed_and_decayed(
        generator,
        DenoisingLoss(generator, config),
        config,
        largest_gradient=LARGEST_GRADIENT,
        compact=generator.encode,
    )


FAMILY = Family(
    name="field_composer",
    config=FieldComposerConfig,
    network=FieldComposer,
    trainer=_trainer,
    fit=_fit,
    check=_check,
    check_ranks=divide_freely,
    in_parts=True,
    keeps_pixels=False,
    widths=("width",),
    recipe={"transform": {"kind": "display"}, "training": {"batch_size": 256}},
)
