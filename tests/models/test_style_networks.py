"""Style-based networks: parameter counts by hand, modulation and normalization against their definitions."""

import itertools

import numpy as np
import pytest
import torch
from torch.nn import functional

from galsmith.errors import SettingsError
from galsmith.models.family import Blueprint
from galsmith.models.layers.adversarial import path_lengths
from galsmith.models.layers.chance import generator_from_seed
from galsmith.models.protocols import DataDescription
from galsmith.models.style_based.discriminator import ResidualDiscriminator
from galsmith.models.style_based.generator import StyleGenerator, with_scalar_planes
from galsmith.models.style_based.mapping import MappingNetwork
from galsmith.models.style_based.settings import Stylegan2Config, StyleganConfig, auto_r1_weight
from galsmith.models.style_based.styled_level import adapted
from galsmith.models.stylegan import StyleganSynthesis
from galsmith.models.stylegan2 import StyledConv, Stylegan2Synthesis, ToPixels
from galsmith.settings import read_recipe
from galsmith.training.averages.power_function import gamma_from_width


def chance(seed: int = 1) -> torch.Generator:
    return generator_from_seed(seed)


def count(module: torch.nn.Module) -> int:
    return sum(value.numel() for value in module.parameters())


PAPER_WIDTHS = {4: 512, 8: 512, 16: 512, 32: 512, 64: 256, 128: 128, 256: 64}
TINY_WIDTHS = {4: 8, 8: 6, 16: 4}


def stylegan_count(widths: dict[int, int], *, latent: int, n_bands: int) -> int:
    """By the layer list: two styled noises (strength C, style 2 C w + 2 C) and one or two convolutions a level."""
    total, below = widths[4] * 16, None
    for channels in widths.values():
        total += 2 * (channels + 2 * channels * latent + 2 * channels)
        total += channels * channels * 9 + channels
        total += 0 if below is None else below * channels * 9 + channels
        below = channels
    return total + below * n_bands + n_bands


def stylegan2_count(widths: dict[int, int], *, latent: int, n_bands: int) -> int:
    """By the layer list: modulated convolutions (kernel, style, bias, one strength) and pixels of each level."""
    total, below = widths[4] * 16, None
    for channels in widths.values():
        for n_in in (channels,) if below is None else (below, channels):
            total += n_in * channels * 9 + (latent * n_in + n_in) + channels + 1
        total += channels * n_bands + (latent * channels + channels) + n_bands
        below = channels
    return total


def discriminator_count(widths: dict[int, int], *, n_planes: int) -> int:
    """By the layer list: entrance, two convolutions and a skip a block, and the layers at 4 pixels."""
    fine_first = list(widths.values())[::-1]
    total = n_planes * fine_first[0] + fine_first[0]
    for n_in, n_out in itertools.pairwise(fine_first):
        total += (n_in * n_in * 9 + n_in) + (n_in * n_out * 9 + n_out) + n_in * n_out
    last = fine_first[-1]
    return total + ((last + 1) * last * 9 + last) + (16 * last * last + last) + (last + 1)


def test_widths_and_r1_follow_the_auto_configuration():
    assert StyleganConfig().level_widths(256) == PAPER_WIDTHS
    narrow = StyleganConfig(channel_base=4096, channel_max=128)
    assert narrow.level_widths(64) == {4: 128, 8: 128, 16: 128, 32: 128, 64: 64}
    assert auto_r1_weight(256, 16) == pytest.approx(0.8192)


