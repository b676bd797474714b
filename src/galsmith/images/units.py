"""Units of pixels as people write them: which are the same, which are per area of the sky, what one of them is in AB."""

import math
import re
import warnings
from functools import lru_cache

import astropy.units as u
from astropy.units.photometric import maggy

# By lower case; astropy knows neither plurals nor capitals.
WORDS = {
    **dict.fromkeys(("electron", "electrons"), "electron"),
    **dict.fromkeys(("count", "counts", "cts", "ct"), "ct"),
    **dict.fromkeys(("adu", "adus"), "adu"),
    **dict.fromkeys(("dn", "dns"), "DN"),
    **dict.fromkeys(("sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("nanomaggy", "nanomaggies", "nanomaggie", "nmgy"), "nmgy"),
    **dict.fromkeys(("maggy", "maggies"), "mgy"),
    **dict.fromkeys(("pix", "pixel", "pixels"), "pix"),
    **dict.fromkeys(("arcsec", "arcsecs", "arcsecond", "arcseconds", "asec"), "arcsec"),
    **dict.fromkeys(("mag", "mags", "magnitude", "magnitudes"), "mag"),
    **dict.fromkeys(("erg", "ergs"), "erg"),
    **dict.fromkeys(("angstrom", "angstroms"), "Angstrom"),
    **{name: name for name in ("beam", "sr", "cm", "photon")},
    **{"jy": "Jy", "njy": "nJy", "ujy": "uJy", "microjy": "uJy"},
}
# Where a text has capitals alone: MJY is then the megajansky of surveys, S the second and not the siemens.
CAPITALS = {"S": "s", "MJY": "MJy", "HZ": "Hz", "M": "m", "W": "W"}
ELECTRON = re.compile(r"(?<![A-Za-z0-9.])e-?(?=\s*/|\s|$|\.)")
ELECTRONS = ("electron", "photon")
# What the text of a unit that cannot be parsed says.
PER_AREA = re.compile(
    r"(/|\bper\b)\s*(sr|beam|arcsec|arcmin|deg)|(sr|beam|arcsec|arcmin)\s*[\^*]*\(?-[12]", re.IGNORECASE
)
MAGNITUDE = re.compile(r"\bmag", re.IGNORECASE)
# Oke & Gunn (1983): m = -2.5 log10(f) - 48.6, f in erg / s / cm^2 / Hz, of which a jansky is 1e-23.
AB_OF_JANSKY = 8.9


@lru_cache(maxsize=256)
def unit_of(text: str) -> u.UnitBase | None:
    """Read a unit in any of the usual spellings, such as ``ELECTRONS/S`` or ``nanomaggies``; None where it is none."""
    words = ELECTRON.sub("electron", text.strip())
    is_capital = words.upper() == words
    words = re.sub(r"[A-Za-z]+", lambda found: _word(found[0], is_capital=is_capital), words)
    try:
        with warnings.catch_warnings(), u.add_enabled_units([maggy]):
            warnings.simplefilter("ignore")
            found = u.Unit(words, parse_strict="raise")
    except (ValueError, TypeError, AttributeError):
        return None
    return found if isinstance(found, u.UnitBase | u.function.FunctionUnitBase) and words else None


def is_same_unit(one: str, other: str) -> bool:
    """Whether two texts name one unit, however they are spelled."""
    if one == other:
        return True
    first, second = unit_of(one), unit_of(other)
    return first is not None and second is not None and bool(first == second)


@lru_cache(maxsize=64)  # units are parsed, which takes longer than a band's details, and a set has one
def gain_of_unit(flux_unit: str) -> float | None:
    """Electrons per flux unit where the unit itself says it, else None."""
    return 1.0 if any(is_same_unit(flux_unit, one) for one in ELECTRONS) else None


def is_per_area(text: str) -> bool:
    """Whether values are per solid angle or per beam, or a brightness temperature, so that a larger pixel has the same."""
    unit = unit_of(text)
    if unit is None:
        return PER_AREA.search(text) is not None
    return _area_power(unit) < 0 or unit.is_equivalent(u.K)


def is_magnitude(text: str) -> bool:
    """Whether values are logarithms, which can be neither added nor averaged."""
    unit = unit_of(text)
    if unit is None:
        return MAGNITUDE.search(text) is not None
    return not isinstance(unit, u.UnitBase) or any(base in (u.mag, u.dex, u.dB) for base in unit.bases)


def zero_point_of_unit(text: str, *, pixel_area_sr: float | None = None) -> float | None:
    """AB magnitude of a pixel whose value is 1, where the unit tells it.

    Parameters
    ----------
    text : str
        A flux density as nJy or nanomaggy, of a pixel or per solid angle.
    pixel_area_sr : float, optional
        Solid angle of a pixel, which the latter needs.
    """
    unit = unit_of(text)
    if not isinstance(unit, u.UnitBase):
        return None
    for area in (u.dimensionless_unscaled, 1 / u.pix, 1 / u.sr):
        for flux, zero_point in ((u.Jy, AB_OF_JANSKY), (maggy, 0.0)):
            if unit.is_equivalent(flux * area):
                factor = float(unit.to(flux * area)) * (
                    1.0 if area != 1 / u.sr else pixel_area_sr or math.nan
                )
                return zero_point - 2.5 * math.log10(factor) if factor > 0 else None
    return None


def _word(word: str, *, is_capital: bool) -> str:
    """Spell one word as astropy does."""
    if is_capital and word in CAPITALS:
        return CAPITALS[word]
    return WORDS.get(word.lower(), word) if word not in ("mJy", "MJy", "S") else word


def _area_power(unit: u.UnitBase) -> float:
    """Power of the solid angle in a unit: -1 for one per steradian, per square arcsecond or per beam."""
    powers = [
        power * (1.0 if base.is_equivalent(u.sr) or base == u.beam else 0.5)
        for base, power in zip(getattr(unit, "bases", ()), getattr(unit, "powers", ()), strict=True)
        if base == u.beam or base.is_equivalent(u.sr) or base.is_equivalent(u.rad)
    ]
    return float(sum(powers))
