"""Simulated fields as a source: catalog and scores first, pixels when asked for, and their sources beside them."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from galsmith.data.fields.galaxyness import QUANTITIES
from galsmith.data.fields.law import FieldDraw, FieldSettings, draw_field, score_field
from galsmith.data.fields.pictures import open_pictures
from galsmith.data.fields.pixels import render_field
from galsmith.data.readers.source import Listing, Origin, UnusableImage
from galsmith.data.store import Companions
from galsmith.execution import ProgressCallback, ProgressEvent, ignore_progress
from galsmith.images import ImageHeader
from galsmith.seeds import derive_seed

Pixels = NDArray[np.float32]
DRAWN_COLUMNS = (
    "strength",
    "background_level",
    "noise_sigma",
    "clustered_share",
    "cluster_radius_pix",
    "flux_slope",
    "r_half_pix",
)
FIELDS_PER_EVENT = 200


class SimulatedFields:
    """Fields 0 to n - 1 of a recipe and a seed.

    Parameters
    ----------
    settings : FieldSettings
        The recipe.
    n : int
        How many fields.
    seed : int
        The user's seed.
    negatives : str or Path, optional
        Pictures that the photographs among what is no field are cut from, as a folder or a store.
    progress : callable
        Told how many fields are drawn; their pixels come later.

    Raises
    ------
    InputError
        If the pictures cannot be used.
    """

    def __init__(
        self,
        settings: FieldSettings,
        *,
        n: int,
        seed: int,
        negatives: str | Path | None = None,
        progress: ProgressCallback = ignore_progress,
    ) -> None:
        self._settings, self._seed = settings, seed
        self.header = ImageHeader(("gray",), "display", shows="field")
        self._negatives = None if negatives is None else open_pictures(negatives, progress=progress)
        recorded = {"recipe": settings.model_dump(mode="json"), "n": n}
        self.origin = Origin(
            recorded if self._negatives is None else {**recorded, "negatives": True},
            () if self._negatives is None else self._negatives.origin.parents,
            stage="simulating",
        )
        self.catalog = _catalog(settings, n=n, seed=seed, progress=progress)
        shapes = np.full((n, 2), settings.side_pix, dtype=np.int64)
        self.listing = Listing([f"field {row}" for row in range(n)], shapes)

    def read(self, rows: NDArray[np.int64]) -> Iterator[Pixels | UnusableImage]:
        """Render fields, each [1, y, x] float32, whole gray levels from 0 to 255."""
        return (self._rendered(int(row)) for row in rows)

    def companions(self, rows: NDArray[np.int64]) -> Companions:
        """Give the sources of fields: none of what is no field."""
        return Companions(sources=[self._drawn(int(row)).sources for row in rows])

    def _drawn(self, row: int) -> FieldDraw:
        """Draw a field again, which costs less than to keep all."""
        return draw_field(self._settings, seed=self._seed, position=row)

    def _rendered(self, row: int) -> Pixels:
        """Render one field."""
        image = render_field(
            self._drawn(row),
            side_pix=self._settings.side_pix,
            seed=self._seed,
            position=row,
            negatives=self._negatives,
        )
        return image[np.newaxis]


def _catalog(settings: FieldSettings, *, n: int, seed: int, progress: ProgressCallback) -> QTable:
    """Draw and score fields 0 to n - 1."""
    draws: list[tuple[FieldDraw, NDArray[np.float64], float]] = []
    for position in range(n):
        draw = draw_field(settings, seed=seed, position=position)
        draws.append((draw, *score_field(draw, settings)))
        if position % FIELDS_PER_EVENT == 0 or position == n - 1:
            progress(ProgressEvent("drawing", position + 1, n, "fields"))
    table = QTable()
    table["object_id"] = np.array([f"{position:08d}" for position in range(n)], dtype=str)
    table["seed"] = np.array(
        [derive_seed(seed, "simulate.fields", position) for position in range(n)], dtype=np.int64
    )
    table["part"] = np.full(n, "simulated")
    table["kind"] = np.array([draw.kind for draw, _, _ in draws], dtype=str)
    table["label"] = np.array([float(draw.is_cosmology) for draw, _, _ in draws])
    table["score"] = np.array([score for _, _, score in draws])
    table["n_sources"] = np.array([len(draw.sources) for draw, _, _ in draws], dtype=np.int32)
    for name in DRAWN_COLUMNS:
        table[name] = np.array([getattr(draw, name) for draw, _, _ in draws], dtype=np.float64)
    quantities = np.array([measured for _, measured, _ in draws]).reshape(n, len(QUANTITIES))
    for column, name in enumerate(QUANTITIES):
        table[name] = quantities[:, column]
    return table
