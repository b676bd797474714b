"""What the command line says of a comparison."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from galsmith.compare import Comparison

ALL_PROPERTIES, HEADLINE = "all properties", "headline"


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
    """Say the mean distance beside what two parts of the reference have between them."""
    mean = next((item for item in comparison.means if item.name == ALL_PROPERTIES), None)
    if mean is None:
        return "no property could be compared"
    return (
        f"mean W1 of {mean.n_properties} properties {mean.value:.3f} in standard deviations of the reference "
        f"(floor {mean.floor:.3f}: what two parts of the reference differ by)"
    )


def _plain(value: float) -> float | None:
    """Return a number for JSON: None where it is not finite."""
    return float(value) if abs(value) < float("inf") else None
