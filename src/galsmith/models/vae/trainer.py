"""The trainer of `vae`: steps on the evidence lower bound, and what held-out images say of it."""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch

from galsmith.models.family import Blueprint, Family, refuse_other_sides, refuse_ranks
from galsmith.models.layers.batch_normalization import keep_statistics
from galsmith.models.layers.chance import generator_from_seed, step_chance
from galsmith.models.layers.d4 import randomly_turned
from galsmith.models.layers.evidence_bound import drawn_latent, gaussian_divergence
from galsmith.models.layers.marginals import fit_scalar_laws
from galsmith.models.layers.optimization import Part, fill_parts, guarded_step, learning_rate, states_of
from galsmith.models.protocols import (
    NetworkBatch,
    TrainingProgress,
)
from galsmith.models.vae.config import VaeConfig
from galsmith.models.vae.networks import Encoder, VaeGenerator

VALUES_AT_MOST = 4096
FRACTIONS = 2**16


LARGEST_GRADIENT_PER_WEIGHT = 10.0
HELD_OUT_PER_ESTIMATE = 1024
SHARE_OF_NEWEST = 0.01


def marked(pixels: torch.Tensor, *, share: float) -> torch.Tensor:
    """Mark a share of the images by a hash of their values: the same image is marked or not on every pass.

    Parameters
    ----------
    pixels : Tensor [galaxy, band, y, x], float32
        Training images, not turned. Images that agree in every value looked at (about 4096, evenly spread) are
        marked alike.
    share : float
        Expected share that is marked.

    Returns
    -------
    Tensor [galaxy], bool
    """
    values = pixels.float().flatten(1)
    stride = max(1, values.shape[1] // VALUES_AT_MOST)
    bits = values[:, ::stride].contiguous().view(torch.int32).long()
    # multiply-shift hashing by odd factors
    factors = torch.randint(-(2**62), 2**62, (bits.shape[1],), generator=generator_from_seed(0))
    mixed = (bits * (factors | 1).to(bits.device)).sum(
        dim=1
    )  # integers wrap around: any order gives the same sum
    # high bits: the low ones of a product mix little
    return ((mixed >> 40) & (FRACTIONS - 1)) < round(share * FRACTIONS)


Encode = Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]
Decode = Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]


@dataclass(frozen=True)
class Terms:
    """Both sides of the objective.

    Attributes
    ----------
    squared_error : Tensor [galaxy], float32
        Averaged over pixels and channels, each scalar being a channel.
    divergence : Tensor [galaxy], float32
        Of z from its prior, summed over its dimensions.
    scalar_residual : Tensor [galaxy, scalar], float32
        Scalars less what was predicted of them.
    """

    squared_error: torch.Tensor
    divergence: torch.Tensor
    scalar_residual: torch.Tensor

    def negative_bound(self, weight: float) -> torch.Tensor:
        """Negative evidence lower bound [galaxy] up to a constant (Holzschuh et al. 2022, eq. A1)."""
        # Kingma & Welling 2014, eq. 7, with a Gaussian likelihood
        return weight * self.squared_error + self.divergence


@dataclass
class HeldOutMean:
    """Running mean of the negative bound over held-out images, for one reconstruction weight."""

    position: int = -1
    total: float = 0.0
    count: int = 0


def bound_terms(
    encoder: Encode,
    decoder: Decode,
    batch: NetworkBatch,
    noise: torch.Tensor,
    *,
    scalars_of_mean: bool,
    pixel_unit: float = 1.0,
) -> Terms:
    """Encode images, draw z, decode, and compare.

    Parameters
    ----------
    encoder : callable
        (pixels, scalars) -> mean and log variance of z, each [galaxy, latent].
    decoder : callable
        (z, what scalars are predicted from) -> pixels, scalars.
    batch : NetworkBatch
        Images, and scalars as normal numbers.
    noise : Tensor [galaxy, latent], float32
        Standard normal numbers that draw z.
    scalars_of_mean : bool
        Predict scalars from the mean of z instead of z.
    pixel_unit : float
        Of the squared error of pixels; see `DataDescription`. Scalars have unit deviation, as a paper's channels do.
    """
    mean, log_variance = encoder(batch.pixels, batch.scalars)
    z = drawn_latent(mean, log_variance, noise)
    decoded, predicted = decoder(z, mean if scalars_of_mean else z)
    residual = batch.scalars - predicted
    pixel_error = ((batch.pixels - decoded) / pixel_unit).square().mean(dim=(2, 3))
    return Terms(
        squared_error=torch.cat([pixel_error, residual.square()], dim=1).mean(dim=1),
        divergence=gaussian_divergence(mean, log_variance),
        scalar_residual=residual.detach(),
    )


