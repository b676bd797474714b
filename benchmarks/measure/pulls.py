"""Pulls of all uncertainties: known galaxies with many draws of noise, (value - mean) / sigma, and their scatter.

    python benchmarks/measure/pulls.py --repeats 200 --repetitions 32 > pulls.md

Three bands, the middle one measured; the outer ones are blurred, brighter or fainter, and one is moved. A pull scatters by
1 where the sigma is right; rows of several bands, and of five power modes, are means. That of 32 repetitions is itself
uncertain, which makes it 1.03.
"""

import argparse
import re
import time
from collections.abc import Iterable, Iterator

import numpy as np
from astropy.modeling.models import Sersic2D
from numpy.typing import NDArray
from scipy import ndimage

from galsmith.measure import MeasureSettings, measured, property_of_column
from galsmith.measure.arrays import given_arrays
from galsmith.measure.properties.uncertainty import quantity_of_uncertainty
from galsmith.seeds import random_stream

SIDE, OVERSAMPLING, R_EFF, FLUX = 80, 7, 6.0, 1e4
CENTER = (39.3, 40.2)
CLUMPS = ((44.2, 46.1, 1200.0), (33.5, 42.7, 800.0), (42.0, 33.6, 700.0))
SIGNAL_TO_NOISE = (10, 30, 100, 300)
BANDS = ("g", "r", "i")
# of the outer bands: flux, blur and offset, pixels
OTHERS = {"g": (0.6, 1.0, 0.0), "i": (1.3, 0.5, 0.3)}
LEAST_LEVEL = 30  # of the means: below it galaxies are at the edge of being found
Floats = NDArray[np.float64]


def law(r_eff: float, n: float, ellipticity: float, center: tuple[float, float], flux: float) -> Floats:
    """Sérsic law averaged over pixels, its light on the image scaled to a flux."""
    grid = (np.arange(SIDE * OVERSAMPLING) + 0.5) / OVERSAMPLING - 0.5
    fine = Sersic2D(1.0, r_eff, n, *center, ellipticity, 0.5)(*np.meshgrid(grid, grid))
    image = fine.reshape(SIDE, OVERSAMPLING, SIDE, OVERSAMPLING).mean((1, 3))
    return np.asarray(image * flux / image.sum())


def galaxies() -> dict[str, Floats]:
    """Return one galaxy a name."""
    disk = law(7.0, 1.0, 0.2, CENTER, 7e3)
    return {
        "n = 1": law(R_EFF, 1.0, 0.3, CENTER, FLUX),
        "n = 4": law(R_EFF, 4.0, 0.3, CENTER, FLUX),
        "clumpy": disk + sum(law(1.6, 0.6, 0.0, (x, y), flux) for x, y, flux in CLUMPS),
        "spiral": spiral(),
    }


def spiral() -> Floats:
    """Disk with two arms that wind by 2.5 radians while the radius grows by e."""
    disk = law(R_EFF, 1.0, 0.0, CENTER, FLUX)
    y, x = np.mgrid[:SIDE, :SIDE] - np.array(CENTER)[::-1, np.newaxis, np.newaxis]
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    arms = np.cos(2 * (angle - 2.5 * np.log(np.maximum(radius, 0.5))))
    return np.asarray(disk * (1 + 0.5 * arms * (radius > 2)))


def in_bands(image: Floats) -> Floats:
    """Give the galaxy in all bands, [band, y, x]: in the middle one as it is."""
    cube = {"r": image}
    for band, (flux, blur, offset) in OTHERS.items():
        cube[band] = ndimage.shift(flux * ndimage.gaussian_filter(image, blur), (0, offset), order=3)
    return np.stack([cube[band] for band in BANDS])


def segment(image: Floats) -> NDArray[np.int32]:
    """Draw the map that all repeats share, from the image without noise."""
    smooth = ndimage.gaussian_filter(image, 1.0)
    parts, _ = ndimage.label(smooth > 0.04 * np.sort(image.ravel())[-40])
    return (parts == parts[40, 39]).astype(np.int32)


