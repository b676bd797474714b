"""Adversarial steps: what is regularized when, all or nothing, and what the logged loss is."""

import math

import numpy as np
import pytest
import torch

from galsmith.errors import SettingsError
from galsmith.models.families import family_named
from galsmith.models.layers.adversarial import energy_distance
from galsmith.models.layers.chance import generator_from_seed
from galsmith.models.layers.optimization import step_all_or_none
from galsmith.models.protocols import TrainingProgress

STYLE_FAMILIES = ["stylegan", "stylegan2"]


def taken(trainer, batch, *, n_steps: int) -> list[dict[str, float]]:
    """Take steps on a batch from the start of a run."""
    rows, size = trainer.compacted(batch), len(batch.pixels)
    return [dict(trainer.step(rows, TrainingProgress(3, size * number, 0.0))) for number in range(n_steps)]


@pytest.fixture
def batch(blobs):
    return blobs(8)


@pytest.mark.parametrize("name", STYLE_FAMILIES)
def test_regularizers_come_every_so_many_steps(build, batch, tiny_configs, name):
    config = tiny_configs[name].model_copy(update={"r1_every": 3, "path_length_every": 2})
    losses = taken(build(name, batch, config=config), batch, n_steps=5)
    assert list(losses[0]) == [
        "loss",
        "discriminator_loss",
        "generator_loss",
        "squared_gradient",
        "path_length",
    ]
    gradients = [line["squared_gradient"] for line in losses]
    assert gradients[0] == gradients[1] == gradients[2] > 0
    assert gradients[3] == gradients[4] != gradients[0]
    lengths = [line["path_length"] for line in losses]
    assert lengths[0] == lengths[1] > 0
    assert lengths[1] != lengths[2] == lengths[3] != lengths[4]


@pytest.mark.parametrize("name", STYLE_FAMILIES)
def test_regularizers_can_be_switched_off(build, batch, tiny_configs, name):
    config = tiny_configs[name].model_copy(update={"r1_weight": 0.0, "path_length_weight": 0.0})
    for line in taken(build(name, batch, config=config), batch, n_steps=2):
        assert line["squared_gradient"] == line["path_length"] == 0


def test_r1_makes_the_discriminator_flatter(build, batch, tiny_configs):
    steep, flat = (
        taken(
            build(
                "stylegan2",
                batch,
                config=tiny_configs["stylegan2"].model_copy(update={"r1_weight": weight, "r1_every": 1}),
            ),
            batch,
            n_steps=25,
        )[-1]["squared_gradient"]
        for weight in (1e-6, 3000.0)
    )
    assert flat < 0.5 * steep


def test_an_equal_step_is_taken_wherever_regularizers_are_lazy(build, batch, tiny_configs):
    lazy = tiny_configs["stylegan"].model_copy(update={"r1_every": 2})
    eager = tiny_configs["stylegan"].model_copy(update={"r1_every": 1, "r1_weight": 8.0})
    one, other = (build("stylegan", batch, config=config) for config in (lazy, eager))
    taken(one, batch, n_steps=1)
    taken(other, batch, n_steps=1)
    for first, second in zip(one.generator.parameters(), other.generator.parameters(), strict=True):
        assert torch.equal(first, second)
    networks = [trainer.state_dict()["discriminator"] for trainer in (one, other)]
    assert all(torch.equal(value, networks[1][name]) for name, value in networks[0].items())


@pytest.mark.parametrize("name", STYLE_FAMILIES)
def test_both_networks_learn_in_one_step(build, batch, name):
    trainer = build(name, batch)
    before = {
        part: {key: value.clone() for key, value in trainer.state_dict()[part].items()}
        for part in ("generator", "discriminator")
    }
    taken(trainer, batch, n_steps=1)
    for part, values in before.items():
        now = trainer.state_dict()[part]
        moved = [key for key, value in values.items() if not torch.equal(value, now[key])]
        fixed = {"marginals.normal", "marginals.quantiles"}
        assert set(moved) == set(values) - fixed, part


def test_a_bad_number_spoils_neither_the_discriminator_nor_the_optimizers(build, batch):
    trainer = build("stylegan2", batch)
    taken(trainer, batch, n_steps=2)
    before = {key: value.clone() for key, value in trainer.state_dict()["discriminator"].items()}
    rows = trainer.compacted(batch)
    rows.pixels[0, 0, 0, 0] = math.nan
    assert math.isnan(trainer.step(rows, TrainingProgress(3, 0, 0.0))["loss"])
    state = trainer.state_dict()
    assert all(torch.equal(value, state["discriminator"][key]) for key, value in before.items())
    assert math.isfinite(state["mean_path_length"])
    for optimizer in state["optimizers"].values():
        assert {float(value["step"]) for value in optimizer["state"].values()} == {2.0}


