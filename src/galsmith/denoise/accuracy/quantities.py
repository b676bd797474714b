"""What a table of accuracy says: numbers of many galaxies, with words, in the order in which they are read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from galsmith.denoise.accuracy.galaxies import POWERS

Floats = NDArray[np.float64]
Columns = Mapping[str, Floats]
Statistic = Callable[[Columns, Floats], Floats]
"""Gives a number a draw [draw] of columns [row] weighted by how often each draw has each row [draw, row]."""


@dataclass(frozen=True)
class Quantity:
    """One number of many galaxies.

    Attributes
    ----------
    name : str
        Key in files, with the unit as suffix.
    words : str
        What tables call it.
    columns : tuple of str
        Of `galaxy_errors` or `derived`; rows that lack one are lost to it.
    statistic : callable
        Makes the number.
    ideal : float or None
        What a perfect result would have; None where it is 0 for errors without a scale of their own.
    """

    name: str
    words: str
    columns: tuple[str, ...]
    statistic: Statistic
    ideal: float | None = 0.0


def derived(rows: pd.DataFrame) -> pd.DataFrame:
    """Add errors of single galaxies to what `galaxy_errors` measured; NaN where a ratio has no meaning.

    Parameters
    ----------
    rows : DataFrame
        As `galaxy_errors` gives them.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        share = rows["flux"] / rows["flux_truth"]
        added = {
            "log_mse": np.log(rows["mse"].where(rows["mse"] > 0)),
            # magnitudes: above 0 the result is too faint
            "flux_error_mag": -2.5 * np.log10(share.where(share > 0)),
            "r_half_error": rows["r_half_pix"] / rows["r_half_pix_truth"] - 1,
            "sersic_index_error": rows["sersic_index"] / rows["sersic_index_truth"] - 1,
            "ellipticity_error": np.hypot(rows["e1"] - rows["e1_truth"], rows["e2"] - rows["e2_truth"]),
        }
    return rows.assign(**added)


def _mean(columns: Columns, weights: Floats) -> Floats:
    (values,) = columns.values()
    return weights @ values / weights.sum(axis=1)


def _geometric_mean(columns: Columns, weights: Floats) -> Floats:
    return np.exp(_mean(columns, weights))


def _median(columns: Columns, weights: Floats) -> Floats:
    """Weighted median: the mean of the two middle values where the weights part evenly."""
    (values,) = columns.values()
    order = np.argsort(values, kind="stable")
    ordered, running = values[order], np.cumsum(weights[:, order], axis=1)
    half = running[:, -1:] / 2
    low, high = (running < half).sum(axis=1), (running <= half).sum(axis=1)
    return (ordered[low] + ordered[np.minimum(high, len(ordered) - 1)]) / 2


def _slope_and_intercept(columns: Columns, weights: Floats) -> tuple[Floats, Floats]:
    """Least squares of the first column on the second."""
    measured, true = columns.values()
    total = weights.sum(axis=1)
    mean_x, mean_y = weights @ true / total, weights @ measured / total
    spread = weights @ true**2 / total - mean_x**2
    shared = weights @ (true * measured) / total - mean_x * mean_y
    slope = np.divide(shared, spread, out=np.full(len(total), np.nan), where=spread > 1e-12)
    return slope, mean_y - slope * mean_x


def _multiplicative(columns: Columns, weights: Floats) -> Floats:
    """Bias m of e = (1 + m) e_true + c (Heymans et al. 2006, eq. 11)."""
    return _slope_and_intercept(columns, weights)[0] - 1


def _additive(columns: Columns, weights: Floats) -> Floats:
    """Bias c of the same."""
    return _slope_and_intercept(columns, weights)[1]


def _whiteness(columns: Columns, weights: Floats) -> Floats:
    """Root mean square over rings of the mean power over that of the noise, less 1."""
    total = weights.sum(axis=1)
    powers = np.stack([weights @ values / total for values in columns.values()])
    return np.sqrt(np.mean((powers - 1) ** 2, axis=0))


def _coverages() -> tuple[Quantity, ...]:
    """Shares of pixels within the stated intervals, of all and of those of galaxies."""
    return tuple(
        Quantity(
            f"coverage_{level}{suffix}",
            f"within the stated {level} %{words}",
            (f"coverage_{level}{suffix}",),
            _mean,
            level / 100,
        )
        for suffix, words in (("", ""), ("_galaxy", ", galaxy"))
        for level in (50, 68, 95)
    )


QUANTITIES: tuple[Quantity, ...] = (
    Quantity("mse_mean", "MSE, mean", ("mse",), _mean),
    Quantity("mse_geometric", "MSE, geometric mean", ("log_mse",), _geometric_mean),
    Quantity("flux_bias_mag", "flux bias, median [mag]", ("flux_error_mag",), _median),
    Quantity("r_half_bias", "half-light radius, median error", ("r_half_error",), _median),
    Quantity("sersic_index_bias", "Sérsic n, median error", ("sersic_index_error",), _median),
    Quantity("ellipticity_error", "ellipticity, median error", ("ellipticity_error",), _median),
    *(
        Quantity(f"{symbol}{axis}", f"{symbol}{axis}", (f"e{axis}", f"e{axis}_truth"), statistic)
        for axis in (1, 2)
        for symbol, statistic in (("m", _multiplicative), ("c", _additive))
    ),
    Quantity("chi2", "chi^2 a pixel, reconvolved", ("chi2",), _mean, 1.0),
    Quantity("whiteness", "residual: rms of power over noise - 1", POWERS, _whiteness),
    Quantity("hallucinated", "hallucinated sources an image", ("hallucinated",), _mean),
    *_coverages(),
    Quantity("psnr_db", "PSNR, mean [dB]", ("psnr_db",), _mean, None),
    Quantity("ssim", "SSIM, mean", ("ssim",), _mean, 1.0),
)
