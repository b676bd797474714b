"""The solvers of the probability flow against laws whose denoiser and whose flow are known in closed form."""

import functools
import itertools
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy import optimize, stats

from galsmith.models.layers.chance import generator_from_seed
from galsmith.models.layers.edm import Denoise, denoised, half_whitened, like
from galsmith.models.layers.solvers import noise_schedule, sample_heun, sample_multistep
from galsmith.models.pretrained import pretrained_folder
from galsmith.models.snapshot import load_snapshot

Solver = Callable[[Denoise, torch.Tensor, torch.Tensor], torch.Tensor]
GUESS = torch.tensor(
    1.0, dtype=torch.float64
)  # of the deviations: no law below has this one, so steps have work to do
SOLVERS: dict[str, Solver] = {
    "heun": functools.partial(sample_heun, sigma_data=GUESS),
    "multistep": functools.partial(sample_multistep, sigma_data=GUESS),
}
HIGHEST, LOWEST = 80.0, 0.002

MEANS = torch.tensor([-2.0, 1.5], dtype=torch.float64)
WIDTHS = torch.tensor([0.3, 0.6], dtype=torch.float64)
SHARES = torch.tensor([0.3, 0.7], dtype=torch.float64)

PLANE_SHARES = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
PLANE_MEANS = torch.tensor([[-2.0, 0.0], [1.5, 1.5], [1.0, -2.0]], dtype=torch.float64)
PLANE_COVARIANCES = torch.tensor(
    [[[0.25, 0.0], [0.0, 0.04]], [[0.16, 0.1], [0.1, 0.16]], [[0.09, 0.0], [0.0, 0.09]]], dtype=torch.float64
)


@pytest.fixture(params=sorted(SOLVERS))
def solver(request) -> Solver:
    return SOLVERS[request.param]


def euler(denoise: Denoise, start: torch.Tensor, schedule: torch.Tensor) -> torch.Tensor:
    """First order, to prove that the measurement of an order can tell."""
    values = start
    for level, following in zip(schedule[:-1].tolist(), schedule[1:].tolist(), strict=True):
        slope = (values - denoise(values, torch.full((len(values),), level, dtype=values.dtype))) / level
        values = values + (following - level) * slope
    return values


