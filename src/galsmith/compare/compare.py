"""Compare two sets of measured galaxies, property by property: `compare`."""

from pathlib import Path
from typing import Literal

from galsmith.compare.cuts import Cuts, resolve_cuts
from galsmith.compare.files import write_comparison
from galsmith.compare.normalization import Normalization
from galsmith.compare.pair import compare_pair, with_relative_paths
from galsmith.compare.records import Comparison
from galsmith.compare.resampling import Chance
from galsmith.compare.tables import Measuring, Source, read_side
from galsmith.execution import ProgressCallback, ignore_progress
from galsmith.files import refuse_existing
from galsmith.measure import MeasureSettings

Binning = Literal["wavelength", "rings"]


def compare(
    reference: Source,
    generated: Source,
    output: str | Path | None = None,
    *,
    normalization: Normalization = "reference-zscore",
    binning: Binning = "wavelength",
    seed: int = 0,
    cuts: Cuts | str | None = None,
    replicates: int = 1000,
    splits: int = 200,
    permutations: int = 1000,
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
    binning : {"wavelength", "rings"}
        Which power modes enter the means; both are compared.
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
    comparison = compare_pair(
        sides,
        normalization=normalization,
        cuts=chosen_cuts,
        chance=chance,
        binning=binning,
        progress=progress,
    ).comparison
    if place is not None:
        comparison = with_relative_paths(comparison, place.parent)
        write_comparison(comparison, place)
    return comparison
