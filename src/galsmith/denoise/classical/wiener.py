"""`wiener`: the linear filter of least mean squared error, its spectrum from training images or from the image itself."""

from collections.abc import Iterable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from galsmith.denoise.bands import Band, Floats, Grid, restored
from galsmith.denoise.method import Denoised, Method
from galsmith.errors import SettingsError
from galsmith.observe.observed import Observed
from galsmith.settings import Settings

N_RINGS = 64
# Frequencies in cycles per pixel and slopes of the spectra that an image is fitted with: 2 is near an exponential disk,
# 3/2 that of de Vaucouleurs' law in the relevant range.
REACHES = (0.003, 0.2)
SLOPES = (1.0, 1.5, 2.0, 3.0)
Edges = Literal["sky", "periodic"]


class WienerSettings(Settings):
    """How the Wiener filter is made.

    Attributes
    ----------
    spectrum : tuple of float
        Mean power of clean images in rings of frequency of equal width from 0 to sqrt(1/2) cycles per pixel, in squared
        flux units per pixel, as `measured_spectrum` gives it; empty to take it from each image itself.
    amplitude : {"image", "training"}
        Whether the spectrum is scaled to each image, as galaxies differ in flux by more than in shape, or taken as it is.
    edges : {"sky", "periodic"}
        What lies beside the image.
    """

    spectrum: tuple[float, ...] = ()
    amplitude: Literal["image", "training"] = "image"
    edges: Edges = "sky"


class Wiener:
    """Filter by H* S / (|H|^2 S + N) (Wiener 1949).

    The uncertainty that it states is that of a Gaussian random field of the spectrum S, the same in every pixel; galaxies
    are none, and are less certain where they are bright.

    Parameters
    ----------
    settings : WienerSettings
        Where the spectrum is from.
    """

    def __init__(self, settings: WienerSettings) -> None:
        if any(value < 0 for value in settings.spectrum):
            raise SettingsError(
                argument="spectrum", came=min(settings.spectrum), wanted="powers of 0 or more"
            )
        self._settings = settings

    def denoise(self, observed: Observed) -> Denoised:
        """Restore each band; the PSF is taken off."""
        return restored(observed, self._restore)

    def _restore(self, band: Band) -> tuple[Floats, Floats | None]:
        grid = Grid(band, margin=0 if self._settings.edges == "periodic" else None)
        noise = grid.noise_power(band)
        seen = grid.transformed(grid.embedded(band.image))
        signal = self._signal_power(grid, np.abs(seen) ** 2 / np.prod(grid.shape), noise)
        gain = np.abs(grid.transfer) ** 2 * signal + noise
        image = grid.cut(grid.back(np.conj(grid.transfer) * signal / gain * seen))
        # the least mean squared error: power that neither the data nor the mean tells of
        left = grid.mean_power(signal * noise / gain)
        return image, np.full(image.shape, np.sqrt(left))

    def _signal_power(self, grid: Grid, power: Floats, noise: Floats) -> Floats:
        """Power of the truth at each frequency of the grid, given that of the data."""
        if not self._settings.spectrum:
            return _own_power(grid, power, noise)
        shape = _spread(grid, np.array(self._settings.spectrum))
        if self._settings.amplitude == "training":
            return shape
        # least squares of power - noise on |H|^2 S, as its expectation is
        seen = np.abs(grid.transfer) ** 2 * shape
        weight = grid.doubling()
        norm = float((weight * seen**2).sum())
        if not norm > 0:
            return np.zeros(shape.shape)
        amplitude = float((weight * (power - noise) * seen).sum()) / norm
        # power of noise scatters by itself; what it hides may be there, so that no certainty of blank sky is stated
        scatter = float(np.sqrt(((weight * seen * noise) ** 2).sum())) / norm
        return shape * max(amplitude, scatter)


