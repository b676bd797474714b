"""What `diffusion` adds noise to: frequencies, sub-bands, and what is fitted on the training set for them."""

import copy
import math

import pytest
import torch

from galsmith.errors import InputError
from galsmith.models.diffusion.config import DiffusionConfig
from galsmith.models.diffusion.trainer import FAMILY
from galsmith.models.layers.chance import generator_from_seed
from galsmith.models.layers.edm import fitted_noise_levels
from galsmith.models.protocols import NetworkBatch, SamplerChoice, TrainingProgress


def normal(*shape: int, seed: int = 1) -> torch.Tensor:
    """Standard normal numbers."""
    return torch.randn(shape, generator=generator_from_seed(seed))


def trained(trainer, batch: NetworkBatch, n_steps: int = 4):
    """Take some steps and give the generator."""
    rows = trainer.compacted(batch)
    for number in range(n_steps):
        trainer.step(rows, TrainingProgress(0, len(batch.pixels) * number, 0.0))
    return trainer.generator.eval()


def estimate(generator, noisy: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
    """Denoise without scalars."""
    scalars = torch.zeros(len(noisy), len(generator.description.scalar_names))
    return generator.denoise(noisy, level, scalars=scalars, shown=torch.zeros(len(noisy)))


def test_an_untrained_spectral_network_gives_the_posterior_mean_of_gaussian_images(build, training_blobs):
    generator = build("diffusion, spectral", training_blobs).generator
    basis, deviations = generator.basis, generator.deviations
    clean = deviations * normal(4000, 2, 16, 16)
    level = torch.full((4000,), 0.4)
    noisy = clean + 0.4 * normal(4000, 2, 16, 16, seed=2)
    drawn = estimate(generator, noisy, level)
    gain = deviations**2 / (deviations**2 + 0.4**2)
    torch.testing.assert_close(drawn, gain * noisy, atol=1e-5, rtol=1e-4)
    error = (drawn - clean).square().mean(dim=0)
    torch.testing.assert_close(error, 0.4**2 * gain, atol=1e-6, rtol=0.15)  # the posterior's variance
    # what that is in pixels: half-whitened frequencies are those about the mean, divided
    pixels = basis.to_places(basis.mean + basis.deviations / deviations * clean)
    torch.testing.assert_close(generator.encode(pixels), clean, atol=1e-3, rtol=1e-2)


def test_equal_deviations_make_spectral_preconditioning_the_scalar_one(build, training_blobs, tiny_configs):
    scalar = trained(build("diffusion", training_blobs), training_blobs)
    spectral = build("diffusion, spectral", training_blobs).generator.eval()
    spectral.unet.load_state_dict(scalar.unet.state_dict())
    spectral.basis.deviations.fill_(0.5)
    spectral.basis.mean.zero_()
    noisy, level = normal(8, 2, 16, 16), torch.linspace(0.05, 3.0, 8)
    # the spectral one has values and noise levels in units of the largest deviation
    scalar.sigma_data.fill_(1.0)
    plain = estimate(scalar, 2 * noisy, 2 * level) / 2
    other = spectral.decode(estimate(spectral, spectral.encode(noisy), 2 * level))
    torch.testing.assert_close(other, plain, atol=1e-5, rtol=0)
    assert not torch.allclose(plain, noisy * 0.25 / (0.25 + level[:, None, None, None] ** 2), atol=1e-3)


def test_network_inputs_have_unit_variance_at_every_frequency(build, training_blobs, monkeypatch):
    generator = build("diffusion, spectral", training_blobs).generator
    values = generator.deviations * normal(3000, 2, 16, 16)
    seen = []

    def watched(images, *rest, **more):
        seen.append(generator.basis.to_frequencies(images))
        return torch.zeros_like(images)

    monkeypatch.setattr(generator.unet, "forward", watched)
    for level in (0.01, 1.0):
        noisy = values + level * normal(3000, 2, 16, 16, seed=3)
        estimate(generator, noisy, torch.full((3000,), level))
        deviations = seen.pop().std(dim=0)
        torch.testing.assert_close(deviations, torch.ones_like(deviations), atol=0.06, rtol=0)


def test_strong_frequencies_weigh_more_and_scalar_losses_are_as_before(build, training_blobs):
    spectral = build("diffusion, spectral", training_blobs)
    deviations, share = spectral.generator.basis.deviations, spectral._loss_share
    torch.testing.assert_close(share / share.max(), (deviations / deviations.max()) ** 0.5)
    assert share.mean() == pytest.approx(1.0)
    assert float(build("diffusion", training_blobs)._loss_share) == 1.0


def test_noise_levels_are_fitted_kept_and_overruled(build, training_blobs, tiny_configs, description_of):
    config = tiny_configs["diffusion, spectral"]
    trainer = build("diffusion", training_blobs, config=config)
    deviations = trainer.generator.deviations
    law, fitted = trainer._noise_law, fitted_noise_levels(deviations)
    assert (law.mean, law.std) == pytest.approx(fitted)
    assert (law.lowest, law.highest) == pytest.approx((0.1 * float(deviations.min()), 20.0))
    assert law.std > 1.1
    half = config.model_copy(update={"noise_level_std": 0.7})
    assert build("diffusion", training_blobs, config=half)._noise_law.std == pytest.approx(0.7)
    resumed = FAMILY.build_trainer(
        config,
        description_of(training_blobs),
        lambda: iter([]),
        seed=9,
        state=copy.deepcopy(trainer.state_dict()),
    )
    assert resumed._noise_law == trainer._noise_law


def test_noise_levels_of_bare_pixels_are_in_units_of_their_frequencies(build, training_blobs, tiny_configs):
    louder = NetworkBatch(4 * training_blobs.pixels, training_blobs.scalars)
    scalar = build("diffusion", training_blobs)
    moved = build("diffusion", louder)
    assert moved.generator.basis is None
    assert moved._noise_law.mean - scalar._noise_law.mean == pytest.approx(math.log(4), abs=1e-4)
    assert moved._noise_law.lowest / scalar._noise_law.lowest == pytest.approx(4, rel=1e-4)
    plain = tiny_configs["diffusion, spectral"].model_copy(update={"whitening_power": 1.0})
    spectral = build("diffusion", training_blobs, config=plain).generator.basis.deviations
    assert scalar._noise_law.highest == pytest.approx(20 * float(spectral.max()))


def test_half_whitened_frequencies_have_the_root_of_their_deviations(build, training_blobs):
    generator = build("diffusion, spectral", training_blobs).generator
    raw = generator.basis.deviations
    torch.testing.assert_close(generator.deviations, (raw / raw.max()) ** 0.5)
    values = generator.encode(training_blobs.pixels)
    torch.testing.assert_close(generator.decode(values), training_blobs.pixels, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", ["diffusion, spectral", "diffusion, flow", "diffusion, haar"])
def test_what_is_saved_draws_the_same(name, build, training_blobs, tiny_configs, description_of):
    generator = trained(build(name, training_blobs), training_blobs)
    state = {key: value.clone() for key, value in generator.state_dict().items()}
    loaded = FAMILY.build_generator(tiny_configs[name], description_of(training_blobs), state).eval()
    assert torch.equal(loaded.sample([4, 5]).pixels, generator.sample([4, 5]).pixels)


@pytest.mark.parametrize("name", ["diffusion, spectral", "diffusion, flow"])
def test_variants_learn_what_the_plain_model_does_not_draw(name, build, training_blobs):
    one, plain = (trained(build(kind, training_blobs), training_blobs) for kind in (name, "diffusion"))
    assert not torch.allclose(one.sample([1]).pixels, plain.sample([1]).pixels, atol=1e-3)


def test_a_loaded_state_brings_its_own_frequencies_and_noise_levels(build, training_blobs):
    trainer = build("diffusion, spectral", training_blobs)
    noisier = NetworkBatch(
        training_blobs.pixels + normal(*training_blobs.pixels.shape), training_blobs.scalars
    )
    other = build("diffusion, spectral", noisier)
    assert other._noise_law != trainer._noise_law
    other.load_state_dict(copy.deepcopy(trainer.state_dict()))
    assert other._noise_law == trainer._noise_law
    assert torch.equal(other._loss_share, trainer._loss_share)
    assert torch.equal(other.generator.basis.deviations, trainer.generator.basis.deviations)


@pytest.mark.parametrize("name", ["diffusion", "diffusion, spectral", "diffusion, flow"])
def test_both_solvers_end_at_the_same_galaxy(name, build, training_blobs):
    generator = trained(build(name, training_blobs), training_blobs, 25)
    drawn = {}
    for method, n_steps in (("heun", 1), ("heun", 48), ("multistep", 96)):
        generator.sampler_choice = SamplerChoice(method=method, n_steps=n_steps)
        drawn[method, n_steps] = generator.sample([1, 2]).pixels
    torch.testing.assert_close(drawn["multistep", 96], drawn["heun", 48], atol=0.005, rtol=0)
    assert (
        drawn["heun", 1] - drawn["heun", 48]
    ).abs().max() > 0.01  # less than it was: a Gaussian needs no steps


def test_flow_has_its_own_loss(build, training_blobs):
    rows = build("diffusion", training_blobs).compacted(training_blobs)
    losses = [
        build(name, training_blobs).step(rows, TrainingProgress(0, 0, 0.0))["pixel_loss"]
        for name in ("diffusion", "diffusion, flow")
    ]
    assert losses[1] == pytest.approx(1 + float(training_blobs.pixels.square().mean()) / 0.25, rel=0.1)
    assert losses[0] != pytest.approx(losses[1], rel=0.1)


@pytest.mark.parametrize(("side", "n_channels", "trunk"), [(64, 1, 64), (128, 4, 64), (256, 16, 64)])
def test_large_images_enter_as_sub_bands(side, n_channels, trunk, build, blobs):
    config = DiffusionConfig(
        channels=(4, 4), embedding_width=8, scalar_width=8, scalar_depth=1, sampler_steps=1, patch_pix=1
    )
    batch = blobs(6, n_bands=1, size_pix=side)
    generator = build("diffusion", batch, config=config).generator.eval()
    values = generator.encode(batch.pixels)
    assert values.shape == (6, n_channels, trunk, trunk)
    assert generator.unet.enter.weight.shape[1] == n_channels + 1
    torch.testing.assert_close(generator.decode(values), batch.pixels, atol=1e-5, rtol=0)


@pytest.mark.parametrize("side", [128, 256])
def test_large_images_train_and_draw_with_every_part_at_once(side, build, blobs):
    config = DiffusionConfig(
        channels=(4, 4),
        embedding_width=8,
        scalar_width=8,
        scalar_depth=1,
        preconditioning="spectral",
        noise_level_mean="fitted",
        sampler_steps=1,
    )
    batch = blobs(6, n_bands=1, size_pix=side)
    trainer = build("diffusion", batch, config=config)
    generator = trained(trainer, batch, 2)
    swapped = generator.basis.deviations[[0, 2, 1, 3]] if side == 128 else None
    if swapped is not None:  # sub-bands of x and y differences swap with the frequencies
        torch.testing.assert_close(swapped.transpose(1, 2), generator.basis.deviations, rtol=1e-3, atol=1e-4)
    drawn = generator.sample([1])
    assert drawn.pixels.shape == (1, 1, side, side)
    assert torch.isfinite(drawn.pixels).all()


def test_a_model_without_the_stem_that_its_settings_ask_for_is_refused(build, blobs, description_of):
    batch = blobs(4, n_bands=1, size_pix=128)
    shared = {"channels": (4, 4), "embedding_width": 8, "scalar_width": 8, "scalar_depth": 1}
    bare = build("diffusion", batch, config=DiffusionConfig(**shared, stem="none")).generator.state_dict()
    loaded = FAMILY.build_generator(DiffusionConfig(**shared, stem="none"), description_of(batch), bare)
    assert loaded.stem.n_levels == 0
    with pytest.raises(RuntimeError, match="Missing key"):
        FAMILY.build_generator(DiffusionConfig(**shared), description_of(batch), bare)


def test_noise_levels_of_equal_images_cannot_be_fitted(build, training_blobs):
    flat = NetworkBatch(torch.full_like(training_blobs.pixels, 0.25), training_blobs.scalars)
    with pytest.raises(InputError, match="all training images are equal"):
        build("diffusion", flat)
