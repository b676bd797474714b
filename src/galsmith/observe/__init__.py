"""Clean images to mock observations: point spread functions, pixels, sky and noise of an instrument; needs no torch."""

from galsmith.observe.observation import PAPER_SHIFTS, Observation
from galsmith.observe.observed import Observed

__all__ = ["PAPER_SHIFTS", "Observation", "Observed"]