def measured_spectrum(images: Iterable[NDArray[np.floating]]) -> tuple[float, ...]:
    """Mean power spectrum of clean images in rings, for `WienerSettings`.

    Every image counts alike: it is scaled to the mean square of all of them first.

    Parameters
    ----------
    images : iterable of ndarray [y, x] or [band, y, x]
        Flux per pixel without noise and PSF; sizes may differ.

    Returns
    -------
    tuple of float
        Power per pixel in `N_RINGS` rings, squared flux units.

    Raises
    ------
    ValueError
        If no image has any light.
    """
    shapes, levels = [], []
    for image in images:
        for plane in np.asarray(image, dtype=np.float64).reshape(-1, *np.shape(image)[-2:]):
            level = float(np.mean(plane**2))
            if level > 0:
                shapes.append(_ring_means(np.abs(np.fft.fft2(plane)) ** 2 / plane.size, plane.shape) / level)
                levels.append(level)
    if not shapes:
        raise ValueError("images: none has any light; wanted clean images of galaxies")
    return tuple(float(value) for value in np.nanmean(shapes, axis=0) * np.mean(levels))


def _ring_of(frequency: Floats) -> NDArray[np.int64]:
    """Give the number of the ring that a frequency (cycles per pixel) lies in."""
    return np.minimum((frequency / np.sqrt(0.5) * N_RINGS).astype(np.int64), N_RINGS - 1)


def _ring_means(power: Floats, shape: tuple[int, ...]) -> Floats:
    """Mean of a whole spectrum in rings [ring]; those without a frequency are taken from their neighbors."""
    frequency = np.hypot(np.fft.fftfreq(shape[0])[:, np.newaxis], np.fft.fftfreq(shape[1]))
    ring = _ring_of(frequency).ravel()
    counts = np.bincount(ring, minlength=N_RINGS)
    means = np.bincount(ring, power.ravel(), N_RINGS) / np.maximum(counts, 1)
    rings = np.arange(N_RINGS)
    return np.interp(rings, rings[counts > 0], means[counts > 0])


def _spread(grid: Grid, spectrum: Floats) -> Floats:
    """Give a spectrum in rings at each frequency of a grid, a power law between the middles of rings."""
    middles = (np.arange(len(spectrum)) + 0.5) * np.sqrt(0.5) / len(spectrum)
    floor = max(float(spectrum.max()), np.finfo(np.float64).tiny) * 1e-12
    frequency = np.hypot(*grid.frequencies())
    return np.exp(np.interp(frequency, middles, np.log(np.maximum(spectrum, floor))))


def _own_power(grid: Grid, power: Floats, noise: Floats) -> Floats:
    """Fit A / (1 + (f / f0)^2)^b, times |H|^2, plus noise, to the power of the data by Whittle's likelihood."""
    frequency = np.hypot(*grid.frequencies())
    ring = _ring_of(frequency).ravel()
    weight = np.broadcast_to(grid.doubling(), frequency.shape).ravel()
    counts = np.bincount(ring, weight, N_RINGS)
    rings = counts > 0

    def mean(values: Floats) -> Floats:
        return (np.bincount(ring, weight * values.ravel(), N_RINGS)[rings] / counts[rings])[:, np.newaxis]

    response, data, level = (mean(values) for values in (np.abs(grid.transfer) ** 2, power, noise))
    reach = np.geomspace(*REACHES, 14)[np.newaxis, :]
    best, found = np.inf, np.zeros(frequency.shape)
    for slope in SLOPES:
        shape = (1 + (mean(frequency) / reach) ** 2) ** -slope
        for height in np.geomspace(1e-2 * level.max(), 1e3 * data.max(), 40):
            model = response * height * shape + level
            # Whittle (1953): each mode is a normal number of the model's variance
            cost = (counts[rings][:, np.newaxis] * (np.log(model) + data / model)).sum(axis=0)
            place = int(np.argmin(cost))
            if cost[place] < best:
                best = float(cost[place])
                found = height * (1 + (frequency / reach[0, place]) ** 2) ** -slope
    return found


METHOD = Method(
    title="Wiener filter, its spectrum from the image itself or, given as `spectrum`, from training images",
    settings=WienerSettings,
    build=Wiener,
    needs_training=False,
    source="Wiener 1949; Whittle 1953",
)
