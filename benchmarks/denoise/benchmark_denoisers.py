"""Denoisers side by side on held-out galaxies, under the shifts of the galaxies paper, as tables of what astronomers read.

    galsmith simulate components -n 700 -o clean --seed 3 --split 0.65/0.1/0.25
    galsmith denoise fit holzschuh2022-resnet --data clean -o resnet --images 8000
    galsmith denoise fit filter_bank --data clean -o bank --images 8000
    python benchmarks/denoise/benchmark_denoisers.py clean resnet bank wiener tikhonov

Prints a table a shift, and the paired ratios of squared error to that of the first denoiser. Trained ones are given
shifts that they were not trained for, as the paper does it.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np

from galsmith.compare import Chance
from galsmith.data.store import open_store
from galsmith.denoise import DENOISERS, Denoised, denoiser_named, load_denoiser
from galsmith.denoise.accuracy import accuracy_table, galaxy_errors, sky_pedestal
from galsmith.observe import PAPER_SHIFTS
from galsmith.seeds import random_stream

SHIFTS = ("none", "pixel-scale-coded", "pixel-scale-text", "noise-16", "both")


class Nothing:
    """Gives the observation back."""

    def denoise(self, observed):
        return Denoised(observed.image)


def denoiser_of(name):
    """A trained denoiser by its folder, a classical one by its name."""
    if name == "nothing":
        return Nothing()
    if name in DENOISERS and not Path(name).exists():
        method = denoiser_named(name)
        return method.build(method.settings())
    return load_denoiser(name, force=True)


def arguments():
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clean")
    parser.add_argument("denoisers", nargs="+")
    parser.add_argument("--galaxies", type=int, default=200)
    parser.add_argument("--shifts", nargs="+", default=SHIFTS, choices=list(PAPER_SHIFTS))
    parser.add_argument(
        "--sersic", action="store_true", help="fit Sérsic laws too, which takes most of the time"
    )
    parser.add_argument("--seed", type=int, default=9)
    parser.add_argument("-o", "--output", type=Path, help="JSON of all tables")
    return parser.parse_args()


def table_of(shift, images, given):
    """Denoise and measure under one shift."""
    observed = [
        PAPER_SHIFTS[shift].observe(image, random_stream(given.seed, "benchmark", k), images.header)
        for k, image in enumerate(images.pixels.read(np.arange(len(images))))
    ]
    rows, pedestals = {}, {}
    for name in given.denoisers:
        denoiser, key = denoiser_of(name), Path(name).name
        started = time.process_time()
        results = [denoiser.denoise(one) for one in observed]
        spent = time.process_time() - started
        print(f"{shift}: {key}: {1e3 * spent / len(observed):.1f} ms of CPU a galaxy", flush=True)
        rows[key] = galaxy_errors(observed, results, fits_sersic=given.sersic)
        pedestals[key] = sky_pedestal(denoiser, observed, seed=given.seed)
    return accuracy_table(rows, pedestals=pedestals, chance=Chance(replicates=200))


def main():
    given = arguments()
    images = open_store(given.clean).in_split("test")
    images = images.select(np.arange(min(given.galaxies, len(images))))
    tables = {}
    for shift in given.shifts:
        tables[shift] = found = table_of(shift, images, given)
        print(f"\n## {shift}, {len(images)} galaxies\n\n{found.to_markdown()}")
        first, *others = found.entries
        for other in others:
            for kind in ("mean", "geometric"):
                one = getattr(found.ratios[other][first], kind)
                print(f"MSE of {other} / {first}, {kind}: {one.value:.3f} ({one.low:.3f} to {one.high:.3f})")
        print(flush=True)
    if given.output is not None:
        given.output.write_text(json.dumps({shift: table.to_dict() for shift, table in tables.items()}))


if __name__ == "__main__":
    main()
