"""The table of all declared quantities: what tables, axes, documents and comparisons read; open to those of others."""

from galsmith.errors import SettingsError
from galsmith.measure.properties.colors import BAND_PROPERTIES, band_property
from galsmith.measure.properties.details import (
    GRID_PROPERTIES,
    PAIR_PROPERTIES,
    WINDING_PROPERTIES,
    pair_property,
)
from galsmith.measure.properties.field import FIELD_PROPERTIES
from galsmith.measure.properties.morphology import CORRECTED_PROPERTIES, KERNEL_PROPERTIES
from galsmith.measure.properties.property import Property
from galsmith.measure.properties.uncertainty import (
    is_resampled_group,
    quantity_of_uncertainty,
    uncertainty_column,
    uncertainty_of,
    why_not_linear,
)
from galsmith.settings import near_miss

N_POWER_MODES = 15


def _power_modes(binning: str, meaning: str, *, headline: bool) -> tuple[Property, ...]:
    """Declare the modes of one binning."""
    return tuple(
        Property(
            f"power_{binning}_{mode:02d}",
            rf"$\log_{{10}} P_{{{mode}}}$",
            "dex",
            f"power_{binning}",
            f"log10 of the mean amplitude |F|/N^2 over {meaning.format(mode=mode)} "
            "(Holzschuh et al. 2022, section 4.1.2)",
            headline=headline,
        )
        for mode in range(N_POWER_MODES)
    )


POWER_PROPERTIES = (
    *_power_modes("wavelength", "bin {mode} of spatial frequency, shared by all image sizes", headline=True),
    *_power_modes(
        "rings", "the ring of integer radius {mode} of the image's own Fourier grid", headline=False
    ),
)

# Evaluated in NumPy after the kernels. One that is to belong to galsmith gets a file in this folder and a name here.
COMPUTED: tuple[Property, ...] = ()

# A list, since `register_property` adds to it.
PROPERTIES: list[Property] = [
    *KERNEL_PROPERTIES,
    *POWER_PROPERTIES,
    *GRID_PROPERTIES,
    *WINDING_PROPERTIES,
    *FIELD_PROPERTIES,
    *COMPUTED,
]

# Of every band, where there are several: their columns end in it.
BANDED_PREFIXES = ("power_", "grid_")

_OWN = frozenset(entry.name for entry in (*PROPERTIES, *CORRECTED_PROPERTIES))


def register_property(entry: Property) -> None:
    """Measure a quantity of your own on every galaxy from now on, with a column, an axis and a distance like the others.

    Parameters
    ----------
    entry : Property
        With `compute`, a group that there is and a name of its own; one that you registered before is replaced.

    Raises
    ------
    SettingsError
        If its name is taken, its group is unknown, or nothing computes it.
    """
    if entry.name in _OWN or _bands_property(entry.name) is not None:
        raise SettingsError(
            f"property {entry.name!r}: galsmith measures one of this name; choose another name"
        )
    if not entry.name.isidentifier():
        raise SettingsError(
            f"property {entry.name!r}: wanted letters, digits and underscores, since it names a column"
        )
    groups = list(dict.fromkeys(known.group for known in declared_properties()))
    if entry.group not in groups:
        raise SettingsError(
            f"property {entry.name!r}: there is no group {entry.group!r}{near_miss(entry.group, groups)}; wanted one of "
            f"{', '.join(groups)}"
        )
    if entry.compute is None:
        raise SettingsError(
            f"property {entry.name!r}: nothing computes it; give compute, a function of a MeasuredStamp"
        )
    PROPERTIES[:] = [known for known in PROPERTIES if known.name != entry.name] + [entry]


def computed_properties() -> tuple[Property, ...]:
    """Give the properties that are evaluated in NumPy, in their order."""
    return tuple(entry for entry in PROPERTIES if entry.compute is not None)


