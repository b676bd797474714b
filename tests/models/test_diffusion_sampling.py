"""How `diffusion` draws: scalars by themselves, images for given scalars, guidance and fewer steps."""

import copy

import pytest
import torch

from galsmith.errors import SettingsError
from galsmith.models.layers.chance import generator_from_seed
from galsmith.models.protocols import ConditionalGenerator, NetworkBatch, SamplerChoice, TrainingProgress


@pytest.fixture
def trained(build, training_blobs):
    trainer = build("diffusion", training_blobs)
    rows = trainer.compacted(training_blobs)
    for number in range(6):
        trainer.step(rows, TrainingProgress(0, 96 * number, 0.0))
    return trainer.generator.eval()


def guided(generator, guidance: float, seeds: list[int]) -> torch.Tensor:
    """Draw under a guidance, and leave the generator as it was."""
    other = copy.deepcopy(generator)
    other.sampler_choice = SamplerChoice(guidance=guidance)
    return other.sample(seeds).pixels


def test_scalars_drawn_alone_are_those_of_the_galaxies(trained):
    assert isinstance(trained, ConditionalGenerator)
    seeds = list(range(40))
    whole, scalars = trained.sample(seeds), trained.draw_scalars(seeds)
    assert scalars.shape == (40, 2)
    assert torch.equal(whole.scalars, scalars)
    assert torch.equal(trained.draw_scalars([35, 3]), scalars[[35, 3]])
    given = trained.sample(seeds, scalars)
    assert torch.equal(given.pixels, whole.pixels)
    assert torch.equal(given.scalars, whole.scalars)
    assert not torch.equal(trained.sample(seeds, scalars.flip(0)).pixels, whole.pixels)


def test_scalars_with_lumps_are_given_back_as_they_were_drawn(build, training_blobs):
    lumpy = NetworkBatch(training_blobs.pixels, training_blobs.scalars.round())
    generator = build("diffusion", lumpy).generator.eval()
    seeds = list(range(20))
    scalars = generator.draw_scalars(seeds)
    assert (scalars == scalars.round()).any()
    assert torch.equal(generator.sample(seeds, scalars).pixels, generator.sample(seeds).pixels)


def test_another_family_draws_no_scalars_by_themselves(build, training_blobs):
    assert not isinstance(build("pca_diffusion", training_blobs).generator, ConditionalGenerator)


def test_no_seeds_give_no_scalars(trained):
    assert trained.draw_scalars([]).shape == (0, 2)


def test_guidance_moves_estimates_on_the_line_from_hidden_to_shown(trained):
    noisy = torch.randn(4, 2, 16, 16, generator=generator_from_seed(1))
    level, scalars = torch.full((4,), 0.7), torch.full((4, 2), 1.5)
    estimate = {
        shown: trained.denoise(noisy, level, scalars=scalars, shown=torch.full((4,), shown))
        for shown in (0.0, 1.0)
    }
    assert not torch.allclose(estimate[0.0], estimate[1.0], atol=1e-4)
    for guidance in (0.0, 0.5, 1.0, 3.0):
        trained.sampler_choice = SamplerChoice(guidance=guidance)
        torch.testing.assert_close(
            trained._guided(noisy, level, scalars=scalars),
            estimate[0.0] + guidance * (estimate[1.0] - estimate[0.0]),
        )


def test_guidance_changes_what_is_drawn_and_one_changes_nothing(trained):
    plain = trained.sample([1, 2]).pixels
    assert torch.equal(guided(trained, 1.0, [1, 2]), plain)
    assert not torch.allclose(guided(trained, 3.0, [1, 2]), plain, atol=1e-3)


def test_without_guidance_scalars_do_not_matter(trained):
    other = copy.deepcopy(trained)
    other.sampler_choice = SamplerChoice(guidance=0.0)
    one, two = (other.sample([1], torch.full((1, 2), value)).pixels for value in (-2.0, 2.0))
    torch.testing.assert_close(one, two)


def test_fewer_steps_change_images_but_not_scalars(trained):
    plain = trained.sample([1, 2])
    trained.sampler_choice = SamplerChoice(n_steps=6)
    more = trained.sample([1, 2])
    assert torch.equal(more.scalars, plain.scalars)
    assert not torch.allclose(more.pixels, plain.pixels, atol=1e-4)


def test_guidance_is_refused_where_it_was_not_trained(build, training_blobs, tiny_configs):
    bare = build("diffusion", NetworkBatch(training_blobs.pixels, training_blobs.scalars[:, :0])).generator
    bare.sampler_choice = SamplerChoice(guidance=2.0)
    with pytest.raises(SettingsError, match=r"`guidance=2.0`: this model has no scalars .*; leave it at 1"):
        bare.sample([1])
    config = tiny_configs["diffusion"].model_copy(update={"scalar_drop": 0.0})
    never_hidden = build("diffusion", training_blobs, config=config).generator
    never_hidden.sampler_choice = SamplerChoice(guidance=2.0)
    with pytest.raises(SettingsError, match=r"trained with model.scalar_drop=0"):
        never_hidden.sample([1])
