"""From which score on a field shows cosmology for sure: the analysis of the paper's appendix B, in Python."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import optimize, stats

from galsmith.errors import InputError, SettingsError
from galsmith.score.fields import HIGHEST_SCORE, LOWEST_SCORE, listed
from galsmith.score.method import Floats

# prop.test is called without a confidence by R's binom.confint, whatever was asked: it keeps its own.
CONFIDENCE_OF_PROP_TEST = 0.95


@dataclass(frozen=True)
class ScoreThreshold:
    """Above which score no field is expected that is not cosmology.

    Attributes
    ----------
    score : float
        The order statistic `rank` of the scores.
    rank : int
        Fields that are not cosmology, at most: a quantile of the binomial distribution.
    interval : str
        Which upper end of the share was the highest.
    upper_end : float
        That end.
    upper_ends : mapping of str to float
        Those of all intervals.
    n_scored : int
        Scores that there are.
    """

    score: float
    rank: int
    interval: str
    upper_end: float
    upper_ends: Mapping[str, float]
    n_scored: int


def score_threshold(
    scores: Floats, *, labeled: int, negatives: int, confidence: float = 0.999
) -> ScoreThreshold:
    """Find the score below which all fields lie that are not cosmology, with high confidence (paper, appendix B).

    Their share among the labeled fields has an upper end; so many of the scored ones are not cosmology at most, at the
    same quantile of the binomial distribution; were they the lowest ones, the score of the last is the threshold.
    Of all intervals that R's ``binom.confint`` knows the highest upper end is taken, as the paper's code does.

    Parameters
    ----------
    scores : ndarray [field], float64
        In [0, 8].
    labeled, negatives : int
        Fields that were labeled, and how many of them are not cosmology.
    confidence : float
        Of the interval, and the quantile.

    Raises
    ------
    SettingsError
        If the counts or the confidence are impossible, or all labeled fields are of one class.
    """
    if labeled < 2 or not 0 < negatives < labeled:
        raise SettingsError(
            f"{negatives} of {labeled} labeled fields are not cosmology",
            argument="negatives",
            came=negatives,
            wanted="some of both classes: more than 0, and fewer than `labeled`",
        )
    if not 0.5 < confidence < 1.0:
        raise SettingsError(
            argument="confidence", came=confidence, wanted="a number between 0.5 and 1, such as 0.999"
        )
    ends = upper_ends(negatives, labeled, confidence)
    highest = max(ends, key=lambda name: ends[name])
    rank = int(stats.binom.ppf(confidence, len(scores), ends[highest]))
    ordered = np.sort(scores)
    return ScoreThreshold(float(ordered[max(rank, 1) - 1]), rank, highest, ends[highest], ends, len(scores))


def upper_ends(successes: int, trials: int, confidence: float) -> dict[str, float]:
    """Upper ends of all intervals of a binomial share that R's ``binom.confint`` gives, by its names.

    Its ``prop.test`` keeps a confidence of 0.95, whatever is asked. At 0.999 it would be the highest of all: for 200 of
    1,200 it would give a rank of 2096 and not 2092.

    Parameters
    ----------
    successes, trials : int
        How many of how many; neither none nor all.
    confidence : float
        Of the intervals, two-sided.
    """
    return {
        name: float(end(successes, trials, CONFIDENCE_OF_PROP_TEST if name == "prop.test" else confidence))
        for name, end in UPPER_ENDS.items()
    }


def _normal(confidence: float) -> float:
    """Quantile of the normal distribution for a two-sided interval."""
    return float(stats.norm.isf((1 - confidence) / 2))


def _agresti_coull(x: int, n: int, confidence: float) -> float:
    """Agresti & Coull (1998): the normal interval about the center of Wilson's."""
    z = _normal(confidence)
    trials = n + z**2
    share = (x + z**2 / 2) / trials
    return share + z * np.sqrt(share * (1 - share) / trials)


def _asymptotic(x: int, n: int, confidence: float) -> float:
    """Wald's normal interval."""
    share = x / n
    return share + _normal(confidence) * np.sqrt(share * (1 - share) / n)


def _bayes(x: int, n: int, confidence: float) -> float:
    """Highest density under Jeffreys' prior, Beta(1/2, 1/2)."""
    law = stats.beta(x + 0.5, n - x + 0.5)

    def high(low: float) -> float:
        return float(law.ppf(law.cdf(low) + confidence))

    # where both ends have the same density
    low = optimize.brentq(
        lambda low: law.logpdf(low) - law.logpdf(high(low)),
        law.ppf(1e-9 * (1 - confidence)),
        law.ppf((1 - 1e-9) * (1 - confidence)),
    )
    return high(low)


def _cloglog(x: int, n: int, confidence: float) -> float:
    """Take the normal interval on the scale log(-log p), by the delta method."""
    share = x / n
    center = np.log(-np.log(share))
    reach = _normal(confidence) * np.sqrt((1 - share) / (n * share * np.log(share) ** 2))
    return np.exp(-np.exp(center - reach))


