"""statmorph's frozen numbers beside the engine's, galaxy by galaxy."""

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import oracle_sets
import pyarrow.parquet as pq
import statmorph_names as names

from galsmith.execution import available_cores
from galsmith.measure.engine.batch import GalaxyInput, Options, Segmenting, measure_batch

ORACLE = Path(__file__).parent


@dataclass(frozen=True)
class Pair:
    """One galaxy, statmorph's frozen numbers and what the engine gave."""

    galaxy: oracle_sets.OracleGalaxy
    frozen: dict[str, Any]
    ours: Any

    @property
    def is_measured(self) -> bool:
        """Whether statmorph gave numbers."""
        return bool(self.frozen["status"] == "measured" and self.frozen["flag"] < 4)

    @property
    def has_fit(self) -> bool:
        """Whether statmorph fitted a Sérsic law."""
        return self.is_measured and self.frozen["sersic_chi2_dof"] != names.INVALID

    @property
    def chi2_gain(self) -> float:
        """How much less the engine's chi-squared is than statmorph's; its root is a distance in sigmas."""
        # BIC less AIC tells the number of pixels: 7 parameters times (log n - 2)
        n_pixels = np.exp((self.frozen["sersic_bic"] - self.frozen["sersic_aic"]) / 7 + 2)
        gain = self.frozen["sersic_chi2_dof"] - self.ours.values["sersic_chi2_dof"]
        return float(gain * (n_pixels - 7))

    @property
    def is_beyond_stamp(self) -> bool:
        """Whether no pixel lies in statmorph's elliptical Petrosian annulus."""
        if not self.is_measured:
            return False
        frozen, theta = self.frozen, self.frozen["orientation_asymmetry"]
        x = np.array([[frozen["xmin_stamp"] - 0.5], [frozen["xmax_stamp"] + 0.5]]) - frozen["xc_asymmetry"]
        y = np.array([frozen["ymin_stamp"] - 0.5, frozen["ymax_stamp"] + 0.5]) - frozen["yc_asymmetry"]
        along = x * np.cos(theta) + y * np.sin(theta)
        across = (y * np.cos(theta) - x * np.sin(theta)) * frozen["elongation_asymmetry"]
        return bool(frozen["rpetro_ellip"] - 0.5 >= np.hypot(along, across).max())


@cache
def frozen_rows(set_name: str) -> list[dict[str, Any]]:
    """Read statmorph's numbers of a set."""
    rows: list[dict[str, Any]] = pq.read_table(ORACLE / f"{set_name}.parquet").to_pylist()
    return rows


@cache
def galaxies_of(set_name: str, data: Path | None) -> list[oracle_sets.OracleGalaxy]:
    """Make the galaxies of a set, in the order of their frozen rows."""
    made = {galaxy.name: galaxy for galaxy in oracle_sets.ORACLE_SETS[set_name](data)}
    return [made[row["name"]] for row in frozen_rows(set_name)]


def engine_input(galaxy: oracle_sets.OracleGalaxy) -> GalaxyInput:
    """Bring a galaxy to the form in which the engine takes it."""
    return GalaxyInput(
        galaxy.image,
        labels=galaxy.labels,
        label=galaxy.label if galaxy.labels is not None else None,
        mask=galaxy.mask,
        sigma_map=galaxy.sigma_map,
        psf=galaxy.psf,
    )


def options_for(galaxies: Iterable[oracle_sets.OracleGalaxy], **choices: Any) -> Options:
    """Give the paper's segmentation and the galaxies' common gain."""
    (gain,) = {1.0 if galaxy.gain is None else galaxy.gain for galaxy in galaxies}
    return Options(Segmenting("paper"), gain=gain, **choices)


@cache
def pairs_of(set_name: str, data: Path | None, *, first: int | None = None, **choices: Any) -> list[Pair]:
    """Measure a set, or the first of it, on all cores; remembered for the next test."""
    galaxies, rows = galaxies_of(set_name, data)[:first], frozen_rows(set_name)[:first]
    options = options_for(galaxies, **choices)
    measured = measure_batch(map(engine_input, galaxies), options, workers=available_cores())
    return [Pair(*three) for three in zip(galaxies, rows, measured, strict=True)]


def failures(
    pairs: Iterable[Pair],
    columns: Iterable[str],
    *,
    greatest: float,
    left_out: Callable[[Pair, str], bool] = lambda pair, name: False,
) -> list[str]:
    """Say what lies farther from statmorph's value than `greatest`, one line each."""
    lines = []
    for pair, name in itertools.product(pairs, list(columns)):
        if not pair.is_measured or left_out(pair, name):
            continue
        apart = names.difference(name, pair.ours.values[name], pair.frozen)
        if not apart <= greatest:
            theirs = pair.frozen[names.ALL[name][0]]
            lines.append(
                f"{pair.galaxy.name} {name}: {pair.ours.values[name]!r} for {theirs!r}, {apart:.1e} apart"
            )
    return lines
