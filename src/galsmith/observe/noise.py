"""Laws of the noise: what it does to an image whose mean is known, and its variance at each pixel; and the sky counted."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Discriminator, Field, Tag, model_validator

from galsmith.errors import SettingsError
from galsmith.images import ImageHeader
from galsmith.observe.by_band import ByBand, LevelByBand, MagnitudeByBand, in_bands
from galsmith.observe.correlation import (
    REACH_PIX,
    CorrelatedField,
    correlation_of_blank_sky,
    correlation_of_spectrum,
)
from galsmith.observe.stamps import Stamps, hash_of_stamp, read_stamp
from galsmith.settings import Settings

Floats = NDArray[np.float64]
Pixels = NDArray[np.float32]


class Noisy(NamedTuple):
    """An image with noise, and the variance that the law says of each of its pixels."""

    image: Pixels
    variance: NDArray[np.floating]


class NoiseLaw(Settings, ABC):
    """What all laws have: an image with noise, and its variance."""

    @abstractmethod
    def added(self, mean: Floats, sky: Floats, chance: np.random.Generator, header: ImageHeader) -> Noisy:
        """Add noise to an image.

        Parameters
        ----------
        mean : ndarray [band, y, x], float64
            What is there without noise and without sky, in the header's unit per pixel.
        sky : ndarray [band], float64
            Level of the sky below it, in the same unit; it is not in the result.
        chance : Generator
            Of random numbers.
        header : ImageHeader
            Of the observed images.
        """

    @property
    def correlation(self) -> Floats | None:
        """Correlation of two pixels by their distance, [y, x] float64, 1 in the middle; None where they are independent."""
        return None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values of all that decides the noise."""
        return self.model_dump(mode="json", exclude_none=True)


class GaussianNoise(NoiseLaw):
    """Noise that is the same at every pixel and independent from one to the next.

    Attributes
    ----------
    sigma : float or mapping of band to float
        Standard deviation, in the header's unit per pixel.
    """

    kind: Literal["gaussian"] = "gaussian"
    sigma: ByBand

    def added(self, mean: Floats, sky: Floats, chance: np.random.Generator, header: ImageHeader) -> Noisy:
        """Add noise to an image; see `NoiseLaw.added`."""
        del sky  # its noise is in sigma
        sigma = in_bands(self.sigma, header.bands, argument="noise.sigma")[:, np.newaxis, np.newaxis]
        image = chance.standard_normal(mean.shape, dtype=np.float32)
        image *= sigma.astype(np.float32)
        image += mean
        return Noisy(image, np.broadcast_to(sigma**2, mean.shape))


class CountingNoise(NoiseLaw):
    """Electrons of source and sky that are counted, and what reading them out adds."""

    @abstractmethod
    def electrons(self, header: ImageHeader) -> Floats:
        """Give the number of electrons of one flux unit in a pixel, [band] float64."""

    @abstractmethod
    def variance_beside(self, header: ImageHeader) -> tuple[Floats, Floats]:
        """Give what else is counted, and the variance of reading out, [band] float64, in electrons and their square."""

    def added(self, mean: Floats, sky: Floats, chance: np.random.Generator, header: ImageHeader) -> Noisy:
        """Add noise to an image; see `NoiseLaw.added`."""
        gain = self.electrons(header)[:, np.newaxis, np.newaxis]
        dark, readout = (value[:, np.newaxis, np.newaxis] for value in self.variance_beside(header))
        below = sky[:, np.newaxis, np.newaxis] * gain + dark
        if np.any(below + readout <= 0):
            raise SettingsError(
                "a pixel without light would have no noise at all",
                argument="noise",
                came=self.to_dict()["kind"],
                way_out="give a sky (sky.level or sky.mag_arcsec2) or noise.read_noise_electron",
            )
        # a clean image that is below zero somewhere has noise of its own: that light is not counted, and stays as it is
        light = np.maximum(mean, 0)
        expected = light * gain + below
        image = chance.poisson(expected).astype(np.float64)
        image -= below
        image += np.sqrt(readout) * chance.standard_normal(mean.shape, dtype=np.float32)
        image /= gain
        image += mean - light
        return Noisy(image.astype(np.float32), (expected + readout) / gain**2)


