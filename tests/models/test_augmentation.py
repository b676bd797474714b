"""Augmentation: exact where it can be, told in full by its conditions, and without a leak into what is drawn."""

import math

import numpy as np
import pytest
import torch
from scipy import ndimage, stats

from galsmith.models.diffusion.augmentation import (
    MOVE_X,
    MOVE_Y,
    N_CONDITIONS,
    SCALE,
    SCALE_STD,
    SHEAR_COS,
    SHEAR_SIN,
    SHIFT_STD,
    SHIFT_X,
    SHIFT_Y,
    TURN_COS,
    TURN_SIN,
    augmented,
    draw_conditions,
)
from galsmith.models.layers.chance import generator_from_seed
from galsmith.models.protocols import TrainingProgress

GROUPS = {
    "shift": (SHIFT_X, SHIFT_Y),
    "move": (MOVE_X, MOVE_Y),
    "scale": (SCALE,),
    "turn": (TURN_COS, TURN_SIN),
    "shear": (SHEAR_COS, SHEAR_SIN),
}


def images(n: int = 5, *, n_bands: int = 2, size_pix: int = 16, seed: int = 1) -> torch.Tensor:
    return torch.randn(n, n_bands, size_pix, size_pix, generator=generator_from_seed(seed))


def blob(size_pix: int = 64, *, x: float = 0.0, y: float = 0.0, width=(6.0, 6.0), angle: float = 0.0):
    """A Gaussian whose center is (x, y) pixels off the middle, with `width` along and across `angle`."""
    axis = torch.arange(size_pix) - (size_pix - 1) / 2
    right, down = axis[None, :] - x, axis[:, None] - y
    along = right * math.cos(angle) + down * math.sin(angle)
    across = down * math.cos(angle) - right * math.sin(angle)
    return torch.exp(-0.5 * ((along / width[0]) ** 2 + (across / width[1]) ** 2))[None, None]


def conditions(n: int = 1, **columns: float) -> torch.Tensor:
    known = {name: column for name, column in globals().items() if name in columns}
    filled = torch.zeros(n, N_CONDITIONS)
    for name, value in columns.items():
        filled[:, known[name]] = value
    return filled


def drawn(n: int = 20_000, *, probability: float = 0.3, size_pix: int = 64, seed: int = 2) -> torch.Tensor:
    return draw_conditions(n, size_pix=size_pix, probability=probability, chance=generator_from_seed(seed))


def test_nothing_is_done_at_a_probability_of_zero():
    nothing = drawn(50, probability=0.0)
    assert torch.equal(nothing, torch.zeros(50, N_CONDITIONS))
    pixels = images(50)
    assert torch.equal(augmented(pixels, nothing), pixels)


def test_an_image_with_zeros_beside_others_stays_bit_for_bit():
    pixels, told = images(400), drawn(400, size_pix=16)
    out = augmented(pixels, told)
    untouched = (told == 0).all(dim=1)
    assert 0 < untouched.sum() < 400
    same = (out == pixels).flatten(1).all(dim=1)
    assert torch.equal(same, untouched)


def test_each_transformation_is_done_as_often_as_wanted_and_leaves_zeros_else():
    told = drawn(probability=0.3)
    done = []
    for name, columns in GROUPS.items():
        on = (told[:, columns] != 0).any(dim=1)
        chance_of_zero = 1 / 17**2 if name == "shift" else 0.0  # both of 17 whole shifts may be 0
        wanted = 0.3 * (1 - chance_of_zero)
        assert float(on.float().mean()) == pytest.approx(wanted, abs=4 * math.sqrt(0.21 / len(told)))
        done.append(on.numpy())
    correlation = np.corrcoef(done) - np.eye(5)
    assert np.abs(correlation).max() < 0.03


