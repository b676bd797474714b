"""Galaxies to measurements: the kernels' face towards Python, for one galaxy or for many on threads."""

import itertools
import math
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from galsmith.measure.engine import flags
from galsmith.measure.engine.galaxy import NO_FIT, Choices, finite_sum, measure_galaxy
from galsmith.measure.engine.row import N_COLUMNS, PLACE, columns_of
from galsmith.measure.engine.segmentation.methods import FOUND, paper_map, survey_map
from galsmith.measure.engine.sersic.fit import INTEGRATED, PARITY
from galsmith.measure.engine.sersic.point_spread import effective_psf
from galsmith.measure.flags import CATASTROPHIC
from galsmith.measure.noise import disagreement, without_negative
from galsmith.measure.row import Measured

SERSIC_MODES = {"none": NO_FIT, "parity": PARITY, "integrated": INTEGRATED}
TASKS_AHEAD_PER_WORKER = 4

_PLACE_OF: dict[str, int] = PLACE._asdict()
_NO_PIXELS = np.empty((0, 0))
_BEFORE_FITS = np.array([_PLACE_OF[name] for name in columns_of(sersic="none", double_sersic=False)])
_NO_MASK = np.empty((0, 0), dtype=np.bool_)


@dataclass(frozen=True)
class Segmenting:
    """How a galaxy is found where no segmentation map is given.

    Attributes
    ----------
    method : {"paper", "survey"}
        As in `galsmith.measure.engine.segmentation.methods`.
    threshold_sigma : float
        A source lies this many standard deviations above the sky.
    minimum_pixels : int
        A source has at least so many connected pixels.
    smoothing_pix : int
        Side of the box that smooths its outline; the paper's only.
    """

    method: str = "paper"
    threshold_sigma: float = 1.5
    minimum_pixels: int = 5
    smoothing_pix: int = 10


@dataclass(frozen=True)
class Options:
    """How galaxies are measured.

    Attributes
    ----------
    segmenting : Segmenting
        How they are found.
    sky : {"box", "annulus"}
        From the first empty square, or from all of the background.
    sersic : {"integrated", "parity", "none"}
        The Sérsic fit.
    double_sersic : bool
        Whether two Sérsic laws are fitted too.
    gain : float or None
        Electrons per flux unit; None takes that of each galaxy.
    psf : ndarray [y, x], float64, or None
        Point spread function that the fits take into account.
    psf_kind : {"effective", "optical"}
        Whether the pixel is in it (`effective_psf`); not asked by fits with statmorph's steps.
    """

    segmenting: Segmenting
    sky: str = "box"
    sersic: str = "integrated"
    double_sersic: bool = False
    gain: float | None = None
    psf: NDArray[np.float64] | None = None
    psf_kind: str = "effective"


@dataclass(frozen=True)
class GalaxyInput:
    """One galaxy in one band, as it came.

    Attributes
    ----------
    image : ndarray [y, x]
        Flux per pixel.
    labels : ndarray [y, x], integer, or None
        Segmentation map; None finds the galaxy.
    label : int or None
        Which of its labels; None takes the one at the center, or the only one.
    mask : ndarray [y, x], bool, or None
        True where a pixel is to be ignored.
    sigma_map : ndarray [y, x] or None
        Standard deviation of each pixel, in flux units.
    psf : ndarray [y, x] or None
        Used in place of that of the options.
    psf_kind : {"effective", "optical"} or None
        Whether the pixel is in it; None takes what the options say.
    gain : float or None
        Electrons per flux unit, where the options do not say it; None where it is not known.
    level : float
        Of the sky, taken off the image before anything but the sum of its frame is measured.
    """

    image: NDArray[Any]
    labels: NDArray[Any] | None = None
    label: int | None = None
    mask: NDArray[np.bool_] | None = None
    sigma_map: NDArray[Any] | None = None
    psf: NDArray[Any] | None = None
    psf_kind: str | None = None
    gain: float | None = None
    level: float = 0.0


