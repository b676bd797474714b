"""What the command line says of a training run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from galsmith.cli.outcome import Outcome


def outcome_of_run(run: Path) -> Outcome:
    """Say how far a run came and where its snapshot is."""
    from galsmith.cli.describe.runs import describe_run

    description = describe_run(run)
    return Outcome(
        verb="train",
        summary=_summary(description.numbers),
        output=run,
        content_hash=description.content_hash,
        numbers=description.numbers,
    )


def _summary(numbers: Mapping[str, Any]) -> str:
    """Say how far the run came, and which snapshot it keeps where that is not the last."""
    seen, chosen = numbers.get("images_seen"), numbers.get("chosen")
    if seen is None:
        return "trained"
    if chosen is None:
        return f"trained on {seen:,} images seen"
    width = f", averaged with width {chosen['ema_width']:g}" if "ema_width" in chosen else ""
    return (
        f"trained on {chosen['images_seen_by_run']:,} images seen, kept the best of {chosen['n_evaluations']} snapshots "
        f"(at {seen:,} images, distance {chosen['distance']:.3g}{width})"
    )
