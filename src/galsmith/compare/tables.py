"""The two sides of a comparison: reading or measuring them, and checking that they can be compared."""

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from astropy.table import QTable

from galsmith.compare.cuts import Cut, outside
from galsmith.data.store import is_store, open_store
from galsmith.errors import InputError, SettingsError
from galsmith.execution import ProgressCallback
from galsmith.images import ImageSet
from galsmith.measure import MeasureSettings, measure, read_measurements
from galsmith.measure.settings import ALL_BANDS, resolved_settings
from galsmith.provenance import Parent, Provenance

logger = logging.getLogger("galsmith")

Source: TypeAlias = str | Path | QTable
ROLES = ("reference", "generated")
# What was measured, not how: the files, how many of them, and whole groups of columns that one side may lack.
NOT_HOW = ("files", "limit", "quantities", "colors")
# Stated only where there are colors.
WITH_COLORS = ("zero_points_mag",)


@dataclass(frozen=True)
class Measuring:
    """How a store is measured before it is compared.

    Attributes
    ----------
    folder : Path or None
        Where the tables go; None where there is no place for them.
    workers : int
        Local processes.
    limit : int or None
        Measure only the first images of each store.
    settings : MeasureSettings
        Segmentation, band, gain.
    overwrite : bool
        Replace tables that are there.
    progress : callable
        Told of the measuring.
    """

    folder: Path | None
    workers: int
    limit: int | None
    settings: MeasureSettings
    overwrite: bool
    progress: ProgressCallback


@dataclass(frozen=True)
class MeasuredSet:
    """One side of a comparison.

    Attributes
    ----------
    role : str
        ``"reference"`` or ``"generated"``.
    table : QTable
        One row a galaxy.
    path : str
        The table's file; empty for a table in memory.
    """

    role: str
    table: QTable
    path: str

    @property
    def meta(self) -> Mapping[str, Any]:
        """What the table says of itself."""
        return self.table.meta

    @property
    def provenance(self) -> Provenance:
        """What made the table."""
        return Provenance.from_dict(self.meta.get("provenance", {"verb": "unknown", "versions": {}}))

    @property
    def images(self) -> Parent:
        """The store that was measured, as far as the table says."""
        return next(iter(self.provenance.parents), Parent("measured images", "", ""))

    def as_parent(self) -> Parent:
        """Name this table as a parent of the comparison."""
        return Parent(self.role, str(self.meta.get("content_hash", "")), self.path)


def read_side(source: Source, role: str, measuring: Measuring, *, name: str = "") -> MeasuredSet:
    """Read a table, or measure a store first.

    Parameters
    ----------
    source : path or QTable
        A table or a store.
    role : {"reference", "generated"}
        Which side it is.
    measuring : Measuring
        How a store is measured.
    name : str
        Of the file in the folder of measurements; the role where empty.

    Raises
    ------
    SettingsError
        If a store is given and there is no place for its table.
    InputError
        If the table or the store cannot be read.
    """
    if isinstance(source, QTable):
        return MeasuredSet(role, source, "")
    path = Path(source)
    if path.is_dir() or is_store(path):
        path = _measured_store(path, name if name else role, measuring)
    return MeasuredSet(role, read_measurements(path), str(path))


def refuse_unlike(reference: MeasuredSet, generated: MeasuredSet) -> None:
    """Refuse two sides whose numbers do not mean the same.

    Raises
    ------
    InputError
        If bands (where not one and the same was measured), pixel scale, flux unit or the settings of the
        measurement differ; it says which. Or if a table has rows of several bands.
    """
    for side in (reference, generated):
        _refuse_several_bands(side)
    for key, what in (
        ("bands", "bands"),
        ("flux_unit", "a flux unit of"),
        ("pixel_scale_arcsec", "a pixel scale of"),
    ):
        one, other = reference.meta.get(key), generated.meta.get(key)
        if key == "bands" and _is_one_band(reference, generated):
            continue
        if one is None or other is None:
            if one != other:
                logger.warning("%s is known of one side only (%s and %s); not compared", key, one, other)
            continue
        if not _same(one, other):
            raise InputError(
                f"the reference set has {what} {_shown(one)}, the generated set {_shown(other)}; "
                "bring both to one form before measuring, such as with galsmith ingest"
            )
    _refuse_other_settings(reference.provenance.settings, generated.provenance.settings)


