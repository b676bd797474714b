"""The engine's numbering of regions against SciPy's."""

import numpy as np
import pytest
from scipy import ndimage

from galsmith.measure.engine.segmentation.regions import label_areas, label_regions
from galsmith.seeds import random_stream

EIGHT_NEIGHBORS = np.ones((3, 3), dtype=int)


def _assert_as_scipy(above):
    labels, count = label_regions(above)
    expected, n_expected = ndimage.label(above, structure=EIGHT_NEIGHBORS)
    assert count == n_expected
    assert labels.dtype == np.int32
    np.testing.assert_array_equal(labels, expected)
    np.testing.assert_array_equal(
        label_areas(labels, count), np.bincount(expected.ravel(), minlength=count + 1)
    )


@pytest.mark.parametrize("share", np.linspace(0.0, 1.0, 21))
def test_noise_of_every_density_is_numbered_as_by_scipy(share):
    _assert_as_scipy(random_stream(int(100 * share), "tests.engine.labels").random((61, 47)) < share)


@pytest.mark.parametrize("width", [0.8, 2.0, 5.0])
def test_blobs_are_numbered_as_by_scipy(width):
    noise = random_stream(3, "tests.engine.labels").normal(size=(120, 140))
    _assert_as_scipy(ndimage.gaussian_filter(noise, width) > 0.0)


@pytest.mark.parametrize("shape", [(1, 1), (1, 30), (30, 1), (2, 2)])
def test_thin_maps_are_numbered_as_by_scipy(shape):
    _assert_as_scipy(random_stream(4, "tests.engine.labels").random(shape) < 0.6)


def test_arms_that_meet_late_are_one_region():
    """A comb, a spiral and a checkerboard join regions that began apart."""
    comb = np.zeros((12, 21), dtype=bool)
    comb[:, ::2] = True
    assert label_regions(comb)[1] == 11
    comb[-1] = True
    assert label_regions(comb)[1] == 1
    board = np.indices((16, 17)).sum(axis=0) % 2 == 0
    assert label_regions(board)[1] == 1
    assert ndimage.label(board)[1] > 100  # by sides alone


def test_one_row_apart_is_two_regions():
    rows = np.zeros((5, 8), dtype=bool)
    rows[1] = rows[3] = True
    labels, count = label_regions(rows)
    assert count == 2
    assert (labels[1] == 1).all()
    assert (labels[3] == 2).all()
