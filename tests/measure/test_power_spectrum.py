"""The power spectrum against a naive transform, Parseval, plane waves and the paper's list of cells."""

import itertools

import numpy as np
import pytest

from galsmith.measure import average_spectrum_db, log_power, log_power_rings, log_power_wavelength
from galsmith.measure.power.spectrum import WAVELENGTH_EDGES, rings_binning, wavelength_binning
from galsmith.seeds import random_stream

# galaxies-paper 4.1.2: cells of each mode at 256 px.
CELLS_AT_256 = [1, 12, 68, 172, 544, 996, 1832, 3000, 4664, 6852, 9028, 12936, 15034, 7960, 2437]


@pytest.fixture
def stamp():
    return random_stream(3, "tests.power").normal(1.0, 1.0, (24, 24))


def _naive_transform(stamp, height, width):
    """Sum by the definition, frequencies in the order of numpy's fftfreq."""
    rows, columns = np.arange(stamp.shape[0]), np.arange(stamp.shape[1])
    left = np.exp(-2j * np.pi * np.outer(np.arange(height), rows) / height)
    right = np.exp(-2j * np.pi * np.outer(columns, np.arange(width)) / width)
    return left @ stamp @ right


def test_cells_of_each_wavelength_mode_at_256_are_those_of_the_definition():
    cells = wavelength_binning(256).cells_of_mode
    np.testing.assert_array_equal(cells, CELLS_AT_256)
    assert cells.sum() == 256**2


def test_wavelength_modes_equal_a_naive_transform(stamp):
    amplitudes = np.abs(_naive_transform(stamp, 256, 256)) / stamp.size
    frequency = np.fft.fftfreq(256)
    radius = np.hypot(frequency[:, None], frequency[None, :]) * np.sqrt(2) * 181
    edges = (0, *WAVELENGTH_EDGES)
    expected = [amplitudes[0, 0]] + [
        amplitudes[(radius > low + 1e-9) & (radius <= high + 1e-9)].mean()
        for low, high in itertools.pairwise(edges)
    ]
    np.testing.assert_allclose(log_power_wavelength(stamp), np.log10(expected), atol=1e-10)


@pytest.mark.parametrize("shape", [(24, 24), (33, 33), (30, 41)])
def test_ring_modes_equal_a_naive_transform_about_the_middle(shape):
    image = random_stream(4, "tests.power").normal(1.0, 1.0, shape)
    amplitudes = np.abs(np.fft.fftshift(_naive_transform(image, *shape))) / image.size
    rows, columns = np.indices(shape)
    radius = np.hypot(rows - shape[0] // 2, columns - shape[1] // 2).astype(int)
    expected = [amplitudes[radius == ring].mean() for ring in range(15)]
    np.testing.assert_allclose(log_power_rings(image), np.log10(expected), atol=1e-10)


def test_squared_amplitudes_over_all_modes_obey_parseval(stamp):
    binning = wavelength_binning(256)
    half = np.abs(np.fft.rfft2(stamp, (256, 256))) ** 2
    assert np.sum(half * binning.weight_of_cell) / 256**2 == pytest.approx(np.sum(stamp**2), rel=1e-12)


@pytest.mark.parametrize(("cycles", "mode"), [(2, 1), (5, 2), (20, 5), (120, 12)])
def test_a_plane_wave_peaks_in_its_own_mode(cycles, mode):
    radius = cycles / 256 * np.sqrt(2) * 181
    assert np.searchsorted(WAVELENGTH_EDGES, radius) + 1 == mode
    wave = np.tile(np.cos(2 * np.pi * cycles * np.arange(256) / 256), (256, 1))
    power = log_power_wavelength(wave)
    assert np.nanargmax(power) == mode
    expected = np.log10(2 * 0.5 / CELLS_AT_256[mode])
    assert power[mode] == pytest.approx(expected, abs=1e-6)


def test_ring_k_holds_the_wave_of_k_cycles():
    wave = np.tile(np.sin(2 * np.pi * 6 * np.arange(64) / 64), (64, 1))
    assert np.nanargmax(log_power_rings(wave)) == 6


def test_zero_padding_changes_nothing_but_the_number_of_pixels(stamp):
    padded = np.pad(stamp, ((10, 30), (17, 23)))
    shift = np.log10(padded.size / stamp.size)
    np.testing.assert_allclose(log_power_wavelength(padded) + shift, log_power_wavelength(stamp), atol=1e-6)


def test_a_longer_side_takes_a_larger_grid():
    wide = random_stream(5, "tests.power").normal(1.0, 1.0, (20, 300))
    assert np.isfinite(log_power_wavelength(wide)).all()
    assert wavelength_binning(300).cells_of_mode.sum() == 300**2


def test_mode_0_is_the_mean_pixel(stamp):
    expected = np.log10(abs(stamp.mean()))
    assert log_power_wavelength(stamp)[0] == pytest.approx(expected, abs=1e-12)
    assert log_power_rings(stamp)[0] == pytest.approx(expected, abs=1e-12)


def test_nothing_gives_nan_and_never_minus_infinity():
    for binned in (log_power_wavelength, log_power_rings):
        assert np.isnan(binned(np.zeros((16, 16)))).all()


def test_rings_that_a_small_grid_lacks_are_nan():
    small = random_stream(6, "tests.power").normal(1.0, 1.0, (8, 8))
    assert rings_binning(8, 8).cells_of_mode[6:].sum() == 0
    assert np.isfinite(log_power_rings(small)[:6]).all()
    assert np.isnan(log_power_rings(small)[6:]).all()


def test_a_blurred_set_loses_small_scales_and_keeps_its_flux(sersic):
    sharp, blurred = (sersic(64, r_eff=r, n=1.0, flux=500.0) for r in (3.0, 6.0))
    difference = log_power_wavelength(sharp) - log_power_wavelength(blurred)
    assert abs(difference[0]) < 0.01
    assert difference[6] > 0.2


def test_average_spectrum_of_one_galaxy_is_its_own_in_decibels(stamp):
    spectrum = average_spectrum_db([stamp], side_pix=64)
    assert spectrum.shape == (64, 64)
    assert spectrum[32, 32] == pytest.approx(20 * np.log10(stamp.mean()), abs=1e-10)
    double = average_spectrum_db([stamp, stamp, np.full((4, 4), np.nan)], side_pix=64)
    np.testing.assert_allclose(double, spectrum, atol=1e-10)


def test_average_spectrum_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="wanted side_pix as large"):
        average_spectrum_db([np.ones((65, 10))], side_pix=64)
    with pytest.raises(ValueError, match="wanted one or more"):
        average_spectrum_db([np.full((4, 4), np.nan)])


