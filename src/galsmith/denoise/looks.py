"""What a denoiser sees: clean images observed anew at every look, with point spread functions and noise that are drawn."""

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Annotated, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from scipy import ndimage

from galsmith.errors import InputError
from galsmith.images import ImageHeader
from galsmith.images.units import is_per_area
from galsmith.observe.convolution import Convolver
from galsmith.observe.observation import Observation
from galsmith.observe.observed import Observed
from galsmith.observe.pixel_grid import resampled
from galsmith.observe.psf import brought_to_step
from galsmith.observe.stamps import hash_of_stamp, read_stamp
from galsmith.settings import Settings

Pixels = NDArray[np.float32]
Interval = tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]]
SIDE_MULTIPLE = 2
PSF_REACH_FWHM, LARGEST_PSF_REACH_PIX = 3.0, 32
MOFFAT_BETA = (2.0, 6.0)  # from bad seeing to nearly a Gaussian (Trujillo et al. 2001)
INDEPENDENT_SHARE = 0.5  # of looks in which neighbors share nothing


class LookRange(Settings):
    """Over what a denoiser is trained beyond the one observation of its recipe; nothing varies where all is left out.

    Attributes
    ----------
    noise_factor : tuple of float
        Least and largest factor of the observation's noise; drawn log-uniformly.
    psf_fwhm_pix : tuple of float, or None
        Least and largest width of the PSF, drawn log-uniformly, in place of the observation's PSF: a Gaussian or, as
        often, a Moffat law, elliptical, the same law in all bands with widths a little apart.
    largest_ellipticity : float
        1 - b/a of such PSFs is uniform below it.
    psf_images_path : str or None
        FITS image with one plane a measured PSF, of which looks take one in place of a law.
    psf_images_share : float
        Share of the looks that do; all of them where `psf_fwhm_pix` is left out.
    psf_images_stretch : tuple of float
        Least and largest factor of such a PSF's width; drawn log-uniformly.
    pixel_factors : tuple of float
        One is drawn at each look: pixels become so many times as large before anything else.
    signal_to_noise : tuple of float, or None
        Least and largest root of the sum of the squares of an image with its PSF over the sky's noise in a pixel, drawn
        log-uniformly; in place of the observation's noise.
    brightest_variance : tuple of float
        Beside `signal_to_noise`: least and largest variance of the noise in the brightest pixel over that of the sky, by
        light that is counted; drawn log-uniformly.
    largest_neighbor_weight : float
        Beside `signal_to_noise`: noise of half of the looks is mixed by weights (w, 1, w) along both axes, with w uniform
        below this, as in images that were resampled. The network is told.
    """

    noise_factor: Interval = (1.0, 1.0)
    psf_fwhm_pix: Interval | None = None
    largest_ellipticity: Annotated[float, Field(ge=0, lt=1)] = 0.15
    psf_images_path: str | None = None
    psf_images_share: Annotated[float, Field(gt=0, le=1)] = 0.5
    psf_images_stretch: Interval = (0.8, 1.25)
    pixel_factors: tuple[Annotated[float, Field(ge=1)], ...] = (1.0,)
    signal_to_noise: Interval | None = None
    brightest_variance: tuple[Annotated[float, Field(ge=1)], Annotated[float, Field(ge=1)]] = (1.0, 1.0)
    largest_neighbor_weight: Annotated[float, Field(ge=0, le=0.5)] = 0.0

    @model_validator(mode="after")
    def _in_order(self) -> "LookRange":
        """Want the least first, and one factor or more."""
        for name in (
            "noise_factor",
            "psf_fwhm_pix",
            "psf_images_stretch",
            "signal_to_noise",
            "brightest_variance",
        ):
            found = getattr(self, name)
            if found is not None and found[0] > found[1]:
                raise ValueError(f"{name} is {found}; wanted the least first")
        if not self.pixel_factors:
            raise ValueError("pixel_factors is empty; wanted one or more, 1 leaves pixels as they are")
        return self

    @model_validator(mode="after")
    def _one_noise(self) -> "LookRange":
        """Refuse two statements of the noise, and what goes beside one that is not there."""
        is_drawn = self.signal_to_noise is not None
        if is_drawn and self.noise_factor != (1.0, 1.0):
            raise ValueError("noise_factor and signal_to_noise came; wanted one of them")
        beside = self.largest_neighbor_weight > 0 or self.brightest_variance != (1.0, 1.0)
        if beside and not is_drawn:
            raise ValueError(
                "brightest_variance and largest_neighbor_weight go beside signal_to_noise, which is missing"
            )
        return self

    @property
    def varies_psf(self) -> bool:
        """Whether point spread functions are drawn, in place of the observation's."""
        return self.psf_fwhm_pix is not None or self.psf_images_path is not None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values of all that decides looks: of a file its content, not its place."""
        values = self.model_dump(mode="json", exclude={"psf_images_path"})
        if self.psf_images_path is None:
            return values
        table = read_stamp(self.psf_images_path, argument="range.psf_images_path")[0]
        return {**values, "psf_images_sha256": hash_of_stamp(table)}

    def kernels(self, chance: np.random.Generator, n_bands: int) -> Pixels:
        """Draw a point spread function, [band, k, k] float32 of odd side and sum 1; there has to be something to draw."""
        path, widths = self.psf_images_path, self.psf_fwhm_pix
        if path is not None and (widths is None or chance.random() < self.psf_images_share):
            return drawn_from_table(chance, path, n_bands, stretch=self.psf_images_stretch)
        if widths is None:
            raise ValueError("neither psf_fwhm_pix nor psf_images_path is there; nothing to draw")
        return drawn_kernels(chance, widths, n_bands, largest_ellipticity=self.largest_ellipticity)


def drawn_kernels(
    chance: np.random.Generator, fwhm_pix: Interval, n_bands: int, *, largest_ellipticity: float
) -> Pixels:
    """Draw a point spread function, [band, k, k] float32 of odd side and sum 1.

    Parameters
    ----------
    chance : Generator
        Of random numbers.
    fwhm_pix : tuple of float
        Least and largest full width at half maximum.
    n_bands : int
        Widths of bands scatter by 5 % about one.
    largest_ellipticity : float
        Of 1 - b/a.
    """
    is_moffat, angle = chance.random() < 0.5, chance.uniform(0, math.pi)
    beta, axis_ratio = chance.uniform(*MOFFAT_BETA), 1 - chance.uniform(0, largest_ellipticity)
    middle = math.exp(chance.uniform(*np.log(fwhm_pix)))
    widths = np.clip(middle * np.exp(0.05 * chance.standard_normal(n_bands)), *fwhm_pix)
    reach = min(LARGEST_PSF_REACH_PIX, math.ceil(PSF_REACH_FWHM * widths.max()))
    # three points a pixel along each side: narrow laws are not their values at pixel centers
    axis = (np.arange(3 * (2 * reach + 1)) - (3 * reach + 1)) / 3
    y, x = axis[:, np.newaxis], axis[np.newaxis]
    major, minor = x * math.cos(angle) + y * math.sin(angle), y * math.cos(angle) - x * math.sin(angle)
    square = (major**2 * axis_ratio + minor**2 / axis_ratio) / (widths[:, np.newaxis, np.newaxis] / 2) ** 2
    # half of the maximum is at square = 1 in both laws
    values = (1 + square * (2 ** (1 / beta) - 1)) ** -beta if is_moffat else np.exp2(-square)
    kernels = values.reshape(n_bands, 2 * reach + 1, 3, 2 * reach + 1, 3).sum(axis=(2, 4))
    return (kernels / kernels.sum(axis=(1, 2), keepdims=True)).astype(np.float32)


def drawn_from_table(chance: np.random.Generator, path: str, n_bands: int, *, stretch: Interval) -> Pixels:
    """Draw one of a table of point spread functions, the same in all bands, [band, k, k] float32 of odd side and sum 1.

    Parameters
    ----------
    chance : Generator
        Of random numbers.
    path : str
        FITS image with one plane a PSF, such as images of stars, each about in the middle of its plane.
    n_bands : int
        How often it is given.
    stretch : tuple of float
        Least and largest factor of its width, drawn log-uniformly.

    Raises
    ------
    InputError
        If a plane has no positive sum.
    """
    table = read_stamp(path, argument="range.psf_images_path")[0]
    number = int(chance.integers(len(table)))
    image = table[number]
    if not image.sum() > 0:
        raise InputError(
            f"plane {number} has the sum {image.sum():g}; wanted images of stars, of positive sum",
            argument="range.psf_images_path",
            came=path,
        )
    factor = math.exp(chance.uniform(*np.log(stretch)))
    kernel = _cut(brought_to_step(image, 1 / factor))
    return np.repeat((kernel / kernel.sum()).astype(np.float32)[np.newaxis], n_bands, axis=0)


def _cut(kernel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cut a kernel [k, k] of odd side to the largest reach."""
    beyond = max(0, len(kernel) // 2 - LARGEST_PSF_REACH_PIX)
    return kernel[beyond : len(kernel) - beyond, beyond : len(kernel) - beyond]


class DrawnNoise(NamedTuple):
    """An image [band, y, x] float32 with noise, its inverse variance, and the correlation of pixels by their distance."""

    image: Pixels
    ivar: Pixels
    correlation: Pixels | None


def with_drawn_noise(
    mean: Pixels,
    chance: np.random.Generator,
    *,
    signal_to_noise: Interval,
    brightest_variance: Interval,
    largest_neighbor_weight: float,
) -> DrawnNoise:
    """Add noise to an image whose mean is known.

    Parameters
    ----------
    mean : ndarray [band, y, x], float32
        With the PSF, without noise.
    chance : Generator
        Of random numbers.
    signal_to_noise : tuple of float
        Least and largest root of the sum of mean^2 in a band over the sky's noise; drawn log-uniformly, one for all bands.
    brightest_variance : tuple of float
        Least and largest variance of the brightest pixel over that of the sky, which counted light adds; drawn
        log-uniformly. Between them the variance follows the light.
    largest_neighbor_weight : float
        As `drawn_neighbor_weight` takes it.
    """
    wanted = math.exp(chance.uniform(*np.log(signal_to_noise)))
    brightest = math.exp(chance.uniform(*np.log(brightest_variance)))
    light = np.maximum(mean, 0).astype(np.float64)
    peak = light.max(axis=(1, 2), keepdims=True)
    power = np.sqrt((mean.astype(np.float64) ** 2).sum(axis=(1, 2), keepdims=True))
    # an empty frame has no signal: any noise will do
    sigma = np.where(power > 0, power / wanted, 1.0)
    share = np.divide(light, peak, out=np.zeros_like(light), where=peak > 0)
    variance = sigma**2 * (1 + (brightest - 1) * share)
    weight = drawn_neighbor_weight(chance, largest_neighbor_weight)
    unit = chance.standard_normal(mean.shape)
    if weight > 0:
        unit = mixed_with_neighbors(unit, weight)
    noisy = mean + np.sqrt(variance) * unit
    correlation = None if weight == 0 else neighbor_correlation(weight)
    return DrawnNoise(noisy.astype(np.float32), (1 / variance).astype(np.float32), correlation)


def drawn_neighbor_weight(chance: np.random.Generator, largest: float) -> float:
    """Draw how much of its neighbors' noise a pixel has along each axis: 0 in half of the looks, else uniform below."""
    is_shared, weight = chance.random() >= INDEPENDENT_SHARE, float(chance.uniform(0, largest))
    return weight if is_shared else 0.0


def mixed_with_neighbors(unit: NDArray[np.float64], weight: float) -> NDArray[np.float64]:
    """Mix independent noise [band, y, x] of variance 1 by weights (w, 1, w) along both axes, as resampling does."""
    taps = _taps(weight)
    for axis in (-2, -1):
        unit = ndimage.convolve1d(unit, taps, axis=axis, mode="wrap")
    return unit


def neighbor_correlation(weight: float) -> Pixels:
    """Correlation of noise so mixed, [5, 5] float32, 1 in the middle."""
    taps = _taps(weight)
    line = np.convolve(taps, taps)
    return np.outer(line, line).astype(np.float32)


def _taps(weight: float) -> NDArray[np.float64]:
    """Weights whose squares sum to 1, so that the variance stays."""
    taps = np.array([weight, 1.0, weight])
    return taps / math.sqrt(1 + 2 * weight**2)


@dataclass(frozen=True)
class Looks:
    """Observes clean images as a recipe says, within its range.

    Attributes
    ----------
    observation : Observation
        What is done where nothing varies.
    range : LookRange
        What varies.
    header : ImageHeader
        Of the clean images.
    """

    observation: Observation
    range: LookRange
    header: ImageHeader

    def at(self, image: Pixels, chance: np.random.Generator) -> Observed:
        """Observe one clean image [band, y, x], with all that varies drawn from `chance`."""
        factor = self.range.pixel_factors[int(chance.integers(len(self.range.pixel_factors)))]
        noise_factor = math.exp(chance.uniform(*np.log(self.range.noise_factor)))
        if factor != 1 and min(image.shape[-2:]) >= 2 * SIDE_MULTIPLE * factor:
            per_area = is_per_area(self.header.flux_unit)
            image = resampled(image, factor, "area", keeps_level=per_area).astype(np.float32)
        if self.range.signal_to_noise is not None:
            return self._at_drawn_noise(image, chance, self.range.signal_to_noise)
        if not self.range.varies_psf:
            found = self.observation.observe(image, chance, self.header)
            mean = (
                None if noise_factor == 1 else self._without_noise.observe(image, chance, self.header).image
            )
            return found if mean is None else _with_noise_times(found, mean, noise_factor)
        kernels = self.range.kernels(chance, len(image))
        mean = Convolver(kernels, _shape(image))(image).astype(np.float32)
        found = replace(self._without_psf.observe(mean, chance, self.header), psf=kernels, truth=image)
        return _with_noise_times(found, mean, noise_factor)

    def _at_drawn_noise(self, image: Pixels, chance: np.random.Generator, reach: Interval) -> Observed:
        """Observe an image at a signal to noise that is drawn."""
        if self.range.varies_psf:
            kernels = self.range.kernels(chance, len(image))
            mean = Convolver(kernels, _shape(image))(image).astype(np.float32)
            seen = Observed(mean, np.ones_like(mean), kernels, image)
        else:
            seen = self._without_noise.observe(image, chance, self.header)
        noise = with_drawn_noise(
            seen.image,
            chance,
            signal_to_noise=reach,
            brightest_variance=self.range.brightest_variance,
            largest_neighbor_weight=self.range.largest_neighbor_weight,
        )
        return replace(seen, image=noise.image, ivar=noise.ivar, noise_correlation=noise.correlation)

    def with_fixed_noise(self) -> "Looks":
        """Give looks at which the noise is that of the observation."""
        return replace(self, range=self.range.model_copy(update={"noise_factor": (1.0, 1.0)}))

    @property
    def _without_noise(self) -> Observation:
        """The observation, but for its noise."""
        return _changed(self.observation, "noise")

    @property
    def _without_psf(self) -> Observation:
        """The observation's noise alone."""
        return _changed(self.observation, "psf", "pixel_factor", "pixel_scale_arcsec")


@lru_cache(maxsize=64)
def _without(_: str, observation_json: str, names: tuple[str, ...]) -> Observation:
    """Leave settings of an observation out; made once, for it keeps what it has computed."""
    values = Observation.model_validate_json(observation_json).model_dump()
    return Observation.model_validate({**values, **dict.fromkeys(names)})


def _changed(observation: Observation, *names: str) -> Observation:
    """Leave settings of an observation out."""
    return _without(observation.content_hash, observation.model_dump_json(), names)


def _shape(image: Pixels) -> tuple[int, int]:
    """Height and width."""
    return image.shape[-2], image.shape[-1]


def _with_noise_times(observed: Observed, mean: Pixels, factor: float) -> Observed:
    """Multiply the noise of an observation whose mean is known."""
    if factor == 1:
        return observed
    noisy = (mean + factor * (observed.image - mean)).astype(np.float32)
    return replace(observed, image=noisy, ivar=(observed.ivar / factor**2).astype(np.float32))


def turned(observed: Observed, turn: int) -> Observed:
    """Turn by quarters (`turn` % 4) and mirror (`turn` >= 4) an observation with all that belongs to it."""

    def moved(value: Any) -> Any:
        if value is None:
            return None
        quarter = np.rot90(value, turn % 4, axes=(-2, -1))
        return np.ascontiguousarray(quarter if turn < 4 else quarter[..., ::-1])

    return Observed(**{name: moved(value) for name, value in vars(observed).items()})


def cropped(observed: Observed, side_pix: int, chance: np.random.Generator) -> Observed:
    """Cut a square out at a random place; an image that is smaller stays."""
    height, width = observed.image.shape[-2:]
    tall, wide = min(side_pix, height), min(side_pix, width)
    y, x = (int(chance.integers(room + 1)) for room in (height - tall, width - wide))
    cut = {
        name: getattr(observed, name)[..., y : y + tall, x : x + wide]
        for name in ("image", "ivar", "truth", "mask")
        if getattr(observed, name) is not None
    }
    return replace(observed, **cut)
