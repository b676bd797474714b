"""Publishing a race: its table, figures and circumstances as a page of the documentation."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from race_figures import LARGEST_BYTES, write_figures
from race_plan import RaceFolder
from race_table import Row, as_markdown, rows_of, winner_sentence, write_table
from race_training import training_of

from galsmith.compare import ReportCard, read_card
from galsmith.data.store import open_store
from galsmith.errors import InputError
from galsmith.files import written_atomically

TITLES = {"sersic": "The race on Sérsic galaxies", "efigi": "The race on EFIGI pictures"}
SETS = {
    "sersic": "simulated Sérsic galaxies (recipe `sersic-64`: 64 px, one band, centers anywhere within 12 pixels)",
    "efigi": "EFIGI galaxies (Baillard et al. 2011; SDSS imaging; 64 px, RGB)",
}
CAPTIONS = {
    "race.svg": (
        "Left: mean W1 (of the groups' means) less its floor, in standard deviations of the reference, with its 95 % "
        "interval. Right: share of galaxies that a classifier tells right from real ones by their measured properties."
    ),
    "galaxies.png": "Galaxies by lot, none chosen",
    "galaxies.jpg": "Galaxies by lot, none chosen",
    "properties.svg": "W1 of every property in floors: 1 is what sampling alone makes; up to 2 in bold.",
    "power.svg": "Median power by wavelength over that of the held-out galaxies.",
}


def counted(number: int, noun: str) -> str:
    """Put a number before its noun."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def publish(folder: RaceFolder, place: Path) -> None:
    """Write ``README.md``, ``table.ecsv`` and figures to a folder of the documentation, and the list of races above it.

    Raises
    ------
    InputError
        If the race has no result yet, or a figure is too large for a repository.
    """
    if not folder.card_file.exists():
        raise InputError(f"{folder.path}: the race is not judged yet; look at it with --status")
    plan: dict[str, Any] = json.loads(folder.plan_file.read_text(encoding="utf-8"))
    card = read_card(folder.card_file)
    names = [item.name for item in card.judgments]
    rows = rows_of(
        card,
        {name: training_of(folder.family(name)) or {} for name in names},
        {name: json.loads(folder.family(name).speed_file.read_text(encoding="utf-8")) for name in names},
    )
    place.mkdir(parents=True, exist_ok=True)
    sets = {row.name: open_store(folder.family(row.name).drawn_store) for row in rows}
    figures = write_figures(place, card, rows, sets, open_store(folder.reference_store))
    _refuse_large(place, figures)
    winner = winner_sentence(rows, card)
    write_table(rows, place / "table.ecsv", winner=winner, meta={"plan": plan, "mean_w1": "headline"})
    (place / "table.md").unlink()
    starts = [json.loads(line) for line in folder.starts_file.read_text(encoding="utf-8").splitlines()]
    page = page_text(plan, rows, winner=winner, starts=starts, figures=figures, sizes=_sizes(folder, card))
    with written_atomically(place / "README.md") as temporary:
        temporary.write_text(page, encoding="utf-8")
    _write_list(place.parent)


def page_text(
    plan: Mapping[str, Any],
    rows: Sequence[Row],
    *,
    winner: str,
    starts: Sequence[Mapping[str, Any]],
    figures: Sequence[str],
    sizes: Mapping[str, int],
) -> str:
    """Write the page."""
    captions = {
        name: text + _of_galaxies(plan["data"]) if name.startswith("galaxies.") else text
        for name, text in CAPTIONS.items()
    }
    shown = [f"![{captions[name].rstrip('.')}]({name})\n\n*{captions[name]}*\n" for name in figures]
    parts = [
        f"# {TITLES[plan['data']]}\n",
        winner + "\n",
        shown[0],
        as_markdown(rows),
        _how_to_read(plan, rows),
        *shown[1:],
        _circumstances(plan, starts, sizes),
    ]
    return "\n".join(parts)


