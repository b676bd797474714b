"""`AccuracyTable`: several methods on the same observations, with bootstrap intervals over galaxies, by signal to noise."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from galsmith.compare.resampling import Chance, drawn_counts
from galsmith.denoise.accuracy.pedestal import Pedestal
from galsmith.denoise.accuracy.quantities import QUANTITIES, Quantity, derived
from galsmith.errors import InputError, SettingsError
from galsmith.files import read_json, write_json
from galsmith.settings import near_miss

Floats = NDArray[np.float64]
EDGES = (20.0, 100.0, 200.0)
ALL = "all"


@dataclass(frozen=True)
class Accuracy:
    """One quantity of one method on some galaxies.

    Attributes
    ----------
    value : float
        NaN where nothing could be measured.
    low, high : float
        Ends of its interval, by drawing galaxies anew with all of their bands.
    n : int
        Images, one a band, that it is from.
    n_lost : int
        Images that it could not be measured of.
    """

    value: float
    low: float
    high: float
    n: int
    n_lost: int


@dataclass(frozen=True)
class PairedRatio:
    """Squared errors of one method over those of another on the same images.

    Attributes
    ----------
    mean, geometric : Accuracy
        Ratio of the two means, and geometric mean of the single ratios; both of galaxies drawn in pairs.
    """

    mean: Accuracy
    geometric: Accuracy


@dataclass(frozen=True)
class AccuracyTable:
    """How accurate several methods are.

    Attributes
    ----------
    entries : mapping of method to mapping of bin to mapping of quantity to Accuracy
        Bins are ``"all"``, ``"S/N < 20"`` and on; quantities those of `QUANTITIES`.
    pedestals : mapping of method to Pedestal
        Of those of which it was measured.
    ratios : mapping of method to mapping of method to PairedRatio
        Squared error of the first over that of the second.
    confidence : float
        Of all intervals.
    """

    entries: Mapping[str, Mapping[str, Mapping[str, Accuracy]]]
    pedestals: Mapping[str, Pedestal] = field(default_factory=dict)
    ratios: Mapping[str, Mapping[str, PairedRatio]] = field(default_factory=dict)
    confidence: float = 0.95

    @property
    def bins(self) -> tuple[str, ...]:
        """Names of the bins of signal to noise that have galaxies, all of them first."""
        return tuple(next(iter(self.entries.values()), {}))

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values; what is not finite is null."""
        return _plain(
            {
                "entries": {
                    method: {name: {key: asdict(one) for key, one in of.items()} for name, of in bins.items()}
                    for method, bins in self.entries.items()
                },
                "pedestals": {method: asdict(one) for method, one in self.pedestals.items()},
                "ratios": {
                    first: {second: asdict(ratio) for second, ratio in of.items()}
                    for first, of in self.ratios.items()
                },
                "confidence": self.confidence,
            }
        )

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> "AccuracyTable":
        """Read what `to_dict` gave."""
        return cls(
            {
                method: {name: {key: _accuracy(one) for key, one in of.items()} for name, of in bins.items()}
                for method, bins in value["entries"].items()
            },
            {method: Pedestal(**one) for method, one in value["pedestals"].items()},
            {
                first: {
                    second: PairedRatio(_accuracy(ratio["mean"]), _accuracy(ratio["geometric"]))
                    for second, ratio in of.items()
                }
                for first, of in value["ratios"].items()
            },
            value["confidence"],
        )

    def write(self, path: str | Path) -> None:
        """Write a JSON file."""
        write_json(Path(path), self.to_dict())

    @classmethod
    def read(cls, path: str | Path) -> "AccuracyTable":
        """Read a file that `write` wrote.

        Raises
        ------
        InputError
            If it is none.
        """
        value = read_json(Path(path))
        try:
            return cls.from_dict(value)
        except (KeyError, TypeError, AttributeError) as error:
            raise InputError(f"{path}: no table of accuracy; wanted a file that its `write` wrote") from error

    def to_markdown(self, *, bin_name: str = ALL, quantities: Sequence[str] = ()) -> str:
        """Write a page's table: a row a method, a column a quantity, each with its interval.

        Parameters
        ----------
        bin_name : str
            Which galaxies; one of `bins`.
        quantities : sequence of str
            Names of `QUANTITIES`; by default all that any method has, and the pedestal.

        Raises
        ------
        SettingsError
            If there is no such bin or quantity (the near miss is named).
        """
        _check_known("bin_name", (bin_name,), self.bins)
        _check_known("quantities", quantities, tuple(entry.name for entry in QUANTITIES))
        wanted = [entry for entry in QUANTITIES if not quantities or entry.name in quantities]
        shown = [
            entry for entry in wanted if any(self._has(method, bin_name, entry) for method in self.entries)
        ]
        has_pedestal = bool(self.pedestals) and bin_name == ALL and not quantities
        heads = [
            "method",
            *(entry.words for entry in shown),
            *(["sky pedestal [sigma]"] if has_pedestal else []),
        ]
        lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
        for method, bins in self.entries.items():
            cells = [method, *(_cell(bins.get(bin_name, {}).get(entry.name)) for entry in shown)]
            if has_pedestal:
                cells.append(_pedestal_cell(self.pedestals.get(method)))
            lines.append(f"| {' | '.join(cells)} |")
        return "\n".join(lines) + "\n"

    def _has(self, method: str, bin_name: str, quantity: Quantity) -> bool:
        """Say whether a method has a number for a quantity."""
        found = self.entries[method].get(bin_name, {}).get(quantity.name)
        return found is not None and math.isfinite(found.value)


