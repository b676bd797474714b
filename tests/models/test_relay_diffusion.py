"""The two legs of `relay_diffusion`: values, what each network learns of them, and the flow that both follow."""

import pytest
import torch
from torch.nn import functional

from galsmith.errors import InputError, SettingsError
from galsmith.models.layers.chance import generator_from_seed
from galsmith.models.layers.d4 import N_ELEMENTS, apply_d4
from galsmith.models.protocols import NetworkBatch, TrainingProgress
from galsmith.models.relay_diffusion.config import RelayDiffusionConfig
from galsmith.models.relay_diffusion.frequencies import HalfWhitened, fit_half_whitened
from galsmith.models.relay_diffusion.networks import Attention
from galsmith.models.relay_diffusion.trainer import BEYOND_RELAY, coarse_values, leg_levels, leg_weight
from galsmith.settings import typed_settings

SIZE_PIX = 16


def fitted(images: torch.Tensor, *, symmetric: bool = True) -> HalfWhitened:
    batch = NetworkBatch(images, images.new_empty((len(images), 0)))
    return fit_half_whitened(
        lambda: iter([batch]), n_bands=images.shape[1], size_pix=images.shape[-1], symmetric=symmetric
    )


def all_turned(images: torch.Tensor) -> torch.Tensor:
    """All eight orientations of images, one after another."""
    return torch.cat([apply_d4(images, torch.full((len(images),), item)) for item in range(N_ELEMENTS)])


def test_images_come_back_from_their_values(training_blobs):
    basis = fitted(training_blobs.pixels)
    values = basis.encode(training_blobs.pixels)
    torch.testing.assert_close(basis.decode(values), training_blobs.pixels, rtol=0, atol=2e-5)


def test_values_have_the_deviations_that_were_fitted_in_all_orientations(training_blobs):
    basis = fitted(training_blobs.pixels)
    values = basis.encode(all_turned(training_blobs.pixels)).double()
    assert float(values.mean(dim=0).abs().max()) < 1e-4
    spread = values.square().mean(dim=0).sqrt().float()
    strong = basis.deviations > 0.05 * basis.deviations.max()  # weaker ones are raised to a floor
    torch.testing.assert_close(spread[strong], basis.deviations[strong], rtol=1e-3, atol=1e-5)


def test_one_orientation_alone_has_another_mean(training_blobs):
    basis = fitted(training_blobs.pixels, symmetric=False)
    assert float(basis.encode(training_blobs.pixels).mean(dim=0).abs().max()) < 1e-4
    assert float(basis.encode(all_turned(training_blobs.pixels)).mean(dim=0).abs().max()) > 1e-2


def test_colors_are_decorrelated_where_bands_share_their_light():
    chance = generator_from_seed(3)
    light, own = torch.randn((2, 400, 1, SIZE_PIX, SIZE_PIX), generator=chance)
    bands = torch.cat([light, light + 0.1 * own], dim=1)
    basis = fitted(bands)
    values = basis.encode(bands)[:, :, 1:3, 1:3].flatten(2)  # the scales that they are fitted on
    first, second = values[:, 0].flatten(), values[:, 1].flatten()
    assert abs(float(torch.corrcoef(torch.stack([first, second]))[0, 1])) < 0.01
    assert abs(float(torch.corrcoef(torch.stack([bands[:, 0].flatten(), bands[:, 1].flatten()]))[0, 1])) > 0.9
    assert float(basis.deviations[1].mean()) < 0.5 * float(basis.deviations[0].mean())


@pytest.mark.parametrize(
    ("value", "message"), [(1.0, "all training images are equal"), (float("nan"), "not all finite")]
)
def test_images_without_variance_or_not_finite_are_refused(value, message):
    images = torch.full((8, 1, SIZE_PIX, SIZE_PIX), value)
    with pytest.raises(InputError, match=message):
        fitted(images)


def test_looks_at_a_galaxy_are_those_of_its_turned_images(training_blobs, build):
    generator = build("relay_diffusion", training_blobs).generator
    images, scalars = training_blobs.pixels[:5], training_blobs.scalars[:5]
    looks = coarse_values(generator, generator.frequencies.encode(images), scalars)
    n_coarse = len(generator.strongest)
    wanted = generator.frequencies.encode(all_turned(images)).flatten(1)[:, generator.strongest]
    assert looks.shape == (40, n_coarse + scalars.shape[1])
    for row in range(5):
        of_one = looks[row::5, :n_coarse]
        distance = torch.cdist(wanted[row::5], of_one)
        assert float(distance.amin(dim=1).max()) < 1e-4  # each orientation is there
        assert float(distance.amin(dim=0).max()) < 1e-4  # and nothing else
    torch.testing.assert_close(looks[::5, n_coarse:], scalars[:1].expand(8, -1) * generator.scalar_deviation)