def declared_properties() -> tuple[Property, ...]:
    """Give all properties, and the quantities of which every band, or pair of bands, has a column of its own."""
    return (*PROPERTIES, *BAND_PROPERTIES, *PAIR_PROPERTIES, *CORRECTED_PROPERTIES)


def property_of_column(column: str) -> Property | None:
    """Find what a column of a measurement table holds.

    Parameters
    ----------
    column : str
        A property's name, that of a power mode with its band, such as ``"power_wavelength_03_g"``, the flux of
        a band, ``"flux_g"``, a color, ``"color_gi_mag"``, two bands against each other, ``"offset_x_gi_pix"``, or the
        uncertainty of one of these, ``"gini_sigma"``.

    Returns
    -------
    Property or None
        None for what is no measurement, such as ``"object_id"``.
    """
    found = _property_named(column)
    if found is not None:
        return found
    quantity = quantity_of_uncertainty(column)
    of_what = None if quantity is None else _property_named(quantity) or _of_bands(quantity)
    return _of_bands(column) if of_what is None else uncertainty_of(of_what, column)


def _of_bands(column: str) -> Property | None:
    """Find what a column holds that is there for every band, or pair of bands."""
    if not column.startswith(BANDED_PREFIXES):
        return _bands_property(column)
    return _property_named("_".join(column.split("_")[:3]))


def is_resampled(column: str) -> bool:
    """Whether a column gets an uncertainty by measuring again: not fits, corrections and own computations."""
    entry = property_of_column(column)
    return (
        entry is not None
        and entry.compute is None
        and is_resampled_group(entry.group)
        and not column.startswith(("sersic_", "stamp_"))
    )


def _bands_property(column: str) -> Property | None:
    """Find what a column holds whose name was made from those of bands."""
    return band_property(column) or pair_property(column)


def _property_named(name: str) -> Property | None:
    """Find a property by its name."""
    return next((entry for entry in (*PROPERTIES, *CORRECTED_PROPERTIES) if entry.name == name), None)


def properties_markdown() -> str:
    """Render all properties as the Markdown tables of ``docs/properties.md``."""
    declared = declared_properties()
    lines: list[str] = []
    for group in dict.fromkeys(entry.group for entry in declared):
        lines += [
            f"## {group}",
            "",
            "| column | symbol | unit | headline | definition |",
            "|---|---|---|---|---|",
        ]
        lines += [_markdown_row(entry) for entry in declared if entry.group == group]
        lines.append("")
    return "\n".join([*lines, *_uncertainty_rows(), ""])


def _uncertainty_rows() -> list[str]:
    """Render the uncertainties that measuring again gives."""
    plain = [entry for entry in PROPERTIES if not entry.group.startswith("power_")]
    said = [(entry.name, why_not_linear(entry.name)) for entry in plain if is_resampled(entry.name)]
    return [
        "## uncertainties",
        "",
        "| column | of | approximate, since it is |",
        "|---|---|---|",
        *(f"| `{uncertainty_column(name)}` | `{name}` | {mark} |" for name, mark in said),
        "| `power_<binning>_<mode>_sigma` | `power_<binning>_<mode>` |  |",
        "| `flux_<band>_sigma` | `flux_<band>` |  |",
        "| `color_<bands>_sigma_mag` | `color_<bands>_mag` |  |",
        *(
            f"| `{uncertainty_column(entry.name)}` | `{entry.name}` | {why_not_linear(entry.name)} |"
            for entry in PAIR_PROPERTIES
        ),
    ]


def _markdown_row(entry: Property) -> str:
    """Render one property as a row."""
    unit = "flux unit of the set" if entry.unit == "flux" else entry.unit or "–"
    period = " Circular, period pi." if entry.is_circular else ""
    symbol = entry.symbol.replace("|", r"\|")
    definition = entry.definition.replace("|", r"\|")
    return (
        f"| `{entry.name}` | {symbol} | {unit} | {'yes' if entry.headline else ''} | {definition}.{period} |"
    )
