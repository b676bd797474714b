"""Resizing: TensorFlow 1's against a table worked by hand, the antialiased one against the house's own."""

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from galsmith.features.network import resize_antialiased, resize_as_tensorflow_1
from galsmith.images import resize_linear
from galsmith.seeds import random_stream

torch = pytest.importorskip("torch")


def test_tensorflow_1_against_a_table_worked_by_hand():
    # Output k lies at 3 k / 4: 0, 0.75, 1.5, 2.25; beyond the last pixel its value goes on.
    row = torch.tensor([[[[0.0, 4.0, 12.0]]]]).expand(1, 1, 3, 3)
    assert resize_as_tensorflow_1(row, 4)[0, 0, 0].tolist() == [0.0, 3.0, 8.0, 12.0]
    # Shrunk by two, it takes every other pixel and looks at no other.
    comb = torch.tensor([[[[1.0, 9.0, 2.0, 9.0]]]]).expand(1, 1, 4, 4)
    assert resize_as_tensorflow_1(comb, 2)[0, 0].tolist() == [[1.0, 2.0], [1.0, 2.0]]


def test_tensorflow_1_is_linear_interpolation_at_unshifted_places():
    image = random_stream(0, "test.resize").uniform(0, 255, size=(13, 17)).astype(np.float32)
    resized = resize_as_tensorflow_1(torch.from_numpy(image)[None, None], 29)[0, 0].numpy()
    places = np.meshgrid(np.arange(29) * 13 / 29, np.arange(29) * 17 / 29, indexing="ij")
    expected = map_coordinates(image.astype(np.float64), places, order=1, mode="nearest")
    assert resized == pytest.approx(expected, abs=1e-3)


def test_tensorflow_1_differs_from_centered_resizing():
    ramp = torch.arange(8.0).expand(1, 1, 8, 8)
    centered = torch.nn.functional.interpolate(ramp, size=(16, 16), mode="bilinear", align_corners=False)
    assert float((resize_as_tensorflow_1(ramp, 16) - centered).abs().max()) > 0.2


@pytest.mark.parametrize("size", [(9, 9), (40, 25)])
def test_antialiased_is_the_houses_own_linear_resizing(size):
    image = random_stream(1, "test.resize").uniform(0, 255, size=(3, *size)).astype(np.float32)
    resized = resize_antialiased(torch.from_numpy(image)[None], 20)[0].numpy()
    assert resized == pytest.approx(resize_linear(image, 20), abs=1e-3)