def test_parameters_follow_their_laws():
    told = drawn(probability=1.0)
    whole = told[:, SHIFT_X : SHIFT_Y + 1] * 8
    assert torch.equal(whole.round().unique(), torch.arange(-8.0, 9.0))
    torch.testing.assert_close(whole, whole.round(), rtol=0, atol=1e-5)
    for column in (MOVE_X, MOVE_Y, SCALE):
        assert stats.kstest(told[:, column].numpy(), "norm").pvalue > 0.01
    angle = torch.atan2(told[:, TURN_SIN], told[:, TURN_COS] + 1).numpy()
    assert stats.kstest(angle, stats.uniform(-math.pi, 2 * math.pi).cdf).pvalue > 0.01
    stretch = torch.hypot(told[:, SHEAR_COS], told[:, SHEAR_SIN]).numpy()
    assert stats.kstest(stretch, "halfnorm").pvalue > 0.01
    axis = torch.atan2(told[:, SHEAR_SIN], told[:, SHEAR_COS]).numpy()
    assert stats.kstest(axis, stats.uniform(-math.pi, 2 * math.pi).cdf).pvalue > 0.01


@pytest.mark.parametrize(("x", "y"), [(2, 0), (0, -1), (1, 2)])
def test_a_shift_by_whole_pixels_is_exact_and_mirrors_the_edge(x, y):
    pixels = images()
    out = augmented(pixels, conditions(5, SHIFT_X=x / 2, SHIFT_Y=y / 2))
    padded = np.pad(pixels.numpy(), [(0, 0), (0, 0), (4, 4), (4, 4)], mode="symmetric")
    np.testing.assert_allclose(out.numpy(), padded[:, :, 4 - y : 20 - y, 4 - x : 20 - x], atol=1e-5)


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_turn_by_right_angles_is_exact(quarters):
    angle = quarters * math.pi / 2
    out = augmented(images(), conditions(5, TURN_COS=math.cos(angle) - 1, TURN_SIN=math.sin(angle)))
    np.testing.assert_allclose(out.numpy(), np.rot90(images().numpy(), -quarters, axes=(2, 3)), atol=1e-5)


def test_a_turn_by_any_angle_turns_a_blob():
    angle = 0.7
    out = augmented(blob(width=(6, 3)), conditions(TURN_COS=math.cos(angle) - 1, TURN_SIN=math.sin(angle)))
    assert float((out - blob(width=(6, 3), angle=angle)).abs().max()) < 0.015
    assert float((out - blob(width=(6, 3), angle=-angle)).abs().max()) > 0.1


def test_a_shift_by_any_amount_moves_a_blob():
    out = augmented(blob(), conditions(MOVE_X=0.3, MOVE_Y=-0.41))
    moved = blob(x=0.3 * SHIFT_STD * 64, y=-0.41 * SHIFT_STD * 64)
    assert float((out - moved).abs().max()) < 0.008


def test_scaling_widens_a_blob():
    out = augmented(blob(), conditions(SCALE=1.5))
    width = 6 * 2 ** (1.5 * SCALE_STD)
    assert float((out - blob(width=(width, width))).abs().max()) < 0.008


def test_shear_stretches_along_its_axis_and_keeps_the_area():
    axis, stretch = 0.4, 1.2
    out = augmented(
        blob(), conditions(SHEAR_COS=stretch * math.cos(2 * axis), SHEAR_SIN=stretch * math.sin(2 * axis))
    )
    factor = 2 ** (stretch * SCALE_STD)
    assert float((out - blob(width=(6 * factor, 6 / factor), angle=axis)).abs().max()) < 0.008
    assert float(out.sum()) == pytest.approx(float(blob().sum()), rel=1e-3)


def test_all_at_once_is_scipys_affine_transform():
    told = drawn(8, probability=1.0)
    pixels = blob(x=5.0, y=-3.0, width=(8, 5), angle=0.3).expand(8, 1, 64, 64)
    out = augmented(pixels, told).numpy()
    for image, line in zip(out, told.double().numpy(), strict=True):
        angle = math.atan2(line[TURN_SIN], line[TURN_COS] + 1)
        turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        axis = 0.5 * math.atan2(line[SHEAR_SIN], line[SHEAR_COS])
        along = np.array([[math.cos(axis)], [math.sin(axis)]])
        factor = 2 ** (math.hypot(line[SHEAR_SIN], line[SHEAR_COS]) * SCALE_STD)
        shear = factor * along @ along.T + (np.eye(2) - along @ along.T) / factor
        forward = turn @ shear * 2 ** (line[SCALE] * SCALE_STD)
        shift = np.round(line[[SHIFT_X, SHIFT_Y]] * 8) + line[[MOVE_X, MOVE_Y]] * 8
        backward = np.linalg.inv(forward)[::-1, ::-1]  # scipy counts (y, x)
        offset = 31.5 - backward @ (31.5 + shift[::-1])
        wanted = ndimage.affine_transform(
            pixels[0, 0].double().numpy(), backward, offset, order=3, mode="reflect"
        )
        assert np.abs(image[0] - wanted).max() < 0.01


