"""Details of a galaxy against what was drawn: stripes, offsets of bands, their coherence, color gradients, spirals."""

import math

import numpy as np
import pytest

from galsmith.errors import SettingsError
from galsmith.images import ImageHeader, image_set_from_arrays
from galsmith.images.bands import BandPair, neighboring_pairs, pair_named
from galsmith.measure import MeasureSettings, measured, property_of_column
from galsmith.measure.details.grid import PERIODS, axes_excess, lines_excess, windowed_spectra
from galsmith.measure.details.registration import (
    band_coherence,
    find_offset,
    gradient_mag,
    inner_and_outer_flux,
)
from galsmith.measure.details.winding import Disk, find_winding
from galsmith.measure.galaxies import Cutout, noted
from galsmith.measure.row import Measured
from galsmith.seeds import random_stream
from galsmith.settings import typed_settings

NOTHING_LEFT_OUT = np.zeros((128, 128), dtype=bool)


def noise(*shape, seed=0):
    return random_stream(seed, "test.details").normal(size=shape)


def clumps(shape=(96, 96), dx=0.0, dy=0.0, *, count=40):
    """Gaussian clumps of a galaxy, moved by any part of a pixel."""
    rng = random_stream(3, "test.clumps")
    y, x = np.indices(shape, dtype=float)
    image = np.zeros(shape)
    for _ in range(count):
        at_x, at_y = (rng.normal(side / 2, side / 10) for side in shape[::-1])
        sigma, flux = rng.uniform(1.5, 4), rng.uniform(0.2, 1)
        image += flux * np.exp(-((x - at_x - dx) ** 2 + (y - at_y - dy) ** 2) / (2 * sigma**2))
    return image


def grid_of(image):
    """All ten numbers of the grid of one band."""
    spectra = windowed_spectra([image])
    return np.concatenate([axes_excess(spectra)[0], *(part[0] for part in lines_excess(spectra))])


def waves(shape, period, direction):
    y, x = np.indices(shape, dtype=float)
    turns = {"x": x, "y": y, "diagonal": x + y, "antidiagonal": x - y}[direction]
    return np.cos(2 * np.pi * turns / period)


@pytest.mark.parametrize("direction", ["x", "y", "diagonal", "antidiagonal"])
@pytest.mark.parametrize("period", PERIODS)
def test_stripes_of_a_period_show_in_that_period_and_on_their_line_alone(period, direction):
    image = noise(120, 120)
    plain, striped = grid_of(image), grid_of(image + 0.5 * waves(image.shape, period, direction))
    rise = dict(zip([*PERIODS, "x", "y", "diagonal"], (striped - plain)[3:], strict=True))
    line = direction.removeprefix("anti")
    # every second line of a checkerboard of 2 px is the other's
    assert rise.pop(period) > 0.5
    assert rise.pop(line) > 0.3
    assert max(abs(one) for one in rise.values()) < 0.15


def test_the_excess_of_stripes_is_that_of_their_amplitude_over_the_noise():
    """Hann's window keeps a quarter of the peak's power in 3 x 3 cells about it, on average."""
    amplitude, side = 0.5, 128
    window = np.sin(np.pi * (np.arange(side) + 0.5) / side) ** 2
    of_stripes = (amplitude / 2 * window.sum() ** 2) ** 2 / 4
    of_noise = (window**2).sum() ** 2
    rises = [
        grid_of(noise(side, side, seed=seed) + amplitude * waves((side, side), 4, "x"))[5]
        - grid_of(noise(side, side, seed=seed))[5]
        for seed in range(20)
    ]
    # the plain period is the largest of three lines' noise, 0.1 dex above its mean
    assert np.mean(rises) == pytest.approx(0.5 * np.log10(1 + of_stripes / of_noise), abs=0.12)


def test_noise_has_no_axes_and_a_rectangular_pattern_has():
    excess = np.mean(
        [axes_excess(windowed_spectra([noise(128, 128, seed=seed)]))[0] for seed in range(10)], axis=0
    )
    assert np.abs(excess).max() < 0.02
    blocks = np.kron(noise(32, 32), np.ones((4, 4)))  # as enlarged by the nearest pixel
    assert axes_excess(windowed_spectra([blocks]))[0, 0] > 0.1


@pytest.mark.parametrize("shape", [(88, 88), (91, 91), (90, 97), (300, 270)])
def test_the_grid_turns_and_flips_with_the_image(shape):
    image = noise(*shape) + 0.3 * waves(shape, 5, "x")
    found = grid_of(image)
    swapped = found.copy()
    swapped[[7, 8]] = found[[8, 7]]
    for turned in (image[::-1], image[:, ::-1], image[::-1, ::-1]):
        assert grid_of(turned) == pytest.approx(found, abs=1e-4)
    for turned in (image.T, np.rot90(image), np.rot90(image, 3)):
        assert grid_of(turned) == pytest.approx(swapped, abs=1e-4)


