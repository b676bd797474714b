"""How far a step of the Levenberg-Marquardt method may go, after MINPACK's lmdif (Moré, Garbow & Hillstrom 1980)."""

from typing import NamedTuple

from galsmith.measure.engine.compiled import compiled

# a step that gains this share of what was promised is taken
ENOUGH_REDUCTION = 1e-4
# the first steps may be so many times as long as the scaled parameters
FIRST_RADIUS = 100.0


class Success(NamedTuple):
    """How the squared residuals changed, as shares: really, as promised, one over the other; the promised slope."""

    actual: float
    predicted: float
    ratio: float
    slope: float


@compiled
def adjusted_radius(
    radius: float, damping: float, length: float, success: Success, growth: float
) -> tuple[float, float]:
    """Trust radius and damping after a step of a length, by which the residuals grew."""
    if success.ratio <= 0.25:
        factor = 0.5
        if success.actual < 0.0:
            factor = 0.5 * success.slope / (success.slope + 0.5 * success.actual)
        if growth >= 10.0 or factor < 0.1:
            factor = 0.1
        return factor * min(radius, 10.0 * length), damping / factor
    if damping == 0.0 or success.ratio >= 0.75:
        return 2.0 * length, 0.5 * damping
    return radius, damping
