"""The networks that predict scores: counts and shapes of the paper's tables, and how they are fitted."""

import numpy as np
import pytest
import torch

from galsmith.data.store import write_store
from galsmith.errors import DivergedError, InputError, SettingsError
from galsmith.images.image_set import SelectedPixels
from galsmith.models.layers.chance import generator_from_seed
from galsmith.models.wgan.networks import Critic
from galsmith.score import fit, load_scorer
from galsmith.score.cnn import CnnSettings, PlainNetwork, strides_of
from galsmith.score.cnn import fit as fit_cnn
from galsmith.score.critic import CriticScorer, critic_weights
from galsmith.score.method import Learning
from galsmith.score.regression import (
    RegressionSettings,
    Stage,
    bin_shares,
    count_numbers,
    fit_network,
    shifted,
)
from galsmith.seeds import random_stream
from galsmith.training import train

SIDE = 64


def chance():
    return generator_from_seed(0)


def sides_of(network, size_pix, kind):
    """Shape after each layer of a kind, without computing it."""
    network = network.to("meta")
    found = []
    for layer in network.modules():
        if isinstance(layer, kind):
            layer.register_forward_hook(lambda layer, given, made: found.append(tuple(made.shape[1:])))
    network.eval()(torch.empty(1, 1, size_pix, size_pix, device="meta"))
    return found


def test_the_plain_network_is_that_of_appendix_6():
    network = PlainNetwork(1000, chance=chance())
    assert count_numbers(network) == 1_098_737
    table = [(4, 498), (8, 247), (16, 122), (32, 59), (64, 28), (128, 12), (256, 4)]
    assert sides_of(network, 1000, torch.nn.Conv2d) == [(n, side, side) for n, side in table]


@pytest.mark.parametrize(("side", "last", "numbers"), [(500, 4, 1_098_737), (250, 12, 1_131_505)])
def test_smaller_fields_keep_every_layer_of_the_plain_network(side, last, numbers):
    network = PlainNetwork(side, chance=chance())
    assert count_numbers(network) == numbers
    assert sides_of(network, side, torch.nn.Conv2d)[-1] == (256, last, last)


def test_fields_too_small_for_seven_convolutions_are_refused():
    assert strides_of(32) == (1,) * 7
    with pytest.raises(ValueError, match="wanted 32 px or more"):
        strides_of(31)


@pytest.mark.parametrize("side", [1000, 500, 250])
def test_the_critic_s_scorer_is_that_of_appendix_5(side):
    network = CriticScorer(side, width=8, chance=chance())
    trunk = sum(value.numel() for value in network.trunk.parameters())
    new = sum(value.numel() for value in network.head.parameters())
    assert (trunk, new, count_numbers(network)) == (2_271_432, 4_660_993, 6_937_033)
    shapes = sides_of(network, side, (torch.nn.Conv2d, torch.nn.Flatten, torch.nn.BatchNorm1d))
    assert shapes == [(256, 5, 5), (512, 3, 3), (4608,), (512,), (1024,)]


def test_the_trunk_is_all_of_a_critic_but_its_last_layer():
    critic = Critic(1, 1000, chance=chance())
    assert count_numbers(critic) == 2_283_977
    CriticScorer(1000, width=8, chance=chance()).trunk.load_state_dict(critic.trunk.state_dict())
    with pytest.raises(RuntimeError, match="size mismatch"):
        CriticScorer(1000, width=4, chance=chance()).trunk.load_state_dict(critic.trunk.state_dict())


def test_a_normalization_forgets_as_keras_does():
    network = PlainNetwork(SIDE, chance=chance()).train()
    values = torch.rand(8, 1, SIDE, SIDE, generator=chance())
    first = network.layers[0](values)
    network(values)
    # keras: 0.99 of the old mean of zero, and 0.01 of the batch's
    assert network.layers[1].running_mean == pytest.approx(
        0.01 * first.mean(dim=(0, 2, 3)).detach(), rel=1e-4
    )


class Tiny(torch.nn.Module):
    """A frozen part and a moving one, which see the mean of an image."""

    def __init__(self):
        super().__init__()
        self.base, self.head = torch.nn.Linear(1, 3), torch.nn.Linear(3, 1)

    def forward(self, pixels):
        return self.head(torch.tanh(self.base(pixels.mean(dim=(1, 2, 3))[:, None] * 10)))


