"""Pixels of the renderer against adaptive-grade integration and against GalSim's integration in real space."""

import itertools
from dataclasses import asdict, dataclass

import galsim
import numpy as np
import pytest
from scipy.special import gamma, gammaincinv

from galsmith.data.sersic import render_sersic

PROMISED = 1e-3


@dataclass(frozen=True)
class Galaxy:
    n: float
    r_eff: float
    q: float
    angle: float
    x: float
    y: float


def render(galaxies, size, flux=1.0):
    columns = {key: np.array([asdict(galaxy)[key] for galaxy in galaxies]) for key in asdict(galaxies[0])}
    return render_sersic(
        size_pix=size,
        center_x_pix=columns["x"],
        center_y_pix=columns["y"],
        r_eff_pix=columns["r_eff"],
        sersic_index=columns["n"],
        axis_ratio=columns["q"],
        orientation_rad=columns["angle"],
        flux=np.full(len(galaxies), flux),
    ).astype(np.float64)


def graded_points(low, high, center, count=48, power=7):
    """Gauss-Legendre points of an interval that crowd at its point nearest to the center."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    nodes, weights = (nodes + 1) / 2, weights / 2
    cuts = [low, *([center] if low < center < high else []), high]
    points, measures = [], []
    for left, right in itertools.pairwise(cuts):
        near, far = (left, right) if abs(left - center) <= abs(right - center) else (right, left)
        points.append(near + (far - near) * nodes**power)
        measures.append(abs(far - near) * power * nodes ** (power - 1) * weights)
    return np.concatenate(points), np.concatenate(measures)


def integrated_pixel(galaxy, column, row):
    """Flux of one pixel of a galaxy of unit flux, by a method that shares nothing with the renderer."""
    b = gammaincinv(2 * galaxy.n, 0.5)
    brightness = 1 / (2 * np.pi * galaxy.n * gamma(2 * galaxy.n) * b ** (-2 * galaxy.n) * galaxy.r_eff**2)
    x, wx = graded_points(column - 0.5, column + 0.5, galaxy.x)
    y, wy = graded_points(row - 0.5, row + 0.5, galaxy.y)
    dx, dy = x[np.newaxis, :] - galaxy.x, y[:, np.newaxis] - galaxy.y
    along = np.cos(galaxy.angle) * dx + np.sin(galaxy.angle) * dy
    across = -np.sin(galaxy.angle) * dx + np.cos(galaxy.angle) * dy
    radius = np.sqrt(galaxy.q * along**2 + across**2 / galaxy.q) / galaxy.r_eff
    return brightness * float(wy @ np.exp(-b * radius ** (1 / galaxy.n)) @ wx)


def random_galaxies(count, seed):
    """Galaxies over the promised range, many with a center on or close to a pixel's corner or border."""
    rng = np.random.default_rng(seed)
    offsets = [0.0, 0.5, 0.4999, 0.49, 0.001]
    return [
        Galaxy(
            n=rng.choice([0.5, 0.8, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]),
            r_eff=rng.choice([1.0, 2.0, 5.0, 25.0, 100.0]),
            q=rng.uniform(0.4, 1.0),
            angle=rng.uniform(0, np.pi),
            x=16 + (rng.choice(offsets) if rng.random() < 0.5 else rng.uniform(-0.5, 0.5)),
            y=16 + (rng.choice(offsets) if rng.random() < 0.5 else rng.uniform(-0.5, 0.5)),
        )
        for _ in range(count)
    ]


@pytest.mark.parametrize("seed", range(4))
def test_pixels_match_an_independent_integration(seed):
    places = [(16, 16), (17, 16), (16, 17), (17, 17), (15, 16), (14, 18), (20, 16), (12, 21), (30, 2)]
    galaxies = random_galaxies(10, seed)
    images = render(galaxies, 33)
    for galaxy, image in zip(galaxies, images, strict=True):
        wanted = np.array([integrated_pixel(galaxy, column, row) for column, row in places])
        came = np.array([image[row, column] for column, row in places])
        visible = wanted > 1e-12 * wanted.max()
        assert came[visible] == pytest.approx(wanted[visible], rel=PROMISED / 5), galaxy


def drawn_by_galsim(galaxy, size):
    parameters = galsim.GSParams(realspace_relerr=1e-5, realspace_abserr=1e-9)
    profile = galsim.Sersic(n=galaxy.n, half_light_radius=galaxy.r_eff, flux=1.0, gsparams=parameters)
    middle = (size - 1) / 2
    moved = profile.shear(q=galaxy.q, beta=galaxy.angle * galsim.radians)
    moved = moved.shift(galaxy.x - middle, galaxy.y - middle)
    return moved.drawImage(nx=size, ny=size, scale=1.0, method="real_space", dtype=np.float64).array


@pytest.mark.parametrize("n", [0.5, 1.0, 2.5, 4.0, 6.0])
@pytest.mark.parametrize(("r_eff", "q"), [(2.0, 0.4), (25.0, 1.0), (25.0, 0.4), (100.0, 0.7)])
def test_pixels_match_galsim(n, r_eff, q):
    galaxy = Galaxy(n=n, r_eff=r_eff, q=q, angle=0.7, x=4.2, y=3.9)
    wanted = drawn_by_galsim(galaxy, 9)
    came = render([galaxy], 9)[0]
    visible = wanted > 1e-6 * wanted.max()  # below, GalSim's absolute tolerance rules
    assert came[visible] == pytest.approx(wanted[visible], rel=PROMISED)


def test_point_sampling_would_fail_the_same_check():
    galaxy = Galaxy(n=4.0, r_eff=25.0, q=0.7, angle=0.7, x=4.0, y=4.0)
    wanted = drawn_by_galsim(galaxy, 9)
    b = gammaincinv(8.0, 0.5)
    brightness = 1 / (2 * np.pi * 4 * gamma(8.0) * b**-8.0 * 25.0**2)
    assert brightness > 5 * wanted[4, 4]


@pytest.mark.parametrize(("n", "tolerance"), [(0.5, 1e-6), (1.0, 1e-6), (2.0, 1e-5)])
def test_a_frame_that_holds_all_light_sums_to_the_flux(n, tolerance):
    image = render([Galaxy(n=n, r_eff=3.0, q=0.6, angle=1.0, x=80.3, y=79.9)], 161, flux=12.5)[0]
    assert image.sum() == pytest.approx(12.5, rel=tolerance)


def test_turning_by_a_right_angle_turns_the_image():
    first, second = render([Galaxy(3.0, 5.0, 0.5, angle, 10.0, 10.0) for angle in (0.4, 0.4 + np.pi / 2)], 21)
    assert second == pytest.approx(np.rot90(first, k=-1), rel=1e-6)


def test_the_major_axis_turns_counter_clockwise_from_x():
    image = render([Galaxy(1.0, 5.0, 0.3, np.pi / 4, 10.0, 10.0)], 21)[0]
    assert image[15, 15] > 5 * image[5, 15]


def test_an_image_does_not_depend_on_its_neighbors():
    galaxies = random_galaxies(6, seed=9)
    together = render(galaxies, 24)
    alone = np.stack([render([galaxy], 24)[0] for galaxy in galaxies])
    np.testing.assert_array_equal(together, alone)


def test_shifting_by_whole_pixels_shifts_the_image():
    near, far = render([Galaxy(6.0, 9.0, 0.4, 0.3, x, 10.25) for x in (10.5, 13.5)], 24)
    assert far[:, 3:] == pytest.approx(near[:, :-3], rel=1e-6)
