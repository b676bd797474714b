"""Sources of fields: injected ones are found where and as they were put, noise is not; and the law of the blank sky."""

import numpy as np
import pytest
from scipy.special import ndtr, ndtri
from scipy.stats import norm

from galsmith.data.fields.detection import detect_field
from galsmith.data.fields.sky import SKY_NORMAL, kernel_of_correlation, sky_correlation, sky_quantiles

SIDE = 300


def painted(rows, *, side=SIDE, exponent=2.5):
    """Light of Moffat profiles [y, x]; rows are x, y, flux, size, axis ratio, angle."""
    y, x = np.mgrid[:side, :side].astype(float)
    light = np.zeros((side, side))
    for x0, y0, flux, size, ratio, angle in rows:
        along = (x - x0) * np.cos(angle) + (y - y0) * np.sin(angle)
        across = (y - y0) * np.cos(angle) - (x - x0) * np.sin(angle)
        u2 = (along**2 * ratio + across**2 / ratio) / size**2
        light += (
            flux * (exponent - 1) / (2 * np.pi * exponent * size**2) * (1 + u2 / 2 / exponent) ** -exponent
        )
    return light


def cut(light, *, mean=3.0, sigma=0.8, seed=1):
    """Whole gray levels of light on a noisy sky."""
    noisy = light + np.random.default_rng(seed).normal(mean, sigma, light.shape)
    return np.clip(np.floor(noisy), 0, 255).astype(np.uint8)


def on_a_grid(n_side=6, seed=3):
    """Sources far from one another, of all shapes and angles."""
    rng = np.random.default_rng(seed)
    places = np.linspace(25, SIDE - 25, n_side)
    x, y = (grid.ravel() + rng.uniform(-0.5, 0.5, n_side**2) for grid in np.meshgrid(places, places))
    n = len(x)
    angle = rng.uniform(-1.5, 1.5, n)
    return np.stack(
        [x, y, rng.uniform(600, 1500, n), rng.uniform(1, 3, n), rng.uniform(0.4, 0.9, n), angle], axis=1
    )


def test_injected_sources_are_found_as_they_were_put():
    """Bounds are three times the scatter that the noise of pixels leaves at these fluxes."""
    rows = on_a_grid()
    sources = detect_field(cut(painted(rows))).sources
    assert len(sources) == len(rows)
    order = np.argmin(np.hypot(sources.x_pix - rows[:, :1], sources.y_pix - rows[:, 1:2]), axis=1)
    found = sources.of(order)
    assert np.abs(found.x_pix - rows[:, 0]).max() < 0.2
    assert np.abs(found.y_pix - rows[:, 1]).max() < 0.2
    assert np.abs(np.log(found.flux / rows[:, 2])).max() < 0.1
    assert abs(np.log(found.flux / rows[:, 2]).mean()) < 0.01
    assert np.abs(np.log(found.size_pix / rows[:, 3])).max() < 0.1
    assert np.abs(found.axis_ratio - rows[:, 4]).max() < 0.12
    flat = rows[:, 4] < 0.7
    turned = np.abs((found.orientation_rad - rows[:, 5] + np.pi / 2) % np.pi - np.pi / 2)
    assert turned[flat].max() < 0.15


def test_noise_alone_has_next_to_no_source():
    assert len(detect_field(cut(np.zeros((SIDE, SIDE)))).sources) <= 1


def test_a_black_field_has_none():
    found = detect_field(np.zeros((40, 40), dtype=np.uint8))
    assert len(found.sources) == 0
    assert found.is_blank.all()


def test_two_near_sources_are_parted_and_a_wide_one_is_not():
    two = [(100.0, 100.0, 2000.0, 1.5, 1.0, 0.0), (108.0, 100.0, 1500.0, 1.5, 1.0, 0.0)]
    assert len(detect_field(cut(painted(two))).sources) == 2
    wide = detect_field(cut(painted([(100.0, 100.0, 9000.0, 5.0, 0.5, 0.4)]))).sources
    assert (wide.peak > 5).sum() == 1  # far out in its wing noise alone may reach the threshold


