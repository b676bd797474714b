"""Simulated fields of the sky, each with the truth of its sources and a galaxyness score; needs no torch."""

from galsmith.data.fields.law import FieldSettings
from galsmith.data.fields.mosaic import SkyMosaics
from galsmith.data.fields.render import compile_renderer
from galsmith.data.fields.source import SimulatedFields

__all__ = ["FieldSettings", "SimulatedFields", "SkyMosaics", "compile_renderer"]
