"""What a study says: errors of every group by shift with intervals over galaxies and seeds, and what generated data add."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from galsmith.compare.resampling import drawn_counts
from galsmith.denoise.accuracy import QUANTITIES, Accuracy, Pedestal
from galsmith.denoise.accuracy.galaxies import POWERS
from galsmith.denoise.accuracy.quantities import Quantity, derived
from galsmith.denoise.accuracy.table import ALL, EDGES, bins_of
from galsmith.denoise.studies.cells import CellResult, Group, groups_of
from galsmith.denoise.studies.settings import REAL, TRAINING_SETS, StudySettings, read_network

Floats = NDArray[np.float64]
Kind = Literal["added", "beyond", "instead", "augmentation", "more"]
KINDS: dict[Kind, str] = {
    "beyond": "generated data added where noise and PSF vary already, against the same without them",
    "instead": "generated data against real data whose noise and PSF vary",
    "added": "generated data added to plain real data, against the real data alone",
    "augmentation": "real data whose noise and PSF vary, against the plain ones",
    "more": "more real data, against the small set",
}
Verdict = Literal["helps", "hurts", "not told", "mixed"]
OF_RATIOS = ("mse_mean", "mse_geometric")
BY_BIN = (*OF_RATIOS, "flux_bias_mag", "r_half_bias", "ellipticity_error", "chi2", "hallucinated")
IN_LOGARITHMS = frozenset(OF_RATIOS)
AUGMENTED = ("real-noise-psf", "real-noise")


@dataclass(frozen=True)
class Ratio:
    """Squared error of one group over that of another.

    Attributes
    ----------
    value, low, high : float
        With its interval.
    p_value : float
        That the ratio is 1, alone.
    p_overall : float
        Corrected for all ratios of the study (Holm 1979); NaN where it answers no question.
    """

    value: float
    low: float
    high: float
    p_value: float
    p_overall: float = math.nan


@dataclass(frozen=True)
class Effect:
    """What one change of the training does in one shift.

    Attributes
    ----------
    kind : str
        Key of `KINDS`.
    shift : str
        Test condition.
    first, second : Group
        With the change, and without.
    mean, geometric : Ratio
        Of mean and of geometric mean squared error, the first over the second.
    verdict : {"helps", "hurts", "not told", "mixed"}
        By both ratios, corrected for all questions; mixed where they say opposite things.
    """

    kind: Kind
    shift: str
    first: Group
    second: Group
    mean: Ratio
    geometric: Ratio
    verdict: Verdict


@dataclass(frozen=True)
class GroupAnswer:
    """What came of one group in one shift.

    Attributes
    ----------
    group : Group
        Which.
    shift : str
        Test condition.
    n_seeds : int
        Trainings that are done.
    bins : mapping of bin to mapping of quantity to Accuracy
        As an `AccuracyTable` has them.
    to_baseline : mapping of quantity to Ratio
        ``"mse_mean"`` and ``"mse_geometric"`` over those of the baseline; empty for the baseline, or where it is missing.
    pedestal : Accuracy
        Level of blank sky in units of the noise, mean over trainings.
    mse_by_seed : tuple of float
        Mean squared error of each training.
    residual_power : tuple of float
        Mean power of the residual over that of the noise in rings of frequency.
    """

    group: Group
    shift: str
    n_seeds: int
    bins: Mapping[str, Mapping[str, Accuracy]]
    to_baseline: Mapping[str, Ratio]
    pedestal: Accuracy
    mse_by_seed: tuple[float, ...]
    residual_power: tuple[float, ...]


@dataclass(frozen=True)
class Answers:
    """All that a study says.

    Attributes
    ----------
    groups : tuple of GroupAnswer
        Of every group and shift.
    effects : tuple of Effect
        What changes of the training do.
    baseline : Group
        What ratios are to.
    n_galaxies : int
        Test galaxies.
    n_seeds : int
        Of the recipe.
    confidence : float
        Of the intervals, and 1 less the error of all verdicts together.
    """

    groups: tuple[GroupAnswer, ...]
    effects: tuple[Effect, ...]
    baseline: Group
    n_galaxies: int
    n_seeds: int
    confidence: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values; what is not finite is null."""
        plain: dict[str, Any] = _plain(asdict(self))
        for one, said in zip(self.groups, plain["groups"], strict=True):
            said["words"] = one.group.words
        for effect, said in zip(self.effects, plain["effects"], strict=True):
            said["first_words"], said["second_words"] = effect.first.words, effect.second.words
        plain["sentences"] = self.sentences()
        return plain

    def sentences(self) -> list[str]:
        """Say in words what each kind of change does."""
        found = []
        for kind, words in KINDS.items():
            effects = [one for one in self.effects if one.kind == kind]
            if not effects:
                continue
            counts = {
                verdict: sum(one.verdict == verdict for one in effects)
                for verdict in ("helps", "hurts", "mixed", "not told")
            }
            said = ", ".join(f"{verdict} in {count}" for verdict, count in counts.items() if count)
            found.append(f"{words[0].upper()}{words[1:]}: {said} of {len(effects)} comparisons.")
        return found

    def to_markdown(self) -> str:
        """Write all tables for a page."""
        shifts = list(dict.fromkeys(one.shift for one in self.groups))
        parts = ["\n".join(f"- {sentence}" for sentence in self.sentences()), _effects_table(self.effects)]
        for shift in shifts:
            rows = [one for one in self.groups if one.shift == shift]
            parts.append(f"## {shift}\n\n{_groups_table(rows)}")
        return "\n\n".join(part for part in parts if part) + "\n"