def fit_tiny(opened, *, stages, settings=None, minutes=None):
    torch_scores = np.asarray(opened.catalog["score"])
    network = Tiny()
    with torch.no_grad():
        for number, parameter in enumerate(network.parameters()):
            parameter.copy_(torch.randn(parameter.shape, generator=generator_from_seed(number)))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    settings = RegressionSettings(epochs=8, batch_size=16, stop_patience=8) if settings is None else settings
    learning = Learning(side_pix=SIDE, seed=2, minutes=minutes)
    fitted = fit_network(
        network,
        opened.pixels,
        torch_scores,
        stages=stages(network),
        settings=settings,
        learning=learning,
        facts={},
    )
    return before, fitted


def test_a_frozen_part_stays_in_its_stage_and_moves_in_the_next(opened):
    first, second = (
        lambda network: [Stage("new", 0.05, 0.5, 6, network.base)],
        lambda network: [Stage("new", 0.05, 0.5, 6, network.base), Stage("all", 0.05, 0.5, 6)],
    )
    before, fitted = fit_tiny(opened, stages=first)
    after = fitted.network.state_dict()
    assert torch.equal(after["base.weight"], before["base.weight"])
    assert not torch.equal(after["head.weight"], before["head.weight"])
    before, fitted = fit_tiny(opened, stages=second)
    assert not torch.equal(fitted.network.state_dict()["base.weight"], before["base.weight"])
    assert [epoch.stage for epoch in fitted.epochs] == ["new"] * 8 + ["all"] * 8


def test_the_best_validation_is_kept(opened):
    # a rate so large that the error goes up and down
    _, fitted = fit_tiny(opened, stages=lambda network: [Stage("all", 0.5, 0.5, 6)])
    validations = [epoch.validation_mae for epoch in fitted.epochs]
    # the same tenth as in the fit
    rows = np.sort(random_stream(2, "score.validation").permutation(len(opened))[:6])
    scores = np.asarray(opened.catalog["score"])[rows]
    error = np.abs(fitted.predict(SelectedPixels(opened.pixels, rows)) - scores).mean()
    assert error == pytest.approx(min(validations), rel=1e-5)
    assert error < validations[-1] or validations[-1] == min(validations)


def test_the_rate_falls_when_validation_stagnates(opened):
    settings = RegressionSettings(epochs=12, batch_size=16, stop_patience=12)
    _, fitted = fit_tiny(opened, stages=lambda network: [Stage("all", 5.0, 0.5, 2)], settings=settings)
    rates = [epoch.rate for epoch in fitted.epochs]
    assert rates[0] == 5.0
    assert rates[-1] < 2.0


def test_a_stage_ends_with_its_patience_and_with_its_time(opened):
    settings = RegressionSettings(epochs=50, batch_size=16, stop_patience=3)
    _, fitted = fit_tiny(opened, stages=lambda network: [Stage("all", 10.0, 0.5, 50)], settings=settings)
    assert len(fitted.epochs) < 50
    _, fitted = fit_tiny(opened, stages=lambda network: [Stage("all", 0.05, 0.5, 6)], minutes=1e-9)
    assert len(fitted.epochs) == 1


def test_a_fit_that_diverges_is_told(opened):
    def spoiled(network):
        network.head.weight.data.fill_(float("nan"))
        return [Stage("all", 0.1, 0.5, 6)]

    with pytest.raises(DivergedError, match="no epoch of the stage 'all' has a finite validation error"):
        fit_tiny(opened, stages=spoiled)


def test_rebalanced_fields_are_even_over_the_scores():
    scores = np.concatenate([np.full(90, 1.6), np.full(10, 5.1)])
    shares = bin_shares(scores)
    assert shares.sum() == pytest.approx(1.0)
    assert shares[:90].sum() == pytest.approx(0.5)


def test_shifted_images_keep_what_stays_inside_and_are_black_where_nothing_was():
    images = torch.rand(40, 1, 16, 16, generator=chance()) + 1
    moved = shifted(images, generator_from_seed(1), at_most=3)
    assert moved.shape == images.shape
    # the middle stays in every crop
    assert all(
        torch.isin(one[0, 5:11, 5:11], other[0]).all() for one, other in zip(moved, images, strict=True)
    )
    assert (moved == 0).any()
    assert torch.equal(shifted(images, generator_from_seed(1), at_most=0), images)


