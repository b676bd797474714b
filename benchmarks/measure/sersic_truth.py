"""How true Sérsic fits are: galaxies of known law, fitted by galsmith, statmorph, PetroFit and pysersic.

    python benchmarks/measure/sersic_truth.py --work runs/sersic-truth
    python benchmarks/measure/sersic_truth.py --work runs/sersic-truth --rivals PYTHON --rival-galaxies 24

Images of 128 px by brute-force integration (`tests/measure/oracle/integrated_laws.py`): r_eff 4 to 9 px along the major
axis, q 0.2 to 1, n in three ranges, the center within a pixel of the middle, white noise; signal to noise a pixel is that
of the mean pixel within the effective ellipse. The point spread is a Gaussian of 3 px, given as an image of a star. Every
program is given the sigma of the noise. CPU time is that of the fit alone: for galsmith, of a measurement with it less
one without.
PYTHON is an interpreter with petrofit and pysersic. The page prints itself.
"""

import argparse
import json
import subprocess
import sys
import time
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "measure" / "oracle"))
SIZE, MEAN, FWHM = 128, 100.0, 3.0
RANGES = {"0.5 to 1.25": (0.5, 1.25), "1.25 to 3": (1.25, 3.0), "3 to 7": (3.0, 7.0)}
CASES = [(sn, fwhm) for fwhm in (0.0, FWHM) for sn in (50, 20)]
CATASTROPHIC = 0.3
COLUMNS = ("sersic_index", "sersic_r_eff_pix", "sersic_chi2_dof")
TURNS = 3
# of the place, pixels, of ellipticity and angle
STEPS = {0: 1e-2, 1: 1e-2, 5: 1e-3, 6: 1e-3}


def main() -> None:
    """Simulate, fit by all, and print the table; or, as a rival's interpreter, fit one set."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--galaxies", type=int, default=600)
    parser.add_argument("--rivals", help="an interpreter that has petrofit and pysersic")
    parser.add_argument("--rival-galaxies", type=int, default=60)
    parser.add_argument("--as-rival", choices=["petrofit", "pysersic"])
    parser.add_argument("--set", type=Path)
    arguments = parser.parse_args()
    if arguments.as_rival:
        fit_as_rival(arguments.as_rival, arguments.set)
        return
    arguments.work.mkdir(parents=True, exist_ok=True)
    print(
        "| set | program | n | galaxies | failed | index: bias, rms (bound) % | r_eff: bias, rms (bound) % | over 30 % off "
        "| chi2 | CPU ms |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for sn, fwhm in CASES:
        galaxies = simulated(arguments.galaxies, sn=sn, fwhm=fwhm)
        label = f"S/N {sn}" + (f", PSF {fwhm:g} px" if fwhm else "")
        for program, found in ours(galaxies):
            tell(label, program, galaxies, found)
        for rival in ("petrofit", "pysersic") if arguments.rivals else ():
            # half a minute a fit
            count = arguments.rival_galaxies if rival == "petrofit" else arguments.rival_galaxies // 8
            few = {name: values if name == "psf" else values[:count] for name, values in galaxies.items()}
            file = arguments.work / f"{rival}-{sn}-{fwhm:g}.npz"
            np.savez(file, **few)
            found = of_rival(arguments.rivals, rival, file)
            if found is not None:
                tell(label, rival, few, found)


def simulated(count: int, *, sn: float, fwhm: float) -> dict[str, Any]:
    """Laws, images and the sigma of their noise."""
    import integrated_laws as laws

    truths, images = [], []
    for k in range(count):
        rng = np.random.default_rng([k, 5])
        low, high = list(RANGES.values())[k % len(RANGES)]
        x, y = SIZE / 2 - 0.5 + rng.uniform(-1, 1, 2)
        law = np.array([x, y, 1.0, rng.uniform(4, 9), rng.uniform(low, high), 1 - rng.uniform(0.2, 1), 0.0])
        law[6] = rng.uniform(-1.57, 1.57)
        shape = (SIZE, SIZE)
        image = laws.behind_gaussian(shape, law, fwhm) if fwhm else laws.integrated(shape, law)
        scale = MEAN / laws.mean_within_r_eff(image, law)
        law[2] *= scale
        truths.append(law)
        images.append(image * scale + rng.normal(0, MEAN / sn, shape))
    psf = laws.effective_gaussian(fwhm) if fwhm else np.empty((0, 0))
    return {
        "law": np.array(truths),
        "image": np.array(images),
        "sigma": np.full(count, MEAN / sn),
        "psf": psf,
    }


def ours(galaxies: dict[str, Any]) -> Any:
    """Name and answers of galsmith's two fits, and of statmorph."""
    from galsmith.measure import MeasureSettings
    from galsmith.measure.statmorph.engine import measure_morphology

    yield from ours_in_turns(galaxies)
    few = min(len(galaxies["image"]), 30)
    answers, seconds_of = [], []
    for given in inputs(galaxies)[:few]:
        started = time.process_time()
        settings = MeasureSettings(quantities=("morphology",), sersic="parity")
        found = measure_morphology(given, settings)
        seconds_of.append(time.process_time() - started)
        answers.append([found.values[name] for name in COLUMNS])
    yield "statmorph 0.7.2 (all it measures)", (np.array(answers), np.array(seconds_of), None)


