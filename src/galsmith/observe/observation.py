"""`Observation`: what an instrument does to a clean image, as typed settings; and the shifts of the galaxies paper."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Annotated, Any, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Discriminator, Field, PrivateAttr, Tag, model_validator

from galsmith.errors import SettingsError
from galsmith.images import ImageHeader
from galsmith.images.units import is_magnitude, is_per_area
from galsmith.observe.airy import AiryPsf
from galsmith.observe.convolution import Convolver
from galsmith.observe.masks import filled, grown, mask_of
from galsmith.observe.noise import GaussianNoise, Noise, Sky
from galsmith.observe.observed import Observed
from galsmith.observe.pixel_grid import Resampling, resampled, resampled_side, touched
from galsmith.observe.psf import GaussianPsf, ImagePsf, MoffatPsf
from galsmith.observe.stars import StarFieldPsf
from galsmith.provenance import hash_json
from galsmith.settings import Settings

Pixels = NDArray[np.float32]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
PLANS_KEPT = 64
LARGEST_CUT = 0.01
SAME_SCALE = 1e-6


def _kind_of_psf(value: Any) -> str:
    """Read which law is meant; a Gaussian where nothing is said."""
    return value.get("kind", "gaussian") if isinstance(value, Mapping) else getattr(value, "kind", "gaussian")


Psf = Annotated[
    Annotated[GaussianPsf, Tag("gaussian")]
    | Annotated[MoffatPsf, Tag("moffat")]
    | Annotated[AiryPsf, Tag("airy")]
    | Annotated[ImagePsf, Tag("image")]
    | Annotated[StarFieldPsf, Tag("stars")],
    Discriminator(_kind_of_psf),
]


class Scene(NamedTuple):
    """An image without noise: as the instrument would see it, and as it is, at one scale, with the kernels between them."""

    mean: Floats
    truth: Floats
    kernels: Floats
    mask: Mask | None


class Observation(Settings):
    """What an instrument does to a clean image: point spread function, size of a pixel, sky and noise.

    Everything is in the unit of the images. docs/decisions/0054 says in which order it is done and why.

    Attributes
    ----------
    psf : GaussianPsf, MoffatPsf, AiryPsf, ImagePsf, StarFieldPsf or None
        Law of the point spread function; None leaves the light where it is.
    pixel_scale_arcsec : float or None
        Angle per pixel side of the observed image.
    pixel_factor : float or None
        Or how often larger its pixels are than those of the clean image.
    resampling : {"area", "linear"}
        How light comes into larger pixels: by the overlap of areas, or as the code of the galaxies paper does it.
    convolve : {"before", "after"}
        Whether light is spread in the pixels of the clean image and then comes into the observed ones, as in an
        instrument, or in the observed pixels. A width in pixels is one in the pixels in which light is spread.
    sky : Sky or None
        Level of the sky, which matters to noise that is counted, and where it is kept.
    noise : GaussianNoise, PoissonNoise, ExposureNoise, CorrelatedNoise or None
        Law of the noise.
    bands : mapping of str to str
        What bands of the images are called in the other settings, such as ``{"F814W": "i"}``; by their own names when left
        out.
    """

    psf: Psf | None = None
    pixel_scale_arcsec: float | None = Field(default=None, gt=0)
    pixel_factor: float | None = Field(default=None, gt=0)
    resampling: Resampling = "area"
    convolve: Literal["before", "after"] = "before"
    sky: Sky | None = None
    noise: Noise | None = None
    bands: dict[str, str] = Field(default_factory=dict)
    _plans: dict[Any, Any] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _one_size_of_a_pixel(self) -> Self:
        """Refuse two statements of the size of a pixel."""
        if self.pixel_scale_arcsec is not None and self.pixel_factor is not None:
            raise ValueError("pixel_scale_arcsec and pixel_factor came; wanted one of them")
        return self

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 of all that decides an observation, 64 hexadecimal digits: it names operator and noise law."""
        return hash_json(self.to_dict())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Observation) and self.content_hash == other.content_hash

    def __hash__(self) -> int:
        return hash(self.content_hash)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Give another observation with some settings changed, checked as any other."""
        del deep  # settings are frozen
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return type(self)(**{**values, **(update or {})})

    def __reduce__(self) -> tuple[Any, ...]:
        """Go to other processes without the kernels that were drawn."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return type(self).model_validate, (values,)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values of all that decides an observation; of files their content, not their place."""
        laws = {"psf": self.psf, "sky": self.sky, "noise": self.noise}
        plain = self.model_dump(mode="json", exclude_none=True, exclude=set(laws))
        if not self.bands:
            del plain["bands"]
        return {**plain, **{name: law.to_dict() for name, law in laws.items() if law is not None}}

    def factor(self, header: ImageHeader) -> float:
        """How often larger the observed pixels are than those of images with this header.

        Raises
        ------
        SettingsError
            If a scale in arcseconds is asked for and theirs is not known.
        """
        if self.pixel_scale_arcsec is None:
            return 1.0 if self.pixel_factor is None else self.pixel_factor
        if header.pixel_scale_arcsec is None:
            raise SettingsError(
                "the size of a pixel of the clean images is not known",
                argument="observation.pixel_scale_arcsec",
                came=self.pixel_scale_arcsec,
                way_out="give pixel_factor, or ingest the images with `pixel_scale_arcsec`",
            )
        factor = self.pixel_scale_arcsec / header.pixel_scale_arcsec
        # headers of files give 0.09999999999999852 for 0.1
        return 1.0 if abs(factor - 1) < SAME_SCALE else factor

    def observed_shape(self, shape: Sequence[int], header: ImageHeader) -> tuple[int, int]:
        """Give height and width of the observed image of a clean one of this height and width, in pixels.

        Raises
        ------
        SettingsError
            If an observed pixel is larger than the image.
        """
        factor = self.factor(header)
        height, width = (resampled_side(int(side), factor) for side in shape)
        if min(height, width) < 1:
            name = "pixel_factor" if self.pixel_scale_arcsec is None else "pixel_scale_arcsec"
            raise SettingsError(
                f"pixels {factor:g} times as large are larger than an image of {shape[0]}x{shape[1]} px",
                argument=f"observation.{name}",
                came=getattr(self, name),
            )
        return height, width

    def observed_header(self, header: ImageHeader) -> ImageHeader:
        """Give the header of observed images.

        Parameters
        ----------
        header : ImageHeader
            Of the clean images. A width of their own point spread function, ``psf_fwhm_pix``, is added in quadrature.
        """
        factor = self.factor(header)
        enlarged = header.enlarged(factor)
        if self.resampling == "linear" and factor != 1 and not is_per_area(header.flux_unit):
            # values are averaged and not summed, so a source of the same magnitude has factor^2 times less flux
            fainter = 5 * np.log10(factor)
            zero_points = {band: float(value - fainter) for band, value in header.zero_points_mag.items()}
            enlarged = replace(enlarged, zero_points_mag=zero_points)
        return replace(enlarged, psf=self._described_psf(header, enlarged, factor))

    def observe(
        self,
        image: ArrayLike,
        chance: np.random.Generator,
        header: ImageHeader,
        *,
        mask: ArrayLike | None = None,
    ) -> Observed:
        """Observe one image.

        Parameters
        ----------
        image : array_like [band, y, x]
            The clean image, in the header's unit per pixel; [y, x] for one band. Pixels that are not finite are masked.
        chance : Generator
            Of random numbers, such as ``random_stream(seed, "observe", position)``.
        header : ImageHeader
            Of the clean images.
        mask : array_like [y, x] or [band, y, x], bool, optional
            True where the clean image is not to be used.

        Raises
        ------
        SettingsError
            If the settings do not fit the images.
        ValueError
            If the image has not the header's bands, or no pixel that can be used.
        """
        scene = self.scene(image, header, mask=mask)
        observed_header = self._observed_header(header)
        sky = np.zeros(len(header.bands)) if self.sky is None else self.sky.levels(observed_header)
        truth, psf = scene.truth.astype(np.float32), scene.kernels.astype(np.float32)
        correlation = None
        noisy, ivar = scene.mean.astype(np.float32), np.full(truth.shape, np.inf, dtype=np.float32)
        if self.noise is not None:
            noisy, variance = self.noise.added(scene.mean, sky, chance, observed_header)
            ivar, correlation = (1 / variance).astype(np.float32), self.noise.correlation
        if self.sky is not None and self.sky.is_kept:
            noisy += sky[:, np.newaxis, np.newaxis].astype(np.float32)
        if scene.mask is not None:
            ivar[scene.mask] = 0
        alike = None if correlation is None else correlation.astype(np.float32)
        return Observed(noisy, ivar, psf, truth, scene.mask, alike)

    def scene(self, image: ArrayLike, header: ImageHeader, *, mask: ArrayLike | None = None) -> Scene:
        """Do all that has no chance in it: spread the light and bring it into the observed pixels.

        Parameters
        ----------
        image : array_like [band, y, x]
            The clean image, in the header's unit per pixel; [y, x] for one band. Pixels that are not finite are masked.
        header : ImageHeader
            Of the clean images.
        mask : array_like [y, x] or [band, y, x], bool, optional
            True where the clean image is not to be used.
        """
        if is_magnitude(header.flux_unit):
            raise SettingsError(
                "magnitudes do not add up, so they cannot be convolved; bring the images to fluxes first",
                argument="flux_unit",
                came=header.flux_unit,
            )
        clean = header.checked_image(image, "image")
        factor = self.factor(header)
        bad = mask_of(clean, mask)
        if bad is not None:
            clean = filled(clean, bad).astype(np.float32)
        truth = self._resampled(clean, header, factor)
        if self.psf is None:
            return Scene(truth, truth, np.ones((len(clean), 1, 1)), self._touched(bad, factor))
        if self.convolve == "after" or factor == 1:
            convolver, spread, kernels = self._plan(header, truth.shape[-2:], factor)
            return Scene(convolver(truth), truth, kernels, grown(self._touched(bad, factor), spread))
        convolver, spread, kernels = self._plan(header, clean.shape[-2:], factor)
        mean = self._resampled(convolver(clean), header, factor)
        return Scene(mean, truth, kernels, self._touched(grown(bad, spread), factor))

    def _touched(self, bad: Mask | None, factor: float) -> Mask | None:
        """Bring a mask to the observed pixels."""
        return bad if bad is None or factor == 1 else touched(bad, factor, self.resampling)

    def _resampled(self, image: NDArray[np.floating], header: ImageHeader, factor: float) -> Floats:
        """Bring an image to the observed pixels."""
        if factor == 1:
            return np.asarray(image, dtype=np.float64)
        self.observed_shape(image.shape[-2:], header)
        return resampled(image, factor, self.resampling, keeps_level=is_per_area(header.flux_unit))

    def _plan(
        self, header: ImageHeader, shape: tuple[int, ...], factor: float
    ) -> tuple[Convolver, Floats, Floats]:
        """Give what convolves images of this size, its kernels, and those at the observed scale; made once."""
        key = (header.bands, header.pixel_scale_arcsec, shape)
        if key not in self._plans:
            if len(self._plans) >= PLANS_KEPT:
                self._plans.clear()
            self._plans[key] = self._made_plan(header, shape, factor)
        return self._plans[key]

    def _made_plan(
        self, header: ImageHeader, shape: tuple[int, ...], factor: float
    ) -> tuple[Convolver, Floats, Floats]:
        """Draw the kernels in the pixels in which light is spread, and in those that are observed."""
        if self.psf is None:
            raise ValueError("psf is None; nothing is convolved then")
        own, bands = header.pixel_scale_arcsec, self._renamed(header).bands
        observed = None if own is None else own * factor
        if self.convolve == "after" or factor == 1:
            spread = self._cut(self.psf.kernels(bands, observed), shape)
            return Convolver(spread, shape), spread, spread
        spread = self._cut(self.psf.kernels(bands, own), shape)
        coarse = tuple(resampled_side(side, factor) for side in shape)
        kernels = self._cut(self.psf.kernels(bands, observed, enlarged=factor), coarse)
        return Convolver(spread, shape), spread, kernels

    def _cut(self, kernels: Floats, shape: tuple[int, ...]) -> Floats:
        """Cut kernels to the image, so that none is larger; refuse where they lose too much by it."""
        reach, most = kernels.shape[-1] // 2, (min(shape) - 1) // 2
        if reach <= most:
            return kernels
        inner = kernels[:, reach - most : reach + most + 1, reach - most : reach + most + 1]
        left = inner.sum(axis=(-2, -1), keepdims=True)
        if left.min() < 1 - LARGEST_CUT:
            raise SettingsError(
                f"the point spread function has {kernels.shape[-1]}x{kernels.shape[-1]} px, and {1 - left.min():.1%} of "
                f"its light outside of the {2 * most + 1} px that images of {shape[0]}x{shape[1]} px have room for",
                wanted=f"at most {LARGEST_CUT:.0%} there",
                way_out="give larger images, or cut it to its core (psf.radius_pix)",
            )
        return inner / left

    def _observed_header(self, header: ImageHeader) -> ImageHeader:
        """Give the header of observed images, with bands as the settings call them; made once."""
        zero_points = tuple(header.zero_points_mag.items())
        key = (header.bands, header.pixel_scale_arcsec, header.flux_unit, zero_points)
        if key not in self._plans:
            self._plans[key] = self._renamed(self.observed_header(header))
        return self._plans[key]

    def _renamed(self, header: ImageHeader) -> ImageHeader:
        """Call the bands as the settings do."""
        if not self.bands:
            return header
        names = {band: self.bands.get(band, band) for band in header.bands}
        zero_points = {names.get(band, band): value for band, value in header.zero_points_mag.items()}
        return replace(header, bands=tuple(names.values()), zero_points_mag=zero_points)

    def _described_psf(self, header: ImageHeader, observed: ImageHeader, factor: float) -> dict[str, Any]:
        """Say the width of the point spread function in observed pixels, with the images' own in quadrature."""
        own = header.psf.get("psf_fwhm_pix")
        own_pix = float(own) / factor if isinstance(own, int | float) else 0.0
        others = {name: value for name, value in header.psf.items() if name != "psf_fwhm_pix"}
        if self.psf is None:
            return {**others, **({"psf_fwhm_pix": own_pix} if own_pix else {})}
        widths = self.psf.widths_pix(self._renamed(header).bands, observed.pixel_scale_arcsec)
        if self.psf.is_in_pixels and self.convolve == "before":
            widths = widths / factor
        widths = np.hypot(widths, own_pix)
        if np.ptp(widths) == 0:
            return {**others, "psf_fwhm_pix": float(widths[0])}
        by_band = {band: float(width) for band, width in zip(header.bands, widths, strict=True)}
        return {**others, "psf_fwhm_pix_by_band": by_band}