def answers_of(settings: StudySettings, results: Sequence[CellResult]) -> Answers:
    """Sum up the cells that are done.

    Parameters
    ----------
    settings : StudySettings
        Of the study.
    results : sequence of CellResult
        One or more.
    """
    order = [group for group in groups_of(settings) if any(one.cell.group == group for one in results)]
    baseline = Group(settings.factors.networks[0], REAL)
    weights = _galaxy_weights(settings)
    groups: list[GroupAnswer] = []
    effects: list[Effect] = []
    for shift in settings.shifts:
        tables = {group: _trainings(results, group, shift) for group in order}
        tables = {group: found for group, found in tables.items() if found}
        other = tables.get(baseline)
        groups += [
            _group_answer(
                group,
                shift,
                trainings,
                None if group == baseline else other,
                [one for one in results if one.cell.group == group],
                weights=weights,
                settings=settings,
            )
            for group, trainings in tables.items()
        ]
        effects += [
            Effect(
                kind,
                shift,
                first,
                second,
                mean=_ratio(tables[first], tables[second], "mse_mean", weights, settings),
                geometric=_ratio(tables[first], tables[second], "mse_geometric", weights, settings),
                verdict="not told",
            )
            for kind, first, second in _questions(settings, list(tables))
        ]
    return Answers(
        tuple(groups),
        tuple(_judged(effects, settings.factors.confidence)),
        baseline,
        settings.factors.n_test,
        settings.factors.seeds,
        settings.factors.confidence,
    )


Trainings = dict[int, pd.DataFrame]
"""Errors of each training of a group in one shift, by its seed."""


def _trainings(results: Sequence[CellResult], group: Group, shift: str) -> Trainings:
    """Errors of each training of a group, with what is derived from them."""
    return {
        one.cell.seed: derived(one.errors[shift])
        for one in results
        if one.cell.group == group and shift in one.errors
    }


def _galaxy_weights(settings: StudySettings) -> Floats:
    """How often each galaxy [draw, galaxy] is drawn; the first row is the set as it is."""
    n = settings.factors.n_test
    seed = settings.factors.test_seed
    draws = [drawn_counts(n, 1, seed, number)[:-1] for number in range(settings.factors.replicates)]
    return np.concatenate([np.ones((1, n)), np.array(draws, dtype=np.float64)])


