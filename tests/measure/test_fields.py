"""What is measured of fields: analytic cases, invariances, and the doors that refuse what is no field."""

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray

from galsmith.errors import InputError, SettingsError
from galsmith.images import ImageHeader, ImageSet, image_set_from_arrays
from galsmith.measure import MeasureSettings, measured
from galsmith.measure.field.row import field_row
from galsmith.measure.field.statistics import (
    count_near_pairs,
    log_power_by_wavelength,
    pair_excess,
    share_of_near_pairs,
)
from galsmith.measure.properties.field import FIELD_PROPERTIES, PAIR_REACHES_PIX, WAVELENGTHS_PIX
from galsmith.provenance import Provenance

SIDE_PIX = 256
REACHES = np.array(PAIR_REACHES_PIX, dtype=np.float64)


def field_with(
    places: NDArray[np.float64], *, peak: float = 120.0, width_pix: float = 1.3
) -> NDArray[np.float32]:
    """Draw round Gaussian sources of one brightness on a sky of level 2, in whole gray levels."""
    y, x = np.mgrid[:SIDE_PIX, :SIDE_PIX]
    light = np.full((SIDE_PIX, SIDE_PIX), 2.0)
    for at_x, at_y in places:
        light += peak * np.exp(-((x - at_x) ** 2 + (y - at_y) ** 2) / (2 * width_pix**2))
    return np.clip(np.rint(light), 0, 255).astype(np.float32)


def grid_of_sources() -> NDArray[np.float64]:
    """Give 64 places, 30 px from one another."""
    line = np.arange(8) * 30.0 + 20.0
    return np.array([(x, y) for x in line for y in line])


def set_of(images: NDArray[np.float32], *, shows: str = "field", unit: str = "display") -> ImageSet:
    """Make a set of fields."""
    header = ImageHeader(("gray",), unit)
    return image_set_from_arrays(
        images[:, np.newaxis],
        dataclasses.replace(header, shows=shows),  # type: ignore[arg-type]
        provenance=Provenance("test", {}),
    )


def test_known_sources_are_counted_and_described() -> None:
    values = field_row(field_with(grid_of_sources())).values
    assert values["field_sources"] == 64
    # the light of a Gaussian of 1.3 px; a Moffat profile has more in its wings
    light = np.log10(120 * 2 * np.pi * 1.3**2)
    assert values["field_log_flux_mean"] == pytest.approx(light, abs=0.1)
    assert values["field_log_flux_sigma"] < 0.03
    assert values["field_axis_ratio_mean"] > 0.95
    assert values["field_sources_above_300"] == 64
    assert values["field_level"] == pytest.approx(2.0, abs=1e-3)


def test_every_declared_property_is_measured() -> None:
    result = field_row(field_with(grid_of_sources()))
    assert list(result.values) == [entry.name for entry in FIELD_PROPERTIES]
    assert np.isfinite(list(result.values.values())).all()
    assert result.flags == []


@pytest.mark.parametrize("turns", range(1, 4))
def test_a_turned_field_has_the_same_row(turns: int) -> None:
    places = np.random.default_rng(3).uniform(15, SIDE_PIX - 15, (40, 2))
    image = field_with(places)
    one, turned = field_row(image).values, field_row(np.rot90(image, turns).copy()).values
    # where two sources touch, which of them has a pixel depends on the order of rows
    for name, value in one.items():
        assert turned[name] == pytest.approx(value, rel=2e-2, abs=2e-2), name


def test_the_chance_of_near_pairs_is_that_of_points_thrown() -> None:
    rng = np.random.default_rng(0)
    one, other = (rng.uniform(0, 1, (2, 400_000)) * [[300.0], [200.0]] for _ in range(2))
    distance = np.hypot(*(one - other))
    for reach in REACHES:
        share = share_of_near_pairs(float(reach), 300, 200)
        # four deviations of a binomial share
        assert np.mean(distance < reach) == pytest.approx(share, abs=4 * np.sqrt(share / 400_000))


def test_near_pairs_are_counted_as_by_all_distances() -> None:
    x, y = np.random.default_rng(1).uniform(0, 200, (2, 150))
    distance = np.hypot(x[:, None] - x, y[:, None] - y)[np.triu_indices(150, 1)]
    counts = count_near_pairs(x, y, REACHES)
    assert counts.tolist() == [int(np.count_nonzero(distance < reach)) for reach in REACHES]