def _exact(x: int, n: int, confidence: float) -> float:
    """Clopper & Pearson (1934)."""
    return stats.beta.ppf(1 - (1 - confidence) / 2, x + 1, n - x)


def _logit(x: int, n: int, confidence: float) -> float:
    """Take the normal interval on the scale of log odds, by the delta method."""
    share = x / n
    reach = _normal(confidence) / np.sqrt(n * share * (1 - share))
    return 1 / (1 + np.exp(-(np.log(share / (1 - share)) + reach)))


def _probit(x: int, n: int, confidence: float) -> float:
    """Take the normal interval on the probit scale, by the delta method."""
    share = x / n
    center = stats.norm.ppf(share)
    reach = _normal(confidence) * np.sqrt(share * (1 - share) / n) / stats.norm.pdf(center)
    return stats.norm.cdf(center + reach)


def _likelihood_ratio(x: int, n: int, confidence: float) -> float:
    """Where twice the log likelihood ratio reaches the quantile of chi squared (Wilks 1938)."""
    share, limit = x / n, stats.chi2.ppf(confidence, 1)

    def excess(end: float) -> float:
        ratio = x * np.log(share / end) + (n - x) * np.log((1 - share) / (1 - end))
        return float(2 * ratio - limit)

    return optimize.brentq(excess, share, 1 - 1e-12)


def _wilson(x: int, n: int, confidence: float) -> float:
    """Wilson (1927)."""
    return _wilson_from(x / n, n, confidence)


def _prop_test(x: int, n: int, confidence: float) -> float:
    """Wilson's with Yates' correction for continuity, as R's ``prop.test`` has it."""
    # R takes min(0.5, |x - n/2|), the distance from the hypothesis 1/2
    return min(_wilson_from((x + min(0.5, abs(x - n / 2))) / n, n, confidence), 1.0)


def _wilson_from(share: float, n: int, confidence: float) -> float:
    """Upper end of Wilson's interval about a share."""
    z2 = _normal(confidence) ** 2
    return (share + z2 / (2 * n) + np.sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n**2)))) / (1 + z2 / n)


# "profile" is left out: binom.confint's curve of the likelihood ratio, which is "lrt" by another way.
UPPER_ENDS: Mapping[str, Callable[[int, int, float], float]] = {
    "agresti-coull": _agresti_coull,
    "asymptotic": _asymptotic,
    "bayes": _bayes,
    "cloglog": _cloglog,
    "exact": _exact,
    "logit": _logit,
    "lrt": _likelihood_ratio,
    "probit": _probit,
    "prop.test": _prop_test,
    "wilson": _wilson,
}


def read_scores(file: str | Path) -> Floats:
    """Read the scores of a file as it was published, with columns ``Id`` and ``Actual``.

    Returns
    -------
    ndarray [field], float64

    Raises
    ------
    InputError
        If the file cannot be read, a column is missing, ids are repeated, or a score is no number in [0, 8].
    """
    table = _published(file)
    scores = pd.to_numeric(table["Actual"], errors="coerce").to_numpy(np.float64)
    is_wrong = ~((scores >= LOWEST_SCORE) & (scores <= HIGHEST_SCORE))
    if is_wrong.any():
        said = listed([f"{one} ({value})" for one, value in table[["Id", "Actual"]][is_wrong].values])
        raise InputError(f"{file}: {is_wrong.sum()} scores are no numbers in [0, 8]: {said}; mend the file")
    return scores


def count_labels(file: str | Path) -> tuple[int, int]:
    """Count the labels of a file as it was published: all of them, and those of 0.

    Raises
    ------
    InputError
        If the file cannot be read, a column is missing, ids are repeated, or a label is neither 0 nor 1.
    """
    table = _published(file)
    labels = pd.to_numeric(table["Actual"], errors="coerce").to_numpy(np.float64)
    is_wrong = ~np.isin(labels, (0.0, 1.0))
    if is_wrong.any():
        said = listed([f"{one} ({value})" for one, value in table[["Id", "Actual"]][is_wrong].values])
        raise InputError(f"{file}: {is_wrong.sum()} labels are neither 0 nor 1: {said}; mend the file")
    return len(labels), int((labels == 0.0).sum())


def _published(file: str | Path) -> pd.DataFrame:
    """Read ids and values, as texts."""
    path = Path(file)
    if not path.is_file():
        raise InputError(f"{path}: there is no such file; wanted a CSV file with columns Id and Actual")
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (ValueError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path}: cannot be read ({error}); wanted a CSV file with columns Id and Actual"
        ) from error
    missing = [name for name in ("Id", "Actual") if name not in table.columns]
    if missing:
        raise InputError(f"{path}: has columns {', '.join(map(str, table.columns))}; wanted Id and Actual")
    if not len(table):
        raise InputError(f"{path}: holds no rows; wanted one a field")
    again = table["Id"][table["Id"].duplicated()].tolist()
    if again:
        raise InputError(f"{path}: {len(again)} ids are repeated: {listed(again)}; wanted one row an id")
    return table
