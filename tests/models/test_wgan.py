"""Wasserstein steps: the penalty's closed form, clipping, whose turn it is, and what is refused."""

import math

import pytest
import torch

from galsmith.errors import SettingsError
from galsmith.models.families import model_settings
from galsmith.models.layers.chance import generator_from_seed
from galsmith.models.protocols import NetworkBatch, TrainingProgress
from galsmith.models.wgan.trainer import slope_penalty


@pytest.fixture
def batch(blobs, pictures):
    return pictures(blobs(8))


def taken(trainer, batch, n_steps):
    return [trainer.step(batch, TrainingProgress(3, len(batch.pixels) * k, 0.0)) for k in range(n_steps)]


@pytest.mark.parametrize("norm", [0.0, 0.25, 1.0, 3.0])
def test_the_penalty_of_a_linear_critic_is_its_slope_less_one_squared(norm):
    stream = generator_from_seed(0)
    w = torch.randn(1, 6, 6, generator=stream)
    w = (w / w.norm() * norm).requires_grad_()
    first, second = (torch.rand(4, 1, 6, 6, generator=stream) for _ in range(2))
    penalty = slope_penalty(
        lambda images: (images * w).sum(dim=(1, 2, 3)), first, second, shares=torch.rand(4, generator=stream)
    )
    assert float(penalty.detach()) == pytest.approx((norm - 1) ** 2, abs=1e-5)
    (gradient,) = torch.autograd.grad(penalty, w)
    if norm > 0:
        # d (|w| - 1)^2 / dw = 2 (|w| - 1) w / |w|
        torch.testing.assert_close(gradient, (2 * (norm - 1) * w / norm).detach(), rtol=1e-4, atol=1e-5)
    else:
        assert torch.isfinite(gradient).all()


def test_the_slope_is_taken_between_the_two_images():
    """The critic sum(x^2) / 2 has the slope |x|: at share s it is that of s first + (1 - s) second."""
    first, second = torch.ones(1, 1, 2, 2), torch.zeros(1, 1, 2, 2)
    for share in (0.0, 0.25, 1.0):
        penalty = slope_penalty(
            lambda images: images.square().sum(dim=(1, 2, 3)) / 2, first, second, shares=torch.tensor([share])
        )
        assert float(penalty.detach()) == pytest.approx((2 * share - 1) ** 2, abs=1e-5)


def test_the_generator_steps_after_so_many_steps_of_the_critic(build, batch, tiny_configs):
    trainer = build(
        "wgan", batch, config=tiny_configs["wgan"].model_copy(update={"critic_steps": 3, "symmetric": False})
    )
    moved, before = [], [value.detach().clone() for value in trainer.generator.parameters()]
    for line in range(8):
        critic = [value.detach().clone() for value in trainer.critic.parameters()]
        trainer.step(batch, TrainingProgress(3, 8 * line, 0.0))
        now = [value.detach().clone() for value in trainer.generator.parameters()]
        moved.append(any(not torch.equal(one, two) for one, two in zip(before, now, strict=True)))
        before = now
        assert any(
            not torch.equal(one, two) for one, two in zip(critic, trainer.critic.parameters(), strict=True)
        )
    assert moved == [False, False, False, True, False, False, True, False]


def test_clipping_bounds_every_weight_of_the_critic_from_the_start(build, batch, tiny_configs):
    clipped = build("wgan, clipped", batch)
    for _ in range(3):
        largest = max(float(value.detach().abs().max()) for value in clipped.critic.parameters())
        assert largest == pytest.approx(0.05)
        lines = taken(clipped, batch, 2)
        assert all(line["slope_penalty"] == 0 for line in lines)
    free = build("wgan", batch)
    taken(free, batch, 2)
    assert max(float(value.detach().abs().max()) for value in free.critic.parameters()) > 0.05


def test_the_penalty_keeps_the_slope_near_one_and_clipping_does_not(build, batch, tiny_configs):
    config = tiny_configs["wgan"].model_copy(update={"learning_rate": 1e-3, "critic_steps": 10_000})
    held = taken(build("wgan", batch, config=config), batch, 60)
    loose = config.model_copy(update={"gradient_penalty": 1e-6})
    free = taken(build("wgan", batch, config=loose), batch, 60)
    assert held[-1]["slope_penalty"] < 0.2
    assert free[-1]["slope_penalty"] > 4 * held[-1]["slope_penalty"]
    assert held[-1]["critic_distance"] > 0


def test_drawn_latents_are_even_in_minus_one_to_one(build, batch):
    generator = build("wgan", batch).generator
    z = generator.latents(4000, generator_from_seed(1)).flatten().double()
    assert float(z.abs().max()) < 1
    # of 32,000 numbers: mean 0 +- 0.0032, variance 1/3 +- 0.0017
    assert float(z.mean()) == pytest.approx(0, abs=0.013)
    assert float(z.var()) == pytest.approx(1 / 3, abs=0.007)


def test_drawn_pixels_are_between_black_and_white(build, batch):
    drawn = build("wgan", batch).generator.eval().sample(range(5)).pixels
    assert float(drawn.min()) >= 0
    assert float(drawn.max()) <= 1


@pytest.mark.parametrize("bound", [{"gradient_penalty": 0.0}, {"weight_clipping": 0.01}])
def test_a_critic_wants_one_bound_of_its_slope(bound):
    with pytest.raises(SettingsError, match="wants one bound"):
        model_settings({"family": "wgan", **bound}, source="x")


def test_sets_that_are_no_pictures_are_refused(build, blobs):
    with pytest.raises(SettingsError, match=r"wgan learns pictures alone.*set transform.kind=display"):
        build("wgan", blobs(4))


@pytest.mark.parametrize(("side", "nearest"), [(15, 16), (1025, 1024)])
def test_sides_out_of_reach_are_refused(build, side, nearest):
    one = NetworkBatch(torch.zeros(1, 1, side, side), torch.empty(1, 0))
    with pytest.raises(SettingsError, match=f"images of {side} px: wgan needs .*`resize_pix={nearest}`"):
        build("wgan", one)


def test_a_step_that_is_not_finite_does_not_count_for_the_turn(build, batch):
    trainer = build("wgan", batch)
    taken(trainer, batch, 1)
    before = trainer.state_dict()["critic_steps"]
    pixels = batch.pixels.clone()
    pixels[0, 0, 0, 0] = math.nan
    line = trainer.step(NetworkBatch(pixels, batch.scalars), TrainingProgress(3, 80, 0.0))
    assert math.isnan(line["loss"])
    assert trainer.state_dict()["critic_steps"] == before
