"""Jumps along the flow, against laws whose flow is known in closed form, and a family tuned to them."""

import itertools
import math

import pytest
import torch

from galsmith.models.families import family_named
from galsmith.models.layers.chance import generator_from_seed
from galsmith.models.layers.edm import NoiseLaw, like
from galsmith.models.layers.few_steps import Hops, JumpLoss, sample_jumps
from galsmith.models.layers.solvers import amplitude_of, noise_schedule, sample_heun
from galsmith.models.pca_diffusion.config import PcaDiffusionConfig
from galsmith.models.protocols import TrainingProgress

DEVIATIONS = torch.tensor([1.0, 0.3, 0.05, 0.02])
HOPS = Hops(NoiseLaw(0.0, 1.0, lowest=0.002, highest=20.0), 16, DEVIATIONS)


def standing(unit, level, arrival):
    """Mean slope of a Gaussian of the deviations that it is taken to have."""
    return torch.zeros_like(unit)


def wiener_of(deviations):
    def denoise(noisy, level):
        return noisy * deviations**2 / (deviations**2 + like(level, noisy) ** 2)

    return denoise


def normal(n: int) -> torch.Tensor:
    return torch.randn(n, len(DEVIATIONS), generator=generator_from_seed(3))


@pytest.mark.parametrize("n_steps", [1, 2, 3, 4, 16, 20])
def test_a_gaussian_is_drawn_exactly_in_any_number_of_jumps(n_steps):
    unit = normal(50)
    start = unit * amplitude_of(HOPS.law.highest, DEVIATIONS)
    torch.testing.assert_close(sample_jumps(standing, start, HOPS, n_steps), unit * DEVIATIONS)