class VaeTrainer:
    """Takes steps on the evidence lower bound; see `Trainer` for the methods."""

    def __init__(self, generator: VaeGenerator, blueprint: Blueprint) -> None:
        config, encoder = blueprint.config, Encoder(blueprint).to(blueprint.device)
        self.generator, self._encoder, self._config = generator, encoder, config
        learned = [  # scalar deviation and batch statistics follow by running means, not by gradient
            parameter
            for network in (generator, encoder)
            for parameter in network.parameters()
            if parameter.requires_grad
        ]
        self._optimizer = torch.optim.Adam(learned, lr=config.learning_rate, betas=(0.9, 0.999), fused=True)
        self._parts: dict[str, Part] = {
            "generator": generator,
            "encoder": encoder,
            "optimizer": self._optimizer,
        }
        self._held_out = HeldOutMean()

    @torch.no_grad()
    def compacted(self, batch: NetworkBatch) -> NetworkBatch:
        """Map scalars to normal numbers, and add a column that is 1 for images held out."""
        is_held_out = marked(batch.pixels, share=self._config.held_out_share)
        scalars = self.generator.marginals.to_normal(batch.scalars)
        return NetworkBatch(batch.pixels, torch.cat([scalars, is_held_out[:, None].to(scalars)], dim=1))

    def step(self, batch: NetworkBatch, progress: TrainingProgress) -> Mapping[str, float]:
        """Take one step on the images that are not held out, and look at those that are."""
        device = batch.pixels.device
        chance = step_chance(progress, device)
        scalars, is_held_out = batch.scalars[:, :-1], batch.scalars[:, -1] > 0.5
        pixels = randomly_turned(batch.pixels, chance, symmetric=self._config.symmetric)
        noise = torch.randn((len(pixels), self._config.latent_size), generator=chance, device=device)
        position = self._position(progress)
        weight = self._config.reconstruction_weights[position]
        held_out = self._held_out_terms(pixels[is_held_out], scalars[is_held_out], noise[is_held_out])
        bounds = held_out.negative_bound(weight)
        if not torch.isfinite(bounds).all():
            return {"loss": math.nan}
        taught = ~is_held_out
        if bool(taught.any()):
            terms = self._terms(pixels[taught], scalars[taught], noise[taught])
            loss = self._optimized(terms, weight=weight, progress=progress)
        else:
            terms, loss = held_out, float(bounds.mean())
        if math.isfinite(loss):
            self._take_in(bounds, position)
        return {
            "loss": loss,
            "squared_error": float(terms.squared_error.detach().mean()),
            "divergence": float(terms.divergence.detach().mean()),
        }

    def state_dict(self) -> dict[str, Any]:
        """Both networks, the optimizer, and the mean over held-out images so far."""
        return {**states_of(self._parts), "held_out": asdict(self._held_out)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        fill_parts(self._parts, state)
        self._held_out = HeldOutMean(**state["held_out"])

    def _position(self, progress: TrainingProgress) -> int:
        """Which reconstruction weight it is the turn of."""
        count = len(self._config.reconstruction_weights)
        return min(int(progress.budget_used * count), count - 1)  # equal parts of the budget

    def _within_part(self, progress: TrainingProgress) -> TrainingProgress:
        """Progress with the share that is used of the present weight's part: the rate falls to zero at the end of each."""
        count = len(self._config.reconstruction_weights)
        part = progress.budget_used * count - self._position(progress)
        return replace(progress, budget_used=min(part, 1.0))

    def _terms(self, pixels: torch.Tensor, scalars: torch.Tensor, noise: torch.Tensor) -> Terms:
        """Both sides of the objective, by the networks as they are."""
        return bound_terms(
            self._encoder,
            self.generator.decoder,
            NetworkBatch(pixels, scalars),
            noise,
            scalars_of_mean=self._config.scalar_law == "mean",
            pixel_unit=self.generator.description.pixel_unit,
        )

    @torch.no_grad()
    def _held_out_terms(self, pixels: torch.Tensor, scalars: torch.Tensor, noise: torch.Tensor) -> Terms:
        """Both sides of the objective for images held out, with networks as they are drawn from."""
        self.generator.eval()
        self._encoder.eval()  # running statistics, as in drawing
        terms = self._terms(pixels, scalars, noise)
        self.generator.train()
        self._encoder.train()
        return terms

    def _optimized(self, terms: Terms, *, weight: float, progress: TrainingProgress) -> float:
        """Take one optimizer step and, if it is a good one, take in what the batch says of its own statistics."""
        rate = learning_rate(
            self._config.learning_rate,
            self._within_part(progress),
            warmup_images=self._config.warmup_images,
            decay_share=self._config.decay_share,
        )
        loss = guarded_step(
            self._optimizer,
            terms.negative_bound(weight).mean(),
            rate=rate,
            # gradients grow as the likelihood's weight on a network's own pixels
            largest_gradient=LARGEST_GRADIENT_PER_WEIGHT * weight / self.generator.description.pixel_unit**2,
        )
        if math.isfinite(loss):
            keep_statistics(self.generator, self._encoder)
            deviation = self.generator.decoder.scalar_deviation
            variance = deviation.detach().square()
            residual = terms.scalar_residual.square().mean(dim=0)
            with torch.no_grad():
                # the most likely deviation, as a running mean
                deviation.copy_(variance.lerp(residual, SHARE_OF_NEWEST).sqrt())
        return loss

    def _take_in(self, bounds: torch.Tensor, position: int) -> None:
        """Add held-out images to the mean; when there are enough, keep the decoder if it is the best so far."""
        if len(bounds) == 0:
            return
        if self._held_out.position != position:
            self._held_out = HeldOutMean(position)
        self._held_out.total += float(bounds.sum())
        self._held_out.count += len(bounds)
        expected = round(self._config.held_out_share * self.generator.description.n_train)
        if self._held_out.count < max(1, min(HELD_OUT_PER_ESTIMATE, expected)):
            return
        mean = self._held_out.total / self._held_out.count
        if mean < float(self.generator.kept_loss[position]):
            self.generator.keep(position, mean)
        self._held_out = HeldOutMean(position)


FAMILY = Family(
    name="vae",
    config=VaeConfig,
    network=VaeGenerator,
    trainer=VaeTrainer,
    fit=fit_scalar_laws,
    check=refuse_other_sides,
    check_ranks=refuse_ranks("its batch normalization takes mean and deviation of a whole batch"),
    widths=("decoder_width",),
    beside_generator=("encoder",),
    of_drawing=("drawn_weight",),
    why_not_from_snapshot="a decoder forgets what it knows before a new encoder finds its way into it",
)
