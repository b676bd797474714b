"""Whether drawn galaxies are what they were drawn for: values that were asked against values that are measured."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from galsmith.data.store import open_store
from galsmith.errors import InputError, SettingsError
from galsmith.execution import ProgressCallback, ignore_progress
from galsmith.images import ImageHeader, ImageSet
from galsmith.measure import MeasureSettings, measured
from galsmith.settings import near_miss

Values = NDArray[np.float64]

SIGMA_PER_MAD = 1.4826  # of a normal law
FEWEST_GALAXIES = 30
EXACT = (
    1e-3  # fits of laws without noise scatter by 1e-4, summed light by rounding alone: no unit to count in
)
# catalog's column -> measured column, and what one of its units is in the catalog's
COUNTERPARTS = {
    "r_eff_arcsec": "sersic_r_eff_pix",
    "r_eff_pix": "sersic_r_eff_pix",
    "axis_ratio": "sersic_ellipticity",
}


@dataclass(frozen=True)
class AskedAgainstMeasured:
    """One quantity of drawn galaxies, beside training galaxies that have nearly the same values.

    Bias and scatter are relative (of the logarithm of measured / asked) where all values are above zero, else in units of
    the quantity; of magnitudes in magnitudes.

    Attributes
    ----------
    name, measured_as : str
        Of the catalog's column, and of what was measured.
    is_relative : bool
        Whether bias and scatter are relative.
    n, n_lost : int
        Drawn galaxies that were compared, and those not measured.
    bias, trained_bias : float
        Median of measured less asked: of drawn galaxies, and of as many training galaxies.
    scatter, trained_scatter : float
        From the median of absolute deviations.
    """

    name: str
    measured_as: str
    is_relative: bool
    n: int
    n_lost: int
    bias: float
    trained_bias: float
    scatter: float
    trained_scatter: float

    @property
    def excess_bias(self) -> float:
        """What the bias is beyond that of the measurement, which training galaxies have too."""
        return self.bias - self.trained_bias

    @property
    def scatter_ratio(self) -> float:
        """Scatter in units of the training galaxies' own; 1 where both are met exactly, NaN where theirs alone is."""
        if self.trained_scatter > EXACT:
            return self.scatter / self.trained_scatter
        return 1.0 if self.scatter <= EXACT else math.nan

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; None where a number is not known."""
        values = {**asdict(self), "excess_bias": self.excess_bias, "scatter_ratio": self.scatter_ratio}
        return {
            name: None if isinstance(value, float) and math.isnan(value) else value
            for name, value in values.items()
        }

    @property
    def text(self) -> str:
        """One line."""
        unit = " %" if self.is_relative else ""
        factor = 100.0 if self.is_relative else 1.0
        ratio = "no own scatter" if math.isnan(self.scatter_ratio) else f"{self.scatter_ratio:.2f} times"
        lost = f", {self.n_lost} not measured" if self.n_lost else ""
        return (
            f"{self.name} (as {self.measured_as}): bias {factor * self.excess_bias:+.2f}{unit}, scatter "
            f"{factor * self.scatter:.2f}{unit} of {factor * self.trained_scatter:.2f}{unit} in training ({ratio}); "
            f"{self.n} galaxies{lost}"
        )


def asked_against_measured(
    drawn: ImageSet | str | Path,
    training: ImageSet | str | Path,
    *,
    pairs: Mapping[str, str] | None = None,
    limit: int = 1000,
    workers: int = 1,
    progress: ProgressCallback = ignore_progress,
) -> list[AskedAgainstMeasured]:
    """Measure drawn galaxies, and training galaxies of nearly the same values, and say how far each is from its catalog.

    Each drawn galaxy is held beside the training galaxy that is nearest in all compared columns, so that what the
    measurement itself is off by at such values, and how far it scatters, is on both sides.

    Parameters
    ----------
    drawn : ImageSet, str or Path
        A set of `galsmith.sampling.sample`, whose catalog says what each galaxy was drawn for.
    training : ImageSet, str or Path
        What the model learned; the split ``"train"`` is used.
    pairs : mapping of str to str, optional
        Measured column by the catalog's, where names differ and it is not known: ``{"radius": "r_half_pix"}``.
    limit : int
        Galaxies a side at most, evenly over the drawn set.
    workers : int
        Processes that measure.
    progress : callable
        Told how far the measurements are.

    Raises
    ------
    InputError
        If a set is too small, or the catalogs have no column that is measured.
    SettingsError
        If `pairs` names a column that is not there.
    """
    sets = [one if isinstance(one, ImageSet) else open_store(one) for one in (drawn, training)]
    made, learned = sets[0], sets[1].in_split("train")
    for images, what in ((made, "drawn"), (learned, "training")):
        if len(images) < FEWEST_GALAXIES:
            raise InputError(
                f"{images.path}: has {len(images)} {what} galaxies; wanted {FEWEST_GALAXIES} or more"
            )
    made = made.select(np.unique(np.linspace(0, len(made) - 1, limit).round().astype(np.int64)))
    names = _compared_columns(made, learned, pairs or {})
    asked = np.stack([_asked(made, name) for name in names], axis=1)
    known = np.stack([_asked(learned, name) for name in names], axis=1)
    alike = learned.select(_nearest(known, asked))
    settings = MeasureSettings(quantities=("morphology",))
    tables = [
        measured(images, settings=settings, workers=workers, progress=progress) for images in (made, alike)
    ]
    sources = {name: _measured_column(name, pairs or {}, tables[0].colnames) for name in names}
    found = [
        _compared(
            name,
            source,
            *(_differences(name, source, *side) for side in zip((made, alike), tables, strict=True)),
        )
        for name, source in sources.items()
        if source is not None
    ]
    if not found:
        raise InputError(
            f"{made.path}: none of {', '.join(names)} is measured; say as what with `pairs`, such as {names[0]}=r_half_pix"
        )
    return found


def _compared_columns(made: ImageSet, learned: ImageSet, pairs: Mapping[str, str]) -> list[str]:
    """Columns of both catalogs that drawn galaxies were drawn for; fluxes and magnitudes are summed from pixels."""
    both = [
        name
        for name in made.catalog.colnames
        if (name in learned.catalog.colnames or _band_of(name, made.header) is not None)
        and np.asarray(made.catalog[name]).dtype.kind in "iuf"
        and name not in ("seed", "native_size_pix", "catalog_row")
        and not name.startswith("asked_")
    ]
    for name in pairs:
        if name not in both:
            raise SettingsError(
                f"no column of both sets' catalogs{near_miss(name, both)}; they have {', '.join(both) or 'none'}",
                argument="pairs",
                came=name,
            )
    if not both:
        raise InputError(
            f"{made.path}: its catalog has no column that the training set's has too; draw with `catalog` or `where`, "
            "or from a model with transform.conditions"
        )
    return both


def _band_of(name: str, header: ImageHeader) -> tuple[str, str] | None:
    """Kind (flux or magnitude) and band of a column of summed light."""
    kind, _, band = name.partition("_")
    if kind == "flux" and band in header.bands:
        return kind, band
    return (kind, band) if kind == "magnitude" and band in header.zero_points_mag else None


def _asked(images: ImageSet, name: str) -> Values:
    """Read what a catalog says of each galaxy; summed light of training galaxies is what their pixels are."""
    if name not in images.catalog.colnames:
        return _light(images, name)
    column = images.catalog[name]
    return np.asarray(getattr(column, "value", column), dtype=np.float64)


def _light(images: ImageSet, name: str) -> Values:
    """Sum the flux of one band, or give its AB magnitude, [galaxy]."""
    kind, band = name.split("_", 1)
    position = images.header.bands.index(band)
    flux = np.concatenate(
        [[image[position].sum(dtype=np.float64) for image in some] for _, some in images.chunks(256)]
    )
    if kind == "flux":
        return flux
    return images.header.zero_points_mag[band] - 2.5 * np.log10(np.maximum(flux, np.finfo(np.float64).tiny))


def _nearest(known: Values, asked: Values) -> NDArray[np.int64]:
    """Training galaxy that is nearest to each asked row, in standard deviations of each column."""
    scale = np.maximum(known.std(axis=0), np.finfo(np.float64).tiny)
    _, nearest = cKDTree(known / scale).query(asked / scale)
    return np.asarray(nearest, dtype=np.int64)


def _measured_column(name: str, pairs: Mapping[str, str], columns: Sequence[str]) -> str | None:
    """Find what a column is measured as."""
    wanted = pairs.get(name, COUNTERPARTS.get(name, name))
    if wanted in columns or name.split("_", 1)[0] in ("flux", "magnitude"):
        return wanted
    if name in pairs:
        raise SettingsError(
            f"nothing of that name is measured{near_miss(wanted, list(columns))}",
            argument="pairs",
            came=f"{name}={wanted}",
        )
    return None


def _differences(name: str, source: str, images: ImageSet, table: QTable) -> tuple[Values, Values]:
    """Values that were asked and measured, [galaxy] each, in the catalog's unit."""
    asked, header = _asked(images, name), images.header
    if _band_of(name, header) is not None:
        return asked, _light(images, name)
    column = table[source]
    values = np.asarray(getattr(column, "value", column), dtype=np.float64)
    if source == "sersic_ellipticity" and name in COUNTERPARTS:
        return asked, 1 - values  # ellipticity = 1 - b / a
    if source == "sersic_r_eff_pix" and name in COUNTERPARTS:
        # of the circle with the ellipse's area, as catalogs here have it; fits have the major axis
        values = values * np.sqrt(1 - np.asarray(table["sersic_ellipticity"], dtype=np.float64))
    if _unit(images.catalog[name]) == u.arcsec and _unit(column) == u.pix:
        if header.pixel_scale_arcsec is None:
            raise InputError(
                f"{images.path}: its header has no pixel scale, so that {source} is not known in arcsec"
            )
        values = values * header.pixel_scale_arcsec
    return asked, values


