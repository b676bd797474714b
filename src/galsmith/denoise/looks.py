"""What a denoiser is trained on: clean images, drawn from real and generated sets, observed anew at every look."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Annotated, Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, model_validator

from galsmith.denoise.drawn_noise import with_drawn_noise
from galsmith.denoise.drawn_psfs import drawn_from_table, drawn_kernels
from galsmith.denoise.network import ObservedBatch, batch_of
from galsmith.images import ImageHeader, ImageSet
from galsmith.images.image_set import PixelSequence
from galsmith.images.units import is_per_area
from galsmith.observe.convolution import Convolver
from galsmith.observe.observation import Observation
from galsmith.observe.observed import Observed
from galsmith.observe.pixel_grid import resampled
from galsmith.observe.stamps import hash_of_stamp, read_stamp
from galsmith.seeds import random_stream
from galsmith.settings import Settings

Pixels = NDArray[np.float32]
Interval = tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]]
SIDE_MULTIPLE = 2
KEPT_GB = 1.0


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


class CleanImages:
    """Clean images of one or two sets, kept in memory where they are few.

    Parameters
    ----------
    real : ImageSet
        Of the survey.
    generated : ImageSet, optional
        To be mixed in.
    """

    def __init__(self, real: ImageSet, generated: ImageSet | None = None) -> None:
        self.real, self.generated = _kept(real.pixels), None if generated is None else _kept(generated.pixels)
        self.shapes = real.shapes, None if generated is None else generated.shapes


def _kept(pixels: PixelSequence) -> Sequence[Pixels] | PixelSequence:
    """Read all where they fit."""
    n_bytes = sum(4 * int(height) * int(width) for height, width in pixels.shapes)
    n_bands = pixels[0].shape[0] if len(pixels) else 1
    return pixels.read(np.arange(len(pixels))) if n_bytes * n_bands <= KEPT_GB * 1e9 else pixels


@dataclass(frozen=True)
class LookOrder:
    """Which image is looked at when, and what is done to it: a function of seed and position.

    Attributes
    ----------
    seed : int
        Of the run.
    batch_size : int
        Looks a step.
    mixing : float
        Probability that an image is of the generated set.
    crop_pix : int or None
        Side of random crops; None shows whole images.
    buckets : int
        So many batches are ordered by size together, so that images of one batch differ little; 1 leaves them as they come.
    """

    seed: int
    batch_size: int = 1
    mixing: float = 0.0
    crop_pix: int | None = None
    buckets: int = 1


class LookBatches:
    """Gives the looks of any step; `Batches` of the loop.

    Parameters
    ----------
    images : CleanImages
        What is looked at.
    looks : Looks
        How.
    order : LookOrder
        When.
    device : torch.device
        Of training.
    """

    def __init__(self, images: CleanImages, looks: Looks, order: LookOrder, *, device: torch.device) -> None:
        self._images, self._looks, self._order, self._device = images, looks, order, device

    def at(self, images_seen: int) -> ObservedBatch:
        """Give the looks that come after `images_seen` others."""
        observations = [self._look(position) for position in self._positions(images_seen)]
        return batch_of(observations, side_multiple=SIDE_MULTIPLE).to(self._device)

    def close(self) -> None:
        """Let go of nothing."""

    def _positions(self, images_seen: int) -> list[int]:
        """Positions of one batch: the next ones, or those of about one size among the next batches."""
        size, n_batches = self._order.batch_size, self._order.buckets
        if n_batches == 1 or size == 1:
            return list(range(images_seen, images_seen + size))
        window, number = divmod(images_seen // size, n_batches)
        first = window * n_batches * size
        positions = np.arange(first, first + n_batches * size)
        by_size = positions[np.argsort([self._side(int(one)) for one in positions], kind="stable")]
        chance = random_stream(self._order.seed, "denoise.buckets", window)
        return [int(one) for one in by_size.reshape(n_batches, size)[chance.permutation(n_batches)[number]]]

    def _look(self, position: int) -> Observed:
        """Draw an image, observe, turn and crop it."""
        chance = random_stream(self._order.seed, "denoise.look", position)
        is_generated, row = self._drawn(chance)
        generated = self._images.generated
        pixels = generated if is_generated and generated is not None else self._images.real
        observed = turned(self._looks.at(pixels[row], chance), int(chance.integers(8)))
        crop = self._order.crop_pix
        return observed if crop is None else cropped(observed, crop, chance)

    def _drawn(self, chance: np.random.Generator) -> tuple[bool, int]:
        """Draw the set and the image."""
        is_generated = bool(chance.random() < self._order.mixing)
        shapes = self._images.shapes[1] if is_generated else self._images.shapes[0]
        return is_generated, int(chance.integers(len(shapes) if shapes is not None else 0))

    def _side(self, position: int) -> int:
        """Larger side of the image at a position."""
        is_generated, row = self._drawn(random_stream(self._order.seed, "denoise.look", position))
        shapes = self._images.shapes[1] if is_generated else self._images.shapes[0]
        return 0 if shapes is None else int(shapes[row].max())
