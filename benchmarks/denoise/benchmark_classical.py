"""What one would pick without training, on one set of mock observations: the table of accuracy of every classical method.

    galsmith simulate sersic -n 400 -o clean --recipe sersic-64 --seed 15
    python benchmarks/denoise/benchmark_classical.py clean -o classical --galaxies 100 --noise-sigma 4

The last images of the store are observed (PAPER_SHIFTS says how) and denoised; those before them give the Wiener filter its
spectrum. Each method is one JSON file of rows and CPU seconds in the output folder; what is there is not made again.
Methods that take no PSF off are judged against the same truth, without PSF: that is what they are used for.
"""

import argparse
import resource
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from galsmith.compare.resampling import Chance
from galsmith.data.store import open_store
from galsmith.denoise.accuracy import Pedestal, accuracy_table, galaxy_errors, sky_pedestal
from galsmith.denoise.classical.wiener import measured_spectrum
from galsmith.denoise.denoisers import denoiser_named
from galsmith.denoise.method import Denoised
from galsmith.errors import InputError
from galsmith.files import read_json, write_json
from galsmith.images import ImageSet
from galsmith.observe import PAPER_SHIFTS, Observation, Observed
from galsmith.observe.noise import GaussianNoise
from galsmith.seeds import random_stream

METHODS = (
    "observed",
    "wiener",
    "wiener (trained)",
    "tikhonov",
    "starlet",
    "starlet_fista",
    "starlet_fista (positive)",
    "tv",
    "nlm",
    "richardson_lucy",
    "bm3d",
    "bm3d_rl",
)
SHOWN = (
    "mse_mean",
    "mse_geometric",
    "flux_bias_mag",
    "r_half_bias",
    "sersic_index_bias",
    "ellipticity_error",
    "m1",
    "m2",
    "chi2",
    "whiteness",
    "hallucinated",
    "coverage_68",
    "coverage_68_galaxy",
)


class AsObserved:
    """Gives back what was observed: where every other method begins."""

    def denoise(self, observed: Observed) -> Denoised:
        """Change nothing."""
        return Denoised(observed.image)


def observation_of(shift: str, noise_sigma: float | None) -> Observation:
    """Give the observation of a shift of the galaxies paper, with another noise if asked for."""
    observation = PAPER_SHIFTS[shift]
    if noise_sigma is None:
        return observation
    return observation.model_copy(update={"noise": GaussianNoise(sigma=noise_sigma)})


def observe(
    images: ImageSet, rows: range, observation: Observation, factors: NDArray[np.float64] | float = 1.0
) -> list[Observed]:
    """Observe some images of a set, times a factor [band], each by its own chance."""
    scale = np.asarray(factors, dtype=np.float32).reshape(-1, 1, 1)
    return [
        observation.observe(
            scale * images.pixels[row], random_stream(15, "benchmark.observe", row), images.header
        )
        for row in rows
    ]


def denoiser_of(method: str, training: list[np.ndarray]):
    """Build a method by its name in the table; a word in brackets is a variant."""
    if method == "observed":
        return AsObserved()
    name, _, variant = method.partition(" (")
    record = denoiser_named(name)
    settings = {
        "trained)": lambda: {"spectrum": measured_spectrum(training)},
        "positive)": lambda: {"non_negative": True},
    }.get(variant, dict)()
    return record.build(record.settings(**settings))


def cpu_seconds() -> float:
    """CPU seconds of this process so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def run_one(denoiser, observed: list[Observed], file: Path, *, fits_sersic: bool) -> None:
    """Denoise all observations by one method and write what came out."""
    denoiser.denoise(observed[0])  # what is compiled or imported at the first call is not counted
    started = cpu_seconds()
    results = [denoiser.denoise(one) for one in observed]
    seconds = (cpu_seconds() - started) / len(observed)
    rows = galaxy_errors(observed, results, fits_sersic=fits_sersic)
    pedestal = sky_pedestal(denoiser, observed[:20], seed=15)
    write_json(
        file,
        {
            "rows": {name: [None if pd.isna(v) else v for v in rows[name].tolist()] for name in rows},
            "cpu_seconds": seconds,
            "pedestal": vars(pedestal),
        },
    )


def main() -> int:
    """Run what is missing, then print the table."""
    options = parsed()
    images = open_store(options.store)
    count = min(options.galaxies, len(images) // 2)
    rows = range(len(images) - count, len(images))
    observation = observation_of(options.shift, options.noise_sigma)
    observed = observe(images, rows, observation)
    training = [np.asarray(images.pixels[row]) for row in range(min(len(images) - count, 300))]
    options.output.mkdir(parents=True, exist_ok=True)
    files = {}
    for method in options.methods:
        files[method] = options.output / f"{method.replace(' ', '-').replace('(', '').replace(')', '')}.json"
        if files[method].exists():
            continue
        try:
            denoiser = denoiser_of(method, training)
        except InputError as error:
            print(f"{method}: left out, {error}", file=sys.stderr)
            del files[method]
            continue
        run_one(denoiser, observed, files[method], fits_sersic=options.sersic)
    print(f"{count} galaxies, {options.shift}, observation {observation.content_hash[:8]}")
    say_table(files, options.output)
    return 0


def say_table(files: dict[str, Path], output: Path) -> None:
    """Print what came out of each method, and write it as one table."""
    pages = {method: read_json(file) for method, file in files.items()}
    found = {method: pd.DataFrame(page["rows"]).astype(float) for method, page in pages.items()}
    pedestals = {method: Pedestal(**page["pedestal"]) for method, page in pages.items()}
    table = accuracy_table(found, pedestals=pedestals, chance=Chance(seed=15))
    table.write(output / "table.json")
    for bin_name in table.entries[next(iter(found))]:
        print(f"\n{bin_name}\n\n{table.to_markdown(bin_name=bin_name, quantities=SHOWN)}")
    for method, page in pages.items():
        level = pedestals[method]
        print(f"{method}: sky {level.in_sigma:+.4f} sigma, {page['cpu_seconds']:.4f} CPU s a galaxy")


def parsed() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("store", type=Path, help="clean images")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of results")
    parser.add_argument("--galaxies", type=int, default=100, help="how many are observed")
    parser.add_argument("--shift", choices=sorted(PAPER_SHIFTS), default="none")
    parser.add_argument("--noise-sigma", type=float, help="in flux units; that of the shift by default")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    parser.add_argument("--sersic", action="store_true", help="fit Sersic laws too")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