def _unit(column: Any) -> Any:
    """Give the unit of a column; None where it has none."""
    return getattr(column, "unit", None)


def _compared(
    name: str, source: str, made: tuple[Values, Values], learned: tuple[Values, Values]
) -> AskedAgainstMeasured:
    """Bias and scatter of both sides."""
    usable = [np.isfinite(asked) & np.isfinite(values) for asked, values in (made, learned)]
    sides = [
        (asked[kept], values[kept]) for (asked, values), kept in zip((made, learned), usable, strict=True)
    ]
    is_magnitude = name.startswith("magnitude_")
    is_relative = not is_magnitude and all(len(x) > 0 and min(x.min(), y.min()) > 0 for x, y in sides)
    away = [np.log(values / asked) if is_relative else values - asked for asked, values in sides]
    if min(map(len, away)) < FEWEST_GALAXIES:
        raise InputError(
            f"{name}: measured in {len(away[0])} drawn and {len(away[1])} training galaxies alone; wanted {FEWEST_GALAXIES}"
        )
    (bias, scatter), (trained_bias, trained_scatter) = map(_center_and_scatter, away)
    return AskedAgainstMeasured(
        name,
        source,
        is_relative,
        len(away[0]),
        int((~usable[0]).sum()),
        bias,
        trained_bias,
        scatter,
        trained_scatter,
    )


def _center_and_scatter(values: Values) -> tuple[float, float]:
    """Median, and a standard deviation from the median of absolute deviations."""
    median = float(np.median(values))
    return median, float(SIGMA_PER_MAD * np.median(np.abs(values - median)))
