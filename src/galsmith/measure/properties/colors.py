"""Colors and the fluxes they are made from: pairs of bands by name, their columns, and what these mean."""

import re
from collections.abc import Iterable

from galsmith.images.bands import BandPair, pair_named
from galsmith.measure.properties.property import Property

COLOR_GROUP = "color"

_COLOR = re.compile(r"color_(.+)_mag$")
_FLUX = re.compile(r"flux_(.+)$")
_HOLZSCHUH = "Holzschuh et al. 2022, section 4.1.3"

BAND_PROPERTIES = (
    Property(
        "flux_<band>",
        r"$F_\mathrm{band}$",
        "flux",
        "photometry",
        "Flux of a band within a circle of 2 Petrosian radii about the center of least asymmetry, both of the measured "
        f"band, or of each band where the setting color_apertures is each (Petrosian 1976; {_HOLZSCHUH})",
    ),
    Property(
        "color_<bands>_mag",
        "$m_1 - m_2$",
        "mag",
        COLOR_GROUP,
        "-2.5 log10 of the flux of the first over that of the second band, and the difference of their zero points "
        f"where the images state them ({_HOLZSCHUH})",
        headline=True,
    ),
)


def flux_column(band: str) -> str:
    """Column of the flux of one band of a color."""
    return f"flux_{band}"


def pair_of_column(column: str) -> BandPair | None:
    """Find the bands of a column ``color_..._mag``; None for any other."""
    found = _COLOR.match(column)
    return None if found is None else pair_named(found[1])


def color_columns(columns: Iterable[str]) -> dict[str, BandPair]:
    """Find all columns of colors, in their order, with the bands of each."""
    return {name: pair for name in columns if (pair := pair_of_column(name)) is not None}


def band_property(column: str) -> Property | None:
    """Find what a column of one band's flux or of a color holds; None for any other column."""
    flux, color = BAND_PROPERTIES
    found = _FLUX.match(column)
    if found is not None:
        return Property(column, _symbol("F", found[1]), flux.unit, flux.group, flux.definition)
    pair = pair_of_column(column)
    if pair is None:
        return None
    first, second = (_upright(band) for band in pair)
    return Property(
        column, f"${first} - {second}$", color.unit, color.group, color.definition, headline=color.headline
    )


def _symbol(letter: str, band: str) -> str:
    """Write a quantity of a band in matplotlib's mathematical text."""
    return f"${letter}_{{{_upright(band)}}}$"


def _upright(band: str) -> str:
    """Write a band's name: a letter in italics, a longer name upright."""
    return band if len(band) == 1 else rf"\mathrm{{{band}}}".replace("_", r"\_")
