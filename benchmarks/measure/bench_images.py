"""Images for the benchmark of measuring: six kinds, each from a seed, so that a run can be repeated.

The Sérsic and Hubble images are those of the parity tests (`tests/measure/oracle/oracle_sets.py`).
"""

import itertools
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray
from scipy.ndimage import find_objects, gaussian_filter, label

from galsmith.data.sersic.render import render_sersic
from galsmith.seeds import derive_seed, random_stream

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "measure" / "oracle"))

from oracle_sets import HST_GAIN, hst, noise_free_sersic, noisy_sersic

Pixels = NDArray[np.float64]
SEED = 1234
COSMOS_SIZE_PIX = 256
COSMOS_SCALE_ARCSEC = 0.03
COSMOS_ZERO_POINT_MAG = 25.94
COSMOS_NOISE_SIGMA = 0.0048
KNOTS_SHARE = 0.2
SKIRT_GAIN = 1200.0
SKIRT_NOISE_SIGMA = 1 / 15
SKIRT_PSF_SIGMA_PIX = 3 / 2.3548
GROUND_SIZE_PIX = 91
GROUND_GAIN = 100.0  # of images in units of the sky's sigma: 10,000 electrons of sky a pixel
GROUND_THRESHOLD_SIGMA, GROUND_LEAST_PIXELS = 5.0, 120
GROUND_LEAST_SIGMA_PIX = 2.5  # second moments of what is wider than a star of this field
GROUND_SATURATED = 2e3  # sigma of the sky; beyond are stars


@dataclass(frozen=True)
class BenchImage:
    """One image to measure, [y, x] float64, and its gain."""

    pixels: Pixels
    gain: float


def cosmos_like(data: Path) -> Iterator[BenchImage]:
    """The 100 galaxies of GalSim's example catalog, drawn with knots, neighbors, their PSF and correlated noise."""
    import galsim
    from astropy.io import fits

    folder = data / "hst_cosmos_f814w_realgal" / "btk"
    fitted = Table.read(folder / "real_galaxy_catalog_23.5_example_fits.fits")
    with fits.open(folder / "real_galaxy_PSF_images.fits") as hdus:
        psfs = [np.asarray(hdu.data, dtype=np.float64) for hdu in hdus]
    frame = {"nx": COSMOS_SIZE_PIX, "ny": COSMOS_SIZE_PIX, "scale": COSMOS_SCALE_ARCSEC, "method": "no_pixel"}
    for k, (row, pixels) in enumerate(zip(fitted, psfs, strict=False)):
        rng = random_stream(SEED, "benchmarks.cosmos_like", k)
        knots = galsim.BaseDeviate(derive_seed(SEED, "benchmarks.knots", k) % 2**31)
        flux = 10 ** (0.4 * (COSMOS_ZERO_POINT_MAG - row["mag_auto"]))
        psf = galsim.InterpolatedImage(galsim.Image(pixels), scale=COSMOS_SCALE_ARCSEC, flux=1.0)
        galaxy = _cosmos_galaxy(row["sersicfit"], flux, rng=rng, knots=knots)
        image = galsim.Convolve(galaxy, psf).drawImage(**frame)
        image.addNoise(galsim.getCOSMOSNoise(rng=knots, variance=COSMOS_NOISE_SIGMA**2))
        yield BenchImage(np.asarray(image.array, dtype=np.float64), gain=1.0)


def skirt_like(data: Path | None = None) -> Iterator[BenchImage]:
    """30 clumpy spirals with a bulge, 70 to 330 px wide, PSF of 3 px, noise 1/15."""
    del data
    for k in range(30):
        rng = random_stream(SEED, "benchmarks.skirt_like", k)
        size = int(rng.integers(70, 330))
        r_eff = size / 15 * 1.6 * rng.uniform(0.8, 1.2)
        disk = _clumpy_disk(size, r_eff, rng)
        bulge = _bulge(size, 0.25 * r_eff)
        share = rng.uniform(0, 0.5)
        flux = 10 ** rng.uniform(3.2, 5.0)
        light = flux * ((1 - share) * disk / disk.sum() + share * bulge / bulge.sum())
        noise = rng.normal(0, SKIRT_NOISE_SIGMA, light.shape)
        yield BenchImage(gaussian_filter(light, SKIRT_PSF_SIGMA_PIX) + noise, gain=SKIRT_GAIN)


def hst_like(data: Path) -> Iterator[BenchImage]:
    """The 150 Hubble galaxies of the parity tests."""
    for galaxy in hst(data):
        yield BenchImage(galaxy.image, gain=HST_GAIN)


