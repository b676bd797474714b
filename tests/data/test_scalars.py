import numpy as np
import pytest

from galsmith.data.transforms.scalars import SizeEncoding, fit_standardization


def test_standardizing_and_back():
    values = np.random.default_rng(0).normal([5, -3], [2, 0.1], (500, 2))
    standardization = fit_standardization(values)
    standard = standardization.forward(values)
    assert standard.mean(axis=0) == pytest.approx([0, 0], abs=1e-12)
    assert standard.std(axis=0) == pytest.approx([1, 1], rel=1e-12)
    assert standardization.inverse(standard) == pytest.approx(values, rel=1e-12)


def test_a_constant_column_keeps_scale_one():
    standardization = fit_standardization(np.full((5, 1), 7.3))
    assert standardization.scale == (1.0,)
    assert standardization.forward(np.array([[7.3]])) == pytest.approx(np.zeros((1, 1)), abs=1e-12)


def test_sizes_are_encoded_as_the_paper_says():
    # (ln N - ln 2) / (ln 2516 - ln 2): 0 for 2 px, 1 for 2516 px (Holzschuh et al. 2022, sec. 3.2).
    encoding = SizeEncoding.fit([2, 2516])
    assert encoding.standardization.mean == pytest.approx((0.5,))
    assert encoding.forward([2, 2516])[:, 0] == pytest.approx([-1, 1])


def test_every_size_of_the_range_survives():
    encoding = SizeEncoding.fit([32, 64, 128, 500, 1000])
    sizes = list(range(2, 2517))
    assert encoding.inverse(encoding.forward(sizes)[:, 0].astype(np.float32)) == sizes


def test_decoding_clips_to_the_range():
    encoding = SizeEncoding.fit([32, 64, 128])
    assert encoding.inverse(np.array([-100.0, 100.0], dtype=np.float32)) == [2, 2516]
