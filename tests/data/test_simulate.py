import signal
import subprocess
import sys

import astropy.units as u
import numpy as np
import pytest
from scipy.stats import kstest

from galsmith import simulate
from galsmith.data.options import SetOptions
from galsmith.data.sersic import draw_parameters
from galsmith.data.simulate import SIMULATORS, prior_names
from galsmith.data.store import open_store, verify_store
from galsmith.errors import OutputExistsError, SettingsError
from galsmith.settings import read_recipe


def values(column):
    return np.asarray(getattr(column, "value", column))


def test_the_catalog_has_every_true_parameter_with_its_unit(tmp_path):
    galaxies = simulate.sersic(tmp_path / "set", n=5, seed=1, recipe="sersic-32")
    units = {
        "center_x_arcsec": u.arcsec,
        "center_y_arcsec": u.arcsec,
        "r_eff_arcsec": u.arcsec,
        "orientation_rad": u.rad,
        "magnitude": u.mag,
    }
    assert {name: galaxies.catalog[name].unit for name in units} == units
    for name in (
        "object_id",
        "seed",
        "sersic_index",
        "axis_ratio",
        "frame_flux_fraction",
        "native_size_pix",
        "split",
    ):
        assert name in galaxies.catalog.colnames
    assert galaxies.header.bands == ("F606W",)
    assert galaxies.header.flux_unit == "electron / s"
    assert galaxies.header.zero_points_mag == {"F606W": 26.493}
    assert galaxies.header.pixel_scale_arcsec == pytest.approx(0.32)
    assert galaxies.provenance.settings["recipe"]["size_pix"] == 32


def test_the_flux_of_a_compact_galaxy_is_its_magnitude(tmp_path):
    overrides = ("r_eff_arcsec=0.3", "sersic_index=1", "magnitude=21.5")
    galaxies = simulate.sersic(tmp_path / "set", n=3, recipe="sersic-64", overrides=overrides)
    sums = galaxies.stacked().sum(axis=(1, 2, 3), dtype=np.float64)
    assert -2.5 * np.log10(sums) + 26.493 == pytest.approx(np.full(3, 21.5), abs=1e-4)
    assert values(galaxies.catalog["frame_flux_fraction"]) == pytest.approx(np.ones(3), abs=1e-4)


def test_the_frame_of_the_paper_cuts_its_galaxies(tmp_path):
    # 0.60 / 0.77 / 0.99 of the total at 1 / 50 / 99 %: the galaxies paper's design page, for its own recipe.
    galaxies = simulate.sersic(tmp_path / "set", n=2000, seed=2, recipe="sersic-32")
    fractions = np.percentile(values(galaxies.catalog["frame_flux_fraction"]), [1, 50, 99])
    assert fractions == pytest.approx([0.60, 0.77, 0.99], abs=0.02)


def test_galaxy_k_depends_on_seed_and_k_alone(tmp_path):
    ten = simulate.sersic(tmp_path / "ten", n=10, seed=4, recipe="sersic-32")
    more = simulate.sersic(tmp_path / "more", n=300, seed=4, recipe="sersic-32")
    np.testing.assert_array_equal(ten.stacked(), more.select(np.arange(10)).stacked())
    for name in ("seed", "magnitude", "sersic_index"):
        np.testing.assert_array_equal(values(ten.catalog[name]), values(more.catalog[name])[:10])


def test_another_seed_gives_other_galaxies(tmp_path):
    one = simulate.sersic(tmp_path / "one", n=3, seed=4, recipe="sersic-32")
    other = simulate.sersic(tmp_path / "other", n=3, seed=5, recipe="sersic-32")
    assert not np.any(values(one.catalog["seed"]) == values(other.catalog["seed"]))
    assert one.content_hash != other.content_hash


def test_priors_are_uniform_and_leave_one_another_alone(sersic_settings):
    table = draw_parameters(sersic_settings(), n=2000, seed=3)
    fixed = draw_parameters(sersic_settings("sersic_index=4", "magnitude.low=18"), n=2000, seed=3)
    for name, low, high in (
        ("r_eff_arcsec", 1, 4),
        ("sersic_index", 1, 4),
        ("axis_ratio", 0.4, 1),
        ("magnitude", 20, 24),
    ):
        assert kstest(values(table[name]), "uniform", (low, high - low)).pvalue > 1e-3
    assert kstest(values(table["orientation_rad"]), "uniform", (-np.pi / 2, np.pi)).pvalue > 1e-3
    np.testing.assert_array_equal(values(table["axis_ratio"]), values(fixed["axis_ratio"]))
    assert np.all(values(fixed["sersic_index"]) == 4)
    assert values(fixed["magnitude"]).min() < 18.1


