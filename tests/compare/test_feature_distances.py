"""Fréchet and kernel distance: analytic Gaussians, SciPy's matrix root, torchmetrics, and what must raise them."""

import numpy as np
import pytest
from scipy.linalg import sqrtm

from galsmith.compare.features.frechet import frechet_distance
from galsmith.compare.features.kernel import kernel_distance, kernel_distances
from galsmith.errors import InputError
from galsmith.seeds import random_stream


def features(count, n_features=8, *, case=0, mean=0.0, stretch=1.0):
    rng = random_stream(case, "test.features")
    mixed = rng.normal(size=(count, n_features)) @ (np.eye(n_features) + 0.3)
    return (stretch * mixed + mean).astype(np.float32)


def with_moments(mean, covariance, count=64):
    """Rows whose sample mean and covariance (n - 1) are exactly these."""
    n_features = len(mean)
    raw = random_stream(7, "test.moments").normal(size=(count, n_features))
    raw -= raw.mean(axis=0)
    white = raw @ np.linalg.inv(np.linalg.cholesky(np.atleast_2d(np.cov(raw.T)))).T
    return white @ np.linalg.cholesky(covariance).T + mean


def textbook(first, second):
    """The formula as it is printed, with SciPy's matrix root."""
    one, other = np.cov(first.T), np.cov(second.T)
    difference = first.mean(axis=0) - second.mean(axis=0)
    return difference @ difference + np.trace(one + other - 2 * sqrtm(one @ other).real)


def test_one_dimension_is_the_difference_of_means_and_of_sigmas():
    first, second = with_moments([1.0], np.array([[4.0]])), with_moments([3.5], np.array([[0.25]]))
    assert frechet_distance(first, second) == pytest.approx(2.5**2 + (2 - 0.5) ** 2, rel=1e-12)


def test_commuting_covariances_have_a_closed_form():
    first = with_moments(np.zeros(3), np.diag([1.0, 4.0, 9.0]))
    second = with_moments(np.array([1.0, -2.0, 0.0]), np.diag([4.0, 4.0, 1.0]))
    assert frechet_distance(first, second) == pytest.approx(1 + 4 + 1 + 0 + 4, rel=1e-12)


@pytest.mark.parametrize(("n_first", "n_second"), [(60, 70), (60, 9), (9, 60)])
def test_frechet_is_the_textbook_formula(n_first, n_second):
    first = features(n_first, case=1).astype(np.float64)
    second = features(n_second, case=2, mean=0.4, stretch=1.3).astype(np.float64)
    assert frechet_distance(first, second) == pytest.approx(textbook(first, second), rel=1e-9)


@pytest.mark.parametrize(("n_first", "n_second"), [(20, 25), (20, 200), (200, 20)])
def test_few_rows_give_what_full_covariances_give(n_first, n_second):
    first = features(n_first, 40, case=1).astype(np.float64)
    second = features(n_second, 40, case=2, mean=0.2).astype(np.float64)
    # A singular product has no good matrix root, so the eigenvalues of the product are the oracle.
    eigenvalues = np.linalg.eigvals(np.cov(first.T) @ np.cov(second.T)).real
    overlap = np.sqrt(np.clip(eigenvalues, 0, None)).sum()
    difference = first.mean(axis=0) - second.mean(axis=0)
    expected = difference @ difference + np.trace(np.cov(first.T) + np.cov(second.T)) - 2 * overlap
    assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("n_features", [6, 300])
def test_frechet_knows_its_invariances(n_features):
    first, second = features(100, n_features, case=1), features(90, n_features, case=2, mean=0.5)
    value = frechet_distance(first, second)
    turn = np.linalg.qr(random_stream(3, "test.turn").normal(size=(n_features, n_features)))[0]
    assert frechet_distance(second, first) == pytest.approx(value, rel=1e-9)
    assert frechet_distance(first @ turn + 2, second @ turn + 2) == pytest.approx(value, rel=1e-5)
    assert frechet_distance(3 * first, 3 * second) == pytest.approx(9 * value, rel=1e-6)
    assert frechet_distance(first, first) == pytest.approx(0, abs=1e-6 * value)


def test_constant_and_repeated_features_do_no_harm():
    first, second = features(200, case=1), features(150, case=2, mean=0.4)
    widened = [
        np.hstack([values, np.full((len(values), 2), 3.0), values[:, :2]]) for values in (first, second)
    ]
    # Two features that count twice are as two features stretched by the root of two.
    stretch = np.where(np.arange(8) < 2, np.sqrt(2), 1)
    expected = frechet_distance(first.astype(np.float64) * stretch, second.astype(np.float64) * stretch)
    assert frechet_distance(*widened) == pytest.approx(expected, rel=1e-6)


