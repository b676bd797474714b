"""Pairs of bands, whose difference of magnitudes is a color: read as a user writes them, and the usual ones."""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

from galsmith.errors import SettingsError
from galsmith.settings import near_miss

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


class BandPair(NamedTuple):
    """The two bands of a color, the first less the second."""

    first: str
    second: str

    def __str__(self) -> str:
        """Write it as the user does: ``g-i``."""
        return f"{self.first}-{self.second}"

    @property
    def stem(self) -> str:
        """Write it as a part of a column's name: ``gi``, or ``F606W_F814W`` where a name has several letters.

        Names that have an underscore themselves are kept apart by two; `pair_named` reads it.
        """
        joint = "" if len(self.first) == len(self.second) == 1 else "_"
        return f"{self.first}{joint * (2 if '_' in self.first + self.second else 1)}{self.second}"

    @property
    def column(self) -> str:
        """Column of the color, such as ``color_gi_mag``."""
        return f"color_{self.stem}_mag"


def pair_named(stem: str) -> BandPair | None:
    """Find the bands in a part of a column's name, as `BandPair.stem` writes it; None where there are no two."""
    for separator in ("__", "_"):
        first, between, second = stem.partition(separator)
        if between and first and second:
            return BandPair(first, second)
    return BandPair(stem[0], stem[1]) if len(stem) == 2 else None


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
    neighbors = neighboring_pairs(bands)
    widest = PAPER_PAIR if set(PAPER_PAIR) <= set(bands) else (neighbors[0].first, neighbors[-1].second)
    return tuple(dict.fromkeys([BandPair(*widest), *neighbors]))


def neighboring_pairs(bands: Sequence[str]) -> tuple[BandPair, ...]:
    """Pair each band with the next in wavelength, or as they lie in the images where not all are in `WAVELENGTHS_NM`."""
    return tuple(BandPair(*pair) for pair in itertools.pairwise(ordered_bands(bands)))


def ordered_bands(bands: Sequence[str]) -> list[str]:
    """Sort bands by wavelength, the shortest first; as they are where not all are in `WAVELENGTHS_NM`."""
    is_known = all(band in WAVELENGTHS_NM for band in bands)
    return sorted(bands, key=WAVELENGTHS_NM.__getitem__) if is_known else list(bands)


def bands_of_pairs(pairs: Sequence[BandPair]) -> tuple[str, ...]:
    """All bands of some colors, each once."""
    return tuple(dict.fromkeys(band for pair in pairs for band in pair))
