"""Scalars keep their laws: edges, lumps and tails."""

import pytest
import torch
from scipy import stats

from galsmith.errors import InputError
from galsmith.models.layers.chance import generator_from_seed
from galsmith.models.layers.marginals import NormalMarginals, fit_marginals
from galsmith.models.protocols import NetworkBatch

N = 8000


def fitted(scalars: torch.Tensor) -> NormalMarginals:
    batches = (NetworkBatch(torch.empty(len(part), 0), part) for part in scalars.split(999))
    return fit_marginals(lambda: batches, scalars.shape[1])


@pytest.fixture(scope="module")
def scalars() -> torch.Tensor:
    """A uniform, a skewed and a lumpy column."""
    chance = generator_from_seed(6)
    uniform = torch.rand(N, generator=chance) * 3 - 1
    skewed = torch.randn(N, generator=chance).exp()
    lumps = torch.tensor([-1.0, 0.2, 0.9])[
        torch.multinomial(torch.tensor([0.5, 0.2, 0.3]), N, True, generator=chance)
    ]
    return torch.stack([uniform, skewed, lumps], dim=1)


@pytest.fixture(scope="module")
def drawn(scalars) -> torch.Tensor:
    return fitted(scalars).from_normal(torch.randn(N, 3, generator=generator_from_seed(7)))


def test_smooth_columns_become_normal(scalars):
    normal = fitted(scalars).to_normal(scalars)
    for column in (0, 1):
        assert stats.kstest(normal[:, column].numpy(), "norm").statistic < 0.003


def test_normal_numbers_get_the_law_of_the_column_back(scalars, drawn):
    for column in (0, 1):
        assert stats.ks_2samp(drawn[:, column].numpy(), scalars[:, column].numpy()).pvalue > 0.01


def test_edges_stay_sharp(scalars, drawn):
    assert float(drawn[:, 0].min()) > -1.02
    assert float(drawn[:, 0].max()) < 2.02


def test_lumps_stay_lumps_in_their_shares(drawn):
    near = [(drawn[:, 2] - value).abs() < 1e-6 for value in (-1.0, 0.2, 0.9)]
    shares = [float(mask.double().mean()) for mask in near]
    assert sum(shares) > 0.97  # the rest falls between two knots
    assert shares == pytest.approx([0.5, 0.2, 0.3], abs=0.03)


def test_there_and_back_gives_the_same(scalars):
    marginals = fitted(scalars)
    back = marginals.from_normal(marginals.to_normal(scalars))
    torch.testing.assert_close(back, scalars, rtol=1e-4, atol=1e-4)


def test_order_is_kept_and_the_ends_go_on(scalars):
    marginals = fitted(scalars)
    normal = torch.linspace(-7, 7, 500)[:, None].repeat(1, 3)
    values = marginals.from_normal(normal)
    assert bool((values.diff(dim=0) >= 0).all())
    assert float(values[-1, 1]) > float(scalars[:, 1].max())


def test_a_column_of_one_value_stays_that_value():
    marginals = fitted(torch.full((50, 1), 0.7))
    assert marginals.to_normal(torch.full((3, 1), 0.7)).abs().max() < 1e-6
    torch.testing.assert_close(
        marginals.from_normal(torch.randn(9, 1, generator=generator_from_seed(0))), torch.full((9, 1), 0.7)
    )


def test_a_plain_scaling_would_not_keep_the_law(scalars):
    normal = torch.randn(N, generator=generator_from_seed(7))
    scaled = normal * scalars[:, 0].std() + scalars[:, 0].mean()
    assert stats.ks_2samp(scaled.numpy(), scalars[:, 0].numpy()).pvalue < 1e-6


def test_scalars_that_are_not_finite_are_refused(scalars):
    spoiled = scalars.clone()
    spoiled[3, 1] = float("inf")
    with pytest.raises(InputError, match="training scalars are not all finite"):
        fitted(spoiled)
