"""One row a galaxy: morphology by a compiled engine, power spectra, flags, and a table that says what made it."""

from galsmith.measure.measure import measure
from galsmith.measure.morphology import morphology
from galsmith.measure.power.spectrum import (
    average_spectrum_db,
    log_power,
    log_power_rings,
    log_power_wavelength,
)
from galsmith.measure.properties.declared import PROPERTIES, property_of_column
from galsmith.measure.properties.page import properties_markdown
from galsmith.measure.properties.property import Property
from galsmith.measure.segmentation import segment
from galsmith.measure.settings import MeasureSettings
from galsmith.measure.table import read_measurements

__all__ = [
    "PROPERTIES",
    "MeasureSettings",
    "Property",
    "average_spectrum_db",
    "log_power",
    "log_power_rings",
    "log_power_wavelength",
    "measure",
    "morphology",
    "properties_markdown",
    "property_of_column",
    "read_measurements",
    "segment",
]
