"""The two sides of a comparison: reading them, and checking that they can be compared."""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from galsmith.compare.conditions import Condition, tell_conditions
from galsmith.compare.cuts import Cut, outside
from galsmith.compare.losses import ImageLosses
from galsmith.compare.marginal.columns import (
    MINIMUM_MEASURED,
    count_flags,
    declared_as,
    shared_properties,
    values_of,
)
from galsmith.compare.normalization import resolve_normalization
from galsmith.compare.papers import Choices, Paper
from galsmith.compare.sides import CutCount
from galsmith.errors import InputError, argument_text
from galsmith.files import place_of
from galsmith.measure import read_measurements
from galsmith.measure.flags import CATASTROPHIC
from galsmith.measure.properties.field import FIELD_GROUP
from galsmith.measure.settings import ALL_BANDS
from galsmith.provenance import Parent, Provenance

logger = logging.getLogger("galsmith")

Table: TypeAlias = str | Path | QTable
ROLES = ("reference", "generated")
# What was measured, not how: the files, how many of them, and whole groups of columns that one side may lack.
NOT_HOW = ("files", "given", "limit", "quantities", "colors", "computed", "beside", "ignore")
# What lies beside images and makes others of the numbers where one set alone has it; a mask leaves out what is damaged.
WEIGHING = ("noise", "psf", "gain")
# Stated only where there are colors.
WITH_COLORS = ("zero_points_mag",)
FLAG = "flag"
NEIGHBOR, NEIGHBORS_TOLD = "not_central", 0.02
FEW_GALAXIES = 50
GAUSSIAN_FLOOR = 1.29  # E W1 of standardized Gaussians over sqrt(1/n + 1/m)


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


@dataclass(frozen=True)
class ReadyPair:
    """A reference and a generated set that can be compared: alike, cut, and measured in the same properties.

    Attributes
    ----------
    sides : tuple of MeasuredSet
        Reference and generated set, as they were read.
    tables : tuple of QTable
        The rows that the cuts left.
    columns : tuple of str
        Properties that both have.
    left_out : mapping of str to str
        Properties that one has, and why they are left out.
    normalization : mapping of group to str
        Of each group of these properties.
    cuts : tuple of CutCount
        What each cut removed.
    conditions : tuple of Condition
        Where the sides were not taken alike.
    """

    sides: tuple[MeasuredSet, MeasuredSet]
    tables: tuple[QTable, QTable]
    columns: tuple[str, ...]
    left_out: Mapping[str, str]
    normalization: Mapping[str, str]
    cuts: tuple[CutCount, ...]
    conditions: tuple[Condition, ...] = ()


def paths_of(*tables: Table) -> list[Path]:
    """Paths of the tables that are not in memory."""
    return [place_of(table) for table in tables if not isinstance(table, QTable)]


def read_side(table: Table, role: str) -> MeasuredSet:
    """Read one side of a comparison.

    Parameters
    ----------
    table : path or QTable
        A table, or its file.
    role : {"reference", "generated"}
        Which side it is.

    Raises
    ------
    InputError
        If the table cannot be read.
    """
    if isinstance(table, QTable):
        return MeasuredSet(role, table, "")
    return MeasuredSet(role, read_measurements(place_of(table)), str(table))


def ready_pairs(
    reference: Table,
    generated: Mapping[str, Table],
    choices: Choices,
    conditions: Mapping[str, tuple[Condition, ...]] | None = None,
) -> dict[str, ReadyPair]:
    """Read all sides and refuse what cannot be compared, before anything long starts; errors as `judge_tables`.

    Parameters
    ----------
    reference, generated, choices
        As `judge_tables` takes them.
    conditions : mapping of name to tuple of Condition, optional
        What was told of generated sets before they were measured; what tables tell comes after it.
    """
    against = read_side(reference, "reference")
    pairs = {}
    for name, table in generated.items():
        sides = against, read_side(table, "generated")
        known = (conditions or {}).get(name, ())
        told = [
            one for one in (*refuse_unlike(*sides), *_neighbors(sides), *_maps(sides)) if one not in known
        ]
        tell_conditions(name, told)
        pairs[name] = replace(_ready(sides, choices), conditions=(*known, *told))
    return pairs


