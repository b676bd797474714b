"""How well scores are predicted: mean absolute error with its standard error, by decile and on cosmology; differences."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from galsmith.errors import InputError
from galsmith.score.method import Floats

N_DECILES = 10


@dataclass(frozen=True)
class Accuracy:
    """Errors of held-out predictions.

    Attributes
    ----------
    mae : float
        Mean absolute error: the mean over splits of each split's.
    standard_error : float
        Of it: from the scatter of the splits where there are two or more, else from that of the fields.
    by_split : ndarray [split], float64
        Of each split.
    cosmology_mae, cosmology_error : float
        On fields that show cosmology, with the standard error over fields; NaN where it is not known which do.
    deciles : ndarray [11], float64
        Ends of the deciles of the actual scores.
    decile_mae, decile_error : ndarray [10], float64
        Mean absolute error within each, with the standard error over fields.
    n_fields : int
        Held-out fields.
    """

    mae: float
    standard_error: float
    by_split: Floats
    cosmology_mae: float
    cosmology_error: float
    deciles: Floats
    decile_mae: Floats
    decile_error: Floats
    n_fields: int


@dataclass(frozen=True)
class AccuracyDifference:
    """Of two methods on the same held-out fields: how much larger the first one's errors are.

    Attributes
    ----------
    first, second : str
        Names of the methods.
    difference : float
        MAE of the first less that of the second.
    interval : tuple of float
        Of 95 % confidence, by the scatter of the paired differences of single fields (Student's t).
    ratio : float
        MAE of the first over that of the second.
    """

    first: str
    second: str
    difference: float
    interval: tuple[float, float]
    ratio: float


def accuracy_of(held_out: pd.DataFrame) -> Accuracy:
    """Summarize held-out predictions.

    Parameters
    ----------
    held_out : DataFrame
        As `galsmith.score.scorer.Scorer.held_out`, one row or more.

    Raises
    ------
    InputError
        If nothing was held out.
    """
    if not len(held_out):
        raise InputError(
            "no fields were held out, so that no error is known; fit the scorer with `splits` of 1 or more"
        )
    errors = (held_out["Predicted"] - held_out["Actual"]).abs().to_numpy(np.float64)
    actual = held_out["Actual"].to_numpy(np.float64)
    splits = held_out["split"].to_numpy()
    by_split = np.array([errors[splits == split].mean() for split in np.unique(splits)])
    deciles = np.quantile(actual, np.linspace(0, 1, N_DECILES + 1))
    decile = np.clip(np.searchsorted(deciles, actual, side="right") - 1, 0, N_DECILES - 1)
    within = [_mean_and_error(errors[decile == number]) for number in range(N_DECILES)]
    real = pd.to_numeric(held_out["is_real"], errors="coerce").to_numpy(np.float64)
    cosmology = _mean_and_error(errors[real == 1.0])
    spread = by_split if len(by_split) > 1 else errors
    return Accuracy(
        mae=float(by_split.mean()),
        standard_error=_mean_and_error(spread)[1],
        by_split=by_split,
        cosmology_mae=cosmology[0],
        cosmology_error=cosmology[1],
        deciles=deciles,
        decile_mae=np.array([mean for mean, _ in within]),
        decile_error=np.array([error for _, error in within]),
        n_fields=len(errors),
    )


def accuracy_differences(
    held_out: Mapping[str, pd.DataFrame], *, confidence: float = 0.95
) -> tuple[AccuracyDifference, ...]:
    """Compare all pairs of methods on the fields that both held out in the same split.

    Parameters
    ----------
    held_out : mapping of name to DataFrame
        As `galsmith.score.scorer.Scorer.held_out`; pairs without a field in common are left out.
    confidence : float
        Of the intervals.
    """
    keys = ["Id", "split"]
    found = []
    for first, second in combinations(held_out, 2):
        both = held_out[first].merge(held_out[second], on=keys, suffixes=("_1", "_2"))
        if len(both) < 2:
            continue
        one, other = (
            (both[f"Predicted_{side}"] - both[f"Actual_{side}"]).abs().to_numpy() for side in (1, 2)
        )
        mean, error = _mean_and_error(one - other)
        reach = float(stats.t.isf((1 - confidence) / 2, len(both) - 1)) * error
        ratio = float(one.mean() / other.mean()) if other.mean() > 0 else float("inf")
        found.append(AccuracyDifference(first, second, mean, (mean - reach, mean + reach), ratio))
    return tuple(found)


def _mean_and_error(values: Floats) -> tuple[float, float]:
    """Mean and its standard error; NaN of too few."""
    mean = float(values.mean()) if len(values) else float("nan")
    error = float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("nan")
    return mean, error