def test_blocks_of_rows_do_not_matter(monkeypatch):
    first, second = features(100, case=1), features(90, case=2)
    whole = frechet_distance(first, second)
    monkeypatch.setattr("galsmith.compare.features.frechet.ROWS_AT_ONCE", 7)
    assert frechet_distance(first, second) == pytest.approx(whole, rel=1e-12)


def brute_kernel(first, second):
    def kernel(one, other):
        return (one.astype(float) @ other.astype(float).T / one.shape[1] + 1) ** 3

    def within(values):
        table = kernel(values, values)
        return (table.sum() - np.trace(table)) / (len(values) * (len(values) - 1))

    return within(first) + within(second) - 2 * kernel(first, second).mean()


def test_kernel_distance_is_the_sum_over_all_pairs():
    first, second = features(60, case=1), features(45, case=2, mean=0.2)
    assert kernel_distance(first, second) == pytest.approx(brute_kernel(first, second), rel=1e-10)


def test_kernel_distances_of_draws_are_those_of_their_rows(monkeypatch):
    monkeypatch.setattr("galsmith.compare.features.kernel.ROWS_AT_ONCE", 17)
    first, second = features(40, case=1), features(30, case=2, mean=0.2)
    pooled = np.concatenate([first, second])
    counts = random_stream(1, "test.counts").integers(-1, 2, size=(5, 70)).astype(np.int16)
    expected = [brute_kernel(pooled[row > 0], pooled[row < 0]) for row in counts]
    assert kernel_distances(first, second, counts) == pytest.approx(expected, rel=1e-10)


def test_kernel_distance_is_unbiased_where_frechet_is_not():
    pairs = [(features(30, case=2 * case), features(30, case=2 * case + 1)) for case in range(200)]
    kernels = np.array([kernel_distance(*pair) for pair in pairs])
    assert abs(kernels.mean()) < 3 * kernels.std() / np.sqrt(len(kernels))
    assert min(frechet_distance(*pair) for pair in pairs) > 0.1


def test_both_see_a_shift_a_stretch_and_a_lost_mode():
    reference, equal = features(300, case=1), features(300, case=2)
    lost = equal[equal[:, 0] < 0.5]
    for distance in (frechet_distance, kernel_distance):
        floor = abs(distance(reference, equal))
        assert distance(reference, features(300, case=2, mean=0.5)) > 3 * floor
        assert distance(reference, features(300, case=2, stretch=1.4)) > 3 * floor
        assert distance(reference, lost) > 3 * floor


@pytest.mark.parametrize("distance", [frechet_distance, kernel_distance])
def test_other_shapes_are_refused(distance):
    with pytest.raises(InputError, match=r"shapes \(10, 8\) and \(10, 7\); wanted two tables"):
        distance(features(10), features(10, 7))
    with pytest.raises(InputError, match="2 or more"):
        distance(features(10), features(1))


class TestAgainstTorchmetrics:
    """Oracle: torchmetrics with a feature module that gives back what it is given, in float64."""

    @staticmethod
    def module(n_features):
        torch = pytest.importorskip("torch")

        class AsTheyAre(torch.nn.Module):
            num_features = n_features

            def forward(self, images):
                return images.reshape(len(images), -1)[:, : self.num_features].double() / 16

        return AsTheyAre()

    @staticmethod
    def pictures(case, count=80):
        torch = pytest.importorskip("torch")
        rng = random_stream(case, "test.torchmetrics")
        return torch.from_numpy(rng.integers(0, 200 + case, size=(count, 3, 2, 2)).astype(np.uint8))

    def test_frechet(self):
        image = pytest.importorskip("torchmetrics.image.fid")
        metric = image.FrechetInceptionDistance(
            feature=self.module(12), input_img_size=(3, 2, 2), normalize=False
        ).set_dtype(pytest.importorskip("torch").float64)
        first, second = self.pictures(1), self.pictures(40, 100)
        metric.update(first, real=True)
        metric.update(second, real=False)
        rows = [images.reshape(len(images), -1).numpy() / 16 for images in (first, second)]
        assert frechet_distance(*rows) == pytest.approx(float(metric.compute()), rel=1e-6)

    @pytest.mark.filterwarnings("ignore:Metric .Kernel Inception Distance. will save:UserWarning")
    def test_kernel(self):
        image = pytest.importorskip("torchmetrics.image.kid")
        first, second = self.pictures(1), self.pictures(40)
        metric = image.KernelInceptionDistance(feature=self.module(12), subsets=3, subset_size=80)
        metric.update(first, real=True)
        metric.update(second, real=False)
        mean, spread = metric.compute()
        rows = [images.reshape(len(images), -1).numpy() / 16 for images in (first, second)]
        # Subsets of all rows are the whole sets in another order.
        assert kernel_distance(*rows) == pytest.approx(float(mean), rel=1e-5)
        assert float(spread) == pytest.approx(0, abs=1e-5)