def without_outliers(side: MeasuredSet, cuts: tuple[Cut, ...]) -> tuple[QTable, list[int]]:
    """Apply cuts; return the rows that stay, and how many lie outside of each cut."""
    beyond = [outside(side.table, cut) for cut in cuts]
    keep = ~np.any([np.zeros(len(side.table), dtype=bool), *beyond], axis=0)
    return side.table[keep], [int(np.count_nonzero(rows)) for rows in beyond]


def _measured_store(path: Path, name: str, measuring: Measuring) -> Path:
    """Measure a store, or find it measured already by the same settings."""
    if measuring.folder is None:
        raise SettingsError(
            f"{path}: is a store, and its measurements need a place; give compare an output, "
            "or measure it first with galsmith measure"
        )
    output = measuring.folder / f"{name}.parquet"
    images = open_store(path)
    if not measuring.overwrite and _is_measured(output, images, measuring):
        return output
    measure(
        images,
        output,
        workers=measuring.workers,
        limit=measuring.limit,
        settings=measuring.settings,
        overwrite=measuring.overwrite,
        progress=measuring.progress,
    )
    return output


def _is_measured(output: Path, images: ImageSet, measuring: Measuring) -> bool:
    """Whether an interrupted comparison left a finished table of these images, settings and limit."""
    if not output.exists():
        return False
    provenance = MeasuredSet("", read_measurements(output), "").provenance
    wanted = resolved_settings(
        measuring.settings, bands=images.header.bands, flux_unit=images.header.flux_unit
    )
    settings = {**wanted.model_dump(mode="json"), "limit": measuring.limit}
    made_from = [parent.content_hash for parent in provenance.parents]
    return made_from == [images.content_hash] and settings.items() <= dict(provenance.settings).items()


def _refuse_several_bands(side: MeasuredSet) -> None:
    """Refuse a table whose galaxies have a row a band: their values would be mixed."""
    bands = sorted(set(map(str, side.table["band"]))) if "band" in side.table.colnames else []
    if len(bands) > 1:
        raise InputError(
            f"the {side.role} set has rows of {len(bands)} bands ({', '.join(bands)}); compare one band at a time, such "
            f"as table[table['band'] == '{bands[0]}'] of both"
        )


def _is_one_band(reference: MeasuredSet, generated: MeasuredSet) -> bool:
    """Whether both sides were measured in the same band, so that other bands of one side do no harm."""
    band = reference.meta.get("band")
    return band not in (None, ALL_BANDS) and band == generated.meta.get("band")


def _refuse_other_settings(reference: Mapping[str, Any], generated: Mapping[str, Any]) -> None:
    """Refuse measurements made by different recipes; what was measured may differ."""
    one_sided = {key for key in WITH_COLORS if key not in reference or key not in generated}
    for key in sorted((reference.keys() | generated.keys()) - {*NOT_HOW, *one_sided}):
        one, other = reference.get(key), generated.get(key)
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            _refuse_other_settings(one, other)
        elif one != other:
            raise InputError(
                f"the reference set was measured with {key} = {_shown(one)}, the generated set with {_shown(other)}; "
                "measure both with the same settings"
            )


def _same(one: Any, other: Any) -> bool:
    """Whether two plain values are alike, numbers to six digits."""
    if isinstance(one, float | int) and isinstance(other, float | int):
        return math.isclose(one, other, rel_tol=1e-6)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return list(one) == list(other)
    return bool(one == other)


def _shown(value: Any) -> str:
    """Write a value for an error."""
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
