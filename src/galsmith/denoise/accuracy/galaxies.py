"""One row a galaxy and band: how far a result is from its truth, in the quantities that astronomers read."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from galsmith.denoise.accuracy.pixels import (
    LEVELS,
    N_RINGS,
    covered_shares,
    peak_signal_to_noise_db,
    reconvolved_residual,
    structural_similarity,
)
from galsmith.denoise.accuracy.shapes import Aperture, adaptive_shape, aperture_of, light_within
from galsmith.denoise.accuracy.sources import hallucinated_sources
from galsmith.denoise.bands import Band, Floats, Grid, band_of
from galsmith.denoise.method import Denoised
from galsmith.errors import InputError
from galsmith.measure.arrays import morphology
from galsmith.observe.observed import Observed

NAN = float("nan")
POWERS = tuple(f"residual_power_{ring}" for ring in range(N_RINGS))
COVERAGES = tuple(f"coverage_{round(100 * level)}{where}" for where in ("", "_galaxy") for level in LEVELS)

_OF_LIGHT = ("flux", "r_half_pix", "e1", "e2")
MEASURED = (
    *("mse", "chi2", "hallucinated", "psnr_db", "ssim", *POWERS, *COVERAGES),
    *(f"{name}{suffix}" for name in _OF_LIGHT for suffix in ("", "_truth")),
    *("sersic_index", "sersic_index_truth"),
)


def galaxy_errors(
    observed: Sequence[Observed], denoised: Sequence[Denoised], *, fits_sersic: bool = True
) -> pd.DataFrame:
    """Measure each result against the truth of its observation.

    Parameters
    ----------
    observed : sequence of Observed
        With their truths.
    denoised : sequence of Denoised
        What a method made of them, in the same order.
    fits_sersic : bool
        Whether Sérsic laws are fitted to truths and results, which takes most of the time.

    Returns
    -------
    DataFrame
        A row a galaxy and band: ``galaxy`` and ``band`` (positions), ``signal_to_noise`` of the truth, ``mse``, ``flux``,
        ``r_half_pix``, ``e1``, ``e2``, ``sersic_index``, each of these five with that of the truth as ``..._truth``,
        ``chi2``, ``residual_power_0`` and on, ``hallucinated`` (a number), ``coverage_50`` and on, those of the galaxy's
        pixels alone as ``coverage_50_galaxy`` and on, ``psnr_db``, ``ssim``. What cannot be measured is NaN.

    Raises
    ------
    InputError
        If the two differ in number or form, or an observation has no truth.
    """
    if len(observed) != len(denoised):
        raise InputError(
            argument="denoised",
            came=len(denoised),
            wanted=f"a result for each of {len(observed)} observations",
        )
    rows: list[dict[str, Any]] = []
    for galaxy, (seen, made) in enumerate(zip(observed, denoised, strict=True)):
        truth = _checked_truth(seen, made, galaxy)
        for number in range(len(truth)):
            sigma = None if made.sigma is None else np.asarray(made.sigma[number], dtype=np.float64)
            image = np.asarray(made.image[number], dtype=np.float64)
            place = {"galaxy": galaxy, "band": number}
            rows.append(place | _row(band_of(seen, number), image, sigma, truth[number]))
    table = pd.DataFrame(rows).reindex(columns=["galaxy", "band", "aperture", "signal_to_noise", *MEASURED])
    if fits_sersic:
        table["sersic_index_truth"] = _sersic_indices([seen.truth for seen in observed], table)
        table["sersic_index"] = _sersic_indices([made.image for made in denoised], table)
    return table.drop(columns=["aperture"])


def _checked_truth(seen: Observed, made: Denoised, galaxy: int) -> Floats:
    """Give the truth of an observation, or say what is missing."""
    if seen.truth is None:
        raise InputError(
            f"observation {galaxy} has no truth, so that no error of its result is known",
            way_out="observe clean images",
        )
    if seen.truth.shape != made.image.shape:
        raise InputError(
            f"result {galaxy} has another shape than its truth",
            argument="denoised",
            came=made.image.shape,
            wanted=str(seen.truth.shape),
        )
    return np.asarray(seen.truth, dtype=np.float64)


def _row(band: Band, result: Floats, sigma: Floats | None, truth: Floats) -> dict[str, Any]:
    """Measure one band of one galaxy."""
    aperture = aperture_of(truth)
    row: dict[str, Any] = {"aperture": aperture, "signal_to_noise": _signal_to_noise(band, truth)}
    if not (np.isfinite(result).all() and band.good.any()):
        return row
    residual = reconvolved_residual(band, result)
    row |= {
        "mse": float(np.mean((result - truth)[band.good] ** 2)),
        "chi2": residual.chi2,
        **dict(zip(POWERS, residual.power, strict=True)),
        "hallucinated": len(hallucinated_sources(band, result, truth)),
        "psnr_db": peak_signal_to_noise_db(result, truth, band.good),
        "ssim": structural_similarity(result, truth),
    }
    if sigma is not None:
        inside = np.zeros(truth.shape, dtype=bool) if aperture is None else aperture.pixels(truth.shape)
        shares = covered_shares(result, sigma, truth, band.good)
        shares += covered_shares(result, sigma, truth, band.good & inside)
        row |= dict(zip(COVERAGES, shares, strict=True))
    return row if aperture is None else row | _light_and_shape(result, truth, aperture)


def _signal_to_noise(band: Band, truth: Floats) -> float:
    """Signal to noise of the whole galaxy, known and weighted at its best: root of the sum of ivar (psf * truth)^2."""
    grid = Grid(band)
    seen = grid.cut(grid.convolved(grid.embedded(truth)))
    return math.sqrt(float((seen**2 / band.variance)[band.good].sum()))


def _light_and_shape(result: Floats, truth: Floats, aperture: Aperture) -> dict[str, float]:
    """Measure flux, size and ellipticity of both within the truth's aperture."""
    row: dict[str, float] = {}
    for suffix, image in (("", result), ("_truth", truth)):
        light, shape = light_within(image, aperture), adaptive_shape(image, aperture)
        row |= {
            f"flux{suffix}": light.flux,
            f"r_half_pix{suffix}": light.r_half_pix,
            f"e1{suffix}": shape.e1,
            f"e2{suffix}": shape.e2,
        }
    return row


def _sersic_indices(images: Sequence[Any], table: pd.DataFrame) -> NDArray[np.float64]:
    """Fit Sérsic laws within the apertures of the truths; NaN where a fit is flagged or there is nothing to fit."""
    found = np.full(len(table), NAN)
    planes = [images[galaxy][band] for galaxy, band in zip(table["galaxy"], table["band"], strict=True)]
    apertures = list(table["aperture"])
    known = [
        place
        for place, (plane, aperture) in enumerate(zip(planes, apertures, strict=True))
        if aperture is not None and np.isfinite(plane).all()
    ]
    stamps = [planes[place] for place in known]
    maps = [apertures[place].pixels(planes[place].shape).astype(np.int32) for place in known]
    if known:
        measured = morphology(stamps, labels=maps, sky="annulus")
        fitted = np.asarray(measured["flag_sersic"]) == 0
        found[known] = np.where(fitted, np.asarray(measured["sersic_index"], dtype=np.float64), NAN)
    return found