def gaussian_denoiser(mean: float, width: float) -> Denoise:
    def wiener(noisy: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
        return mean + (noisy - mean) * (width**2 / (width**2 + like(level, noisy) ** 2))

    return wiener


def mixture_denoiser(noisy: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
    """Expected clean value of a one-dimensional Gaussian mixture, in closed form (Bayes)."""
    means, widths = MEANS.to(noisy), WIDTHS.to(noisy)
    variance = widths**2 + level[:, None] ** 2
    log_weight = SHARES.to(noisy).log() - 0.5 * variance.log() - (noisy - means) ** 2 / (2 * variance)
    each = means + widths**2 / variance * (noisy - means)
    return (torch.softmax(log_weight, dim=1) * each).sum(dim=1, keepdim=True)


def mixture_cdf(value: np.ndarray, level: float = 0.0) -> np.ndarray:
    parts = zip(SHARES.tolist(), MEANS.tolist(), WIDTHS.tolist(), strict=True)
    return sum(share * stats.norm.cdf(value, mean, np.hypot(width, level)) for share, mean, width in parts)


def mixture_quantiles(shares: np.ndarray, level: float) -> np.ndarray:
    return np.array(
        [optimize.brentq(lambda x, q=share: mixture_cdf(x, level) - q, -500, 500) for share in shares]
    )


def plane_denoiser(noisy: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
    """Expected clean value of a mixture of Gaussians in the plane, in closed form."""
    noisy_covariance = PLANE_COVARIANCES + level[:, None, None, None] ** 2 * torch.eye(2, dtype=torch.float64)
    away = noisy[:, None] - PLANE_MEANS
    whitened = torch.linalg.solve(noisy_covariance, away)
    log_weight = PLANE_SHARES.log() - 0.5 * (torch.logdet(noisy_covariance) + (away * whitened).sum(dim=2))
    each = PLANE_MEANS + torch.einsum("kij,nkj->nki", PLANE_COVARIANCES, whitened)
    return (torch.softmax(log_weight, dim=1)[:, :, None] * each).sum(dim=1)


def normal(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(*shape, generator=generator_from_seed(seed), dtype=torch.float64)


def drawn_from(solver: Solver, denoiser: Denoise, noise: torch.Tensor, n_steps: int) -> torch.Tensor:
    schedule = noise_schedule(n_steps, lowest=LOWEST, highest=HIGHEST)
    return solver(denoiser, noise * HIGHEST, schedule)


def measured_order(errors_of: Callable[[int], float], counts: list[int]) -> float:
    errors = [errors_of(count) for count in counts]
    return -np.polyfit(np.log(counts), np.log(errors), 1)[0]


def test_a_gaussian_follows_its_flow_in_closed_form(solver):
    mean, width = 0.4, 0.7
    start = mean + torch.linspace(-200, 200, 41, dtype=torch.float64)[:, None]
    exact = mean + (start - mean) * width / np.hypot(width, HIGHEST)
    schedule = noise_schedule(200, lowest=LOWEST, highest=HIGHEST)
    found = solver(gaussian_denoiser(mean, width), start, schedule)
    assert float((found - exact).abs().max() / width) < 2e-3
    wrong = solver(gaussian_denoiser(mean, 1.1 * width), start, schedule)
    assert float((wrong - exact).abs().max() / width) > 0.1


def test_each_start_of_a_mixture_lands_on_its_own_quantile(solver):
    """In one dimension the flow keeps the order of points, so that it carries quantiles to quantiles."""
    quantile = np.linspace(0.005, 0.995, 199)
    start, exact = mixture_quantiles(quantile, HIGHEST), mixture_quantiles(quantile, 0.0)
    schedule = noise_schedule(300, lowest=LOWEST, highest=HIGHEST)
    found = solver(mixture_denoiser, torch.from_numpy(start)[:, None], schedule)[:, 0].numpy()
    assert np.abs(mixture_cdf(found) - quantile).max() < 2e-4
    within = np.abs(quantile - 0.3) > 0.01  # between the modes a quantile moves far for little
    assert np.abs(found - exact)[within].max() < 2e-3


def test_the_exact_score_gives_the_mixture_back(solver):
    found = drawn_from(solver, mixture_denoiser, normal(4000, 1), 40)[:, 0].numpy()
    assert stats.kstest(found, mixture_cdf).pvalue > 0.01


def test_a_wrong_score_does_not_give_the_mixture(solver):
    def shifted(noisy, level):
        return mixture_denoiser(noisy, level) + 0.1

    found = drawn_from(solver, shifted, normal(4000, 1), 40)[:, 0].numpy()
    assert stats.kstest(found, mixture_cdf).pvalue < 1e-6


@pytest.mark.parametrize(("sigma_data", "gives_back"), [(0.7, True), (1.0, False)])
def test_only_the_right_sigma_data_gives_a_gaussian_back(solver, sigma_data, gives_back):
    """An untrained network of zeros makes the skip of EDM the Wiener filter of N(0, sigma_data)."""

    def denoiser(noisy, level):
        return denoised(
            lambda values, _: torch.zeros_like(values), noisy, level, sigma_data=torch.tensor(sigma_data)
        )

    found = drawn_from(solver, denoiser, normal(4000, 1), 40)[:, 0].numpy()
    assert bool(stats.kstest(found, stats.norm(0, 0.7).cdf).pvalue > 0.01) == gives_back


def test_a_mixture_in_the_plane_has_its_weights_and_moments(solver):
    n = 6000
    found = drawn_from(solver, plane_denoiser, normal(n, 2), 40)
    nearest = torch.cdist(found, PLANE_MEANS).argmin(dim=1)
    share = torch.bincount(nearest, minlength=3) / n
    assert float(((share - PLANE_SHARES) / (PLANE_SHARES / n).sqrt()).abs().max()) < 4
    for mode, (mean, covariance) in enumerate(zip(PLANE_MEANS, PLANE_COVARIANCES, strict=True)):
        members = found[nearest == mode]
        error = (covariance.diagonal() / len(members)).sqrt()
        assert float(((members.mean(dim=0) - mean) / error).abs().max()) < 4
        torch.testing.assert_close(torch.cov(members.T), covariance, rtol=0.1, atol=0.005)


def test_points_in_the_plane_go_where_2000_steps_take_them(solver):
    noise = normal(100, 2, seed=3)
    exact = drawn_from(SOLVERS["heun"], plane_denoiser, noise, 2000)
    away = torch.linalg.vector_norm(drawn_from(solver, plane_denoiser, noise, 60) - exact, dim=1)
    assert float(away.quantile(0.95)) < 0.02
    rough = torch.linalg.vector_norm(drawn_from(solver, plane_denoiser, noise, 3) - exact, dim=1)
    assert float(rough.quantile(0.95)) > 0.5


@pytest.mark.parametrize(("name", "order"), [("euler", 1), ("heun", 2), ("multistep", 2)])
def test_the_order_of_convergence_on_a_gaussian(name, order):
    low, high, width = 0.2, 3.0, 0.7
    start = torch.full((1, 1), 3.0, dtype=torch.float64)
    exact = 3.0 * np.hypot(width, low) / np.hypot(width, high)

    def error(count: int) -> float:
        schedule = noise_schedule(count + 1, lowest=low, highest=high)[:-1]
        found = {**SOLVERS, "euler": euler}[name](gaussian_denoiser(0.0, width), start, schedule)
        return abs(float(found) - exact)

    assert measured_order(error, [16, 32, 64, 128]) == pytest.approx(order, abs=0.1)


@pytest.mark.parametrize(("name", "order"), [("euler", 1), ("heun", 2), ("multistep", 2)])
def test_the_order_of_convergence_on_a_mixture(name, order):
    low, high = 0.2, 3.0
    start = torch.linspace(-6, 6, 25, dtype=torch.float64)[:, None]

    def error(count: int) -> float:
        schedule = noise_schedule(count + 1, lowest=low, highest=high)[:-1]
        found = {**SOLVERS, "euler": euler}[name](mixture_denoiser, start, schedule)
        carried = mixture_cdf(found.numpy(), low) - mixture_cdf(start.numpy(), high)
        return float(np.abs(carried).max())

    assert measured_order(error, [32, 64, 128, 256]) == pytest.approx(order, abs=0.1)


@pytest.mark.parametrize(("name", "calls"), [("heun", 2 * 12 - 1), ("multistep", 12)])
def test_the_calls_of_the_denoiser(name, calls):
    seen = []

    def counted(noisy, level):
        seen.append(level[0].item())
        return mixture_denoiser(noisy, level)

    drawn_from(SOLVERS[name], counted, normal(3, 1), 12)
    assert len(seen) == calls
    assert seen[0] == HIGHEST
    assert seen[-1] == pytest.approx(LOWEST)


@pytest.mark.parametrize("solver_of", [sample_heun, sample_multistep])
@pytest.mark.parametrize("n_steps", [1, 2, 18])
def test_a_gaussian_of_the_given_deviations_is_drawn_exactly_by_any_number_of_steps(solver_of, n_steps):
    widths = torch.tensor([1.0, 1e-2, 1e-4], dtype=torch.float64)
    start = normal(50, 3) * torch.hypot(widths, torch.tensor(20.0, dtype=torch.float64))
    schedule = noise_schedule(n_steps, lowest=1e-5, highest=20.0)
    found = solver_of(exact_denoiser(widths), start, schedule, sigma_data=widths)
    torch.testing.assert_close(found, normal(50, 3) * widths, rtol=1e-9, atol=0)


def exact_denoiser(widths: torch.Tensor) -> Denoise:
    """Expected clean values of independent Gaussians."""
    return lambda noisy, level: noisy * (widths**2 / (widths**2 + like(level, noisy) ** 2))


def heun_over_noise_levels(denoise: Denoise, start: torch.Tensor, schedule: torch.Tensor) -> torch.Tensor:
    """Karras et al. 2022, algorithm 1, as it is printed: steps of the values themselves."""
    values = start
    for level, following in itertools.pairwise(schedule.tolist()):
        levels = torch.full((len(values),), level, dtype=values.dtype)
        slope = (values - denoise(values, levels)) / level
        stepped = values + (following - level) * slope
        if following > 0:
            after = (stepped - denoise(stepped, torch.full_like(levels, following))) / following
            stepped = values + (following - level) * 0.5 * (slope + after)
        values = stepped
    return values


@pytest.fixture(scope="module")
def galaxy_widths() -> torch.Tensor:
    """Deviations of the components of Sersic galaxies of 64 px, half-whitened."""
    generator = load_snapshot(pretrained_folder("sersic-64")).generator
    return half_whitened(generator.basis.deviations.double(), 0.5)[0]


def shares_drawn(
    solver: Callable[..., torch.Tensor], widths: torch.Tensor, *, lowest: float, highest: float
) -> torch.Tensor:
    """What share of the true deviation 18 steps draw of each component, by an exact denoiser."""
    start = torch.hypot(widths, torch.tensor(highest, dtype=torch.float64))[None]
    return (
        solver(exact_denoiser(widths), start, noise_schedule(18, lowest=lowest, highest=highest))[0] / widths
    )


def test_eighteen_steps_draw_every_component_of_galaxies_as_wide_as_it_is(galaxy_widths):
    lowest = 0.1 * float(galaxy_widths.min())
    share = shares_drawn(
        functools.partial(sample_heun, sigma_data=galaxy_widths), galaxy_widths, lowest=lowest, highest=20.0
    )
    assert float(share.min()) > 0.999
    assert float(share.max()) < 1.001
    # also where deviations are known to a third only
    chance = torch.randn(galaxy_widths.shape, generator=generator_from_seed(0), dtype=torch.float64)
    guess = galaxy_widths * torch.exp(0.3 * chance.clamp(-2, 2))
    share = shares_drawn(
        functools.partial(sample_heun, sigma_data=guess), galaxy_widths, lowest=lowest, highest=20.0
    )
    assert float(share.min()) > 0.97
    assert float(share.max()) < 1.05


def test_steps_of_the_values_themselves_do_not(galaxy_widths):
    """Must fail: with constants of natural images strong components come out too wide and fine ones too narrow."""
    share = shares_drawn(heun_over_noise_levels, galaxy_widths, lowest=0.005, highest=20.0)
    assert float(share.max()) > 1.05
    raw = galaxy_widths**2
    share = shares_drawn(heun_over_noise_levels, raw, lowest=0.002, highest=80.0)
    assert float(share.max()) > 1.1
    assert float(share[raw.argmin()]) < 0.5


def test_single_precision_is_near_double_precision(solver):
    noise = normal(500, 1)
    double = drawn_from(solver, mixture_denoiser, noise, 40)
    single = drawn_from(solver, mixture_denoiser, noise.float(), 40)
    assert single.dtype == torch.float32
    assert float((single - double).abs().max()) < 1e-4
    assert float((single - double).abs().median()) < 1e-6


def test_a_drawing_is_the_same_each_time_and_a_batch_does_not_matter(solver):
    noise = normal(8, 1)
    together = drawn_from(solver, mixture_denoiser, noise, 10)
    assert torch.equal(together, drawn_from(solver, mixture_denoiser, noise, 10))
    torch.testing.assert_close(drawn_from(solver, mixture_denoiser, noise[:1], 10), together[:1])


def test_the_schedule_is_that_of_the_paper():
    schedule = noise_schedule(3, lowest=1.0, highest=128.0, rho=7.0)
    assert schedule.tolist() == pytest.approx([128.0, 1.5**7, 1.0, 0.0])  # 128**(1/7) is 2


def test_a_schedule_of_rising_levels_is_refused():
    with pytest.raises(ValueError, match="wanted n_steps >= 1 and 0 < lowest < highest"):
        noise_schedule(5, lowest=2.0, highest=1.0)