def measure_galaxy_input(galaxy: GalaxyInput, options: Options) -> Measured:
    """Measure one galaxy; what cannot be measured is NaN and a named flag, never an error."""
    row = np.full(N_COLUMNS, np.nan)
    noticed = np.zeros(flags.N_FLAGS, dtype=np.uint8)
    frame = _pixels(galaxy.image)
    image = frame - galaxy.level if galaxy.level != 0 else frame
    mask = _NO_MASK if galaxy.mask is None else _as_kernels_read(galaxy.mask, np.bool_)
    labels, label, failure = _found(image, mask, galaxy, options, noticed)
    if failure != FOUND:
        noticed[failure] = 1
        noticed[flags.NOT_FINITE_PIXELS] = not np.isfinite(image).all()
    else:
        gain = galaxy.gain if options.gain is None else options.gain
        sigma_map = _sigma_map(galaxy, noticed)
        measure_galaxy(
            image,
            labels,
            label=label,
            caller_mask=mask,
            sigma_map=sigma_map,
            choices=Choices(
                sky_is_all_background=options.sky == "annulus",
                sersic_mode=SERSIC_MODES[options.sersic],
                is_double=options.double_sersic,
                gain=math.inf if gain is None else float(gain),
                psf=_psf(galaxy, options),
            ),
            row=row,
            noticed=noticed,
        )
        _notice_noise(sigma_map, gain, row[PLACE.sky_sigma], noticed)
    row[PLACE.flux_frame] = finite_sum(frame)
    return _measured(row, noticed, options)


def measure_batch(galaxies: Iterable[GalaxyInput], options: Options, *, workers: int) -> Iterator[Measured]:
    """Measure many galaxies on threads, in their order; the result does not depend on the number of threads.

    Parameters
    ----------
    galaxies : iterable of GalaxyInput
        Taken a few ahead, so that memory holds few of them.
    options : Options
        How to measure.
    workers : int
        Threads; kernels run without the interpreter's lock.
    """
    if workers == 1:
        yield from (measure_galaxy_input(galaxy, options) for galaxy in galaxies)
        return
    left = iter(galaxies)
    pool = ThreadPoolExecutor(workers)
    try:
        # as many galaxies in memory as keep the threads busy
        ahead = itertools.islice(left, TASKS_AHEAD_PER_WORKER * workers)
        waiting: deque[Future[Measured]] = deque(
            pool.submit(measure_galaxy_input, galaxy, options) for galaxy in ahead
        )
        while waiting:
            yield waiting.popleft().result()
            waiting.extend(
                pool.submit(measure_galaxy_input, galaxy, options) for galaxy in itertools.islice(left, 1)
            )
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def find_galaxy(image: NDArray[np.float64], how: Segmenting) -> tuple[NDArray[np.int32], int]:
    """Find the galaxy of an image that has no segmentation map.

    Parameters
    ----------
    image : ndarray [y, x], float64
        Flux per pixel; pixels that are not finite belong to nothing.
    how : Segmenting
        How it is found.

    Returns
    -------
    labels : ndarray [y, x], int32
        1 where the galaxy is.
    failure : int
        `FOUND`, or the flag that says why there is none.
    """
    threshold, fewest = float(how.threshold_sigma), how.minimum_pixels
    if how.method == "survey":
        labels, failure = survey_map(image, threshold, fewest)
    else:
        labels, failure = paper_map(image, threshold, fewest, how.smoothing_pix)
    return labels, int(failure)


