"""The family `alae` against hand counts, closed forms and what its docstrings promise."""

import copy
import itertools
import math

import pytest
import torch

from galsmith.errors import SettingsError
from galsmith.models.alae.config import AlaeConfig
from galsmith.models.alae.networks import (
    Encoder,
    GrowingSynthesis,
    LatentDiscriminator,
    Stage,
    without_style,
)
from galsmith.models.alae.trainer import Round, reciprocity_loss, shrunk, stage_at, value_at
from galsmith.models.layers.chance import generator_from_seed
from galsmith.models.protocols import NetworkBatch, TrainingProgress
from galsmith.models.shares import ALONE
from galsmith.models.style_based.equalized import downsampled, upsampled
from galsmith.models.style_based.mapping import MappingNetwork
from galsmith.models.style_based.styled_level import adapted
from galsmith.training.settings import read_run_settings

PAPER = AlaeConfig()
LATENT = 512
PAPER_WIDTHS = {4: 256, 8: 256, 16: 256, 32: 256, 64: 256, 128: 128, 256: 64}
COARSE_TO_FINE = [256, 256, 256, 256, 256, 128, 64]
TINY_WIDTHS = {4: 6, 8: 5, 16: 4}


def count(network: torch.nn.Module) -> int:
    return sum(value.numel() for value in network.parameters())


def dense(n_in: int, n_out: int) -> int:
    return n_in * n_out + n_out


def conv(n_in: int, n_out: int, kernel: int) -> int:
    return n_in * n_out * kernel**2 + n_out


def test_widths_are_the_papers_at_256_pixels():
    assert PAPER.level_widths(256) == PAPER_WIDTHS
    assert len(PAPER_WIDTHS) == 7


@pytest.mark.parametrize("bands", [1, 4])
def test_the_papers_synthesis_has_the_parameters_of_its_layer_list(bands):
    with torch.device("meta"):
        synthesis = GrowingSynthesis(bands, PAPER_WIDTHS, latent=LATENT, chance=torch.Generator())
    styled = sum(2 * (width + dense(LATENT, 2 * width)) for width in COARSE_TO_FINE)
    convolutions = sum(conv(width, width, 3) for width in COARSE_TO_FINE)
    convolutions += sum(conv(*pair, 3) for pair in itertools.pairwise(COARSE_TO_FINE))
    to_images = sum(conv(width, bands, 1) for width in COARSE_TO_FINE)
    assert count(synthesis) == 256 * 4 * 4 + styled + convolutions + to_images


def test_the_papers_encoder_has_the_parameters_of_its_layer_list():
    with torch.device("meta"):
        encoder = Encoder(4 + 1, PAPER_WIDTHS, latent=LATENT, chance=torch.Generator())
    from_images = sum(conv(5, width, 1) for width in COARSE_TO_FINE)
    levels = sum(
        conv(fine, fine, 3) + dense(2 * fine, LATENT) + conv(fine, coarse, 3) + dense(2 * coarse, LATENT)
        for coarse, fine in itertools.pairwise(COARSE_TO_FINE)
    )
    coarsest = conv(256, 256, 3) + dense(2 * 256, LATENT) + dense(256 * 4 * 4, 256) + dense(256, LATENT)
    assert count(encoder) == from_images + levels + coarsest


def test_the_papers_networks_of_latents_have_eight_and_three_layers():
    with torch.device("meta"):
        mapping = MappingNetwork(LATENT, n_layers=PAPER.mapping_layers, chance=torch.Generator())
        discriminator = LatentDiscriminator(
            LATENT, n_layers=PAPER.discriminator_layers, chance=torch.Generator()
        )
    assert count(mapping) == 8 * dense(512, 512)
    assert count(discriminator) == 2 * dense(512, 512) + dense(512, 1)


