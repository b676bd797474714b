"""The convolutional autoencoder: its bound, its shapes, and the slip of the published code."""

import math

import pytest
import torch

from galsmith.models.cvae.config import CvaeConfig
from galsmith.models.cvae.networks import CvaeDecoder, CvaeEncoder
from galsmith.models.family import Blueprint
from galsmith.models.layers.chance import generator_from_seed
from galsmith.models.layers.evidence_bound import drawn_latent, excess_cross_entropy, gaussian_divergence
from galsmith.models.protocols import DataDescription, NetworkBatch, TrainingProgress


def blueprint(size_pix, **settings):
    description = DataDescription(("gray",), size_pix, (), 10, (0.0, 1.0))
    return Blueprint(CvaeConfig(**settings), description, generator_from_seed(0), {})


def flat_set(value, *, n=4, side=16):
    """Images of one brightness, with one pixel of white so that they are not flat."""
    pixels = torch.full((n, 1, side, side), value)
    pixels[:, :, 3, 5] = 1.0
    return NetworkBatch(pixels, torch.empty(n, 0))


def trained(build, batch, *, as_published, n_steps=250):
    config = CvaeConfig(
        latent_size=4, width=2, learning_rate=2e-2, as_published=as_published, symmetric=False
    )
    trainer = build("cvae", batch, config=config)
    lines = [trainer.step(batch, TrainingProgress(3, 4 * number, 0.0)) for number in range(n_steps)]
    return trainer, lines


def test_the_excess_is_the_divergence_of_two_coins():
    said, image = torch.tensor([[0.2, 0.9, 0.5]]), torch.tensor([[0.6, 0.9, 0.0]])
    expected = sum(
        x * math.log(x / p) + (1 - x) * math.log((1 - x) / (1 - p)) if 0 < x < 1 else -math.log(1 - p)
        for x, p in zip(image[0].tolist(), said[0].tolist(), strict=True)
    )
    assert float(excess_cross_entropy(torch.logit(said), image)) == pytest.approx(expected, rel=1e-5)


def test_the_excess_vanishes_where_the_image_is_said_and_nowhere_else():
    image = torch.rand(3, 1, 5, 5, generator=generator_from_seed(0))
    assert excess_cross_entropy(torch.logit(image), image).tolist() == pytest.approx([0, 0, 0], abs=1e-4)
    assert (excess_cross_entropy(torch.logit(image) + 0.1, image) > 1e-3).all()
    assert torch.isfinite(excess_cross_entropy(torch.zeros(1, 2), torch.tensor([[0.0, 1.0]]))).all()


def test_a_drawn_latent_has_the_law_whose_divergence_is_taken():
    """Monte Carlo mean of ln q(z) - ln p(z) against the closed form."""
    mean, log_variance = torch.tensor([0.5, -1.0]), torch.tensor([-1.0, 0.5])
    noise = torch.randn(200_000, 2, generator=generator_from_seed(0))
    z = drawn_latent(mean, log_variance, noise).double()
    ratio = (-0.5 * (log_variance + noise**2) + 0.5 * z**2).sum(dim=1)
    error = float(ratio.std()) / len(ratio) ** 0.5
    assert float(ratio.mean()) == pytest.approx(float(gaussian_divergence(mean, log_variance)), abs=4 * error)


def test_the_right_bound_learns_gray_and_the_published_one_black(build):
    """With a sigmoid for a logit s in 0 to 1, sigmoid(s) is at least one half: all below is best said as s = 0."""
    batch = flat_set(0.3)
    right, lines = trained(build, batch, as_published=False)
    slip, published = trained(build, batch, as_published=True)
    z = torch.zeros(1, 4)
    gray = [trainer.generator.eval()(z)[0, 0, 8:, 8:].mean().item() for trainer in (right, slip)]
    assert gray[0] == pytest.approx(0.3, abs=0.05)
    assert gray[1] < 0.03
    # what no training can take away: ln 2 less the entropy of a pixel of 0.3
    floor = math.log(2) + 0.3 * math.log(0.3) + 0.7 * math.log(0.7)
    assert lines[-1]["cross_entropy"] < 0.3 * floor
    assert published[-1]["cross_entropy"] > 0.95 * floor


def test_shapes_are_the_papers_at_full_size():
    plan = blueprint(1000)
    encoder = CvaeEncoder(plan)
    assert (encoder.trunk.n_out, encoder.trunk.side_pix) == (256, 7)
    assert [tuple(kernel.shape) for kernel in encoder.kernels] == [(128, 256, 4, 4), (256, 128, 4, 4)]
    assert tuple(encoder.leave.weight.shape) == (400, 256)
    assert CvaeConfig().latent_size == 200
    with torch.no_grad():
        mean, log_variance = encoder(torch.zeros(1, 1, 1000, 1000))
    assert mean.shape == log_variance.shape == (1, 200)


@pytest.mark.parametrize("size_pix", [16, 63, 250])
def test_other_sides_are_reached(size_pix):
    plan = blueprint(size_pix, width=2, latent_size=5)
    with torch.no_grad():
        assert CvaeDecoder(plan).eval()(torch.zeros(1, 5)).shape == (1, 1, size_pix, size_pix)
        assert CvaeEncoder(plan)(torch.zeros(1, 1, size_pix, size_pix))[0].shape == (1, 5)


def test_a_larger_weight_of_the_divergence_keeps_it_smaller(build, blobs, pictures):
    batch = pictures(blobs(16))
    last = []
    for weight in (0.01, 30.0):
        config = CvaeConfig(latent_size=4, width=2, learning_rate=5e-3, divergence_weight=weight)
        trainer = build("cvae", batch, config=config)
        lines = [trainer.step(batch, TrainingProgress(3, 16 * number, 0.0)) for number in range(60)]
        last.append(lines[-1]["divergence"])
    assert last[1] < 0.2 * last[0]