def test_the_grid_knows_neither_unit_nor_level():
    image = clumps() + 0.01 * noise(96, 96)
    assert grid_of(image * 1e-9) == pytest.approx(grid_of(image), abs=1e-4)
    assert grid_of(image + 3.0) == pytest.approx(grid_of(image), abs=0.02)


@pytest.mark.parametrize("image", [np.ones((15, 40)), np.full((64, 64), np.nan), np.zeros((64, 64))])
def test_images_without_spectra_are_told(image):
    assert windowed_spectra([image]) is None


@pytest.mark.parametrize(("dx", "dy"), [(0.0, 0.0), (0.1, -0.05), (1.0, 0.0), (-0.6, 2.0), (7.3, -5.2)])
def test_an_offset_is_the_one_drawn_and_its_reverse_is_minus_it(dx, dy):
    spectra = windowed_spectra([clumps(), 0.5 * clumps(dx=dx, dy=dy)])
    # the window weighs what has moved a little less
    assert find_offset(spectra, 0, 1) == pytest.approx((dx, dy), abs=0.002 + 0.02 * math.hypot(dx, dy))
    assert find_offset(spectra, 1, 0) == pytest.approx(
        tuple(-one for one in find_offset(spectra, 0, 1)), abs=1e-3
    )


def test_an_offset_follows_turns_and_flips():
    pair = np.stack([clumps(), clumps(dx=1.2, dy=-0.4)])
    x, y = find_offset(windowed_spectra(pair), 0, 1)
    for turned, wanted in (
        (pair[:, ::-1], (x, -y)),
        (pair[:, :, ::-1], (-x, y)),
        (pair.transpose(0, 2, 1), (y, x)),
        (np.rot90(pair, axes=(1, 2)), (y, -x)),
    ):
        assert find_offset(windowed_spectra(turned), 0, 1) == pytest.approx(wanted, abs=1e-4)


def test_noise_scatters_an_offset_and_does_not_draw_it_to_zero():
    found = [
        find_offset(
            windowed_spectra(
                [
                    clumps() + 0.3 * noise(96, 96, seed=seed),
                    clumps(dx=1.0) + 0.3 * noise(96, 96, seed=100 + seed),
                ]
            ),
            0,
            1,
        )
        for seed in range(20)
    ]
    assert np.mean(found, axis=0) == pytest.approx((1.0, 0.0), abs=0.1)
    assert np.std(found, axis=0).max() < 0.3


def test_bands_of_nothing_in_common_have_no_offset_and_no_coherence():
    found, coherence = [], []
    for seed in range(20):
        spectra = windowed_spectra([noise(128, 128, seed=seed), noise(128, 128, seed=50 + seed)])
        found.append(find_offset(spectra, 0, 1))
        coherence.append(band_coherence(spectra, 0, 1))
    assert np.isnan(found).all(axis=1).mean() > 0.5
    assert np.isnan(coherence).mean() > 0.9  # white noise is all noise


def test_coherence_does_not_know_noise_and_knows_other_structure():
    image = clumps()
    noisy = [image + 0.02 * noise(96, 96, seed=seed) for seed in (1, 2)]
    assert band_coherence(windowed_spectra([image, 3 * image]), 0, 1) == pytest.approx(1.0, abs=1e-5)
    assert band_coherence(windowed_spectra(noisy), 0, 1) == pytest.approx(1.0, abs=0.02)
    other = band_coherence(windowed_spectra([image, image.T]), 0, 1)
    assert other.max() < 0.7


def test_coherence_falls_with_an_offset_soonest_in_fine_waves():
    falls = np.array(
        [band_coherence(windowed_spectra([clumps(), clumps(dx=dx)]), 0, 1) for dx in (0.0, 0.5, 1.0, 2.0)]
    )
    assert (np.diff(falls, axis=0) < 0).all()
    assert (np.diff(falls[1:], axis=1) > 0).all()


