"""How far a race is, from what lies in its folder."""

from race_data import is_complete
from race_plan import CONTESTANTS, FamilyFolder, RaceFolder
from race_training import said_of_training, training_of

from galsmith.errors import InputError
from galsmith.training import read_log

LOG_LINES = 5


def status_lines(folder: RaceFolder) -> list[str]:
    """Say what is done, family by family, and give the end of the log.

    Raises
    ------
    InputError
        If there is no race.
    """
    if not folder.plan_file.exists():
        raise InputError(f"{folder.path}: there is no race; start one, or give its folder with -o")
    there = [name for name in CONTESTANTS if folder.family(name).path.exists()]
    lines = [f"{name:14} {family_status(folder.family(name))}" for name in there]
    done = "the table is there" if folder.table_file.exists() else "no table yet"
    log = folder.log_file.read_text(encoding="utf-8").splitlines() if folder.log_file.exists() else []
    return [*lines, f"{'race':14} {done}", "", *log[-LOG_LINES:]]


def family_status(family: FamilyFolder) -> str:
    """Say how far one family is."""
    if training_of(family) is None:
        log = read_log(family.run / "log.jsonl")
        if not log:
            return "preparing"
        last = log[-1]
        return (
            f"training, {100 * last['budget_used']:.0f} % of the budget, {last['images_seen']:,} images seen"
        )
    steps = [said_of_training(family, 0)]
    steps += ["drawn"] if is_complete(family.drawn_store) else []
    steps += ["measured"] if family.table.exists() else []
    return "; ".join(steps)
