"""Corrections of asymmetry, concentration, Gini and M20 for noise and resolution: the grid, the fit, what it is worth.

    python benchmarks/measure/corrections.py --data DATA --fit src/galsmith/measure/corrections.json
    python benchmarks/measure/corrections.py --data DATA

Galaxies of known truth, their half-light radius about 24 px: Sérsic laws, disks with a bulge, clumps and a lopsided arm,
pairs, and real galaxies of Hubble (DATA/hst_f814w_201, noise-free). Each is measured as it is: its truth. Then it is
blurred by a Gaussian, binned, and given white noise, to half-light radii of 1 to 10 widths (FWHM) of the point spread
and signal to noise of 5 to 100 (mean pixel within the half-light circle), and measured again. What was lost is fitted by a
polynomial of second degree in what the image tells (`galsmith.measure.corrections.FEATURES`), after the plan of Sazonova et
al. (2025, arXiv:2511.09644). Every fourth galaxy is held out of the fit; the table tells of these alone.
"""

import argparse
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray
from scipy import ndimage

from galsmith.measure.corrections import FEATURES, corrections, features_of, terms_of
from galsmith.measure.engine.batch import GalaxyInput, Options, Segmenting, measure_galaxy_input
from galsmith.seeds import random_stream

SIDE, R_HALF = 288, 24.0
SIGMA_PER_FWHM = 1 / (2 * np.sqrt(2 * np.log(2)))
BINS = (1, 2, 3, 4, 6, 8)
FWHM_PIX = (1.8, 4.5)
SN, RESOLUTION = (5.0, 100.0), (1.0, 10.0)
QUANTITIES = ("asymmetry", "concentration", "gini", "m20")
SN_CELLS, RESOLUTION_CELLS = (12.0, 35.0), (2.0, 4.5)
HELD_OUT = 4
STAYS = 0.3  # the center, in half-light radii; that of a pair may be one of the two, or between them
EDGES, RIDGE = (0.005, 0.995), 1e-3
HOW = {"box": Options(Segmenting("paper"), sky="box", sersic="none")}
HOW["annulus"] = Options(Segmenting("survey"), sky="annulus", sersic="none")
Floats = NDArray[np.float64]


def galaxies(data: Path | None, drawn: int) -> Iterator[tuple[str, Floats]]:
    """Kind and noise-free image of each galaxy."""
    for k in range(drawn):
        rng = random_stream(k, "benchmarks.corrections")
        kind = ("law", "clumpy", "pair")[k % 3]
        yield kind, drawn_galaxy(kind, rng)
    if data is not None:
        yield from (("hubble", image) for image in hubble(data))


def drawn_galaxy(kind: str, rng: np.random.Generator) -> Floats:
    """One law, a disk with a bulge, clumps and an arm, or two laws."""
    center = SIDE / 2 - 0.5 + rng.uniform(-0.5, 0.5, 2)
    shape = rng.uniform(0.3, 1), rng.uniform(-1.57, 1.57)
    if kind == "law":
        return law(center, R_HALF, rng.uniform(0.5, 5), *shape)
    disk = law(center, R_HALF, 1.0, *shape)
    if kind == "pair":
        angle, away = rng.uniform(0, 6.28), rng.uniform(0.5, 2.2) * R_HALF
        other = center + away * np.array([np.cos(angle), np.sin(angle)])
        size, flux = R_HALF * rng.uniform(0.3, 1.0), rng.uniform(0.05, 0.7)
        main = law(center, R_HALF, rng.uniform(0.7, 4), *shape)
        second = law(other, size, rng.uniform(0.7, 3), rng.uniform(0.4, 1), 0.0)
        return main / main.sum() + flux * second / second.sum()
    image = disk / disk.sum()
    bulge = law(center, R_HALF * rng.uniform(0.1, 0.3), rng.uniform(1, 3), 0.9, 0.0)
    image += rng.uniform(0, 0.6) * bulge / bulge.sum()
    y, x = np.mgrid[:SIDE, :SIDE] - center[::-1, None, None]
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    wave = np.cos(
        rng.integers(1, 3) * (angle - np.log1p(radius / 6) * rng.uniform(1, 4)) + rng.uniform(0, 6.28)
    )
    image *= 1 + rng.uniform(0, 0.8) * wave * (radius > 0.2 * R_HALF)
    for _ in range(rng.integers(3, 25)):
        away, turn = rng.exponential(0.7) * R_HALF, rng.uniform(0, 6.28)
        at = center + away * np.array([np.cos(turn), np.sin(turn)])
        clump = law(at, rng.uniform(1.0, 4.0), 0.6, 1.0, 0.0)
        image += rng.uniform(0.002, 0.03) * clump / clump.sum()
    return image