def estimated(
    values: Floats, by_seed: Floats, confidence: float, *, n_galaxies: int
) -> tuple[Floats, float, float]:
    """Give an interval from draws of galaxies and from what single trainings gave.

    The variance is the sum of both: of the bootstrap over galaxies, all trainings pooled, and of the mean over trainings.
    Its degrees of freedom are those of Welch and Satterthwaite (1946), so that few trainings give wide intervals, and
    only where it is they that differ.

    Parameters
    ----------
    values : ndarray [draw], float64
        The number and then its draws.
    by_seed : ndarray [seed], float64
        The number of each training alone.
    confidence : float
        Of the interval.
    n_galaxies : int
        Drawn.

    Returns
    -------
    ends : ndarray [2], float64
        Of the interval about the first value.
    deviation : float
        Its standard error.
    freedom : float
        Degrees of freedom.
    """
    drawn = values[1:][np.isfinite(values[1:])]
    of_galaxies = float(np.var(drawn, ddof=1)) if len(drawn) > 1 else math.nan
    seeds = by_seed[np.isfinite(by_seed)]
    of_seeds = float(np.var(seeds, ddof=1)) / len(seeds) if len(seeds) > 1 else 0.0
    total = of_galaxies + of_seeds
    parts = of_galaxies**2 / max(1, n_galaxies - 1) + of_seeds**2 / max(1, len(seeds) - 1)
    freedom = total**2 / parts if parts > 0 else math.inf
    deviation = math.sqrt(total) if total >= 0 else math.nan
    reach = float(stats.t.ppf((1 + confidence) / 2, freedom)) * deviation
    return np.array([values[0] - reach, values[0] + reach]), deviation, freedom


def _accuracy(
    quantity: Quantity, trainings: Trainings, inside: NDArray[np.bool_], weights: Floats, confidence: float
) -> Accuracy:
    """Evaluate a quantity over all trainings of a group; rows [row] of one training are chosen by `inside`."""
    columns, galaxies, n_lost = [], [], 0
    for table in trainings.values():
        values = {name: table[name].to_numpy(np.float64) for name in quantity.columns}
        kept = inside & np.all([np.isfinite(one) for one in values.values()], axis=0)
        n_lost += int(inside.sum() - kept.sum())
        columns.append({name: one[kept] for name, one in values.items()})
        galaxies.append(table["galaxy"].to_numpy()[kept])
    place = np.concatenate(galaxies)
    if not len(place):
        return Accuracy(math.nan, math.nan, math.nan, 0, n_lost)
    pooled = {name: np.concatenate([one[name] for one in columns]) for name in quantity.columns}
    drawn = weights[:, place]
    drawn = drawn[drawn.sum(axis=1) > 0]
    value = quantity.statistic(pooled, drawn)
    alone = [
        quantity.statistic(one, np.ones((1, len(rows))))[0]
        for one, rows in zip(columns, galaxies, strict=True)
        if len(rows)
    ]
    is_log = quantity.name in IN_LOGARITHMS
    change: Callable[[Any], Any] = np.log if is_log else np.asarray
    n_galaxies = len(np.unique(place))
    (low, high), _, _ = estimated(change(value), change(np.array(alone)), confidence, n_galaxies=n_galaxies)
    low, high = (math.exp(low), math.exp(high)) if is_log else (low, high)
    return Accuracy(float(value[0]), float(low), float(high), len(place), n_lost)


