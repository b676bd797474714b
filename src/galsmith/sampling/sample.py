"""The verb `sample`: a run and seeds in, a store or a folder of FITS cutouts out."""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import astropy.units as u
import numpy as np
from astropy.table import QTable, Table, vstack
from numpy.typing import NDArray

from galsmith.data.store import Companions, StoreWriter
from galsmith.data.store.layout import STORE
from galsmith.errors import InputError, SettingsError
from galsmith.execution import ProgressCallback, ProgressEvent, ignore_progress
from galsmith.files import check_output, place_of
from galsmith.images import ImageSet
from galsmith.models.devices import usable_device
from galsmith.models.draws import Pixels
from galsmith.models.protocols import SamplerChoice
from galsmith.models.snapshot import find_snapshot
from galsmith.sampling.fits_cutouts import CUTOUTS, CutoutFolder
from galsmith.sampling.source import (
    BROUGHT_IN,
    GalaxySource,
    header_of_drawn,
    refuse_non_finite,
)
from galsmith.sampling.wanted_ranges import beyond_training, where_text
from galsmith.sampling.wanted_rows import ROWS_NAMED
from galsmith.settings import near_miss

logger = logging.getLogger("galsmith")

KINDS = ("store", "fits")
SOLVERS = ("heun", "multistep")
OUTSIDE_KINDS = ("refuse", "skip", "draw-and-flag")
Outside = Literal["refuse", "skip", "draw-and-flag"]
ROW, OUTSIDE = "catalog_row", "is_outside_training"
OWN_COLUMNS = ("object_id", "seed", "split", "native_size_pix")
GALAXIES_PER_CHUNK_AT_LEAST, PIXELS_PER_CHUNK = 256, 2**24
SPLIT = "generated"
SMALLEST_SIDE_PIX, LARGEST_SIDE_PIX = 16, 16_384


