"""Pairs of columns to compare: which properties both tables have, their values, losses, units and words."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from galsmith.compare.losses import Losses, UsualValues
from galsmith.compare.marginal.wasserstein import (
    Floats,
    PooledValues,
    circular_wasserstein_distance,
    pool_values,
    wasserstein_distance,
)
from galsmith.compare.normalization import scale_of
from galsmith.compare.records import Distance, Summary
from galsmith.errors import InputError
from galsmith.measure.flags import BAD
from galsmith.measure.properties.colors import pair_of_column
from galsmith.measure.properties.details import pair_of_detail
from galsmith.measure.properties.property import Property
from galsmith.measure.properties.registry import PROPERTIES, declared_properties, property_of_column

MINIMUM_MEASURED = 10
# The distance of a dozen galaxies is about half a standard deviation by chance, which would drown a mean.
MINIMUM_OF_TYPE = 50
FLAG_NAMES_COLUMN = "flags"
FIT_FLAGS = {"sersic_": "flag_sersic", "double_sersic_": "flag_double_sersic"}
BULGE = "bulge_statistic"
# Holzschuh et al. (2022), section 4.1.3, compare the colors of each type apart.
TYPES = ("early_type", "late_type")
GROUP_TITLES = {
    "morphology": "Morphology",
    "power_wavelength": "Power by wavelength",
    "power_rings": "Power by rings",
    "size": "Sizes",
    "position": "Position in the frame",
    "photometry": "Photometry",
    "sersic": "Sérsic fit",
    "double_sersic": "Double Sérsic fit",
    "sky": "Sky",
    "color": "Colors",
    "registration": "Bands against each other",
    "grid": "Patterns of the pixel grid",
    "winding": "Winding of arms",
    "field": "Whole fields",
}
WORDS = {
    "gini": "Gini coefficient",
    "m20": "M20",
    "r_half_pix": "half-light radius",
    "r_half_ellip_pix": "half-light semi-major axis",
    "r_petro_pix": "Petrosian radius",
    "r_petro_ellip_pix": "Petrosian semi-major axis",
    "r_max_pix": "largest radius",
    "sersic_index": "Sérsic index",
    "sersic_x_pix": "Sérsic center x",
    "sersic_y_pix": "Sérsic center y",
    "sersic_chi2_dof": "chi² of the Sérsic fit",
    "sersic_aic": "AIC of the Sérsic fit",
    "sersic_bic": "BIC of the Sérsic fit",
    "r_max_ellip_pix": "largest semi-major axis",
    "sersic_r_eff_pix": "Sérsic effective radius",
    "sersic_amplitude": "Sérsic amplitude",
    "sersic_ellipticity": "Sérsic ellipticity",
    "sersic_orientation_rad": "Sérsic orientation",
    "sn_per_pixel": "signal to noise a pixel",
    "flux_ellip": "flux in ellipse",
    "flux_frame": "flux of the frame",
    "center_x_pix": "center x",
    "center_y_pix": "center y",
    "sky_sigma": "sky sigma",
    "pc_rest": "length of the rest",
    "winding_quality": "quality of the winding",
    "winding_amplitude": "amplitude of arms",
}
GRID_WORDS = {
    "axes": "axes over diagonals, {}",
    "period": "period of {} px",
    "lines": "largest line, {}",
}
FIELD_WORDS = {
    "sources": "number of sources",
    "log_flux_mean": "mean log flux of sources",
    "log_flux_sigma": "scatter of log flux",
    "log_size_mean": "mean log width of sources",
    "log_size_sigma": "scatter of log width",
    "axis_ratio_mean": "mean axis ratio of sources",
    "level": "level of the sky",
    "noise": "noise of the sky",
    "share_above_mean": "share of pixels above the mean",
}
UNIT_SUFFIXES = ("_pix", "_rad", "_mag", "_arcsec", "_kpc")
POWER = re.compile(r"power_(wavelength|rings)_(\d+)(?:_(.+))?$")
GRID = re.compile(r"grid_(axes|period|lines)_([a-z0-9]+)(?:_(.+))?$")
# A unit of which so many lie between the sets is that of another quantity, such as the rounding of a noiseless fit.
MOST_UNITS_OFF = 1000.0
# What a number in the name of a quantity of fields is; the last band of power has no other end.
FIELD_NUMBERS = (
    (re.compile(r"sources_below_(\d+)$"), "sources of flux below {}"),
    (re.compile(r"sources_(\d+)_to_(\d+)$"), "sources of flux {} to {}"),
    (re.compile(r"sources_above_(\d+)$"), "sources of flux {} and more"),
    (re.compile(r"pairs_(\d+)$"), "pairs within {} px"),
    (re.compile(r"brighter_(\d+)$"), "pixels {} levels above the sky"),
    (re.compile(r"power_(\d+)$"), "power, waves from {} px"),
)
COMPONENT = re.compile(r"pc_(\d+)$")


@dataclass(frozen=True)
class ColumnPair:
    """One property of both sides, in its own unit, ready to be compared.

    Attributes
    ----------
    name, column : str
        As in `Distance`.
    declared : Property
        What the column means.
    period : float or None
        Compared on a circle of this period; None on the line.
    reference, generated : ndarray [row], float64
        NaN where lost.
    normalization : str
        Key of `NORMALIZATIONS`.
    scale : float
        What differences are divided by.
    reason : str
        Why it cannot be compared; empty where it can.
    is_headline : bool
        Whether the property counts in the headline distance under the chosen binning of power.
    lost : tuple of ndarray [row], bool, or None
        Rows of the reference and the generated set that should have a value and have none; None for all that
        are NaN. Galaxies of another type are not lost.
    usual : UsualValues or None
        What is compared in place of a distance that has no unit.
    """

    name: str
    column: str
    declared: Property
    period: float | None
    reference: Floats
    generated: Floats
    normalization: str
    scale: float
    reason: str
    is_headline: bool
    lost: tuple[NDArray[np.bool_], NDArray[np.bool_]] | None = None
    usual: UsualValues | None = None

    @property
    def in_means(self) -> bool:
        """Whether it enters the means: the paper's properties, orientation on the line as in the paper."""
        # On the circle the same angle would count twice.
        return self.is_headline and self.period is None

    @property
    def lost_rows(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Rows of the reference and the generated set that lack a value."""
        return (
            (~np.isfinite(self.reference), ~np.isfinite(self.generated)) if self.lost is None else self.lost
        )

    @property
    def sizes(self) -> tuple[int, int]:
        """Measured rows of the reference and the generated set."""
        return measured(self.reference).size, measured(self.generated).size

    def distance(self) -> float:
        """Wasserstein-1 distance in units of `scale`."""
        one, other = measured(self.reference), measured(self.generated)
        # W1 scales with its values: dividing it is dividing both sets.
        if self.period is None:
            return wasserstein_distance(one, other) / self.scale
        return circular_wasserstein_distance(one, other, period=self.period) / self.scale

    def core_and_tail_share(self) -> tuple[tuple[float, float], float]:
        """Find the range where the bulk of both sets lies, and the share of the distance made beyond it.

        Restricting the integral of ``|F1 - F2|`` to a range is the same as clipping the values to it.
        """
        one, other = measured(self.reference), measured(self.generated)
        core = core_range(one, other)
        # A circle has no tails.
        if self.period is not None or self.reason:
            return core, 0.0
        # Clipping moves what lies beyond the ends onto them: its integral there is 0.
        whole = wasserstein_distance(one, other)
        within = wasserstein_distance(np.clip(one, *core), np.clip(other, *core))
        return core, max(0.0, 1 - within / whole) if whole > 0 else 0.0

    def pooled(self) -> PooledValues:
        """Values of both sides in units of `scale`, sorted."""
        period = None if self.period is None else self.period / self.scale
        return pool_values(self.reference / self.scale, self.generated / self.scale, period=period)

    def pooled_reference(self) -> PooledValues:
        """Values of the reference set alone, as `pooled`."""
        period = None if self.period is None else self.period / self.scale
        return pool_values(self.reference / self.scale, np.empty(0), period=period)


def shared_properties(reference: QTable, generated: QTable) -> tuple[list[str], dict[str, str]]:
    """Columns of properties that both tables have, and why the others are left out.

    Raises
    ------
    InputError
        If there is none in common, or one has different units on the two sides.
    """
    ours, theirs = _compared_columns(reference), _compared_columns(generated)
    shared = sorted((name for name in ours if name in theirs), key=_declared_place)
    if not shared:
        raise InputError(
            f"the tables have no property in common: the reference set has {', '.join(ours) or 'none'}; "
            f"the generated set {', '.join(theirs) or 'none'}; measure both with galsmith measure"
        )
    for name in shared:
        one, other = reference[name].unit, generated[name].unit
        if one != other:
            raise InputError(
                f"{name} is in {one or 'no unit'} in the reference set and in {other or 'no unit'} in the generated set; "
                "measure both with the same galsmith"
            )
    left_out = {name: "only in the reference set" for name in ours if name not in theirs}
    return shared, left_out | {name: "only in the generated set" for name in theirs if name not in ours}


def _compared_columns(table: QTable) -> list[str]:
    """Columns of properties by which sets are compared."""
    declared = {name: property_of_column(name) for name in table.colnames}
    return [name for name, entry in declared.items() if entry is not None and entry.is_compared]


def pair_columns(
    reference: QTable,
    generated: QTable,
    columns: list[str],
    normalization: Mapping[str, str],
    *,
    binning: str = "wavelength",
    groups: Mapping[str, str] | None = None,
) -> list[ColumnPair]:
    """Make the pairs of all columns.

    An angle makes two, on the line and on its circle. A color makes three where both tables have the bulge
    statistic: all galaxies, early and late types. Of the two binnings of power only `binning` counts in the
    headline distance. `groups` moves properties to other groups, as `declared_as` does.
    """
    pairs: list[ColumnPair] = []
    for column in columns:
        declared = declared_as(column, columns, groups)
        if declared is None:
            continue
        values = values_of(reference, column), values_of(generated, column)
        line = _pair(
            column,
            declared,
            values,
            normalization[declared.group],
            is_headline=_is_headline(declared, binning),
        )
        pairs += _by_type(line, (reference, generated)) if pair_of_column(column) else [line]
        # Both ends of the period are one angle, though far apart on the line.
        if declared.period is not None:
            pairs.append(replace(line, name=f"{column}_circular", period=declared.period))
    return pairs


def declared_as(column: str, columns: list[str], groups: Mapping[str, str] | None) -> Property | None:
    """Find what a column holds, in the group that a recipe counts it in.

    A property that is moved to a group without another column stays where it is declared, outside of the means:
    the paper counts the bulge statistic among the colors, and only where there are colors.
    """
    declared = property_of_column(column)
    if declared is None or column not in (groups or {}):
        return declared
    group = (groups or {})[column]
    others = [property_of_column(name) for name in columns if name != column]
    if not any(other is not None and other.group == group for other in others):
        return replace(declared, headline=False)
    return replace(declared, group=group)


def values_of_distance(table: QTable, name: str, column: str) -> Floats:
    """Values that a distance was found from, [row] float64; NaN for galaxies of another type than it is of."""
    values = values_of(table, column)
    type_name = type_of_distance(name, column)
    return np.where(of_type(values_of(table, BULGE), type_name), values, np.nan) if type_name else values


def _by_type(pair: ColumnPair, tables: tuple[QTable, QTable]) -> list[ColumnPair]:
    """Split a color by type; the types enter the means, or all galaxies where there are few of one type."""
    if any(BULGE not in table.colnames for table in tables):
        return [pair]
    bulge = [values_of(table, BULGE) for table in tables]
    sides = pair.reference, pair.generated
    parts = []
    for type_name in TYPES:
        # Holzschuh et al. (2022), section 4.1.3: F(G, M20) of 0 parts the types.
        members = [of_type(side, type_name) for side in bulge]
        values = tuple(np.where(inside, side, np.nan) for inside, side in zip(members, sides, strict=True))
        part = _pair(
            pair.column,
            pair.declared,
            (values[0], values[1]),
            pair.normalization,
            is_headline=pair.is_headline,
        )
        lost = [
            # Lost: of this type without a color, or of no known type.
            np.isnan(side) & (inside | np.isnan(kind))
            for side, inside, kind in zip(values, members, bulge, strict=True)
        ]
        parts.append(replace(part, name=f"{pair.column}_{type_name}", lost=(lost[0], lost[1])))
    if any(part.reason or min(part.sizes) < MINIMUM_OF_TYPE for part in parts):
        # Too few of a type: all galaxies count in their place.
        return [pair, *(replace(part, is_headline=False) for part in parts)]
    # The types enter in place of all galaxies, which would count twice.
    return [replace(pair, is_headline=False), *parts]


def _is_headline(declared: Property, binning: str) -> bool:
    """Whether a property counts in the headline distance."""
    # Both binnings are of one spectrum, which must not count twice.
    if declared.group.startswith("power_"):
        return declared.group == f"power_{binning}"
    return declared.headline


def values_of(table: QTable, column: str) -> Floats:
    """Values of a column as float64, [row]; NaN where masked or not finite, or from a fit that is flagged bad.

    The index of a fit that did not converge may be anything, and one of 500 outweighs a thousand galaxies.
    """
    data = table[column]
    numbers = getattr(data, "value", data)
    # A copy: NaN must not be written into the table.
    values = np.array(np.ma.filled(np.ma.asarray(numbers, dtype=np.float64), np.nan), dtype=np.float64)
    values[~np.isfinite(values)] = np.nan  # Infinite is not measured either.
    for prefix, flag in FIT_FLAGS.items():
        if column.startswith(prefix) and flag in table.colnames:
            # Only the fit's own columns: the flag of a fit says nothing of the shapes.
            values[np.asarray(table[flag]) >= BAD] = np.nan
    return values


def measured(values: Floats) -> Floats:
    """Keep the values that were measured."""
    return values[np.isfinite(values)]


def core_range(*sides: Floats) -> tuple[float, float]:
    """Range where the bulk of each side lies, in the unit of the values; NaN where nothing was measured.

    Of each side the middle 99 %, but no more than three quarters of the width of its middle 90 % beyond
    that: a few wild values do not widen it, a whole side that lies elsewhere does.
    """
    ends: list[tuple[float, float]] = []
    for values in sides:
        if values.size:
            least, low, high, most = np.percentile(values, [0.5, 5, 95, 99.5])
            # Of a Gaussian this reaches out to 4.1 sigma, so that there the middle 99 % decide.
            reach = 0.75 * (high - low)
            ends.append((float(max(least, low - reach)), float(min(most, high + reach))))
    if not ends:
        return float("nan"), float("nan")
    return min(end[0] for end in ends), max(end[1] for end in ends)


def losses_of(table: QTable, is_lost: NDArray[np.bool_]) -> Losses:
    """Count the rows without a value, by the names of their flags."""
    lost = np.flatnonzero(is_lost)
    if FLAG_NAMES_COLUMN not in table.colnames:
        return Losses(len(lost), {"unflagged": len(lost)} if len(lost) else {})
    return Losses(len(lost), count_flags(table[lost], name_the_rest=True))


def count_flags(table: QTable, *, name_the_rest: bool = False) -> dict[str, int]:
    """How many rows carry each flag, the most frequent first."""
    if FLAG_NAMES_COLUMN not in table.colnames:
        return {}
    counts: Counter[str] = Counter()
    for text in table[FLAG_NAMES_COLUMN]:
        names = {name.strip() for name in str(text).split(",") if name.strip()}
        counts.update(names or ({"unflagged"} if name_the_rest else set()))
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def summary_of(values: Floats) -> Summary:
    """Percentiles, mean and standard deviation of what was measured; NaN where nothing was."""
    kept = measured(values)
    if not kept.size:
        return Summary(*(float("nan"),) * 5)
    # One standard deviation about the median, if Gaussian.
    low, median, high = np.percentile(kept, [16, 50, 84])
    return Summary(float(median), float(low), float(high), float(kept.mean()), float(kept.std()))


def _declared_place(column: str) -> int:
    """Place of a column's property among the declared ones; those of bands follow, by group."""
    declared = property_of_column(column)
    if declared in PROPERTIES:
        return PROPERTIES.index(declared)
    groups = [entry.group for entry in declared_properties()[len(PROPERTIES) :]]
    return len(PROPERTIES) + (len(groups) if declared is None else groups.index(declared.group))


def _pair(
    column: str,
    declared: Property,
    values: tuple[Floats, Floats],
    normalization: str,
    *,
    is_headline: bool,
) -> ColumnPair:
    """Make one pair, compared on the line; find out whether it can be compared."""
    reason, usual = _too_few(values), None
    # The reference alone sets the unit: a set that spreads too widely must not shrink its own distance.
    scale = float("nan") if reason else scale_of(measured(values[0]), normalization)
    if not reason and normalization != "none":
        reason, usual = _without_unit(measured(values[0]), measured(values[1]), scale)
    if not reason and scale == 0:
        usual = _usual_values(measured(values[0]), measured(values[1]))
        reason = f"half of the reference set has one value, so that {normalization} has nothing to divide by"
    return ColumnPair(
        column,
        column,
        declared,
        None,
        *values,
        normalization,
        scale,
        reason,
        is_headline=is_headline,
        usual=usual,
    )


def _without_unit(reference: Floats, generated: Floats, scale: float) -> tuple[str, UsualValues | None]:
    """Say that the reference's spread is rounding, made by a few galaxies, or no unit for the other set; or nothing."""
    middle = float(np.median(reference))
    if scale_of(reference, "reference-zscore") == 0:
        # Ten times as far as rounding takes the reference: other galaxies that are rounded alike lie there too.
        reach = 10 * float(np.abs(reference - middle).max())
        return (
            f"not comparable: the reference set does not vary but for rounding ({reference.std():.1g} about "
            f"{middle:.4g}), so that differences have no unit"
        ), UsualValues.within(middle - reach, middle + reach, reference, generated)
    usual = _usual_values(reference, generated)
    # The unit would be that of so few galaxies, and any other value a million of them.
    if reference.size - usual.n_reference < MINIMUM_MEASURED:
        return (
            f"not comparable: {usual.n_reference} of {reference.size} galaxies of the reference set have one value, "
            f"{usual.low:.4g} ({usual.n_generated} of {generated.size} of the generated set), so that its spread is that "
            f"of {reference.size - usual.n_reference}"
        ), usual
    # The median, so that a few wild galaxies hide nothing.
    off = float(np.median(np.abs(generated - middle))) / scale if scale > 0 else 0.0
    if off > MOST_UNITS_OFF:
        low, high = float(reference.min()), float(reference.max())
        return (
            f"not comparable: half of the generated set lies {off:.1g} times as far from the reference's median as its "
            "spread, so that this is no unit"
        ), UsualValues.within(low, high, reference, generated)
    return "", None


def _usual_values(reference: Floats, generated: Floats) -> UsualValues:
    """Find the value that most galaxies of the reference have."""
    values, counts = np.unique(reference, return_counts=True)
    value = float(values[counts.argmax()])
    return UsualValues.within(value, value, reference, generated)


def _too_few(values: tuple[NDArray[np.float64], NDArray[np.float64]]) -> str:
    """Say which side has too few values, or nothing."""
    for side, column in zip(("reference", "generated"), values, strict=True):
        count = measured(column).size
        if count < MINIMUM_MEASURED:
            return f"measured on {count} of {column.size} galaxies of the {side} set; wanted {MINIMUM_MEASURED} or more"
    return ""


def of_type(bulge_statistic: NDArray[np.float64], name: str) -> NDArray[np.bool_]:
    """Find the galaxies of one type: early where the bulge statistic is 0 or more, late where it is less.

    Parameters
    ----------
    bulge_statistic : ndarray [row], float64
        F(G, M20); NaN belongs to no type (Snyder et al. 2015; Rodriguez-Gomez et al. 2019).
    name : {"early_type", "late_type"}
        Which type.

    Returns
    -------
    ndarray [row], bool
    """
    # Snyder et al. (2015); Rodriguez-Gomez et al. (2019).
    return bulge_statistic >= 0 if name == "early_type" else bulge_statistic < 0


def type_of_distance(name: str, column: str) -> str:
    """Find which type a distance is of, such as ``"early_type"``; empty where it is of all galaxies."""
    rest = name.removeprefix(f"{column}_")
    return rest if rest in TYPES else ""


def group_title(group: str) -> str:
    """Words for a group of properties."""
    return GROUP_TITLES.get(group, group.replace("_", " ").capitalize())


def label_of(distance: Distance, *, with_band: bool = True) -> str:
    """Words for a property, with the band of a power mode and the circle of an angle."""
    band = band_of(distance.column)
    label = words_of(distance.column if with_band or not band else distance.column.removesuffix(f"_{band}"))
    type_name = type_of_distance(distance.name, distance.column)
    if type_name:
        return f"{label}, {type_name.replace('_', ' ')}s"
    return f"{label}, on the circle" if distance.metric == "circular" else label


def words_of(column: str) -> str:
    """Words for a column of a measurement table, or for a product of columns such as ``"gini * m20"``."""
    # Columns of the classifier on products of two.
    if " * " in column:
        return " × ".join(words_of(part) for part in column.split(" * "))
    told = _words_of_field(column) or _words_of_band(column) or _words_of_bands(column)
    if told:
        return told
    if column in WORDS:
        return WORDS[column]
    for suffix in UNIT_SUFFIXES:
        column = column.removesuffix(suffix)
    return column.replace("_", " ")


def _words_of_field(column: str) -> str:
    """Words for a quantity of a whole field; none for another."""
    name = column.removeprefix("field_")
    if name == column:
        return ""
    found = ((pattern.match(name), words) for pattern, words in FIELD_NUMBERS)
    return next((words.format(*match.groups()) for match, words in found if match), FIELD_WORDS.get(name, ""))


def _words_of_band(column: str) -> str:
    """Words for a column of one band's power or grid, or of a component; none for another."""
    power, grid, component = POWER.match(column), GRID.match(column), COMPONENT.match(column)
    band = f" ({band_of(column)})" if band_of(column) else ""
    if power:
        kind = "power mode" if power.group(1) == "wavelength" else "power ring"
        return f"{kind} {int(power.group(2))}{band}"
    if grid:
        return f"{GRID_WORDS[grid.group(1)].format(grid.group(2))}{band}"
    return f"component {int(component.group(1))}" if component else ""


def _words_of_bands(column: str) -> str:
    """Words for a column of a color, or of two bands against each other; none for another."""
    colors, detail = pair_of_column(column), pair_of_detail(column)
    if colors is not None:
        return f"{colors.first} − {colors.second}"
    if detail is None:
        return ""
    entry, pair = detail
    quantity = entry.name.replace("_<bands>", "").removesuffix("_pix").removesuffix("_mag")
    return f"{quantity.replace('_', ' ')}, {pair.first} and {pair.second}"


def band_of(column: str) -> str:
    """Band of a column of power or of the grid, or nothing."""
    match = POWER.match(column) or GRID.match(column)
    return (match.group(3) or "") if match else ""


def mode_of(column: str) -> int | None:
    """Mode of a column of power, or None."""
    match = POWER.match(column)
    return int(match.group(2)) if match else None