def test_a_color_gradient_is_that_of_two_exponential_disks():
    """Within r an exponential disk of scale h has the share 1 - (1 + r/h) exp(-r/h) of its light."""
    y, x = np.indices((128, 128)) - 63.5
    radius, r_half, r_petro = np.hypot(x, y), 10.0, 25.0
    scales = 6.0, 8.0
    fluxes = [
        inner_and_outer_flux(np.exp(-radius / scale), NOTHING_LEFT_OUT, (63.5, 63.5), r_half, r_petro)
        for scale in scales
    ]

    def share(scale, reach):
        return 1 - (1 + reach / scale) * math.exp(-reach / scale)

    ratios = [share(scale, r_half) / (share(scale, r_petro) - share(scale, r_half)) for scale in scales]
    assert gradient_mag(*fluxes) == pytest.approx(-2.5 * math.log10(ratios[0] / ratios[1]), abs=0.01)
    assert gradient_mag(*fluxes) < 0  # the first band is bluer inside where it is the more concentrated one
    assert math.isnan(gradient_mag((1.0, -0.1), (1.0, 1.0)))


def spiral(winding, *, mode=2, amplitude=0.4, axis_ratio=1.0, orientation=0.0, side=128):
    """An exponential disk with arms at angle = winding ln r, seen at an angle."""
    y, x = np.indices((side, side)) - (side - 1) / 2
    along = np.cos(orientation) * x + np.sin(orientation) * y
    across = (np.cos(orientation) * y - np.sin(orientation) * x) / axis_ratio
    radius, angle = np.hypot(along, across) + 1e-9, np.arctan2(across, along)
    arms = 1 + amplitude * np.cos(mode * (angle - winding * np.log(radius)))
    disk = Disk((side - 1) / 2, (side - 1) / 2, 45.0, axis_ratio, orientation)
    return np.exp(-radius / 15) * arms, disk


@pytest.mark.parametrize("winding", [-4.0, -1.5, -0.5, 0.5, 2.0, 5.0])
@pytest.mark.parametrize(("axis_ratio", "orientation"), [(1.0, 0.0), (0.5, 0.7)])
@pytest.mark.parametrize("mode", [2, 3])
def test_a_drawn_spiral_winds_as_it_was_drawn_and_its_mirror_image_by_minus_that(
    winding, axis_ratio, orientation, mode
):
    image, disk = spiral(winding, mode=mode, axis_ratio=axis_ratio, orientation=orientation)
    found = find_winding(image, NOTHING_LEFT_OUT, disk)
    assert found.winding == pytest.approx(winding, rel=0.03)
    assert found.quality > 0.95
    # light between pixels is linear, which smooths arms that are tightly wound
    assert 0.3 < found.amplitude < 0.41
    mirrored = disk._replace(orientation_rad=math.pi - orientation)
    reverse = find_winding(image[:, ::-1].copy(), NOTHING_LEFT_OUT, mirrored)
    assert reverse.winding == pytest.approx(-found.winding, rel=1e-9)
    for turns in (1, 2, 3):
        turned = disk._replace(orientation_rad=orientation + turns * math.pi / 2)
        again = find_winding(np.rot90(image, -turns).copy(), NOTHING_LEFT_OUT, turned)
        assert again == pytest.approx(found, rel=1e-9)


def test_a_bar_does_not_wind_and_noise_winds_with_little_quality():
    image, disk = spiral(0.0)
    assert find_winding(image, NOTHING_LEFT_OUT, disk).winding == pytest.approx(0.0, abs=0.01)
    of_noise = find_winding(noise(128, 128) + 10, NOTHING_LEFT_OUT, disk)
    assert of_noise.amplitude < 0.1
    assert of_noise.quality < find_winding(*(image, NOTHING_LEFT_OUT, disk)).quality


def test_masked_pixels_are_left_out_of_a_winding_and_too_many_leave_none():
    image, disk = spiral(2.0)
    star = np.zeros_like(NOTHING_LEFT_OUT)
    star[80:90, 80:90] = True
    bright = np.where(star, 50.0, image)
    assert find_winding(bright, star, disk).winding == pytest.approx(2.0, rel=0.05)
    assert abs(find_winding(bright, NOTHING_LEFT_OUT, disk).winding - 2.0) > 0.2
    half = np.zeros_like(NOTHING_LEFT_OUT)
    half[:60] = True
    assert np.isnan(find_winding(image, half, disk)).all()
    assert np.isnan(find_winding(image, NOTHING_LEFT_OUT, disk._replace(r_petro_pix=5.0))).all()


def galaxies(n_bands, *, side=64):
    y, x = np.indices((side, side)) - (side - 1) / 2
    disk = 1000 * np.exp(-np.hypot(x, y / 0.7) / 6)
    return [
        np.stack([disk * (1 + 0.2 * band) + noise(side, side, seed=10 * k + band) for band in range(n_bands)])
        for k in range(2)
    ]