def inputs(galaxies: dict[str, Any]) -> list[Any]:
    """Give the galaxies as the engine takes them."""
    from galsmith.measure.engine.batch import GalaxyInput

    psf = galaxies["psf"] if galaxies["psf"].size else None
    pairs = zip(galaxies["image"], galaxies["sigma"], strict=True)
    return [GalaxyInput(image, sigma_map=np.full(image.shape, sigma), psf=psf) for image, sigma in pairs]


def ours_in_turns(galaxies: dict[str, Any]) -> Any:
    """Measure every galaxy without a fit and with each of two, in turns."""
    from galsmith.measure.engine.batch import Options, Segmenting, measure_galaxy_input

    how = {mode: Options(Segmenting(), sersic=mode) for mode in ("none", "integrated", "parity")}
    found: dict[str, list[Any]] = {mode: [] for mode in how}
    seconds = {mode: np.full(len(galaxies["image"]), np.inf) for mode in how}
    for k, given in enumerate(inputs(galaxies)):
        for turn in range(TURNS):
            for mode, options in how.items():
                started = time.process_time()
                row = measure_galaxy_input(given, options)
                seconds[mode][k] = min(seconds[mode][k], time.process_time() - started)
                if turn == 0:
                    found[mode].append(row.values)
    for name, mode in (("galsmith", "integrated"), ("galsmith, `parity`", "parity")):
        answers = np.array([[values[column] for column in COLUMNS] for values in found[mode]])
        bound = bounds(galaxies, found[mode]) if mode == "integrated" else None
        yield name, (answers, seconds[mode] - seconds["none"], bound)


def bounds(galaxies: dict[str, Any], found: list[dict[str, float]]) -> np.ndarray:
    """Least relative sigma of index and radius that the pixels of each stamp allow; NaN where it was not asked."""
    sides = ("stamp_x_min_pix", "stamp_y_min_pix", "stamp_x_max_pix", "stamp_y_max_pix")
    least = np.full((len(found), 2), np.nan)
    steep = RANGES["3 to 7"][0]
    for k, law in enumerate(galaxies["law"]):
        fwhm = FWHM if galaxies["psf"].size else 0.0
        if not np.isfinite(found[k]["sersic_index"]) or (fwhm and law[4] <= steep):
            continue
        x_min, y_min, x_max, y_max = (int(found[k][side]) for side in sides)
        slopes = slopes_of(tuple(law), fwhm)[:, y_min : y_max + 1, x_min : x_max + 1].reshape(law.size, -1)
        lengths = np.sqrt((slopes**2).sum(axis=1))
        scaled = np.linalg.inv((slopes @ slopes.T) / np.outer(lengths, lengths))
        sigmas = galaxies["sigma"][k] * np.sqrt(np.diag(scaled)) / lengths
        least[k] = sigmas[4] / law[4], sigmas[3] / law[3]
    return least


@cache
def slopes_of(law: tuple[float, ...], fwhm: float) -> np.ndarray:
    """Differentiate the brute-force image by every parameter, [parameter, y, x]."""
    import integrated_laws as laws

    shape, images = (SIZE, SIZE), []
    for k, value in enumerate(law):
        step = 1e-3 * abs(value) if k in (2, 3, 4) else STEPS[k]
        sides = []
        for sign in (1, -1):
            moved = np.array(law)
            moved[k] += sign * step
            sides.append(laws.behind_gaussian(shape, moved, fwhm) if fwhm else laws.integrated(shape, moved))
        images.append((sides[0] - sides[1]) / (2 * step))
    return np.array(images, dtype=np.float32).astype(np.float64)


