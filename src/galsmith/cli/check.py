"""``galsmith check-data``, ``check-asked``: whether galaxies are enough to learn, and drawn ones what was asked for."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from galsmith.cli.options import NO_SETTINGS, SHOWN_ALL, Seed, Shown, Workers, worker_count
from galsmith.cli.outcome import Outcome
from galsmith.cli.premises import check_counts, check_folder, check_places, check_positive, check_there
from galsmith.counts import counted
from galsmith.errors import SettingsError

DATA_EXAMPLE = "galsmith check-data galaxies --minutes 4"
ASKED_EXAMPLE = "galsmith check-asked drawn --training galaxies"


def check_data(
    data: Annotated[Path, Parameter(help="A store; the images of its split train.")],
    /,
    *,
    minutes: Annotated[float, Parameter(help="Processor time of all trainings together.")] = 4.0,
    seed: Seed = 0,
    shown: Shown = SHOWN_ALL,
) -> Outcome:
    """Say whether galaxies are enough: two small models learn disjoint halves, and draw from the same seeds."""
    check_places([data], [])
    check_folder(data, "there is no such store; make one with galsmith ingest or simulate")
    check_positive({"minutes": minutes})
    from galsmith.training.halves import learn_halves, verdict_of

    with shown.progress() as progress:
        levels = learn_halves(data, minutes=minutes, seed=seed, progress=progress)
    return Outcome(
        verb="check-data",
        summary=f"{counted(len(levels), 'sizes')} of two halves",
        numbers={
            "levels": [{**asdict(level), "remembers": level.remembers} for level in levels],
            "verdict": verdict_of(levels),
        },
        details=(*(level.text for level in levels), verdict_of(levels)),
    )


def check_asked(
    drawn: Annotated[str, Parameter(help="A store that galsmith sample wrote.")],
    /,
    *,
    training: Annotated[str, Parameter(help="The store that the model was trained on.")],
    pairs: Annotated[
        list[str],
        Parameter(
            help="What a column of the catalog is measured as, such as 'radius=r_half_pix'; may be repeated.",
            negative=(),
            show_default=False,
        ),
    ] = NO_SETTINGS,
    limit: Annotated[int, Parameter(help="Galaxies a side that are measured at most.")] = 1000,
    workers: Workers = None,
    shown: Shown = SHOWN_ALL,
) -> Outcome:
    """Measure drawn galaxies and training galaxies of the same values, and say how far both are from their catalogs."""
    check_places([drawn, training], [])
    check_there(drawn)
    check_there(training)
    check_counts({"limit": limit})
    names = dict(_pair(text) for part in pairs for text in part.split(","))
    from galsmith.judging.asked_values import asked_against_measured

    with shown.progress() as progress:
        found = asked_against_measured(
            drawn, training, pairs=names, limit=limit, workers=worker_count(workers), progress=progress
        )
    return Outcome(
        verb="check-asked",
        summary=f"{counted(len(found), 'quantities')} of {counted(found[0].n + found[0].n_lost, 'galaxies')}",
        numbers={one.name: one.to_dict() for one in found},
        details=tuple(one.text for one in found),
    )


def _pair(text: str) -> tuple[str, str]:
    """Read ``column=measured column``."""
    name, equals, source = (part.strip() for part in text.partition("="))
    if not (name and equals and source):
        raise SettingsError(
            argument="pairs", came=text, wanted="column=measured column, such as radius=r_half_pix"
        )
    return name, source
