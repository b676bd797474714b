"""Scalars that know of one another: unit scatter in every direction, an exact way back, and degenerate sets told."""

import json
import logging

import numpy as np
import pytest

from galsmith.data.transforms import (
    PixelTransform,
    TransformSettings,
    fit_pixel_transform,
    scalar_columns,
    with_values,
)
from galsmith.data.transforms.scalars import Whitening, fit_whitening
from galsmith.images import ImageHeader, image_set_from_arrays

N = 4000


def standardized(columns: np.ndarray) -> np.ndarray:
    deviation = columns.std(axis=0)
    return (columns - columns.mean(axis=0)) / np.where(deviation > 0, deviation, 1.0)


def magnitudes(scatter_mag: float = 0.05, n: int = N) -> np.ndarray:
    """g, i and z of galaxies of one color each, g the brighter the bluer."""
    rng = np.random.default_rng(3)
    g = rng.uniform(20, 24, n)
    i = g - 0.8 - 0.1 * (g - 22) ** 2 + rng.normal(0, scatter_mag, n)
    return np.stack([g, i, i - 0.3 + rng.normal(0, scatter_mag, n)], axis=1)


def fitted(columns: np.ndarray) -> Whitening:
    whitening = fit_whitening(columns, [f"column {k}" for k in range(columns.shape[1])])
    assert whitening is not None
    return whitening


def test_scalars_have_unit_scatter_and_know_nothing_of_one_another():
    columns = standardized(magnitudes())
    scalars = fitted(columns).forward(columns)
    assert np.cov(scalars.T, bias=True) == pytest.approx(np.eye(3), abs=1e-9)
    # must fail: the columns themselves are one direction
    assert np.linalg.eigvalsh(np.cov(columns.T))[0] < 1e-3


def test_the_way_back_is_exact_also_far_from_the_training_set():
    columns = standardized(magnitudes())
    whitening = fitted(columns)
    assert whitening.inverse(whitening.forward(columns)) == pytest.approx(columns, abs=1e-12)
    anything = np.random.default_rng(0).normal(0, 30, (100, 3))
    assert whitening.inverse(whitening.forward(anything)) == pytest.approx(anything, abs=1e-9)
    single = whitening.inverse(whitening.forward(columns).astype(np.float32))
    assert np.abs(single - columns).max() < 1e-6


def test_one_column_keeps_its_own_law():
    """The first one is left as it is, with all edges that it has."""
    columns = standardized(magnitudes())
    whitening = fitted(columns)
    first = whitening.order[0]
    np.testing.assert_array_equal(whitening.forward(columns)[:, first], columns[:, first])


def test_columns_that_hardly_know_of_one_another_stay_as_they_are():
    rng = np.random.default_rng(1)
    assert fit_whitening(standardized(rng.uniform(size=(N, 4))), "abcd") is None
    assert fit_whitening(standardized(rng.uniform(size=(N, 1))), "a") is None


def test_columns_with_lumps_stay_lumps_and_come_first():
    rng = np.random.default_rng(2)
    late = rng.integers(0, 2, N)
    columns = standardized(
        np.stack([rng.normal(0, 0.1, N) + late, late, rng.normal(0, 0.1, N) - late], axis=1)
    )
    whitening = fitted(columns)
    assert whitening.order[0] == 1
    assert len(np.unique(whitening.forward(columns)[:, 1])) == 2


def test_galaxies_that_come_twice_are_no_lumps():
    columns = standardized(np.repeat(magnitudes(n=500), 2, axis=0))
    assert np.cov(fitted(columns).forward(columns).T, bias=True) == pytest.approx(np.eye(3), abs=1e-9)


def test_a_band_that_is_a_copy_is_told_and_comes_back_exactly(caplog):
    g = magnitudes()[:, 0]
    columns = standardized(np.stack([g, g * 1.0 + 0.3, np.zeros(N)], axis=1))
    with caplog.at_level(logging.WARNING, "galsmith"):
        whitening = fitted(columns)
    assert "column 1: known from the other scalars, nothing of it is learned" in caplog.text
    scalars = whitening.forward(columns)
    assert np.abs(scalars[:, 1]).max() < 1e-6
    assert whitening.inverse(scalars) == pytest.approx(columns, abs=1e-12)
    assert whitening.scale == (1.0, 1.0, 1.0)  # what is not there is not divided by its size
    np.testing.assert_array_equal(scalars[:, 2], 0.0)


def test_a_copy_with_little_scatter_is_no_copy(caplog):
    rng = np.random.default_rng(5)
    g = magnitudes()[:, 0]
    columns = standardized(np.stack([g, g + rng.normal(0, 1e-3, N)], axis=1))
    scalars = fitted(columns).forward(columns)
    assert scalars.std(axis=0) == pytest.approx([1.0, 1.0])
    assert not caplog.text


def test_fewer_galaxies_than_tell_leave_columns_as_they_are(caplog):
    for n in (2, 3, 29):
        with caplog.at_level(logging.WARNING, "galsmith"):
            assert fit_whitening(standardized(magnitudes(n=n)), "giz") is None
        assert f"{n} training galaxies are too few to tell how their 3 scalars go together" in caplog.text


def test_another_magnitude_in_one_band_keeps_the_colors():
    columns = standardized(magnitudes())
    whitening = fitted(columns)
    scalars = whitening.forward(columns)
    first = whitening.order[0]
    moved = whitening.forward(whitening.brought_in(scalars, {first: columns[:, first] + 0.5}))
    others = [position for position in range(3) if position != first]
    assert moved[:, others] == pytest.approx(scalars[:, others], abs=1e-9)


def galaxies(bands: int = 3) -> list[np.ndarray]:
    y, x = np.mgrid[:8, :8] - 3.5
    light = np.exp(-np.hypot(x, y) / 2)
    fluxes = 10 ** (-0.4 * (magnitudes(n=300)[:, :bands] - 22))
    return [(flux[:, None, None] * light).astype(np.float32) for flux in fluxes]


@pytest.fixture(scope="module")
def transform() -> PixelTransform:
    bands = ("g", "i", "z")
    return fit_pixel_transform(
        image_set_from_arrays(galaxies(), ImageHeader(bands, "nJy")), TransformSettings()
    )


def test_the_transform_has_it_takes_it_along_and_gives_the_fluxes_back(transform):
    images = galaxies()
    arrays = transform.forward(images)
    assert np.cov(arrays.scalars.T, bias=True) == pytest.approx(np.eye(3), abs=1e-4)
    again = PixelTransform.from_dict(json.loads(json.dumps(transform.to_dict())))
    assert again == transform
    for image, back in zip(images, again.inverse(arrays), strict=True):
        assert back.sum(axis=(1, 2)) == pytest.approx(image.sum(axis=(1, 2)), rel=1e-5)


def test_columns_read_what_the_images_have_and_can_be_set(transform):
    images = galaxies()
    columns = scalar_columns(transform, ImageHeader(("g", "i", "z"), "nJy", zero_points_mag={"i": 22.0}))
    scalars = transform.forward(images).scalars
    fluxes = np.array([image.sum(axis=(1, 2), dtype=np.float64) for image in images])
    assert columns["flux_z"].values(scalars) == pytest.approx(fluxes[:, 2], rel=1e-5)
    set_to = with_values(
        [columns["magnitude_i"], columns["flux_z"]], scalars, [np.full(300, 21.0), fluxes[:, 2]]
    )
    assert columns["magnitude_i"].values(set_to) == pytest.approx(np.full(300, 21.0), abs=1e-5)
    assert columns["flux_z"].values(set_to) == pytest.approx(fluxes[:, 2], rel=1e-5)