def test_saturated_pixels_are_not_believed():
    rows = [(100.0, 100.0, 20000.0, 1.8, 0.8, 0.3)]
    field = cut(painted(rows))
    assert (field == 255).sum() > 4
    assert float(detect_field(field).sources.flux[0]) == pytest.approx(20000, rel=0.1)
    # the light of its pixels alone falls short; half a level is cut off
    assert field.astype(float).sum() - 2.5 * field.size < 17000


def test_other_arrays_are_refused():
    with pytest.raises(ValueError, match=r"field is float64 \(4, 4\); wanted gray levels \[y, x\] of uint8"):
        detect_field(np.zeros((4, 4)))


@pytest.mark.parametrize(("mean", "sigma"), [(3.2, 0.8), (2.0, 0.4), (20.0, 5.0)])
def test_quantiles_of_normal_noise_are_its_own(mean, sigma):
    """The counts are the law itself; where it is all inside of levels above 0 nothing but the table's steps is lost."""
    edges = np.arange(257)
    counts = np.round(1e9 * np.diff(norm.cdf(edges, mean, sigma))).astype(np.int64)
    inside = np.abs(SKY_NORMAL) < 2
    assert sky_quantiles(counts)[inside] == pytest.approx(
        mean + sigma * SKY_NORMAL[inside], abs=0.15 * sigma + 0.1
    )


@pytest.mark.parametrize("shares", [(0.68, 0.27, 0.05), (0.997, 0.003), (0.1, 0.9)])
def test_the_whole_part_of_draws_has_the_counted_law(shares):
    counts = np.zeros(256, dtype=np.int64)
    counts[: len(shares)] = np.round(1e6 * np.array(shares))
    normal = ndtri((np.arange(20_000) + 0.5) / 20_000)
    drawn = np.floor(sky_quantiles(counts, normal)).astype(int)
    assert np.bincount(drawn, minlength=len(shares)) / 20_000 == pytest.approx(shares, abs=1e-3)


def test_one_level_is_noise_in_its_middle_and_no_pixel_none():
    counts = np.zeros(256, dtype=np.int64)
    assert np.isnan(sky_quantiles(counts)).all()
    counts[2] = 7
    assert (sky_quantiles(counts) == 2.5).all()


@pytest.mark.parametrize("few", [1, 5, 200])
def test_a_few_pixels_of_another_level_do_not_move_the_sky(few):
    below, above = (np.zeros(256, dtype=np.int64) for _ in range(2))
    below[[1, 2]], above[[1, 2]] = (few, 250_000), (250_000, few)
    middle = len(SKY_NORMAL) // 2
    # what is counted in the level below is the mirror image of what is counted in the level above
    assert sky_quantiles(below) == pytest.approx(4 - sky_quantiles(above)[::-1], abs=1e-5)
    assert sky_quantiles(below)[middle] == pytest.approx(2.5, abs=0.02)
    assert sky_quantiles(above)[middle] == pytest.approx(1.5, abs=0.02)


def test_a_kernel_gives_noise_the_correlation_that_was_measured():
    rng = np.random.default_rng(5)
    white = rng.standard_normal((400, 400))
    noise = white + 0.5 * np.roll(white, 1, axis=1)
    field = np.clip(np.floor(50 + 6 * noise), 0, 255).astype(np.uint8)
    products, numbers = sky_correlation(field, np.ones(field.shape, dtype=bool))
    correlation = products / numbers
    correlation /= correlation[2, 2]
    assert correlation[2, 3] == pytest.approx(0.5 / 1.25, abs=0.01)  # of w(x) + 0.5 w(x - 1)
    assert abs(correlation[3, 2]) < 0.01
    kernel = kernel_of_correlation(correlation)
    assert float((kernel**2).sum()) == pytest.approx(1)
    assert float((kernel[:, 1:] * kernel[:, :-1]).sum()) == pytest.approx(0.4, abs=0.03)


def test_white_noise_has_a_kernel_of_one_pixel():
    field = np.random.default_rng(6).integers(40, 60, (300, 300)).astype(np.uint8)
    products, numbers = sky_correlation(field, np.ones(field.shape, dtype=bool))
    kernel = kernel_of_correlation(products / numbers / (products[2, 2] / numbers[2, 2]))
    assert kernel[2, 2] > 0.999
    assert ndtr(0.0) == 0.5