@pytest.mark.parametrize(
    ("used", "stage"),
    [
        (0.0, Stage(0, 1.0)),
        (0.19, Stage(0, 1.0)),
        (0.2, Stage(1, 0.0)),
        (0.25, Stage(1, 0.5)),
        (0.3, Stage(1, 1.0)),
        (0.4, Stage(2, 0.0)),
        (0.5, Stage(2, 1.0)),
        (1.0, Stage(2, 1.0)),
    ],
)
def test_levels_come_in_equal_parts_and_fade_in_over_half_of_one(used, stage):
    reached = stage_at(used, n_levels=3, growing_share=0.4)
    assert (reached.level, reached.fade) == (stage.level, pytest.approx(stage.fade, abs=1e-9))


def test_nothing_grows_with_a_share_of_zero():
    assert stage_at(0.0, n_levels=7, growing_share=0.0) == Stage(6, 1.0)
    assert Stage(6, 1.0).side == 256


@pytest.mark.parametrize(("side", "rate"), [(4, 1.5e-3), (16, 1.5e-3), (32, 1e-3), (64, 5e-4), (256, 5e-4)])
def test_learning_rates_are_the_papers(side, rate):
    assert value_at(side, PAPER.learning_rates) == rate


def test_real_images_shrink_to_means_and_fade_to_the_level_below():
    pixels = torch.randn(2, 1, 16, 16, generator=generator_from_seed(0))
    small = shrunk(pixels, Stage(1, 1.0))
    assert small.shape[-1] == 8
    torch.testing.assert_close(small[0, 0, 0, 1], pixels[0, 0, :2, 2:4].mean())
    blocky = shrunk(pixels, Stage(1, 0.0))
    assert torch.equal(blocky[..., ::2, ::2], blocky[..., 1::2, 1::2])
    torch.testing.assert_close(shrunk(pixels, Stage(1, 0.25)), torch.lerp(blocky, small, 0.25))
    assert torch.equal(shrunk(pixels, Stage(2, 1.0)), pixels)


def synthesis_and_inputs():
    chance = generator_from_seed(3)
    synthesis = GrowingSynthesis(2, TINY_WIDTHS, latent=5, chance=chance)
    styles = torch.randn(3, synthesis.n_styles, 5, generator=chance)
    noise = [torch.randn(3, 1, side, side, generator=chance) for side in synthesis.noise_sides]
    return synthesis, styles, noise


@pytest.mark.parametrize("level", [1, 2])
def test_a_level_that_has_not_faded_in_changes_no_image(level):
    synthesis, styles, noise = synthesis_and_inputs()
    new, old = (
        synthesis.at_stage(styles, noise, stage=stage, trunk_dtype=torch.float32)
        for stage in (Stage(level, 0.0), Stage(level - 1, 1.0))
    )
    torch.testing.assert_close(new, upsampled(old))
    full = synthesis.at_stage(styles, noise, stage=Stage(level, 1.0), trunk_dtype=torch.float32)
    assert not torch.allclose(full, new, atol=1e-2)


@pytest.mark.parametrize("level", [1, 2])
def test_a_level_that_has_not_faded_in_changes_no_encoding(level):
    encoder = Encoder(2, TINY_WIDTHS, latent=5, chance=generator_from_seed(4))
    planes = torch.randn(3, 2, 4 * 2**level, 4 * 2**level, generator=generator_from_seed(5))
    below = encoder(downsampled(planes), stage=Stage(level - 1, 1.0))
    torch.testing.assert_close(encoder(planes, stage=Stage(level, 0.0)), below)
    assert not torch.allclose(encoder(planes, stage=Stage(level, 1.0)), below, atol=1e-2)


def test_images_are_drawn_at_full_size_from_the_stage_that_was_reached():
    synthesis, styles, noise = synthesis_and_inputs()
    coarse = synthesis.at_stage(styles, noise, stage=Stage(0, 1.0), trunk_dtype=torch.float32)
    drawn = synthesis(styles, noise, trunk_dtype=torch.float32)
    assert drawn.shape == (3, 2, 16, 16)
    torch.testing.assert_close(drawn, upsampled(upsampled(coarse)))
    synthesis.grown.copy_(torch.tensor([2.0, 0.5]))
    fading = synthesis.at_stage(styles, noise, stage=Stage(2, 0.5), trunk_dtype=torch.float32)
    assert torch.equal(synthesis(styles, noise, trunk_dtype=torch.float32), fading)