@pytest.mark.parametrize(
    "bands", [("r",), ("g", "i"), ("i", "g", "r"), ("F606W", "F814W"), ("u", "g", "r", "i", "z")]
)
def test_every_band_and_every_pair_of_neighbors_has_its_columns(bands):
    images = image_set_from_arrays(
        [image.astype(np.float32) for image in galaxies(len(bands))], ImageHeader(bands, "nJy")
    )
    table = measured(images, settings=MeasureSettings(sersic="none"))
    groups = [property_of_column(name).group for name in table.colnames if property_of_column(name)]
    n_pairs = len(bands) - 1
    counts = {group: groups.count(group) for group in ("grid", "winding", "registration")}
    assert counts == {"grid": 10 * len(bands), "winding": 3, "registration": 6 * n_pairs}
    for pair in neighboring_pairs(bands):
        assert np.abs(table[f"offset_x_{pair.stem}_pix"].value).max() < 0.1
        assert table[f"coherence_coarse_{pair.stem}"] == pytest.approx(1.0, abs=0.02)
        assert table[f"gradient_{pair.stem}_mag"].value == pytest.approx(0.0, abs=0.05)
    assert not any("no_detail" in text for text in table["flags"])


def test_neighbors_are_those_in_wavelength():
    assert neighboring_pairs(("i", "r", "g")) == (BandPair("g", "r"), BandPair("r", "i"))
    assert neighboring_pairs(("a", "b")) == (BandPair("a", "b"),)
    assert neighboring_pairs(("r",)) == ()


@pytest.mark.parametrize("pair", [("g", "i"), ("F606W", "F814W"), ("acs_f606w", "acs_f814w")])
def test_a_pair_is_read_as_it_is_written(pair):
    assert pair_named(BandPair(*pair).stem) == pair


@pytest.mark.parametrize(
    ("column", "group"),
    [
        ("grid_period_4", "grid"),
        ("grid_lines_diagonal_F814W", "grid"),
        ("offset_x_gr_pix", "registration"),
        ("offset_y_F606W_F814W_sigma_pix", "registration"),
        ("coherence_fine_gr", "registration"),
        ("gradient_gr_mag", "registration"),
        ("winding", "winding"),
        ("winding_sigma", "winding"),
    ],
)
def test_a_column_of_a_detail_is_declared(column, group):
    entry = property_of_column(column)
    assert entry.group == group
    assert not entry.headline
    assert entry.is_compared == ("sigma" not in column)


@pytest.mark.parametrize("column", ["grid_period_5", "grid_other_x", "offset_z_gr_pix", "coherence_g"])
def test_other_columns_are_no_details(column):
    assert property_of_column(column) is None


def test_an_offset_stays_where_a_position_moves_with_its_cutout():
    row = Measured(values={"center_x_pix": 1.0, "offset_x_F814W_y_pix": 1.0})
    moved = noted(row, Cutout(10, 20)).values
    assert moved == {"center_x_pix": 11.0, "offset_x_F814W_y_pix": 1.0}


def test_what_has_no_galaxy_has_a_grid_and_flags():
    empty = [noise(2, 64, 64).astype(np.float32), np.full((2, 64, 64), np.nan, dtype=np.float32)]
    table = measured(image_set_from_arrays(empty, ImageHeader(("g", "r"), "nJy")))
    assert np.isfinite(table["grid_period_4_g"]).tolist() == [True, False]
    for text, names in zip(
        table["flags"], (("winding", "gradient_gr"), ("winding", "grid_g", "offset_gr")), strict=True
    ):
        assert all(f"no_detail_{name}" in text.split(",") for name in names)


def test_details_have_uncertainties():
    images = image_set_from_arrays(
        [image.astype(np.float32) for image in galaxies(2)], ImageHeader(("g", "r"), "nJy")
    )
    settings = MeasureSettings(sersic="none", uncertainties=16)
    table = measured(images, settings=settings)
    for name in (
        "offset_x_gr_sigma_pix",
        "coherence_middle_gr_sigma",
        "gradient_gr_sigma_mag",
        "winding_sigma",
        "grid_lines_x_g_sigma",
        "grid_axes_coarse_r_sigma",
    ):
        assert (np.asarray(table[name]) > 0).all(), name


def test_details_are_left_out_or_refused_without_a_center():
    images = image_set_from_arrays(
        [image.astype(np.float32) for image in galaxies(1)], ImageHeader(("r",), "nJy")
    )
    table = measured(images, settings=MeasureSettings(sersic="none", quantities=("morphology",)))
    assert not any(name.startswith(("grid", "winding")) for name in table.colnames)
    with pytest.raises(SettingsError, match="'details', whose center and radii come from 'morphology'"):
        typed_settings(MeasureSettings, {"quantities": ("details",)}, source="here")
