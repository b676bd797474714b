"""What the command line says of a comparison."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from galsmith.errors import SettingsError

if TYPE_CHECKING:
    from galsmith.compare import Comparison, Judgment, ReportCard

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


def named_paths(generated: Sequence[str]) -> dict[str, Path]:
    """Read generated sets written as ``PATH`` or ``NAME=PATH``.

    Raises
    ------
    SettingsError
        If there is none, or two have one name.
    """
    named: dict[str, Path] = {}
    for text in generated:
        name, separator, path = text.partition("=")
        place = Path(path) if separator and not Path(text).exists() else Path(text)
        name = name if place != Path(text) else _stem(place)
        if name in named:
            raise SettingsError(
                f"{text}: another generated set is named {name} too; name them apart: ours={named[name]} theirs={place}"
            )
        named[name] = place
    if not named:
        raise SettingsError("no generated set: galsmith compare REFERENCE GENERATED [MORE...] -o FILE.json")
    return named


def card_numbers(card: "ReportCard") -> Mapping[str, Any]:
    """Return mean distances and verdict of every generated set; names come first where there are several."""
    if len(card.judgments) == 1:
        return _judgment_numbers(card.judgment())
    return {
        f"{judgment.name}_{key}": value
        for judgment in card.judgments
        for key, value in _judgment_numbers(judgment).items()
    }


def card_sentence(card: "ReportCard") -> str:
    """Say verdict and headline distance of every generated set."""
    said = [f"{item.verdict.status}; {mean_sentence(item.comparison)}" for item in card.judgments]
    if len(said) == 1:
        return said[0]
    return "; ".join(f"{item.name}: {text}" for item, text in zip(card.judgments, said, strict=True))


def _judgment_numbers(judgment: "Judgment") -> dict[str, Any]:
    """Return mean distances and the whole verdict, as plain JSON values."""
    from galsmith.compare.files import to_plain

    return {**mean_numbers(judgment.comparison), "verdict": to_plain(judgment.verdict)}


def _stem(place: Path) -> str:
    """Name a set after its file, also where an array of it is meant, as in ``set.h5:/images``."""
    from galsmith.data.readers.array_files import array_place

    array = array_place(place)
    return place.stem if array is None else array.path.stem


def _plain(value: float) -> float | None:
    """Return a number for JSON: None where it is not finite."""
    return float(value) if abs(value) < float("inf") else None