def _of_galaxies(data: str) -> str:
    """Say how galaxies are shown."""
    if data == "efigi":
        return (
            ", as the models draw them; EFIGI's own pictures are not in this repository, for their license."
        )
    return (
        ", the brightest at the left; the top row is held out from training. Each is shown in shares of its own flux, all "
        "under one asinh stretch."
    )


def _how_to_read(plan: Mapping[str, Any], rows: Sequence[Row]) -> str:
    """Say what the columns are."""
    cores = rows[0].drawing.get("threads", 1) if rows else 1
    return (
        f"W1 is in standard deviations of the reference; the mean is that of the groups' means. The floor is what two "
        "random parts of the held-out set differ by at the same sizes; what stands in brackets is the 95 % interval of the "
        "excess. The columns *told* give the share of galaxies that a classifier tells right on galaxies that it has not "
        "seen: 0.5 is guessing. CPU seconds are those of the training loop alone: "
        f"{60 * plan['minutes'] * plan['threads']:.0f} are there for everybody. Galaxies drawn a second are those of "
        f"{counted(cores, 'thread')}. Parameters are the drawing network's.\n"
    )


def _circumstances(
    plan: Mapping[str, Any], starts: Sequence[Mapping[str, Any]], sizes: Mapping[str, int]
) -> str:
    """Say on what machine, when, with what and how to repeat it."""
    first = starts[0]
    versions = ", ".join(f"{name} {version}" for name, version in first["versions"].items())
    loads = "; ".join(f"{start['time']} with a load of {start['load'][0]:g}" for start in starts)
    recipes: dict[str, str] = {}
    for start in starts:
        recipes |= start["recipes"]
    named = ", ".join(f"{name} by `{recipe}`" for name, recipe in recipes.items())
    return "\n".join(
        [
            "## Circumstances\n",
            f"- Learned from: {sizes['training']:,} {SETS[plan['data']]}; judged by {sizes['compared']:,} of "
            f"{sizes['reference']:,} that nobody learned from. {plan['n_drawn']:,} drawn from each family, "
            f"{plan['n_measured']:,} measured.",
            f"- Budget: {plan['minutes']:g} minutes of training for each, {counted(plan['threads'], 'thread')} pinned to "
            f"cores of their own, {counted(first['side_by_side'], 'training')} at a time, each its own process; "
            f"precision {plan['precision']}; "
            f"seed {plan['seed']}, one training each.",
            f"- Recipes: {named}; no pictures on the way (`training.sample_grids=0`), last snapshot.",
            f"- Machine: {first['processor']}, {counted(first['cores'], 'core')} for the race; "
            f"Python {first['python']}, {versions}.",
            f"- Started: {loads}.",
            f"- Command: `{first['command']}`\n",
        ]
    )


def _sizes(folder: RaceFolder, card: ReportCard) -> dict[str, int]:
    """Count the images of each set."""
    return {
        "training": len(open_store(folder.training_store)),
        "reference": len(open_store(folder.reference_store)),
        "compared": card.judgments[0].comparison.reference.n_compared,
    }


def _refuse_large(place: Path, names: Sequence[str]) -> None:
    """Raise if a figure is too large to be committed."""
    for name in names:
        size = (place / name).stat().st_size
        if size > LARGEST_BYTES:
            raise InputError(
                f"{place / name}: has {size:,} bytes; wanted at most {LARGEST_BYTES:,} in a repository"
            )


def _write_list(folder: Path) -> None:
    """Write the list of published races."""
    races = sorted(path.parent.name for path in folder.glob("race-*/README.md"))
    lines = [
        "# Results\n",
        "Races between all families by `benchmarks/race/benchmark_race.py`: the same galaxies, the same time, one judge.\n",
    ]
    for name in races:
        page = (folder / name / "README.md").read_text(encoding="utf-8").splitlines()
        lines.append(f"- [{page[0].removeprefix('# ')}]({name}/README.md): {page[2]}")
    with written_atomically(folder / "README.md") as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