def of_rival(interpreter: str, rival: str, file: Path) -> tuple[np.ndarray, np.ndarray, None] | None:
    """Let a rival's interpreter fit a set."""
    command = [interpreter, __file__, "--work", str(file.parent), "--as-rival", rival, "--set", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{rival}: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
        return None
    answers = np.array(json.loads(done.stdout.strip().splitlines()[-1]))
    return answers[:, :3], answers[:, 3], None


def fit_as_rival(rival: str, file: Path) -> None:
    """Fit a set and print index, radius, chi2 and seconds of each."""
    galaxies = np.load(file)
    fit = {"petrofit": by_petrofit, "pysersic": by_pysersic}[rival]
    rows = []
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for law, image, sigma in zip(galaxies["law"], galaxies["image"], galaxies["sigma"], strict=True):
            started = time.process_time()
            try:
                index, r_eff, chi2 = fit(law, image, float(sigma), galaxies["psf"])
            except ValueError:  # PetroFit's fine window left the image
                index = r_eff = chi2 = float("nan")
            rows.append([index, r_eff, chi2, time.process_time() - started])
    print(json.dumps(rows))


def by_petrofit(law: Any, image: Any, sigma: float, psf: Any) -> tuple[float, float, float]:
    """PetroFit, the middle 10 px sampled 5 times as finely, from a start near the truth."""
    from astropy.config import configuration
    from astropy.modeling.models import Sersic2D

    # petrofit 0.5.0 imports what astropy has dropped, and needs it no more
    configuration.update_default_config = lambda *_: None
    configuration.ConfigurationDefaultMissingError = Exception
    configuration.ConfigurationDefaultMissingWarning = UserWarning
    from petrofit.modeling import PSFConvolvedModel2D, fit_model, model_to_image

    bounds = {"amplitude": (0, None), "r_eff": (0.5, 60), "n": (0.2, 10), "ellip": (0, 0.95)}
    start = Sersic2D(law[2], law[3] * 1.2, 2.0, law[0] + 0.2, law[1] - 0.2, 0.4, law[6] + 0.2, bounds=bounds)
    model = PSFConvolvedModel2D(start, psf=psf if psf.size else None, oversample=("x_0", "y_0", 10, 5))
    fitted, _ = fit_model(image, model, weights=np.full(image.shape, 1 / sigma), maxiter=1_000)
    drawn = model_to_image(fitted, size=image.shape[::-1])
    chi2 = (((image - drawn) / sigma) ** 2).sum() / (image.size - 7)
    return float(fitted.n.value), float(fitted.r_eff.value), float(chi2)


def by_pysersic(law: Any, image: Any, sigma: float, psf: Any) -> tuple[float, float, float]:
    """Take pysersic's most probable law, with the priors that it makes of the image."""
    import jax

    jax.config.update("jax_enable_x64", val=True)
    from pysersic import FitSingle, SourceProperties

    spread = psf if psf.size else np.outer(*[np.array([0.0, 1.0, 0.0])] * 2)
    prior = SourceProperties(image).generate_prior("sersic", sky_type="none")
    fitter = FitSingle(data=image, rms=np.full(image.shape, sigma), psf=spread, prior=prior)
    found = fitter.find_MAP(rkey=jax.random.PRNGKey(0))
    chi2 = (((image - found["model"]) / sigma) ** 2).sum() / (image.size - 7)
    return float(found["n"]), float(found["r_eff"]), float(chi2)


def tell(label: str, program: str, galaxies: dict[str, Any], found: tuple[Any, Any, Any]) -> None:
    """Print a row for each range of the index."""
    answers, seconds, bound = found
    truths = galaxies["law"][: len(answers)]
    is_found = np.isfinite(answers[:, 2])
    for name, (low, high) in RANGES.items():
        asked = (truths[:, 4] > low) & (truths[:, 4] <= high)
        chosen = is_found & asked
        cells = []
        for k, truth in enumerate((truths[chosen, 4], truths[chosen, 3])):
            error = answers[chosen, k] / truth - 1
            least = "" if bound is None else f" ({100 * np.sqrt((bound[chosen, k] ** 2).mean()):.2f})"
            cells.append(
                f"{100 * error.mean():+.2f}, {100 * np.sqrt((error**2).mean()):.2f}{least.replace('nan', '–')}"
            )
        lost = 100 * np.mean(np.abs(answers[chosen, 0] / truths[chosen, 4] - 1) > CATASTROPHIC)
        print(
            f"| {label} | {program} | {name} | {asked.sum()} | {asked.sum() - chosen.sum()} | {cells[0]} | {cells[1]} "
            f"| {lost:.1f} % | {np.median(answers[chosen, 2]):.3f} | {1000 * seconds[chosen].mean():.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