def is_elsewhere(image: NDArray[np.float64], labels: NDArray[np.int32], how: Segmenting) -> bool:
    """Whether another source than the one that was found lies at the middle of an image.

    That is where the map leaves the middle free, and the survey's method finds a source there which the map does not touch.

    Parameters
    ----------
    image : ndarray [y, x], float64
        As `find_galaxy` had it.
    labels : ndarray [y, x], int32
        What it found.
    how : Segmenting
        How.
    """
    height, width = labels.shape
    # the one pixel in the middle, or the two or four around it
    middle = labels[(height - 1) // 2 : height // 2 + 1, (width - 1) // 2 : width // 2 + 1]
    if how.method == "survey" or middle.any():
        return False
    central, failure = survey_map(image, float(how.threshold_sigma), how.minimum_pixels)
    return int(failure) == FOUND and not (labels[central == 1] > 0).any()


def chosen_label(labels: NDArray[np.int32], label: int | None) -> tuple[int, int]:
    """Find which label of a map is meant.

    Parameters
    ----------
    labels : ndarray [y, x], int32
        0 is the background.
    label : int or None
        None takes the one at the center, or the only one.

    Returns
    -------
    label : int
        0 where there is none.
    failure : int
        `FOUND`, or the flag that says why there is none.
    """
    inside = labels[labels > 0]
    if inside.size == 0:
        return 0, flags.NO_SOURCE
    if label is not None:
        return (label, FOUND) if (inside == label).any() else (0, flags.LABEL_MISSING)
    central = int(labels[labels.shape[0] // 2, labels.shape[1] // 2])
    if central > 0:
        return central, FOUND
    lowest = int(inside.min())
    return (lowest, FOUND) if lowest == int(inside.max()) else (0, flags.LABEL_MISSING)


def _found(
    image: NDArray[np.float64],
    mask: NDArray[np.bool_],
    galaxy: GalaxyInput,
    options: Options,
    noticed: NDArray[np.uint8],
) -> tuple[NDArray[np.int32], int, int]:
    """Give the map, the label in it, and the flag that says why there is none, or `FOUND`."""
    if galaxy.labels is not None:
        labels = _as_kernels_read(galaxy.labels, np.int32)
        return labels, *chosen_label(labels, galaxy.label)
    searched = np.where(mask, np.nan, image) if mask.size else image
    found, failure = find_galaxy(searched, options.segmenting)
    noticed[flags.NOT_CENTRAL] = failure == FOUND and is_elsewhere(searched, found, options.segmenting)
    return found, 1, failure


def _sigma_map(galaxy: GalaxyInput, noticed: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Give the map of sigmas, negative ones undefined."""
    if galaxy.sigma_map is None:
        return _NO_PIXELS
    sigma_map, has_negative = without_negative(galaxy.sigma_map)
    noticed[flags.SIGMA_NEGATIVE] = has_negative
    return _pixels(sigma_map)


def _psf(galaxy: GalaxyInput, options: Options) -> NDArray[np.float64]:
    """Give the point spread function as the fit takes it."""
    psf = _pixels(options.psf if galaxy.psf is None else galaxy.psf)
    kind = options.psf_kind if galaxy.psf_kind is None else galaxy.psf_kind
    is_optical = kind == "optical" and options.sersic == "integrated"
    return effective_psf(psf) if is_optical and psf.size else psf


def _notice_noise(
    sigma_map: NDArray[np.float64], gain: float | None, sky_sigma: float, noticed: NDArray[np.uint8]
) -> None:
    """Flag noise that is not known, or a map of it that is not to be believed."""
    if sigma_map.size:
        disagrees, is_inverse = disagreement(sigma_map, sky_sigma)
        noticed[flags.SIGMA_IS_INVERSE_VARIANCE] = is_inverse
        noticed[flags.SIGMA_DISAGREES] = disagrees and not is_inverse
    elif gain is None:
        noticed[flags.NOISE_FROM_SKY_ALONE if sky_sigma > 0 else flags.NOISE_UNKNOWN] = 1


def _measured(row: NDArray[np.float64], noticed: NDArray[np.uint8], options: Options) -> Measured:
    """Bring a row and what was noticed to names; a value without a number has a flag."""
    columns = columns_of(sersic=options.sersic, double_sersic=options.double_sersic)
    # an infinity, too, is a quantity that could not be measured
    is_lost = ~np.isfinite(row)
    row[is_lost] = np.nan
    # a NaN always has a flag, even where no step thought of one
    if is_lost[_BEFORE_FITS].any() and not _gravity(noticed, 0, flags.FIRST_SERSIC_FLAG):
        noticed[flags.VALUE_UNDEFINED] = 1
    fit_flags = {}
    if options.sersic != "none":
        fit_flags["flag_sersic"] = _gravity(noticed, flags.FIRST_SERSIC_FLAG, flags.FIRST_DOUBLE_SERSIC_FLAG)
    if options.double_sersic:
        fit_flags["flag_double_sersic"] = _gravity(noticed, flags.FIRST_DOUBLE_SERSIC_FLAG, flags.N_FLAGS)
    flag = _gravity(noticed, 0, flags.FIRST_SERSIC_FLAG)
    if flag == CATASTROPHIC:
        fit_flags = dict.fromkeys(fit_flags, CATASTROPHIC)
    return Measured(
        values=dict(zip(columns, row[_places_of(columns)].tolist(), strict=True)),
        flag=flag,
        fit_flags=fit_flags,
        flags=[flags.FLAG_NAMES[index] for index in np.flatnonzero(noticed)],
    )


@cache
def _places_of(columns: tuple[str, ...]) -> NDArray[np.int64]:
    """Places of some columns in a row."""
    return np.array([_PLACE_OF[name] for name in columns])


def _gravity(noticed: NDArray[np.uint8], first: int, last: int) -> int:
    """Greatest gravity among some of the flags."""
    return int(np.max(flags.FLAG_GRAVITY[first:last] * noticed[first:last], initial=0))


def _pixels(array: NDArray[Any] | None) -> NDArray[np.float64]:
    """As kernels read it: float64, rows on end; nothing is an array without pixels."""
    return _NO_PIXELS if array is None else _as_kernels_read(array, np.float64)


def _as_kernels_read(array: NDArray[Any], dtype: type) -> NDArray[Any]:
    """Rows on end, and writable: for arrays that are not, kernels would be compiled anew."""
    return np.require(array, dtype, ["C_CONTIGUOUS", "WRITEABLE"])