def refuse_unlike(reference: MeasuredSet, generated: MeasuredSet) -> tuple[Condition, ...]:
    """Refuse two sides whose numbers do not mean the same, and give what is known of one side only.

    Raises
    ------
    InputError
        If bands (where not one and the same was measured), pixel scale, flux unit or the settings of the
        measurement differ; it says which. Or if a table has rows of several bands.
    """
    for side in (reference, generated):
        _refuse_several_bands(side)
    one_sided = refuse_unlike_images(reference.meta, generated.meta)
    _refuse_other_settings(reference.provenance.settings, generated.provenance.settings)
    return one_sided


def _known_of_one(key: str, one: Any, other: Any) -> Condition:
    """Say what could not be compared."""
    return Condition(
        "scale" if key == "pixel_scale_arcsec" else key,
        f"{key} is known of one side only ({shown(one)} and {shown(other)}), and was not compared",
        f"say it where the images are read, with {argument_text(key, shown(other if one is None else one))}",
    )


def _neighbors(sides: tuple[MeasuredSet, MeasuredSet]) -> tuple[Condition, ...]:
    """Say where neighbors were measured in place of galaxies."""
    # On stamps of one galaxy there is none: 0 of 600 of EFIGI.
    counts = [count_flags(side.table).get(NEIGHBOR, 0) for side in sides]
    sizes = [len(side.table) for side in sides]
    if not any(count > NEIGHBORS_TOLD * size for count, size in zip(counts, sizes, strict=True)):
        return ()
    return (
        Condition(
            "neighbors",
            f"of {counts[0]} of {sizes[0]} images of the reference set and {counts[1]} of {sizes[1]} of the generated set "
            f"a neighbor was measured, not the source in the middle ({NEIGHBOR})",
            f"measure the images of both with {argument_text('segmentation', 'survey')}",
        ),
    )


def _maps(sides: tuple[MeasuredSet, MeasuredSet]) -> tuple[Condition, ...]:
    """Say where noise or point spread functions beside the images of one set alone were used."""
    used = [set(side.provenance.settings.get("beside", ())) & set(WEIGHING) for side in sides]
    differ = sorted(used[0] ^ used[1])
    if not differ:
        return ()
    words = [" and ".join(sorted(one)) or "neither noise nor psf nor gain" for one in used]
    return (
        Condition(
            "maps",
            f"the reference set was measured with {words[0]} beside its images, the generated set with {words[1]}",
            f"measure both without: set 'ignore' to {differ}",
        ),
    )


def refuse_unlike_images(reference: Mapping[str, Any], generated: Mapping[str, Any]) -> tuple[Condition, ...]:
    """Refuse images of two kinds, measured or not.

    Parameters
    ----------
    reference, generated : mapping
        What is known of the images: ``"bands"``, ``"flux_unit"``, ``"pixel_scale_arcsec"``, the ``"band"`` that is
        measured, and what they show, ``"shows"``, where it is no galaxy each.

    Returns
    -------
    tuple of Condition
        What is known of one side only, and could not be compared.

    Raises
    ------
    InputError
        If what they show, bands (where not one and the same is measured), pixel scale or flux unit differ; it says which.
    """
    kinds = [side.get("shows", "galaxy") for side in (reference, generated)]
    if kinds[0] != kinds[1]:
        raise InputError(
            f"each image of the reference set shows a {kinds[0]}, each of the generated set a {kinds[1]}: they cannot be "
            f"compared; where a header is wrong, make that store again with `shows={kinds[0]}` (galsmith ingest)"
        )
    one_sided: list[Condition] = []
    for key, what in (
        ("bands", "bands"),
        ("flux_unit", "a flux unit of"),
        ("pixel_scale_arcsec", "a pixel scale of"),
    ):
        one, other = reference.get(key), generated.get(key)
        if key == "bands" and _is_one_band(reference, generated):
            continue
        # Not known is not unlike: a table may say nothing of its images.
        if one is None or other is None:
            one_sided += [_known_of_one(key, one, other)] if one != other else []
        elif not is_same(one, other):
            raise InputError(
                f"the reference set has {what} {shown(one)}, the generated set {shown(other)}; "
                f"bring both to one form before measuring: {_way_to_alike(key, one, other)}"
            )
    return tuple(one_sided)