def law(center: Floats, r_eff: float, n: float, q: float, angle: float) -> Floats:
    """Sérsic law of circularized radius, the core averaged on a finer grid."""
    b = 2 * n - 1 / 3 + 0.009876 / n

    def values(x: Floats, y: Floats) -> Floats:
        dx, dy = x - center[0], y - center[1]
        along = dx * np.cos(angle) + dy * np.sin(angle)
        across = dy * np.cos(angle) - dx * np.sin(angle)
        return np.asarray(np.exp(-b * ((np.sqrt(along**2 * q + across**2 / q) / r_eff) ** (1 / n) - 1)))

    grid = np.arange(SIDE, dtype=float)
    image = values(grid[None, :], grid[:, None])
    x0, y0 = (min(max(round(float(at)) - 5, 0), SIDE - 11) for at in center)
    fine = (np.arange(11 * 11) + 0.5) / 11 - 0.5
    core = values(x0 + fine[None, :], y0 + fine[:, None])
    image[y0 : y0 + 11, x0 : x0 + 11] = core.reshape(11, 11, 11, 11).mean((1, 3))
    return image


def hubble(data: Path) -> Iterator[Floats]:
    """Real galaxies of half-light radii of 10 px and more, brought to that of the others where larger by a half."""
    for path in sorted((data / "hst_f814w_201" / "bulge_f8").glob("*.fits.gz")):
        other = path.parents[1] / "disk_f8" / path.name.replace("bulge", "disk")
        header = fits.getheader(path)
        if not 10 <= float(header.get("RADIUS", 0)) <= 40:
            continue
        image = (fits.getdata(path) + fits.getdata(other)).astype(np.float64)
        middle = image.shape[0] // 2
        yield image[middle - SIDE // 2 :, middle - SIDE // 2 :][:SIDE, :SIDE]


def half_light_radius(image: Floats) -> float:
    """Of the circle about the centroid that holds half of all light."""
    y0, x0 = ndimage.center_of_mass(np.maximum(image, 0))
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    radius = np.hypot(x - x0, y - y0).ravel()
    order = np.argsort(radius)
    light = np.cumsum(image.ravel()[order])
    return float(radius[order][np.searchsorted(light, 0.5 * light[-1])])


def degraded(
    image: Floats, r_half: float, *, sn: float, resolution: float, rng: np.random.Generator
) -> tuple[GalaxyInput, float] | None:
    """Blur, bin, and add noise: the galaxy, and the width of the point spread in its pixels."""
    fwhm = r_half / resolution
    fitting = [factor for factor in BINS if FWHM_PIX[0] <= fwhm / factor <= FWHM_PIX[1]]
    if not fitting:
        return None
    factor = int(rng.choice(fitting))
    blurred = ndimage.gaussian_filter(image, fwhm * SIGMA_PER_FWHM, mode="nearest")
    side = SIDE // factor
    binned = blurred[: side * factor, : side * factor].reshape(side, factor, side, factor).mean((1, 3))
    y0, x0 = ndimage.center_of_mass(np.maximum(binned, 0))
    y, x = np.mgrid[:side, :side]
    signal = binned[np.hypot(x - x0, y - y0) < half_light_radius(binned)].mean()
    sigma = signal / sn
    noisy = binned + rng.normal(0, sigma, binned.shape)
    return GalaxyInput(noisy, sigma_map=np.full(binned.shape, sigma)), fwhm / factor


def grid_of(images: Iterable[tuple[str, Floats]], each: int) -> list[dict[str, Any]]:
    """Measure all galaxies as they are, and `each` times blurred, binned and noisy."""
    rows = []
    for k, (kind, image) in enumerate(images):
        rng = random_stream(k, "benchmarks.corrections.noise")
        r_half = half_light_radius(image)
        faint = rng.normal(0, 1e-4 * image.max(), image.shape)
        truths = {
            sky: measure_galaxy_input(
                GalaxyInput(image + faint, sigma_map=np.full(image.shape, faint.std())), how
            )
            for sky, how in HOW.items()
        }
        for _ in range(each):
            sn, resolution = (float(np.exp(rng.uniform(*np.log(ends)))) for ends in (SN, RESOLUTION))
            seen = degraded(image, r_half, sn=sn, resolution=resolution, rng=rng)
            if seen is None:
                continue
            for sky, how in HOW.items():
                found = measure_galaxy_input(seen[0], how)
                if truths[sky].flag < 4 and found.flag < 4:
                    rows.append(
                        {
                            "galaxy": k,
                            "kind": kind,
                            "sky": sky,
                            "sn": sn,
                            "resolution": resolution,
                            "fwhm": seen[1],
                            "moved": moved(truths[sky].values, found.values, seen[0]) / r_half,
                        }
                        | {"truth": truths[sky].values, "found": found.values}
                    )
    return rows


def moved(truth: dict[str, float], found: dict[str, float], seen: GalaxyInput) -> float:
    """How far the center of least asymmetry lies from that of the galaxy as it is, in pixels of the latter."""
    factor = SIDE // seen.image.shape[0]
    return float(
        np.hypot(
            *(
                factor * found[f"center_{axis}_pix"] + (factor - 1) / 2 - truth[f"center_{axis}_pix"]
                for axis in "xy"
            )
        )
    )


def fitted(rows: list[dict[str, Any]], quantity: str) -> dict[str, Any]:
    """Fit one quantity's correction to the galaxies that are not held out."""
    features, lost, held = known_parts(rows, quantity)
    middle, scale = features[~held].mean(axis=0), features[~held].std(axis=0)
    low, high = np.quantile(features[~held], EDGES, axis=0)
    within = ((features >= low) & (features <= high)).all(axis=1)
    terms, chosen = terms_of((features - middle) / scale), within & ~held
    ridge = RIDGE * chosen.sum() * np.diag([0.0, *np.ones(terms.shape[1] - 1)])
    normal = terms[chosen].T @ terms[chosen] + ridge
    coefficients = np.linalg.solve(normal, terms[chosen].T @ lost[chosen])
    after = terms @ coefficients - lost
    arrays = {"coefficients": coefficients, "middle": middle, "scale": scale, "low": low, "high": high}
    stored: dict[str, Any] = {name: [float(f"{value:.8g}") for value in one] for name, one in arrays.items()}
    stored["scatter"] = round(float(np.sqrt((after[within & held] ** 2).mean())), 5)
    return stored


def known_parts(rows: list[dict[str, Any]], quantity: str) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Features, what was lost, and which rows are of galaxies held out; rows that lack one are left out."""
    features = np.array([features_of(row["found"], row["fwhm"]) for row in rows])
    lost = np.array([row["truth"][quantity] - row["found"][quantity] for row in rows])
    held = np.array([row["galaxy"] % HELD_OUT == HELD_OUT - 1 for row in rows])
    known = np.isfinite(features).all(axis=1) & np.isfinite(lost)
    return features[known], lost[known], held[known]


def table(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Tell of the galaxies held out: bias in cells of noise and resolution, and scatter, before and after."""
    yield (
        "| quantity | images | outside | bias before, after | in cells, rms | largest | scatter before, after "
        "| center stays: after (images) |"
    )
    yield "|---|---|---|---|---|---|---|---|"
    held = [row for row in rows if row["galaxy"] % HELD_OUT == HELD_OUT - 1]
    for quantity, correction in corrections().items():
        before, after, cells, stays, outside = [], [], [], [], 0
        for row in held:
            features = features_of(row["found"], row["fwhm"])
            error = row["found"][quantity] - row["truth"][quantity]
            if not (np.isfinite(features).all() and correction.is_known(features) and np.isfinite(error)):
                outside += 1
                continue
            before.append(error)
            after.append(error + correction.size(features))
            stays.append(row["moved"] < STAYS)
            cells.append(
                (np.searchsorted(SN_CELLS, row["sn"]), np.searchsorted(RESOLUTION_CELLS, row["resolution"]))
            )
        errors, places = np.array([before, after]), np.array(cells)
        means = np.array(
            [errors[:, (places == cell).all(axis=1)].mean(axis=1) for cell in np.unique(places, axis=0)]
        )
        numbers = [errors.mean(axis=1), np.sqrt((means**2).mean(axis=0)), np.abs(means).max(axis=0)]
        numbers.append(np.sqrt((errors**2).mean(axis=1)))
        said = " | ".join(f"{one:.3f}, {other:.3f}" for one, other in numbers)
        resting = np.sqrt((errors[1, stays] ** 2).mean())
        yield f"| `{quantity}` | {len(before)} | {outside} | {said} | {resting:.3f} ({sum(stays)}) |"


def main() -> None:
    """Make the grid, fit where asked, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path)
    parser.add_argument("--galaxies", type=int, default=90)
    parser.add_argument("--each", type=int, default=12)
    parser.add_argument("--fit", type=Path, help="where the fit is written")
    given = parser.parse_args()
    rows = grid_of(galaxies(given.data, given.galaxies), given.each)
    if given.fit:
        stored = {
            "origin": f"benchmarks/measure/corrections.py: {given.galaxies} drawn galaxies, Hubble's, {len(rows)} images",
            "features": FEATURES,
            "quantities": {quantity: fitted(rows, quantity) for quantity in QUANTITIES},
        }
        given.fit.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")
        corrections.cache_clear()
    print("\n".join(table(rows)))


if __name__ == "__main__":
    main()
