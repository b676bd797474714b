"""The kernels that Python calls, with the types they are called with: kept from an earlier run, or compiled now.

Compiling takes about half a minute of one core, so several processes share it, and a call compiles what it needs: they
write into the cache that numba keeps, and this process reads from there. Where a process could not, this one compiles what
is missing.
"""

import gc
import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from enum import Enum
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any, NamedTuple

import numba
import numpy as np
from numba.core import event

from galsmith.measure.engine.compiled.freshness import place_of_kept_code
from galsmith.measure.engine.flags import N_FLAGS
from galsmith.measure.engine.galaxy import (
    Place,
    cut_galaxy,
    find_place,
    find_sky,
    finite_sum,
    tell_maps,
    tell_radii,
    tell_structure,
)
from galsmith.measure.engine.light.statistics import noise_map
from galsmith.measure.engine.row import N_COLUMNS
from galsmith.measure.engine.segmentation.methods import paper_map, survey_map
from galsmith.measure.engine.sersic.fit import Start, make_conventional, sersic_start
from galsmith.measure.engine.sersic.optimum import bounds_of, fit_blurred, fit_sharp
from galsmith.measure.engine.sersic.point_spread import PointSpread
from galsmith.measure.engine.sersic.residuals import (
    SersicData,
    count_used,
    sersic_data,
    with_light_from_beyond,
)
from galsmith.measure.engine.sersic.special_functions import half_light_scale, half_light_slope
from galsmith.measure.engine.stamp import Moments, SkyBox, Stamp

LOGGER = logging.getLogger("galsmith")
MOST_PROCESSES = 4
SECONDS_BETWEEN_LOOKS = 0.3
_type_of: Callable[[Any], Any] = numba.typeof

_PIXELS, _PARAMETERS = np.zeros((1, 1)), np.zeros(7)
_LABELS, _FLAT = np.zeros((1, 1), dtype=np.int32), np.zeros(1, dtype=np.int64)
_MAP, _COUNTS = np.zeros((1, 1), dtype=np.bool_), np.zeros((1, 1), dtype=np.int64)
_RESULTS = np.zeros(N_COLUMNS), np.zeros(N_FLAGS, dtype=np.uint8)
_MOMENTS = Moments(0.0, 1.0, 0.0)
_SKY = SkyBox(1, 0, 0, True, 0.0, 0.0, 1.0, 0.0)  # noqa: FBT003
_PLACE = Place(0.0, 0.0, 1.0, 0.0, 0.0, _MOMENTS)
_STAMP = Stamp(
    *(_PIXELS, _PIXELS, _PIXELS, _MAP, _MAP, _MAP, _FLAT, _PIXELS, _PIXELS, _COUNTS, _PIXELS),
    *(1, 0, 0, 0, 0),
)
_DATA = SersicData(_PIXELS, _PIXELS, PointSpread(_PIXELS, 0, 0, _PIXELS, _PIXELS))


class Use(Enum):
    """Which measurements call a kernel; what a few galaxies of others need is compiled when they come."""

    ALWAYS = "always"
    PAPER = "segmentation by the paper's method"
    SURVEY = "segmentation by the survey's method"
    FIT = "Sérsic fit"
    SHARP = "Sérsic fit without a point spread"
    BLURRED = "Sérsic fit behind a point spread"


class Kernel(NamedTuple):
    """A compiled function, arguments of the types it is called with, about how long it compiles (seconds), and its use."""

    function: Any
    arguments: tuple[Any, ...]
    seconds: float
    use: Use = Use.ALWAYS


KERNELS: dict[str, Kernel] = {
    kernel.function.__name__: kernel
    for kernel in (
        Kernel(tell_maps, (_STAMP, _PLACE, 1.0, _PIXELS, *_RESULTS), 9),
        Kernel(fit_sharp, (_DATA, _PARAMETERS, _FLAT, 1e-9, 1, False, _PIXELS), 6, Use.SHARP),
        Kernel(fit_blurred, (_DATA, _PARAMETERS, _FLAT, 1e-9, 1, _PIXELS), 5, Use.BLURRED),
        Kernel(tell_radii, (_STAMP, _SKY, _PLACE, *_RESULTS), 4.3),
        Kernel(find_place, (_STAMP, _SKY, *_RESULTS), 1.4),
        Kernel(paper_map, (_PIXELS, 1.5, 5, 10), 1.8, Use.PAPER),
        Kernel(cut_galaxy, (_PIXELS, _LABELS, 1, _MAP, _PIXELS, True, *_RESULTS), 1.6),
        Kernel(sersic_data, (_PIXELS, _PIXELS, _PIXELS), 0.8, Use.FIT),
        Kernel(tell_structure, (_STAMP, _SKY, _PLACE, 1.0, *_RESULTS), 1),
        Kernel(survey_map, (_PIXELS, 1.5, 5), 1.2, Use.SURVEY),
        Kernel(find_sky, (_STAMP, True, *_RESULTS), 1),
        Kernel(sersic_start, (_STAMP, Start(0.0, 0.0, 1.0, 3.0, _MOMENTS), _RESULTS[1]), 0.4, Use.FIT),
        Kernel(noise_map, (_STAMP, 1.0, _SKY, _PIXELS), 0.2),
        Kernel(make_conventional, (_PARAMETERS,), 0.1, Use.FIT),
        Kernel(with_light_from_beyond, (_DATA,), 0.5, Use.BLURRED),
        Kernel(bounds_of, ((1, 1), 7), 0.1, Use.FIT),
        Kernel(half_light_scale, (1.0,), 0.1, Use.FIT),
        Kernel(half_light_slope, (1.0,), 0.1, Use.FIT),
        Kernel(count_used, (_PIXELS,), 0.1, Use.FIT),
        Kernel(finite_sum, (_PIXELS,), 0.1),
    )
}


