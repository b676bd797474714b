"""One row a galaxy: morphology by a compiled engine, power spectra, flags, and a table that says what made it."""

from galsmith.measure.arrays import morphology
from galsmith.measure.flags import FLAGS, flags_markdown
from galsmith.measure.measure import measure, measured
from galsmith.measure.power.spectrum import (
    average_spectrum_db,
    log_power,
    log_power_rings,
    log_power_wavelength,
)
from galsmith.measure.properties.property import MeasuredStamp, Property
from galsmith.measure.properties.registry import (
    PROPERTIES,
    properties_markdown,
    property_of_column,
    register_property,
)
from galsmith.measure.segmentation import segment
from galsmith.measure.settings import MeasureSettings
from galsmith.measure.table import read_measurements

__all__ = [
    "FLAGS",
    "PROPERTIES",
    "MeasureSettings",
    "MeasuredStamp",
    "Property",
    "average_spectrum_db",
    "flags_markdown",
    "log_power",
    "log_power_rings",
    "log_power_wavelength",
    "measure",
    "measured",
    "morphology",
    "properties_markdown",
    "property_of_column",
    "read_measurements",
    "register_property",
    "segment",
]
