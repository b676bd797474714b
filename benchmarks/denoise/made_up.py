"""How often a denoiser makes a source up: of thousands of held-out frames with truth, and how much of their flux it keeps.

    python benchmarks/denoise/psf_table.py KiDS/*psfim.fits -o kids-psfs.fits --side 25
    python benchmarks/denoise/made_up.py denoiser hst components --psfs kids-psfs.fits --frames 3000

Frames as `survey_truth.py` composes them, of galaxies of the split test alone, observed with PSFs that the denoiser has not
learned from, at a signal to noise of 20 to 2,000, half of them with noise that neighbors share. A made-up source is a
peak of the result that the data would show at 5 sigma and that the truth does not have, as
`galsmith.denoise.accuracy.sources` finds them.
"""

import argparse

import numpy as np
from scipy.stats import beta
from survey_truth import Pool, frame

from galsmith.data.store import open_store
from galsmith.denoise.accuracy.pixels import reconvolved_residual
from galsmith.denoise.accuracy.sources import hallucinated_sources
from galsmith.denoise.bands import band_of
from galsmith.denoise.looks import LookRange, Looks
from galsmith.denoise.model import load_denoiser
from galsmith.images import ImageHeader
from galsmith.observe import Observation
from galsmith.seeds import random_stream


def main() -> None:
    """Count, and print the share with its interval."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("denoiser")
    parser.add_argument("stores", nargs="+")
    parser.add_argument("--psfs", required=True)
    parser.add_argument("--frames", type=int, default=3000)
    parser.add_argument("--force", action="store_true")
    given = parser.parse_args()
    pool = Pool([open_store(place) for place in given.stores], "test")
    looks = Looks(
        Observation(),
        LookRange(
            psf_images_path=given.psfs,
            psf_images_stretch=(1.0, 1.0),
            signal_to_noise=(20.0, 2000.0),
            brightest_variance=(1.0, 50.0),
            largest_neighbor_weight=0.2,
        ),
        ImageHeader(("clear",), "electron"),
    )
    denoiser = load_denoiser(given.denoiser, force=given.force)
    made_up, fluxes, squares = [], [], []
    for position in range(given.frames):
        chance = random_stream(17, "benchmark.made-up", position)
        observed = looks.at(frame(pool, chance), chance)
        result = denoiser.denoise(observed).image[0].astype(np.float64)
        band = band_of(observed, 0)
        made_up.append(len(hallucinated_sources(band, result, observed.truth[0].astype(np.float64))) > 0)
        fluxes.append(result.sum() / observed.image[0].sum() - 1)
        squares.append(reconvolved_residual(band, result).chi2)
    count, n = int(np.sum(made_up)), given.frames
    # the exact interval of a share (Clopper & Pearson 1934, sec. 3)
    low = beta.ppf(0.025, count, n - count + 1) if count else 0.0
    high = beta.ppf(0.975, count + 1, n - count)
    print(f"{count} of {n} frames have a made-up source: {count / n:.2%} ({low:.2%} to {high:.2%})")
    print(f"flux of the frame less that of the data: {np.median(np.abs(fluxes)):.2%} (median size)")
    print(
        f"chi^2 a pixel: {np.mean(squares):.3f}, of single frames 5 to 95 %: {np.quantile(squares, (0.05, 0.95))}"
    )


if __name__ == "__main__":
    main()
