"""Errors of the shear that LSST-like observations of held-out HST galaxies would give, before and after denoising.

    python benchmarks/denoise/hst_truth.py FOLDER -o hst --side 192
    python benchmarks/denoise/shear.py hst denoiser --checkout Galaxy-Deconv -o shear

Galaxies of the split test, in pixels of 0.2 arcsec (area by area), frames of 48 px, each four times with seeing and noise
of its own: Kolmogorov laws of 0.55 to 0.85 arcsec sheared by 0.01 to 0.03, as their generate_data.py has them, drawn by
galsim with the pixel (ours learned from none of this law), and the noise of `beside_published.py`, at each signal to noise
that Li & Alexander (2023) define: root of the sum of truth^2 over the noise of a pixel. `denoiser` is what `galsmith
denoise fit` wrote. ShapeNet and Tikhonet run by their own code (MIT license), and the Wiener filter twice, with its own
spectrum for each image and with that of the training split. The error is |e - e_true| of adaptive moments, its median over
all images with an interval by drawing galaxies anew; a shape that cannot be measured counts as the largest error. Of two
methods the difference of medians on the same draws is given. Galaxies whose truth has no shape (a point) are left out.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import galsim
import numpy as np
import pandas as pd
from beside_published import NOISE_ADU, PIXEL_ARCSEC, SIDE_PIX, framed, galaxy_deconv
from numpy.typing import NDArray

from galsmith.compare.resampling import Chance
from galsmith.data.store import open_store
from galsmith.denoise.accuracy import accuracy_table, galaxy_errors
from galsmith.denoise.accuracy.quantities import derived
from galsmith.denoise.classical.wiener import measured_spectrum
from galsmith.denoise.denoisers import denoiser_named
from galsmith.denoise.method import Denoised
from galsmith.denoise.model import load_denoiser
from galsmith.images import ImageHeader, ImageSet
from galsmith.observe import Observation, Observed
from galsmith.observe.noise import GaussianNoise
from galsmith.observe.pixel_grid import resampled
from galsmith.observe.psf import ImagePsf
from galsmith.seeds import random_stream

HEADER = ImageHeader(("r",), "adu", pixel_scale_arcsec=PIXEL_ARCSEC)
SEEING_ARCSEC, SHEAR = (0.55, 0.85), (0.01, 0.03)
REPEATS = 4
LARGEST_ERROR = 2.0  # of two distortions
SHOWN = ("mse_mean", "mse_geometric", "flux_bias_mag", "r_half_bias", "m1", "m2", "chi2", "hallucinated")


class AsObserved:
    """Gives back what was observed: shapes with the PSF in them."""

    def denoise(self, observed: Observed) -> Denoised:
        """Change nothing."""
        return Denoised(observed.image)


def planes(images: ImageSet) -> list[NDArray[np.float64]]:
    """Bring galaxies to LSST's pixels, framed to `SIDE_PIX`."""
    factor = PIXEL_ARCSEC / images.header.pixel_scale_arcsec
    found = []
    for row in range(len(images)):
        small = resampled(np.asarray(images.pixels[row], np.float64), factor, "area", keeps_level=False)[0]
        cut = [max(0, (side - SIDE_PIX) // 2) for side in small.shape]
        found.append(framed(small[cut[0] : cut[0] + SIDE_PIX, cut[1] : cut[1] + SIDE_PIX]))
    return found


def observations(truths: list[NDArray[np.float64]], signal_to_noise: float) -> list[Observed]:
    """Observe every galaxy `REPEATS` times, in the order of galaxies."""
    found = []
    for number, truth in enumerate(truths):
        scaled = truth * signal_to_noise * NOISE_ADU / np.sqrt((truth**2).sum())
        for repeat in range(REPEATS):
            chance = random_stream(16, "benchmark.shear", REPEATS * number + repeat)
            observation = Observation(
                psf=ImagePsf(image=seeing(chance)), noise=GaussianNoise(sigma=NOISE_ADU)
            )
            found.append(observation.observe(scaled[None].astype(np.float32), chance, HEADER))
    return found


def seeing(chance: np.random.Generator) -> NDArray[np.float64]:
    """Draw a point spread function of the atmosphere, [47, 47], with the pixel in it."""
    law = galsim.Kolmogorov(fwhm=chance.uniform(*SEEING_ARCSEC))
    law = law.shear(g=chance.uniform(*SHEAR), beta=chance.uniform(0, np.pi) * galsim.radians)
    return law.drawImage(nx=SIDE_PIX - 1, ny=SIDE_PIX - 1, scale=PIXEL_ARCSEC).array.astype(np.float64)


def contenders(given: argparse.Namespace, images: ImageSet) -> dict:
    """Build all methods by their names in the table."""
    wiener = denoiser_named("wiener")
    trained = measured_spectrum(planes(images.in_split("train")))
    found = {
        "observed": AsObserved(),
        "wiener": wiener.build(wiener.settings()),
        "wiener (trained)": wiener.build(wiener.settings(spectrum=trained)),
        "richardson_lucy": _classical("richardson_lucy"),
    }
    if given.checkout is not None:
        found |= {kind: galaxy_deconv(given.checkout, kind) for kind in ("shapenet", "tikhonet")}
    return {**found, "ours": replace(load_denoiser(given.denoiser), force=given.force)}


def _classical(name: str):
    """Build a classical method as it is."""
    method = denoiser_named(name)
    return method.build(method.settings())


def medians(errors: pd.Series, counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Median over the images of drawn galaxies, [draw]; lost images are those with the largest error."""
    values = errors.fillna(LARGEST_ERROR).to_numpy().reshape(-1, REPEATS)
    return np.array([np.median(np.repeat(values, times, axis=0)) for times in counts])


def compared(errors: dict[str, pd.Series], n_galaxies: int) -> dict:
    """Give medians with intervals, and those of ours less the others'."""
    shares = np.full(n_galaxies, 1 / n_galaxies)
    counts = random_stream(16, "benchmark.shear.galaxies").multinomial(n_galaxies, shares, size=2000)
    drawn = {name: medians(one, counts) for name, one in errors.items()}
    whole = {name: float(medians(one, np.ones((1, n_galaxies), int))[0]) for name, one in errors.items()}
    return {
        name: {
            "median": whole[name],
            "interval": np.quantile(drawn[name], (0.025, 0.975)).tolist(),
            "lost": int(errors[name].isna().sum()),
            "ours_less_this": whole["ours"] - whole[name],
            "its_interval": np.quantile(drawn["ours"] - drawn[name], (0.025, 0.975)).tolist(),
        }
        for name in errors
    }


def main() -> None:
    """Print a table for each signal to noise, and write all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("store", help="of hst_truth.py, with the splits train and test")
    parser.add_argument("denoiser", help="a folder of galsmith denoise fit")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--checkout", type=Path, help="clone of Lukeli0425/Galaxy-Deconv")
    parser.add_argument("--signal-to-noise", type=float, nargs="+", default=(20.0, 100.0, 200.0))
    parser.add_argument("--force", action="store_true", help="take PSFs that ours was not trained for")
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    images = open_store(given.store)
    truths, methods = planes(images.in_split("test")), contenders(given, images)
    for level in given.signal_to_noise:
        observed = observations(truths, level)
        rows = {
            name: galaxy_errors(observed, [method.denoise(one) for one in observed], fits_sersic=False)
            for name, method in methods.items()
        }
        has_shape = np.isfinite(rows["ours"]["e1_truth"]).to_numpy()
        errors = {name: derived(one)["ellipticity_error"][has_shape] for name, one in rows.items()}
        n_galaxies = int(has_shape.sum()) // REPEATS
        found = compared(errors, n_galaxies)
        print(f"\nS/N {level:g}, {n_galaxies} galaxies, {REPEATS} times each\n")
        print("| method | median error of e | ours less this | lost |\n|---|---|---|---|")
        for name, one in found.items():
            (low, high), (least, most) = one["interval"], one["its_interval"]
            print(
                f"| {name} | {one['median']:.4f} ({low:.4f} to {high:.4f}) | {one['ours_less_this']:+.4f} "
                f"({least:+.4f} to {most:+.4f}) | {one['lost']} |"
            )
        table = accuracy_table(rows, chance=Chance(replicates=200, seed=16))
        print("\n" + table.to_markdown(quantities=SHOWN), flush=True)
        (given.output / f"{level:g}.json").write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
