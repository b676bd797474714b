"""Numbers of a seed are a function of seed and position, of the normal law, and independent of each other."""

import numpy as np
import pytest
import torch
from scipy import special, stats

from galsmith.models.layers import chance
from galsmith.models.layers.chance import filled_normal, normal_per_seed


def test_whole_numbers_are_those_of_the_published_generator():
    # the five first outputs of SplitMix64 at 1234567, as they are commonly listed to check implementations
    known = [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]
    bits = chance._bits(torch.tensor([1234567]), 10)[0].tolist()
    assert [upper * 2**32 + lower for upper, lower in zip(bits[::2], bits[1::2], strict=True)] == known


def test_numbers_depend_on_their_seed_and_place_alone_to_the_bit():
    seeds = [5, 2**62 + 1, 0, 7]
    together = normal_per_seed(seeds, (40_001,))  # each row is more than is drawn at once
    for row, seed in enumerate(seeds):
        assert torch.equal(normal_per_seed([seed], (40_001,))[0], together[row])
    assert torch.equal(normal_per_seed(seeds, (3, 7))[1].reshape(-1), together[1, :21])
    assert normal_per_seed([], (3,)).shape == (0, 3)
    assert normal_per_seed([1], (0,)).shape == (1, 0)
    assert not torch.equal(together[0], together[3])


def test_calls_are_filled_with_copies_of_the_first():
    filled = filled_normal([3, 4], 10, per_call=5, device=torch.device("cpu"))
    assert torch.equal(filled[:2], normal_per_seed([3, 4], (10,)))
    assert torch.equal(filled[2:], filled[:1].expand(3, -1))


def test_numbers_follow_the_normal_law_and_know_nothing_of_each_other():
    drawn = normal_per_seed(range(400), (1000,)).double().numpy()
    assert stats.kstest(drawn.ravel(), "norm").pvalue > 0.001
    # of 400,000: mean, variance and fourth moment within four standard errors
    assert abs(drawn.mean()) < 4 / np.sqrt(drawn.size)
    assert abs((drawn**2).mean() - 1) < 4 * np.sqrt(2 / drawn.size)
    assert abs((drawn**4).mean() - 3) < 4 * np.sqrt(96 / drawn.size)
    for one, other in ((drawn[:, :-1], drawn[:, 1:]), (drawn[:-1], drawn[1:]), (drawn[:, :-2], drawn[:, 2:])):
        assert abs((one * other).mean()) < 4 / np.sqrt(one.size)
        assert abs((one**2 * other**2).mean() - 1) < 4 * np.sqrt(8 / one.size)


def test_quantiles_are_those_of_the_normal_law_to_float32():
    bits = torch.cat(
        [torch.arange(2**14), 2**31 - 2**14 + torch.arange(2**15), 2**32 - 2**14 + torch.arange(2**14)]
    )
    bits = torch.cat([bits, (torch.rand(10_000, generator=torch.Generator().manual_seed(1)) * 2**32).long()])
    expected = special.ndtri((bits.double().numpy() + 0.5) / 2**32)
    found = chance._normal_of_bits(bits).double().numpy()
    assert found == pytest.approx(expected, rel=1e-6, abs=3e-7)
    assert np.all(np.diff(chance._normal_of_bits(torch.arange(2**14)).numpy()) >= 0)
    opposite = chance._normal_of_bits(2**32 - 1 - bits)
    assert torch.equal(opposite, -chance._normal_of_bits(bits))
