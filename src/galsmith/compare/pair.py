"""One generated set beside the reference: cuts, distances, and the record of where all came from."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from astropy.table import QTable

from galsmith.compare.cuts import Cut
from galsmith.compare.marginal.columns import (
    MINIMUM_MEASURED,
    count_flags,
    declared_as,
    pair_columns,
    shared_properties,
)
from galsmith.compare.marginal.distances import joint_distances
from galsmith.compare.marginal.paired import NamedReplicates
from galsmith.compare.normalization import Normalization, resolve_normalization
from galsmith.compare.records import Comparison, CutCount, Side
from galsmith.compare.resampling import Chance
from galsmith.compare.tables import MeasuredSet, logger, refuse_unlike, without_outliers
from galsmith.errors import InputError
from galsmith.execution import ProgressCallback
from galsmith.provenance import Provenance

FEW_GALAXIES = 50
GAUSSIAN_FLOOR = 1.29  # E W1 of standardized Gaussians over sqrt(1/n + 1/m)


@dataclass(frozen=True)
class ComparedPair:
    """A comparison, with what later steps need of it.

    Attributes
    ----------
    comparison : Comparison
        Property by property.
    tables : tuple of QTable
        Reference and generated rows that the cuts left.
    replicates : NamedReplicates
        Of the distances that enter the means.
    """

    comparison: Comparison
    tables: tuple[QTable, QTable]
    replicates: NamedReplicates


def compare_pair(
    sides: tuple[MeasuredSet, MeasuredSet],
    *,
    normalization: Normalization,
    cuts: tuple[Cut, ...],
    chance: Chance,
    binning: str = "wavelength",
    groups: Mapping[str, str] | None = None,
    progress: ProgressCallback,
) -> ComparedPair:
    """Compare a reference and a generated set, property by property.

    `groups` moves properties to other groups than they are declared in, as a recipe has it.

    Raises
    ------
    InputError
        If they are not alike, have no property in common, or one has too few galaxies.
    SettingsError
        If a normalization or a cut does not fit the columns.
    """
    refuse_unlike(*sides)
    columns, left_out = shared_properties(sides[0].table, sides[1].table)
    declared = [entry for name in columns if (entry := declared_as(name, columns, groups))]
    by_group = resolve_normalization(normalization, list(dict.fromkeys(entry.group for entry in declared)))
    kept = [without_outliers(side, cuts) for side in sides]
    tables = kept[0][0], kept[1][0]
    for side, table in zip(sides, tables, strict=True):
        _check_size(side.role, len(table), n_other=max(len(tables[0]), len(tables[1])))
    joint = joint_distances(
        pair_columns(*tables, columns, by_group, binning=binning, groups=groups),
        tables,
        chance=chance,
        progress=progress,
    )
    settings = {
        "normalization": by_group,
        "binning": binning,
        "groups": dict(groups or {}),
        "replicates": chance.replicates,
        "splits": chance.splits,
        "permutations": chance.permutations,
        "confidence": chance.confidence,
        "cuts": {cut.column: [_ended(cut.low), _ended(cut.high)] for cut in cuts},
    }
    comparison = Comparison(
        distances=joint.distances,
        means=joint.means,
        reference=_side(sides[0], tables[0]),
        generated=_side(sides[1], tables[1]),
        left_out=left_out,
        cuts=tuple(
            CutCount(cut.column, cut.low, cut.high, one, other)
            for cut, one, other in zip(cuts, kept[0][1], kept[1][1], strict=True)
        ),
        settings={**settings, "floor_n": joint.floor_n},
        seed=chance.seed,
        provenance=Provenance("compare", settings, chance.seed, tuple(side.as_parent() for side in sides)),
    )
    counted = comparison.counted
    named = NamedReplicates(
        tuple(item.name for item in counted), tuple(item.group for item in counted), joint.replicates
    )
    return ComparedPair(comparison, tables, named)


def _check_size(role: str, count: int, *, n_other: int) -> None:
    """Refuse a side of a few galaxies; warn of one that says little."""
    if count < MINIMUM_MEASURED:
        raise InputError(
            f"the {role} set has {count} galaxies; wanted {MINIMUM_MEASURED} or more: measure more, or cut less"
        )
    if count < FEW_GALAXIES:
        floor = GAUSSIAN_FLOOR * np.sqrt(1 / count + 1 / n_other)
        logger.warning(
            "the %s set has only %d galaxies: sampling alone makes distances of about %.2f standard deviations",
            role,
            count,
            floor,
        )


def _side(side: MeasuredSet, table: QTable) -> Side:
    """Record where a side came from."""
    return Side(
        path=side.path,
        content_hash=side.as_parent().content_hash,
        n_measured=len(side.table),
        n_compared=len(table),
        images_path=side.images.path,
        images_hash=side.images.content_hash,
        bands=tuple(str(band) for band in side.meta.get("bands", ())),
        pixel_scale_arcsec=side.meta.get("pixel_scale_arcsec"),
        flux_unit=str(side.meta.get("flux_unit", "")),
        flags=count_flags(table),
        provenance=side.provenance.to_dict(),
    )


def with_relative_paths(comparison: Comparison, folder: Path) -> Comparison:
    """Write paths as seen from the comparison's folder, so that the whole may be moved."""
    return replace(
        comparison,
        reference=_relative(comparison.reference, folder),
        generated=_relative(comparison.generated, folder),
        provenance=relative_provenance(comparison.provenance, folder),
    )


def relative_provenance(provenance: Provenance, folder: Path) -> Provenance:
    """Write the paths of all parents as seen from `folder`."""
    parents = tuple(replace(parent, path=_seen_from(folder, parent.path)) for parent in provenance.parents)
    return replace(provenance, parents=parents)


def _relative(side: Side, folder: Path) -> Side:
    """Write the paths of one side as seen from `folder`."""
    return replace(side, path=_seen_from(folder, side.path), images_path=_seen_from(folder, side.images_path))


def _seen_from(folder: Path, path: str) -> str:
    """Write a path as seen from `folder`; what is not there stays as it is."""
    return os.path.relpath(path, folder) if path and Path(path).exists() else path


def _ended(value: float) -> float | None:
    """Write an open end as None."""
    return value if np.isfinite(value) else None