@pytest.mark.parametrize(("name", "size_pix"), [("stylegan", 256), ("stylegan-64", 64), ("stylegan2-64", 64)])
def test_the_recipes_have_the_batches_of_the_auto_configuration(name, size_pix):
    recipe = read_recipe(name)
    assert recipe["training"]["batch_size"] == max(min(4096 // size_pix, 32), 1)
    # of 5 % of the images seen, or half of them after 10 / 32 thousand a batch image
    average = {key: value for key, value in recipe["training"].items() if key.startswith("ema")}
    half_life = {"ema_half_life": 5000, "ema_ramp_up": 0.05}
    assert average == (half_life if size_pix == 256 else {"ema_width": 0.063})


def test_too_few_channels_are_refused():
    with pytest.raises(
        SettingsError,
        match=r"`model.channel_base=128`: leaves no channel at 256 px; wanted 256 or more; 4096 gives 16",
    ):
        StyleganConfig(channel_base=128).level_widths(256)


def test_the_recipes_average_is_the_papers_half_life_of_five_percent():
    # Half of the weight of exp(-(gamma + 1) ln(t / now)) lies in the last 5 %: ramp-up 0.05 of 'auto'.
    decay_per_image_share = gamma_from_width(0.063) + 1
    assert np.log(2) / decay_per_image_share == pytest.approx(0.05, rel=0.01)


@pytest.mark.parametrize(
    ("widths", "latent", "n_bands"), [(PAPER_WIDTHS, 512, 4), (PAPER_WIDTHS, 32, 1), (TINY_WIDTHS, 16, 2)]
)
def test_parameters_are_those_of_the_layer_lists(widths, latent, n_bands):
    styles = StyleganSynthesis(n_bands, widths, latent=latent, chance=chance())
    assert count(styles) == stylegan_count(widths, latent=latent, n_bands=n_bands)
    modulated = Stylegan2Synthesis(n_bands, widths, latent=latent, chance=chance())
    assert count(modulated) == stylegan2_count(widths, latent=latent, n_bands=n_bands)
    discriminator = ResidualDiscriminator(n_bands + 1, widths, chance=chance())
    assert count(discriminator) == discriminator_count(widths, n_planes=n_bands + 1)


def test_the_papers_networks_have_these_many_parameters():
    # Worked out on paper from the lists above, for 256 px, four bands and the size plane.
    assert stylegan_count(PAPER_WIDTHS, latent=512, n_bands=4) == 23_977_220
    assert stylegan2_count(PAPER_WIDTHS, latent=512, n_bands=4) == 22_668_713
    assert discriminator_count(PAPER_WIDTHS, n_planes=5) == 24_001_217


def test_the_whole_generator_adds_mapping_and_scalar_network():
    config = StyleganConfig(latent_width=16, channel_base=64, channel_max=8)
    description = DataDescription(("g", "r"), 16, ("log_native_size",), 100)
    widths = config.level_widths(16)
    synthesis = StyleganSynthesis(2, widths, latent=16, chance=chance())
    generator = StyleGenerator(synthesis, Blueprint(config, description, chance(), {}))
    mapping, scalar = 2 * (16 * 16 + 16), (16 * 64 + 64) + (64 + 1)
    assert count(generator) == stylegan_count(widths, latent=16, n_bands=2) + mapping + scalar


def test_a_style_sets_mean_and_deviation_of_each_channel():
    values = 3 + 5 * torch.randn(2, 3, 16, 16, generator=chance())
    scale = torch.randn(2, 3, 1, 1, generator=chance(2))
    shift = torch.randn(2, 3, 1, 1, generator=chance(3))
    out = adapted(values, scale=scale, shift=shift)
    torch.testing.assert_close(out.mean(dim=(2, 3)), shift[:, :, 0, 0], rtol=0, atol=1e-5)
    deviation = out.std(dim=(2, 3), correction=0)
    torch.testing.assert_close(deviation, (1 + scale[:, :, 0, 0]).abs(), rtol=1e-4, atol=1e-5)


def test_scaled_activations_are_scaled_weights():
    layer = StyledConv(5, 4, latent=6, is_doubling=False, chance=chance())
    with torch.no_grad():
        layer.noise_strength.fill_(0.7)
        layer.bias.normal_(generator=chance(5))
    values = torch.randn(3, 5, 8, 8, generator=chance(2))
    w, noise = torch.randn(3, 6, generator=chance(3)), torch.randn(3, 1, 8, 8, generator=chance(4))
    style = layer.style(w)
    wanted = []
    for number in range(3):
        weight = layer.weight / 45**0.5 * style[number][None, :, None, None]
        weight = weight / (weight.square().sum(dim=(1, 2, 3), keepdim=True) + 1e-8).sqrt()
        convolved = functional.conv2d(values[number : number + 1], weight, padding=1)
        added = convolved + 0.7 * noise[number] + layer.bias
        wanted.append(functional.leaky_relu(added, 0.2) * 2**0.5)
    torch.testing.assert_close(layer(values, noise, w), torch.cat(wanted), rtol=1e-4, atol=1e-5)


def test_a_modulated_convolution_keeps_unit_variance_whatever_the_style():
    layer = StyledConv(32, 32, latent=6, is_doubling=False, chance=chance())
    values = torch.randn(4, 32, 18, 18, generator=chance(2))
    for size in (1.0, 20.0):
        w = size * torch.randn(4, 6, generator=chance(3))
        inside = layer(values, torch.zeros(4, 1, 18, 18), w)[:, :, 1:-1, 1:-1]
        assert float(inside.detach().square().mean()) == pytest.approx(1.04, rel=0.05)


def test_pixels_of_a_level_are_a_modulated_sum_over_channels():
    layer = ToPixels(5, 2, latent=6, chance=chance())
    values, w = torch.randn(3, 5, 4, 4, generator=chance(2)), torch.randn(3, 6, generator=chance(3))
    wanted = torch.einsum("ncyx,nc,bc->nbyx", values, layer.style(w), layer.weight) / 5**0.5
    torch.testing.assert_close(layer(values, w), wanted, rtol=1e-4, atol=1e-5)


def test_only_the_direction_of_z_counts():
    network = MappingNetwork(16, n_layers=2, chance=chance())
    z = torch.randn(4, 16, generator=chance(2))
    torch.testing.assert_close(network(z), network(7 * z), rtol=1e-4, atol=1e-6)
    assert not torch.allclose(network(z), network(-z))


def test_path_lengths_of_a_linear_generator_are_the_length_of_the_transposed_map():
    matrix = torch.randn(2 * 4 * 4, 6, generator=chance(), requires_grad=True)
    styles = torch.randn(3, 2, 6, generator=chance(2), requires_grad=True)
    images = (styles.sum(dim=1) @ matrix.T).reshape(3, 2, 4, 4)
    lengths = path_lengths(images, styles, chance=chance(3))
    noise = torch.randn(3, 2, 4, 4, generator=chance(3)) / 4
    wanted = (noise.reshape(3, -1) @ matrix).norm(dim=1)
    torch.testing.assert_close(lengths, wanted)
    assert torch.autograd.grad(lengths.sum(), matrix)[0].abs().sum() > 0


def test_the_mean_squared_path_length_is_the_squared_norm_of_the_map():
    matrix = torch.randn(4 * 4, 6, generator=chance())
    styles = torch.zeros(4000, 1, 6, requires_grad=True)
    images = (styles[:, 0] @ matrix.T).reshape(4000, 1, 4, 4)
    lengths = path_lengths(images, styles, chance=chance(3))
    wanted = float(matrix.square().sum()) / 16
    assert float(lengths.detach().square().mean()) == pytest.approx(wanted, rel=0.05)


def test_scalars_become_constant_planes():
    planes = with_scalar_planes(torch.zeros(2, 1, 3, 3), torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    assert planes.shape == (2, 3, 3, 3)
    assert torch.equal(planes[1, 2], torch.full((3, 3), 4.0))


def test_logits_start_at_order_one_and_see_every_plane():
    discriminator = ResidualDiscriminator(3, {4: 16, 8: 16, 16: 16}, chance=chance())
    planes = torch.randn(16, 3, 16, 16, generator=chance(2), requires_grad=True)
    logits = discriminator(planes)
    assert logits.shape == (16, 1)
    assert 0.02 < float(logits.detach().std()) < 5
    logits.sum().backward()
    assert (planes.grad.abs().sum(dim=(0, 2, 3)) > 0).all()


@pytest.mark.parametrize(
    ("synthesis", "config"),
    [(StyleganSynthesis, StyleganConfig), (Stylegan2Synthesis, Stylegan2Config)],
    ids=["stylegan", "stylegan2"],
)
def test_noise_moves_the_pixels_once_its_strength_is_learned(synthesis, config):
    settings = config(latent_width=16, channel_base=64, channel_max=8)
    network = synthesis(1, settings.level_widths(16), latent=16, chance=chance())
    styles = torch.randn(2, 1, 16, generator=chance(2)).expand(-1, network.n_styles, -1)
    quiet = [torch.zeros(2, 1, side, side) for side in network.noise_sides]
    loud = [torch.randn(2, 1, side, side, generator=chance(3)) for side in network.noise_sides]
    at_start = [network(styles, noise, trunk_dtype=torch.float32) for noise in (quiet, loud)]
    assert torch.equal(*at_start)
    with torch.no_grad():
        for name, value in network.named_parameters():
            if name.endswith("noise_strength"):
                value.fill_(0.5)
    learned = [network(styles, noise, trunk_dtype=torch.float32) for noise in (quiet, loud)]
    assert not torch.allclose(*learned, atol=1e-3)


@pytest.mark.parametrize("synthesis", [StyleganSynthesis, Stylegan2Synthesis])
def test_each_style_steers_the_image(synthesis):
    network = synthesis(1, TINY_WIDTHS, latent=16, chance=chance())
    styles = torch.randn(1, network.n_styles, 16, generator=chance(2))
    noise = [torch.zeros(1, 1, side, side) for side in network.noise_sides]
    before = network(styles, noise, trunk_dtype=torch.float32)
    for number in range(network.n_styles):
        moved = styles.clone()
        moved[:, number] += 1
        assert not torch.allclose(network(moved, noise, trunk_dtype=torch.float32), before), number
