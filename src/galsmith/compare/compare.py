"""Compare two sets of measured galaxies, property by property: `compare`."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
from astropy.table import QTable

from galsmith.compare.columns import MINIMUM_MEASURED, count_flags, pair_columns, shared_properties
from galsmith.compare.cuts import Cut, Cuts, resolve_cuts
from galsmith.compare.distances import Chance, joint_distances
from galsmith.compare.files import write_comparison
from galsmith.compare.normalization import Normalization, resolve_normalization
from galsmith.compare.records import Comparison, CutCount, Side
from galsmith.compare.tables import (
    MeasuredSet,
    Measuring,
    Source,
    logger,
    read_side,
    refuse_unlike,
    without_outliers,
)
from galsmith.errors import InputError
from galsmith.execution import ProgressCallback, ignore_progress
from galsmith.files import refuse_existing
from galsmith.measure import MeasureSettings
from galsmith.measure.properties import property_of_column
from galsmith.provenance import Provenance

FEW_GALAXIES = 50
GAUSSIAN_FLOOR = 1.29  # E W1 of standardized Gaussians over sqrt(1/n + 1/m)


def compare(
    reference: Source,
    generated: Source,
    output: str | Path | None = None,
    *,
    normalization: Normalization = "reference-zscore",
    seed: int = 0,
    cuts: Cuts | str | None = None,
    replicates: int = 1000,
    splits: int = 200,
    permutations: int = 2000,
    confidence: float = 0.95,
    workers: int = 1,
    limit: int | None = None,
    measure_settings: MeasureSettings | None = None,
    overwrite: bool = False,
    progress: ProgressCallback = ignore_progress,
) -> Comparison:
    """Distances between two sets in every property, each with its uncertainty and its floor.

    Parameters
    ----------
    reference, generated : path or QTable
        Measurement tables (Parquet), stores (then measured first, into ``<output stem>.measurements/``
        beside the output), or tables in memory.
    output : path, optional
        The comparison, as JSON.
    normalization : str or mapping of group to str
        ``"reference-zscore"`` divides by the reference set's standard deviation, ``"reference-iqr"`` by
        its interquartile range over 1.349, ``"none"`` leaves the unit; one for all or one a group.
    seed : int
        Fixes bootstrap and floor.
    cuts : mapping of column to (low, high), or str, optional
        Galaxies outside are left out on both sides; None for an open end. A name of `NAMED_CUTS` will do.
    replicates, splits, permutations : int
        Draws of the bootstrap; splits of the reference for the floor; deals of the test that nothing differs.
    confidence : float
        Of the intervals.
    workers, limit, measure_settings
        Passed on to `galsmith.measure.measure` for stores.
    overwrite : bool
        Replace the output, and the tables of stores, if they are there.
    progress : callable
        Told of measuring, bootstrap and floor.

    Returns
    -------
    Comparison

    Raises
    ------
    SettingsError
        If an argument is out of range, or the output exists.
    InputError
        If a side cannot be read, has fewer than 10 galaxies, or the two are not alike in bands, scale,
        unit or settings of the measurement.
    """
    chance = Chance(seed, replicates, splits, confidence, permutations)
    chosen_cuts = resolve_cuts(cuts)
    place = None if output is None else Path(output)
    if place is not None:
        refuse_existing(place, overwrite=overwrite)
    measuring = Measuring(
        folder=None if place is None else place.with_name(f"{place.stem}.measurements"),
        workers=workers,
        limit=limit,
        settings=MeasureSettings() if measure_settings is None else measure_settings,
        overwrite=overwrite,
        progress=progress,
    )
    sides = read_side(reference, "reference", measuring), read_side(generated, "generated", measuring)
    refuse_unlike(*sides)
    comparison = _compared(sides, normalization, chosen_cuts, chance, progress)
    if place is not None:
        comparison = _with_relative_paths(comparison, place.parent)
        write_comparison(comparison, place)
    return comparison


def _compared(
    sides: tuple[MeasuredSet, MeasuredSet],
    normalization: Normalization,
    cuts: tuple[Cut, ...],
    chance: Chance,
    progress: ProgressCallback,
) -> Comparison:
    """Compare two sides that are alike."""
    columns, left_out = shared_properties(sides[0].table, sides[1].table)
    groups = list(dict.fromkeys(declared.group for name in columns if (declared := property_of_column(name))))
    by_group = resolve_normalization(normalization, groups)
    kept = [without_outliers(side, cuts) for side in sides]
    tables = kept[0][0], kept[1][0]
    for side, table in zip(sides, tables, strict=True):
        _check_size(side.role, len(table), n_other=max(len(tables[0]), len(tables[1])))
    joint = joint_distances(
        pair_columns(*tables, columns, by_group), tables, chance=chance, progress=progress
    )
    settings = {
        "normalization": by_group,
        "replicates": chance.replicates,
        "splits": chance.splits,
        "permutations": chance.permutations,
        "confidence": chance.confidence,
        "cuts": {cut.column: [_ended(cut.low), _ended(cut.high)] for cut in cuts},
    }
    return Comparison(
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


def _with_relative_paths(comparison: Comparison, folder: Path) -> Comparison:
    """Write paths as seen from the comparison's folder, so that the whole may be moved."""
    return replace(
        comparison,
        reference=_relative(comparison.reference, folder),
        generated=_relative(comparison.generated, folder),
        provenance=replace(
            comparison.provenance,
            parents=tuple(
                replace(parent, path=_seen_from(folder, parent.path))
                for parent in comparison.provenance.parents
            ),
        ),
    )


def _relative(side: Side, folder: Path) -> Side:
    """Write the paths of one side as seen from `folder`."""
    return replace(side, path=_seen_from(folder, side.path), images_path=_seen_from(folder, side.images_path))


def _seen_from(folder: Path, path: str) -> str:
    """Write a path as seen from `folder`; what is not there stays as it is."""
    return os.path.relpath(path, folder) if path and Path(path).exists() else path


def _ended(value: float) -> float | None:
    """Write an open end as None."""
    return value if np.isfinite(value) else None
