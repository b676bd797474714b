"""``galsmith study``: whether generated images help a downstream task."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from galsmith.cli.options import NO_SETTINGS, SHOWN_ALL, Output, Overwrite, Seed, Sets, Shown, Workers
from galsmith.cli.outcome import Outcome
from galsmith.cli.premises import check_counts, check_folder, check_places
from galsmith.execution import available_cores
from galsmith.study.tasks import TASKS, check_task

EXAMPLE = "galsmith study classifier --data real --generated drawn -o study"
NO_STORE = "there is no such store"


def tasks_text() -> str:
    """Name the tasks."""
    return "\n".join(["Tasks:", *(f"  {name}: {listing.words}" for name, listing in TASKS.items())])


def study(
    task: Annotated[str, Parameter(help="What is learned; the tasks are listed below.")],
    /,
    *,
    data: Annotated[Path, Parameter(help="Store of real images with labels, split in three.")],
    generated: Annotated[Path, Parameter(help="Store of generated images with the same labels.")],
    output: Output,
    n: Annotated[
        int | None, Parameter(name=["-n", "--number"], help="Real images; all of a split when left out.")
    ] = None,
    k: Annotated[
        int | None, Parameter(name=["-k", "--generated-number"], help="Generated images; all when left out.")
    ] = None,
    seeds: Annotated[int, Parameter(help="How many times everything is done anew.")] = 5,
    overrides: Sets = NO_SETTINGS,
    seed: Seed = 0,
    workers: Workers = None,
    overwrite: Overwrite = False,
    shown: Shown = SHOWN_ALL,
) -> Outcome:
    """Fit a task on real images, on generated ones and on both, and say which helps; goes on when repeated."""
    check_places([data, generated], [output])
    check_task(task)
    check_counts({"n": n, "k": k, "seeds": seeds, "workers": workers})
    for place in (data, generated):
        check_folder(place, NO_STORE)
    from galsmith.report.study_page import headline
    from galsmith.study.run import study as run_study

    with shown.progress() as progress:
        card = run_study(
            task,
            data,
            generated,
            output,
            n=n,
            k=k,
            seeds=seeds,
            seed=seed,
            overrides=overrides,
            workers=available_cores() if workers is None else workers,
            overwrite=overwrite,
            progress=progress,
        )
    verdicts = {row["mix"]: row["verdict"] for row in card["rows"] if "verdict" in row}
    lines = tuple(f"{mix}: {verdict}" for mix, verdict in verdicts.items())
    return Outcome("study", headline(card["rows"]).lower(), output, numbers=verdicts, details=lines)