def test_one_jump_by_the_slope_of_a_denoiser_is_the_step_that_heun_begins_with():
    def slope(unit, level, arrival):
        sigma = like((4 * level).exp(), unit)
        amplitude = torch.hypot(sigma, DEVIATIONS)
        clean = wiener_of(1.3 * DEVIATIONS)(unit * amplitude, sigma[:, 0])
        return (clean / DEVIATIONS - unit * DEVIATIONS / amplitude) / (sigma / amplitude)

    start = normal(20) * amplitude_of(HOPS.law.highest, DEVIATIONS)
    schedule = noise_schedule(1, lowest=HOPS.law.lowest, highest=HOPS.law.highest)
    by_heun = sample_heun(wiener_of(1.3 * DEVIATIONS), start, schedule, sigma_data=DEVIATIONS)
    torch.testing.assert_close(sample_jumps(slope, start, HOPS, 1), by_heun, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("n_steps", range(1, 17))
def test_jumps_go_from_all_noise_to_none_in_rising_hops(n_steps):
    ends = HOPS.ends(n_steps)
    assert (ends[0], ends[-1], len(ends)) == (0, HOPS.count, n_steps + 1)
    assert all(before < after for before, after in itertools.pairwise(ends))


def test_two_jumps_meet_where_values_have_turned_half_way():
    level = float(HOPS.schedule_of(2)[1])
    angle = float(torch.atan2(torch.full_like(DEVIATIONS, level), DEVIATIONS).mean())
    assert angle == pytest.approx(math.pi / 4, abs=0.15)
    assert 0.03 < level < 0.4  # between the deviations; half of the hops would end at about 0.6


def test_the_loss_is_none_of_exact_jumps_and_some_of_standing_ones():
    """The flow of a Gaussian wider than taken: u grows by the ratio of amplitudes, in closed form."""
    true = 1.3 * DEVIATIONS

    def exact(unit, condition, arrival):
        at, to = (like((4 * number).exp(), unit) for number in (condition, arrival))
        to = torch.where(to < HOPS.law.lowest / 2, torch.zeros_like(to), to)

        def width(sigma):
            return torch.hypot(sigma, true) / torch.hypot(sigma, DEVIATIONS)

        turn = torch.atan2(at, DEVIATIONS) - torch.atan2(to, DEVIATIONS)
        return unit * (width(to) / width(at) - 1) / turn

    def loss(mean_slope):
        fine = Hops(HOPS.law, 64, DEVIATIONS)
        lesson = JumpLoss(mean_slope, wiener_of(true), fine, (1, 2, 4), share=torch.ones(4))
        return float(lesson(200, generator_from_seed(1)))

    assert loss(exact) < 1e-4
    assert loss(standing) > 0.01


def test_a_tuned_network_starts_as_the_one_it_learns_from_and_comes_nearer(training_blobs, build_tuned):
    tuner, ordinary = build_tuned(training_blobs)
    seeds = list(range(60))
    wanted = ordinary.sample(seeds).pixels

    def misfit():
        return float((tuner.generator.eval().sample(seeds).pixels - wanted).pow(2).mean())

    before = misfit()
    learn(tuner, training_blobs, 60)
    assert misfit() < 0.7 * before


def test_a_tuned_network_loses_its_way_where_its_teacher_is_another(training_blobs, build_tuned):
    """The misfit above is no property of training alone."""
    tuner, ordinary = build_tuned(training_blobs, is_taught=False)
    seeds = list(range(60))
    wanted = ordinary.sample(seeds).pixels
    learn(tuner, training_blobs, 60)
    taught, _ = build_tuned(training_blobs)
    learn(taught, training_blobs, 60)

    def misfit(one):
        return float((one.generator.eval().sample(seeds).pixels - wanted).pow(2).mean())

    assert misfit(tuner) > 1.3 * misfit(taught)


def test_the_teacher_stays_as_it_is_and_is_kept(training_blobs, build_tuned):
    tuner, _ = build_tuned(training_blobs)
    before = {name: value.clone() for name, value in tuner.state_dict()["teacher"].items()}
    learn(tuner, training_blobs, 3)
    after = tuner.state_dict()["teacher"]
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    assert not torch.equal(tuner.generator.network.leave.weight, after["leave.weight"])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tuned_steps": (2, 32), "sampler_steps": 2}, "tuned_steps has 32, more than teacher_steps=16"),
        ({"tuned_steps": (1, 2)}, r"sampler_steps=18 is none of tuned_steps \[1, 2\]; set sampler_steps=2"),
    ],
)
def test_step_counts_that_do_not_fit_together_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        PcaDiffusionConfig(**settings)
    assert PcaDiffusionConfig(tuned_steps=(1, 2), sampler_steps=2).tuned_steps == (1, 2)


def learn(tuner, batch, n_steps: int) -> None:
    rows = tuner.compacted(batch)
    for number in range(n_steps):
        tuner.step(rows, TrainingProgress(3, len(batch.pixels) * number, number / n_steps))


@pytest.fixture
def build_tuned(description_of):
    """Builds an ordinary generator that has learned a little, and the trainer that tunes it."""

    def build(batch, *, is_taught: bool = True):
        family = family_named("pca_diffusion")
        config = PcaDiffusionConfig(
            n_components=12, width=32, depth=2, warmup_images=0, learning_rate=3e-3, sampler_steps=16
        )

        def built(settings, state=None):
            return family.build_trainer(
                settings, description_of(batch), lambda: iter([batch]), seed=1, state=state
            )

        ordinary = built(config)
        learn(ordinary, batch, 60)
        tuned = config.model_copy(update={"tuned_steps": (1, 2), "sampler_steps": 2})
        fresh, known = built(tuned).state_dict(), ordinary.generator.state_dict()
        network = {
            name.removeprefix("network."): value for name, value in known.items() if "network." in name
        }
        state = {
            **fresh,
            "generator": {**fresh["generator"], **known},
            "teacher": network if is_taught else fresh["teacher"],
        }
        return built(tuned, state), ordinary.generator.eval()

    return build