def test_taking_the_style_off_undoes_adaptive_instance_normalization():
    values = 3 + 2 * torch.randn(4, 5, 8, 8, generator=generator_from_seed(6))
    normalized, style = without_style(values)
    torch.testing.assert_close(normalized.mean(dim=(2, 3)), torch.zeros(4, 5), atol=1e-5, rtol=0)
    mean, deviation = style[:, :, None, None].chunk(2, dim=1)
    torch.testing.assert_close(adapted(normalized, scale=deviation - 1, shift=mean), values)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_constant_channels_get_the_mean_of_their_style(dtype):
    values = torch.full((2, 3, 4, 4), 1.7, dtype=dtype)
    scale, shift = torch.zeros(2, 3, 1, 1), torch.linspace(-1, 1, 6).reshape(2, 3, 1, 1)
    styled = adapted(values, scale=scale, shift=shift).float()
    torch.testing.assert_close(styled, shift.expand_as(styled), atol=4e-3, rtol=0)  # bfloat16 near 1


@pytest.mark.parametrize(("kind", "expected"), [("l1", 0.5), ("l2", 0.25)])
def test_reciprocity_is_zero_only_where_the_encoder_inverts_the_synthesis(kind, expected):
    chance = generator_from_seed(7)
    synthesis = torch.linalg.qr(torch.randn(9, 9, dtype=torch.float64, generator=chance))[0] * 3
    w = torch.randn(6, 9, dtype=torch.float64, generator=chance)
    returned = w @ synthesis @ torch.linalg.inv(synthesis)
    assert reciprocity_loss(returned, w, kind=kind).item() == pytest.approx(0, abs=1e-12)
    assert reciprocity_loss(returned + 0.5, w, kind=kind).item() == pytest.approx(expected)


def networks_of(trainer) -> dict[str, dict[str, torch.Tensor]]:
    state = trainer.state_dict()
    generator = state["generator"]
    parts = {name: copy.deepcopy(state[name]) for name in ("encoder", "discriminator")}
    for part in ("mapping", "synthesis", "scalar_network"):
        parts[part] = {key: value.clone() for key, value in generator.items() if key.startswith(part)}
    return parts


def changed(trainer, update) -> set[str]:
    before = networks_of(trainer)
    assert update()
    after = networks_of(trainer)
    return {
        part
        for part, values in before.items()
        if any(not torch.equal(value, after[part][name]) for name, value in values.items())
    }


def test_each_of_the_three_updates_changes_its_own_networks(build, training_blobs):
    trainer, chance = build("alae", training_blobs), generator_from_seed(0)
    shared = Round(Stage(2, 1.0), 1e-2, chance, {}, ALONE)
    real = torch.randn(8, 4, 16, 16, generator=chance)
    assert changed(trainer, lambda: trainer._encode_better(real, shared, has_penalty=True)) == {
        "encoder",
        "discriminator",
    }
    assert changed(trainer, lambda: trainer._draw_better(8, shared)) == {
        "mapping",
        "synthesis",
        "scalar_network",
    }
    agreeing = changed(trainer, lambda: trainer._agree_better(8, shared))
    assert agreeing == {"encoder", "synthesis", "scalar_network"}


def test_the_penalty_is_taken_when_it_is_time(build, training_blobs):
    trainer = build("alae", training_blobs)  # every second step
    rows = trainer.compacted(training_blobs)
    taken = [
        trainer.step(rows, TrainingProgress(0, 96 * number, 0.0))["squared_gradient"] > 0
        for number in range(4)
    ]
    assert taken == [True, False, True, False]


def test_images_of_full_size_are_learned(build, training_blobs, tiny_configs):
    config = tiny_configs["alae"].model_copy(update={"growing_share": 0.0})
    trainer = build("alae", training_blobs, config=config)
    rows = trainer.compacted(NetworkBatch(training_blobs.pixels[:16], training_blobs.scalars[:16]))
    losses = [trainer.step(rows, TrainingProgress(3, 16 * number, 0.0)) for number in range(24)]
    assert all(loss["side_pix"] == 16.0 for loss in losses)
    distances = [loss["loss"] for loss in losses]
    assert sum(distances[-6:]) < 0.8 * sum(distances[:6])