def test_orientations_are_wrapped_as_the_glossary_says(sersic_settings):
    for angle, wanted in ((0.0, 0.0), (np.pi / 2, np.pi / 2), (np.pi, 0.0), (2.0, 2.0 - np.pi)):
        table = draw_parameters(sersic_settings(f"orientation_rad={angle!r}"), n=1, seed=0)
        assert values(table["orientation_rad"])[0] == pytest.approx(wanted, abs=1e-12)


def test_the_recipe_of_the_paper_is_the_default():
    recipe = read_recipe("sersic")
    assert (recipe["size_pix"], recipe["pixel_scale_arcsec"], recipe["band"]) == (256, 0.04, "F606W")
    assert recipe["magnitude"] == {"low": 22.0, "high": 22.0}
    assert recipe["r_eff_arcsec"] == recipe["sersic_index"] == {"low": 1.0, "high": 4.0}
    # Holzschuh et al. 2022, sec. 3.1: center U(-1, 1) arcsec, q U(0.4, 1), angle U(0, pi), F606W of HST/ACS.
    assert recipe["center_x_arcsec"] == recipe["center_y_arcsec"] == {"low": -1.0, "high": 1.0}
    assert recipe["axis_ratio"] == {"low": 0.4, "high": 1.0}
    assert recipe["orientation_rad"] == {"low": 0.0, "high": pytest.approx(np.pi, abs=0)}
    assert recipe["zero_point_mag"] == 26.493
    for name, size in (("sersic-64", 64), ("sersic-32", 32)):
        smaller = read_recipe(name)
        assert smaller["size_pix"] * smaller["pixel_scale_arcsec"] == pytest.approx(10.24)
        assert smaller["size_pix"] == size
        assert smaller["magnitude"] == {"low": 20.0, "high": 24.0}


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("magnitud.low=20",), "unknown setting 'magnitud'.*did you mean 'magnitude'"),
        (("magnitude.lo=20",), "unknown setting 'magnitude.lo'.*did you mean 'low'"),
        (("magnitude.low=25",), "'magnitude'.*low is 25.0, above high"),
        (("axis_ratio.high=1.5",), r"axis_ratio runs from 0.4 to 1.5; wanted within \[0.02, 1.0\]"),
        (("size_pix=0",), "'size_pix' is 0"),
        (("sersic_index=big",), "'sersic_index' is 'big'"),
    ],
)
def test_wrong_settings_are_one_line_errors(tmp_path, overrides, message):
    with pytest.raises(SettingsError, match=message):
        simulate.sersic(tmp_path / "set", n=3, recipe="sersic-32", overrides=overrides)
    assert not (tmp_path / "set").exists()


def test_no_galaxies_is_an_error(tmp_path):
    with pytest.raises(SettingsError, match="wanted 1 galaxy or more"):
        simulate.sersic(tmp_path / "set", n=0)


def test_a_finished_set_is_not_replaced_silently(tmp_path):
    first = simulate.sersic(tmp_path / "set", n=3, recipe="sersic-32")
    with pytest.raises(OutputExistsError, match="already exists"):
        simulate.sersic(tmp_path / "set", n=3, seed=1, recipe="sersic-32")
    assert open_store(tmp_path / "set").content_hash == first.content_hash
    second = simulate.sersic(tmp_path / "set", n=3, seed=1, recipe="sersic-32", overwrite=True)
    assert second.content_hash != first.content_hash


def test_crop_resize_and_where_apply(tmp_path):
    options = SetOptions(crop_pix=24, resize_pix=12, where="magnitude=20..21", split=(0.5, 0.25, 0.25))
    whole = simulate.sersic(tmp_path / "whole", n=100, recipe="sersic-32")
    some = simulate.sersic(tmp_path / "some", n=100, recipe="sersic-32", options=options)
    wanted = values(whole.catalog["magnitude"]) <= 21
    assert len(some) == wanted.sum() > 0
    assert some.catalog.meta["left_out"] == {"not magnitude=20..21": 100 - len(some)}
    assert some.header.pixel_scale_arcsec == pytest.approx(0.64)
    assert some.stacked().shape[1:] == (1, 12, 12)
    assert set(some.catalog["native_size_pix"]) == {32}
    inner = whole.select(wanted).stacked()[:, :, 4:28, 4:28]
    assert some.stacked().sum(axis=(1, 2, 3)) == pytest.approx(inner.sum(axis=(1, 2, 3)), rel=1e-5)


