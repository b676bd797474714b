"""Kernels are compiled once, for the types with which Python calls them, by several processes where there are several."""

import os
import subprocess
import sys

import numpy as np
import pytest

from galsmith.measure import compiled_engine
from galsmith.measure.engine import kernels
from galsmith.measure.engine.batch import GalaxyInput, Options, Segmenting, measure_galaxy_input


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache that holds the code of some kernels."""

    def holding(names):
        for name in names:
            module = kernels.KERNELS[name].function.__module__.rpartition(".")[2]
            (tmp_path / f"{module}.{name}-12.py311.nbi").write_bytes(b"")
        return tmp_path

    monkeypatch.setattr(kernels, "place_of_kept_code", lambda folder: tmp_path)
    return holding


@pytest.fixture
def log(monkeypatch, caplog):
    """What is done and said where nothing is in memory."""
    done = []
    monkeypatch.setattr(compiled_engine, "_is_loaded", lambda names: False)
    monkeypatch.setattr(
        kernels,
        "compile_in_processes",
        lambda names, *, processes, tell: (done.append((names, processes)), tell(7)),
    )
    monkeypatch.setattr(kernels, "compile_kernels", lambda names, *, tell: done.append((names, 1)))
    return done


def _signatures():
    """Types that each kernel is compiled for so far; other tests may have asked for some."""
    return {name: set(kernel.function.signatures) for name, kernel in kernels.KERNELS.items()}


def test_galaxies_need_no_other_types_than_those_compiled():
    kernels.compile_kernels(list(kernels.KERNELS), tell=lambda done: None)
    before = _signatures()
    y, x = np.mgrid[:48, :48] - 23.5
    image = np.exp(-np.hypot(x, 1.5 * y) / 4)
    for method, sky in (("paper", "box"), ("survey", "annulus")):
        measured = measure_galaxy_input(GalaxyInput(image), Options(Segmenting(method), sky=sky))
        assert measured.values["sersic_index"] == pytest.approx(1.0, abs=0.2)
    read_only = image.astype(">f4")
    read_only.flags.writeable = False
    labels = np.ones(image.shape, dtype=np.int64)
    labels.flags.writeable = False
    measure_galaxy_input(GalaxyInput(read_only, labels=labels), Options(Segmenting()))
    assert _signatures() == before


def test_readonly_float64_pixels_and_maps_need_no_other_types_either():
    image = np.random.default_rng(0).normal(0, 1, (40, 40))
    image[15:25, 15:25] += 30
    labels, mask = (image > 10).astype(np.int32), np.zeros(image.shape, dtype=np.bool_)
    writable = measure_galaxy_input(GalaxyInput(image, labels=labels, mask=mask), Options(Segmenting()))
    before = _signatures()
    for array in (image, labels, mask):
        array.flags.writeable = False
    readonly = measure_galaxy_input(GalaxyInput(image, labels=labels, mask=mask), Options(Segmenting()))
    assert readonly.values == pytest.approx(writable.values, nan_ok=True, rel=0)
    assert _signatures() == before


@pytest.mark.parametrize(
    ("segmentation", "sersic", "fwhm"),
    [("paper", "integrated", None), ("survey", "integrated", 2.0), ("paper", "none", None)],
)
def test_a_measurement_calls_the_kernels_that_are_compiled_for_it_and_no_others(segmentation, sersic, fwhm):
    script = f"""