def test_what_is_not_finite_changes_no_network_and_no_stage(build, training_blobs):
    trainer = build("alae", training_blobs)
    rows = trainer.compacted(training_blobs)
    trainer.step(rows, TrainingProgress(0, 0, 0.0))
    before = copy.deepcopy(trainer.state_dict())
    spoiled = NetworkBatch(rows.pixels.clone(), rows.scalars)
    spoiled.pixels[5, 1, 3, 3] = math.inf
    assert math.isnan(trainer.step(spoiled, TrainingProgress(0, 96, 0.9))["loss"])
    after = trainer.state_dict()
    for part in ("generator", "encoder", "discriminator"):
        assert all(torch.equal(value, after[part][name]) for name, value in before[part].items())
    trainer.step(rows, TrainingProgress(0, 96, 0.9))
    assert trainer.generator.synthesis.grown.tolist() == [2.0, 1.0]


def test_a_run_that_is_extended_keeps_its_levels(build, training_blobs):
    trainer = build("alae", training_blobs)
    rows = trainer.compacted(training_blobs)
    trainer.step(rows, TrainingProgress(0, 0, 0.9))
    resumed = build("alae", training_blobs)
    assert resumed.step(rows, TrainingProgress(0, 0, 0.0))["side_pix"] == 4.0
    resumed.load_state_dict(trainer.state_dict())
    for extended in (trainer, resumed):
        assert extended.step(rows, TrainingProgress(0, 96, 0.0))["side_pix"] == 16.0


@pytest.mark.parametrize(("side", "better"), [(24, 32), (8, 16), (400, 256)])
def test_other_sides_are_refused_with_the_nearest_one(build, blobs, side, better):
    with pytest.raises(
        SettingsError, match=f"images of {side} px: alae needs .* transform.size_pix={better}"
    ):
        build("alae", blobs(2, size_pix=side))


def test_conditions_are_refused_with_the_family_that_takes_them(build, training_blobs):
    with pytest.raises(SettingsError, match="alae model draws scalars and images together; train the family"):
        build("alae", training_blobs).generator.sample([1], torch.zeros(1, 2))


def test_each_level_has_its_own_batch(build, training_blobs, tiny_configs, monkeypatch):
    config = tiny_configs["alae"].model_copy(update={"level_batches": ((4, 32), (16, 8))})
    trainer = build("alae", training_blobs, config=config)
    rows = trainer.compacted(NetworkBatch(training_blobs.pixels[:32], training_blobs.scalars[:32]))
    seen, taken = [], trainer._round

    def watched(batch, progress, stage):
        seen.append((stage.side, len(batch.pixels), progress.images_seen))
        return taken(batch, progress, stage)

    monkeypatch.setattr(trainer, "_round", watched)
    trainer.step(rows, TrainingProgress(0, 0, 0.0))
    assert seen == [(4, 32, 0)]
    seen.clear()
    trainer.step(rows, TrainingProgress(0, 32, 0.9))
    assert seen == [(16, 8, 32), (16, 8, 40), (16, 8, 48), (16, 8, 56)]


def test_the_paper_s_recipe_has_the_batches_of_the_reference_implementation():
    """Pidhorskyi et al.'s configuration for CelebA on one GPU: 128, 128, 128, 64, 32, 16 from 4 px on."""
    settings = read_run_settings("alae", minutes=None, images=None, seed=None, overrides=())
    batches = settings.model.level_batches
    assert [value_at(side, batches) for side in (4, 8, 16, 32, 64, 128, 256)] == [
        128,
        128,
        128,
        64,
        32,
        16,
        16,
    ]
    assert all(settings.training.batch_size % batch == 0 for _, batch in batches)
    assert [value_at(side, settings.model.learning_rates) for side in (4, 16, 32, 64, 256)] == [
        1.5e-3,
        1.5e-3,
        1e-3,
        5e-4,
        5e-4,
    ]
    assert settings.model.r1_weight == 10.0