def sample(
    run: str | Path,
    output: str | Path,
    *,
    n: int | None = None,
    first: int = 0,
    seed: int = 0,
    where: str | None = None,
    catalog: str | Path | Table | None = None,
    columns: Sequence[str] = (),
    outside: Outside = "refuse",
    guidance: float | None = None,
    steps: int | None = None,
    solver: Literal["heun", "multistep"] | None = None,
    height_pix: int | None = None,
    width_pix: int | None = None,
    kind: str = "store",
    device: str = "cpu",
    overwrite: bool = False,
    progress: ProgressCallback = ignore_progress,
) -> ImageSet:
    """Draw galaxies from a trained model; the same call goes on after an interruption.

    Galaxy k depends on the snapshot, `seed`, k, what is asked and how it is drawn alone: the first hundred of a set of
    a thousand are those of a set of a hundred.

    Parameters
    ----------
    run : str or Path
        A run folder of `galsmith.training.train`, also of an unfinished run, or a snapshot's folder.
    output : str or Path
        The store, or the folder of FITS files.
    n : int, optional
        How many galaxies; left out with a catalog, which has one a row.
    first : int
        Number of the first of them: several processes or machines can draw one set in pieces, of which each is what it
        is in the whole, on the same kind of device to the bit.
    seed : int
        Fixes all of them; the seed of each is in the catalog's column ``seed``.
    where : str, optional
        What all galaxies are to be, such as ``"r_half_pix=5..8, magnitude=22"``: ranges (an end may be left out) or
        values of columns that ``transform.conditions`` named in training, ``flux_<band>``, ``magnitude_<band>`` and
        ``native_size_pix``. The family `diffusion` draws images for given values; others draw and leave out.
    catalog : str, Path or Table, optional
        One galaxy a row: of whatever it names that the model can be asked for, as `where` has it, each in the unit that
        the column has or else in the model's. Galaxy k is drawn for row k by seed k. The drawn catalog has the rows
        beside what was drawn, with ``asked_`` before each name, their numbers in ``catalog_row``, and
        ``is_outside_training``. Needs a model that draws images for given values, as `diffusion`.
    columns : sequence of str
        What of the catalog is asked, as ``name`` or ``name=column of the catalog``; left out, every column of numbers
        has to be something that the model knows.
    outside : {"refuse", "skip", "draw-and-flag"}
        What to do with rows that are beyond the trained range of a column, or where no training galaxies are, all asked
        columns taken together: raise, leave them out, or draw them all the same.
    guidance : float, optional
        1 is as learned; above 1 images tell their scalars apart more strongly, and exaggerate them; 0 ignores them.
    steps : int, optional
        Steps a galaxy; the model's own when left out. Of a count that it was not made for, galaxies of the same seeds are
        drawn in both, and a warning says how far they are apart.
    solver : {"heun", "multistep"}, optional
        Heun's method, or one of two steps, which asks the network once a step in place of twice.
    height_pix, width_pix : int, optional
        Of fields, which the family `field_composer` draws of any size, sources as dense as in training; one of them
        alone is that of a square.
    kind : {"store", "fits"}
        ``fits`` writes one file an image with unit, pixel scale, bands and provenance in its header. Both keep the
        sources of composed fields: a store as `galsmith.data.store.read_sources` gives them, a file as the table SOURCES
        after its image.
    device : str
        Name that torch knows.
    overwrite : bool
        Replace what is there.
    progress : callable
        Told how many are drawn.

    Returns
    -------
    ImageSet
        Read from `output` as it is used; all in the split ``"generated"``. The catalog has the model's conditions and
        what was asked as columns.

    Raises
    ------
    SettingsError
        If an argument is out of range, or cannot be asked of this model.
    OutputExistsError
        If `output` exists and is not an interrupted sampling of the same galaxies.
    InputError
        If there is no usable snapshot, the catalog cannot be used, or some of its rows are outside of what was trained.
    GalsmithError
        If drawn pixels are not finite, or what is asked is too rare.
    OutputError
        If the disk is full.
    """
    _check(n, kind, catalog=catalog, where=where, outside=outside)
    _check_first(first, catalog)
    of_files = catalog if isinstance(catalog, str | Path) else None
    check_output(output, CUTOUTS if kind == "fits" else STORE, inputs=[run, of_files], overwrite=overwrite)
    choice = _sampler_choice(guidance=guidance, steps=steps, solver=solver)
    folder = find_snapshot(run)
    shape = _shape(height_pix, width_pix)
    source = GalaxySource(
        folder,
        seed=seed,
        device=usable_device(device),
        where=where,
        choice=choice,
        shape=shape,
        catalog=catalog,
        catalog_columns=columns,
    )
    for line in beyond_training(source.asked):
        logger.warning("%s", line)
    plan = _plan(source, n, outside, first=first)
    cost = source.cost_of_steps()
    if cost is not None:
        logger.warning("%s", cost.text)
    settings = _settings(plan, source, choice, shape)
    header = header_of_drawn(folder, settings=settings, seed=seed, rows=source.rows)
    place, batch = place_of(output), source.batch_size
    at_least = min(GALAXIES_PER_CHUNK_AT_LEAST, max(1, PIXELS_PER_CHUNK // math.prod(source.shape)))
    per_chunk = batch if kind == "fits" else batch * -(-at_least // batch)
    made: CutoutFolder | StoreWriter = (
        CutoutFolder(place, header, n=plan.n, per_chunk=per_chunk, overwrite=overwrite)
        if kind == "fits"
        else StoreWriter(place, header, n_chunks=-(-plan.n // per_chunk), overwrite=overwrite)
    )
    with made as writer:
        drawn = _filled(writer, source, plan, per_chunk=per_chunk, progress=progress)
    if BROUGHT_IN in drawn.catalog.colnames and (count := int(np.sum(drawn.catalog[BROUGHT_IN]))):
        logger.warning(
            "`where` %s: of %d of %d galaxies no candidate was there; the nearest was taken and its columns set into the "
            "range (%s in the catalog)",
            where_text(source.asked),
            count,
            plan.n,
            BROUGHT_IN,
        )
    return drawn


def _check_first(first: int, catalog: str | Path | Table | None) -> None:
    """Refuse a first number where there is none to count from, or below all."""
    if first < 0:
        raise SettingsError(argument="first", came=first, wanted="0 or more")
    if first and catalog is not None:
        raise SettingsError(
            "the rows of `catalog` say which galaxies are drawn",
            argument="first",
            came=first,
            way_out="leave it out, and give a catalog of the wanted rows",
        )


def _shape(height_pix: int | None, width_pix: int | None) -> tuple[int, int] | None:
    """Join height and width; one alone is that of a square."""
    for name, side in (("height_pix", height_pix), ("width_pix", width_pix)):
        if side is not None and not SMALLEST_SIDE_PIX <= side <= LARGEST_SIDE_PIX:
            raise SettingsError(
                argument=name, came=side, wanted=f"{SMALLEST_SIDE_PIX} to {LARGEST_SIDE_PIX} px"
            )
    sides = [side for side in (height_pix, width_pix) if side is not None]
    return (sides[0], sides[-1]) if sides else None


@dataclass(frozen=True)
class _Plan:
    """Which galaxies are drawn.

    Attributes
    ----------
    n : int
        How many.
    first : int
        Number of the first, without a catalog.
    rows : ndarray [galaxy], int64, or None
        Rows of the catalog, rising; None without one, and then galaxies are counted from `first`.
    is_outside : ndarray [row], bool
        Rows that no training galaxy is like.
    outside : {"refuse", "skip", "draw-and-flag"}
        What is done with these.
    """

    n: int
    first: int = 0
    rows: NDArray[np.int64] | None = None
    is_outside: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, dtype=bool))
    outside: Outside = "refuse"


def _plan(source: GalaxySource, n: int | None, outside: Outside, *, first: int) -> _Plan:
    """Decide which galaxies are drawn, and name the rows that no training galaxy is like.

    Raises
    ------
    InputError
        If there are such rows and they are to be refused, or none is left.
    """
    if source.rows is None:
        return _Plan(n or 0, first)
    if not source.knows_what_is_together:
        logger.warning(
            "`catalog`: this snapshot does not say which values its training galaxies had together, so that each column is "
            "looked at alone"
        )
    found, n_rows = source.outside(), len(source.rows)
    if found.reasons:
        some = [f"row {row}: {why}" for row, why in list(found.reasons.items())[:ROWS_NAMED]]
        some += ["..."] if len(found.reasons) > ROWS_NAMED else []
        said = (
            f"{len(found.reasons):,} of {n_rows:,} rows are outside of what was trained ({'; '.join(some)})"
        )
        if outside == "refuse":
            raise InputError(
                f"`catalog`: {said}; set `outside=skip` to leave them out, or `outside=draw-and-flag` to draw them, which "
                "nothing vouches for"
            )
        logger.warning("`outside=%s`: %s", outside, said)
    rows = np.flatnonzero(~found.is_outside) if outside == "skip" else np.arange(n_rows)
    if not len(rows):
        raise InputError(
            f"`catalog`: all {n_rows:,} rows are outside of what was trained; none is left to draw"
        )
    return _Plan(len(rows), 0, rows, found.is_outside, outside)


def _settings(
    plan: _Plan, source: GalaxySource, choice: SamplerChoice, shape: tuple[int, int] | None
) -> dict[str, Any]:
    """Say what decides the drawn galaxies, besides snapshot and seed; what is as trained is left out."""
    asked: dict[str, Any] = {"where": where_text(source.asked)} if source.asked else {}
    if source.rows is not None:
        n_outside = int(plan.is_outside.sum())
        asked = {"columns": list(source.rows.names), "outside": plan.outside, "n_outside": n_outside}
    changed = {"steps": choice.n_steps, "solver": choice.method}
    guidance = {} if choice.guidance == 1 else {"guidance": choice.guidance}
    sides = {} if shape is None else {"height_pix": shape[0], "width_pix": shape[1]}
    return {
        "n": plan.n,
        **({"first": plan.first} if plan.first else {}),
        **asked,
        **guidance,
        **sides,
        **{name: value for name, value in changed.items() if value is not None},
    }


class _Writer(Protocol):
    """Takes drawn galaxies chunk by chunk; which of them it has already is its own business."""

    @property
    def is_complete(self) -> bool: ...

    def is_done(self, number: int, /) -> bool: ...

    def write_chunk(
        self,
        number: int,
        images: list[Pixels],
        catalog: QTable,
        /,
        *,
        companions: Companions | None = None,
    ) -> object: ...

    def open(self) -> ImageSet: ...

    def finish(self) -> ImageSet: ...


def _filled(
    writer: _Writer, source: GalaxySource, plan: _Plan, *, per_chunk: int, progress: ProgressCallback
) -> ImageSet:
    """Draw the chunks that a writer lacks, batch by batch."""
    unit = source.images_name
    indices = np.arange(plan.first, plan.first + plan.n) if plan.rows is None else plan.rows
    for chunk in range(-(-plan.n // per_chunk)):
        first, end = chunk * per_chunk, min((chunk + 1) * per_chunk, plan.n)
        if not writer.is_done(chunk):
            images: list[Pixels] = []
            catalogs: list[QTable] = []
            sources: list[NDArray[np.float64]] = []
            for batch in _by_batch(indices[first:end], source.batch_size):
                number, start = divmod(int(batch[0]), source.batch_size)
                drawn = (
                    source.batch(number, start + len(batch), start=start)
                    if plan.rows is None
                    else source.batch_of_rows(batch)
                )
                refuse_non_finite(drawn.images, source.seeds(batch))
                images += drawn.images
                sources += drawn.sources
                catalogs.append(
                    drawn_catalog(source, batch, {**drawn.columns, **_of_catalog(source, plan, batch)})
                )
                progress(ProgressEvent("sampling", first + len(images), plan.n, unit))
            catalog = vstack(catalogs, metadata_conflicts="silent")
            companions = Companions(sources=sources) if sources else None
            writer.write_chunk(chunk, images, catalog, companions=companions)
        progress(ProgressEvent("sampling", end, plan.n, unit))
    return writer.open() if writer.is_complete else writer.finish()


def _by_batch(indices: NDArray[np.int64], size: int) -> list[NDArray[np.int64]]:
    """Part rising indices at the borders of aligned batches."""
    return np.split(indices, np.flatnonzero(np.diff(indices // size)) + 1)


def _of_catalog(source: GalaxySource, plan: _Plan, rows: NDArray[np.int64]) -> dict[str, Any]:
    """Give what the drawn catalog says of the rows that were asked for."""
    if source.rows is None:
        return {}
    asked = source.rows.catalog[rows]
    return {
        ROW: rows,
        OUTSIDE: plan.is_outside[rows],
        **{name: asked[name] for name in asked.colnames},
    }


def drawn_catalog(
    source: GalaxySource, indices: NDArray[np.int64], columns: Mapping[str, NDArray[Any]]
) -> QTable:
    """Catalog rows of drawn galaxies: object_id, seed, split, and what was drawn beside the pixels, with units."""
    rows = QTable(
        {
            "object_id": np.array([f"{index:08d}" for index in indices], dtype=str),
            "seed": source.seeds(indices),
            "split": np.full(len(indices), SPLIT, dtype="U10"),
        }
    )
    for name, values in columns.items():
        if name not in OWN_COLUMNS:
            rows[name] = _with_unit(values, source.units.get(name, ""))
    return rows


def _with_unit(values: NDArray[Any], unit: str) -> Any:
    """Give values the unit that is written, where astropy knows it; pictures, say, have a unit that it does not."""
    try:
        return values << u.Unit(unit) if unit else values
    except ValueError:
        return values


def _check(n: int | None, kind: str, *, catalog: object | None, where: str | None, outside: str) -> None:
    """Refuse arguments out of range, or at odds."""
    if outside not in OUTSIDE_KINDS:
        raise _unknown("outside", outside, OUTSIDE_KINDS)
    if catalog is not None and (n is not None or where is not None):
        given = "n" if n is not None else "where"
        raise SettingsError(
            f"`catalog` has one galaxy a row, and says what each is to be; leave `{given}` out"
        )
    if n is None and catalog is None:
        raise SettingsError("neither `n` nor `catalog`; wanted how many galaxies, or one row each")
    if n is not None and n < 1:
        raise SettingsError(argument="n", came=n, wanted="1 or more galaxies")
    if kind not in KINDS:
        raise _unknown("kind", kind, KINDS)


def _sampler_choice(
    *, guidance: float | None, steps: int | None, solver: Literal["heun", "multistep"] | None
) -> SamplerChoice:
    """Check how to draw."""
    if steps is not None and steps < 1:
        raise SettingsError(argument="steps", came=steps, wanted="1 or more steps of the solver")
    if solver is not None and solver not in SOLVERS:
        raise _unknown("solver", solver, SOLVERS)
    if guidance is not None and not 0 <= guidance < math.inf:
        raise SettingsError(
            argument="guidance", came=guidance, wanted="0 or more, where 1 draws what was learned"
        )
    return SamplerChoice(steps, solver, 1.0 if guidance is None else float(guidance))


def _unknown(argument: str, came: str, known: tuple[str, ...]) -> SettingsError:
    """Refuse a word with the near miss."""
    wanted = f"{' or '.join(known)}{near_miss(came, known)}"
    return SettingsError(argument=argument, came=came, wanted=wanted)