def _paper(*, noise: float, **settings: Any) -> Observation:
    """Make the mock observation of Holzschuh et al. (2022), sec. 6.1: sigma_PSF = 2.0 px, and Gaussian noise."""
    # denoising/dataloader.py of the authors' code: the kernel has values at pixel centers, 20 px on each side
    psf = GaussianPsf(sigma_pix=2.0, values="points", radius_pix=20)
    return Observation(psf=psf, noise=GaussianNoise(sigma=noise), **settings)


_CODED = {"pixel_factor": 2.0, "resampling": "linear", "convolve": "before"}
_TEXT = {"pixel_factor": 2.0, "resampling": "linear", "convolve": "after"}
# Shifts of the test data, sec. 6.3. As the text has it, images of half the resolution are observed with a PSF of 2 px; in
# the code, images that are convolved already are brought to half the resolution, so that it is 1 px. The noise of (iii)
# is 16 in the text, and 1 / 0.05 = 20 in the code (notebooks/denoising_models.ipynb, `augmentation_3`).
PAPER_SHIFTS: Mapping[str, Observation] = {
    "none": _paper(noise=4.0),
    "pixel-scale-coded": _paper(noise=4.0, **_CODED),
    "pixel-scale-text": _paper(noise=4.0, **_TEXT),
    "noise-16": _paper(noise=16.0),
    "noise-20": _paper(noise=20.0),
    "both": _paper(noise=20.0, **_CODED),
    "both-text": _paper(noise=16.0, **_TEXT),
}
