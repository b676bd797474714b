"""The page of a study: what each training set does to a task, with one figure of differences and their intervals."""

from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from galsmith.report.labels import number
from galsmith.report.page import page_environment
from galsmith.report.panels.axes import Axis, Tick

PAGE_FILE = "index.html"
WIDTH, LEFT, RIGHT, ROW_PX, TOP = 480, 14, 466, 50, 6
MARGIN = 0.08  # of the axis, beyond the widest interval


def write_study_page(card: Mapping[str, Any], folder: Path) -> Path:
    """Write ``index.html`` of a study into a folder.

    Parameters
    ----------
    card : mapping
        What `galsmith.study.study` gives.
    folder : Path
        Where to.

    Returns
    -------
    Path
        Of the page: one file that requests nothing from any network.
    """
    environment = page_environment()
    environment.globals.update(number=number)
    html = environment.get_template("study.html.j2").render(
        card=card,
        figure=_figure(card["rows"]),
        headline=headline(card["rows"]),
        version=metadata.version("galsmith"),
        harm=[
            (group["name"], row)
            for group in card["groups"]
            for row in group["rows"]
            if row.get("verdict") == "hurts"
        ],
    )
    path = folder / PAGE_FILE
    path.write_text(html, encoding="utf-8")
    return path


def headline(rows: Sequence[Mapping[str, Any]]) -> str:
    """Say in one sentence what generated images added to real ones do."""
    row = next(one for one in rows if one["mix"] == "real and generated")
    change = f"{abs(row['relative'] - 1):.1%} {'less' if row['relative'] < 1 else 'more'} loss"
    return {
        "helps": f"Generated images help: {change}",
        "hurts": f"Generated images hurt: {change}",
        "not told apart": "Generated images make no difference that could be seen",
    }[row["verdict"]]


def _figure(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Place the intervals of a figure: one line a mix, from its family interval, with its plain one thicker."""
    shown = [row for row in rows if "difference" in row]
    ends = [0.0, *(end for row in shown for end in row["family_interval"])]
    margin = MARGIN * ((max(ends) - min(ends)) or 1.0)
    axis = Axis(min(ends) - margin, max(ends) + margin, LEFT, RIGHT)
    lines = [
        {
            "y": TOP + ROW_PX * place + 36,
            "title": row["title"],
            "at": float(axis.at(row["difference"])),
            "interval": [float(value) for value in axis.at(row["interval"])],
            "family": [float(value) for value in axis.at(row["family_interval"])],
            "verdict": row["verdict"],
        }
        for place, row in enumerate(shown)
    ]
    bottom = TOP + ROW_PX * len(shown)
    ticks: list[Tick] = axis.ticks()
    return {
        "lines": lines,
        "ticks": ticks,
        "zero": float(axis.at(0.0)),
        **{"width": WIDTH, "left": LEFT, "right": RIGHT, "top": TOP, "bottom": bottom, "height": bottom + 44},
    }