def test_scalars_are_learned_from_the_discriminators_planes(build, blobs):
    batch = blobs(16)
    trainer = build("stylegan2", batch)
    weights = trainer.generator.scalar_network.leave.weight
    before = weights.detach().clone()
    taken(trainer, batch, n_steps=2)
    assert not torch.equal(before, weights)


@pytest.mark.parametrize("name", STYLE_FAMILIES)
@pytest.mark.parametrize(("side", "better"), [(24, 32), (20, 16), (400, 256)])
def test_other_sides_name_the_nearest(build, blobs, name, side, better):
    with pytest.raises(
        SettingsError, match=f"images of {side} px: {name} .* set transform.size_pix={better}"
    ):
        build(name, blobs(2, size_pix=side))


@pytest.mark.parametrize("name", STYLE_FAMILIES)
def test_conditions_are_refused(build, training_blobs, name):
    generator = build(name, training_blobs).generator
    with pytest.raises(SettingsError, match=f"a {name} model draws scalars and images together; train the"):
        generator.sample([1], torch.zeros(1, 2))


@pytest.mark.parametrize("name", STYLE_FAMILIES)
def test_bfloat16_trains_float32_weights_and_stays_near(build, batch, name, tiny_configs, description_of):
    half = family_named(name).build_trainer(
        tiny_configs[name],
        description_of(batch),
        lambda: iter([batch]),
        seed=0,
        device="cpu",
        precision="bfloat16",
    )
    whole = build(name, batch)
    drawn = [trainer.generator.eval().sample([1, 2]).pixels for trainer in (half, whole)]
    # bfloat16 has 8 bits: 0.4 % a rounding, and some twenty layers.
    assert float((drawn[0] - drawn[1]).abs().max()) < 0.1 * float(drawn[1].std())
    first = [taken(trainer, batch, n_steps=1)[0] for trainer in (half, whole)]
    for loss in ("loss", "discriminator_loss", "generator_loss"):
        assert first[0][loss] == pytest.approx(first[1][loss], rel=0.03, abs=2e-3), loss
    assert first[0]["squared_gradient"] == pytest.approx(first[1]["squared_gradient"], rel=1e-5)
    assert {value.dtype for value in half.generator.parameters()} == {torch.float32}
    assert drawn[0].dtype == torch.float32


def test_the_energy_distance_of_two_points_is_twice_their_distance():
    one, other = torch.zeros(5, 1, 3, 3), torch.full((4, 1, 3, 3), 2.0)
    assert energy_distance(one, other) == pytest.approx(4.0)
    assert energy_distance(one, one) == pytest.approx(0)
    assert energy_distance(one[:1], other[:1]) == pytest.approx(4.0)


def test_the_energy_distance_is_zero_on_average_for_one_law():
    values = torch.randn(400, 8, 2, 2, 2, generator=generator_from_seed(1))
    of_one_law = [energy_distance(pair[:4], pair[4:]) for pair in values]
    error = float(np.std(of_one_law) / np.sqrt(len(of_one_law)))
    assert abs(float(np.mean(of_one_law))) < 3 * error
    shifted = [energy_distance(pair[:4], pair[4:] + 1) for pair in values]
    assert float(np.mean(shifted)) > 20 * error


@pytest.mark.parametrize("spoiled", ["loss", "gradient", "nothing"])
def test_optimizers_step_together_or_not_at_all(spoiled):
    values = [torch.nn.Parameter(torch.ones(2)) for _ in range(2)]
    optimizers = [torch.optim.SGD([value], lr=1.0) for value in values]
    for value in values:
        value.grad = torch.ones(2)
    if spoiled == "gradient":
        values[1].grad[0] = math.inf
    losses = [1.0, math.nan if spoiled == "loss" else 2.0]
    is_good = step_all_or_none(optimizers, losses, rate=0.5)
    assert is_good == (spoiled == "nothing")
    wanted = 0.5 if is_good else 1.0
    assert all(float(value.detach()[0]) == wanted for value in values)
    if not is_good:
        assert values[0].grad is None