def _ratio(first: Trainings, second: Trainings, name: str, weights: Floats, settings: StudySettings) -> Ratio:
    """Compare squared errors of two groups, galaxy by galaxy and training by training of the same seed."""
    pairs = list(_pairs(first, second))
    if not pairs:
        return Ratio(math.nan, math.nan, math.nan, math.nan)
    galaxy, above, below = (np.concatenate([pair[number] for pair in pairs]) for number in range(3))
    is_geometric = name == "mse_geometric"

    def logarithm(places: NDArray[Any], one: Floats, other: Floats, draws: Floats) -> Floats:
        drawn = draws[:, places]
        if is_geometric:
            means: Floats = drawn @ np.log(one / other) / drawn.sum(axis=1)
            return means
        found: Floats = np.log((drawn @ one) / (drawn @ other))
        return found

    values = logarithm(galaxy, above, below, weights)
    by_seed = np.array([logarithm(*pair, weights[:1])[0] for pair in pairs])
    (low, high), deviation, freedom = estimated(
        values, by_seed, settings.factors.confidence, n_galaxies=len(np.unique(galaxy))
    )
    if deviation > 0:
        p_value = float(2 * stats.t.sf(abs(values[0]) / deviation, freedom))
    else:
        p_value = 1.0 if values[0] == 0 else math.nan
    return Ratio(math.exp(values[0]), math.exp(low), math.exp(high), p_value)


def _pairs(first: Trainings, second: Trainings) -> Iterator[tuple[NDArray[Any], Floats, Floats]]:
    """Galaxies and squared errors of both, for each seed that both have; a method without seeds goes with all."""
    for seed, one in first.items():
        other = second.get(seed, next(iter(second.values())) if len(second) == 1 else None)
        if other is None:
            continue
        above, below = one["mse"].to_numpy(np.float64), other["mse"].to_numpy(np.float64)
        kept = np.isfinite(above) & np.isfinite(below) & (above > 0) & (below > 0)
        if kept.any():
            yield one["galaxy"].to_numpy()[kept], above[kept], below[kept]


def _group_answer(
    group: Group,
    shift: str,
    trainings: Trainings,
    baseline: Trainings | None,
    results: Sequence[CellResult],
    *,
    weights: Floats,
    settings: StudySettings,
) -> GroupAnswer:
    """Sum up one group in one shift; `results` are its own, `baseline` what its errors are compared with."""
    confidence = settings.factors.confidence
    bins = bins_of(next(iter(trainings.values()))["signal_to_noise"].to_numpy(), EDGES)
    return GroupAnswer(
        group=group,
        shift=shift,
        n_seeds=len(trainings),
        bins={
            name: {
                quantity.name: _accuracy(quantity, trainings, inside, weights, confidence)
                for quantity in QUANTITIES
                if name == ALL or quantity.name in BY_BIN
            }
            for name, inside in bins.items()
        },
        to_baseline={}
        if baseline is None
        else {name: _ratio(trainings, baseline, name, weights, settings) for name in OF_RATIOS},
        pedestal=_mean_pedestal(
            [one.pedestals[shift] for one in results if shift in one.pedestals], confidence
        ),
        mse_by_seed=tuple(float(table["mse"].mean()) for table in trainings.values()),
        residual_power=tuple(
            float(np.mean([table[name].mean() for table in trainings.values()])) for name in POWERS
        ),
    )


def _mean_pedestal(pedestals: Sequence[Pedestal], confidence: float) -> Accuracy:
    """Mean level of blank sky over trainings, in units of the noise."""
    levels = np.array([one.in_sigma for one in pedestals])
    # all trainings see the same skies, so that their scatter is not averaged down by several of them
    errors = [one.standard_error * one.in_sigma / one.level if one.level else 0.0 for one in pedestals]
    of_skies = float(np.mean(np.square(errors)))
    of_seeds = float(np.var(levels, ddof=1)) / len(levels) if len(levels) > 1 else 0.0
    reach = float(stats.norm.ppf((1 + confidence) / 2)) * math.sqrt(of_skies + of_seeds)
    mean = float(levels.mean())
    return Accuracy(mean, mean - reach, mean + reach, sum(one.n_images for one in pedestals), 0)