def pulls(
    image: Floats, signal_to_noise: float, given: argparse.Namespace, *, told: float = 1.0
) -> dict[str, float]:
    """Scatter of the pulls of every column.

    Parameters
    ----------
    image : ndarray [y, x], float64
        Without noise.
    signal_to_noise : float
        Of the light within a circle of the effective radius.
    given : Namespace
        How many repeats and repetitions.
    told : float
        Sigma that is told, in true ones: with half of it pulls scatter by 2.
    """
    sigma = 0.5 * FLUX / (signal_to_noise * np.sqrt(np.pi) * R_EFF)
    rng = random_stream(3, "benchmarks.pulls", round(signal_to_noise))
    cube = in_bands(image)
    images = [cube + rng.normal(0, sigma, cube.shape) for _ in range(given.repeats)]
    same = {"labels": [segment(image)] * given.repeats, "label": None, "masks": None, "psf": None}
    same["sigma_maps"] = [np.full(image.shape, told * sigma)] * given.repeats
    settings = MeasureSettings(
        quantities=("morphology", "power", "details"),
        sky=given.sky,
        band="r",
        uncertainties=given.repetitions,
    )
    table = measured(given_arrays(images, BANDS, **same), settings=settings)
    found = {}
    for column in table.colnames:
        quantity = quantity_of_uncertainty(column)
        if quantity in table.colnames:
            values, errors = (np.asarray(table[name], dtype=float) for name in (quantity, column))
            found[quantity] = scatter(values, errors, period=property_of_column(quantity).period)
    return found


def scatter(values: Floats, errors: Floats, *, period: float | None) -> float:
    """Give half the range of the central 68.3 % of the pulls, which some wild repeats do not move."""
    known = np.isfinite(values) & np.isfinite(errors) & (errors > 0)
    if known.sum() < 0.5 * len(values):
        return np.nan
    if period is not None:
        middle = np.angle(np.exp(2j * np.pi * values[known] / period).mean()) * period / (2 * np.pi)
        off = (values[known] - middle + period / 2) % period - period / 2
    else:
        off = values[known] - np.mean(values[known])
    low, high = np.percentile(off / errors[known], (15.87, 84.13))
    return float((high - low) / 2)


def of_all_bands(columns: Iterable[str]) -> dict[str, list[str]]:
    """Put columns of several bands together, and five power modes each, by what the table calls them."""
    rows: dict[str, list[str]] = {}
    for column in columns:
        entry = property_of_column(column)
        name = column if entry is None or not column.startswith(("power_", "grid_")) else entry.name
        name = re.sub(
            r"_(gr|ri|gi)(?=_pix$|_mag$|$)", "_<bands>", re.sub(r"^flux_[gri]$", "flux_<band>", name)
        )
        if name.startswith("power_"):
            first = int(name[-2:]) // 5 * 5
            name = f"{name[:-2]}{first:02d}` to `{first + 4:02d}"
        rows.setdefault(name, []).append(column)
    return rows


def mean_of(numbers: list[float]) -> float:
    """Mean of those that are known."""
    known = [number for number in numbers if np.isfinite(number)]
    return float(np.mean(known)) if known else np.nan


def rows(given: argparse.Namespace) -> Iterator[str]:
    """Write the table as Markdown."""
    cases = [(name, level) for name in galaxies() for level in SIGNAL_TO_NOISE]
    started = time.process_time()
    found = [pulls(galaxies()[name], level, given) for name, level in cases]
    cost = (time.process_time() - started) / (len(cases) * given.repeats)
    half = pulls(galaxies()["n = 1"], 100, given, told=0.5)
    titles = [*(f"{name}, {level}" for name, level in cases), f"mean from {LEAST_LEVEL} up", "half sigma"]
    yield "| quantity | " + " | ".join(titles) + " |"
    yield "|---" * (len(titles) + 1) + "|"
    for quantity, members in of_all_bands(found[0]).items():
        numbers = [mean_of([one.get(name, np.nan) for name in members]) for one in found]
        bright = [x for x, (_, level) in zip(numbers, cases, strict=True) if level >= LEAST_LEVEL]
        numbers += [mean_of(bright), mean_of([half.get(name, np.nan) for name in members])]
        yield f"| `{quantity}` | " + " | ".join("–" if np.isnan(x) else f"{x:.2f}" for x in numbers) + " |"
    yield f"\n{given.repeats} repeats, {given.repetitions} repetitions: {1e3 * cost:.0f} ms of CPU a galaxy."


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--repetitions", type=int, default=32)
    parser.add_argument("--sky", choices=("box", "annulus"), default="box")
    for line in rows(parser.parse_args()):
        print(line, flush=True)
