"""Sums within ellipses: photutils' exact apertures are the oracle, and the areas of whole ellipses."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from galsmith.measure.engine.light.apertures import (
    Ellipse,
    ellipse_sum,
    ellipse_sum_and_area,
    ring_sum_and_area,
    row_prefix_sums,
)
from galsmith.measure.engine.stamp import Stamp
from galsmith.seeds import random_stream

SHAPES = {
    "circle": lambda rng: (1.0, 0.0),
    "ellipse": lambda rng: (10 ** rng.uniform(-2, 0), rng.uniform(-2, 2)),
    "upright": lambda rng: (10 ** rng.uniform(-2, 0), 0.0),
    "needle": lambda rng: (0.01, rng.uniform(-2, 2)),
}


def photutils_sum(image: NDArray[np.float64], there: tuple[float, ...]) -> float:
    x, y, a, b, theta = there
    aperture = pytest.importorskip("photutils.aperture")
    ellipse = (
        aperture.CircularAperture((x, y), a)
        if a == b
        else aperture.EllipticalAperture((x, y), a, b, theta=theta)
    )
    return float(np.nan_to_num(ellipse.do_photometry(image, method="exact")[0][0]))


@pytest.mark.parametrize("shape", SHAPES)
def test_sum_is_that_of_exact_apertures(shape: str) -> None:
    # centers inside, outside and on whole and half pixels; from a hundredth of a pixel to beyond the image
    rng = random_stream(4, f"tests.apertures.{shape}")
    image = rng.random((45, 60)) + 0.01
    row_sums = row_prefix_sums(image)
    for number in range(300):
        x, y, a = rng.uniform(-15, 75), rng.uniform(-15, 60), 10 ** rng.uniform(-2, 2.5)
        if number % 5 == 0:
            x, y, a = round(x) * 1.0, round(y) + 0.5, round(a) + 1.5  # at 0.5 photutils loses a corner
        axis_ratio, theta = SHAPES[shape](rng)
        there = (x, y, a, a * axis_ratio, theta)
        assert ellipse_sum(image, row_sums, Ellipse(*there)) == pytest.approx(
            photutils_sum(image, there), rel=2e-14, abs=3e-14
        ), there


@pytest.mark.parametrize(("a", "b"), [(30.0, 30.0), (30.0, 3.0), (30.0, 0.3), (0.4, 0.4), (0.01, 0.002)])
@pytest.mark.parametrize("theta", [0.0, 0.3, math.pi / 4, math.pi / 2, -1.2])
def test_area_is_that_of_the_whole_ellipse(a: float, b: float, theta: float) -> None:
    image = np.ones((70, 80))
    area = ellipse_sum(image, row_prefix_sums(image), Ellipse(39.3, 34.8, a, b, theta))
    assert area == pytest.approx(math.pi * a * b, rel=1e-13, abs=1e-16)


@pytest.mark.parametrize(
    "there",
    [
        (5.0, 5.0, 0.0, 0.0, 0.0),
        (5.0, 5.0, math.nan, math.nan, 0.0),
        (math.nan, 5.0, 3.0, 3.0, 0.0),
        (-50.0, 5.0, 3.0, 3.0, 0.0),
        (1e9, -1e9, 3.0, 3.0, 1.0),
    ],
)
def test_nothing_inside_gives_zero(there: tuple[float, ...]) -> None:
    image = np.ones((10, 12))
    assert ellipse_sum(image, row_prefix_sums(image), Ellipse(*there)) == 0.0


def test_ellipse_beyond_the_image_gives_all_of_it() -> None:
    image = random_stream(5, "tests.huge_apertures").normal(size=(10, 12))
    total = ellipse_sum(image, row_prefix_sums(image), Ellipse(4.0, 7.0, 1e6, 1e5, 0.4))
    assert total == pytest.approx(image.sum(), rel=1e-13)


def test_masked_pixels_are_neither_flux_nor_area(stamp_from: Callable[..., Stamp]) -> None:
    rng = random_stream(6, "tests.masked_apertures")
    pixels = rng.normal(1.0, 0.3, size=(40, 50))
    mask = rng.random((40, 50)) < 0.1
    there = (22.3, 18.9, 20.7, 9.4, 0.7)
    flux, area = ellipse_sum_and_area(stamp_from(pixels, mask), Ellipse(*there))
    assert flux == pytest.approx(photutils_sum(np.where(mask, 0.0, pixels), there), rel=1e-14)
    assert area == pytest.approx(photutils_sum(np.where(mask, 0.0, 1.0), there), rel=1e-14)
    _, whole = ellipse_sum_and_area(stamp_from(pixels), Ellipse(*there))
    assert whole > area * 1.05


def test_ring_is_the_difference_of_two_ellipses(stamp_from: Callable[..., Stamp]) -> None:
    rng = random_stream(7, "tests.rings")
    stamp = stamp_from(rng.normal(1.0, 0.3, size=(40, 50)), rng.random((40, 50)) < 0.1)
    for outer, inner in ((12.0, 11.0), (12.0, 11.999), (300.0, 20.0)):
        rings = tuple(Ellipse(22.3, 18.9, a, 0.4 * a, 0.7) for a in (outer, inner))
        flux, area = ring_sum_and_area(stamp, *rings)
        outer_sums = ellipse_sum_and_area(stamp, rings[0])
        inner_sums = ellipse_sum_and_area(stamp, rings[1])
        assert flux == pytest.approx(outer_sums[0] - inner_sums[0], rel=1e-9)
        assert area == pytest.approx(outer_sums[1] - inner_sums[1], rel=1e-9)


@pytest.mark.parametrize("depth", [1e-2, 1e-4, 1e-6])
def test_ring_that_cuts_a_corner_has_the_area_of_the_corner(
    stamp_from: Callable[..., Stamp], depth: float
) -> None:
    # of the whole stamp only a triangle at (-0.5, -0.5) is left beyond a circle that is all but straight
    flux, area = ring_sum_and_area(stamp_from(np.full((20, 20), 2.0)), *_circle_at_corner(depth))
    assert area == pytest.approx(depth**2, rel=1e-3)
    assert flux == pytest.approx(2 * area, rel=1e-12)


def _circle_at_corner(depth: float) -> tuple[Ellipse, Ellipse]:
    """Edges of a ring whose inner circle passes a distance from the corner of (-0.5, -0.5)."""
    reach = 1e4
    inner = math.hypot(reach + 0.5, reach + 0.5) - depth
    outer, inside = (Ellipse(reach, reach, radius, radius, 0.0) for radius in (inner + 1.0, inner))
    return outer, inside