def test_all_chance_comes_from_the_stream():
    before = torch.get_rng_state()
    assert torch.equal(drawn(100), drawn(100))
    assert not torch.equal(drawn(100), drawn(100, seed=3))
    assert torch.equal(before, torch.get_rng_state())


def test_a_network_that_is_told_gives_the_unaugmented_mean_back_and_one_that_is_not_does_not():
    """The least-squares estimate of the pixels given the conditions, at conditions of zero."""
    size_pix, n = 8, 3000
    clean = blob(size_pix, x=1.0, width=(1.5, 0.8), angle=0.5)
    chance = generator_from_seed(4)
    told = draw_conditions(n, size_pix=size_pix, probability=0.3, chance=chance)
    noisy = clean + 0.1 * torch.randn(n, 1, size_pix, size_pix, generator=chance)
    shown = augmented(noisy, told)
    network = torch.nn.Sequential(
        torch.nn.Linear(N_CONDITIONS, 64), torch.nn.SiLU(), torch.nn.Linear(64, size_pix**2)
    )
    for layer in (network[0], network[2]):
        torch.nn.init.normal_(layer.weight, std=0.2, generator=chance)
        torch.nn.init.zeros_(layer.bias)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    for _ in range(300):
        loss = (network(told) - shown.flatten(1)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        kept = (network(torch.zeros(1, N_CONDITIONS)) - clean.flatten(1)).norm()
    leaked = (shown.mean(dim=0) - clean[0]).norm()
    assert float(kept) < 0.12 * float(clean.norm())
    assert float(leaked) > 0.25 * float(clean.norm())


def test_diffusion_tells_its_network_all_that_was_done(build, training_blobs, monkeypatch):
    trainer = build("diffusion, small set", training_blobs)
    seen = []
    denoise = trainer.generator.denoise

    def watched(noisy, level, **rest):
        seen.append((noisy, rest["augmentation"]))
        return denoise(noisy, level, **rest)

    monkeypatch.setattr(trainer.generator, "denoise", watched)
    trainer.step(trainer.compacted(training_blobs), TrainingProgress(0, 0, 0.0))
    ((_, told),) = seen
    assert told.shape == (96, N_CONDITIONS)
    assert 0.02 < float((told == 0).all(dim=1).float().mean()) < 0.4  # 0.7**5 is 0.17


def test_diffusion_without_augmentation_is_as_before_it(build, training_blobs):
    bare = build("diffusion", training_blobs).generator
    told = build("diffusion, small set", training_blobs).generator
    extra = set(told.state_dict()) - set(bare.state_dict())
    assert extra == {"unet.augmentation_embed.weight"}
    for name, value in bare.unet.state_dict().items():
        assert torch.equal(value, told.unet.state_dict()[name]), name


def test_the_network_of_diffusion_sees_conditions_and_takes_zeros_for_none(build, training_blobs):
    trainer = build("diffusion, small set", training_blobs)
    for number in range(3):
        trainer.step(trainer.compacted(training_blobs), TrainingProgress(0, 96 * number, 0.0))
    unet = trainer.generator.eval().unet
    pixels, level = images(3), torch.zeros(3)
    scalars, shown = torch.zeros(3, 2), torch.ones(3)
    with torch.no_grad():
        plain = unet(pixels, level, scalars, shown)
        zeros = unet(pixels, level, scalars, shown, augmentation=torch.zeros(3, N_CONDITIONS))
        moved = unet(pixels, level, scalars, shown, augmentation=conditions(3, MOVE_X=2.0))
    assert torch.equal(plain, zeros)
    assert not torch.allclose(plain, moved, atol=1e-4)