def ground_based(data: Path) -> Iterator[BenchImage]:
    """Galaxies of the KiDS field in r, cut as stamps of the Dark Energy Survey's size, 91 px."""
    from astropy.io import fits

    field = np.asarray(fits.getdata(data / "kids_viking_9band_field" / "r.fits"), dtype=np.float64)
    field = np.where(np.isfinite(field), field, 0.0)
    level = np.median(field)
    field = (field - level) / (1.4826 * np.median(np.abs(field - level)))
    sources, count = label(gaussian_filter(field, 1.0) > GROUND_THRESHOLD_SIGMA)
    half = GROUND_SIZE_PIX // 2
    for place in find_objects(sources, max_label=count):
        light = np.where(sources[place] > 0, field[place], 0.0)
        y, x = np.mgrid[place[0], place[1]]
        middle = (light * y).sum() / light.sum(), (light * x).sum() / light.sum()
        variance = (light * ((y - middle[0]) ** 2 + (x - middle[1]) ** 2)).sum() / light.sum() / 2
        row, column = round(middle[0]), round(middle[1])
        stamp = field[max(row - half, 0) : row + half + 1, max(column - half, 0) : column + half + 1]
        is_large = np.count_nonzero(light) >= GROUND_LEAST_PIXELS and variance > GROUND_LEAST_SIGMA_PIX**2
        if is_large and stamp.shape == (GROUND_SIZE_PIX, GROUND_SIZE_PIX) and light.max() < GROUND_SATURATED:
            yield BenchImage(np.ascontiguousarray(stamp), gain=GROUND_GAIN)


def noise_free(data: Path | None = None) -> Iterator[BenchImage]:
    """Noise-free Sérsic images of the parity tests."""
    for galaxy in noise_free_sersic(data):
        yield BenchImage(galaxy.image, gain=float(galaxy.gain or 1.0))


def noisy(data: Path | None = None) -> Iterator[BenchImage]:
    """Noisy Sérsic images of the parity tests."""
    for galaxy in noisy_sersic(data):
        yield BenchImage(galaxy.image, gain=float(galaxy.gain or 1.0))


BENCH_SETS: dict[str, Callable[[Path], Iterator[BenchImage]]] = {
    "COSMOS-like": cosmos_like,
    "HST-like": hst_like,
    "ground-based, 91 px": ground_based,
    "noise-free Sérsic": noise_free,
    "noisy Sérsic": noisy,
    "SKIRT-like": skirt_like,
}


def first_images(set_name: str, *, data: Path, n: int) -> list[BenchImage]:
    """Make the first images of a set."""
    return list(itertools.islice(BENCH_SETS[set_name](data), n))


def _cosmos_galaxy(law, flux, *, rng, knots):
    """Sérsic law and knots of one fitted galaxy, with up to two faint neighbors, as a GalSim profile."""
    import galsim

    _, half_light, index, axis_ratio, _, _, _, angle = (float(value) for value in law)
    axis_ratio = max(axis_ratio, 0.15)
    radius = min(max(half_light * np.sqrt(axis_ratio) * COSMOS_SCALE_ARCSEC, 0.05), 2.0)
    smooth = galsim.Sersic(
        n=min(max(index, 0.4), 6.0), half_light_radius=radius, flux=flux * (1 - KNOTS_SHARE)
    )
    clumps = galsim.RandomKnots(
        int(rng.integers(5, 45)), half_light_radius=1.3 * radius, flux=flux * KNOTS_SHARE, rng=knots
    )
    galaxy = (smooth + clumps).shear(q=axis_ratio, beta=angle * galsim.radians)
    for _ in range(rng.integers(0, 3)):
        distance, direction = rng.uniform(1.5, 3.7), rng.uniform(0, 2 * np.pi)
        neighbor = galsim.Exponential(
            half_light_radius=rng.uniform(0.1, 0.25), flux=flux * rng.uniform(0.02, 0.12)
        )
        galaxy += neighbor.shift(distance * np.cos(direction), distance * np.sin(direction))
    return galaxy


def _clumpy_disk(size: int, r_eff: float, rng: np.random.Generator) -> Pixels:
    """Exponential disk with logarithmic arms and clumps."""
    middle = (size - 1) / 2
    axis_ratio, angle = rng.uniform(0.3, 1), rng.uniform(0, np.pi)
    y, x = np.mgrid[:size, :size] - middle
    along = x * np.cos(angle) + y * np.sin(angle)
    across = (y * np.cos(angle) - x * np.sin(angle)) / axis_ratio
    radius, azimuth = np.hypot(along, across) + 1e-3, np.arctan2(across, along)
    winding = rng.uniform(1.5, 4) * np.log(radius / r_eff)
    arms = 1 + 0.6 * np.cos(int(rng.integers(2, 5)) * (azimuth - winding))
    clumps = gaussian_filter(rng.normal(size=(size, size)), 2.0)
    return np.exp(-radius * 1.68 / r_eff) * arms * np.exp(0.6 * clumps / clumps.std())


def _bulge(size: int, r_eff: float) -> Pixels:
    """Sérsic law of index 3 in the middle."""
    one = np.ones(1)
    image = render_sersic(
        size_pix=size,
        center_x_pix=one * (size - 1) / 2,
        center_y_pix=one * (size - 1) / 2,
        r_eff_pix=one * r_eff,
        sersic_index=one * 3.0,
        axis_ratio=one * 0.9,
        orientation_rad=one * 0.0,
        flux=one,
        constant="exact",
    )
    return np.asarray(image[0], dtype=np.float64)