class PoissonNoise(CountingNoise):
    """Noise of counting, by a gain.

    Attributes
    ----------
    gain : float or mapping of band to float
        Electrons of one flux unit in a pixel.
    read_noise_electron : float or mapping of band to float
        Standard deviation of reading out a pixel, in electrons.
    """

    kind: Literal["poisson"] = "poisson"
    gain: ByBand
    read_noise_electron: LevelByBand = 0.0

    def electrons(self, header: ImageHeader) -> Floats:
        """Give the number of electrons of one flux unit in a pixel, [band] float64."""
        return in_bands(self.gain, header.bands, argument="noise.gain")

    def variance_beside(self, header: ImageHeader) -> tuple[Floats, Floats]:
        """Give what else is counted, and the variance of reading out, [band] float64, in electrons and their square."""
        read = in_bands(self.read_noise_electron, header.bands, argument="noise.read_noise_electron")
        return np.zeros_like(read), read**2


class ExposureNoise(CountingNoise):
    """Noise of counting with an instrument, in images whose zero points are known.

    Attributes
    ----------
    zero_point_mag : float or mapping of band to float
        AB magnitude of a source that gives one electron per second.
    exposure_s : float or mapping of band to float
        Time of all exposures together, in seconds.
    n_exposures : float or mapping of band to float
        How often a pixel is read out.
    read_noise_electron : float or mapping of band to float
        Standard deviation of reading it out once, in electrons.
    dark_electron_s : float or mapping of band to float
        Dark current of a pixel, in electrons per second.
    """

    kind: Literal["exposure"] = "exposure"
    zero_point_mag: MagnitudeByBand
    exposure_s: ByBand
    n_exposures: ByBand = 1.0
    read_noise_electron: LevelByBand = 0.0
    dark_electron_s: LevelByBand = 0.0

    def electrons(self, header: ImageHeader) -> Floats:
        """Give the number of electrons of one flux unit in a pixel, [band] float64."""
        missing = [band for band in header.bands if band not in header.zero_points_mag]
        if missing:
            raise SettingsError(
                f"the AB magnitude of one {header.flux_unit} is not known in {', '.join(missing)}",
                argument="noise",
                came=self.kind,
                way_out="ingest the images with `zero_points_mag`, or give noise by its sigma or gain",
            )
        own = np.array([header.zero_points_mag[band] for band in header.bands])
        stated = in_bands(self.zero_point_mag, header.bands, argument="noise.zero_point_mag")
        # f flux units are a source of m = own - 2.5 log10(f), which gives 10^(-0.4 (m - stated)) electrons per second
        per_second = 10 ** (0.4 * (stated - own))
        return per_second * in_bands(self.exposure_s, header.bands, argument="noise.exposure_s")

    def variance_beside(self, header: ImageHeader) -> tuple[Floats, Floats]:
        """Give what else is counted, and the variance of reading out, [band] float64, in electrons and their square."""
        names = ("exposure_s", "n_exposures", "read_noise_electron", "dark_electron_s")
        seconds, times, read, dark = (
            in_bands(getattr(self, name), header.bands, argument=f"noise.{name}") for name in names
        )
        return dark * seconds, times * read**2


