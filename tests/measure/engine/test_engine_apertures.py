"""Sums within ellipses: photutils' exact apertures are the oracle, and the areas of whole ellipses."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from galsmith.measure.engine.apertures import ellipse_sum, ellipse_sum_and_area, row_prefix_sums
from galsmith.measure.engine.stamp import Stamp

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


def stamp_with(pixels: NDArray[np.float64], mask: NDArray[np.bool_]) -> Stamp:
    clean = np.where(mask, 0.0, pixels)
    valid = np.zeros((pixels.shape[0], pixels.shape[1] + 1), dtype=np.int64)
    np.cumsum(~mask, axis=1, out=valid[:, 1:])
    return Stamp(
        pixels=clean,
        raw=pixels,
        galaxy=clean,
        segment=~mask,
        occupied=mask,
        mask=mask,
        masked=np.flatnonzero(mask),
        row_sums=row_prefix_sums(clean),
        row_abs_sums=row_prefix_sums(np.abs(clean)),
        row_valid=valid,
        turned=np.pad(clean[::-1, ::-1], max(pixels.shape) + 2),
        pad=max(pixels.shape) + 2,
        x_min=0,
        y_min=0,
        x_peak=0,
        y_peak=0,
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_sum_is_that_of_exact_apertures(shape: str) -> None:
    # centers inside, outside and on whole and half pixels; from a hundredth of a pixel to beyond the image
    rng = np.random.default_rng(["circle", "ellipse", "upright", "needle"].index(shape))
    image = rng.random((45, 60)) + 0.01
    row_sums = row_prefix_sums(image)
    for number in range(300):
        x, y, a = rng.uniform(-15, 75), rng.uniform(-15, 60), 10 ** rng.uniform(-2, 2.5)
        if number % 5 == 0:
            x, y, a = round(x) * 1.0, round(y) + 0.5, round(a) + 1.5  # at 0.5 photutils loses a corner
        axis_ratio, theta = SHAPES[shape](rng)
        there = (x, y, a, a * axis_ratio, theta)
        assert ellipse_sum(image, row_sums, *there) == pytest.approx(
            photutils_sum(image, there), rel=2e-14, abs=3e-14
        ), there


@pytest.mark.parametrize(("a", "b"), [(30.0, 30.0), (30.0, 3.0), (30.0, 0.3), (0.4, 0.4), (0.01, 0.002)])
@pytest.mark.parametrize("theta", [0.0, 0.3, math.pi / 4, math.pi / 2, -1.2])
def test_area_is_that_of_the_whole_ellipse(a: float, b: float, theta: float) -> None:
    image = np.ones((70, 80))
    area = ellipse_sum(image, row_prefix_sums(image), 39.3, 34.8, a, b, theta)
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
    assert ellipse_sum(image, row_prefix_sums(image), *there) == 0.0


def test_ellipse_beyond_the_image_gives_all_of_it() -> None:
    image = np.random.default_rng(5).normal(size=(10, 12))
    total = ellipse_sum(image, row_prefix_sums(image), 4.0, 7.0, 1e6, 1e5, 0.4)
    assert total == pytest.approx(image.sum(), rel=1e-13)


def test_masked_pixels_are_neither_flux_nor_area() -> None:
    rng = np.random.default_rng(6)
    pixels = rng.normal(1.0, 0.3, size=(40, 50))
    mask = rng.random((40, 50)) < 0.1
    there = (22.3, 18.9, 20.7, 9.4, 0.7)
    flux, area = ellipse_sum_and_area(stamp_with(pixels, mask), *there)
    assert flux == pytest.approx(photutils_sum(np.where(mask, 0.0, pixels), there), rel=1e-14)
    assert area == pytest.approx(photutils_sum(np.where(mask, 0.0, 1.0), there), rel=1e-14)
    _, whole = ellipse_sum_and_area(stamp_with(pixels, np.zeros_like(mask)), *there)
    assert whole > area * 1.05
