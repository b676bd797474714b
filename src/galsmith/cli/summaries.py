"""What the command line says of what it made: stores, tables and comparisons."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from galsmith.cli.outcome import Outcome
from galsmith.counts import counted

if TYPE_CHECKING:
    from astropy.table import QTable

    from galsmith.compare import Comparison, Judgment, ReportCard
    from galsmith.images import ImageSet

FLAGS_EXPLAINED = 3


def outcome_of_store(verb: str, images: "ImageSet", output: Path) -> Outcome:
    """Say how many images a verb put where."""
    return Outcome(
        verb=verb,
        summary=f"{counted(len(images), images.header.images_name)}, {images.sizes_text}, {images.bands_text}",
        output=output,
        content_hash=images.content_hash,
        numbers=numbers_of_store(images),
    )


def numbers_of_store(images: "ImageSet") -> dict[str, Any]:
    """Give the key numbers of a store."""
    header = images.header
    return {
        "n_images": len(images),
        "bands": list(header.bands),
        "shows": header.shows,
        "splits": images.n_by_split,
    }


def outcome_of_table(table: "QTable", output: Path, spelled: Callable[[str], str] = str) -> Outcome:
    """Say how many galaxies were measured, which flags they got, and what can be done about those that count."""
    from galsmith.measure.table import numbers_of

    numbers = numbers_of(table)
    said = ", ".join(f"{name} {count:,}" for name, count in numbers["flags"].items()) or "none"
    shown = "fields" if table.meta.get("shows") == "field" else "galaxies"
    rows = "" if numbers["n_rows"] == numbers["n_galaxies"] else f", {counted(numbers['n_rows'], 'rows')}"
    return Outcome(
        verb="measure",
        summary=f"{counted(numbers['n_galaxies'], shown)}{rows} (flags: {said})",
        output=output,
        content_hash=str(table.meta.get("content_hash", "")),
        numbers=numbers,
        details=(*_corrections(numbers), *_ways_out(numbers["flags"], spelled)),
    )


def _corrections(numbers: Mapping[str, Any]) -> tuple[str, ...]:
    """Say how large the corrections for noise and resolution are, and how many galaxies have some."""
    if "corrections" not in numbers:
        return ()
    said = ", ".join(f"{name} {size:+.3f}" for name, size in numbers["corrections"].items()) or "none"
    rows = f"{numbers['n_corrected']:,} of {counted(numbers['n_rows'], 'rows')}"
    return (f"corrections for noise and resolution, median: {said} ({rows})",)


def _ways_out(counts: Mapping[str, int], spelled: Callable[[str], str]) -> tuple[str, ...]:
    """Say of the most frequent flags that count what is wrong with the images, and which option changes it."""
    from galsmith.measure.flags import SUSPECT, flag_named

    found = [(flag_named(name), count) for name, count in counts.items()]
    graves = [(flag, count) for flag, count in found if flag and flag.way_out and flag.gravity >= SUSPECT]
    return tuple(
        f"{flag.name} ({count:,}): {flag.meaning}. To do: {spelled(flag.way_out)}"
        for flag, count in graves[:FLAGS_EXPLAINED]
    )


def outcome_of_card(card: "ReportCard", output: Path) -> Outcome:
    """Say verdict and headline distance of every generated set; names come first where there are several."""
    from galsmith.files import sha256_of_file

    numbers: dict[str, Any] = {}
    names = [""]
    if len(card.judgments) > 1:
        names = [f"{item.name}_" for item in card.judgments]
    for name, judgment in zip(names, card.judgments, strict=True):
        numbers |= {f"{name}{key}": value for key, value in _numbers_of_judgment(judgment).items()}
    return Outcome("compare", card.summary, output, sha256_of_file(output), numbers)


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


def _numbers_of_judgment(judgment: "Judgment") -> dict[str, Any]:
    """Return mean distances and the whole verdict, as plain JSON values."""
    from galsmith.compare.files import to_plain

    comparison = judgment.comparison
    unlike = [condition.name for condition in comparison.conditions]
    return {**mean_numbers(comparison), "verdict": to_plain(judgment.verdict), "conditions": unlike}


def _plain(value: float) -> float | None:
    """Return a number for JSON: None where it is not finite."""
    return float(value) if abs(value) < float("inf") else None
