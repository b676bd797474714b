"""The blur of generated images: measured against real ones by their mean power, and taken off as far as it is certain."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from galsmith.data.store import open_store, write_store
from galsmith.data.store.layout import DESCRIPTION_FILE
from galsmith.denoise.material import to_mix_in
from galsmith.images import ImageSet
from galsmith.images.image_set import PixelSequence
from galsmith.provenance import Provenance

Floats = NDArray[np.float64]
Pixels = NDArray[np.float32]
N_RINGS = 32
# a power is only compared where that of real images is more than rounding leaves in float32
LEAST_SHARE = 1e-11
LARGEST_GAIN = 4.0


@dataclass(frozen=True)
class Blur:
    """How much smoother one set is than another.

    Attributes
    ----------
    transfer : ndarray [band, ring], float64
        Root of the ratio of mean powers in rings of frequency of equal width up to sqrt(1/2) cycles per pixel, each image
        scaled to the same flux; 1 at frequency 0.
    """

    transfer: Floats

    @property
    def gains(self) -> Floats:
        """What takes it off, [band, ring]: never below 1, for a set with more power is not blurred, nor above 4."""
        return np.clip(1.0 / np.maximum(self.transfer, 1e-12), 1.0, LARGEST_GAIN)


def measured_blur(real: ImageSet, generated: ImageSet) -> Blur:
    """Measure how much smoother generated images are than real ones.

    Parameters
    ----------
    real, generated : ImageSet
        Of the same bands and pixel scale; images of any sizes.
    """
    wanted, found = _mean_power(real), _mean_power(generated)
    is_known = wanted > LEAST_SHARE * wanted[:, :1]
    ratio = np.divide(found, wanted, out=np.ones_like(wanted), where=is_known)
    transfer = np.sqrt(ratio / ratio[:, :1])
    return Blur(transfer)


def deblurred(image: Pixels, gains: Floats) -> Pixels:
    """Take a measured blur off an image [band, y, x]; its sum stays.

    Parameters
    ----------
    image : ndarray [band, y, x], float32
        With nothing beyond its frame.
    gains : ndarray [band, ring], float64
        Of the rings of `Blur`.
    """
    # zeros beside the image, so that the opposite edges do not meet
    shape = [scipy.fft.next_fast_len(2 * side, real=True) for side in image.shape[-2:]]
    places = np.hypot(np.fft.fftfreq(shape[0])[:, np.newaxis], np.fft.rfftfreq(shape[1])) / _RING_WIDTH - 0.5
    filters = np.stack([np.interp(places, np.arange(N_RINGS), one) for one in gains])
    filters[:, 0, 0] = 1.0
    transformed = scipy.fft.rfft2(image.astype(np.float64), s=shape) * filters
    restored = scipy.fft.irfft2(transformed, s=shape)[..., : image.shape[-2], : image.shape[-1]]
    lost = image.sum(axis=(-2, -1), dtype=np.float64) - restored.sum(axis=(-2, -1))
    # light that the filter rang out of the frame comes back evenly
    return (restored + (lost / (image.shape[-2] * image.shape[-1]))[:, np.newaxis, np.newaxis]).astype(
        np.float32
    )


class DeblurredPixels:
    """Pixels of another sequence with a measured blur taken off, one by one when asked for.

    Parameters
    ----------
    base : PixelSequence
        Where the images are.
    gains : ndarray [band, ring], float64
        Of `Blur`.
    """

    def __init__(self, base: PixelSequence, gains: Floats) -> None:
        self._base, self._gains = base, gains

    def __len__(self) -> int:
        return len(self._base)

    def __getitem__(self, index: int) -> Pixels:
        return deblurred(self._base[index], self._gains)

    @property
    def shapes(self) -> NDArray[np.int64]:
        """Height and width of every image, [galaxy, 2] int64, in pixels."""
        return self._base.shapes

    def read(self, indices: Sequence[int] | NDArray[np.int64]) -> list[Pixels]:
        """Read several images, in the order of `indices`."""
        return [deblurred(image, self._gains) for image in self._base.read(indices)]


def write_deblurred(real: ImageSet, generated: str | Path, output: Path, *, n_measured: int) -> ImageSet:
    """Write a generated store anew with its blur taken off; one that is there from the same data is kept.

    Parameters
    ----------
    real : ImageSet
        What is not blurred: of these the first images are compared.
    generated : path
        The store.
    output : Path
        The store to be written.
    n_measured : int
        How many images of either set tell the blur.
    """
    drawn = open_store(generated)
    compared = (real, to_mix_in(drawn))
    few = [images.select(np.arange(min(n_measured, len(images)))) for images in compared]
    parents = (drawn.as_parent("generated"), real.as_parent("real"))
    provenance = Provenance("denoise study", {"deblurred": True, "n_measured": n_measured}, None, parents)
    if (output / DESCRIPTION_FILE).exists() and open_store(output).provenance.fingerprint() == (
        provenance.fingerprint()
    ):
        return open_store(output)
    gains = measured_blur(*few).gains
    pixels = DeblurredPixels(drawn.pixels, gains)
    return write_store(output, replace(drawn, pixels=pixels, provenance=provenance, content_hash="", path=""))


_RING_WIDTH = np.sqrt(0.5) / N_RINGS


def _mean_power(images: ImageSet) -> Floats:
    """Mean power of images scaled to the same flux, [band, ring] float64."""
    n_bands = len(images.header.bands)
    sums, counts = np.zeros((n_bands, N_RINGS)), np.zeros(N_RINGS)
    for index in range(len(images)):
        image = images[index].astype(np.float64)
        flux = image.sum(axis=(-2, -1))
        is_light = flux > 0
        if not is_light.any():
            continue
        shape = [2 * side for side in image.shape[-2:]]
        scaled = image / np.where(is_light, flux, np.inf)[:, np.newaxis, np.newaxis]
        power = np.abs(scipy.fft.rfft2(scaled, s=shape)) ** 2
        rings = np.hypot(np.fft.fftfreq(shape[0])[:, np.newaxis], np.fft.rfftfreq(shape[1])) / _RING_WIDTH
        ring = np.minimum(rings.astype(np.int64), N_RINGS - 1).ravel()
        counts_here = np.bincount(ring, minlength=N_RINGS)
        counts += counts_here > 0
        for band in range(n_bands):
            # each image counts alike in a ring, however many frequencies its size has there
            means = np.bincount(ring, power[band].ravel(), N_RINGS) / np.maximum(counts_here, 1)
            sums[band] += means
    return sums / np.maximum(counts, 1)