def _way_to_alike(key: str, one: Any, other: Any) -> str:
    """Name what makes two sets alike."""
    if key == "bands":
        return "measure one band that both have (`band`), or give both the same bands with galsmith ingest"
    if key == "flux_unit":
        return (
            "galsmith ingest with `flux_unit` where the name alone differs, else multiply the pixels of one"
        )
    # The coarser pixel cannot be undone, so the finer set gives way.
    shrunk = min(one, other) / max(one, other)
    return f"resample the finer set, galsmith ingest store SET -o ALIKE with `resize_pix` {shrunk:.4g} times its side"


def refuse_unmeasured(side: MeasuredSet, columns: Sequence[str]) -> None:
    """Refuse images of which none could be measured, such as images of NaN.

    Raises
    ------
    InputError
        With the flags that they got.
    """
    if len(side.table) and not any(np.isfinite(values_of(side.table, name)).any() for name in columns):
        flags = ", ".join(f"{name} {count}" for name, count in count_flags(side.table).items())
        raise InputError(
            f"none of {len(side.table)} images of the {side.role} set could be measured (flags: {flags or 'none'}); look "
            "at its pixels: are they finite, and is there a galaxy?"
        )


def losses_of_images(table: QTable, columns: Sequence[str]) -> ImageLosses:
    """Count the images of one side that are lost to every property.

    Parameters
    ----------
    table : QTable
        Of measurements, before any cut. Its metadata say under ``given`` how many images were left out as a store was
        made, where one was.
    columns : sequence of str
        The properties that are compared.

    Returns
    -------
    ImageLosses
        Where fewer galaxies were measured than the store has, such as those of one split, their share of the images that
        were left out is counted.
    """
    given: Mapping[str, Any] = table.meta.get("given") or {}
    left_out = {str(reason): int(count) for reason, count in (given.get("unusable") or {}).items()}
    n_lost = sum(left_out.values())
    n_stored = int(given.get("n_images", len(table))) - n_lost
    # A part of the store: as large a share of it as of the whole was left out.
    n_left_out = n_lost if len(table) == n_stored else round(n_lost * len(table) / max(n_stored, 1))
    rows = unmeasured_rows(table, columns)
    return ImageLosses(
        n_given=len(table) + n_left_out,
        n_left_out=n_left_out,
        left_out=left_out,
        is_counted=bool(given),
        n_unmeasured=int(np.count_nonzero(rows)),
        unmeasured=count_flags(table[rows], name_the_rest=True),
    )


def unmeasured_rows(table: QTable, columns: Sequence[str]) -> NDArray[np.bool_]:
    """Find the galaxies of which nothing was measured, [row]: flagged so, or without a value of any property."""
    is_nothing = np.ones(len(table), dtype=bool)
    for name in columns:
        is_nothing &= np.isnan(values_of(table, name))
    # Power is there even of an image without a source: the flag decides before it.
    if FLAG in table.colnames:
        is_nothing |= np.asarray(table[FLAG]) >= CATASTROPHIC
    return is_nothing


def without_outliers(side: MeasuredSet, cuts: tuple[Cut, ...]) -> tuple[QTable, list[int]]:
    """Apply cuts; return the rows that stay, and how many lie outside of each cut."""
    beyond = [outside(side.table, cut) for cut in cuts]
    # The row of False is for no cuts at all, of which there is no any.
    keep = ~np.any([np.zeros(len(side.table), dtype=bool), *beyond], axis=0)
    return side.table[keep], [int(np.count_nonzero(rows)) for rows in beyond]


