"""Colors and the fluxes they are made from: pairs of bands by name, their columns, and what these mean."""

import itertools
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from galsmith.errors import SettingsError
from galsmith.measure.property import Property
from galsmith.settings import near_miss

COLOR_GROUP = "color"
# About the middle of each band in nm: only the order matters, the shorter wave comes first in a color.
WAVELENGTHS_NM = {
    "FUV": 153,
    "NUV": 228,
    "u": 354,
    "U": 365,
    "B": 445,
    "blue": 450,
    "g": 477,
    "green": 530,
    "V": 551,
    "r": 623,
    "red": 640,
    "R": 658,
    "i": 763,
    "I": 806,
    "Z": 880,
    "z": 905,
    "y": 980,
    "Y": 1020,
    "J": 1250,
    "H": 1650,
    "Ks": 2150,
    "K": 2200,
}
PAPER_PAIR = ("g", "i")

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


class BandPair(NamedTuple):
    """The two bands of a color, the first less the second."""

    first: str
    second: str

    def __str__(self) -> str:
        """Write it as the user does: ``g-i``."""
        return f"{self.first}-{self.second}"

    @property
    def column(self) -> str:
        """Column of the color: ``color_gi_mag``, or ``color_F606W_F814W_mag`` where a name has several letters.

        Names that have an underscore themselves are kept apart by two.
        """
        joint = "" if len(self.first) == len(self.second) == 1 else "_"
        return f"color_{self.first}{joint * (2 if '_' in self.first + self.second else 1)}{self.second}_mag"


def flux_column(band: str) -> str:
    """Column of the flux of one band of a color."""
    return f"flux_{band}"


def parse_pair(text: str, bands: Sequence[str]) -> BandPair:
    """Read a color written as ``g-i``.

    Parameters
    ----------
    text : str
        Two bands with a hyphen between them; a band may have hyphens in its own name.
    bands : sequence of str
        Bands that the images have.

    Raises
    ------
    SettingsError
        If it is no pair, a band is not there (the near miss is named), or both are the same.
    """
    splits = [
        BandPair(text[:place].strip(), text[place + 1 :].strip())
        for place, letter in enumerate(text)
        if letter == "-"
    ]
    if not splits:
        raise SettingsError(
            f"colors {text!r}: no pair of bands; wanted two of {', '.join(bands)} with a hyphen between, "
            "such as g-i"
        )
    pair = next((pair for pair in splits if set(pair) <= set(bands)), None)
    if pair is None:
        absent = next(band for band in splits[0] if band not in bands)
        raise SettingsError(
            f"colors {text!r}: the images have no band {absent!r}{near_miss(absent, list(bands))}; "
            f"they have {', '.join(bands)}"
        )
    if pair.first == pair.second:
        raise SettingsError(
            f"colors {text!r}: a band less itself is 0; wanted two bands of {', '.join(bands)}"
        )
    return pair


def default_pairs(bands: Sequence[str]) -> tuple[BandPair, ...]:
    """Colors of a set whose user named none: g - i, else the first less the last band, then all neighbors.

    Bands follow their wavelengths where all are in `WAVELENGTHS_NM`, else they stay as they lie in the images.
    """
    if len(bands) < 2:
        return ()
    ordered = list(bands)
    if all(band in WAVELENGTHS_NM for band in bands):
        ordered.sort(key=WAVELENGTHS_NM.__getitem__)
    widest = PAPER_PAIR if set(PAPER_PAIR) <= set(bands) else (ordered[0], ordered[-1])
    return tuple(BandPair(*pair) for pair in dict.fromkeys([widest, *itertools.pairwise(ordered)]))


def bands_of_pairs(pairs: Sequence[BandPair]) -> tuple[str, ...]:
    """All bands of some colors, each once."""
    return tuple(dict.fromkeys(band for pair in pairs for band in pair))


def pair_of_column(column: str) -> BandPair | None:
    """Find the bands of a column ``color_..._mag``; None for any other."""
    found = _COLOR.match(column)
    if found is None:
        return None
    stem = found[1]
    for separator in ("__", "_"):
        first, between, second = stem.partition(separator)
        if between and first and second:
            return BandPair(first, second)
    return BandPair(stem[0], stem[1]) if len(stem) == 2 else None


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