def test_the_network_learns_what_its_pixels_say(fields_made):
    rng = np.random.default_rng(0)
    scores = rng.uniform(0, 6, 160)
    images = fields_made(n=160, scores=scores)
    for row, score in enumerate(scores):
        images.pixels[row][:] += 20 * score
    learning = Learning(side_pix=SIDE, seed=1)
    fitted = fit_cnn(images.pixels, scores, CnnSettings(epochs=30, batch_size=16, shift_share=0.0), learning)
    assert np.abs(fitted.predict(images.pixels) - scores).mean() < 0.6 * np.abs(scores - scores.mean()).mean()


@pytest.fixture(scope="module")
def run(fields, tmp_path_factory):
    """A Wasserstein GAN after a few steps."""
    folder = tmp_path_factory.mktemp("wgan") / "run"
    recipe = {
        "model": {"family": "wgan", "latent_size": 4, "width": 2},
        "transform": {"kind": "display"},
        "training": {"images": 16, "batch_size": 4, "sample_grids": 0, "seed": 1},
    }
    train(recipe, fields, folder)
    return folder


QUICK = ("epochs=1", "batch_size=16")


def test_a_critic_is_taken_from_a_run_and_fine_tuned(run, fields, opened, tmp_path):
    weights = critic_weights(run)
    scorer = fit("critic", fields, tmp_path / "scorer", base=run, overrides=QUICK, splits=1)
    model = scorer.model
    assert [epoch.stage for epoch in model.epochs] == ["new layers", "all layers"]
    trunk = model.network.trunk.state_dict()
    assert set(trunk) == set(weights)
    # the run's own, moved by small steps where these made validation better, and else as it was
    change = (trunk["blocks.2.strided.1.weight"] - weights["blocks.2.strided.1.weight"]).abs().max()
    first, joint = (epoch.validation_mae for epoch in model.epochs)
    assert (change > 0) == (joint < first)
    assert change < 0.02
    assert scorer.provenance.parents[1].role == "base network"
    again = load_scorer(tmp_path / "scorer").predict(opened)
    assert np.array_equal(again, scorer.predict(opened))


def test_the_random_twin_wants_no_run_and_trains_all_at_once(fields, run, tmp_path):
    overrides = [*QUICK, "start=random"]
    scorer = fit("critic", fields, tmp_path / "scorer", overrides=overrides, splits=0)
    assert [epoch.stage for epoch in scorer.model.epochs] == ["all layers"]
    with pytest.raises(SettingsError, match="starts from no network as it is set"):
        fit("critic", fields, tmp_path / "other", overrides=overrides, base=run)


def test_an_ensemble_averages_members_of_different_splits(run, fields, opened, tmp_path):
    scorer = fit("ensemble", fields, tmp_path / "s", base=run, overrides=[*QUICK, "members=2"], splits=0)
    members = scorer.model.members
    each = [member.predict(opened.pixels) for member in members]
    assert not np.allclose(each[0], each[1])
    assert members[0].mean != members[1].mean
    assert scorer.model.predict(opened.pixels) == pytest.approx(np.mean(each, axis=0))
    assert np.array_equal(load_scorer(tmp_path / "s").predict(opened), scorer.predict(opened))


def test_a_base_that_cannot_be_used_is_refused(run, fields, fields_made, tmp_path):
    with pytest.raises(SettingsError, match="the method critic starts from a trained network"):
        fit("critic", fields, tmp_path / "out")
    with pytest.raises(InputError, match="not a run; give the run folder"):
        fit("critic", fields, tmp_path / "out", base=fields)
    write_store(tmp_path / "small", fields_made(n=20, side=56))
    with pytest.raises(InputError, match="was trained on images of 64 px, the fields have 56 px"):
        fit("critic", tmp_path / "small", tmp_path / "out", base=run)
    other = {
        "model": {"family": "pca_diffusion", "n_components": 4, "width": 8, "depth": 1, "sampler_steps": 2},
        "training": {"images": 32, "batch_size": 16, "sample_grids": 0},
    }
    train(other, fields, tmp_path / "other")
    with pytest.raises(InputError, match="its family trains no critic of fields"):
        fit("critic", fields, tmp_path / "out", base=tmp_path / "other")
    assert not (tmp_path / "out").exists()
