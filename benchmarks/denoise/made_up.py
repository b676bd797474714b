"""How often a denoiser makes a source up: of thousands of held-out frames with truth, and how much of their flux it keeps.

    python benchmarks/denoise/made_up.py denoiser hst components --frames 3000

Frames as `survey_truth.py` composes them, of galaxies of the split test alone, observed with the seeing of `shear.py`,
which the denoiser has not learned from, or with the PSFs of a table, at a signal to noise of 20 to 2,000, half of them
with noise that neighbors share. A made-up source is a peak of the result that the data would
show at 5 sigma and that the truth does not have, as
`galsmith.denoise.accuracy.sources` finds them.
"""

import argparse

import numpy as np
from scipy.stats import beta
from shear import seeing
from survey_truth import Pool, frame

from galsmith.data.store import open_store
from galsmith.denoise.accuracy.pixels import reconvolved_residual
from galsmith.denoise.accuracy.sources import hallucinated_sources, significance_map
from galsmith.denoise.bands import band_of
from galsmith.denoise.looks import LookRange, Looks
from galsmith.denoise.model import load_denoiser
from galsmith.images import ImageHeader
from galsmith.observe import Observation
from galsmith.observe.psf import ImagePsf
from galsmith.seeds import random_stream

HEADER = ImageHeader(("clear",), "electron")
SIGNAL_TO_NOISE = (20.0, 2000.0)


def observations(given):
    """Compose and observe the frames, one after the other."""
    pool = Pool([open_store(place) for place in given.stores], "test")
    noise = {
        "signal_to_noise": SIGNAL_TO_NOISE,
        "brightest_variance": (1.0, 50.0),
        "largest_neighbor_weight": 0.2,
    }
    table = {} if given.psfs is None else {"psf_images_path": given.psfs, "psf_images_stretch": (1.0, 1.0)}
    for position in range(given.frames):
        chance = random_stream(17, "benchmark.made-up", position)
        truth = frame(pool, chance)
        observation = Observation() if table else Observation(psf=ImagePsf(image=seeing(chance)))
        yield Looks(observation, LookRange(**noise, **table), HEADER).at(truth, chance)


def main() -> None:
    """Count, and print the share with its interval."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("denoiser")
    parser.add_argument("stores", nargs="+")
    parser.add_argument("--psfs", help="a table, as psf_table.py writes it")
    parser.add_argument("--frames", type=int, default=3000)
    parser.add_argument("--force", action="store_true")
    given = parser.parse_args()
    denoiser = load_denoiser(given.denoiser, force=given.force)
    made_up, peaks, fluxes, squares = [], [], [], []
    for observed in observations(given):
        result = denoiser.denoise(observed).image[0].astype(np.float64)
        band, truth = band_of(observed, 0), observed.truth[0].astype(np.float64)
        made_up.append(len(hallucinated_sources(band, result, truth)) > 0)
        peaks.append(float(significance_map(band, truth).max()))
        fluxes.append(result.sum() / observed.image[0].sum() - 1)
        squares.append(reconvolved_residual(band, result).chi2)
    count, n = int(np.sum(made_up)), given.frames
    # the exact interval of a share (Clopper & Pearson 1934, sec. 3)
    low = beta.ppf(0.025, count, n - count + 1) if count else 0.0
    high = beta.ppf(0.975, count + 1, n - count)
    print(f"{count} of {n} frames have a made-up source: {count / n:.2%} ({low:.2%} to {high:.2%})")
    for least, most in ((0, 50), (50, 200), (200, 1e9)):
        inside = [is_one for is_one, peak in zip(made_up, peaks, strict=True) if least <= peak < most]
        print(f"brightest source of {least} to {most:g} sigma: {sum(inside)} of {len(inside)}")
    print(f"flux of the frame less that of the data: {np.median(np.abs(fluxes)):.2%} (median size)")
    print(
        f"chi^2 a pixel: {np.mean(squares):.3f}, of single frames 5 to 95 %: {np.quantile(squares, (0.05, 0.95))}"
    )


if __name__ == "__main__":
    main()
