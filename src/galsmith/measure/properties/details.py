"""The declared details: bands against each other, patterns of the pixel grid, the winding of arms; and their columns."""

import re
from collections.abc import Sequence
from dataclasses import replace

from galsmith.images.bands import BandPair, pair_named
from galsmith.measure.properties.property import Property

GRID_GROUP, WINDING_GROUP, REGISTRATION_GROUP = "grid", "winding", "registration"
SCALES = ("fine", "middle", "coarse")

_AXES = (
    "log10 of the mean amplitude within 22.5 degrees of the axes over that within 22.5 degrees of the diagonals, waves of "
    "{} px; 0 where nothing hangs on the grid (Durall et al. 2020)"
)
_PERIOD = (
    "log10 of the amplitude of waves of {} px along x, y or a diagonal, the largest, over its neighbors on the line: "
    "stripes and checkerboards (Odena et al. 2016; Zhang et al. 2019)"
)
_LINES = "The largest such excess of any period from 2 to 8 px along {} (Zhang et al. 2019)"
_COHERENCE = (
    "Correlation of the waves of {} px of two neighboring bands, without the power of their noise: 1 where they have the "
    "same structure in the same place"
)
_OFFSET = (
    "How far the second of two neighboring bands lies from the first along {}, from the phases of their common waves of 4 "
    "to 32 px (Kuglin & Hines 1975)"
)


def _grid(kind: str, part: str, symbol: str, definition: str) -> Property:
    """Declare a quantity of one band's spectrum."""
    return Property(f"grid_{kind}_{part}", symbol, "dex", GRID_GROUP, definition)


# Of every band; a column ends in the band where there are several.
GRID_PROPERTIES = (
    *(
        _grid("axes", scale, rf"$\log_{{10}} a_\mathrm{{{scale}}}$", _AXES.format(reach))
        for scale, reach in zip(SCALES, ("2 to 4", "4 to 8", "8 to 16"), strict=True)
    ),
    *(
        _grid("period", str(period), rf"$\log_{{10}} e_{{{period}}}$", _PERIOD.format(period))
        for period in (2, 3, 4, 8)
    ),
    *(
        _grid("lines", line, rf"$\log_{{10}} e_\mathrm{{{line}}}$", _LINES.format(words))
        for line, words in (("x", "x"), ("y", "y"), ("diagonal", "the diagonals"))
    ),
)

WINDING_PROPERTIES = (
    Property(
        "winding",
        r"$\cot \phi$",
        "",
        WINDING_GROUP,
        "Radians that arms turn while the radius grows by e, the cotangent of their pitch angle: from the phase of modes 2 "
        "to 4 of the light against ln r in the plane of the disk, above 0 counter-clockwise (Considere & Athanassoula "
        "1982; Puerari & Dottori 1992)",
    ),
    Property(
        "winding_quality",
        r"$q_\mathrm{arms}$",
        "",
        WINDING_GROUP,
        "Share of the light of these modes, 0 to 1, whose phase winds so",
    ),
    Property(
        "winding_amplitude",
        r"$A_\mathrm{arms}$",
        "",
        WINDING_GROUP,
        "Amplitude of these modes over the mean light, from a quarter of the Petrosian radius to all of it",
    ),
)

MIRRORED = ("winding",)
"""Properties that change their sign in a mirror image."""

# Of every pair of bands that are neighbors in wavelength.
PAIR_PROPERTIES = (
    *(
        Property(
            f"offset_{axis}_<bands>_pix", rf"$\Delta {axis}$", "pix", REGISTRATION_GROUP, _OFFSET.format(axis)
        )
        for axis in ("x", "y")
    ),
    *(
        Property(
            f"coherence_{scale}_<bands>",
            rf"$\rho_\mathrm{{{scale}}}$",
            "",
            REGISTRATION_GROUP,
            _COHERENCE.format(reach),
        )
        for scale, reach in zip(SCALES, ("4 to 8", "8 to 16", "16 to 32"), strict=True)
    ),
    Property(
        "gradient_<bands>_mag",
        r"$\nabla(m_1 - m_2)$",
        "mag",
        REGISTRATION_GROUP,
        "Color within the half-light radius less the color from there to the Petrosian radius, both of the measured band",
    ),
)
_PAIRS = {re.compile(entry.name.replace("<bands>", "(.+)") + "$"): entry for entry in PAIR_PROPERTIES}


def band_column(name: str, band: str, bands: Sequence[str]) -> str:
    """Column of a quantity of one band: its name, and the band where there are several."""
    return f"{name}_{band}" if len(bands) > 1 else name


def offset_columns(pair: BandPair) -> list[str]:
    """Columns of how far the second band lies from the first, x and y."""
    return [f"offset_{axis}_{pair.stem}_pix" for axis in ("x", "y")]


def coherence_columns(pair: BandPair) -> list[str]:
    """Columns of the coherence of two bands, from fine waves to coarse ones."""
    return [f"coherence_{scale}_{pair.stem}" for scale in SCALES]


def gradient_column(pair: BandPair) -> str:
    """Column of how a color changes outward."""
    return f"gradient_{pair.stem}_mag"


def pair_of_detail(column: str) -> tuple[Property, BandPair] | None:
    """Find what a column of two bands against each other holds, and the bands; None for any other column."""
    for pattern, entry in _PAIRS.items():
        found = pattern.match(column)
        pair = None if found is None else pair_named(found[1])
        if pair is not None:
            return entry, pair
    return None


def pair_property(column: str) -> Property | None:
    """Declare a column of two bands against each other; None for any other column."""
    found = pair_of_detail(column)
    if found is None:
        return None
    entry, pair = found
    bands = rf"\ \mathrm{{{pair.first}-{pair.second}}}".replace("_", r"\_")
    return replace(entry, name=column, symbol=f"{entry.symbol[:-1]}{bands}$")
