"""The verb `sample`: a run and seeds in, a store or a folder of FITS cutouts out."""

import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Protocol

import astropy.units as u
import numpy as np
from astropy.table import QTable, vstack
from numpy.typing import NDArray

from galsmith.data.store import Companions, StoreWriter
from galsmith.data.store.layout import STORE
from galsmith.errors import SettingsError
from galsmith.execution import ProgressCallback, ProgressEvent, ignore_progress
from galsmith.files import check_output
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
from galsmith.settings import near_miss

logger = logging.getLogger("galsmith")

KINDS = ("store", "fits")
SOLVERS = ("heun", "dpm")
OWN_COLUMNS = ("object_id", "seed", "split", "native_size_pix")
GALAXIES_PER_CHUNK_AT_LEAST, PIXELS_PER_CHUNK = 256, 2**24
SPLIT = "generated"
SMALLEST_SIDE_PIX, LARGEST_SIDE_PIX = 16, 16_384


def sample(
    run: str | Path,
    output: str | Path,
    *,
    n: int,
    seed: int = 0,
    where: str | None = None,
    guidance: float | None = None,
    steps: int | None = None,
    solver: Literal["heun", "dpm"] | None = None,
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
    n : int
        How many galaxies.
    seed : int
        Fixes all of them; the seed of each is in the catalog's column ``seed``.
    where : str, optional
        What all galaxies are to be, such as ``"r_half_pix=5..8, magnitude=22"``: ranges (an end may be left out) or
        values of columns that ``transform.conditions`` named in training, ``flux_<band>``, ``magnitude_<band>`` and
        ``native_size_pix``. The family `diffusion` draws images for given values; others draw and leave out.
    guidance : float, optional
        1 is as learned; above 1 images tell their scalars apart more strongly, and exaggerate them; 0 ignores them.
    steps : int, optional
        Steps of the solver; the model's own when left out.
    solver : {"heun", "dpm"}, optional
        Heun's method, or DPM-Solver++(2M), which asks the network once a step in place of twice.
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
        If there is no usable snapshot.
    GalsmithError
        If drawn pixels are not finite, or what is asked is too rare.
    OutputError
        If the disk is full.
    """
    _check(n, kind)
    check_output(output, CUTOUTS if kind == "fits" else STORE, inputs=[run], overwrite=overwrite)
    choice = _sampler_choice(guidance=guidance, steps=steps, solver=solver)
    folder = find_snapshot(run)
    shape = _shape(height_pix, width_pix)
    source = GalaxySource(
        folder, seed=seed, device=usable_device(device), where=where, choice=choice, shape=shape
    )
    for line in beyond_training(source.asked):
        logger.warning("%s", line)
    header = header_of_drawn(folder, settings=_settings(n, source, choice, shape), seed=seed)
    place, batch = Path(output), source.batch_size
    at_least = min(GALAXIES_PER_CHUNK_AT_LEAST, max(1, PIXELS_PER_CHUNK // math.prod(source.shape)))
    per_chunk = batch if kind == "fits" else batch * -(-at_least // batch)
    made: CutoutFolder | StoreWriter = (
        CutoutFolder(place, header, n=n, per_chunk=per_chunk, overwrite=overwrite)
        if kind == "fits"
        else StoreWriter(place, header, n_chunks=-(-n // per_chunk), overwrite=overwrite)
    )
    with made as writer:
        drawn = _filled(writer, source, n=n, per_chunk=per_chunk, progress=progress)
    if BROUGHT_IN in drawn.catalog.colnames and (count := int(np.sum(drawn.catalog[BROUGHT_IN]))):
        logger.warning(
            "`where` %s: of %d of %d galaxies no candidate was there; the nearest was taken and its columns set into the "
            "range (%s in the catalog)",
            where_text(source.asked),
            count,
            n,
            BROUGHT_IN,
        )
    return drawn


def _shape(height_pix: int | None, width_pix: int | None) -> tuple[int, int] | None:
    """Join height and width; one alone is that of a square."""
    for name, side in (("height_pix", height_pix), ("width_pix", width_pix)):
        if side is not None and not SMALLEST_SIDE_PIX <= side <= LARGEST_SIDE_PIX:
            raise SettingsError(
                argument=name, came=side, wanted=f"{SMALLEST_SIDE_PIX} to {LARGEST_SIDE_PIX} px"
            )
    sides = [side for side in (height_pix, width_pix) if side is not None]
    return (sides[0], sides[-1]) if sides else None


def _settings(
    n: int, source: GalaxySource, choice: SamplerChoice, shape: tuple[int, int] | None
) -> dict[str, Any]:
    """Say what decides the drawn galaxies, besides snapshot and seed; what is as trained is left out."""
    asked = {"where": where_text(source.asked)} if source.asked else {}
    changed = {"steps": choice.n_steps, "solver": choice.method}
    guidance = {} if choice.guidance == 1 else {"guidance": choice.guidance}
    sides = {} if shape is None else {"height_pix": shape[0], "width_pix": shape[1]}
    return {
        "n": n,
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
    writer: _Writer, source: GalaxySource, *, n: int, per_chunk: int, progress: ProgressCallback
) -> ImageSet:
    """Draw the chunks that a writer lacks, batch by batch."""
    unit = source.images_name
    for chunk in range(-(-n // per_chunk)):
        first, end = chunk * per_chunk, min((chunk + 1) * per_chunk, n)
        if not writer.is_done(chunk):
            images: list[Pixels] = []
            catalogs: list[QTable] = []
            sources: list[NDArray[np.float64]] = []
            for number in range(first // source.batch_size, -(-end // source.batch_size)):
                drawn = source.batch(number, n - number * source.batch_size)
                indices = np.arange(first + len(images), first + len(images) + len(drawn.images))
                refuse_non_finite(drawn.images, source.seeds(indices))
                images += drawn.images
                sources += drawn.sources
                catalogs.append(drawn_catalog(source, indices, drawn.columns))
                progress(ProgressEvent("sampling", first + len(images), n, unit))
            catalog = vstack(catalogs, metadata_conflicts="silent")
            companions = Companions(sources=sources) if sources else None
            writer.write_chunk(chunk, images, catalog, companions=companions)
        progress(ProgressEvent("sampling", end, n, unit))
    return writer.open() if writer.is_complete else writer.finish()


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


def _check(n: int, kind: str) -> None:
    """Refuse arguments out of range."""
    if n < 1:
        raise SettingsError(argument="n", came=n, wanted="1 or more galaxies")
    if kind not in KINDS:
        raise _unknown("kind", kind, KINDS)


def _sampler_choice(
    *, guidance: float | None, steps: int | None, solver: Literal["heun", "dpm"] | None
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
