"""A contact sheet of whatever holds galaxies, or a run's curves and pictures, as one figure: `look`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from galsmith.data.store import is_store, open_store
from galsmith.errors import InputError, SettingsError
from galsmith.execution import ProgressCallback, ignore_progress
from galsmith.files import Partial, check_output, settle
from galsmith.images import ImageHeader, ImageSet
from galsmith.measure.properties.registry import property_of_column
from galsmith.measure.table import TABLE
from galsmith.provenance import hash_json
from galsmith.report.figures import STYLE
from galsmith.report.figures.painting import FIGURE, figure_format, metadata_of
from galsmith.report.labels import number, unit_text
from galsmith.report.sheets.galaxies import (
    ORDERS,
    Gathered,
    Order,
    Rows,
    chosen_entries,
    flags_of,
    galaxies_of_files,
    galaxies_of_set,
    galaxies_of_table,
    numbers_of,
)
from galsmith.report.sheets.run import count_panels, is_run, run_figure, state_of_run
from galsmith.report.sheets.sheet import Grid, grid_of, sheet_figure
from galsmith.report.sheets.tiles import (
    COMMON,
    Tile,
    bands_shown,
    picture,
    read_shown,
    stretches_of,
)
from galsmith.settings import near_miss

N_SHOWN, MOST_SHOWN = 40, 1000
SHEET_DPI = 200
TABLE_SUFFIXES = (".parquet", ".ecsv")


@dataclass(frozen=True)
class Sheet:
    """What a sheet shows.

    Attributes
    ----------
    kind : str
        ``"galaxies"``, ``"fields"`` or ``"run"``.
    names : tuple of str
        Of the galaxies, row by row; empty for a run.
    n_panels : int
        Galaxies; of a run its curves and pictures.
    n_there : int
        Of how many they were chosen.
    """

    kind: str
    names: tuple[str, ...]
    n_panels: int
    n_there: int


@dataclass(frozen=True)
class Choice:
    """Which galaxies of a sheet, and how they are shown; see `look`."""

    n: int = N_SHOWN
    seed: int | None = None
    where: str | None = None
    sort: str | None = None
    order: Order = "spread"
    band: str | None = None
    stretch: str = COMMON
    columns: int | None = None

    def __post_init__(self) -> None:
        """Refuse what is out of range."""
        if not 1 <= self.n <= MOST_SHOWN:
            raise SettingsError(argument="n", came=self.n, wanted=f"1 to {MOST_SHOWN:,} galaxies")
        if self.columns is not None and self.columns < 1:
            raise SettingsError(argument="columns", came=self.columns, wanted="1 or more")
        if self.order not in ORDERS:
            wanted = f"{', '.join(ORDERS)}{near_miss(self.order, ORDERS)}"
            raise SettingsError(argument="order", came=self.order, wanted=wanted)
        if self.order != "spread" and self.sort is None:
            raise SettingsError(
                "means something only with `sort`; give one", argument="order", came=self.order
            )


def look(
    thing: str | Path | ImageSet | Sequence[str | Path],
    output: str | Path,
    *,
    n: int = N_SHOWN,
    seed: int | None = None,
    where: str | None = None,
    sort: str | None = None,
    order: Order = "spread",
    band: str | None = None,
    stretch: str = COMMON,
    columns: int | None = None,
    overwrite: bool = False,
    progress: ProgressCallback = ignore_progress,
) -> Sheet:
    """Draw a contact sheet of galaxies with their names, or the curves and pictures of a training run.

    Parameters
    ----------
    thing : path, several paths, or ImageSet
        A store; a table of `galsmith.measure.measure`, with the images of its store; a run; image files, a folder of them
        or an array as ``"set.h5:/images"``.
    output : str or Path
        The file to write, in the format that its suffix names: .png, .pdf or .svg.
    n : int
        How many galaxies at most.
    seed : int, optional
        Chooses them by chance; the first ones where left out.
    where : str, optional
        Only rows of the catalog or the table like these, such as ``"flag=2, r_half_pix=5.."``.
    sort : str, optional
        A column of numbers, whose value is written below each galaxy; those without a value come last.
    order : {"spread", "smallest", "largest", "extremes"}
        Which of the sorted: evenly over all, from one end, or half from either end.
    band : str, optional
        Show one band, or three from blue to red with commas between; else the first, the middle and the last.
    stretch : str
        ``"common"`` is one for all, as on the page of a report; ``"each"`` one a galaxy; ``"0..5"`` the fluxes of black
        and white.
    columns : int, optional
        How many galaxies in a row.
    overwrite : bool
        Replace a figure that galsmith made.
    progress : callable
        Told how many galaxies are read.

    Returns
    -------
    Sheet
        What it shows.

    Raises
    ------
    SettingsError
        If an argument is out of range or names what is not there, or the suffix is unknown.
    InputError
        If there is nothing to look at.
    OutputExistsError
        If something else is at the output.
    OutputError
        If the file cannot be written.
    """
    path, choice = Path(output), Choice(n, seed, where, sort, order, band, stretch, columns)
    suffix = figure_format(path, "output")
    things = _things(thing)
    check_output(path, FIGURE, inputs=things, overwrite=overwrite)
    folder = Path(things[0]) if len(things) == 1 and is_run(Path(things[0])) else None
    if folder is not None:
        made_from, sheet, draw = _of_run(folder, choice)
    else:
        gathered = galaxies_of_set(thing) if isinstance(thing, ImageSet) else _gathered(things, progress)
        made_from, sheet, draw = _of_galaxies(gathered, choice, progress)
    with Partial(path, FIGURE, made_from, inputs=things, overwrite=overwrite, resumes=False) as sheet_file:
        if not sheet_file.is_complete:
            with rc_context(STYLE | {"svg.hashsalt": "galsmith"}):
                draw().savefig(
                    sheet_file.content, format=suffix, dpi=SHEET_DPI, metadata=metadata_of(suffix, made_from)
                )
            sheet_file.finish()
    return sheet


def _of_run(folder: Path, choice: Choice) -> tuple[str, Sheet, Callable[[], Figure]]:
    """Say what a sheet of a run is made from and shows, and give what draws it."""
    asked = [name for name, value in vars(choice).items() if value != getattr(Choice, name)]
    if asked:
        raise SettingsError(
            f"{folder} is a run, which shows its curves and pictures",
            argument=asked[0],
            came=getattr(choice, asked[0]),
            way_out="leave it out, or draw galaxies with galsmith sample and look at these",
        )
    n_panels = count_panels(folder)
    made_from = hash_json([folder.resolve().name, state_of_run(folder)])
    return made_from, Sheet("run", (), n_panels, n_panels), partial(run_figure, folder)


def _things(thing: str | Path | ImageSet | Sequence[str | Path]) -> list[str]:
    """Name all that is read."""
    if isinstance(thing, ImageSet):
        return [thing.path] if thing.path else []
    things = [str(thing)] if isinstance(thing, str | Path) else [str(one) for one in thing]
    if not things:
        raise SettingsError(
            "nothing to look at", argument="thing", wanted="a store, a table, a run or image files"
        )
    return things


def _gathered(things: Sequence[str], progress: ProgressCallback) -> Gathered:
    """Open what was named."""
    first = Path(things[0])
    if len(things) == 1:
        settle(first)
        if is_store(first):
            return galaxies_of_set(open_store(first))
        if first.is_file() and (first.suffix in TABLE_SUFFIXES or TABLE.fingerprint_of(first) is not None):
            return galaxies_of_table(first)
    stores = [thing for thing in things if is_store(thing)]
    if stores:
        raise SettingsError(f"{stores[0]}: a store among {len(things)} things; look at each store by itself")
    try:
        return galaxies_of_files(things, progress)
    except InputError as error:
        wanted = "wanted a store, a table of galsmith measure, a run, or image files"
        raise InputError(f"{error} ({wanted})") from error


def _of_galaxies(
    gathered: Gathered, choice: Choice, progress: ProgressCallback
) -> tuple[str, Sheet, Callable[[], Figure]]:
    """Say what a sheet of galaxies is made from and shows, and give what draws it."""
    entries, n_there = chosen_entries(
        gathered, n=choice.n, where=choice.where, sort=choice.sort, order=choice.order, seed=choice.seed
    )
    bands_shown(gathered.galaxies.header, choice.band)  # refuses a band that is not there
    names = tuple(gathered.names[entry] for entry in entries)
    made_from = hash_json([gathered.made_from, gathered.name, vars(choice)])
    draw = partial(_drawn, gathered, entries, n_there, choice, progress)
    return made_from, Sheet(gathered.galaxies.header.images_name, names, len(entries), n_there), draw


def _drawn(
    gathered: Gathered, entries: Rows, n_there: int, choice: Choice, progress: ProgressCallback
) -> Figure:
    """Draw the galaxies that are chosen."""
    header = gathered.galaxies.header
    lines = 1 + (choice.sort is not None) + bool(flags_of(gathered.catalog)[entries].any())
    grid = grid_of(len(entries), columns=choice.columns, lines=lines)
    tiles = _tiles(gathered, entries, choice, grid, progress=progress)
    shapes = gathered.galaxies.shapes[gathered.rows[entries]]
    names = [header.bands[plane] for plane in bands_shown(header, choice.band)]
    notes = [
        _counted(len(entries), n_there, choice, header),
        f"{_bands_text(names, header)}; {_stretch_text(choice.stretch, header)}",
        _size_text(shapes, header),
        "purple: pixels without a value" if any(tile.has_holes for tile in tiles) else "",
    ]
    return sheet_figure(tiles, grid, title=gathered.name, notes=[note for note in notes if note])


def _tiles(
    gathered: Gathered,
    entries: Rows,
    choice: Choice,
    grid: Grid,
    *,
    progress: ProgressCallback,
) -> list[Tile]:
    """Read galaxies and make pictures of them."""
    header, catalog = gathered.galaxies.header, gathered.catalog
    side_pix = max(64, int(grid.side / 100 * SHEET_DPI))
    rows = [int(row) for row in gathered.rows[entries]]
    planes = bands_shown(header, choice.band)
    images, messages = read_shown(gathered.galaxies, rows, planes, side_pix=side_pix, progress=progress)
    values = [""] * len(entries)
    if choice.sort is not None:
        values = [
            _value_text(choice.sort, value, header) for value in numbers_of(catalog, choice.sort)[entries]
        ]
    pictures = [
        None if image is None else picture(image, stretch)
        for image, stretch in zip(images, stretches_of(images, header, choice.stretch), strict=True)
    ]
    names = [gathered.names[entry] for entry in entries]
    sides = gathered.galaxies.shapes[rows].max(axis=1)
    sizes = ["" if np.ptp(sides) == 0 else f"{side} px" for side in sides]
    shown = [int(flag) for flag in flags_of(catalog)[entries]]
    return [Tile(*one) for one in zip(names, pictures, values, sizes, shown, messages, strict=True)]


def _value_text(name: str, value: float, header: ImageHeader) -> str:
    """Write a value below a galaxy."""
    declared = property_of_column(name)
    symbol, unit = (
        (f"{name} ".replace("_", " "), "") if declared is None else (f"{declared.symbol} ", declared.unit)
    )
    return (
        f"{symbol} {number(value)} {unit_text(unit, header.flux_unit) if np.isfinite(value) else ''}".rstrip()
    )


def _counted(n_shown: int, n_there: int, choice: Choice, header: ImageHeader) -> str:
    """Say which galaxies or fields these are."""
    chosen = "" if n_shown == n_there else f" of {n_there:,}"
    where = "" if choice.where is None else f" with {choice.where}"
    by = "" if choice.seed is None or n_shown == n_there else f", chosen by seed {choice.seed}"
    orders = {
        "spread": "",
        "smallest": ", the smallest",
        "largest": ", the largest",
        "extremes": ", both ends",
    }
    sort = "" if choice.sort is None else f", sorted by {choice.sort}{orders[choice.order]}"
    return f"{n_shown:,}{chosen} {header.shows if n_there == 1 else header.images_name}{where}{by}{sort}"


def _bands_text(names: Sequence[str], header: ImageHeader) -> str:
    """Say which bands are shown."""
    if header.flux_unit == "display" or len(names) == 1:
        return f"band {names[0]}" if len(names) == 1 else "pictures as they are"
    return f"{', '.join(reversed(names))} as red{', green' if len(names) == 3 else ''} and blue"


def _stretch_text(stretch: str, header: ImageHeader) -> str:
    """Say how bright they are shown."""
    if header.flux_unit == "display":
        return "their own brightness"
    words = {COMMON: "one asinh stretch for all", "each": "an asinh stretch for each"}
    return words.get(stretch, f"asinh from {stretch.replace('..', ' to ')} {header.flux_unit}")


def _size_text(shapes: np.ndarray, header: ImageHeader) -> str:
    """Say how large the images are."""
    sides = np.unique(shapes.max(axis=1))
    if not len(sides) or sides[-1] == 0:
        return ""
    scale = header.pixel_scale_arcsec
    reach = f"{sides[0]}" if len(sides) == 1 else f"{sides[0]} to {sides[-1]}"
    if scale is None:
        return f"a side is {reach} px"
    arcsec = " to ".join(f"{side * scale:.3g}" for side in dict.fromkeys((sides[0], sides[-1])))
    return f"a side is {reach} px, {arcsec} arcsec"
