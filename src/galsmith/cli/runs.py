"""What the command line says of a training run."""

from pathlib import Path

from galsmith.cli.outcome import Outcome


def outcome_of_run(run: Path) -> Outcome:
    """Say how far a run came and where its snapshot is."""
    from galsmith.cli.describe.runs import describe_run

    description = describe_run(run)
    seen = description.numbers.get("images_seen")
    return Outcome(
        verb="train",
        summary="trained" if seen is None else f"trained on {seen:,} images seen",
        output=run,
        content_hash=description.content_hash,
        numbers=description.numbers,
    )