def _ready(sides: tuple[MeasuredSet, MeasuredSet], choices: Choices) -> ReadyPair:
    """Refuse two sides that cannot be compared, and take what is compared of them."""
    _tell_other_method(sides[0], choices.paper)
    columns, left_out = shared_properties(sides[0].table, sides[1].table)
    declared = [entry for name in columns if (entry := declared_as(name, columns, choices.paper.groups))]
    groups = list(dict.fromkeys(entry.group for entry in declared))
    kept = [without_outliers(side, choices.cuts) for side in sides]
    tables = kept[0][0], kept[1][0]
    for side, table in zip(sides, tables, strict=True):
        shown = "fields" if FIELD_GROUP in groups else "galaxies"
        _check_size(side.role, len(table), n_other=max(len(tables[0]), len(tables[1])), shown=shown)
    return ReadyPair(
        sides,
        tables,
        tuple(columns),
        left_out,
        resolve_normalization(choices.normalization, groups),
        tuple(
            CutCount(cut.column, cut.low, cut.high, one, other)
            for cut, one, other in zip(choices.cuts, kept[0][1], kept[1][1], strict=True)
        ),
    )


def _tell_other_method(reference: MeasuredSet, paper: Paper) -> None:
    """Say where tables were measured in another way than the paper whose choices are followed."""
    settings = reference.provenance.settings
    others = {name: value for name, value in paper.measure.items() if name in settings}
    for name, value in others.items():
        came = settings[name]
        if came != value and not (isinstance(value, tuple) and list(value) == came):
            logger.warning(
                "%s measured with %s = %s, these tables were with %s; measure the images again with %s",
                *(paper.name, name, shown(value), shown(came), argument_text(name, value)),
            )


def _check_size(role: str, count: int, *, n_other: int, shown: str) -> None:
    """Refuse a side of a few galaxies; warn of one that says little."""
    if count < MINIMUM_MEASURED:
        raise InputError(
            f"the {role} set has {count} {shown}; wanted {MINIMUM_MEASURED} or more: measure more, or cut less"
        )
    if count < FEW_GALAXIES:
        floor = GAUSSIAN_FLOOR * np.sqrt(1 / count + 1 / n_other)
        logger.warning(
            "the %s set has only %d %s: sampling alone makes distances of about %.2f standard deviations",
            role,
            count,
            shown,
            floor,
        )


def _refuse_several_bands(side: MeasuredSet) -> None:
    """Refuse a table whose galaxies have a row a band: their values would be mixed."""
    bands = sorted(set(map(str, side.table["band"]))) if "band" in side.table.colnames else []
    if len(bands) > 1:
        raise InputError(
            f"the {side.role} set has rows of {len(bands)} bands ({', '.join(bands)}); compare one band at a time, such "
            f"as table[table['band'] == '{bands[0]}'] of both"
        )


def _is_one_band(reference: Mapping[str, Any], generated: Mapping[str, Any]) -> bool:
    """Whether both sides were measured in the same band, so that other bands of one side do no harm."""
    band = reference.get("band")
    return band not in (None, ALL_BANDS) and band == generated.get("band")


def _refuse_other_settings(reference: Mapping[str, Any], generated: Mapping[str, Any]) -> None:
    """Refuse measurements made with different settings; what was measured may differ."""
    one_sided = {key for key in WITH_COLORS if key not in reference or key not in generated}
    for key in sorted((reference.keys() | generated.keys()) - {*NOT_HOW, *one_sided}):
        one, other = reference.get(key), generated.get(key)
        # The error names the setting that differs, not its whole group.
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            _refuse_other_settings(one, other)
        elif one != other:
            raise InputError(
                f"the reference set was measured with {key} = {shown(one)}, the generated set with {shown(other)}; "
                "measure both with the same settings"
            )


def is_same(one: Any, other: Any) -> bool:
    """Whether two facts of a set are alike, numbers to six digits."""
    if isinstance(one, float | int) and isinstance(other, float | int):
        # Pixel scales that came through a WCS differ in their last digits.
        return math.isclose(one, other, rel_tol=1e-6)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return list(one) == list(other)
    return bool(one == other)


def shown(value: Any) -> str:
    """Write a value for an error."""
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