def kernels_for(*, segmentation: str, sersic: str, has_psf: bool) -> list[str]:
    """Names of the kernels that galaxies measured in one way need.

    Parameters
    ----------
    segmentation : {"paper", "survey"}
        How galaxies are found.
    sersic : {"integrated", "parity", "none"}
        The fit.
    has_psf : bool
        Whether the fits take a point spread into account.
    """
    uses = {Use.ALWAYS, Use.SURVEY if segmentation == "survey" else Use.PAPER}
    if sersic != "none":
        uses.add(Use.FIT)
    if sersic == "integrated":
        uses.add(Use.BLURRED if has_psf else Use.SHARP)
    return [name for name, kernel in KERNELS.items() if kernel.use in uses]


class _FunctionCount(event.Listener):
    """Counts the functions that numba has compiled."""

    def __init__(self, tell: Callable[[int], None]) -> None:
        self._tell, self._done = tell, 0

    def on_start(self, event: Any) -> None:
        """Wait for its end."""

    def on_end(self, event: Any) -> None:
        """Tell that one more is done."""
        del event
        self._done += 1
        self._tell(self._done)


def compile_kernels(names: list[str], *, tell: Callable[[int], None]) -> None:
    """Load kernels from the cache, or compile them into it where it has none.

    Parameters
    ----------
    names : list of str
        From `KERNELS`.
    tell : callable
        Told how many functions were compiled so far, several times a second while there are any.
    """
    is_collecting = gc.isenabled()
    gc.disable()  # the compiler makes much that stays: looking through it takes a seventh of the time
    try:
        with event.install_listener("numba:compile", _FunctionCount(tell)):
            for name in names:
                kernel = KERNELS[name]
                kernel.function.compile(tuple(_type_of(argument) for argument in kernel.arguments))
    finally:
        if is_collecting:
            gc.enable()


def missing_kernels(names: Iterable[str] = KERNELS) -> list[str]:
    """Give those of some kernels of which the cache has no code, those that compile longest first."""
    return [name for name in names if not _is_kept(KERNELS[name].function)]


def compile_in_processes(names: list[str], *, processes: int, tell: Callable[[int], None]) -> None:
    """Compile kernels into the cache, several at a time, one share of them in this process.

    Parameters
    ----------
    names : list of str
        From `KERNELS`, those that compile longest first; none is nothing to do.
    processes : int
        How many at a time. One that fails is told in the log; what it leaves out is compiled when it is needed.
    tell : callable
        Told how many functions all of them have compiled, several times a second.
    """
    shares = shares_of(names, processes)
    elsewhere: SimpleQueue[str] = SimpleQueue()
    running = [_begun(share) for share in shares[1:]]
    listeners = [Thread(target=_listen, args=(process, elsewhere), daemon=True) for process in running]
    done_here = 0

    def tell_all(done: int) -> None:
        nonlocal done_here
        done_here = done
        tell(done + elsewhere.qsize())

    try:
        for listener in listeners:
            listener.start()
        if shares:
            compile_kernels(shares[0], tell=tell_all)
        for process, listener in zip(running, listeners, strict=True):
            while listener.is_alive():
                listener.join(SECONDS_BETWEEN_LOOKS)
                tell_all(done_here)
            _warn_of_failure(process)
    finally:
        for process in running:
            process.kill()
            process.wait()


def _listen(process: subprocess.Popen[str], told: SimpleQueue[str]) -> None:
    """Take in a line for each function that a process has compiled."""
    for line in process.stdout or ():
        told.put(line)


def _warn_of_failure(process: subprocess.Popen[str]) -> None:
    """Say in the log why a process failed, if it did."""
    _, errors = process.communicate()
    if process.returncode != 0:
        last_line = (errors.strip().splitlines() or ["no message"])[-1]
        LOGGER.warning("a process that compiles the engine failed (%s); going on without it", last_line)


def shares_of(names: list[str], count: int) -> list[list[str]]:
    """Deal out kernels, longest first, so that all shares take about as long; no share is empty."""
    shares: list[list[str]] = [[] for _ in range(min(count, len(names)))]
    seconds = [0.0] * len(shares)
    for name in names:
        least = seconds.index(min(seconds))
        shares[least].append(name)
        seconds[least] += KERNELS[name].seconds
    return shares


def usable_cores() -> int:
    """How many processes may compile at a time."""
    return min(
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        MOST_PROCESSES,
    )


def _begun(names: list[str]) -> subprocess.Popen[str]:
    """Begin to compile in a process of its own."""
    code = (
        f"from {__name__} import compile_kernels; "
        f"compile_kernels({json.dumps(names)}, tell=lambda done: print(done, flush=True))"
    )
    environment = dict(os.environ)
    chosen_cache = vars(numba.config).get("CACHE_DIR")
    if chosen_cache:
        environment["NUMBA_CACHE_DIR"] = str(chosen_cache)
    return subprocess.Popen(
        [sys.executable, "-c", code],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _is_kept(function: Any) -> bool:
    """Whether there is an index of a kernel's code: its name, but for its line and the machine's kind, is numba's."""
    source = Path(function.py_func.__code__.co_filename)
    return any(place_of_kept_code(source.parent).glob(f"{source.stem}.{function.__name__}-*.nbi"))