class CorrelatedNoise(NoiseLaw):
    """Gaussian noise whose neighboring pixels are alike, as in images that were resampled or stacked.

    Attributes
    ----------
    sigma : float or mapping of band to float, or None
        Standard deviation of a pixel, in the header's unit; as in the blank sky when left out.
    correlation_path : str or None
        FITS image of the correlation of two pixels by their distance; its middle pixel is the distance 0.
    correlation_image : array [y, x] or None
        Or the image itself.
    spectrum : array [y, x] or None
        Or the power spectrum, in the order of a discrete Fourier transform: frequency 0 first.
    blank_sky : tuple of str
        Or FITS images without sources, in the images' unit, from which both are measured.
    reach_pix : int
        Largest distance, along each axis, at which pixels of blank sky are alike.
    """

    kind: Literal["correlated"] = "correlated"
    sigma: ByBand | None = None
    correlation_path: str | None = None
    correlation_image: Stamps | None = None
    spectrum: Stamps | None = None
    blank_sky: tuple[str, ...] = ()
    reach_pix: Annotated[int, Field(ge=1)] = REACH_PIX

    @model_validator(mode="after")
    def _one_law(self) -> Self:
        """Want one statement of the correlation, and a standard deviation where it does not hold one."""
        names = ("correlation_path", "correlation_image", "spectrum", "blank_sky")
        stated = [name for name in names if getattr(self, name)]
        if len(stated) != 1:
            raise ValueError(
                f"{' and '.join(stated) or 'no correlation'} came; wanted one of {', '.join(names)}"
            )
        if self.sigma is None and stated != ["blank_sky"]:
            raise ValueError("sigma is missing; wanted the standard deviation of a pixel")
        return self

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values of all that decides the noise: of files their content, not their place."""
        values = self.model_dump(mode="json", exclude_none=True, include={"kind", "sigma"})
        sigma, correlation = self._measured()
        stated = {} if self.sigma is not None else {"sigma": sigma}
        return {**values, **stated, "correlation_sha256": hash_of_stamp(correlation)}

    @property
    def correlation(self) -> Floats:
        """Correlation of two pixels by their distance, [y, x] float64, 1 in the middle."""
        return self._measured()[1]

    def added(self, mean: Floats, sky: Floats, chance: np.random.Generator, header: ImageHeader) -> Noisy:
        """Add noise to an image; see `NoiseLaw.added`."""
        del sky  # its noise is in sigma
        measured, correlation = self._measured()
        stated = measured if self.sigma is None else self.sigma
        sigma = in_bands(stated, header.bands, argument="noise.sigma")[:, np.newaxis, np.newaxis]
        field = CorrelatedField.of(correlation, mean.shape[-2:])
        image = (sigma * field.drawn(len(mean), chance) + mean).astype(np.float32)
        return Noisy(image, np.broadcast_to(sigma**2, mean.shape))

    def _measured(self) -> tuple[float, Floats]:
        """Give the standard deviation of blank sky, NaN where there is none, and the correlation."""
        if self.spectrum is not None:
            return np.nan, correlation_of_spectrum(np.array(self.spectrum)[0])
        if self.blank_sky:
            skies = [read_stamp(path, argument="noise.blank_sky")[0][0] for path in self.blank_sky]
            return correlation_of_blank_sky(skies, self.reach_pix)
        stamp = (
            np.array(self.correlation_image)
            if self.correlation_path is None
            else read_stamp(self.correlation_path, argument="noise.correlation_path")[0]
        )[0]
        middle = tuple(side // 2 for side in stamp.shape)
        if not all(side % 2 for side in stamp.shape) or stamp[middle] != stamp.max() or not stamp[middle] > 0:
            raise SettingsError(
                f"has {stamp.shape[0]}x{stamp.shape[1]} pixels, whose middle one is not the largest",
                argument="noise.correlation",
                wanted="an image of odd sides, 1 in the middle",
            )
        return np.nan, stamp / stamp[middle]


class Sky(Settings):
    """The sky below the sources.

    Attributes
    ----------
    level : float or mapping of band to float, or None
        In the header's unit per observed pixel.
    mag_arcsec2 : float or mapping of band to float, or None
        Or its surface brightness in AB magnitudes per square arcsecond.
    is_kept : bool
        Whether it stays in the image; its noise does in any case.
    """

    level: LevelByBand | None = None
    mag_arcsec2: MagnitudeByBand | None = None
    is_kept: bool = False

    @model_validator(mode="after")
    def _one_level(self) -> Self:
        """Want one statement of the level."""
        if (self.level is None) == (self.mag_arcsec2 is None):
            came = "neither came" if self.level is None else "both came"
            raise ValueError(f"level and mag_arcsec2: {came}; wanted one of them")
        return self

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return self.model_dump(mode="json", exclude_none=True)

    def levels(self, header: ImageHeader) -> NDArray[np.float64]:
        """Give the level in each band, [band] float64, in the unit of observed images per pixel.

        Raises
        ------
        SettingsError
            If it is stated as a magnitude, and zero points or the size of a pixel are not known.
        """
        if self.mag_arcsec2 is None:
            level = 0.0 if self.level is None else self.level
            return in_bands(level, header.bands, argument="sky.level")
        scale = header.pixel_scale_arcsec
        missing = [band for band in header.bands if band not in header.zero_points_mag]
        if missing or scale is None:
            what = "the size of a pixel" if not missing else f"the zero point of {', '.join(missing)}"
            raise SettingsError(
                f"{what} is not known",
                argument="sky.mag_arcsec2",
                came=self.mag_arcsec2,
                way_out="give sky.level in the images' unit, or ingest them with `zero_points_mag` and "
                "`pixel_scale_arcsec`",
            )
        magnitudes = in_bands(self.mag_arcsec2, header.bands, argument="sky.mag_arcsec2")
        zero_points = np.array([header.zero_points_mag[band] for band in header.bands])
        return 10 ** (-0.4 * (magnitudes - 5 * math.log10(scale) - zero_points))


def _kind_of_noise(value: Any) -> str:
    """Read which law is meant; Gaussian noise where nothing is said."""
    return value.get("kind", "gaussian") if isinstance(value, Mapping) else getattr(value, "kind", "gaussian")


Noise = Annotated[
    Annotated[GaussianNoise, Tag("gaussian")]
    | Annotated[PoissonNoise, Tag("poisson")]
    | Annotated[ExposureNoise, Tag("exposure")]
    | Annotated[CorrelatedNoise, Tag("correlated")],
    Discriminator(_kind_of_noise),
]