def accuracy_table(
    rows: Mapping[str, pd.DataFrame],
    *,
    pedestals: Mapping[str, Pedestal] | None = None,
    edges: Sequence[float] = EDGES,
    chance: Chance | None = None,
) -> AccuracyTable:
    """Sum up what `galaxy_errors` measured of several methods on the same observations.

    Parameters
    ----------
    rows : mapping of method to DataFrame
        Of each method.
    pedestals : mapping of method to Pedestal, optional
        As `sky_pedestal` found them.
    edges : sequence of float
        Ends of the bins of signal to noise; bins without galaxies are left out.
    chance : Chance, optional
        Seed, number and confidence of the draws.

    Raises
    ------
    InputError
        If there is nothing, or the methods were not given the same galaxies.
    """
    chance = Chance() if chance is None else chance
    if not rows or any(not len(table) for table in rows.values()):
        raise InputError(argument="rows", came=len(rows), wanted="a method with a galaxy, or more")
    first = next(iter(rows.values()))
    for method, table in rows.items():
        if (
            not table[["galaxy", "band"]]
            .reset_index(drop=True)
            .equals(first[["galaxy", "band"]].reset_index(drop=True))
        ):
            raise InputError(
                f"{method} has other galaxies than the first method; measure all on the same observations"
            )
    whole = {method: derived(table.reset_index(drop=True)) for method, table in rows.items()}
    weights = _galaxy_weights(first["galaxy"].to_numpy(), chance)
    bins = bins_of(first["signal_to_noise"].to_numpy(), edges)
    return AccuracyTable(
        {
            method: {name: _entries(table, weights, inside, chance) for name, inside in bins.items()}
            for method, table in whole.items()
        },
        dict(pedestals or {}),
        {
            one: {other: _ratio(whole[one], whole[other], weights, chance) for other in whole if other != one}
            for one in whole
        },
        chance.confidence,
    )


def _galaxy_weights(galaxy: NDArray[Any], chance: Chance) -> Floats:
    """How often each row [draw, row] comes where galaxies are drawn anew; the first row is the set as it is."""
    names, place = np.unique(galaxy, return_inverse=True)
    draws = [drawn_counts(len(names), 1, chance.seed, number)[:-1] for number in range(chance.replicates)]
    return np.concatenate([np.ones((1, len(galaxy))), np.array(draws, dtype=np.float64)[:, place]])


def bins_of(signal_to_noise: Floats, edges: Sequence[float]) -> dict[str, NDArray[np.bool_]]:
    """Say which rows lie in each bin of signal to noise that has any, and that all lie in ``"all"``.

    Parameters
    ----------
    signal_to_noise : ndarray [row], float64
        Of the truths.
    edges : sequence of float
        Ends of the bins.
    """
    whole = (0.0, *edges, math.inf)
    bins = {ALL: np.ones(len(signal_to_noise), dtype=bool)}
    for low, high in itertools.pairwise(whole):
        bins[_bin_name(low, high)] = (signal_to_noise >= low) & (signal_to_noise < high)
    return {name: inside for name, inside in bins.items() if inside.any()}


