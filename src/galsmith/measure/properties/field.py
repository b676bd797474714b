"""The declared quantities of a field of many sources: how many, how bright, how they cluster, its sky and its waves."""

from galsmith.measure.properties.property import Property

FIELD_GROUP = "field"
FLUX_EDGES = (30.0, 300.0)
"""Between faint, middling and bright sources, in gray levels summed over a source."""
PAIR_REACHES_PIX = (10, 25, 50, 100)
LEVELS_ABOVE_SKY = (4, 16, 64, 192)
WAVELENGTHS_PIX = (2, 4, 8, 16, 32, 64, 128)
"""Shortest wave of each band of power; a band ends at twice that, the last one at the side of the image."""

_OF_SOURCES = (
    "of the sources that are found 5 sigma above the blank sky, each fitted by an elliptical Moffat profile"
)
_PAIRS = (
    "Pairs of sources nearer than {} px over those expected of as many sources thrown at random into the frame, its edges "
    "taken into account: 1 without clustering (Peebles 1980, section 45)"
)
_POWER = (
    "log10 of the mean power |F|^2/N over waves of {} px, N the number of pixels: of white noise its variance, whatever "
    "the size of the image"
)


def _field(name: str, symbol: str, unit: str, definition: str) -> Property:
    """Declare a quantity of a field; all of them make the mean distance of two sets of fields."""
    return Property(f"field_{name}", symbol, unit, FIELD_GROUP, definition, headline=True)


def counts_columns() -> list[str]:
    """Columns of how many sources are faint, middling and bright."""
    low, high = (f"{edge:.0f}" for edge in FLUX_EDGES)
    return [f"field_sources_below_{low}", f"field_sources_{low}_to_{high}", f"field_sources_above_{high}"]


def _reach_of_band(shortest: int) -> str:
    """Say which waves are in a band of power."""
    if shortest == WAVELENGTHS_PIX[-1]:
        return f"{shortest} px and more, but for the mean,"
    return f"{shortest} to {2 * shortest}"


# In the order of columns; `galsmith.measure.field.row` fills all of them.
FIELD_PROPERTIES = (
    _field("sources", r"$N$", "", f"Number {_OF_SOURCES}"),
    *(
        _field(column.removeprefix("field_"), rf"$N_\mathrm{{{kind}}}$", "", f"Number {_OF_SOURCES}, {words}")
        for column, kind, words in zip(
            counts_columns(),
            ("faint", "mid", "bright"),
            (
                f"with a flux below {FLUX_EDGES[0]:.0f} gray levels",
                f"with a flux of {FLUX_EDGES[0]:.0f} to {FLUX_EDGES[1]:.0f} gray levels",
                f"with a flux of {FLUX_EDGES[1]:.0f} gray levels and more",
            ),
            strict=True,
        )
    ),
    _field("log_flux_mean", r"$\langle\log_{10} F\rangle$", "dex", f"Mean log10 flux {_OF_SOURCES}"),
    _field(
        "log_flux_sigma",
        r"$\sigma(\log_{10} F)$",
        "dex",
        f"Standard deviation of the log10 flux {_OF_SOURCES}",
    ),
    _field(
        "log_size_mean", r"$\langle\log_{10} s\rangle$", "dex", f"Mean log10 width in pixels {_OF_SOURCES}"
    ),
    _field(
        "log_size_sigma",
        r"$\sigma(\log_{10} s)$",
        "dex",
        f"Standard deviation of the log10 width in pixels {_OF_SOURCES}",
    ),
    _field("axis_ratio_mean", r"$\langle q\rangle$", "", f"Mean axis ratio {_OF_SOURCES}"),
    *(
        _field(f"pairs_{reach}", rf"$1+\bar\xi_{{{reach}}}$", "", _PAIRS.format(reach))
        for reach in PAIR_REACHES_PIX
    ),
    _field("level", r"$\mu_\mathrm{sky}$", "", "Mean of the blank sky, in gray levels"),
    _field("noise", r"$\sigma_\mathrm{sky}$", "", "Standard deviation of the blank sky, in gray levels"),
    _field(
        "share_above_mean",
        r"$f_{>\mathrm{mean}}$",
        "",
        "Share of pixels that are brighter than the field's mean (ETHZ CIL 2020, appendix 7)",
    ),
    *(
        _field(
            f"brighter_{level}",
            rf"$\log_{{10}} f_{{+{level}}}$",
            "dex",
            f"log10 of the share of pixels that are {level} gray levels and more above the mean of the blank sky; half a "
            "pixel is added, so that none is a number too",
        )
        for level in LEVELS_ABOVE_SKY
    ),
    *(
        _field(
            f"power_{shortest}",
            rf"$\log_{{10}} P_{{{shortest}}}$",
            "dex",
            _POWER.format(_reach_of_band(shortest)),
        )
        for shortest in WAVELENGTHS_PIX
    ),
)