def _questions(settings: StudySettings, groups: Sequence[Group]) -> Iterator[tuple[Kind, Group, Group]]:
    """Pairs of groups that differ in what a question is about."""
    for group in groups:
        if not group.is_network or group == Group(group.denoiser, REAL):
            continue
        kind, plain = TRAINING_SETS[group.training_set], Group(group.denoiser, REAL)
        if group.mixing > 0:
            varies = kind.varies_noise or kind.varies_psf or _varies(settings, group.denoiser)
            if group.twin in groups:
                yield ("beyond" if varies else "added"), group, group.twin
            augmented = [Group(group.denoiser, name) for name in AUGMENTED]
            if not varies:
                yield from (("instead", group, other) for other in augmented[:1] if other in groups)
        elif plain in groups:
            yield ("augmentation" if kind.is_small else "more"), group, plain


def _varies(settings: StudySettings, network: str) -> bool:
    """Whether a network's own recipe lets noise or PSF vary."""
    found = read_network(settings, network).range
    return found.noise_factor[0] < found.noise_factor[1] or found.psf_fwhm_pix is not None


def _judged(effects: Sequence[Effect], confidence: float) -> list[Effect]:
    """Correct all p values together (Holm 1979), and say of each effect what it is."""
    ratios = [ratio for effect in effects for ratio in (effect.mean, effect.geometric)]
    corrected = iter(holm([ratio.p_value for ratio in ratios]))
    found = []
    for effect in effects:
        mean, geometric = (
            Ratio(one.value, one.low, one.high, one.p_value, next(corrected))
            for one in (effect.mean, effect.geometric)
        )
        signs = {
            math.copysign(1.0, math.log(one.value))
            for one in (mean, geometric)
            if one.p_overall <= 1 - confidence and one.value != 1
        }
        verdict: Verdict = "not told"
        if signs:
            verdict = "mixed" if len(signs) > 1 else "helps" if signs == {-1.0} else "hurts"
        found.append(Effect(effect.kind, effect.shift, effect.first, effect.second, mean, geometric, verdict))
    return found


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p values for their number, step by step (Holm 1979); NaN stays and is not counted."""
    found = [math.nan] * len(p_values)
    order = sorted((p, place) for place, p in enumerate(p_values) if math.isfinite(p))
    highest = 0.0
    for step, (p, place) in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - step) * p))
        found[place] = highest
    return found


def _effects_table(effects: Sequence[Effect]) -> str:
    """Write what changes of the training do."""
    if not effects:
        return ""
    lines = [
        "| question | shift | with | without | MSE, mean | MSE, geometric | verdict |",
        "|---|---|---|---|---|---|---|",
    ]
    for kind in KINDS:
        for one in effects:
            if one.kind == kind:
                cells = (
                    kind,
                    one.shift,
                    one.first.words,
                    one.second.words,
                    _ratio_text(one.mean),
                    _ratio_text(one.geometric),
                    one.verdict,
                )
                lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _groups_table(rows: Sequence[GroupAnswer]) -> str:
    """Write all quantities of the groups of one shift."""
    shown = [
        quantity
        for quantity in QUANTITIES
        if any(math.isfinite(row.bins[ALL][quantity.name].value) for row in rows)
    ]
    heads = ["training", "seeds", "MSE ratio, mean", "MSE ratio, geometric", "sky pedestal [sigma]"]
    heads += [quantity.words for quantity in shown]
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    for row in rows:
        cells = [row.group.words, str(row.n_seeds)]
        cells += [_ratio_text(row.to_baseline[name]) if row.to_baseline else "–" for name in OF_RATIOS]
        cells += [accuracy_text(row.pedestal)]
        cells += [accuracy_text(row.bins[ALL][quantity.name]) for quantity in shown]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def accuracy_text(entry: Accuracy) -> str:
    """Write a number with its interval."""
    if not math.isfinite(entry.value):
        return "–"
    return f"{entry.value:.3g} ({entry.low:.3g}, {entry.high:.3g})"


def _ratio_text(ratio: Ratio) -> str:
    """Write a ratio with its interval."""
    return "–" if not math.isfinite(ratio.value) else f"{ratio.value:.3g} ({ratio.low:.3g}, {ratio.high:.3g})"


def _plain(value: Any) -> Any:
    """Replace what JSON has no number for by null."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
