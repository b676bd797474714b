"""Options of readers as a user writes them: a field with its help, and bands, HDUs and zero points out of text."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import Any

from galsmith.errors import SettingsError

GivenZeroPoints = Mapping[str, float] | Sequence[float]


def option(
    words: str,
    default: Any = None,
    *,
    flag: str | None = None,
    parse: Callable[[str], Any] | None = None,
    kind: type | None = None,
) -> Any:
    """Make a field of a reader's options.

    Parameters
    ----------
    words : str
        Help on the command line.
    default : object
        Its value when left out; not mutable.
    flag : str, optional
        Name on the command line; that of the field when left out.
    parse : callable, optional
        Makes the value out of text, where no type does.
    kind : type, optional
        What the command line takes, where the field takes more.
    """
    return field(default=default, metadata={"help": words, "flag": flag, "parse": parse, "kind": kind})


def parse_bands(text: str) -> tuple[str, ...]:
    """Read names written as ``g,r,i``."""
    return tuple(name.strip() for name in text.split(","))


def parse_hdu(text: str) -> int | str:
    """Read an HDU's number or name."""
    return int(text) if text.strip().isdecimal() else text.strip()


def parse_zero_points(text: str) -> dict[str, float] | tuple[float, ...]:
    """Read magnitudes written as ``25.0``, ``25.0,25.1`` or ``g=25.0,r=25.1``.

    Raises
    ------
    SettingsError
        If one is no number.
    """
    words = [word.strip() for word in text.split(",")]
    try:
        if any("=" in word for word in words):
            pairs = [word.split("=") for word in words]
            return {name.strip(): float(value) for name, value in pairs}
        return tuple(float(word) for word in words)
    except ValueError as error:
        raise SettingsError(
            argument="zero_points_mag",
            came=text,
            wanted="a magnitude, one a band as 25.0,25.1, or names as g=25.0,r=25.1",
        ) from error


def zero_points_by_band(given: GivenZeroPoints, bands: Sequence[str]) -> dict[str, float]:
    """Give every band its zero point.

    Parameters
    ----------
    given : mapping of band to float, or sequence of float
        AB magnitudes of one flux unit; a sequence of one is of all bands. A mapping may leave bands out.
    bands : sequence of str
        Filter names.

    Raises
    ------
    SettingsError
        If there are more or fewer than bands, one is of no band, or one is not finite.
    """
    if isinstance(given, Mapping):
        unknown = [band for band in given if band not in bands]
        if unknown:
            raise SettingsError(
                f"`zero_points_mag={unknown[0]}=...`: no such band; the bands are {','.join(bands)}"
            )
        values = {band: float(given[band]) for band in bands if band in given}
    elif len(given) in (1, len(bands)):
        values = dict(zip(bands, [*given] * (len(bands) if len(given) == 1 else 1), strict=True))
    else:
        raise SettingsError(
            f"`zero_points_mag`: names {len(given)} values for the {len(bands)} bands {','.join(bands)}; give "
            f"one, one a band, or write {bands[0]}=25.0"
        )
    for band, value in values.items():
        if not math.isfinite(value):
            raise SettingsError(argument="zero_points_mag", came=f"{band}={value}", wanted="a magnitude")
    return values