def _bin_name(low: float, high: float) -> str:
    """Name a bin of signal to noise."""
    if high == math.inf:
        return f"S/N > {low:g}"
    return f"S/N < {high:g}" if low == 0.0 else f"S/N {low:g} to {high:g}"


def _entries(
    table: pd.DataFrame, weights: Floats, inside: NDArray[np.bool_], chance: Chance
) -> dict[str, Accuracy]:
    """Evaluate all quantities of one method in one bin."""
    return {entry.name: _evaluated(entry, table, weights, inside, chance) for entry in QUANTITIES}


def _evaluated(
    quantity: Quantity, table: pd.DataFrame, weights: Floats, inside: NDArray[np.bool_], chance: Chance
) -> Accuracy:
    """Evaluate a quantity on the rows that have it."""
    columns = {name: table[name].to_numpy(np.float64) for name in quantity.columns}
    kept = inside & np.all([np.isfinite(values) for values in columns.values()], axis=0)
    n_lost = int(inside.sum() - kept.sum())
    if not kept.any():
        return Accuracy(math.nan, math.nan, math.nan, 0, n_lost)
    drawn = weights[:, kept]
    drawn = drawn[drawn.sum(axis=1) > 0]
    values = quantity.statistic({name: column[kept] for name, column in columns.items()}, drawn)
    return _with_ends(values, int(kept.sum()), n_lost, chance)


def _with_ends(values: Floats, n: int, n_lost: int, chance: Chance) -> Accuracy:
    """Take the first as the number, and percentiles of the others as its interval (Efron & Tibshirani 1993, ch. 13)."""
    tail = (1 - chance.confidence) / 2
    drawn = values[1:][np.isfinite(values[1:])]
    low, high = np.quantile(drawn, [tail, 1 - tail]) if len(drawn) > 1 else (math.nan, math.nan)
    return Accuracy(float(values[0]), float(low), float(high), n, n_lost)


def _ratio(one: pd.DataFrame, other: pd.DataFrame, weights: Floats, chance: Chance) -> PairedRatio:
    """Compare squared errors of two methods image by image."""
    first, second = one["mse"].to_numpy(np.float64), other["mse"].to_numpy(np.float64)
    kept = np.isfinite(first) & np.isfinite(second) & (first > 0) & (second > 0)
    n, n_lost = int(kept.sum()), int((~kept).sum())
    if not n:
        nothing = Accuracy(math.nan, math.nan, math.nan, 0, n_lost)
        return PairedRatio(nothing, nothing)
    drawn = weights[:, kept]
    drawn = drawn[drawn.sum(axis=1) > 0]
    means = (drawn @ first[kept]) / (drawn @ second[kept])
    logs = drawn @ np.log(first[kept] / second[kept]) / drawn.sum(axis=1)
    return PairedRatio(_with_ends(means, n, n_lost, chance), _with_ends(np.exp(logs), n, n_lost, chance))


def _check_known(argument: str, names: Sequence[str], known: Sequence[str]) -> None:
    """Refuse a name that is not known."""
    for name in names:
        if name not in known:
            raise SettingsError(
                f"there is none{near_miss(name, list(known))}",
                argument=argument,
                came=name,
                wanted=f"one of {', '.join(known)}",
            )


def _plain(value: Any) -> Any:
    """Replace what JSON has no number for by null."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _accuracy(value: Mapping[str, Any]) -> Accuracy:
    """Read an entry; null is NaN."""
    value_, low, high = (math.nan if value[key] is None else value[key] for key in ("value", "low", "high"))
    return Accuracy(value_, low, high, value["n"], value["n_lost"])


def _cell(entry: Accuracy | None) -> str:
    """Write a number with its interval."""
    if entry is None or not math.isfinite(entry.value):
        return "–"
    return f"{entry.value:.3g} ({entry.low:.3g}, {entry.high:.3g})"


def _pedestal_cell(pedestal: Pedestal | None) -> str:
    """Write a level in units of the noise, with its error."""
    if pedestal is None:
        return "–"
    error = pedestal.standard_error * abs(pedestal.in_sigma / pedestal.level) if pedestal.level else 0.0
    return f"{pedestal.in_sigma:.2g} ± {error:.1g}"