def test_progress_names_its_stages(tmp_path):
    events = []
    simulate.sersic(tmp_path / "set", n=300, recipe="sersic-32", progress=events.append)
    assert [event.stage for event in events[:2]] == ["compiling", "compiling"]
    assert [(event.stage, event.done, event.total, event.unit) for event in events[2:]] == [
        ("simulating", 256, 300, "images"),
        ("simulating", 300, 300, "images"),
    ]


KILLED = """
import os, sys
from galsmith import simulate
def die(event):
    if event.stage == "simulating" and event.done >= 1024:
        os.kill(os.getpid(), 9)
simulate.sersic(sys.argv[1], n=1500, seed=8, recipe="sersic-32", progress=die)
"""


def test_a_killed_run_goes_on_and_equals_an_undisturbed_one(tmp_path):
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "killed")], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert (tmp_path / "killed.partial").is_dir()
    times = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "killed.partial").rglob("*.h5")}
    assert len(times) == 3
    resumed = simulate.sersic(tmp_path / "killed", n=1500, seed=8, recipe="sersic-32")
    undisturbed = simulate.sersic(tmp_path / "whole", n=1500, seed=8, recipe="sersic-32")
    assert resumed.content_hash == undisturbed.content_hash
    assert all(
        (tmp_path / "killed" / "images" / name).stat().st_mtime_ns == changed
        for name, changed in times.items()
    )
    assert verify_store(tmp_path / "killed") == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["killed", "whole"]


def test_a_killed_run_is_not_finished_with_other_settings(tmp_path):
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "killed")], check=False)
    with pytest.raises(OutputExistsError, match="partial store made by other settings"):
        simulate.sersic(tmp_path / "killed", n=1500, seed=9, recipe="sersic-32")


# Peak memory of this program alone: ru_maxrss would start from that of the process that started it.
MEMORY = """
import re, sys
from galsmith import simulate
simulate.sersic(sys.argv[1], n=3000, seed=8)
print(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read()).group(1))
"""


@pytest.mark.slow
def test_memory_stays_bounded(tmp_path):
    out = subprocess.run(
        [sys.executable, "-c", MEMORY, str(tmp_path / "set")], check=True, capture_output=True, text=True
    ).stdout
    # Nothing grows with the number of images but the catalog: about 200 bytes a row.
    assert int(out.split()[-1]) * 1024 < 0.8e9


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        (
            "vae-64",
            r"`recipe=vae-64`: trains a model; wanted priors: sersic, sersic-32, sersic-64, sersic-demo, or",
        ),
        ("sersik", r"`recipe=sersik`: not found \(did you mean 'sersic'\?\); wanted priors: sersic, "),
    ],
)
def test_what_is_no_prior_is_refused_with_the_priors(recipe, message, tmp_path):
    with pytest.raises(SettingsError, match=message):
        simulate.sersic(tmp_path / "set", n=3, recipe=recipe)
    assert prior_names("sersic") == ["sersic", "sersic-32", "sersic-64", "sersic-demo"]


def test_any_kind_is_simulated_by_its_name(tmp_path):
    by_door = simulate.sersic(tmp_path / "door", n=3, seed=2, recipe="sersic-32")
    by_name = simulate.simulate("sersic", tmp_path / "name", n=3, seed=2, recipe="sersic-32")
    assert by_name.content_hash == by_door.content_hash


@pytest.mark.parametrize("simulator", SIMULATORS.values(), ids=lambda simulator: simulator.name)
def test_every_shipped_recipe_belongs_to_one_simulator(simulator):
    assert simulator.name in prior_names(simulator.name)
    for other in SIMULATORS.values():
        assert other is simulator or not set(prior_names(simulator.name)) & set(prior_names(other.name))


@pytest.mark.parametrize(
    ("kind", "negatives", "message"),
    [
        ("sersik", None, r"no such simulator \(did you mean 'sersic'\?\).*wanted one of sersic, fields"),
        ("sersic", "pictures", "`negatives=pictures`: wanted none, as sersic takes no pictures"),
    ],
)
def test_a_kind_that_is_not_there_and_pictures_that_nobody_takes_are_refused(
    tmp_path, kind, negatives, message
):
    with pytest.raises(SettingsError, match=message):
        simulate.simulate(kind, tmp_path / "set", n=3, negatives=negatives)