@pytest.mark.parametrize("fine", [True, False])
def test_each_leg_learns_its_side_of_the_relay(fine):
    config = RelayDiffusionConfig(relay_level=0.5)
    levels = leg_levels(4000, config, fine=fine, chance=generator_from_seed(1))
    edge = 0.5 * BEYOND_RELAY if fine else 0.5 / BEYOND_RELAY
    assert torch.isfinite(levels).all()
    assert float(levels.max() if fine else 1 / levels.min()) <= (edge if fine else 1 / edge) * 1.001
    mean, std = (
        (config.fine_noise_mean, config.fine_noise_std)
        if fine
        else (config.coarse_noise_mean, config.coarse_noise_std)
    )
    normal = torch.distributions.Normal(mean, std)
    inside = normal.cdf(levels.log())
    below = float(normal.cdf(torch.tensor(edge).log()))
    share = inside / below if fine else (inside - below) / (1 - below)
    # cut and stratified: even over what is left of the law
    torch.testing.assert_close(
        share.sort().values, (torch.arange(4000) + 0.5) / 4000, rtol=0, atol=1e-3, check_dtype=False
    )


def test_weights_peak_where_the_noise_is_as_strong_as_the_value():
    deviations = torch.logspace(-3, 3, 61)
    weight = leg_weight(torch.ones(1), torch.zeros(1, 61), deviations, power=0.0)[0]
    # in units of the network's own output, whose error is that of the estimate over sigma deviation / root of variance
    of_output = weight * deviations**2 / (1 + deviations**2)
    assert int(of_output.argmax()) == 30
    assert float(of_output[30]) == pytest.approx(1.0, rel=1e-5)
    assert of_output[[0, -1]].tolist() == pytest.approx([0.05, 0.05], rel=1e-2)


def drawn_spread(generator) -> torch.Tensor:
    """Deviations of drawn values over those fitted, [color, v, u]."""
    drawn = torch.cat([generator.sample(list(range(k, k + 512))).pixels for k in (0, 512)])
    return generator.frequencies.encode(drawn).square().mean(dim=0).sqrt() / generator.frequencies.deviations


def test_the_flow_of_a_normal_law_is_followed_over_the_relay(blobs, build):
    """Networks start at zero: both denoisers are then exact for normal data of the fitted deviations."""
    batch = blobs(256)
    noise = 0.05 * torch.randn(batch.pixels.shape, generator=generator_from_seed(2))
    generator = build("relay_diffusion", NetworkBatch(batch.pixels + noise, batch.scalars)).generator.eval()
    spread = drawn_spread(generator)
    # 1,024 galaxies know a deviation to 2.2 %, and 512 deviations to 1 in a thousand on average
    assert float(spread.mean()) == pytest.approx(1.0, abs=0.02)
    assert 0.88 < float(spread.min()) < float(spread.max()) < 1.12
    assert float(spread.flatten()[generator.strongest].mean()) == pytest.approx(1.0, abs=0.03)
    # a second network that holds everything for noise takes the finest scales away
    generator.denoise_fine = lambda noisy, level: torch.zeros_like(noisy)
    assert float(drawn_spread(generator).min()) < 0.6


@pytest.mark.parametrize("rounds", [1, 3])
def test_the_first_network_takes_so_many_steps_a_batch_each_on_noise_of_its_own(
    rounds, training_blobs, build, tiny_configs, monkeypatch
):
    config = tiny_configs["relay_diffusion"].model_copy(update={"coarse_rounds": rounds, "coarse_draws": 2})
    trainer, seen = build("relay_diffusion", training_blobs, config=config), []
    known = trainer.generator.denoise_coarse
    monkeypatch.setattr(
        trainer.generator, "denoise_coarse", lambda noisy, level: seen.append(noisy) or known(noisy, level)
    )
    said = trainer.step(training_blobs, TrainingProgress(3, 0, 0.5))
    assert len(seen) == rounds
    # two noisy looks at each of the eight orientations
    assert {len(noisy) for noisy in seen} == {2 * 8 * len(training_blobs.pixels)}
    assert len({float(noisy.sum()) for noisy in seen}) == rounds
    assert said["loss"] == pytest.approx(said["fine_loss"] + said["coarse_loss"])


def test_attention_is_that_of_torch():
    chance = generator_from_seed(7)
    layer = Attention(128, chance=chance)
    values = torch.randn((3, 128, 4, 4), generator=chance)
    mixed = layer.enter(values).flatten(2).transpose(1, 2).reshape(3, 16, 3, 2, 64)
    mixed = mixed * (mixed.square().mean(dim=-1, keepdim=True) + 1e-4).rsqrt()
    query, key, value = (mixed[:, :, part].transpose(1, 2) for part in range(3))
    seen = functional.scaled_dot_product_attention(query, key, value).transpose(1, 2).reshape(3, 16, 128)
    wanted = layer.leave(seen.transpose(1, 2).reshape(3, 128, 4, 4))
    norm = (0.7**2 + 0.3**2) ** 0.5
    torch.testing.assert_close(layer(values), (0.7 * values + 0.3 * wanted) / norm, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"blocks": [1]}, "blocks are 1 numbers and channels 2; wanted one a level"),
        ({"relay_level": 90.0}, "relay_level is 90.0; wanted one between lowest_noise_level 0.01"),
    ],
)
def test_settings_that_do_not_fit_one_another_are_refused(wrong, message):
    with pytest.raises(SettingsError, match=message):
        typed_settings(RelayDiffusionConfig, wrong, source="recipe x")


def test_levels_that_a_side_cannot_be_halved_to_are_refused(training_blobs, build, tiny_configs):
    config = tiny_configs["relay_diffusion"].model_copy(update={"channels": (8, 8, 8), "blocks": (1, 1, 1)})
    with pytest.raises(SettingsError, match="16 px leave 4 patches a side for 3 levels"):
        build("relay_diffusion", training_blobs, config=config)
