"""Clean images to mock observations: point spread functions, pixels, sky and noise of an instrument; needs no torch."""

from galsmith.observe.instruments import DEPTHS, INSTRUMENTS, limiting_magnitudes
from galsmith.observe.observation import PAPER_SHIFTS, Observation
from galsmith.observe.observe import observe
from galsmith.observe.observed import Observed
from galsmith.observe.presets import PRESETS, stated_observation

__all__ = [
    "DEPTHS",
    "INSTRUMENTS",
    "PAPER_SHIFTS",
    "PRESETS",
    "Observation",
    "Observed",
    "limiting_magnitudes",
    "observe",
    "stated_observation",
]
