"""Images per second and core of `simulate sersic` and of GalSim, and how far each is from the exact pixels.

The galaxies are those of the recipe `sersic`. Both programs run on one thread, take turns on the same galaxies, and
medians of processor seconds are compared within one run.
"""

import argparse
import platform
import time
from collections.abc import Callable
from pathlib import Path

import galsim
import numba
import numpy as np

from galsmith.data.sersic import SersicSettings, SersicSource, compile_renderer
from galsmith.provenance import software_versions
from galsmith.settings import read_recipe, typed_settings

Image = np.ndarray
REALSPACE = galsim.GSParams(realspace_relerr=1e-3, realspace_abserr=1e-9)
EXACT = galsim.GSParams(realspace_relerr=1e-5, realspace_abserr=1e-11)


def processor() -> str:
    """Name of the processor."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{models[0]}, {len(models)} cores" if models else platform.processor()


def drawn(source: SersicSource, row: int, method: str, parameters: galsim.GSParams) -> Image:
    """Draw one galaxy with GalSim, in electron / s per pixel."""
    galaxy = source.catalog[row]
    settings = source.settings["recipe"]
    profile = galsim.Sersic(
        n=float(galaxy["sersic_index"]),
        half_light_radius=galaxy["r_eff_arcsec"].value,
        flux=10 ** (-0.4 * (galaxy["magnitude"].value - settings["zero_point_mag"])),
        gsparams=parameters,
    )
    profile = profile.shear(
        q=float(galaxy["axis_ratio"]), beta=galaxy["orientation_rad"].value * galsim.radians
    ).shift(galaxy["center_x_arcsec"].value, galaxy["center_y_arcsec"].value)
    size = settings["size_pix"]
    scale = settings["pixel_scale_arcsec"]
    return profile.drawImage(nx=size, ny=size, scale=scale, method=method, dtype=np.float64).array


def timed(draw: Callable[[int], Image], row: int) -> tuple[float, Image]:
    """Processor seconds that drawing a galaxy takes, and its image."""
    start = time.process_time()
    image = draw(row)
    return time.process_time() - start, image


def main() -> None:
    """Run and print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--galaxies", type=int, default=20)
    parser.add_argument("--exact", type=int, default=4, help="how many of them to compare with exact pixels")
    arguments = parser.parse_args()
    settings = typed_settings(SersicSettings, read_recipe("sersic"), source="sersic")
    source = SersicSource(settings, n=arguments.galaxies, seed=1)
    numba.set_num_threads(1)
    galsim.set_omp_threads(1)
    compile_renderer()
    ways = {
        "galsmith": lambda row: source.read(np.array([row]))[0][0],
        "GalSim, method=auto, default GSParams": lambda row: drawn(source, row, "auto", galsim.GSParams()),
        "GalSim, method=real_space, relerr=1e-3": lambda row: drawn(source, row, "real_space", REALSPACE),
    }
    seconds = {way: [] for way in ways}
    errors = {way: [] for way in ways}
    for row in range(arguments.galaxies):
        truth = drawn(source, row, "real_space", EXACT) if row < arguments.exact else None
        for way, draw in ways.items():
            taken, image = timed(draw, row)
            seconds[way].append(taken)
            if truth is not None:
                errors[way].append(np.abs(image / truth - 1).max())
    print(f"{processor()}; 1 thread; numba {numba.__version__}, GalSim {galsim.__version__}")
    print(", ".join(f"{name} {version}" for name, version in software_versions().items()))
    own = np.median(seconds["galsmith"])
    print(f"\n{arguments.galaxies} galaxies of 256 x 256 px\n")
    print(
        "| way | images per processor second (median) | galsmith is faster by | largest error of a pixel |\n"
        "|---|---|---|---|"
    )
    for way in ways:
        median = np.median(seconds[way])
        print(f"| {way} | {1 / median:.2f} | {median / own:.0f} | {max(errors[way]):.1e} |")


if __name__ == "__main__":
    main()
