"""What the command line says of a comparison."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from galsmith.compare import Comparison

HEADLINE = "headline"


def mean_numbers(comparison: "Comparison") -> Mapping[str, float | int | None]:
    """Return the mean distances with their floors, and how many galaxies they are of."""
    numbers: dict[str, float | int | None] = {
        "n_reference": comparison.reference.n_compared,
        "n_generated": comparison.generated.n_compared,
    }
    for mean in comparison.means:
        key = mean.name.replace(" ", "_")
        numbers[f"mean_w1_{key}"] = _plain(mean.value)
        numbers[f"floor_{key}"] = _plain(mean.floor)
    return numbers


def mean_sentence(comparison: "Comparison") -> str:
    """Say the headline distance, the one at the top of a report, beside what sampling alone makes."""
    mean = next((item for item in comparison.means if item.name == HEADLINE), None)
    if mean is None or not mean.n_properties:
        return "no property could be compared"
    return (
        f"W1 {mean.value:.3f} standard deviations of the reference on average over {mean.n_properties} properties, "
        f"{mean.in_floors:.1f} times the {mean.floor:.3f} that sampling alone makes"
    )


def _plain(value: float) -> float | None:
    """Return a number for JSON: None where it is not finite."""
    return float(value) if abs(value) < float("inf") else None