def test_sources_thrown_at_random_have_no_excess_and_clustered_ones_have() -> None:
    rng = np.random.default_rng(2)
    shape = (1000, 1000)
    random = np.array([pair_excess(*rng.uniform(0, 1000, (2, 200)), REACHES, shape) for _ in range(200)])
    error = random.std(axis=0) / np.sqrt(len(random))
    assert (np.abs(random.mean(axis=0) - 1) < 4 * error).all()
    # Thomas process of 20 parents with 10 sources each, scattered by s: 1 + K-excess (1 - exp(-r^2/4s^2)) A / (20 pi r^2)
    scatter, n_parents = 15.0, 20
    clustered = []
    for _ in range(200):
        parents = rng.uniform(-100, 1100, (2, int(n_parents * 1.44)))
        points = np.repeat(parents, 10, axis=1) + rng.normal(0, scatter, (2, 10 * parents.shape[1]))
        inside = points[:, ((points > 0) & (points < 1000)).all(axis=0)]
        clustered.append(pair_excess(*inside, REACHES[:2], shape))
    r = REACHES[:2]
    # each source has 9 siblings of its own family (10 sources each, not Poisson): 9/10 of the Poisson family's excess
    expected = 1 + 0.9 * 1e6 / n_parents * (1 - np.exp(-(r**2) / (4 * scatter**2))) / (np.pi * r**2)
    found = np.array(clustered)
    assert found.mean(axis=0) == pytest.approx(expected, rel=0.1)


def test_no_pair_of_one_source_and_none_beyond_the_frame() -> None:
    assert np.isnan(pair_excess(np.array([5.0]), np.array([5.0]), REACHES, (200, 200))).all()
    two = pair_excess(np.array([5.0, 30.0]), np.array([5.0, 5.0]), REACHES, (60, 60))
    assert np.isnan(two[-1])
    assert np.isfinite(two[:3]).all()


@pytest.mark.parametrize("shape", [(128, 128), (100, 131)])
def test_power_of_white_noise_is_its_variance_and_sums_to_it(shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(4).normal(0, 3.0, shape)
    power = log_power_by_wavelength(noise)
    known = np.isfinite(power)
    assert power[known][0] == pytest.approx(np.log10(9.0), abs=0.03)
    assert power[known][2] == pytest.approx(np.log10(9.0), abs=0.2)


@pytest.mark.parametrize("place", range(1, len(WAVELENGTHS_PIX) - 1))
def test_a_plane_wave_is_in_its_own_band(place: int) -> None:
    wavelength = 1.5 * WAVELENGTHS_PIX[place]
    wave = np.sin(2 * np.pi * np.arange(384) / wavelength)[np.newaxis] * np.ones((384, 1))
    power = log_power_by_wavelength(wave)
    assert int(np.nanargmax(power)) == place
    assert np.delete(power, place)[:5].max() < power[place] - 3


def test_fields_without_light_or_sources_say_so() -> None:
    black = field_row(np.zeros((64, 64), dtype=np.float32))
    assert (black.flag, black.flags) == (4, ["one_gray_level"])
    assert np.isnan(list(black.values.values())).all()
    sky = np.random.default_rng(5).integers(0, 3, (64, 64)).astype(np.float32)
    empty = field_row(sky)
    assert (empty.flag, empty.flags) == (0, ["few_sources"])
    assert empty.values["field_sources"] < 2
    assert np.isnan(empty.values["field_pairs_25"])
    assert np.isfinite(empty.values["field_power_4"])
    broken = field_with(grid_of_sources())
    broken[3, 3] = np.nan
    assert (field_row(broken).flag, field_row(broken).flags) == (4, ["not_finite_pixels"])


def test_levels_beyond_those_of_eight_bits_are_told() -> None:
    bright = field_with(grid_of_sources()) * 4
    assert (field_row(bright).flag, field_row(bright).flags) == (1, ["beyond_gray_levels"])


def test_sets_of_fields_are_measured_as_fields() -> None:
    images = np.stack([field_with(grid_of_sources() + shift) for shift in (0.0, 3.0)])
    table = measured(set_of(images))
    assert table.meta["shows"] == "field"
    assert "gini" not in table.colnames
    assert list(table["field_sources"]) == [64, 64]
    # the same numbers on two threads
    again = measured(set_of(images), workers=2)
    assert all(np.array_equal(table[entry.name], again[entry.name]) for entry in FIELD_PROPERTIES)


def test_what_does_not_go_with_the_images_is_refused() -> None:
    images = np.stack([field_with(grid_of_sources())] * 2)
    power = MeasureSettings(quantities=("power",))
    with pytest.raises(SettingsError, match="fields of many sources, of which 'field' alone is measured"):
        measured(set_of(images), settings=power)
    of_field = MeasureSettings(quantities=("field",))
    with pytest.raises(SettingsError, match="these show a galaxy each"):
        measured(set_of(images, shows="galaxy"), settings=of_field)
    with pytest.raises(InputError, match="they are measured in gray levels from 0 to 255"):
        measured(set_of(images, unit="nJy"))
    with pytest.raises(SettingsError, match="it measures galaxies, and the images show fields"):
        measured(set_of(images), engine="statmorph")
    idle = MeasureSettings(sersic="none")
    with pytest.raises(SettingsError, match="fields are measured as a whole"):
        measured(set_of(images), settings=idle)