@pytest.mark.parametrize("binning", ["wavelength", "rings"])
def test_many_sizes_at_once_equal_one_by_one_and_float32_is_close(binning):
    rng = random_stream(5, "tests.power")
    shapes = [(64, 64), (33, 40), (64, 64), (128, 128), (33, 40)]
    images = [rng.normal(0.2, 1.0, shape) for shape in shapes]
    one_by_one = {"wavelength": log_power_wavelength, "rings": log_power_rings}[binning]
    expected = np.array([one_by_one(image) for image in images])
    exact = log_power(images, binning=binning, precision="float64")
    np.testing.assert_array_equal(exact, expected)
    assert np.abs(log_power(images, binning=binning) - expected).max() < 1e-5


def test_a_smooth_bright_galaxy_keeps_its_faint_small_scales_in_float32():
    """Spectra that fall by six decades are where single precision would show first."""
    y, x = np.mgrid[:128, :128] - 63.5
    galaxy = 1e4 * np.exp(-(x**2 + y**2) / (2 * 3.0**2)) + random_stream(6, "tests.power").normal(
        0, 0.1, x.shape
    )
    difference = log_power([galaxy])[0] - log_power([galaxy], precision="float64")[0]
    assert np.abs(difference).max() < 1e-5


@pytest.mark.parametrize("factor", [1e-40, 1e-300, 1e40, 1e300])
def test_no_unit_of_flux_is_too_small_or_too_large(stamp, factor):
    shifted = log_power([stamp * factor])[0] - np.log10(factor)
    np.testing.assert_allclose(shifted, log_power([stamp])[0], atol=1e-6)


def test_images_that_cannot_be_transformed_give_nan_and_leave_the_others_alone(stamp):
    broken = stamp.copy()
    broken[3, 4] = np.inf
    modes = log_power(np.stack([stamp, broken, np.zeros_like(stamp), stamp]))
    assert np.isnan(modes[1:3]).all()
    np.testing.assert_array_equal(modes[0], modes[3])
    assert np.isfinite(modes[0]).all()


@pytest.mark.parametrize("padding", [1, 40, 96])
def test_zero_padding_changes_no_wavelength_mode(stamp, padding):
    padded = np.pad(stamp, padding)
    correction = np.log10(padded.size / stamp.size)
    for precision, tolerance in (("float64", 1e-12), ("float32", 1e-6)):
        modes = log_power([stamp], precision=precision)[0]
        others = log_power([padded], precision=precision)[0] + correction
        np.testing.assert_allclose(others, modes, atol=tolerance)