import numpy as np
from galsmith.measure.compiled_engine import gaussian_psf
from galsmith.measure.engine import kernels
from galsmith.measure.engine.batch import GalaxyInput, Options, Segmenting, measure_galaxy_input
y, x = np.mgrid[:48, :48] - 23.5
psf = None if {fwhm} is None else gaussian_psf({fwhm})
image = np.exp(-np.hypot(x, 1.5 * y) / 4)
measured = measure_galaxy_input(GalaxyInput(image), Options(Segmenting({segmentation!r}), sersic={sersic!r}, psf=psf))
assert measured.flag < 4
called = [name for name, kernel in kernels.KERNELS.items() if kernel.function.signatures]
print(*called)
"""
    ended = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    called = set(ended.stdout.split())
    wanted = kernels.kernels_for(segmentation=segmentation, sersic=sersic, has_psf=fwhm is not None)
    assert called == set(wanted)
    assert ("fit_blurred" in called) == (fwhm is not None)
    assert ("fit_sharp" in called) == (fwhm is None and sersic != "none")


def test_only_what_is_wanted_is_compiled(cache, log, monkeypatch):
    monkeypatch.setattr(kernels, "usable_cores", lambda: 2)
    wanted = kernels.kernels_for(segmentation="paper", sersic="none", has_psf=False)
    cache([])
    compiled_engine.load_kernels(lambda event: None, wanted)
    assert log == [(wanted, 2), (wanted, 1)]
    assert set(wanted) < set(kernels.KERNELS)


def test_what_the_cache_holds_is_not_compiled_again(cache, log, caplog):
    cache(kernels.KERNELS)
    assert kernels.missing_kernels() == []
    compiled_engine.load_kernels(lambda event: None)
    assert log == [(list(kernels.KERNELS), 1)]
    assert caplog.text == ""


def test_what_it_lacks_is_compiled_by_several_processes_and_told(cache, log, caplog, monkeypatch):
    monkeypatch.setattr(kernels, "usable_cores", lambda: 2)
    cache(kernels.KERNELS.keys() - {"tell_maps", "find_sky"})
    told = []
    compiled_engine.load_kernels(told.append)
    assert [(event.stage, event.done) for event in told] == [
        ("loading the engine", 0),
        ("compiling the engine", 7),
    ]
    assert log == [(["tell_maps", "find_sky"], 2), (list(kernels.KERNELS), 1)]
    assert caplog.text.count("compiling the engine for the first time") == 1


def test_one_core_compiles_alone_and_says_how_long_it_takes(cache, log, caplog, monkeypatch):
    monkeypatch.setattr(kernels, "usable_cores", lambda: 1)
    cache([])
    compiled_engine.load_kernels(lambda event: None)
    assert log == [(list(kernels.KERNELS), 1)]
    assert "about half a minute" in caplog.text


@pytest.mark.parametrize("count", [1, 2, 3, 40])
def test_shares_hold_every_kernel_once_and_are_about_equal(count):
    names = list(kernels.KERNELS)
    shares = kernels.shares_of(names, count)
    assert sorted(name for share in shares for name in share) == sorted(names)
    assert all(shares)
    seconds = [sum(kernels.KERNELS[name].seconds for name in share) for share in shares]
    if count <= 3:
        assert max(seconds) - min(seconds) <= 6


def test_nothing_missing_is_nothing_to_do():
    told = []
    kernels.compile_in_processes([], processes=2, tell=told.append)
    assert told == []


def test_a_process_that_fails_is_told(caplog, monkeypatch):
    failing = subprocess.Popen(
        [sys.executable, "-c", "raise SystemExit('out of memory')"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    monkeypatch.setattr(kernels, "_begun", lambda names: failing)
    kernels.compile_in_processes(["count_used", "finite_sum"], processes=2, tell=lambda done: None)
    assert "failed (out of memory); going on without it" in caplog.text


@pytest.mark.slow
def test_processes_fill_an_empty_cache(tmp_path):
    # where a process keeps code is settled when it imports
    script = (
        "from galsmith.measure.engine import kernels; "
        "kernels.compile_in_processes(['noise_map', 'count_used'], processes=2, tell=print)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)},
        check=True,
        capture_output=True,
        text=True,
    )
    told = [int(line) for line in ended.stdout.split()]
    assert told == sorted(told)
    assert told[-1] >= 2
    names = {path.name.partition("-")[0] for path in tmp_path.rglob("*.nbi")}
    assert {"statistics.noise_map", "residuals.count_used"} <= names
