"""Drawings of the page of denoising: errors against the share of generated images, and the power of the residuals."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from galsmith.report.panels.axes import Axis, Tick, line_path
from galsmith.report.scores.drawings import BOTTOM, LEFT, N_STYLES, RIGHT, TOP, Plot

Floats = NDArray[np.float64]
DOT = 2.5
MOST_LINES = N_STYLES
ALL = "all"
Said = Mapping[str, Any]


def families_of(groups: Sequence[Said]) -> dict[tuple[str, str], list[Said]]:
    """Gather the groups of a network and kind of generated set, each with its twin without any at mixing 0."""
    found: dict[tuple[str, str], list[Said]] = {}
    plain = {(one["group"]["denoiser"], one["group"]["training_set"]): one for one in groups}
    for one in groups:
        group = one["group"]
        name = (group["denoiser"], group["training_set"])
        if group["mixing"] == 0:
            continue
        if name not in found:
            twin = plain.get((name[0], _twin(name[1])))
            found[name] = [] if twin is None else [twin]
        found[name].append(one)
    return {name: sorted(some, key=lambda one: one["group"]["mixing"]) for name, some in found.items()}


def _twin(training_set: str) -> str:
    """Name the set without generated images: what varies in it comes after the word."""
    varied = training_set.removeprefix("generated").removeprefix("-deblurred")
    return f"real{varied}"


def errors_by_mixing(groups: Sequence[Said], shift: str) -> Plot | None:
    """Draw the mean squared error against the share of generated images, bars over seeds (Fig. 10).

    Parameters
    ----------
    groups : sequence of mapping
        Of one shift, as the card has them.
    shift : str
        Which.

    Returns
    -------
    Plot or None
        None where no set has generated images.
    """
    families = dict(list(families_of(groups).items())[:MOST_LINES])
    if not families:
        return None
    values = {
        name: [(one["group"]["mixing"], *_mean_and_error(one["mse_by_seed"])) for one in some]
        for name, some in families.items()
    }
    ends = np.array([(mean - error, mean + error) for some in values.values() for _, mean, error in some])
    means = np.array([mean for some in values.values() for _, mean, _ in some])
    low = max(float(ends.min()), 0.5 * float(means.min()))
    x, y = Axis(-0.05, 1.05, LEFT, RIGHT), Axis(0.9 * low, 1.15 * float(ends.max()), BOTTOM, TOP, is_log=True)
    paths, key = [], []
    for number, (name, some) in enumerate(values.items()):
        style = f"s-line s{1 + number % N_STYLES}"
        mixing, mean, error = (np.array(column) for column in zip(*some, strict=True))
        # families lie a little beside one another, so that their bars can be told apart
        at_x = x.at(mixing + 0.008 * (number - (len(values) - 1) / 2))
        bars = "".join(
            f"M{place:g} {down:g}V{up:g}"
            for place, down, up in zip(
                at_x, y.at(np.maximum(mean - error, 0.9 * low)), y.at(mean + error), strict=True
            )
        )
        paths.append((style, line_path(at_x, y.at(mean)) + bars + _dots(at_x, y.at(mean))))
        key.append((style, f"{name[0]}, {name[1].replace('-', ' ')}"))
    ticks = [Tick(float(x.at(value)), f"{value:g}") for value in (0, 0.2, 0.4, 0.6, 0.8, 1)]
    return Plot(f"Errors against alpha, {shift}", "alpha", "MSE", ticks, y.ticks(), paths, key)


def _mean_and_error(by_seed: Sequence[float]) -> tuple[float, float]:
    """Mean over trainings, and their standard deviation."""
    values = np.asarray(by_seed, dtype=np.float64)
    return float(values.mean()), float(values.std(ddof=1)) if len(values) > 1 else 0.0


def _dots(x: Floats, y: Floats) -> str:
    """Small squares about points."""
    return "".join(
        f"M{one - DOT:.1f} {other - DOT:.1f}h{2 * DOT}v{2 * DOT}h-{2 * DOT}Z"
        for one, other in zip(x, y, strict=True)
    )


def residual_power(groups: Sequence[Said], shift: str) -> Plot | None:
    """Draw the power of what data have beyond reconvolved results, over that of the noise, by frequency.

    Parameters
    ----------
    groups : sequence of mapping
        Of one shift; plain networks and methods are drawn.
    shift : str
        Which.
    """
    chosen = [one for one in groups if one["group"]["training_set"] in ("", "real")][:MOST_LINES]
    powers = [np.array([np.nan if v is None else v for v in one["residual_power"]]) for one in chosen]
    if not powers or not any(np.isfinite(one).any() for one in powers):
        return None
    highest = max(1.2, float(np.nanmax([np.nanmax(one) for one in powers if np.isfinite(one).any()])))
    n_rings = len(powers[0])
    x, y = Axis(0, 0.5, LEFT, RIGHT), Axis(0.0, 1.05 * highest, BOTTOM, TOP)
    middles = (np.arange(n_rings) + 0.5) * 0.5 / n_rings
    one_line = line_path(x.at(np.array([0.0, 0.5])), y.at(np.array([1.0, 1.0])))
    paths, key = [("limit", one_line)], []
    for number, (group, power) in enumerate(zip(chosen, powers, strict=True)):
        style = f"s-line s{1 + number % N_STYLES}"
        paths.append((style, line_path(x.at(middles), y.at(power))))
        key.append((style, group["words"]))
    return Plot(
        f"Power of the residual, {shift}",
        "cycles per pixel",
        "power / noise",
        x.ticks(),
        y.ticks(),
        paths,
        key,
    )
