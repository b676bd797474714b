"""Drawing galaxies by index: image k is the same whatever else is drawn, before, beside or after it."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from astropy.table import Table
from numpy.typing import NDArray

from galsmith.data.store import StoreHeader
from galsmith.data.transforms import NetworkArrays, ScalarColumn, scalar_columns
from galsmith.errors import GalsmithError, SettingsError
from galsmith.images import ImageHeader
from galsmith.models.draws import Pixels, draw_arrays, physical_images
from galsmith.models.protocols import (
    ComposingGenerator,
    ConditionalGenerator,
    Generator,
    SamplerChoice,
    SteppedGenerator,
)
from galsmith.models.snapshot import Snapshot, load_snapshot, read_snapshot_page
from galsmith.provenance import Parent, Provenance, hash_json
from galsmith.sampling.candidates import choose_galaxies, choose_scalars, scalars_of_rows
from galsmith.sampling.steps_cost import StepsCost, measured_cost
from galsmith.sampling.support import OutsideRows, outside_rows
from galsmith.sampling.wanted_ranges import read_where
from galsmith.sampling.wanted_rows import WantedRows, read_wanted_rows
from galsmith.seeds import derive_seed

SEEDS_NAMED = 5
AS_TRAINED = SamplerChoice()
BROUGHT_IN = "is_brought_into_range"
N_SOURCES = "n_sources"


@dataclass(frozen=True)
class DrawnGalaxies:
    """Galaxies as they were drawn.

    Attributes
    ----------
    images : list of ndarray [band, y, x], float32
        In the flux unit of the training set; sizes differ where those of the training set do.
    columns : mapping of str to ndarray [galaxy]
        What was drawn beside the pixels: the model's conditions, and what was asked, each in its unit, float64; and
        ``is_brought_into_range``, bool, where none of a galaxy's candidates was as asked: see `choose_scalars`.
    sources : sequence of ndarray [source, column], float64
        What was put into each field, where it is known; columns as `galsmith.data.store.SOURCE_COLUMNS`.
    """

    images: list[Pixels]
    columns: Mapping[str, NDArray[Any]]
    sources: Sequence[NDArray[np.float64]] = ()


class GalaxySource:
    """A snapshot that draws galaxies by their index in a set.

    Arithmetic on a batch may depend in its last bits on the batch's size, so batches have a fixed size and
    fixed members: galaxy k is always drawn beside the galaxies of its own aligned batch.

    Parameters
    ----------
    folder : Path
        A snapshot's folder.
    seed : int
        The user's seed; galaxy k has the seed ``derive_seed(seed, "sample", k)``.
    device : torch.device
        Where to draw.
    where : str, optional
        What all galaxies are to be, such as ``"r_half_pix=5..8"``.
    choice : SamplerChoice
        How to draw.
    shape : tuple of int, optional
        Height and width, of families that draw fields of any size; that of the training set when left out.
    catalog : str, Path or Table, optional
        What each galaxy is to be: galaxy k is that of row k.
    catalog_columns : sequence of str
        What of the catalog is asked; see `read_wanted_rows`.

    Attributes
    ----------
    asked : tuple of Asked
        What `where` says.
    rows : WantedRows or None
        What the catalog says.
    units : dict of str to str
        Unit of each drawn column.
    images_name : str
        What the images are called in words: galaxies or fields.

    Raises
    ------
    InputError
        If the snapshot is missing or damaged.
    SettingsError
        If `where` or the catalog cannot be asked of this model, the family cannot draw by `choice`, or single values are
        asked of one that draws scalars and images together.
    """

    def __init__(
        self,
        folder: Path,
        *,
        seed: int,
        device: torch.device,
        where: str | None = None,
        choice: SamplerChoice = AS_TRAINED,
        shape: tuple[int, int] | None = None,
        catalog: str | Path | Table | None = None,
        catalog_columns: Sequence[str] = (),
    ) -> None:
        self._snapshot = load_snapshot(folder, device=device)
        self._seed = seed
        self._generator = cast(Generator, self._snapshot.generator)
        columns = _columns(self._snapshot)
        self.asked = () if where is None else read_where(where, columns)
        self.rows: WantedRows | None = None
        if catalog is not None:
            self._refuse_rows()
            self.rows = read_wanted_rows(catalog, columns, columns=catalog_columns)
        self._kept = [column for column in columns.values() if column.is_condition]
        asked = () if self.rows is None else self.rows.columns
        self._others = _one_a_scalar(columns.values(), {column.position for column in asked})
        drawn = (*self._kept, *(one.column for one in self.asked), *asked)
        self.units = {column.name: column.encoding.unit for column in drawn}
        self.batch_size = self._generator.galaxies_per_call
        self.images_name = "fields" if self._snapshot.description.shows == "field" else "galaxies"
        side = self._snapshot.transform.size_pix
        self.shape = (side, side) if shape is None else shape
        self._set_up(choice)
        if shape is not None and not isinstance(self._generator, ComposingGenerator):
            raise SettingsError(
                f"`height_pix` and `width_pix` are for fields that are composed; a {self._snapshot.family.name} model "
                f"draws {side} px alone: leave them out, or train the family field_composer"
            )

    def outside(self) -> OutsideRows:
        """Find the rows of the catalog that no training galaxy is like."""
        if self.rows is None:
            return OutsideRows(np.zeros(0, dtype=bool), {})
        return outside_rows(self.rows.columns, self.rows.values, self._snapshot.trained_scalars)

    @property
    def knows_what_is_together(self) -> bool:
        """Whether the snapshot says which values its training galaxies had together."""
        return self._snapshot.trained_scalars is not None

    def cost_of_steps(self) -> StepsCost | None:
        """Measure what is lost by an asked step count that the model was not made for; None where there is none."""
        if not isinstance(self._generator, SteppedGenerator):
            return None
        asked = self._generator.sampler_choice.n_steps
        if asked is None or asked in self._generator.own_steps:
            return None
        return measured_cost(self._generator, [int(seed) for seed in self.seeds(np.arange(self.batch_size))])

    def seeds(self, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        """Seeds of galaxies, [galaxy] int64."""
        return np.array([derive_seed(self._seed, "sample", int(index)) for index in indices], dtype=np.int64)

    def batch(self, number: int, count: int | None = None, *, start: int = 0) -> DrawnGalaxies:
        """Draw the first galaxies of an aligned batch, or all: those from ``number * batch_size`` on.

        Those beyond `count` are not drawn; where the family computes its galaxies in calls of a fixed size, copies stand in
        for them. Those before `start` are drawn in their places and left out.

        Raises
        ------
        GalsmithError
            If what is asked is too rare for a family that draws scalars and images together.
        """
        first = number * self.batch_size
        seeds = [int(seed) for seed in self.seeds(np.arange(first, first + self.batch_size))]
        wanted = self.batch_size if count is None else min(count, self.batch_size)
        if isinstance(self._generator, ComposingGenerator):
            return self._composed(self._generator, seeds[start:wanted])
        arrays, asked_columns = self._drawn_as_asked(seeds, wanted)
        arrays = NetworkArrays(arrays.pixels[start:], arrays.scalars[start:])
        columns = {column.name: column.values(arrays.scalars) for column in self._kept}
        asked_columns = {name: values[start:] for name, values in asked_columns.items()}
        return DrawnGalaxies(physical_images(arrays, self._snapshot.transform), {**columns, **asked_columns})

    def batch_of_rows(self, rows: NDArray[np.int64]) -> DrawnGalaxies:
        """Draw the galaxies of some rows of the catalog, all of one aligned batch, each in its own place there.

        So a galaxy is the same to the bit whichever rows are left out; one of them stands in for these.

        Parameters
        ----------
        rows : ndarray [galaxy], int64
            Rising.
        """
        if self.rows is None:
            raise ValueError("there is no catalog; wanted one, or batch()")
        wanted = self.rows
        generator = cast(ConditionalGenerator, self._generator)
        first = int(rows[0]) // self.batch_size * self.batch_size
        places = rows - first
        every = np.full(int(places[-1]) + 1, rows[0])
        every[places] = rows
        seeds = [int(seed) for seed in self.seeds(every)]
        scalars = scalars_of_rows(
            lambda some: generator.draw_scalars(some).float().cpu().numpy(),
            seeds,
            wanted.columns,
            wanted.values[every],
            others=self._others,
        )
        arrays = draw_arrays(generator, seeds, scalars)
        drawn = NetworkArrays(arrays.pixels[places], arrays.scalars[places])
        columns: dict[str, NDArray[Any]] = {
            column.name: column.values(drawn.scalars) for column in self._kept
        }
        asked = dict(zip(wanted.names, wanted.values[rows].T, strict=True))
        return DrawnGalaxies(physical_images(drawn, self._snapshot.transform), {**columns, **asked})

    def _refuse_rows(self) -> None:
        """Refuse a catalog where galaxies cannot be drawn for given values."""
        if not isinstance(self._generator, ConditionalGenerator):
            raise SettingsError(
                f"`catalog`: a {self._snapshot.family.name} model draws scalars and images together and never meets the "
                "values of a row; train the family diffusion with transform.conditions, which draws images for given ones"
            )

    def _composed(self, generator: ComposingGenerator, seeds: Sequence[int]) -> DrawnGalaxies:
        """Draw fields with their sources; their levels are physical pixels as they are."""
        fields = generator.compose(seeds, self.shape)
        sources = [field.sources for field in fields]
        n_sources = np.array([len(one) for one in sources], dtype=np.int64)
        return DrawnGalaxies([field.levels[np.newaxis] for field in fields], {N_SOURCES: n_sources}, sources)

    def _set_up(self, choice: SamplerChoice) -> None:
        """Tell the generator how to draw, and refuse what it cannot."""
        family = self._snapshot.family.name
        if isinstance(self._generator, SteppedGenerator | ConditionalGenerator):
            self._generator.sampler_choice = choice
            self._generator.sample([])  # refuses guidance that was not trained, and what else it cannot do
        elif choice != AS_TRAINED:
            raise SettingsError(
                f"`steps`, `solver` and `guidance` are for models that draw in steps; a {family} model draws in one "
                "way: leave them out, or train the family diffusion"
            )
        if isinstance(self._generator, ConditionalGenerator):
            return
        exact = [one.text for one in self.asked if one.is_exact]
        if exact:
            raise SettingsError(
                f"a {family} model draws scalars and images together and never meets one "
                "value; ask for a range, or train the family diffusion",
                argument="where",
                came=", ".join(exact),
            )

    def _drawn_as_asked(
        self, seeds: Sequence[int], count: int
    ) -> tuple[NetworkArrays, dict[str, NDArray[Any]]]:
        """Draw the first galaxies of a batch as asked, and the asked columns: scalars first where the family can.

        Which candidates a galaxy has is decided by the whole batch; images are drawn for `count` galaxies where scalars
        come first.
        """
        generator = self._generator
        if not self.asked:
            return draw_arrays(generator, seeds[:count]), {}
        names = [one.column.name for one in self.asked]
        if isinstance(generator, ConditionalGenerator):
            chosen = choose_scalars(
                lambda candidates: generator.draw_scalars(candidates).float().cpu().numpy(), seeds, self.asked
            )
            values = (*(column[:count] for column in chosen.values), chosen.is_brought_in[:count])
            columns: dict[str, NDArray[Any]] = dict(zip((*names, BROUGHT_IN), values, strict=True))
            return draw_arrays(generator, seeds[:count], chosen.scalars[:count]), columns
        every = choose_galaxies(
            lambda some: draw_arrays(generator, some),
            seeds,
            self.asked,
            per_call=self.batch_size,
            family=self._snapshot.family.name,
        )
        arrays = NetworkArrays(every.pixels[:count], every.scalars[:count])
        return arrays, {one.column.name: one.column.values(arrays.scalars) for one in self.asked}


def refuse_non_finite(images: list[Pixels], seeds: NDArray[np.int64]) -> None:
    """Raise `GalsmithError` with the number and the seeds of drawn images that have NaN or infinite pixels."""
    bad = [int(seed) for image, seed in zip(images, seeds, strict=True) if not np.all(np.isfinite(image))]
    if bad:
        named = ", ".join(str(seed) for seed in bad[:SEEDS_NAMED]) + (
            ", ..." if len(bad) > SEEDS_NAMED else ""
        )
        raise GalsmithError(
            f"{len(bad)} of {len(images)} drawn galaxies have pixels that are not finite (seeds {named}); the model "
            "is not trained well enough: train longer, or lower model.learning_rate"
        )


def _one_a_scalar(columns: Iterable[ScalarColumn], taken: Collection[int]) -> list[ScalarColumn]:
    """Give one column of each scalar whose position is not taken."""
    return list({column.position: column for column in columns if column.position not in taken}.values())


def _columns(snapshot: Snapshot) -> dict[str, ScalarColumn]:
    """Give what a model can be asked for, by name."""
    return scalar_columns(snapshot.transform, ImageHeader.from_dict(snapshot.card))


def header_of_drawn(
    folder: Path, *, settings: Mapping[str, Any], seed: int, rows: WantedRows | None = None
) -> StoreHeader:
    """Say what is true of every drawn image: what the training set's header says, and what made them.

    Parameters
    ----------
    folder : Path
        A snapshot's folder.
    settings : mapping
        What was asked of the drawing, as plain JSON values.
    seed : int
        The user's seed.
    rows : WantedRows, optional
        What each galaxy was asked to be.
    """
    page = read_snapshot_page(folder)
    decisive = [page["model"], page["description"], page["transform"], page["tensors_sha256"]]
    made = Provenance(
        verb="sample",
        settings=settings,
        seed=seed,
        parents=(
            Parent("snapshot", hash_json(decisive), str(folder)),
            *(() if rows is None else (Parent("catalog", rows.content_hash, rows.path),)),
        ),
    )
    return StoreHeader(ImageHeader.from_dict(page["card"]), made)
